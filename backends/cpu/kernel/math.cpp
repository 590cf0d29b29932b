#include "backends/cpu/kernel/math.h"

#include <array>
#include <cmath>
#include <limits>

#include "jot/error.h"

namespace jot::cpu {
namespace {

using Value = uint32_t;

// Coefficients by bench/math_coefficients.py (minimax, lowest order first). hi, lo, ...: a number as a sum of floats.
struct Constants {
  KType type, bits;  // floats and integers of one width
  int mantissa;      // bits stored
  int64_t bias;
  double magic;  // 1.5 * 2^mantissa: adding it rounds to an integer, which the low bits then hold

  double ln2[2], half_pi[3];
  std::span<const double> exp, expm1, log, sin, cos;
  double exp_safe, exp_zero;  // |x| up to which exp is normal; below minus exp_zero it is 0
  double trig_safe;           // |x| up to which the reduction is exact enough
  double tanh_one;            // from here on tanh is 1
};

constexpr double kExp32[] = {0.4999999403953552, 0.16666516661643982, 0.041668105870485306, 0.008369134739041328,
                             0.0013836496509611607};
constexpr double kExp64[] = {0.5000000000000011,    0.1666666666666643,     0.041666666666525645,
                             0.008333333333479635,  0.0013888888944930675,  0.00019841269546648594,
                             2.480149164627681e-05, 2.7557543595355337e-06, 2.763080035200731e-07,
                             2.5015777012846236e-08};
constexpr double kExpm1_32[] = {
    0.5, 0.16666635870933533, 0.041666511446237564, 0.008341597393155098, 0.0013930394779890776, 0.0001494224270572886};
constexpr double kExpm1_64[] = {0.5,
                                0.16666666666666677,
                                0.041666666666666706,
                                0.008333333333321306,
                                0.001388888888885101,
                                0.00019841269887262055,
                                2.4801587412149638e-05,
                                2.7557242733181223e-06,
                                2.755718455149586e-07,
                                2.5109673384491505e-08,
                                2.094590892211964e-09};
constexpr double kSin32[] = {-0.16666653752326965, 0.008332106284797192, -0.00019507882825564593};
constexpr double kSin64[] = {-0.1666666666666663,    0.00833333333332184,     -0.00019841269829358444,
                             2.7557313538451617e-06, -2.5050734374006053e-08, 1.5895432082436253e-10};
constexpr double kCos32[] = {0.04166664555668831, -0.0013887308305129409, 2.4432101781712845e-05};
constexpr double kCos64[] = {0.04166666666666665,     -0.0013888888888881363, 2.4801587293317387e-05,
                             -2.7557315315088873e-07, 2.0875839013179725e-09, -1.1365019586184962e-11};
constexpr double kLog32[] = {0.3333331346511841,   -0.2500016689300537,  0.20002223551273346,
                             -0.16659365594387054, 0.14209593832492828,  -0.1254979372024536,
                             0.12108728289604187,  -0.10915403068065643, 0.05337624251842499};
constexpr double kLog64[] = {0.6666666666666735,  0.3999999999940915, 0.2857142874377523, 0.22222198415514552,
                             0.18183573269017286, 0.1531380361437634, 0.1479859289892746};

constexpr Constants kF32 = {.type = KType::f32,
                            .bits = KType::i32,
                            .mantissa = 23,
                            .bias = 127,
                            .magic = 0x1.8p23,
                            .ln2 = {0.6931471824645996, -1.9046542121259336e-09},
                            .half_pi = {1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15},
                            .exp = kExp32,
                            .expm1 = kExpm1_32,
                            .log = kLog32,
                            .sin = kSin32,
                            .cos = kCos32,
                            .exp_safe = 87,
                            .exp_zero = 104,
                            .trig_safe = 1e5,
                            .tanh_one = 10};
constexpr Constants kF64 = {.type = KType::f64,
                            .bits = KType::i64,
                            .mantissa = 52,
                            .bias = 1023,
                            .magic = 0x1.8p52,
                            .ln2 = {0.6931471805599453, 2.3190468138462996e-17},
                            .half_pi = {1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33},
                            .exp = kExp64,
                            .expm1 = kExpm1_64,
                            .log = kLog64,
                            .sin = kSin64,
                            .cos = kCos64,
                            .exp_safe = 708,
                            .exp_zero = 746,
                            .trig_safe = 1e9,
                            .tanh_one = 20};

// Emits the expansions for one builder and type.
class Expansion {
 public:
  Expansion(KernelBuilder& b, KType type) : b_(b), k_(type == KType::f64 ? kF64 : kF32) {}

