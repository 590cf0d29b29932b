// The jacobian and the hessian of a layer beside their formulas; and those of a network by its parameters.
#include "jacobians.h"

#include <cstdio>

using namespace jot;
using namespace programs;

double distance(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item<double>(); }

int main() {
  manual_seed(0);
  const int64_t batch = 64, width = 16;
  Tensor weight = randn({width, width}, f64) / 4, bias = randn({width}, f64), x = randn({batch, width}, f64);
  Tensor y = layer(weight, bias, x), slope = 1 - y * y;

  // y = tanh(W x + b): dy_i/dx_j = (1 - y_i^2) W_ij, and the second derivatives are -2 y_i (1 - y_i^2) W_ij W_ik.
  Tensor J = jit(batch_jacobian)(weight, bias, x), H = jit(batch_hessian)(weight, bias, x);
  Tensor rows = slope.unsqueeze(-1) * weight, pairs = einsum("ij,ik->ijk", {weight, weight});
  double first = distance(J, rows), second = distance(H, (-2 * y * slope).unsqueeze(-1).unsqueeze(-1) * pairs);

  // Forward mode asks column by column, reverse row by row; jacobian takes the cheaper.
  Tensor one = x[0];
  auto f = [&](const Tensor& v) { return layer(weight, bias, v); };
  double modes = distance(jacfwd(f)(one), jacrev(f)(one)) + distance(jacobian(f)(one), J[0]);

  // By the parameters of a network: a block each, and for the hessian a block a pair.
  auto net = nn::Sequential(nn::Linear(3, 4), nn::Tanh(), nn::Linear(4, 1));
  net.to(f64);
  TensorDict params = net.named_parameters();
  auto value = [&](const TensorDict& p, const Tensor& v) { return functional_call(net, p, v)[0]; };
  Tensor v = randn({3}, f64);
  TensorDict by_params = jacrev(value)(params, v);
  std::map<std::string, TensorDict> blocks = hessian(value)(params, v);
  for (const auto& [name, row] : blocks)
    for (const auto& [other, block] : row)
      std::printf("d2 f / d %s d %s: %s\n", name.c_str(), other.c_str(), to_string(block.shape()).c_str());
  const Tensor& block = blocks.at("0.weight").at("2.bias");
  Tensor mixed = blocks.at("0.bias").at("2.weight"), transposed = blocks.at("2.weight").at("0.bias").permute({2, 0, 1});
  double symmetric = distance(mixed, transposed) + max(abs(block)).item<double>();  // f is linear in the last bias
  bool sizes = by_params.at("0.weight").shape() == Shape{4, 3} && mixed.shape() == Shape{4, 1, 4};
  std::printf("off the formulas by %.2g and %.2g, modes apart by %.2g, asymmetry %.2g\n", first, second, modes,
              symmetric);
  return sizes && first < 1e-14 && second < 1e-14 && modes < 1e-14 && symmetric < 1e-14 ? 0 : 1;
}
