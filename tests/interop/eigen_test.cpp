// Eigen's matrices as tensors and back: values and places, orders, sizes, steps; arguments of jitted functions.
#include <doctest/doctest.h>

#include "jot/eigen.h"
#include "jot/jot.h"

using namespace jot;
using doctest::Contains;

namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// 11 12 13 / 21 22 23, of any type of matrix.
template <class M>
M numbered(Eigen::Index rows = 2, Eigen::Index columns = 3) {
  M m(rows, columns);
  for (Eigen::Index i = 0; i < rows; ++i)
    for (Eigen::Index j = 0; j < columns; ++j)
      m(i, j) = static_cast<typename M::Scalar>(static_cast<float>(10 * (i + 1) + j + 1));
  return m;
}
Tensor numbered(DType dtype) { return tensor({{11, 12, 13}, {21, 22, 23}}, dtype); }

template <class M>
void check_both_ways(DType dtype) {
  CAPTURE(dtype);
  M m = numbered<M>();
  CHECK(equal(from_eigen(m), numbered(dtype)));
  Tensor shared = borrow_eigen(m);
  CHECK(equal(shared, numbered(dtype)));
  auto map = map_eigen<M>(shared);
  CHECK_EQ(static_cast<const void*>(map.data()), static_cast<const void*>(m.data()));  // no copy either way
  CHECK_EQ(map.rows(), 2);
  CHECK((map.array() == m.array()).all());
  Tensor computed = numbered(dtype) + 0;
  CHECK((map_eigen<M>(computed).array() == m.array()).all());
  CHECK((to_eigen<M>(computed).array() == m.array()).all());
}

}  // namespace

TEST_CASE("Eigen: every scalar, both orders, dynamic and fixed sizes, matrices and arrays") {
  check_both_ways<Eigen::MatrixXd>(f64);
  check_both_ways<RowMajor>(f64);
  check_both_ways<Eigen::MatrixXf>(f32);
  check_both_ways<Eigen::Matrix<float, 2, 3>>(f32);
  check_both_ways<Eigen::Matrix<double, 2, 3, Eigen::RowMajor>>(f64);
  check_both_ways<Eigen::Matrix<double, Eigen::Dynamic, 3>>(f64);
  check_both_ways<Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor, 4, 4>>(f64);
  check_both_ways<Eigen::MatrixXi>(i32);
  check_both_ways<Eigen::Matrix<int64_t, Eigen::Dynamic, Eigen::Dynamic>>(i64);
  check_both_ways<Eigen::Matrix<uint8_t, Eigen::Dynamic, Eigen::Dynamic>>(u8);
  check_both_ways<Eigen::Matrix<Eigen::half, Eigen::Dynamic, Eigen::Dynamic>>(f16);
  check_both_ways<Eigen::Matrix<Eigen::bfloat16, Eigen::Dynamic, Eigen::Dynamic>>(bf16);
  check_both_ways<Eigen::ArrayXXd>(f64);
  Eigen::Matrix<bool, 2, 1> truth(true, false);
  CHECK(equal(from_eigen(truth), tensor({true, false})));
}

TEST_CASE("Eigen: vectors have one dim") {
  Eigen::Vector3d v(1, 2, 3);
  Eigen::RowVectorXd r = v.transpose();
  CHECK_EQ(from_eigen(v).shape(), Shape{3});
  CHECK(equal(borrow_eigen(v), tensor({1, 2, 3}, f64)));
  CHECK(equal(borrow_eigen(r), tensor({1, 2, 3}, f64)));
  Tensor t = tensor({4, 5, 6}, f64), column = t.unsqueeze(1), row = t.unsqueeze(0);
  CHECK_EQ(to_eigen<Eigen::Vector3d>(t), Eigen::Vector3d(4, 5, 6));
  CHECK_EQ(to_eigen<Eigen::VectorXd>(column), Eigen::Vector3d(4, 5, 6));
  CHECK_EQ(to_eigen<Eigen::RowVectorXd>(row), Eigen::RowVector3d(4, 5, 6));
  CHECK_EQ(to_eigen<Eigen::RowVector3d>(t), Eigen::RowVector3d(4, 5, 6));
  CHECK_EQ(to_eigen<Eigen::MatrixXd>(column).rows(), 3);
  CHECK_EQ(to_eigen<Eigen::VectorXd>(numbered(f64).t()[1]), Eigen::Vector2d(12, 22));
  CHECK_EQ(to_eigen<Eigen::VectorXd>(zeros({0}, f64)).size(), 0);
}

