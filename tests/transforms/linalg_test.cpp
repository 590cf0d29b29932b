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

TEST_CASE("linalg: factors multiply to what they are made of, of every size, shape and batch") {
  manual_seed(5);
  for (DType dtype : {f32, f64})
    for (auto [m, n] : {std::pair<int64_t, int64_t>{0, 0},
                        {1, 1},
                        {3, 3},
                        {6, 6},
                        {8, 8},
                        {9, 9},
                        {40, 40},
                        {7, 4},
                        {4, 7},
                        {50, 20}})
      for (const Shape& batch : {Shape{}, Shape{3}, Shape{0}, Shape{2, 30}}) {
        if (batch.numel() * m * n > 20000) continue;
        Tensor a = (rand(batch + Shape{m, n}, f64) - 0.5).to(dtype);
        const double bound = (dtype == f32 ? 1e-6 : 1e-15) * static_cast<double>(10 * (m + n) + 1);
        const int64_t k = std::min(m, n);
        CAPTURE(m);
        CAPTURE(n);
        CAPTURE(batch);
        auto [P, L, U] = linalg::lu(a);
        CHECK(largest(matmul(P, matmul(L, U)) - a) <= bound);
        for (QrMode mode : {QrMode::reduced, QrMode::complete}) {
          auto [Q, R] = linalg::qr(a, mode);
          CHECK(largest(matmul(Q, R) - a) <= bound);
          CHECK(largest(matmul(Q.mT(), Q) - eye(Q.size(-1), dtype)) <= bound);
          CHECK(largest(tril(R, -1)) == 0);
        }
        auto [V, S, Wh] = linalg::svd(a, false);
        CHECK(largest(matmul(V * S.unsqueeze(-2), Wh) - a) <= bound);
        CHECK(largest(matmul(Wh, Wh.mT()) - eye(k, dtype)) <= bound);
        auto full = linalg::svd(a);
        CHECK(largest(matmul(full.U.mT(), full.U) - eye(m, dtype)) <= bound);
        CHECK(largest(matmul(full.Vh.mT(), full.Vh) - eye(n, dtype)) <= bound);
        CHECK(largest(full.S - S) <= bound);
        if (m != n) continue;
        Tensor symmetric = a + a.mT();
        auto [w, v] = linalg::eigh(symmetric);
        CHECK(largest(matmul(v * w.unsqueeze(-2), v.mT()) - symmetric) <= 4 * bound);
        CHECK(largest(matmul(v.mT(), v) - eye(n, dtype)) <= bound);
        Tensor b = rand(batch + Shape{n, 2}, f64).to(dtype), x = linalg::solve(a, b);
        CHECK(largest(matmul(a, x) - b) <= bound * (1 + largest(x)));
        auto [LU, pivots] = linalg::lu_factor(a);
        CHECK(largest(linalg::lu_solve(LU, pivots, b) - x) <=
              100 * bound * (1 + largest(x)) * (1 + largest(linalg::inv(a))));
      }
}

// One-sided rotations of the reference evaluation would go on for ever about the column that vanishes.
TEST_CASE("linalg: singular values of matrices that have not full rank") {
  const Tensor a = tensor({{1.0, -1.0, -1.0}, {-1.0, -1.0, -1.0}, {-1.0, -1.0, -1.0}}, f64);
  for (DType dtype : {f32, f64})
    for (const Tensor& x : {a.to(dtype), a.mT().to(dtype), zeros({3, 3}, dtype)}) {
      auto [U, S, Vh] = linalg::svd(x);
      const double bound = dtype == f32 ? 1e-5 : 1e-13;
      CHECK(largest(matmul(U * S.unsqueeze(-2), Vh) - x) <= bound);
      CHECK(largest(matmul(U, U.mT()) - eye(3, dtype)) <= bound);
      CHECK(largest(matmul(Vh, Vh.mT()) - eye(3, dtype)) <= bound);
      CHECK(linalg::matrix_rank(x).item<int64_t>() == (largest(x) == 0 ? 0 : 2));
    }
}

