// Reductions: what many elements come to.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "ir/op.h"
#include "jot/error.h"

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
  static T combine(T x, T y) { return plus(x, y); }
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
  static T combine(T x, T y) { return extremum<kMax>(x, y); }
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

// ---- of each reduction: its fold, whose value of nothing is the start, and the op that combines two results

template <Op op>
struct Reduction;
template <>
struct Reduction<Op::reduce_sum_op> {
  template <class T>
  using Fold = Total<T>;
  static constexpr Op combine = Op::add_op;
};
template <>
struct Reduction<Op::reduce_max_op> {
  template <class T>
  using Fold = Largest<T>;
  static constexpr Op combine = Op::max_op;
};
template <>
struct Reduction<Op::reduce_min_op> {
  template <class T>
  using Fold = Least<T>;
  static constexpr Op combine = Op::min_op;
};
// Integers modulo 2^n.
template <class T>
class Product {
 public:
  static T combine(T x, T y) {
    return wrapping(x, y, [](auto a, auto b) { return a * b; });
  }
  void add(T x) { value_ = combine(value_, x); }
  T value() const { return value_; }

 private:
  T value_ = 1;
};
template <>
struct Reduction<Op::reduce_prod_op> {
  template <class T>
  using Fold = Product<T>;
  static constexpr Op combine = Op::mul_op;
};

// Truth values: whether all are true, or one is.
template <class T, bool kAll>
class Quantified {
 public:
  static T combine(T x, T y) { return static_cast<T>(kAll ? x && y : x || y); }
  void add(T x) { value_ = combine(value_, x); }
  T value() const { return value_; }

 private:
  T value_ = kAll;
};
template <class T>
using AllTrue = Quantified<T, true>;
template <class T>
using AnyTrue = Quantified<T, false>;
template <>
struct Reduction<Op::reduce_and_op> {
  template <class T>
  using Fold = AllTrue<T>;
  static constexpr Op combine = Op::and_op;
};
template <>
struct Reduction<Op::reduce_or_op> {
  template <class T>
  using Fold = AnyTrue<T>;
  static constexpr Op combine = Op::or_op;
};

// Whether x becomes the extremum of what began with `best`: it is beyond it, or the first NaN.
template <bool kMax, class T>
bool takes_over(T x, T best) {
  return !(kMax ? x <= best : x >= best) && best == best;
}

// Calls f with the description of a reduction.
template <class F>
decltype(auto) visit_reduction(Op op, F&& f) {
#define JOT_reduction(name) \
  case Op::name##_op:       \
    return f(Reduction<Op::name##_op>{});
#define JOT_source(name)
#define JOT_elementwise(name)
#define JOT_movement(name)
#define JOT_contraction(name)
#define JOT_indexing(name)
#define JOT_order(name)
#define JOT_cumulative(name)
#define JOT_control(name)
#define JOT_effect(name)
#define OP(name, family, op_class, ...) JOT_##op_class(name)
  switch (op) {
#include "ir/ops.def"
    default:
      break;  // of another class
  }
#undef OP
#undef JOT_reduction
#undef JOT_source
#undef JOT_elementwise
#undef JOT_movement
#undef JOT_contraction
#undef JOT_indexing
#undef JOT_order
#undef JOT_cumulative
#undef JOT_control
#undef JOT_effect
  internal_error("a reduction", name_of(op));
}

inline Op combining(Op reduction) {
  return visit_reduction(reduction, [](auto r) { return decltype(r)::combine; });
}

}  // namespace jot::ir
