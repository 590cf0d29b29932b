// The tangent, and angles: inverse trigonometric functions.
#include "backends/cpu/kernel/expansion.h"

namespace jot::cpu {

using Value = uint32_t;
using ir::Op;

namespace {

constexpr double kAtan32[] = {-0.3333323299884796, 0.19994167983531952, -0.14174212515354156, 0.10155822336673737,
                              -0.05125146359205246};
constexpr double kAtan64[] = {-0.33333333333333165, 0.19999999999934762, -0.1428571427846398,   0.11111110731196527,
                              -0.09090897723050724, 0.07692093540552625, -0.06663984047821946,  0.058593300315921915,
                              -0.05126082960144299, 0.04196785341462267, -0.027584560442959264, 0.010212460868727957};
constexpr double kAsin32[] = {0.16666752099990845, 0.07495306432247162, 0.045469772070646286, 0.024180781096220016,
                              0.04216640070080757};
constexpr double kAsin64[] = {0.1666666666666671,   0.07499999999980957,   0.04464285716678602,  0.030381943026148408,
                              0.02237220714392414,  0.01735173785956485,   0.013979452076404771, 0.011409189513376267,
                              0.010726884151057249, 0.0038945951321803754, 0.021277320433472836, -0.02042424000114527,
                              0.03228763362306308};

}  // namespace

// With low and high of |x| and |y|: r = low / high or, where that is above 1/2, (low - high) / (low + high), as
// atan(low / high) is atan(r) plus 0 or pi/4. The octant adds a multiple of pi/4 and may turn the sign.
Value Expansion::angle(Value y, Value x) const {
  const bool wide = is_wide();
  Value ay = b.abs(y), ax = b.abs(x), low = b.min(ay, ax), high = b.max(ay, ax);
  Value sum = b.add(ay, ax);
  Value near = b.cmp(KCmp::gt, low, b.mul(high, number(0.5)));
  Value left = b.cmp(KCmp::lt, x, number(0)), steep = b.cmp(KCmp::gt, ay, ax);
  Value r = b.div(b.select(near, b.sub(low, high), low), b.select(near, sum, high));
  Value z = b.mul(r, r);
  Value t = b.fma(b.mul(r, z), polynomial(kAtan64, kAtan32, z), r);
  t = b.select(b.mxor(left, steep), b.neg(t), t);
  // n * pi/4, and what rounding takes from it.
  auto part = [&](int n, bool lost) {
    const double angle = n * 0.78539816339744828, rounded = static_cast<float>(angle);
    return number(wide ? (lost ? n * 3.061616997868383e-17 : angle) : (lost ? angle - rounded : rounded));
  };
  auto turn = [&](bool lost) {
    Value apart = b.select(steep, part(2, lost), b.select(left, part(4, lost), part(0, lost)));
    return b.select(near, b.select(left, part(3, lost), part(1, lost)), apart);
  };
  return with_sign_of(b.add(turn(false), b.add(turn(true), t)), y);
}

namespace {

using E = const Expansion&;
constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

Value atan2(E make, Value y, Value x) {
  auto& [b, k] = make;
  Value sum = b.add(b.abs(y), b.abs(x));
  // Two zeros, infinities, NaN, and sums that overflow.
  Value plain = b.mand(b.cmp(KCmp::gt, sum, make.number(0)), b.cmp(KCmp::lt, sum, make.number(kInf)));
  return make.repaired(Op::atan2_op, make.angle(y, x), y, b.mnot(plain), x);
}

// Of f64. Infinities are to numbers as 1 is to 0; zeros have signs; of numbers the sum of whose sizes overflows, a
// quarter.
Value rare_atan2(E make, Value y, Value x) {
  auto& [b, k] = make;
  Value zero = make.number(0), one = make.number(1), infinity = make.number(kInf);
  Value endless_x = b.cmp(KCmp::eq, b.abs(x), infinity), endless_y = b.cmp(KCmp::eq, b.abs(y), infinity);
  Value endless = b.mor(endless_x, endless_y), origin = b.cmp(KCmp::eq, b.add(b.abs(y), b.abs(x)), zero);
  auto part = [&](Value v, Value own) {
    return b.select(endless, make.with_sign_of(b.select(own, one, zero), v), b.mul(v, make.number(0.25)));
  };
  Value of_x = b.select(origin, make.with_sign_of(one, x), part(x, endless_x));
  Value angle = make.angle(b.select(origin, y, part(y, endless_y)), of_x);
  return b.select(b.mor(b.is_nan(x), b.is_nan(y)), make.number(kNan), angle);
}

Value atan(E make, Value x, Value) {
  auto& [b, k] = make;
  return make.repaired(Op::atan_op, make.angle(x, make.number(1)), x,
                       b.mnot(b.cmp(KCmp::lt, b.abs(x), make.number(kInf))));
}
Value rare_atan(E make, Value x, Value) {  // of infinities and NaN
  return make.b.select(make.b.is_nan(x), x, make.with_sign_of(make.number(kF64.half_pi[0]), x));
}

// sin / cos of r + tail or its inverse, turned. What rounding takes from sine and cosine is kept.
Value tangent(E make, Value x, Value r, Value tail, Value quadrant) {
  auto& [b, k] = make;
  Value z = b.mul(r, r);
  Value bent = b.fma(b.mul(z, r), make.polynomial(k.sin, z), tail), s = b.add(r, bent);
  Value s_lost = b.add(b.sub(r, s), bent);
  Value d = b.fma(make.polynomial(k.cos, z), z, make.number(-0.5)), c = b.fma(d, z, make.number(1));
  Value c_lost = b.fnma(r, tail, b.fma(d, z, b.sub(make.number(1), c)));
  Value odd = b.cmp(KCmp::ne, b.bit_and(quadrant, make.integer(1)), make.integer(0));
  Value above = b.select(odd, c, s), above_lost = b.select(odd, c_lost, s_lost);
  Value below = b.select(odd, s, c), below_lost = b.select(odd, s_lost, c_lost);
  Value inverse = b.div(make.number(1), below), q = b.mul(above, inverse);
  Value error = b.add(b.fnma(q, below, above), b.fnma(q, below_lost, above_lost));
  q = b.fma(error, inverse, q);
  Value sign = b.bit_xor(b.shl(quadrant, 8 * bytes_of(k.type) - 1), b.bitcast(k.bits, x));  // odd, and x < 0
  return b.bit_xor(q, b.bitcast(k.type, b.bit_and(sign, make.integer(make.sign_bit()))));
}

// |x| = n * pi/2 + r. What rounding takes from r is kept.
Value tan(E make, Value x, Value) {
  auto& [b, k] = make;
  Value a = b.abs(x);
  Value t = b.fma(a, make.number(Expansion::kTwoOverPi), make.number(k.magic));
  Value n = b.sub(t, make.number(k.magic));
  Value first = b.fnma(n, make.number(k.half_pi[0]), a);
  // The second product and its difference with what rounding takes from both.
  Value p = b.mul(n, make.number(k.half_pi[1])), p_lost = b.fms(n, make.number(k.half_pi[1]), p);
  Value second = b.sub(first, p), back = b.sub(second, first);
  Value lost = b.sub(b.sub(b.sub(first, b.sub(second, back)), b.add(p, back)), p_lost);
  Value tail = b.fnma(n, make.number(k.half_pi[2]), lost), r = b.add(second, tail);
  tail = b.add(b.sub(second, r), tail);
  Value q = tangent(make, x, r, tail, b.bitcast(k.bits, t));
  return make.repaired(Op::tan_op, q, x, b.mnot(b.cmp(KCmp::le, a, make.number(k.trig_safe))));
}

// Of f64 beyond trig_safe.
Value rare_tan(E make, Value x, Value) {
  auto& [b, k] = make;
  auto [r, lost, quadrant] = make.far_turn(x);
  Value y = tangent(make, x, r, lost, quadrant);
  return b.select(b.cmp(KCmp::lt, b.abs(x), make.number(kInf)), y, make.number(kNan));
}

// |x| up to 1/2: x + x^3 P(x^2). Above, with z = (1 - |x|) / 2, asin(|x|) = pi/2 - 2 asin(sqrt(z)).
struct Arc {
  Value near_zero, r, lost, curved;  // asin(r + lost) = r + (lost + curved)
};
Arc arc(E make, Value x) {
  auto& [b, k] = make;
  Value a = b.abs(x), near_zero = b.cmp(KCmp::le, a, make.number(0.5));
  Value half = b.mul(b.sub(make.number(1), a), make.number(0.5));
  Value z = b.select(near_zero, b.mul(a, a), half), root = b.sqrt(half);
  Value left = b.div(b.fnma(root, root, half), b.max(b.add(root, root), make.number(1e-30)));
  Value r = b.select(near_zero, a, root), lost = b.select(near_zero, make.number(0), left);
  return {near_zero, r, lost, b.mul(b.mul(r, z), make.polynomial(kAsin64, kAsin32, z))};
}

Value asin(E make, Value x, Value) {
  auto& [b, k] = make;
  auto [near_zero, r, lost, curved] = arc(make, x);
  Value bent = b.add(lost, curved);
  Value far = b.sub(make.number(k.half_pi[0]),
                    b.fma(r, make.number(2), b.fms(bent, make.number(2), make.number(k.half_pi[1]))));
  return make.with_sign_of(b.select(near_zero, b.add(r, bent), far), x);
}

// pi/2 - x - ..., 2 asin(sqrt(z)), pi - 2 asin(sqrt(z)).
Value acos(E make, Value x, Value) {
  auto& [b, k] = make;
  auto [near_zero, r, lost, curved] = arc(make, x);
  Value bent = b.add(lost, curved), left = b.cmp(KCmp::lt, x, make.number(0));
  Value sign = make.sign(x);
  Value middle = b.sub(make.number(k.half_pi[0]), b.add(x, b.sub(b.bit_xor(curved, sign), make.number(k.half_pi[1]))));
  Value right = b.mul(b.add(r, bent), make.number(2));
  Value beyond = b.sub(make.number(2 * k.half_pi[0]),
                       b.fma(r, make.number(2), b.fms(bent, make.number(2), make.number(2 * k.half_pi[1]))));
  return b.select(near_zero, middle, b.select(left, beyond, right));
}

}  // namespace

void define_angle_functions(CpuTable& table) {
  define_function(table, Op::tan_op, {1, tan, rare_tan});
  define_function(table, Op::asin_op, {1, asin});
  define_function(table, Op::acos_op, {1, acos});
  define_function(table, Op::atan_op, {1, atan, rare_atan});
  define_function(table, Op::atan2_op, {2, atan2, rare_atan2});
}

}  // namespace jot::cpu
