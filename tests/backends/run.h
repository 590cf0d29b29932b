// Graphs run by the CPU backend, compared with the interpreter.
#pragma once
#include <string>
#include <vector>

#include "backends/cpu/executable.h"
#include "tests/support/host.h"

namespace jot::test {

// Buffers end at a guard page under JOT_GUARD=1.
std::vector<HostTensor> run_on(const Engine& engine, const ir::Graph& graph, const std::vector<HostTensor>& inputs);

std::vector<HostTensor> run_cpu(const ir::Graph& graph, const std::vector<HostTensor>& inputs,
                                const cpu::CompileOptions& options);

// Empty if the results agree with the interpreter's: integers exactly, floats within `tolerance` relative to 1 + |x|,
// with a few units of their own precision, and of that of half floats in the graph; else what differs.
std::string difference_of(const ir::Graph& graph, const std::vector<HostTensor>& wanted,
                          const std::vector<HostTensor>& got, double tolerance);
// Of the CPU backend.
std::string disagreement(const ir::Graph& graph, const std::vector<HostTensor>& inputs,
                         const cpu::CompileOptions& options, double tolerance = 1e-12);

// How results may differ from the interpreter's: not at all; as single operations are rounded; as sums, which may be
// added up in any order, so that the largest error of a tensor is that of each element.
enum class Rounding : uint8_t { exact, elementwise, sums };

// How a row may be rounded: by its nodes that compute. Products with structural zeros have no sign.
Rounding rounding_of(const ir::Graph& graph);

// A row with an axis of n lanes: leading, or last (memory is strided), or in the first input only.
enum class Lanes : uint8_t { leading, last, some };
ir::Graph mapped_row(const ir::Graph& g, Lanes lanes, int64_t n);

// Empty if |got - exact| <= 4 (|rounded - exact| + eps |exact|), where the interpreter makes `rounded` in the precision
// of `got`, and `exact` in f64; else what differs. NaN, infinities and signs of zero must agree.
std::string beyond_yardstick(const HostTensor& got, const HostTensor& rounded, const HostTensor& exact,
                             Rounding rounding);
// The same for every result of a graph; `wide` is the graph with f64 for f32.
std::string beyond_yardstick(const ir::Graph& graph, const ir::Graph& wide, Rounding rounding,
                             const std::vector<HostTensor>& inputs, const cpu::CompileOptions& options);

}  // namespace jot::test
