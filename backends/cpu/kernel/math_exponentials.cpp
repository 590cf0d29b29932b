// Exponentials, logarithms and hyperbolic functions beside those of math.cpp.
#include "backends/cpu/kernel/expansion.h"

namespace jot::cpu {

using Value = uint32_t;
using ir::Op;

Expansion::Logarithm Expansion::reduce_log(Value x, Value lift) const {
  // The biased exponent as the low bits of a float 2^mantissa + exponent.
  const double offset = std::ldexp(1.0, k.mantissa);
  Value biased = b.bit_or(biased_exponent(x), b.bitcast(k.bits, number(offset)));
  Value power = b.sub(b.bitcast(k.type, biased), number(offset + static_cast<double>(k.bias)));
  Value m = b.add(b.bit_and(shifted(x), integer((int64_t{1} << k.mantissa) - 1)), integer(root_half()));
  if (lift != kNone) power = b.sub(power, lift);
  return {power, b.sub(b.bitcast(k.type, m), number(1))};
}

Value Expansion::log_rest(Value f) const {
  Value square = b.mul(f, f);
  if (!is_wide()) return b.mul(b.fma(polynomial(k.log, f), f, number(-0.5)), square);
  // With s = f / (2 + f), z = s^2: log(1 + f) = f - f^2 / 2 + s * (f^2 / 2 + z * P(z)).
  Value s = b.div(f, b.add(f, number(2))), z = b.mul(s, s), half = b.mul(square, number(0.5));
  return b.fms(s, b.fma(polynomial(k.log, z), z, half), half);
}

Value Expansion::log_core(Value x, Value lift) const {
  auto [power, f] = reduce_log(x, lift);
  return b.fma(power, number(k.ln2[0]), b.add(f, b.fma(power, number(k.ln2[1]), log_rest(f))));
}

// 1 + x is u and, exactly, what rounding took. Near 0 f is x itself; elsewhere the loss, over 1 + f, is small.
Value Expansion::log1p_core(Value x) const {
  Value u = b.add(x, number(1)), part = b.sub(u, x);
  Value lost = b.add(b.sub(x, b.sub(u, part)), b.sub(number(1), part));
  auto [power, f] = reduce_log(u);
  Value near_zero = b.cmp(KCmp::eq, power, number(0));
  // 2^-power by its exponent; 0 where that is too small, and the loss with it.
  Value exponent = b.sub(integer(2 * k.bias), biased_exponent(u));
  exponent = b.max(exponent, integer(0));
  lost = b.mul(lost, b.bitcast(k.type, b.shl(exponent, k.mantissa)));
  f = b.select(near_zero, x, f);
  lost = b.select(near_zero, number(0), lost);
  Value inverse = b.fma(f, b.sub(f, number(1)), number(1));
  Value rest = b.fma(lost, inverse, log_rest(f));
  return b.fma(power, number(k.ln2[0]), b.add(f, b.fma(power, number(k.ln2[1]), rest)));
}

// (2^n - 1) + 2^n (exp(r) - 1).
Expansion::TwoParts Expansion::expm1_parts(Value x) const {
  auto [t, n, high, r] = reduce(x);
  Value tail = b.fnma(n, number(k.ln2[1]), b.sub(high, r));
  Value scale = power_of_two(t), whole = b.sub(scale, number(1));
  Value linear = b.fma(scale, r, whole), lost = b.fma(scale, r, b.sub(whole, linear));
  Value curved = b.fma(b.mul(r, r), polynomial(k.expm1, r), tail);
  return {linear, b.fma(scale, curved, lost)};
}

Expansion::Growth Expansion::growth(Value x, Value lost) const {
  auto [t, n, high, r] = reduce(x);
  Value tail = b.fnma(n, number(k.ln2[1]), b.sub(high, r)), square = b.mul(r, r), p = polynomial(k.expm1, r);
  tail = b.fma(lost, b.fma(square, p, r), b.add(lost, tail));  // lost exp(r)
  return {power_of_two(t), b.add(r, b.fma(square, p, tail)), t};
}

Value Expansion::rare_exp(Value x, int less) const {
  auto [scale, rest, t] = growth(bounded(x), number(0));
  return scaled_by(b.mul(b.add(rest, number(1)), number(std::ldexp(1.0, -less))), t);
}

namespace {

using E = const Expansion&;
constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

Value expm1(E make, Value x, Value) {
  auto& [b, k] = make;
  auto [high, low] = make.expm1_parts(b.max(make.number(-50), x));  // NaN stays
  Value y = make.with_sign_of(b.add(high, low), x);
  return make.repaired(Op::expm1_op, y, x, b.cmp(KCmp::gt, x, make.number(k.exp_safe)));
}

// 2^x = y 2^n, t = magic + bias + n: x - n in [-1/2, 1/2] times ln2, in two parts.
struct Power {
  Value y, t;
};
Power exp2_core(E make, Value x) {
  auto& [b, k] = make;
  Value shift = make.number(k.magic + static_cast<double>(k.bias));
  Value t = b.add(x, shift), f = b.sub(x, b.sub(t, shift));
  Value r = b.mul(f, make.number(k.ln2[0]));
  Value tail = b.fma(f, make.number(k.ln2[1]), b.fms(f, make.number(k.ln2[0]), r));
  Value curved = b.fma(b.mul(r, r), make.polynomial(k.exp, r), tail);
  return {b.add(b.add(curved, r), make.number(1)), t};
}
Value exp2(E make, Value x, Value) {
  auto& [b, k] = make;
  auto [p, t] = exp2_core(make, x);
  Value y = b.mul(p, make.power_of_two(t));
  const double least = static_cast<double>(1 - k.bias), none = least - k.mantissa - 2;
  y = b.select(b.cmp(KCmp::le, x, make.number(none)), make.number(0), y);
  Value cold = b.mor(b.cmp(KCmp::gt, x, make.number(static_cast<double>(k.bias))),
                     b.mand(b.cmp(KCmp::lt, x, make.number(least)), b.cmp(KCmp::gt, x, make.number(none))));
  return make.repaired(Op::exp2_op, y, x, cold);
}

struct Base {
  double inverse32[2], inverse64[2];  // 1 / log(base), high and low
  double two32[2], two64[2];          // of 2
};
constexpr Base kBase2 = {
    {1.4426950216293335, 1.925963033500011e-08}, {1.4426950408889634, 2.0355273740931033e-17}, {1, 0}, {1, 0}};
constexpr Base kBase10 = {{0.4342944920063019, -1.0103049952192578e-08},
                          {0.4342944819032518, 1.098319650216765e-17},
                          {0.3010300099849701, -1.432098883924482e-08},
                          {0.3010299956639812, -2.8037281277851704e-18}};

Value log_of_base(E make, Value x, const Base& base, Value lift = kNone) {
  auto& [b, k] = make;
  const double* inverse = make.is_wide() ? base.inverse64 : base.inverse32;
  const double* two = make.is_wide() ? base.two64 : base.two32;
  auto [power, f] = make.reduce_log(x, lift);
  Value rest = make.log_rest(f), p = b.mul(f, make.number(inverse[0]));
  Value low =
      b.fma(f, make.number(inverse[1]), b.fma(rest, make.number(inverse[0]), b.fms(f, make.number(inverse[0]), p)));
  low = b.fma(power, make.number(two[1]), low);
  return b.fma(power, make.number(two[0]), b.add(p, low));
}
template <const Base& base>
Value rare_log_of_base(E make, Value x, Value) {
  auto [up, lift] = make.lifted(x);
  return make.log_limits(log_of_base(make, up, base, lift), x);
}
Value log2(E make, Value x, Value) {
  return make.repaired(Op::log2_op, log_of_base(make, x, kBase2), x, make.b.mnot(make.is_normal(x)));
}
Value log10(E make, Value x, Value) {
  return make.repaired(Op::log10_op, log_of_base(make, x, kBase10), x, make.b.mnot(make.is_normal(x)));
}

Value log1p(E make, Value x, Value) {
  auto& [b, k] = make;
  Value y = make.with_sign_of(make.log1p_core(x), x);
  Value plain = b.mand(b.cmp(KCmp::gt, x, make.number(-1)), b.cmp(KCmp::lt, x, make.number(kInf)));
  return make.repaired(Op::log1p_op, y, x, b.mnot(plain));
}

// u = exp(|x|) - 1: (u + v) / 2, v = u / (1 + u) with what rounding took from it, as 1 / (1 + u) is 1 - v.
Value sinh(E make, Value x, Value) {
  auto& [b, k] = make;
  Value a = b.abs(x);
  auto [high, low] = make.expm1_parts(a);
  Value one = make.number(1), u = b.add(high, low), d = b.add(u, one), v = b.div(u, d);
  Value rest = b.fnma(v, b.sub(u, b.sub(d, one)), b.fnma(v, d, u));
  Value y = b.add(high, b.add(b.fma(rest, b.sub(one, v), low), v));
  y = make.with_sign_of(b.mul(y, make.number(0.5)), x);
  return make.repaired(Op::sinh_op, y, x, b.mnot(b.cmp(KCmp::le, a, make.number(k.exp_safe))));
}

Value cosh(E make, Value x, Value) {
  auto& [b, k] = make;
  Value a = b.abs(x);
  auto [t, n, high, r] = make.reduce(a);
  Value p = b.fma(b.fma(make.polynomial(k.exp, r), r, make.number(1)), r, make.number(1));
  Value e = b.mul(b.mul(p, make.number(0.5)), make.power_of_two(t));
  Value y = b.add(e, b.div(make.number(0.25), e));
  return make.repaired(Op::cosh_op, y, x, b.mnot(b.cmp(KCmp::le, a, make.number(k.exp_safe))));
}

// log(1 + w): w = x + x^2 / (1 + sqrt(1 + x^2)). Where that is x, beyond 2^30 or 2^60, log(x) + log(2).
Value asinh(E make, Value x, Value) {
  auto& [b, k] = make;
  Value a = b.abs(x), square = b.mul(a, a);
  Value root = b.sqrt(b.add(square, make.number(1)));
  Value w = b.add(a, b.div(square, b.add(root, make.number(1))));
  Value far = b.cmp(KCmp::gt, a, make.number(make.is_wide() ? 0x1p60 : 0x1p30));
  Value y = make.log1p_core(b.select(far, a, w));
  y = b.add(y, b.select(far, make.number(k.ln2[0]), make.number(0)));
  y = make.with_sign_of(y, x);
  return make.repaired(Op::asinh_op, y, x, b.mnot(b.cmp(KCmp::lt, a, make.number(kInf))));
}

// log(1 + w): t = x - 1, w = t + sqrt(2 t + t^2).
Value acosh(E make, Value x, Value) {
  auto& [b, k] = make;
  Value t = b.sub(x, make.number(1));
  Value w = b.add(t, b.sqrt(b.fma(t, t, b.add(t, t))));
  Value far = b.cmp(KCmp::gt, x, make.number(make.is_wide() ? 0x1p60 : 0x1p30));
  Value y = make.log1p_core(b.select(far, x, w));
  y = b.add(y, b.select(far, make.number(k.ln2[0]), make.number(0)));
  Value plain = b.mand(b.cmp(KCmp::ge, x, make.number(1)), b.cmp(KCmp::lt, x, make.number(kInf)));
  return make.repaired(Op::acosh_op, y, x, b.mnot(plain));
}

// log(1 + w) / 2: w = 2 |x| / (1 - |x|), as a sum whose first term is exact.
Value atanh(E make, Value x, Value) {
  auto& [b, k] = make;
  Value a = b.abs(x), twice = b.add(a, a);
  Value w = b.add(twice, b.div(b.mul(twice, a), b.sub(make.number(1), a)));
  Value y = make.with_sign_of(b.mul(make.log1p_core(w), make.number(0.5)), x);
  return make.repaired(Op::atanh_op, y, x, b.mnot(b.cmp(KCmp::lt, a, make.number(1))));
}

// ---- what the fixups cover, of f64

Value rare_exp2(E make, Value x, Value) {
  auto [y, t] = exp2_core(make, make.b.min(make.number(1100), make.b.max(make.number(-1100), x)));
  return make.scaled_by(y, t);
}
// exp(x), beside which 1 is nothing.
Value rare_expm1(E make, Value x, Value) { return make.rare_exp(x); }
Value rare_sinh(E make, Value x, Value) { return make.with_sign_of(make.rare_exp(make.b.abs(x), 1), x); }
Value rare_cosh(E make, Value x, Value) { return make.rare_exp(make.b.abs(x), 1); }

// x, an infinity or NaN, where it is at least `least`; else NaN.
Value at_least(E make, Value x, double least) {
  return make.b.select(make.b.cmp(KCmp::ge, x, make.number(least)), x, make.number(kNan));
}
Value rare_log1p(E make, Value x, Value) {
  return make.b.select(make.b.cmp(KCmp::eq, x, make.number(-1)), make.number(-kInf), at_least(make, x, -1));
}
Value rare_asinh(E, Value x, Value) { return x; }
Value rare_acosh(E make, Value x, Value) { return at_least(make, x, 1); }
Value rare_atanh(E make, Value x, Value) {
  Value one = make.b.cmp(KCmp::eq, make.b.abs(x), make.number(1));
  return make.b.select(one, make.with_sign_of(make.number(kInf), x), make.number(kNan));
}

}  // namespace

void define_exponential_functions(CpuTable& table) {
  auto unary = [&](Op op, Function::Expand expand, Function::Expand rare) {
    define_function(table, op, {1, expand, rare});
  };
  unary(Op::expm1_op, expm1, rare_expm1);
  unary(Op::exp2_op, exp2, rare_exp2);
  unary(Op::log1p_op, log1p, rare_log1p);
  unary(Op::log2_op, log2, rare_log_of_base<kBase2>);
  unary(Op::log10_op, log10, rare_log_of_base<kBase10>);
  unary(Op::sinh_op, sinh, rare_sinh);
  unary(Op::cosh_op, cosh, rare_cosh);
  unary(Op::asinh_op, asinh, rare_asinh);
  unary(Op::acosh_op, acosh, rare_acosh);
  unary(Op::atanh_op, atanh, rare_atanh);
}

}  // namespace jot::cpu
