#pragma once
#include <span>
#include <vector>

#include "ir/builder.h"
#include "ir/rules.h"

namespace jot::passes {

struct Batched {
  std::vector<ir::Value> values;  // batch dim at 0 where batched
  std::vector<uint8_t> batched;
};

// Emits g into b for `size` lanes at once. args: one an input, with the lanes at dim 0 where batched[i]. What depends
// on no batched input is computed once, unbatched. first_lane: the number of the first lane in errors, -1 where they
// are no vmap's. O(nodes).
Batched batch_into(ir::Builder& b, const ir::GraphData& g, std::span<const ir::Value> args,
                   std::span<const uint8_t> batched, int64_t size, Randomness randomness, int64_t first_lane);

// v, which has lanes at dim 0 or none, with lanes at dim `to`.
ir::Value place_lanes(ir::Builder& b, ir::Value v, bool batched, int64_t to, int64_t size);

// x with dim `from` moved to `to`.
ir::Value move_dim(ir::Builder& b, ir::Value x, int64_t from, int64_t to);

}  // namespace jot::passes
