// An extended Kalman filter of many tracks: 15 states (place, velocity, acceleration, angles, rates of turn), 6
// measurements (range, azimuth, elevation, rate of the range, yaw, pitch). Its twin is in peers.py.
#pragma once
#include <jot/jot.h>

namespace bench::tracks {

using jot::Tensor;

constexpr int64_t kStates = 15, kMeasurements = 6;
constexpr double kTime = 0.05;

inline Tensor motion(const Tensor& x) {
  Tensor p = x.narrow(0, 0, 3), v = x.narrow(0, 3, 3), a = x.narrow(0, 6, 3), rates = x.narrow(0, 12, 3);
  Tensor yaw = x[9], pitch = x[10], roll = x[11];
  Tensor ahead = jot::stack({cos(yaw) * cos(pitch), sin(yaw) * cos(pitch), sin(pitch)});
  Tensor across = sin(roll) * rates[1] + cos(roll) * rates[2];
  Tensor turn =
      jot::stack({across / cos(pitch), cos(roll) * rates[1] - sin(roll) * rates[2], rates[0] + across * tan(pitch)});
  return jot::cat({p + kTime * v + (0.5 * kTime * kTime) * a, v + kTime * (a + 0.5 * ahead), 0.98 * a,
                   x.narrow(0, 9, 3) + kTime * turn, 0.99 * rates});
}

inline Tensor measurement(const Tensor& x) {
  Tensor level = x[0] * x[0] + x[1] * x[1], range = sqrt(level + x[2] * x[2]);
  Tensor rate = (x[0] * x[3] + x[1] * x[4] + x[2] * x[5]) / range;
  return jot::stack({range, atan2(x[1], x[0]), atan2(x[2], sqrt(level)), rate, x[9], x[10]});
}

struct Track {
  Tensor mean, covariance;  // [15], [15, 15]
};
JOT_TREE(Track, mean, covariance);

inline Track step(const Track& before, const Tensor& measured) {
  Tensor F = jot::jacfwd(motion)(before.mean), mean = motion(before.mean);
  Tensor covariance = matmul(matmul(F, before.covariance), F.t()) + 1e-3 * jot::eye(kStates, jot::f64);
  Tensor H = jot::jacfwd(measurement)(mean), crossed = matmul(H, covariance);
  Tensor innovation = matmul(crossed, H.t()) + 1e-2 * jot::eye(kMeasurements, jot::f64);
  Tensor l = jot::linalg::cholesky(innovation);
  Tensor half = jot::linalg::solve_triangular(l, crossed, false);
  Tensor gain = jot::linalg::solve_triangular(l.t(), half, true);  // its transpose
  return {mean + matmul(gain.t(), measured - measurement(mean)), covariance - matmul(half.t(), half)};
}

}  // namespace bench::tracks
