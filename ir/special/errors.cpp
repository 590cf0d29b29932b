#include <cmath>
#include <limits>

#include "ir/special/special.h"

namespace jot::ir::special {

namespace {

constexpr long double kPi = 3.14159265358979323846264338327950288L;
constexpr long double kRootPi = 1.77245385090551602729816748334114518L, kRoot2 = 1.41421356237309504880168872420969808L;
constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

// Winitzki's estimate of the inverse of erf, where erf is `size` and erfc `rest`.
long double erf_inv_estimate(long double size, long double rest) {
  const long double l = logl(rest * (1 + size)), b = 2 / (kPi * 0.147L) + l / 2;
  return sqrtl(sqrtl(b * b - l / 0.147L) - b);
}

// Of 0 < rest < 1/2: by Newton's steps for the logarithm of erfc.
long double erfc_inv(long double rest) {
  long double y = erf_inv_estimate(1 - rest, rest);
  for (int i = 0; i < 6; ++i) {
    const long double tail = erfcl(y);
    y += logl(tail / rest) * tail * (kRootPi / 2) * expl(y * y);
  }
  return y;
}

}  // namespace

long double erf(double x) { return erfl(x); }
long double erfc(double x) { return erfcl(x); }

long double erf_inv(double x) {
  if (!(std::abs(x) < 1)) return std::abs(x) == 1 ? x * kInf : kNan;
  const long double size = std::abs(static_cast<long double>(x)), rest = 1 - size;
  if (size < 1e-10L) return x * (kRootPi / 2);
  // Halley's steps, of erfc where that is exact.
  long double y = erf_inv_estimate(size, rest);
  for (int i = 0; i < 4; ++i) {
    const long double error = size < 0.5L ? erfl(y) - size : rest - erfcl(y);
    const long double step = error / (2 / kRootPi * expl(-y * y));
    y -= step / (1 + y * step);
  }
  return std::copysign(y, static_cast<long double>(x));
}

long double erfcx(double given) {
  const long double x = given;
  const long double square = x * x;
  if (given < 25) return given < -27 ? kInf : expl(square) * (1 + fmal(x, x, -square)) * erfcl(x);
  long double term = 1, sum = 1;  // 7.1.23
  for (int k = 1; k < 12; ++k) sum += term *= -(2 * k - 1) / (2 * square);
  return sum / (x * kRootPi);
}

// The tail as exp(-x^2 / 2) erfcx(-x / sqrt(2)) / 2: rounding of the square is kept.
long double ndtr(double x) {
  if (x > -2) return erfcl(-x / kRoot2) / 2;
  if (x < -40) return 0;
  const long double square = static_cast<long double>(x) * x, lost = fmal(x, x, -square), y = -x / kRoot2;
  return expl(-square / 2) * (1 - lost / 2) * (expl(y * y) * erfcl(y)) / 2;
}

long double ndtri(double p) {
  if (!(p > 0 && p < 1)) return p == 0 ? -kInf : p == 1 ? kInf : kNan;
  if (p < 0.25) return -kRoot2 * erfc_inv(2 * static_cast<long double>(p));
  return p <= 0.75 ? kRoot2 * erf_inv(2 * p - 1) : kRoot2 * erfc_inv(2 * (1 - static_cast<long double>(p)));
}

}  // namespace jot::ir::special
