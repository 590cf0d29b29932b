// The order of elements along a dim. NaN is greater than every number, as in torch.
#pragma once
#include "jot/tensor.h"
#include "jot/tree.h"

namespace jot {

// Elements and where they were: indices are i64, of the shape of values.
struct ValuesIndices {
  Tensor values, indices;
};
JOT_TREE(ValuesIndices, values, indices);

// Each line along dim from the least to the greatest element (descending: from the greatest), equal elements in the
// order in which they stood, whatever `stable` says. Of any dtype and shape; a 0-d tensor is a line of one. The
// derivative moves with the values. IndexError for a wrong dim.
ValuesIndices sort(const Tensor& x, int64_t dim = -1, bool descending = false, bool stable = true,
                   Location at = JOT_HERE);
// The indices of sort alone.
Tensor argsort(const Tensor& x, int64_t dim = -1, bool descending = false, bool stable = true, Location at = JOT_HERE);
// The values of sort along the first dim.
Tensor msort(const Tensor& x, Location at = JOT_HERE);
// The k greatest (largest = false: least) elements of each line, in order, whatever `sorted` says. ShapeError unless
// 0 <= k <= the extent of dim.
ValuesIndices topk(const Tensor& x, int64_t k, int64_t dim = -1, bool largest = true, bool sorted = true,
                   Location at = JOT_HERE);

}  // namespace jot
