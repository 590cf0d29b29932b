// Making tensors. A dtype comes last; without one: the default dtype (f32) for floats, i64 for integers.
#pragma once
#include <concepts>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include "jot/tensor.h"

namespace jot {

namespace detail {
// std::vector, std::array, std::span; not strings.
template <class R>
concept ElementRange = requires(const R& r) {
  r.begin() != r.end();
  { r.size() } -> std::convertible_to<size_t>;
  r.data();
} && !std::is_convertible_v<const R&, std::string_view>;
}  // namespace detail

// Numbers: one, or nested lists, vectors, arrays or spans of them. In vectors, arrays and spans they have the dtype of
// their type; alone and in braces they have none of their own.
class Nested {
 public:
  template <class T>
    requires std::is_arithmetic_v<T>
  Nested(T x) : category_(category_of(Number(x).dtype)), elements_{Number(x)} {}  // NOLINT: implicit by design
  Nested(std::initializer_list<Nested> list) {
    for (const Nested& n : list) append(n);
    add_axis(list.size());
  }
  template <detail::ElementRange R>
  Nested(const R& list) {  // NOLINT: implicit by design
    append_all<std::remove_cv_t<typename R::value_type>>(list, list.size());
  }
  template <class A>
  Nested(const std::vector<bool, A>& list) {  // NOLINT: implicit by design
    append_all<bool>(list, list.size());
  }
  template <class T, size_t N>
  Nested(const T (&list)[N]) {  // NOLINT: implicit by design
    append_all<T>(list, N);
  }
  const Shape& shape() const { return shape_; }
  const std::vector<Number>& elements() const { return elements_; }
  bool ragged() const { return ragged_; }
  Category category() const { return category_; }
  // Of the typed numbers, unless one in braces has a higher category.
  std::optional<DType> dtype() const { return dtype_ && category_of(*dtype_) == category_ ? dtype_ : std::nullopt; }

 private:
  template <class T, class R>
  void append_all(const R& list, size_t size) {
    constexpr bool half = std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>;
    using E = std::conditional_t<half, float, T>;
    for (const auto& x : list) append(Nested(static_cast<const E&>(x)));
    add_axis(size);
    if constexpr (std::is_arithmetic_v<E>) {
      dtype_ = Number(E{}).dtype;
      if constexpr (Element<T>) dtype_ = dtype_of<T>;
      category_ = category_of(*dtype_);
    }
  }
  void append(const Nested& part) {
    if (elements_.empty() && shape_.empty()) shape_ = part.shape_;
    ragged_ |= part.ragged_ || part.shape_ != shape_;
    category_ = empty_ ? part.category_ : std::max(category_, part.category_);
    empty_ = false;
    if (part.dtype_) dtype_ = dtype_ ? promote(*dtype_, *part.dtype_) : *part.dtype_;
    elements_.insert(elements_.end(), part.elements_.begin(), part.elements_.end());
  }
  void add_axis(size_t extent) { shape_.insert(0, static_cast<int64_t>(extent)); }
  Shape shape_;
  Category category_ = Category::floating;
  std::optional<DType> dtype_;
  std::vector<Number> elements_;
  bool ragged_ = false, empty_ = true;
};

// Without a dtype: that of the vectors, arrays and spans; of numbers alone or in braces as everywhere (tensor(0.1) and
// tensor({0.1}) are f32, tensor(std::vector<double>{0.1}) is f64).
Tensor tensor(const Nested& elements, std::optional<DType> dtype = {}, Location at = JOT_HERE);

// Copies the elements at p.
Tensor from_blob(const void* p, const Shape& shape, DType dtype, Location at = JOT_HERE);
template <Element T>
Tensor from_blob(const T* p, const Shape& shape, Location at = JOT_HERE) {
  return from_blob(p, shape, dtype_of<T>, at);
}
// Uses the elements at p, which must outlive the tensor and every handle that shares them, and may change whenever no
// function of jot runs: what reads them is evaluated at once. A write to the tensor reaches them at once; if they are
// const, it does not.
Tensor borrow(void* p, const Shape& shape, DType dtype, Location at = JOT_HERE);
Tensor borrow(const void* p, const Shape& shape, DType dtype, Location at = JOT_HERE);
// The same of elements that lie by strides, in elements, from 0 on: a column-major matrix of n rows has {1, n}. Where
// they are not dense, a write to the tensor stores what lies between them again, as it was.
Tensor borrow(void* p, const Shape& shape, const Shape& strides, DType dtype, Location at = JOT_HERE);
Tensor borrow(const void* p, const Shape& shape, const Shape& strides, DType dtype, Location at = JOT_HERE);

#include "jot/creation.inc"

// Of floats that are given without a dtype; of the calling thread's process, f32 at first.
void set_default_dtype(DType dtype, Location at = JOT_HERE);
DType default_dtype();

// Stands for a tensor of this shape and dtype where only these matter: as an argument of trace and compile, as a type
// of host_call. It has no elements and takes no memory; whoever reads it gets a TraceError.
Tensor spec(const Shape& shape, DType dtype = default_dtype(), Location at = JOT_HERE);

}  // namespace jot
