// Generated from the tables core/*.def by core/functions.py: change these and run ./dev generate.
// Modules that call a function with stored options.
#pragma once
#include <initializer_list>
#include <optional>

#include "jot/module.h"
#include "jot/nn_functional.h"

namespace jot::nn {

// clang-format off

// ---- Activations
// relu.
// max(x, 0); NaN stays. The derivative at 0 is 0.
class ReLU : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// relu6.
// x, at least 0 and at most 6; the derivative is 0 at both.
class ReLU6 : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// elu.
// x, and alpha (e^x - 1) below 0.
class ELU : public Module {
 public:
  explicit ELU(double alpha = 1);
  Tensor forward(const Tensor& x) const override;

 private:
  double alpha_;
};
// selu.
// 1.0507 elu(x, 1.6733).
class SELU : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// celu.
// x, and alpha (e^(x / alpha) - 1) below 0. Error where alpha is 0.
class CELU : public Module {
 public:
  explicit CELU(double alpha = 1);
  Tensor forward(const Tensor& x) const override;

 private:
  double alpha_;
};
// gelu.
// x times the standard normal distribution function, or its approximation by tanh. Both tails keep their digits.
class GELU : public Module {
 public:
  explicit GELU(Gelu approximate = Gelu::none);
  Tensor forward(const Tensor& x) const override;

 private:
  Gelu approximate_;
};
// silu.
// x sigmoid(x).
class SiLU : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// mish.
// x tanh(softplus(x)).
class Mish : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// sigmoid.
// 1 / (1 + exp(-x)).
class Sigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// tanh.
class Tanh : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// softplus.
// log(1 + e^(beta x)) / beta, exact where that is small; x where beta x > threshold. Error where beta is 0.
class Softplus : public Module {
 public:
  explicit Softplus(double beta = 1, double threshold = 20);
  Tensor forward(const Tensor& x) const override;

 private:
  double beta_;
  double threshold_;
};
// softsign.
// x / (1 + |x|).
class Softsign : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// softshrink.
// x moved towards 0 by lambda, 0 within. Error for lambda < 0.
class Softshrink : public Module {
 public:
  explicit Softshrink(double lambda = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double lambda_;
};
// hardshrink.
// x, and 0 where |x| <= lambda.
class Hardshrink : public Module {
 public:
  explicit Hardshrink(double lambda = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double lambda_;
};
// tanhshrink.
// x - tanh(x).
class Tanhshrink : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// hardtanh.
// x, at least min and at most max; the derivative is 0 at both. Error where min > max.
class Hardtanh : public Module {
 public:
  explicit Hardtanh(double min = -1, double max = 1);
  Tensor forward(const Tensor& x) const override;

 private:
  double min_;
  double max_;
};
// hardsigmoid.
// (x + 3) / 6, at least 0 and at most 1; the derivative is 0 at both.
class Hardsigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// hardswish.
// x hardsigmoid(x).
class Hardswish : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// leaky_relu.
// x, and slope x where x <= 0.
class LeakyReLU : public Module {
 public:
  explicit LeakyReLU(double slope = 0.01);
  Tensor forward(const Tensor& x) const override;

 private:
  double slope_;
};
// logsigmoid.
// log(sigmoid(x)), exact where that is small.
class LogSigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// threshold.
// x, and value where x <= threshold.
class Threshold : public Module {
 public:
  explicit Threshold(double threshold, double value);
  Tensor forward(const Tensor& x) const override;

 private:
  double threshold_;
  double value_;
};
// glu.
// a sigmoid(b) of the halves of x along dim. ShapeError where its extent is odd.
class GLU : public Module {
 public:
  explicit GLU(int64_t dim = -1);
  Tensor forward(const Tensor& x) const override;

 private:
  int64_t dim_;
};
// softmax.
// exp(x) over its sum along dim.
class Softmax : public Module {
 public:
  explicit Softmax(int64_t dim);
  Tensor forward(const Tensor& x) const override;

 private:
  int64_t dim_;
};
// softmin.
// softmax(-x).
class Softmin : public Module {
 public:
  explicit Softmin(int64_t dim);
  Tensor forward(const Tensor& x) const override;

