// Jacobians and hessians of a layer, for a batch.
#pragma once
#include <jot/jot.h>

namespace programs {
using namespace jot;

inline Tensor layer(const Tensor& weight, const Tensor& bias, const Tensor& x) {
  return tanh(nn::functional::linear(x, weight, bias));
}

// By x, of each sample on its own: x [batch, in] gives [batch, out, in].
inline Tensor batch_jacobian(const Tensor& weight, const Tensor& bias, const Tensor& x) {
  return vmap(jacrev<argnum(2)>(layer), {.in_dims = {none, none, 0}})(weight, bias, x);
}

// [batch, out, in, in].
inline Tensor batch_hessian(const Tensor& weight, const Tensor& bias, const Tensor& x) {
  return vmap(hessian<argnum(2)>(layer), {.in_dims = {none, none, 0}})(weight, bias, x);
}

}  // namespace programs