TEST_CASE("Eigen: blocks, rows, columns, maps with steps, expressions") {
  Eigen::MatrixXd m = numbered<Eigen::MatrixXd>(4, 5);
  CHECK(equal(borrow_eigen(m.block(1, 1, 2, 3)), tensor({{22, 23, 24}, {32, 33, 34}}, f64)));
  CHECK(equal(borrow_eigen(m.row(2)), tensor({31, 32, 33, 34, 35}, f64)));
  CHECK(equal(borrow_eigen(m.col(4)), tensor({15, 25, 35, 45}, f64)));
  CHECK(equal(borrow_eigen(m.diagonal()), tensor({11, 22, 33, 44}, f64)));
  CHECK(equal(borrow_eigen(m.transpose()), borrow_eigen(m).t()));
  Eigen::Map<const Eigen::MatrixXd, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>> steps(m.data(), 2, 2, {8, 2});
  CHECK(equal(borrow_eigen(steps), tensor({{11, 13}, {31, 33}}, f64)));
  CHECK(equal(from_eigen(2 * m.block(0, 0, 1, 2) + m.block(1, 0, 1, 2)), tensor({{43, 46}}, f64)));
  CHECK(equal(from_eigen(m.array() > 30), from_eigen(m) > 30));

  borrow_eigen(m.block(1, 1, 2, 3)).fill_(0);
  CHECK_EQ(m(1, 1), 0);
  CHECK_EQ(m(2, 3), 0);
  CHECK_EQ(m(3, 3), 44);
  CHECK_EQ(m(1, 4), 25);
  const Eigen::MatrixXd& fixed = m;
  borrow_eigen(fixed).add_(1);
  CHECK_EQ(m(3, 3), 44);
  borrow_eigen(m).add_(1);
  CHECK_EQ(m(3, 3), 45);
}

TEST_CASE("Eigen: maps that write, and steps that are fixed") {
  Tensor t = numbered(f64);
  mutable_map_eigen<Eigen::MatrixXd>(t) *= 2;
  CHECK(equal(t, numbered(f64) * 2));
  Tensor view = t.t();
  mutable_map_eigen<RowMajor>(view)(2, 0) = -1;
  CHECK_EQ(t[0][2].item<double>(), -1);
  auto dense = map_eigen<RowMajor, Eigen::Stride<0, 0>>(t);
  CHECK_EQ(dense.data(), t.data<double>());
  CHECK_EQ((map_eigen<Eigen::MatrixXd, Eigen::OuterStride<>>(view)(2, 0)), -1);
  Tensor column = view[1];
  CHECK_EQ((map_eigen<Eigen::VectorXd, Eigen::InnerStride<>>(column))(1), 44);
}

TEST_CASE("Eigen: arguments of jitted functions, in either order, without copies of what is read") {
  auto f = jit([](const Tensor& a, const Tensor& x, double scale) { return scale * matmul(a, x); });
  Eigen::MatrixXd a = numbered<Eigen::MatrixXd>();
  RowMajor b = a;
  Eigen::Vector3d x(1, 0, 2);
  const Eigen::Vector2d expected = 2 * a * x;
  CHECK_EQ(to_eigen<Eigen::Vector2d>(f(a, x, 2.0)), expected);
  CHECK_EQ(to_eigen<Eigen::Vector2d>(f(b, x, 2.0)), expected);
  CHECK_EQ(to_eigen<Eigen::Vector2d>(f(numbered(f64), x, 2.0)), expected);
  CHECK_EQ(to_eigen<Eigen::Vector2d>(f(a.leftCols(3), x.array() * 1, 2.0)), expected);
  CHECK_EQ(f.cache_info().entries, 4);
  a *= 3;
  x[1] = 5;
  CHECK_EQ(to_eigen<Eigen::Vector2d>(f(a, x, 2.0)), Eigen::Vector2d(2 * a * x));
  CHECK_EQ(f.cache_info().entries, 4);
  Eigen::MatrixXd other = numbered<Eigen::MatrixXd>(5, 3);
  CHECK_EQ(to_eigen<Eigen::VectorXd>(f(other, x, 2.0)), Eigen::VectorXd(2 * other * x));
  CHECK_EQ(f.cache_info().entries, 5);

  // What is lent of columns is row-major: the recording reads it in place.
  auto g = jit([](const Tensor& m) { return m + 1; });
  CHECK(to_eigen<Eigen::MatrixXd>(g(a)).isApprox((a.array() + 1).matrix()));
  auto lent = detail::lent(a);
  CHECK_EQ(lent.shape(), Shape{3, 2});
  CHECK_EQ(lent.data<double>(), a.data());
}

