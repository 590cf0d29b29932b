#include "core/functions/operands.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Op;
using ir::Value;

namespace {

using Dims = std::vector<int64_t>;

std::string types(const Tensor& a, const Tensor& b) { return "got " + type_name(a) + " and " + type_name(b); }

void check_types(const Emitter& e, const Tensor& a, const Tensor& b) {
  if (a.impl()->dtype() != b.impl()->dtype())
    e.fail<DTypeError>("expected both operands to have the same dtype, " + types(a, b) + ": convert one with to()");
  if (a.impl()->dtype() == DType::boolean) e.fail<DTypeError>("not defined for booleans: convert with to(i64)");
}

void check_ranks(const Emitter& e, const Tensor& a, size_t rank_a, const Tensor& b, size_t rank_b) {
  if (shape_of(a).size() != rank_a || shape_of(b).size() != rank_b)
    e.fail<ShapeError>("expected a " + std::to_string(rank_a) + "-d and a " + std::to_string(rank_b) + "-d tensor, " +
                       types(a, b));
}

void check_equal(const Emitter& e, const Tensor& a, size_t dim_a, const Tensor& b, size_t dim_b) {
  int64_t m = shape_of(a)[dim_a], n = shape_of(b)[dim_b];
  if (m != n)
    e.fail<ShapeError>("shapes " + type_name(a) + " and " + type_name(b) + " do not fit: dim " + std::to_string(dim_a) +
                       " of the first has extent " + std::to_string(m) + ", dim " + std::to_string(dim_b) +
                       " of the second " + std::to_string(n) + "; they must be equal");
}

// Contracts the last dim of a with the dim of b before its last (the only one, if b is a vector), as numpy does.
Value product(Emitter& e, const Tensor& a, const Tensor& b) {
  check_types(e, a, b);
  const Shape &x = shape_of(a), &y = shape_of(b);
  if (x.empty() || y.empty()) e.fail<ShapeError>("both operands must have at least one dim, " + types(a, b));
  size_t contracted = y.size() == 1 ? 0 : y.size() - 2;
  check_equal(e, a, x.size() - 1, b, contracted);
  const int64_t last[] = {static_cast<int64_t>(x.size()) - 1}, other[] = {static_cast<int64_t>(contracted)};
  if (y.size() <= 2) return build::dot(e.b, e(a), e(b), last, other, {}, {});
  if (x.size() <= 2) {  // the free dim of a, if any, goes between those of b
    Value v = build::dot(e.b, e(a), e(b), last, other, {}, {});
    if (x.size() == 1) return v;
    Dims perm = build::all_axes(y.size());
    perm.erase(perm.begin());
    perm.insert(perm.end() - 1, 0);
    return build::permute(e.b, v, perm);
  }
  Shape batch = broadcast_shapes(e, x.slice(0, x.size() - 2), y.slice(0, y.size() - 2));
  Value v = build::broadcast_to(e.b, e(a), batch + x.slice(x.size() - 2, x.size()));
  Value w = build::broadcast_to(e.b, e(b), batch + y.slice(y.size() - 2, y.size()));
  auto n = static_cast<int64_t>(batch.size());
  return build::dot(e.b, v, w, Dims{n + 1}, Dims{n}, build::all_axes(batch.size()), build::all_axes(batch.size()));
}

// x with its elements along dim moved `by` places to the front, the first ones to the end.
Value rolled(Emitter& e, Value x, int64_t dim, int64_t by) {
  int64_t n = e.b.shape(x)[static_cast<size_t>(dim)];
  Value parts[] = {build::slice_axis(e.b, x, dim, by, n), build::slice_axis(e.b, x, dim, 0, by)};
  return build::concat(e.b, parts, dim);
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, Location at) {
  Emitter e("matmul", at, a, b);
  return e.result(product(e, a, b));
}
Tensor mm(const Tensor& a, const Tensor& b, Location at) {
  Emitter e("mm", at, a, b);
  check_ranks(e, a, 2, b, 2);
  return e.result(product(e, a, b));
}
Tensor mv(const Tensor& a, const Tensor& b, Location at) {
  Emitter e("mv", at, a, b);
  check_ranks(e, a, 2, b, 1);
  return e.result(product(e, a, b));
}
Tensor bmm(const Tensor& a, const Tensor& b, Location at) {
  Emitter e("bmm", at, a, b);
  check_ranks(e, a, 3, b, 3);
  check_equal(e, a, 0, b, 0);
  return e.result(product(e, a, b));
}
Tensor dot(const Tensor& a, const Tensor& b, Location at) {
  Emitter e("dot", at, a, b);
  check_ranks(e, a, 1, b, 1);
  return e.result(product(e, a, b));
}

Tensor outer(const Tensor& a, const Tensor& b, Location at) {
  Emitter e("outer", at, a, b);
  check_ranks(e, a, 1, b, 1);
  Arg left(a, at), right(b, at);
  DType dtype = promoted({&left, &right});
  Shape shape = shape_of(a) + shape_of(b);
  Value x = build::broadcast(e.b, operand(e, a, dtype), shape, Dims{0});
  return e.result(build::mul(e.b, x, build::broadcast(e.b, operand(e, b, dtype), shape, Dims{1})));
}

Tensor cross(const Tensor& a, const Tensor& b, int64_t dim, Location at) {
  Emitter e("cross", at, a, b);
  Arg x(a, at), y(b, at);
  DType dtype = promoted({&x, &y});
  Shape shape = broadcast_shapes(e, shape_of(a), shape_of(b));
  auto d = static_cast<int64_t>(wrap_dim(e, dim, shape.size()));
  if (shape.empty() || shape[static_cast<size_t>(d)] != 3)
    e.fail<ShapeError>("expected extent 3 in dim " + std::to_string(dim) + ", " + types(a, b));
  Value u = operand(e, x, dtype, shape), v = operand(e, y, dtype, shape);
  Value plus = build::mul(e.b, rolled(e, u, d, 1), rolled(e, v, d, 2));
  Value minus = build::mul(e.b, rolled(e, u, d, 2), rolled(e, v, d, 1));
  return e.result(build::sub(e.b, plus, minus));
}

Tensor trace(const Tensor& x, Location at) {
  if (impl_of(x, "trace", at).shape.size() != 2) {
    Emitter e("trace", at, x);
    e.fail<ShapeError>("expected a 2-d tensor, got " + type_name(x));
  }
  return sum(x.diagonal(0, 0, 1, at), {}, false, at);
}

}  // namespace jot
