// Convolutions and pooling: against torch's values and derivatives (conv_golden.txt), ties and NaN, storage dtypes,
// views, errors.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/functions/failures.h"
#include "tests/functions/golden.h"

namespace jot::test {

namespace {

namespace F = nn::functional;
// Values and positions as one vector.
Tensor joined(const ValuesIndices& r) { return cat({r.values.reshape({-1}), r.indices.reshape({-1}).to(f64)}); }

using Table = GoldenTable;
using A = const List&;

void convolutions(Table& t) {
  const Tensor x1 = ramp({2, 4, 7}), x2 = ramp({2, 4, 5, 6}), x3 = ramp({1, 2, 3, 4, 4}), b3 = ramp({3}, 2);
  const Tensor w2 = ramp({3, 4, 3, 2}, 1);
  t["conv1d"] = {{x1, ramp({3, 4, 3}, 1), b3}, [](A a) { return F::conv1d(a[0], a[1], a[2]); }};
  t["conv1d all options"] = {
      {x1, ramp({6, 2, 3}, 1), ramp({6}, 2)},
      [](A a) { return F::conv1d(a[0], a[1], a[2], {.stride = 2, .padding = 3, .dilation = 2, .groups = 2}); }};
  t["conv1d unbatched"] = {{x1[0], ramp({3, 4, 2}, 1), b3},
                           [](A a) { return F::conv1d(a[0], a[1], a[2], {.stride = 3}); }};
  t["conv2d"] = {{x2, w2, b3}, [](A a) {
                   return F::conv2d(a[0], a[1], a[2], {.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}});
                 }};
  t["conv2d same"] = {{x2, w2}, [](A a) {
                        return F::conv2d(a[0], a[1], {}, {.padding = Padding::same, .dilation = {1, 2}});
                      }};
  t["conv2d valid"] = {{x2, w2},
                       [](A a) { return F::conv2d(a[0], a[1], {}, {.stride = 2, .padding = Padding::valid}); }};
  t["conv2d depthwise"] = {{x2, ramp({8, 1, 3, 3}, 1)},
                           [](A a) { return F::conv2d(a[0], a[1], {}, {.padding = 1, .groups = 4}); }};
  t["conv3d"] = {{x3, ramp({3, 2, 2, 3, 2}, 1), b3}, [](A a) {
                   return F::conv3d(a[0], a[1], a[2], {.padding = {0, 1, 1}});
                 }};
  t["conv_transpose1d"] = {{x1, ramp({4, 2, 3}, 1), ramp({4}, 2)}, [](A a) {
                             return F::conv_transpose1d(a[0], a[1], a[2], {2, 1, 1, 2, 2});
                           }};
  t["conv_transpose1d unbatched"] = {{x1[0], ramp({4, 2, 3}, 1), ramp({2}, 2)},
                                     [](A a) { return F::conv_transpose1d(a[0], a[1], a[2]); }};
  t["conv_transpose2d"] = {{x2, ramp({4, 3, 3, 2}, 1), b3}, [](A a) {
                             return F::conv_transpose2d(
                                 a[0], a[1], a[2],
                                 {.stride = {3, 2}, .padding = {1, 0}, .output_padding = {2, 1}, .dilation = {1, 2}});
                           }};
  t["conv_transpose3d"] = {{x3, ramp({2, 3, 2, 3, 2}, 1)},
                           [](A a) { return F::conv_transpose3d(a[0], a[1], {}, {.stride = 2, .padding = 1}); }};
  t["unfold"] = {{x2}, [](A a) {
                   return F::unfold(a[0], {2, 3}, {.dilation = {2, 1}, .padding = {1, 0}, .stride = {1, 2}});
                 }};
  t["unfold unbatched"] = {{x2[0]}, [](A a) { return F::unfold(a[0], 2); }};
  t["fold"] = {{ramp({2, 12, 10})}, [](A a) {
                 return F::fold(a[0], {5, 6}, {2, 3}, {.dilation = {2, 1}, .padding = {1, 0}, .stride = {1, 2}});
               }};
  t["fold unbatched"] = {{ramp({8, 4})}, [](A a) { return F::fold(a[0], 4, 2, {.stride = 2}); }};
}

void averages(Table& t) {
  const Tensor x1 = ramp({2, 3, 9}), x2 = ramp({2, 2, 6, 7}), x3 = ramp({1, 2, 4, 5, 4});
  t["avg_pool1d"] = {{x1}, [](A a) { return F::avg_pool1d(a[0], 3, {.stride = 2, .padding = 1}); }};
  t["avg_pool1d ceil"] = {{x1},
                          [](A a) { return F::avg_pool1d(a[0], 4, {.stride = 3, .padding = 2, .ceil_mode = true}); }};
  t["avg_pool2d"] = {{x2}, [](A a) { return F::avg_pool2d(a[0], 2); }};
  t["avg_pool2d without padding"] = {{x2}, [](A a) { return F::avg_pool2d(a[0], {3, 2}, {2, 1, true, false}); }};
  t["avg_pool2d ceil"] = {{x2}, [](A a) { return F::avg_pool2d(a[0], 3, {2, 1, true}); }};
  t["avg_pool2d divisor"] = {
      {x2}, [](A a) { return F::avg_pool2d(a[0], 3, {.stride = 2, .padding = 1, .divisor_override = 5}); }};
  t["avg_pool2d unbatched"] = {{x2[0]}, [](A a) { return F::avg_pool2d(a[0], 3); }};
  t["avg_pool3d"] = {{x3}, [](A a) { return F::avg_pool3d(a[0], {2, 3, 2}, {{2, 1, 2}, {0, 1, 1}, true, false}); }};
  t["adaptive_avg_pool1d"] = {{x1}, [](A a) { return F::adaptive_avg_pool1d(a[0], 4); }};
  t["adaptive_avg_pool1d even"] = {{x1}, [](A a) { return F::adaptive_avg_pool1d(a[0], 3); }};
  t["adaptive_avg_pool2d"] = {{x2}, [](A a) { return F::adaptive_avg_pool2d(a[0], {4, 7}); }};
  t["adaptive_avg_pool2d more"] = {{x2}, [](A a) { return F::adaptive_avg_pool2d(a[0], {8, 3}); }};
  t["adaptive_avg_pool2d one"] = {{x2}, [](A a) { return F::adaptive_avg_pool2d(a[0], 1); }};
  t["adaptive_avg_pool3d"] = {{x3}, [](A a) { return F::adaptive_avg_pool3d(a[0], {2, 3, 3}); }};
  t["lp_pool1d"] = {{x1}, [](A a) { return F::lp_pool1d(a[0], 2, 3, {.stride = 2}); }};
  t["lp_pool2d"] = {{abs(x2) + 0.1}, [](A a) { return F::lp_pool2d(a[0], 3.0, 2, {.stride = 2, .ceil_mode = true}); }};
  t["lp_pool3d"] = {{x3}, [](A a) { return F::lp_pool3d(a[0], 2, 2); }};
}

void maxima(Table& t) {
  const Tensor x1 = ramp({2, 3, 9}), x2 = ramp({2, 2, 6, 7}), x3 = ramp({1, 2, 4, 5, 4});
  t["max_pool1d"] = {{x1}, [](A a) {
                       return joined(F::max_pool1d_with_indices(a[0], 3, {.stride = 2, .padding = 1, .dilation = 2}));
                     }};
  t["max_pool2d"] = {{x2}, [](A a) { return joined(F::max_pool2d_with_indices(a[0], 2)); }};
  t["max_pool2d ceil"] = {{x2}, [](A a) { return joined(F::max_pool2d_with_indices(a[0], {3, 2}, {2, 1, 1, true})); }};
  t["max_pool2d apart"] = {{x2}, [](A a) {
                             return joined(F::max_pool2d_with_indices(a[0], {2, 3}, {1, {0, 1}, {3, 2}}));
                           }};
  t["max_pool3d"] = {{x3}, [](A a) {
                       return joined(F::max_pool3d_with_indices(a[0], {2, 3, 2}, {{1, 2, 2}, {0, 1, 1}, 1, true}));
                     }};
  t["max_unpool1d"] = {{ramp({2, 3, 10}, 0, 3)}, [](A a) {
                         auto [v, i] = F::max_pool1d_with_indices(a[0], 2);
                         return F::max_unpool1d(v, i, 2);
                       }};
  t["max_unpool2d"] = {{x2}, [](A a) {
                         auto [v, i] = F::max_pool2d_with_indices(a[0], 2);
                         return F::max_unpool2d(v, i, 2, {.output_size = {6, 7}});
                       }};
  t["max_unpool3d"] = {{ramp({1, 2, 4, 4, 4})}, [](A a) {
                         auto [v, i] = F::max_pool3d_with_indices(a[0], 2);
                         return F::max_unpool3d(v, i, 2);
                       }};
  t["adaptive_max_pool1d"] = {{x1}, [](A a) { return joined(F::adaptive_max_pool1d_with_indices(a[0], 4)); }};
  t["adaptive_max_pool1d even"] = {{x1}, [](A a) { return joined(F::adaptive_max_pool1d_with_indices(a[0], 3)); }};
  t["adaptive_max_pool2d"] = {{x2}, [](A a) { return joined(F::adaptive_max_pool2d_with_indices(a[0], {4, 7})); }};
  t["adaptive_max_pool2d more"] = {{x2}, [](A a) { return joined(F::adaptive_max_pool2d_with_indices(a[0], {8, 3})); }};
  t["adaptive_max_pool2d one"] = {{x2}, [](A a) { return joined(F::adaptive_max_pool2d_with_indices(a[0], 1)); }};
  t["adaptive_max_pool3d"] = {{x3}, [](A a) { return joined(F::adaptive_max_pool3d_with_indices(a[0], {2, 3, 3})); }};
}

template <class E>
void check_error(const std::string& part, const std::function<void()>& f) {
  test::check_error<E>(part, f, "conv_test.cpp:");
}

double distance(const Tensor& a, const Tensor& b) { return max(abs(a.to(f64) - b.to(f64))).item<double>(); }

}  // namespace

