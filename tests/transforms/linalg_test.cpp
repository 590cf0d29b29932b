// Functions of jot::linalg.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include "check.h"

using namespace jot;

TEST_CASE("linalg: vecdot and diagonal") {
  Tensor a = reshape(arange(12, f64), {2, 2, 3}), b = tensor({1.0, 10.0, 100.0}, f64);
  CHECK_SAME(linalg::vecdot(a, b), matmul(a, b));
  CHECK_SAME(linalg::vecdot(a, a.select(0, 0).unsqueeze(0), 1), sum(a * a[0], 1));
  CHECK_SAME(grad([&](const Tensor& x) { return linalg::vecdot(x, x); })(b), b * 2);
  CHECK_SAME(linalg::diagonal(a), tensor({{0.0, 4.0}, {6.0, 10.0}}, f64));
  CHECK_THROWS_WITH_AS(linalg::vecdot(tensor(1.0), tensor(2.0)),
                       doctest::Contains("[linalg.vecdot] expected a vector along dim -1, got two 0-d tensors"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(linalg::vecdot(b, b, 1), doctest::Contains("[linalg.vecdot]"), IndexError);
}
