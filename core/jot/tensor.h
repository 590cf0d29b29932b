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
#include "jot/location.h"
#include "jot/operand.h"
#include "jot/shape.h"

namespace jot {

class Index;
class Indices;
namespace detail {
struct TensorImpl;
using Sink = void (*)(const void* elements, DType dtype, int64_t n, void* out);
void read_elements(const Tensor& t, Sink sink, void* out, const char* what, Location at);
int64_t numel_of(const Tensor& t, const char* what, Location at);
}  // namespace detail

// clang-format off
// Elementwise functions of one tensor: each is a member, a member that writes (name_), a free function, and one that
// writes its result to a given tensor (name_out).
// name, dtypes that are taken (floating: others are converted; rounding: integers stay), op. The composed ones have none.
#define JOT_UNARY_OP(X) \
  X(abs, numeric, abs_op) X(neg, numeric, neg_op) X(sign, numeric, sign_op) \
  X(floor, rounding, floor_op) X(ceil, rounding, ceil_op) X(round, rounding, round_even_op) X(trunc, rounding, trunc_op) \
  X(exp, floating, exp_op) X(log, floating, log_op) X(sqrt, floating, sqrt_op) X(rsqrt, floating, rsqrt_op) \
  X(sin, floating, sin_op) X(cos, floating, cos_op) X(tanh, floating, tanh_op) X(sigmoid, floating, logistic_op)
#define JOT_UNARY_COMPOSED(X) X(square, numeric) X(reciprocal, floating) X(relu, numeric)
#define JOT_UNARY(X) JOT_UNARY_OP(X) JOT_UNARY_COMPOSED(X)
// The same of truth values and bits.
#define JOT_NOT(X) X(logical_not, negated) X(bitwise_not, inverted)
// Products, and reductions over axes; each has a free function and name_out.
#define JOT_PRODUCT(X) X(matmul) X(mm) X(mv) X(bmm) X(dot) X(outer)
#define JOT_REDUCTION(X) X(sum) X(prod) X(mean) X(amax) X(amin) X(all) X(any) X(logsumexp)
// Elementwise functions of two, of which one may be a number: name, dtypes, op, op of booleans (the same: none).
#define JOT_BINARY_OP(X) \
  X(add, numeric, add_op, or_op) X(sub, numeric, sub_op, sub_op) \
  X(mul, numeric, mul_op, and_op) X(div, floating, div_op, div_op) \
  X(maximum, numeric, max_op, or_op) X(minimum, numeric, min_op, and_op) \
  X(atan2, floating, atan2_op, atan2_op) X(arctan2, floating, atan2_op, atan2_op)
#define JOT_BINARY_COMPOSED(X) \
  X(pow, compute_pow) X(eq, compared<Direction::eq>) X(ne, compared<Direction::ne>) X(lt, compared<Direction::lt>) \
  X(le, compared<Direction::le>) X(gt, compared<Direction::gt>) X(ge, compared<Direction::ge>) \
  X(logical_and, logical<Op::and_op>) X(logical_or, logical<Op::or_op>) X(logical_xor, logical<Op::xor_op>) \
  X(bitwise_and, bitwise<Op::and_op>) X(bitwise_or, bitwise<Op::or_op>) X(bitwise_xor, bitwise<Op::xor_op>)
#define JOT_BINARY(X) JOT_BINARY_OP(X) JOT_BINARY_COMPOSED(X)
// clang-format on

struct ValuesIndices;

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
  const Tensor& eval(Location at = JOT_HERE) const;
  explicit operator bool() const;  // of one element

