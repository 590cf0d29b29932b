// Special functions: one element by ir/special, derivatives by each other. None is a difference that cancels, nor are
// derivatives of it: near 0 and far out they are series, whose derivatives are.
#include <cmath>
#include <limits>

#include "ir/ops/classes.h"
#include "ir/ops/evaluate.h"
#include "ir/special/special.h"

namespace jot::ir {
namespace {

using build::add;
using build::add_any;
using build::binary;
using build::div;
using build::mul;
using build::neg;
using build::scale;
using build::sub;
using build::unary;

constexpr double kRootPi = 1.77245385090551602730, kRootTwoPi = 2.50662827463100050242;

void evaluate_special(const EvalContext& c) {
  const ScalarRule f = rules(c.attrs.op()).scalar;
  visit_floating(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    auto x = c.operands[0].as<T>(), y = c.operands.back().as<T>();
    auto out = c.result<T>();
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<T>(static_cast<double>(f(static_cast<double>(x[i]), static_cast<double>(y[i]))));
  });
}

// f: of one double or two.
template <auto f>
Rules function(Slot<JvpRule> jvp) {
  Rules r = elementwise(evaluate_special, jvp);
  r.scalar = [](double x, double y) -> long double {
    if constexpr (std::is_invocable_v<decltype(f), double, double>)
      return f(x, y);
    else
      return f(x);
  };
  return r;
}

Value one_like(Builder& b, Value x) { return splat_like(b, x, 1); }
Value less(Builder& b, Value x, double limit) { return build::compare(b, x, splat_like(b, x, limit), Direction::lt); }
Value size(Builder& b, Value x) { return unary(b, Op::abs_op, x); }
Value sign(Builder& b, Value x) { return unary(b, Op::sign_op, x); }

// factor exp(rate x^2)
Value gaussian(Builder& b, Value x, double factor, double rate) {
  return scale(b, unary(b, Op::exp_op, scale(b, mul(b, x, x), rate)), factor);
}

// 2 x o - 2 / sqrt(pi); where that cancels, the series -1/x^2 + 3/(2 x^4) - ... over sqrt(pi).
Value erfcx_slope(Builder& b, Value x, Value o) {
  Value direct = sub(b, scale(b, mul(b, x, o), 2), splat_like(b, x, 2 / kRootPi));
  Value far = build::compare(b, x, splat_like(b, x, 12), Direction::gt);
  Value safe = build::where(b, far, x, splat_like(b, x, 12));  // or derivatives of what is not chosen are NaN
  Value z = div(b, one_like(b, x), scale(b, mul(b, safe, safe), 2)), sum = one_like(b, x);
  for (int k = 10; k >= 2; --k) sum = sub(b, one_like(b, x), mul(b, scale(b, z, 2 * k - 1), sum));
  return build::where(b, far, scale(b, mul(b, z, sum), -2 / kRootPi), direct);
}

// ---- Bessel functions

// B(x) / x of a Bessel function of order 1, I1 (sign 1) or J1 (-1), whose value at x is o; scaled: o exp(-|x|). Up to
// |x| = 1 the series of (sign x^2 / 4)^k / (2 k! (k + 1)!).
Value over_argument(Builder& b, Value x, Value o, int series_sign, bool scaled) {
  Value a = size(b, x), near_zero = less(b, a, 1), safe = build::where(b, near_zero, x, splat_like(b, x, 0));
  Value z = scale(b, mul(b, safe, safe), series_sign * 0.25);
  Value series = one_like(b, x);
  for (int k = 11; k >= 1; --k) series = add(b, one_like(b, x), scale(b, mul(b, z, series), 1.0 / (k * (k + 1))));
  series = scale(b, series, 0.5);
  if (scaled) series = mul(b, series, unary(b, Op::exp_op, neg(b, a)));
  return build::where(b, near_zero, series, div(b, o, build::where(b, near_zero, one_like(b, x), x)));
}

// B0(x) - B1(x) of two scaled functions, given for x > 0: I0, I1 (sign -1) or K0, K1 (sign 1). Where it cancels, the
// difference of their expansions, factor / sqrt(x) times the sum of (sign / x)^k (a_k(0) - a_k(1)) (DLMF 10.40).
Value difference(Builder& b, Value x, Value zero, Value one, int series_sign) {
  constexpr int kTerms = 19;
  double c[kTerms], of_zero = 1, of_one = 1;
  for (int k = 1; k < kTerms; ++k) {
    const int odd = (2 * k - 1) * (2 * k - 1);
    of_zero *= -odd / (8.0 * k), of_one *= (4 - odd) / (8.0 * k);
    c[k] = (of_zero - of_one) * (k % 2 ? series_sign : 1);
  }
  Value far = build::compare(b, x, splat_like(b, x, 30), Direction::gt);
  Value safe = build::where(b, far, x, splat_like(b, x, 30)), z = div(b, one_like(b, x), safe);
  Value sum = splat_like(b, x, c[kTerms - 1]);
  for (int k = kTerms - 2; k >= 1; --k) sum = add(b, splat_like(b, x, c[k]), mul(b, z, sum));
  const double factor = series_sign < 0 ? 1 / kRootTwoPi : kRootTwoPi / 2;
  Value series = scale(b, mul(b, mul(b, z, sum), unary(b, Op::rsqrt_op, safe)), factor);
  return build::where(b, far, series, sub(b, zero, one));
}
Value is(Builder& b, Value x, double number) { return build::compare(b, x, splat_like(b, x, number), Direction::eq); }
constexpr double kInfinity = std::numeric_limits<double>::infinity();

void define_bessel(RuleTable& table) {
  table.define(Op::bessel_i0_op, function<special::bessel_i0>(jvp_scaled(
                                     [](Builder& b, Value x, Value) { return unary(b, Op::bessel_i1_op, x); })));
  table.define(Op::bessel_i1_op, function<special::bessel_i1>(jvp_scaled([](Builder& b, Value x, Value o) {
                 // Where both overflow I0 is the greater one.
                 Value i0 = unary(b, Op::bessel_i0_op, x), over = is(b, i0, kInfinity);
                 Value some = build::where(b, over, one_like(b, x), x), i1 = build::where(b, over, one_like(b, x), o);
                 return sub(b, i0, over_argument(b, some, i1, 1, false));
               })));
  table.define(Op::bessel_i0e_op, function<special::bessel_i0e>(jvp_scaled([](Builder& b, Value x, Value o) {
                 // I1e - sign(x) I0e, written so that what is derived from it at 0 is I1e's.
                 Value of_sign = sign(b, x), i1e = unary(b, Op::bessel_i1e_op, x);
                 Value far = build::compare(b, size(b, x), splat_like(b, x, 30), Direction::gt);
                 Value apart = neg(b, mul(b, of_sign, difference(b, size(b, x), o, size(b, i1e), -1)));
                 return build::where(b, far, apart, sub(b, i1e, mul(b, of_sign, o)));
               })));
  table.define(Op::bessel_i1e_op, function<special::bessel_i1e>(jvp_scaled([](Builder& b, Value x, Value o) {
                 Value apart = difference(b, size(b, x), unary(b, Op::bessel_i0e_op, x), size(b, o), -1);
                 return sub(b, apart, over_argument(b, x, o, 1, true));
               })));
  table.define(Op::bessel_j0_op, function<special::bessel_j0>(jvp_scaled([](Builder& b, Value x, Value) {
                 return neg(b, unary(b, Op::bessel_j1_op, x));
               })));
  table.define(Op::bessel_j1_op, function<special::bessel_j1>(jvp_scaled([](Builder& b, Value x, Value o) {
                 return sub(b, unary(b, Op::bessel_j0_op, x), over_argument(b, x, o, -1, false));
               })));
  table.define(Op::bessel_y0_op, function<special::bessel_y0>(jvp_scaled([](Builder& b, Value x, Value) {
                 return neg(b, unary(b, Op::bessel_y1_op, x));
               })));
  table.define(Op::bessel_y1_op, function<special::bessel_y1>(jvp_scaled([](Builder& b, Value x, Value o) {
                 Value y0 = unary(b, Op::bessel_y0_op, x);  // at 0 -Y1 / x is above all
                 return sub(b, build::where(b, is(b, o, -kInfinity), one_like(b, x), y0), div(b, o, x));
               })));
  table.define(Op::bessel_k0e_op, function<special::bessel_k0e>(jvp_scaled([](Builder& b, Value x, Value o) {
                 Value k0e = build::where(b, is(b, x, 0), one_like(b, x), o);  // at 0 K1 is above K0
                 return difference(b, x, k0e, unary(b, Op::bessel_k1e_op, x), 1);
               })));
  table.define(Op::bessel_k1e_op, function<special::bessel_k1e>(jvp_scaled([](Builder& b, Value x, Value o) {
                 Value apart = difference(b, x, unary(b, Op::bessel_k0e_op, x), o, 1);
                 apart = build::where(b, is(b, o, kInfinity), one_like(b, x), apart);  // there K1 / x is above all
                 return neg(b, add(b, apart, div(b, o, x)));
               })));
}

// ---- functions of two operands

// That the first operand carries no tangent.
void expect_constant(const JvpContext& c, std::string_view what) {
  if (c.has(0))
    throw TransformError("[" + std::string(name_of(c.op)) + "] it has no derivative by its first operand, " +
                         std::string(what) + at(c.b.location()));
}

Value jvp_polygamma(const JvpContext& c) {
  expect_constant(c, "the order: differentiate by x alone");
  Value n = c.primals[0];
  return c.times(c.tangents[1], binary(c.b, Op::polygamma_op, add(c.b, n, one_like(c.b, n)), c.primals[1]));
}

Value jvp_zeta(const JvpContext& c) {
  expect_constant(c, "the exponent: differentiate by q alone");
  Value s = c.primals[0], next = binary(c.b, Op::zeta_op, add(c.b, s, one_like(c.b, s)), c.primals[1]);
  return c.times(c.tangents[1], neg(c.b, mul(c.b, s, next)));
}

Value density(const JvpContext& c) { return binary(c.b, Op::gamma_density_op, c.primals[0], c.primals[1]); }
// log(x) - digamma(a): what the density's derivative by a has as a factor.
Value score(const JvpContext& c) {
  return sub(c.b, unary(c.b, Op::log_op, c.primals[1]), unary(c.b, Op::digamma_op, c.primals[0]));
}

// What is 0 stays so, at 0 and at infinity, where the score is infinite.
Value times_score(const JvpContext& c, Value of) {
  return build::where(c.b, is(c.b, of, 0), of, mul(c.b, of, score(c)));
}

// P' = dP/da a' + density x', and less that.
Value jvp_igamma(const JvpContext& c) {
  auto signed_as = [&](Value v) { return c.op == Op::igamma_op ? v : neg(c.b, v); };
  Value t = kNoValue;
  if (c.has(0)) {
    Value slope = binary(c.b, Op::igamma_grad_a_op, c.primals[0], c.primals[1]);
    t = c.times(c.tangents[0], signed_as(slope));
  }
  return c.has(1) ? add_any(c.b, t, c.times(c.tangents[1], signed_as(density(c)))) : t;
}

Value jvp_igamma_grad_a(const JvpContext& c) {
  Value t = kNoValue;
  if (c.has(0)) t = c.times(c.tangents[0], binary(c.b, Op::igamma_grad_aa_op, c.primals[0], c.primals[1]));
  return c.has(1) ? add_any(c.b, t, c.times(c.tangents[1], times_score(c, density(c)))) : t;
}

Value jvp_igamma_grad_aa(const JvpContext& c) {
  expect_constant(c, "a, of which derivatives of order 1 and 2 are known: gammainc has no third one by it");
  Value s = score(c), one = one_like(c.b, s);
  Value rest = sub(c.b, mul(c.b, s, s), binary(c.b, Op::polygamma_op, one, c.primals[0]));
  return c.times(c.tangents[1], mul(c.b, density(c), rest));
}

Value jvp_gamma_density(const JvpContext& c) {
  Value t = kNoValue, a = c.primals[0], x = c.primals[1];
  if (c.has(0)) t = c.times(c.tangents[0], times_score(c, c.out));
  if (!c.has(1)) return t;
  Builder& b = c.b;
  Value one = one_like(b, x), at_zero = is(b, x, 0), y = build::where(b, at_zero, one, x);
  Value slope = mul(b, c.out, div(b, sub(b, sub(b, a, one), y), y));
  slope = build::where(b, is(b, c.out, 0), c.out, slope);  // at infinity
  // At 0 the limit: of a = 1, 2 and what is between and beside them.
  Value limit = build::where(b, less(b, a, 2), splat_like(b, x, kInfinity), splat_like(b, x, 0));
  limit = build::where(b, less(b, a, 1), splat_like(b, x, -kInfinity), limit);
  limit = build::where(b, is(b, a, 1), splat_like(b, x, -1), build::where(b, is(b, a, 2), one, limit));
  return add_any(b, t, c.times(c.tangents[1], build::where(b, at_zero, limit, slope)));
}

// By a where P(a, exp(l)) stays: -(dP/da) / (x dP/dx), x = exp(l); of tiny x (digamma(a + 1) - l) / a.
Value jvp_log_gamma_draw(const JvpContext& c) {
  if (!c.has(0)) return c.tangents[1];
  Builder& b = c.b;
  Value a = c.primals[0], l = c.out, tiny = less(b, l, -46), one = one_like(b, a);
  Value x = unary(b, Op::exp_op, build::where(b, tiny, one, l));
  Value rate = mul(b, x, binary(b, Op::gamma_density_op, a, x));
  Value plain = neg(b, div(b, binary(b, Op::igamma_grad_a_op, a, x), rate));
  Value limit = div(b, sub(b, unary(b, Op::digamma_op, add(b, a, one)), l), a);
  return add_any(b, c.times(c.tangents[0], build::where(b, tiny, limit, plain)), c.tangents[1]);
}

void evaluate_second(const EvalContext& c) { Mover(c).copy_all(c.operands[1]); }

}  // namespace

