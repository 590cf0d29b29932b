// A module of ADBench (hand-written or Tapenade) as contender: built by bench/adbench.py against a checkout, with
// ADBENCH_NAME. One thread.
#include <shared/BAData.h>
#include <shared/GMMData.h>
#include <shared/ITest.h>

#include <fstream>
#include <memory>

#include "contender.h"

extern "C" ITest<BAInput, BAOutput>* get_ba_test();
extern "C" ITest<GMMInput, GMMOutput>* get_gmm_test();

namespace bench {
namespace {

std::vector<double> read(std::ifstream& file, int count) {
  std::vector<double> v(static_cast<size_t>(count));
  for (double& x : v) file >> x;
  return v;
}

// `count` copies of v.
std::vector<double> repeat(const std::vector<double>& v, int count) {
  std::vector<double> all;
  for (int i = 0; i < count; ++i) all.insert(all.end(), v.begin(), v.end());
  return all;
}

// The blocks by camera, point and weight, without the rows of the weights' own errors.
std::vector<std::vector<double>> blocks(const BAOutput& out, int p) {
  std::vector<std::vector<double>> b(3);
  for (auto row = out.J.vals.begin(), end = row + 30 * p; row != end; row += 15) {
    b[0].insert(b[0].end(), row, row + 11);
    b[1].insert(b[1].end(), row + 11, row + 14);
    b[2].push_back(row[14]);
  }
  return b;
}

Job ba(Size size) {
  std::ifstream file(kBaFile);
  BAInput in;
  file >> in.n >> in.m >> in.p;
  std::vector<double> camera = read(file, 11), point = read(file, 3), weight = read(file, 1), feature = read(file, 2);
  if (size == Size::toy) in.p = 20;
  const int p = in.p;
  in.cams = repeat(camera, in.n);
  in.X = repeat(point, in.m);
  in.w = repeat(weight, p);
  in.feats = repeat(feature, p);
  for (int i = 0; i < p; ++i) in.obs.insert(in.obs.end(), {i % in.n, i % in.m});
  std::shared_ptr<ITest<BAInput, BAOutput>> module(get_ba_test());
  module->prepare(std::move(in));
  return {[=] { module->calculate_jacobian(1); }, [=] { return blocks(module->output(), p); }};
}

Job gmm(const std::string& name, Size size) {
  std::ifstream file(kData + "/" + name);
  GMMInput in;
  file >> in.d >> in.k >> in.n;
  const int d = in.d, k = in.k;
  in.alphas = read(file, k);
  in.means = read(file, k * d);
  in.icf = read(file, k * d * (d + 1) / 2);
  in.x = read(file, in.n * d);
  file >> in.wishart.gamma >> in.wishart.m;
  if (size == Size::toy) in.n = 5;
  std::shared_ptr<ITest<GMMInput, GMMOutput>> module(get_gmm_test());
  module->prepare(std::move(in));
  return {[=] { module->calculate_jacobian(1); },
          [=] {
            const std::vector<double> g = module->output().gradient;
            auto means = g.begin() + k, factors = means + k * d;
            return std::vector<std::vector<double>>{{g.begin(), means}, {means, factors}, {factors, g.end()}};
          }};
}

}  // namespace

std::vector<Contender> contenders() {
  return {{ADBENCH_NAME, "ba", "", ba, ADBENCH_VERSION, true},
          {ADBENCH_NAME, "gmm10", "", [](Size s) { return gmm("gmm_d10_K25.txt", s); }, ADBENCH_VERSION, true},
          {ADBENCH_NAME, "gmm64", "", [](Size s) { return gmm("gmm_d64_K25.txt", s); }, ADBENCH_VERSION, true}};
}

}  // namespace bench