  // Views: they share the elements, writes through them reach the base.
  Tensor operator[](const Index& index) const;
  Tensor index(const Indices& indices) const;  // a copy where an index is a tensor
  Tensor select(int64_t dim, int64_t index, Location at = JOT_HERE) const;
  Tensor slice(int64_t dim, std::optional<int64_t> start = {}, std::optional<int64_t> stop = {}, int64_t step = 1,
               Location at = JOT_HERE) const;
  Tensor narrow(int64_t dim, int64_t start, int64_t length, Location at = JOT_HERE) const;
  Tensor transpose(int64_t dim0, int64_t dim1, Location at = JOT_HERE) const;
  Tensor permute(const Axes& dims, Location at = JOT_HERE) const;
  Tensor movedim(const Axes& source, const Axes& destination, Location at = JOT_HERE) const;
  Tensor moveaxis(const Axes& source, const Axes& destination, Location at = JOT_HERE) const;
  Tensor swapaxes(int64_t dim0, int64_t dim1, Location at = JOT_HERE) const;
  Tensor swapdims(int64_t dim0, int64_t dim1, Location at = JOT_HERE) const;
  Tensor t(Location at = JOT_HERE) const;
  Tensor mT(Location at = JOT_HERE) const;  // the last two dims swapped
  Tensor view(const Shape& shape, Location at = JOT_HERE) const;
  Tensor view_as(const Tensor& other, Location at = JOT_HERE) const;
  Tensor reshape(const Shape& shape, Location at = JOT_HERE) const;  // a view where that can be, else a copy
  Tensor reshape_as(const Tensor& other, Location at = JOT_HERE) const;
  Tensor flatten(int64_t first = 0, int64_t last = -1, Location at = JOT_HERE) const;
  Tensor ravel(Location at = JOT_HERE) const;
  Tensor unflatten(int64_t dim, const Shape& sizes, Location at = JOT_HERE) const;
  Tensor expand(const Shape& shape, Location at = JOT_HERE) const;
  Tensor expand_as(const Tensor& other, Location at = JOT_HERE) const;
  Tensor broadcast_to(const Shape& shape, Location at = JOT_HERE) const;
  Tensor squeeze(const Axes& dims = {}, Location at = JOT_HERE) const;
  Tensor unsqueeze(int64_t dim, Location at = JOT_HERE) const;
  Tensor diagonal(int64_t offset = 0, int64_t dim0 = 0, int64_t dim1 = 1, Location at = JOT_HERE) const;
  Tensor unfold(int64_t dim, int64_t size, int64_t step, Location at = JOT_HERE) const;  // windows along dim, last
  // Of the base's memory, which is row-major; offset none is that of this view. Inside a transform an argument is a
  // base.
  Tensor as_strided(const Shape& size, const Shape& stride, std::optional<int64_t> offset = {},
                    Location at = JOT_HERE) const;
  Tensor detach(Location at = JOT_HERE) const;  // a view that is constant to every derivative
  std::vector<Tensor> split(int64_t size, int64_t dim = 0, Location at = JOT_HERE) const;
  std::vector<Tensor> split(const Shape& sizes, int64_t dim = 0, Location at = JOT_HERE) const;
  std::vector<Tensor> tensor_split(int64_t sections, int64_t dim = 0, Location at = JOT_HERE) const;
  std::vector<Tensor> tensor_split(const Shape& starts, int64_t dim = 0, Location at = JOT_HERE) const;
  std::vector<Tensor> chunk(int64_t chunks, int64_t dim = 0, Location at = JOT_HERE) const;
  std::vector<Tensor> unbind(int64_t dim = 0, Location at = JOT_HERE) const;
  Tensor clone(Location at = JOT_HERE) const;
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
  const Tensor& masked_fill_(const Tensor& mask, const Arg& value) const;
  const Tensor& masked_scatter_(const Tensor& mask, const Arg& source) const;  // reads the mask
  const Tensor& index_put_(const Indices& indices, const Arg& values, bool accumulate = false) const;
  const Tensor& index_add_(int64_t dim, const Tensor& index, const Arg& source, const Arg& alpha = {1, {}}) const;
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

#define JOT_MEMBER(name, ...)                \
  Tensor name(Location at = JOT_HERE) const; \
  const Tensor& name##_(Location at = JOT_HERE) const;
  JOT_UNARY(JOT_MEMBER)
  JOT_NOT(JOT_MEMBER)
#undef JOT_MEMBER
#define JOT_MEMBER(name, ...)          \
  Tensor name(const Arg& other) const; \
  const Tensor& name##_(const Arg& other) const;
  JOT_BINARY(JOT_MEMBER)
#undef JOT_MEMBER
  Tensor clamp(const Bound& low, const Bound& high) const;
  Tensor clamp(const Bound& low) const;
  const Tensor& clamp_(const Bound& low, const Bound& high) const;
  const Tensor& clamp_(const Bound& low) const;

