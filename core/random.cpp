#include "jot/random.h"

#include <numbers>

#include "core/operands.h"
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
  bool single = dtype == DType::f32;
  Value bits = e.random_bits(shape, single ? 32 : 64);
  Value drop = build::constant_int(e.b, e.b.dtype(bits), shape, single ? 8 : 11);
  return build::convert(e.b, build::binary(e.b, Op::shr_op, bits, drop), dtype);
}
double ulp_of(DType dtype) { return dtype == DType::f32 ? 0x1p-24 : 0x1p-53; }

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
  if (current_trace().options().kind != TraceKind::lazy)
    fail<TraceError>("manual_seed", "not inside a transform: seed before calling it", at);
  current_trace().seed({{static_cast<int64_t>(seed), 0}, 0, true});
}

Tensor rand(const Shape& shape, std::optional<DType> dtype, Location at) {
  DType d = random_dtype("rand", dtype, at);
  Emitter e("rand", at);
  return e.result(uniform(e, shape, d));
}
Tensor randn(const Shape& shape, std::optional<DType> dtype, Location at) {
  DType d = random_dtype("randn", dtype, at);
  Emitter e("randn", at);
  return e.result(normal(e, shape, d));
}
Tensor rand_like(const Tensor& x, std::optional<DType> dtype, Location at) {
  const TensorImpl& like = impl_of(x, "rand_like", at);
  return rand(like.shape, dtype.value_or(like.dtype()), at);
}
Tensor randn_like(const Tensor& x, std::optional<DType> dtype, Location at) {
  const TensorImpl& like = impl_of(x, "randn_like", at);
  return randn(like.shape, dtype.value_or(like.dtype()), at);
}

// The remainder of 63 bits.
Tensor randint(int64_t low, int64_t high, const Shape& shape, std::optional<DType> dtype, Location at) {
  DType d = checked_dtype(dtype.value_or(DType::i64), "randint", at);
  if (low >= high)
    fail<IndexError>("randint", "expects low < high, got " + std::to_string(low) + " and " + std::to_string(high), at);
  Emitter e("randint", at);
  auto number = [&](int64_t x) { return build::constant_int(e.b, DType::i64, shape, x); };
  Value bits = build::binary(e.b, Op::shr_op, e.random_bits(shape, 64), number(1)), range = number(high - low);
  Value rest = build::sub(e.b, bits, build::mul(e.b, build::div(e.b, bits, range), range));
  return e.result(build::convert(e.b, build::add(e.b, rest, number(low)), d));
}

Tensor bernoulli(const Tensor& p, Location at) {
  Emitter e("bernoulli", at, p);
  DType d = random_dtype("bernoulli", p.dtype(), at);
  Value draw = uniform(e, shape_of(p), d);
  return e.result(build::convert(e.b, build::compare(e.b, draw, e(p), ir::Direction::lt), d));
}

}  // namespace jot
