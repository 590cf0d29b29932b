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

struct SolveTriangular {
  bool left = true, unitriangular = false;
};
// x of a x = b (x a = b unless left), where of a [*, n, n] only the upper or the lower triangle is read, unitriangular:
// with ones for its diagonal. b and x are [*, n, k] ([*, k, n]), batches broadcast, of one floating dtype; ShapeError,
// DTypeError. A zero on the diagonal gives inf or NaN, as in torch.
Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, const SolveTriangular& options = {},
                        Location at = JOT_HERE);

// l, lower, of a = l l^T (upper: u of a = u^T u), of positive-definite matrices [*, n, n], floating; of these the one
// triangle is read. The derivative is that by a symmetric a. LinalgError at evaluation names the batch element and lane
// of the first matrix that is not positive-definite; of NaN the factor is NaN, where torch throws. ShapeError,
// DTypeError.
Tensor cholesky(const Tensor& a, bool upper = false, Location at = JOT_HERE);

}  // namespace jot::linalg
