// What the families of linear algebra share: matrices are in the last two axes, the leading axes are a batch.
// Derivatives are made of products, solutions and masks, so that any order of them works.
#pragma once
#include <string>

#include "ir/ops/classes.h"

namespace jot::ir {

struct MatrixAxes {
  int64_t row, column;
};
inline MatrixAxes matrix_axes(const Shape& shape) {
  auto rank = static_cast<int64_t>(shape.size());
  return {rank - 2, rank - 1};
}
inline Shape batch_of(const Shape& shape) { return shape.slice(0, shape.size() - 2); }
inline int64_t rows_of(const Shape& shape) { return shape[shape.size() - 2]; }
inline int64_t columns_of(const Shape& shape) { return shape[shape.size() - 1]; }
inline Shape matrices(const Shape& batch, int64_t rows, int64_t columns) { return batch + Shape{rows, columns}; }

void expect_matrices(const InferContext& c);
void expect_square(const InferContext& c);

Value product(Builder& b, Value x, bool x_transposed, Value y, bool y_transposed);
Value turned(Builder& b, Value x);  // each matrix transposed

// Where the row of an element is `direction` its column; x there, zeros elsewhere.
Value where_row(Builder& b, const Shape& shape, Direction direction);
Value masked(Builder& b, Value x, Direction direction);
Value symmetric_part(Builder& b, Value x);
Value diagonal_of(Builder& b, Value x);                     // of square matrices
Value along_rows(Builder& b, Value v, int64_t rows);        // [*, n] to [*, rows, n]
Value along_columns(Builder& b, Value v, int64_t columns);  // [*, n] to [*, n, columns]
Value columns(Builder& b, Value x, int64_t first, int64_t last);
Value rows(Builder& b, Value x, int64_t first, int64_t last);
Value rows_in_order(Builder& b, Value x, Value order);  // the row of x that each row is, [*, m]

// x of op(A) x = b, or of x op(A) = b. Of A one triangle is read, without its diagonal where that is taken for ones.
struct TriangularSolve {
  bool left, lower, transposed, unit;
  static TriangularSolve of(AttrView a) {
    return {a.integer(Key::left) != 0, a.integer(Key::lower) != 0, a.integer(Key::transposed) != 0,
            a.integer(Key::unit) != 0};
  }
  Value emit(Builder& b, Value a, Value x) const {
    return b.emit(Op::triangular_solve_op, {a, x},
                  Attrs(int64_t{left}, int64_t{lower}, int64_t{transposed}, int64_t{unit}));
  }
};

// One kind of fault, unless a result tells.
inline int64_t checked_faults(AttrView a) { return a.integer(Key::check) != 0; }
// Throws the LinalgError of a matrix of operand 0, at c.element of its batch.
[[noreturn]] void raise_matrix_fault(const FaultContext& c, const std::string& what);
// The identity where nothing is to be at fault.
void guard_matrix(const GuardContext& c);
// The same op on matrices with one more batch dim.
void batch_matrices(const BatchContext& c, std::span<Value> results, std::span<bool> batched);

}  // namespace jot::ir
