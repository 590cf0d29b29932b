// The extended Kalman filter of ekf.h, as it is written (each operation and transform recorded anew in each step) and
// under jit: both agree with a filter in plain C++, whose derivatives are written by hand.
#include "ekf.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <iostream>

using namespace jot;
using namespace ekf;

namespace {

constexpr int kSteps = 300;
constexpr double kTolerance = 1e-9;

// ---- the filter by hand

template <size_t N, size_t M>
using Matrix = std::array<std::array<double, M>, N>;
using State = std::array<double, 4>;

template <size_t N, size_t K, size_t M>
Matrix<N, M> product(const Matrix<N, K>& a, const Matrix<K, M>& b) {
  Matrix<N, M> c{};
  for (size_t i = 0; i < N; ++i)
    for (size_t k = 0; k < K; ++k)
      for (size_t j = 0; j < M; ++j) c[i][j] += a[i][k] * b[k][j];
  return c;
}
template <size_t N, size_t M>
Matrix<M, N> transposed(const Matrix<N, M>& a) {
  Matrix<M, N> t;
  for (size_t i = 0; i < N; ++i)
    for (size_t j = 0; j < M; ++j) t[j][i] = a[i][j];
  return t;
}

State moved(const State& x) {
  return {x[0] + kTime * x[3] * std::cos(x[2]), x[1] + kTime * x[3] * std::sin(x[2]), x[2] + kTurn, x[3]};
}

struct PlainFilter {
  State mean;
  Matrix<4, 4> covariance;

  void step(const std::array<double, 2>& measured) {
    double c = std::cos(mean[2]), s = std::sin(mean[2]), v = mean[3];
    Matrix<4, 4> F = {
        {{1, 0, -kTime * v * s, kTime * c}, {0, 1, kTime * v * c, kTime * s}, {0, 0, 1, 0}, {0, 0, 0, 1}}};
    mean = moved(mean);
    covariance = product(product(F, covariance), transposed(F));
    for (size_t i = 0; i < 4; ++i) covariance[i][i] += kMotionNoise;

    Matrix<2, 4> H{};
    std::array<double, 2> residual;
    for (size_t i = 0; i < 2; ++i) {
      double dx = mean[0] - kBeacons[i][0], dy = mean[1] - kBeacons[i][1], distance = std::hypot(dx, dy);
      H[i] = {dx / distance, dy / distance, 0, 0};
      residual[i] = measured[i] - distance;
    }
    Matrix<4, 2> crossed = product(covariance, transposed(H));
    Matrix<2, 2> S = product(H, crossed);
    for (size_t i = 0; i < 2; ++i) S[i][i] += kMeasurementNoise;
    double det = S[0][0] * S[1][1] - S[0][1] * S[1][0];
    Matrix<2, 2> inverse = {{{S[1][1] / det, -S[0][1] / det}, {-S[1][0] / det, S[0][0] / det}}};
    Matrix<4, 2> gain = product(crossed, inverse);
    for (size_t i = 0; i < 4; ++i) mean[i] += gain[i][0] * residual[0] + gain[i][1] * residual[1];
    Matrix<4, 4> less = product(product(gain, H), covariance);
    for (size_t i = 0; i < 4; ++i)
      for (size_t j = 0; j < 4; ++j) covariance[i][j] -= less[i][j];
  }
};

// What the beacons say while the car drives, with a ripple for noise.
class Drive {
 public:
  std::array<double, 2> next() {
    car_ = moved(car_);
    ++step_;
    std::array<double, 2> z;
    for (size_t i = 0; i < 2; ++i)
      z[i] = std::hypot(car_[0] - kBeacons[i][0], car_[1] - kBeacons[i][1]) +
             0.1 * std::sin(3.0 * step_ + static_cast<double>(i));
    return z;
  }

 private:
  State car_ = {0.2, -0.1, 0.1, 1};
  int step_ = 0;
};

// The estimates of a filter, step by step, beside those of the plain one: the largest difference.
template <class F>
double difference(F&& step) {
  Estimate e = start();
  PlainFilter plain{{0, 0, 0, 0.8}, {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}}};
  Drive drive;
  double worst = 0;
  for (int k = 0; k < kSteps; ++k) {
    std::array<double, 2> z = drive.next();
    e = step(e, tensor({z[0], z[1]}, f64));
    plain.step(z);
    for (size_t i = 0; i < 4; ++i) {
      auto row = static_cast<int64_t>(i);
      worst = std::max(worst, std::abs(e.mean[row].item<double>() - plain.mean[i]));
      for (size_t j = 0; j < 4; ++j)
        worst = std::max(worst,
                         std::abs(e.covariance[row][static_cast<int64_t>(j)].item<double>() - plain.covariance[i][j]));
    }
  }
  return worst;
}

// Microseconds of a step, once the filter runs.
template <class F>
double time_of(F&& step) {
  Estimate e = start();
  Drive drive;
  auto begin = std::chrono::steady_clock::now();
  for (int k = 0; k < 2 * kSteps; ++k) {
    if (k == kSteps) begin = std::chrono::steady_clock::now();
    std::array<double, 2> z = drive.next();
    e = step(e, tensor({z[0], z[1]}, f64));
    e.mean.eval();
  }
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count() / kSteps;
}

}  // namespace

int main() {
  auto jitted = jit(step);
  double recorded = difference(step), compiled = difference(jitted);
  std::cout << kSteps << " steps; largest difference to the filter in plain C++: recorded in each step " << recorded
            << ", jitted " << compiled << "\n";
  std::cout << "microseconds a step: recorded " << time_of(step) << ", jitted " << time_of(jitted) << "\n";
  return recorded < kTolerance && compiled < kTolerance ? 0 : 1;
}
