// A Gaussian process: length scales and noise that make the measurements most likely, by Newton's method with gradient
// and hessian of the log marginal likelihood by the hyperparameters (Rasmussen, Williams: Gaussian Processes for
// Machine Learning, 2006, section 5.4.1).
#include <jot/jot.h>

#include <cmath>
#include <cstdio>

using namespace jot;

namespace {

constexpr int64_t kPoints = 80, kDims = 2;

// The covariance of the measurements; theta: logarithms of length scales (kDims), amplitude and noise.
Tensor covariance(const Tensor& theta, const Tensor& x) {
  Tensor scaled = x / exp(theta.slice(0, 0, kDims));
  Tensor difference = scaled.unsqueeze(1) - scaled.unsqueeze(0);
  Tensor K = exp(2 * theta[kDims] - 0.5 * sum(square(difference), {2}));
  return K + exp(2 * theta[kDims + 1]) * eye(kPoints, f64);
}

// The negative logarithm of the density of y.
Tensor loss(const Tensor& theta, const Tensor& x, const Tensor& y) {
  Tensor L = linalg::cholesky(covariance(theta, x));
  Tensor w = linalg::solve_triangular(L, y.unsqueeze(1), false);  // y' K^-1 y = w' w
  return 0.5 * sum(square(w)) + sum(log(L.diagonal())) + 0.5 * kPoints * std::log(2 * M_PI);
}

// The gradient by the book's formula (5.9): tr((K^-1 - a a') dK) / 2, a = K^-1 y.
Tensor gradient_by_formula(const Tensor& theta, const Tensor& x, const Tensor& y) {
  Tensor K = covariance(theta, x), inverse = linalg::inv(K), a = matmul(inverse, y);
  Tensor dK = jacfwd([&](const Tensor& t) { return covariance(t, x); })(theta);  // f64[n, n, hyperparameters]
  return 0.5 * sum((inverse - outer(a, a)).unsqueeze(2) * dK, {0, 1});
}

}  // namespace

int main() {
  manual_seed(1);
  Tensor x = rand({kPoints, kDims}, f64);
  Tensor y = sin(6 * x.select(1, 0)) + 0.3 * x.select(1, 1) + 0.1 * randn({kPoints}, f64);
  auto value = jit(loss);
  auto slope = jit(grad(loss));
  auto curvature = jit(hessian(loss));

  Tensor theta = tensor({-1.0, 0.0, 0.0, -1.5}, f64);
  const double by_formula = max(abs(slope(theta, x, y) - gradient_by_formula(theta, x, y))).item<double>();
  std::printf("gradient: difference from the formula %.2g\n", by_formula);

  // Newton's method with the absolute values of the curvature's eigenvalues, so that each step goes down.
  double steepest = 1;
  for (int step = 0; step < 30 && steepest > 1e-9; ++step) {
    Tensor g = slope(theta, x, y);
    auto [eigenvalues, V] = linalg::eigh(curvature(theta, x, y));
    Tensor move = matmul(V, matmul(V.t(), g) / clamp(abs(eigenvalues), 1e-3));
    const Tensor before = value(theta, x, y);
    double length = 1;
    while (length > 1e-6 && (value(theta - length * move, x, y) > before).item<bool>()) length /= 2;
    theta = (theta - length * move).eval();
    steepest = max(abs(slope(theta, x, y))).item<double>();
    std::printf("step %2d: loss %.9f, largest derivative %.2g\n", step + 1, value(theta, x, y).item<double>(),
                steepest);
  }
  std::printf("noise %.3f (drawn with 0.1), length scales %.2f and %.2f\n", std::exp(theta[kDims + 1].item<double>()),
              std::exp(theta[0].item<double>()), std::exp(theta[1].item<double>()));

  // At the optimum the hessian is positive definite, and it is the derivative of the gradient.
  Tensor H = curvature(theta, x, y), h = 1e-5 * eye(kDims + 2, f64);
  Tensor numeric = stack({slope(theta + h[0], x, y) - slope(theta - h[0], x, y),
                          slope(theta + h[3], x, y) - slope(theta - h[3], x, y)}) /
                   2e-5;
  const double in_hessian = max(abs(numeric - stack({H[0], H[3]}))).item<double>() / max(abs(H)).item<double>();
  const double lowest = min(linalg::eigvalsh(H)).item<double>();
  std::printf("hessian: lowest eigenvalue %.3g, difference from differences of the gradient %.2g\n", lowest,
              in_hessian);
  return by_formula < 1e-8 && steepest < 1e-6 && lowest > 0 && in_hessian < 1e-6 ? 0 : 1;
}
