// What elements are the greatest, in the middle, the most; and how they scatter.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/functions/demands.h"
#include "core/functions/operands.h"
#include "ir/ops/order.h"
#include "jot/creation.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Direction;
using ir::Op;
using ir::Value;

namespace {

// A line along a dim: x with at least one dim (of a 0-d tensor, or without dim the flattened one), and which.
struct Line {
  Value x;
  int64_t dim;
  int64_t extent;
};
Line line_of(Emitter& e, const Tensor& t, std::optional<Dim> dim) {
  Value v = e(t);
  if (t.impl()->dtype() == DType::boolean) v = build::convert(e.b, v, DType::i32);
  auto d = dim ? static_cast<int64_t>(wrap_dim(e, *dim, shape_of(t).size())) : 0;
  if (!dim || shape_of(t).empty()) v = build::reshape(e.b, v, {shape_of(t).numel()});
  return {v, d, e.b.shape(v)[static_cast<size_t>(d)]};
}
void check_some(const Emitter& e, const Line& line, const Tensor& x) {
  if (line.extent == 0)
    e.fail<ShapeError>("Expected reduction dim " + std::to_string(line.dim) + " to have non-zero size, got " +
                       type_name(x));
}

// Positions along the line, i64, its dim kept as extent 1.
Value first_extreme(Emitter& e, Op op, const Line& line) {
  Shape kept = e.b.shape(line.x);
  kept[static_cast<size_t>(line.dim)] = 1;
  return build::reshape(e.b, e.b.emit(op, {line.x}, ir::Attrs(line.dim)), kept);
}

// A reduction's result along `dim` of x (none: of all), whose own shape is any with as many elements.
Tensor shaped(Emitter& e, Value v, const Tensor& x, std::optional<Dim> dim, bool keepdim) {
  Shape shape;
  if (!shape_of(x).empty() && (dim || keepdim)) {
    shape = shape_of(x);
    const size_t d = dim ? wrap_dim(e, *dim, shape.size()) : 0;
    for (size_t i = 0; i < shape.size(); ++i)
      if (!dim || i == d) shape[i] = 1;
    if (!keepdim) shape.erase(d);
  }
  return e.result(build::reshape(e.b, v, shape));
}

// The elements at places, which have extent 1 along the line.
ValuesIndices taken(Emitter& e, const Line& line, Value values, Value places, const Tensor& x, Dim dim, bool keepdim) {
  Value v = build::convert(e.b, ir::taken_along(e.b, values, places, line.dim), x.impl()->dtype());
  Tensor first = shaped(e, v, x, dim, keepdim);
  return {first, shaped(e, places, x, dim, keepdim)};
}

ValuesIndices extreme(std::string_view name, Op op, const Tensor& x, Dim dim, bool keepdim, Location at) {
  Emitter e(name, at, x);
  Line line = line_of(e, x, dim);
  check_some(e, line, x);
  return taken(e, line, line.x, first_extreme(e, op, line), x, dim, keepdim);
}
Value place(Emitter& e, Op op, const Tensor& x, std::optional<Dim> dim, bool keepdim) {
  Line line = line_of(e, x, dim);
  check_some(e, line, x);
  Value v = first_extreme(e, op, line);
  Shape shape = dim && !shape_of(x).empty() ? e.b.shape(v) : Shape(std::vector<int64_t>(shape_of(x).size(), 1));
  if (!keepdim)
    shape = dim && !shape.empty() ? shape.slice(0, static_cast<size_t>(line.dim)) +
                                        shape.slice(static_cast<size_t>(line.dim) + 1, shape.size())
                                  : Shape{};
  return build::reshape(e.b, v, shape);
}

// ---- sorted lines

struct Sorted {
  Line line;
  Value values, places;
};
Sorted sorted(Emitter& e, const Tensor& x, std::optional<Dim> dim) {
  Line line = line_of(e, x, dim);
  Value operands[] = {line.x, build::iota(e.b, DType::i64, e.b.shape(line.x), line.dim)};
  Value first = build::sort(e.b, operands, line.dim, false);
  return {line, first, first + 1};
}

// How many elements of each line are not NaN, its dim kept.
Value numbers(Emitter& e, const Line& line) {
  Value valid = build::convert(e.b, build::compare(e.b, line.x, line.x, Direction::eq), DType::i64);
  return reduce(e, Op::reduce_sum_op, valid, {line.dim}, true);
}
Value number_like(Emitter& e, Value v, int64_t n) { return build::constant_int(e.b, e.b.dtype(v), e.b.shape(v), n); }

// The place in the sorted line of the lower median; where a NaN counts, of the first NaN.
Value middle(Emitter& e, const Line& line, bool skip_nan) {
  Value n = numbers(e, line), one = number_like(e, n, 1), zero = number_like(e, n, 0);
  Value half = build::div(e.b, build::sub(e.b, n, one), number_like(e, n, 2));
  if (skip_nan) return build::where(e.b, build::compare(e.b, n, zero, Direction::eq), zero, half);
  return build::where(e.b, build::compare(e.b, n, number_like(e, n, line.extent), Direction::lt), n, half);
}

ValuesIndices median_along(std::string_view name, const Tensor& x, Dim dim, bool keepdim, bool skip_nan, Location at) {
  Emitter e(name, at, x);
  Sorted s = sorted(e, x, dim);
  check_some(e, s.line, x);
  Value places = ir::taken_along(e.b, s.places, middle(e, s.line, skip_nan), s.line.dim);
  return taken(e, s.line, s.line.x, places, x, dim, keepdim);
}

// Elements that equal it share the derivative, as those of a maximum do.
Tensor median_of_all(std::string_view name, const Tensor& x, bool skip_nan, Location at) {
  Emitter e(name, at, x);
  const DType dtype = x.impl()->dtype();
  if (shape_of(x).numel() == 0)
    return e.result(splat(e, dtype, {}, is_floating(dtype) ? std::numeric_limits<double>::quiet_NaN() : 0));
  Sorted s = sorted(e, x, std::nullopt);
  Value v = ir::taken_along(e.b, s.values, middle(e, s.line, skip_nan), 0);
  if (!is_floating(dtype)) return e.result(build::convert(e.b, build::reshape(e.b, v, {}), dtype));
  v = build::unary(e.b, Op::stop_gradient_op, build::reshape(e.b, v, {}));
  Value all = build::broadcast_scalar(e.b, v, e.b.shape(s.line.x));
  auto is_nan = [&](Value y) { return build::compare(e.b, y, y, Direction::ne); };
  Value same = build::binary(e.b, Op::or_op, build::compare(e.b, s.line.x, all, Direction::eq),
                             build::binary(e.b, Op::and_op, is_nan(s.line.x), is_nan(all)));
  Value least = splat(e, dtype, e.b.shape(s.line.x), -inf);
  return e.result(reduce(e, Op::reduce_max_op, build::where(e.b, same, s.line.x, least), {0}, false));
}

// Of the elements around a place; at(rounding of the place).
template <class At>
Value between(Emitter& e, Quantile interpolation, Value rank, At at) {
  if (interpolation == Quantile::lower) return at(Op::floor_op);
  if (interpolation == Quantile::higher) return at(Op::ceil_op);
  if (interpolation == Quantile::nearest) return at(Op::round_even_op);
  const DType within = e.b.dtype(rank);
  const Shape shape = e.b.shape(rank);
  Value a = at(Op::floor_op), b = at(Op::ceil_op), half = splat(e, within, shape, 0.5);
  Value weight =
      interpolation == Quantile::midpoint ? half : build::sub(e.b, rank, build::unary(e.b, Op::floor_op, rank));
  // From the nearer end, so that equal ends are exact.
  Value step = build::sub(e.b, b, a), one = splat(e, within, shape, 1);
  Value from_low = build::add(e.b, a, build::mul(e.b, weight, step));
  Value from_high = build::sub(e.b, b, build::mul(e.b, build::sub(e.b, one, weight), step));
  return build::where(e.b, build::compare(e.b, weight, half, Direction::lt), from_low, from_high);
}

Tensor quantile_of(std::string_view name, const Tensor& x, const Arg& q, std::optional<Dim> dim, bool keepdim,
                   bool skip_nan, Quantile interpolation) {
  Emitter e(name, q.at(), x, q);
  const DType dtype = x.impl()->dtype();
  if (!is_floating(dtype)) e.fail<DTypeError>("input tensor must be either float or double dtype, got " + type_name(x));
  if (shape_of(x).numel() == 0) e.fail<ShapeError>("input tensor must be non-empty, got " + type_name(x));
  if (q.is_tensor() && q.tensor().impl()->dtype() != dtype)
    e.fail<DTypeError>("q tensor must be same dtype as the input tensor, got " + type_name(q.tensor()) + " for " +
                       type_name(x));
  const Shape many = shape_of(q);
  if (many.size() > 1) e.fail<ShapeError>("q must be a scalar or 1D tensor, got " + type_name(q.tensor()));
  if (!q.is_tensor() && !(q.number().real >= 0 && q.number().real <= 1))
    e.fail<Error>("q must be in the range [0, 1] but got " + number_text(q.number().real));
  Tensor known;
  if (q.is_tensor()) known = demanded(name, q.tensor(), {0, 1}, "q must be in the range [0, 1] but got {}", q.at());
  const DType within = computing_type(dtype);
  Sorted s = sorted(e, x, dim);
  // Along the line one place for each q.
  Shape shape = e.b.shape(s.line.x);
  shape[static_cast<size_t>(s.line.dim)] = many.numel();
  const int64_t along[] = {s.line.dim};
  Value asked = build::broadcast(
      e.b, build::reshape(e.b, operand(e, q.is_tensor() ? Arg(known, q.at()) : q, within, many), {many.numel()}), shape,
      along);
  Value n = numbers(e, s.line);
  Value count = build::convert(e.b, n, within);
  Value last = build::broadcast_to(e.b, build::sub(e.b, count, splat(e, within, e.b.shape(n), 1)), shape);
  Value rank = build::mul(e.b, asked, last);
  auto at = [&](Op rounding) {
    Value place = build::convert(e.b, build::unary(e.b, rounding, rank), DType::i64);
    return build::convert(e.b, ir::taken_along(e.b, s.values, place, s.line.dim), within);
  };
  Value v = between(e, interpolation, rank, at), nan = splat(e, within, shape, std::nan(""));
  if (!skip_nan) {
    Value all = build::constant_int(e.b, DType::i64, shape, s.line.extent);
    v = build::where(e.b, build::compare(e.b, build::broadcast_to(e.b, n, shape), all, Direction::lt), nan, v);
  }
  // q first, then what is left of x's dims.
  std::vector<int64_t> perm = {s.line.dim};
  for (int64_t d = 0; d < static_cast<int64_t>(shape.size()); ++d)
    if (d != s.line.dim) perm.push_back(d);
  v = build::convert(e.b, build::permute(e.b, v, perm), dtype);
  Shape kept;
  if (!shape_of(x).empty() && (dim || keepdim)) {
    kept = shape_of(x);
    for (size_t d = 0; d < kept.size(); ++d)
      if (!dim || static_cast<int64_t>(d) == s.line.dim) kept[d] = 1;
    if (!keepdim) kept.erase(static_cast<size_t>(s.line.dim));
  }
  Tensor r = e.result(build::reshape(e.b, v, many + kept));
  return r;
}

}  // namespace

