// Special functions: made of those that are ops.
#include <cmath>
#include <numbers>

#include "core/functions/expr.h"
#include "core/record/scope.h"
#include "jot/special.h"

namespace jot {

using namespace detail;
using ir::Op;
using ir::Value;

namespace {

Expr magnitude(const Expr& x) { return f(Op::abs_op, x); }

// sine / y, where sine is that of y: up to 1/2 the series 1 - y^2/6 + y^4/120 - ..., whose derivatives do not cancel.
Expr sine_quotient(const Expr& sine, const Expr& y) {
  Expr near_zero = magnitude(y) < 0.5, safe = where(near_zero, y, 0), z = safe * safe, series = y.like(1);
  for (int k = 8; k >= 1; --k) series = 1 - z * series * (1.0 / ((2 * k) * (2 * k + 1)));
  return where(near_zero, series, sine / where(near_zero, 1, y));
}

// exp(-x) times a scaled function.
Value unscaled(Emitter& e, Op op, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x);
  return o.result(f(op, v) * f(Op::exp_op, -v));
}

}  // namespace

namespace compose {

Value polygamma(Emitter& e, int64_t n, const Tensor& x) {
  if (n < 0) e.fail<Error>("the order must not be negative, got " + std::to_string(n));
  Operands o(e, Domain::floating, x);
  Expr v = o(x);
  return o.result(n == 0 ? f(Op::digamma_op, v) : f(Op::polygamma_op, v.like(static_cast<double>(n)), v));
}

Value mvlgamma(Emitter& e, const Tensor& x, int64_t p) {
  if (p < 1) e.fail<Error>("the dimension must be positive, got " + std::to_string(p));
  if (p > 1 << 16) e.fail<Error>("the dimension must be at most 65536, got " + std::to_string(p));
  Operands o(e, Domain::floating, x);
  Expr v = o(x), sum = f(Op::lgamma_op, v);
  for (int64_t i = 1; i < p; ++i) sum = sum + f(Op::lgamma_op, v - static_cast<double>(i) / 2);
  const double factor = static_cast<double>(p) * static_cast<double>(p - 1) / 4;
  return o.result(sum + factor * std::log(std::numbers::pi));
}

// The sine by the distance from the nearest integer, which is exact.
Value sinc(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x), nearest = f(Op::round_even_op, v), half = nearest * 0.5, even = f(Op::floor_op, half) == half;
  Expr sine = f(Op::sin_op, (v - nearest) * std::numbers::pi);
  return o.result(sine_quotient(where(even, sine, -sine), v * std::numbers::pi));
}

namespace special {

Value spherical_bessel_j0(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x), infinite = magnitude(v) == kInfinity, safe = where(infinite, 1, v);
  return o.result(where(infinite, 0, sine_quotient(f(Op::sin_op, safe), safe)));
}

Value modified_bessel_k0(Emitter& e, const Tensor& x) { return unscaled(e, Op::bessel_k0e_op, x); }
Value modified_bessel_k1(Emitter& e, const Tensor& x) { return unscaled(e, Op::bessel_k1e_op, x); }

Value entr(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x), right = v > 0, inside = where(right, v, 1);
  Expr outside = where(v == 0, v.like(0), where(v != v, v, -kInfinity));
  return o.result(where(right, -(inside * f(Op::log_op, inside)), outside));
}

// Each side of a value that is its own.
Value log_ndtr(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x), left = v < -1, below = where(left, v, -1), above = where(left, -1, v);
  Expr tail = f(Op::log_op, f(Op::erfcx_op, below * (-std::numbers::sqrt2 / 2)) * 0.5) - below * below * 0.5;
  Expr rest = f(Op::log1p_op, -f(Op::ndtr_op, -above));
  return o.result(where(left, tail, rest));
}

}  // namespace special
}  // namespace compose

namespace special {
Tensor multigammaln(const Tensor& x, int64_t p, Location at) {
  Composite call("multigammaln", at);
  return mvlgamma(x, p, at);
}
}  // namespace special

}  // namespace jot
