// Where is the camera? Gauss-Newton, damped (Levenberg and Marquardt), on the pose of many cameras at once: each sees
// known points, its residuals are linearised by a jacobian, and a 6 x 6 system is solved in each step. All in one
// function of the pose of one camera, under vmap and jit.
#include <jot/jot.h>

#include <cmath>
#include <cstdio>

#include "bundle_adjustment.h"

using namespace jot;

namespace {

constexpr int64_t kCameras = 200, kPoints = 12;

// Where a camera of this pose (rotation vector, then centre) sees the points f64[kPoints, 3]: f64[2 kPoints].
Tensor seen(const Tensor& pose, const Tensor& points) {
  auto see = [&](const Tensor& point) {
    Tensor p = bundle_adjustment::rotate(pose.slice(0, 0, 3), point - pose.slice(0, 3, 6));
    return p.slice(0, 0, 2) / p[2];
  };
  return vmap(see)(points).flatten();
}

struct Guess {
  Tensor pose, damping, error;  // f64[6], f64[], f64[]
};
JOT_TREE(Guess, pose, damping, error);

// One step: taken where the error falls, and then damped less; else damped more.
Guess improved(const Guess& now, const Tensor& points, const Tensor& measured) {
  auto residual = [&](const Tensor& pose) { return seen(pose, points) - measured; };
  Tensor J = jacfwd(residual)(now.pose), r = residual(now.pose);  // f64[2 kPoints, 6], f64[2 kPoints]
  Tensor A = matmul(J.t(), J);
  Tensor step = linalg::solve(A + now.damping * A.diagonal().diag(), matmul(J.t(), r));
  Tensor pose = now.pose - step, error = sum(square(residual(pose))), better = error < now.error;
  return {where(better, pose, now.pose), where(better, 0.1 * now.damping, 10 * now.damping),
          where(better, error, now.error)};
}

}  // namespace

int main() {
  manual_seed(2);
  Tensor points = 2 * rand({kPoints, 3}, f64) - 1;
  Tensor truth = 0.15 * randn({kCameras, 6}, f64) + tensor({0., 0., 0., 0., 0., -5.}, f64);
  Tensor measured = vmap(seen, {.in_dims = {0, none}})(truth, points);
  Guess guess{tensor({0., 0., 0., 0., 0., -5.}, f64).expand({kCameras, 6}), full({kCameras}, 1e-3, f64),
              full({kCameras}, 1e30, f64)};

  auto improve = jit(vmap(improved, {.in_dims = {0, none, 0}}));
  for (int step = 1; step <= 8; ++step) {
    guess = improve(guess, points, measured);
    std::printf("step %2d: largest error %.2g\n", step, max(guess.error).item<double>());
  }
  const double wrong = max(abs(guess.pose - truth)).item<double>();
  std::printf("%lld poses; largest difference from the true ones %.2g\n", static_cast<long long>(kCameras), wrong);
  return wrong < 1e-9 ? 0 : 1;
}
