// Ten models predict, and learn, in one call of compiled code.
#include "ensemble.h"

#include <cstdio>

using namespace jot;
using namespace programs;

int main() {
  manual_seed(0);
  std::vector<Mlp> models;
  for (int i = 0; i < 10; ++i) models.emplace_back(2, 16, 1);
  auto [params, buffers] = stack_module_state(models);  // "fc1.weight": [10, 16, 2], ...

  Tensor x = rand({128, 2}) * 2 - 1, y = sin(3 * x.slice(1, 0, 1)) * x.slice(1, 1, 2);
  auto predict = jit([&](const TensorDict& p, const Tensor& batch) { return predictions(models[0], p, batch); });
  Tensor all = predict(params, x);
  double difference = 0;
  for (size_t i = 0; i < models.size(); ++i)
    difference = std::max(difference, max(abs(all[static_cast<int64_t>(i)] - models[i](x))).item<double>());

  // All learn at once: the gradient of each model's own loss is the lane of the gradient of all.
  auto loss = [&](const TensorDict& p, const Tensor& batch, const Tensor& target) {
    return mean(square(functional_call(models[0], p, batch) - target));
  };
  auto step = jit([&](const TensorDict& p, const Tensor& batch, const Tensor& target) {
    TensorDict gradient = vmap(grad(loss), {.in_dims = {0, none, none}})(p, batch, target);
    return optim::sgd_update(p, gradient, optim::sgd_init(p), {.lr = 0.2}).first;
  });
  for (int i = 0; i < 500; ++i) params = step(params, x, y);

  // The error of the mean prediction is below the mean error.
  Tensor trained = predict(params, x);
  double mean_error = mean(square(trained - y)).item<double>();
  double error_of_mean = mean(square(mean(trained, {0}) - y)).item<double>();
  std::printf("vmap and a loop differ by %.2g; error of one model %.5f, of their mean %.5f\n", difference, mean_error,
              error_of_mean);
  return difference < 1e-6 && mean_error < 0.03 && error_of_mean < mean_error ? 0 : 1;
}
