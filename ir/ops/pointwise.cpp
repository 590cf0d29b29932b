// Functions of one number. Derivatives at singular points as in torch: sqrt'(0) = inf, abs'(0) = 0, sign' = 0. None is
// a difference that cancels.
#include <cmath>

#include "ir/ops/classes.h"
#include "ir/ops/evaluate.h"

namespace jot::ir {
namespace {

using build::add;
using build::div;
using build::mul;
using build::neg;
using build::scale;
using build::sub;

// s(x) s(-x); 1 - s(x) would cancel.
Value logistic_slope(Builder& b, Value x, Value o) { return mul(b, o, build::unary(b, Op::logistic_op, neg(b, x))); }

// 1 - o^2 near 0, where the derivatives of that are exact too; where it cancels 4 e / (1 + e)^2, e = exp(-2 |x|).
Value tanh_slope(Builder& b, Value x, Value o) {
  Value size = build::unary(b, Op::abs_op, x), one = splat_like(b, x, 1);
  Value near_zero = build::compare(b, size, splat_like(b, x, 0.5), Direction::lt);
  Value e = build::unary(b, Op::exp_op, scale(b, size, -2)), below = add(b, one, e);
  Value saturating = div(b, scale(b, e, 4), mul(b, below, below));
  return build::where(b, near_zero, sub(b, one, mul(b, o, o)), saturating);
}

template <class T>
T logistic(T x) {
  T e = std::exp(-std::abs(x));  // never overflows
  return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

template <class T>
T magnitude(T x) {
  if constexpr (std::is_floating_point_v<T>)
    return std::abs(x);
  else
    return x < T(0) ? negated(x) : x;
}

constexpr double kLn2 = 0.693147180559945309417, kLn10 = 2.302585092994045684;

Value one_like(Builder& b, Value x) { return splat_like(b, x, 1); }
Value rsqrt(Builder& b, Value x) { return build::unary(b, Op::rsqrt_op, x); }
// 1 - x^2, near 1 too.
Value less_square(Builder& b, Value x) { return mul(b, sub(b, one_like(b, x), x), add(b, one_like(b, x), x)); }
void define_exponentials(RuleTable& table) {
  auto floating = [](auto f) { return evaluate_floating(f); };
  table.define(Op::expm1_op,
               unary(floating([](auto x) { return std::expm1(x); }),
                     jvp_scaled([](Builder& b, Value x, Value) { return build::unary(b, Op::exp_op, x); })));
  table.define(Op::exp2_op, unary(floating([](auto x) { return std::exp2(x); }),
                                  jvp_scaled([](Builder& b, Value, Value o) { return scale(b, o, kLn2); })));
  table.define(Op::log1p_op, unary(floating([](auto x) { return std::log1p(x); }), [](const JvpContext& c) {
                 return c.over(c.tangents[0], add(c.b, one_like(c.b, c.primals[0]), c.primals[0]));
               }));
  table.define(Op::log2_op, unary(floating([](auto x) { return std::log2(x); }), [](const JvpContext& c) {
                 return c.over(c.tangents[0], scale(c.b, c.primals[0], kLn2));
               }));
  table.define(Op::log10_op, unary(floating([](auto x) { return std::log10(x); }), [](const JvpContext& c) {
                 return c.over(c.tangents[0], scale(c.b, c.primals[0], kLn10));
               }));
  table.define(Op::cbrt_op, unary(floating([](auto x) { return std::cbrt(x); }), [](const JvpContext& c) {
                 return c.over(c.tangents[0], scale(c.b, mul(c.b, c.out, c.out), 3));
               }));
}

void define_angles(RuleTable& table) {
  auto floating = [](auto f) { return evaluate_floating(f); };
  table.define(Op::tan_op,
               unary(floating([](auto x) { return std::tan(x); }),
                     jvp_scaled([](Builder& b, Value, Value o) { return add(b, one_like(b, o), mul(b, o, o)); })));
  table.define(Op::asin_op, unary(floating([](auto x) { return std::asin(x); }),
                                  jvp_scaled([](Builder& b, Value x, Value) { return rsqrt(b, less_square(b, x)); })));
  table.define(Op::acos_op,
               unary(floating([](auto x) { return std::acos(x); }),
                     jvp_scaled([](Builder& b, Value x, Value) { return neg(b, rsqrt(b, less_square(b, x))); })));
  table.define(Op::atan_op, unary(floating([](auto x) { return std::atan(x); }), [](const JvpContext& c) {
                 return c.over(c.tangents[0],
                               add(c.b, one_like(c.b, c.primals[0]), mul(c.b, c.primals[0], c.primals[0])));
               }));
  table.define(Op::sinh_op,
               unary(floating([](auto x) { return std::sinh(x); }),
                     jvp_scaled([](Builder& b, Value x, Value) { return build::unary(b, Op::cosh_op, x); })));
  table.define(Op::cosh_op,
               unary(floating([](auto x) { return std::cosh(x); }),
                     jvp_scaled([](Builder& b, Value x, Value) { return build::unary(b, Op::sinh_op, x); })));
  table.define(Op::asinh_op,
               unary(floating([](auto x) { return std::asinh(x); }), jvp_scaled([](Builder& b, Value x, Value) {
                       return rsqrt(b, add(b, mul(b, x, x), one_like(b, x)));
                     })));
  table.define(Op::acosh_op,
               unary(floating([](auto x) { return std::acosh(x); }), jvp_scaled([](Builder& b, Value x, Value) {
                       Value size = build::unary(b, Op::abs_op, x), one = one_like(b, x);  // its square may overflow
                       return mul(b, rsqrt(b, sub(b, size, one)), rsqrt(b, add(b, size, one)));
                     })));
  table.define(Op::atanh_op, unary(floating([](auto x) { return std::atanh(x); }), [](const JvpContext& c) {
                 return c.over(c.tangents[0], less_square(c.b, c.primals[0]));
               }));
}

}  // namespace

void define_pointwise(RuleTable& table) {
  define_exponentials(table);
  define_angles(table);
  auto floating = [](auto f) { return evaluate_floating(f); };

  table.define(Op::exp_op, unary(floating([](auto x) { return std::exp(x); }),
                                 jvp_scaled([](Builder&, Value, Value o) { return o; })));

  table.define(Op::log_op, unary(floating([](auto x) { return std::log(x); }),
                                 [](const JvpContext& c) { return c.over(c.tangents[0], c.primals[0]); }));

  table.define(Op::sqrt_op,
               unary(floating([](auto x) { return std::sqrt(x); }),
                     jvp_scaled([](Builder& b, Value, Value o) { return div(b, splat_like(b, o, 0.5), o); })));

  table.define(Op::rsqrt_op,
               unary(floating([](auto x) { return 1 / std::sqrt(x); }),
                     jvp_scaled([](Builder& b, Value x, Value o) { return scale(b, div(b, o, x), -0.5); })));

  table.define(Op::sin_op,
               unary(floating([](auto x) { return std::sin(x); }),
                     jvp_scaled([](Builder& b, Value x, Value) { return build::unary(b, Op::cos_op, x); })));

  table.define(Op::cos_op,
               unary(floating([](auto x) { return std::cos(x); }),
                     jvp_scaled([](Builder& b, Value x, Value) { return neg(b, build::unary(b, Op::sin_op, x)); })));

  table.define(Op::tanh_op, unary(floating([](auto x) { return std::tanh(x); }),
                                  jvp_scaled([](Builder& b, Value x, Value o) { return tanh_slope(b, x, o); })));

  table.define(Op::logistic_op,
               unary(floating([](auto x) { return logistic(x); }),
                     jvp_scaled([](Builder& b, Value x, Value o) { return logistic_slope(b, x, o); })));

  table.define(Op::abs_op,
               unary(evaluate_unary([](auto x) { return magnitude(x); }),
                     jvp_scaled([](Builder& b, Value x, Value) { return build::unary(b, Op::sign_op, x); })));

  table.define(Op::sign_op, zero_derivative(evaluate_unary([](auto x) { return (x > 0) - (x < 0); })));
  table.define(Op::floor_op, zero_derivative(floating([](auto x) { return std::floor(x); })));
  table.define(Op::ceil_op, zero_derivative(floating([](auto x) { return std::ceil(x); })));
  table.define(Op::round_even_op, zero_derivative(floating([](auto x) { return std::nearbyint(x); })));
  table.define(Op::trunc_op, zero_derivative(floating([](auto x) { return std::trunc(x); })));
}

}  // namespace jot::ir
