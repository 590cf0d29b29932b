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
    if (term <= sum * 0x1p-70L) return sum;  // both may be 0, or infinite
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

constexpr long double kRoot = 1.46163214496836234128091663864L;  // of digamma: the first 64 bits, and the rest
constexpr long double kRootRest = -1.8257096315963484215e-20L;

// Digamma near its root as the difference with its value there, every term of which has the factor d = x - root.
long double digamma_near_root(long double x) {
  const long double d = (x - kRoot) - kRootRest;
  long double sum = 0, a = x, b = kRoot;
  for (; b < 16; a += 1, b += 1) sum += d / (a * b);
  sum += log1pl(d / b) + d / (2 * a * b);
  const long double first = -d * (a + b) / (a * a * b * b);  // a^-2 - b^-2
  long double difference = first, power = 1 / (b * b);
  for (int k = 1; k <= 12; ++k) {
    sum -= kBernoulli[k - 1] / (2 * k) * difference;
    difference = difference / (a * a) + power * first;  // a^-(2k+2) - b^-(2k+2)
    power /= b * b;
  }
  return sum;
}

}  // namespace

long double lgamma(double x) {
  int sign;
  return ::lgammal_r(x, &sign);
}

long double digamma(double given) {
  if (given == 0) return std::signbit(given) ? kInf : -kInf;
  if (std::isinf(given)) return given > 0 ? given : kNan;
  if (std::abs(given - 1.46) < 0.4) return digamma_near_root(given);
  long double x = given, rest = 0;
  if (given < 0) {
    const long double fraction = x - std::round(x);
    if (fraction == 0) return kNan;
    rest = -kPi / tanl(kPi * fraction);
    x = 1 - x;
  }
  for (; x < 16; x += 1) rest -= 1 / x;
  long double sum = 0, power = 1, square = 1 / (x * x);  // 6.3.18
  for (int k = 1; k <= 12; ++k) sum += kBernoulli[k - 1] / (2 * k) * (power *= square);
  return logl(x) - 1 / (2 * x) - sum + rest;
}

long double zeta(double s, double q) {
  if (s < 1 || std::isnan(s) || std::isnan(q)) return kNan;
  if (s == 1) return kInf;
  if (q > 0) return q == kInf ? 0 : positive_zeta(s, q);
  if (q == std::floor(q)) return kInf;
  if (s != std::floor(s)) return kNan;
  // The terms of negative numbers are those of positive ones, but for the sign.
  const long double below = std::floor(static_cast<long double>(q)), f = q - below;
  const long double negative = positive_zeta(s, 1 - f) - positive_zeta(s, 1 - f - below);
  return positive_zeta(s, f) + (std::fmod(s, 2) == 0 ? negative : -negative);
}

long double erf_inv(double x) {
  if (!(std::abs(x) < 1)) return std::abs(x) == 1 ? x * kInf : kNan;
  const long double size = std::abs(static_cast<long double>(x)), rest = 1 - size;
  if (size < 1e-10L) return x * (kRootPi / 2);
  // Winitzki's estimate, then Halley's steps, of erfc where that is exact.
  const long double l = logl(rest * (1 + size)), b = 2 / (kPi * 0.147L) + l / 2;
  long double y = sqrtl(sqrtl(b * b - l / 0.147L) - b);
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

long double bessel_i0e(double x) { return std::isinf(x) ? 0 : bessel_ie(0, std::abs(x)); }
long double bessel_i1e(double x) {
  return std::copysign(std::isinf(x) ? 0 : bessel_ie(1, std::abs(x)), static_cast<long double>(x));
}

}  // namespace jot::ir::special
