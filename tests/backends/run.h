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

// Empty if the results of the CPU backend agree with the interpreter's: integers exactly, floats within `tolerance`
// relative to 1 + |x|, with a few units of their own precision; else what differs.
std::string disagreement(const ir::Graph& graph, const std::vector<HostTensor>& inputs,
                         const cpu::CompileOptions& options, double tolerance = 1e-12);

}  // namespace jot::test
