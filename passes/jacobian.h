// The jacobian of a whole graph; passes/transforms.h has the other transforms and the conventions.
#pragma once
#include <cstdint>
#include <optional>
#include <span>

#include "ir/rules.h"
#include "jot/choices.h"
#include "jot/ir.h"

namespace jot::passes {

using detail::JacobianMode;

// inputs:  x
// results: y, then the block of value o by the k-th active input (of K) at y.size() + o * K + k, of shape
//          shape(y[o]) + shape(x[k]) and the dtype of the input (reverse) or of the value (forward; zeros where that is
//          not floating, an error in reverse mode)
// The basis is the op identity(shape), whose zeros are structural. chunk_size: at most how many rows (columns) one
// batch has (but two, or one more, where else a single one would be left); all if none. O(nodes of g) for each value
// (reverse) or active input (forward) and each chunk.
ir::Graph jacobian(const ir::Graph& g, std::span<const uint8_t> active, size_t num_values, JacobianMode mode,
                   std::optional<int64_t> chunk_size = {}, ir::Zeros zeros = ir::Zeros::ieee);

}  // namespace jot::passes
