#include "backends/cpu/runtime/plan.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace jot::cpu {
namespace {

int64_t rounded(int64_t bytes) { return std::max(aligned(bytes), kArenaAlignment); }

// Free ranges of the arena below its end, by offset and by size.
class FreeRanges {
 public:
  int64_t take(int64_t bytes) {
    auto fit = by_size_.lower_bound({bytes, 0});
    if (fit != by_size_.end()) {
      auto [size, offset] = *fit;
      erase(offset, size);
      if (size > bytes) insert(offset + bytes, size - bytes);
      return offset;
    }
    // A free range at the end grows.
    int64_t offset = end_;
    if (!by_offset_.empty()) {
      auto last = std::prev(by_offset_.end());
      if (last->first + last->second == end_) {
        offset = last->first;
        erase(last->first, last->second);
      }
    }
    end_ = offset + bytes;
    return offset;
  }

  void give(int64_t offset, int64_t bytes) {
    auto after = by_offset_.lower_bound(offset);
    if (after != by_offset_.end() && after->first == offset + bytes) {
      int64_t size = after->second;
      erase(offset + bytes, size);
      bytes += size;
    }
    auto before = by_offset_.lower_bound(offset);
    if (before != by_offset_.begin()) {
      --before;
      if (before->first + before->second == offset) {
        int64_t start = before->first, size = before->second;
        erase(start, size);
        offset = start;
        bytes += size;
      }
    }
    insert(offset, bytes);
  }

  int64_t end() const { return end_; }

 private:
  void insert(int64_t offset, int64_t size) {
    by_offset_.emplace(offset, size);
    by_size_.emplace(size, offset);
  }
  void erase(int64_t offset, int64_t size) {
    by_offset_.erase(offset);
    by_size_.erase({size, offset});
  }
  std::map<int64_t, int64_t> by_offset_;
  std::set<std::pair<int64_t, int64_t>> by_size_;
  int64_t end_ = 0;
};

std::vector<uint32_t> order_by(std::span<const Block> blocks, uint32_t Block::*key) {
  std::vector<uint32_t> order(blocks.size());
  std::iota(order.begin(), order.end(), 0);
  // Large blocks first among those of one step.
  std::ranges::stable_sort(order, [&](uint32_t a, uint32_t b) {
    return blocks[a].*key != blocks[b].*key ? blocks[a].*key < blocks[b].*key : blocks[a].bytes > blocks[b].bytes;
  });
  return order;
}

}  // namespace

int64_t plan_memory(std::span<Block> blocks) {
  std::vector<uint32_t> starts = order_by(blocks, &Block::first), ends = order_by(blocks, &Block::last);
  FreeRanges free;
  size_t ended = 0;
  for (uint32_t i : starts) {
    for (; ended < ends.size() && blocks[ends[ended]].last < blocks[i].first; ++ended)
      free.give(blocks[ends[ended]].offset, rounded(blocks[ends[ended]].bytes));
    blocks[i].offset = free.take(rounded(blocks[i].bytes));
  }
  return free.end();
}

int64_t largest_live_set(std::span<const Block> blocks) {
  std::map<int64_t, int64_t> changes;
  for (const Block& b : blocks) {
    changes[b.first] += rounded(b.bytes);
    changes[int64_t{b.last} + 1] -= rounded(b.bytes);
  }
  int64_t live = 0, most = 0;
  for (auto [step, change] : changes) most = std::max(most, live += change);
  return most;
}

}  // namespace jot::cpu
