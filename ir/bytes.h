// Values as bytes, in the machine's order, and back. One description serves both ways: fields(io, x) of a struct calls
// io on each member.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "jot/dtype.h"
#include "jot/error.h"
#include "jot/shape.h"

namespace jot {

// T or const T.
template <class T, class Of>
concept Is = std::same_as<std::remove_const_t<T>, Of>;

template <class T>
concept Plain = std::is_arithmetic_v<std::remove_const_t<T>> || std::is_enum_v<std::remove_const_t<T>>;

// Without gaps between members: many of them are copied at once.
template <class T>
concept Packed = !std::same_as<T, bool> && std::is_trivially_copyable_v<T> &&
                 (std::is_floating_point_v<T> || std::has_unique_object_representations_v<T>);

class ByteWriter {
 public:
  static constexpr bool reads = false;

  void operator()(Plain auto& x) { raw(&x, sizeof x); }
  void operator()(const std::string& text) { sized(text.data(), text.size()); }
  void operator()(const Shape& shape) { list(shape); }
  template <class T>
  void operator()(const std::vector<T>& all) {
    list(all);
  }
  template <class T>
  void operator()(const T& x)
    requires requires(ByteWriter& io) { fields(io, x); }
  {
    fields(*this, x);
  }
  void raw(const void* data, size_t size) {
    if (size == 0) return;
    const size_t at = bytes_.size();
    bytes_.resize(at + size);
    std::memcpy(&bytes_[at], data, size);
  }
  void sized(const void* data, size_t size) {
    const uint64_t n = size;
    (*this)(n);
    raw(data, size);
  }
  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  template <class List>
  void list(const List& all) {
    const uint64_t n = all.size();
    (*this)(n);
    using Element = std::remove_cvref_t<decltype(*all.begin())>;
    if constexpr (Packed<Element>)
      raw(std::to_address(all.begin()), n * sizeof(Element));
    else
      for (const auto& x : all) (*this)(x);
  }
  std::vector<std::byte> bytes_;
};

// Throws CacheError where the bytes end too early. Allocates no more than a small multiple of the bytes there are.
class ByteReader {
 public:
  static constexpr bool reads = true;
  explicit ByteReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <Plain T>
  void operator()(T& x) {
    std::memcpy(&x, raw(sizeof x).data(), sizeof x);
  }
  void operator()(bool& x) {
    uint8_t byte;
    (*this)(byte);
    x = byte != 0;
  }
  void operator()(std::string& text) {
    std::span<const std::byte> bytes = sized();
    text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void operator()(Shape& shape) {
    std::vector<int64_t> extents;
    (*this)(extents);
    shape = Shape(extents);
  }
  template <class T>
  void operator()(std::vector<T>& all) {
    uint64_t n;
    (*this)(n);
    if (n > rest_.size()) fail();  // an element has a byte at least
    all.clear();
    if constexpr (Packed<T>) {
      if (n > rest_.size() / sizeof(T)) fail();
      all.resize(n);
      if (n > 0) std::memcpy(all.data(), raw(n * sizeof(T)).data(), n * sizeof(T));
    } else {
      for (uint64_t i = 0; i < n; ++i) (*this)(all.emplace_back());
    }
  }
  template <class T>
  void operator()(T& x)
    requires requires(ByteReader& io) { fields(io, x); }
  {
    fields(*this, x);
  }
  std::span<const std::byte> raw(size_t size) {
    if (size > rest_.size()) fail();
    std::span<const std::byte> part = rest_.first(size);
    rest_ = rest_.subspan(size);
    return part;
  }
  std::span<const std::byte> sized() {
    uint64_t n;
    (*this)(n);
    return raw(n);
  }
  bool done() const { return rest_.empty(); }
  [[noreturn]] static void fail() { throw CacheError("[load] the file does not hold what it should"); }

 private:
  std::span<const std::byte> rest_;
};

}  // namespace jot
