// Factors of small matrices and solutions with them, unrolled: a matrix a lane, pivots chosen by masks.
#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/ops/cpu_ops.h"

namespace jot::cpu {

namespace {

using ir::Key;
using Elements = std::vector<uint32_t>;

// Row-major.
struct Matrix {
  Elements& elements;
  int64_t columns;
  uint32_t& operator()(int64_t i, int64_t j) const { return elements[static_cast<size_t>(i * columns + j)]; }
};

// Quotients by one number: products with its inverse. The inverse of a subnormal number may overflow: it is taken of a
// multiple, and multiplied in two steps.
class Divisor {
 public:
  Divisor(KernelBuilder& b, KType t, uint32_t d) : b_(b) {
    const double least = t == KType::f64 ? 0x1p-1022 : 0x1p-126, large = t == KType::f64 ? 0x1p200 : 0x1p40;
    const uint32_t one = b.number(t, 1);
    scale_ = b.select(b.cmp(KCmp::lt, b.abs(d), b.number(t, least)), b.number(t, large), one);
    inverse_ = b.div(one, b.mul(d, scale_));
  }
  uint32_t divided(uint32_t x) const { return b_.mul(b_.mul(x, inverse_), scale_); }

 private:
  KernelBuilder& b_;
  uint32_t scale_, inverse_;
};

bool reads_all(const ir::GraphData&, ir::Value, size_t, int64_t, int64_t) { return true; }

// ---- cholesky

bool reads_lower(const ir::GraphData&, ir::Value, size_t, int64_t row, int64_t column) { return column <= row; }

void make_cholesky(MatrixContext& c) {
  KernelBuilder& b = c.b;
  const int64_t n = c.g.shape(c.v).back();
  const KType t = kernel_type(c.g.dtype(c.v));
  Elements elements = c.x[0];
  Matrix l{elements, n};
  uint32_t failed = b.mask_const(false), order = b.constant(KType::i32, 0);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      if (j > i) {
        l(i, j) = zero(b, t);
        continue;
      }
      for (int64_t k = 0; k < j; ++k) l(i, j) = b.fnma(l(i, k), l(j, k), l(i, j));
      if (j < i) {  // roots are not subnormal
        l(i, j) = b.mul(l(i, j), b.div(b.number(t, 1), l(j, j)));
        continue;
      }
      const uint32_t bad = b.cmp(KCmp::le, l(i, i), zero(b, t));  // not of NaN
      order = b.select(b.mand(bad, b.mnot(failed)), b.constant(KType::i32, static_cast<uint64_t>(i + 1)), order);
      failed = b.mor(failed, bad);
      l(i, i) = b.sqrt(l(i, i));
    }
  c.results = {std::move(elements), {order}};
  c.fault = {failed, order};
}

// ---- triangular_solve

struct Solve {
  bool left, lower, transposed, unit;
  static Solve of(const ir::GraphData& g, ir::Value v) {
    const ir::AttrView a = g.attrs(v);
    return {a.integer(Key::left) != 0, a.integer(Key::lower) != 0, a.integer(Key::transposed) != 0,
            a.integer(Key::unit) != 0};
  }
};

bool reads_triangle(const ir::GraphData& g, ir::Value v, size_t operand, int64_t row, int64_t column) {
  const Solve s = Solve::of(g, v);
  return operand == 1 || (row == column ? !s.unit : s.lower == (column < row));
}

void make_triangular_solve(MatrixContext& c) {
  KernelBuilder& b = c.b;
  const Solve s = Solve::of(c.g, c.v);
  const int64_t n = c.g.shape(c.g.operand(c.v, 0)).back();
  const bool turned = s.transposed == s.left;  // x m = b is m^T x^T = b^T
  Elements triangle = c.x[0], elements = c.x[1];
  const int64_t sides = static_cast<int64_t>(elements.size()) / n;
  const KType t = kernel_type(c.g.dtype(c.v));
  Matrix a{triangle, n}, rows{elements, s.left ? sides : n};
  auto m = [&](int64_t i, int64_t j) { return turned ? a(j, i) : a(i, j); };
  auto x = [&](int64_t i, int64_t side) -> uint32_t& { return s.left ? rows(i, side) : rows(side, i); };
  for (int64_t step = 0; step < n; ++step) {
    const bool forward = s.lower != turned;
    const int64_t i = forward ? step : n - 1 - step;
    for (int64_t side = 0; side < sides; ++side) {
      if (!s.unit) x(i, side) = Divisor(b, t, m(i, i)).divided(x(i, side));
      for (int64_t rest = step + 1; rest < n; ++rest) {
        const int64_t k = forward ? rest : n - 1 - rest;
        x(k, side) = b.fnma(m(k, i), x(i, side), x(k, side));
      }
    }
  }
  c.results = {std::move(elements)};
}

// ---- lu

void make_lu(MatrixContext& c) {
  KernelBuilder& b = c.b;
  const Shape& shape = c.g.shape(c.v);
  const int64_t m = shape[shape.size() - 2], n = shape.back();
  const KType t = kernel_type(c.g.dtype(c.v));
  auto number = [&](int64_t i) { return b.constant(KType::i32, static_cast<uint64_t>(i)); };
  Elements elements = c.x[0], order, pivots;
  Matrix a{elements, n};
  for (int64_t i = 0; i < m; ++i) order.push_back(number(i));
  uint32_t failed = b.mask_const(false), info = number(0);
  for (int64_t k = 0; k < std::min(m, n); ++k) {
    uint32_t best = b.abs(a(k, k)), pivot = number(k);  // the first of the greatest
    for (int64_t i = k + 1; i < m; ++i) {
      const uint32_t other = b.abs(a(i, k)), greater = b.cmp(KCmp::gt, other, best);
      best = b.select(greater, other, best);
      pivot = b.select(greater, number(i), pivot);
    }
    pivots.push_back(b.add(pivot, number(1)));
    for (int64_t i = k + 1; i < m; ++i) {
      const uint32_t chosen = b.cmp(KCmp::eq, pivot, number(i));
      auto exchange = [&](uint32_t& x, uint32_t& y) {
        const uint32_t first = b.select(chosen, y, x);
        y = b.select(chosen, x, y);
        x = first;
      };
      for (int64_t j = 0; j < n; ++j) exchange(a(k, j), a(i, j));
      exchange(order[static_cast<size_t>(k)], order[static_cast<size_t>(i)]);
    }
    const uint32_t vanishes = b.cmp(KCmp::eq, a(k, k), zero(b, t));
    info = b.select(b.mand(vanishes, b.mnot(failed)), number(k + 1), info);
    failed = b.mor(failed, vanishes);
    for (int64_t i = k + 1; i < m; ++i) {
      a(i, k) = b.select(vanishes, a(i, k), Divisor(b, t, a(k, k)).divided(a(i, k)));
      for (int64_t j = k + 1; j < n; ++j) a(i, j) = b.fnma(a(i, k), a(k, j), a(i, j));
    }
  }
  c.results = {std::move(elements), std::move(pivots), std::move(order), {info}};
  c.fault = {failed, info};
}

}  // namespace

void define_matrices(CpuTable& table) {
  table.matrix(ir::Op::cholesky_op, {make_cholesky, reads_lower});
  table.matrix(ir::Op::triangular_solve_op, {make_triangular_solve, reads_triangle});
  table.matrix(ir::Op::lu_op, {make_lu, reads_all});
}

}  // namespace jot::cpu
