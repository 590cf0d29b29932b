// The logarithm of gamma and its derivative: polynomials around 1 to 8, Stirling's series beyond, and reflection.
#include "backends/cpu/kernel/expansion.h"

namespace jot::cpu {

using Value = uint32_t;
using ir::Op;

namespace {

using E = const Expansion&;
constexpr double kInf = std::numeric_limits<double>::infinity();

// By bench/math_rows.py. Of 1 / x^2 for x > 8.5; of d^2 for |d| <= 1/2: sin(pi d) / (pi d), pi d cot(pi d).
constexpr double kStirling32[] = {0.08333331346511841, -0.002766865771263838};
constexpr double kStirling64[] = {0.08333333333333331,    -0.002777777777681066, 0.0007936507119690971,
                                  -0.0005952127475825326, 0.0008381657711232765, -0.00167914984416339};
constexpr double kDigammaFar32[] = {0.0833333358168602, -0.008332897908985615, 0.003883913392201066};
constexpr double kDigammaFar64[] = {0.08333333333333333,    -0.008333333333305553, 0.003968253936067908,
                                    -0.0041666526175989866, 0.007572816556492093,  -0.020772461001140337,
                                    0.06545475452441378};
constexpr double kSincPi32[] = {
    1.0, -1.644934058189392, 0.8117421865463257, -0.19074790179729462, 0.026117438450455666, -0.0022371786180883646};
constexpr double kSincPi64[] = {1.0,
                                -1.6449340668482264,
                                0.8117424252833393,
                                -0.19075182412149616,
                                0.02614784780555096,
                                -0.0023460808954639607,
                                0.00014842784141891026,
                                -6.972099660851165e-06,
                                2.4502943624556595e-07};
constexpr double kCotPi32[] = {1.0,
                               -3.289869546890259,
                               -2.1645264625549316,
                               -2.0384531021118164,
                               -1.950842022895813,
                               -2.4658889770507812,
                               -0.0004769588413182646,
                               -6.065134525299072};
constexpr double kCotPi64[] = {1.0,
                               -3.289868133696457,
                               -2.164646467420892,
                               -2.034686124154129,
                               -2.0081546994114303,
                               -2.001989699177906,
                               -2.0004769886404996,
                               -2.000411605909051,
                               -1.9961204155081231,
                               -2.0382547488814025,
                               -1.7276165557597165,
                               -3.40583728117994,
                               3.1611193408148037,
                               -14.94347383993864,
                               18.391967759219575,
                               -18.391967768398043};

// |x| = middle + t, where 1 is added to the middle below 1, so that it is 1 to 8; far: |x| is greater.
struct Place {
  Value size, below_one, far;
  Expansion::Piece piece;
};
Place place(E make, Value x) {
  auto& [b, k] = make;
  Value a = b.abs(x), below_one = b.cmp(KCmp::lt, a, make.number(1));
  Value added = b.select(below_one, make.number(1), make.number(0)), magic = make.number(k.magic);
  Value rounded = b.add(b.add(a, added), magic);
  Value t = b.sub(a, b.sub(b.sub(rounded, magic), added));
  return {a, below_one, b.cmp(KCmp::gt, a, make.number(8.5)), {b.table_index(b.bitcast(k.bits, rounded)), t}};
}

// With P the value for |x|, or |x| + 1 below 1: of x > 0 it is P, or P - log(x); of x < 0
// -log(|x sin(pi x)| / pi) - P, or without x.
Value lgamma(E make, Value x, Value) {
  auto& [b, k] = make;
  auto [a, below_one, far, piece] = place(make, x);
  Value zero = make.number(0), one = make.number(1);
  Value log = make.log_core(a), inverse = b.div(one, a);
  Value rest = make.polynomial(kStirling64, kStirling32, b.mul(inverse, inverse));
  Value series = b.fma(b.sub(a, make.number(0.5)), b.sub(log, one),
                       b.fma(inverse, rest, make.number(0.41893853320467274)));  // log(2 pi) / 2 - 1 / 2
  Value p = b.select(far, series, make.piecewise(kLgammaRows, piece));
  Value positive = b.sub(p, b.select(below_one, log, zero));
  Value d = b.sub(a, b.round(a, KernelBuilder::even));
  Value sine = b.abs(b.mul(d, make.polynomial(kSincPi64, kSincPi32, b.mul(d, d))));
  Value product = b.mul(sine, b.select(below_one, one, a));
  Value negative = b.neg(b.add(make.log_core(product), p));
  Value y = b.select(b.cmp(KCmp::lt, x, zero), negative, positive);
  Value infinite =
      b.mor(b.mand(b.cmp(KCmp::le, x, zero), b.cmp(KCmp::eq, d, zero)), b.cmp(KCmp::eq, a, make.number(kInf)));
  y = b.select(infinite, make.number(kInf), y);
  const double least = std::ldexp(1.0, 1 - static_cast<int>(k.bias));
  Value cold = b.mand(b.cmp(KCmp::lt, a, make.number(least)), b.cmp(KCmp::gt, a, zero));
  return make.repaired(Op::lgamma_op, y, x, cold);
}
Value rare_lgamma(E make, Value x, Value) {  // denormal
  auto [up, lift] = make.lifted(make.b.abs(x));
  return make.b.neg(make.log_core(up, lift));
}

// With P the value for |x|, or |x| + 1 below 1: of x > 0 it is P, or P - 1 / x; of x < 0 P - 1 / x - pi cot(pi x), or
// without 1 / x.
Value digamma(E make, Value x, Value) {
  auto& [b, k] = make;
  auto [a, below_one, far, piece] = place(make, x);
  Value zero = make.number(0), inverse = b.div(make.number(1), x);
  Value rest = make.polynomial(kDigammaFar64, kDigammaFar32, b.mul(inverse, inverse));
  Value series = b.sub(make.log_core(a), b.fma(b.mul(inverse, inverse), rest, b.mul(b.abs(inverse), make.number(0.5))));
  // c0 + (t - z) (c1 + ...): beside the root at 1.46 z is where that is, and c0 is 0.
  Value from_root =
      b.sub(b.sub(piece.t, make.entry(kDigammaRows, 0, piece.index)), make.entry(kDigammaRows, 1, piece.index));
  Value near = b.fma(make.piecewise(kDigammaRows, piece, 3), from_root, make.entry(kDigammaRows, 2, piece.index));
  Value p = b.select(far, series, near);
  Value negative_x = b.cmp(KCmp::lt, x, zero);
  p = b.sub(p, b.select(b.mxor(below_one, negative_x), inverse, zero));
  Value d = b.sub(a, b.round(a, KernelBuilder::even));
  Value cotangent = b.div(make.polynomial(kCotPi64, kCotPi32, b.mul(d, d)), d);
  Value y = b.select(negative_x, b.add(p, cotangent), p);
  y = b.select(b.cmp(KCmp::eq, x, make.number(kInf)), x, y);
  Value pole = b.mand(negative_x, b.cmp(KCmp::eq, d, zero));
  return b.select(pole, make.number(std::numeric_limits<double>::quiet_NaN()), y);
}

}  // namespace

void define_gamma_functions(CpuTable& table) {
  define_function(table, Op::lgamma_op, {1, lgamma, rare_lgamma});
  define_function(table, Op::digamma_op, {1, digamma});
}

}  // namespace jot::cpu
