// The transforms of torch.func as functions of whole graphs. They take pure graphs.
//
// Below, g has inputs x, results y (GraphData::num_results) and writebacks w. `active` has one flag an input: those the
// derivative is taken by; they must be floating. The first `num_values` results are differentiated, the others (aux)
// are only computed. Every transformed graph has the results y first, then the new ones, and the writebacks of g;
// what is not wanted is for dce. What does not depend is zeros. All are O(nodes of g) but where noted.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ir/rules.h"
#include "jot/ir.h"

namespace jot::passes {

using ir::Zeros;

// inputs:  x, then a tangent for each active input
// results: y, then the tangent of each value, of the value's type
ir::Graph jvp(const ir::Graph& g, std::span<const uint8_t> active, size_t num_values, Zeros zeros = Zeros::ieee);

// inputs:  x, then a cotangent for each value (all must be floating)
// results: y, then the cotangent of each active input
ir::Graph vjp(const ir::Graph& g, std::span<const uint8_t> active, size_t num_values, Zeros zeros = Zeros::ieee);

// inputs:  x
// results: y, then the gradient of y[0] (0-d) by each active input; zeros where y[0] is not floating
ir::Graph grad(const ir::Graph& g, std::span<const uint8_t> active, Zeros zeros = Zeros::ieee);

// A graph split in what is evaluated once and a linear map on its residuals. Residuals are distinct, only those that
// the map uses; constants are not among them.
//   primal: inputs x; results y, then the residuals; writebacks of g
//   map:    inputs: the residuals, then one a tangent (cotangent); pure, without writebacks
struct LinearSplit {
  ir::Graph primal, map;
  size_t num_residuals;
};
// map: tangents of the active inputs -> tangents of the values
LinearSplit split_jvp(const ir::Graph& g, std::span<const uint8_t> active, size_t num_values,
                      Zeros zeros = Zeros::ieee);
// map: cotangents of the values (all must be floating) -> cotangents of the active inputs
LinearSplit split_vjp(const ir::Graph& g, std::span<const uint8_t> active, size_t num_values,
                      Zeros zeros = Zeros::ieee);

// A value with lanes is written to an input that has none.
struct LanesError : TransformError {
  LanesError(const std::string& message, size_t at) : TransformError(message), input(at) {}
  size_t input;
};

// The same of all results of a region, a graph without writebacks.
//   map: tangents of the active inputs -> tangents of the results that have one, in order
struct ConnectedSplit {
  LinearSplit split;
  std::vector<uint8_t> connected;  // one a result
};
ConnectedSplit split_connected(const ir::Graph& g, std::span<const uint8_t> active, Zeros zeros);

// For `size` lanes at once, the first of them number first_lane in errors. in_dims: one an input of g, none where it is
// not mapped. The result's inputs have an extent `size` inserted at in_dims[i]; its results one at out_dims[i] (of the
// batched rank, not negative; a value without lanes is broadcast), none for a value that must not have lanes. A
// writeback has its input's lanes. Where a value with lanes has nowhere to put them throws TransformError, of a
// writeback LanesError; IndexError if an out_dim is out of range.
ir::Graph vmap(const ir::Graph& g, std::span<const std::optional<int64_t>> in_dims,
               std::span<const std::optional<int64_t>> out_dims, int64_t size, Randomness randomness,
               int64_t first_lane = 0);

}  // namespace jot::passes
