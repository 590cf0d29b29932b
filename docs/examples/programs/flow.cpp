// The density of points on two half circles.
#include "flow.h"

#include <cstdio>

using namespace jot;
using namespace programs;

Tensor moons(int64_t n) {
  Tensor angle = std::numbers::pi * rand({n}), side = (rand({n}) < 0.5).to(f32) * 2 - 1;
  return stack({side * (0.5 - cos(angle)), side * (sin(angle) - 0.25)}, 1) + 0.1 * randn({n, 2});
}

int main() {
  manual_seed(0);
  Mlp net(1, 32, 2);
  Flow flow;
  for (int i = 0; i < 6; ++i) flow.push_back(Mlp(1, 32, 2).named_parameters());
  auto loss = [&](const Flow& f, const Tensor& samples) { return negative_log_likelihood(net, f, samples); };
  using State = optim::State<Flow>;
  auto step = jit([&](const Flow& f, const State& state, const Tensor& samples) {
    return optim::adam_update(f, grad(loss)(f, samples), state, {.lr = 3e-3});
  });
  State state = optim::adam_init(flow);
  double before = loss(flow, moons(512)).item<double>();
  for (int i = 0; i < 600; ++i) std::tie(flow, state) = step(flow, state, moons(256));
  double after = loss(flow, moons(512)).item<double>();

  // The determinant of the jacobian is the sum of the scales; the density integrates to one.
  auto place = [&](const Tensor& x) { return inverted(net, flow, x).first; };
  auto difference = [&](const Tensor& x) { return log_abs_det(place, x) - inverted(net, flow, x).second; };
  double off = max(abs(vmap(difference)(moons(100)))).item<double>();
  Tensor axis = linspace(-4, 4, 401), x = axis.expand({401, 401}), grid = stack({x, x.t()}, 2).reshape({-1, 2});
  auto density = [&](const Tensor& at) { return exp(log_density(net, flow, at)); };
  double total = 0.02 * 0.02 * sum(vmap(density)(grid)).item<double>();
  std::printf("-log likelihood %.3f, trained %.3f; determinants differ by %.2g; the density sums to %.4f\n", before,
              after, off, total);
  return after < 1.5 && off < 1e-4 && std::abs(total - 1) < 0.01 ? 0 : 1;
}
