// An extended Kalman filter: a car of four states (place, heading, speed) sees its distances to two beacons. A step
// linearises the motion and the measurement where the estimate is, by two jacobians.
#pragma once
#include <jot/jot.h>

namespace ekf {

using jot::Tensor;

constexpr double kTime = 0.1, kTurn = 0.05;  // of a step: how long it takes, by how much the heading changes
constexpr double kBeacons[2][2] = {{0, 10}, {12, -3}};
constexpr double kMotionNoise = 1e-3, kMeasurementNoise = 0.05;

inline Tensor motion(const Tensor& x) {
  Tensor heading = x[2], speed = x[3];
  return jot::stack({x[0] + kTime * speed * cos(heading), x[1] + kTime * speed * sin(heading), heading + kTurn, speed});
}

inline Tensor distances(const Tensor& x) {
  auto to = [&](const double(&beacon)[2]) {
    Tensor dx = x[0] - beacon[0], dy = x[1] - beacon[1];
    return sqrt(dx * dx + dy * dy);
  };
  return jot::stack({to(kBeacons[0]), to(kBeacons[1])});
}

inline Tensor inverse_2x2(const Tensor& m) {
  Tensor a = m[0][0], b = m[0][1], c = m[1][0], d = m[1][1];
  return jot::stack({jot::stack({d, -b}), jot::stack({-c, a})}) / (a * d - b * c);
}

struct Estimate {
  Tensor mean, covariance;  // f64[4], f64[4,4]
};
JOT_TREE(Estimate, mean, covariance);

// The estimate after a measurement of the two distances, f64[2].
inline Estimate step(const Estimate& before, const Tensor& measured) {
  Tensor F = jot::jacfwd(motion)(before.mean), unit = jot::eye(4, jot::f64);
  Tensor mean = motion(before.mean);
  Tensor covariance = matmul(matmul(F, before.covariance), F.t()) + kMotionNoise * unit;

  Tensor H = jot::jacrev(distances)(mean);
  Tensor innovation = matmul(matmul(H, covariance), H.t()) + kMeasurementNoise * jot::eye(2, jot::f64);
  Tensor gain = matmul(matmul(covariance, H.t()), inverse_2x2(innovation));
  return {mean + matmul(gain, measured - distances(mean)), matmul(unit - matmul(gain, H), covariance)};
}

// Before the first measurement.
inline Estimate start() { return {jot::tensor({0., 0., 0., 0.8}, jot::f64), jot::eye(4, jot::f64)}; }

}  // namespace ekf
