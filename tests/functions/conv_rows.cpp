// Convolutions and pooling.
#include "tests/functions/rows.h"

namespace jot::test {

namespace {

namespace F = nn::functional;

Tensor both(const ValuesIndices& r) { return r.values * r.indices.to(r.values.dtype()); }

void convolutions(FunctionRows& t) {
  t.add("nn.conv1d", "", {{{2, 4, 5}}, {{2, 2, 3}}, {{2}}},
        [](Tensors x) { return F::conv1d(x[0], x[1], x[2], {.stride = 2, .padding = 1, .groups = 2}); });
  t.add("nn.conv2d", "", {{{1, 2, 3, 4}}, {{2, 2, 2, 2}}},
        [](Tensors x) { return F::conv2d(x[0], x[1], {}, {.padding = Padding::same}); });
  t.add("nn.conv3d", "", {{{2, 2, 3, 2}}, {{1, 2, 2, 2, 1}}}, [](Tensors x) { return F::conv3d(x[0], x[1]); });
  t.add("nn.conv_transpose1d", "", {{{2, 4, 3}}, {{4, 1, 2}}, {{2}}}, [](Tensors x) {
    return F::conv_transpose1d(x[0], x[1], x[2], {.stride = 2, .output_padding = 1, .groups = 2});
  });
  t.add("nn.conv_transpose2d", "", {{{2, 2, 3}}, {{2, 1, 2, 2}}}, [](Tensors x) {
    return F::conv_transpose2d(x[0], x[1], {}, {.padding = {1, 0}, .dilation = 2});
  });
  t.add("nn.conv_transpose3d", "", {{{1, 1, 2, 2, 2}}, {{1, 2, 2, 1, 2}}},
        [](Tensors x) { return F::conv_transpose3d(x[0], x[1]); });
  t.add("nn.unfold", "", {{{2, 1, 3, 4}}}, [](Tensors x) { return F::unfold(x[0], 2, {.padding = {1, 0}}); });
  t.add("nn.fold", "", {{{1, 4, 6}}}, [](Tensors x) { return F::fold(x[0], {3, 4}, 2); });
}

void pooling(FunctionRows& t) {
  t.add("nn.avg_pool1d", "", {{{2, 1, 6}}},
        [](Tensors x) { return F::avg_pool1d(x[0], 3, {.stride = 2, .padding = 1}); });
  t.add("nn.avg_pool2d", "", {{{1, 4, 5}}},
        [](Tensors x) { return F::avg_pool2d(x[0], 2, {.ceil_mode = true, .count_include_pad = false}); });
  t.add("nn.avg_pool3d", "", {{{1, 2, 3, 4}}}, [](Tensors x) { return F::avg_pool3d(x[0], 2, {.stride = 1}); });
  t.add("nn.max_pool1d", "", {{{2, 1, 6}}},
        [](Tensors x) { return F::max_pool1d(x[0], 3, {.stride = 2, .padding = 1}); });
  t.add("nn.max_pool2d", "", {{{1, 4, 5}}}, [](Tensors x) { return F::max_pool2d(x[0], 2, {.ceil_mode = true}); });
  t.add("nn.max_pool3d", "", {{{1, 2, 3, 4}}}, [](Tensors x) { return F::max_pool3d(x[0], 2, {.stride = 1}); });
  t.add("nn.max_pool1d_with_indices", "", {{{2, 6}}},
        [](Tensors x) { return both(F::max_pool1d_with_indices(x[0], 2)); });
  t.add("nn.max_pool2d_with_indices", "", {{{1, 4, 4}}},
        [](Tensors x) { return both(F::max_pool2d_with_indices(x[0], 2)); });
  t.add("nn.max_pool3d_with_indices", "", {{{1, 2, 2, 4}}},
        [](Tensors x) { return both(F::max_pool3d_with_indices(x[0], 2)); });
  t.add("nn.max_unpool1d", "", {{{1, 3}}}, [](Tensors x) { return F::max_unpool1d(x[0], tensor({{1, 2, 5}}), 2); });
  t.add("nn.max_unpool2d", "", {{{1, 1, 2}}}, [](Tensors x) { return F::max_unpool2d(x[0], tensor({{{0, 7}}}), 2); });
  t.add("nn.max_unpool3d", "", {{{1, 1, 1, 2}}}, [](Tensors x) {
    return F::max_unpool3d(x[0], tensor({{{{3, 15}}}}), 2);
  });
  t.add("nn.adaptive_avg_pool1d", "", {{{1, 5}}}, [](Tensors x) { return F::adaptive_avg_pool1d(x[0], 3); });
  t.add("nn.adaptive_avg_pool2d", "", {{{2, 1, 4, 3}}}, [](Tensors x) { return F::adaptive_avg_pool2d(x[0], {2, 2}); });
  t.add("nn.adaptive_avg_pool2d", "even", {{{1, 4, 3}}}, [](Tensors x) {
    return F::adaptive_avg_pool2d(x[0], {2, 3});
  });
  t.add("nn.adaptive_avg_pool3d", "", {{{1, 2, 3, 2}}}, [](Tensors x) { return F::adaptive_avg_pool3d(x[0], 1); });
  t.add("nn.adaptive_max_pool1d", "", {{{1, 5}}}, [](Tensors x) { return F::adaptive_max_pool1d(x[0], 3); });
  t.add("nn.adaptive_max_pool2d", "", {{{1, 4, 3}}}, [](Tensors x) { return F::adaptive_max_pool2d(x[0], 2); });
  t.add("nn.adaptive_max_pool3d", "", {{{1, 2, 3, 2}}}, [](Tensors x) { return F::adaptive_max_pool3d(x[0], 1); });
  t.add("nn.adaptive_max_pool1d_with_indices", "", {{{1, 5}}},
        [](Tensors x) { return both(F::adaptive_max_pool1d_with_indices(x[0], 3)); });
  t.add("nn.adaptive_max_pool2d_with_indices", "", {{{1, 4, 3}}},
        [](Tensors x) { return both(F::adaptive_max_pool2d_with_indices(x[0], 2)); });
  t.add("nn.adaptive_max_pool3d_with_indices", "", {{{1, 2, 3, 2}}},
        [](Tensors x) { return both(F::adaptive_max_pool3d_with_indices(x[0], 1)); });
  t.add("nn.lp_pool1d", "", {{{1, 6}, 0.5, 2}}, [](Tensors x) { return F::lp_pool1d(x[0], 3, 2); });
  t.add("nn.lp_pool2d", "", {{{1, 4, 4}, 0.5, 2}}, [](Tensors x) { return F::lp_pool2d(x[0], 2, 2); });
  t.add("nn.lp_pool3d", "", {{{1, 2, 2, 3}, 0.5, 2}}, [](Tensors x) { return F::lp_pool3d(x[0], 2, {1, 2, 2}); });
}

}  // namespace

void conv_rows(FunctionRows& t) {
  convolutions(t);
  pooling(t);
}

}  // namespace jot::test
