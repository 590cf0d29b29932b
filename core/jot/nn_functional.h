// Generated from core/functions.def and core/nn.def by core/functions.py: change these and run ./dev generate.
// torch.nn.functional.
#pragma once
#include <vector>

#include "jot/ops.h"

namespace jot::nn::functional {

// clang-format off

// ---- Activations: jot::nn::functional
using jot::relu;
using jot::sigmoid;
using jot::tanh;
using jot::softmax;
using jot::log_softmax;
using jot::softmin;
using jot::one_hot;

// ---- Linear functions
// x W^T + b, over the last dim of x. An undefined bias is none.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, Location at = JOT_HERE);

// ---- Normalisation
struct BatchNormOptions {
  Tensor weight = {};
  Tensor bias = {};
  bool training = false;
  double momentum = 0.1;
  double eps = 1e-5;
};
struct GroupNormOptions {
  Tensor weight = {};
  Tensor bias = {};
  double eps = 1e-5;
};
struct InstanceNormOptions {
  Tensor running_mean = {};
  Tensor running_var = {};
  Tensor weight = {};
  Tensor bias = {};
  bool use_input_stats = true;
  double momentum = 0.1;
  double eps = 1e-5;
};
struct LocalResponseNormOptions {
  double alpha = 1e-4;
  double beta = 0.75;
  double k = 1;
};
struct NormalizeOptions {
  Ord p = 2;
  Axes dim = 1;
  double eps = 1e-12;
};
// (x - mean) / sqrt(var + eps), times weight plus bias, of channels, dim 1. Training: mean and variance are those of x over the other
// dims, and the running ones, where they are defined, are written: running (1 - momentum) + new momentum, the variance with correction 1.
// ShapeError where a channel has one value. Else they are the running ones.
Tensor batch_norm(const Tensor& x, const Tensor& mean, const Tensor& var, const BatchNormOptions& options = {}, Location at = JOT_HERE);
// Over the last dims, which have this shape; so have weight and bias. ShapeError.
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-5, Location at = JOT_HERE);
// x / sqrt(mean of x^2 + eps) over the last dims, times weight. eps none: epsilon of the dtype computed in, f32 or f64.
Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {}, std::optional<double> eps = {}, Location at = JOT_HERE);
// Over channels in so many groups and the dims behind them. ShapeError where the channels are not a multiple.
Tensor group_norm(const Tensor& x, int64_t groups, const GroupNormOptions& options = {}, Location at = JOT_HERE);
// batch_norm of each element of dim 0 alone. use_input_stats false: by the running statistics.
Tensor instance_norm(const Tensor& x, const InstanceNormOptions& options = {}, Location at = JOT_HERE);
// x / (k + alpha mean of x^2 over a window of `size` channels)^beta.
Tensor local_response_norm(const Tensor& x, int64_t size, const LocalResponseNormOptions& options = {}, Location at = JOT_HERE);
// x / max(norm of order p over dim, eps).
Tensor normalize(const Tensor& x, const NormalizeOptions& options = {}, Location at = JOT_HERE);

// ---- Attention
struct AttentionOptions {
  Tensor attn_mask = {};
  double dropout_p = 0;
  bool is_causal = false;
  std::optional<double> scale = {};
};
struct MultiHeadAttentionOptions {
  bool training = true;
  Tensor key_padding_mask = {};
  bool need_weights = true;
  Tensor attn_mask = {};
  bool use_separate_proj_weight = false;
  Tensor q_proj_weight = {};
  Tensor k_proj_weight = {};
  Tensor v_proj_weight = {};
  Tensor static_k = {};
  Tensor static_v = {};
  bool average_attn_weights = true;
  bool is_causal = false;
};
// softmax(q k^T scale + mask) v of q [..., l, e], k [..., s, e], v [..., s, n]; leading dims broadcast. The mask, which broadcasts to [..., l,
// s], is boolean, true where a query sees a key, or added. A row that sees nothing is 0 and passes no derivative. scale none: 1 / sqrt(e).
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options = {}, Location at = JOT_HERE);
// Attention of query [l, n, e], key and value [s, n, ...] in heads, with projections: the output [l, n, e] and, where they are wanted, the
// weights [n, l, s] ([n, heads, l, s] where they are not averaged), else an undefined tensor. Without n, all of them. Masks are true where a
// key is not seen. ShapeError, DTypeError.
std::pair<Tensor, Tensor> multi_head_attention(const Tensor& query, const Tensor& key, const Tensor& value, int64_t embed_dim_to_check, int64_t num_heads, const Tensor& in_proj_weight, const Tensor& in_proj_bias, const Tensor& bias_k, const Tensor& bias_v, bool add_zero_attn, double dropout_p, const Tensor& out_proj_weight, const Tensor& out_proj_bias, const MultiHeadAttentionOptions& options = {}, Location at = JOT_HERE);
// multi_head_attention
std::pair<Tensor, Tensor> multi_head_attention_forward(const Tensor& query, const Tensor& key, const Tensor& value, int64_t embed_dim_to_check, int64_t num_heads, const Tensor& in_proj_weight, const Tensor& in_proj_bias, const Tensor& bias_k, const Tensor& bias_v, bool add_zero_attn, double dropout_p, const Tensor& out_proj_weight, const Tensor& out_proj_bias, const MultiHeadAttentionOptions& options = {}, Location at = JOT_HERE);

