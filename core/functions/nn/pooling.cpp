// Pooling: sums, means and greatest elements of windows and of parts.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/functions/demands.h"
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

Dims last_dims(size_t rank, size_t dims) {
  Dims list;
  for (size_t d = rank - dims; d < rank; ++d) list.push_back(static_cast<int64_t>(d));
  return list;
}

void check_input(const Emitter& e, const Tensor& x, size_t dims) {
  check_rank(e, x, dims);
  if (x.impl()->dtype() == DType::boolean) e.fail<DTypeError>("boolean is not supported, got " + type_name(x));
}

// The windows of a pooling: their axes, and the dims that they go along, the last ones.
struct Pool {
  Dims dims, sizes;
  std::vector<WindowAxis> axes;
  build::Windows windows() const { return ir::lists_of(axes); }
};

Pool pool_of(const Emitter& e, const Tensor& x, size_t dims, const Ints& kernel_size, const Ints& stride,
             const Ints& padding, const Ints& dilation, bool ceil_mode) {
  check_input(e, x, dims);
  if (kernel_size.empty()) e.fail<ShapeError>("expected kernel_size to be an integer or a list, got none");
  const Shape& shape = shape_of(x);
  const Shape kernel = per_dim(e, "kernel_size", kernel_size, dims, 1, 1);
  const Shape strides = stride.empty() ? kernel : per_dim(e, "stride", stride, dims, 1, 1);
  const Shape pads = per_dim(e, "padding", padding, dims, 0, 0), apart = per_dim(e, "dilation", dilation, dims, 1, 1);
  Pool p{last_dims(shape.size(), dims), values_of(kernel), {}};
  Shape sizes;
  for (size_t d = 0; d < dims; ++d) {
    const int64_t n = shape[static_cast<size_t>(p.dims[d])], reach = WindowAxis::spread(kernel[d], apart[d]);
    if (pads[d] > (apart[d] == 1 ? kernel[d] : reach) / 2)
      e.fail<ShapeError>("pad should be at most half of effective kernel size, but got padding " + to_string(pads) +
                         ", kernel_size " + to_string(kernel) + " and dilation " + to_string(apart));
    const int64_t room = n + 2 * pads[d] - reach;
    int64_t count = room < 0 && !ceil_mode ? 0 : (room + (ceil_mode ? strides[d] - 1 : 0)) / strides[d] + 1;
    if (room + (ceil_mode ? strides[d] - 1 : 0) < 0) count = 0;
    if (ceil_mode && (count - 1) * strides[d] >= n + pads[d]) --count;  // a window begins in x or its padding in front
    sizes.push_back(count);
    p.axes.push_back({n, kernel[d], strides[d], pads[d], (count - 1) * strides[d] + reach - n - pads[d], 1, apart[d]});
  }
  if (std::ranges::any_of(sizes, [](int64_t n) { return n < 1; }))
    e.fail<ShapeError>("Given input size: " + sizes_text(shape.slice(shape.size() - dims - 1, shape.size())) +
                       ". Calculated output size: " + sizes_text(sizes) + ". Output size is too small");
  return p;
}

// How many elements of x, or of x and its padding, each window has: along one axis.
Dims counts_of(const WindowAxis& a, bool with_padding, int64_t padding) {
  Dims counts;
  for (int64_t o = 0; o < a.places(); ++o) {
    const int64_t begin = o * a.stride - a.lo, end = begin + a.window;
    counts.push_back(with_padding ? std::min(end, a.extent + padding) - begin
                                  : std::min(end, a.extent) - std::max<int64_t>(begin, 0));
  }
  return counts;
}

