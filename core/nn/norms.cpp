#include "jot/nn_norms.h"

#include "core/nn/module_state.h"
#include "core/record/flags.h"
#include "core/record/scope.h"
#include "core/storage/views.h"
#include "jot/creation.h"
#include "jot/ops.h"

namespace jot::nn {

using detail::CallSite;
using detail::fail;
using detail::given;
using detail::parameter_of;

namespace {

struct Statistics {
  std::optional<Buffer> mean, var, batches;
};
Statistics statistics(const Module& m, std::string_view layer, int64_t n, Location at) {
  return {m.register_buffer("running_mean", parameter_of(layer, {n}, at)),
          m.register_buffer("running_var", parameter_of(layer, {n}, at) + 1),
          m.register_buffer("num_batches_tracked", zeros({}, DType::i64, at))};
}

std::optional<Parameter> scale(const Module& m, std::string_view layer, const Shape& shape, Location at) {
  return m.register_parameter("weight", parameter_of(layer, shape, at) + 1);
}
std::optional<Parameter> shift(const Module& m, std::string_view layer, const Shape& shape, Location at) {
  return m.register_parameter("bias", parameter_of(layer, shape, at));
}

std::string layer_name(const char* family, int dims) { return family + std::to_string(dims) + "d"; }

// "expected 2D or 3D input (got 4D input)"
void check_rank(const std::string& layer, const Tensor& x, std::initializer_list<int> ranks, Location at) {
  const auto rank = static_cast<int>(detail::impl_of(x, layer, at).shape.size());
  std::string expected;
  for (int r : ranks) {
    if (r == rank) return;
    expected += (expected.empty() ? "" : " or ") + std::to_string(r) + "D";
  }
  fail<ShapeError>(layer, "expected " + expected + " input (got " + std::to_string(rank) + "D input)", at);
}

}  // namespace

BatchNorm::BatchNorm(int dims, int64_t n, const BatchNormOptions& o, Location at)
    : eps_(o.eps),
      momentum_(o.momentum),
      dims_(dims),
      tracking_(std::make_shared<std::atomic<bool>>(o.track_running_stats)) {
  const std::string layer = layer_name("BatchNorm", dims);
  if (o.affine) weight = scale(*this, layer, {n}, at), bias = shift(*this, layer, {n}, at);
  if (!o.track_running_stats) return;
  Statistics s = statistics(*this, layer, n, at);
  running_mean = s.mean, running_var = s.var, num_batches_tracked = s.batches;
}

bool BatchNorm::tracks_running_stats() const { return detail::observe(tracking_); }
void BatchNorm::remove_running_stats() const {
  tracking_->store(false);
  for (const char* name : {"running_mean", "running_var", "num_batches_tracked"}) remove_buffer(name);
}

Tensor BatchNorm::forward(const Tensor& x) const {
  const Location at = CallSite::current();
  const std::string layer = layer_name("BatchNorm", dims_);
  detail::Composite call(layer, at);
  if (dims_ == 1)
    check_rank(layer, x, {2, 3}, at);
  else
    check_rank(layer, x, {dims_ + 2}, at);
  functional::BatchNormOptions o{
      .weight = given(weight), .bias = given(bias), .training = true, .momentum = momentum_.value_or(1), .eps = eps_};
  if (!tracks_running_stats()) return functional::batch_norm(x, {}, {}, o, at);
  o.training = is_training();
  if (!o.training) return functional::batch_norm(x, *running_mean, *running_var, o, at);
  num_batches_tracked->tensor().add_(1);
  if (momentum_) return functional::batch_norm(x, *running_mean, *running_var, o, at);
  // The mean over all batches: the running statistics move by a part of what this one has beyond them.
  Tensor mean = zeros_like(*running_mean, {}, at), var = zeros_like(*running_var, {}, at);
  Tensor y = functional::batch_norm(x, mean, var, o, at);
  Tensor part = 1 / num_batches_tracked->tensor().to(mean.dtype(), at);
  running_mean->tensor().add_((mean - *running_mean) * part);
  running_var->tensor().add_((var - *running_var) * part);
  return y;
}

InstanceNorm::InstanceNorm(int dims, int64_t n, const InstanceNormOptions& o, Location at)
    : options_(o), num_features_(n), dims_(dims) {
  const std::string layer = layer_name("InstanceNorm", dims);
  if (o.affine) weight = scale(*this, layer, {n}, at), bias = shift(*this, layer, {n}, at);
  if (!o.track_running_stats) return;
  Statistics s = statistics(*this, layer, n, at);
  running_mean = s.mean, running_var = s.var, num_batches_tracked = s.batches;
}

Tensor InstanceNorm::forward(const Tensor& x) const {
  const Location at = CallSite::current();
  const std::string layer = layer_name("InstanceNorm", dims_);
  detail::Composite call(layer, at);
  check_rank(layer, x, {dims_ + 1, dims_ + 2}, at);
  const bool batched = x.dim() == dims_ + 2;
  if (options_.affine && x.size(batched ? 1 : 0) != num_features_)
    fail<ShapeError>(layer,
                     "expected input's size at dim=" + std::to_string(batched ? 1 : 0) + " to match num_features (" +
                         std::to_string(num_features_) + "), but got: " + std::to_string(x.size(batched ? 1 : 0)),
                     at);
  Tensor y = functional::instance_norm(batched ? x : x.unsqueeze(0, at),
                                       {.running_mean = given(running_mean),
                                        .running_var = given(running_var),
                                        .weight = given(weight),
                                        .bias = given(bias),
                                        .use_input_stats = is_training() || !options_.track_running_stats,
                                        .momentum = options_.momentum,
                                        .eps = options_.eps},
                                       at);
  return batched ? y : y.squeeze(0, at);
}

LayerNorm::LayerNorm(const Ints& shape, const LayerNormOptions& o, Location at) : shape_(shape.list()), eps_(o.eps) {
  if (o.elementwise_affine) weight = scale(*this, "LayerNorm", shape_, at);
  if (o.elementwise_affine && o.bias) bias = shift(*this, "LayerNorm", shape_, at);
}
Tensor LayerNorm::forward(const Tensor& x) const {
  return functional::layer_norm(x, shape_, given(weight), given(bias), eps_, CallSite::current());
}

RMSNorm::RMSNorm(const Ints& shape, std::optional<double> eps, bool affine, Location at)
    : shape_(shape.list()), eps_(eps) {
  if (affine) weight = scale(*this, "RMSNorm", shape_, at);
}
Tensor RMSNorm::forward(const Tensor& x) const {
  return functional::rms_norm(x, shape_, given(weight), eps_, CallSite::current());
}

GroupNorm::GroupNorm(int64_t groups, int64_t channels, double eps, bool affine, Location at)
    : groups_(groups), eps_(eps) {
  if (groups < 1 || channels % groups)
    fail<ShapeError>("GroupNorm",
                     "num_channels must be divisible by num_groups, got " + std::to_string(channels) + " and " +
                         std::to_string(groups),
                     at);
  if (affine) weight = scale(*this, "GroupNorm", {channels}, at), bias = shift(*this, "GroupNorm", {channels}, at);
}
Tensor GroupNorm::forward(const Tensor& x) const {
  return functional::group_norm(x, groups_, {.weight = given(weight), .bias = given(bias), .eps = eps_},
                                CallSite::current());
}

void replace_all_batch_norm_modules_(const Module& root) {
  for (const detail::NamedModule& m : detail::modules_of(root))
    if (const auto* norm = dynamic_cast<const BatchNorm*>(m.module)) norm->remove_running_stats();
}

}  // namespace jot::nn
