#include "jot/matrix_layout.h"

#include <string>

#include "core/storage/views.h"

namespace jot::detail {

namespace {

std::string count(int64_t n, const char* what) {
  return (n == kAnyExtent ? "any number of" : std::to_string(n)) + std::string(" ") + what;
}

bool fits(int64_t extent, int64_t fixed, int64_t max) {
  return (fixed == kAnyExtent || extent == fixed) && (max == kAnyExtent || extent <= max);
}

// A step that the type fixes, beside the tensor's; nothing is stepped over along an extent of 1.
int64_t step_of(const char* which, int64_t fixed, int64_t dense, int64_t extent, int64_t step, const char* what,
                Location at) {
  const int64_t wanted = fixed == 0 ? dense : fixed;
  if (extent <= 1) return fixed == kAnyExtent ? dense : wanted;
  if (fixed != kAnyExtent && step != wanted)
    fail<ShapeError>(what,
                     "the tensor's " + std::string(which) + " step is " + std::to_string(step) +
                         " elements, expected " + std::to_string(wanted) +
                         ": call contiguous() on it, take a type of the other storage order, or leave the stride type "
                         "out, which stands for any steps",
                     at);
  return step;
}

}  // namespace

MatrixLayout matrix_layout(const Layout& t, const MatrixType& type, const char* what, Location at) {
  const Shape& shape = t.shape;
  const bool is_line = type.vector && shape.size() == 1, lies = is_line && type.rows == 1;
  if (!is_line && shape.size() != 2)
    fail<ShapeError>(what,
                     "the tensor has " + std::to_string(shape.size()) + " dims, " + to_string(shape) + ", expected " +
                         (type.vector ? "a vector: one dim, or two of which one has extent 1"
                                      : "a matrix, two dims: select() one of a batch, unsqueeze() a vector"),
                     at);
  const int64_t rows = lies ? 1 : shape[0], columns = is_line ? (lies ? shape[0] : 1) : shape[1];
  const int64_t row_step = lies ? shape[0] : t.strides[0],
                column_step = is_line ? (lies ? t.strides[0] : 1) : t.strides[1];
  if (!fits(rows, type.rows, type.max_rows) || !fits(columns, type.columns, type.max_columns))
    fail<ShapeError>(
        what,
        "the tensor is " + to_string(shape) + ", expected " + count(type.rows, "rows") + " and " +
            count(type.columns, "columns") +
            (type.rows == kAnyExtent && type.max_rows != kAnyExtent
                 ? ", at most " + std::to_string(type.max_rows) + " and " + std::to_string(type.max_columns)
                 : "") +
            ": give the matrix type these extents, or dynamic ones",
        at);
  const bool row_major = type.vector ? type.rows == 1 : type.row_major;
  const int64_t inner_extent = row_major ? columns : rows, outer_extent = row_major ? rows : columns;
  const int64_t inner = step_of("inner", type.inner, 1, inner_extent, row_major ? column_step : row_step, what, at);
  const int64_t outer =
      step_of("outer", type.outer, inner_extent * inner, outer_extent, row_major ? row_step : column_step, what, at);
  return {rows, columns, inner, outer};
}

}  // namespace jot::detail
