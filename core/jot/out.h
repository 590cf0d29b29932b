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
Tensor absolute_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor negative_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor sgn_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor fix_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor positive_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor round_out(const Tensor& out, const Tensor& x, int64_t decimals, Location at = JOT_HERE);
Tensor frac_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor deg2rad_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor rad2deg_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor exp2_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor expm1_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor log2_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor log10_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor log1p_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor tan_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor asin_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor acos_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor atan_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor sinh_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor cosh_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor asinh_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor acosh_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor atanh_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor arcsin_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor arccos_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor arctan_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor arcsinh_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor arccosh_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor arctanh_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor erf_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor erfc_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor erfinv_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor lgamma_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor digamma_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor i0_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor sinc_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor logit_out(const Tensor& out, const Tensor& x, std::optional<double> eps = {}, Location at = JOT_HERE);
Tensor nan_to_num_out(const Tensor& out, const Tensor& x, double nan = 0, std::optional<double> posinf = {}, std::optional<double> neginf = {}, Location at = JOT_HERE);
Tensor isposinf_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor isneginf_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
Tensor signbit_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
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
Tensor add_out(const Tensor& out, const Arg& a, const Arg& b, const Arg& alpha);
Tensor sub_out(const Tensor& out, const Arg& a, const Arg& b, const Arg& alpha);
Tensor subtract_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor multiply_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor divide_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor true_divide_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor div_out(const Tensor& out, const Arg& a, const Arg& b, Rounding rounding);
Tensor floor_divide_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor remainder_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor fmod_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor float_power_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor hypot_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor fmax_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor fmin_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor copysign_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor logaddexp_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor logaddexp2_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor xlogy_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor heaviside_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor nextafter_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor ldexp_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor gcd_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor lcm_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor bitwise_left_shift_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor bitwise_right_shift_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor not_equal_out(const Tensor& out, const Arg& a, const Arg& b);
Tensor where_out(const Tensor& out, const Tensor& condition, const Arg& x, const Arg& y);
Tensor clamp_out(const Tensor& out, const Tensor& x, const Bound& low, const Bound& high = none);
Tensor clip_out(const Tensor& out, const Tensor& x, const Bound& low, const Bound& high = none);
Tensor clamp_min_out(const Tensor& out, const Tensor& x, const Arg& low);
Tensor clamp_max_out(const Tensor& out, const Tensor& x, const Arg& high);
Tensor lerp_out(const Tensor& out, const Tensor& a, const Arg& b, const Arg& weight);
Tensor addcmul_out(const Tensor& out, const Tensor& x, const Arg& a, const Arg& b, const Arg& value = {1, Location()});
Tensor addcdiv_out(const Tensor& out, const Tensor& x, const Arg& a, const Arg& b, const Arg& value = {1, Location()});
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
