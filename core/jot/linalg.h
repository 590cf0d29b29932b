// torch.linalg: matrices in the last two dims, the others a batch.
#pragma once
#include "jot/ops.h"

namespace jot::linalg {

using jot::cross;
using jot::matmul;

// A view of the diagonals of the matrices in dims dim1 and dim2: as jot::diagonal, but of the last two. IndexError for
// a wrong dim.
Tensor diagonal(const Tensor& x, int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1, Location at = JOT_HERE);
// The sum of a * b along dim. Operands broadcast; f32, f64, i32, i64. ShapeError, DTypeError, IndexError.
Tensor vecdot(const Tensor& a, const Tensor& b, int64_t dim = -1, Location at = JOT_HERE);

}  // namespace jot::linalg
