// Generated from the tables core/*.def by core/functions.py: change these and run ./dev generate.
// torch.nn.functional.
#pragma once
#include <string>
#include <vector>

#include "jot/ops.h"
#include "jot/out.h"

namespace jot::nn::functional {

// clang-format off
struct RreluOptions {
  double lower = 1.0 / 8;
  double upper = 1.0 / 3;
  bool training = false;
};
struct GumbelSoftmaxOptions {
  double tau = 1;
  bool hard = false;
  double eps = 1e-10;
  int64_t dim = -1;
};

// ---- Activations: jot::nn::functional
// Floating dtypes stay, others become the default one (relu6, hardtanh and threshold: stay). Derivatives at kinks are torch's.
using jot::relu;
using jot::sigmoid;
using jot::tanh;
using jot::softmax;
using jot::log_softmax;
using jot::softmin;
using jot::one_hot;
using jot::relu_out;
using jot::sigmoid_out;
using jot::tanh_out;
using jot::softmax_out;
using jot::log_softmax_out;
// x, at least 0 and at most 6; the derivative is 0 at both.
Tensor relu6(const Tensor& x, Location at = JOT_HERE);
const Tensor& relu6_(const Tensor& x, Location at = JOT_HERE);
// x, and alpha (e^x - 1) below 0.
Tensor elu(const Tensor& x, double alpha = 1, Location at = JOT_HERE);
const Tensor& elu_(const Tensor& x, double alpha = 1, Location at = JOT_HERE);
// 1.0507 elu(x, 1.6733).
Tensor selu(const Tensor& x, Location at = JOT_HERE);
const Tensor& selu_(const Tensor& x, Location at = JOT_HERE);
// x, and alpha (e^(x / alpha) - 1) below 0. Error where alpha is 0.
Tensor celu(const Tensor& x, double alpha = 1, Location at = JOT_HERE);
const Tensor& celu_(const Tensor& x, double alpha = 1, Location at = JOT_HERE);
// x times the standard normal distribution function, or its approximation by tanh. Both tails keep their digits.
Tensor gelu(const Tensor& x, Gelu approximate = Gelu::none, Location at = JOT_HERE);
Tensor gelu_out(const Tensor& out, const Tensor& x, Gelu approximate = Gelu::none, Location at = JOT_HERE);
// x sigmoid(x).
Tensor silu(const Tensor& x, Location at = JOT_HERE);
// x tanh(softplus(x)).
Tensor mish(const Tensor& x, Location at = JOT_HERE);
// log(1 + e^(beta x)) / beta, exact where that is small; x where beta x > threshold. Error where beta is 0.
Tensor softplus(const Tensor& x, double beta = 1, double threshold = 20, Location at = JOT_HERE);
Tensor softplus_out(const Tensor& out, const Tensor& x, double beta = 1, double threshold = 20, Location at = JOT_HERE);
// x / (1 + |x|).
Tensor softsign(const Tensor& x, Location at = JOT_HERE);
// x moved towards 0 by lambda, 0 within. Error for lambda < 0.
Tensor softshrink(const Tensor& x, double lambda = 0.5, Location at = JOT_HERE);
Tensor softshrink_out(const Tensor& out, const Tensor& x, double lambda = 0.5, Location at = JOT_HERE);
// x, and 0 where |x| <= lambda.
Tensor hardshrink(const Tensor& x, double lambda = 0.5, Location at = JOT_HERE);
Tensor hardshrink_out(const Tensor& out, const Tensor& x, double lambda = 0.5, Location at = JOT_HERE);
// x - tanh(x).
Tensor tanhshrink(const Tensor& x, Location at = JOT_HERE);
// x, at least min and at most max; the derivative is 0 at both. Error where min > max.
Tensor hardtanh(const Tensor& x, double min = -1, double max = 1, Location at = JOT_HERE);
const Tensor& hardtanh_(const Tensor& x, double min = -1, double max = 1, Location at = JOT_HERE);
// (x + 3) / 6, at least 0 and at most 1; the derivative is 0 at both.
Tensor hardsigmoid(const Tensor& x, Location at = JOT_HERE);
// x hardsigmoid(x).
Tensor hardswish(const Tensor& x, Location at = JOT_HERE);
// x, and slope x where x <= 0.
Tensor leaky_relu(const Tensor& x, double slope = 0.01, Location at = JOT_HERE);
const Tensor& leaky_relu_(const Tensor& x, double slope = 0.01, Location at = JOT_HERE);
// x, and weight x where x <= 0. weight: one number or a vector, one for each channel (dim 1). ShapeError.
Tensor prelu(const Tensor& x, const Tensor& weight, Location at = JOT_HERE);
// leaky_relu of a slope in the middle between lower and upper; training: of one drawn between them for each element.
Tensor rrelu(const Tensor& x, const RreluOptions& options = {}, Location at = JOT_HERE);
const Tensor& rrelu_(const Tensor& x, const RreluOptions& options = {}, Location at = JOT_HERE);
// log(sigmoid(x)), exact where that is small.
Tensor logsigmoid(const Tensor& x, Location at = JOT_HERE);
Tensor logsigmoid_out(const Tensor& out, const Tensor& x, Location at = JOT_HERE);
// x, and value where x <= threshold.
Tensor threshold(const Tensor& x, double threshold, double value, Location at = JOT_HERE);
const Tensor& threshold_(const Tensor& x, double threshold, double value, Location at = JOT_HERE);
// a sigmoid(b) of the halves of x along dim. ShapeError where its extent is odd.
Tensor glu(const Tensor& x, int64_t dim = -1, Location at = JOT_HERE);
// softmax of (x + Gumbel's noise) / tau: a draw, differentiable in x; hard: one-hot, with the derivative of the soft one. eps is not used.
Tensor gumbel_softmax(const Tensor& x, const GumbelSoftmaxOptions& options = {}, Location at = JOT_HERE);

// ---- Linear functions
// x W^T + b, over the last dim of x; of a vector W x W + b. An undefined bias is none.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, Location at = JOT_HERE);
Tensor linear_out(const Tensor& out, const Tensor& x, const Tensor& weight, const Tensor& bias = {}, Location at = JOT_HERE);
// a W[k] b of the last dims, for each k: weight [out, n, m]; an undefined bias is none. ShapeError.
Tensor bilinear(const Tensor& a, const Tensor& b, const Tensor& weight, const Tensor& bias = {}, Location at = JOT_HERE);
struct SmoothL1LossOptions {
  Reduction reduction = Reduction::mean;
  double beta = 1;
};
struct HuberLossOptions {
  Reduction reduction = Reduction::mean;
  double delta = 1;
};
struct CrossEntropyOptions {
  Tensor weight = {};
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::mean;
  double label_smoothing = 0;
};
struct NllLossOptions {
  Tensor weight = {};
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::mean;
};
struct BinaryCrossEntropyOptions {
  Tensor weight = {};
  Reduction reduction = Reduction::mean;
};
struct BinaryCrossEntropyWithLogitsOptions {
  Tensor weight = {};
  Reduction reduction = Reduction::mean;
  Tensor pos_weight = {};
};
struct KlDivOptions {
  Reduction reduction = Reduction::mean;
  bool log_target = false;
};
struct PoissonNllLossOptions {
  bool log_input = true;
  bool full = false;
  double eps = 1e-8;
  Reduction reduction = Reduction::mean;
};
struct GaussianNllLossOptions {
  bool full = false;
  double eps = 1e-6;
  Reduction reduction = Reduction::mean;
};
struct MultiMarginLossOptions {
  int64_t p = 1;
  double margin = 1;
  Tensor weight = {};
  Reduction reduction = Reduction::mean;
};
struct TripletMarginLossOptions {
  double margin = 1;
  Ord p = 2;
  double eps = 1e-6;
  bool swap = false;
  Reduction reduction = Reduction::mean;
};
struct CtcLossOptions {
  int64_t blank = 0;
  Reduction reduction = Reduction::mean;
  bool zero_infinity = false;
};
struct PairwiseDistanceOptions {
  Ord p = 2;
  double eps = 1e-6;
  bool keepdim = false;
};

// ---- Losses
// Of a prediction x and a target y, which broadcast; the reduction is the mean of all, their sum, or none. ShapeError and DTypeError as told.
// (x - y)^2.
Tensor mse_loss(const Tensor& x, const Tensor& y, Reduction reduction = Reduction::mean, Location at = JOT_HERE);
// |x - y|.
Tensor l1_loss(const Tensor& x, const Tensor& y, Reduction reduction = Reduction::mean, Location at = JOT_HERE);
// (x - y)^2 / (2 beta) where |x - y| < beta, else |x - y| - beta / 2; l1_loss where beta is 0. Error for beta < 0.
Tensor smooth_l1_loss(const Tensor& x, const Tensor& y, const SmoothL1LossOptions& options = {}, Location at = JOT_HERE);
// (x - y)^2 / 2 where |x - y| < delta, else delta (|x - y| - delta / 2). Error for delta <= 0.
Tensor huber_loss(const Tensor& x, const Tensor& y, const HuberLossOptions& options = {}, Location at = JOT_HERE);
// nll_loss of log_softmax along dim 1 (of a vector dim 0). y: classes (integers), or probabilities, floating and of the shape of x.
// weight: one number a class. label_smoothing in [0, 1]. A class outside of [0, C) is an IndexError at evaluation.
Tensor cross_entropy(const Tensor& x, const Tensor& y, const CrossEntropyOptions& options = {}, Location at = JOT_HERE);
// -weight[y] x[y]: x [C], [N, C] or [N, C, ...], y the classes without the dim C; 0 where y is ignore_index. The mean is over the weights. IndexError at evaluation for other classes.
Tensor nll_loss(const Tensor& x, const Tensor& y, const NllLossOptions& options = {}, Location at = JOT_HERE);
// -y log(x) - (1 - y) log(1 - x) of probabilities x; logarithms are at least -100. The derivative by x is (x - y) / max(x (1 - x), 1e-12). ShapeError unless of one shape; Error where the value is evaluated for x or y outside [0, 1].
Tensor binary_cross_entropy(const Tensor& x, const Tensor& y, const BinaryCrossEntropyOptions& options = {}, Location at = JOT_HERE);
// The same of sigmoid(x), exact in both tails; pos_weight multiplies the term of y. ShapeError unless of one shape.
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& y, const BinaryCrossEntropyWithLogitsOptions& options = {}, Location at = JOT_HERE);
// y (log(y) - x), 0 log(0) being 0; log_target: e^y (y - x). x is a logarithm. Reduction::batchmean: the sum by the extent of dim 0.
Tensor kl_div(const Tensor& x, const Tensor& y, const KlDivOptions& options = {}, Location at = JOT_HERE);
// e^x - y x, or x - y log(x + eps); full: with Stirling's approximation of log(y!) where y > 1.
Tensor poisson_nll_loss(const Tensor& x, const Tensor& y, const PoissonNllLossOptions& options = {}, Location at = JOT_HERE);
// (log(var) + (x - y)^2 / var) / 2, var at least eps (not to its derivative); full: plus log(2 pi) / 2. var has the shape of x, or 1 or
// nothing for its last dim. ShapeError; Error where the value is evaluated for var < 0.
Tensor gaussian_nll_loss(const Tensor& x, const Tensor& y, const Tensor& var, const GaussianNllLossOptions& options = {}, Location at = JOT_HERE);
// x where y is 1, max(0, margin - x) where it is -1.
Tensor hinge_embedding_loss(const Tensor& x, const Tensor& y, double margin = 1, Reduction reduction = Reduction::mean, Location at = JOT_HERE);
// max(0, margin - y (a - b)). ShapeError unless all have as many dims.
Tensor margin_ranking_loss(const Tensor& a, const Tensor& b, const Tensor& y, double margin = 0, Reduction reduction = Reduction::mean, Location at = JOT_HERE);
// The mean over the classes i != y of weight[y] max(0, margin - x[y] + x[i])^p: x [C] or [N, C], y classes. Error unless p is 1 or 2; IndexError at evaluation for other classes.
Tensor multi_margin_loss(const Tensor& x, const Tensor& y, const MultiMarginLossOptions& options = {}, Location at = JOT_HERE);
// The mean over classes i that y does not name of max(0, 1 - x[y[j]] + x[i]), summed over the classes that y names, up to its first -1.
// y has the shape of x, [C] or [N, C]. IndexError at evaluation for other classes.
Tensor multilabel_margin_loss(const Tensor& x, const Tensor& y, Reduction reduction = Reduction::mean, Location at = JOT_HERE);
// The mean over the last dim of binary_cross_entropy_with_logits.
Tensor multilabel_soft_margin_loss(const Tensor& x, const Tensor& y, const Tensor& weight = {}, Reduction reduction = Reduction::mean, Location at = JOT_HERE);
Tensor multilabel_soft_margin_loss(const Tensor& x, const Tensor& y, Reduction reduction, Location at = JOT_HERE);
// log(1 + e^(-y x)).
Tensor soft_margin_loss(const Tensor& x, const Tensor& y, Reduction reduction = Reduction::mean, Location at = JOT_HERE);
// max(0, margin + d(anchor, positive) - d(anchor, negative)), d being pairwise_distance; swap: of the negative to the nearer of the two.
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative, const TripletMarginLossOptions& options = {}, Location at = JOT_HERE);
// 1 - cos where y is 1, max(0, cos - margin) where it is -1, along the last dim of a and b.
Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& y, double margin = 0, Reduction reduction = Reduction::mean, Location at = JOT_HERE);
// -log of the probability of all paths through log_probs [T, N, C] (or [T, C]) that read as the targets, [N, S] or all in a row; lengths
// [N]. IndexError at evaluation for a target that is no class, for lengths beyond log_probs and targets. The mean is over the batch, each divided by its target length. A step of a scan for each of T. infinite where there is no path,
// 0 with zero_infinity.
Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths, const CtcLossOptions& options = {}, Location at = JOT_HERE);

