// Functions of jot::linalg.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>
#include <string>

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

namespace {

// Matrices n times the identity with random elements, which are small beside that.
Tensor random_matrices(const Shape& batch, int64_t n, DType dtype) {
  Shape shape = batch + Shape{n, n};
  return (rand(shape, f64) - 0.5 + eye(n, f64) * static_cast<double>(n + 1)).to(dtype);
}
double largest(const Tensor& x) { return x.numel() == 0 ? 0 : amax(abs(x)).item<double>(); }

}  // namespace

TEST_CASE("linalg: triangular solutions of every size and batch, on either side, of either triangle") {
  manual_seed(1);
  for (DType dtype : {f32, f64})
    for (int64_t n : {0, 1, 2, 6, 7, 16, 17, 64, 200})
      for (int64_t batch : {0, 1, 5, 1000}) {
        if (n * n * batch > 64 * 1000) continue;
        Tensor a = random_matrices({batch}, n, dtype), b = rand({batch, n, 3}, dtype);
        double bound = (dtype == f32 ? 1e-5 : 1e-13) * static_cast<double>(n + 1);
        CAPTURE(n);
        CAPTURE(batch);
        Tensor x = linalg::solve_triangular(a, b, false);
        CHECK(largest(matmul(tril(a), x) - b) <= bound);
        CHECK(largest(matmul(triu(a), linalg::solve_triangular(a, b, true)) - b) <= bound);
        Tensor unit = tril(a / (n + 1), -1) + eye(n, dtype);
        x = linalg::solve_triangular(a / (n + 1), mT(b), false, {.left = false, .unitriangular = true});
        CHECK(largest(matmul(x, unit) - mT(b)) <= bound);
      }
}

TEST_CASE("linalg: triangular solutions broadcast, and lanes that share a matrix are its right sides") {
  manual_seed(2);
  Tensor a = random_matrices({}, 4, f64), b = rand({5, 3, 4, 2}, f64);
  Tensor x = linalg::solve_triangular(a, b, true);
  CHECK_NEAR_TO(matmul(triu(a), x), b, 1e-12);
  CHECK_NEAR_TO(vmap([&](const Tensor& y) { return linalg::solve_triangular(a, y, true); })(b), x, 1e-12);
  Tensor many = random_matrices({5}, 4, f64), one = b[0][0];
  CHECK_NEAR_TO(vmap([&](const Tensor& m) { return linalg::solve_triangular(m, one, false); })(many),
                linalg::solve_triangular(many, one, false), 1e-12);
  Tensor wide = rand({4, 500}, f64);
  CHECK_NEAR_TO(matmul(tril(a), linalg::solve_triangular(a, wide, false)), wide, 1e-12);
  double nan = std::nan("");
  CHECK_SAME(linalg::solve_triangular(tensor({{2.0, nan}, {1.0, 4.0}}, f64), tensor({{2.0}, {nan}}, f64), false),
             tensor({{1.0}, {nan}}, f64));
  CHECK_SAME(linalg::solve_triangular(tensor({{0.0, 9.0}, {1.0, 1.0}}, f64), tensor({{1.0}, {0.0}}, f64), false),
             tensor({{HUGE_VAL}, {-HUGE_VAL}}, f64));
}

TEST_CASE("linalg: solve_triangular says what is wrong with its operands") {
  Tensor a = ones({2, 3}), b = ones({3, 2});
  CHECK_THROWS_WITH_AS(linalg::solve_triangular(a, b, true),
                       doctest::Contains("[linalg.solve_triangular] expected square matrices in the last two dims, got "
                                         "f32[2,3]"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(linalg::solve_triangular(ones({3, 3}), mT(b), true),
                       doctest::Contains("expected as many rows of b as a has, got f32[3,3] and f32[2,3]"), ShapeError);
  CHECK_THROWS_WITH_AS(linalg::solve_triangular(ones({3, 3}), ones({3}), true),
                       doctest::Contains("expected matrices in the last two dims, got f32[3]"), ShapeError);
  CHECK_THROWS_WITH_AS(linalg::solve_triangular(ones({3, 3}, f64), b, true), doctest::Contains("same dtype"),
                       DTypeError);
  CHECK_THROWS_WITH_AS(linalg::solve_triangular(ones({3, 3}, i64), ones({3, 3}, i64), true),
                       doctest::Contains("expected a floating-point tensor, got i64[3,3]: convert it with to(f64)"),
                       DTypeError);
}
