// Normalisation layers. Weights begin as ones, biases as zeros.
#pragma once
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>

#include "jot/module.h"
#include "jot/nn_functional.h"

namespace jot::nn {

// momentum none: the running statistics are means over all batches.
struct BatchNormOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;
  bool affine = true;
  bool track_running_stats = true;
};
// functional::batch_norm: by the statistics of the batch while training, which go into the running ones; by these after
// eval(), unless there are none. Under vmap the running statistics must be arguments with lanes, or be removed:
// replace_all_batch_norm_modules_. ShapeError for an input of other dims.
class BatchNorm : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  bool tracks_running_stats() const;
  // From now on, for all copies, as with track_running_stats false.
  void remove_running_stats() const;
  std::optional<Parameter> weight, bias;
  std::optional<Buffer> running_mean, running_var, num_batches_tracked;

 protected:
  BatchNorm(int dims, int64_t num_features, const BatchNormOptions& options, Location at);

 private:
  double eps_;
  std::optional<double> momentum_;
  int dims_;
  std::shared_ptr<std::atomic<bool>> tracking_;
};
// Of [n, c] or [n, c, l].
class BatchNorm1d : public BatchNorm {
 public:
  explicit BatchNorm1d(int64_t num_features, const BatchNormOptions& options = {}, Location at = JOT_HERE)
      : BatchNorm(1, num_features, options, at) {}
};
// Of [n, c, h, w].
class BatchNorm2d : public BatchNorm {
 public:
  explicit BatchNorm2d(int64_t num_features, const BatchNormOptions& options = {}, Location at = JOT_HERE)
      : BatchNorm(2, num_features, options, at) {}
};
// Of [n, c, d, h, w].
class BatchNorm3d : public BatchNorm {
 public:
  explicit BatchNorm3d(int64_t num_features, const BatchNormOptions& options = {}, Location at = JOT_HERE)
      : BatchNorm(3, num_features, options, at) {}
};

struct InstanceNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;
  bool affine = false;
  bool track_running_stats = false;
};
// functional::instance_norm, also of an input without n. ShapeError for an input of other dims.
class InstanceNorm : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  std::optional<Parameter> weight, bias;
  std::optional<Buffer> running_mean, running_var, num_batches_tracked;

 protected:
  InstanceNorm(int dims, int64_t num_features, const InstanceNormOptions& options, Location at);

 private:
  InstanceNormOptions options_;
  int64_t num_features_;
  int dims_;
};
class InstanceNorm1d : public InstanceNorm {
 public:
  explicit InstanceNorm1d(int64_t num_features, const InstanceNormOptions& options = {}, Location at = JOT_HERE)
      : InstanceNorm(1, num_features, options, at) {}
};
class InstanceNorm2d : public InstanceNorm {
 public:
  explicit InstanceNorm2d(int64_t num_features, const InstanceNormOptions& options = {}, Location at = JOT_HERE)
      : InstanceNorm(2, num_features, options, at) {}
};
class InstanceNorm3d : public InstanceNorm {
 public:
  explicit InstanceNorm3d(int64_t num_features, const InstanceNormOptions& options = {}, Location at = JOT_HERE)
      : InstanceNorm(3, num_features, options, at) {}
};

struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true;
  bool bias = true;
};
// functional::layer_norm over the last dims, of this shape.
class LayerNorm : public Module {
 public:
  explicit LayerNorm(const Ints& normalized_shape, const LayerNormOptions& options = {}, Location at = JOT_HERE);
  explicit LayerNorm(std::initializer_list<Extent> normalized_shape, const LayerNormOptions& options = {},
                     Location at = JOT_HERE)
      : LayerNorm(Ints(normalized_shape), options, at) {}
  Tensor forward(const Tensor& x) const override;
  std::optional<Parameter> weight, bias;

 private:
  Shape shape_;
  double eps_;
};

// functional::rms_norm; eps none: epsilon of the dtype computed in.
class RMSNorm : public Module {
 public:
  explicit RMSNorm(const Ints& normalized_shape, std::optional<double> eps = {}, bool elementwise_affine = true,
                   Location at = JOT_HERE);
  explicit RMSNorm(std::initializer_list<Extent> normalized_shape, std::optional<double> eps = {},
                   bool elementwise_affine = true, Location at = JOT_HERE)
      : RMSNorm(Ints(normalized_shape), eps, elementwise_affine, at) {}
  Tensor forward(const Tensor& x) const override;
  std::optional<Parameter> weight;

 private:
  Shape shape_;
  std::optional<double> eps_;
};

// functional::group_norm. ShapeError where the groups do not divide the channels.
class GroupNorm : public Module {
 public:
  GroupNorm(int64_t num_groups, int64_t num_channels, double eps = 1e-5, bool affine = true, Location at = JOT_HERE);
  Tensor forward(const Tensor& x) const override;
  std::optional<Parameter> weight, bias;

 private:
  int64_t groups_;
  double eps_;
};

// Removes the running statistics of every batch norm in root, itself included: they normalise by the statistics of the
// batch from then on, after eval() too.
void replace_all_batch_norm_modules_(const Module& root);

}  // namespace jot::nn

namespace jot {
using nn::replace_all_batch_norm_modules_;
}  // namespace jot
