// Tools of the reference evaluation: slow, obvious, complete.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "ir/ops/total.h"
#include "ir/rules.h"
#include "jot/error.h"

namespace jot::ir {

template <class F>
void visit_floating(DType dtype, F f) {
  visit_computing(dtype, [&](auto zero) {
    if constexpr (std::is_floating_point_v<decltype(zero)>) f(zero);
  });
}

// Calls f(index, position) for each element in row-major order.
template <class F>
void for_each_index(const Shape& shape, F f) {
  int64_t n = shape.numel();
  Shape index = shape;
  for (int64_t& i : index) i = 0;
  for (int64_t at = 0; at < n; ++at) {
    f(static_cast<const Shape&>(index), at);
    for (size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

// The row-major position of an index.
inline int64_t position(const Shape& shape, const Shape& index) {
  int64_t at = 0;
  for (size_t d = 0; d < shape.size(); ++d) at = at * shape[d] + index[d];
  return at;
}

// Elements of any dtype, moved as bytes.
class Mover {
 public:
  explicit Mover(const EvalContext& c) : out_(c.out), size_(static_cast<size_t>(size_of(c.type.dtype))) {}
  void copy(int64_t to, const Array& from, int64_t at) const {
    std::memcpy(out_ + static_cast<size_t>(to) * size_, from.data + static_cast<size_t>(at) * size_, size_);
  }
  void copy_all(const Array& from) const {
    size_t bytes = static_cast<size_t>(from.type->shape.numel()) * size_;
    if (bytes != 0) std::memcpy(out_, from.data, bytes);
  }
  void zero(int64_t to) const { std::memset(out_ + static_cast<size_t>(to) * size_, 0, size_); }

 private:
  std::byte* out_;
  size_t size_;
};

// Element i as an index.
inline int64_t integer_at(const Array& a, int64_t i) {
  return a.type->dtype == DType::i32 ? a.as<int32_t>()[static_cast<size_t>(i)]
                                     : a.as<int64_t>()[static_cast<size_t>(i)];
}

template <class T>
T minus(T x, T y) {
  return wrapping(x, y, [](auto a, auto b) { return a - b; });
}
template <class T>
T times(T x, T y) {
  return wrapping(x, y, [](auto a, auto b) { return a * b; });
}
template <class T>
T negated(T x) {
  if constexpr (std::is_floating_point_v<T>) return -x;
  return minus(T(0), x);
}
// Integers: truncated; by zero is 0.
template <class T>
T quotient(T x, T y) {
  if constexpr (std::is_integral_v<T>) {
    if (y == 0) return 0;
    if (std::is_signed_v<T> && y == static_cast<T>(-1)) return negated(x);
  }
  return static_cast<T>(x / y);
}

// ---- evaluation of elementwise ops from a function of elements

template <class F>
EvalRule evaluate_unary(F) {
  return [](const EvalContext& c) {
    visit_computing(c.type.dtype, [&](auto zero) {
      using T = decltype(zero);
      auto x = c.operands[0].as<T>();
      auto out = c.result<T>();
      for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(F()(x[i]));
    });
  };
}
template <class F>
EvalRule evaluate_floating(F) {
  return [](const EvalContext& c) {
    visit_floating(c.type.dtype, [&](auto zero) {
      using T = decltype(zero);
      auto x = c.operands[0].as<T>();
      auto out = c.result<T>();
      for (size_t i = 0; i < out.size(); ++i) out[i] = F()(x[i]);
    });
  };
}
template <class F>
EvalRule evaluate_binary(F) {
  return [](const EvalContext& c) {
    visit_computing(c.type.dtype, [&](auto zero) {
      using T = decltype(zero);
      auto x = c.operands[0].as<T>(), y = c.operands[1].as<T>();
      auto out = c.result<T>();
      for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(F()(x[i], y[i]));
    });
  };
}

// The value of operand 0.
inline void evaluate_copy(const EvalContext& c) { Mover(c).copy_all(c.operands[0]); }

}  // namespace jot::ir