ValuesIndices max(const Tensor& x, Dim dim, bool keepdim, Location at) {
  return extreme("max", Op::argmax_op, x, dim, keepdim, at);
}
ValuesIndices min(const Tensor& x, Dim dim, bool keepdim, Location at) {
  return extreme("min", Op::argmin_op, x, dim, keepdim, at);
}

namespace compose {
Value argmax(Emitter& e, const Tensor& x, std::optional<Dim> dim, bool keepdim) {
  return place(e, Op::argmax_op, x, dim, keepdim);
}
Value argmin(Emitter& e, const Tensor& x, std::optional<Dim> dim, bool keepdim) {
  return place(e, Op::argmin_op, x, dim, keepdim);
}
}  // namespace compose

MinMax aminmax(const Tensor& x, std::optional<Dim> dim, bool keepdim, Location at) {
  Composite call("aminmax", at);
  Axes dims = dim ? Axes(static_cast<int64_t>(*dim)) : Axes();
  return {amin(x, dims, keepdim, at), amax(x, dims, keepdim, at)};
}

Tensor count_nonzero(const Tensor& x, const Axes& dims, Location at) {
  Composite call("count_nonzero", at);
  impl_of(x, "count_nonzero", at);
  return sum(x != 0, dims, false, at);
}

VarMean var_mean(const Tensor& x, const Axes& dims, double correction, bool keepdim, Location at) {
  Composite call("var_mean", at);
  Tensor v = var(x, dims, correction, keepdim, at);
  return {v, mean(x, dims, keepdim, at)};
}
StdMean std_mean(const Tensor& x, const Axes& dims, double correction, bool keepdim, Location at) {
  Composite call("std_mean", at);
  Tensor v = jot::std(x, dims, correction, keepdim, at);
  return {v, mean(x, dims, keepdim, at)};
}