 private:
  int64_t dim_;
};
// log_softmax.
class LogSoftmax : public Module {
 public:
  explicit LogSoftmax(int64_t dim);
  Tensor forward(const Tensor& x) const override;

 private:
  int64_t dim_;
};

// ---- Shape
// flatten.
class Flatten : public Module {
 public:
  explicit Flatten(int64_t start_dim = 1, int64_t end_dim = -1);
  Tensor forward(const Tensor& x) const override;

 private:
  int64_t start_dim_;
  int64_t end_dim_;
};
// unflatten.
class Unflatten : public Module {
 public:
  explicit Unflatten(int64_t dim, const Shape& sizes);
  Tensor forward(const Tensor& x) const override;

 private:
  int64_t dim_;
  Shape sizes_;
};

// ---- Dropout
// dropout.
class Dropout : public Module {
 public:
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
};
// dropout1d.
// Channels of [N, C, L] or [C, L].
class Dropout1d : public Module {
 public:
  explicit Dropout1d(double p = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
};
// dropout2d.
// Channels of [N, C, H, W] or [N, C, ...].
class Dropout2d : public Module {
 public:
  explicit Dropout2d(double p = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
};
// dropout3d.
// Channels of [N, C, D, H, W] or [C, D, H, W].
class Dropout3d : public Module {
 public:
  explicit Dropout3d(double p = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
};
// alpha_dropout.
// Dropped elements become the least value of selu; mean and variance of standard normal ones stay.
class AlphaDropout : public Module {
 public:
  explicit AlphaDropout(double p = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
};
// feature_alpha_dropout.
// The same of channels, of [N, C, ...].
class FeatureAlphaDropout : public Module {
 public:
  explicit FeatureAlphaDropout(double p = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
};

// ---- Pooling
// avg_pool1d.
// Sums of windows divided by how many elements these have, with those of the padding, or without, or by divisor_override.
class AvgPool1d : public Module {
 public:
  explicit AvgPool1d(const Ints& kernel_size, const functional::AvgPoolOptions& options = {});
  explicit AvgPool1d(std::initializer_list<Extent> kernel_size, const functional::AvgPoolOptions& options = {});
  Tensor forward(const Tensor& x) const override;

 private:
  Ints kernel_size_;
  functional::AvgPoolOptions options_;
};
// avg_pool2d.
// avg_pool1d over two dims.
class AvgPool2d : public Module {
 public:
  explicit AvgPool2d(const Ints& kernel_size, const functional::AvgPoolOptions& options = {});
  explicit AvgPool2d(std::initializer_list<Extent> kernel_size, const functional::AvgPoolOptions& options = {});
  Tensor forward(const Tensor& x) const override;

 private:
  Ints kernel_size_;
  functional::AvgPoolOptions options_;
};
// avg_pool3d.
// avg_pool1d over three dims.
class AvgPool3d : public Module {
 public:
  explicit AvgPool3d(const Ints& kernel_size, const functional::AvgPoolOptions& options = {});
  explicit AvgPool3d(std::initializer_list<Extent> kernel_size, const functional::AvgPoolOptions& options = {});
  Tensor forward(const Tensor& x) const override;

 private:
  Ints kernel_size_;
  functional::AvgPoolOptions options_;
};
// max_pool1d.
// The greatest element of each window, the first of equal ones; NaN where there is one.
class MaxPool1d : public Module {
 public:
  explicit MaxPool1d(const Ints& kernel_size, const functional::MaxPoolOptions& options = {});
  explicit MaxPool1d(std::initializer_list<Extent> kernel_size, const functional::MaxPoolOptions& options = {});
  Tensor forward(const Tensor& x) const override;

 private:
  Ints kernel_size_;
  functional::MaxPoolOptions options_;
};
// max_pool2d.
// max_pool1d over two dims.
class MaxPool2d : public Module {
 public:
  explicit MaxPool2d(const Ints& kernel_size, const functional::MaxPoolOptions& options = {});
  explicit MaxPool2d(std::initializer_list<Extent> kernel_size, const functional::MaxPoolOptions& options = {});
  Tensor forward(const Tensor& x) const override;

