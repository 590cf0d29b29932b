// Both ways give one kernel; and the kernel tells how a step of descent moves the outputs.
#include "neural_tangent_kernel.h"

#include <cstdio>

using namespace jot;
using namespace programs;

int main() {
  manual_seed(0);
  KernelNet net;
  TensorDict params = net.named_parameters();
  auto f = [&](const TensorDict& p, const Tensor& x) { return functional_call(net, p, x); };
  Tensor x_train = randn({4, 3, 32, 32}), x_test = randn({2, 3, 32, 32});
  Tensor contracted =
      jit([&](const Tensor& a, const Tensor& b) { return kernel_by_jacobians(f, params, a, b); })(x_train, x_test);
  Tensor products =
      jit([&](const Tensor& a, const Tensor& b) { return kernel_by_products(f, params, a, b); })(x_train, x_test);
  double scale = max(abs(contracted)).item<double>();
  double difference = max(abs(contracted - products)).item<double>() / scale;
  std::printf("kernel of shape %s; the two ways differ by %.2g of its largest element\n",
              to_string(contracted.shape()).c_str(), difference);

  // A small step along -J(x')^T v moves the outputs at x by -rate K(x, x') v.
  const double rate = 1e-3;
  Tensor v = tensor({1, 0, -2, 0, 0, 1, 0, 0, 3, 0}, f32);
  auto [out, pullback] = vjp([&](const TensorDict& p) { return f(p, x_test[0]); }, params);
  auto [step] = pullback(v);
  TensorDict moved;
  for (const auto& [name, p] : params) moved[name] = p - rate * step.at(name);
  Tensor change = f(moved, x_train[0]) - f(params, x_train[0]), predicted = -rate * matmul(contracted[0][0], v);
  double error = max(abs(change - predicted)).item<double>() / max(abs(predicted)).item<double>();
  std::printf("what the kernel predicts of a step is off by %.2g\n", error);
  return difference < 1e-4 && error < 0.05 && contracted.shape() == Shape{4, 2, 10, 10} ? 0 : 1;
}
