// Powers, the cube root, remainders and the division of integers.
#include "backends/cpu/kernel/expansion.h"

namespace jot::cpu {

using Value = uint32_t;
using ir::Op;

namespace {

using E = const Expansion&;
constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

// By bench/math_rows.py. log(1 + r) = r - r^2 / 2 + r^3 P(r) for |r| < 0.034; log(2) in two parts, of which the first
// times any exponent is exact, and so is its sum with those of the rows.
constexpr double kLogStep32[] = {0.3333333134651184, -0.2500000596046448, 0.20016421377658844, -0.16669604182243347};
constexpr double kLogStep64[] = {0.3333333333333333,   -0.2499999999999949,  0.20000000000003088,
                                 -0.16666666672594055, 0.1428571427260943,   -0.12499981423618114,
                                 0.11111124141292726,  -0.10021559576424266, 0.09095802194472255};
constexpr double kLn2Step32[] = {0.693145751953125, 1.428606765330187e-06};
constexpr double kLn2Step64[] = {0.6931471805598903, 5.497923018708371e-14};
// x^(-1/3) for 1 <= x < 2.
constexpr double kInverseCbrt32[] = {1.383505940437317, -0.4768420457839966, 0.09126117080450058};
constexpr double kInverseCbrt64[] = {1.6662787377309156, -1.1623973573078166, 0.6846527077322325, -0.21636185469244387,
                                     0.02778280101858424};

// The logarithm of a normal x > 0 in two parts, by a step c of the mantissa near it (Tang 1990): log(2^k m) =
// k log(2) + log(c) + log(1 + r), r = m / c - 1. About 10 bits more than the type has. Of
// x 2^-lift.
Expansion::TwoParts log_parts(E make, Value x, Value lift = kNone) {
  auto& [b, k] = make;
  const int step = k.mantissa - 4;
  const int64_t begin = (k.bias << k.mantissa) - (int64_t{19} << (step - 1)), ones = (int64_t{1} << k.mantissa) - 1;
  Value bits = b.add(b.bitcast(k.bits, x), make.integer((k.bias << k.mantissa) - begin));
  const double offset = std::ldexp(1.0, k.mantissa);
  Value biased = b.bit_or(b.shr(bits, k.mantissa), b.bitcast(k.bits, make.number(offset)));
  Value power = b.sub(b.bitcast(k.type, biased), make.number(offset + static_cast<double>(k.bias)));
  if (lift != kNone) power = b.sub(power, lift);
  Value m = b.bitcast(k.type, b.add(b.bit_and(bits, make.integer(ones)), make.integer(begin)));
  Value number = b.shr(bits, step), index = b.table_index(number);
  Value upper = b.cmp(KCmp::ne, b.bit_and(number, make.integer(8)), make.integer(0));
  auto entry = [&](int i) {
    return b.select(upper, make.entry(kLogStepRows, 2 * i + 1, index), make.entry(kLogStepRows, 2 * i, index));
  };
  Value inverse = entry(0), p = b.mul(m, inverse), p_lost = b.fms(m, inverse, p), r = b.sub(p, make.number(1));
  const double* ln2 = make.is_wide() ? kLn2Step64 : kLn2Step32;
  Value first = b.fma(power, make.number(ln2[0]), entry(1));
  Value low = b.fma(power, make.number(ln2[1]), entry(2));
  Value linear = b.add(first, r);
  low = b.add(low, b.add(b.sub(first, linear), r));
  Value half = b.mul(r, make.number(-0.5)), bent = b.mul(half, r), high = b.add(linear, bent);
  low = b.add(low, b.add(b.sub(linear, high), bent));
  low = b.add(low, b.fms(half, r, bent));
  low = b.fma(p_lost, b.fma(r, b.sub(r, make.number(1)), make.number(1)), low);  // over 1 + r
  low = b.fma(b.mul(b.mul(r, r), r), make.polynomial(kLogStep64, kLogStep32, r), low);
  Value sum = b.add(high, low);
  return {sum, b.add(b.sub(high, sum), low)};
}

// Whether y is an integer, and an odd one.
struct Parity {
  Value whole, odd;
};
Parity parity(E make, Value y) {
  auto& b = make.b;
  Value whole = b.cmp(KCmp::eq, b.round(y, KernelBuilder::trunc), y), half = b.mul(y, make.number(0.5));
  return {whole, b.mand(whole, b.cmp(KCmp::ne, b.round(half, KernelBuilder::trunc), half))};
}

// exp(y log |x|), the product in two parts; the sign is that of x where y is odd.
Value pow(E make, Value x, Value y) {
  auto& [b, k] = make;
  Value zero = make.number(0), one = make.number(1), infinity = make.number(kInf);
  Value a = b.abs(x);
  auto [high, low] = log_parts(make, a);
  Value e = b.mul(y, high), lost = b.fma(y, low, b.fms(y, high, e));
  auto [scale, rest, t] = make.growth(e, lost);
  Value z = b.mul(b.add(rest, one), scale);
  const double too_much = make.is_wide() ? 710 : 89;
  Value vanishes = b.cmp(KCmp::lt, e, make.number(-k.exp_zero)), overflows = b.cmp(KCmp::gt, e, make.number(too_much));
  z = b.select(overflows, infinity, b.select(vanishes, zero, z));
  Value y_negative = b.cmp(KCmp::lt, y, zero), x_zero = b.cmp(KCmp::eq, x, zero);
  Value of_zero = b.select(y_negative, infinity, b.select(b.cmp(KCmp::eq, y, zero), one, zero));
  z = b.select(x_zero, of_zero, z);
  auto [whole, odd] = parity(make, y);
  z = b.select(odd, make.with_sign_of(z, x), z);
  Value none = b.mand(b.cmp(KCmp::lt, x, zero), b.mnot(whole));
  z = b.select(none, make.number(kNan), z);
  Value plain = b.mand(b.mor(make.is_normal(a), x_zero), b.cmp(KCmp::lt, b.abs(y), infinity));
  Value between = b.mand(b.cmp(KCmp::gt, b.abs(e), make.number(k.exp_safe)), b.mnot(b.mor(vanishes, overflows)));
  return make.repaired(Op::pow_op, z, x, b.mor(between, b.mnot(plain)), y);
}

// Of f64, all x and y.
Value rare_pow(E make, Value x, Value y) {
  auto& [b, k] = make;
  Value zero = make.number(0), one = make.number(1), infinity = make.number(kInf), nan = make.number(kNan);
  Value a = b.abs(x);
  auto [up, lift] = make.lifted(a);
  auto [high, low] = log_parts(make, up, lift);
  Value e = b.mul(y, high), lost = b.fma(y, low, b.fms(y, high, e));
  lost = b.select(b.cmp(KCmp::lt, b.abs(e), make.number(800)), lost, zero);
  auto [scale, rest, t] = make.growth(make.bounded(e), lost);
  Value z = make.scaled_by(b.add(rest, one), t);
  // Powers of 0 and infinity, and to infinity, are one of these two, or 1.
  Value grows = b.mnot(b.mxor(b.cmp(KCmp::gt, a, one), b.cmp(KCmp::gt, y, zero)));
  Value endless_x = b.cmp(KCmp::eq, a, infinity), endless_y = b.cmp(KCmp::eq, b.abs(y), infinity);
  Value extreme = b.mor(b.cmp(KCmp::eq, a, zero), b.mor(endless_x, endless_y));
  z = b.select(extreme, b.select(grows, infinity, zero), z);
  auto [whole, odd] = parity(make, y);
  z = b.select(odd, make.with_sign_of(z, x), z);
  Value negative = b.mand(b.cmp(KCmp::lt, x, zero), b.mnot(endless_x));
  z = b.select(b.mand(negative, b.mnot(whole)), nan, z);
  z = b.select(b.mand(b.cmp(KCmp::eq, a, one), endless_y), one, z);
  z = b.select(b.mor(b.is_nan(x), b.is_nan(y)), nan, z);
  return b.select(b.mor(b.cmp(KCmp::eq, y, zero), b.cmp(KCmp::eq, x, one)), one, z);
}

// |x| = 2^(3 q) z, 1 <= z < 8. From w, about z^(-1/3), by the error h = 1 - z w^3 two steps of a series for
// (1 - h)^(-2/3), then one of Newton's, whose residual is exact enough.
Value cbrt(E make, Value x, Value) {
  auto& [b, k] = make;
  const bool wide = make.is_wide();
  const int more = wide ? 54 : 24, added = wide ? 0 : 2;  // bias + added is a multiple of 3
  Value a = b.abs(x), one = make.number(1);
  Value tiny = b.cmp(KCmp::lt, a, make.number(std::ldexp(1.0, 1 - static_cast<int>(k.bias))));
  Value bits = b.bitcast(k.bits, b.select(tiny, b.mul(a, make.number(std::ldexp(1.0, more))), a));
  Value m = b.bitcast(k.type,
                      b.bit_or(b.bit_and(bits, make.integer((int64_t{1} << k.mantissa) - 1)), b.bitcast(k.bits, one)));
  Value exponent = b.add(b.shr(bits, k.mantissa), make.integer(added));
  auto times = [&](Value n, int64_t c) { return wide ? b.mulu32(n, make.integer(c)) : b.mul(n, make.integer(c)); };
  Value third = b.shr(times(exponent, 21846), 16);  // exact below 2^15
  Value rest = b.sub(exponent, b.add(third, b.shl(third, 1)));
  Value is_1 = b.cmp(KCmp::eq, rest, make.integer(1)), is_0 = b.cmp(KCmp::eq, rest, make.integer(0));
  auto choose = [&](double c0, double c1, double c2) {
    return b.select(is_0, make.number(c0), b.select(is_1, make.number(c1), make.number(c2)));
  };
  Value w =
      b.mul(make.polynomial(kInverseCbrt64, kInverseCbrt32, m), choose(1, 0.7937005259840998, 0.6299605249474366));
  Value z = b.mul(m, choose(1, 2, 4)), square = b.mul(w, w), u = b.mul(z, w), h = b.fnma(u, square, one);
  Value y = b.mul(u, w);
  y = b.fma(b.mul(y, h), b.fma(h, make.number(5.0 / 9), make.number(2.0 / 3)), y);
  Value s = b.mul(y, y), s_lost = b.fms(y, y, s);
  y = b.fma(b.fnma(s_lost, y, b.fnma(s, y, z)), b.mul(square, make.number(1.0 / 3)), y);
  const int64_t q_bias = k.bias - (k.bias + added) / 3;
  Value q = b.add(third, b.select(tiny, make.integer(q_bias - more / 3), make.integer(q_bias)));
  y = make.with_sign_of(b.mul(y, b.bitcast(k.type, b.shl(q, k.mantissa))), x);
  Value plain = b.mand(b.cmp(KCmp::gt, a, make.number(0)), b.cmp(KCmp::lt, a, make.number(kInf)));
  return b.select(plain, y, x);
}

// x - n y is exact for n = trunc(x / y), if that is known exactly; where rounding made n one too large, r has not the
// sign of x, and y comes back.
Value rem(E make, Value x, Value y) {
  auto& [b, k] = make;
  Value ax = b.abs(x), ay = b.abs(y);
  Value n = b.round(b.div(ax, ay), KernelBuilder::trunc), r = b.fnma(n, ay, ax);
  r = b.select(b.cmp(KCmp::lt, r, make.number(0)), b.add(r, ay), r);
  r = make.with_sign_of(r, x);
  // n of few bits, so that n y loses none; not of denormals.
  Value plain = b.mand(b.cmp(KCmp::lt, n, make.number(make.is_wide() ? 0x1p50 : 0x1p21)),
                       b.cmp(KCmp::ge, ay, make.number(make.is_wide() ? 0x1p-960 : 0x1p-100)));
  plain = b.mand(plain, b.cmp(KCmp::lt, ay, make.number(kInf)));
  return make.repaired(Op::rem_op, r, x, b.mnot(plain), y);
}

// v = m 2^exponent of a v > 0, 1 <= m < 2; the biased exponent of a denormal is below 1.
struct Mantissa {
  Value m, biased;
};
Mantissa mantissa(E make, Value v) {
  auto& [b, k] = make;
  auto [up, lift] = make.lifted(v);
  Value bits = b.bitcast(k.bits, up), one = b.bitcast(k.bits, make.number(1));
  Value m = b.bit_or(b.bit_and(bits, make.integer((int64_t{1} << k.mantissa) - 1)), one);
  return {b.bitcast(k.type, m), b.sub(b.shr(bits, k.mantissa), b.convert(k.bits, lift))};
}

// Of f64, all x and y. With mantissas r of x and m of y, 2^d r less a multiple of m, 50 bits at a time: products with
// so small a quotient lose nothing, and the quotient is one too large at most.
Value rare_rem(E make, Value x, Value y) {
  auto& [b, k] = make;
  Value zero = make.number(0), none = make.integer(0), ax = b.abs(x), ay = b.abs(y);
  auto [mx, exponent_x] = mantissa(make, ax);
  auto [m, exponent_y] = mantissa(make, ay);
  Value r = b.var(mx), d = b.var(b.max(none, b.sub(exponent_x, exponent_y))), more = b.var(b.iconst(1));
  b.wloop(b.iconst(44), more);
  Value bits = b.min(d, make.integer(50));
  Value next = b.mul(r, b.bitcast(k.type, b.shl(b.add(bits, make.integer(k.bias)), k.mantissa)));
  Value left = b.fnma(b.round(b.div(next, m), KernelBuilder::trunc), m, next);
  b.set(r, b.select(b.cmp(KCmp::lt, left, zero), b.add(left, m), left));
  Value rest = b.sub(d, bits);
  b.set(d, rest);
  b.set(more, b.any(b.cmp(KCmp::gt, rest, none)));
  b.endloop();
  Value z = make.with_sign_of(make.scaled(r, exponent_y), x);
  z = b.select(b.cmp(KCmp::lt, ax, ay), x, z);
  Value valid = b.mand(b.cmp(KCmp::lt, ax, make.number(kInf)), b.cmp(KCmp::gt, ay, zero));
  return b.select(valid, z, make.number(kNan));
}

}  // namespace

// Of the negatives of the magnitudes, which all integers have. The product with the inverse in floats of the same
// width, of which the first is off by few parts of itself, the second, of what that leaves, by one at most; of those r
// is left.
Value integer_quotient(KernelBuilder& b, Value x, Value y) {
  const KType t = b.type(x), floating = t == KType::i64 ? KType::f64 : KType::f32;
  Value zero = b.number(t, 0);
  Value nx = b.min(x, b.neg(x)), ny = b.min(y, b.neg(y));
  Value inverse = b.div(b.number(floating, 1), b.convert(floating, ny));
  auto estimate = [&](Value n) {
    return b.convert(t, b.round(b.mul(b.convert(floating, n), inverse), KernelBuilder::floor));
  };
  Value q = estimate(nx), r = b.sub(nx, b.mul(q, ny)), more = estimate(r);
  q = b.add(q, more);
  r = b.sub(r, b.mul(more, ny));
  q = b.sub(q, b.mask_to_int(t, b.cmp(KCmp::gt, r, zero)));
  q = b.add(q, b.mask_to_int(t, b.cmp(KCmp::le, r, ny)));
  Value sign = b.sar(b.bit_xor(x, y), 8 * bytes_of(t) - 1);
  return b.select(b.cmp(KCmp::eq, y, zero), zero, b.sub(b.bit_xor(q, sign), sign));
}

Value integer_remainder(KernelBuilder& b, Value x, Value y) { return b.sub(x, b.mul(integer_quotient(b, x, y), y)); }

void define_power_functions(CpuTable& table) {
  define_function(table, Op::pow_op, {2, pow, rare_pow});
  define_function(table, Op::cbrt_op, {1, cbrt});
  define_function(table, Op::rem_op, {2, rem, rare_rem});
  // Of integers, too.
  table.element(Op::rem_op, [](const ElementContext& c) {
    const KType t = c.b.type(c.x[0]);
    if (t == KType::f32 || t == KType::f64) return elementary(c.b, c.op, c.x[0], c.x[1]);
    return integer_remainder(c.b, c.x[0], c.x[1]);
  });
}

}  // namespace jot::cpu
