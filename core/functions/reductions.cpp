#include <limits>

#include "core/functions/operands.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Direction;
using ir::Op;
using ir::Value;

namespace {

std::vector<int64_t> dims_of(const Emitter& e, const Tensor& x, const Axes& dims) {
  return wrap_dims(e, dims, shape_of(x).size());
}

int64_t count(const Shape& shape, const std::vector<int64_t>& dims) {
  int64_t n = 1;
  for (int64_t d : dims) n *= shape[static_cast<size_t>(d)];
  return n;
}

Value divided(Emitter& e, Value v, double by) { return build::div(e.b, v, splat(e, e.b.dtype(v), e.b.shape(v), by)); }

Value mean_of(Emitter& e, Value v, const std::vector<int64_t>& dims, bool keepdim) {
  double n = static_cast<double>(count(e.b.shape(v), dims));
  return divided(e, reduce(e, Op::reduce_sum_op, v, dims, keepdim), n);
}

// A tensor as what composites are computed in, and what they have come to, in its dtype.
Value computed(Emitter& e, const Tensor& x) { return operand(e, x, computing_type(floating(x.impl()->dtype()))); }
Tensor result(Emitter& e, Value v, const Tensor& x) {
  return e.result(build::convert(e.b, v, floating(x.impl()->dtype())));
}

void check_floating(const Emitter& e, const Tensor& x) {
  if (!is_floating(x.impl()->dtype()))
    e.fail<DTypeError>("defined for floating dtypes, got " + type_name(x) + ": convert with to(f32)");
}

// Two passes. NaN where there are not more elements than the correction.
Value variance(Emitter& e, const Tensor& x, const Axes& axes, double correction, bool keepdim) {
  check_floating(e, x);
  std::vector<int64_t> dims = dims_of(e, x, axes);
  Value v = computed(e, x), deviation = build::sub(e.b, v, spread(e, mean_of(e, v, dims, false), dims, shape_of(x)));
  Value squares = reduce(e, Op::reduce_sum_op, build::mul(e.b, deviation, deviation), dims, keepdim);
  return divided(e, squares, std::max(0.0, static_cast<double>(count(shape_of(x), dims)) - correction));
}

Value extremum(Emitter& e, Op op, const Tensor& x, const Axes& axes, bool keepdim) {
  std::vector<int64_t> dims = dims_of(e, x, axes);
  if (count(shape_of(x), dims) == 0)
    e.fail<ShapeError>("expected the reduced dims to have at least one element, got " + type_name(x));
  DType dtype = x.impl()->dtype();
  if (dtype != DType::boolean) return reduce(e, op, e(x), dims, keepdim);
  return build::convert(e.b, reduce(e, op, operand(e, x, DType::i32), dims, keepdim), DType::boolean);
}

Value quantified(Emitter& e, Op op, const Tensor& x, const Axes& axes, bool keepdim) {
  std::vector<int64_t> dims = dims_of(e, x, axes);
  Value v = e(x);
  if (e.b.dtype(v) != DType::boolean) v = build::compare(e.b, v, build::zeros_like(e.b, v), Direction::ne);
  Value r = reduce(e, op, v, dims, keepdim);
  return x.impl()->dtype() == DType::u8 ? build::convert(e.b, r, DType::u8) : r;  // as torch
}

// Exponentials of the elements of lines, less the largest. That is differentiated too, though the results do not depend
// on it: the element itself then is a constant 0, and of what dominates the derivatives are sums of what the others
// have, where 1 - p would cancel.
struct Exponentials {
  Exponentials(Emitter& emitter, Value x, Value top, const std::vector<int64_t>& along)
      : e(emitter), v(x), dims(along), shape(e.b.shape(v)) {
    shifted = build::sub(e.b, v, spread(e, top, dims, shape));
    exps = build::unary(e.b, Op::exp_op, shifted);
  }
  // The logarithm of their sum, by what it is more than 1: `largest` are those that are 1.
  Value log_of_sum(Value top) const {
    const DType dtype = e.b.dtype(v);
    Value largest = build::compare(e.b, v, spread(e, top, dims, shape), Direction::eq);
    Value one = splat(e, dtype, shape, 1), less = build::sub(e.b, exps, one);
    Value others = build::reduce_sum(e.b, build::where(e.b, largest, less, exps), dims);
    Value count = build::reduce_sum(e.b, build::convert(e.b, largest, dtype), dims);
    Value more = build::sub(e.b, count, splat(e, dtype, e.b.shape(count), 1));
    return build::unary(e.b, Op::log1p_op, build::add(e.b, others, more));
  }

  Emitter& e;
  const Value v;
  const std::vector<int64_t>& dims;
  const Shape shape;
  Value shifted, exps;
};

}  // namespace

