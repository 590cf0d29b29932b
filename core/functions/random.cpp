#include "jot/random.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "core/functions/operands.h"
#include "core/record/thread.h"
#include "jot/creation.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Op;
using ir::Value;

namespace {

DType random_dtype(std::string_view op, std::optional<DType> dtype, Location at) {
  DType d = checked_dtype(dtype.value_or(default_dtype()), op, at);
  if (!is_floating(d)) fail<DTypeError>(op, "expected a floating dtype, got " + std::string(to_string(d)), at);
  return d;
}

// A draw of as many bits as the dtype's fraction has, as an integer.
Value fraction(Emitter& e, const Shape& shape, DType dtype) {
  const int width = dtype == DType::f64 ? 64 : 32;
  Value bits = e.random_bits(shape, width);
  Value drop = build::constant_int(e.b, e.b.dtype(bits), shape, width - significand_bits(dtype));
  return build::convert(e.b, build::binary(e.b, Op::shr_op, bits, drop), dtype);
}
double ulp_of(DType dtype) { return std::ldexp(1, -significand_bits(dtype)); }

Value uniform(Emitter& e, const Shape& shape, DType dtype) {  // [0, 1)
  return build::scale(e.b, fraction(e, shape, dtype), ulp_of(dtype));
}

// Box and Muller.
Value normal(Emitter& e, const Shape& shape, DType dtype) {
  Value above_zero = build::add(e.b, fraction(e, shape, dtype), splat(e, dtype, shape, 1));
  Value u = build::scale(e.b, above_zero, ulp_of(dtype));  // (0, 1]
  Value radius = build::unary(e.b, Op::sqrt_op, build::scale(e.b, build::unary(e.b, Op::log_op, u), -2));
  Value angle = build::scale(e.b, uniform(e, shape, dtype), 2 * std::numbers::pi);
  return build::mul(e.b, radius, build::unary(e.b, Op::cos_op, angle));
}

}  // namespace

void manual_seed(uint64_t seed, Location at) {
  if (!current_trace().lazy()) fail<TraceError>("manual_seed", "not inside a transform: seed before calling it", at);
  current_trace().draws().seed({{static_cast<int64_t>(seed), 0}, 0, true});
}

Tensor rand(const Shape& shape, std::optional<DType> dtype, Location at) {
  DType d = random_dtype("rand", dtype, at);
  check_shape("rand", "shape", shape, at);
  Emitter e("rand", at);
  return e.result(uniform(e, shape, d));
}
Tensor randn(const Shape& shape, std::optional<DType> dtype, Location at) {
  DType d = random_dtype("randn", dtype, at);
  check_shape("randn", "shape", shape, at);
  Emitter e("randn", at);
  return e.result(build::convert(e.b, normal(e, shape, computing_type(d)), d));
}
Tensor rand_like(const Tensor& x, std::optional<DType> dtype, Location at) {
  const TensorImpl& like = impl_of(x, "rand_like", at);
  return rand(like.shape, dtype.value_or(like.dtype()), at);
}
Tensor randn_like(const Tensor& x, std::optional<DType> dtype, Location at) {
  const TensorImpl& like = impl_of(x, "randn_like", at);
  return randn(like.shape, dtype.value_or(like.dtype()), at);
}

namespace {
// The integers of a dtype; of a floating one all of i64's.
std::pair<int64_t, int64_t> range_of(DType dtype) {
  if (dtype == DType::boolean) return {0, 1};
  return visit_dtype(dtype, []<class T>(T) -> std::pair<int64_t, int64_t> {
    using Integer = std::conditional_t<std::is_integral_v<T>, T, int64_t>;
    return {std::numeric_limits<Integer>::min(), std::numeric_limits<Integer>::max()};
  });
}
}  // namespace

// The remainder of 63 bits; for a range of more, of 64, all of which are less than two ranges.
Tensor randint(int64_t low, int64_t high, const Shape& shape, std::optional<DType> dtype, Location at) {
  DType d = checked_dtype(dtype.value_or(DType::i64), "randint", at);
  if (low >= high)
    fail<IndexError>("randint", "expects low < high, got " + std::to_string(low) + " and " + std::to_string(high), at);
  check_shape("randint", "shape", shape, at);
  const auto [least, most] = range_of(d);
  if (low < least || high - 1 > most)
    fail<IndexError>("randint",
                     "numbers from " + std::to_string(low) + " to " + std::to_string(high - 1) + " do not fit " +
                         std::string(to_string(d)) + ": expected " + std::to_string(least) + " to " +
                         std::to_string(most),
                     at);
  Emitter e("randint", at);
  auto number = [&](int64_t x) { return build::constant_int(e.b, DType::i64, shape, x); };
  Value bits = e.random_bits(shape, 64);
  const auto width = static_cast<int64_t>(static_cast<uint64_t>(high) - static_cast<uint64_t>(low));
  if (width < 0) {  // of an i64 it is negative
    Value inside = build::binary(e.b, Op::and_op, build::compare(e.b, bits, number(low), ir::Direction::ge),
                                 build::compare(e.b, bits, number(high), ir::Direction::lt));
    return e.result(build::convert(e.b, build::where(e.b, inside, bits, build::sub(e.b, bits, number(width))), d));
  }
  Value positive = build::binary(e.b, Op::shr_op, bits, number(1)), range = number(width);
  Value rest = build::sub(e.b, positive, build::mul(e.b, build::div(e.b, positive, range), range));
  return e.result(build::convert(e.b, build::add(e.b, rest, number(low)), d));
}

Tensor bernoulli(const Tensor& p, Location at) {
  Emitter e("bernoulli", at, p);
  DType d = random_dtype("bernoulli", p.dtype(), at);
  const DType wide = computing_type(d);
  Value draw = uniform(e, shape_of(p), wide);
  return e.result(build::convert(e.b, build::compare(e.b, draw, operand(e, p, wide), ir::Direction::lt), d));
}

}  // namespace jot