Tensor nansum(const Tensor& x, const Axes& dims, bool keepdim, Location at) {
  Composite call("nansum", at);
  impl_of(x, "nansum", at);
  return sum(where(x == x, x, 0), dims, keepdim, at);
}
Tensor nanmean(const Tensor& x, const Axes& dims, bool keepdim, Location at) {
  Composite call("nanmean", at);
  if (!is_floating(impl_of(x, "nanmean", at).dtype()))
    fail<DTypeError>("nanmean", "expected a floating dtype, got " + type_name(x) + ": convert with to(f32)", at);
  return nansum(x, dims, keepdim, at) / sum(x == x, dims, keepdim, at).to(x.dtype());
}

Tensor softmin(const Tensor& x, int64_t dim, Location at) {
  Composite call("softmin", at);
  impl_of(x, "softmin", at);
  return softmax(-x, dim, at);
}

Tensor median(const Tensor& x, Location at) { return median_of_all("median", x, false, at); }
Tensor nanmedian(const Tensor& x, Location at) { return median_of_all("nanmedian", x, true, at); }
ValuesIndices median(const Tensor& x, Dim dim, bool keepdim, Location at) {
  return median_along("median", x, dim, keepdim, false, at);
}
ValuesIndices nanmedian(const Tensor& x, Dim dim, bool keepdim, Location at) {
  return median_along("nanmedian", x, dim, keepdim, true, at);
}

