#pragma once
#include <algorithm>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace jot {

// What extents, dims and indices are of.
template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool>;

// Takes any integer type inside braces, so that {n, m} needs no casts.
struct Extent {
  int64_t value;
  template <Integer T>
  constexpr Extent(T x) : value(static_cast<int64_t>(x)) {}  // NOLINT: implicit by design
};

// The extents of a tensor. Up to four are stored inline.
class Shape {
 public:
  Shape() = default;
  Shape(const Shape& o) : size_(o.size_) {
    std::copy_n(o.inline_, kInline, inline_);
    if (o.heap_) heap_ = std::make_unique<std::vector<int64_t>>(*o.heap_);
  }
  Shape(Shape&& o) noexcept : size_(o.size_), heap_(std::move(o.heap_)) {
    std::copy_n(o.inline_, kInline, inline_);
    if (heap_) o.size_ = 0;
  }
  Shape& operator=(const Shape& o) {
    if (heap_ || o.heap_) return *this = Shape(o);
    size_ = o.size_;
    std::copy_n(o.inline_, kInline, inline_);
    return *this;
  }
  Shape& operator=(Shape&& o) noexcept {
    size_ = o.size_;
    std::copy_n(o.inline_, kInline, inline_);
    heap_ = std::move(o.heap_);
    if (heap_) o.size_ = 0;
    return *this;
  }
  ~Shape() = default;
  Shape(std::initializer_list<Extent> extents) {
    resize(extents.size());
    std::transform(extents.begin(), extents.end(), data(), [](Extent e) { return e.value; });
  }
  explicit Shape(std::span<const int64_t> extents) {
    resize(extents.size());
    std::copy(extents.begin(), extents.end(), data());
  }
  template <Integer T>
  Shape(const std::vector<T>& extents) {  // NOLINT: implicit by design
    resize(extents.size());
    std::copy(extents.begin(), extents.end(), data());
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  int64_t operator[](size_t i) const { return data()[i]; }
  int64_t& operator[](size_t i) { return data()[i]; }
  int64_t back() const { return data()[size_ - 1]; }
  const int64_t* begin() const { return data(); }
  const int64_t* end() const { return data() + size_; }
  int64_t* begin() { return data(); }
  int64_t* end() { return data() + size_; }
  operator std::span<const int64_t>() const { return {data(), size_}; }

  // Number of elements; 1 for a 0-d shape.
  int64_t numel() const {
    int64_t n = 1;
    for (int64_t d : *this) n *= d;
    return n;
  }
  void push_back(int64_t d) { insert(size_, d); }
  void insert(size_t at, int64_t d) {
    resize(size_ + 1);
    std::copy_backward(data() + at, data() + size_ - 1, data() + size_);
    data()[at] = d;
  }
  void erase(size_t at) {
    std::copy(data() + at + 1, data() + size_, data() + at);
    resize(size_ - 1);
  }
  Shape slice(size_t from, size_t to) const { return Shape(std::span<const int64_t>(data() + from, to - from)); }
  friend Shape operator+(const Shape& a, const Shape& b) {
    Shape r = a;
    for (int64_t d : b) r.push_back(d);
    return r;
  }
  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.size_ != b.size_) return false;
    const int64_t *x = a.data(), *y = b.data();
    for (size_t i = 0; i < a.size_; ++i)
      if (x[i] != y[i]) return false;
    return true;
  }

 private:
  static constexpr size_t kInline = 4;
  const int64_t* data() const { return heap_ ? heap_->data() : inline_; }
  int64_t* data() { return heap_ ? heap_->data() : inline_; }
  void resize(size_t n) {
    if (n > kInline) {
      if (!heap_) heap_ = std::make_unique<std::vector<int64_t>>(inline_, inline_ + size_);
      heap_->resize(n);
    } else if (heap_) {
      std::copy_n(heap_->data(), n, inline_);
      heap_.reset();
    }
    size_ = n;
  }
  size_t size_ = 0;
  int64_t inline_[kInline] = {};
  std::unique_ptr<std::vector<int64_t>> heap_;  // all of them, where they are more
};

// "[2,3]".
std::string to_string(const Shape& shape);
std::ostream& operator<<(std::ostream& out, const Shape& shape);

// One axis, a list of axes, or {} for all.
struct Axes {
  std::vector<int64_t> values;
  Axes() = default;
  template <Integer T>
  Axes(T d) : values{static_cast<int64_t>(d)} {}  // NOLINT: implicit by design
  Axes(std::initializer_list<Extent> list) {
    for (Extent e : list) values.push_back(e.value);
  }
  template <Integer T>
  Axes(const std::vector<T>& list) : values(list.begin(), list.end()) {}  // NOLINT: implicit by design
};

}  // namespace jot
