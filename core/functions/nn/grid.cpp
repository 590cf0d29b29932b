// Images read at the places of a grid, and grids of affine maps.
#include <algorithm>
#include <bit>

#include "core/functions/expr.h"
#include "jot/nn_functional.h"

namespace jot::nn::functional {

using namespace detail;
namespace build = ir::build;
using ir::Op;
using ir::Value;

namespace {

// An image [n, c, spatial...], its spatial dims as one, and places [n, p] of which the results are [n, c, p].
class Sampler {
 public:
  Sampler(Emitter& e, Value image, const GridSampleOptions& o) : e_(e), o_(o), shape_(e.b.shape(image)) {
    const Shape spatial = shape_.slice(2, shape_.size());
    image_ = build::reshape(e.b, image, {shape_[0], shape_[1], spatial.numel()});
    extents_ = spatial;
  }
  size_t dims() const { return extents_.size(); }

  // From [-1, 1] to elements of dim d.
  Expr scaled(const Expr& x, size_t d) const {
    const auto n = static_cast<double>(extents_[d]);
    return o_.align_corners ? (x + 1) / 2 * (n - 1) : ((x + 1) * n - 1) / 2;
  }
  // Outside elements to where they are read. At the ends no derivative passes.
  Expr placed(Expr x, size_t d) const {
    const auto n = static_cast<double>(extents_[d]);
    if (o_.padding_mode == GridPadding::zeros) return x;
    if (o_.padding_mode == GridPadding::reflection)
      x = o_.align_corners ? reflected(x, 0, 2 * (n - 1)) : reflected(x, -1, 2 * n - 1);
    return where(x <= 0, x.like(0), where(x >= n - 1, x.like(n - 1), x));
  }

  // The elements at whole places, one Expr a dim, times weight [n, p]; zero outside.
  Expr at(std::span<const Expr> places, const Expr& weight) const {
    Expr inside = within(places[0], 0), index = clipped(places[0], 0);
    for (size_t d = 1; d < dims(); ++d) {
      inside = inside & within(places[d], d);
      index = {e_, build::add(e_.b, build::mul(e_.b, index, whole(index, extents_[d])), clipped(places[d], d))};
    }
    Shape lines = e_.b.shape(index);
    lines.push_back(1);
    build::GatherDims dims;
    dims.offset_dims = {1};
    dims.collapsed = dims.index_map = {2};
    dims.operand_batch = dims.index_batch = {0};
    const int64_t sizes[] = {1, shape_[1], 1};
    Expr elements{e_,
                  build::gather(e_.b, image_, build::reshape(e_.b, index, lines), dims, sizes, ir::IndexMode::clip)};
    const Shape result = e_.b.shape(elements);
    auto spread = [&](const Expr& x) {
      const int64_t kept[] = {0, 2};
      return Expr{e_, build::broadcast(e_.b, x, result, kept)};
    };
    return where(spread(inside), elements * spread(weight), elements.like(0));
  }

 private:
  // Back and forth between low / 2 and high / 2.
  Expr reflected(const Expr& x, double low, double high) const {
    if (low == high) return x.like(0);
    const double span = (high - low) / 2;
    Expr far = x - low / 2;
    far = where(far < far.like(0), -far, far);
    Expr extra = f(Op::rem_op, far, far.like(span)), flips = f(Op::floor_op, far / span);
    return where(f(Op::rem_op, flips, flips.like(2)) == flips.like(0), extra + low / 2, span - extra + low / 2);
  }
  Expr within(const Expr& x, size_t d) const { return (x >= 0) & (x <= static_cast<double>(extents_[d] - 1)); }
  Expr clipped(const Expr& x, size_t d) const {
    const auto last = static_cast<double>(extents_[d] - 1);
    return where(x > 0, where(x < last, x, last), x.like(0)).to(DType::i64);
  }
  Value whole(const Expr& like, int64_t n) const { return build::constant_int(e_.b, DType::i64, e_.b.shape(like), n); }

