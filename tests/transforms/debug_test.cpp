// debug_unwrap.
#include "check.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

TEST_CASE("A13 the tensor under a symbolic one") {
  Tensor x = floats({1, 2, 3, 4, 5, 6}, {2, 3});
  Tensor itself = debug_unwrap(x);
  CHECK_EQ(itself.impl(), x.impl());
  vmap(
      [&](const Tensor& column) {
        CHECK_EQ(debug_unwrap(column).impl(), x.impl());
        CHECK_SAME(debug_unwrap(column * 2), (x * 2).t().clone());
        CHECK_SAME(debug_unwrap(ones({2})), ones({2}));
        return column;
      },
      {.in_dims = 1})(x);
  grad([&](const Tensor& x) {
    CHECK_SAME(debug_unwrap(x * x), x * x);
    CHECK_SAME(debug_unwrap(x * x), floats({1, 4, 9, 16, 25, 36}, {2, 3}));
    return sum(x);
  })(x);
}

TEST_CASE("one level or all of them") {
  Tensor x = floats({1, 2, 3, 4, 5, 6}, {2, 3});
  auto outer = [&](const Tensor& row) {
    return vmap([&](const Tensor& e) {
      Tensor one = debug_unwrap(e * 2, {.recurse = false});
      CHECK_EQ(one.shape(), Shape{3});
      CHECK_SAME(debug_unwrap(e * 2), x * 2);
      CHECK_EQ(debug_unwrap(e).impl(), x.impl());
      return e;
    })(row);
  };
  vmap(outer)(x);
  auto written = [&](const Tensor& row) {
    Tensor copy = row.clone();
    copy[0] = 9;
    CHECK_SAME(debug_unwrap(copy), floats({9, 2, 3, 9, 5, 6}, {2, 3}));
    return sum(copy * row);
  };
  CHECK_SAME(vmap(grad(written))(x), floats({9, 4, 6, 9, 10, 12}, {2, 3}));
}

TEST_CASE("debug_unwrap: errors") {
  CHECK_THROWS_WITH_AS(jit([](const Tensor& x) { return debug_unwrap(x); })(scalar(1)),
                       Contains("jit, trace and compile"), TraceError);
  CHECK_THROWS_WITH_AS(debug_unwrap(Tensor()), Contains("undefined Tensor"), TraceError);
  CHECK_THROWS_WITH(debug_unwrap(Tensor()), Contains("debug_test.cpp:"));
}