TEST_CASE("conv: values and derivatives are torch's") {
  Table table;
  convolutions(table);
  averages(table);
  maxima(table);
  CHECK(check_golden(table, CONV_GOLDEN, 1e-9) == table.size());
}

TEST_CASE("conv: of equal elements the first is the greatest, NaN wins") {
  const Tensor x = tensor({{{1.0, 1.0, 0.0, 2.0, std::nan(""), 3.0, -inf, -inf, -inf}}});
  auto [v, i] = F::max_pool1d_with_indices(x, 3);
  CHECK(i.to_vector<int64_t>() == std::vector<int64_t>{0, 4, 6});
  const std::vector<double> values = v.to_vector<double>();
  CHECK((values[0] == 1 && std::isnan(values[1]) && values[2] == -inf));
  Tensor g = grad([](const Tensor& t) { return sum(F::max_pool1d(t, 2, {.stride = 1})); })(tensor({{{5.0, 5.0, 5.0}}}));
  CHECK(g.to_vector<double>() == std::vector<double>{1, 1, 0});
}

TEST_CASE("conv: storage dtypes are computed in f32, integers as they are") {
  const Tensor x = ramp({2, 3, 6, 6}), w = ramp({4, 3, 3, 3}, 1);
  for (DType d : {bf16, f16, f32}) {
    const double eps = d == bf16 ? 0.04 : d == f16 ? 5e-3 : 1e-5;
    Tensor y = F::conv2d(x.to(d), w.to(d), {}, {.padding = 1});
    CHECK(y.dtype() == d);
    CHECK(distance(y, F::conv2d(x.to(d).to(f64), w.to(d).to(f64), {}, {.padding = 1})) < eps);
    CHECK(F::max_pool2d(x.to(d), 2).dtype() == d);
    CHECK(distance(F::avg_pool2d(x.to(d), 2), F::avg_pool2d(x, 2)) < eps);
    CHECK(distance(F::max_pool2d(x.to(d), 2), F::max_pool2d(x.to(d).to(f64), 2)) == 0);
  }
  const Tensor n = arange(10).reshape({1, 1, 10});
  CHECK(F::conv1d(n, tensor({{{1, -2, 3}}})).to_vector<int64_t>() == std::vector<int64_t>{4, 6, 8, 10, 12, 14, 16, 18});
  CHECK(F::max_pool1d(n, 3).to_vector<int64_t>() == std::vector<int64_t>{2, 5, 8});
  CHECK(F::avg_pool1d(n, 2).to_vector<int64_t>() == std::vector<int64_t>{0, 2, 4, 6, 8});
}

