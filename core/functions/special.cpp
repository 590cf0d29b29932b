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

namespace compose {

// (-1)^(n+1) n! zeta(n + 1, x), of which the derivative is that of order n + 1.
Value polygamma(Emitter& e, int64_t n, const Tensor& x) {
  if (n < 0) e.fail<Error>("the order must not be negative, got " + std::to_string(n));
  Operands o(e, Domain::floating, x);
  Expr v = o(x);
  if (n == 0) return o.result(f(Op::digamma_op, v));
  const double factor = std::tgamma(static_cast<double>(n) + 1);
  return o.result(f(Op::zeta_op, v.like(static_cast<double>(n) + 1), v) * (n % 2 ? factor : -factor));
}

Value mvlgamma(Emitter& e, const Tensor& x, int64_t p) {
  if (p < 1) e.fail<Error>("the dimension must be positive, got " + std::to_string(p));
  Operands o(e, Domain::floating, x);
  Expr v = o(x), sum = f(Op::lgamma_op, v);
  for (int64_t i = 1; i < p; ++i) sum = sum + f(Op::lgamma_op, v - static_cast<double>(i) / 2);
  const double factor = static_cast<double>(p) * static_cast<double>(p - 1) / 4;
  return o.result(sum + factor * std::log(std::numbers::pi));
}

Value i0(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x);
  return o.result(f(Op::bessel_i0e_op, v) * f(Op::exp_op, f(Op::abs_op, v)));
}

namespace special {

Value i1(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x);
  return o.result(f(Op::bessel_i1e_op, v) * f(Op::exp_op, f(Op::abs_op, v)));
}

Value entr(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x), right = v > 0, inside = where(right, v, 1);
  Expr outside = where(v == 0, v.like(0), where(v != v, v, -kInfinity));
  return o.result(where(right, -(inside * f(Op::log_op, inside)), outside));
}

Value ndtr(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  return o.result(f(Op::erfc_op, o(x) * -std::numbers::sqrt2 / 2) * 0.5);
}

// Each side of a value that is its own.
Value log_ndtr(Emitter& e, const Tensor& x) {
  Operands o(e, Domain::floating, x);
  Expr v = o(x), left = v < -1, below = where(left, v, -1), above = where(left, -1, v);
  Expr tail = f(Op::log_op, f(Op::erfcx_op, below * (-std::numbers::sqrt2 / 2)) * 0.5) - below * below * 0.5;
  Expr rest = f(Op::log1p_op, f(Op::erfc_op, above * (std::numbers::sqrt2 / 2)) * -0.5);
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
