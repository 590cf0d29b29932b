// Elementwise functions that are formulas of others.
#include <cmath>
#include <limits>
#include <numbers>

#include "core/functions/expr.h"
#include "core/record/scope.h"
#include "jot/control.h"
#include "jot/loops.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Op;
using ir::Value;

namespace {

DType integer_of(DType floating) { return size_of(floating) == 8 ? DType::i64 : DType::i32; }
Expr is_nan(const Expr& x) { return x != x; }
Expr magnitude(const Expr& x) { return f(Op::abs_op, x); }

// Whether the sign bit of a float of 4 or 8 bytes is set.
Expr sign_bit(const Expr& x) { return x.bits(integer_of(x.dtype())) < 0; }

// Whether r, a remainder of division by b, is to be corrected for rounding downwards.
Expr other_sign(const Expr& r, const Expr& b) { return (r != 0) & ((r < 0) != (b < 0)); }

// The greatest integer not above a / b. Of floats by what remains, as their quotient is rounded (as in torch).
Expr floored_quotient(const Expr& a, const Expr& b) {
  Expr r = f(Op::rem_op, a, b), down = other_sign(r, b);
  if (!is_floating(a.dtype())) {
    Expr q = a / b;
    return where(down & (b != 0), q - 1, q);
  }
  Expr exact = (a - r) / b, q = where(down, exact - 1, exact), whole = f(Op::floor_op, q);
  whole = where(q - whole > 0.5, whole + 1, whole);
  Expr quotient = a / b, zero = where(sign_bit(quotient), quotient.like(-0.0), quotient.like(0.0));
  return where(b == 0, quotient, where(q == 0, zero, whole));
}

Expr constant_to_derivatives(const Expr& x) { return x.make(Op::stop_gradient_op); }

// By squaring, modulo 2^width: over the bits of n, which is not negative.
Expr integer_power(const Expr& x, const Expr& n) {
  Expr result = x.like(1), square = x, rest = n;
  const int width = 8 * size_of(x.dtype()) - 1;
  for (int bit = 0; bit < width; ++bit) {
    result = where((rest & rest.like(1)) != 0, result * square, result);
    if (bit + 1 == width) break;
    square = square * square;
    rest = f(Op::sar_op, rest, rest.like(1));
  }
  return result;
}

// m + log1p(exp(-|a - b|)), or of base 2, where m is the greater; the derivatives of a tie are right to any order.
Expr log_of_sum(const Expr& a, const Expr& b, Op exp, double log_of_base) {
  Expr same = (a == b) & (magnitude(a) == kInfinity), d = a - b, left = d > 0;
  Expr small = f(Op::log1p_op, f(exp, where(left, -d, d)));
  Expr sum = where(left, a, b) + (log_of_base == 1 ? small : small * (1 / log_of_base));
  return where(same, a, sum);
}

}  // namespace

namespace compose {

// ---- of one tensor

Value positive(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::numeric, x);
  return e.b.emit(Op::copy_op, {e(x)});
}

Value round(Emitter& e, const Tensor& x, int64_t decimals) {
  Operands o(e, Domain::numeric, x);
  if (!is_floating(o.dtype())) {
    if (decimals < 0) e.fail<DTypeError>("integers are not rounded to tens: convert with to(f64)");
    return e.b.emit(Op::copy_op, {e(x)});
  }
  const double power = std::pow(10.0, std::abs(static_cast<double>(decimals)));
  Expr v = o(x);
  if (decimals >= 0) return o.result(f(Op::round_even_op, v * power) / power);
  return o.result(f(Op::round_even_op, v / power) * power);
}

Value frac(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x);
  return o.result(v - f(Op::trunc_op, v));
}

Value deg2rad(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  return o.result(o(x) * (std::numbers::pi / 180));
}
Value rad2deg(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  return o.result(o(x) * (180 / std::numbers::pi));
}