TEST_CASE("conv: views and what is not contiguous") {
  const Tensor x = ramp({2, 7, 6, 3}).permute({0, 3, 1, 2}), w = ramp({3, 3, 3, 4}, 1).permute({3, 2, 0, 1});
  CHECK(distance(F::conv2d(x, w, {}, {.padding = 1}), F::conv2d(x.contiguous(), w.contiguous(), {}, {.padding = 1})) <
        1e-13);
  const Tensor part = ramp({2, 3, 12, 6}).slice(2, 1, 12, 2);
  CHECK(distance(F::max_pool2d(part, 2), F::max_pool2d(part.clone(), 2)) == 0);
  CHECK(distance(F::avg_pool2d(x.flip({2}), 3), F::avg_pool2d(x.flip({2}).contiguous(), 3)) < 1e-14);
}

TEST_CASE("conv: nothing, and one") {
  const Tensor none = zeros({0, 3, 5, 5}, f64), w = ramp({2, 3, 3, 3});
  CHECK(F::conv2d(none, w).shape() == Shape{0, 2, 3, 3});
  CHECK(F::max_pool2d(none, 2).shape() == Shape{0, 3, 2, 2});
  CHECK(F::avg_pool2d(none, 2).shape() == Shape{0, 3, 2, 2});
  CHECK(F::conv_transpose2d(none, ramp({3, 2, 3, 3})).shape() == Shape{0, 2, 7, 7});
  Tensor dw = grad([&](const Tensor& v) { return sum(F::conv2d(none, v)); })(w);
  CHECK((dw.shape() == w.shape() && all(dw == 0).item<bool>()));
  const Tensor one = ramp({1, 1, 1, 1}, 1);
  CHECK(F::conv2d(one, one).item<double>() == doctest::Approx(std::sin(1) * std::sin(1)));
  CHECK(F::adaptive_avg_pool2d(one, 1).item<double>() == std::sin(1));
  CHECK(F::adaptive_max_pool2d(ramp({2, 3, 4, 4}), 0).shape() == Shape{2, 3, 0, 0});
}