// ---- Vision
struct InterpolateOptions {
  Ints size = {};
  Scales scale_factor = {};
  Interpolation mode = Interpolation::nearest;
  std::optional<bool> align_corners = {};
};
struct GridSampleOptions {
  Interpolation mode = Interpolation::bilinear;
  GridPadding padding_mode = GridPadding::zeros;
  bool align_corners = false;
};
// x with pads in front of and behind the last dim, the one before it, ...; negative ones crop. constant: filled with value; reflect: mirrored
// without the edge, less than the extent; replicate: the edge; circular: from the other end. Of any dims. ShapeError.
Tensor pad(const Tensor& x, const Ints& pads, Pad mode = Pad::constant, double value = 0, Location at = JOT_HERE);
// x [n, channels, ...] at another size, or at floor(extent scale_factor), where places go by that factor. linear wants 3, bilinear and bicubic 4,
// trilinear 5 dims, the others 3 to 5. area: means of windows. ShapeError, DTypeError of integers but for nearest.
Tensor interpolate(const Tensor& x, const InterpolateOptions& options = {}, Location at = JOT_HERE);
// x [n, channels, (d,) h, w] at the places of grid [n, ..., 2 or 3], (x, y, z) in [-1, 1]: [n, channels, ...]. bilinear (of 5 dims trilinear),
// nearest, bicubic. ShapeError, DTypeError.
Tensor grid_sample(const Tensor& x, const Tensor& grid, const GridSampleOptions& options = {}, Location at = JOT_HERE);
// theta [n, 2, 3] times the places (x, y, 1) of an image of size [n, c, h, w]: [n, h, w, 2]; [n, 3, 4] of 5 dims alike. ShapeError.
Tensor affine_grid(const Tensor& theta, const Shape& size, bool align_corners = false, Location at = JOT_HERE);
// [..., c r^2, h, w] to [..., c, h r, w r]; back. ShapeError where r does not divide.
Tensor pixel_shuffle(const Tensor& x, int64_t upscale_factor, Location at = JOT_HERE);
Tensor pixel_unshuffle(const Tensor& x, int64_t downscale_factor, Location at = JOT_HERE);
// Channels, dim 1, by turns of each group. ShapeError where the groups do not divide them.
Tensor channel_shuffle(const Tensor& x, int64_t groups, Location at = JOT_HERE);

// ---- Convolution
struct ConvOptions {
  Ints stride = 1;
  ConvPadding padding = 0;
  Ints dilation = 1;
  int64_t groups = 1;
};
struct ConvTransposeOptions {
  Ints stride = 1;
  Ints padding = 0;
  Ints output_padding = 0;
  int64_t groups = 1;
  Ints dilation = 1;
};
struct FoldOptions {
  Ints dilation = 1;
  Ints padding = 0;
  Ints stride = 1;
};
// x [n, channels, length] (or without n) with weight [out, channels / groups, window], plus bias [out]: [n, out, places]. padding:
// zeros on both sides, or Padding::same, for stride 1, | valid. ShapeError where shapes, groups or sizes do not fit; DTypeError.
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvOptions& options = {}, Location at = JOT_HERE);
// conv1d over two dims.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvOptions& options = {}, Location at = JOT_HERE);
// conv1d over three dims.
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvOptions& options = {}, Location at = JOT_HERE);
// The transpose of conv1d by x: x [n, channels, length] (or without n) with weight [channels, out / groups, window], plus bias [out]:
// [n, out, (length - 1) stride - 2 padding + dilation (window - 1) + output_padding + 1]. ShapeError, DTypeError.
Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvTransposeOptions& options = {}, Location at = JOT_HERE);
// conv_transpose1d over two dims.
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvTransposeOptions& options = {}, Location at = JOT_HERE);
// conv_transpose1d over three dims.
Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvTransposeOptions& options = {}, Location at = JOT_HERE);
// Windows of x [n, channels, h, w] (or without n) as columns: [n, channels times elements of a window, places]. ShapeError.
Tensor unfold(const Tensor& x, const Ints& kernel_size, const FoldOptions& options = {}, Location at = JOT_HERE);
// The sum of columns where their windows lie: the transpose of unfold, [n, channels, output_size...]. ShapeError.
Tensor fold(const Tensor& x, const Ints& output_size, const Ints& kernel_size, const FoldOptions& options = {}, Location at = JOT_HERE);