// ---- Distances
// a . b / (|a| |b|) along dim; norms are at least eps (not to their derivative).
Tensor cosine_similarity(const Tensor& a, const Tensor& b, int64_t dim = 1, double eps = 1e-8, Location at = JOT_HERE);
// The p-norm of a - b + eps along the last dim.
Tensor pairwise_distance(const Tensor& a, const Tensor& b, const PairwiseDistanceOptions& options = {}, Location at = JOT_HERE);
// The p-norm of the difference of every two rows of a matrix: [n (n - 1) / 2]. ShapeError unless a matrix; Error for p < 0.
Tensor pdist(const Tensor& x, const Ord& p = 2, Location at = JOT_HERE);
struct EmbeddingBagOptions {
  Tensor offsets = {};
  Reduce mode = Reduce::mean;
  Tensor per_sample_weights = {};
  bool include_last_offset = false;
  std::optional<int64_t> padding_idx = {};
};

// ---- Embedding
// The rows of weight, a matrix, that the index names: index + [d]. Row padding_idx gets no derivative. No index counts from the end:
// IndexError at evaluation.
Tensor embedding(const Tensor& index, const Tensor& weight, std::optional<int64_t> padding_idx = {}, Location at = JOT_HERE);
// The mean, sum or amax of the rows that each bag names, without those of padding_idx: bags are rows of the index [n, k], or begin in the
// vector of all of them at offsets, from 0 on, ascending, within it: else an IndexError at evaluation. Of an empty bag 0. per_sample_weights: with the sum.
Tensor embedding_bag(const Tensor& index, const Tensor& weight, const EmbeddingBagOptions& options = {}, Location at = JOT_HERE);

