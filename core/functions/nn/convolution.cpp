// Convolutions and their transposes, windows as columns.
#include <algorithm>

#include "core/functions/nn/spatial.h"
#include "ir/ops/window.h"
#include "jot/nn_functional.h"

namespace jot::nn::functional {

using namespace detail;
namespace build = ir::build;
using ir::Value;
using ir::WindowAxis;

namespace {

using Dims = std::vector<int64_t>;

std::string groups_text(int64_t groups) { return "Given groups=" + std::to_string(groups) + ", "; }

void check_types(const Emitter& e, const Tensor& x, const Tensor& weight, const Tensor& bias, size_t dims) {
  if (shape_of(weight).size() != dims + 2)
    e.fail<ShapeError>("expected " + std::to_string(dims + 2) + "-dimensional weight for " + std::to_string(dims) +
                       "-dimensional convolution, got " + type_name(weight));
  const DType dtype = x.impl()->dtype();
  if (dtype == DType::boolean) e.fail<DTypeError>("boolean is not supported, got input " + type_name(x));
  for (const Tensor* t : {&weight, &bias})
    if (t->defined() && t->impl()->dtype() != dtype)
      e.fail<DTypeError>("input, weight and bias should be the same dtype, got input " + type_name(x) + " and " +
                         (t == &bias ? "bias " : "weight ") + type_name(*t) + "; convert with to()");
}

void check_bias(const Emitter& e, const Tensor& bias, int64_t made, const Shape& weight) {
  if (bias.defined() && (shape_of(bias).size() != 1 || shape_of(bias)[0] != made))
    e.fail<ShapeError>("Given weight of size " + to_string(weight) + ", expected bias to be 1-dimensional with " +
                       std::to_string(made) + " elements, but got bias of size " + to_string(shape_of(bias)) +
                       " instead");
}

// How a weight is read: dims of what is made and of what is summed, of a group.
struct Weight {
  int64_t groups;
  size_t made, summed;
};

// x [n, groups times features, ...] and weight, cut into groups; the bias is added. Without n again if x has none.
Tensor convolved(Emitter& e, const Tensor& x, const Tensor& weight, const Tensor& bias, const Weight& as,
                 const build::Windows& windows, bool flip) {
  const size_t dims = shape_of(weight).size() - 2;
  ir::Builder& b = e.b;
  Value v = e(x), w = e(weight);
  const bool batched = shape_of(x).size() == dims + 2;
  if (!batched) v = build::reshape(b, v, Shape{1} + shape_of(x));
  build::ConvAxes axes;
  const auto spatial = [&](size_t from) {
    Dims list;
    for (size_t d = 0; d < dims; ++d) list.push_back(static_cast<int64_t>(from + d));
    return list;
  };
  const auto at = [](size_t d) { return static_cast<int64_t>(d); };
  Dims perm = build::all_axes(dims + 2);
  if (as.groups == 1) {
    axes = {{{1}, {at(as.summed)}}, {{}, {}}, {spatial(2), spatial(2)}};
  } else {
    Shape cut = b.shape(v), parts = b.shape(w);
    cut[1] /= as.groups;
    cut.insert(1, as.groups);
    parts[0] /= as.groups;
    parts.insert(0, as.groups);
    v = build::reshape(b, v, cut);
    w = build::reshape(b, w, parts);
    axes = {{{2}, {at(as.summed + 1)}}, {{1}, {0}}, {spatial(3), spatial(3)}};
    perm = build::all_axes(dims + 3);
    std::swap(perm[0], perm[1]);
  }
  Value y = build::conv(b, v, w, axes, windows, flip, perm);
  Shape shape = b.shape(y);
  if (as.groups != 1) {
    shape[2] *= as.groups;
    shape.erase(1);
    y = build::reshape(b, y, shape);
  }
  if (bias.defined()) y = build::add(b, y, build::broadcast(b, e(bias), shape, Dims{1}));
  return e.result(batched ? y : build::reshape(b, y, shape.slice(1, shape.size())));
}

// What convolutions and their transposes begin with.
struct Common {
  Shape stride, dilation;
  int64_t groups, channels;
};
template <class Options>
Common common(Emitter& e, size_t dims, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Options& options) {
  if (bias.defined()) e.use(bias);
  check_rank(e, x, dims);
  check_types(e, x, weight, bias, dims);
  const Shape& xs = shape_of(x);
  Shape stride = per_dim(e, "stride", options.stride, dims, 1, 1);
  Shape dilation = per_dim(e, "dilation", options.dilation, dims, 1, 1);
  if (options.groups <= 0)
    e.fail<ShapeError>("non-positive groups is not supported, got " + std::to_string(options.groups));
  return {std::move(stride), std::move(dilation), options.groups, xs[xs.size() - dims - 1]};
}

Tensor conv(std::string_view name, size_t dims, const Tensor& x, const Tensor& weight, const Tensor& bias,
            const ConvOptions& options, Location at) {
  impl_of(x, name, at), impl_of(weight, name, at);
  Emitter e(name, at, x, weight);
  const Shape &xs = shape_of(x), &ws = shape_of(weight);
  const auto [stride, dilation, groups, channels] = common(e, dims, x, weight, bias, options);
  if (ws[0] < groups || ws[0] % groups != 0)
    e.fail<ShapeError>(groups_text(groups) + "expected weight to be divisible by " + std::to_string(groups) +
                       " at dimension 0, but got weight of size " + to_string(ws) + " instead");
  if (channels % groups != 0 || channels / groups != ws[1])
    e.fail<ShapeError>(groups_text(groups) + "weight of size " + to_string(ws) + ", expected input " + to_string(xs) +
                       " to have " + std::to_string(ws[1]) + " channels a group, but got " + std::to_string(channels) +
                       " channels instead");
  check_bias(e, bias, ws[0], ws);
  const bool same = options.padding.by_name() == Padding::same;
  if (same && std::ranges::any_of(stride, [](int64_t s) { return s != 1; }))
    e.fail<ShapeError>("padding same is not supported for strided convolutions, got stride " + to_string(stride));
  const Shape padding = per_dim(e, "padding", options.padding.by_name() ? Ints(0) : Ints(options.padding), dims, 0, 0);
  build::Windows windows;
  Shape padded, reach;
  for (size_t d = 0; d < dims; ++d) {
    reach.push_back(WindowAxis::spread(ws[2 + d], dilation[d]));
    const int64_t both = same ? reach[d] - 1 : 2 * padding[d];
    windows.lo.push_back(both / 2);
    windows.hi.push_back(both - both / 2);
    padded.push_back(xs[xs.size() - dims + d] + both);
  }
  for (size_t d = 0; d < dims; ++d)
    if (reach[d] > padded[d] || ws[2 + d] == 0)
      e.fail<ShapeError>("Calculated padded input size per channel: " + sizes_text(padded) + ". Kernel size: " +
                         sizes_text(reach) + ". Kernel size can't be greater than actual input size, or 0");
  windows.stride = values_of(stride);
  windows.w_dilation = values_of(dilation);
  return convolved(e, x, weight, bias, {groups, 0, 1}, windows, false);
}

Tensor conv_transpose(std::string_view name, size_t dims, const Tensor& x, const Tensor& weight, const Tensor& bias,
                      const ConvTransposeOptions& options, Location at) {
  impl_of(x, name, at), impl_of(weight, name, at);
  Emitter e(name, at, x, weight);
  const Shape &xs = shape_of(x), &ws = shape_of(weight);
  const auto [stride, dilation, groups, channels] = common(e, dims, x, weight, bias, options);
  const Shape padding = per_dim(e, "padding", options.padding, dims, 0, 0);
  const Shape more = per_dim(e, "output_padding", options.output_padding, dims, 0, 0);
  if (ws[0] % groups != 0 || channels != ws[0])
    e.fail<ShapeError>(groups_text(groups) + "weight of size " + to_string(ws) + ", expected input " + to_string(xs) +
                       " to have " + std::to_string(ws[0]) + " channels, a multiple of the groups, but got " +
                       std::to_string(channels) + " channels instead");
  check_bias(e, bias, ws[1] * groups, ws);
  build::Windows windows;
  Shape made;
  for (size_t d = 0; d < dims; ++d) {
    if (more[d] >= stride[d] && more[d] >= dilation[d])
      e.fail<ShapeError>("output padding must be smaller than either stride or dilation, but got output_padding " +
                         to_string(more) + ", stride " + to_string(stride) + ", dilation " + to_string(dilation));
    const int64_t reach = WindowAxis::spread(ws[2 + d], dilation[d]), length = xs[xs.size() - dims + d];
    windows.lo.push_back(reach - 1 - padding[d]);
    windows.hi.push_back(windows.lo[d] + more[d]);
    made.push_back(length == 0 ? 0 : (length - 1) * stride[d] - 2 * padding[d] + reach + more[d]);
  }
  if (std::ranges::any_of(made, [](int64_t n) { return n < 1; }))
    e.fail<ShapeError>("Given input " + to_string(xs) + " and weight " + to_string(ws) +
                       ": calculated output size per channel: " + sizes_text(made) + ". Output size is too small");
  windows.x_dilation = values_of(stride);
  windows.w_dilation = values_of(dilation);
  return convolved(e, x, weight, bias, {groups, 1, 0}, windows, true);
}

// ---- columns

// Of unfold and fold, which know two dims.
struct Blocks {
  Shape kernel, stride, padding, dilation, counts;
};
Blocks blocks_of(const Emitter& e, const Shape& size, const Ints& kernel, const FoldOptions& options) {
  Blocks s{per_dim(e, "kernel_size", kernel, 2, 1, 1),
           per_dim(e, "stride", options.stride, 2, 1, 1),
           per_dim(e, "padding", options.padding, 2, 0, 0),
           per_dim(e, "dilation", options.dilation, 2, 1, 1),
           {}};
  if (kernel.empty()) e.fail<ShapeError>("expected kernel_size to be an integer or 2 of them, got none");
  for (size_t d = 0; d < 2; ++d)
    s.counts.push_back(
        WindowAxis{size[d], s.kernel[d], s.stride[d], s.padding[d], s.padding[d], 1, s.dilation[d]}.places());
  if (s.counts[0] < 1 || s.counts[1] < 1)
    e.fail<ShapeError>("Given spatial size " + sizes_text(size) + ", kernel_size " + to_string(s.kernel) +
                       ", dilation " + to_string(s.dilation) + ", padding " + to_string(s.padding) + ", stride " +
                       to_string(s.stride) + ": calculated shape of the array of sliding blocks as " +
                       sizes_text(s.counts) + ", but its components must be at least one");
  return s;
}

}  // namespace

#define JOT_CONVOLUTIONS(n)                                                                                \
  Tensor conv##n##d(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& options, \
                    Location at) {                                                                         \
    return conv("conv" #n "d", n, x, weight, bias, options, at);                                           \
  }                                                                                                        \
  Tensor conv_transpose##n##d(const Tensor& x, const Tensor& weight, const Tensor& bias,                   \
                              const ConvTransposeOptions& options, Location at) {                          \
    return conv_transpose("conv_transpose" #n "d", n, x, weight, bias, options, at);                       \
  }
JOT_CONVOLUTIONS(1)
JOT_CONVOLUTIONS(2)
JOT_CONVOLUTIONS(3)
#undef JOT_CONVOLUTIONS

// An image of each element of the window, side by side.
Tensor unfold(const Tensor& x, const Ints& kernel_size, const FoldOptions& options, Location at) {
  impl_of(x, "unfold", at);
  Emitter e("unfold", at, x);
  check_rank(e, x, 2);
  const Shape& shape = shape_of(x);
  const size_t rank = shape.size();
  const Blocks s = blocks_of(e, shape.slice(rank - 2, rank), kernel_size, options);
  const int64_t n = rank == 4 ? shape[0] : 1, channels = shape[rank - 3];
  Value v = build::reshape(e.b, e(x), Shape{n, channels} + shape.slice(rank - 2, rank));
  const Dims border = {0, 0, s.padding[0], s.padding[1]};
  v = build::pad_zero(e.b, v, border, border, Dims(4, 0));
  std::vector<Value> parts;
  for (int64_t i = 0; i < s.kernel[0]; ++i)
    for (int64_t j = 0; j < s.kernel[1]; ++j) {
      const Dims start = {0, 0, i * s.dilation[0], j * s.dilation[1]};
      const Dims limit = {n, channels, start[2] + (s.counts[0] - 1) * s.stride[0] + 1,
                          start[3] + (s.counts[1] - 1) * s.stride[1] + 1};
      Value part = build::slice(e.b, v, start, limit, Dims{1, 1, s.stride[0], s.stride[1]});
      parts.push_back(build::reshape(e.b, part, {n, channels, 1, s.counts.numel()}));
    }
  Value columns = parts.size() == 1 ? parts[0] : build::concat(e.b, parts, 2);
  const Shape result{channels * s.kernel.numel(), s.counts.numel()};
  return e.result(build::reshape(e.b, columns, rank == 4 ? Shape{n} + result : result));
}

Tensor fold(const Tensor& x, const Ints& output_size, const Ints& kernel_size, const FoldOptions& options,
            Location at) {
  impl_of(x, "fold", at);
  Emitter e("fold", at, x);
  if (x.impl()->dtype() == DType::boolean) e.fail<DTypeError>("not defined for booleans: convert with to(i64)");
  const Shape& shape = shape_of(x);
  const size_t rank = shape.size();
  if (rank != 2 && rank != 3) e.fail<ShapeError>("expected 2D (unbatched) or 3D (batched) input, got " + type_name(x));
  if (output_size.empty()) e.fail<ShapeError>("expected output_size to be an integer or 2 of them, got none");
  const Shape size = per_dim(e, "output_size", output_size, 2, 1, 1);
  const Blocks s = blocks_of(e, size, kernel_size, options);
  const int64_t n = rank == 3 ? shape[0] : 1, taps = s.kernel.numel();
  if (shape[rank - 2] % taps != 0)
    e.fail<ShapeError>("Expected size of input's dimension " + std::to_string(rank - 2) +
                       " to be divisible by the product of kernel_size, but got " + type_name(x) + " and kernel_size " +
                       to_string(s.kernel));
  if (shape[rank - 1] != s.counts.numel())
    e.fail<ShapeError>("Given output_size " + to_string(size) + ", kernel_size " + to_string(s.kernel) +
                       ", expected size of input's dimension " + std::to_string(rank - 1) +
                       " to match the calculated number of sliding blocks " + std::to_string(s.counts[0]) + " * " +
                       std::to_string(s.counts[1]) + " = " + std::to_string(s.counts.numel()) + ", but got " +
                       type_name(x));
  const int64_t channels = shape[rank - 2] / taps;
  Value v = build::reshape(e.b, e(x), Shape{n, channels, taps} + s.counts), sum = ir::kNoValue;
  for (int64_t t = 0; t < taps; ++t) {
    Value part = build::reshape(e.b, build::slice_axis(e.b, v, 2, t, t + 1), Shape{n, channels} + s.counts);
    Dims lo = {0, 0}, hi = {0, 0}, interior = {0, 0};
    for (size_t d = 0; d < 2; ++d) {
      const int64_t tap = d == 0 ? t / s.kernel[1] : t % s.kernel[1];
      lo.push_back(tap * s.dilation[d] - s.padding[d]);
      interior.push_back(s.stride[d] - 1);
      hi.push_back(size[d] - lo.back() - WindowAxis::spread(s.counts[d], s.stride[d]));
    }
    part = build::pad_zero(e.b, part, lo, hi, interior);
    sum = t == 0 ? part : build::add(e.b, sum, part);
  }
  const Shape result = Shape{channels} + size;
  return e.result(build::reshape(e.b, sum, rank == 3 ? Shape{n} + result : result));
}

}  // namespace jot::nn::functional