  Value exp(Value x) {
    auto [t, n, high, r] = reduce(x);
    Value p = b_.fma(b_.fma(polynomial(k_.exp, r), r, number(1)), r, number(1));
    Value y = b_.mul(p, power_of_two(t));
    y = b_.select(b_.cmp(KCmp::le, x, number(-k_.exp_zero)), number(0), y);
    Value cold = b_.mand(b_.cmp(KCmp::gt, b_.abs(x), number(k_.exp_safe)), b_.cmp(KCmp::gt, x, number(-k_.exp_zero)));
    return b_.fixup(KFn::exp, y, x, cold);
  }

  // x = m * 2^k with m in [sqrt(1/2), sqrt(2)); log(x) = k * ln2 + log(1 + f), f = m - 1.
  Value log(Value x) {
    const bool wide = k_.type == KType::f64;
    const int64_t one = k_.bias << k_.mantissa, root_half = wide ? 0x3fe6a09e667f3bcd : 0x3f3504f3;
    Value shifted = b_.add(b_.bitcast(k_.bits, x), integer(one - root_half));
    // The biased exponent as the low bits of a float 2^mantissa + exponent.
    const double offset = std::ldexp(1.0, k_.mantissa);
    Value biased = b_.bit_or(b_.shr(shifted, k_.mantissa), b_.bitcast(k_.bits, number(offset)));
    Value k = b_.sub(b_.bitcast(k_.type, biased), number(offset + static_cast<double>(k_.bias)));
    Value m = b_.add(b_.bit_and(shifted, integer((int64_t{1} << k_.mantissa) - 1)), integer(root_half));
    Value f = b_.sub(b_.bitcast(k_.type, m), number(1));
    Value square = b_.mul(f, f), rest;  // log(1 + f) = f + rest
    if (wide) {
      // With s = f / (2 + f), z = s^2: log(1 + f) = f - f^2 / 2 + s * (f^2 / 2 + z * P(z)).
      Value s = b_.div(f, b_.add(f, number(2))), z = b_.mul(s, s), half = b_.mul(square, number(0.5));
      rest = b_.fms(s, b_.fma(polynomial(k_.log, z), z, half), half);
    } else {
      rest = b_.mul(b_.fma(polynomial(k_.log, f), f, number(-0.5)), square);
    }
    Value y = b_.fma(k, number(k_.ln2[0]), b_.add(f, b_.fma(k, number(k_.ln2[1]), rest)));
    Value normal = b_.mand(b_.cmp(KCmp::ge, x, number(std::ldexp(1.0, 1 - static_cast<int>(k_.bias)))),
                           b_.cmp(KCmp::lt, x, number(std::numeric_limits<double>::infinity())));
    return b_.fixup(KFn::log, y, x, b_.mnot(normal));
  }

  // |x| = n * pi/2 + r. The polynomials are those of sin(r) and cos(r); n modulo 4 chooses and signs.
  Value sine(Value x, bool cosine) {
    Value a = b_.abs(x);
    Value t = b_.fma(a, number(kTwoOverPi), number(k_.magic));
    Value n = b_.sub(t, number(k_.magic));
    Value r = b_.fnma(n, number(k_.half_pi[0]), a);
    r = b_.fnma(n, number(k_.half_pi[1]), r);
    r = b_.fnma(n, number(k_.half_pi[2]), r);
    Value z = b_.mul(r, r);
    Value s = b_.fma(b_.mul(z, r), polynomial(k_.sin, z), r);
    Value c = b_.fma(b_.fma(polynomial(k_.cos, z), z, number(-0.5)), z, number(1));
    Value quadrant = b_.bitcast(k_.bits, t);
    Value odd = b_.cmp(KCmp::ne, b_.bit_and(quadrant, integer(1)), integer(0));
    const int width = 8 * bytes_of(k_.type);
    Value y, sign;
    if (cosine) {
      y = b_.select(odd, s, c);
      sign = b_.shl(b_.add(quadrant, integer(1)), width - 2);  // quadrants 1 and 2
    } else {
      y = b_.select(odd, c, s);
      sign = b_.bit_xor(b_.shl(quadrant, width - 2), b_.bitcast(k_.bits, x));  // 2 and 3, and x < 0
    }
    sign = b_.bit_and(sign, integer(sign_bit()));
    y = b_.bit_xor(y, b_.bitcast(k_.type, sign));
    return b_.fixup(cosine ? KFn::cos : KFn::sin, y, x, b_.cmp(KCmp::gt, a, number(k_.trig_safe)));
  }