 private:
  Ints kernel_size_;
  functional::MaxPoolOptions options_;
};
// max_pool3d.
// max_pool1d over three dims.
class MaxPool3d : public Module {
 public:
  explicit MaxPool3d(const Ints& kernel_size, const functional::MaxPoolOptions& options = {});
  explicit MaxPool3d(std::initializer_list<Extent> kernel_size, const functional::MaxPoolOptions& options = {});
  Tensor forward(const Tensor& x) const override;

 private:
  Ints kernel_size_;
  functional::MaxPoolOptions options_;
};
// max_unpool1d.
// Zeros, with the elements of x where the indices of a max_pool say, none of which counts from the end: IndexError at evaluation.
class MaxUnpool1d : public Module {
 public:
  explicit MaxUnpool1d(const Ints& kernel_size, const functional::MaxUnpoolOptions& options = {});
  explicit MaxUnpool1d(std::initializer_list<Extent> kernel_size, const functional::MaxUnpoolOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& indices, Location at = JOT_HERE) const;

 private:
  Ints kernel_size_;
  functional::MaxUnpoolOptions options_;
};
// max_unpool2d.
// max_unpool1d over two dims.
class MaxUnpool2d : public Module {
 public:
  explicit MaxUnpool2d(const Ints& kernel_size, const functional::MaxUnpoolOptions& options = {});
  explicit MaxUnpool2d(std::initializer_list<Extent> kernel_size, const functional::MaxUnpoolOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& indices, Location at = JOT_HERE) const;

 private:
  Ints kernel_size_;
  functional::MaxUnpoolOptions options_;
};
// max_unpool3d.
// max_unpool1d over three dims.
class MaxUnpool3d : public Module {
 public:
  explicit MaxUnpool3d(const Ints& kernel_size, const functional::MaxUnpoolOptions& options = {});
  explicit MaxUnpool3d(std::initializer_list<Extent> kernel_size, const functional::MaxUnpoolOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& indices, Location at = JOT_HERE) const;

 private:
  Ints kernel_size_;
  functional::MaxUnpoolOptions options_;
};
// adaptive_avg_pool1d.
// Means of as many parts of each dim as output_size says: part i is from floor(i n / size) to ceil((i + 1) n / size).
class AdaptiveAvgPool1d : public Module {
 public:
  explicit AdaptiveAvgPool1d(const Ints& output_size);
  explicit AdaptiveAvgPool1d(std::initializer_list<Extent> output_size);
  Tensor forward(const Tensor& x) const override;

 private:
  Ints output_size_;
};
// adaptive_avg_pool2d.
// adaptive_avg_pool1d over two dims.
class AdaptiveAvgPool2d : public Module {
 public:
  explicit AdaptiveAvgPool2d(const Ints& output_size);
  explicit AdaptiveAvgPool2d(std::initializer_list<Extent> output_size);
  Tensor forward(const Tensor& x) const override;

 private:
  Ints output_size_;
};
// adaptive_avg_pool3d.
// adaptive_avg_pool1d over three dims.
class AdaptiveAvgPool3d : public Module {
 public:
  explicit AdaptiveAvgPool3d(const Ints& output_size);
  explicit AdaptiveAvgPool3d(std::initializer_list<Extent> output_size);
  Tensor forward(const Tensor& x) const override;

 private:
  Ints output_size_;
};
// adaptive_max_pool1d.
// The greatest elements of these parts.
class AdaptiveMaxPool1d : public Module {
 public:
  explicit AdaptiveMaxPool1d(const Ints& output_size);
  explicit AdaptiveMaxPool1d(std::initializer_list<Extent> output_size);
  Tensor forward(const Tensor& x) const override;

 private:
  Ints output_size_;
};
// adaptive_max_pool2d.
// adaptive_max_pool1d over two dims.
class AdaptiveMaxPool2d : public Module {
 public:
  explicit AdaptiveMaxPool2d(const Ints& output_size);
  explicit AdaptiveMaxPool2d(std::initializer_list<Extent> output_size);
  Tensor forward(const Tensor& x) const override;