TEST_CASE("conv: per-sample gradients and hessians through a network of it") {
  const Tensor x = ramp({4, 1, 6, 6}), w = ramp({2, 1, 3, 3}, 1);
  auto loss = [](const Tensor& weight, const Tensor& image) {
    return sum(square(F::max_pool2d(tanh(F::conv2d(image, weight, {}, {.padding = 1})), 2)));
  };
  Tensor each = vmap(grad(loss), {.in_dims = {none, 0}})(w, x);
  for (int64_t i = 0; i < 4; ++i) CHECK(distance(each[i], grad(loss)(w, x[i])) < 1e-12);
  auto of_w = [&](const Tensor& v) { return loss(v, x); };
  CHECK(distance(hessian(of_w)(w), jacrev(jacrev(of_w))(w)) < 1e-11);
  const Tensor models = ramp({3, 2, 1, 3, 3}, 2);
  Tensor all_models = vmap([&](const Tensor& v) { return F::conv2d(x, v); })(models);
  Tensor own_images =
      vmap([&](const Tensor& v, const Tensor& a) { return F::conv2d(a, v); })(models, stack({x, x * 2, x * 3}));
  for (int64_t i = 0; i < 3; ++i) {
    CHECK(distance(all_models[i], F::conv2d(x, models[i])) < 1e-13);
    CHECK(distance(own_images[i], F::conv2d(x * static_cast<double>(i + 1), models[i])) < 1e-13);
  }
}

