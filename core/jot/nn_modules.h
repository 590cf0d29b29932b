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
class ReLU : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// relu6.
class ReLU6 : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// elu.
class ELU : public Module {
 public:
  explicit ELU(double alpha = 1);
  Tensor forward(const Tensor& x) const override;

 private:
  double alpha_;
};
// selu.
class SELU : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// celu.
class CELU : public Module {
 public:
  explicit CELU(double alpha = 1);
  Tensor forward(const Tensor& x) const override;

 private:
  double alpha_;
};
// gelu.
class GELU : public Module {
 public:
  explicit GELU(Gelu approximate = Gelu::none);
  Tensor forward(const Tensor& x) const override;

 private:
  Gelu approximate_;
};
// silu.
class SiLU : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// mish.
class Mish : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// sigmoid.
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
class Softplus : public Module {
 public:
  explicit Softplus(double beta = 1, double threshold = 20);
  Tensor forward(const Tensor& x) const override;

 private:
  double beta_;
  double threshold_;
};
// softsign.
class Softsign : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// softshrink.
class Softshrink : public Module {
 public:
  explicit Softshrink(double lambda = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double lambda_;
};
// hardshrink.
class Hardshrink : public Module {
 public:
  explicit Hardshrink(double lambda = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double lambda_;
};
// tanhshrink.
class Tanhshrink : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// hardtanh.
class Hardtanh : public Module {
 public:
  explicit Hardtanh(double min = -1, double max = 1);
  Tensor forward(const Tensor& x) const override;

 private:
  double min_;
  double max_;
};
// hardsigmoid.
class Hardsigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// hardswish.
class Hardswish : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// leaky_relu.
class LeakyReLU : public Module {
 public:
  explicit LeakyReLU(double slope = 0.01);
  Tensor forward(const Tensor& x) const override;

 private:
  double slope_;
};
// logsigmoid.
class LogSigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
// threshold.
class Threshold : public Module {
 public:
  explicit Threshold(double threshold, double value);
  Tensor forward(const Tensor& x) const override;

 private:
  double threshold_;
  double value_;
};
// glu.
class GLU : public Module {
 public:
  explicit GLU(int64_t dim = -1);
  Tensor forward(const Tensor& x) const override;

 private:
  int64_t dim_;
};
// softmax.
class Softmax : public Module {
 public:
  explicit Softmax(int64_t dim);
  Tensor forward(const Tensor& x) const override;

 private:
  int64_t dim_;
};
// softmin.
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
class Dropout1d : public Module {
 public:
  explicit Dropout1d(double p = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
};
// dropout2d.
class Dropout2d : public Module {
 public:
  explicit Dropout2d(double p = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
};
// dropout3d.
class Dropout3d : public Module {
 public:
  explicit Dropout3d(double p = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
};
// alpha_dropout.
class AlphaDropout : public Module {
 public:
  explicit AlphaDropout(double p = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
};
// feature_alpha_dropout.
class FeatureAlphaDropout : public Module {
 public:
  explicit FeatureAlphaDropout(double p = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
};

// ---- Pooling
// avg_pool1d.
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
class AdaptiveAvgPool1d : public Module {
 public:
  explicit AdaptiveAvgPool1d(const Ints& output_size);
  explicit AdaptiveAvgPool1d(std::initializer_list<Extent> output_size);
  Tensor forward(const Tensor& x) const override;

 private:
  Ints output_size_;
};
// adaptive_avg_pool2d.
class AdaptiveAvgPool2d : public Module {
 public:
  explicit AdaptiveAvgPool2d(const Ints& output_size);
  explicit AdaptiveAvgPool2d(std::initializer_list<Extent> output_size);
  Tensor forward(const Tensor& x) const override;

 private:
  Ints output_size_;
};
// adaptive_avg_pool3d.
class AdaptiveAvgPool3d : public Module {
 public:
  explicit AdaptiveAvgPool3d(const Ints& output_size);
  explicit AdaptiveAvgPool3d(std::initializer_list<Extent> output_size);
  Tensor forward(const Tensor& x) const override;

 private:
  Ints output_size_;
};
// adaptive_max_pool1d.
class AdaptiveMaxPool1d : public Module {
 public:
  explicit AdaptiveMaxPool1d(const Ints& output_size);
  explicit AdaptiveMaxPool1d(std::initializer_list<Extent> output_size);
  Tensor forward(const Tensor& x) const override;

 private:
  Ints output_size_;
};
// adaptive_max_pool2d.
class AdaptiveMaxPool2d : public Module {
 public:
  explicit AdaptiveMaxPool2d(const Ints& output_size);
  explicit AdaptiveMaxPool2d(std::initializer_list<Extent> output_size);
  Tensor forward(const Tensor& x) const override;

 private:
  Ints output_size_;
};
// adaptive_max_pool3d.
class AdaptiveMaxPool3d : public Module {
 public:
  explicit AdaptiveMaxPool3d(const Ints& output_size);
  explicit AdaptiveMaxPool3d(std::initializer_list<Extent> output_size);
  Tensor forward(const Tensor& x) const override;

