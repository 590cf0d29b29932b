#include <cmath>
#include <numeric>

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
  t.add("clamp", "above", {{{5}}}, [](Tensors x) { return clamp(x[0], none, 0.5); }).takes = "ccc";
  t.add("masked_fill", "", {{{2, 3}}, {{3}, 0, 2, boolean}, {{}}},
        [](Tensors x) { return masked_fill(x[0], x[1], x[2]); });
}

// The functions of one tensor that came with the inverse and special functions.
void more_unary_rows(FunctionRows& t) {
  UNARY(absolute, kTiny, 2, [](double x) { return std::abs(x); });
  UNARY(negative, -2, 2, [](double x) { return -x; });
  UNARY(positive, -2, 2, [](double x) { return x; });
  UNARY(
      sgn, -2, 2, [](double x) { return double((x > 0) - (x < 0)); }, 0);
  UNARY(
      fix, -4, 4, [](double x) { return std::trunc(x); }, 0);
  UNARY(frac, 0.1, 0.9, [](double x) { return x; });
  UNARY(deg2rad, -90, 90, [](double x) { return x * 3.14159265358979323846 / 180; });
  UNARY(rad2deg, -2, 2, [](double x) { return x * 180 / 3.14159265358979323846; });
  UNARY(exp2, -4, 4, [](double x) { return std::exp2(x); });
  UNARY(expm1, -2, 2, [](double x) { return std::expm1(x); });
  UNARY(log2, 0.3, 3, [](double x) { return std::log2(x); });
  UNARY(log10, 0.3, 3, [](double x) { return std::log10(x); });
  UNARY(log1p, -0.7, 3, [](double x) { return std::log1p(x); });
  UNARY(tan, -1.3, 1.3, [](double x) { return std::tan(x); });
  UNARY(asin, -0.9, 0.9, [](double x) { return std::asin(x); });
  UNARY(acos, -0.9, 0.9, [](double x) { return std::acos(x); });
  UNARY(atan, -3, 3, [](double x) { return std::atan(x); });
  UNARY(sinh, -3, 3, [](double x) { return std::sinh(x); });
  UNARY(cosh, -3, 3, [](double x) { return std::cosh(x); });
  UNARY(asinh, -3, 3, [](double x) { return std::asinh(x); });
  UNARY(acosh, 1.2, 4, [](double x) { return std::acosh(x); });
  UNARY(atanh, -0.9, 0.9, [](double x) { return std::atanh(x); });
  UNARY(arcsin, -0.9, 0.9, [](double x) { return std::asin(x); });
  UNARY(arccos, -0.9, 0.9, [](double x) { return std::acos(x); });
  UNARY(arctan, -3, 3, [](double x) { return std::atan(x); });
  UNARY(arcsinh, -3, 3, [](double x) { return std::asinh(x); });
  UNARY(arccosh, 1.2, 4, [](double x) { return std::acosh(x); });
  UNARY(arctanh, -0.9, 0.9, [](double x) { return std::atanh(x); });
  UNARY(erf, -2, 2, [](double x) { return std::erf(x); });
  UNARY(erfc, -2, 2, [](double x) { return std::erfc(x); });
  UNARY(erfinv, -0.9, 0.9, nullptr);
  UNARY(lgamma, 0.3, 4, [](double x) { return std::lgamma(x); });
  UNARY(digamma, 0.3, 4, nullptr);
  UNARY(i0, 0.2, 3, nullptr);
  UNARY(sinc, -2, 2, [](double x) { return std::sin(M_PI * x) / (M_PI * x); });
  UNARY(logit, 0.05, 0.95, [](double x) { return std::log(x / (1 - x)); });
  UNARY(nan_to_num, -2, 2, [](double x) { return x; });
  t.add("round", "two digits", {{{5}}}, [](Tensors x) { return round(x[0], 2); }).order = 0;
  t.add("polygamma", "2", {{{4}, 0.5, 4}}, [](Tensors x) { return polygamma(2, x[0]); });
  t.add("polygamma", "0", {{{4}, 0.5, 4}}, [](Tensors x) { return polygamma(0, x[0]); });
  t.add("mvlgamma", "3", {{{4}, 1.5, 4}}, [](Tensors x) { return mvlgamma(x[0], 3); });
  t.add("logit", "eps", {{{4}, 0.2, 0.7}}, [](Tensors x) { return logit(x[0], 0.1); });
  UNARY(
      isfinite, -2, 2, [](double) { return 1.0; }, 0);
  UNARY(
      isinf, -2, 2, [](double) { return 0.0; }, 0);
  UNARY(
      isnan, -2, 2, [](double) { return 0.0; }, 0);
  UNARY(
      isposinf, -2, 2, [](double) { return 0.0; }, 0);
  UNARY(
      isneginf, -2, 2, [](double) { return 0.0; }, 0);
  UNARY(
      signbit, -2, 2, [](double x) { return double(std::signbit(x)); }, 0);
  t.add("frexp", "mantissa", {{{6}, 0.3, 9}}, [](Tensors x) { return frexp(x[0]).mantissa; });
  t.add("frexp", "exponent", {{{6}, -9, 9}}, [](Tensors x) { return frexp(x[0]).exponent; }).order = 0;
}

