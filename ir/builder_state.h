// What a Builder knows besides its graph: where equal nodes, types, scopes and regions are, and what it follows.
#pragma once
#include <algorithm>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ir/builder.h"
#include "ir/hash.h"

namespace jot::ir {

struct TypeHash {
  size_t operator()(const Type& t) const {
    uint64_t h = hash_mix(static_cast<uint64_t>(t.dtype), t.token);
    for (int64_t d : t.shape) h = hash_mix(h, static_cast<uint64_t>(d));
    return h;
  }
};

inline uint32_t hash_node(Op op, std::span<const Value> operands, Ints attrs, uint32_t type) {
  uint64_t h = static_cast<uint64_t>(op) << 32 | type;
  for (Value v : operands) h = hash_word(h, v);
  for (int64_t w : attrs) h = hash_word(h, static_cast<uint64_t>(w));
  h = hash_mix(h, 0);
  return static_cast<uint32_t>(h ^ (h >> 32));
}

// Finds equal nodes. The users of a value, of which it is the last made operand, are a short list beside it: recent
// operands have recent users, so large graphs stay in the cache. What finds no place there (no operands, more users)
// is in a hash table: open addressing, at most half full.
class NodeSet {
 public:
  // Where a node is, or belongs.
  struct Place {
    Value found = kNoValue, operand = kNoValue;
    bool listed = false;
    uint32_t hash = 0;
  };

  // same: whether a node is the sought one; hash: its hash, if it is needed.
  template <class Same, class Hash>
  Place find(std::span<const Value> operands, Same same, Hash hash) const {
    Place place;
    if (!operands.empty()) {
      place.operand = std::ranges::max(operands);
      int users = 0;
      for (Value v = links_[place.operand].first_user; v != kNoValue; v = links_[v].next, ++users)
        if (same(v)) return place.found = v, place;
      place.listed = users < kListed;
      if (place.listed) return place;
    }
    place.hash = hash();
    if (slots_.empty()) return place;
    for (size_t i = place.hash & mask(); slots_[i].node != kNoValue; i = (i + 1) & mask())
      if (slots_[i].hash == place.hash && same(slots_[i].node)) return place.found = slots_[i].node, place;
    return place;
  }

  // Nodes come in order; those that are never shared have no place.
  void insert(Value node, const Place* place) {
    Link link;
    if (place && place->listed) link.next = std::exchange(links_[place->operand].first_user, node);
    links_.push_back(link);
    if (place && !place->listed) insert_hashed({place->hash, node});
  }

  void reserve(size_t nodes) { links_.reserve(nodes); }

 private:
  static constexpr int kListed = 8;
  struct Link {
    Value first_user = kNoValue, next = kNoValue;
  };
  struct Slot {
    uint32_t hash = 0;
    Value node = kNoValue;
  };
  size_t mask() const { return slots_.size() - 1; }
  void insert_hashed(Slot slot) {
    if (2 * (count_ + 1) > slots_.size()) {
      std::vector<Slot> old(std::max<size_t>(64, 2 * slots_.size()));
      old.swap(slots_);
      for (const Slot& s : old)
        if (s.node != kNoValue) place_slot(s);
    }
    place_slot(slot);
    ++count_;
  }
  void place_slot(Slot slot) {
    size_t i = slot.hash & mask();
    while (slots_[i].node != kNoValue) i = (i + 1) & mask();
    slots_[i] = slot;
  }
  std::vector<Link> links_;
  std::vector<Slot> slots_;
  size_t count_ = 0;
};

// Positions of distinct keys in a list that grows.
template <class Key, class Hash>
class Positions {
 public:
  // Of `key` in a list of `size` keys, at(i) each; `size`: it is new, to be appended now.
  template <class View, class At>
  uint32_t find(const View& key, size_t size, At at) {
    constexpr size_t kFew = 16;  // a search of so many is faster than a table
    if (size <= kFew) {
      for (size_t i = size; i-- > 0;)
        if (at(i) == key) return static_cast<uint32_t>(i);
      for (size_t i = 0; size == kFew && i < size; ++i) table_.emplace(at(i), static_cast<uint32_t>(i));
    }
    auto next = static_cast<uint32_t>(size);
    return size < kFew ? next : table_.try_emplace(Key(key), next).first->second;
  }

 private:
  std::unordered_map<Key, uint32_t, Hash> table_;
};

struct Builder::State {
  Sharing sharing;
  bool keeps_lines;  // of equal nodes
  NodeSet nodes;
  Positions<Type, TypeHash> types;
  Positions<std::string, std::hash<std::string>> scopes;
  std::unordered_map<std::string, uint32_t> names;  // of parameters: the last number given to this name
  uint32_t origin = 0;
  bool params_in_front = true;
  // What types and origins of the graph copied from last are here; kNoValue: not known yet.
  uint64_t source = 0;
  std::vector<uint32_t> type_of_source, origin_of_source;
  std::unordered_multimap<uint64_t, uint32_t> regions;  // by hash
  // What is followed; kept until the graph ends, as its types have been handed out.
  std::shared_ptr<const Precedent> precedent;
  bool remembers = false;
  Value cursor = 0;      // how many of its nodes have been made
  size_t next_copy = 0;  // of its copies
  Location location{};   // of the nodes that come next
  std::string scope;
  Call call;
  uint32_t matched_origin = kNoValue;  // of the precedent: known to be these three
  std::vector<Precedent::Copy> copies;
  std::unique_ptr<Builder> shadow;  // JOT_VERIFY: does the same, and follows nothing
  // Of the op that is made now.
  std::vector<Type> result_types;
  std::vector<uint32_t> results;
};

}  // namespace jot::ir
