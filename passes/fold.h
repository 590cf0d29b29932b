#pragma once
#include <optional>
#include <span>

#include "ir/builder.h"

namespace jot::passes {

// Evaluates nodes all of whose operands are constants, by the reference rules, where operands and result have at most
// 64 elements or are splats. Structural zeros, random draws, stop_gradient and what may raise stay. Pure graphs.
// O(nodes).
ir::Graph fold(const ir::Graph& g);

// The same for one node of g on `operands` of b: the constant, if it is one.
std::optional<ir::Value> folded(ir::Builder& b, const ir::GraphData& g, ir::Value v,
                                std::span<const ir::Value> operands);

}  // namespace jot::passes