// v divided by the product of counts along dims.
Value divided(Emitter& e, Value v, const Dims& dims, const std::vector<Dims>& counts) {
  const DType dtype = e.b.dtype(v);
  const Shape shape = e.b.shape(v);
  int64_t same = 1;
  Value divisor = ir::kNoValue;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (std::ranges::adjacent_find(counts[d], std::not_equal_to<>()) == counts[d].end()) {
      same *= counts[d].empty() ? 1 : counts[d][0];
      continue;
    }
    Value line = build::convert(e.b, build::constant_data(e.b, DType::i64, {std::ssize(counts[d])}, counts[d]), dtype);
    line = build::broadcast(e.b, line, shape, Dims{dims[d]});
    divisor = divisor == ir::kNoValue ? line : build::mul(e.b, divisor, line);
  }
  if (same != 1 || divisor == ir::kNoValue) {
    Value number = build::constant(e.b, dtype, shape, static_cast<double>(same));
    divisor = divisor == ir::kNoValue ? number : build::mul(e.b, divisor, number);
  }
  return build::div(e.b, v, divisor);
}

Tensor avg_pool(std::string_view name, size_t dims, const Tensor& x, const Ints& kernel_size,
                const AvgPoolOptions& options, Location at) {
  impl_of(x, name, at);
  Emitter e(name, at, x);
  const Pool p = pool_of(e, x, dims, kernel_size, options.stride, options.padding, 1, options.ceil_mode);
  if (options.divisor_override == 0) e.fail<Error>("divisor must be not zero, got divisor_override 0");
  Value v = build::reduce_window_sum(e.b, e(x), p.dims, p.sizes, p.windows());
  if (options.divisor_override) {
    Value number = build::constant_int(e.b, DType::i64, e.b.shape(v), *options.divisor_override);
    return e.result(build::div(e.b, v, build::convert(e.b, number, e.b.dtype(v))));
  }
  std::vector<Dims> counts;
  for (const WindowAxis& a : p.axes) counts.push_back(counts_of(a, options.count_include_pad, a.lo));
  return e.result(divided(e, v, p.dims, counts));
}

// The values; behind them positions, row-major over the dims of the window.
ValuesIndices max_pool(std::string_view name, size_t dims, const Tensor& x, const Ints& kernel_size,
                       const MaxPoolOptions& options, Location at) {
  impl_of(x, name, at);
  Emitter e(name, at, x);
  const Pool p = pool_of(e, x, dims, kernel_size, options.stride, options.padding, options.dilation, options.ceil_mode);
  Value first = build::window_argmax(e.b, e(x), p.dims, p.sizes, p.windows());
  Tensor values = e.result(first);
  return {values, e.result(first + 1)};
}

