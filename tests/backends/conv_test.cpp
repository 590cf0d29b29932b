// Convolutions of sizes that libraries take, and their derivatives, against the interpreter.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "backends/cpu/runtime/kernel_code.h"
#include "backends/target.h"
#include "passes/transforms.h"
#include "tests/backends/run.h"
#include "tests/ops/rows.h"

using namespace jot;
using namespace jot::test;

namespace {

struct Case {
  const char* name;
  Shape x, w;
  ir::build::ConvAxes axes;
  ir::build::Windows windows;
  bool flip;
  std::vector<int64_t> perm;
};

const ir::build::ConvAxes kLine{{{1}, {1}}, {{}, {}}, {{2}, {2}}}, kImage{{{1}, {1}}, {{}, {}}, {{2, 3}, {2, 3}}},
    kVolume{{{1}, {1}}, {{}, {}}, {{2, 3, 4}, {2, 3, 4}}}, kGroups{{{2}, {2}}, {{1}, {0}}, {{3, 4}, {3, 4}}},
    kLanes{{{2}, {2}}, {{0}, {0}}, {{3, 4}, {3, 4}}}, kWeightLanes{{{1}, {2}}, {{}, {}}, {{2, 3}, {3, 4}}};

// Of all dims the same.
ir::build::Windows same(size_t dims, int64_t stride, int64_t padding, int64_t x_dilation = 1, int64_t w_dilation = 1) {
  auto all = [dims](int64_t n) { return std::vector<int64_t>(dims, n); };
  return {all(stride), all(padding), all(padding), all(x_dilation), all(w_dilation)};
}

const std::vector<Case>& cases() {
  static const std::vector<Case> list = {
      {"3 x 3", {5, 8, 10, 9}, {16, 8, 3, 3}, kImage, same(2, 1, 1), false, {0, 1, 2, 3}},
      {"one image, cut by channels", {1, 16, 12, 12}, {72, 16, 3, 3}, kImage, same(2, 1, 1), false, {0, 1, 2, 3}},
      {"1 x 1", {3, 32, 8, 8}, {24, 32, 1, 1}, kImage, {}, false, {0, 1, 2, 3}},
      {"1 x 1, stride", {3, 32, 16, 16}, {40, 32, 1, 1}, kImage, same(2, 2, 0), false, {0, 1, 2, 3}},
      {"7 x 7, stride, few channels", {2, 3, 21, 20}, {16, 3, 7, 7}, kImage, same(2, 2, 3), false, {0, 1, 2, 3}},
      {"stride that leaves some out", {2, 8, 12, 12}, {16, 8, 3, 3}, kImage, same(2, 3, 0), false, {0, 1, 2, 3}},
      {"window apart", {2, 8, 14, 14}, {16, 8, 3, 3}, kImage, same(2, 1, 2, 1, 2), false, {0, 1, 2, 3}},
      {"groups", {3, 2, 8, 9, 9}, {2, 16, 8, 3, 3}, kGroups, same(2, 1, 1), false, {1, 0, 2, 3, 4}},
      {"one feature a group", {4, 32, 1, 14, 14}, {32, 1, 1, 3, 3}, kGroups, same(2, 1, 1), false, {1, 0, 2, 3, 4}},
      {"one feature a group, one image",
       {1, 64, 1, 24, 24},
       {64, 1, 1, 5, 5},
       kGroups,
       same(2, 1, 2),
       false,
       {1, 0, 2, 3, 4}},
      {"lanes", {3, 2, 8, 9, 9}, {3, 16, 8, 3, 3}, kLanes, same(2, 1, 1), false, {0, 1, 2, 3, 4}},
      {"lanes of weights", {2, 8, 9, 9}, {3, 16, 8, 3, 3}, kWeightLanes, same(2, 1, 1), false, {1, 0, 2, 3, 4}},
      {"x apart", {2, 16, 7, 7}, {16, 16, 3, 3}, kImage, same(2, 1, 1, 2), true, {0, 1, 2, 3}},
      {"x apart, not flipped", {2, 16, 7, 7}, {16, 16, 3, 3}, kImage, same(2, 1, 1, 2), false, {0, 1, 2, 3}},
      {"line", {2, 16, 150}, {16, 16, 5}, kLine, same(1, 1, 2), false, {0, 1, 2}},
      {"volume", {2, 4, 6, 6, 6}, {8, 4, 3, 3, 3}, kVolume, same(3, 1, 1), false, {0, 1, 2, 3, 4}},
      {"cropped", {3, 8, 12, 12}, {16, 8, 3, 3}, kImage, same(2, 1, -1), false, {0, 1, 2, 3}},
      {"many channels", {2, 128, 5, 5}, {96, 128, 3, 3}, kImage, same(2, 1, 1), false, {0, 1, 2, 3}},
      {"many channels, small images", {5, 128, 4, 5}, {64, 128, 3, 3}, kImage, same(2, 1, 1), false, {0, 1, 2, 3}},
      {"one small image", {1, 64, 3, 4}, {136, 64, 3, 3}, kImage, same(2, 1, 1), false, {0, 1, 2, 3}},
      {"few made", {1, 12, 40, 41}, {2, 12, 7, 7}, kImage, same(2, 1, 3), false, {0, 1, 2, 3}},
      {"few made, x apart", {3, 16, 7, 6}, {3, 16, 4, 3}, kImage, same(2, 1, 2, 2), true, {0, 1, 2, 3}},
      {"few made of each group, stride",
       {2, 2, 9, 9, 8},
       {2, 2, 9, 2, 3},
       kGroups,
       same(2, 2, 1),
       false,
       {1, 0, 2, 3, 4}},
      {"few made, window apart, cropped",
       {2, 8, 12, 11},
       {1, 8, 2, 3},
       kImage,
       same(2, 1, -1, 1, 2),
       false,
       {0, 1, 2, 3}},
  };
  return list;
}

ir::Graph graph_of(const Case& c, DType dtype) {
  ir::Builder b;
  ir::Value x = b.param({dtype, false, c.x}), w = b.param({dtype, false, c.w});
  return b.finish({ir::build::conv(b, x, w, c.axes, c.windows, c.flip, c.perm)});
}

cpu::CompileOptions options() {
  if (target() == Target::reference) return {};
  return {.vector_bytes = target() == Target::avx512 ? 64 : 32, .code = cpu::kernel_code};
}

std::vector<HostTensor> converted(const std::vector<HostTensor>& list, DType dtype) {
  std::vector<HostTensor> result;
  for (const HostTensor& t : list) result.push_back(convert(t, dtype));
  return result;
}

// The largest difference, relative to the largest element.
double distance(const HostTensor& got, const HostTensor& want) {
  double most = 0, scale = 0;
  for (int64_t i = 0; i < want.numel(); ++i) {
    const double x = want.number(i), y = got.number(i);
    if (std::isfinite(x) != std::isfinite(y) || std::isnan(x) != std::isnan(y)) return HUGE_VAL;
    if (!std::isfinite(x)) continue;
    most = std::max(most, std::abs(x - y));
    scale = std::max(scale, std::abs(x));
  }
  return most / std::max(scale, 1e-300);
}

}  // namespace

