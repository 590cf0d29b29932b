// ADBench's Gaussian mixture: the log of the posterior density of weights, means and inverse covariances, given points
// and a Wishart prior.
#pragma once
#include <jot/jot.h>

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

namespace mixture {

using jot::Tensor;

struct Mixture {
  Tensor alphas;   // f64[k]: logarithms of the weights, but for a constant
  Tensor means;    // f64[k, d]
  Tensor factors;  // f64[k, d (d + 1) / 2]: of inverse covariances; log of the diagonal, then the columns below it
  Tensor points;   // f64[n, d]
  double gamma = 0, m = 0;  // of the prior
};

// Reads ADBench's format. The first `most` points, if that is not 0.
inline Mixture read_mixture(const std::string& path, int64_t most = 0) {
  std::ifstream file(path);
  int64_t d = 0, k = 0, n = 0;
  file >> d >> k >> n;
  auto read = [&](const jot::Shape& shape) {
    std::vector<double> values(static_cast<size_t>(shape.numel()));
    for (double& v : values) file >> v;
    return Tensor::from(values, shape);
  };
  Mixture p{read({k}), read({k, d}), read({k, d * (d + 1) / 2}), read({n, d})};
  file >> p.gamma >> p.m;
  if (!file) throw jot::Error("[read_mixture] " + path + " is not a Gaussian mixture problem");
  if (most > 0) p.points = p.points.slice(0, 0, most).clone();
  return p;
}

// i64[d d]: of each entry of a d x d matrix its place among "the columns below the diagonal, then a zero".
inline Tensor places_below(int64_t d) {
  std::vector<int64_t> place(static_cast<size_t>(d * d), d * (d - 1) / 2);
  int64_t next = 0;
  for (int64_t column = 0; column < d; ++column)
    for (int64_t row = column + 1; row < d; ++row) place[static_cast<size_t>(row * d + column)] = next++;
  return Tensor::from(place, {d * d});
}

inline Tensor log_posterior(const Tensor& alphas, const Tensor& means, const Tensor& factors, const Mixture& p) {
  int64_t k = means.size(0), d = means.size(1);
  Tensor log_diagonal = factors.slice(1, 0, d), below = factors.slice(1, d);
  Tensor diagonal = exp(log_diagonal), sums = sum(log_diagonal, {1});
  Tensor padded = jot::cat({below, jot::zeros({k, 1}, jot::f64)}, 1);
  Tensor L = padded.index({jot::Slice(), places_below(d)}).reshape({k, d, d});
  Tensor centred = p.points.unsqueeze(0) - means.unsqueeze(1);  // [k, n, d]
  Tensor Qx = diagonal.unsqueeze(1) * centred + matmul(centred, L.transpose(1, 2));
  Tensor inner = (alphas + sums).unsqueeze(1) - 0.5 * sum(Qx * Qx, {2});
  return sum(logsumexp(inner, {0})) - static_cast<double>(p.points.size(0)) * logsumexp(alphas, {0}) +
         0.5 * p.gamma * p.gamma * (sum(diagonal * diagonal) + sum(below * below)) - p.m * sum(sums);
}

// What ADBench leaves out: the terms that depend on sizes and prior alone.
inline double constant(const Mixture& p) {
  const auto n = static_cast<double>(p.points.size(0)), d = static_cast<double>(p.means.size(1));
  const auto k = static_cast<double>(p.means.size(0));
  const double freedom = d + p.m + 1;
  double log_gamma = 0.25 * d * (d - 1) * std::log(M_PI);  // of `freedom / 2`, in d dimensions
  for (int j = 0; j < static_cast<int>(d); ++j) log_gamma += std::lgamma(0.5 * (freedom - j));
  return -n * d * 0.5 * std::log(2 * M_PI) - k * (freedom * d * (std::log(p.gamma) - 0.5 * std::log(2.0)) - log_gamma);
}

}  // namespace mixture