Tensor max_unpool(std::string_view name, size_t dims, const Tensor& x, const Tensor& indices, const Ints& kernel_size,
                  const MaxUnpoolOptions& options, Location at) {
  impl_of(x, name, at), impl_of(indices, name, at);
  Emitter e(name, at, x, indices);
  check_input(e, x, dims);
  if (indices.impl()->dtype() != DType::i64) e.fail<DTypeError>("expected indices of i64, got " + type_name(indices));
  const Shape& shape = shape_of(x);
  if (shape_of(indices) != shape)
    e.fail<ShapeError>("Expected shape of indices to be that of the input, " + to_string(shape) + ", but got " +
                       to_string(shape_of(indices)));
  if (kernel_size.empty()) e.fail<ShapeError>("expected kernel_size to be an integer or a list, got none");
  const Shape kernel = per_dim(e, "kernel_size", kernel_size, dims, 1, 1);
  const Shape stride = options.stride.empty() ? kernel : per_dim(e, "stride", options.stride, dims, 1, 1);
  const Shape padding = per_dim(e, "padding", options.padding, dims, 0, 0);
  Shape plane, given = options.output_size.list();
  const bool all_dims = !options.output_size.single() && given.size() == shape.size();
  if (all_dims) given = given.slice(given.size() - dims, given.size());
  for (size_t d = 0; d < dims; ++d)
    plane.push_back((shape[shape.size() - dims + d] - 1) * stride[d] - 2 * padding[d] + kernel[d]);
  if (!options.output_size.empty()) {
    const Shape usual = plane;
    plane = per_dim(e, "output_size", all_dims ? Ints(given) : options.output_size, dims, 1, 0);
    for (size_t d = 0; d < dims; ++d)
      if (plane[d] <= usual[d] - stride[d] || plane[d] >= usual[d] + stride[d])
        e.fail<ShapeError>("invalid output_size " + to_string(plane) + ": dim " + std::to_string(d) +
                           " must be between " + std::to_string(usual[d] - stride[d]) + " and " +
                           std::to_string(usual[d] + stride[d]));
  }
  if (std::ranges::any_of(plane, [](int64_t n) { return n < 0; }))
    e.fail<ShapeError>("Calculated output size: " + sizes_text(plane) + ". Output size is too small");
  const Shape outer = shape.slice(0, shape.size() - dims);
  const Shape lines = outer + Shape{shape.slice(shape.size() - dims, shape.size()).numel()};
  build::GatherDims g;
  g.operand_batch = g.index_batch = build::all_axes(outer.size());
  g.collapsed = g.index_map = {static_cast<int64_t>(outer.size())};
  const int64_t places = plane.numel();
  Tensor known = indices;
  if (places > 0)
    known = demanded(name, indices, {0, static_cast<double>(places - 1)},
                     "index {} is out of bounds for output planes " + to_string(plane) + "; expected 0 to " +
                         std::to_string(places - 1),
                     e.at());
  Value to = build::reshape(e.b, e(known), lines + Shape{1}), from = build::reshape(e.b, e(x), lines);
  Value zeros = build::constant(e.b, e.b.dtype(from), outer + Shape{places}, 0);
  Value v = build::scatter_set(e.b, zeros, to, from, g, ir::IndexMode::check, false);
  return e.result(build::reshape(e.b, v, outer + plane));
}

// ---- parts: of n elements, part i of `count` is from floor(i n / count) to ceil((i + 1) n / count)

struct Parts {
  int64_t extent, count;
  bool even() const { return count > 0 && extent % count == 0; }
  int64_t begin(int64_t i) const { return i * extent / count; }
  int64_t end(int64_t i) const { return ((i + 1) * extent + count - 1) / count; }
  int64_t longest() const {
    int64_t n = 0;
    for (int64_t i = 0; i < count; ++i) n = std::max(n, end(i) - begin(i));
    return n;
  }
  Dims lengths() const {
    Dims list;
    for (int64_t i = 0; i < count; ++i) list.push_back(end(i) - begin(i));
    return list;
  }
};

std::vector<Parts> parts_of(const Emitter& e, const Tensor& x, size_t dims, const Ints& output_size) {
  check_input(e, x, dims);
  if (output_size.empty()) e.fail<ShapeError>("expected output_size to be an integer or a list, got none");
  const Shape size = per_dim(e, "output_size", output_size, dims, 1, 0), &shape = shape_of(x);
  std::vector<Parts> parts;
  for (size_t d = 0; d < dims; ++d) {
    parts.push_back({shape[shape.size() - dims + d], size[d]});
    if (parts[d].extent == 0)
      e.fail<ShapeError>("Expected input to have non-zero size for non-batch dimensions, but got " + type_name(x));
  }
  return parts;
}

// The elements of each part along dim one behind the other, all as many: short ones repeat their last.
Value laid_out(Emitter& e, Value v, int64_t dim, const Parts& p) {
  const int64_t longest = p.longest();
  Dims places;
  for (int64_t i = 0; i < p.count; ++i)
    for (int64_t k = 0; k < longest; ++k) places.push_back(std::min(p.begin(i) + k, p.end(i) - 1));
  Shape sizes = e.b.shape(v);
  build::GatherDims g;
  for (int64_t d = 0; d < static_cast<int64_t>(sizes.size()); ++d)
    if (d != dim) g.offset_dims.push_back(d);
  g.collapsed = g.index_map = {dim};
  sizes[static_cast<size_t>(dim)] = 1;
  Value indices = build::constant_data(e.b, DType::i64, {std::ssize(places), 1}, places);
  return build::gather(e.b, v, indices, g, sizes, ir::IndexMode::clip);
}

