// The rotation of the bundle-adjustment example, which people copy: its derivatives hold at and near no rotation.
#include "docs/examples/bundle_adjustment.h"

#include <array>

#include "tests/transforms/check.h"

using namespace jot;
using namespace jot::test;

namespace {

using Vector = std::array<long double, 3>;

// sum of (-q)^k / (2k + n)! and its first two derivatives.
Vector series(long double q, int n) {
  Vector sum{};
  long double factorial = 1;
  for (int i = 2; i <= n; ++i) factorial *= i;
  for (int k = 0; k < 40; ++k) {
    long double sign = k % 2 ? -1 : 1;
    for (int d = 0; d < 3 && d <= k; ++d) {
      long double factor = 1;
      for (int i = 0; i < d; ++i) factor *= k - i;
      sum[static_cast<size_t>(d)] += sign * factor * std::pow(q, static_cast<long double>(k - d)) / factorial;
    }
    factorial *= static_cast<long double>(2 * k + n + 1) * (2 * k + n + 2);
  }
  return sum;
}

// The second derivatives by r of the y of X + A(q) r x X + B(q) r x (r x X), q = r . r.
std::vector<double> hessian_of_y(const Vector& r, const Vector& X) {
  long double q = 0, along = 0;
  for (size_t i = 0; i < 3; ++i) q += r[i] * r[i], along += r[i] * X[i];
  const Vector A = series(q, 1), B = series(q, 2), w_by = {-X[2], 0, X[0]};
  const long double w = r[2] * X[0] - r[0] * X[2], p = r[1] * along - X[1] * q;
  auto same = [](size_t i, size_t j) { return static_cast<long double>(i == j); };
  auto p_by = [&](size_t i) { return same(i, 1) * along + r[1] * X[i] - 2 * X[1] * r[i]; };
  std::vector<double> result;
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 3; ++j) {
      auto second = [&](const Vector& f) { return 4 * f[2] * r[i] * r[j] + 2 * f[1] * same(i, j); };
      long double p_by_both = same(i, 1) * X[j] + same(j, 1) * X[i] - 2 * X[1] * same(i, j);
      result.push_back(static_cast<double>(second(A) * w + 2 * A[1] * (r[i] * w_by[j] + r[j] * w_by[i]) +
                                           second(B) * p + 2 * B[1] * (r[i] * p_by(j) + r[j] * p_by(i)) +
                                           B[0] * p_by_both));
    }
  return result;
}

}  // namespace

TEST_CASE("The rotation's second derivatives at and near no rotation") {
  Tensor X = doubles({1, 2, 3});
  auto y = [&](const Tensor& r) { return bundle_adjustment::rotate(r, X)[1]; };
  CHECK_NEAR_TO(hessian(y)(zeros({3}, f64)), doubles({-2, 0.5, 0, 0.5, 0, 1.5, 0, 1.5, -2}, {3, 3}), 1e-15);
  CHECK_NEAR_TO(grad(y)(zeros({3}, f64)), doubles({-3, 0, 1}), 1e-15);
  auto second = jit(hessian(y));
  for (double size : {0.0, 1e-200, 1e-8, 1e-4, 0.0099, 0.0101, 0.1, 1.0, 3.0}) {
    CAPTURE(size);
    Vector r = {size, 0, 0}, turned = {0.48L * size, -0.6L * size, 0.64L * size};
    for (const Vector& at : {r, turned}) {
      std::vector<double> rounded(at.begin(), at.end());
      CHECK_NEAR_TO(second(doubles(rounded)), doubles(hessian_of_y(at, {1, 2, 3}), {3, 3}), 1e-11);
    }
  }
}