  // Reductions: dims {} are all.
#define JOT_MEMBER(name) Tensor name(const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE) const;
  JOT_REDUCTION(JOT_MEMBER)
#undef JOT_MEMBER
  Tensor var(const Axes& dims = {}, int64_t correction = 1, bool keepdim = false, Location at = JOT_HERE) const;
  Tensor std(const Axes& dims = {}, int64_t correction = 1, bool keepdim = false, Location at = JOT_HERE) const;
  Tensor max(Location at = JOT_HERE) const;
  Tensor min(Location at = JOT_HERE) const;
  Tensor softmax(int64_t dim, Location at = JOT_HERE) const;
  Tensor log_softmax(int64_t dim, Location at = JOT_HERE) const;

  // Order: jot/order.h.
  ValuesIndices sort(int64_t dim = -1, bool descending = false, bool stable = true, Location at = JOT_HERE) const;
  Tensor argsort(int64_t dim = -1, bool descending = false, bool stable = true, Location at = JOT_HERE) const;
  Tensor msort(Location at = JOT_HERE) const;
  ValuesIndices topk(int64_t k, int64_t dim = -1, bool largest = true, bool sorted = true,
                     Location at = JOT_HERE) const;

  Tensor matmul(const Tensor& other, Location at = JOT_HERE) const;
  Tensor mm(const Tensor& other, Location at = JOT_HERE) const;
  Tensor mv(const Tensor& other, Location at = JOT_HERE) const;
  Tensor bmm(const Tensor& other, Location at = JOT_HERE) const;
  Tensor dot(const Tensor& other, Location at = JOT_HERE) const;
  Tensor outer(const Tensor& other, Location at = JOT_HERE) const;
  Tensor tril(int64_t diagonal = 0, Location at = JOT_HERE) const;
  Tensor triu(int64_t diagonal = 0, Location at = JOT_HERE) const;
  Tensor flip(const Axes& dims, Location at = JOT_HERE) const;
  Tensor index_select(int64_t dim, const Tensor& index, Location at = JOT_HERE) const;
  Tensor gather(int64_t dim, const Tensor& index, Location at = JOT_HERE) const;
  Tensor scatter(int64_t dim, const Tensor& index, const Arg& source) const;
  Tensor scatter_add(int64_t dim, const Tensor& index, const Arg& source) const;
  Tensor index_add(int64_t dim, const Tensor& index, const Arg& source, const Arg& alpha = {1, {}}) const;
  Tensor index_copy(int64_t dim, const Tensor& index, const Arg& source) const;
  Tensor index_fill(int64_t dim, const Tensor& index, const Arg& value) const;
  Tensor index_put(const Indices& indices, const Arg& values, bool accumulate = false) const;
  Tensor masked_fill(const Tensor& mask, const Arg& value) const;
  Tensor masked_scatter(const Tensor& mask, const Arg& source) const;
  Tensor select_scatter(const Tensor& src, int64_t dim, int64_t index, Location at = JOT_HERE) const;
  Tensor slice_scatter(const Tensor& src, int64_t dim = 0, std::optional<int64_t> start = {},
                       std::optional<int64_t> stop = {}, int64_t step = 1, Location at = JOT_HERE) const;
  Tensor diagonal_scatter(const Tensor& src, int64_t offset = 0, int64_t dim0 = 0, int64_t dim1 = 1,
                          Location at = JOT_HERE) const;
  Tensor as_strided_scatter(const Tensor& src, const Shape& size, const Shape& stride,
                            std::optional<int64_t> offset = {}, Location at = JOT_HERE) const;

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
  template <std::integral T>
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
