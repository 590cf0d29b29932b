// Tensor: a handle on the elements of an array, which may be concrete (a buffer), pending (recorded, not yet computed)
// or symbolic (inside a transform). Copying a handle copies no elements; views share them.
#pragma once
#include <concepts>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "jot/dtype.h"
#include "jot/error.h"
#include "jot/forward.h"
#include "jot/location.h"
#include "jot/operand.h"
#include "jot/shape.h"

namespace jot {

class Index;
class Indices;
template <class T, size_t N>
class Accessor;
namespace detail {
struct TensorImpl;
using Sink = void (*)(const void* elements, DType dtype, int64_t n, void* out);
void read_elements(const Tensor& t, Sink sink, void* out, const char* what, Location at);
int64_t numel_of(const Tensor& t, const char* what, Location at);
}  // namespace detail

class Tensor {
 public:
  Tensor() = default;  // undefined
  explicit Tensor(std::shared_ptr<detail::TensorImpl> impl) : impl_(std::move(impl)) {}
  Tensor(const Tensor&) = default;
  Tensor(Tensor&&) noexcept = default;
  // A named tensor is rebound; an indexed expression (a[0] = b, a.slice(0, 0, 2) = 3) is written to.
  Tensor& operator=(const Tensor&) & = default;
  Tensor& operator=(Tensor&&) & noexcept = default;
  const Tensor& operator=(const Arg& value) &&;

  // Takes the elements of a vector; keeps their type. An extent of -1 is what remains: without a shape there is one
  // axis.
  template <Element T>
  static Tensor from(const std::vector<T>& values, const Shape& shape = {-1}, Location at = JOT_HERE);

  bool defined() const { return impl_ != nullptr; }
  Shape shape(Location at = JOT_HERE) const;
  int64_t dim(Location at = JOT_HERE) const;
  int64_t size(int64_t dim, Location at = JOT_HERE) const;
  int64_t numel(Location at = JOT_HERE) const;
  DType dtype(Location at = JOT_HERE) const;

  // Reading evaluates what is pending. Inside jit, trace and compile, and where a tensor has lanes: TraceError.
  template <class T>
  T item(Location at = JOT_HERE) const;  // the only element, converted
  template <class T>
  std::vector<T> to_vector(Location at = JOT_HERE) const;  // row-major, converted
  // Row-major elements; valid while the tensor lives and until it is written or read again. uint16_t: the bits of bf16
  // and f16. DTypeError where T is not the dtype's.
  template <class T>
    requires Element<T> || std::is_same_v<T, uint16_t>
  const T* data(Location at = JOT_HERE) const {
    return static_cast<const T*>(raw(detail::element_dtype<T>(), at));
  }
  // For writing; valid until the tensor is used otherwise. Of a view: it must be contiguous.
  template <class T>
    requires Element<T> || std::is_same_v<T, uint16_t>
  T* mutable_data(Location at = JOT_HERE) const {
    return static_cast<T*>(mutable_raw(detail::element_dtype<T>(), at));
  }
  // Elements by N indices, of views where they lie; dtype and rank are checked here, once. Valid as data and
  // mutable_data are. DTypeError, ShapeError. Defined in jot/accessor.h.
  template <class T, size_t N>
    requires Element<T> || std::is_same_v<T, uint16_t>
  Accessor<const T, N> accessor(Location at = JOT_HERE) const;
  template <class T, size_t N>
    requires Element<T> || std::is_same_v<T, uint16_t>
  Accessor<T, N> mutable_accessor(Location at = JOT_HERE) const;
  const Tensor& eval(Location at = JOT_HERE) const;
  explicit operator bool() const;  // of one element

  // The functions of jot/functions.h whose first operand is this tensor, and those that write in place (f_).
#include "jot/tensor_members.inc"
  Tensor operator[](const Index& index) const;
  Tensor contiguous(Location at = JOT_HERE) const;
  Tensor to(DType dtype, Location at = JOT_HERE) const;

  // New tensors; dtype none is that of this one.
  Tensor new_zeros(const Shape& shape, std::optional<DType> dtype = {}, Location at = JOT_HERE) const;
  Tensor new_ones(const Shape& shape, std::optional<DType> dtype = {}, Location at = JOT_HERE) const;
  Tensor new_empty(const Shape& shape, std::optional<DType> dtype = {}, Location at = JOT_HERE) const;
  Tensor new_full(const Shape& shape, const Arg& value, std::optional<DType> dtype = {}) const;

  // Writes: const, for a handle is not what they change.
  const Tensor& copy_(const Arg& source) const;
  const Tensor& fill_(const Arg& value) const;
  const Tensor& zero_(Location at = JOT_HERE) const;
  const Tensor& masked_scatter_(const Tensor& mask, const Arg& source) const;  // reads the mask
  const Tensor& index_put_(const Indices& indices, const Arg& values, bool accumulate = false) const;
  const Tensor& index_add_(int64_t dim, const Tensor& index, const Arg& source,
                           const Arg& alpha = {1, Location()}) const;
  const Tensor& index_copy_(int64_t dim, const Tensor& index, const Arg& source) const;
  const Tensor& index_fill_(int64_t dim, const Tensor& index, const Arg& value) const;
  const Tensor& scatter_(int64_t dim, const Tensor& index, const Arg& source) const;  // the last write stays
  const Tensor& scatter_add_(int64_t dim, const Tensor& index, const Arg& source) const;
  const Tensor& resize_(const Shape& shape, Location at = JOT_HERE) const;  // to its own shape: storages don't grow
  const Tensor& operator+=(const Arg& other) const;
  const Tensor& operator-=(const Arg& other) const;
  const Tensor& operator*=(const Arg& other) const;
  const Tensor& operator/=(const Arg& other) const;
  const Tensor& operator&=(const Arg& other) const;
  const Tensor& operator|=(const Arg& other) const;
  const Tensor& operator^=(const Arg& other) const;
  const Tensor& operator%=(const Arg& other) const;
  const Tensor& operator<<=(const Arg& other) const;
  const Tensor& operator>>=(const Arg& other) const;

