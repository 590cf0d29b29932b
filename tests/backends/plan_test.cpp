#include "backends/cpu/runtime/plan.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <random>

using jot::cpu::Block;
using jot::cpu::largest_live_set;
using jot::cpu::plan_memory;

namespace {

std::vector<Block> random_blocks(size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Block> blocks;
  for (size_t i = 0; i < n; ++i) {
    auto first = static_cast<uint32_t>(random() % n);
    blocks.push_back({static_cast<int64_t>(random() % 5000), first, first + static_cast<uint32_t>(random() % 20)});
  }
  return blocks;
}

}  // namespace

TEST_CASE("plan: blocks that are live together do not overlap") {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    std::vector<Block> blocks = random_blocks(200, seed);
    int64_t arena = plan_memory(blocks);
    CHECK(arena >= largest_live_set(blocks));
    for (size_t i = 0; i < blocks.size(); ++i) {
      const Block& a = blocks[i];
      CHECK(a.offset % jot::cpu::kArenaAlignment == 0);
      CHECK(a.offset + a.bytes <= arena);
      for (size_t j = 0; j < i; ++j) {
        const Block& b = blocks[j];
        bool together = a.first <= b.last && b.first <= a.last;
        bool overlap = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
        if (together && overlap) FAIL("blocks " << j << " and " << i << " of seed " << seed << " overlap");
      }
    }
  }
}

TEST_CASE("plan: memory of a chain is used again") {
  std::vector<Block> blocks;
  for (uint32_t i = 0; i < 100; ++i) blocks.push_back({1000, i, i + 1});
  CHECK(plan_memory(blocks) == 2 * 1024);
  CHECK(largest_live_set(blocks) == 2 * 1024);
}

TEST_CASE("plan: random blocks cost little more than the largest live set") {
  std::vector<Block> blocks = random_blocks(20000, 7);
  CHECK(static_cast<double>(plan_memory(blocks)) <= 1.35 * static_cast<double>(largest_live_set(blocks)));
}