ValuesIndices kthvalue(const Tensor& x, int64_t k, int64_t dim, bool keepdim, Location at) {
  Emitter e("kthvalue", at, x);
  Sorted s = sorted(e, x, dim);
  if (k < 1 || k > s.line.extent)
    e.fail<ShapeError>("selected index k out of range: k is " + std::to_string(k) + ", expected 1 to " +
                       std::to_string(s.line.extent) + ", the extent of dim " + std::to_string(s.line.dim) + " of " +
                       type_name(x));
  Value values = build::convert(e.b, build::slice_axis(e.b, s.values, s.line.dim, k - 1, k), x.impl()->dtype());
  Tensor first = shaped(e, values, x, dim, keepdim);
  return {first, shaped(e, build::slice_axis(e.b, s.places, s.line.dim, k - 1, k), x, dim, keepdim)};
}

Tensor quantile(const Tensor& x, const Arg& q, std::optional<Dim> dim, bool keepdim, Quantile interpolation) {
  return quantile_of("quantile", x, q, dim, keepdim, false, interpolation);
}
Tensor nanquantile(const Tensor& x, const Arg& q, std::optional<Dim> dim, bool keepdim, Quantile interpolation) {
  return quantile_of("nanquantile", x, q, dim, keepdim, true, interpolation);
}