  // For the library: null when undefined.
  const std::shared_ptr<detail::TensorImpl>& impl() const { return impl_; }

 private:
  const void* raw(std::optional<DType> expected, Location at) const;
  void* mutable_raw(std::optional<DType> expected, Location at) const;
  std::shared_ptr<detail::TensorImpl> impl_;
};

// An entry of an index list: an integer, a Slice, None (a new axis), Ellipsis, or a tensor of indices or booleans.
class Index {
 public:
  enum class Kind : uint8_t { integer, slice, new_axis, ellipsis, tensor };
  template <Integer T>
  Index(T i, Location line = JOT_HERE)  // NOLINT: implicit by design
      : at(line), kind(Kind::integer), integer(static_cast<int64_t>(i)) {}
  Index(Slice s, Location line = JOT_HERE) : at(line), kind(Kind::slice), slice(s) {}            // NOLINT
  Index(none_t, Location line = JOT_HERE) : at(line), kind(Kind::new_axis) {}                    // NOLINT
  Index(Ellipsis_t, Location line = JOT_HERE) : at(line), kind(Kind::ellipsis) {}                // NOLINT
  Index(const Tensor& t, Location line = JOT_HERE) : at(line), kind(Kind::tensor), tensor(t) {}  // NOLINT
  Location at;
  Kind kind;
  int64_t integer = 0;
  Slice slice{};
  Tensor tensor{};
};
// A list of them, `{0, Slice(1, 3), None}`. No std::vector: its constructor may convert the entries of a braced list,
// and the line of an entry would be one of the standard library.
class Indices {
 public:
  Indices(std::initializer_list<Index> list) : list_(list) {}
  Indices(std::vector<Index> list) : list_(std::move(list)) {}  // NOLINT: implicit by design
  const std::vector<Index>& list() const { return list_; }

 private:
  std::vector<Index> list_;
};

Tensor operator+(const Arg& a, const Arg& b);
Tensor operator-(const Arg& a, const Arg& b);
Tensor operator*(const Arg& a, const Arg& b);
Tensor operator/(const Arg& a, const Arg& b);
Tensor operator-(const Arg& a);
Tensor operator==(const Arg& a, const Arg& b);
Tensor operator!=(const Arg& a, const Arg& b);
Tensor operator<(const Arg& a, const Arg& b);
Tensor operator<=(const Arg& a, const Arg& b);
Tensor operator>(const Arg& a, const Arg& b);
Tensor operator>=(const Arg& a, const Arg& b);
Tensor operator&(const Arg& a, const Arg& b);
Tensor operator|(const Arg& a, const Arg& b);
Tensor operator^(const Arg& a, const Arg& b);
Tensor operator~(const Arg& a);
Tensor operator%(const Arg& a, const Arg& b);  // remainder
Tensor operator<<(const Arg& a, const Arg& b);
Tensor operator>>(const Arg& a, const Arg& b);

// Elements (long tensors elided), dtype and shape. A tensor without a value shows its type only.
std::string to_string(const Tensor& t);
std::ostream& operator<<(std::ostream& out, const Tensor& t);

namespace detail {

Tensor copy_of(const void* elements, const Shape& shape, DType dtype, int64_t count, const char* what, Location at);
void check_single(const Tensor& t, const char* what, Location at);

template <class T>
void convert_elements(const void* elements, DType dtype, int64_t n, void* out) {
  auto each = [&](auto* from) {
    if constexpr (std::is_same_v<T, bool>) {
      auto& to = *static_cast<std::vector<bool>*>(out);
      for (int64_t i = 0; i < n; ++i) to[static_cast<size_t>(i)] = from[i] != 0;
    } else {
      for (int64_t i = 0; i < n; ++i) static_cast<T*>(out)[i] = static_cast<T>(from[i]);
    }
  };
  visit_dtype(dtype, [&](auto zero) { each(static_cast<const decltype(zero)*>(elements)); });
}

}  // namespace detail

template <class T>
std::vector<T> Tensor::to_vector(Location at) const {
  std::vector<T> out(static_cast<size_t>(detail::numel_of(*this, "to_vector", at)));
  if constexpr (std::is_same_v<T, bool>)
    detail::read_elements(*this, detail::convert_elements<T>, &out, "to_vector", at);
  else
    detail::read_elements(*this, detail::convert_elements<T>, out.data(), "to_vector", at);
  return out;
}

template <class T>
T Tensor::item(Location at) const {
  detail::check_single(*this, "item", at);
  if constexpr (std::is_same_v<T, bool>) {
    std::vector<bool> out(1);
    detail::read_elements(*this, detail::convert_elements<T>, &out, "item", at);
    return out[0];
  } else {
    T out{};
    detail::read_elements(*this, detail::convert_elements<T>, &out, "item", at);
    return out;
  }
}

template <Element T>
Tensor Tensor::from(const std::vector<T>& values, const Shape& shape, Location at) {
  if constexpr (std::is_same_v<T, bool>) {
    std::vector<uint8_t> bytes(values.begin(), values.end());
    return detail::copy_of(bytes.data(), shape, DType::boolean, static_cast<int64_t>(bytes.size()), "Tensor::from", at);
  } else {
    return detail::copy_of(values.data(), shape, dtype_of<T>, static_cast<int64_t>(values.size()), "Tensor::from", at);
  }
}

}  // namespace jot