  // u / (2 - u), u = 1 - exp(-2 |x|) = (1 - 2^n) - 2^n (exp(r) - 1). What rounding takes from r and u is kept.
  Value tanh(Value x) {
    Value a = b_.min(number(k_.tanh_one), b_.abs(x));  // NaN stays
    Value y = b_.mul(a, number(-2));
    auto [t, n, high, r] = reduce(y);
    Value tail = b_.fnma(n, number(k_.ln2[1]), b_.sub(high, r));
    Value scale = power_of_two(t), whole = b_.sub(number(1), scale);
    Value linear = b_.fnma(scale, r, whole), lost = b_.fnma(scale, r, b_.sub(whole, linear));
    Value curved = b_.fma(b_.mul(r, r), polynomial(k_.expm1, r), tail);
    Value lesser = b_.fnma(scale, curved, lost), u = b_.add(linear, lesser);
    Value q = b_.div(u, b_.sub(number(2), u));
    // The derivative is 2 / (2 - u)^2 = (1 + q)^2 / 2.
    Value root = b_.fma(q, number(0.70710678), number(0.70710678));
    q = b_.fma(b_.mul(root, root), b_.add(b_.sub(linear, u), lesser), q);
    Value sign = b_.bit_and(b_.bitcast(k_.bits, x), integer(sign_bit()));
    return b_.bit_or(q, b_.bitcast(k_.type, sign));
  }

  // By e = exp(-|x|), so that nothing overflows: 1 / (1 + e) or e / (1 + e). What rounding takes from e, 1 + e and the
  // quotient is kept.
  Value logistic(Value x) {
    Value y = b_.neg(b_.min(number(k_.exp_safe), b_.abs(x)));  // NaN stays
    auto [t, n, high, r] = reduce(y);
    Value less_one = b_.mul(b_.fma(polynomial(k_.exp, r), r, number(1)), r), p = b_.add(less_one, number(1));
    Value scale = power_of_two(t), e = b_.mul(p, scale);
    Value e_lost = b_.mul(b_.sub(less_one, b_.sub(p, number(1))), scale);
    Value below = b_.add(e, number(1)), below_lost = b_.add(b_.sub(e, b_.sub(below, number(1))), e_lost);
    Value right = b_.cmp(KCmp::ge, x, number(0));
    Value above = b_.select(right, number(1), e), above_lost = b_.select(right, number(0), e_lost);
    Value inverse = b_.div(number(1), below), q = b_.mul(above, inverse);
    Value lost = b_.add(b_.fnma(q, below, above), b_.fnma(q, below_lost, above_lost));
    q = b_.fma(lost, inverse, q);
    q = b_.select(b_.cmp(KCmp::le, x, number(-k_.exp_zero)), number(0), q);
    Value cold = b_.mand(b_.cmp(KCmp::lt, x, number(-k_.exp_safe)), b_.cmp(KCmp::gt, x, number(-k_.exp_zero)));
    return b_.fixup(KFn::logistic, q, x, cold);
  }

  Value number(double x) { return b_.number(k_.type, x); }

 private:
  static constexpr double kLog2e = 1.4426950408889634, kTwoOverPi = 0.6366197723675814;

  Value integer(int64_t x) { return b_.constant(k_.bits, static_cast<uint64_t>(x)); }
  int64_t sign_bit() const { return std::bit_cast<int64_t>(uint64_t{1} << (8 * bytes_of(k_.type) - 1)); }

  // x = n * ln2 + r, where high lacks the lower part of n * ln2; t = magic + bias + n.
  struct Reduced {
    Value t, n, high, r;
  };
  Reduced reduce(Value x) {
    Value shift = number(k_.magic + static_cast<double>(k_.bias));
    Value t = b_.fma(x, number(kLog2e), shift), n = b_.sub(t, shift);
    Value high = b_.fnma(n, number(k_.ln2[0]), x);
    return {t, n, high, b_.fnma(n, number(k_.ln2[1]), high)};
  }

  // 2^n for t = magic + bias + n: the low bits of t become the exponent.
  Value power_of_two(Value t) { return b_.bitcast(k_.type, b_.shl(b_.bitcast(k_.bits, t), k_.mantissa)); }

