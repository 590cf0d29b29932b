// From a C++ function to the graph that is compiled: what each transform and each pass makes of three functions. The
// output is passes.txt, which a test compares.
#include <jot/jot.h>

#include <cstdio>
#include <string>

#include "bundle_adjustment.h"

using namespace jot;
namespace ba = bundle_adjustment;

namespace {

// At most `limit` lines of a graph, without the places in this file that its nodes stand for.
void show(const char* title, const ir::Graph& graph, int limit = 100) {
  std::printf("%s: %lld nodes\n", title, static_cast<long long>(graph.num_nodes()));
  std::string text = to_text(graph), line;
  int count = 0;
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end + 1, ++count) {
    end = text.find('\n', begin);
    line = text.substr(begin, end - begin);
    if (count < limit) std::printf("  %s\n", line.substr(0, line.find(" loc(")).c_str());
  }
  if (count > limit) std::printf("  ... %d more lines\n", count - limit);
  std::printf("\n");
}

// What each pass of the pipeline changes.
void show_passes(ir::Graph before, int limit = 100) {
  optimize(before, [&](std::string_view pass, const ir::Graph& after) {
    const std::string title = "after " + std::string(pass);
    if (after == before)
      std::printf("%s: unchanged\n\n", title.c_str());
    else
      show(title.c_str(), after, limit);
    before = after;
  });
}

}  // namespace

int main() {
  std::printf("== A layer, and its jacobian: structural zeros leave one diagonal\n\n");
  Tensor W = eye(3), b = ones({3}), x = ones({3});
  auto layer = [](const Tensor& W, const Tensor& b, const Tensor& x) { return tanh(matmul(W, x) + b); };
  show("recorded", trace(layer, W, b, x));
  ir::Graph jacobian = trace(jacrev<argnum(2)>(layer), W, b, x);
  show("jacrev", jacobian);
  show_passes(jacobian);

  std::printf("== A function that writes to a view: functionalize makes values of it\n\n");
  auto writes = [](const Tensor& x) {
    Tensor y = x * 1;
    y[0] = 2 * y[1];
    return sum(sin(y));
  };
  ir::Graph recorded = trace(writes, x);
  show("recorded", recorded);
  show_passes(recorded);
  show("grad, simplified", optimize(trace(grad(writes), x)));

  std::printf("== Bundle adjustment, five observations\n\n");
  Tensor cameras = ones({2, 11}, f64), points = ones({3, 3}, f64), weights = ones({5}, f64);
  Tensor features = ones({5, 2}, f64), camera = zeros({5}, i64), point = zeros({5}, i64);
  show("the residual, recorded", trace(ba::residual, cameras[0], points[0], weights[0], features[0]), 20);
  auto all = [](const auto&... inputs) { return ba::jacobian(inputs...); };
  ir::Graph batched = trace(all, cameras, points, weights, features, camera, point);
  show("vmap of jacrev", batched, 20);
  show_passes(batched, 20);
}
