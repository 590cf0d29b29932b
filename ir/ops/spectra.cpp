// Eigenvalues and singular values. Of each vector the first component that is at least half as large as the largest is
// positive, so that the signs do not depend on how they were found. Derivatives: M. Giles 2008. Those of values are
// finite where some are equal, those of their vectors are not.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ir/ops/evaluate.h"
#include "ir/ops/matrices.h"
#include "ir/ops/spectra.h"

namespace jot::ir {
namespace {

// ---- parts

// Column-major: n columns of m.
template <class T>
struct Columns {
  int64_t m;
  std::vector<T> x;
  Columns(int64_t rows, int64_t count) : m(rows), x(static_cast<size_t>(rows * count)) {}
  T* operator[](int64_t j) { return x.data() + j * m; }
};
template <class T>
T inner(const T* x, const T* y, int64_t n) {
  return std::inner_product(x, x + n, y, T{0});
}
template <class T>
void turn(T* x, T* y, int64_t n, T c, T s) {
  for (int64_t i = 0; i < n; ++i) {
    const T xi = x[i], yi = y[i];
    x[i] = c * xi - s * yi;
    y[i] = s * xi + c * yi;
  }
}

// One-sided Jacobi (Hestenes 1958): columns of a, m >= n, become orthogonal; v collects the rotations.
template <class T>
void orthogonalise(Columns<T>& a, Columns<T>& v, int64_t n) {
  for (int64_t i = 0; i < n; ++i) v[i][i] = 1;
  bool turned = true;  // at the end, too, by what underflows of a column that vanishes
  for (int sweep = 0; turned && sweep < 60; ++sweep) {
    turned = false;
    for (int64_t p = 0; p < n; ++p)
      for (int64_t q = p + 1; q < n; ++q) {
        const T pp = inner(a[p], a[p], a.m), qq = inner(a[q], a[q], a.m), pq = inner(a[p], a[q], a.m);
        if (!(std::abs(pq) > std::numeric_limits<T>::epsilon() * std::sqrt(pp) * std::sqrt(qq))) continue;
        const T zeta = (qq - pp) / (2 * pq), t = std::copysign(T{1}, zeta) / (std::abs(zeta) + std::hypot(T{1}, zeta));
        const T c = 1 / std::hypot(T{1}, t);
        turn(a[p], a[q], a.m, c, c * t);
        turn(v[p], v[q], v.m, c, c * t);
        turned = true;
      }
  }
}

// Orthonormal columns [from, to) beside the ones before.
template <class T>
void complete(Columns<T>& u, int64_t from, int64_t to) {
  for (int64_t j = from; j < to; ++j) {
    std::vector<T> best;
    T length = 0;
    for (int64_t e = 0; e < u.m; ++e) {
      std::vector<T> x(static_cast<size_t>(u.m), T{0});
      x[static_cast<size_t>(e)] = 1;
      for (int pass = 0; pass < 2; ++pass)
        for (int64_t k = 0; k < j; ++k) {
          const T along = inner(u[k], x.data(), u.m);
          for (int64_t i = 0; i < u.m; ++i) x[static_cast<size_t>(i)] -= along * u[k][i];
        }
      if (T size = std::sqrt(inner(x.data(), x.data(), u.m)); size > length) length = size, best = std::move(x);
    }
    for (int64_t i = 0; i < u.m; ++i) u[j][i] = best[static_cast<size_t>(i)] / length;
  }
}

// 1 / (x_j - x_i) off the diagonal, 0 on it, of x [*, n].
Value gaps(Builder& b, Value x) {
  const int64_t n = columns_of(b.shape(x));
  Value difference = build::sub(b, along_rows(b, x, n), along_columns(b, x, n));
  Value same = where_row(b, b.shape(difference), Direction::eq);
  Value one = build::constant(b, b.dtype(x), b.shape(difference), 1);
  Value inverse = build::binary(b, Op::div_op, one, build::where(b, same, one, difference));
  return build::where(b, same, build::zeros_like(b, inverse), inverse);
}

// ---- eigh: the lower triangle is read

void infer_eigh(const InferContext& c, std::vector<Type>& results) {
  expect_allowed(c, 0);
  expect_square(c);
  const Shape& a = c.shape(0);
  results.push_back({c.dtype(0), false, batch_of(a) + Shape{columns_of(a)}});
  results.push_back(*c.operands[0]);
}

// By rotations of rows and columns (Jacobi 1846). Values and vectors, not in order.
template <class T>
void diagonalise(std::vector<T>& a, Columns<T>& v, int64_t n) {
  auto at = [&](int64_t i, int64_t j) -> T& { return a[static_cast<size_t>(i * n + j)]; };
  for (int64_t i = 0; i < n; ++i) v[i][i] = 1;
  for (int sweep = 0; sweep < 60; ++sweep) {
    bool turned = false;
    for (int64_t p = 0; p < n; ++p)
      for (int64_t q = p + 1; q < n; ++q) {
        const T off = at(p, q);
        if (std::abs(at(p, p)) + std::abs(off) == std::abs(at(p, p)) &&
            std::abs(at(q, q)) + std::abs(off) == std::abs(at(q, q)))
          continue;
        const T theta = (at(q, q) - at(p, p)) / (2 * off);
        const T t = std::copysign(T{1}, theta) / (std::abs(theta) + std::hypot(T{1}, theta)),
                c = 1 / std::hypot(T{1}, t);
        for (int64_t i = 0; i < n; ++i) turn(&at(i, p), &at(i, q), 1, c, c * t);
        turn(&at(p, 0), &at(q, 0), n, c, c * t);
        turn(v[p], v[q], n, c, c * t);
        turned = true;
      }
    if (!turned) return;
  }
}

void evaluate_eigh(const EvalContext& c) {
  const int64_t n = columns_of(c.operands[0].type->shape), batch = batch_of(c.operands[0].type->shape).numel();
  visit_floating(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t k = 0; k < batch; ++k) {
      const T* from = c.operands[0].as<T>().data() + k * n * n;
      T *values = c.result<T>().data() + k * n, *vectors = c.result<T>(1).data() + k * n * n;
      std::vector<T> a(from, from + n * n);
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < i; ++j) a[static_cast<size_t>(j * n + i)] = a[static_cast<size_t>(i * n + j)];
      if (!std::ranges::all_of(a, [](T x) { return std::isfinite(x); })) {
        std::fill_n(values, n, std::numeric_limits<T>::quiet_NaN());
        std::fill_n(vectors, n * n, std::numeric_limits<T>::quiet_NaN());
        continue;
      }
      Columns<T> v(n, n);
      diagonalise(a, v, n);
      std::vector<int64_t> order(static_cast<size_t>(n));
      std::iota(order.begin(), order.end(), int64_t{0});
      auto value = [&](int64_t i) { return a[static_cast<size_t>(i * (n + 1))]; };
      std::ranges::stable_sort(order, {}, value);
      for (int64_t j = 0; j < n; ++j) {
        T* column = v[order[static_cast<size_t>(j)]];
        values[j] = value(order[static_cast<size_t>(j)]);
        const T sign = sign_of(column, n, 1);
        for (int64_t i = 0; i < n; ++i) vectors[i * n + j] = sign * column[i];
      }
    }
  });
}