TEST_CASE("Eigen: results of jit share no memory with arguments; writes do not reach them") {
  Eigen::MatrixXd m = numbered<Eigen::MatrixXd>();
  const Eigen::MatrixXd before = m;
  Tensor same = jit([](const Tensor& x) { return x; })(m);
  jit([](const Tensor& x) {
    x.add_(1);
    return x.sum();
  })(m);
  CHECK_EQ(m, before);
  m.setZero();
  CHECK(equal(same, numbered(f64)));
}

TEST_CASE("Eigen: jitted functions of matrices inside transforms, which keep what they read") {
  Eigen::MatrixXd m = numbered<Eigen::MatrixXd>();
  auto f = jit([](const Tensor& a, const Tensor& x) { return (a * x).sum(); });
  auto scope = [&](const Tensor& x) {
    Eigen::MatrixXd passing = m;
    return f(passing, x);
  };
  auto [value, pullback] = vjp(scope, ones({2, 3}, f64));
  CHECK_EQ(value.item<double>(), m.sum());
  CHECK(equal(std::get<0>(pullback(tensor(1.0, f64))), numbered(f64)));
  CHECK(equal(vmap(grad(scope))(ones({4, 2, 3}, f64)), numbered(f64).expand({4, 2, 3})));
  CHECK(equal(jit(grad(scope))(ones({2, 3}, f64)), numbered(f64)));
}

TEST_CASE("Eigen: wrong sizes, dims, dtypes and steps") {
  Tensor t = numbered(f64), deep = zeros({2, 2, 2}, f64), line = zeros({3}, f64);
  CHECK_THROWS_WITH_AS(map_eigen<Eigen::Matrix3d>(t),
                       Contains("[map_eigen] the tensor is [2,3], expected 3 rows and 3 columns: give the matrix type"),
                       ShapeError);
  CHECK_THROWS_WITH_AS((map_eigen<Eigen::Matrix<double, Eigen::Dynamic, 2>>(t)),
                       Contains("expected any number of rows and 2 columns"), ShapeError);
  CHECK_THROWS_WITH_AS((to_eigen<Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, 0, 2, 2>>(t)),
                       Contains("at most 2 and 2"), ShapeError);
  CHECK_THROWS_WITH_AS(to_eigen<Eigen::MatrixXd>(deep), Contains("the tensor has 3 dims, [2,2,2], expected a matrix"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(map_eigen<Eigen::MatrixXd>(line), Contains("unsqueeze() a vector"), ShapeError);
  CHECK_THROWS_WITH_AS(to_eigen<Eigen::VectorXd>(t), Contains("expected any number of rows and 1 columns"), ShapeError);
  CHECK_THROWS_WITH_AS(to_eigen<Eigen::VectorXd>(deep), Contains("expected a vector: one dim, or two"), ShapeError);
  CHECK_THROWS_WITH_AS(to_eigen<Eigen::MatrixXf>(t), Contains("[to_eigen] the elements are f64, asked for f32"),
                       DTypeError);
  CHECK_THROWS_WITH_AS((map_eigen<Eigen::MatrixXd, Eigen::Stride<0, 0>>(t)),
                       Contains("the tensor's inner step is 3 elements, expected 1: call contiguous()"), ShapeError);
  CHECK_THROWS_WITH_AS((map_eigen<RowMajor, Eigen::Stride<0, 0>>(t.slice(1, 0, 2).eval())), Contains("outer step is 3"),
                       ShapeError);
}
