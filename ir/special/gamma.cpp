#include "ir/special/special.h"

#include <cmath>
#include <limits>

namespace jot::ir::special {

namespace {

constexpr long double kPi = 3.14159265358979323846264338327950288L;
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
  // The terms of negative numbers are those of positive ones, but for the sign. Beside the poles both distances to the
  // next integers are exact, or 1 less what is.
  const long double below = std::floor(static_cast<long double>(q)), f = q - below, rest = below + 1 - q;
  const long double negative = positive_zeta(s, rest) - positive_zeta(s, rest - below);
  return positive_zeta(s, f) + (std::fmod(s, 2) == 0 ? negative : -negative);
}

long double polygamma(double n, double x) {
  if (!(n >= 0) || n != std::floor(n)) return kNan;
  if (n == 0) return digamma(x);
  const long double y = tgammal(n + 1) * zeta(n + 1, x);
  return std::fmod(n, 2) == 0 ? -y : y;
}

}  // namespace jot::ir::special
