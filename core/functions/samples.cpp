// Functions sampled along a dim: differences and integrals.
#include "core/functions/operands.h"
#include "jot/creation.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;

namespace {

Tensor part(const Tensor& x, size_t d, std::optional<int64_t> start, std::optional<int64_t> stop, Location at) {
  return x.slice(static_cast<int64_t>(d), start, stop, 1, at);
}

size_t dim_of(std::string_view op, const Tensor& x, int64_t dim, Location at) {
  const Shape& shape = impl_of(x, op, at).shape;
  if (shape.empty()) fail<ShapeError>(op, "expects input to be at least one-dimensional, got " + type_name(x), at);
  return wrap_dim(op, dim, shape.size(), at);
}

// The distances of the samples of y along d, as what broadcasts to its differences.
Tensor steps(std::string_view op, const Tensor& y, const Tensor& x, size_t d, Location at) {
  const Shape &shape = shape_of(y), &points = impl_of(x, op, at).shape;
  const bool vector = points.size() == 1, same = points.size() == shape.size() && !vector;
  if ((!vector && !same) || (vector ? points[0] : points[d]) != shape[d])
    fail<ShapeError>(op,
                     "There must be one `x` value for each sample point: expected a vector of " +
                         std::to_string(shape[d]) + " or a tensor like " + type_name(y) + ", got " + type_name(x),
                     at);
  Tensor dx = diff(x, 1, vector ? 0 : static_cast<int64_t>(d), at);
  if (!vector) return dx;
  Shape along(std::vector<int64_t>(shape.size(), 1));
  along[d] = shape_of(dx)[0];
  return dx.reshape(along, at);
}

Tensor means(const Tensor& y, size_t d, Location at) {
  return (part(y, d, 1, none, at) + part(y, d, none, -1, at)) / 2;
}

}  // namespace

Tensor diff(const Tensor& x, int64_t n, int64_t dim, Location at) {
  Composite call("diff", at);
  const size_t d = dim_of("diff", x, dim, at);
  if (n < 0) fail<ShapeError>("diff", "order must be non-negative but got " + std::to_string(n), at);
  Tensor r = n == 0 ? x.clone(at) : x;
  for (int64_t i = 0; i < n; ++i) {
    Tensor next = part(r, d, 1, none, at), before = part(r, d, none, shape_of(r)[d] == 0 ? 0 : -1, at);
    r = r.dtype() == DType::boolean ? logical_xor(next, before) : next - before;
  }
  return r;
}

namespace {

// Of each pair of neighbours along dim; x none: samples dx apart.
Tensor areas(std::string_view op, const Tensor& y, const Tensor* x, double dx, int64_t dim, Location at) {
  const size_t d = dim_of(op, y, dim, at);
  return x ? means(y, d, at) * steps(op, y, *x, d, at) : means(y, d, at) * dx;
}

}  // namespace

Tensor trapezoid(const Tensor& y, const Tensor& x, int64_t dim, Location at) {
  Composite call("trapezoid", at);
  return sum(areas("trapezoid", y, &x, 1, dim, at), dim, false, at);
}
Tensor trapezoid(const Tensor& y, double dx, int64_t dim, Location at) {
  Composite call("trapezoid", at);
  return sum(areas("trapezoid", y, nullptr, dx, dim, at), dim, false, at);
}
Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int64_t dim, Location at) {
  Composite call("cumulative_trapezoid", at);
  return cumsum(areas("cumulative_trapezoid", y, &x, 1, dim, at), dim, at);
}
Tensor cumulative_trapezoid(const Tensor& y, double dx, int64_t dim, Location at) {
  Composite call("cumulative_trapezoid", at);
  return cumsum(areas("cumulative_trapezoid", y, nullptr, dx, dim, at), dim, at);
}

std::vector<Tensor> gradient(const Tensor& x, double spacing, const Axes& dims, Location at) {
  Composite call("gradient", at);
  const Shape shape = impl_of(x, "gradient", at).shape;
  std::vector<int64_t> axes = dims.values;
  if (axes.empty())
    for (size_t d = 0; d < shape.size(); ++d) axes.push_back(static_cast<int64_t>(d));
  std::vector<Tensor> result;
  for (int64_t axis : axes) {
    const size_t d = dim_of("gradient", x, axis, at);
    const int64_t n = shape[d];
    if (n < 2)
      fail<ShapeError>("gradient",
                       "expected each dimension size to be at least edge_order+1, which is 2, got " + type_name(x), at);
    Tensor first = (part(x, d, 1, 2, at) - part(x, d, 0, 1, at)) / spacing;
    Tensor inner = (part(x, d, 2, none, at) - part(x, d, none, -2, at)) / (2 * spacing);
    Tensor last = (part(x, d, n - 1, n, at) - part(x, d, n - 2, n - 1, at)) / spacing;
    result.push_back(cat({first, inner, last}, static_cast<int64_t>(d), at));
  }
  return result;
}

}  // namespace jot
