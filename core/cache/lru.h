#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "ir/fork.h"

namespace jot {

// A bounded, locked table from keys (with hash() and ==) to shared immutable values; the least recently used goes
// first. Values are made outside the lock: two threads may make the same one, the first insertion wins.
template <class Key, class Value>
class LruTable {
 public:
  LruTable(size_t max_entries, int64_t max_weight) : max_entries_(max_entries), max_weight_(max_weight) {}

  std::shared_ptr<const Value> find(const Key& key) {
    ForkSafeLock lock(mutex_);
    auto [first, last] = index_.equal_range(key.hash());
    for (auto it = first; it != last; ++it)
      if (it->second->key == key) {
        entries_.splice(entries_.begin(), entries_, it->second);
        ++hits_;
        return it->second->value;
      }
    ++misses_;
    return nullptr;
  }

  void insert(Key key, std::shared_ptr<const Value> value, int64_t weight) {
    ForkSafeLock lock(mutex_);
    uint64_t hash = key.hash();
    auto [first, last] = index_.equal_range(hash);
    for (auto it = first; it != last; ++it)
      if (it->second->key == key) return;
    entries_.push_front({std::move(key), std::move(value), weight});
    index_.emplace(hash, entries_.begin());
    weight_ += weight;
    while (entries_.size() > 1 && (entries_.size() > max_entries_ || weight_ > max_weight_)) evict();
  }

  struct Info {
    int64_t hits, misses, entries;
  };
  Info info() {
    ForkSafeLock lock(mutex_);
    return {hits_, misses_, static_cast<int64_t>(entries_.size())};
  }

 private:
  struct Entry {
    Key key;
    std::shared_ptr<const Value> value;
    int64_t weight;
  };
  using Entries = std::list<Entry>;
  void evict() {
    auto oldest = std::prev(entries_.end());
    auto [first, last] = index_.equal_range(oldest->key.hash());
    for (auto it = first; it != last; ++it)
      if (it->second == oldest) {
        index_.erase(it);
        break;
      }
    weight_ -= oldest->weight;
    entries_.pop_back();
  }
  size_t max_entries_;
  int64_t max_weight_, weight_ = 0;
  std::mutex mutex_;
  Entries entries_;
  std::unordered_multimap<uint64_t, typename Entries::iterator> index_;
  int64_t hits_ = 0, misses_ = 0;
};

}  // namespace jot
