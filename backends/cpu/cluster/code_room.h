// How much code a kernel may have: a value without room in its cluster begins the next one, a level above.
#pragma once
#include <cstdint>
#include <unordered_map>

#include "backends/cpu/cluster/axes.h"

namespace jot::cpu {

// About how many instructions a kernel has for a value: as many as its elements have terms, and their functions steps.
int64_t instructions_of(const ir::GraphData& g, const Axes& axes, ir::Value v);

// The clusters of nests and levels, and how many instructions they have.
class CodeRoom {
 public:
  // Gives n instructions of a nest to the first level, from `level` on, that has room. Near constant: levels that are
  // half full and had none for somebody are passed over.
  uint32_t take(uint32_t nest, uint32_t level, int64_t n);
  // From one level to another; false where this has no room.
  bool move(uint32_t nest, uint32_t from, uint32_t to, int64_t n);

 private:
  static constexpr int64_t kMost = 50000;  // half a megabyte of code
  static uint64_t key(uint32_t nest, uint32_t level) { return uint64_t{nest} << 32 | level; }
  uint32_t open(uint32_t nest, uint32_t level);

  std::unordered_map<uint64_t, int64_t> instructions_;
  std::unordered_map<uint64_t, uint32_t> next_;  // of levels that are passed over: one behind
};

}  // namespace jot::cpu
