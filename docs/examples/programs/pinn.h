// A physics-informed network (Raissi et al. 2019): u(x, t) solves u_t + 6 u u_x + u_xxx = 0 (Korteweg, de Vries) where
// it is asked to. Three derivatives by x, and the gradient by the parameters around them.
#pragma once
#include <jot/jot.h>

namespace programs {
using namespace jot;

// The derivative of a function of a number.
template <class F>
auto derivative(F f) {
  return [=](const Tensor& x) { return jvp(f, primals(x), tangents(ones_like(x))).second; };
}

// u_t + 6 u u_x + u_xxx of u(x, t) at a place.
template <class F>
Tensor residual(const F& u, const Tensor& x, const Tensor& t) {
  auto in_x = [&](const Tensor& at) { return u(at, t); };
  auto in_t = [&](const Tensor& at) { return u(x, at); };
  Tensor u_x = derivative(in_x)(x), u_xxx = derivative(derivative(derivative(in_x)))(x);
  return derivative(in_t)(t) + 6 * u(x, t) * u_x + u_xxx;
}

struct Tanhs : nn::Sequential {
  explicit Tanhs(int64_t width)
      : Sequential(nn::Linear(2, width), nn::Tanh(), nn::Linear(width, width), nn::Tanh(), nn::Linear(width, width),
                   nn::Tanh(), nn::Linear(width, 1)) {}
};

// The mean squared residual at places (x, t) [places], and the mean squared error at those where u is known.
inline Tensor physics_loss(const Tanhs& net, const TensorDict& params, const Tensor& x, const Tensor& t,
                           const Tensor& x_known, const Tensor& t_known, const Tensor& known) {
  auto u = [&](const Tensor& at, const Tensor& when) { return functional_call(net, params, stack({at, when}))[0]; };
  Tensor off = vmap([&](const Tensor& at, const Tensor& when) { return residual(u, at, when); })(x, t);
  return mean(square(off)) + mean(square(vmap(u)(x_known, t_known) - known));
}

}  // namespace programs
