// Cumulative functions along a dim.
#include "core/functions/operands.h"
#include "jot/creation.h"
#include "jot/jot.h"

namespace jot {

using namespace detail;

namespace {

namespace build = ir::build;
using ir::Op;
using ir::Value;

// An op along dim of a value of x's shape, which a 0-d tensor has as a line of one: its first result.
Value along(Emitter& e, Op op, const Tensor& x, DType dtype, int64_t dim) {
  const Shape& shape = shape_of(x);
  const auto d = static_cast<int64_t>(wrap_dim(e, dim, shape.size()));
  Value v = operand(e, x, dtype);
  return build::cumulative(e.b, op, shape.empty() ? build::reshape(e.b, v, {1}) : v, d);
}
Value shaped_as(Emitter& e, Value v, const Tensor& x) { return build::reshape(e.b, v, shape_of(x)); }

// Of integers and booleans i64.
Tensor combined(std::string_view name, Op op, const Tensor& x, int64_t dim, Location at) {
  Emitter e(name, at, x);
  const DType dtype = x.impl()->dtype();
  return e.result(shaped_as(e, along(e, op, x, is_floating(dtype) ? dtype : DType::i64, dim), x));
}

ValuesIndices extremes(std::string_view name, Op op, const Tensor& x, int64_t dim, Location at) {
  Emitter e(name, at, x);
  const DType dtype = x.impl()->dtype();
  Value first = along(e, op, x, dtype == DType::boolean ? DType::i32 : dtype, dim);
  Tensor values = e.result(shaped_as(e, build::convert(e.b, first, dtype), x));
  return {values, e.result(shaped_as(e, first + 1, x))};
}

}  // namespace

Tensor cumsum(const Tensor& x, int64_t dim, Location at) {
  return combined("cumsum", Op::cumulative_sum_op, x, dim, at);
}
Tensor cumprod(const Tensor& x, int64_t dim, Location at) {
  return combined("cumprod", Op::cumulative_prod_op, x, dim, at);
}
Tensor logcumsumexp(const Tensor& x, int64_t dim, Location at) {
  Emitter e("logcumsumexp", at, x);
  const DType dtype = x.impl()->dtype();
  if (!is_floating(dtype))
    e.fail<DTypeError>("expected a floating dtype, got " + type_name(x) + ": convert with to(f32)");
  return e.result(shaped_as(e, along(e, Op::cumulative_logsumexp_op, x, dtype, dim), x));
}

ValuesIndices cummax(const Tensor& x, int64_t dim, Location at) {
  return extremes("cummax", Op::cumulative_max_op, x, dim, at);
}
ValuesIndices cummin(const Tensor& x, int64_t dim, Location at) {
  return extremes("cummin", Op::cumulative_min_op, x, dim, at);
}

// In each sorted line the runs of equal elements: how far each place is from where its run began is greatest at the end
// of the longest.
ValuesIndices mode(const Tensor& x, int64_t dim, bool keepdim, Location at) {
  Composite call("mode", at);
  const Shape shape = impl_of(x, "mode", at).shape;
  const size_t d = wrap_dim("mode", dim, shape.size(), at);
  if (shape.empty()) return {x.clone(at), zeros({}, DType::i64, at)};
  const int64_t n = shape[d];
  if (n == 0) fail<ShapeError>("mode", "Expected reduction dim " + std::to_string(d) + " to have non-zero size", at);
  const auto axis = static_cast<int64_t>(d);
  auto [values, places] = sort(x, axis, false, true, at);
  Tensor begins = values.slice(axis, 1, none, 1, at) != values.slice(axis, 0, n - 1, 1, at);
  Shape along(std::vector<int64_t>(shape.size(), 1));
  along[d] = n;
  Tensor place = arange(n).reshape(along, at);
  Tensor start = where(begins, place.slice(axis, 1, none, 1, at), 0);
  start = cat({zeros_like(places.slice(axis, 0, 1, 1, at), {}, at), start}, axis, at);
  Tensor length = place - cummax(start, axis, at).values;
  Tensor chosen = gather(places, axis, argmax(length, axis, true, at), at);
  Tensor most = gather(x, axis, chosen, at);
  return keepdim ? ValuesIndices{most, chosen} : ValuesIndices{most.squeeze(axis, at), chosen.squeeze(axis, at)};
}

}  // namespace jot