Tensor cov(const Tensor& x, const CovOptions& options, Location at) {
  Composite call("cov", at);
  const Shape& shape = impl_of(x, "cov", at).shape;
  if (shape.size() > 2)
    fail<ShapeError>("cov",
                     "expected input to have two or fewer dimensions but got an input with " +
                         std::to_string(shape.size()) + " dimensions",
                     at);
  if (x.dtype() == DType::boolean) fail<DTypeError>("cov", "bool dtype is not supported for input", at);
  Tensor v = (shape.size() == 2 ? x : x.reshape({1, -1}, at)), w;
  Promotion types;
  types.add(Arg(v, at));
  if (options.aweights.defined()) types.add(Arg(options.aweights, at));
  v = v.to(floating(types.result()), at);
  const int64_t n = v.size(1);
  for (const Tensor* t : {&options.fweights, &options.aweights}) {
    if (!t->defined()) continue;
    const bool counts = t == &options.fweights;
    if (t->dim() > 1 || t->numel() != n)
      fail<ShapeError>("cov",
                       std::string(counts ? "fweights" : "aweights") + " must be a vector of " + std::to_string(n) +
                           " elements, one for each column of " + type_name(x) + ", got " + type_name(*t),
                       at);
    if (is_floating(t->dtype()) == counts)
      fail<DTypeError>("cov",
                       counts ? "fweights must be integral, got " + type_name(*t)
                              : "aweights must be floating, got " + type_name(*t),
                       at);
    Tensor known =
        demanded("cov", t->to(v.dtype(), at).reshape({n}, at), {0, inf},
                 std::string("expected ") + (counts ? "fweights" : "aweights") + " that are not negative, got {}", at);
    w = w.defined() ? w * known : known;
  }
  Tensor total = w.defined() ? sum(w) : full({}, Arg(static_cast<double>(n), at), v.dtype());
  if (w.defined())
    total = demanded("cov", total, {0, inf, true}, "expected weights of which one at least is above 0, got a sum of {}",
                     at);
  Tensor average = w.defined() ? sum(v * w, 1) / total : sum(v, 1) / total;
  Tensor divisor = total - options.correction;
  if (options.aweights.defined() && options.correction != 0)
    divisor = total - options.correction * sum(w * options.aweights.to(v.dtype(), at).reshape({n}, at)) / total;
  Tensor deviation = v - average.unsqueeze(1, at), scaled = w.defined() ? deviation * w : deviation;
  Tensor c = matmul(deviation, scaled.t(at), at) / clamp(divisor, 0, none);
  return c.numel() == 1 ? c.reshape({}, at) : c;
}

Tensor corrcoef(const Tensor& x, Location at) {
  Composite call("corrcoef", at);
  const Shape& shape = impl_of(x, "corrcoef", at).shape;
  if (shape.size() > 2)
    fail<ShapeError>("corrcoef",
                     "expected input to have two or fewer dimensions but got an input with " +
                         std::to_string(shape.size()) + " dimensions",
                     at);
  Tensor c = cov(x, {}, at);
  if (shape_of(c).empty()) return c / c;
  Tensor deviation = sqrt(c.diagonal(0, 0, 1, at));
  return clamp(c / deviation.unsqueeze(1, at) / deviation.unsqueeze(0, at), -1, 1);
}

}  // namespace jot