 private:
  Ints output_size_;
};
// adaptive_max_pool3d.
// adaptive_max_pool1d over three dims.
class AdaptiveMaxPool3d : public Module {
 public:
  explicit AdaptiveMaxPool3d(const Ints& output_size);
  explicit AdaptiveMaxPool3d(std::initializer_list<Extent> output_size);
  Tensor forward(const Tensor& x) const override;

 private:
  Ints output_size_;
};
// lp_pool1d.
// (Sums of x^p)^(1 / p) of windows; of infinite p the greatest or least magnitude.
class LPPool1d : public Module {
 public:
  explicit LPPool1d(double p, const Ints& kernel_size, const functional::LpPoolOptions& options = {});
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
  Ints kernel_size_;
  functional::LpPoolOptions options_;
};
// lp_pool2d.
// lp_pool1d over two dims.
class LPPool2d : public Module {
 public:
  explicit LPPool2d(double p, const Ints& kernel_size, const functional::LpPoolOptions& options = {});
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
  Ints kernel_size_;
  functional::LpPoolOptions options_;
};
// lp_pool3d.
// lp_pool1d over three dims.
class LPPool3d : public Module {
 public:
  explicit LPPool3d(double p, const Ints& kernel_size, const functional::LpPoolOptions& options = {});
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
  Ints kernel_size_;
  functional::LpPoolOptions options_;
};

// ---- Normalisation
// local_response_norm.
// x / (k + alpha mean of x^2 over a window of `size` channels)^beta.
class LocalResponseNorm : public Module {
 public:
  explicit LocalResponseNorm(int64_t size, const functional::LocalResponseNormOptions& options = {});
  Tensor forward(const Tensor& x) const override;

 private:
  int64_t size_;
  functional::LocalResponseNormOptions options_;
};

// ---- Losses and distances
// l1_loss.
// |x - y|.
class L1Loss : public Module {
 public:
  explicit L1Loss(Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  Reduction reduction_;
};
// mse_loss.
// (x - y)^2.
class MSELoss : public Module {
 public:
  explicit MSELoss(Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  Reduction reduction_;
};
// smooth_l1_loss.
// (x - y)^2 / (2 beta) where |x - y| < beta, else |x - y| - beta / 2; l1_loss where beta is 0. Error for beta < 0.
class SmoothL1Loss : public Module {
 public:
  explicit SmoothL1Loss(const functional::SmoothL1LossOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  functional::SmoothL1LossOptions options_;
};
// huber_loss.
// (x - y)^2 / 2 where |x - y| < delta, else delta (|x - y| - delta / 2). Error for delta <= 0.
class HuberLoss : public Module {
 public:
  explicit HuberLoss(const functional::HuberLossOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  functional::HuberLossOptions options_;
};
// cross_entropy.
// nll_loss of log_softmax along dim 1 (of a vector dim 0). y: classes (integers), or probabilities, floating and of the shape of x.
// weight: one number a class. label_smoothing in [0, 1]. A class outside of [0, C) is an IndexError at evaluation.
class CrossEntropyLoss : public Module {
 public:
  explicit CrossEntropyLoss(const functional::CrossEntropyOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;
  std::optional<Buffer> weight;

 private:
  functional::CrossEntropyOptions options_;
};
// nll_loss.
// -weight[y] x[y]: x [C], [N, C] or [N, C, ...], y the classes without the dim C; 0 where y is ignore_index. The mean is over the weights. IndexError at evaluation for other classes.
class NLLLoss : public Module {
 public:
  explicit NLLLoss(const functional::NllLossOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;
  std::optional<Buffer> weight;

 private:
  functional::NllLossOptions options_;
};
// binary_cross_entropy.
// -y log(x) - (1 - y) log(1 - x) of probabilities x; logarithms are at least -100. The derivative by x is (x - y) / max(x (1 - x), 1e-12). ShapeError unless of one shape; Error where the value is evaluated for x or y outside [0, 1].
class BCELoss : public Module {
 public:
  explicit BCELoss(const functional::BinaryCrossEntropyOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;
  std::optional<Buffer> weight;

 private:
  functional::BinaryCrossEntropyOptions options_;
};
// binary_cross_entropy_with_logits.
// The same of sigmoid(x), exact in both tails; pos_weight multiplies the term of y. ShapeError unless of one shape.
class BCEWithLogitsLoss : public Module {
 public:
  explicit BCEWithLogitsLoss(const functional::BinaryCrossEntropyWithLogitsOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;
  std::optional<Buffer> weight;
  std::optional<Buffer> pos_weight;

 private:
  functional::BinaryCrossEntropyWithLogitsOptions options_;
};
// kl_div.
// y (log(y) - x), 0 log(0) being 0; log_target: e^y (y - x). x is a logarithm. Reduction::batchmean: the sum by the extent of dim 0.
class KLDivLoss : public Module {
 public:
  explicit KLDivLoss(const functional::KlDivOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  functional::KlDivOptions options_;
};
// poisson_nll_loss.
// e^x - y x, or x - y log(x + eps); full: with Stirling's approximation of log(y!) where y > 1.
class PoissonNLLLoss : public Module {
 public:
  explicit PoissonNLLLoss(const functional::PoissonNllLossOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  functional::PoissonNllLossOptions options_;
};
// gaussian_nll_loss.
// (log(var) + (x - y)^2 / var) / 2, var at least eps (not to its derivative); full: plus log(2 pi) / 2. var has the shape of x, or 1 or
// nothing for its last dim. ShapeError; Error where the value is evaluated for var < 0.
class GaussianNLLLoss : public Module {
 public:
  explicit GaussianNLLLoss(const functional::GaussianNllLossOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, const Tensor& var, Location at = JOT_HERE) const;

