#include "core/functions/operands.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Value;

namespace {

// The first k of each sorted line.
ValuesIndices sorted(Emitter& e, const Tensor& x, int64_t dim, bool descending, std::optional<int64_t> k = {}) {
  Value v = e(x);
  const Shape shape = shape_of(x);
  bool one = shape.empty();  // a line of one
  if (one) v = build::reshape(e.b, v, {1});
  auto axis = static_cast<int64_t>(wrap_dim(e, dim, std::max<size_t>(shape.size(), 1)));
  int64_t extent = e.b.shape(v)[static_cast<size_t>(axis)];
  if (k && (*k < 0 || *k > extent))
    e.fail<ShapeError>("k is " + std::to_string(*k) + ", expected 0 to " + std::to_string(extent) +
                       ", the extent of dim " + std::to_string(axis) + " of " + type_name(x));
  Value operands[] = {v, build::iota(e.b, DType::i64, e.b.shape(v), axis)};
  Value first = build::sort(e.b, operands, axis, descending);
  auto result = [&](Value part) {
    if (k) part = build::slice_axis(e.b, part, axis, 0, *k);
    if (one && e.b.shape(part).numel() == 1) part = build::reshape(e.b, part, {});
    return e.result(part);
  };
  Tensor values = result(first);
  return {values, result(first + 1)};
}

}  // namespace

ValuesIndices sort(const Tensor& x, int64_t dim, bool descending, bool, Location at) {
  Emitter e("sort", at, x);
  return sorted(e, x, dim, descending);
}
Tensor argsort(const Tensor& x, int64_t dim, bool descending, bool, Location at) {
  Emitter e("argsort", at, x);
  return sorted(e, x, dim, descending).indices;
}
Tensor msort(const Tensor& x, Location at) {
  Emitter e("msort", at, x);
  return sorted(e, x, 0, false).values;
}
ValuesIndices topk(const Tensor& x, int64_t k, int64_t dim, bool largest, bool, Location at) {
  Emitter e("topk", at, x);
  return sorted(e, x, dim, largest, k);
}

}  // namespace jot
