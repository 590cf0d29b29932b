// Memory of intermediate values: blocks that are live over a range of steps share an arena.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace jot::cpu {

struct Block {
  int64_t bytes;
  uint32_t first, last;  // steps; both included
  int64_t offset = 0;    // result
};

inline constexpr int64_t kArenaAlignment = 64;
constexpr int64_t aligned(int64_t bytes) { return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment; }

// Gives each block an offset such that blocks that are live together do not overlap; returns the size of the arena.
// Best fit in the order of time: near-linear.
int64_t plan_memory(std::span<Block> blocks);

// The most bytes that are live at one step (a lower bound of the arena).
int64_t largest_live_set(std::span<const Block> blocks);

}  // namespace jot::cpu
