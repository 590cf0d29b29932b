// Attributes of a node: words (int64) in the order of the op's schema in ops.def, so that hashing, comparing, printing
// and parsing need no code per op. A list is stored as its length followed by its elements; a region, a graph that sees
// only its own inputs, as its position in a table.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ir/op.h"
#include "jot/dtype.h"
#include "jot/ir.h"
#include "jot/shape.h"

namespace jot::ir {

enum class AttrKind : uint8_t { integer, ints, pair, data, dtype, mode, direction, region, regions };

enum class Key : uint8_t {
#define KEY(name, kind) name,
#include "ir/attributes.def"
#undef KEY
};
AttrKind kind_of(Key key);
std::string_view name_of(Key key);

enum class Direction : uint8_t { eq, ne, lt, le, gt, ge };
// What an index outside its axis does: check counts negatives from the end and raises IndexError otherwise, clip
// clamps, fill reads zero (drops the update), wrap is modulo the extent.
enum class IndexMode : uint8_t { check, clip, fill, wrap };
std::string_view name_of(Direction direction);
std::string_view name_of(IndexMode mode);

// The keys of an op's attributes, in storage order.
std::span<const Key> schema(Op op);
// Some of them are regions.
bool has_regions(Op op);

using Ints = std::span<const int64_t>;

// Read access by key. A key that is not in the op's schema is an InternalError.
class AttrView {
 public:
  AttrView(Op op, Ints words, std::span<const Graph> regions = {}) : op_(op), words_(words), regions_(regions) {}
  Op op() const { return op_; }
  Ints words() const { return words_; }
  std::span<const Graph> region_table() const { return regions_; }
  int64_t integer(Key key) const { return words_[find(key)]; }
  Ints ints(Key key) const { return list(find(key)); }
  Ints first(Key key) const { return list(find(key)); }  // of a pair
  Ints second(Key key) const {
    size_t at = find(key);
    return list(at + 1 + static_cast<size_t>(words_[at]));
  }
  DType dtype() const { return static_cast<DType>(integer(Key::dtype)); }
  Direction direction() const { return static_cast<Direction>(integer(Key::direction)); }
  IndexMode mode() const { return static_cast<IndexMode>(integer(Key::mode)); }
  Shape shape() const { return Shape(ints(Key::shape)); }
  const Graph& region(Key key) const { return region_at(integer(key)); }
  size_t num_regions(Key key) const { return ints(key).size(); }  // of a list
  const Graph& region(Key key, size_t i) const { return region_at(ints(key)[i]); }
  bool has(Key key) const { return std::ranges::find(schema(op_), key) != schema(op_).end(); }
  size_t place(Key key) const { return find(key); }  // of the key's first word
  // The positions of all words that stand for regions.
  std::vector<size_t> region_words() const;

 private:
  size_t find(Key key) const;
  const Graph& region_at(int64_t at) const;
  Ints list(size_t at) const { return words_.subspan(at + 1, static_cast<size_t>(words_[at])); }
  Op op_;
  Ints words_;
  std::span<const Graph> regions_;
};

// Writes attributes in schema order: Attrs(start, limit, stride), Attrs().add(7).add(dims). Few words need no memory.
class Attrs {
 public:
  Attrs() = default;
  template <class... T>
  explicit Attrs(const T&... values) {
    (add(values), ...);
  }
  Attrs& add(int64_t v) { return append(Ints(&v, 1)); }
  Attrs& add(Ints list) {
    auto size = static_cast<int64_t>(list.size());
    return append(Ints(&size, 1)).append(list);
  }
  Attrs& add(const Shape& s) { return add(Ints(s)); }
  Attrs& add(const std::vector<int64_t>& v) { return add(Ints(v)); }
  Attrs& add(DType d) { return add(static_cast<int64_t>(d)); }
  Attrs& add(IndexMode m) { return add(static_cast<int64_t>(m)); }
  Attrs& add(Direction d) { return add(static_cast<int64_t>(d)); }
  Attrs& add(const Graph& region);
  Attrs& add(std::span<const Graph> regions);
  Attrs& add(const std::vector<Graph>& regions) { return add(std::span<const Graph>(regions)); }
  Ints words() const { return many_.empty() ? Ints(few_, size_) : Ints(many_); }
  operator Ints() const { return words(); }
  std::span<const Graph> regions() const { return regions_; }

 private:
  static constexpr size_t kInline = 12;
  Attrs& append(Ints words) {
    if (many_.empty() && size_ + words.size() <= kInline) {
      std::copy(words.begin(), words.end(), few_ + size_);
    } else {
      if (many_.empty()) many_.assign(few_, few_ + size_);
      many_.insert(many_.end(), words.begin(), words.end());
    }
    size_ += words.size();
    return *this;
  }
  size_t size_ = 0;
  int64_t few_[kInline];
  std::vector<int64_t> many_;  // all of them, where they are more
  std::vector<Graph> regions_;
};

// Attributes as a node is made of them: words, and the table in which they find regions.
struct AttrSource {
  Ints words;
  std::span<const Graph> regions;
  AttrSource() = default;
  AttrSource(Ints list) : words(list) {}                                               // NOLINT: implicit by design
  AttrSource(const std::vector<int64_t>& list) : words(list) {}                        // NOLINT: implicit by design
  AttrSource(const Attrs& attrs) : words(attrs.words()), regions(attrs.regions()) {}   // NOLINT: implicit by design
  AttrSource(AttrView attrs) : words(attrs.words()), regions(attrs.region_table()) {}  // NOLINT: implicit by design
};

}  // namespace jot::ir
