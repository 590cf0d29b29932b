#include <cmath>
#include <limits>

#include "ir/special/special.h"

namespace jot::ir::special {

namespace {

constexpr long double kPi = 3.14159265358979323846264338327950288L, kEuler = 0.577215664901532860606512090082402431L;
constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

// The sum of a_k(n) (sign / x)^k (DLMF 10.40.1 and 2).
long double expansion(int n, int sign, long double x) {
  long double term = 1, sum = 1;
  for (int k = 1; k < 60 && std::abs(term) > 0x1p-70L; ++k)
    sum += term *= sign * (4 * n * n - (2 * k - 1) * (2 * k - 1)) / (8 * x * k);
  return sum;
}

// exp(-x) I_n(x) for x >= 0 and n = 0 or 1: Abramowitz and Stegun 9.6.10 and 9.7.1.
long double bessel_ie(int n, long double x) {
  if (x >= 36) return expansion(n, -1, x) / sqrtl(2 * kPi * x);
  long double term = n == 0 ? 1 : x / 2, sum = term, square = x * x / 4;
  for (int k = 1; term > sum * 0x1p-70L; ++k) sum += term *= square / (static_cast<long double>(k) * (k + n));
  return sum * expl(-x);
}

struct Pair {
  long double zero, one;
};

// exp(x) K0(x) and exp(x) K1(x), of x > 0: up to 2 the series 9.6.13 and 9.6.11, up to 36 Temme's continued fraction
// ("On the numerical evaluation of the modified Bessel function of the third kind", 1975).
Pair bessel_ke(long double x) {
  if (x <= 2) {
    // The sums of (x^2/4)^k / k!^2 and / (k! (k + 1)!), of themselves and times psi(k + 1), psi(k + 1) + psi(k + 2).
    const long double square = x * x / 4, log = logl(x / 2);
    long double power = 1, psi = -kEuler, i0 = 0, from_psi0 = 0, i1 = 0, from_psi1 = 0;
    for (int k = 0; k < 40; ++k) {
      const long double next = psi + 1.0L / (k + 1);
      i0 += power, from_psi0 += power * psi;
      i1 += power / (k + 1), from_psi1 += power / (k + 1) * (psi + next);
      power *= square / (static_cast<long double>(k + 1) * (k + 1));
      psi = next;
    }
    const long double scale = expl(x);
    return {scale * (from_psi0 - log * i0), scale * (1 / x + x / 2 * (log * i1 - from_psi1 / 2))};
  }
  if (x >= 36) {
    const long double leading = sqrtl(kPi / (2 * x));
    return {leading * expansion(0, 1, x), leading * expansion(1, 1, x)};
  }
  // z1/z0 of the confluent function U by Steed's forward steps, and Temme's sum of the same terms.
  long double b = 2 * (1 + x), d = 1 / b, step = d, fraction = d, a = -0.25L;
  long double before = 0, last = 1, c = 0.25L, weights = c, sum = 1 + weights * step;
  for (int k = 2; k < 10'000; ++k) {
    a -= 2 * (k - 1);
    c *= -a / k;
    const long double next = (before - b * last) / a;
    before = last, last = next;
    weights += c * next;
    b += 2;
    d = 1 / (b + a * d);
    step *= b * d - 1;
    fraction += step;
    const long double term = weights * step;
    sum += term;
    if (std::abs(term) < std::abs(sum) * 0x1p-68L) break;
  }
  const long double k0 = sqrtl(kPi / (2 * x)) / sum;
  return {k0, k0 * (x + 0.5L - 0.25L * fraction) / x};
}

// Of an x >= 0 that is finite: f; at infinity 0.
template <class F>
long double positive(double x, double at_zero, F f) {
  if (std::isnan(x) || x < 0) return kNan;
  return x == 0 ? at_zero : std::isinf(x) ? 0 : f(static_cast<long double>(x));
}

}  // namespace

long double bessel_i0e(double x) { return std::isinf(x) ? 0 : bessel_ie(0, std::abs(x)); }
long double bessel_i1e(double x) {
  return std::copysign(std::isinf(x) ? 0 : bessel_ie(1, std::abs(x)), static_cast<long double>(x));
}
long double bessel_i0(double x) {
  const long double size = std::abs(x);
  return std::isinf(x) ? kInf : bessel_ie(0, size) * expl(size);
}
long double bessel_i1(double x) {
  const long double size = std::abs(x);
  return std::copysign(std::isinf(x) ? kInf : bessel_ie(1, size) * expl(size), static_cast<long double>(x));
}

long double bessel_k0e(double x) {
  return positive(x, kInf, [](long double y) { return bessel_ke(y).zero; });
}
long double bessel_k1e(double x) {
  return positive(x, kInf, [](long double y) { return bessel_ke(y).one; });
}

// C's in the wider format: absolute errors beside the zeros far below an ulp of double.
long double bessel_j0(double x) { return std::isinf(x) ? 0 : j0l(x); }
long double bessel_j1(double x) { return std::isinf(x) ? 0 : j1l(x); }
long double bessel_y0(double x) {
  return positive(x, -kInf, [](long double y) { return y0l(y); });
}
long double bessel_y1(double x) {
  return positive(x, -kInf, [](long double y) { return y1l(y); });
}

}  // namespace jot::ir::special