// ---- Pooling
// Over the last dims of x [n, channels, ...], or without n. stride {}: the kernel's size. ceil_mode: a last window may reach beyond the padding. ShapeError where sizes do not fit.
struct AvgPoolOptions {
  Ints stride = {};
  Ints padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;
  std::optional<int64_t> divisor_override = {};
};
struct MaxPoolOptions {
  Ints stride = {};
  Ints padding = 0;
  Ints dilation = 1;
  bool ceil_mode = false;
};
struct MaxUnpoolOptions {
  Ints stride = {};
  Ints padding = 0;
  Ints output_size = {};
};
struct LpPoolOptions {
  Ints stride = {};
  bool ceil_mode = false;
};
// Sums of windows divided by how many elements these have, with those of the padding, or without, or by divisor_override.
Tensor avg_pool1d(const Tensor& x, const Ints& kernel_size, const AvgPoolOptions& options = {}, Location at = JOT_HERE);
// avg_pool1d over two dims.
Tensor avg_pool2d(const Tensor& x, const Ints& kernel_size, const AvgPoolOptions& options = {}, Location at = JOT_HERE);
// avg_pool1d over three dims.
Tensor avg_pool3d(const Tensor& x, const Ints& kernel_size, const AvgPoolOptions& options = {}, Location at = JOT_HERE);
// The greatest element of each window, the first of equal ones; NaN where there is one.
Tensor max_pool1d(const Tensor& x, const Ints& kernel_size, const MaxPoolOptions& options = {}, Location at = JOT_HERE);
// max_pool1d over two dims.
Tensor max_pool2d(const Tensor& x, const Ints& kernel_size, const MaxPoolOptions& options = {}, Location at = JOT_HERE);
// max_pool1d over three dims.
Tensor max_pool3d(const Tensor& x, const Ints& kernel_size, const MaxPoolOptions& options = {}, Location at = JOT_HERE);
// The same, and where it is: i64, row-major over the dims of the window.
ValuesIndices max_pool1d_with_indices(const Tensor& x, const Ints& kernel_size, const MaxPoolOptions& options = {}, Location at = JOT_HERE);
// max_pool1d_with_indices over two dims.
ValuesIndices max_pool2d_with_indices(const Tensor& x, const Ints& kernel_size, const MaxPoolOptions& options = {}, Location at = JOT_HERE);
// max_pool1d_with_indices over three dims.
ValuesIndices max_pool3d_with_indices(const Tensor& x, const Ints& kernel_size, const MaxPoolOptions& options = {}, Location at = JOT_HERE);
// Zeros, with the elements of x where the indices of a max_pool say. IndexError at evaluation.
Tensor max_unpool1d(const Tensor& x, const Tensor& indices, const Ints& kernel_size, const MaxUnpoolOptions& options = {}, Location at = JOT_HERE);
// max_unpool1d over two dims.
Tensor max_unpool2d(const Tensor& x, const Tensor& indices, const Ints& kernel_size, const MaxUnpoolOptions& options = {}, Location at = JOT_HERE);
// max_unpool1d over three dims.
Tensor max_unpool3d(const Tensor& x, const Tensor& indices, const Ints& kernel_size, const MaxUnpoolOptions& options = {}, Location at = JOT_HERE);
// Means of as many parts of each dim as output_size says: part i is from floor(i n / size) to ceil((i + 1) n / size).
Tensor adaptive_avg_pool1d(const Tensor& x, const Ints& output_size, Location at = JOT_HERE);
// adaptive_avg_pool1d over two dims.
Tensor adaptive_avg_pool2d(const Tensor& x, const Ints& output_size, Location at = JOT_HERE);
// adaptive_avg_pool1d over three dims.
Tensor adaptive_avg_pool3d(const Tensor& x, const Ints& output_size, Location at = JOT_HERE);
// The greatest elements of these parts.
Tensor adaptive_max_pool1d(const Tensor& x, const Ints& output_size, Location at = JOT_HERE);
// adaptive_max_pool1d over two dims.
Tensor adaptive_max_pool2d(const Tensor& x, const Ints& output_size, Location at = JOT_HERE);
// adaptive_max_pool1d over three dims.
Tensor adaptive_max_pool3d(const Tensor& x, const Ints& output_size, Location at = JOT_HERE);
// The same, and where they are: i64, row-major over the pooled dims.
ValuesIndices adaptive_max_pool1d_with_indices(const Tensor& x, const Ints& output_size, Location at = JOT_HERE);
// adaptive_max_pool1d_with_indices over two dims.
ValuesIndices adaptive_max_pool2d_with_indices(const Tensor& x, const Ints& output_size, Location at = JOT_HERE);
// adaptive_max_pool1d_with_indices over three dims.
ValuesIndices adaptive_max_pool3d_with_indices(const Tensor& x, const Ints& output_size, Location at = JOT_HERE);
// (Sums of x^p)^(1 / p) of windows.
Tensor lp_pool1d(const Tensor& x, double p, const Ints& kernel_size, const LpPoolOptions& options = {}, Location at = JOT_HERE);
// lp_pool1d over two dims.
Tensor lp_pool2d(const Tensor& x, double p, const Ints& kernel_size, const LpPoolOptions& options = {}, Location at = JOT_HERE);
// lp_pool1d over three dims.
Tensor lp_pool3d(const Tensor& x, double p, const Ints& kernel_size, const LpPoolOptions& options = {}, Location at = JOT_HERE);
// clang-format on

}  // namespace jot::nn::functional
