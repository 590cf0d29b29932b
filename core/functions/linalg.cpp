#include "jot/linalg.h"

#include "core/functions/operands.h"

namespace jot::linalg {

using namespace detail;
namespace build = ir::build;
using ir::Value;

Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2, Location at) {
  return jot::diagonal(x, offset, dim1, dim2, at);
}

Tensor vecdot(const Tensor& a, const Tensor& b, int64_t dim, Location at) {
  Emitter e("linalg.vecdot", at, a, b);
  Arg x(a, at), y(b, at);
  DType dtype = promoted({&x, &y});
  if (dtype == DType::boolean) e.fail<DTypeError>("not defined for booleans: convert with to(i64)");
  Shape shape = broadcast_shapes(e, shape_of(a), shape_of(b));
  if (shape.empty()) e.fail<ShapeError>("expected a vector along dim " + std::to_string(dim) + ", got two 0-d tensors");
  auto d = static_cast<int64_t>(wrap_dim(e, dim, shape.size()));
  Value v = build::mul(e.b, operand(e, x, dtype, shape), operand(e, y, dtype, shape));
  return e.result(build::reduce_sum(e.b, v, ir::Ints(&d, 1)));
}

}  // namespace jot::linalg
