// Cumulative functions: what the elements of a line so far come to. A state starts with nothing; step(element) takes
// the next one and gives the result there; append(later) takes all that another state, of the elements that follow, has
// seen.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

#include "ir/ops/total.h"

namespace jot::ir {

// Floats in double, doubles with what rounding takes from them (Knuth 1969), integers modulo 2^n.
template <class T>
class PrefixSum {
 public:
  T step(T x) {
    add(x);
    return value();
  }
  void append(const PrefixSum& later) {
    if constexpr (std::is_same_v<T, double>) lost_ += later.lost_;
    add(later.sum_);
  }

 private:
  using Sum = std::conditional_t<std::is_floating_point_v<T>, double, T>;
  void add(Sum x) {
    if constexpr (std::is_same_v<T, double>) {
      const double sum = sum_ + x, of_x = sum - sum_;
      lost_ += (sum_ - (sum - of_x)) + (x - of_x);
      sum_ = sum;
    } else {
      sum_ = plus(sum_, x);
    }
  }
  T value() const {
    if constexpr (std::is_same_v<T, double>) return lost_ - lost_ == 0 ? sum_ + lost_ : sum_;  // not of infinities
    return static_cast<T>(sum_);
  }
  Sum sum_ = 0;
  double lost_ = 0;
};
template <>
class PrefixSum<float> {
 public:
  float step(float x) { return static_cast<float>(sum_ += static_cast<double>(x)); }
  void append(const PrefixSum& later) { sum_ += later.sum_; }

 private:
  double sum_ = 0;
};

template <class T>
class PrefixProduct {
 public:
  T step(T x) { return value_ = Product<T>::combine(value_, x); }
  void append(const PrefixProduct& later) { step(later.value_); }

 private:
  T value_ = 1;
};

// The sum of exp(x - top), which never overflows. Equal infinities are not subtracted.
template <class T>
class PrefixLogSumExp {
 public:
  T step(T x) {
    if (x == top_) {
      sum_ += 1;
    } else if (x < top_) {
      sum_ += static_cast<double>(std::exp(x - top_));
    } else {
      sum_ = sum_ * static_cast<double>(std::exp(top_ - x)) + 1;
      top_ = x;
    }
    return top_ + static_cast<T>(std::log(static_cast<T>(sum_)));
  }
  void append(const PrefixLogSumExp& later) {
    if (later.sum_ == 0) return;
    if (later.top_ == top_) {
      sum_ += later.sum_;
    } else if (later.top_ < top_) {
      sum_ += later.sum_ * static_cast<double>(std::exp(later.top_ - top_));
    } else {
      sum_ = sum_ * static_cast<double>(std::exp(top_ - later.top_)) + later.sum_;
      top_ = later.top_;
    }
  }

 private:
  T top_ = -std::numeric_limits<T>::infinity();
  double sum_ = 0;
};

// The greatest (least) and its place: of equal ones the latest; NaN stays, at the latest NaN.
template <class T, bool kMax>
class PrefixExtreme {
 public:
  T step(T x, int64_t place) {
    // Seldom, so a branch: most elements wait for nothing.
    if (!(kMax ? x < value_ : x > value_) && (value_ == value_ || x != x)) {
      value_ = x;
      place_ = place;
    }
    return value_;
  }
  void append(const PrefixExtreme& later) { step(later.value_, later.place_); }
  int64_t place() const { return place_; }

 private:
  T value_ = kMax ? Largest<T>().value() : Least<T>().value();
  int64_t place_ = 0;
};

// r of x, then of a r + x; of floats in double.
template <class T>
class PrefixLinear {
 public:
  T step(T a, T x) {
    value_ = first_ ? static_cast<double>(x) : static_cast<double>(a) * value_ + static_cast<double>(x);
    first_ = false;
    return static_cast<T>(value_);
  }

 private:
  double value_ = 0;
  bool first_ = true;
};

}  // namespace jot::ir
