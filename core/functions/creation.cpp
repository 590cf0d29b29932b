#include "jot/creation.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "core/functions/operands.h"
#include "core/record/thread.h"
#include "core/storage/borrowed.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Op;
using ir::Value;

namespace {

std::atomic<DType> default_floating{DType::f32};

bool recording() { return !current_trace().lazy(); }

// Calls f with a pointer to the elements of a new tensor.
template <class F>
Tensor made(std::string_view op, const Shape& shape, DType dtype, Location at, F f) {
  Tensor t = allocated(op, shape, dtype, at);
  void* out = t.impl()->storage->buffer.data();
  if (dtype == DType::boolean)
    f(static_cast<bool*>(out));
  else
    visit_dtype(dtype, [&](auto zero) { f(static_cast<decltype(zero)*>(out)); });
  return t;
}

template <class T>
T converted(const Number& x) {
  if constexpr (std::is_same_v<T, bool>)
    return x.real != 0;
  else
    return x.as<T>();
}

// A concrete tensor with element i = make(i).
template <class Make>
Tensor generated(std::string_view op, const Shape& shape, DType dtype, Location at, Make make) {
  return made(op, shape, dtype, at, [&]<class T>(T* to) {
    for (int64_t i = 0, n = shape.numel(); i < n; ++i) to[i] = converted<T>(make(i));
  });
}

// Outside transforms a concrete tensor; inside one a value of its trace, so that it may be written.
Tensor filled(std::string_view op, const Shape& shape, Number value, DType dtype, Location at) {
  checked_dtype(dtype, op, at);
  check_shape(op, "shape", shape, at);
  if (!recording())
    return made(op, shape, dtype, at, [&]<class T>(T* to) { std::fill_n(to, shape.numel(), converted<T>(value)); });
  Emitter e(op, at);
  Value v = value.dtype == DType::f64 ? build::constant(e.b, dtype, shape, value.real)
                                      : build::constant_int(e.b, dtype, shape, value.integer);
  return e.result(v);
}

// A concrete tensor as a value of the running trace: an input of it, a constant where literals are baked.
Tensor entered(std::string_view op, const Tensor& concrete, Location at) {
  if (!recording()) return concrete;
  Emitter e(op, at);
  const TensorImpl& x = *concrete.impl();
  constexpr int64_t kMaxBaked = 4096;
  if (!e.trace.bakes_literals() || x.shape.numel() > kMaxBaked) return e.result(e.b.emit(Op::copy_op, {e(concrete)}));
  std::vector<int64_t> words(static_cast<size_t>(x.shape.numel()));
  auto fill = [&](auto* from) {
    for (size_t i = 0; i < words.size(); ++i)
      words[i] =
          is_floating(x.dtype()) ? std::bit_cast<int64_t>(static_cast<double>(from[i])) : static_cast<int64_t>(from[i]);
  };
  const void* p = x.storage->buffer.data();
  visit_dtype(x.dtype(), [&](auto zero) { fill(static_cast<const decltype(zero)*>(p)); });
  return e.result(build::constant_data(e.b, x.dtype(), x.shape, words));
}

}  // namespace

namespace detail {

Tensor copy_of(const void* elements, const Shape& given, DType dtype, int64_t count, const char* what, Location at) {
  checked_dtype(dtype, what, at);
  Shape shape = std::ranges::count(given, -1) ? inferred_shape(what, count, given, at) : given;
  check_shape(what, "shape", shape, at);
  if (count != shape.numel())
    fail<ShapeError>(what,
                     "shape " + to_string(shape) + " has " + std::to_string(shape.numel()) + " elements, got " +
                         std::to_string(count),
                     at);
  Tensor t = allocated(what, shape, dtype, at);
  const Buffer& buffer = t.impl()->storage->buffer;
  if (buffer.size()) std::memcpy(buffer.data(), elements, static_cast<size_t>(buffer.size()));
  return entered(what, t, at);
}

}  // namespace detail

void set_default_dtype(DType dtype, Location at) {
  checked_dtype(dtype, "set_default_dtype", at);
  if (!is_floating(dtype))
    fail<DTypeError>("set_default_dtype", "expected a floating dtype, got " + std::string(to_string(dtype)), at);
  default_floating.store(dtype, std::memory_order_relaxed);
}
DType default_dtype() { return default_floating.load(std::memory_order_relaxed); }

