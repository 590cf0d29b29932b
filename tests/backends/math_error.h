// How far compiled vector math is from the truth, in units in the last place.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "backends/cpu/kernel/kernel_builder.h"
#include "backends/cpu/kernel/math.h"
#include "backends/cpu/ops/cpu_ops.h"
#include "backends/cpu/runtime/kernel_code.h"
#include "ir/special/special.h"

namespace jot::test {

using Wide = long double;

struct Interval {
  double low, high;
};

// An op that is a function, as kernels make it; where it is usually taken, and how exact it must be there and
// elsewhere.
struct MathFunction {
  std::string_view name;
  ir::Op op;
  int operands;
  Wide (*truth)(Wide x, Wide y);
  Interval x, y = {};
  double limit = 2;                 // ulp
  Wide (*least)(Wide x) = nullptr;  // the error is measured in ulp of this where the truth is less: beside zeros
};

inline Wide true_logistic(Wide x) { return x >= 0 ? 1 / (1 + expl(-x)) : expl(x) / (1 + expl(x)); }
template <bool kMax>
Wide true_extremum(Wide x, Wide y) {
  if (std::isnan(x) || std::isnan(y)) return x + y;
  if (x == y) return std::signbit(x) == kMax ? y : x;
  return (x > y) == kMax ? x : y;
}
// Beside zeros of a function that is a sum of terms for x < 0: the greatest of these.
inline Wide lgamma_terms(Wide x) {
  return x > 0 ? 0 : std::max(Wide{1}, std::abs(ir::special::lgamma(static_cast<double>(-x))));
}
inline Wide digamma_terms(Wide x) {
  return x > 0 ? 0 : std::max(Wide{1}, std::abs(ir::special::digamma(static_cast<double>(-x)) - 1 / x));
}
template <Wide (*f)(double)>
Wide special_truth(Wide x, Wide) {
  return f(static_cast<double>(x));
}

template <Wide (*f)(double, double)>
Wide special_truth_2(Wide x, Wide y) {
  return f(static_cast<double>(x), static_cast<double>(y));
}

// Not as instructions: each element by C++.
inline bool is_out_of_line(const MathFunction& f) {
  const auto& function = cpu::cpu_op(f.op).function;
  return function && !function->expand;
}

#define JOT_UNARY(op, f, ...)                                                    \
  {                                                                              \
    #op, ir::Op::op##_op, 1, [](Wide x, Wide) -> Wide { return f; }, __VA_ARGS__ \
  }
#define JOT_BINARY(op, f, ...)                                                     \
  {                                                                                \
    #op, ir::Op::op##_op, 2, [](Wide x, Wide y) -> Wide { return f; }, __VA_ARGS__ \
  }
#define JOT_SPECIAL(op, f, ...) \
  { #op, ir::Op::op##_op, 1, special_truth<ir::special::f>, __VA_ARGS__ }
#define JOT_SPECIAL_2(op, f, ...) \
  { #op, ir::Op::op##_op, 2, special_truth_2<ir::special::f>, __VA_ARGS__ }
inline const MathFunction kMathFunctions[] = {
    JOT_UNARY(abs, std::abs(x), {-10, 10}),
    JOT_UNARY(neg, -x, {-10, 10}),
    JOT_UNARY(sign,
              x > 0   ? 1
              : x < 0 ? -1
                      : 0,
              {-10, 10}),
    JOT_UNARY(floor, floorl(x), {-10, 10}),
    JOT_UNARY(ceil, ceill(x), {-10, 10}),
    JOT_UNARY(round_even, nearbyintl(x), {-10, 10}),
    JOT_UNARY(trunc, truncl(x), {-10, 10}),
    JOT_UNARY(sqrt, sqrtl(x), {0, 100}),
    JOT_UNARY(rsqrt, 1 / sqrtl(x), {0.01, 100}),
    JOT_UNARY(exp, expl(x), {-10, 10}),
    JOT_UNARY(log, logl(x), {0.001, 100}),
    JOT_UNARY(sin, sinl(x), {-10, 10}),
    JOT_UNARY(cos, cosl(x), {-10, 10}),
    JOT_UNARY(tanh, tanhl(x), {-5, 5}),
    JOT_UNARY(logistic, true_logistic(x), {-10, 10}),
    JOT_UNARY(expm1, expm1l(x), {-5, 5}),
    JOT_UNARY(exp2, exp2l(x), {-10, 10}),
    JOT_UNARY(log1p, log1pl(x), {-0.9, 10}),
    JOT_UNARY(log2, log2l(x), {0.001, 100}),
    JOT_UNARY(log10, log10l(x), {0.001, 100}),
    JOT_UNARY(cbrt, cbrtl(x), {-100, 100}),
    JOT_UNARY(tan, tanl(x), {-10, 10}),
    JOT_UNARY(asin, asinl(x), {-1, 1}),
    JOT_UNARY(acos, acosl(x), {-1, 1}),
    JOT_UNARY(atan, atanl(x), {-10, 10}),
    JOT_UNARY(sinh, sinhl(x), {-5, 5}),
    JOT_UNARY(cosh, coshl(x), {-5, 5}),
    JOT_UNARY(asinh, asinhl(x), {-10, 10}),
    JOT_UNARY(acosh, acoshl(x), {1, 20}),
    JOT_UNARY(atanh, atanhl(x), {-0.99, 0.99}),
    JOT_UNARY(erf, erfl(x), {-4, 4}),
    JOT_UNARY(erfc, erfcl(x), {-4, 8}),
    JOT_SPECIAL(erf_inv, erf_inv, {-0.999, 0.999}, {}, 4),
    JOT_SPECIAL(erfcx, erfcx, {-4, 20}),
    JOT_SPECIAL(lgamma, lgamma, {-8, 30}, {}, 4, lgamma_terms),
    JOT_SPECIAL(digamma, digamma, {-8, 30}, {}, 4, digamma_terms),
    JOT_SPECIAL(bessel_i0e, bessel_i0e, {-40, 40}),
    JOT_SPECIAL(bessel_i1e, bessel_i1e, {-40, 40}),
    JOT_SPECIAL(bessel_i0, bessel_i0, {-40, 40}),
    JOT_SPECIAL(bessel_i1, bessel_i1, {-40, 40}),
    JOT_SPECIAL(ndtr, ndtr, {-8, 8}),
    JOT_SPECIAL(ndtri, ndtri, {0, 1}, {}, 4),
    JOT_SPECIAL(bessel_j0, bessel_j0, {-40, 40}),
    JOT_SPECIAL(bessel_j1, bessel_j1, {-40, 40}),
    JOT_SPECIAL(bessel_y0, bessel_y0, {0, 40}),
    JOT_SPECIAL(bessel_y1, bessel_y1, {0, 40}),
    JOT_SPECIAL(bessel_k0e, bessel_k0e, {0, 40}),
    JOT_SPECIAL(bessel_k1e, bessel_k1e, {0, 40}),
    JOT_BINARY(add, x + y, {-10, 10}, {-10, 10}),
    JOT_BINARY(sub, x - y, {-10, 10}, {-10, 10}),
    JOT_BINARY(mul, x* y, {-10, 10}, {-10, 10}),
    JOT_BINARY(div, x / y, {-10, 10}, {-10, 10}),
    JOT_BINARY(max, true_extremum<true>(x, y), {-10, 10}, {-10, 10}),
    JOT_BINARY(min, true_extremum<false>(x, y), {-10, 10}, {-10, 10}),
    JOT_BINARY(atan2, atan2l(x, y), {-10, 10}, {-10, 10}),
    JOT_BINARY(pow, powl(x, y), {0, 10}, {-10, 10}),
    JOT_BINARY(rem, fmodl(x, y), {-100, 100}, {0.5, 10}),
    JOT_SPECIAL_2(zeta, zeta, {1.1, 10}, {0.1, 10}),
    JOT_SPECIAL_2(polygamma, polygamma, {0, 4}, {0.1, 10}),
    JOT_SPECIAL_2(igamma, igamma, {0.1, 10}, {0.1, 10}),
    JOT_SPECIAL_2(igammac, igammac, {0.1, 10}, {0.1, 10}),
    JOT_SPECIAL_2(igamma_grad_a, igamma_grad_a, {0.1, 10}, {0.1, 10}),
    JOT_SPECIAL_2(igamma_grad_aa, igamma_grad_aa, {0.1, 10}, {0.1, 10}),
    JOT_SPECIAL_2(gamma_density, gamma_density, {0.1, 10}, {0.1, 10}),
};
#undef JOT_UNARY
#undef JOT_BINARY
#undef JOT_SPECIAL
#undef JOT_SPECIAL_2

template <class T>
constexpr cpu::KType ktype() {
  return sizeof(T) == 4 ? cpu::KType::f32 : cpu::KType::f64;
}
template <class T>
int lanes_of(Target t) {
  return (t == Target::avx512 ? 64 : 32) / static_cast<int>(sizeof(T));
}

// z[i] = f(x[i]) or f(x[i], y[i]): args 1 to 3 are x, y and z, or 1 and 2 x and z.
template <class T>
cpu::Kernel math_kernel(const MathFunction& f, int lanes, bool out_of_line = false) {
  cpu::KernelBuilder b(lanes, out_of_line);
  const auto i = b.vrange();
  std::vector<uint32_t> operands;
  for (int o = 1; o <= f.operands; ++o) operands.push_back(b.load(ktype<T>(), b.arg(o), i));
  b.store(cpu::cpu_op(f.op).element({b, f.op, operands}), b.arg(f.operands + 1), i);
  b.endloop();
  return std::move(b).finish();
}

// Runs such a kernel as machine code.
class CompiledMath {
 public:
  CompiledMath(const cpu::Kernel& kernel, Target target)
      : code_(cpu::compile(kernel, target)), spill_(static_cast<size_t>(code_->spill_bytes) + 64) {}
  // Of one operand y is not read.
  template <class T>
  void operator()(int operands, std::span<const T> x, std::span<const T> y, std::span<T> z) {
    cpu::KernelError error;
    const int64_t args[] = {address(&error), address(x.data()), address(operands == 2 ? y.data() : z.data()),
                            address(z.data())};
    auto* spill = spill_.data() + (64 - reinterpret_cast<uintptr_t>(spill_.data()) % 64) % 64;
    code_->fn(args, 0, static_cast<int64_t>(x.size()), spill);
  }

 private:
  static int64_t address(const void* p) { return static_cast<int64_t>(reinterpret_cast<intptr_t>(p)); }
  std::shared_ptr<const cpu::KernelCode> code_;
  std::vector<std::byte> spill_;
};

// |y - truth| in units of the last place of T at the truth, or at `least` where that is greater; infinite where a
// special value (NaN, infinity, a zero and its sign) is wrong.
template <class T, class Truth>
double ulp_error(T y, Truth truth, Truth least = 0) {
  const T nearest = static_cast<T>(truth);
  constexpr double wrong = std::numeric_limits<double>::infinity();
  if (std::isnan(nearest) || std::isnan(y)) return std::isnan(nearest) && std::isnan(y) ? 0 : wrong;
  if ((truth == 0 && least == 0) || std::isinf(truth))
    return y == nearest && std::signbit(y) == std::signbit(nearest) ? 0 : wrong;
  if (std::isinf(y) || std::isinf(nearest)) {
    // Overflow: the largest number and infinity are neighbours.
    const T other = std::isinf(y) ? nearest : y;
    return y == nearest ? 0 : std::abs(other) == std::numeric_limits<T>::max() ? 1 : wrong;
  }
  const int exponent = std::max(std::ilogb(std::max(std::abs(truth), least)), std::numeric_limits<T>::min_exponent - 1);
  return std::abs(static_cast<double>((static_cast<Truth>(y) - truth) /
                                      std::ldexp(Truth{1}, exponent - std::numeric_limits<T>::digits + 1)));
}

}  // namespace jot::test
