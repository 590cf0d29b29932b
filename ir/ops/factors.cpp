// Factorizations by elimination and by reflections. Derivatives: A. Walter and L. Lehmann 2012 for both; for wide and
// tall matrices as each function says.
#include <cmath>

#include "ir/ops/evaluate.h"
#include "ir/ops/matrices.h"

namespace jot::ir {
namespace {

constexpr TriangularSolve kUnitLower{true, true, false, true};       // l x = b
constexpr TriangularSolve kUpperOfRows{false, false, false, false};  // x u = b

// ---- lu

void infer_lu(const InferContext& c, std::vector<Type>& results) {
  expect_allowed(c, 0);
  expect_matrices(c);
  const Shape &a = c.shape(0), batch = batch_of(a);
  results.push_back(*c.operands[0]);
  results.push_back({DType::i32, false, batch + Shape{std::min(rows_of(a), columns_of(a))}});
  results.push_back({DType::i32, false, batch + Shape{rows_of(a)}});
  results.push_back({DType::i32, false, batch});
}

// In place; the first of equal pivots. A pivot that is 0 leaves its column as it is.
template <class T>
int32_t eliminate(T* a, int64_t m, int64_t n, int32_t* pivots, int32_t* order) {
  int32_t first_zero = 0;
  for (int64_t i = 0; i < m; ++i) order[i] = static_cast<int32_t>(i);
  for (int64_t k = 0; k < std::min(m, n); ++k) {
    int64_t p = k;
    for (int64_t i = k + 1; i < m; ++i)
      if (std::abs(a[i * n + k]) > std::abs(a[p * n + k])) p = i;
    pivots[k] = static_cast<int32_t>(p + 1);
    std::swap(order[k], order[p]);
    for (int64_t j = 0; p != k && j < n; ++j) std::swap(a[k * n + j], a[p * n + j]);
    const T pivot = a[k * n + k];
    if (pivot == 0 && first_zero == 0) first_zero = static_cast<int32_t>(k + 1);
    for (int64_t i = k + 1; i < m; ++i) {
      if (pivot != 0) a[i * n + k] /= pivot;
      for (int64_t j = k + 1; j < n; ++j) a[i * n + j] -= a[i * n + k] * a[k * n + j];
    }
  }
  return first_zero;
}

void evaluate_lu(const EvalContext& c) {
  const Shape& shape = c.type.shape;
  const int64_t m = rows_of(shape), n = columns_of(shape), batch = batch_of(shape).numel(), k = std::min(m, n);
  auto pivots = c.result<int32_t>(1), order = c.result<int32_t>(2), info = c.result<int32_t>(3);
  visit_floating(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    std::ranges::copy(c.operands[0].as<T>(), c.result<T>().begin());
    for (int64_t i = 0; i < batch; ++i)
      info[static_cast<size_t>(i)] =
          eliminate(c.result<T>().data() + i * m * n, m, n, pivots.data() + i * k, order.data() + i * m);
  });
  for (int64_t i = 0; i < batch; ++i)
    if (int32_t at = info[static_cast<size_t>(i)]; at != 0 && c.attrs.integer(Key::check)) c.fault(0, at, i);
}

// g = l^-1 p a' u^-1, where l has the columns of the identity, and u its rows, that make it square:
// l' = l (the part of g below the diagonal), u' = (the rest of it) u.
void jvp_lu(const JvpContext& c, std::span<Value> tangents) {
  Builder& b = c.b;
  const Value packed = c.out;
  const Shape shape = b.shape(packed);
  const int64_t m = rows_of(shape), n = columns_of(shape);
  std::vector<int64_t> none(shape.size(), 0), more = none;
  more.back() = std::max<int64_t>(m - n, 0);
  Value l = build::pad_zero(b, columns(b, packed, 0, std::min(m, n)), none, more, none);
  more.back() = 0;
  more[more.size() - 2] = std::max<int64_t>(n - m, 0);
  Value u = build::pad_zero(b, rows(b, packed, 0, std::min(m, n)), none, more, none);
  auto place = [&](int64_t axis) { return build::iota(b, DType::i64, b.shape(u), axis); };
  auto [row, column] = matrix_axes(shape);
  Value added =
      build::binary(b, Op::and_op, build::compare(b, place(row), place(column), Direction::eq),
                    build::compare(b, place(row), build::constant_int(b, DType::i64, b.shape(u), m), Direction::ge));
  u = build::where(b, added, build::constant(b, b.dtype(u), b.shape(u), 1), u);
  Value g = rows_in_order(b, c.tangents[0], c.outs[2]);
  g = kUpperOfRows.emit(b, u, kUnitLower.emit(b, l, g));
  Value below = masked(b, g, Direction::gt), above = masked(b, g, Direction::le);
  Value unit_l = build::add(b, masked(b, l, Direction::gt),
                            build::convert(b, where_row(b, b.shape(l), Direction::eq), b.dtype(l)));
  tangents[0] = build::add(b, product(b, unit_l, false, below, false),
                           product(b, above, false, masked(b, u, Direction::le), false));
}

// By what the user's function makes of the factors: `check` is 1 where it solves, 2 where it inverts, 3 where they are
// all.
void singular(const FaultContext& c) {
  const std::string at = std::to_string(c.value);
  switch (c.attrs.integer(Key::check)) {
    case 1:
      raise_matrix_fault(c, "The solver failed because the input matrix is singular (pivot " + at + " is zero)");
    case 2:
      raise_matrix_fault(c, "The diagonal element " + at +
                                " is zero, the inversion could not be completed because the input matrix is singular");
    default:
      raise_matrix_fault(
          c, "U[" + at + "," + at + "] is zero and using it on lu_solve would result in a division by zero");
  }
}

// ---- qr

void infer_qr(const InferContext& c, std::vector<Type>& results) {
  expect_allowed(c, 0);
  expect_matrices(c);
  const Shape& a = c.shape(0);
  const int64_t m = rows_of(a), n = columns_of(a), k = c.attrs.integer(Key::full) ? m : std::min(m, n);
  results.push_back({c.dtype(0), false, matrices(batch_of(a), m, k)});
  results.push_back({c.dtype(0), false, matrices(batch_of(a), k, n)});
}

// By reflections, with LAPACK's signs (dgeqr2): a [m, n] becomes r, q [m, m].
template <class T>
void reflect(std::vector<T>& a, std::vector<T>& q, int64_t m, int64_t n) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < m; ++j) q[static_cast<size_t>(i * m + j)] = i == j;
  std::vector<T> v(static_cast<size_t>(m));
  for (int64_t k = 0; k < std::min(m, n); ++k) {
    auto element = [&](int64_t i, int64_t j) -> T& { return a[static_cast<size_t>(i * n + j)]; };
    T below = 0;
    for (int64_t i = k + 1; i < m; ++i) below = std::hypot(below, element(i, k));
    if (below == 0) continue;
    const T first = element(k, k), length = -std::copysign(std::hypot(first, below), first);
    const T tau = (length - first) / length;
    for (int64_t i = k; i < m; ++i) v[static_cast<size_t>(i)] = i == k ? T{1} : element(i, k) / (first - length);
    auto apply = [&](std::vector<T>& x, int64_t columns, bool from_right) {
      for (int64_t j = 0; j < columns; ++j) {
        auto at = [&](int64_t i) -> T& { return x[static_cast<size_t>(from_right ? j * m + i : i * columns + j)]; };
        T sum = 0;
        for (int64_t i = k; i < m; ++i) sum += v[static_cast<size_t>(i)] * at(i);
        for (int64_t i = k; i < m; ++i) at(i) -= tau * sum * v[static_cast<size_t>(i)];
      }
    };
    apply(a, n, false);
    apply(q, m, true);
    for (int64_t i = k + 1; i < m; ++i) element(i, k) = 0;
  }
}

