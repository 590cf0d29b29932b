// sort and what is made of it.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>

#include "check.h"

using namespace jot;

TEST_CASE("sort: values and indices, stable, NaN the greatest") {
  double nan = std::nan("");
  Tensor x = tensor({{3.0, nan, 1.0, 3.0}, {-0.0, 2.0, 0.0, -1.0}}, f64);
  auto [up, up_at] = sort(x);
  CHECK_SAME(up_at, tensor({{2, 0, 3, 1}, {3, 0, 2, 1}}));
  CHECK_SAME(up.slice(1, 0, 3), tensor({{1.0, 3.0, 3.0}, {-1.0, -0.0, 0.0}}, f64));
  auto [down, down_at] = x.sort(1, true);
  CHECK_SAME(down_at, tensor({{1, 0, 3, 2}, {1, 0, 2, 3}}));
  CHECK_SAME(argsort(tensor({3, 1, 2, 1})), tensor({1, 3, 2, 0}));
  CHECK_SAME(msort(tensor({{2, 1}, {1, 3}})), tensor({{1, 1}, {2, 3}}));
  CHECK_SAME(sort(tensor(7)).indices, tensor(0));
  CHECK_SAME(sort(zeros({2, 0})).values, zeros({2, 0}));
  auto [most, most_at] = topk(tensor({1.0, 5.0, 3.0}, f64), 2);
  CHECK_SAME(most, tensor({5.0, 3.0}, f64));
  CHECK_SAME(most_at, tensor({1, 2}));
  CHECK_SAME(topk(tensor({1.0, 5.0, 3.0}, f64), 1, 0, false).values, tensor({1.0}, f64));
}

TEST_CASE("sort: derivatives follow the values") {
  Tensor x = tensor({3.0, 1.0, 2.0}, f64), w = tensor({1.0, 10.0, 100.0}, f64);
  auto f = [&](const Tensor& y) { return sum(sort(y).values * w * y.detach()); };
  CHECK_SAME(grad([&](const Tensor& y) { return sum(sort(y).values * w); })(x), tensor({100.0, 1.0, 10.0}, f64));
  CHECK_SAME(jacrev([](const Tensor& y) { return sort(y).values; })(x),
             jacfwd([](const Tensor& y) { return msort(y); })(x));
  CHECK_SAME(hessian([](const Tensor& y) { return sum(topk(y * y, 2).values); })(x),
             tensor({{2.0, 0.0, 0.0}, {0.0, 0.0, 0.0}, {0.0, 0.0, 2.0}}, f64));
  CHECK(f(x).item<double>() == 3 * 1 + 20 * 1 + 300 * 2);
}

TEST_CASE("sort under vmap, for its tangents too: D56") {
  Tensor x = tensor({{3.0, 1.0, 2.0}, {1.0, 2.0, 3.0}}, f64);
  CHECK_SAME(vmap([](const Tensor& y) { return sort(y).values; })(x), sort(x).values);
  CHECK_SAME(vmap([](const Tensor& y) { return argsort(y); }, {.in_dims = 1, .out_dims = 1})(x), argsort(x, 0));
  auto [value, tangent] =
      jvp([](const Tensor& y) { return sort(y).values; }, primals(x[0]), tangents(tensor({1.0, 2.0, 3.0}, f64)));
  CHECK_SAME(tangent, tensor({2.0, 3.0, 1.0}, f64));
  CHECK_SAME(argsort(tensor({1.0, 3.0, 3.0, 2.0}, f64), -1, true), tensor({1, 2, 3, 0}));
  CHECK_SAME(vmap(grad([](const Tensor& y) { return sum(topk(y, 1).values); }))(x),
             tensor({{1.0, 0.0, 0.0}, {0.0, 0.0, 1.0}}, f64));
}

TEST_CASE("sort: results that are read at different times inside a derivative") {
  auto f = [](const Tensor& y) {
    auto [values, indices] = sort(y);
    double first = values[0].item<double>();  // forces what is live
    Tensor scaled = y * first;
    int64_t last = indices[2].item<int64_t>();
    return scaled[last] * values[1];
  };
  Tensor x = tensor({3.0, 1.0, 2.0}, f64);
  CHECK_SAME(grad(f)(x), tensor({2.0, 0.0, 3.0}, f64));
  CHECK_SAME(jit([](const Tensor& y) { return sort(y).indices + argsort(y, -1, true); })(x), tensor({1, 4, 1}));
}

TEST_CASE("sort: errors") {
  CHECK_THROWS_WITH_AS(topk(ones({3}), 4),
                       doctest::Contains("[topk] k is 4, expected 0 to 3, the extent of dim 0 of f32[3]"), ShapeError);
  CHECK_THROWS_WITH_AS(sort(ones({3}), 1), doctest::Contains("[sort] "), IndexError);
}