Tensor tensor(const Nested& n, std::optional<DType> dtype, Location at) {
  if (n.ragged())
    fail<ShapeError>("tensor", "the lists at one depth must have one length: expected a rectangular nesting", at);
  DType plain = n.category() == Category::floating  ? default_dtype()
                : n.category() == Category::integer ? DType::i64
                                                    : DType::boolean;
  DType d = checked_dtype(dtype ? *dtype : n.dtype().value_or(plain), "tensor", at);
  if (n.shape().empty() && recording()) {
    Emitter e("tensor", at);
    return e.result(e(n.elements()[0], d));
  }
  auto element = [&](int64_t i) { return n.elements()[static_cast<size_t>(i)]; };
  return entered("tensor", generated("tensor", n.shape(), d, at, element), at);
}

Tensor from_blob(const void* p, const Shape& shape, DType dtype, Location at) {
  check_pointer("from_blob", p, dtype, shape, at);
  return copy_of(p, shape, dtype, shape.numel(), "from_blob", at);
}

namespace {
Tensor lent(void* p, const Shape& shape, const Shape* strides, DType dtype, bool writable, Location at) {
  check_pointer("borrow", p, dtype, shape, at);
  return borrowed({p, dtype, shape, strides ? *strides : row_major(shape), writable}, "borrow", at);
}
void* writable_never(const void* p) { return const_cast<void*>(p); }  // NOLINT
}  // namespace

Tensor borrow(void* p, const Shape& shape, DType dtype, Location at) {
  return lent(p, shape, nullptr, dtype, true, at);
}
Tensor borrow(const void* p, const Shape& shape, DType dtype, Location at) {
  return lent(writable_never(p), shape, nullptr, dtype, false, at);
}
Tensor borrow(void* p, const Shape& shape, const Shape& strides, DType dtype, Location at) {
  return lent(p, shape, &strides, dtype, true, at);
}
Tensor borrow(const void* p, const Shape& shape, const Shape& strides, DType dtype, Location at) {
  return lent(writable_never(p), shape, &strides, dtype, false, at);
}

Tensor spec(const Shape& shape, DType dtype, Location at) {
  check_shape("spec", "shape", shape, at);
  Tensor t = from_buffer(checked_dtype(dtype, "spec", at), shape, Buffer());
  Storage& s = *t.impl()->storage;
  s.failure = std::make_exception_ptr(
      TraceError("[spec] a tensor that stands for its type, " + ir::to_string(s.type) +
                 ", has no elements: pass it to trace or compile, and tensors to what these return" + jot::at(at)));
  s.failed = Storage::Failure::contents;
  return t;
}

Tensor zeros(const Shape& shape, std::optional<DType> dtype, Location at) {
  return filled("zeros", shape, 0, dtype.value_or(default_dtype()), at);
}
Tensor ones(const Shape& shape, std::optional<DType> dtype, Location at) {
  return filled("ones", shape, 1, dtype.value_or(default_dtype()), at);
}
Tensor empty(const Shape& shape, std::optional<DType> dtype, Location at) {
  return filled("empty", shape, 0, dtype.value_or(default_dtype()), at);
}
namespace {

Tensor full_of(std::string_view op, const Shape& shape, const Arg& value, std::optional<DType> dtype) {
  if (!value.is_tensor()) {
    DType d = dtype.value_or(dtype_of_number(value.number()));
    if (!recording()) return filled(op, shape, value.number(), d, value.at());
  }
  check_shape(op, "shape", shape, value.at());
  Emitter e(op, value.at(), value);
  if (!shape_of(value).empty()) e.fail<ShapeError>("the value must be a number or a 0-d tensor");
  DType own = value.is_tensor() ? value.tensor().impl()->dtype() : dtype_of_number(value.number());
  return e.result(operand(e, value, checked_dtype(dtype.value_or(own), op, value.at()), shape));
}

}  // namespace

Tensor full(const Shape& shape, const Arg& value, std::optional<DType> dtype) {
  return full_of("full", shape, value, dtype);
}

Tensor eye(int64_t n, int64_t m, std::optional<DType> dtype, Location at) {
  DType d = checked_dtype(dtype.value_or(default_dtype()), "eye", at);
  check_shape("eye", "shape", {n, m}, at);
  if (!recording()) return generated("eye", {n, m}, d, at, [m](int64_t i) { return Number(i / m == i % m); });
  Emitter e("eye", at);
  Value row = build::iota(e.b, DType::i64, {n, m}, 0), column = build::iota(e.b, DType::i64, {n, m}, 1);
  return e.result(build::convert(e.b, build::compare(e.b, row, column, ir::Direction::eq), d));
}
Tensor eye(int64_t n, std::optional<DType> dtype, Location at) { return eye(n, n, dtype, at); }

