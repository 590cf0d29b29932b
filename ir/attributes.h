// Attributes of a node: words (int64) in the order of the op's schema in ops.def, so that hashing, comparing, printing
// and parsing need no code per op. A list is stored as its length followed by its elements.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ir/op.h"
#include "jot/dtype.h"
#include "jot/shape.h"

namespace jot::ir {

enum class AttrKind : uint8_t { integer, ints, pair, data, dtype, mode, direction };

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
enum class Mode : uint8_t { check, clip, fill, wrap };
std::string_view name_of(Direction direction);
std::string_view name_of(Mode mode);

// The keys of an op's attributes, in storage order.
std::span<const Key> schema(Op op);

using Ints = std::span<const int64_t>;

// Read access by key. A key that is not in the op's schema is an InternalError.
class AttrView {
 public:
  AttrView(Op op, Ints words) : op_(op), words_(words) {}
  Op op() const { return op_; }
  Ints words() const { return words_; }
  int64_t integer(Key key) const { return words_[find(key)]; }
  Ints ints(Key key) const { return list(find(key)); }
  Ints first(Key key) const { return list(find(key)); }  // of a pair
  Ints second(Key key) const {
    size_t at = find(key);
    return list(at + 1 + static_cast<size_t>(words_[at]));
  }
  DType dtype() const { return static_cast<DType>(integer(Key::dtype)); }
  Direction direction() const { return static_cast<Direction>(integer(Key::direction)); }
  Mode mode() const { return static_cast<Mode>(integer(Key::mode)); }
  Shape shape() const { return Shape(ints(Key::shape)); }

 private:
  size_t find(Key key) const;
  Ints list(size_t at) const { return words_.subspan(at + 1, static_cast<size_t>(words_[at])); }
  Op op_;
  Ints words_;
};

// Writes attributes in schema order: Attrs(start, limit, stride), Attrs().add(7).add(dims).
class Attrs {
 public:
  Attrs() = default;
  template <class... T>
  explicit Attrs(const T&... values) {
    (add(values), ...);
  }
  Attrs& add(int64_t v) {
    words_.push_back(v);
    return *this;
  }
  Attrs& add(Ints list) {
    words_.push_back(static_cast<int64_t>(list.size()));
    words_.insert(words_.end(), list.begin(), list.end());
    return *this;
  }
  Attrs& add(const Shape& s) { return add(Ints(s)); }
  Attrs& add(const std::vector<int64_t>& v) { return add(Ints(v)); }
  Attrs& add(DType d) { return add(static_cast<int64_t>(d)); }
  Attrs& add(Mode m) { return add(static_cast<int64_t>(m)); }
  Attrs& add(Direction d) { return add(static_cast<int64_t>(d)); }
  Ints words() const { return words_; }
  operator Ints() const { return words_; }

 private:
  std::vector<int64_t> words_;
};

}  // namespace jot::ir