void define_special(RuleTable& table) {
  table.define(Op::erf_op, function<special::erf>(
                               jvp_scaled([](Builder& b, Value x, Value) { return gaussian(b, x, 2 / kRootPi, -1); })));
  table.define(
      Op::erfc_op,
      function<special::erfc>(jvp_scaled([](Builder& b, Value x, Value) { return gaussian(b, x, -2 / kRootPi, -1); })));
  table.define(Op::erf_inv_op, function<special::erf_inv>(jvp_scaled(
                                   [](Builder& b, Value, Value o) { return gaussian(b, o, kRootPi / 2, 1); })));
  table.define(Op::erfcx_op,
               function<special::erfcx>(jvp_scaled([](Builder& b, Value x, Value o) { return erfcx_slope(b, x, o); })));
  table.define(Op::ndtr_op, function<special::ndtr>(jvp_scaled(
                                [](Builder& b, Value x, Value) { return gaussian(b, x, 1 / kRootTwoPi, -0.5); })));
  table.define(
      Op::ndtri_op,
      function<special::ndtri>(jvp_scaled([](Builder& b, Value, Value o) { return gaussian(b, o, kRootTwoPi, 0.5); })));
  table.define(Op::lgamma_op, function<special::lgamma>(
                                  jvp_scaled([](Builder& b, Value x, Value) { return unary(b, Op::digamma_op, x); })));
  table.define(Op::digamma_op, function<special::digamma>(jvp_scaled([](Builder& b, Value x, Value) {
                 return binary(b, Op::polygamma_op, one_like(b, x), x);
               })));
  table.define(Op::polygamma_op, function<special::polygamma>(jvp_polygamma));
  table.define(Op::zeta_op, function<special::zeta>(jvp_zeta));
  define_bessel(table);
  table.define(Op::igamma_op, function<special::igamma>(jvp_igamma));
  table.define(Op::igammac_op, function<special::igammac>(jvp_igamma));
  table.define(Op::igamma_grad_a_op, function<special::igamma_grad_a>(jvp_igamma_grad_a));
  table.define(Op::igamma_grad_aa_op, function<special::igamma_grad_aa>(jvp_igamma_grad_aa));
  table.define(Op::gamma_density_op, function<special::gamma_density>(jvp_gamma_density));
  table.define(Op::log_gamma_draw_op, elementwise(evaluate_second, jvp_log_gamma_draw));
}

}  // namespace jot::ir