namespace {

// What a sequence of the dtype is made from: of integers without what comes after the point.
Number within(const Number& n, DType dtype) { return is_floating(dtype) ? n : Number(std::trunc(n.real)); }

// How many of start, start + step, ... come before end; none where step leads away from it. At most INT64_MAX.
std::optional<int64_t> steps_between(int64_t start, int64_t end, int64_t step) {
  if (start == end) return 0;
  if ((start < end) != (step > 0)) return {};
  const uint64_t low = static_cast<uint64_t>(std::min(start, end)), high = static_cast<uint64_t>(std::max(start, end));
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : -static_cast<uint64_t>(step);
  const uint64_t size = (high - low - 1) / stride + 1;
  return static_cast<int64_t>(std::min<uint64_t>(size, std::numeric_limits<int64_t>::max()));
}
std::optional<int64_t> steps_between(double start, double end, double step, Location at) {
  const double span = (end - start) / step;
  if (std::isnan(span) || std::isinf(start) || std::isinf(end)) fail<IndexError>("arange", "unsupported range", at);
  if (span < 0) return {};
  return span < 0x1p62 ? static_cast<int64_t>(std::ceil(span)) : std::numeric_limits<int64_t>::max();
}

}  // namespace

Tensor arange(Number start, Number end, Number step, std::optional<DType> dtype, Location at) {
  bool real = start.dtype == DType::f64 || end.dtype == DType::f64 || step.dtype == DType::f64;
  DType d = checked_dtype(dtype.value_or(real ? default_dtype() : DType::i64), "arange", at);
  // As torch: how many there are is by integers of i64 alone.
  const Number first = real ? within(start, d) : start, by = real ? within(step, d) : step;
  if (real && d == DType::i64) start = first, end = within(end, d), step = by;
  if (step.real == 0) fail<IndexError>("arange", "step must be nonzero", at);
  const std::optional<int64_t> size = real ? steps_between(start.real, end.real, step.real, at)
                                           : steps_between(start.integer, end.integer, step.integer);
  if (!size) fail<IndexError>("arange", "upper bound and lower bound inconsistent with step sign", at);
  check_shape("arange", "shape", {*size}, at);
  auto element = [&](int64_t i) {
    if (real) return Number(first.real + static_cast<double>(i) * by.real);
    return Number(static_cast<int64_t>(static_cast<uint64_t>(start.integer) +
                                       static_cast<uint64_t>(i) * static_cast<uint64_t>(step.integer)));
  };
  return entered("arange", generated("arange", {*size}, d, at, element), at);
}
Tensor arange(Number start, Number end, std::optional<DType> dtype, Location at) {
  return arange(start, end, 1, dtype, at);
}
Tensor arange(Number end, std::optional<DType> dtype, Location at) { return arange(0, end, 1, dtype, at); }

// From both ends, so that both are exact.
Tensor linspace(Number start, Number end, int64_t steps, std::optional<DType> dtype, Location at) {
  DType d = checked_dtype(dtype.value_or(default_dtype()), "linspace", at);
  if (steps < 0) fail<IndexError>("linspace", "number of steps must be non-negative", at);
  check_shape("linspace", "shape", {steps}, at);
  start = within(start, d), end = within(end, d);
  double step = steps > 1 ? (end.real - start.real) / static_cast<double>(steps - 1) : 0;
  auto element = [&](int64_t i) {
    return Number(i < steps / 2 || steps == 1 ? start.real + step * static_cast<double>(i)
                                              : end.real - step * static_cast<double>(steps - 1 - i));
  };
  return entered("linspace", generated("linspace", {steps}, d, at, element), at);
}

Tensor logspace(Number start, Number end, int64_t steps, double base, std::optional<DType> dtype, Location at) {
  DType d = checked_dtype(dtype.value_or(default_dtype()), "logspace", at);
  if (steps < 0) fail<IndexError>("logspace", "number of steps must be non-negative", at);
  check_shape("logspace", "shape", {steps}, at);
  start = within(start, d), end = within(end, d);
  const double step = steps > 1 ? (end.real - start.real) / static_cast<double>(steps - 1) : 0;
  auto element = [&](int64_t i) {
    const double power = i < steps / 2 || steps == 1 ? start.real + step * static_cast<double>(i)
                                                     : end.real - step * static_cast<double>(steps - 1 - i);
    return Number(std::pow(base, power));
  };
  return entered("logspace", generated("logspace", {steps}, d, at, element), at);
}