Value logit(Emitter& e, const Tensor& x, std::optional<double> eps) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x);
  if (eps) v = where(v < *eps, *eps, where(v > 1 - *eps, 1 - *eps, v));
  // 2 atanh(2 v - 1) near 1/2, where 2 v - 1 is exact; each of a value that is its own.
  Expr middle = magnitude(v - 0.5) < 0.25;
  Expr near_half = f(Op::atanh_op, where(middle, v, 0.5) * 2 - 1) * 2, apart = where(middle, 0.25, v);
  return o.result(where(middle, near_half, f(Op::log_op, apart) - f(Op::log1p_op, -apart)));
}

Value nan_to_num(Emitter& e, const Tensor& x, double nan, std::optional<double> posinf, std::optional<double> neginf) {
  Operands o(e, Domain::any, x);
  if (!is_floating(o.dtype())) return e.b.emit(Op::copy_op, {e(x)});
  const DType t = o.dtype();
  const double most = t == DType::f64    ? std::numeric_limits<double>::max()
                      : t == DType::f16  ? 65504
                      : t == DType::bf16 ? 0x1.fep127
                                         : std::numeric_limits<float>::max();
  Expr v = o(x);
  Expr r = where(is_nan(v), nan, v);
  r = where(v == kInfinity, posinf.value_or(most), r);
  return o.result(where(v == -kInfinity, neginf.value_or(-most), r));
}

Value isnan(Emitter& e, const Tensor& x) {
  Expr v = Operands(e, Domain::any, x)(x);
  return is_nan(v);
}
Value isfinite(Emitter& e, const Tensor& x) {
  Expr v = Operands(e, Domain::any, x)(x);
  return is_floating(v.dtype()) ? magnitude(v) < kInfinity : v == v;
}
Value isinf(Emitter& e, const Tensor& x) {
  Expr v = Operands(e, Domain::any, x)(x);
  return is_floating(v.dtype()) ? magnitude(v) == kInfinity : v != v;
}
Value isposinf(Emitter& e, const Tensor& x) {
  Expr v = Operands(e, Domain::any, x)(x);
  return is_floating(v.dtype()) ? v == kInfinity : v != v;
}
Value isneginf(Emitter& e, const Tensor& x) {
  Expr v = Operands(e, Domain::any, x)(x);
  return is_floating(v.dtype()) ? v == -kInfinity : v != v;
}
Value signbit(Emitter& e, const Tensor& x) {
  Expr v = Operands(e, Domain::any, x)(x);
  if (v.dtype() == DType::boolean) return v != v;
  return is_floating(v.dtype()) ? sign_bit(v) : v < 0;
}

// ---- of two

Value add(Emitter& e, const Arg& a, const Arg& b, const Arg& alpha) {
  Operands o(e, Domain::numeric, {&a, &b});
  check_castable(e, alpha, o.dtype());
  return o.result(o(a) + o(alpha) * o(b));
}
Value sub(Emitter& e, const Arg& a, const Arg& b, const Arg& alpha) {
  Operands o(e, Domain::numeric, {&a, &b});
  check_castable(e, alpha, o.dtype());
  return o.result(o(a) - o(alpha) * o(b));
}

Value floor_divide(Emitter& e, const Arg& a, const Arg& b) {
  Operands o(e, Domain::numeric, {&a, &b});
  return o.result(constant_to_derivatives(floored_quotient(o(a), o(b))));
}

Value div(Emitter& e, const Arg& a, const Arg& b, Rounding rounding) {
  if (rounding == Rounding::floor) return floor_divide(e, a, b);
  Operands o(e, rounding == Rounding::none ? Domain::floating : Domain::numeric, {&a, &b});
  Expr q = o(a) / o(b);
  return o.result(rounding == Rounding::none || !is_floating(o.dtype()) ? q : f(Op::trunc_op, q));
}

Value remainder(Emitter& e, const Arg& a, const Arg& b) {
  Operands o(e, Domain::numeric, {&a, &b});
  Expr y = o(b), r = f(Op::rem_op, o(a), y);
  return o.result(where(other_sign(r, y), r + y, r));
}