TEST_CASE("linalg: determinants and their derivatives, also where they vanish") {
  Tensor a = tensor({{1.3, 0.4}, {-0.7, 0.9}}, f64);
  Tensor h = hessian([](const Tensor& x) { return linalg::det(x); })(a);
  Tensor antisymmetric = tensor({{0.0, 1.0}, {-1.0, 0.0}}, f64);
  for (int64_t i : {0, 1})
    for (int64_t j : {0, 1})
      for (int64_t k : {0, 1})
        for (int64_t l : {0, 1})
          CHECK(h[i][j][k][l].item<double>() == (antisymmetric[i][k] * antisymmetric[j][l]).item<double>());
  auto gradient = grad([](const Tensor& x) { return linalg::det(x); });
  CHECK_SAME(gradient(tensor({{1.0, 2.0}, {2.0, 4.0}}, f64)), tensor({{4.0, -2.0}, {-2.0, 1.0}}, f64));
  // Of rank n - 1, with zeros for the first and for the last pivot: the adjugate, transposed.
  for (bool first : {true, false}) {
    Tensor d = eye(5, f64) * tensor({2.0, 3.0, 5.0, 7.0, 11.0}, f64);
    const int64_t zero = first ? 0 : 4;
    d.index_put_({zero, zero}, tensor(0.0, f64));
    Tensor wanted = zeros({5, 5}, f64);
    wanted.index_put_({zero, zero}, tensor(first ? 1155.0 : 210.0, f64));
    CHECK(largest(gradient(d) - wanted) < 1e-10);
    CHECK(linalg::det(d).item<double>() == 0);
  }
  manual_seed(3);
  Tensor x = rand({4, 6, 6}, f64);
  auto [sign, logabsdet] = linalg::slogdet(x);
  CHECK(largest(linalg::det(x) - sign * exp(logabsdet)) < 1e-12);
  CHECK_SAME(logdet(tensor({{0.0, 1.0}, {1.0, 0.0}}, f64)), tensor(std::nan(""), f64));
  CHECK(largest(linalg::det(matmul(x, x)) - linalg::det(x) * linalg::det(x)) < 1e-10);
}

TEST_CASE("linalg: the jacobian of a solution has no shortcut at the identity") {
  Tensor y = tensor({1.0, 3.0}, f64);
  Tensor j = jacrev([&](const Tensor& a) { return sum(linalg::solve(a, y)); })(eye(2, f64));
  CHECK_SAME(j, tensor({{-1.0, -3.0}, {-1.0, -3.0}}, f64));
}

TEST_CASE("linalg: eigenvalues and singular values that are equal have finite derivatives, their vectors have not") {
  auto values = grad([](const Tensor& a) { return sum(linalg::eigvalsh(a) * tensor({1.0, 2.0, 3.0}, f64)); });
  CHECK(isfinite(values(eye(3, f64))).all().item<bool>());
  auto vectors = grad([](const Tensor& a) { return sum(linalg::eigh(a).eigenvectors); });
  CHECK_FALSE(isfinite(vectors(eye(3, f64))).all().item<bool>());
  CHECK(isfinite(grad([](const Tensor& a) { return sum(linalg::svdvals(a)); })(eye(3, f64))).all().item<bool>());
}

