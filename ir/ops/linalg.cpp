// Triangular systems and the factor of positive-definite matrices.
#include <cmath>

#include "ir/ops/evaluate.h"
#include "ir/ops/matrices.h"

namespace jot::ir {
namespace {

// ---- triangular_solve

Type infer_triangular_solve(const InferContext& c) {
  expect_allowed(c, 0);
  expect_same_dtype(c, 0, 1);
  expect_square(c);
  const Shape &a = c.shape(0), &x = c.shape(1);
  Shape expected = x;
  if (x.size() == a.size()) {
    std::ranges::copy(batch_of(a), expected.begin());
    expected[x.size() - (TriangularSolve::of(c.attrs).left ? 2 : 1)] = columns_of(a);
  }
  if (x.size() != a.size() || x != expected)
    c.shape_error("operand 1: expected a batch " + to_string(batch_of(a)) + " of matrices with " +
                  std::to_string(columns_of(a)) + (TriangularSolve::of(c.attrs).left ? " rows" : " columns") +
                  ", got " + to_string(x));
  return *c.operands[1];
}

// M x = b for one right side, whose elements are `step` apart.
template <class T, class Matrix>
void substitute(const Matrix& m, int64_t n, bool forward, bool unit, T* x, int64_t step) {
  for (int64_t s = 0; s < n; ++s) {
    int64_t i = forward ? s : n - 1 - s;
    T sum = x[i * step];
    for (int64_t t = 0; t < s; ++t) {
      int64_t j = forward ? t : n - 1 - t;
      sum -= m(i, j) * x[j * step];
    }
    x[i * step] = unit ? sum : sum / m(i, i);
  }
}

void evaluate_triangular_solve(const EvalContext& c) {
  const TriangularSolve s = TriangularSolve::of(c.attrs);
  const Shape& shape = c.type.shape;
  const int64_t n = columns_of(c.operands[0].type->shape), sides = n == 0 ? 0 : shape.numel() / n;
  const int64_t each = batch_of(shape).numel() == 0 ? 0 : sides / batch_of(shape).numel();  // of a matrix
  const bool turned = s.transposed == s.left;                                               // x M = b is M^T x^T = b^T
  visit_floating(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    auto out = c.result<T>();
    std::ranges::copy(c.operands[1].as<T>(), out.begin());
    for (int64_t k = 0; k < sides; ++k) {
      const T* a = c.operands[0].as<T>().data() + k / each * n * n;
      auto m = [&](int64_t i, int64_t j) { return turned ? a[j * n + i] : a[i * n + j]; };
      T* x = out.data() + k / each * n * each + k % each * (s.left ? 1 : n);
      substitute<T>(m, n, s.lower != turned, s.unit, x, s.left ? each : 1);
    }
  });
}

// op(A) x' = b' - op(A') x, of the triangle that is read.
Value jvp_triangular_solve(const JvpContext& c) {
  Builder& b = c.b;
  const TriangularSolve s = TriangularSolve::of(c.attrs);
  Value side = c.tangents[1];
  if (c.has(0)) {
    Direction kept = s.lower ? (s.unit ? Direction::gt : Direction::ge) : (s.unit ? Direction::lt : Direction::le);
    Value t = masked(b, c.tangents[0], kept);
    Value moved = s.left ? product(b, t, s.transposed, c.out, false) : product(b, c.out, false, t, s.transposed);
    side = build::add_any(b, side, build::neg(b, moved));
  }
  return s.emit(b, c.primals[0], side);
}

void transpose_triangular_solve(const TransposeContext& c) {
  TriangularSolve s = TriangularSolve::of(c.attrs);
  s.transposed = !s.transposed;
  c.cotangents[1] = s.emit(c.b, c.operands[0], c.ct);
}

// Lanes that share the matrix are more right sides of it.
Value batch_triangular_solve(const BatchContext& c) {
  const TriangularSolve s = TriangularSolve::of(c.attrs);
  if (c.batched[0]) return s.emit(c.b, c.operands[0], c.materialised(1));
  Shape shape = c.b.shape(c.operands[1]);
  const size_t sides = shape.size() - (s.left ? 1 : 2);  // their axis
  std::vector<int64_t> perm = build::all_axes(shape.size());
  std::rotate(perm.begin(), perm.begin() + 1, perm.begin() + static_cast<std::ptrdiff_t>(sides));
  Value x = build::permute(c.b, c.operands[1], perm);
  const Shape apart = c.b.shape(x);
  Shape together = c.type.shape;
  together[sides - 1] *= c.size;
  x = s.emit(c.b, c.operands[0], build::reshape(c.b, x, together));
  return build::permute(c.b, build::reshape(c.b, x, apart), build::inverse(perm));
}

// ---- cholesky: the lower triangle is read; the other results are zeros, info counts from 1

void infer_cholesky(const InferContext& c, std::vector<Type>& results) {
  expect_allowed(c, 0);
  expect_square(c);
  results.push_back(*c.operands[0]);
  results.push_back({DType::i32, false, batch_of(c.shape(0))});
}

// a = l l^T, row by row. The order of the first minor that is not positive; 0 if none. NaN is no such minor.
template <class T>
int32_t factor(const T* a, T* l, int64_t n) {
  int32_t info = 0;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j <= i; ++j) {
      T sum = a[i * n + j];
      for (int64_t k = 0; k < j; ++k) sum -= l[i * n + k] * l[j * n + k];
      if (i == j && sum <= 0 && info == 0) info = static_cast<int32_t>(i + 1);
      l[i * n + j] = i == j ? std::sqrt(sum) : sum / l[j * n + j];
    }
  return info;
}