// The sums of parts along dim.
Value summed(Emitter& e, Value v, int64_t dim, const Parts& p) {
  const auto d = static_cast<size_t>(dim);
  if (p.even()) {
    const int64_t n = p.extent / p.count;
    return build::reduce_window_sum(e.b, v, Dims{dim}, Dims{n}, {{n}, {}, {}, {}, {}});
  }
  const int64_t longest = p.longest();
  v = laid_out(e, v, dim, p);
  Shape cut = e.b.shape(v);
  cut[d] = p.count;
  cut.insert(d + 1, longest);
  v = build::reshape(e.b, v, cut);
  Dims inside;
  for (int64_t i = 0; i < p.count; ++i)
    for (int64_t k = 0; k < longest; ++k) inside.push_back(p.begin(i) + k < p.end(i));
  Value mask = build::constant_data(e.b, DType::boolean, {p.count, longest}, inside);
  mask = build::broadcast(e.b, mask, cut, Dims{dim, dim + 1});
  return build::reduce_sum(e.b, build::where(e.b, mask, v, build::zeros_like(e.b, v)), Dims{dim + 1});
}

Tensor adaptive_avg_pool(std::string_view name, size_t dims, const Tensor& x, const Ints& output_size, Location at) {
  impl_of(x, name, at);
  Emitter e(name, at, x);
  const std::vector<Parts> parts = parts_of(e, x, dims, output_size);
  const Dims along = last_dims(shape_of(x).size(), dims);
  Value v = e(x);
  std::vector<Dims> lengths;
  for (const Parts& p : parts) lengths.push_back(p.lengths());
  if (std::ranges::all_of(parts, [](const Parts& p) { return p.count == 1; })) {
    Shape shape = e.b.shape(v);
    for (int64_t d : along) shape[static_cast<size_t>(d)] = 1;
    v = build::reshape(e.b, build::reduce_sum(e.b, v, along), shape);
  } else if (std::ranges::all_of(parts, &Parts::even)) {
    build::Windows windows;
    for (const Parts& p : parts) windows.stride.push_back(p.extent / p.count);
    v = build::reduce_window_sum(e.b, v, along, windows.stride, windows);
  } else {
    for (size_t d = 0; d < dims; ++d) v = summed(e, v, along[d], parts[d]);
  }
  return e.result(divided(e, v, along, lengths));
}

ValuesIndices adaptive_max_pool(std::string_view name, size_t dims, const Tensor& x, const Ints& output_size,
                                Location at) {
  impl_of(x, name, at);
  Emitter e(name, at, x);
  const std::vector<Parts> parts = parts_of(e, x, dims, output_size);
  const Dims along = last_dims(shape_of(x).size(), dims);
  Value v = e(x);
  const bool even = std::ranges::all_of(parts, &Parts::even);
  build::Windows windows;
  Shape plane;
  for (const Parts& p : parts) {
    windows.stride.push_back(even ? p.extent / p.count : std::max<int64_t>(p.longest(), 1));
    plane.push_back(p.extent);
  }
  for (size_t d = 0; d < dims && !even; ++d) v = laid_out(e, v, along[d], parts[d]);
  Value first = build::window_argmax(e.b, v, along, windows.stride, windows), positions = first + 1;
  if (!even) {  // positions in what is laid out are those of its elements in x
    Value origin = build::reshape(e.b, build::iota(e.b, DType::i64, {plane.numel()}, 0), plane);
    for (size_t d = 0; d < dims; ++d) origin = laid_out(e, origin, static_cast<int64_t>(d), parts[d]);
    origin = build::reshape(e.b, origin, {e.b.shape(origin).numel()});
    build::GatherDims g;
    g.collapsed = g.index_map = {0};
    positions = build::gather(e.b, origin, build::reshape(e.b, positions, e.b.shape(positions) + Shape{1}), g, Dims{1},
                              ir::IndexMode::clip);
  }
  Tensor values = e.result(first);
  return {values, e.result(positions)};
}

