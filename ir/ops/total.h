// What reductions of many elements come to.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace jot::ir {

// Integer arithmetic wraps.
template <class T, class F>
T wrapping(T x, T y, F f) {
  if constexpr (std::is_integral_v<T>) {
    using U = std::conditional_t<(sizeof(T) < 4), uint32_t, std::make_unsigned_t<T>>;
    return static_cast<T>(f(static_cast<U>(x), static_cast<U>(y)));
  } else {
    return f(x, y);
  }
}
template <class T>
T plus(T x, T y) {
  return wrapping(x, y, [](auto a, auto b) { return a + b; });
}

// A long sum: floats in double, doubles with what rounding took from them (Neumaier 1974), integers modulo 2^n.
template <class T>
class Total {
 public:
  void add(T x) {
    if constexpr (std::is_same_v<T, double>) {
      double sum = sum_ + x;
      lost_ += std::abs(sum_) >= std::abs(x) ? (sum_ - sum) + x : (x - sum) + sum_;
      sum_ = sum;
    } else if constexpr (std::is_floating_point_v<T>) {
      sum_ += static_cast<double>(x);
    } else {
      sum_ = plus(sum_, x);
    }
  }
  T value() const {
    if constexpr (std::is_same_v<T, double>) return std::isfinite(lost_) ? sum_ + lost_ : sum_;  // not of infinities
    return static_cast<T>(sum_);
  }

 private:
  std::conditional_t<std::is_floating_point_v<T>, double, T> sum_ = 0;
  double lost_ = 0;
};

// The larger (smaller) of two: NaN if either is; -0 is less than +0 (IEEE 754-2019).
template <bool kMax, class T>
T extremum(T x, T y) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(x)) return x;
    if (std::isnan(y)) return y;
    if (x == y) return std::signbit(x) == kMax ? y : x;
  }
  return (kMax ? x < y : y < x) ? y : x;
}

template <class T, bool kMax>
class Extreme {
 public:
  void add(T y) { value_ = extremum<kMax>(value_, y); }
  T value() const { return value_; }

 private:
  using Limits = std::numeric_limits<T>;
  static constexpr T kLowest = Limits::has_infinity ? -Limits::infinity() : Limits::min();
  static constexpr T kHighest = Limits::has_infinity ? Limits::infinity() : Limits::max();
  T value_ = kMax ? kLowest : kHighest;
};
template <class T>
using Largest = Extreme<T, true>;
template <class T>
using Least = Extreme<T, false>;

}  // namespace jot::ir
