#include "ir/ops/special.h"

#include <cmath>
#include <limits>

namespace jot::ir::special {

namespace {

constexpr long double kPi = 3.14159265358979323846264338327950288L;
constexpr long double kRootPi = 1.77245385090551602729816748334114518L;
constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();
// Bernoulli numbers B2, B4, ...
constexpr long double kBernoulli[] = {1.0L / 6,       -1.0L / 30,       1.0L / 42,       -1.0L / 30,
                                      5.0L / 66,      -691.0L / 2730,   7.0L / 6,        -3617.0L / 510,
                                      43867.0L / 798, -174611.0L / 330, 854513.0L / 138, -236364091.0L / 2730};

// q > 0. Euler and Maclaurin (Abramowitz and Stegun 23.2.5), from where its terms fall.
long double positive_zeta(long double s, long double q) {
  long double sum = 0, a = q;
  const long double from = 16 + s / 2;
  while (a < from) {
    const long double term = powl(a, -s);
    sum += term;
    a += 1;
    if (term < sum * 0x1p-70L) return sum;
  }
  const long double power = powl(a, -s);
  sum += power * (a / (s - 1) + 0.5L);
  long double factor = s * power / a, divisor = 2;  // s (s + 1) ... a^-(s + 2j - 1) / (2j)!
  for (int j = 0; j < 12; ++j) {
    const long double term = kBernoulli[j] * factor / divisor;
    sum += term;
    if (std::abs(term) < std::abs(sum) * 0x1p-70L) break;
    const int k = 2 * j + 1;
    factor *= (s + k) * (s + k + 1) / (a * a);
    divisor *= static_cast<long double>(k + 2) * (k + 3);
  }
  return sum;
}

// exp(-x) I_n(x) for x >= 0 and n = 0 or 1: Abramowitz and Stegun 9.6.10 and 9.7.1.
long double bessel_ie(int n, long double x) {
  if (x < 36) {
    long double term = n == 0 ? 1 : x / 2, sum = term, square = x * x / 4;
    for (int k = 1; term > sum * 0x1p-70L; ++k) sum += term *= square / (static_cast<long double>(k) * (k + n));
    return sum * expl(-x);
  }
  long double term = 1, sum = 1;
  for (int k = 1; k < 60 && std::abs(term) > 0x1p-70L; ++k)
    sum += term *= ((2 * k - 1) * (2 * k - 1) - 4 * n * n) / (8 * x * k);
  return sum / sqrtl(2 * kPi * x);
}

}  // namespace

double lgamma(double x) {
  int sign;
  return ::lgamma_r(x, &sign);
}

double digamma(double given) {
  if (given == 0) return std::signbit(given) ? kInf : -kInf;
  if (std::isinf(given)) return given > 0 ? given : kNan;
  long double x = given, rest = 0;
  if (given < 0) {
    const long double fraction = x - std::floor(x);
    if (fraction == 0) return kNan;
    rest = -kPi / tanl(kPi * fraction);
    x = 1 - x;
  }
  for (; x < 16; x += 1) rest -= 1 / x;
  long double sum = 0, power = 1, square = 1 / (x * x);  // 6.3.18
  for (int k = 1; k <= 12; ++k) sum += kBernoulli[k - 1] / (2 * k) * (power *= square);
  return static_cast<double>(logl(x) - 1 / (2 * x) - sum + rest);
}

double zeta(double s, double q) {
  if (s < 1 || std::isnan(s) || std::isnan(q)) return kNan;
  if (s == 1) return kInf;
  if (q > 0) return q == kInf ? 0 : static_cast<double>(positive_zeta(s, q));
  if (q == std::floor(q)) return kInf;
  if (s != std::floor(s)) return kNan;
  // The terms of negative numbers are those of positive ones, but for the sign.
  const long double below = std::floor(static_cast<long double>(q)), f = q - below;
  const long double negative = positive_zeta(s, 1 - f) - positive_zeta(s, 1 - f - below);
  return static_cast<double>(positive_zeta(s, f) + (std::fmod(s, 2) == 0 ? negative : -negative));
}

double erf_inv(double x) {
  if (!(std::abs(x) < 1)) return std::abs(x) == 1 ? x * kInf : kNan;
  const long double size = std::abs(static_cast<long double>(x)), rest = 1 - size;
  if (size < 1e-10L) return static_cast<double>(x * (kRootPi / 2));
  // Winitzki's estimate, then Halley's steps, of erfc where that is exact.
  const long double l = logl(rest * (1 + size)), b = 2 / (kPi * 0.147L) + l / 2;
  long double y = sqrtl(sqrtl(b * b - l / 0.147L) - b);
  for (int i = 0; i < 4; ++i) {
    const long double error = size < 0.5L ? erfl(y) - size : rest - erfcl(y);
    const long double step = error / (2 / kRootPi * expl(-y * y));
    y -= step / (1 + y * step);
  }
  return static_cast<double>(std::copysign(y, static_cast<long double>(x)));
}

double erfcx(double given) {
  const long double x = given;
  if (given < 25) return given < -27 ? kInf : static_cast<double>(expl(x * x) * erfcl(x));
  long double term = 1, sum = 1;  // 7.1.23
  for (int k = 1; k < 12; ++k) sum += term *= -(2 * k - 1) / (2 * x * x);
  return static_cast<double>(sum / (x * kRootPi));
}

double bessel_i0e(double x) { return std::isinf(x) ? 0 : static_cast<double>(bessel_ie(0, std::abs(x))); }
double bessel_i1e(double x) {
  return std::isinf(x) ? std::copysign(0.0, x) : std::copysign(static_cast<double>(bessel_ie(1, std::abs(x))), x);
}

}  // namespace jot::ir::special
