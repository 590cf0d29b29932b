// Cumulative functions along a dim.
#include <tuple>

#include "core/functions/operands.h"
#include "jot/creation.h"
#include "jot/jot.h"

namespace jot {

using namespace detail;

namespace {

// f's prefixes along dim of x in this dtype; a 0-d tensor is a line of one.
template <class F>
Tensor prefixes_of(std::string_view op, const Tensor& x, DType dtype, int64_t dim, Location at, F f) {
  Composite call(op, at);
  const Shape shape = impl_of(x, op, at).shape;
  const auto d = static_cast<int64_t>(wrap_dim(op, dim, shape.size(), at));
  if (shape.numel() == 0 || shape.empty()) return x.to(dtype, at).clone(at);
  return associative_scan(f, x.to(dtype, at), {.dim = d}, at);
}
DType summed(std::string_view op, const Tensor& x, Location at) {
  const DType dtype = impl_of(x, op, at).dtype();
  return is_floating(dtype) ? dtype : DType::i64;
}

// The places of the extremes so far, of which later(new, old) says where the new one is taken.
template <class F>
ValuesIndices extremes(std::string_view op, const Tensor& x, int64_t dim, Location at, F later) {
  Composite call(op, at);
  const Shape shape = impl_of(x, op, at).shape;
  const auto d = static_cast<int64_t>(wrap_dim(op, dim, shape.size(), at));
  if (shape.empty()) return {x.clone(at), zeros({}, DType::i64, at)};
  if (shape.numel() == 0) return {x.clone(at), zeros(shape, DType::i64, at)};
  Shape along(std::vector<int64_t>(shape.size(), 1));
  along[static_cast<size_t>(d)] = shape[static_cast<size_t>(d)];
  Tensor places = arange(shape[static_cast<size_t>(d)]).reshape(along, at).expand(shape, at);
  auto combine = [later](const std::pair<Tensor, Tensor>& a, const std::pair<Tensor, Tensor>& b) {
    Tensor taken = logical_or(b.first != b.first, logical_and(a.first == a.first, later(b.first, a.first)));
    return std::pair{where(taken, b.first, a.first), where(taken, b.second, a.second)};
  };
  Tensor found = associative_scan(combine, std::pair{x.detach(at), places}, {.dim = d}, at).second;
  return {gather(x, d, found, at), found};
}

}  // namespace

Tensor cumsum(const Tensor& x, int64_t dim, Location at) {
  return prefixes_of("cumsum", x, summed("cumsum", x, at), dim, at,
                     [](const Tensor& a, const Tensor& b) { return a + b; });
}
Tensor cumprod(const Tensor& x, int64_t dim, Location at) {
  return prefixes_of("cumprod", x, summed("cumprod", x, at), dim, at,
                     [](const Tensor& a, const Tensor& b) { return a * b; });
}
// An infinite maximum is not subtracted.
Tensor logcumsumexp(const Tensor& x, int64_t dim, Location at) {
  const DType dtype = impl_of(x, "logcumsumexp", at).dtype();
  if (!is_floating(dtype))
    fail<DTypeError>("logcumsumexp", "expected a floating dtype, got " + type_name(x) + ": convert with to(f32)", at);
  return prefixes_of("logcumsumexp", x, dtype, dim, at, [](const Tensor& a, const Tensor& b) {
    Tensor top = maximum(a, b).detach();
    top = where(abs(top) == inf, 0.0, top).to(a.dtype());
    return top + log(exp(a - top) + exp(b - top));
  });
}

ValuesIndices cummax(const Tensor& x, int64_t dim, Location at) {
  return extremes("cummax", x, dim, at, [](const Tensor& b, const Tensor& a) { return b >= a; });
}
ValuesIndices cummin(const Tensor& x, int64_t dim, Location at) {
  return extremes("cummin", x, dim, at, [](const Tensor& b, const Tensor& a) { return b <= a; });
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
