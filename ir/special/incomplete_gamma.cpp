// The incomplete gamma function and its derivatives by both arguments: the power series, the continued fraction of
// Legendre (DLMF 8.7.1, 8.9.2), for small x the series of what is left to 1, for great a Temme's uniform expansion
// (Gil, Segura and Temme, "Efficient and accurate algorithms for the computation and inversion of the incomplete gamma
// function ratios", 2012), chosen about as by Didonato and Morris (1986). Derivatives by a are those of the expansions.
#include <array>
#include <cmath>
#include <limits>

#include "ir/special/jet.h"
#include "ir/special/special.h"

namespace jot::ir::special {

namespace {

using std::erfc, std::exp, std::expm1, std::log, std::log1p, std::sqrt;

constexpr long double kPi = 3.14159265358979323846264338327950288L,
                      kHalfLogTwoPi = 0.918938533204672741780329736405617640L;
constexpr long double kEuler = 0.577215664901532860606512090082402431L;
constexpr long double kInf = std::numeric_limits<long double>::infinity();
constexpr long double kNan = std::numeric_limits<long double>::quiet_NaN();
constexpr long double kTiny = 0x1p-72L;
constexpr int kMaxTerms = 100'000;

// (mu - log(1 + mu)) / mu^2 of |mu| < 1/2: with r = mu / (2 + mu), log(1 + mu) is 2 atanh(r).
template <class T>
T log_deficit(const T& mu) {
  const T below = 2.0L + mu, r = mu / below, square = r * r;
  T sum = 0.0L, power = 1.0L;
  for (int k = 3; k < 60 && size(power) > kTiny; k += 2) {
    sum = sum + power / static_cast<long double>(k);
    power = power * square;
  }
  return (1.0L - 2.0L * r / below * sum) / below;
}

// log gamma(z) - (z - 1/2) log(z) + z - log(2 pi) / 2 of z >= 16 (DLMF 5.11.1).
template <class T>
T stirling(const T& z) {
  constexpr long double c[] = {1.0L / 12,         -1.0L / 360,        1.0L / 1260, -1.0L / 1680,
                               1.0L / 1188,       -691.0L / 360360,   1.0L / 156,  -3617.0L / 122400,
                               43867.0L / 244188, -174611.0L / 125400};
  const T inverse = 1.0L / z, square = inverse * inverse;
  T sum = c[9];
  for (int k = 8; k >= 0; --k) sum = sum * square + c[k];
  return sum * inverse;
}

// zeta(k) - 1 for k = 2, 3, ...
const std::array<long double, 64>& zeta_less_one() {
  static const std::array<long double, 64> all = [] {
    std::array<long double, 64> z{};
    for (int k = 2; k < 64; ++k) z[static_cast<size_t>(k)] = zeta(k, 2);
    return z;
  }();
  return all;
}

// log gamma(1 + a), to its last digits near 0 (DLMF 5.7.3).
template <class T>
T log_gamma_next(const T& a) {
  if (value(a) < 0.5L) {
    T sum = 0.0L, power = a;
    for (int k = 2; k < 64 && size(power) > kTiny * value(a); ++k) {
      power = -(power * a);
      sum = sum - zeta_less_one()[static_cast<size_t>(k)] / k * power;
    }
    return sum + a * (1 - kEuler) - log1p(a);
  }
  T z = a + 1.0L, product = 1.0L;
  for (; value(z) < 16; z = z + 1.0L) product = product * z;
  return (z - 0.5L) * log(z) - z + kHalfLogTwoPi + stirling(z) - log(product);
}

// x^a exp(-x) / gamma(a + 1).
template <class T>
T front(const T& a, long double x) {
  if (value(a) < 16) return exp(a * std::log(x) - x - log_gamma_next(a));
  const T ratio = x / a, mu = (x - a) / a;
  const T deficit = std::abs(value(mu)) < 0.4L ? mu * mu * log_deficit(mu) : mu - log(ratio);
  return exp(-(a * deficit) - stirling(a)) / sqrt(2 * kPi * a);
}

// P over the front.
template <class T>
T lower_series(const T& a, long double x) {
  T term = 1.0L, sum = 1.0L, below = a;
  for (int k = 1; k < kMaxTerms && size(term) > kTiny * size(sum); ++k) {
    below = below + 1.0L;
    term = term * (x / below);
    sum = sum + term;
  }
  return sum;
}

// Q over a times the front, by the modified algorithm of Lentz.
template <class T>
T upper_fraction(const T& a, long double x) {
  T b = x + 1.0L - a, c = 1e300L, d = 1.0L / b, h = d;
  for (int i = 1; i < kMaxTerms; ++i) {
    const T factor = static_cast<long double>(i) * (a - static_cast<long double>(i));
    b = b + 2.0L;
    d = 1.0L / (factor * d + b);
    c = b + factor / c;
    const T change = c * d;
    h = h * change;
    if (size(change - 1.0L) < kTiny) break;
  }
  return h;
}

// Q for x up to about 1: what is left where P is near 1.
template <class T>
T upper_series(const T& a, long double x) {
  const T u = a * std::log(x) - log_gamma_next(a);
  T sum = 0.0L;
  long double term = 1;
  for (int n = 1; n < 60 && std::abs(term) > kTiny; ++n) {
    term *= -x / n;
    sum = sum + term / (a + static_cast<long double>(n));
  }
  return -expm1(u) - exp(u) * a * sum;
}

// The coefficients of eta / (lambda - 1), where eta^2 / 2 = lambda - 1 - log(lambda), in powers of eta. First those of
// lambda - 1, by the recurrence that follows from eta lambda = (lambda - 1) lambda'.
constexpr int kTemmeTerms = 40;
constexpr std::array<long double, kTemmeTerms> kTemme = [] {
  std::array<long double, kTemmeTerms + 2> alpha{};
  alpha[1] = 1;
  for (size_t n = 2; n <= kTemmeTerms; ++n) {
    long double sum = alpha[n - 1];
    for (size_t k = 2; k < n; ++k) sum -= static_cast<long double>(k) * alpha[k] * alpha[n - k + 1];
    alpha[n] = sum / static_cast<long double>(n + 1);
  }
  std::array<long double, kTemmeTerms> f{};
  f[0] = 1;
  for (size_t n = 1; n < kTemmeTerms; ++n)
    for (size_t k = 1; k <= n; ++k) f[n] -= alpha[k + 1] * f[n - k];
  return f;
}();

// P or Q of a >= 25 and |x / a - 1| < 0.4: half of erfc(-+y), y = eta sqrt(a / 2), and a series in eta.
template <class T>
T uniform(const T& a, long double x, bool upper) {
  const T mu = (x - a) / a, eta = mu * sqrt(2.0L * log_deficit(mu)), y = eta * sqrt(a / 2.0L);
  T after = 0.0L, next = 0.0L, sum = 0.0L, star = 1.0L;  // beta n + 1, beta n
  for (int n = kTemmeTerms - 1; n >= 1; --n) {
    const T beta = kTemme[static_cast<size_t>(n)] + static_cast<long double>(n + 1) / a * after;  // of n - 1
    after = next, next = beta;
    sum = sum * eta + beta;
  }
  star = 1.0L + after / a;  // gamma(a) over its leading term
  const T rest = exp(-(y * y)) * sum / (star * sqrt(2 * kPi * a));
  return upper ? 0.5L * erfc(y) + rest : 0.5L * erfc(-y) - rest;
}

enum class Way { lower_series, upper_fraction, uniform };
Way way(long double a, long double x) {
  if (a >= 25 && std::abs((x - a) / a) < 0.4L) return Way::uniform;
  return x < 1.1L || x < a + 1 ? Way::lower_series : Way::upper_fraction;
}

template <class T>
T lower(const T& a, long double x) {
  switch (way(value(a), x)) {
    case Way::uniform:
      return uniform(a, x, false);
    case Way::lower_series:
      return front(a, x) * lower_series(a, x);
    case Way::upper_fraction:
      break;
  }
  return 1.0L - front(a, x) * a * upper_fraction(a, x);
}

long double upper(long double a, long double x) {
  switch (way(a, x)) {
    case Way::uniform:
      return uniform(a, x, true);
    case Way::lower_series:
      return x < 1.1L && a < 2 ? upper_series(a, x) : 1 - front(a, x) * lower_series(a, x);
    case Way::upper_fraction:
      break;
  }
  return front(a, x) * a * upper_fraction(a, x);
}

// P where an argument is 0, infinite or none; else -1.
long double at_edge(double a, double x) {
  if (!(a >= 0 && x >= 0)) return kNan;
  if (a == 0) return x > 0 ? 1 : kNan;
  if (x == 0) return 0;
  if (std::isinf(a)) return std::isinf(x) ? kNan : 0;
  return std::isinf(x) ? 1 : -1;
}

Jet by_a(double a, double x) { return lower(Jet(a, 1), x); }

}  // namespace

long double igamma(double a, double x) {
  const long double edge = at_edge(a, x);
  return edge == -1 ? lower<long double>(a, x) : edge;
}

long double igammac(double a, double x) {
  const long double edge = at_edge(a, x);
  return edge == -1 ? upper(a, x) : 1 - edge;
}

// At a = 0 the derivative is -E1(x), which the series for a small a has.
long double igamma_grad_a(double a, double x) {
  const long double edge = at_edge(a, x);
  if (a == 0 && edge == 1) return std::isinf(x) ? 0 : std::expint(-static_cast<long double>(x));
  return edge == -1 ? by_a(a, x).d : edge * 0;
}

long double igamma_grad_aa(double a, double x) {
  const long double edge = at_edge(a, x);
  if (a == 0 && edge == 1 && !std::isinf(x)) return by_a(std::numeric_limits<double>::min(), x).e;
  return edge == -1 ? by_a(a, x).e : edge * 0;
}

long double gamma_density(double a, double x) {
  const long double edge = at_edge(a, x);
  if (edge == -1) return front<long double>(a, x) * (static_cast<long double>(a) / x);
  if (x == 0 && a > 0) return a < 1 ? kInf : a == 1 ? 1 : 0;
  return edge * 0;
}

}  // namespace jot::ir::special
