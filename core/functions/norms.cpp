// Norms of vectors and what is made of them.
#include <cmath>

#include "core/functions/forms.h"
#include "jot/linalg.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Direction;
using ir::Op;
using ir::Value;

namespace {

// x^p of x >= 0: 0 (of p < 0 inf) where x is 0, which has no derivative there.
Value power(Emitter& e, Value x, double p) {
  if (p == std::trunc(p) && std::abs(p) < 64) return build::integer_pow(e.b, x, static_cast<int64_t>(p));
  const DType dtype = e.b.dtype(x);
  const Shape shape = e.b.shape(x);
  Value zero = build::compare(e.b, x, build::zeros_like(e.b, x), Direction::eq);
  Value safe = build::where(e.b, zero, splat(e, dtype, shape, 1), x);
  Value r = p == 0.5 ? build::unary(e.b, Op::sqrt_op, safe)
                     : build::unary(e.b, Op::exp_op, build::scale(e.b, build::unary(e.b, Op::log_op, safe), p));
  return build::where(e.b, zero, splat(e, dtype, shape, p < 0 ? inf : 0), r);
}

}  // namespace

namespace {

Value norm_of_powers(Emitter& e, const Tensor& x, const Ord& ord, const Axes& axes, bool keepdim) {
  if (!ord.name().empty() && ord.name() != "fro")
    e.fail<Error>("the order \"" + ord.name() + "\" is not known: expected a number, inf, \"fro\" or \"nuc\"");
  const DType dtype = x.impl()->dtype();
  if (!is_floating(dtype))
    e.fail<DTypeError>("expected a floating dtype, got " + type_name(x) + ": convert with to(f32)");
  const double p = ord.name().empty() ? ord.number() : 2;
  const std::vector<int64_t> dims = wrap_dims(e, axes, shape_of(x).size());
  Value v = operand(e, x, computing_type(dtype));
  if (p != 2 || dims.empty()) v = build::unary(e.b, Op::abs_op, v);
  if (std::isinf(p) || p < 0)
    for (int64_t d : dims)
      if (shape_of(x)[static_cast<size_t>(d)] == 0)
        e.fail<ShapeError>("the norm of order " + number_text(p) + " of nothing is not defined, got " + type_name(x));
  Value r;
  if (std::isinf(p)) {
    r = reduce(e, p > 0 ? Op::reduce_max_op : Op::reduce_min_op, v, dims, keepdim);
  } else if (p == 0) {
    Value counted = build::convert(e.b, build::compare(e.b, v, build::zeros_like(e.b, v), Direction::ne), e.b.dtype(v));
    r = reduce(e, Op::reduce_sum_op, counted, dims, keepdim);
  } else if (dims.empty()) {
    r = v;
  } else {
    r = reduce(e, Op::reduce_sum_op, p == 2 ? build::mul(e.b, v, v) : p == 1 ? v : power(e, v, p), dims, keepdim);
    if (p != 1) r = power(e, r, 1 / p);
  }
  return build::convert(e.b, r, dtype);
}

}  // namespace

Tensor norm(const Tensor& x, const Ord& ord, const Axes& dims, bool keepdim, Location at) {
  if (ord.name() == "nuc") {
    Composite call("norm", at);
    const bool of_all = dims.values.empty() && impl_of(x, "norm", at).shape.size() == 2;
    if (!of_all && dims.values.size() != 2)
      fail<ShapeError>("norm",
                       "\"nuc\" is a norm of matrices: expected two dims, got " + to_string(Shape(dims.values)) +
                           " of " + type_name(x),
                       at);
    return linalg::matrix_norm(x, ord, of_all ? Axes{0, 1} : dims, keepdim, at);
  }
  Emitter e("norm", at, x);
  return e.result(norm_of_powers(e, x, ord, dims, keepdim));
}

Tensor dist(const Tensor& a, const Tensor& b, const Ord& p, Location at) {
  Composite call("dist", at);
  impl_of(a, "dist", at), impl_of(b, "dist", at);
  return norm(a - b, p, {}, false, at);
}

Tensor cdist(const Tensor& a, const Tensor& b, const Ord& p, Location at) {
  Composite call("cdist", at);
  const Shape &x = impl_of(a, "cdist", at).shape, &y = impl_of(b, "cdist", at).shape;
  if (x.size() < 2 || y.size() < 2)
    fail<ShapeError>("cdist", "expects tensors of at least 2 dims, got " + type_name(a) + " and " + type_name(b), at);
  if (x.back() != y.back())
    fail<ShapeError>(
        "cdist", "the tensors must have the same number of columns, got " + type_name(a) + " and " + type_name(b), at);
  return norm(a.unsqueeze(-2, at) - b.unsqueeze(-3, at), p, -1, false, at);
}

Tensor renorm(const Tensor& x, const Ord& p, int64_t dim, double maxnorm, Location at) {
  Composite call("renorm", at);
  const Shape& shape = impl_of(x, "renorm", at).shape;
  if (shape.size() < 2) fail<ShapeError>("renorm", "input needs at least 2 dimensions, got " + type_name(x), at);
  if (!(p.name().empty() && p.number() > 0)) fail<Error>("renorm", "non-positive-norm not supported", at);
  if (!(maxnorm >= 0)) fail<Error>("renorm", "expected maxnorm to be >= 0 but got " + std::to_string(maxnorm), at);
  const size_t d = wrap_dim("renorm", dim, shape.size(), at);
  Axes others;
  for (size_t i = 0; i < shape.size(); ++i)
    if (i != d) others.values.push_back(static_cast<int64_t>(i));
  Tensor size = norm(x, p, others, true, at);
  return x * where(size > maxnorm, maxnorm / (size + 1e-7), 1.0).to(x.dtype());
}

}  // namespace jot