 private:
  Ints output_size_;
};
// lp_pool1d.
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
class L1Loss : public Module {
 public:
  explicit L1Loss(Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  Reduction reduction_;
};
// mse_loss.
class MSELoss : public Module {
 public:
  explicit MSELoss(Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  Reduction reduction_;
};
// smooth_l1_loss.
class SmoothL1Loss : public Module {
 public:
  explicit SmoothL1Loss(const functional::SmoothL1LossOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  functional::SmoothL1LossOptions options_;
};
// huber_loss.
class HuberLoss : public Module {
 public:
  explicit HuberLoss(const functional::HuberLossOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  functional::HuberLossOptions options_;
};
// cross_entropy.
class CrossEntropyLoss : public Module {
 public:
  explicit CrossEntropyLoss(const functional::CrossEntropyOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;
  std::optional<Buffer> weight;

 private:
  functional::CrossEntropyOptions options_;
};
// nll_loss.
class NLLLoss : public Module {
 public:
  explicit NLLLoss(const functional::NllLossOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;
  std::optional<Buffer> weight;

 private:
  functional::NllLossOptions options_;
};
// binary_cross_entropy.
class BCELoss : public Module {
 public:
  explicit BCELoss(const functional::BinaryCrossEntropyOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;
  std::optional<Buffer> weight;

 private:
  functional::BinaryCrossEntropyOptions options_;
};
// binary_cross_entropy_with_logits.
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
class KLDivLoss : public Module {
 public:
  explicit KLDivLoss(const functional::KlDivOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  functional::KlDivOptions options_;
};
// poisson_nll_loss.
class PoissonNLLLoss : public Module {
 public:
  explicit PoissonNLLLoss(const functional::PoissonNllLossOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  functional::PoissonNllLossOptions options_;
};
// gaussian_nll_loss.
class GaussianNLLLoss : public Module {
 public:
  explicit GaussianNLLLoss(const functional::GaussianNllLossOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, const Tensor& var, Location at = JOT_HERE) const;

 private:
  functional::GaussianNllLossOptions options_;
};
// hinge_embedding_loss.
class HingeEmbeddingLoss : public Module {
 public:
  explicit HingeEmbeddingLoss(double margin = 1, Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  double margin_;
  Reduction reduction_;
};
// margin_ranking_loss.
class MarginRankingLoss : public Module {
 public:
  explicit MarginRankingLoss(double margin = 0, Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& a, const Tensor& b, const Tensor& y, Location at = JOT_HERE) const;

 private:
  double margin_;
  Reduction reduction_;
};
// multi_margin_loss.
class MultiMarginLoss : public Module {
 public:
  explicit MultiMarginLoss(const functional::MultiMarginLossOptions& options = {});
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;
  std::optional<Buffer> weight;

 private:
  functional::MultiMarginLossOptions options_;
};
// multilabel_margin_loss.
class MultiLabelMarginLoss : public Module {
 public:
  explicit MultiLabelMarginLoss(Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  Reduction reduction_;
};
// multilabel_soft_margin_loss.
class MultiLabelSoftMarginLoss : public Module {
 public:
  explicit MultiLabelSoftMarginLoss(const Tensor& weight = {}, Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;
  std::optional<Buffer> weight;

 private:
  Reduction reduction_;
};
// soft_margin_loss.
class SoftMarginLoss : public Module {
 public:
  explicit SoftMarginLoss(Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& x, const Tensor& y, Location at = JOT_HERE) const;

 private:
  Reduction reduction_;
};
// triplet_margin_loss.
class TripletMarginLoss : public Module {
 public:
  explicit TripletMarginLoss(const functional::TripletMarginLossOptions& options = {});
  Tensor operator()(const Tensor& anchor, const Tensor& positive, const Tensor& negative, Location at = JOT_HERE) const;

 private:
  functional::TripletMarginLossOptions options_;
};
// cosine_embedding_loss.
class CosineEmbeddingLoss : public Module {
 public:
  explicit CosineEmbeddingLoss(double margin = 0, Reduction reduction = Reduction::mean);
  Tensor operator()(const Tensor& a, const Tensor& b, const Tensor& y, Location at = JOT_HERE) const;

 private:
  double margin_;
  Reduction reduction_;
};
// ctc_loss.
class CTCLoss : public Module {
 public:
  explicit CTCLoss(const functional::CtcLossOptions& options = {});
  Tensor operator()(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths, Location at = JOT_HERE) const;

 private:
  functional::CtcLossOptions options_;
};
// cosine_similarity.
class CosineSimilarity : public Module {
 public:
  explicit CosineSimilarity(int64_t dim = 1, double eps = 1e-8);
  Tensor operator()(const Tensor& a, const Tensor& b, Location at = JOT_HERE) const;

 private:
  int64_t dim_;
  double eps_;
};
// pairwise_distance.
class PairwiseDistance : public Module {
 public:
  explicit PairwiseDistance(const functional::PairwiseDistanceOptions& options = {});
  Tensor operator()(const Tensor& a, const Tensor& b, Location at = JOT_HERE) const;

 private:
  functional::PairwiseDistanceOptions options_;
};

// ---- Vision
// interpolate.
class Upsample : public Module {
 public:
  explicit Upsample(const functional::InterpolateOptions& options = {});
  Tensor forward(const Tensor& x) const override;

 private:
  functional::InterpolateOptions options_;
};
// pixel_shuffle.
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
class ChannelShuffle : public Module {
 public:
  explicit ChannelShuffle(int64_t groups);
  Tensor forward(const Tensor& x) const override;

 private:
  int64_t groups_;
};
// unfold.
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
