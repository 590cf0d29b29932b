// A function's value with its first two derivatives by one variable: Taylor arithmetic, for derivatives of series and
// continued fractions by a parameter (Moore, "Algorithm AS 187: derivatives of the incomplete gamma integral", 1982,
// differentiates the same expansions by hand).
#pragma once
#include <cmath>

namespace jot::ir::special {

struct Jet {
  long double v, d = 0, e = 0;
  Jet(long double value, long double first = 0, long double second = 0)  // NOLINT: a constant is one
      : v(value), d(first), e(second) {}
  // f of it, where f and its derivatives at v are given.
  Jet through(long double f, long double f1, long double f2) const { return {f, f1 * d, f2 * d * d + f1 * e}; }
};

inline Jet operator+(const Jet& x, const Jet& y) { return {x.v + y.v, x.d + y.d, x.e + y.e}; }
inline Jet operator-(const Jet& x, const Jet& y) { return {x.v - y.v, x.d - y.d, x.e - y.e}; }
inline Jet operator-(const Jet& x) { return {-x.v, -x.d, -x.e}; }
inline Jet operator*(const Jet& x, const Jet& y) {
  return {x.v * y.v, x.d * y.v + x.v * y.d, x.e * y.v + 2 * x.d * y.d + x.v * y.e};
}
inline Jet operator/(const Jet& x, const Jet& y) {
  const long double q = 1 / y.v;
  return x * y.through(q, -q * q, 2 * q * q * q);
}
inline Jet exp(const Jet& x) {
  const long double y = std::exp(x.v);
  return x.through(y, y, y);
}
inline Jet expm1(const Jet& x) {
  const long double y = std::exp(x.v);
  return x.through(std::expm1(x.v), y, y);
}
inline Jet log(const Jet& x) { return x.through(std::log(x.v), 1 / x.v, -1 / (x.v * x.v)); }
inline Jet log1p(const Jet& x) {
  const long double q = 1 / (1 + x.v);
  return x.through(std::log1p(x.v), q, -q * q);
}
inline Jet sqrt(const Jet& x) {
  const long double y = std::sqrt(x.v);
  return x.through(y, 1 / (2 * y), -1 / (4 * y * x.v));
}
inline Jet erfc(const Jet& x) {
  const long double f1 = -1.12837916709551257389615890312154517L * std::exp(-x.v * x.v);  // 2 / sqrt(pi)
  return x.through(std::erfc(x.v), f1, -2 * x.v * f1);
}

inline long double value(long double x) { return x; }
inline long double value(const Jet& x) { return x.v; }
// The greatest of its parts.
inline long double size(long double x) { return std::abs(x); }
inline long double size(const Jet& x) { return std::fmax(std::abs(x.v), std::fmax(std::abs(x.d), std::abs(x.e))); }

}  // namespace jot::ir::special