// ---- Dropout
// While training, draws which elements or channels become 0; the others grow by 1 / (1 - p). Else, and where p is 0, x itself. Error unless p is in [0, 1].
Tensor dropout(const Tensor& x, double p = 0.5, bool training = true, Location at = JOT_HERE);
// Channels of [N, C, L] or [C, L].
Tensor dropout1d(const Tensor& x, double p = 0.5, bool training = true, Location at = JOT_HERE);
// Channels of [N, C, H, W] or [N, C, ...].
Tensor dropout2d(const Tensor& x, double p = 0.5, bool training = true, Location at = JOT_HERE);
// Channels of [N, C, D, H, W] or [C, D, H, W].
Tensor dropout3d(const Tensor& x, double p = 0.5, bool training = true, Location at = JOT_HERE);
// Dropped elements become the least value of selu; mean and variance of standard normal ones stay.
Tensor alpha_dropout(const Tensor& x, double p = 0.5, bool training = false, Location at = JOT_HERE);
// The same of channels, of [N, C, ...].
Tensor feature_alpha_dropout(const Tensor& x, double p = 0.5, bool training = false, Location at = JOT_HERE);

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
Tensor normalize_out(const Tensor& out, const Tensor& x, const NormalizeOptions& options = {}, Location at = JOT_HERE);

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
Tensor avg_pool2d_out(const Tensor& out, const Tensor& x, const Ints& kernel_size, const AvgPoolOptions& options = {}, Location at = JOT_HERE);
// avg_pool1d over three dims.
Tensor avg_pool3d(const Tensor& x, const Ints& kernel_size, const AvgPoolOptions& options = {}, Location at = JOT_HERE);
Tensor avg_pool3d_out(const Tensor& out, const Tensor& x, const Ints& kernel_size, const AvgPoolOptions& options = {}, Location at = JOT_HERE);
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
// Zeros, with the elements of x where the indices of a max_pool say, none of which counts from the end: IndexError at evaluation.
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
// (Sums of x^p)^(1 / p) of windows; of infinite p the greatest or least magnitude.
Tensor lp_pool1d(const Tensor& x, double p, const Ints& kernel_size, const LpPoolOptions& options = {}, Location at = JOT_HERE);
// lp_pool1d over two dims.
Tensor lp_pool2d(const Tensor& x, double p, const Ints& kernel_size, const LpPoolOptions& options = {}, Location at = JOT_HERE);
// lp_pool1d over three dims.
Tensor lp_pool3d(const Tensor& x, double p, const Ints& kernel_size, const LpPoolOptions& options = {}, Location at = JOT_HERE);
// clang-format on

}  // namespace jot::nn::functional
