// The error function and its kin, Bessel functions: polynomials by pieces.
#include "backends/cpu/kernel/expansion.h"

namespace jot::cpu {

using Value = uint32_t;
using ir::Op;

namespace {

// By bench/math_rows.py: of 1 / x^2 and of 1 / x. First comes what rounding takes from the second.
constexpr double kErfcxFar32[] = {-2.938583598677269e-08, 0.564189612865448, -0.2820938229560852, 0.4211283326148987};
constexpr double kErfcxFar64[] = {7.47975478105438e-18, 0.5641895835477563, -0.28209479177386754, 0.4231421875636949,
                                  -1.0578551438723862,  3.7020011632584735, -16.315946177150497};
constexpr double kBesselI0Far32[] = {-1.2297915574777107e-08, 0.3989422917366028, 0.049868371337652206,
                                     0.027973270043730736, 0.03262757509946823};
constexpr double kBesselI0Far64[] = {2.581629959844887e-17, 0.39894228040143265, 0.0498677850501873,
                                     0.028050629085758495,  0.02921940675669975, 0.04474197701192403,
                                     0.09062626462743903,   0.22697692258139374, 0.7428209812218116,
                                     1.2264201956758887,    23.434490183367636};
constexpr double kBesselI1Far32[] = {-1.0106397496656427e-08, 0.3989422917366028, -0.14960411190986633,
                                     -0.04665223881602287, -0.04526694864034653};
constexpr double kBesselI1Far64[] = {-1.9697893050115917e-17, 0.3989422804014327,    -0.14960335515054624,
                                     -0.04675104847910282,    -0.040907169016358665, -0.05752544418436497,
                                     -0.11076248703165352,    -0.2683672858352971,   -0.8540220214046509,
                                     -1.4332977245503755,     -25.931159190460956};
constexpr double kInf = std::numeric_limits<double>::infinity();

}  // namespace

Expansion::Piece Expansion::uniform_piece(Value x, double width) const {
  Value t = b.fma(x, number(1 / width), number(k.magic));
  return {b.table_index(b.bitcast(k.bits, t)), b.fnma(b.sub(t, number(k.magic)), number(width), x)};
}

Expansion::Piece Expansion::octave_piece(Value x) const {
  const int64_t half = int64_t{1} << (k.mantissa - 1);
  Value bits = b.bitcast(k.bits, b.add(x, number(2)));
  Value middle = b.bit_or(b.bit_and(bits, integer(-half)), integer(half / 2));
  return {b.table_index(b.shr(bits, k.mantissa - 1)), b.sub(x, b.sub(b.bitcast(k.type, middle), number(2)))};
}

namespace {

using E = const Expansion&;

// A value and what rounding takes from it.
struct Parts {
  Value high, low;
};

// c1 + (c0 + t (c2 + ...)), c1 the greater.
Parts far_polynomial(E make, std::span<const double> wide, std::span<const double> narrow, Value t) {
  auto& b = make.b;
  auto c = make.is_wide() ? wide : narrow;
  Value first = make.number(c[1]), more = b.fma(make.polynomial(c.subspan(2), t), t, make.number(c[0]));
  Value sum = b.add(first, more);
  return {sum, b.sub(more, b.sub(sum, first))};
}

double width(E make) { return make.is_wide() ? 0.8125 : 0.5625; }  // of the pieces of erf and erf_inv

Value erf(E make, Value x, Value) {
  auto& [b, k] = make;
  Value a = b.min(make.number(make.is_wide() ? 6 : 4), b.abs(x));  // NaN stays
  const Expansion::Piece piece = make.uniform_piece(a, width(make));
  auto [high, low] = make.piecewise_parts(kErfRows, piece);  // of erf less t
  return make.with_sign_of(b.add(high, b.add(low, piece.t)), x);
}

// y scale, scale a power of two; t as growth gives it.
struct Scaled {
  Value y, scale, t;
};
// exp(-x^2) erfcx(|x|), a limit of |x| given. What rounding takes from x^2 is kept.
Scaled erfc_tail(E make, Value x, double limit) {
  auto& b = make.b;
  Value a = b.min(make.number(limit), b.abs(x)), square = b.mul(a, a);
  auto [scale, rest, t] = make.growth(b.neg(square), b.neg(b.fms(a, a, square)));
  auto [high, low] = make.piecewise_parts(kErfcxRows, make.octave_piece(a));
  return {b.add(high, b.fma(b.add(high, low), rest, low)), scale, t};
}

// 2 less that for a negative x.
Value erfc(E make, Value x, Value) {
  auto& [b, k] = make;
  const double normal = make.is_wide() ? 26.5 : 9.19, none = make.is_wide() ? 27.3 : 10.06;
  auto [p, scale, t] = erfc_tail(make, x, normal);
  Value y = b.mul(p, scale);
  y = b.select(b.cmp(KCmp::lt, x, make.number(0)), b.sub(make.number(2), y), y);
  y = b.select(b.cmp(KCmp::gt, x, make.number(none)), make.number(0), y);
  Value cold = b.mand(b.cmp(KCmp::gt, x, make.number(normal)), b.cmp(KCmp::le, x, make.number(none)));
  return make.repaired(Op::erfc_op, y, x, cold);
}
Value rare_erfc(E make, Value x, Value) {  // denormal
  auto [y, scale, t] = erfc_tail(make, x, 28);
  return make.scaled_by(y, t);
}

// Beyond the pieces P(1 / x^2) / x, of a negative x 2 exp(x^2) - erfcx(-x).
Value erfcx(E make, Value x, Value) {
  auto& [b, k] = make;
  Value a = b.abs(x), one = make.number(1);
  auto [high, low] = make.piecewise_parts(kErfcxRows, make.octave_piece(b.min(make.number(30), a)));
  Value y = b.add(high, low);
  Value inverse = b.div(one, a);
  Value p = far_polynomial(make, kErfcxFar64, kErfcxFar32, b.mul(inverse, inverse)).high, q = b.mul(p, inverse);
  Value exact = b.fma(b.fnma(q, a, p), inverse, q);
  Value far = b.select(b.cmp(KCmp::lt, a, make.number(make.is_wide() ? 1e307 : 1e37)), exact, q);
  y = b.select(b.cmp(KCmp::gt, a, make.number(28)), far, y);
  Value bounded = b.min(make.number(make.is_wide() ? 26.63 : 9.39), a), square = b.mul(bounded, bounded);
  auto [scale, rest, t] = make.growth(square, b.fms(bounded, bounded, square));
  Value half = b.fma(rest, scale, b.sub(scale, b.mul(y, make.number(0.5))));  // whose terms do not overflow
  return b.select(b.cmp(KCmp::lt, x, make.number(0)), b.add(half, half), y);
}

// x G(s), s = sqrt(-log(1 - x^2)) (Giles 2010 by w = s^2).
Value erf_inv(E make, Value x, Value) {
  auto& [b, k] = make;
  Value one = make.number(1), a = b.abs(x);
  Value s = b.sqrt(b.neg(make.log_core(b.fnma(x, x, one))));
  Value y = b.mul(x, make.piecewise(kErfInvRows, make.uniform_piece(s, width(make))));
  y = b.select(b.cmp(KCmp::eq, a, one), make.with_sign_of(make.number(kInf), x), y);
  return b.select(b.cmp(KCmp::le, a, one), y, make.number(std::numeric_limits<double>::quiet_NaN()));
}

// exp(-|x|) I0(x), or exp(-|x|) I1(|x|) as |x| times pieces; beyond them P(1 / x) / sqrt(x). The second part is 0
// beyond 720, where no caller needs it.
Parts bessel_ie_parts(E make, Value a, int order) {
  auto& [b, k] = make;
  const Expansion::Piece piece = make.octave_piece(b.min(make.number(30), a));
  auto [high, low] = make.piecewise_parts(order == 0 ? kBesselI0Rows : kBesselI1Rows, piece);
  if (order == 1) {
    Value product = b.mul(high, a);
    low = b.fma(low, a, b.fms(high, a, product));
    high = product;
  }
  Value inverse = b.div(make.number(1), a), root = b.sqrt(a);
  auto [p, p_lost] = order == 0 ? far_polynomial(make, kBesselI0Far64, kBesselI0Far32, inverse)
                                : far_polynomial(make, kBesselI1Far64, kBesselI1Far32, inverse);
  Value far = b.div(p, root);
  // What is left: (p + p_lost) / (root + root_lost) - far, root_lost = (a - root^2) / (2 root), to first order.
  Value twice_root_lost = b.mul(b.fnma(root, root, a), inverse);  // of root
  Value rest = b.add(b.fnma(far, root, p), p_lost);
  Value left = b.fma(rest, b.mul(root, inverse), b.mul(b.mul(far, make.number(-0.5)), twice_root_lost));
  Value is_near = b.cmp(KCmp::lt, a, make.number(30)), is_left = b.cmp(KCmp::lt, a, make.number(720));
  return {b.select(is_near, high, far), b.select(is_near, low, b.select(is_left, left, make.number(0)))};
}

Value bessel_ie(E make, Value x, int order) {
  auto [high, low] = bessel_ie_parts(make, make.b.abs(x), order);
  Value y = make.b.add(high, low);
  return order == 0 ? y : make.with_sign_of(y, x);
}

// exp(|x|) times that, the |x| of the power bounded.
Scaled bessel_i_core(E make, Value x, Value bounded, int order) {
  auto& b = make.b;
  auto [scale, rest, t] = make.growth(bounded, make.number(0));
  auto [high, low] = bessel_ie_parts(make, b.abs(x), order);
  Value y = b.add(high, b.fma(b.add(high, low), rest, low));
  return {order == 0 ? y : make.with_sign_of(y, x), scale, t};
}
Value bessel_i(E make, Value x, int order) {  // where the power does not overflow; NaN stays
  auto& [b, k] = make;
  Value a = b.abs(x), limit = make.number(k.exp_safe);
  auto [y, scale, t] = bessel_i_core(make, x, b.min(limit, a), order);
  const Op op = order == 0 ? Op::bessel_i0_op : Op::bessel_i1_op;
  return make.repaired(op, b.mul(y, scale), x, b.cmp(KCmp::gt, a, limit));
}
Value rare_bessel_i(E make, Value x, int order) {  // large, or infinite
  auto& b = make.b;
  auto [core, scale, t] = bessel_i_core(make, x, make.bounded(b.abs(x)), order);
  Value infinite = order == 0 ? make.number(kInf) : make.with_sign_of(make.number(kInf), x);
  return b.select(b.cmp(KCmp::lt, b.abs(x), make.number(720)), make.scaled_by(core, t), infinite);
}

// exp(-x^2 / 2) erfcx(|x| / sqrt(2)) / 2, as erfc_tail.
Scaled ndtr_tail(E make, Value x, double limit) {
  auto& b = make.b;
  Value a = b.min(make.number(limit), b.abs(x)), square = b.mul(a, a), minus_half = make.number(-0.5);
  auto [scale, rest, t] = make.growth(b.mul(square, minus_half), b.mul(b.fms(a, a, square), minus_half));
  // |x| / sqrt(2) and what rounding takes from it, which moves the point within its piece.
  const double root = make.is_wide() ? 0.7071067811865476 : 0.7071067690849304;
  const double root_lost = make.is_wide() ? -4.833646656726457e-17 : 1.210161710447897e-08;
  Value m = b.mul(a, make.number(root));
  Expansion::Piece piece = make.octave_piece(m);
  piece.t = b.add(piece.t, b.fma(a, make.number(root_lost), b.fms(a, make.number(root), m)));
  auto [high, low] = make.piecewise_parts(kErfcxRows, piece);
  Value y = b.add(high, b.fma(b.add(high, low), rest, low));
  return {b.mul(y, make.number(0.5)), scale, t};
}

// 1 less that for a positive x.
Value ndtr(E make, Value x, Value) {
  auto& [b, k] = make;
  const double normal = make.is_wide() ? 37.4 : 12.9, none = make.is_wide() ? 38.7 : 14.4;
  auto [p, scale, t] = ndtr_tail(make, x, normal);
  Value y = b.mul(p, scale);
  y = b.select(b.cmp(KCmp::gt, x, make.number(0)), b.sub(make.number(1), y), y);
  y = b.select(b.cmp(KCmp::lt, x, make.number(-none)), make.number(0), y);
  Value cold = b.mand(b.cmp(KCmp::lt, x, make.number(-normal)), b.cmp(KCmp::ge, x, make.number(-none)));
  return make.repaired(Op::ndtr_op, y, x, cold);
}
Value rare_ndtr(E make, Value x, Value) {  // denormal
  auto [y, scale, t] = ndtr_tail(make, x, 39);
  return make.scaled_by(y, t);
}

// (2 p - 1) G(s), s = sqrt(-log(4 p (1 - p))).
Value ndtri_of(E make, Value x, Value s) {  // x = 2 p - 1
  auto& b = make.b;
  auto [high, low] = make.piecewise_parts(kNdtriRows, make.octave_piece(b.min(make.number(30), s)));
  return b.fma(x, low, b.mul(x, high));
}
Value ndtri(E make, Value p, Value) {
  auto& [b, k] = make;
  Value zero = make.number(0), one = make.number(1), twice = b.add(p, p), rest = b.sub(one, p);
  Value s = b.sqrt(b.max(zero, b.neg(make.log_core(b.mul(b.add(twice, twice), rest)))));
  Value y = ndtri_of(make, b.sub(twice, one), s);
  y = b.select(b.cmp(KCmp::eq, p, one), make.number(kInf), y);
  y = b.select(b.cmp(KCmp::eq, p, zero), make.number(-kInf), y);
  Value inside = b.mand(b.cmp(KCmp::ge, p, zero), b.cmp(KCmp::le, p, one));
  y = b.select(inside, y, make.number(std::numeric_limits<double>::quiet_NaN()));
  const double least = std::ldexp(1.0, 1 - static_cast<int>(k.bias));
  Value cold = b.mand(b.cmp(KCmp::lt, p, make.number(least)), b.cmp(KCmp::gt, p, zero));
  return make.repaired(Op::ndtri_op, y, p, cold);
}
Value rare_ndtri(E make, Value p, Value) {  // denormal: 4 p is p 2^54 2^-52
  auto& [b, k] = make;
  Value log = make.log_core(b.mul(p, make.number(0x1p54)), make.number(52));
  return ndtri_of(make, make.number(-1), b.sqrt(b.neg(log)));
}

}  // namespace

void define_special_functions(CpuTable& table) {
  define_function(table, Op::erf_op, {1, erf});
  define_function(table, Op::erfc_op, {1, erfc, rare_erfc});
  define_function(table, Op::erfcx_op, {1, erfcx});
  define_function(table, Op::erf_inv_op, {1, erf_inv});
  define_function(table, Op::ndtr_op, {1, ndtr, rare_ndtr});
  define_function(table, Op::ndtri_op, {1, ndtri, rare_ndtri});
  define_function(table, Op::bessel_i0e_op, {1, [](E make, Value x, Value) { return bessel_ie(make, x, 0); }});
  define_function(table, Op::bessel_i1e_op, {1, [](E make, Value x, Value) { return bessel_ie(make, x, 1); }});
  define_function(table, Op::bessel_i0_op,
                  {1, [](E make, Value x, Value) { return bessel_i(make, x, 0); },
                   [](E make, Value x, Value) { return rare_bessel_i(make, x, 0); }});
  define_function(table, Op::bessel_i1_op,
                  {1, [](E make, Value x, Value) { return bessel_i(make, x, 1); },
                   [](E make, Value x, Value) { return rare_bessel_i(make, x, 1); }});
}

}  // namespace jot::cpu