namespace {

// f(t), t from 0 to 1 over the samples of the symmetric window.
template <class F>
Tensor window(std::string_view op, int64_t n, bool periodic, std::optional<DType> dtype, Location at, F f) {
  DType d = checked_dtype(dtype.value_or(default_dtype()), op, at);
  if (!is_floating(d)) fail<DTypeError>(op, "expected a floating dtype, got " + std::string(to_string(d)), at);
  check_shape(op, "n", {n}, at);
  const auto last = static_cast<double>(periodic ? n : n - 1);
  auto element = [&](int64_t i) { return Number(n == 1 ? 1.0 : f(static_cast<double>(i) / last)); };
  return entered(op, generated(op, {n}, d, at, element), at);
}
double wave(double t) { return std::cos(2 * std::numbers::pi * t); }

}  // namespace

Tensor hann_window(int64_t n, bool periodic, std::optional<DType> dtype, Location at) {
  return window("hann_window", n, periodic, dtype, at, [](double t) { return 0.5 - 0.5 * wave(t); });
}
Tensor hamming_window(int64_t n, bool periodic, double alpha, double beta, std::optional<DType> dtype, Location at) {
  return window("hamming_window", n, periodic, dtype, at, [=](double t) { return alpha - beta * wave(t); });
}
Tensor blackman_window(int64_t n, bool periodic, std::optional<DType> dtype, Location at) {
  return window("blackman_window", n, periodic, dtype, at,
                [](double t) { return 0.42 - 0.5 * wave(t) + 0.08 * wave(2 * t); });
}
Tensor bartlett_window(int64_t n, bool periodic, std::optional<DType> dtype, Location at) {
  return window("bartlett_window", n, periodic, dtype, at, [](double t) { return 1 - std::abs(2 * t - 1); });
}
Tensor kaiser_window(int64_t n, bool periodic, double beta, std::optional<DType> dtype, Location at) {
  return window("kaiser_window", n, periodic, dtype, at, [beta](double t) {
    const double u = 2 * t - 1, root = std::sqrt(std::max(0.0, 1 - u * u));
    return std::cyl_bessel_i(0, std::abs(beta) * root) / std::cyl_bessel_i(0, std::abs(beta));
  });
}

Tensor zeros_like(const Tensor& x, std::optional<DType> dtype, Location at) {
  const TensorImpl& like = impl_of(x, "zeros_like", at);
  return filled("zeros_like", like.shape, 0, dtype.value_or(like.dtype()), at);
}
Tensor ones_like(const Tensor& x, std::optional<DType> dtype, Location at) {
  const TensorImpl& like = impl_of(x, "ones_like", at);
  return filled("ones_like", like.shape, 1, dtype.value_or(like.dtype()), at);
}
Tensor empty_like(const Tensor& x, std::optional<DType> dtype, Location at) {
  const TensorImpl& like = impl_of(x, "empty_like", at);
  return filled("empty_like", like.shape, 0, dtype.value_or(like.dtype()), at);
}
Tensor full_like(const Tensor& x, const Arg& value, std::optional<DType> dtype) {
  const TensorImpl& like = impl_of(x, "full_like", value.at());
  return full_of("full_like", like.shape, value, dtype.value_or(like.dtype()));
}

Tensor Tensor::new_zeros(const Shape& shape, std::optional<DType> dtype, Location at) const {
  return filled("new_zeros", shape, 0, dtype.value_or(impl_of(*this, "new_zeros", at).dtype()), at);
}
Tensor Tensor::new_ones(const Shape& shape, std::optional<DType> dtype, Location at) const {
  return filled("new_ones", shape, 1, dtype.value_or(impl_of(*this, "new_ones", at).dtype()), at);
}
Tensor Tensor::new_empty(const Shape& shape, std::optional<DType> dtype, Location at) const {
  return filled("new_empty", shape, 0, dtype.value_or(impl_of(*this, "new_empty", at).dtype()), at);
}
Tensor Tensor::new_full(const Shape& shape, const Arg& value, std::optional<DType> dtype) const {
  return full_of("new_full", shape, value, dtype.value_or(impl_of(*this, "new_full", value.at()).dtype()));
}

}  // namespace jot
