// What the expansions of elementary functions share: constants by type, and reductions of arguments.
#pragma once
#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include "backends/cpu/kernel/math.h"
#include "backends/cpu/kernel/math_rows.h"
#include "backends/cpu/ops/cpu_ops.h"

namespace jot::cpu {

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
extern const Constants kF32, kF64;

// What expansions for one builder and type share.
class Expansion {
 public:
  using Value = uint32_t;
  Expansion(KernelBuilder& builder, KType type) : b(builder), k(type == KType::f64 ? kF64 : kF32) {}
  KernelBuilder& b;
  const Constants& k;

  // The function of x, and y, where the mask holds; `fast` elsewhere.
  Value repaired(ir::Op op, Value fast, Value x, Value where, Value y = kNone) const;

  Value number(double x) const { return b.number(k.type, x); }

  static constexpr double kLog2e = 1.4426950408889634, kTwoOverPi = 0.6366197723675814;

  Value integer(int64_t x) const { return b.constant(k.bits, static_cast<uint64_t>(x)); }
  int64_t sign_bit() const { return std::bit_cast<int64_t>(uint64_t{1} << (8 * bytes_of(k.type) - 1)); }

  // x = n * ln2 + r, where high lacks the lower part of n * ln2; t = magic + bias + n.
  struct Reduced {
    Value t, n, high, r;
  };
  Reduced reduce(Value x) const {
    Value shift = number(k.magic + static_cast<double>(k.bias));
    Value t = b.fma(x, number(kLog2e), shift), n = b.sub(t, shift);
    Value high = b.fnma(n, number(k.ln2[0]), x);
    return {t, n, high, b.fnma(n, number(k.ln2[1]), high)};
  }

  // 2^n for t = magic + bias + n: the low bits of t become the exponent.
  Value power_of_two(Value t) const { return b.bitcast(k.type, b.shl(b.bitcast(k.bits, t), k.mantissa)); }
  // y 2^n, of biased = n + bias from -bias to 2 bias: infinite where that is too large, rounded once where it is
  // denormal. Of t as above, too.
  Value scaled(Value y, Value biased) const {
    Value twice = b.add(biased, integer(k.bias)), half = b.shr(twice, 1);
    auto power = [&](Value exponent) { return b.bitcast(k.type, b.shl(exponent, k.mantissa)); };
    return b.mul(b.mul(y, power(half)), power(b.sub(twice, half)));
  }
  Value scaled_by(Value y, Value t) const {
    return scaled(y, b.sub(b.bitcast(k.bits, t), b.bitcast(k.bits, number(k.magic))));
  }

  Value polynomial(std::span<const double> c, Value x) const {
    Value y = number(c.back());
    for (size_t i = c.size() - 1; i-- > 0;) y = b.fma(y, x, number(c[i]));
    return y;
  }
  Value polynomial(std::span<const double> wide, std::span<const double> narrow, Value x) const {
    return polynomial(is_wide() ? wide : narrow, x);
  }
  bool is_wide() const { return k.type == KType::f64; }
  // The sign bit of x, as a float; y with it.
  Value sign(Value x) const { return b.bit_and(x, b.bitcast(k.type, integer(sign_bit()))); }
  Value with_sign_of(Value y, Value x) const { return b.bit_or(y, sign(x)); }

  Value is_normal(Value x) const {  // and positive and finite
    return b.mand(b.cmp(KCmp::ge, x, number(std::ldexp(1.0, 1 - static_cast<int>(k.bias)))),
                  b.cmp(KCmp::lt, x, number(std::numeric_limits<double>::infinity())));
  }

  // x = m * 2^power with m in [sqrt(1/2), sqrt(2)), of a normal x > 0: f = m - 1.
  struct Logarithm {
    Value power, f;
  };
  Logarithm reduce_log(Value x, Value lift = kNone) const;  // of x 2^-lift
  // A positive x that is denormal times 2^54, and 54; else x and 0. Of f64.
  struct Lifted {
    Value x, lift;
  };
  Lifted lifted(Value x) const;
  Value log_limits(Value y, Value x) const;  // y, the logarithm, or what it is of x <= 0, infinity and NaN
  int64_t root_half() const { return is_wide() ? 0x3fe6a09e667f3bcd : 0x3f3504f3; }  // sqrt(1/2)
  Value shifted(Value x) const { return b.add(b.bitcast(k.bits, x), integer((k.bias << k.mantissa) - root_half())); }
  Value biased_exponent(Value x) const { return b.shr(shifted(x), k.mantissa); }  // power + bias
  Value log_rest(Value f) const;                                                  // log(1 + f) - f
  Value log1p_core(Value x) const;                                                // log(1 + x) of a finite x > -1
  // exp(x) - 1 of an |x| up to exp_safe, in two parts.
  struct TwoParts {
    Value high, low;
  };
  TwoParts expm1_parts(Value x) const;
  Value log_core(Value x, Value lift = kNone) const;  // of a normal x > 0, times 2^-lift
  // exp(x + lost) = scale (1 + rest), for an |x| up to exp_safe. Beyond, to 800, scale is that of `scaled_by` t.
  struct Growth {
    Value scale, rest, t;
  };
  Value rare_exp(Value x, int less = 0) const;  // exp(x) / 2^less of any x, of f64
  Value bounded(Value x) const { return b.min(number(800), b.max(number(-800), x)); }  // NaN stays
  Growth growth(Value x, Value lost) const;
  // What is left of |x| beyond a multiple of pi/2, in two parts; the low bits of the quadrant count multiples.
  struct Turn {
    Value r, lost, quadrant;
  };
  Turn far_turn(Value x) const;  // of a finite |x| > trig_safe of f64: math_far_angles.cpp
  struct Circle {
    Value s, c;
  };
  Circle sine_and_cosine(Value r, Value lost) const;  // of r + lost, |r| at most about pi/4
  // The angle of the point (x, y), as atan2, without its special values.
  Value angle(Value y, Value x) const;

  // Functions by pieces (math_rows.h): which of eight, and how far from its middle.
  struct Piece {
    Value index, t;
  };
  // 0 <= x <= 7.5 widths: middles are multiples of the width.
  Piece uniform_piece(Value x, double width) const;
  // 0 <= x <= 30: each octave of x + 2 in two halves.
  Piece octave_piece(Value x) const;
  const Rows& rows(const RowsOf& of) const { return is_wide() ? of.f64 : of.f32; }
  Value entry(const RowsOf& of, int row, Value index) const { return b.lookup(k.type, rows(of).first + row, index); }
  // The polynomial of the rows from `first` on.
  Value piecewise(const RowsOf& of, Piece p, int first = 0) const {
    int i = rows(of).count - 1;
    Value y = entry(of, i, p.index);
    while (i-- > first) y = b.fma(y, p.t, entry(of, i, p.index));
    return y;
  }
  // The same of rows whose first two are parts of the value in the middle: high is the greater of these.
  TwoParts piecewise_parts(const RowsOf& of, Piece p) const {
    return {entry(of, 1, p.index), b.fma(piecewise(of, p, 2), p.t, entry(of, 0, p.index))};
  }
};

// Tables of functions, by file.
void define_function(CpuTable& table, ir::Op op, const Function& f);
void define_exponential_functions(CpuTable& table);
void define_angle_functions(CpuTable& table);
void define_special_functions(CpuTable& table);
void define_gamma_functions(CpuTable& table);
void define_power_functions(CpuTable& table);
}  // namespace jot::cpu