// With s the symmetric part of a', in the basis of the vectors: w' is its diagonal, v' = v (s / (w_j - w_i)).
void jvp_eigh(const JvpContext& c, std::span<Value> tangents) {
  Builder& b = c.b;
  const Value v = c.outs[1];
  Value inside = product(b, v, true, product(b, symmetric_part(b, c.tangents[0]), false, v, false), false);
  tangents[0] = diagonal_of(b, inside);
  tangents[1] = product(b, v, false, build::mul(b, gaps(b, c.out), inside), false);
}

int64_t one_fault(AttrView) { return 1; }
void not_converged(const FaultContext& c) {
  raise_matrix_fault(c, "The algorithm failed to converge (" + std::to_string(c.value) +
                            " off-diagonal elements did not become zero)");
}

// ---- svd

void infer_svd(const InferContext& c, std::vector<Type>& results) {
  expect_allowed(c, 0);
  expect_matrices(c);
  const Shape &a = c.shape(0), batch = batch_of(a);
  const int64_t m = rows_of(a), n = columns_of(a), k = std::min(m, n);
  const bool full = c.attrs.integer(Key::full) != 0;
  results.push_back({c.dtype(0), false, matrices(batch, m, full ? m : k)});
  results.push_back({c.dtype(0), false, batch + Shape{k}});
  results.push_back({c.dtype(0), false, matrices(batch, full ? n : k, n)});
}

// Of a matrix whose element (i, j), m >= n of them, is at(i, j): u has at least n columns, all m where they are wanted.
template <class T, class At>
void decompose(At at, int64_t m, int64_t n, bool full, Columns<T>& u, std::vector<T>& s, Columns<T>& v) {
  Columns<T> a(m, n), turns(n, n);
  T largest = std::numeric_limits<T>::min();
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < m; ++i) largest = std::max(largest, std::abs(at(i, j)));
  const int scale = std::ilogb(largest);  // squares neither overflow nor vanish
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < m; ++i) a[j][i] = std::ldexp(at(i, j), -scale);
  orthogonalise(a, turns, n);
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::vector<T> length;
  for (int64_t j = 0; j < n; ++j) length.push_back(std::sqrt(inner(a[j], a[j], m)));
  std::ranges::stable_sort(order, std::greater<T>(), [&](int64_t j) { return length[static_cast<size_t>(j)]; });
  const T least = n == 0 ? 0 : length[static_cast<size_t>(order[0])] * std::numeric_limits<T>::epsilon() * T{4};
  int64_t rank = 0;
  for (int64_t j = 0; j < n; ++j) {
    const int64_t k = order[static_cast<size_t>(j)];
    s[static_cast<size_t>(j)] = length[static_cast<size_t>(k)];
    std::copy_n(turns[k], n, v[j]);
    if (s[static_cast<size_t>(j)] <= least) continue;
    for (int64_t i = 0; i < m; ++i) u[j][i] = a[k][i] / s[static_cast<size_t>(j)];
    rank = j + 1;
  }
  complete(u, rank, full ? m : n);
  for (T& x : s) x = std::ldexp(x, scale);
}