Value pow(Emitter& e, const Arg& base, const Arg& exponent) {
  DType dtype = promoted({&base, &exponent});
  if (dtype == DType::boolean) dtype = DType::i64;
  const bool number = !exponent.is_tensor();
  const double n = exponent.number().real;
  if (!is_floating(dtype) && number && n < 0) e.fail<DTypeError>("Integers to negative integer powers are not allowed");
  if (number && n == std::trunc(n) && std::abs(n) < 0x1p31)
    return build::integer_pow(e.b, operand(e, base, dtype, shape_of(base)), static_cast<int64_t>(n));
  if (number && n == 0.5) return build::unary(e.b, Op::sqrt_op, operand(e, base, dtype, shape_of(base)));
  if (number && n == -0.5) return build::unary(e.b, Op::rsqrt_op, operand(e, base, dtype, shape_of(base)));
  Shape shape = broadcast_shapes(e, shape_of(base), shape_of(exponent));
  const DType within = computing_type(dtype);
  Expr y(e, operand(e, exponent, within, shape));
  if (!base.is_tensor() && base.number().real == 2 && is_floating(dtype)) return f(Op::exp2_op, y).to(dtype);
  Expr x(e, operand(e, base, within, shape));
  if (is_floating(dtype)) return f(Op::pow_op, x, y).to(dtype);
  Expr power = integer_power(x, where(y < 0, 0, y)), odd = (y & y.like(1)) != 0;
  Expr inverse = where(x == 1, 1, where(x == -1, where(odd, x, 1), x.like(0)));
  return where(y < 0, inverse, power).to(dtype);
}

Value float_power(Emitter& e, const Arg& a, const Arg& b) {
  Shape shape = broadcast_shapes(e, shape_of(a), shape_of(b));
  return f(Op::pow_op, Expr(e, operand(e, a, DType::f64, shape)), Expr(e, operand(e, b, DType::f64, shape)));
}

// The derivative at the origin is NaN, as in torch; at infinity that of the operand which is infinite.
Value hypot(Emitter& e, const Arg& a, const Arg& b) {
  Operands o(e, Domain::floating, {&a, &b});
  Expr x = magnitude(o(a)), y = magnitude(o(b)), most = f(Op::max_op, x, y), least = f(Op::min_op, x, y);
  Expr safe = where((x == kInfinity) | (y == kInfinity), 1, most);
  Expr ratio = least / safe, r = safe * f(Op::sqrt_op, ratio * ratio + 1);
  r = where(safe == 0, safe, r);
  return o.result(where(x == kInfinity, x, where(y == kInfinity, y, r)));
}

Value fmax(Emitter& e, const Arg& a, const Arg& b) {
  Operands o(e, Domain::any, {&a, &b});
  Expr x = o(a), y = o(b);
  if (o.dtype() == DType::boolean) return o.result(x | y);
  return o.result(where((x >= y) | is_nan(y), x, y));
}
Value fmin(Emitter& e, const Arg& a, const Arg& b) {
  Operands o(e, Domain::any, {&a, &b});
  Expr x = o(a), y = o(b);
  if (o.dtype() == DType::boolean) return o.result(x & y);
  return o.result(where((x <= y) | is_nan(y), x, y));
}

Value copysign(Emitter& e, const Arg& a, const Arg& b) {
  Operands o(e, Domain::floating, {&a, &b});
  Expr size = magnitude(o(a));
  return o.result(where(sign_bit(o(b)), -size, size));
}

Value logaddexp(Emitter& e, const Arg& a, const Arg& b) {
  Operands o(e, Domain::floating, {&a, &b});
  return o.result(log_of_sum(o(a), o(b), Op::exp_op, 1));
}
Value logaddexp2(Emitter& e, const Arg& a, const Arg& b) {
  Operands o(e, Domain::floating, {&a, &b});
  return o.result(log_of_sum(o(a), o(b), Op::exp2_op, std::numbers::ln2));
}

namespace {
// x log(y) by its logarithm of 1 where x is 0 and that is not finite; a NaN of y stays.
template <class Log>
Expr times_log(const Expr& x, const Expr& y, double singular, Log log) {
  Expr infinite = (x == 0) & ((y <= singular) | (y == kInfinity));
  return x * log(where(infinite, y.like(singular + 1), y));
}
}  // namespace