  Emitter& e_;
  const GridSampleOptions& o_;
  Shape shape_;
  Value image_;
  Shape extents_;
};

Expr nearest(const Sampler& s, std::span<const Expr> x) {
  std::vector<Expr> places;
  for (size_t d = 0; d < s.dims(); ++d) places.push_back(f(Op::round_even_op, s.placed(s.scaled(x[d], d), d)));
  return s.at(places, x[0].like(1));
}

// All corners of the cell.
Expr linear(const Sampler& s, std::span<const Expr> x) {
  std::vector<Expr> low, part;
  for (size_t d = 0; d < s.dims(); ++d) {
    Expr place = s.placed(s.scaled(x[d], d), d);
    low.push_back(f(Op::floor_op, place));
    part.push_back(place - low.back());
  }
  std::optional<Expr> total;
  for (uint32_t corner = 0; corner < 1u << s.dims(); ++corner) {
    std::vector<Expr> places;
    std::optional<Expr> weight;
    for (size_t d = 0; d < s.dims(); ++d) {
      const bool upper = corner >> d & 1;
      places.push_back(upper ? low[d] + 1 : low[d]);
      Expr w = upper ? part[d] : 1 - part[d];
      weight = weight ? *weight * w : w;
    }
    Expr value = s.at(places, *weight);
    total = total ? *total + value : value;
  }
  return *total;
}

// Keys' kernel with a = -0.75.
std::vector<Expr> cubic_weights(const Expr& t) {
  auto near = [](const Expr& x) { return (x * 1.25 - 2.25) * x * x + 1; };
  auto far = [](const Expr& x) { return ((x * -0.75 + 3.75) * x - 6) * x + 3; };
  return {far(t + 1), near(t), near(1 - t), far(2 - t)};
}
Expr cubic(const Sampler& s, std::span<const Expr> x) {
  std::vector<Expr> low;
  std::vector<std::vector<Expr>> weights;
  for (size_t d = 0; d < 2; ++d) {
    Expr place = s.scaled(x[d], d);
    low.push_back(f(Op::floor_op, place));
    weights.push_back(cubic_weights(place - low.back()));
  }
  std::optional<Expr> total;
  for (size_t i = 0; i < 4; ++i)
    for (size_t j = 0; j < 4; ++j) {
      const Expr places[] = {s.placed(low[0] + (static_cast<double>(i) - 1), 0),
                             s.placed(low[1] + (static_cast<double>(j) - 1), 1)};
      Expr value = s.at(places, weights[0][i] * weights[1][j]);
      total = total ? *total + value : value;
    }
  return *total;
}

void check_grid(const Emitter& e, const Tensor& x, const Tensor& grid, const GridSampleOptions& o) {
  const Shape &image = shape_of(x), &places = shape_of(grid);
  if (image.size() != 4 && image.size() != 5)
    e.fail<ShapeError>("expected a 4D or 5D input, [n, channels, ...], got " + type_name(x));
  if (x.dtype() != grid.dtype() || !is_floating(x.dtype()))
    e.fail<DTypeError>("expected input and grid of one floating dtype, got " + type_name(x) + " and " +
                       type_name(grid));
  const auto n = static_cast<int64_t>(image.size()) - 2;
  const std::string sizes =
      ", but got input with sizes " + to_string(image) + " and grid with sizes " + to_string(places);
  if (places.size() != image.size() || places.back() != n)
    e.fail<ShapeError>("expected grid to have size " + std::to_string(n) + " in last dimension and as many dims" +
                       sizes);
  if (places[0] != image[0]) e.fail<ShapeError>("expected grid and input to have same batch size" + sizes);
  for (size_t d = 2; d < image.size(); ++d)
    if (image[d] == 0)
      e.fail<ShapeError>("expected input to have non-empty spatial dimensions, but got " + type_name(x));
  if (o.mode != Interpolation::bilinear && o.mode != Interpolation::nearest && o.mode != Interpolation::bicubic)
    e.fail<TransformError>("expected the mode bilinear, nearest or bicubic");
  if (o.mode == Interpolation::bicubic && image.size() != 4)
    e.fail<ShapeError>("bicubic interpolation only supports 4D input, got " + type_name(x));
}

}  // namespace

Tensor grid_sample(const Tensor& x, const Tensor& grid, const GridSampleOptions& o, Location at) {
  Emitter e("grid_sample", at, x, grid);
  check_grid(e, x, grid, o);
  const DType dtype = computing_type(x.dtype());
  const Shape image = shape_of(x), places = shape_of(grid);
  const size_t n = image.size() - 2;
  const Shape flat{places[0], places.slice(1, n + 1).numel()};
  // The last coordinate is along the first spatial dim.
  Value coordinates = build::reshape(e.b, operand(e, grid, dtype), flat + Shape{static_cast<int64_t>(n)});
  std::vector<Expr> along;
  for (size_t d = 0; d < n; ++d) {
    const auto k = static_cast<int64_t>(n - 1 - d);
    along.emplace_back(e, build::reshape(e.b, build::slice_axis(e.b, coordinates, 2, k, k + 1), flat));
  }
  Sampler sampler(e, operand(e, x, dtype), o);
  Expr v = o.mode == Interpolation::nearest   ? nearest(sampler, along)
           : o.mode == Interpolation::bicubic ? cubic(sampler, along)
                                              : linear(sampler, along);
  const Shape result = Shape{image[0], image[1]} + places.slice(1, n + 1);
  return e.result(build::convert(e.b, build::reshape(e.b, v, result), x.dtype()));
}

Tensor affine_grid(const Tensor& theta, const Shape& size, bool align_corners, Location at) {
  Emitter e("affine_grid", at, theta);
  if (!is_floating(theta.dtype()))
    e.fail<DTypeError>("Expected theta to have floating point type, but got " + type_name(theta));
  if (size.size() != 4 && size.size() != 5)
    e.fail<ShapeError>("only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively, got " +
                       to_string(size));
  const size_t n = size.size() - 2;
  const auto rows = static_cast<int64_t>(n);
  if (shape_of(theta) != Shape{size[0], rows, rows + 1})
    e.fail<ShapeError>("Expected a batch of affine matrices of shape " + to_string(Shape{size[0], rows, rows + 1}) +
                       " for size " + to_string(size) + ", got " + type_name(theta));
  for (int64_t extent : size)
    if (extent < 1) e.fail<ShapeError>("Expected non-zero, positive output size, got " + to_string(size));
  const Shape result = Shape{size[0]} + size.slice(2, size.size()) + Shape{rows};
  check_shape("affine_grid", "the result", result, at);
  const DType dtype = computing_type(theta.dtype());
  Value matrix = operand(e, theta, dtype);
  // Column k of the matrix, times the coordinates along dim n - k of the result; the last is added.
  std::optional<Expr> total;
  for (size_t k = 0; k <= n; ++k) {
    const auto from = static_cast<int64_t>(k);
    Value column = build::reshape(e.b, build::slice_axis(e.b, matrix, 2, from, from + 1), {size[0], rows});
    const int64_t ends[] = {0, rows + 1};
    Expr term{e, build::broadcast(e.b, column, result, ends)};
    if (k < n) {
      const size_t d = n - k;
      const auto extent = static_cast<double>(result[d]);
      Expr place = Expr{e, build::iota(e.b, DType::i64, result, static_cast<int64_t>(d))}.to(dtype);
      Expr line = result[d] == 1  ? place.like(0)
                  : align_corners ? place * (2 / (extent - 1)) - 1
                                  : (place * 2 + 1) / extent - 1;
      term = term * line;
    }
    total = total ? *total + term : term;
  }
  return e.result(build::convert(e.b, *total, theta.dtype()));
}

}  // namespace jot::nn::functional
