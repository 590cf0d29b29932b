#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace jot {

// A bounded, locked table from keys (with hash() and ==) to shared immutable values; the least recently used goes
// first. Values are made outside the lock: two threads may make the same one, the first insertion wins.
template <class Key, class Value>
class LruTable {
 public:
  explicit LruTable(size_t capacity) : capacity_(capacity) {}

  std::shared_ptr<const Value> find(const Key& key) {
    std::lock_guard lock(mutex_);
    auto [first, last] = index_.equal_range(key.hash());
    for (auto it = first; it != last; ++it)
      if (it->second->first == key) {
        entries_.splice(entries_.begin(), entries_, it->second);
        ++hits_;
        return it->second->second;
      }
    ++misses_;
    return nullptr;
  }

  void insert(Key key, std::shared_ptr<const Value> value) {
    std::lock_guard lock(mutex_);
    uint64_t hash = key.hash();
    auto [first, last] = index_.equal_range(hash);
    for (auto it = first; it != last; ++it)
      if (it->second->first == key) return;
    entries_.emplace_front(std::move(key), std::move(value));
    index_.emplace(hash, entries_.begin());
    if (entries_.size() > capacity_) evict();
  }

  struct Info {
    int64_t hits, misses, entries;
  };
  Info info() {
    std::lock_guard lock(mutex_);
    return {hits_, misses_, static_cast<int64_t>(entries_.size())};
  }

 private:
  using Entries = std::list<std::pair<Key, std::shared_ptr<const Value>>>;
  void evict() {
    auto oldest = std::prev(entries_.end());
    auto [first, last] = index_.equal_range(oldest->first.hash());
    for (auto it = first; it != last; ++it)
      if (it->second == oldest) {
        index_.erase(it);
        break;
      }
    entries_.pop_back();
  }
  size_t capacity_;
  std::mutex mutex_;
  Entries entries_;
  std::unordered_multimap<uint64_t, typename Entries::iterator> index_;
  int64_t hits_ = 0, misses_ = 0;
};

}  // namespace jot
