#include "jot/nn_layers.h"

#include <cmath>

#include "core/nn/module_state.h"
#include "core/record/scope.h"
#include "core/storage/views.h"
#include "jot/nn_init.h"
#include "jot/ops.h"

namespace jot::nn {

using detail::CallSite;
using detail::fail;
using detail::given;
using detail::parameter_of;

namespace {

// Uniform within 1 / sqrt(fan), where that is a number.
Tensor uniform(std::string_view layer, const Shape& shape, int64_t fan, Location at) {
  Tensor x = parameter_of(layer, shape, at);
  return fan > 0
             ? init::uniform_(x, -1 / std::sqrt(static_cast<double>(fan)), 1 / std::sqrt(static_cast<double>(fan)), at)
             : x;
}

}  // namespace

Linear::Linear(int64_t in, int64_t out, bool with_bias, Location at)
    : weight(register_parameter("weight", uniform("Linear", {out, in}, in, at))) {
  if (with_bias) bias = register_parameter("bias", uniform("Linear", {out}, in, at));
}
Tensor Linear::forward(const Tensor& x) const {
  return functional::linear(x, weight, given(bias), CallSite::current());
}

Bilinear::Bilinear(int64_t in1, int64_t in2, int64_t out, bool with_bias, Location at)
    : weight(register_parameter("weight", uniform("Bilinear", {out, in1, in2}, in1, at))) {
  if (with_bias) bias = register_parameter("bias", uniform("Bilinear", {out}, in1, at));
}
Tensor Bilinear::operator()(const Tensor& a, const Tensor& b, Location at) const {
  CallSite site(at);
  return functional::bilinear(a, b, weight, given(bias), CallSite::current());
}

// ---- convolutions

namespace {

std::string layer_name(const char* family, int dims) { return family + std::to_string(dims) + "d"; }

// One number a dim.
Shape per_dim(const std::string& layer, std::string_view what, const Ints& x, int dims, Location at) {
  const auto n = static_cast<size_t>(dims);
  Shape all = x.single() || x.list().size() == 1 ? Shape(std::vector<int64_t>(n, x.list()[0])) : x.list();
  if (all.size() != n)
    fail<ShapeError>(layer,
                     "expected " + std::string(what) + " to be an integer or " + std::to_string(n) + " of them, got " +
                         to_string(all),
                     at);
  return all;
}

void check_channels(const std::string& layer, int64_t in, int64_t out, int64_t groups, Location at) {
  if (groups < 1) fail<ShapeError>(layer, "groups must be a positive integer, got " + std::to_string(groups), at);
  for (const auto& [name, channels] : {std::pair{"in_channels", in}, std::pair{"out_channels", out}})
    if (channels % groups)
      fail<ShapeError>(layer,
                       std::string(name) + " must be divisible by groups, got " + std::to_string(channels) + " and " +
                           std::to_string(groups),
                       at);
}

// Dims 1 and those behind: what an element of the result is made of.
int64_t fan_of(const Shape& weight) { return weight.slice(1, weight.size()).numel(); }

Tensor kernel(const std::string& layer, int64_t rows, int64_t columns, const Shape& size, Location at) {
  const Shape shape = Shape{rows, columns} + size;
  detail::check_shape(layer, "a parameter of shape", shape, at);  // before its extents are multiplied
  return uniform(layer, shape, fan_of(shape), at);
}

// Of pad: the last dim first, each in front and behind.
Ints margins_of(const std::string& layer, const ConvOptions& o, const Shape& kernel_size, int dims, Location at) {
  const Shape dilation = per_dim(layer, "dilation", o.dilation, dims, at);
  Shape padding(std::vector<int64_t>(kernel_size.size(), 0));
  if (!o.padding.by_name()) padding = per_dim(layer, "padding", o.padding, dims, at);
  std::vector<int64_t> margins;
  for (size_t d = kernel_size.size(); d-- > 0;) {
    const int64_t both = o.padding.by_name() == Padding::same ? dilation[d] * (kernel_size[d] - 1) : 2 * padding[d];
    margins.push_back(both / 2);
    margins.push_back(both - both / 2);
  }
  return Shape(margins);
}

}  // namespace

ConvNd::ConvNd(int dims, int64_t in, int64_t out, const Ints& kernel_size, const ConvOptions& o, Location at)
    : weight([&] {
        const std::string layer = layer_name("Conv", dims);
        check_channels(layer, in, out, o.groups, at);
        const Shape size = per_dim(layer, "kernel_size", kernel_size, dims, at);
        return register_parameter("weight", kernel(layer, out, in / o.groups, size, at));
      }()),
      options_{.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups},
      padding_mode_(o.padding_mode),
      dims_(dims) {
  const std::string layer = layer_name("Conv", dims);
  const Shape shape = weight->shape();
  if (o.bias) bias = register_parameter("bias", uniform(layer, {out}, fan_of(shape), at));
  if (padding_mode_ == Pad::constant) return;
  if (o.padding.by_name() == Padding::same) {
    const Shape strides = per_dim(layer, "stride", o.stride, dims, at);
    for (int64_t s : strides)
      if (s != 1) fail<ShapeError>(layer, "padding='same' is not supported for strided convolutions", at);
  }
  margins_ = margins_of(layer, o, shape.slice(2, shape.size()), dims, at);
  options_.padding = 0;
}

Tensor ConvNd::forward(const Tensor& x) const {
  const Location at = CallSite::current();
  const Tensor padded = padding_mode_ == Pad::constant ? x : functional::pad(x, margins_, padding_mode_, 0, at);
  auto conv = dims_ == 1 ? functional::conv1d : dims_ == 2 ? functional::conv2d : functional::conv3d;
  return conv(padded, weight, given(bias), options_, at);
}

ConvTransposeNd::ConvTransposeNd(int dims, int64_t in, int64_t out, const Ints& kernel_size,
                                 const ConvTransposeOptions& o, Location at)
    : weight([&] {
        const std::string layer = layer_name("ConvTranspose", dims);
        check_channels(layer, in, out, o.groups, at);
        const Shape size = per_dim(layer, "kernel_size", kernel_size, dims, at);
        return register_parameter("weight", kernel(layer, in, out / o.groups, size, at));
      }()),
      options_{.stride = o.stride,
               .padding = o.padding,
               .output_padding = o.output_padding,
               .groups = o.groups,
               .dilation = o.dilation},
      dims_(dims) {
  if (o.bias)
    bias = register_parameter("bias", uniform(layer_name("ConvTranspose", dims), {out}, fan_of(weight->shape()), at));
}
Tensor ConvTransposeNd::forward(const Tensor& x) const {
  auto conv = dims_ == 1   ? functional::conv_transpose1d
              : dims_ == 2 ? functional::conv_transpose2d
                           : functional::conv_transpose3d;
  return conv(x, weight, given(bias), options_, CallSite::current());
}

// ---- embeddings

namespace {

Tensor rows_of(std::string_view layer, int64_t num, int64_t dim, std::optional<int64_t> padding_idx, Location at) {
  Tensor weight = parameter_of(layer, {num, dim}, at);
  if (padding_idx && (*padding_idx < -num || *padding_idx >= num))
    fail<IndexError>(
        layer,
        "Padding_idx must be within num_embeddings, got " + std::to_string(*padding_idx) + " of " + std::to_string(num),
        at);
  init::normal_(weight, 0, 1, at);
  if (padding_idx) weight.select(0, *padding_idx, at).fill_(Arg(0, at));
  return weight;
}

}  // namespace

Embedding::Embedding(int64_t num, int64_t dim, std::optional<int64_t> padding_idx, Location at)
    : weight(register_parameter("weight", rows_of("Embedding", num, dim, padding_idx, at))),
      padding_idx_(padding_idx) {}
Tensor Embedding::forward(const Tensor& index) const {
  return functional::embedding(index, weight, padding_idx_, CallSite::current());
}

EmbeddingBag::EmbeddingBag(int64_t num, int64_t dim, const EmbeddingBagOptions& options, Location at)
    : weight(register_parameter("weight", rows_of("EmbeddingBag", num, dim, options.padding_idx, at))),
      options_(options) {}
Tensor EmbeddingBag::forward(const Tensor& index) const { return (*this)(index, Tensor(), Tensor(), Location()); }
Tensor EmbeddingBag::operator()(const Tensor& index, const Tensor& offsets, Location at) const {
  return (*this)(index, offsets, Tensor(), at);
}
Tensor EmbeddingBag::operator()(const Tensor& index, const Tensor& offsets, const Tensor& per_sample_weights,
                                Location at) const {
  CallSite site(at);
  return functional::embedding_bag(index, weight,
                                   {.offsets = offsets,
                                    .mode = options_.mode,
                                    .per_sample_weights = per_sample_weights,
                                    .include_last_offset = options_.include_last_offset,
                                    .padding_idx = options_.padding_idx},
                                   CallSite::current());
}

// ---- activations with more than stored options, padding

PReLU::PReLU(int64_t num_parameters, double init, Location at)
    : weight(register_parameter("weight", init::constant_(parameter_of("PReLU", {num_parameters}, at), init, at))) {}
Tensor PReLU::forward(const Tensor& x) const { return functional::prelu(x, weight, CallSite::current()); }

Tensor RReLU::forward(const Tensor& x) const {
  return functional::rrelu(x, {.lower = lower_, .upper = upper_, .training = is_training()}, CallSite::current());
}

Tensor Softmax2d::forward(const Tensor& x) const {
  const Location at = CallSite::current();
  const Shape& shape = detail::impl_of(x, "Softmax2d", at).shape;
  if (shape.size() != 3 && shape.size() != 4)
    fail<ShapeError>("Softmax2d", "expected 3D or 4D input, got " + to_string(shape), at);
  return softmax(x, -3, at);
}

PadNd::PadNd(int dims, Pad mode, const Ints& padding, Location at) : mode_(mode) {
  const auto sides = static_cast<size_t>(2 * dims);
  padding_ = padding.single() || padding.list().size() == 1 ? Shape(std::vector<int64_t>(sides, padding.list()[0]))
                                                            : padding.list();
  if (padding_.list().size() != sides)
    fail<ShapeError>("Pad" + std::to_string(dims) + "d",
                     "expected an integer or " + std::to_string(sides) + " of them, got " + to_string(padding_.list()),
                     at);
}
Tensor PadNd::forward(const Tensor& x) const { return functional::pad(x, padding_, mode_, 0, CallSite::current()); }

}  // namespace jot::nn
