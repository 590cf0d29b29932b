#include "ir/ops/matrices.h"

#include "ir/ops/order.h"
#include "jot/error.h"

namespace jot::ir {

void expect_matrices(const InferContext& c) {
  if (c.shape(0).size() < 2)
    c.shape_error("operand 0: expected matrices in the last two axes, got " + to_string(c.shape(0)));
}

void expect_square(const InferContext& c) {
  const Shape& s = c.shape(0);
  if (s.size() < 2 || rows_of(s) != columns_of(s))
    c.shape_error("operand 0: expected square matrices in the last two axes, got " + to_string(s));
}

Value product(Builder& b, Value x, bool x_transposed, Value y, bool y_transposed) {
  auto [row, column] = matrix_axes(b.shape(x));
  int64_t contract_x = x_transposed ? row : column, contract_y = y_transposed ? column : row;
  std::vector<int64_t> batch = build::all_axes(static_cast<size_t>(row));
  return build::dot(b, x, y, Ints(&contract_x, 1), Ints(&contract_y, 1), batch, batch);
}

Value turned(Builder& b, Value x) {
  std::vector<int64_t> perm = build::all_axes(b.shape(x).size());
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return build::permute(b, x, perm);
}

Value where_row(Builder& b, const Shape& shape, Direction direction) {
  auto [row, column] = matrix_axes(shape);
  return build::compare(b, build::iota(b, DType::i64, shape, row), build::iota(b, DType::i64, shape, column),
                        direction);
}
Value masked(Builder& b, Value x, Direction direction) {
  return build::where(b, where_row(b, b.shape(x), direction), x, build::zeros_like(b, x));
}
Value symmetric_part(Builder& b, Value x) { return build::scale(b, build::add_any(b, x, turned(b, x)), 0.5); }

Value diagonal_of(Builder& b, Value x) {
  int64_t column = matrix_axes(b.shape(x)).column;
  return build::reduce_sum(b, masked(b, x, Direction::eq), Ints(&column, 1));
}

Value along_rows(Builder& b, Value v, int64_t rows) {
  const Shape shape = b.shape(v);
  std::vector<int64_t> dims = build::all_axes(shape.size());
  ++dims.back();
  return build::broadcast(b, v, matrices(shape.slice(0, shape.size() - 1), rows, shape[shape.size() - 1]), dims);
}
Value along_columns(Builder& b, Value v, int64_t columns) {
  const Shape shape = b.shape(v);
  return build::broadcast(b, v, shape + Shape{columns}, build::all_axes(shape.size()));
}

Value columns(Builder& b, Value x, int64_t first, int64_t last) {
  return build::slice_axis(b, x, matrix_axes(b.shape(x)).column, first, last);
}
Value rows(Builder& b, Value x, int64_t first, int64_t last) {
  return build::slice_axis(b, x, matrix_axes(b.shape(x)).row, first, last);
}

// Few rows are chosen one after the other: kernels do so in registers, and so do derivatives.
Value rows_in_order(Builder& b, Value x, Value order) {
  constexpr int64_t kFew = 6;
  const Shape shape = b.shape(x);
  const int64_t m = rows_of(shape), n = columns_of(shape);
  if (m > 0 && m <= kFew) {
    auto row = [&](int64_t i) {
      return along_rows(b, build::reshape(b, rows(b, x, i, i + 1), batch_of(shape) + Shape{n}), m);
    };
    Value wanted = along_columns(b, order, n), result = row(0);
    for (int64_t i = 1; i < m; ++i) {
      Value here = build::compare(b, wanted, build::constant_int(b, DType::i32, shape, i), Direction::eq);
      result = build::where(b, here, row(i), result);
    }
    return result;
  }
  return taken_along(b, x, along_columns(b, order, columns_of(shape)), matrix_axes(shape).row);
}

void raise_matrix_fault(const FaultContext& c, const std::string& what) {
  const Shape batch = batch_of(c.shape(0));
  const size_t lanes = std::min(c.call.lanes.size(), batch.size());
  const Shape own = batch.slice(lanes, batch.size());
  std::vector<int64_t> places(lanes);
  for (int64_t i = static_cast<int64_t>(lanes), at = c.element / own.numel(); i-- > 0;) {
    const int64_t extent = batch[static_cast<size_t>(i)];
    places[static_cast<size_t>(i)] = at % extent;
    at /= extent;
  }
  std::string element = own.empty() ? "" : "(Batch element " + std::to_string(c.element % own.numel()) + "): ";
  throw LinalgError(c.text(element + what, places));
}

void guard_matrix(const GuardContext& c) {
  Value& a = c.operands[0];
  Value unit = build::convert(c.b, where_row(c.b, c.b.shape(a), Direction::eq), c.b.dtype(a));
  a = build::where(c.b, c.live, a, unit);
}

void batch_matrices(const BatchContext& c, std::span<Value> results, std::span<bool>) {
  Value first = c.b.emit(c.op, {c.operands[0]}, c.attrs);
  for (size_t i = 0; i < results.size(); ++i) results[i] = first + static_cast<Value>(i);
}

}  // namespace jot::ir
