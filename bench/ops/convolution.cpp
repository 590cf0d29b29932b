// Convolutions and pooling.
#include "ops.h"

namespace bench::ops {

namespace F = jot::nn::functional;

namespace {

using X = const Tensors&;
using A = const Args&;

// Arguments: stride, padding, groups.
void add_convolutions(Rows& rows) {
  auto conv2d = [&](jot::DType dtype, const std::string& label, const Shape& x, const Shape& w, const Args& args) {
    rows.add_both(dtype == jot::f32 ? "conv2d" : "conv2d f64", label, {{x, dtype}, {w, dtype}}, args, [](X x, A a) {
      return F::conv2d(x[0], x[1], {}, {.stride = a[0], .padding = a[1], .groups = a[2]});
    });
  };
  const int64_t n = rows(8, 2), c64 = rows(64, 6), c128 = rows(128, 4), c256 = rows(256, 8), c512 = rows(512, 5);
  const int64_t s7 = rows(7, 3), s28 = rows(28, 5), s56 = rows(56, 6), s224 = rows(224, 11);
  for (jot::DType d : {jot::f32, jot::f64}) {
    conv2d(d, "3 x 3, 64 to 64, 56 x 56", {n, c64, s56, s56}, {c64, c64, 3, 3}, {1, 1, 1});
    conv2d(d, "1 x 1, 256 to 256, 28 x 28", {n, c256, s28, s28}, {c256, c256, 1, 1}, {1, 0, 1});
    conv2d(d, "7 x 7 stride 2, 3 to 64, 224 x 224", {n, 3, s224, s224}, {c64, 3, 7, 7}, {2, 3, 1});
    conv2d(d, "3 x 3 of 128 groups, 56 x 56", {n, c128, s56, s56}, {c128, 1, 3, 3}, {1, 1, c128});
    conv2d(d, "3 x 3, 512 to 512, 7 x 7", {n, c512, s7, s7}, {c512, c512, 3, 3}, {1, 1, 1});
  }
  conv2d(jot::f32, "3 x 3 stride 2, 128 to 128, 56 x 56", {n, c128, s56, s56}, {c128, c128, 3, 3}, {2, 1, 1});
  conv2d(jot::f32, "3 x 3, 64 to 64, one of 56 x 56", {1, c64, s56, s56}, {c64, c64, 3, 3}, {1, 1, 1});
  rows.add_both("conv1d", "5, 64 to 128, 1024", {{{n, c64, rows(1024, 20)}}, {{c128, c64, 5}}}, {2},
                [](X x, A a) { return F::conv1d(x[0], x[1], {}, {.padding = a[0]}); });
  rows.add_both("conv_transpose2d", "4 x 4 stride 2, 128 to 64, 28 x 28", {{{n, c128, s28, s28}}, {{c128, c64, 4, 4}}},
                {2, 1},
                [](X x, A a) { return F::conv_transpose2d(x[0], x[1], {}, {.stride = a[0], .padding = a[1]}); });
}

// Arguments: kernel, stride, padding.
void add_pooling(Rows& rows) {
  const int64_t n = rows(8, 2), c64 = rows(64, 3), c192 = rows(192, 3), c512 = rows(512, 4);
  const int64_t s14 = rows(14, 5), s28 = rows(28, 6), s112 = rows(112, 9);
  auto pool = [&](const std::string& label, const Shape& x, const Args& args) {
    rows.add_both("max_pool2d", label, {{x}}, args,
                  [](X x, A a) { return F::max_pool2d(x[0], a[0], {.stride = a[1], .padding = a[2]}); });
    rows.add_both("avg_pool2d", label, {{x}}, args,
                  [](X x, A a) { return F::avg_pool2d(x[0], a[0], {.stride = a[1], .padding = a[2]}); });
  };
  pool("2 x 2, 64 of 112 x 112", {n, c64, s112, s112}, {2, 2, 0});
  pool("3 x 3 stride 2, 64 of 112 x 112", {n, c64, s112, s112}, {3, 2, 1});
  pool("3 x 3 stride 1, 192 of 28 x 28", {n, c192, s28, s28}, {3, 1, 1});
  pool("2 x 2, 512 of 14 x 14", {n, c512, s14, s14}, {2, 2, 0});
  pool("7 x 7, 512 of 14 x 14", {n, c512, rows(14, 8), rows(14, 8)}, {rows(7, 4), rows(7, 4), 0});
  rows.add_both("adaptive_avg_pool2d", "1 x 1, 512 of 14 x 14", {{{n, c512, s14, s14}}}, {1},
                [](X x, A a) { return F::adaptive_avg_pool2d(x[0], a[0]); });
}

}  // namespace

void add_convolution(Rows& rows) {
  add_convolutions(rows);
  add_pooling(rows);
}

}  // namespace bench::ops