void evaluate_qr(const EvalContext& c) {
  const Shape& shape = c.operands[0].type->shape;
  const int64_t m = rows_of(shape), n = columns_of(shape), batch = batch_of(shape).numel(),
                k = columns_of(c.type.shape);
  visit_floating(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    std::vector<T> a(static_cast<size_t>(m * n)), q(static_cast<size_t>(m * m));
    for (int64_t i = 0; i < batch; ++i) {
      std::copy_n(c.operands[0].as<T>().data() + i * m * n, m * n, a.begin());
      reflect(a, q, m, n);
      for (int64_t r = 0; r < m; ++r) std::copy_n(q.begin() + r * m, k, c.result<T>().data() + (i * m + r) * k);
      std::copy_n(a.begin(), k * n, c.result<T>(1).data() + i * k * n);
    }
  });
}

// Of square or tall matrices, q [m, n]: with x = a' r^-1 and s the skew matrix of the part of q^T x below the diagonal,
// q' = x + q (s - q^T x), r' = (q^T x - s) r.
struct FactorTangents {
  Value q, r;
};
FactorTangents of_tall(Builder& b, Value q, Value r, Value t) {
  Value x = kUpperOfRows.emit(b, r, t), inside = product(b, q, true, x, false);
  Value below = masked(b, inside, Direction::gt);
  Value rest = build::sub(b, inside, build::sub(b, below, turned(b, below)));
  return {build::sub(b, x, product(b, q, false, rest, false)),
          product(b, rest, false, masked(b, r, Direction::le), false)};
}

// Of wide ones [a1, a2], with square a1: q and r1 are those of a1, r2 = q^T a2. Further columns q2 of a full q follow
// what they are orthogonal to, q2' = -q1 q1'^T q2: how they turn among themselves is not determined.
void jvp_qr(const JvpContext& c, std::span<Value> tangents) {
  Builder& b = c.b;
  const Value a = c.primals[0], t = c.tangents[0], q = c.out, r = c.outs[1];
  const int64_t m = rows_of(b.shape(a)), n = columns_of(b.shape(a)), k = std::min(m, n);
  Value q1 = columns(b, q, 0, k);
  auto [dq, dr] = of_tall(b, q1, columns(b, rows(b, r, 0, k), 0, k), columns(b, t, 0, k));
  const int64_t column = matrix_axes(b.shape(a)).column;
  if (n > m) {
    Value rest = build::add(b, product(b, dq, true, columns(b, a, m, n), false),
                            product(b, q, true, columns(b, t, m, n), false));
    const Value parts[] = {dr, rest};
    dr = build::concat(b, parts, column);
  } else if (c.attrs.integer(Key::full) && m > n) {
    Value others = columns(b, q, n, m);
    const Value parts[] = {dq, build::neg(b, product(b, q1, false, product(b, dq, true, others, false), false))};
    dq = build::concat(b, parts, column);
    std::vector<int64_t> none(b.shape(a).size(), 0), more = none;
    more[more.size() - 2] = m - n;
    dr = build::pad_zero(b, dr, none, more, none);
  }
  tangents[0] = dq;
  tangents[1] = dr;
}

}  // namespace

void define_factors(RuleTable& table) {
  Rules lu = {infer_lu, evaluate_lu, jvp_lu, kNotLinear, batch_matrices};
  lu.faults = {checked_faults, singular, guard_matrix};
  table.define(Op::lu_op, lu);
  table.define(Op::qr_op, {infer_qr, evaluate_qr, jvp_qr, kNotLinear, batch_matrices});
}

}  // namespace jot::ir
