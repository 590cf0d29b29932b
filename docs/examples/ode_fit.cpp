// Parameters of an ordinary differential equation from measurements: the integrator is a scan, so that compilation does
// not depend on the number of steps, and its jacobian by the parameters goes into Gauss-Newton steps.
#include <jot/jot.h>

#include <cmath>
#include <cstdio>

using namespace jot;

namespace {

constexpr int64_t kSteps = 500;
constexpr double kTime = 0.02;

// A pendulum, p = {stiffness, damping}: s = {angle, speed}.
Tensor rate(const Tensor& s, const Tensor& p) { return stack({s[1], -p[0] * sin(s[0]) - p[1] * s[1]}); }

// The angle after each step of Runge and Kutta's fourth order, f64[kSteps].
Tensor angles(const Tensor& p) {
  auto step = [&](const Tensor& s, none_t) {
    Tensor k1 = rate(s, p), k2 = rate(s + kTime / 2 * k1, p), k3 = rate(s + kTime / 2 * k2, p);
    Tensor k4 = rate(s + kTime * k3, p);
    Tensor next = s + kTime / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
    return std::pair{next, next[0]};
  };
  return scan(step, tensor({1.5, 0.0}, f64), none, {.length = kSteps}).second;
}

// p moved to where the linearised errors have the smallest squares.
Tensor improved(const Tensor& p, const Tensor& measured) {
  auto errors = [&](const Tensor& q) { return angles(q) - measured; };
  Tensor J = jacfwd(errors)(p), A = matmul(J.t(), J), b = matmul(J.t(), errors(p));  // f64[kSteps,2], f64[2,2], f64[2]
  Tensor determinant = A[0][0] * A[1][1] - A[0][1] * A[1][0];
  return p - stack({A[1][1] * b[0] - A[0][1] * b[1], A[0][0] * b[1] - A[1][0] * b[0]}) / determinant;
}

}  // namespace

int main() {
  const Tensor truth = tensor({4.0, 0.3}, f64), measured = angles(truth);
  auto improve = jit(improved);
  Tensor p = tensor({3.5, 0.1}, f64);
  for (int i = 0; i < 8; ++i) {
    p = improve(p, measured);
    std::printf("step %d: stiffness %.12f, damping %.12f\n", i + 1, p[0].item<double>(), p[1].item<double>());
  }
  // The gradient of a reverse sweep is that of the forward one.
  auto loss = [&](const Tensor& q) { return mean(square(angles(q) - measured)); };
  const Tensor start = tensor({3.5, 0.1}, f64);
  double difference = max(abs(grad(loss)(start) - jacfwd(loss)(start))).item<double>();
  std::printf("reverse and forward gradients differ by %.2g\n", difference);
  return max(abs(p - truth)).item<double>() < 1e-10 && difference < 1e-12 ? 0 : 1;
}
