// Functions that write their result to a tensor that is given: name_out(out, arguments of name). It keeps its shape and
// dtype: a result of another shape is an error, one of a higher category (float into integer) too. Not inside vmap.
// Returns `out`.
#pragma once
#include <vector>

#include "jot/tensor.h"

namespace jot {

#define JOT_OUT(name, ...) Tensor name##_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
JOT_UNARY(JOT_OUT)
JOT_NOT(JOT_OUT)
#undef JOT_OUT
#define JOT_OUT(name, ...) Tensor name##_out(const Tensor& out, const Arg& a, const Arg& b);
JOT_BINARY(JOT_OUT)
#undef JOT_OUT
#define JOT_OUT(name) Tensor name##_out(const Tensor& out, const Tensor& a, const Tensor& b, Location at = JOT_HERE);
JOT_PRODUCT(JOT_OUT)
#undef JOT_OUT
#define JOT_OUT(name)                                                                                \
  Tensor name##_out(const Tensor& out, const Tensor& x, const Axes& dims = {}, bool keepdim = false, \
                    Location at = JOT_HERE);
JOT_REDUCTION(JOT_OUT)
#undef JOT_OUT
Tensor clamp_out(const Tensor& out, const Tensor& x, const Bound& low, const Bound& high);
Tensor where_out(const Tensor& out, const Tensor& condition, const Arg& x, const Arg& y);
Tensor softmax_out(const Tensor& out, const Tensor& x, int64_t dim, Location at = JOT_HERE);
Tensor cat_out(const Tensor& out, const std::vector<Tensor>& tensors, int64_t dim = 0, Location at = JOT_HERE);
Tensor stack_out(const Tensor& out, const std::vector<Tensor>& tensors, int64_t dim = 0, Location at = JOT_HERE);
Tensor index_select_out(const Tensor& out, const Tensor& x, int64_t dim, const Tensor& index, Location at = JOT_HERE);
Tensor gather_out(const Tensor& out, const Tensor& x, int64_t dim, const Tensor& index, Location at = JOT_HERE);

}  // namespace jot