// (|sum of x^p|)^(1 / p), with the sign of the sum: windows are sums, and where ceil_mode cuts them scaled as if whole.
// Of infinite p the greatest or least magnitude.
Tensor lp_pool(std::string_view name, size_t dims, const Tensor& x, double p, const Ints& kernel_size,
               const LpPoolOptions& options, Location at) {
  Composite call(name, at);
  impl_of(x, name, at);
  if (std::isinf(p)) {
    const double sign = p > 0 ? 1 : -1;
    const MaxPoolOptions same = {.stride = options.stride, .ceil_mode = options.ceil_mode};
    return max_pool(name, dims, abs(x, at) * sign, kernel_size, same, at).values * sign;
  }
  Tensor means = avg_pool(name, dims, x.pow(Arg(p, at)), kernel_size,
                          {.stride = options.stride, .ceil_mode = options.ceil_mode}, at);
  const Shape& sizes = kernel_size.list();
  double elements = 1;
  for (size_t d = 0; d < dims; ++d) elements *= static_cast<double>(sizes[sizes.size() == 1 ? 0 : d]);
  return (sign(means, at) * relu(abs(means, at), at) * elements).pow(Arg(1 / p, at));
}

}  // namespace

#define JOT_POOLING(n)                                                                                               \
  Tensor avg_pool##n##d(const Tensor& x, const Ints& kernel_size, const AvgPoolOptions& options, Location at) {      \
    return avg_pool("avg_pool" #n "d", n, x, kernel_size, options, at);                                              \
  }                                                                                                                  \
  Tensor max_pool##n##d(const Tensor& x, const Ints& kernel_size, const MaxPoolOptions& options, Location at) {      \
    return max_pool("max_pool" #n "d", n, x, kernel_size, options, at).values;                                       \
  }                                                                                                                  \
  ValuesIndices max_pool##n##d_with_indices(const Tensor& x, const Ints& kernel_size, const MaxPoolOptions& options, \
                                            Location at) {                                                           \
    return max_pool("max_pool" #n "d", n, x, kernel_size, options, at);                                              \
  }                                                                                                                  \
  Tensor max_unpool##n##d(const Tensor& x, const Tensor& indices, const Ints& kernel_size,                           \
                          const MaxUnpoolOptions& options, Location at) {                                            \
    return max_unpool("max_unpool" #n "d", n, x, indices, kernel_size, options, at);                                 \
  }                                                                                                                  \
  Tensor adaptive_avg_pool##n##d(const Tensor& x, const Ints& output_size, Location at) {                            \
    return adaptive_avg_pool("adaptive_avg_pool" #n "d", n, x, output_size, at);                                     \
  }                                                                                                                  \
  Tensor adaptive_max_pool##n##d(const Tensor& x, const Ints& output_size, Location at) {                            \
    return adaptive_max_pool("adaptive_max_pool" #n "d", n, x, output_size, at).values;                              \
  }                                                                                                                  \
  ValuesIndices adaptive_max_pool##n##d_with_indices(const Tensor& x, const Ints& output_size, Location at) {        \
    return adaptive_max_pool("adaptive_max_pool" #n "d", n, x, output_size, at);                                     \
  }                                                                                                                  \
  Tensor lp_pool##n##d(const Tensor& x, double p, const Ints& kernel_size, const LpPoolOptions& options,             \
                       Location at) {                                                                                \
    return lp_pool("lp_pool" #n "d", n, x, p, kernel_size, options, at);                                             \
  }
JOT_POOLING(1)
JOT_POOLING(2)
JOT_POOLING(3)
#undef JOT_POOLING

}  // namespace jot::nn::functional
