// A network that is trained with differential privacy: clipped per-sample gradients, and noise.
#include "per_sample_gradients.h"

#include <cstdio>

using namespace jot;
using namespace programs;

int main() {
  manual_seed(0);
  ConvNet model;
  TensorDict params = model.named_parameters();
  // Images with three bright rows each; the label says which.
  const int64_t samples = 8;
  Tensor labels = arange(samples), images = 0.1 * randn({samples, 1, 28, 28});
  for (int64_t i = 0; i < samples; ++i) images[i][0].slice(0, 3 * i, 3 * i + 3).add_(1);

  // Samples together are the sum of samples alone.
  const double bound = 1.0;
  auto clipped = jit(
      [&](const TensorDict& p, const Tensor& x, const Tensor& y) { return clipped_gradient(model, p, x, y, bound); });
  TensorDict rest = clipped(params, images, labels);
  for (int64_t i = 0; i < samples; ++i)
    for (const auto& [name, g] : clipped(params, images.slice(0, i, i + 1), labels.slice(0, i, i + 1)))
      rest[name] = rest[name] - g;
  double difference = 0;
  for (const auto& [name, g] : rest) difference = std::max(difference, max(abs(g)).item<double>());

  // Descent along clipped gradients with noise: no sample moves a step by more than bound.
  auto loss = [&] { return F::cross_entropy(vmap(model)(images), labels).item<double>(); };
  double before = loss();
  for (int step = 0; step < 25; ++step)
    for (const auto& [name, g] : clipped(params, images, labels))
      params[name].sub_(0.1 / samples * (g + 0.01 * bound * randn_like(g)));
  double after = loss();
  std::printf("together and alone differ by %.2g; loss before %.4f, after 25 private steps %.4f\n", difference, before,
              after);
  return difference < 1e-5 && after < 0.7 * before ? 0 : 1;
}
