#include "core/functions/operands.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Value;

namespace {

// The lines along dim, a 0-d tensor as a line of one.
struct Line {
  Value v;
  int64_t dim, extent;
};
Line line_of(Emitter& e, const Tensor& x, int64_t dim) {
  const Shape& shape = shape_of(x);
  Value v = e(x);
  if (shape.empty()) v = build::reshape(e.b, v, {1});
  const size_t d = wrap_dim(e, dim, std::max<size_t>(shape.size(), 1));
  return {v, static_cast<int64_t>(d), e.b.shape(v)[d]};
}
// The first two results of an op; of a 0-d tensor's line of one 0-d.
ValuesIndices results(Emitter& e, Value first, const Tensor& x) {
  auto result = [&](Value v) {
    if (shape_of(x).empty() && e.b.shape(v).numel() == 1) v = build::reshape(e.b, v, {});
    return e.result(v);
  };
  Tensor values = result(first);
  return {values, result(first + 1)};
}

ValuesIndices sorted(Emitter& e, const Tensor& x, int64_t dim, bool descending) {
  const Line line = line_of(e, x, dim);
  Value operands[] = {line.v, build::iota(e.b, DType::i64, e.b.shape(line.v), line.dim)};
  return results(e, build::sort(e.b, operands, line.dim, descending), x);
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
  const Line line = line_of(e, x, dim);
  if (k < 0 || k > line.extent)
    e.fail<ShapeError>("k is " + std::to_string(k) + ", expected 0 to " + std::to_string(line.extent) +
                       ", the extent of dim " + std::to_string(line.dim) + " of " + type_name(x));
  return results(e, build::top_k(e.b, line.v, line.dim, k, largest), x);
}

}  // namespace jot
