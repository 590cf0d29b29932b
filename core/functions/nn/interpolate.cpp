// Images of another size: along each dim an element of the result is a sum of a few of the input's ("taps").
#include <algorithm>
#include <bit>
#include <cmath>

#include "core/functions/forms.h"
#include "jot/nn_functional.h"

namespace jot::nn::functional {

using namespace detail;
namespace build = ir::build;
using ir::Value;

namespace {

// What places along a dim read: result element o takes index[t][o] with weight[t][o]; no weights: those are 1.
struct Taps {
  std::vector<std::vector<int64_t>> index;
  std::vector<std::vector<double>> weight;
};

// A dim of the input and of the result; scale: the given factor, 0 for none.
struct Extents {
  int64_t from, to;
  double scale;
};

// Where element o of the result lies in the input. In the arithmetic of the dtype, as torch's indices are.
template <class T>
T step_of(const Extents& x, bool align) {
  if (align) return x.to > 1 ? static_cast<T>(x.from - 1) / static_cast<T>(x.to - 1) : T(0);
  return x.scale > 0 ? static_cast<T>(1.0 / x.scale) : static_cast<T>(x.from) / static_cast<T>(x.to);
}
template <class T>
T place_of(T step, int64_t o, bool align) {
  return align ? step * static_cast<T>(o) : step * (static_cast<T>(o) + T(0.5)) - T(0.5);
}

template <class T>
Taps nearest(const Extents& x, bool exact) {
  Taps taps{{{}}, {}};
  const T step = step_of<T>(x, false);
  for (int64_t o = 0; o < x.to; ++o) {
    const T place = (static_cast<T>(o) + (exact ? T(0.5) : T(0))) * step;
    taps.index[0].push_back(std::min(static_cast<int64_t>(std::floor(place)), x.from - 1));
  }
  return taps;
}

template <class T>
Taps linear(const Extents& x, bool align) {
  Taps taps{{{}, {}}, {{}, {}}};
  const T step = step_of<T>(x, align);
  for (int64_t o = 0; o < x.to; ++o) {
    const T place = x.from == x.to ? static_cast<T>(o) : std::max(place_of(step, o, align), T(0));
    const int64_t first = std::min(static_cast<int64_t>(place), x.from - 1);
    const T rest = std::clamp(place - static_cast<T>(first), T(0), T(1));
    taps.index[0].push_back(first);
    taps.index[1].push_back(std::min(first + 1, x.from - 1));
    taps.weight[0].push_back(static_cast<double>(T(1) - rest));
    taps.weight[1].push_back(static_cast<double>(rest));
  }
  return taps;
}

// Keys' kernel with a = -0.75.
template <class T>
T cubic_near(T x) {
  return (T(1.25) * x - T(2.25)) * x * x + 1;
}
template <class T>
T cubic_far(T x) {
  return ((T(-0.75) * x + T(3.75)) * x - T(6)) * x + T(3);
}
template <class T>
Taps cubic(const Extents& x, bool align) {
  Taps taps{std::vector<std::vector<int64_t>>(4), std::vector<std::vector<double>>(4)};
  const T step = step_of<T>(x, align);
  for (int64_t o = 0; o < x.to; ++o) {
    const T place = x.from == x.to ? static_cast<T>(o) : place_of(step, o, align);
    const int64_t first = std::min(static_cast<int64_t>(std::floor(place)), x.from - 1);
    const T t = std::clamp(place - static_cast<T>(first), T(0), T(1));
    const T weights[] = {cubic_far(t + 1), cubic_near(t), cubic_near(1 - t), cubic_far(2 - t)};
    for (size_t i = 0; i < 4; ++i) {
      taps.index[i].push_back(std::clamp<int64_t>(first - 1 + static_cast<int64_t>(i), 0, x.from - 1));
      taps.weight[i].push_back(static_cast<double>(weights[i]));
    }
  }
  return taps;
}

// The mean of the window [o from / to, (o + 1) from / to), widened to whole elements. A window with fewer elements than
// the widest takes its last one several times, with parts of its weight.
Taps area(const Extents& x) {
  auto first = [&](int64_t o) { return o * x.from / x.to; };
  auto last = [&](int64_t o) { return ((o + 1) * x.from + x.to - 1) / x.to; };
  int64_t widest = 1;
  for (int64_t o = 0; o < x.to; ++o) widest = std::max(widest, last(o) - first(o));
  Taps taps{std::vector<std::vector<int64_t>>(static_cast<size_t>(widest)),
            std::vector<std::vector<double>>(static_cast<size_t>(widest))};
  for (int64_t o = 0; o < x.to; ++o) {
    const int64_t n = last(o) - first(o);
    for (int64_t t = 0; t < widest; ++t) {
      const double share = t < n - 1 ? 1 : 1 / static_cast<double>(widest - n + 1);
      taps.index[static_cast<size_t>(t)].push_back(first(o) + std::min(t, n - 1));
      taps.weight[static_cast<size_t>(t)].push_back(share / static_cast<double>(n));
    }
  }
  return taps;
}

// The elements of v at `index` along dim: a slice or each k times where that is what they are.
Value taken(Emitter& e, Value v, int64_t dim, const std::vector<int64_t>& index) {
  const auto d = static_cast<size_t>(dim);
  const auto n = static_cast<int64_t>(index.size());
  Shape shape = e.b.shape(v);
  const int64_t step = n > 1 ? index[1] - index[0] : 1;
  bool slices = step > 0;
  for (size_t i = 1; slices && i < index.size(); ++i) slices = index[i] - index[i - 1] == step;
  if (slices) return build::slice_axis(e.b, v, dim, index[0], index.back() + 1, step);
  const int64_t times = n / shape[d];
  bool repeats = times > 1 && n % shape[d] == 0;
  for (int64_t i = 0; repeats && i < n; ++i) repeats = index[static_cast<size_t>(i)] == i / times;
  if (repeats) {
    Shape split = shape;
    split.insert(d + 1, times);
    std::vector<int64_t> dims = build::all_axes(shape.size());
    for (size_t i = d + 1; i < dims.size(); ++i) ++dims[i];
    shape[d] = n;
    return build::reshape(e.b, build::broadcast(e.b, v, split, dims), shape);
  }
  build::GatherDims dims;
  for (int64_t i = 0; i < static_cast<int64_t>(shape.size()); ++i)
    if (i != dim) dims.offset_dims.push_back(i);
  dims.collapsed = dims.index_map = {dim};
  shape[d] = 1;
  Value positions = build::constant_data(e.b, DType::i64, {n, 1}, index);
  return build::gather(e.b, v, positions, dims, shape, ir::IndexMode::clip);
}

Value resampled(Emitter& e, Value v, int64_t dim, const Taps& taps) {
  Value total = ir::kNoValue;
  for (size_t t = 0; t < taps.index.size(); ++t) {
    Value part = taken(e, v, dim, taps.index[t]);
    if (!taps.weight.empty()) {
      std::vector<int64_t> words;
      const bool narrow = e.b.dtype(v) != DType::f64;
      for (double w : taps.weight[t])
        words.push_back(std::bit_cast<int64_t>(narrow ? static_cast<double>(static_cast<float>(w)) : w));
      Value weights = build::constant_data(e.b, e.b.dtype(v), {static_cast<int64_t>(words.size())}, words);
      const int64_t along[] = {dim};
      part = build::mul(e.b, part, build::broadcast(e.b, weights, e.b.shape(part), along));
    }
    total = total == ir::kNoValue ? part : build::add(e.b, total, part);
  }
  return total;
}

template <class T>
Taps taps_of(Interpolation mode, const Extents& x, bool align) {
  switch (mode) {
    case Interpolation::nearest:
    case Interpolation::nearest_exact:
      return nearest<T>(x, mode == Interpolation::nearest_exact);
    case Interpolation::linear:
    case Interpolation::bilinear:
    case Interpolation::trilinear:
      return linear<T>(x, align);
    case Interpolation::bicubic:
      return cubic<T>(x, align);
    case Interpolation::area:
      break;
  }
  return area(x);
}

// The rank that a mode is of; 0: 3, 4 and 5.
size_t rank_of(Interpolation mode) {
  switch (mode) {
    case Interpolation::linear:
      return 3;
    case Interpolation::bilinear:
    case Interpolation::bicubic:
      return 4;
    case Interpolation::trilinear:
      return 5;
    case Interpolation::nearest:
    case Interpolation::nearest_exact:
    case Interpolation::area:
      break;
  }
  return 0;
}

std::vector<Extents> extents_of(const Emitter& e, const Shape& shape, const InterpolateOptions& o) {
  const size_t n = shape.size() - 2;
  if (o.size.empty() == o.scale_factor.empty())
    e.fail<ShapeError>(o.size.empty() ? "either size or scale_factor should be defined"
                                      : "only one of size or scale_factor should be defined");
  const size_t given = o.size.empty() ? o.scale_factor.list().size() : o.size.list().size();
  const bool single = o.size.empty() ? o.scale_factor.single() : o.size.single();
  if (!single && given != n)
    e.fail<ShapeError>("Input and " + std::string(o.size.empty() ? "scale_factor" : "output") +
                       " must have the same number of spatial dimensions, but got input with spatial dimensions of " +
                       to_string(shape.slice(2, shape.size())) + " and " + std::to_string(given) + " numbers");
  std::vector<Extents> extents;
  for (size_t i = 0; i < n; ++i) {
    Extents x{shape[i + 2], 0, 0};
    if (o.size.empty()) {
      x.scale = o.scale_factor.list()[single ? 0 : i];
      const double to = std::floor(static_cast<double>(x.from) * x.scale);
      if (!(to < 0x1p53)) e.fail<ShapeError>("the scale_factor " + std::to_string(x.scale) + " is too large");
      x.to = static_cast<int64_t>(to);
    } else {
      x.to = o.size.list()[single ? 0 : i];
    }
    if (x.from < 1 || x.to < 1)
      e.fail<ShapeError>("Input and output sizes should be greater than 0, but got input extent " +
                         std::to_string(x.from) + " and output extent " + std::to_string(x.to) + " of dim " +
                         std::to_string(i + 2));
    extents.push_back(x);
  }
  return extents;
}

}  // namespace

Tensor interpolate(const Tensor& x, const InterpolateOptions& o, Location at) {
  Emitter e("interpolate", at, x);
  const Shape shape = shape_of(x);
  const size_t rank = rank_of(o.mode);
  const bool moves = o.mode == Interpolation::nearest || o.mode == Interpolation::nearest_exact;
  if (shape.size() < 3 || shape.size() > 5 || (rank != 0 && shape.size() != rank))
    e.fail<ShapeError>("expected " + (rank == 0 ? std::string("3D, 4D or 5D") : std::to_string(rank) + "D") +
                       " input for this mode, [n, channels, ...], got " + type_name(x));
  if (o.align_corners && rank == 0)
    e.fail<TransformError>(
        "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear");
  if (!moves && !is_floating(x.dtype()))
    e.fail<DTypeError>("defined for floating dtypes, got " + type_name(x) + ": convert with to(f32)");
  const std::vector<Extents> extents = extents_of(e, shape, o);
  const bool align = o.align_corners.value_or(false);
  Value v = moves ? e(x) : operand(e, x, computing_type(x.dtype()));
  Value given = v;
  for (size_t i = 0; i < extents.size(); ++i) {
    const Extents& at_dim = extents[i];
    Shape result = e.b.shape(v);
    result[i + 2] = at_dim.to;
    check_shape("interpolate", "the result", result, at);
    v = resampled(
        e, v, static_cast<int64_t>(i) + 2,
        x.dtype() == DType::f64 ? taps_of<double>(o.mode, at_dim, align) : taps_of<float>(o.mode, at_dim, align));
  }
  if (v == given && moves) v = e.b.emit(ir::Op::copy_op, {v});
  return e.result(build::convert(e.b, v, x.dtype()));
}

}  // namespace jot::nn::functional
