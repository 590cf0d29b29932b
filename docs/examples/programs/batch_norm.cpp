// Four ways from batch norm to gradients of each sample.
#include "batch_norm.h"

#include <cstdio>

using namespace jot;
using namespace programs;

double distance(const TensorDict& a, const TensorDict& b) {
  double most = 0;
  for (const auto& [name, x] : a) most = std::max(most, max(abs(x - b.at(name))).item<double>());
  return most;
}

int main() {
  manual_seed(0);
  Tensor images = randn({4, 3, 8, 8}), labels = arange(4);
  NormNet net(nn::BatchNorm2d(32), 8);
  TensorDict params = net.named_parameters();

  // As it is, training writes statistics of a batch that vmap hides.
  bool refused = false;
  try {
    gradients_of_samples(net, params, images, labels);
  } catch (const TransformError& e) {
    refused = true;
    std::printf("%s\n\n", e.what());
  }
  // 1. In eval mode the running statistics are constants, and samples apart.
  net.eval();
  TensorDict evaluated = gradients_of_samples(net, params, images, labels);
  net.train();
  // 2. Without running statistics: each sample is its own batch. 3. The same, built so.
  replace_all_batch_norm_modules_(net);
  TensorDict replaced = gradients_of_samples(net, params, images, labels);
  NormNet without(nn::BatchNorm2d(32, {.track_running_stats = false}), 8);
  TensorDict built = gradients_of_samples(without, params, images, labels);
  // 4. A norm of groups of channels never looked at other samples: their gradients add up to that of the batch.
  NormNet grouped(nn::GroupNorm(8, 32), 8);
  TensorDict each = gradients_of_samples(grouped, params, images, labels);
  auto batch_loss = [&](const TensorDict& p) {
    return nn::functional::cross_entropy(functional_call(grouped, p, images), labels);
  };
  for (auto& [name, g] : each) g = mean(g, {0});
  double same = distance(replaced, built), sums = distance(each, grad(batch_loss)(params)),
         modes = distance(evaluated, replaced);
  std::printf("removed or never there: %.2g apart; groups: samples and batch %.2g; eval mode differs by %.2g\n", same,
              sums, modes);
  return refused && same == 0 && sums < 1e-6 && modes > 1e-3 ? 0 : 1;
}
