// From amplitude and phase to a network that is this sine.
#include "hypernetwork.h"

#include <cstdio>

using namespace jot;
using namespace programs;

Tensor sines(const Tensor& descriptions, const Tensor& x) {
  Tensor amplitude = descriptions.slice(1, 0, 1).unsqueeze(1), phase = descriptions.slice(1, 1, 2).unsqueeze(1);
  return amplitude * sin(3 * x + phase);  // [tasks, points, 1]
}

int main() {
  manual_seed(0);
  Mlp target(1, 12, 1), hyper(2, 32, count(target));
  TensorDict params = hyper.named_parameters();
  Tensor x = linspace(-1, 1, 24).unsqueeze(1);
  auto loss = [&](const TensorDict& p, const Tensor& descriptions) {
    return hyper_loss(hyper, p, target, descriptions, x, sines(descriptions, x));
  };
  // The gradient by the hypernetwork's parameters goes through the target's, which are no one's own.
  using State = optim::State<TensorDict>;
  auto step = jit([&](const TensorDict& p, const State& state, const Tensor& descriptions) {
    return optim::adam_update(p, grad(loss)(p, descriptions), state, {.lr = 3e-3});
  });
  State state = optim::adam_init(params);
  auto descriptions = [] { return 0.2 + 0.8 * rand({64, 2}); };
  double before = loss(params, descriptions()).item<double>();
  for (int i = 0; i < 1500; ++i) std::tie(params, state) = step(params, state, descriptions());

  // Sines that it has never seen.
  double after = loss(params, descriptions()).item<double>();
  std::printf("error on new descriptions: %.4f, trained %.5f\n", before, after);
  return after < 0.01 && step.cache_info().misses == 1 ? 0 : 1;
}
