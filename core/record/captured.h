// The storages that a trace reads though they are not its own: concrete ones, and those of outer traces. Each is an
// input of its graph.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/storage/storage.h"

namespace jot {

struct Captured {
  const detail::Storage* storage;            // null: owned by the trace meanwhile
  std::shared_ptr<detail::TensorImpl> base;  // keeps it
  Buffer buffer;                             // of a lazy trace: its contents when it was captured
  ir::Value value, version;
};

class CapturedStorages {
 public:
  Captured* find(const detail::Storage& storage);
  Captured& add(Captured c) { return all_.emplace_back(std::move(c)); }
  std::span<const Captured> all() const { return all_; }
  void clear();

 private:
  std::vector<Captured> all_;
  std::unordered_map<const detail::Storage*, size_t> index_;  // of the first indexed_, where they are many
  size_t indexed_ = 0;
};

}  // namespace jot