#define SPECIAL(name, lo, hi, ...) \
  t.unary(                         \
      #name, lo, hi, [](const Tensor& x) { return jot::special::name(x); }, __VA_ARGS__)

void special_rows(FunctionRows& t) {
  SPECIAL(expit, -4, 4, [](double x) { return 1 / (1 + std::exp(-x)); });
  SPECIAL(
      erfcx, -1, 3, [](double x) { return std::exp(x * x) * std::erfc(x); }, 2, 1e-14);
  SPECIAL(i0e, 0.2, 4, nullptr);
  SPECIAL(i1e, 0.2, 4, nullptr);
  SPECIAL(i1, -3, 3, nullptr);
  SPECIAL(modified_bessel_i0, -3, 3, nullptr);
  SPECIAL(modified_bessel_i1, -3, 3, nullptr);
  SPECIAL(modified_bessel_k0, 0.4, 4, nullptr);
  SPECIAL(modified_bessel_k1, 0.4, 4, nullptr);
  SPECIAL(scaled_modified_bessel_k0, 0.4, 4, nullptr);
  SPECIAL(scaled_modified_bessel_k1, 0.4, 4, nullptr);
  SPECIAL(bessel_j0, -4, 4, [](double x) { return ::j0(x); });
  SPECIAL(bessel_j1, -4, 4, [](double x) { return ::j1(x); });
  SPECIAL(bessel_y0, 0.4, 4, nullptr);
  SPECIAL(bessel_y1, 0.4, 4, nullptr);
  SPECIAL(spherical_bessel_j0, -4, 4, [](double x) { return std::sin(x) / x; });
  SPECIAL(ndtri, 0.05, 0.95, nullptr);
  SPECIAL(psi, 0.3, 4, nullptr);
  SPECIAL(gammaln, 0.3, 4, [](double x) { return std::lgamma(x); });
  SPECIAL(entr, 0.2, 3, [](double x) { return -x * std::log(x); });
  SPECIAL(ndtr, -2, 2, [](double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; });
  SPECIAL(log_ndtr, -3, 3, [](double x) { return std::log(std::erfc(-x / std::sqrt(2.0)) / 2); });
  t.add("multigammaln", "2", {{{4}, 1.5, 4}}, [](Tensors x) { return special::multigammaln(x[0], 2); });
  t.binary(
      "xlog1py", kAny, kPositive, [](const Tensor& a, const Tensor& b) { return special::xlog1py(a, b); },
      [](double a, double b) { return a * std::log1p(b); });
  const Input shape{{}, 0.5, 4};
  t.binary(
      "gammainc", shape, kPositive, [](const Tensor& a, const Tensor& x) { return special::gammainc(a, x); }, nullptr);
  t.binary(
      "gammaincc", shape, kPositive, [](const Tensor& a, const Tensor& x) { return special::gammaincc(a, x); },
      nullptr);
  t.add("gammainc", "of one number", {{{4}, 0.5, 4}}, [](Tensors x) { return special::gammainc(1, x[0]); }).exact =
      [](std::span<const double> x) { return -std::expm1(-x[0]); };
  t.add("zeta", "q", {{{4}, 0.5, 4}}, [](Tensors x) { return special::zeta(2.5, x[0]); });
}

void more_binary_rows(FunctionRows& t) {
  const Input away{{}, 0.405, 0.415}, wide{{}, 2.1, 2.2};  // quotients away from integers
  t.add("add", "alpha", {{{3}}, {{2, 3}}}, [](Tensors x) { return add(x[0], x[1], 0.5); }).takes = "rrr";
  t.add("sub", "alpha", {{{3}}, {{2, 3}}}, [](Tensors x) { return sub(x[0], x[1], 0.5); }).takes = "rrr";
  BINARY(subtract, kAny, kAny, [](double a, double b) { return a - b; });
  BINARY(multiply, kAny, kAny, [](double a, double b) { return a * b; });
  BINARY(divide, kAny, kPositive, [](double a, double b) { return a / b; });
  BINARY(true_divide, kAny, kPositive, [](double a, double b) { return a / b; });
  t.add("div", "floor", {{{4}, -9, 9}, {{4}, 0.3, 3}}, [](Tensors x) {
     return div(x[0], x[1], Rounding::floor);
   }).order = 0;
  t.rows.back().takes = "kkr";
  t.add("div", "trunc", {{{4}, -9, 10, i64}, {{4}, -3, 4, i64}}, [](Tensors x) {
     return div(x[0], x[1], Rounding::trunc);
   }).order = 0;
  BINARY(
      floor_divide, kInts, kInts, [](double a, double b) { return b == 0 ? 0 : std::floor(a / b); }, 0);
  BINARY(remainder, wide, away, [](double a, double b) { return a - std::floor(a / b) * b; });
  BINARY(
      remainder, kInts, kInts, [](double a, double b) { return b == 0 ? a : a - std::floor(a / b) * b; }, 0);
  BINARY(fmod, wide, away, [](double a, double b) { return std::fmod(a, b); });
  BINARY(
      fmod, kInts, kInts, [](double a, double b) { return b == 0 ? a : std::fmod(a, b); }, 0);
  BINARY(pow, kPositive, kAny, [](double a, double b) { return std::pow(a, b); });
  t.binary(
      "pow", kInts, Input{{}, 0, 9, i64}, [](const Tensor& a, const Tensor& b) { return pow(a, b); },
      [](double a, double b) { return std::pow(a, b); }, 0);
  t.add("pow", "of a number", {{{4}}}, [](Tensors x) { return pow(2.5, x[0]); }).takes = "ccc";
  t.add("pow", "of two", {{{4}}}, [](Tensors x) { return pow(2, x[0]); });
  t.add("pow", "to 1.875", {{{4}, 0.3, 2}}, [](Tensors x) { return pow(x[0], 1.875); }).takes = "ccc";
  t.add("float_power", "", {{{4}, 0.3, 2}, {{4}}}, [](Tensors x) { return float_power(x[0], x[1]); });
  BINARY(hypot, kAny, kPositive, [](double a, double b) { return std::hypot(a, b); });
  BINARY(fmax, kAny, kAny, [](double a, double b) { return std::fmax(a, b); });
  BINARY(fmin, kAny, kAny, [](double a, double b) { return std::fmin(a, b); });
  BINARY(copysign, kPositive, kAny, [](double a, double b) { return std::copysign(a, b); });
  BINARY(logaddexp, kAny, kAny, [](double a, double b) { return std::log(std::exp(a) + std::exp(b)); });
  BINARY(logaddexp2, kAny, kAny, [](double a, double b) { return std::log2(std::exp2(a) + std::exp2(b)); });
  BINARY(xlogy, kAny, kPositive, [](double a, double b) { return a * std::log(b); });
  BINARY(
      heaviside, kAny, kAny, [](double a, double b) { return a > 0   ? 1
                                                             : a < 0 ? 0
                                                                     : b; }, 0);
  BINARY(nextafter, kAny, kAny, nullptr, 0);
  BINARY(ldexp, kAny, kAny, [](double a, double b) { return a * std::exp2(b); });
  BINARY(
      isclose, kInts, kInts, [](double a, double b) { return double(a == b); }, 0);
  BINARY(
      gcd, kInts, kInts, [](double a, double b) { return double(std::gcd(int64_t(a), int64_t(b))); }, 0);
  BINARY(
      lcm, kInts, kInts, [](double a, double b) { return double(std::lcm(int64_t(a), int64_t(b))); }, 0);
  const Input counts{{}, 0, 9, i64};
  BINARY(
      bitwise_left_shift, kInts, counts, [](double a, double b) { return a * std::exp2(b); }, 0);
  BINARY(
      bitwise_right_shift, kInts, counts, [](double a, double b) { return std::floor(a / std::exp2(b)); }, 0);
  BINARY(
      not_equal, kAny, kAny, [](double a, double b) { return double(a != b); }, 0);
#define MEMBER(name, sign)                                                             \
  t.binary(                                                                            \
      #name, kInts, kInts, [](const Tensor& a, const Tensor& b) { return a.name(b); }, \
      [](double a, double b) { return double(a sign b); }, 0)
  MEMBER(greater, >);
  MEMBER(greater_equal, >=);
  MEMBER(less, <);
  MEMBER(less_equal, <=);
}

void more_ternary_rows(FunctionRows& t) {
  t.add("clip", "", {{{5}}}, [](Tensors x) { return clip(x[0], -0.5, 0.5); });
  t.add("clamp_min", "", {{{2, 3}}, {{3}}}, [](Tensors x) { return clamp_min(x[0], x[1]); });
  t.add("clamp_max", "", {{{2, 3}}, {{3}}}, [](Tensors x) { return clamp_max(x[0], x[1]); });
  t.add("lerp", "", {{{2, 3}}, {{3}}, {{2, 1}, 0, 1}}, [](Tensors x) { return lerp(x[0], x[1], x[2]); });
  t.add("addcmul", "", {{{2, 3}}, {{3}}, {{2, 1}}}, [](Tensors x) { return addcmul(x[0], x[1], x[2], 0.5); });
  t.add("addcdiv", "", {{{2, 3}}, {{3}}, {{2, 1}, 0.4, 2}}, [](Tensors x) { return addcdiv(x[0], x[1], x[2], 0.5); });
}

}  // namespace

void elementwise_rows(FunctionRows& t) {
  unary_rows(t);
  binary_rows(t);
  ternary_rows(t);
  more_unary_rows(t);
  special_rows(t);
  more_binary_rows(t);
  more_ternary_rows(t);
}

}  // namespace jot::test
