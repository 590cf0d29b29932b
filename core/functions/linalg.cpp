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

namespace {

Shape batch_of(const Tensor& t) { return shape_of(t).slice(0, shape_of(t).size() - 2); }
Shape matrix_of(const Tensor& t) { return shape_of(t).slice(shape_of(t).size() - 2, shape_of(t).size()); }

void check_matrices(const Emitter& e, const Tensor& t, bool square) {
  const Shape& s = shape_of(t);
  if (s.size() < 2) e.fail<ShapeError>("expected matrices in the last two dims, got " + type_name(t));
  if (square && s[s.size() - 1] != s[s.size() - 2])
    e.fail<ShapeError>("expected square matrices in the last two dims, got " + type_name(t));
  if (!is_floating(t.impl()->dtype()))
    e.fail<DTypeError>("expected a floating-point tensor, got " + type_name(t) + ": convert it with to(f64)");
}

}  // namespace

Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, const SolveTriangular& options, Location at) {
  Emitter e("linalg.solve_triangular", at, a, b);
  check_matrices(e, a, true);
  check_matrices(e, b, false);
  if (a.impl()->dtype() != b.impl()->dtype())
    e.fail<DTypeError>("expected both operands to have the same dtype, got " + type_name(a) + " and " + type_name(b) +
                       ": convert one with to()");
  if (matrix_of(a)[0] != matrix_of(b)[options.left ? 0 : 1])
    e.fail<ShapeError>("expected as many " + std::string(options.left ? "rows" : "columns") + " of b as a has, got " +
                       type_name(a) + " and " + type_name(b));
  Shape batch = broadcast_shapes(e, batch_of(a), batch_of(b));
  Value x = build::broadcast_to(e.b, e(a), batch + matrix_of(a)),
        y = build::broadcast_to(e.b, e(b), batch + matrix_of(b));
  return e.result(
      e.b.emit(ir::Op::triangular_solve_op, {x, y},
               ir::Attrs(int64_t{options.left}, int64_t{!upper}, int64_t{0}, int64_t{options.unitriangular})));
}

namespace {

Value turned(Emitter& e, Value v, bool yes) {
  std::vector<int64_t> perm = build::all_axes(e.b.shape(v).size());
  if (yes) std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return build::permute(e.b, v, perm);
}

}  // namespace

Tensor cholesky(const Tensor& a, bool upper, Location at) {
  Emitter e("linalg.cholesky", at, a);
  check_matrices(e, a, true);
  Value l = emitted_for_call(e, {}, [&] { return e.b.emit(ir::Op::cholesky_op, {turned(e, e(a), upper)}, ir::Attrs(int64_t{1})); });
  return e.result(turned(e, l, upper));
}

}  // namespace jot::linalg