Value xlogy(Emitter& e, const Arg& a, const Arg& b) {
  Operands o(e, Domain::floating, {&a, &b});
  return o.result(times_log(o(a), o(b), 0, [](const Expr& y) { return f(Op::log_op, y); }));
}
namespace special {
Value xlog1py(Emitter& e, const Arg& a, const Arg& b) {
  Operands o(e, Domain::floating, {&a, &b});
  return o.result(times_log(o(a), o(b), -1, [](const Expr& y) { return f(Op::log1p_op, y); }));
}
}  // namespace special

Value heaviside(Emitter& e, const Arg& a, const Arg& b) {
  Operands o(e, Domain::any, {&a, &b});
  if (o.dtype() == DType::boolean) return o.result(o(a) | o(b));
  Expr x = constant_to_derivatives(o(a)), v = constant_to_derivatives(o(b));
  Expr step = where(x > 0, x.like(1), where(is_nan(x), x, 0));
  return o.result(where(x == 0, v, step));
}

// The integers that floats are in memory step with them, by the sign.
Value nextafter(Emitter& e, const Arg& a, const Arg& b) {
  Operands o(e, Domain::floating, {&a, &b});
  if (is_storage(o.dtype()))
    e.fail<DTypeError>("defined for f32 and f64, got " + std::string(to_string(o.dtype())) + ": convert with to(f32)");
  const DType t = integer_of(o.dtype());
  Expr x = constant_to_derivatives(o(a)), y = constant_to_derivatives(o(b)), bits = x.bits(t);
  Expr up = (y > x) == (x > 0), stepped = where(up, bits + 1, bits - 1).bits(o.dtype());
  Expr least = bits.like(1).bits(o.dtype());
  stepped = where(x == 0, where(y > 0, least, -least), stepped);
  return o.result(where(is_nan(x) | is_nan(y), x + y, where(x == y, y, stepped)));
}

Value ldexp(Emitter& e, const Arg& a, const Arg& b) {
  Operands o(e, Domain::floating, {&a, &b});
  return o.result(o(a) * f(Op::exp2_op, o(b)));
}

Value isclose(Emitter& e, const Arg& a, const Arg& b, double rtol, double atol, bool equal_nan) {
  if (rtol < 0 || atol < 0) e.fail<Error>("rtol and atol must not be negative");
  Operands o(e, Domain::any, {&a, &b});
  const DType within = is_floating(o.within()) ? o.within() : DType::f64;
  Expr given_x = o(a), given_y = o(b), x = given_x.to(within), y = given_y.to(within), same = given_x == given_y;
  Expr close = same | ((magnitude(x - y) <= magnitude(y) * rtol + atol) & (magnitude(y) < kInfinity));
  return equal_nan ? close | (is_nan(x) & is_nan(y)) : close;
}

Value bitwise_left_shift(Emitter& e, const Arg& a, const Arg& b) {
  Operands o(e, Domain::integer, {&a, &b});
  if (o.dtype() == DType::boolean) e.fail<DTypeError>("defined for integers, got boolean: convert with to(i64)");
  return o.result(f(Op::shl_op, o(a), o(b)));
}
Value bitwise_right_shift(Emitter& e, const Arg& a, const Arg& b) {
  Operands o(e, Domain::integer, {&a, &b});
  if (o.dtype() == DType::boolean) e.fail<DTypeError>("defined for integers, got boolean: convert with to(i64)");
  return o.result(f(Op::sar_op, o(a), o(b)));
}

// ---- of three

// From the end that is nearer, so that both are met.
Value lerp(Emitter& e, const Tensor& a, const Arg& b, const Arg& weight) {
  const Arg first(a);
  Operands o(e, Domain::any, {&first, &b, &weight});
  if (!is_floating(o.dtype()))
    e.fail<DTypeError>("defined for floating dtypes, got " + std::string(to_string(o.dtype())));
  Expr x = o(first), y = o(b), w = o(weight), d = y - x;
  return o.result(where(magnitude(w) < 0.5, x + w * d, y - d * (1 - w)));
}

