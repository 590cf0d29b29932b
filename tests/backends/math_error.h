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

namespace jot::test {

// An op of one argument, as kernels make it.
template <ir::Op op>
uint32_t elementary(cpu::KernelBuilder& b, uint32_t x) {
  const uint32_t operands[] = {x};
  return cpu::cpu_op(op).element({b, op, operands});
}

struct MathFunction {
  std::string_view name;
  uint32_t (*expand)(cpu::KernelBuilder&, uint32_t);
  long double (*truth)(long double);
  double (*truth32)(double);  // exact enough for f32, and faster
};

inline long double true_logistic(long double x) { return x >= 0 ? 1 / (1 + expl(-x)) : expl(x) / (1 + expl(x)); }
inline double true_logistic32(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

inline const MathFunction kMathFunctions[] = {
    {"exp", elementary<ir::Op::exp_op>, expl, std::exp},
    {"log", elementary<ir::Op::log_op>, logl, std::log},
    {"sin", elementary<ir::Op::sin_op>, sinl, std::sin},
    {"cos", elementary<ir::Op::cos_op>, cosl, std::cos},
    {"tanh", elementary<ir::Op::tanh_op>, tanhl, std::tanh},
    {"logistic", elementary<ir::Op::logistic_op>, true_logistic, true_logistic32},
    {"expm1", elementary<ir::Op::expm1_op>, expm1l, std::expm1},
    {"exp2", elementary<ir::Op::exp2_op>, exp2l, std::exp2},
    {"log1p", elementary<ir::Op::log1p_op>, log1pl, std::log1p},
    {"log2", elementary<ir::Op::log2_op>, log2l, std::log2},
    {"log10", elementary<ir::Op::log10_op>, log10l, std::log10},
    {"cbrt", elementary<ir::Op::cbrt_op>, cbrtl, std::cbrt},
    {"tan", elementary<ir::Op::tan_op>, tanl, std::tan},
    {"asin", elementary<ir::Op::asin_op>, asinl, std::asin},
    {"acos", elementary<ir::Op::acos_op>, acosl, std::acos},
    {"atan", elementary<ir::Op::atan_op>, atanl, std::atan},
    {"sinh", elementary<ir::Op::sinh_op>, sinhl, std::sinh},
    {"cosh", elementary<ir::Op::cosh_op>, coshl, std::cosh},
    {"asinh", elementary<ir::Op::asinh_op>, asinhl, std::asinh},
    {"acosh", elementary<ir::Op::acosh_op>, acoshl, std::acosh},
    {"atanh", elementary<ir::Op::atanh_op>, atanhl, std::atanh},
    {"erf", elementary<ir::Op::erf_op>, erfl, std::erf},
    {"erfc", elementary<ir::Op::erfc_op>, erfcl, std::erfc},
    {"rsqrt", elementary<ir::Op::rsqrt_op>, [](long double x) { return 1 / sqrtl(x); },
     [](double x) { return 1 / std::sqrt(x); }},
};

template <class T>
constexpr cpu::KType ktype() {
  return sizeof(T) == 4 ? cpu::KType::f32 : cpu::KType::f64;
}

// y[i] = f(x[i]): args 1 and 2 are x and y.
template <class T>
cpu::Kernel math_kernel(const MathFunction& f, int lanes, bool out_of_line = false) {
  cpu::KernelBuilder b(lanes, out_of_line);
  auto x = b.arg(1), y = b.arg(2), i = b.vrange();
  b.store(f.expand(b, b.load(ktype<T>(), x, i)), y, i);
  b.endloop();
  return std::move(b).finish();
}

// Runs such a kernel as machine code.
class CompiledMath {
 public:
  CompiledMath(const cpu::Kernel& kernel, Target target)
      : code_(cpu::compile(kernel, target)), spill_(static_cast<size_t>(code_->spill_bytes) + 64) {}
  // The kernel's arguments, which have x.size() elements each.
  template <class T, class... More>
  void operator()(std::span<const T> x, std::span<More>... more) {
    cpu::KernelError error;
    const int64_t args[] = {address(&error), address(x.data()), address(more.data())...};
    auto* spill = spill_.data() + (64 - reinterpret_cast<uintptr_t>(spill_.data()) % 64) % 64;
    code_->fn(args, 0, static_cast<int64_t>(x.size()), spill);
  }

 private:
  static int64_t address(const void* p) { return static_cast<int64_t>(reinterpret_cast<intptr_t>(p)); }
  std::shared_ptr<const cpu::KernelCode> code_;
  std::vector<std::byte> spill_;
};

// |y - truth| in units of the last place of T at the truth; infinite where a special value (NaN, infinity, a zero and
// its sign) is wrong.
template <class T, class Wide>
double ulp_error(T y, Wide truth) {
  const T nearest = static_cast<T>(truth);
  constexpr double wrong = std::numeric_limits<double>::infinity();
  if (std::isnan(nearest) || std::isnan(y)) return std::isnan(nearest) && std::isnan(y) ? 0 : wrong;
  if (truth == 0 || std::isinf(truth)) return y == nearest && std::signbit(y) == std::signbit(nearest) ? 0 : wrong;
  if (std::isinf(y) || std::isinf(nearest)) {
    // Overflow: the largest number and infinity are neighbours.
    const T other = std::isinf(y) ? nearest : y;
    return y == nearest ? 0 : std::abs(other) == std::numeric_limits<T>::max() ? 1 : wrong;
  }
  int exponent = std::max(std::ilogb(truth), std::numeric_limits<T>::min_exponent - 1);
  return std::abs(static_cast<double>((static_cast<Wide>(y) - truth) /
                                      std::ldexp(Wide{1}, exponent - std::numeric_limits<T>::digits + 1)));
}

}  // namespace jot::test
