#include <algorithm>

#include "core/functions/operands.h"
#include "jot/creation.h"
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
  Value y = build::broadcast(e.b, operand(e, b, dtype), shape, Dims{1});
  return e.result(build::binary(e.b, dtype == DType::boolean ? Op::and_op : Op::mul_op, x, y));
}

Tensor cross(const Tensor& a, const Tensor& b, int64_t dim, Location at) {
  Emitter e("cross", at, a, b);
  Arg x(a, at), y(b, at);
  DType dtype = promoted({&x, &y});
  Shape shape = broadcast_shapes(e, shape_of(a), shape_of(b));
  auto d = static_cast<int64_t>(wrap_dim(e, dim, shape.size()));
  auto extent = [&](const Tensor& t) {
    const int64_t at_d = d - static_cast<int64_t>(shape.size() - shape_of(t).size());
    return at_d < 0 ? 1 : shape_of(t)[static_cast<size_t>(at_d)];
  };
  if (shape.empty() || extent(a) != 3 || extent(b) != 3)
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

// ---- dot products and sums of products with a third tensor

Tensor vdot(const Tensor& a, const Tensor& b, Location at) {
  Composite call("vdot", at);
  return dot(a, b, at);
}

namespace {

// v, whose dims `dims` have extent 1 where they are to have those of `extents`.
Value expanded(Emitter& e, Value v, const Dims& dims, const std::vector<int64_t>& extents) {
  Shape shape = e.b.shape(v);
  for (size_t i = 0; i < dims.size(); ++i) shape[static_cast<size_t>(dims[i])] = extents[i];
  return build::broadcast(e.b, v, shape, build::all_axes(shape.size()));
}

Value contracted(Emitter& e, const Tensor& a, const Tensor& b, const Dims& dims_a, const Dims& dims_b) {
  check_types(e, a, b);
  std::vector<int64_t> extents;
  for (size_t i = 0; i < dims_a.size(); ++i) {
    const int64_t m = shape_of(a)[static_cast<size_t>(dims_a[i])], n = shape_of(b)[static_cast<size_t>(dims_b[i])];
    if (m != n && m != 1 && n != 1)
      e.fail<ShapeError>("contracted dimensions need to match, but first has size " + std::to_string(m) + " in dim " +
                         std::to_string(dims_a[i]) + " and second has size " + std::to_string(n) + " in dim " +
                         std::to_string(dims_b[i]) + ": " + types(a, b));
    extents.push_back(m == 1 ? n : m);
  }
  Value x = expanded(e, e(a), dims_a, extents), y = expanded(e, e(b), dims_b, extents);
  return build::dot(e.b, x, y, dims_a, dims_b, {}, {});
}

}  // namespace

Tensor inner(const Tensor& a, const Tensor& b, Location at) {
  Composite call("inner", at);
  const Shape &x = impl_of(a, "inner", at).shape, &y = impl_of(b, "inner", at).shape;
  if (x.empty() || y.empty()) return a * b;
  Emitter e("inner", at, a, b);
  if (x.back() != y.back()) e.fail<ShapeError>("the last dimension must match on both input tensors, " + types(a, b));
  const auto m = static_cast<int64_t>(x.size()), n = static_cast<int64_t>(y.size());
  return e.result(contracted(e, a, b, {m - 1}, {n - 1}));
}

Tensor tensordot(const Tensor& a, const Tensor& b, Dim n, Location at) {
  Emitter e("tensordot", at, a, b);
  const auto rank_a = static_cast<int64_t>(shape_of(a).size()), rank_b = static_cast<int64_t>(shape_of(b).size());
  if (n < 0 || n > std::min(rank_a, rank_b))
    e.fail<ShapeError>("expected 0 to " + std::to_string(std::min(rank_a, rank_b)) +
                       " dims, got dims=" + std::to_string(n) + " of " + type_name(a) + " and " + type_name(b));
  Dims last, first;
  for (int64_t i = 0; i < n; ++i) last.push_back(rank_a - n + i), first.push_back(i);
  return e.result(contracted(e, a, b, last, first));
}
Tensor tensordot(const Tensor& a, const Tensor& b, const Axes& dims_a, const Axes& dims_b, Location at) {
  Emitter e("tensordot", at, a, b);
  if (dims_a.values.size() != dims_b.values.size())
    e.fail<ShapeError>("both dimension lists should have same length, got " + std::to_string(dims_a.values.size()) +
                       " and " + std::to_string(dims_b.values.size()));
  auto wrapped = [&](const Axes& dims, const Tensor& t) {
    Dims r;
    for (int64_t d : dims.values) {
      r.push_back(static_cast<int64_t>(wrap_dim(e, d, shape_of(t).size())));
      if (shape_of(t).empty() || std::ranges::count(r, r.back()) > 1)
        e.fail<IndexError>("dim " + std::to_string(d) + " appears multiple times, or " + type_name(t) + " lacks it");
    }
    return r;
  };
  return e.result(contracted(e, a, b, wrapped(dims_a, a), wrapped(dims_b, b)));
}

namespace {

Arg argument(const Number& n, Location at) { return n.dtype == DType::f64 ? Arg(n.real, at) : Arg(n.integer, at); }

// beta c + alpha product.
Tensor accumulated(std::string_view op, const Tensor& c, const Tensor& product, const Number& beta, const Number& alpha,
                   Location at) {
  const TensorImpl& x = impl_of(c, op, at);
  if (x.dtype() != product.dtype())
    fail<DTypeError>(op,
                     "expected the first operand to have the dtype of the product, got " + type_name(c) + " and " +
                         type_name(product) + ": convert one with to()",
                     at);
  if (!broadcasts_to(x.shape, shape_of(product)))
    fail<ShapeError>(op, type_name(c) + " cannot be broadcast to the shape of the product, " + type_name(product), at);
  if (!is_floating(product.dtype()) && (beta.dtype == DType::f64 || alpha.dtype == DType::f64))
    fail<DTypeError>(op, "For integral input tensors, beta and alpha must not be floating point numbers", at);
  if (product.dtype() == DType::boolean) {
    Tensor r = alpha.real == 0 ? zeros(shape_of(product), DType::boolean, at) : product;
    return beta.real == 0 ? r : logical_or(r, c);
  }
  Tensor r = alpha.real == 1 ? product : mul(Arg(product, at), argument(alpha, at));
  if (beta.real == 0) return r;
  return r + (beta.real == 1 ? c : mul(Arg(c, at), argument(beta, at)));
}

}  // namespace

Tensor addmm(const Tensor& c, const Tensor& a, const Tensor& b, Number beta, Number alpha, Location at) {
  Composite call("addmm", at);
  return accumulated("addmm", c, mm(a, b, at), beta, alpha, at);
}
Tensor addmv(const Tensor& c, const Tensor& a, const Tensor& b, Number beta, Number alpha, Location at) {
  Composite call("addmv", at);
  return accumulated("addmv", c, mv(a, b, at), beta, alpha, at);
}
Tensor addr(const Tensor& c, const Tensor& a, const Tensor& b, Number beta, Number alpha, Location at) {
  Composite call("addr", at);
  return accumulated("addr", c, outer(a, b, at), beta, alpha, at);
}
Tensor baddbmm(const Tensor& c, const Tensor& a, const Tensor& b, Number beta, Number alpha, Location at) {
  Composite call("baddbmm", at);
  return accumulated("baddbmm", c, bmm(a, b, at), beta, alpha, at);
}
Tensor addbmm(const Tensor& c, const Tensor& a, const Tensor& b, Number beta, Number alpha, Location at) {
  Composite call("addbmm", at);
  Tensor product;
  {
    Emitter e("addbmm", at, a, b);
    check_types(e, a, b);
    check_ranks(e, a, 3, b, 3);
    check_equal(e, a, 0, b, 0);
    check_equal(e, a, 2, b, 1);
    product = e.result(build::dot(e.b, e(a), e(b), Dims{0, 2}, Dims{0, 1}, {}, {}));
  }
  return accumulated("addbmm", c, product, beta, alpha, at);
}

Tensor chain_matmul(const std::vector<Tensor>& matrices, Location at) {
  Composite call("chain_matmul", at);
  if (matrices.empty()) fail<ShapeError>("chain_matmul", "expects one or more matrices", at);
  const size_t n = matrices.size();
  for (const Tensor& m : matrices)
    if (impl_of(m, "chain_matmul", at).shape.size() != 2)
      fail<ShapeError>("chain_matmul", "expected 2-d tensors, got " + type_name(m), at);
  // cost[i][j]: of matrices i to j; cut[i][j]: after which one they are cut.
  auto rows = [&](size_t i) { return static_cast<double>(shape_of(matrices[i])[0]); };
  std::vector<std::vector<double>> cost(n, std::vector<double>(n, 0));
  std::vector<std::vector<size_t>> cut(n, std::vector<size_t>(n, 0));
  const auto columns = static_cast<double>(shape_of(matrices[n - 1])[1]);
  for (size_t length = 1; length < n; ++length)
    for (size_t i = 0; i + length < n; ++i) {
      const size_t j = i + length;
      cost[i][j] = inf;
      for (size_t k = i; k < j; ++k) {
        const double c = cost[i][k] + cost[k + 1][j] + rows(i) * rows(k + 1) * (j + 1 < n ? rows(j + 1) : columns);
        if (c < cost[i][j]) cost[i][j] = c, cut[i][j] = k;
      }
    }
  // Products from short to long ones: those that the cuts ask for.
  struct Part {
    size_t from, to;
  };
  std::vector<Part> parts = {{0, n - 1}};
  for (size_t p = 0; p < parts.size(); ++p)
    if (const auto [i, j] = parts[p]; i < j) {
      parts.push_back({i, cut[i][j]});
      parts.push_back({cut[i][j] + 1, j});
    }
  std::vector<std::vector<Tensor>> product(n, std::vector<Tensor>(n));
  for (size_t p = parts.size(); p-- > 0;) {
    const auto [i, j] = parts[p];
    product[i][j] = i == j ? matrices[i] : mm(product[i][cut[i][j]], product[cut[i][j] + 1][j], at);
  }
  return n == 1 ? matrices[0].clone(at) : product[0][n - 1];
}

}  // namespace jot