 private:
  functional::GaussianNllLossOptions options_;
};
// hinge_embedding_loss.
// x where y is 1, max(0, margin - x) where it is -1.
class HingeEmbeddingLoss : public Module {
 public:
  explicit HingeEmbeddingLoss(double margin = 1, Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  double margin_;
  Reduction reduction_;
};
// margin_ranking_loss.
// max(0, margin - y (a - b)). ShapeError unless all have as many dims.
class MarginRankingLoss : public Module {
 public:
  explicit MarginRankingLoss(double margin = 0, Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& a, const Tensor& b, const Tensor& y, Location at = JOT_HERE) const;

 private:
  double margin_;
  Reduction reduction_;
};
// multi_margin_loss.
// The mean over the classes i != y of weight[y] max(0, margin - x[y] + x[i])^p: x [C] or [N, C], y classes. Error unless p is 1 or 2; IndexError at evaluation for other classes.
class MultiMarginLoss : public Module {
 public:
  explicit MultiMarginLoss(const functional::MultiMarginLossOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;
  std::optional<Buffer> weight;

 private:
  functional::MultiMarginLossOptions options_;
};
// multilabel_margin_loss.
// The mean over classes i that y does not name of max(0, 1 - x[y[j]] + x[i]), summed over the classes that y names, up to its first -1.
// y has the shape of x, [C] or [N, C]. IndexError at evaluation for other classes.
class MultiLabelMarginLoss : public Module {
 public:
  explicit MultiLabelMarginLoss(Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  Reduction reduction_;
};
// multilabel_soft_margin_loss.
// The mean over the last dim of binary_cross_entropy_with_logits.
class MultiLabelSoftMarginLoss : public Module {
 public:
  explicit MultiLabelSoftMarginLoss(const Tensor& weight = {}, Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;
  std::optional<Buffer> weight;

 private:
  Reduction reduction_;
};
// soft_margin_loss.
// log(1 + e^(-y x)).
class SoftMarginLoss : public Module {
 public:
  explicit SoftMarginLoss(Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  Reduction reduction_;
};
// triplet_margin_loss.
// max(0, margin + d(anchor, positive) - d(anchor, negative)), d being pairwise_distance; swap: of the negative to the nearer of the two.
class TripletMarginLoss : public Module {
 public:
  explicit TripletMarginLoss(const functional::TripletMarginLossOptions& options = {});
  Tensor operator()(const Tensor& anchor, const Tensor& positive, const Tensor& negative, Location at = JOT_HERE) const;