  Value polynomial(std::span<const double> c, Value x) {
    Value y = number(c.back());
    for (size_t i = c.size() - 1; i-- > 0;) y = b_.fma(y, x, number(c[i]));
    return y;
  }

  KernelBuilder& b_;
  const Constants& k_;
};

Value expand(KernelBuilder& b, KFn fn, Value x) {
  Expansion e(b, b.type(x));
  switch (fn) {
    case KFn::exp:
      return e.exp(x);
    case KFn::log:
      return e.log(x);
    case KFn::sin:
      return e.sine(x, false);
    case KFn::cos:
      return e.sine(x, true);
    case KFn::tanh:
      return e.tanh(x);
    case KFn::logistic:
      return e.logistic(x);
    default:
      internal_error("no expansion", name(fn));
  }
}

Value apply(KernelBuilder& b, KFn fn, Value x) { return b.out_of_line_math() ? b.call(fn, x) : expand(b, fn, x); }

template <class Int>
Int quotient(Int a, Int b) {
  if (b == 0) return 0;
  return b == -1 ? static_cast<Int>(-static_cast<std::make_unsigned_t<Int>>(a)) : a / b;
}

double libm_real(KFn fn, double x, double y) {
  switch (fn) {
    case KFn::exp:
      return std::exp(x);
    case KFn::log:
      return std::log(x);
    case KFn::sin:
      return std::sin(x);
    case KFn::cos:
      return std::cos(x);
    case KFn::tanh:
      return std::tanh(x);
    case KFn::logistic: {
      double e = std::exp(-std::abs(x));
      return (x >= 0 ? 1 : e) / (1 + e);
    }
    case KFn::pow:
      return std::pow(x, y);
    default:
      internal_error("not a function on floats", name(fn));
  }
}

template <class Int>
Int libm_integer(KFn fn, Int a, Int b) {
  using U = std::make_unsigned_t<Int>;
  Int q = quotient(a, b);
  return fn == KFn::idiv ? q : static_cast<Int>(static_cast<U>(a) - static_cast<U>(q) * static_cast<U>(b));
}

}  // namespace

Value exp(KernelBuilder& b, Value x) { return apply(b, KFn::exp, x); }
Value log(KernelBuilder& b, Value x) { return apply(b, KFn::log, x); }
Value sin(KernelBuilder& b, Value x) { return apply(b, KFn::sin, x); }
Value cos(KernelBuilder& b, Value x) { return apply(b, KFn::cos, x); }
Value tanh(KernelBuilder& b, Value x) { return apply(b, KFn::tanh, x); }
Value logistic(KernelBuilder& b, Value x) { return apply(b, KFn::logistic, x); }

Value rsqrt(KernelBuilder& b, Value x) { return b.div(b.number(b.type(x), 1), b.sqrt(x)); }

const Kernel& routine_body(KFn fn, KType type) {
  constexpr size_t count = static_cast<size_t>(KFn::logistic) + 1;
  static const auto* bodies = [] {
    auto* all = new std::array<std::array<Kernel, 2>, count>;
    for (size_t i = 0; i < count; ++i)
      for (KType t : {KType::f32, KType::f64}) {
        KernelBuilder b(1);
        b.output(expand(b, static_cast<KFn>(i), b.input(t)));
        (*all)[i][t == KType::f64] = std::move(b).finish();
      }
    return all;
  }();
  if (static_cast<size_t>(fn) >= count) internal_error("no routine", name(fn));
  return (*bodies)[static_cast<size_t>(fn)][type == KType::f64];
}

uint64_t libm(KFn fn, KType type, uint64_t x, uint64_t y) {
  switch (type) {
    case KType::i32:
      return static_cast<uint32_t>(libm_integer(fn, static_cast<int32_t>(x), static_cast<int32_t>(y)));
    case KType::i64:
      return static_cast<uint64_t>(libm_integer(fn, static_cast<int64_t>(x), static_cast<int64_t>(y)));
    case KType::f32: {
      auto real = [](uint64_t bits) { return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits))); };
      return std::bit_cast<uint32_t>(static_cast<float>(libm_real(fn, real(x), real(y))));
    }
    case KType::f64:
      return std::bit_cast<uint64_t>(libm_real(fn, std::bit_cast<double>(x), std::bit_cast<double>(y)));
    case KType::none:
    case KType::scalar:
    case KType::mask:
      break;
  }
  internal_error("a type of numbers", name(type));
}

}  // namespace jot::cpu