Value addcmul(Emitter& e, const Tensor& x, const Arg& a, const Arg& b, const Arg& value) {
  const Arg first(x);
  Operands o(e, Domain::numeric, {&first, &a, &b});
  check_castable(e, value, o.dtype());
  return o.result(o(first) + o(value) * o(a) * o(b));
}

Value addcdiv(Emitter& e, const Tensor& x, const Arg& a, const Arg& b, const Arg& value) {
  const Arg first(x);
  Operands o(e, Domain::any, {&first, &a, &b});
  if (!is_floating(o.dtype()))
    e.fail<DTypeError>("integer division with addcdiv is not supported: convert an operand with to(f32), got " +
                       std::string(to_string(o.dtype())));
  return o.result(o(first) + o(value) * (o(a) / o(b)));
}

}  // namespace compose

// ---- of integers, by Euclid's steps

namespace {

Tensor common_divisor(const Tensor& a, const Tensor& b) {
  auto [x, y] = while_loop([](const std::tuple<Tensor, Tensor>& s) { return any(std::get<1>(s) != 0); },
                           [](const std::tuple<Tensor, Tensor>& s) {
                             const auto& [u, v] = s;
                             return std::tuple{where(v == 0, u, v), where(v == 0, v, fmod(u, v))};
                           },
                           std::tuple{a, b});
  return abs(x);
}

// Both as integers of one dtype and shape, i32 instead of u8, and the result's dtype.
std::tuple<Tensor, Tensor, DType> integers(std::string_view name, const Arg& a, const Arg& b) {
  Emitter e(name, line(a, b), a, b);
  Operands o(e, Domain::integer, {&a, &b});
  if (o.dtype() == DType::boolean) e.fail<DTypeError>("defined for integers, got boolean: convert with to(i64)");
  return {e.result(o(a)), e.result(o(b)), o.dtype()};
}

}  // namespace

Tensor gcd(const Arg& a, const Arg& b) {
  Composite call("gcd", line(a, b));
  auto [x, y, dtype] = integers("gcd", a, b);
  return common_divisor(x, y).to(dtype);
}
Tensor lcm(const Arg& a, const Arg& b) {
  Composite call("lcm", line(a, b));
  auto [x, y, dtype] = integers("lcm", a, b);
  return abs(div(x, common_divisor(x, y), Rounding::trunc) * y).to(dtype);
}

// By its bits: the mantissa's exponent becomes that of 1/2, of denormals after a multiplication.
MantissaExponent frexp(const Tensor& x, Location at) {
  Emitter e("frexp", at, x);
  if (!is_floating(x.impl()->dtype())) e.fail<DTypeError>("defined for floating dtypes, got " + type_name(x));
  Operands o(e, Domain::floating, x);
  const bool wide = o.within() == DType::f64;
  const DType t = integer_of(o.within());
  const int stored = wide ? 52 : 23, bias = wide ? 1023 : 127;
  Expr v = o(x), fixed = constant_to_derivatives(v), plain = (magnitude(fixed) < kInfinity) & (fixed != 0);
  Expr small = magnitude(fixed) < std::ldexp(1.0, 1 - bias);
  Expr bits = where(small, fixed * std::ldexp(1.0, stored + 1), fixed).bits(t);
  Expr field = f(Op::and_op, f(Op::shr_op, bits, bits.like(stored)), bits.like(2 * bias + 1));
  Expr exponent = where(plain, field - where(small, field.like(bias - 1 + stored + 1), field.like(bias - 1)), 0);
  // 2^-exponent as a product of two, each of which is normal.
  Expr half = f(Op::sar_op, exponent, exponent.like(1));
  auto power = [&](const Expr& n) { return f(Op::shl_op, n + bias, n.like(stored)).bits(o.within()); };
  Expr mantissa = v * power(-half) * power(half - exponent);
  Tensor m = e.result(o.result(mantissa));
  return {m, e.result(exponent.to(DType::i32))};
}

}  // namespace jot