TEST_CASE("linalg: faults name the function, the batch element and the pivot; other elements and *_ex are right") {
  Tensor good = tensor({{2.0, 1.0}, {1.0, 3.0}}, f64), bad = tensor({{1.0, 2.0}, {2.0, 4.0}}, f64);
  Tensor both = stack({good, bad}), y = tensor({{1.0}, {2.0}}, f64);
  CHECK_THROWS_WITH_AS(
      linalg::solve(both, y).eval(),
      doctest::Contains("[linalg.solve] (Batch element 1): The solver failed because the input matrix is "
                        "singular"),
      LinalgError);
  CHECK_THROWS_WITH_AS(linalg::inv(bad).eval(),
                       doctest::Contains("[linalg.inv] The diagonal element 2 is zero, the inversion could not be "
                                         "completed because the input matrix is singular"),
                       LinalgError);
  CHECK_THROWS_WITH_AS(linalg::lu_factor(bad).LU.eval(), doctest::Contains("[linalg.lu_factor] U[2,2] is zero"),
                       LinalgError);
  CHECK_THROWS_WITH_AS(vmap([&](const Tensor& a) { return linalg::inv(a); })(both).eval(),
                       doctest::Contains("in lane 1 of vmap"), LinalgError);
  auto [x, info] = linalg::solve_ex(both, y);
  CHECK_SAME(info, tensor({0, 2}, i32));
  CHECK_SAME(x[0], linalg::solve(good, y));
  auto [inverse, wrong] = linalg::inv_ex(both);
  CHECK_SAME(wrong, tensor({0, 2}, i32));
  CHECK_SAME(inverse[0], linalg::inv(good));
  auto [L, order] = linalg::cholesky_ex(stack({good, -good}));
  CHECK_SAME(order, tensor({0, 1}, i32));
  CHECK_SAME(L[0], linalg::cholesky(good));
  Tensor nothing = tensor({{std::nan(""), 1.0}, {1.0, 2.0}}, f64);
  CHECK(isnan(linalg::eigh(nothing).eigenvalues).all().item<bool>());
  CHECK(isnan(linalg::svd(nothing).S).all().item<bool>());
  CHECK(isnan(linalg::det(nothing)).item<bool>());
}

TEST_CASE("linalg: what is refused at the call") {
  Tensor a = rand({2, 3}, f64), s = rand({3, 3}, f64), i = ones({3, 3}, i64);
  const char* square = "expected square matrices in the last two dims, got f64[2,3]";
  CHECK_THROWS_WITH_AS(linalg::det(a), doctest::Contains(square), ShapeError);
  CHECK_THROWS_WITH_AS(linalg::inv(a), doctest::Contains(square), ShapeError);
  CHECK_THROWS_WITH_AS(linalg::eigh(a), doctest::Contains(square), ShapeError);
  CHECK_THROWS_WITH_AS(linalg::slogdet(a), doctest::Contains(square), ShapeError);
  CHECK_THROWS_WITH_AS(linalg::matrix_exp(a), doctest::Contains(square), ShapeError);
  CHECK_THROWS_WITH_AS(linalg::matrix_power(a, 2), doctest::Contains("[linalg.matrix_power] expected square"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(linalg::svd(i), doctest::Contains("[linalg.svd] expected a floating-point tensor, got i64[3,3]"),
                       DTypeError);
  CHECK_THROWS_WITH_AS(linalg::qr(rand({3}, f64)), doctest::Contains("[linalg.qr] expected matrices"), ShapeError);
  CHECK_THROWS_WITH_AS(linalg::solve(s, rand({2, 2}, f64)),
                       doctest::Contains("expected as many rows of b as a has, got f64[3,3] and f64[2,2]"), ShapeError);
  CHECK_THROWS_WITH_AS(linalg::solve(s, rand({3}, f32)), doctest::Contains("to have the same dtype"), DTypeError);
  CHECK_THROWS_WITH_AS(linalg::lu_solve(s, zeros({2}, i32), a), doctest::Contains("expected pivots [3], got i32[2]"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(linalg::pinv(a, -1.0), doctest::Contains("[linalg.pinv] rtol is -1"), Error);
  CHECK_THROWS_WITH_AS(linalg::matrix_norm(a, 3), doctest::Contains("[linalg.matrix_norm] the order is not known"),
                       Error);
  CHECK_THROWS_WITH_AS(linalg::matrix_norm(a, "fro", {1, 1}), doctest::Contains("the two dims must differ"),
                       IndexError);
  CHECK_THROWS_WITH_AS(linalg::tensorinv(a, 0), doctest::Contains("ind is 0"), ShapeError);
  CHECK_THROWS_WITH_AS(linalg::tensorsolve(s, a), doctest::Contains("[linalg.tensorsolve]"), ShapeError);
  CHECK_THROWS_WITH_AS(linalg::multi_dot({a}), doctest::Contains("expected at least two tensors, got 1"), ShapeError);
  CHECK_THROWS_WITH_AS(linalg::householder_product(a, rand({2}, f64)), doctest::Contains("with m >= n"), ShapeError);
  CHECK_THROWS_WITH_AS(linalg::vander(tensor(1.0)), doctest::Contains("expected at least one dim"), ShapeError);
}
