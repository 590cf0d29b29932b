// What a matrix type of another library needs to know of a tensor's memory.
#pragma once
#include <cstdint>

#include "jot/accessor.h"

namespace jot::detail {

inline constexpr int64_t kAnyExtent = -1;  // or step

// A type of matrices. Vectors take tensors of one dim, and of two where one has extent 1. Steps, in elements:
// kAnyExtent, 0 (dense), or a number; inner is along rows where these are contiguous (row_major).
struct MatrixType {
  int64_t rows, columns, max_rows, max_columns;  // kAnyExtent, or a number
  bool vector, row_major;
  int64_t inner, outer;
};
struct MatrixLayout {
  int64_t rows, columns, inner, outer;
};
// Throws ShapeError with expected, got and the remedy.
MatrixLayout matrix_layout(const Layout& tensor, const MatrixType& type, const char* what, Location at);

}  // namespace jot::detail