TEST_CASE("conv: errors") {
  const Tensor x = ramp({2, 4, 5, 5}), w = ramp({6, 4, 3, 3});
  auto shape = [](const std::string& part, const std::function<void()>& f) { check_error<ShapeError>(part, f); };
  shape("[conv2d] expected 3D (unbatched) or 4D (batched) input, got f64[5,5]", [&] { F::conv2d(x[0][0], w); });
  shape("expected 4-dimensional weight for 2-dimensional convolution, got f64[4,3,3]", [&] { F::conv2d(x, w[0]); });
  shape(
      "Given groups=1, weight of size [6,3,3,3], expected input [2,4,5,5] to have 3 channels a group, but got 4 "
      "channels",
      [&] {
        F::conv2d(x, ramp({6, 3, 3, 3}));
      });
  shape("Given groups=4, expected weight to be divisible by 4 at dimension 0, but got weight of size [6,4,3,3]",
        [&] { F::conv2d(x, w, {}, {.groups = 4}); });
  shape("non-positive groups is not supported, got 0", [&] { F::conv2d(x, w, {}, {.groups = 0}); });
  shape("expected bias to be 1-dimensional with 6 elements, but got bias of size [5]",
        [&] { F::conv2d(x, w, ramp({5})); });
  shape("stride must be at least 1, got [0,0]", [&] { F::conv2d(x, w, {}, {.stride = 0}); });
  shape("padding must be at least 0, got [-1,2]", [&] { F::conv2d(x, w, {}, {.padding = {-1, 2}}); });
  shape("dilation must be at least 1", [&] { F::conv2d(x, w, {}, {.dilation = 0}); });
  shape("expected stride to be an integer or 2 of them, got [1,2,3]", [&] {
    F::conv2d(x, w, {}, {.stride = {1, 2, 3}});
  });
  shape("padding same is not supported for strided convolutions",
        [&] { F::conv2d(x, w, {}, {.stride = 2, .padding = Padding::same}); });
  shape("Calculated padded input size per channel: (5 x 5). Kernel size: (7 x 7)",
        [&] { F::conv2d(x, w, {}, {.dilation = 3}); });
  shape("padding [4611686018427387904,4611686018427387904] is too large",
        [&] { F::conv2d(x, w, {}, {.padding = int64_t{1} << 62}); });
  shape("has too many elements", [&] { F::conv2d(x, w, {}, {.padding = int64_t{1} << 30}); });
  check_error<DTypeError>(
      "input, weight and bias should be the same dtype, got input f64[2,4,5,5] and weight f32[6,4,3,3]",
      [&] { F::conv2d(x, w.to(f32)); });
  shape("[conv_transpose2d] output padding must be smaller than either stride or dilation", [&] {
    F::conv_transpose2d(x, ramp({4, 2, 3, 3}), {}, {.output_padding = 1});
  });
  shape("expected input [2,4,5,5] to have 6 channels, a multiple of the groups, but got 4",
        [&] { F::conv_transpose2d(x, w); });
  shape("calculated output size per channel: (-1 x -1). Output size is too small", [&] {
    F::conv_transpose2d(ramp({1, 4, 1, 1}), ramp({4, 2, 3, 3}), {}, {.padding = 2});
  });
  shape("[avg_pool2d] pad should be at most half of effective kernel size, but got padding [2,2], kernel_size [3,3]",
        [&] { F::avg_pool2d(x, 3, {.padding = 2}); });
  shape("Given input size: (4 x 5 x 5). Calculated output size: (0 x 0). Output size is too small",
        [&] { F::max_pool2d(x, 6); });
  shape("kernel_size must be at least 1", [&] { F::max_pool2d(x, 0); });
  shape("expected 3D (unbatched) or 4D (batched) input", [&] { F::max_pool2d(ramp({3, 3}), 2); });
  check_error<Error>("divisor must be not zero", [&] { F::avg_pool2d(x, 2, {.divisor_override = 0}); });
  check_error<DTypeError>("boolean is not supported", [&] { F::max_pool2d(x > 0, 2); });
  shape("output_size must be at least 0, got [-1,-1]", [&] { F::adaptive_avg_pool2d(x, -1); });
  shape("Expected input to have non-zero size for non-batch dimensions", [&] {
    F::adaptive_avg_pool2d(zeros({1, 2, 0, 3}), 1);
  });
  auto [v, i] = F::max_pool2d_with_indices(x, 2);
  shape("invalid output_size [9,5]: dim 0 must be between 2 and 6", [&] {
    F::max_unpool2d(v, i, 2, {.output_size = {9, 5}});
  });
  check_error<DTypeError>("expected indices of i64", [&] { F::max_unpool2d(v, v, 2); });
  check_error<IndexError>("max_unpool2d", [&] { F::max_unpool2d(v, i + 100, 2).to_vector<double>(); });
  shape("[unfold] Given spatial size (5 x 5), kernel_size [6,6]", [&] { F::unfold(x, 6); });
  shape("[fold] Expected size of input's dimension 1 to be divisible by the product of kernel_size", [&] {
    F::fold(ramp({1, 5, 4}), 4, 2, {.stride = 2});
  });
  shape("to match the calculated number of sliding blocks 2 * 2 = 4, but got f64[1,8,5]", [&] {
    F::fold(ramp({1, 8, 5}), 4, 2, {.stride = 2});
  });
  check_error<ShapeError>("Output size is too small", [] {
    F::conv_transpose1d(zeros({1, 1, 0}), zeros({1, 1, 3}), {}, {.stride = 2});
  });
}

}  // namespace jot::test
