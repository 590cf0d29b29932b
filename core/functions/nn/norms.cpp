// Normalisation: elements less their mean, divided by their deviation.
#include <algorithm>
#include <limits>

#include "core/functions/forms.h"
#include "jot/nn_functional.h"
#include "jot/ops.h"

namespace jot::nn::functional {

using namespace detail;
namespace build = ir::build;
using ir::Op;
using ir::Value;

namespace {

using Dims = std::vector<int64_t>;

void check_floating(const Emitter& e, const Tensor& x) {
  if (!is_floating(x.impl()->dtype()))
    e.fail<DTypeError>("defined for floating dtypes, got " + type_name(x) + ": convert with to(f32)");
}
void use(Emitter& e, std::initializer_list<const Tensor*> optional) {
  for (const Tensor* t : optional)
    if (t->defined()) e.use(*t);
}
DType within(const Tensor& x) { return computing_type(x.impl()->dtype()); }
Dims from_dim(size_t first, size_t rank) {
  Dims dims;
  for (size_t d = first; d < rank; ++d) dims.push_back(static_cast<int64_t>(d));
  return dims;
}
double count(const Shape& shape, const Dims& dims) {
  double n = 1;
  for (int64_t d : dims) n *= static_cast<double>(shape[static_cast<size_t>(d)]);
  return n;
}
Value divided(Emitter& e, Value v, double by) { return build::div(e.b, v, splat(e, e.b.dtype(v), e.b.shape(v), by)); }
Value mean_over(Emitter& e, Value v, const Dims& dims) {
  return divided(e, build::reduce_sum(e.b, v, dims), count(e.b.shape(v), dims));
}

// Without the dims over which they are; the variance without correction.
struct Moments {
  Value mean, var;
};
// About a constant near the mean, by which neither has a derivative: so derivatives need no sum of deviations, and what
// the mean lost in rounding is made good.
Moments moments(Emitter& e, Value v, const Dims& dims) {
  Value about = build::unary(e.b, Op::stop_gradient_op, mean_over(e, v, dims));
  Value deviation = build::sub(e.b, v, spread(e, about, dims, e.b.shape(v)));
  Value rest = mean_over(e, deviation, dims), square = mean_over(e, build::mul(e.b, deviation, deviation), dims);
  return {build::add(e.b, about, rest), build::sub(e.b, square, build::mul(e.b, rest, rest))};
}

Value inverse_deviation(Emitter& e, Value var, double eps) {
  return build::unary(e.b, Op::rsqrt_op, build::add(e.b, var, splat(e, e.b.dtype(var), e.b.shape(var), eps)));
}
Value normalised(Emitter& e, Value v, const Moments& m, const Dims& dims, double eps) {
  const Shape shape = e.b.shape(v);
  Value deviation = build::sub(e.b, v, spread(e, m.mean, dims, shape));
  return build::mul(e.b, deviation, spread(e, inverse_deviation(e, m.var, eps), dims, shape));
}
// The same times a weight of the last dim of the moments: one factor for each, of which derivatives sum once.
Value normalised(Emitter& e, Value v, const Moments& m, const Dims& dims, double eps, const Tensor& weight) {
  if (!weight.defined()) return normalised(e, v, m, dims, eps);
  const Shape shape = e.b.shape(v);
  Value deviation = build::sub(e.b, v, spread(e, m.mean, dims, shape)), factor = inverse_deviation(e, m.var, eps);
  factor = build::mul(e.b, factor, build::broadcast_to(e.b, operand(e, weight, e.b.dtype(v)), e.b.shape(factor)));
  return build::mul(e.b, deviation, spread(e, factor, dims, shape));
}

// v * weight + bias, both without `dims`, where they are defined; in the dtype of x.
Tensor affine(Emitter& e, Value v, const Tensor& weight, const Tensor& bias, const Dims& dims, const Tensor& x) {
  auto factor = [&](const Tensor& t) { return spread(e, operand(e, t, e.b.dtype(v)), dims, e.b.shape(v)); };
  if (weight.defined()) v = build::mul(e.b, v, factor(weight));
  if (bias.defined()) v = build::add(e.b, v, factor(bias));
  return e.result(build::convert(e.b, v, x.impl()->dtype()));
}

// ---- of channels, dim 1

void check_channels(const Emitter& e, std::string_view what, const Tensor& t, int64_t channels) {
  if (t.defined() && shape_of(t) != Shape{channels})
    e.fail<ShapeError>(std::string(what) + " should contain " + std::to_string(channels) +
                       " elements, one a channel, got " + type_name(t));
}
int64_t channels_of(const Emitter& e, const Tensor& x) {
  check_floating(e, x);
  if (shape_of(x).size() < 2) e.fail<ShapeError>("expected an input [n, channels, ...], got " + type_name(x));
  return shape_of(x)[1];
}
Dims all_but_channels(size_t rank) {
  Dims dims = from_dim(1, rank);
  dims[0] = 0;
  return dims;
}

// running = (1 - momentum) running + momentum value, which no derivative passes.
void update(Emitter& e, const Tensor& running, Value value, double momentum) {
  if (!running.defined()) return;
  Value old = operand(e, running, e.b.dtype(value));
  Value v = build::add(e.b, build::scale(e.b, old, 1 - momentum), build::scale(e.b, value, momentum));
  e.b.set_call({.function = std::string(e.op()),
                .demand = "Batch norm got a batched tensor as input while the running_mean or running_var, which will "
                          "be updated in place, were not batched: give them an in_dim, or none, or use eval mode"});
  store(e, running, build::unary(e.b, Op::stop_gradient_op, v));
  e.b.set_call({});
}
// The variance with the correction 1 of n elements.
void update(Emitter& e, const Tensor& mean, const Tensor& var, const Moments& m, double n, double momentum) {
  update(e, mean, m.mean, momentum);
  update(e, var, build::scale(e.b, m.var, n / (n - 1)), momentum);
}

// By statistics that are given.
Tensor with_running(Emitter& e, const Tensor& x, const Tensor& mean, const Tensor& var, const Tensor& weight,
                    const Tensor& bias, double eps) {
  const Dims dims = all_but_channels(shape_of(x).size());
  const Moments m{operand(e, mean, within(x)), operand(e, var, within(x))};
  return affine(e, normalised(e, operand(e, x, within(x)), m, dims, eps, weight), {}, bias, dims, x);
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& mean, const Tensor& var, const BatchNormOptions& o, Location at) {
  Emitter e("batch_norm", at, x);
  use(e, {&mean, &var, &o.weight, &o.bias});
  if (shape_of(x) == Shape{0}) return x.clone(at);  // nothing, of no channels
  const int64_t channels = channels_of(e, x);
  check_channels(e, "running_mean", mean, channels);
  check_channels(e, "running_var", var, channels);
  check_channels(e, "weight", o.weight, channels);
  check_channels(e, "bias", o.bias, channels);
  if (!o.training) {
    for (const auto& [name, t] : {std::pair{"running_mean", &mean}, std::pair{"running_var", &var}})
      if (!t->defined()) e.fail<TransformError>(std::string(name) + " must be defined in evaluation mode");
    return with_running(e, x, mean, var, o.weight, o.bias, o.eps);
  }
  const Dims dims = all_but_channels(shape_of(x).size());
  const double n = count(shape_of(x), dims);
  if (n == 1)
    e.fail<ShapeError>("Expected more than 1 value per channel when training, got input size " +
                       to_string(shape_of(x)));
  Value v = operand(e, x, within(x));
  const Moments m = moments(e, v, dims);
  if (n > 0) update(e, mean, var, m, n, o.momentum);
  return affine(e, normalised(e, v, m, dims, o.eps, o.weight), {}, o.bias, dims, x);
}

Tensor instance_norm(const Tensor& x, const InstanceNormOptions& o, Location at) {
  Emitter e("instance_norm", at, x);
  use(e, {&o.running_mean, &o.running_var, &o.weight, &o.bias});
  const int64_t channels = channels_of(e, x);
  check_channels(e, "running_mean", o.running_mean, channels);
  check_channels(e, "running_var", o.running_var, channels);
  check_channels(e, "weight", o.weight, channels);
  check_channels(e, "bias", o.bias, channels);
  if (!o.use_input_stats) {
    if (!o.running_mean.defined() || !o.running_var.defined())
      e.fail<TransformError>("Expected running_mean and running_var to be defined when use_input_stats is false");
    return with_running(e, x, o.running_mean, o.running_var, o.weight, o.bias, o.eps);
  }
  const Dims dims = from_dim(2, shape_of(x).size());
  const double n = count(shape_of(x), dims);
  if (n == 1)
    e.fail<ShapeError>("Expected more than 1 spatial element when training, got input size " + to_string(shape_of(x)));
  Value v = operand(e, x, within(x));
  const Moments m = moments(e, v, dims);
  if (n > 0 && shape_of(x)[0] > 0)
    update(e, o.running_mean, o.running_var, {mean_over(e, m.mean, {0}), mean_over(e, m.var, {0})}, n, o.momentum);
  return affine(e, normalised(e, v, m, dims, o.eps, o.weight), {}, o.bias, all_but_channels(shape_of(x).size()), x);
}

Tensor group_norm(const Tensor& x, int64_t groups, const GroupNormOptions& o, Location at) {
  Emitter e("group_norm", at, x);
  use(e, {&o.weight, &o.bias});
  check_floating(e, x);
  const Shape shape = shape_of(x);
  if (shape.size() < 2)
    e.fail<ShapeError>("Expected at least 2 dimensions for input tensor but received " + std::to_string(shape.size()));
  const int64_t channels = shape[1];
  if (groups < 1) e.fail<ShapeError>("Expected num groups to be greater than 0, got " + std::to_string(groups));
  if (channels % groups != 0)
    e.fail<ShapeError>("Expected number of channels in input to be divisible by num_groups, but got input of shape " +
                       to_string(shape) + " and num_groups=" + std::to_string(groups));
  for (const auto& [name, t] : {std::pair{"weight", &o.weight}, std::pair{"bias", &o.bias}})
    if (t->defined() && shape_of(*t) != Shape{channels})
      e.fail<ShapeError>("Expected " + std::string(name) +
                         " to be a vector of size equal to the number of channels in input, but got " + name +
                         " of shape " + to_string(shape_of(*t)) + " and input of shape " + to_string(shape));
  const Shape grouped = Shape{shape[0], groups, channels / groups} + shape.slice(2, shape.size());
  const Dims dims = from_dim(2, grouped.size());
  if (shape[0] * count(grouped, dims) == 1)
    e.fail<ShapeError>("Expected more than 1 value per channel when training, got input size " + to_string(shape));
  Value v = build::reshape(e.b, operand(e, x, within(x)), grouped);
  Value y = build::reshape(e.b, normalised(e, v, moments(e, v, dims), dims, o.eps), shape);
  return affine(e, y, o.weight, o.bias, all_but_channels(shape.size()), x);
}

namespace {

// The dims of x that have the shape `normalised`, its last ones.
Dims normalised_dims(const Emitter& e, const Tensor& x, const Shape& normalised, const Tensor& weight,
                     const Tensor& bias) {
  check_floating(e, x);
  const Shape& shape = shape_of(x);
  if (normalised.empty())
    e.fail<ShapeError>(
        "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
        "normalized_shape = []");
  for (const auto& [name, t] : {std::pair{"weight", &weight}, std::pair{"bias", &bias}})
    if (t->defined() && shape_of(*t) != normalised)
      e.fail<ShapeError>("Expected " + std::string(name) + " to be of same shape as normalized_shape, but got " + name +
                         " of shape " + to_string(shape_of(*t)) + " and normalized_shape = " + to_string(normalised));
  const size_t rank = shape.size(), last = normalised.size();
  if (rank < last || shape.slice(rank - last, rank) != normalised) {
    std::string wanted = to_string(normalised);
    e.fail<ShapeError>("Given normalized_shape=" + wanted + ", expected input with shape [*, " + wanted.substr(1) +
                       ", but got input of size " + to_string(shape));
  }
  return from_dim(rank - last, rank);
}
Dims leading(size_t rank, const Dims& dims) {
  Dims all = from_dim(0, rank);
  all.resize(rank - dims.size());
  return all;
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, const Tensor& bias, double eps,
                  Location at) {
  Emitter e("layer_norm", at, x);
  use(e, {&weight, &bias});
  const Dims dims = normalised_dims(e, x, normalized_shape, weight, bias);
  Value v = operand(e, x, within(x));
  return affine(e, normalised(e, v, moments(e, v, dims), dims, eps), weight, bias, leading(shape_of(x).size(), dims),
                x);
}

Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, std::optional<double> eps,
                Location at) {
  Emitter e("rms_norm", at, x);
  use(e, {&weight});
  const Dims dims = normalised_dims(e, x, normalized_shape, weight, {});
  Value v = operand(e, x, within(x));
  const double least = eps.value_or(within(x) == DType::f64 ? std::numeric_limits<double>::epsilon()
                                                            : std::numeric_limits<float>::epsilon());
  Value inverse = inverse_deviation(e, mean_over(e, build::mul(e.b, v, v), dims), least);
  v = build::mul(e.b, v, spread(e, inverse, dims, e.b.shape(v)));
  return affine(e, v, weight, {}, leading(shape_of(x).size(), dims), x);
}

// Sums of squares of `size` channels: as many shifted copies of the squares, with zeros beyond the ends.
Tensor local_response_norm(const Tensor& x, int64_t size, const LocalResponseNormOptions& o, Location at) {
  Emitter e("local_response_norm", at, x);
  check_floating(e, x);
  const Shape shape = shape_of(x);
  if (shape.size() < 3)
    e.fail<ShapeError>("Expected 3D or higher dimensionality input (got " + std::to_string(shape.size()) +
                       " dimensions)");
  if (size < 1) e.fail<ShapeError>("the size should be greater than zero, but got " + std::to_string(size));
  Value v = operand(e, x, within(x));
  Shape lo = shape;
  std::ranges::fill(lo, 0);
  Shape hi = lo, none = lo;
  lo[1] = size / 2;
  hi[1] = (size - 1) / 2;
  Value squares = build::pad_zero(e.b, build::mul(e.b, v, v), lo, hi, none);
  Value sum = build::slice_axis(e.b, squares, 1, 0, shape[1]);
  for (int64_t i = 1; i < size; ++i) sum = build::add(e.b, sum, build::slice_axis(e.b, squares, 1, i, i + shape[1]));
  auto like = [&](double number) { return splat(e, e.b.dtype(v), shape, number); };
  Value scale = build::add(e.b, build::scale(e.b, sum, o.alpha / static_cast<double>(size)), like(o.k));
  return e.result(
      build::convert(e.b, build::div(e.b, v, build::binary(e.b, Op::pow_op, scale, like(o.beta))), x.impl()->dtype()));
}

Tensor normalize(const Tensor& x, const NormalizeOptions& o, Location at) {
  Composite call("normalize", at);
  impl_of(x, "normalize", at);
  return x / clamp_min(norm(x, o.p, o.dim, true, at), Arg(o.eps, at));
}

}  // namespace jot::nn::functional
