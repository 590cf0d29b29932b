// How graphs were recorded last, by where they were recorded: loops record the same again.
#pragma once
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
    const Entry& e = entries_[key % kEntries];
    return e.key == key ? e.precedent : nullptr;
  }
  // Takes the place of another.
  void keep(uint64_t key, std::shared_ptr<const Precedent> precedent) {
    constexpr int64_t kMaxNodes = 8192;  // so that all of them are a few megabytes
    if (precedent->graph.num_nodes() > kMaxNodes) return;
    Entry& e = entries_[key % kEntries];
    if (e.precedent != precedent) e = {key, std::move(precedent)};
  }

 private:
  static constexpr size_t kEntries = 32;
  struct Entry {
    uint64_t key = 0;
    std::shared_ptr<const Precedent> precedent;
  };
  std::array<Entry, kEntries> entries_;
};

}  // namespace jot
