// ./dev demo: from functions to jacobians, and what they cost.
#include <jot/jot.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "bundle_adjustment.h"

using namespace jot;
namespace ba = bundle_adjustment;

namespace {

double milliseconds(const auto& work) {
  auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

void title(const char* text) { std::printf("\n== %s\n\n", text); }

// ---- 1. torch.func's two examples

void linear_layer() {
  title("1. The jacobian of a layer, by its input and by its parameters");
  manual_seed(0);
  auto model = nn::Linear(3, 3);
  Tensor x = randn({3});
  Tensor J = jacrev([&](const Tensor& v) { return model(v); })(x);
  std::printf("jacrev(model)(x), which is the layer's weight:\n%s\n", to_string(J).c_str());

  auto call = [&](const TensorDict& params, const Tensor& v) { return functional_call(model, params, v); };
  for (const auto& [name, block] : jacrev(call)(model.named_parameters(), x))
    std::printf("by %s: %s\n", name.c_str(), to_string(block.shape()).c_str());
}

// ---- 2. bundle adjustment

using Blocks = std::tuple<Tensor, Tensor, Tensor>;

// The rows [2, 15] of observation i.
std::vector<double> block_of(const std::vector<std::vector<double>>& blocks, int64_t i) {
  const int64_t widths[] = {11, 3, 1};
  std::vector<double> rows;
  for (int64_t r = 0; r < 2; ++r)
    for (size_t b = 0; b < 3; ++b)
      for (int64_t c = 0; c < widths[b]; ++c)
        rows.push_back(blocks[b][static_cast<size_t>((i * 2 + r) * widths[b] + c)]);
  return rows;
}

std::vector<std::vector<double>> flat(const Blocks& J) {
  auto& [camera, point, weight] = J;
  return {camera.to_vector<double>(), point.to_vector<double>(), weight.to_vector<double>()};
}

// The largest difference of two blocks, relative to the largest entry; infinite where a zero should be exact and is
// not.
double difference(const std::vector<double>& got, const std::vector<double>& expected, bool exact_zeros = true) {
  double scale = 0, worst = 0;
  for (double e : expected) scale = std::max(scale, std::abs(e));
  for (size_t i = 0; i < got.size(); ++i) {
    if (exact_zeros && expected[i] == 0 && got[i] != 0) return INFINITY;
    worst = std::max(worst, std::abs(got[i] - expected[i]) / scale);
  }
  return std::isnan(worst) ? INFINITY : worst;
}

double largest_difference(const Blocks& got, const std::vector<std::vector<double>>& expected, int64_t observations) {
  auto blocks = flat(got);
  double worst = 0;
  for (int64_t i = 0; i < observations; ++i)
    worst = std::max(worst, difference(block_of(blocks, i), block_of(expected, i)));
  return worst;
}

std::vector<double> read_expected(const std::string& path) {
  std::ifstream file(path);
  std::string comment;
  std::getline(file, comment);
  std::vector<double> rows(32);
  for (double& x : rows) file >> x;
  if (!file) throw Error("[demo] " + path + " is not the expected jacobian");
  return {rows.begin() + 2, rows.end()};
}

// Central differences of the residual of one observation.
std::vector<double> numeric_block(const ba::Problem& p, int64_t i) {
  Tensor camera = p.cameras[p.camera_index[i].item<int64_t>()].clone();
  Tensor point = p.points[p.point_index[i].item<int64_t>()].clone(), weight = p.weights[i].clone();
  std::vector<double> rows(30);
  int64_t column = 0;
  for (Tensor* t : {&camera, &point, &weight}) {
    Tensor elements = t->view({-1});
    for (int64_t k = 0; k < elements.size(0); ++k, ++column) {
      double x = elements[k].item<double>(), h = 1e-6 * std::max(1.0, std::abs(x));
      elements[k] = x + h;
      auto high = ba::residual(camera, point, weight, p.features[i]).to_vector<double>();
      elements[k] = x - h;
      auto low = ba::residual(camera, point, weight, p.features[i]).to_vector<double>();
      elements[k] = x;
      for (size_t r = 0; r < 2; ++r) rows[r * 15 + static_cast<size_t>(column)] = (high[r] - low[r]) / (2 * h);
    }
  }
  return rows;
}

bool check(const char* what, double got, double bound) {
  std::printf("  %-62s %8.2g (at most %g)%s\n", what, got, bound, got <= bound ? "" : "  FAILED");
  return got <= bound;
}

bool bundle_adjustment_demo(const std::string& data) {
  title("2. Bundle adjustment: 31,843 jacobians of 2 x 15");
  auto J = jit([](const auto&... inputs) { return ba::jacobian(inputs...); });
  auto call = [&](const ba::Problem& p) {
    return J(p.cameras, p.points, p.weights, p.features, p.camera_index, p.point_index);
  };
  ba::Problem problem = ba::read_problem(data + "/ba1_n49_m7776_p31843.txt");
  int64_t n = problem.weights.size(0);
  Blocks blocks;
  double first = milliseconds([&] { blocks = call(problem); });
  std::vector<double> steady(21);
  for (double& ms : steady) ms = milliseconds([&] { blocks = call(problem); });
  std::nth_element(steady.begin(), steady.begin() + 10, steady.end());

  bool good = true;
  std::vector<double> expected = read_expected(data + "/ba1_expected.txt");
  double worst = 0;
  auto values = flat(blocks);
  for (int64_t i = 0; i < n; ++i) worst = std::max(worst, difference(block_of(values, i), expected));
  good &= check("every block against the expected one", worst, 1e-12);

  ba::Problem moved = ba::read_problem(data + "/ba1_n49_m7776_p31843.txt", 0.01);
  Blocks compiled = call(moved);
  ir::Graph graph = trace([](const auto&... inputs) { return ba::jacobian(inputs...); }, moved.cameras, moved.points,
                          moved.weights, moved.features, moved.camera_index, moved.point_index);
  auto reference = interpret(
      graph, {moved.cameras, moved.points, moved.weights, moved.features, moved.camera_index, moved.point_index});
  good &= check("perturbed cameras and points: against the interpreter",
                largest_difference(compiled, flat({reference[0], reference[1], reference[2]}), n), 1e-12);
  double numeric = 0;
  auto perturbed = flat(compiled);
  for (int64_t i = 0; i < n; i += n / 5)
    numeric = std::max(numeric, difference(block_of(perturbed, i), numeric_block(moved, i), false));
  good &= check("a sample against central differences", numeric, 1e-6);

  title("3. What caching bought");
  ba::Problem fewer = ba::head(moved, 31'000);
  fewer.weights.eval(), fewer.features.eval(), fewer.camera_index.eval(), fewer.point_index.eval();
  double new_size = milliseconds([&] { call(fewer); });
  double again = milliseconds([&] { call(fewer); });
  std::printf("  first call (records, differentiates, batches, compiles, runs)  %8.3f ms\n", first);
  std::printf("  a later call                                                   %8.3f ms\n", steady[10]);
  std::printf("  first call with 31,000 observations (no code generated)        %8.3f ms\n", new_size);
  std::printf("  and again                                                      %8.3f ms\n", again);
  CacheInfo info = J.cache_info();
  std::printf("  jit: %lld hits, %lld misses, %lld recordings kept\n", static_cast<long long>(info.hits),
              static_cast<long long>(info.misses), static_cast<long long>(info.entries));
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  linear_layer();
  bool good = bundle_adjustment_demo(argc > 1 ? argv[1] : JOT_EXAMPLES_DATA);
  return good ? 0 : 1;
}