void evaluate_cholesky(const EvalContext& c) {
  const int64_t n = columns_of(c.type.shape), batch = batch_of(c.type.shape).numel();
  auto info = c.result<int32_t>(1);
  visit_floating(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    std::ranges::fill(c.result<T>(), T{0});
    for (int64_t m = 0; m < batch; ++m)
      info[static_cast<size_t>(m)] =
          factor(c.operands[0].as<T>().data() + m * n * n, c.result<T>().data() + m * n * n, n);
  });
  for (int64_t m = 0; m < batch; ++m)
    if (int32_t order = info[static_cast<size_t>(m)]; order != 0 && c.attrs.integer(Key::check)) c.fault(0, order, m);
}

// l' = l phi(l^-1 s l^-T) for the symmetric part s of a', where phi takes the lower triangle and half of the diagonal.
void jvp_cholesky(const JvpContext& c, std::span<Value> tangents) {
  Builder& b = c.b;
  const Value l = c.out, t = c.tangents[0];
  Value s = symmetric_part(b, t);
  auto solve = [&](bool left, bool transposed, Value x) {
    return TriangularSolve{left, true, transposed, false}.emit(b, l, x);
  };
  s = solve(false, true, solve(true, false, s));
  Value half = build::where(b, where_row(b, b.shape(s), Direction::eq), build::scale(b, s, 0.5), s);
  tangents[0] = product(b, l, false, masked(b, half, Direction::ge), false);
}

void not_positive_definite(const FaultContext& c) {
  raise_matrix_fault(c,
                     "The factorization could not be completed because the input is not positive-definite (the leading "
                     "minor of order " +
                         std::to_string(c.value) + " is not positive-definite)");
}

}  // namespace

void define_linalg(RuleTable& table) {
  table.define(Op::triangular_solve_op, {infer_triangular_solve, evaluate_triangular_solve, jvp_triangular_solve,
                                         transpose_triangular_solve, batch_triangular_solve});
  Rules cholesky = {infer_cholesky, evaluate_cholesky, jvp_cholesky, kNotLinear, batch_matrices};
  cholesky.faults = {checked_faults, not_positive_definite, guard_matrix};
  table.define(Op::cholesky_op, cholesky);
}

}  // namespace jot::ir
