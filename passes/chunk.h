#pragma once
#include <optional>
#include <span>

#include "ir/rules.h"
#include "jot/ir.h"

namespace jot::passes {

// How a vmap is cut.
struct Chunks {
  int64_t size;  // lanes of a piece; the last may have fewer
  // Of a graph that draws: the input with the base of its draws, and how many numbers a whole piece draws. Each piece
  // of mode `different` goes on where the one before it ended; `same` starts each from the same draws.
  std::optional<size_t> random_offset{};
  int64_t random_draws = 0;
};

// vmap (passes/transforms.h), piece after piece; the results are concatenated. The draws of g stand where all lanes of
// a whole piece draw, one after the other. O(nodes of g * pieces).
ir::Graph vmap_in_chunks(const ir::Graph& g, std::span<const std::optional<int64_t>> in_dims,
                         std::span<const std::optional<int64_t>> out_dims, int64_t lanes, Randomness randomness,
                         const Chunks& chunks);

}  // namespace jot::passes
