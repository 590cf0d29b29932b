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
Tensor positive_definite(const Shape& batch, int64_t n, DType dtype) {
  Tensor x = random_matrices(batch, n, f64);
  return matmul(x, mT(x)).to(dtype);
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

namespace {

std::string cause(int64_t order, const std::string& element = "") {
  return "[linalg.cholesky] " + element +
         "The factorization could not be completed because the input is not positive-definite (the leading minor of "
         "order " +
         std::to_string(order) + " is not positive-definite)";
}
// What evaluation throws, without the line, which must be of this file.
template <class F>
std::string fault(F f, int line) {
  try {
    f();
  } catch (const LinalgError& e) {
    std::string text = e.what(), at = std::string("\n  at ") + __FILE__ + ":" + std::to_string(line);
    return text.ends_with(at) ? text.substr(0, text.size() - at.size()) : "another line: " + text;
  }
  return "no error";
}

}  // namespace

TEST_CASE("linalg: cholesky of every size and batch") {
  manual_seed(3);
  for (DType dtype : {f32, f64})
    for (int64_t n : {0, 1, 2, 6, 7, 16, 17, 64, 200})
      for (int64_t batch : {0, 1, 5, 1000}) {
        if (n * n * batch > 64 * 1000) continue;
        CAPTURE(n);
        CAPTURE(batch);
        Tensor a = positive_definite({batch}, n, dtype), l = linalg::cholesky(a);
        CHECK(largest(matmul(l, mT(l)) / (n * n + 1) - a / (n * n + 1)) <= (dtype == f32 ? 1e-5 : 1e-13));
        CHECK_SAME(triu(l, 1), zeros_like(l));
        // Only one triangle is read.
        CHECK_SAME(linalg::cholesky(tril(a)), l);
        CHECK_SAME(linalg::cholesky(triu(a), true), mT(l));
      }
}

TEST_CASE("linalg: derivatives of cholesky, symmetric in its operand, of any order and under vmap") {
  manual_seed(4);
  Tensor a = positive_definite({4}, 3, f64), w = rand({3, 3}, f64);
  auto f = [&](const Tensor& x) { return sum(linalg::cholesky(x) * w); };
  auto near = [&](const Tensor& x, const Tensor& t) {  // along a symmetric direction
    return (f(x + t * 1e-5) - f(x - t * 1e-5)) / 2e-5;
  };
  Tensor t = w + w.t(), g = grad(f)(a[0]);
  CHECK_NEAR_TO(g, g.t(), 1e-12);
  CHECK_NEAR_TO(sum(g * t), near(a[0], t), 1e-7);
  CHECK_NEAR_TO(std::get<1>(jvp(f, primals(a[0]), tangents(t))), sum(g * t), 1e-11);
  CHECK_NEAR_TO(jacfwd([](const Tensor& x) { return linalg::cholesky(x); })(a[0]),
                jacrev([](const Tensor& x) { return linalg::cholesky(x); })(a[0]), 1e-11);
  Tensor h = hessian(f)(a[0]), step = t * 1e-5;
  CHECK_NEAR_TO(sum(h * t, {2, 3}), (grad(f)(a[0] + step) - grad(f)(a[0] - step)) / 2e-5, 1e-6);
  Tensor lanes = vmap(grad(f))(a), second = vmap(hessian(f))(a);
  for (int64_t i = 0; i < 4; ++i) {
    CHECK_NEAR_TO(lanes[i], grad(f)(a[i]), 1e-11);
    CHECK_NEAR_TO(second[i], hessian(f)(a[i]), 1e-11);
  }
  Tensor big = positive_definite({}, 20, f64);  // by the library
  Tensor l = linalg::cholesky(big), gram = jit(grad([](const Tensor& x) {
                                      Tensor y = linalg::cholesky(x);
                                      return sum(y * y);
                                    }))(big);
  CHECK_NEAR_TO(gram, eye(20, f64), 1e-10);  // the sum of squares is the trace
}

TEST_CASE(
    "linalg: what is not positive-definite is named: function, batch element, lane, minor, line; state survives") {
  manual_seed(5);
  for (int64_t n : {3, 16, 20}) {
    CAPTURE(n);
    Tensor good = positive_definite({7}, n, f64).eval(), bad = good.clone();
    bad.index_put_({4, n - 1, n - 1}, -1.0);
    bad.index_put_({5, 1, 1}, 0.0);
    bad.index_put_({5, 0, 1}, 0.0).index_put_({5, 1, 0}, 0.0);
    int line = __LINE__ + 1;
    auto factor = [](const Tensor& x) { return linalg::cholesky(x); };
    CHECK_EQ(fault([&] { factor(bad).eval(); }, line), cause(n, "(Batch element 4): "));
    CHECK_EQ(fault([&] { factor(bad[5]).eval(); }, line), cause(2));
    CHECK_EQ(fault([&] { jit(factor)(bad); }, line), cause(n, "(Batch element 4): "));
    CHECK_EQ(fault([&] { vmap(factor)(bad).eval(); }, line), cause(n) + ", in lane 4 of vmap");
    CHECK_EQ(fault([&] { vmap(factor)(bad.unsqueeze(1)).eval(); }, line),
             cause(n, "(Batch element 0): ") + ", in lane 4 of vmap");
    CHECK_EQ(fault(
                 [&] {
                   vmap(factor)(reshape(bad.slice(0, 2, 6), {2, 2, n, n})).eval();
                 },
                 line),
             cause(n, "(Batch element 0): ") + ", in lane 1 of vmap");
    CHECK_EQ(fault([&] { vmap(grad([&](const Tensor& x) { return sum(factor(x)); }))(bad).eval(); }, line),
             cause(n) + ", in lane 4 of vmap");
    // What was written before is there, and what follows is right.
    Tensor state = zeros({3}, f64);
    state += 1;
    Tensor l = factor(bad);
    CHECK_THROWS_AS(l.eval(), LinalgError);
    CHECK_SAME(state, ones({3}, f64));
    CHECK_SAME(factor(good)[4], factor(good[4]));
  }
}

TEST_CASE("linalg: cholesky of NaN is NaN, and of that matrix alone") {
  manual_seed(6);
  double nan = std::nan("");
  for (int64_t n : {3, 16, 20})
    for (DType dtype : {f32, f64}) {
      CAPTURE(n);
      Tensor a = positive_definite({9}, n, dtype), l = linalg::cholesky(a), x = a.clone();
      x.index_put_({2, 0, 0}, nan);
      x.index_put_({6, n - 1, n - 1}, nan);
      Tensor y = linalg::cholesky(x);
      CHECK_SAME(y[2], tril(full({n, n}, nan, dtype)));
      Tensor last = l[6].clone();
      last.index_put_({n - 1, n - 1}, nan);
      CHECK_SAME(y[6], last);
      for (int64_t i : {0, 1, 3, 4, 5, 7, 8}) CHECK_SAME(y[i], l[i]);
    }
}

TEST_CASE("linalg: cholesky says what is wrong with its operand") {
  CHECK_THROWS_WITH_AS(
      linalg::cholesky(ones({2, 3})),
      doctest::Contains("[linalg.cholesky] expected square matrices in the last two dims, got f32[2,3]"), ShapeError);
  CHECK_THROWS_WITH_AS(linalg::cholesky(ones({3})), doctest::Contains("got f32[3]"), ShapeError);
  CHECK_THROWS_WITH_AS(linalg::cholesky(ones({3, 3}, i64)), doctest::Contains("got i64[3,3]: convert it"), DTypeError);
}