void evaluate_svd(const EvalContext& c) {
  const Shape& shape = c.operands[0].type->shape;
  const int64_t m = rows_of(shape), n = columns_of(shape), k = std::min(m, n), batch = batch_of(shape).numel();
  const bool full = c.attrs.integer(Key::full) != 0;
  const int64_t us = full ? m : k, vs = full ? n : k;  // how many vectors
  visit_floating(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t x = 0; x < batch; ++x) {
      const T* a = c.operands[0].as<T>().data() + x * m * n;
      T *u = c.result<T>().data() + x * m * us, *s = c.result<T>(1).data() + x * k,
        *vt = c.result<T>(2).data() + x * vs * n;
      if (!std::all_of(a, a + m * n, [](T e) { return std::isfinite(e); })) {
        std::fill_n(u, m * us, std::numeric_limits<T>::quiet_NaN());
        std::fill_n(s, k, std::numeric_limits<T>::quiet_NaN());
        std::fill_n(vt, vs * n, std::numeric_limits<T>::quiet_NaN());
        continue;
      }
      const bool tall = m >= n;
      const int64_t rows = std::max(m, n);
      Columns<T> long_side(rows, rows), short_side(k, k);
      std::vector<T> values(static_cast<size_t>(k));
      auto at = [&](int64_t i, int64_t j) { return tall ? a[i * n + j] : a[j * n + i]; };
      decompose(at, rows, k, full, long_side, values, short_side);
      Columns<T>&left = tall ? long_side : short_side, &right = tall ? short_side : long_side;
      std::ranges::copy(values, s);
      for (int64_t j = 0; j < std::max(us, vs); ++j) {
        const T sign = j < k || j < us ? sign_of(left[j], m, 1) : sign_of(right[j], n, 1);
        const T other = j < k ? sign : T{1};
        for (int64_t i = 0; j < us && i < m; ++i) u[i * us + j] = sign * left[j][i];
        for (int64_t i = 0; j < vs && i < n; ++i) vt[j * n + i] = (j < us ? other : sign) * right[j][i];
      }
    }
  });
}

// Of further columns: they follow what they are orthogonal to; how they turn among themselves is not determined.
Value with_others(Builder& b, Value whole, Value first, Value tangent) {
  const Shape shape = b.shape(whole);
  const int64_t k = columns_of(b.shape(first)), n = columns_of(shape);
  if (k == n) return tangent;
  Value moved = product(b, first, false, product(b, tangent, true, columns(b, whole, k, n), false), false);
  const Value parts[] = {tangent, build::neg(b, moved)};
  return build::concat(b, parts, matrix_axes(shape).column);
}

// With d = u^T a' v: s' is its diagonal, u' = u (f (d s_j + s_i d^T)), v' = v (f (s_i d + d^T s_j)) for
// f = 1 / (s_j^2 - s_i^2), and on the longer side what leaves the space of its vectors, over s.
void jvp_svd(const JvpContext& c, std::span<Value> tangents) {
  Builder& b = c.b;
  const Value t = c.tangents[0], s = c.outs[1];
  const int64_t m = rows_of(b.shape(t)), n = columns_of(b.shape(t)), k = std::min(m, n);
  Value all_v = turned(b, c.outs[2]), u = columns(b, c.out, 0, k), v = columns(b, all_v, 0, k);
  Value tv = product(b, t, false, v, false), d = product(b, u, true, tv, false);
  tangents[1] = diagonal_of(b, d);
  Value f = gaps(b, build::mul(b, s, s));
  Value by_column = build::mul(b, d, along_rows(b, s, k)), by_row = build::mul(b, along_columns(b, s, k), d);
  Value du = product(b, u, false, build::mul(b, f, build::add(b, by_column, turned(b, by_column))), false);
  Value dv = product(b, v, false, build::mul(b, f, build::add(b, by_row, turned(b, by_row))), false);
  auto leaving = [&](Value x, Value basis) {  // over s
    Value rest = build::sub(b, x, product(b, basis, false, product(b, basis, true, x, false), false));
    return build::binary(b, Op::div_op, rest, along_rows(b, s, rows_of(b.shape(rest))));
  };
  if (m > n) du = build::add(b, du, leaving(tv, u));
  if (n > m) dv = build::add(b, dv, leaving(product(b, t, true, u, false), v));
  tangents[0] = with_others(b, c.out, u, du);
  tangents[2] = turned(b, with_others(b, all_v, v, dv));
}

}  // namespace

void define_spectra(RuleTable& table) {
  Rules eigh = {infer_eigh, evaluate_eigh, jvp_eigh, kNotLinear, batch_matrices};
  eigh.faults = {one_fault, not_converged, guard_matrix};
  table.define(Op::eigh_op, eigh);
  Rules svd = {infer_svd, evaluate_svd, jvp_svd, kNotLinear, batch_matrices};
  svd.faults = {one_fault, not_converged, guard_matrix};
  table.define(Op::svd_op, svd);
}

}  // namespace jot::ir
