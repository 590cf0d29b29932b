// Triangular systems, the factor of positive-definite matrices, and what is made of it.
#include "core/functions/linalg/matrices.h"
#include "jot/creation.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;

namespace linalg {

void check_matrices(const Emitter& e, const Tensor& t, bool square) {
  const Shape& s = shape_of(t);
  if (s.size() < 2) e.fail<ShapeError>("expected matrices in the last two dims, got " + type_name(t));
  if (square && s[s.size() - 1] != s[s.size() - 2])
    e.fail<ShapeError>("expected square matrices in the last two dims, got " + type_name(t));
  if (!is_floating(t.impl()->dtype()))
    e.fail<DTypeError>("expected a floating-point tensor, got " + type_name(t) + ": convert it with to(f64)");
}

void check_same_dtype(const Emitter& e, const Tensor& a, const Tensor& b) {
  if (a.impl()->dtype() != b.impl()->dtype())
    e.fail<DTypeError>("expected both operands to have the same dtype, got " + type_name(a) + " and " + type_name(b) +
                       ": convert one with to()");
}

Value with_batch(Emitter& e, Value v, const Shape& batch) {
  const Shape shape = e.b.shape(v);
  return build::broadcast_to(e.b, v, batch + shape.slice(shape.size() - 2, shape.size()));
}

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

Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, const SolveTriangular& options, Location at) {
  Emitter e("linalg.solve_triangular", at, a, b);
  check_matrices(e, a, true);
  check_matrices(e, b, false);
  check_same_dtype(e, a, b);
  if (rows_of(a) != (options.left ? rows_of(b) : columns_of(b)))
    e.fail<ShapeError>("expected as many " + std::string(options.left ? "rows" : "columns") + " of b as a has, got " +
                       type_name(a) + " and " + type_name(b));
  Shape batch = broadcast_shapes(e, batch_of(a), batch_of(b));
  const ir::TriangularSolve s{options.left, !upper, false, options.unitriangular};
  return e.result(s.emit(e.b, with_batch(e, e(a), batch), with_batch(e, e(b), batch)));
}

namespace {

Value turned_if(Emitter& e, Value v, bool yes) { return yes ? ir::turned(e.b, v) : v; }

CholeskyEx factored(Emitter& e, const Tensor& a, bool upper, bool check) {
  check_matrices(e, a, true);
  Value l = emitted_for_call(
      e, {}, [&] { return e.b.emit(ir::Op::cholesky_op, {turned_if(e, e(a), upper)}, ir::Attrs(int64_t{check})); });
  Tensor factor = e.result(turned_if(e, l, upper));
  return {factor, check ? Tensor() : e.result(l + 1)};
}

}  // namespace

Tensor cholesky(const Tensor& a, bool upper, Location at) {
  Emitter e("linalg.cholesky", at, a);
  return factored(e, a, upper, true).L;
}
CholeskyEx cholesky_ex(const Tensor& a, bool upper, Location at) {
  Emitter e("linalg.cholesky_ex", at, a);
  return factored(e, a, upper, false);
}

}  // namespace linalg

Tensor cholesky_solve(const Tensor& b, const Tensor& L, bool upper, Location at) {
  Composite call("cholesky_solve", at);
  Tensor l = upper ? L.mT(at) : L;
  return linalg::solve_triangular(l.mT(at), linalg::solve_triangular(l, b, false, {}, at), true, {}, at);
}

Tensor cholesky_inverse(const Tensor& L, bool upper, Location at) {
  Composite call("cholesky_inverse", at);
  impl_of(L, "cholesky_inverse", at);
  const Shape& s = shape_of(L);
  if (s.size() < 2)
    fail<ShapeError>("cholesky_inverse", "expected matrices in the last two dims, got " + type_name(L), at);
  return cholesky_solve(eye(s.back(), L.impl()->dtype()), L, upper, at);
}

}  // namespace jot
