// Generated from core/functions.def by core/functions.py: change the table and run ./dev generate.
// Functions that write their result to a tensor that is given: name_out(out, arguments of name). It keeps its shape and
// dtype: a result of another shape is an error, one of a higher category (float into integer) too. Not inside vmap.
// Returns `out`.
#pragma once
#include <vector>

#include "jot/tensor.h"

namespace jot {

// clang-format off
Tensor abs_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor neg_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor sign_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor floor_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor ceil_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor round_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor trunc_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor exp_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor log_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor sqrt_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor rsqrt_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor sin_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor cos_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor tanh_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor sigmoid_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor square_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor reciprocal_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor relu_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor logical_not_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor bitwise_not_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor add_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor sub_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor mul_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor div_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor maximum_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor minimum_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor atan2_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor arctan2_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor pow_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor eq_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor ne_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor lt_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor le_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor gt_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor ge_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor logical_and_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor logical_or_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor logical_xor_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor bitwise_and_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor bitwise_or_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor bitwise_xor_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor where_out(const Tensor& out, const Tensor& condition, const Arg& x, const Arg& y);
Tensor clamp_out(const Tensor& out, const Tensor& x, const Bound& low, const Bound& high = none);
Tensor sum_out(const Tensor& out, const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor prod_out(const Tensor& out, const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor mean_out(const Tensor& out, const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor amax_out(const Tensor& out, const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor amin_out(const Tensor& out, const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor all_out(const Tensor& out, const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor any_out(const Tensor& out, const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor logsumexp_out(const Tensor& out, const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor softmax_out(const Tensor& out, const Tensor& x, int64_t dim, Location at = JOT_HERE);
Tensor nansum_out(const Tensor& out, const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor nanmean_out(const Tensor& out, const Tensor& x, const Axes& dims = {}, bool keepdim = false, Location at = JOT_HERE);
Tensor matmul_out(const Tensor& out, const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Tensor mm_out(const Tensor& out, const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Tensor mv_out(const Tensor& out, const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Tensor bmm_out(const Tensor& out, const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Tensor dot_out(const Tensor& out, const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Tensor outer_out(const Tensor& out, const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Tensor vdot_out(const Tensor& out, const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Tensor inner_out(const Tensor& out, const Tensor& a, const Tensor& b, Location at = JOT_HERE);
Tensor cat_out(const Tensor& out, const std::vector<Tensor>& tensors, int64_t dim = 0, Location at = JOT_HERE);
Tensor stack_out(const Tensor& out, const std::vector<Tensor>& tensors, int64_t dim = 0, Location at = JOT_HERE);
Tensor hstack_out(const Tensor& out, const std::vector<Tensor>& tensors, Location at = JOT_HERE);
Tensor vstack_out(const Tensor& out, const std::vector<Tensor>& tensors, Location at = JOT_HERE);
Tensor dstack_out(const Tensor& out, const std::vector<Tensor>& tensors, Location at = JOT_HERE);
Tensor column_stack_out(const Tensor& out, const std::vector<Tensor>& tensors, Location at = JOT_HERE);
Tensor index_select_out(const Tensor& out, const Tensor& x, int64_t dim, const Tensor& index, Location at = JOT_HERE);
Tensor gather_out(const Tensor& out, const Tensor& x, int64_t dim, const Tensor& index, Location at = JOT_HERE);
// clang-format on

}  // namespace jot