TEST_CASE("conv: libraries against the interpreter, with both derivatives") {
  std::mt19937 random(3);
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    const std::vector<uint8_t> active = {1, 1};
    const ir::Graph wide = passes::vjp(graph_of(c, f64), active, 1), narrow = passes::vjp(graph_of(c, f32), active, 1);
    std::vector<HostTensor> inputs;
    for (ir::Value v : narrow.data().inputs()) inputs.push_back(random_tensor(narrow.data().type(v), -1, 1, random));
    const std::vector<HostTensor> exact = converted(inputs, f64), want = interpret(wide, exact);
    const std::vector<HostTensor> f64s = run_cpu(wide, exact, options()), f32s = run_cpu(narrow, inputs, options());
    for (size_t i = 0; i < want.size(); ++i) {
      CAPTURE(i);
      CHECK(distance(f64s[i], want[i]) < 1e-13);
      CHECK(distance(f32s[i], want[i]) < 1e-5);
    }
  }
}

// An infinite element of the window meets no padding.
TEST_CASE("conv: infinite weights, with padding") {
  std::mt19937 random(4);
  for (DType dtype : {f32, f64})
    for (const Case& c : cases()) {
      CAPTURE(c.name);
      const ir::Graph g = graph_of(c, dtype);
      std::vector<HostTensor> inputs;
      for (ir::Value v : g.data().inputs()) inputs.push_back(random_tensor(g.data().type(v), 0.5, 1, random));
      inputs[1].set(0, HUGE_VAL);
      inputs[1].set(inputs[1].numel() / 2, std::nan(""));
      CHECK(distance(run_cpu(g, inputs, options())[0], interpret(g, inputs)[0]) < 1e-5);
    }
}

TEST_CASE("conv: the same bits each time") {
  std::mt19937 random(5);
  const ir::Graph g = graph_of(cases()[0], f32);
  std::vector<HostTensor> inputs;
  for (ir::Value v : g.data().inputs()) inputs.push_back(random_tensor(g.data().type(v), -1, 1, random));
  const HostTensor first = run_cpu(g, inputs, options())[0];
  for (int i = 0; i < 3; ++i) CHECK(run_cpu(g, inputs, options())[0] == first);
}
