// Ceres Jet and Eigen AutoDiffScalar: forward mode by operator overloading, as C++ programs use it. One thread.
#include <array>
#include <cmath>
#include <fstream>
#include <memory>
#include <vector>

#include "contender.h"

#if __has_include(<ceres/jet.h>)
#include <ceres/jet.h>
#include <ceres/version.h>
#define BENCH_CERES 1
#endif
#if __has_include(<unsupported/Eigen/AutoDiff>)
#include <Eigen/Core>
#include <unsupported/Eigen/AutoDiff>
#define BENCH_EIGEN 1
#endif

namespace bench {
namespace {

template <class T>
std::array<T, 3> cross(const std::array<T, 3>& a, const std::array<T, 3>& b) {
  return {T(a[1] * b[2] - a[2] * b[1]), T(a[2] * b[0] - a[0] * b[2]), T(a[0] * b[1] - a[1] * b[0])};
}

// The residual of one observation by v = camera (11), point (3), weight (1).
template <class T>
std::array<T, 2> residual(const T* v, const double* feature) {
  using std::cos, std::sin, std::sqrt;
  std::array<T, 3> Y, axis, seen;
  for (size_t i = 0; i < 3; ++i) Y[i] = v[11 + i] - v[3 + i];
  T angle = sqrt(T(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]));
  for (size_t i = 0; i < 3; ++i) axis[i] = v[i] / angle;
  T c = cos(angle), s = sin(angle);
  T along = (axis[0] * Y[0] + axis[1] * Y[1] + axis[2] * Y[2]) * (1.0 - c);
  std::array<T, 3> turn = cross(axis, Y);
  for (size_t i = 0; i < 3; ++i) seen[i] = Y[i] * c + turn[i] * s + axis[i] * along;
  T px = seen[0] / seen[2], py = seen[1] / seen[2];
  T r2 = px * px + py * py;
  T scale = (1.0 + v[9] * r2 + v[10] * r2 * r2) * v[6];
  return {T(v[14] * (px * scale + v[7] - feature[0])), T(v[14] * (py * scale + v[8] - feature[1]))};
}

template <class T>
std::array<T, 3> lorenz_rate(const std::array<T, 3>& u) {
  return {T(10.0 * (u[1] - u[0])), T(u[0] * (28.0 - u[2]) - u[1]), T(u[0] * u[1] - (8.0 / 3) * u[2])};
}

template <class T>
std::array<T, 3> lorenz_steps(std::array<T, 3> u) {
  constexpr double h = 0.01;
  auto plus = [](const std::array<T, 3>& a, double s, const std::array<T, 3>& b) {
    return std::array<T, 3>{T(a[0] + s * b[0]), T(a[1] + s * b[1]), T(a[2] + s * b[2])};
  };
  for (int step = 0; step < 4; ++step) {
    auto k1 = lorenz_rate(u), k2 = lorenz_rate(plus(u, h / 2, k1)), k3 = lorenz_rate(plus(u, h / 2, k2));
    auto k4 = lorenz_rate(plus(u, h, k3));
    for (size_t i = 0; i < 3; ++i) u[i] = u[i] + h / 6 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
  }
  return u;
}

// Number: a scalar with N partial derivatives.
template <class Number, int N>
struct Api;

#ifdef BENCH_CERES
template <int N>
struct Api<ceres::Jet<double, N>, N> {
  static ceres::Jet<double, N> variable(double x, int i) { return {x, i}; }
  static double partial(const ceres::Jet<double, N>& x, int i) { return x.v[i]; }
};
#endif
#ifdef BENCH_EIGEN
template <int N>
using EigenNumber = Eigen::AutoDiffScalar<Eigen::Matrix<double, N, 1>>;
template <int N>
struct Api<EigenNumber<N>, N> {
  static EigenNumber<N> variable(double x, int i) { return {x, N, i}; }
  static double partial(const EigenNumber<N>& x, int i) { return x.derivatives()[i]; }
};
#endif

struct Blocks {
  std::vector<double> camera, point, weight;
};

template <class Number>
Job ba(Size size) {
  std::ifstream file(kBaFile);
  int64_t n = 0, m = 0, p = 0;
  file >> n >> m >> p;
  std::array<double, 17> v{};
  for (double& x : v) file >> x;
  if (size == Size::toy) p = 20;
  std::vector<double> cameras, points;
  for (int64_t i = 0; i < n; ++i) cameras.insert(cameras.end(), v.begin(), v.begin() + 11);
  for (int64_t i = 0; i < m; ++i) points.insert(points.end(), v.begin() + 11, v.begin() + 14);
  auto out = std::make_shared<Blocks>();
  *out = {std::vector<double>(static_cast<size_t>(22 * p)), std::vector<double>(static_cast<size_t>(6 * p)),
          std::vector<double>(static_cast<size_t>(2 * p))};
  auto call = [=] {
    for (int64_t i = 0; i < p; ++i) {
      std::array<Number, 15> x;
      for (int k = 0; k < 11; ++k) x[k] = Api<Number, 15>::variable(cameras[static_cast<size_t>(i % n * 11 + k)], k);
      for (int k = 0; k < 3; ++k)
        x[11 + k] = Api<Number, 15>::variable(points[static_cast<size_t>(i % m * 3 + k)], 11 + k);
      x[14] = Api<Number, 15>::variable(v[14], 14);
      std::array<Number, 2> r = residual(x.data(), &v[15]);
      for (int row = 0; row < 2; ++row) {
        for (int k = 0; k < 11; ++k)
          out->camera[static_cast<size_t>((i * 2 + row) * 11 + k)] = Api<Number, 15>::partial(r[row], k);
        for (int k = 0; k < 3; ++k)
          out->point[static_cast<size_t>((i * 2 + row) * 3 + k)] = Api<Number, 15>::partial(r[row], 11 + k);
        out->weight[static_cast<size_t>(i * 2 + row)] = Api<Number, 15>::partial(r[row], 14);
      }
    }
  };
  return {call, [=] { return std::vector<std::vector<double>>{out->camera, out->point, out->weight}; }};
}

template <class Number>
Job lorenz(Size size) {
  int64_t n = size == Size::toy ? 10 : 10'000;
  auto out = std::make_shared<std::vector<double>>(static_cast<size_t>(9 * n));
  std::vector<double> x(static_cast<size_t>(3 * n));
  for (size_t i = 0; i < x.size(); ++i) x[i] = 2.0 * uniform(1, i);
  auto call = [=] {
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
      std::array<Number, 3> u;
      for (int k = 0; k < 3; ++k) u[k] = Api<Number, 3>::variable(x[3 * i + k], k);
      u = lorenz_steps(u);
      for (size_t row = 0; row < 3; ++row)
        for (int k = 0; k < 3; ++k) (*out)[9 * i + 3 * row + k] = Api<Number, 3>::partial(u[row], k);
    }
  };
  return {call, [=] { return std::vector<std::vector<double>>{*out}; }};
}

}  // namespace

void add_cpp_peers(std::vector<Contender>& all) {
#ifdef BENCH_CERES
  all.push_back({"ceres", "ba", "", ba<ceres::Jet<double, 15>>, CERES_VERSION_STRING, true});
  all.push_back({"ceres", "lorenz", "", lorenz<ceres::Jet<double, 3>>, CERES_VERSION_STRING, true});
#else
  for (const char* w : {"ba", "lorenz"}) all.push_back({"ceres", w, "ceres/jet.h is not installed", {}});
#endif
#ifdef BENCH_EIGEN
  const std::string version = std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
                              std::to_string(EIGEN_MINOR_VERSION);
  all.push_back({"eigen-autodiff", "ba", "", ba<EigenNumber<15>>, version, true});
  all.push_back({"eigen-autodiff", "lorenz", "", lorenz<EigenNumber<3>>, version, true});
#else
  for (const char* w : {"ba", "lorenz"}) all.push_back({"eigen-autodiff", w, "libeigen3-dev is not installed", {}});
#endif
}

}  // namespace bench
