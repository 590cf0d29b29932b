#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/record/trace.h"

namespace jot::detail {

// Emits a pure graph into the innermost trace; its writebacks become writes to the tensors bound to those inputs.
// `extra` are the values of the inputs after those of the bindings.
std::vector<Tensor> splice(const ir::Graph& graph, std::span<const Binding> bindings, std::span<const Tensor> args,
                           std::span<const Tensor> extra, int64_t random_draws, Location at);

}  // namespace jot::detail
