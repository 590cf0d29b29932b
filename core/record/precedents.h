// How graphs were recorded last, by where they were recorded: loops record the same again.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "ir/builder.h"

namespace jot {

class Precedents {
 public:
  using Precedent = ir::Builder::Precedent;
  // Null: none.
  std::shared_ptr<const Precedent> find(uint64_t key) const {
    const Set& set = sets_[key % kSets];
    auto e = std::ranges::find(set, key, &Entry::key);
    return e == set.end() ? nullptr : e->precedent;
  }
  // Takes the place of the one that was kept for this key, else of the one that was first of those of its set.
  void keep(uint64_t key, std::shared_ptr<const Precedent> precedent) {
    constexpr int64_t kMaxNodes = 8192;  // so that all of them are a few megabytes
    if (precedent->graph.num_nodes() > kMaxNodes) return;
    Set& set = sets_[key % kSets];
    auto e = std::ranges::find(set, key, &Entry::key);
    if (e == set.end()) {
      std::shift_right(set.begin(), set.end(), 1);
      e = set.begin();
    }
    if (e->precedent != precedent) *e = {key, std::move(precedent)};
  }

 private:
  static constexpr size_t kSets = 8, kOfSet = 4;
  struct Entry {
    uint64_t key = 0;
    std::shared_ptr<const Precedent> precedent;
  };
  using Set = std::array<Entry, kOfSet>;
  std::array<Set, kSets> sets_;
};

}  // namespace jot