 private:
  functional::TripletMarginLossOptions options_;
};
// cosine_embedding_loss.
// 1 - cos where y is 1, max(0, cos - margin) where it is -1, along the last dim of a and b.
class CosineEmbeddingLoss : public Module {
 public:
  explicit CosineEmbeddingLoss(double margin = 0, Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& a, const Tensor& b, const Tensor& y, Location at = JOT_HERE) const;

 private:
  double margin_;
  Reduction reduction_;
};
// ctc_loss.
// -log of the probability of all paths through log_probs [T, N, C] (or [T, C]) that read as the targets, [N, S] or all in a row; lengths
// [N]. IndexError at evaluation for a target that is no class, for lengths beyond log_probs and targets. The mean is over the batch, each divided by its target length. A step of a scan for each of T. infinite where there is no path,
// 0 with zero_infinity.
class CTCLoss : public Module {
 public:
  explicit CTCLoss(const functional::CtcLossOptions& options = {});
  Tensor operator()(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths, Location at = JOT_HERE) const;

 private:
  functional::CtcLossOptions options_;
};
// cosine_similarity.
// a . b / (|a| |b|) along dim; norms are at least eps (not to their derivative).
class CosineSimilarity : public Module {
 public:
  explicit CosineSimilarity(int64_t dim = 1, double eps = 1e-8);
  Tensor operator()(const Tensor& a, const Tensor& b, Location at = JOT_HERE) const;

 private:
  int64_t dim_;
  double eps_;
};
// pairwise_distance.
// The p-norm of a - b + eps along the last dim.
class PairwiseDistance : public Module {
 public:
  explicit PairwiseDistance(const functional::PairwiseDistanceOptions& options = {});
  Tensor operator()(const Tensor& a, const Tensor& b, Location at = JOT_HERE) const;

 private:
  functional::PairwiseDistanceOptions options_;
};

// ---- Vision
// interpolate.
// x [n, channels, ...] at another size, or at floor(extent scale_factor), where places go by that factor. linear wants 3, bilinear and bicubic 4,
// trilinear 5 dims, the others 3 to 5. area: means of windows. ShapeError, DTypeError of integers but for nearest.
class Upsample : public Module {
 public:
  explicit Upsample(const functional::InterpolateOptions& options = {});
  Tensor forward(const Tensor& x) const override;

 private:
  functional::InterpolateOptions options_;
};
// pixel_shuffle.
// [..., c r^2, h, w] to [..., c, h r, w r]; back. ShapeError where r does not divide.
class PixelShuffle : public Module {
 public:
  explicit PixelShuffle(int64_t upscale_factor);
  Tensor forward(const Tensor& x) const override;

 private:
  int64_t upscale_factor_;
};
// pixel_unshuffle.
class PixelUnshuffle : public Module {
 public:
  explicit PixelUnshuffle(int64_t downscale_factor);
  Tensor forward(const Tensor& x) const override;

 private:
  int64_t downscale_factor_;
};
// channel_shuffle.
// Channels, dim 1, by turns of each group. ShapeError where the groups do not divide them.
class ChannelShuffle : public Module {
 public:
  explicit ChannelShuffle(int64_t groups);
  Tensor forward(const Tensor& x) const override;

 private:
  int64_t groups_;
};
// unfold.
// Windows of x [n, channels, h, w] (or without n) as columns: [n, channels times elements of a window, places]. ShapeError.
class Unfold : public Module {
 public:
  explicit Unfold(const Ints& kernel_size, const functional::FoldOptions& options = {});
  explicit Unfold(std::initializer_list<Extent> kernel_size, const functional::FoldOptions& options = {});
  Tensor forward(const Tensor& x) const override;

 private:
  Ints kernel_size_;
  functional::FoldOptions options_;
};
// fold.
// The sum of columns where their windows lie: the transpose of unfold, [n, channels, output_size...]. ShapeError.
class Fold : public Module {
 public:
  explicit Fold(const Ints& output_size, const Ints& kernel_size, const functional::FoldOptions& options = {});
  Tensor forward(const Tensor& x) const override;

 private:
  Ints output_size_;
  Ints kernel_size_;
  functional::FoldOptions options_;
};
// clang-format on

}  // namespace jot::nn
