#include <fstream>
#include <random>
#include <vector>

#include "bundle_adjustment.h"

namespace bundle_adjustment {
namespace {

// `count` copies of `row`, each entry scaled by a random factor in 1 +- perturbation.
Tensor repeated(const std::vector<double>& row, int64_t count, double perturbation, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> factor(1 - perturbation, 1 + perturbation);
  std::vector<double> all;
  for (int64_t i = 0; i < count; ++i)
    for (double x : row) all.push_back(perturbation > 0 ? x * factor(random) : x);
  return Tensor::from(all, {count, row.size()});
}

}  // namespace

Problem read_problem(const std::string& path, double perturbation) {
  std::ifstream file(path);
  int64_t n = 0, m = 0, p = 0;
  file >> n >> m >> p;
  std::vector<double> camera(11), point(3), weight(1), feature(2);
  for (auto* list : {&camera, &point, &weight, &feature})
    for (double& x : *list) file >> x;
  if (!file) throw jot::Error("[read_problem] " + path + " is missing or is not a bundle-adjustment problem");
  std::vector<int64_t> camera_index, point_index;
  for (int64_t i = 0; i < p; ++i) {
    camera_index.push_back(i % n);
    point_index.push_back(i % m);
  }
  return {repeated(camera, n, perturbation, 1), repeated(point, m, perturbation, 2),
          repeated(weight, p, 0, 0).view({p}),  repeated(feature, p, 0, 0),
          Tensor::from(camera_index, {p}),      Tensor::from(point_index, {p})};
}

Problem head(const Problem& all, int64_t p) {
  auto first = [p](const Tensor& t) { return t.slice(0, 0, p).clone(); };
  return {all.cameras,           all.points, first(all.weights), first(all.features), first(all.camera_index),
          first(all.point_index)};
}

}  // namespace bundle_adjustment
