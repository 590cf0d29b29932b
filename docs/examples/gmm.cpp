// The gradient of a Gaussian mixture's log posterior by all of its parameters, on a problem of ADBench, against the
// values of ADBench's hand-written derivatives; and the hessian by the weights.
#include <cstdio>

#include "mixture.h"

using namespace jot;

namespace {

std::vector<double> read_numbers(const std::string& path) {
  std::ifstream file(path);
  std::vector<double> all;
  for (double v; file >> v;) all.push_back(v);
  return all;
}

double worst(const Tensor& a, const Tensor& b) { return max(abs(a - b) / (1 + abs(b))).item<double>(); }

}  // namespace

int main() {
  const std::string path = JOT_GMM_DATA "/gmm_d10_K25";
  const mixture::Mixture p = mixture::read_mixture(path + ".txt");
  auto objective = [&](const Tensor& alphas, const Tensor& means, const Tensor& factors) {
    return mixture::log_posterior(alphas, means, factors, p);
  };

  auto [gradients, value] = jit(grad_and_value<argnums(0, 1, 2)>(objective))(p.alphas, p.means, p.factors);
  auto [by_alphas, by_means, by_factors] = gradients;
  Tensor gradient = cat({by_alphas, by_means.flatten(), by_factors.flatten()}, 0);
  const double by_hand = read_numbers(path + "_F.txt").at(0), with_constant = value.item<double>() + constant(p);
  const double in_value = std::abs(with_constant - by_hand) / std::abs(by_hand);
  const double in_gradient = worst(gradient, Tensor::from(read_numbers(path + "_J.txt")));
  std::printf("log posterior %.12f, by hand %.12f; gradient by %lld parameters: largest difference %.2g\n",
              with_constant, by_hand, static_cast<long long>(gradient.numel()), in_gradient);

  // Only differences of alphas matter: the hessian's rows sum to 0.
  Tensor H = jit(hessian(objective))(p.alphas, p.means, p.factors);  // f64[25, 25]
  const double in_rows = max(abs(sum(H, {1}))).item<double>() / max(abs(H)).item<double>();
  std::printf("hessian by the weights: its rows sum to %.2g of its largest entry\n", in_rows);
  return in_value < 1e-12 && in_gradient < 1e-10 && in_rows < 1e-12 ? 0 : 1;
}
