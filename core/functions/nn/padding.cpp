// What moves elements of images: padding, shuffling of channels and pixels.
#include <algorithm>
#include <limits>

#include "core/functions/forms.h"
#include "jot/nn_functional.h"

namespace jot::nn::functional {

using namespace detail;
namespace build = ir::build;
using ir::Value;

namespace {

// How many elements more, fewer where negative, a dim gets in front and behind.
struct Border {
  int64_t dim, front, behind;
};

// The last dim first.
std::vector<Border> borders_of(const Emitter& e, const Shape& pads, const Shape& shape) {
  if (pads.size() % 2 != 0) e.fail<ShapeError>("Padding length must be divisible by 2, got " + to_string(pads));
  if (pads.size() > 2 * shape.size())
    e.fail<ShapeError>(
        "Padding length should be less than or equal to two times the input dimension but got padding "
        "length " +
        std::to_string(pads.size()) + " and input of dimension " + std::to_string(shape.size()));
  for (int64_t p : pads)
    if (p > int64_t{1} << 31 || p < -(int64_t{1} << 31))
      e.fail<ShapeError>("padding " + to_string(pads) + " is too large: expected at most 2^31");
  std::vector<Border> borders;
  for (size_t i = 0; i < pads.size() / 2; ++i)
    borders.push_back({static_cast<int64_t>(shape.size() - 1 - i), pads[2 * i], pads[2 * i + 1]});
  return borders;
}

// Elements front and behind of a dim of extent n, both not negative.
Value extended(Emitter& e, Value v, const Border& b, Pad mode) {
  const int64_t n = e.b.shape(v)[static_cast<size_t>(b.dim)], dim[] = {b.dim};
  auto part = [&](int64_t from, int64_t to) { return build::slice_axis(e.b, v, b.dim, from, to); };
  auto repeated = [&](Value edge, int64_t times) {
    Shape shape = e.b.shape(edge);
    shape[static_cast<size_t>(b.dim)] = times;
    return build::broadcast(e.b, edge, shape, build::all_axes(shape.size()));
  };
  std::vector<Value> parts = {v};
  if (b.front > 0)
    parts.insert(parts.begin(), mode == Pad::reflect    ? build::rev(e.b, part(1, b.front + 1), dim)
                                : mode == Pad::circular ? part(n - b.front, n)
                                                        : repeated(part(0, 1), b.front));
  if (b.behind > 0)
    parts.push_back(mode == Pad::reflect    ? build::rev(e.b, part(n - 1 - b.behind, n - 1), dim)
                    : mode == Pad::circular ? part(0, b.behind)
                                            : repeated(part(n - 1, n), b.behind));
  return parts.size() == 1 ? v : build::concat(e.b, parts, b.dim);
}

void check_border(const Emitter& e, const Border& b, Pad mode, const Shape& shape) {
  const int64_t n = shape[static_cast<size_t>(b.dim)], most = std::max(b.front, b.behind);
  const std::string where = "padding (" + std::to_string(b.front) + ", " + std::to_string(b.behind) +
                            ") at dimension " + std::to_string(b.dim) + " of input " + to_string(shape);
  if (n + b.front + b.behind < 0)
    e.fail<ShapeError>("the padding resulted in a negative output size, which is invalid: " + where);
  if (mode == Pad::reflect && most >= n && most > 0)
    e.fail<ShapeError>("Padding size should be less than the corresponding input dimension, but got: " + where);
  if (mode == Pad::circular && most > n + std::min<int64_t>(b.front, 0) + std::min<int64_t>(b.behind, 0))
    e.fail<ShapeError>("Padding value causes wrapping around more than once: " + where);
  if (mode == Pad::replicate && most > 0 && n == 0)
    e.fail<ShapeError>("Expected a dimension with elements to replicate, but got: " + where);
}

}  // namespace

namespace {
Value padded(Emitter& e, Value v, std::span<const Border> borders, double value) {
  Shape lo = e.b.shape(v);
  std::ranges::fill(lo, 0);
  Shape hi = lo, none = lo;
  for (const Border& b : borders) {
    lo[static_cast<size_t>(b.dim)] = b.front;
    hi[static_cast<size_t>(b.dim)] = b.behind;
  }
  return build::pad(e.b, v, splat(e, e.b.dtype(v), {}, value), lo, hi, none);
}
}  // namespace

Tensor pad(const Tensor& x, const Ints& pads, Pad mode, double value, Location at) {
  Emitter e("pad", at, x);
  const Shape shape = shape_of(x);
  const std::vector<Border> borders = borders_of(e, pads.list(), shape);
  if (mode != Pad::constant && value != 0)
    e.fail<TransformError>("a padding mode other than constant doesn't take in value argument, got " +
                           std::to_string(value));
  for (const Border& b : borders) check_border(e, b, mode, shape);
  Value v = e(x);
  if (mode == Pad::constant) return e.result(padded(e, v, borders, value));
  for (const Border& b : borders) {
    auto cropped = [&](Value x) {
      const int64_t n = e.b.shape(x)[static_cast<size_t>(b.dim)];
      return build::slice_axis(e.b, x, b.dim, std::max<int64_t>(-b.front, 0), n - std::max<int64_t>(-b.behind, 0));
    };
    if (mode == Pad::circular) v = cropped(v);  // the others read what is cropped
    v = extended(e, v, {b.dim, std::max<int64_t>(b.front, 0), std::max<int64_t>(b.behind, 0)}, mode);
    if (mode != Pad::circular) v = cropped(v);
  }
  return e.result(v == e(x) ? e.b.emit(ir::Op::copy_op, {v}) : v);
}

namespace {

void check_factor(const Emitter& e, const Shape& shape, int64_t r, std::string_view what) {
  if (shape.size() < 3)
    e.fail<ShapeError>("expects input to have at least 3 dimensions, but got input with " +
                       std::to_string(shape.size()) + " dimension(s)");
  if (r < 1) e.fail<ShapeError>("expects a positive " + std::string(what) + ", but got " + std::to_string(r));
  if (r > int64_t{1} << 31)
    e.fail<ShapeError>(std::string(what) + " is too large: expected at most 2^31, got " + std::to_string(r));
}
Value moved(Emitter& e, const Tensor& x, const Shape& split, std::initializer_list<int64_t> order,
            const Shape& result) {
  const auto lead = static_cast<int64_t>(split.size() - order.size());
  std::vector<int64_t> perm = build::all_axes(static_cast<size_t>(lead));
  for (int64_t d : order) perm.push_back(lead + d);
  Value v = build::permute(e.b, build::reshape(e.b, e(x), split), perm);
  v = build::reshape(e.b, v, result);
  return v == e(x) ? e.b.emit(ir::Op::copy_op, {v}) : v;
}

}  // namespace

Tensor pixel_shuffle(const Tensor& x, int64_t r, Location at) {
  Emitter e("pixel_shuffle", at, x);
  const Shape shape = shape_of(x);
  check_factor(e, shape, r, "upscale_factor");
  const size_t n = shape.size();
  const int64_t c = shape[n - 3], h = shape[n - 2], w = shape[n - 1];
  if (c % (r * r) != 0)
    e.fail<ShapeError>(
        "expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but "
        "input.size(-3)=" +
        std::to_string(c) + " is not divisible by " + std::to_string(r * r));
  const Shape lead = shape.slice(0, n - 3);
  return e.result(
      moved(e, x, lead + Shape{c / (r * r), r, r, h, w}, {0, 3, 1, 4, 2}, lead + Shape{c / (r * r), h * r, w * r}));
}

Tensor pixel_unshuffle(const Tensor& x, int64_t r, Location at) {
  Emitter e("pixel_unshuffle", at, x);
  const Shape shape = shape_of(x);
  check_factor(e, shape, r, "downscale_factor");
  const size_t n = shape.size();
  const int64_t c = shape[n - 3], h = shape[n - 2], w = shape[n - 1];
  for (size_t d : {n - 2, n - 1})
    if (shape[d] % r != 0)
      e.fail<ShapeError>("expects " + std::string(d + 1 == n ? "width" : "height") +
                         " to be divisible by downscale_factor, but input.size(" + (d + 1 == n ? "-1" : "-2") +
                         ")=" + std::to_string(shape[d]) + " is not divisible by " + std::to_string(r));
  if (c > std::numeric_limits<int64_t>::max() / (r * r))
    e.fail<ShapeError>("downscale_factor is too large for " + std::to_string(c) + " channels: got " +
                       std::to_string(r));
  const Shape lead = shape.slice(0, n - 3);
  return e.result(
      moved(e, x, lead + Shape{c, h / r, r, w / r, r}, {0, 2, 4, 1, 3}, lead + Shape{c * r * r, h / r, w / r}));
}

Tensor channel_shuffle(const Tensor& x, int64_t groups, Location at) {
  Emitter e("channel_shuffle", at, x);
  const Shape shape = shape_of(x);
  if (shape.size() < 3) e.fail<ShapeError>("expects input with > 2 dims, but got " + type_name(x));
  if (groups < 1)
    e.fail<ShapeError>("Number of groups to divide channels in must be positive. Value of groups:" +
                       std::to_string(groups));
  if (shape[1] % groups != 0)
    e.fail<ShapeError>("Number of channels must be divisible by groups. Got " + std::to_string(shape[1]) +
                       " channels and " + std::to_string(groups) + " groups.");
  const Shape rest = shape.slice(2, shape.size());
  Value v = build::reshape(e.b, e(x), Shape{shape[0], groups, shape[1] / groups} + rest);
  std::vector<int64_t> perm = build::all_axes(shape.size() + 1);
  std::swap(perm[1], perm[2]);
  v = build::reshape(e.b, build::permute(e.b, v, perm), shape);
  return e.result(v == e(x) ? e.b.emit(ir::Op::copy_op, {v}) : v);
}

}  // namespace jot::nn::functional
