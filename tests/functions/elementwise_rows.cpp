#include <cmath>

#include "tests/functions/rows.h"

namespace jot::test {

namespace {

#define UNARY(name, lo, hi, ...) \
  t.unary(                       \
      #name, lo, hi, [](const Tensor& x) { return jot::name(x); }, __VA_ARGS__)
#define BINARY(name, a, b, ...) \
  t.binary(                     \
      #name, a, b, [](const Tensor& x, const Tensor& y) { return jot::name(x, y); }, __VA_ARGS__)

constexpr double kTiny = 0.1;  // away from points without a derivative
const Input kAny{{}, -2, 2}, kPositive{{}, 0.3, 3}, kInts{{}, -9, 10, i64}, kBools{{}, 0, 2, boolean};

void unary_rows(FunctionRows& t) {
  UNARY(abs, kTiny, 2, [](double x) { return std::abs(x); });
  UNARY(neg, -2, 2, [](double x) { return -x; });
  UNARY(
      sign, -2, 2, [](double x) { return double((x > 0) - (x < 0)); }, 0);
  UNARY(
      floor, -4, 4, [](double x) { return std::floor(x); }, 0);
  UNARY(
      ceil, -4, 4, [](double x) { return std::ceil(x); }, 0);
  UNARY(
      round, -4, 4, [](double x) { return std::nearbyint(x); }, 0);
  UNARY(
      trunc, -4, 4, [](double x) { return std::trunc(x); }, 0);
  UNARY(exp, -2, 2, [](double x) { return std::exp(x); });
  UNARY(log, 0.3, 3, [](double x) { return std::log(x); });
  UNARY(sqrt, 0.3, 3, [](double x) { return std::sqrt(x); });
  UNARY(rsqrt, 0.3, 3, [](double x) { return 1 / std::sqrt(x); });
  UNARY(sin, -4, 4, [](double x) { return std::sin(x); });
  UNARY(cos, -4, 4, [](double x) { return std::cos(x); });
  UNARY(tanh, -2, 2, [](double x) { return std::tanh(x); });
  UNARY(sigmoid, -4, 4, [](double x) { return 1 / (1 + std::exp(-x)); });
  UNARY(square, -2, 2, [](double x) { return x * x; });
  UNARY(reciprocal, 0.3, 3, [](double x) { return 1 / x; });
  UNARY(relu, kTiny, 2, [](double x) { return x > 0 ? x : 0; });
  t.add("logical_not", "", {{{5}, 0, 2, boolean}}, [](Tensors x) { return logical_not(x[0]); }).order = 0;
  t.add("bitwise_not", "", {{{5}, -9, 9, i64}}, [](Tensors x) { return bitwise_not(x[0]); }).order = 0;
}

void binary_rows(FunctionRows& t) {
  BINARY(add, kAny, kAny, [](double a, double b) { return a + b; });
  BINARY(sub, kAny, kAny, [](double a, double b) { return a - b; });
  BINARY(mul, kAny, kAny, [](double a, double b) { return a * b; });
  BINARY(div, kAny, kPositive, [](double a, double b) { return a / b; });
  BINARY(maximum, kAny, kAny, [](double a, double b) { return std::max(a, b); });
  BINARY(minimum, kAny, kAny, [](double a, double b) { return std::min(a, b); });
  BINARY(max, kAny, kAny, [](double a, double b) { return std::max(a, b); });
  BINARY(min, kAny, kAny, [](double a, double b) { return std::min(a, b); });
  BINARY(atan2, kAny, kPositive, [](double a, double b) { return std::atan2(a, b); });
  BINARY(arctan2, kAny, kPositive, [](double a, double b) { return std::atan2(a, b); });
  t.add("pow", "cube", {{{4}}}, [](Tensors x) { return pow(x[0], 3); });
  BINARY(
      eq, kAny, kAny, [](double a, double b) { return double(a == b); }, 0);
  BINARY(
      ne, kAny, kAny, [](double a, double b) { return double(a != b); }, 0);
  BINARY(
      lt, kAny, kAny, [](double a, double b) { return double(a < b); }, 0);
  BINARY(
      le, kAny, kAny, [](double a, double b) { return double(a <= b); }, 0);
  BINARY(
      gt, kAny, kAny, [](double a, double b) { return double(a > b); }, 0);
  BINARY(
      ge, kAny, kAny, [](double a, double b) { return double(a >= b); }, 0);
  BINARY(
      logical_and, kBools, kInts, [](double a, double b) { return double(a != 0 && b != 0); }, 0);
  BINARY(
      logical_or, kBools, kInts, [](double a, double b) { return double(a != 0 || b != 0); }, 0);
  BINARY(
      logical_xor, kBools, kInts, [](double a, double b) { return double((a != 0) != (b != 0)); }, 0);
  BINARY(
      bitwise_and, kInts, kInts, [](double a, double b) { return double(int64_t(a) & int64_t(b)); }, 0);
  BINARY(
      bitwise_or, kInts, kInts, [](double a, double b) { return double(int64_t(a) | int64_t(b)); }, 0);
  BINARY(
      bitwise_xor, kInts, kInts, [](double a, double b) { return double(int64_t(a) ^ int64_t(b)); }, 0);
}

void ternary_rows(FunctionRows& t) {
  t.add("where", "", {{{2, 3}, 0, 2, boolean}, {{3}}, {{2, 1}}}, [](Tensors x) { return where(x[0], x[1], x[2]); });
  t.add("clamp", "tensors", {{{2, 3}}, {{3}, -1, 0}, {{2, 1}, 0.1, 1}},
        [](Tensors x) { return clamp(x[0], x[1], x[2]); });
  t.add("clamp", "above", {{{5}}}, [](Tensors x) { return clamp(x[0], none, 0.5); });
  t.add("masked_fill", "", {{{2, 3}}, {{3}, 0, 2, boolean}, {{}}},
        [](Tensors x) { return masked_fill(x[0], x[1], x[2]); });
}

}  // namespace

void elementwise_rows(FunctionRows& t) {
  unary_rows(t);
  binary_rows(t);
  ternary_rows(t);
}

}  // namespace jot::test
