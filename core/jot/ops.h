// Functions of tensors: jot/functions.h, and what is about them.
#pragma once
#include "jot/functions.h"

namespace jot {

// A callable that stands for a function of this namespace: vmap(JOT_FN(sin)).
#define JOT_FN(name) \
  [](const auto&... jot_args_) -> decltype(::jot::name(jot_args_...)) { return ::jot::name(jot_args_...); }

bool equal(const Tensor& a, const Tensor& b, Location at = JOT_HERE);  // same shape and elements
bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8, Location at = JOT_HERE);

// While alive, what this thread records is constant to the derivatives of the transforms around it.
class [[nodiscard]] NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;
};

// Derivatives whose transforms are called while one is alive on this thread have strong zeros: a zero tangent or
// cotangent times an infinite or NaN partial derivative is zero. So where(x > 0, sqrt(x), 0) has the derivative 0 at 0;
// without, it is NaN, as in torch. See also `.strong_zeros` of JvpOptions and JacobianOptions.
class [[nodiscard]] StrongZeros {
 public:
  StrongZeros();
  ~StrongZeros();
  StrongZeros(const StrongZeros&) = delete;
  StrongZeros& operator=(const StrongZeros&) = delete;
};

}  // namespace jot
