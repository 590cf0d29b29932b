// A soliton, from what it is at the start and at the borders, and the equation.
#include "pinn.h"

#include <cstdio>

using namespace jot;
using namespace programs;

// c/2 sech^2(sqrt(c)/2 (x - c t)), with c = 1.
Tensor soliton(const Tensor& x, const Tensor& t) { return 0.5 / square(cosh(0.5 * (x - t))); }

int main() {
  manual_seed(0);
  // The residual of the solution is zero; and nested reverse mode gives the same derivatives.
  Tensor places = rand({50}, f64) * 8 - 4, times = rand({50}, f64);
  double zero = max(abs(vmap([](const Tensor& x, const Tensor& t) { return residual(soliton, x, t); })(places, times)))
                    .item<double>();
  auto bump = [](const Tensor& x) { return soliton(x, zeros_like(x)); };
  Tensor forward = vmap(derivative(derivative(derivative(bump))))(places),
         reverse = vmap(grad(grad(grad(bump))))(places);
  double modes = max(abs(forward - reverse)).item<double>();

  Tanhs net(16);
  net.to(f64);
  TensorDict params = net.named_parameters();
  Tensor x = rand({200}, f64) * 8 - 4, t = rand({200}, f64);
  Tensor start = linspace(-4, 4, 40, f64), ends = linspace(0, 1, 20, f64);
  Tensor x_known = cat({start, full({20}, -4.0, f64), full({20}, 4.0, f64)}),
         t_known = cat({zeros({40}, f64), ends, ends});
  Tensor known = soliton(x_known, t_known);
  using State = optim::State<TensorDict>;
  auto step = jit([&](const TensorDict& p, const State& state) {
    auto loss = [&](const TensorDict& q) { return physics_loss(net, q, x, t, x_known, t_known, known); };
    return optim::adam_update(p, grad(loss)(p), state, {.lr = 5e-3});
  });
  State state = optim::adam_init(params);
  for (int i = 0; i < 1500; ++i) std::tie(params, state) = step(params, state);

  // Within, where only the equation tells what u is.
  auto u = [&](const Tensor& at, const Tensor& when) { return functional_call(net, params, stack({at, when}))[0]; };
  double error = max(abs(vmap(u)(x, t) - soliton(x, t))).item<double>();
  std::printf("residual of the soliton %.2g, modes apart by %.2g; error of the network %.3f of 0.5\n", zero, modes,
              error);
  return zero < 1e-13 && modes < 1e-13 && error < 0.05 ? 0 : 1;
}
