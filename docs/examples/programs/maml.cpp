// Sinusoids of any amplitude and phase, each learnt from ten points.
#include "maml.h"

#include <cstdio>
#include <numbers>

using namespace jot;
using namespace programs;

constexpr double kRate = 0.05;

Task sinusoids(int64_t tasks, int64_t shots) {
  Tensor amplitude = 0.1 + 4.9 * rand({tasks, 1, 1}), phase = std::numbers::pi * rand({tasks, 1, 1});
  Tensor x = 10 * rand({tasks, shots, 1}) - 5, x_test = 10 * rand({tasks, shots, 1}) - 5;
  return {x, amplitude * sin(x - phase), x_test, amplitude * sin(x_test - phase)};
}

int main() {
  manual_seed(0);
  Mlp net(1, 40, 1);
  TensorDict params = net.named_parameters();
  using State = optim::State<TensorDict>;
  auto step = jit([&](const TensorDict& p, const State& state, const Task& tasks) {
    auto loss = [&](const TensorDict& q) { return meta_loss(net, q, tasks, kRate); };
    return optim::adam_update(p, grad(loss)(p), state, {.lr = 3e-3});
  });
  State state = optim::adam_init(params);
  for (int i = 0; i < 2000; ++i) std::tie(params, state) = step(params, state, sinusoids(25, 10));

  // On tasks that it has not seen: before and after the one step.
  Task unseen = sinusoids(200, 10);
  auto test_error = [&](double rate) { return meta_loss(net, params, unseen, rate).item<double>(); };
  double before = test_error(0), after = test_error(kRate);
  std::printf("error on new sinusoids: %.3f, after a step on ten points %.3f\n", before, after);
  return after < 0.5 * before && step.cache_info().misses == 1 ? 0 : 1;
}
