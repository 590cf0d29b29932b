#pragma once
#include <span>
#include <vector>

#include "ir/builder.h"
#include "ir/rules.h"

namespace jot::passes {

// Values and tangents of a graph's outputs; kNoValue is a tangent that is zero.
struct Dual {
  std::vector<ir::Value> values, tangents;
};

// Emits g at `args` into b, together with its derivative in the direction of `tangents` (one an input, kNoValue: zero).
// The nodes that depend on a tangent are linear in the tangents, and only they. Forward mode; O(nodes).
Dual linearize_into(ir::Builder& b, const ir::GraphData& g, std::span<const ir::Value> args,
                    std::span<const ir::Value> tangents, ir::Zeros zeros = ir::Zeros::ieee);

// A graph with its derivative: inputs of g, then a tangent for each active one; outputs of g, then those tangents of
// outputs that are not zero (zero_tangent[i] tells).
struct Linearized {
  ir::Graph graph;
  size_t num_primals;                 // inputs of g
  size_t num_outputs;                 // outputs of g
  std::vector<uint8_t> zero_tangent;  // one an output of g
};
// active: one flag an input; only floating inputs may be active.
Linearized linearize(const ir::Graph& g, std::span<const uint8_t> active, ir::Zeros zeros = ir::Zeros::ieee);

}  // namespace jot::passes
