#pragma once
#include <span>
#include <vector>

#include "ir/builder.h"

namespace jot::passes {

// Copies g into b with `args` for its inputs, one each; returns the values of its outputs (results, then writebacks).
// O(nodes of g).
std::vector<ir::Value> inline_graph(ir::Builder& b, const ir::GraphData& g, std::span<const ir::Value> args);

// Parameters of b like the inputs of g.
std::vector<ir::Value> params_like(ir::Builder& b, const ir::GraphData& g);

}  // namespace jot::passes