Tensor sum(const Tensor& x, const Axes& dims, bool keepdim, Location at) {
  Emitter e("sum", at, x);
  DType dtype = x.impl()->dtype();
  Value v = operand(e, x, is_floating(dtype) ? dtype : DType::i64);
  return e.result(reduce(e, Op::reduce_sum_op, v, dims_of(e, x, dims), keepdim));
}

Tensor prod(const Tensor& x, const Axes& dims, bool keepdim, Location at) {
  Emitter e("prod", at, x);
  Value v = operand(e, x, is_floating(x.impl()->dtype()) ? x.impl()->dtype() : DType::i64);
  return e.result(reduce(e, Op::reduce_prod_op, v, dims_of(e, x, dims), keepdim));
}

Tensor mean(const Tensor& x, const Axes& dims, bool keepdim, Location at) {
  Emitter e("mean", at, x);
  check_floating(e, x);
  return result(e, mean_of(e, computed(e, x), dims_of(e, x, dims), keepdim), x);
}

Tensor var(const Tensor& x, const Axes& dims, double correction, bool keepdim, Location at) {
  Emitter e("var", at, x);
  return result(e, variance(e, x, dims, correction, keepdim), x);
}

// The derivative is 0 where the variance is.
Tensor std(const Tensor& x, const Axes& dims, double correction, bool keepdim, Location at) {
  Emitter e("std", at, x);
  Value v = variance(e, x, dims, correction, keepdim), zero = build::zeros_like(e.b, v);
  Value is_zero = build::compare(e.b, v, zero, Direction::eq);
  Value safe = build::where(e.b, is_zero, splat(e, e.b.dtype(v), e.b.shape(v), 1), v);
  return result(e, build::where(e.b, is_zero, zero, build::unary(e.b, Op::sqrt_op, safe)), x);
}

Tensor amax(const Tensor& x, const Axes& dims, bool keepdim, Location at) {
  Emitter e("amax", at, x);
  return e.result(extremum(e, Op::reduce_max_op, x, dims, keepdim));
}
Tensor amin(const Tensor& x, const Axes& dims, bool keepdim, Location at) {
  Emitter e("amin", at, x);
  return e.result(extremum(e, Op::reduce_min_op, x, dims, keepdim));
}
Tensor max(const Tensor& x, Location at) {
  Emitter e("max", at, x);
  return e.result(extremum(e, Op::reduce_max_op, x, {}, false));
}
Tensor min(const Tensor& x, Location at) {
  Emitter e("min", at, x);
  return e.result(extremum(e, Op::reduce_min_op, x, {}, false));
}
Tensor all(const Tensor& x, const Axes& dims, bool keepdim, Location at) {
  Emitter e("all", at, x);
  return e.result(quantified(e, Op::reduce_and_op, x, dims, keepdim));
}
Tensor any(const Tensor& x, const Axes& dims, bool keepdim, Location at) {
  Emitter e("any", at, x);
  return e.result(quantified(e, Op::reduce_or_op, x, dims, keepdim));
}

// An infinite maximum is not subtracted: of -inf alone the result is -inf.
Tensor logsumexp(const Tensor& x, const Axes& axes, bool keepdim, Location at) {
  Emitter e("logsumexp", at, x);
  Value v = computed(e, x);
  std::vector<int64_t> dims = dims_of(e, x, axes);
  Value top = reduce(e, Op::reduce_max_op, v, dims, false), magnitude = build::unary(e.b, Op::abs_op, top);
  Value infinity = splat(e, e.b.dtype(v), e.b.shape(top), std::numeric_limits<double>::infinity());
  Value infinite = build::compare(e.b, magnitude, infinity, Direction::eq);
  Value base = build::where(e.b, infinite, build::zeros_like(e.b, top), top);
  base = build::unary(e.b, Op::stop_gradient_op, base);
  Value r = build::add(e.b, Exponentials(e, v, base, dims).log_of_sum(top), base);
  Shape kept = shape_of(x);
  for (int64_t d : dims) kept[static_cast<size_t>(d)] = 1;
  return result(e, keepdim ? build::reshape(e.b, r, kept) : r, x);
}

Tensor softmax(const Tensor& x, int64_t dim, Location at) {
  Emitter e("softmax", at, x);
  std::vector<int64_t> dims = dims_of(e, x, dim);
  Value v = computed(e, x);
  Exponentials t(e, v, reduce(e, Op::reduce_max_op, v, dims, false), dims);
  return result(e, build::div(e.b, t.exps, spread(e, build::reduce_sum(e.b, t.exps, dims), dims, t.shape)), x);
}

Tensor log_softmax(const Tensor& x, int64_t dim, Location at) {
  Emitter e("log_softmax", at, x);
  std::vector<int64_t> dims = dims_of(e, x, dim);
  Value v = computed(e, x), top = reduce(e, Op::reduce_max_op, v, dims, false);
  Exponentials t(e, v, top, dims);
  return result(e, build::sub(e.b, t.shifted, spread(e, t.log_of_sum(top), dims, t.shape)), x);
}

}  // namespace jot
