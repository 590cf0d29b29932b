// Functions sampled along a dim: differences and integrals.
#include <algorithm>

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

void check_numbers(std::string_view op, const Tensor& x, Location at) {
  if (impl_of(x, op, at).dtype() == DType::boolean)
    fail<DTypeError>(op, "not defined for booleans: convert with to(i64), got " + type_name(x), at);
}

// The distances of the samples of y along d, as what broadcasts to its differences.
Tensor steps(std::string_view op, const Tensor& y, const Tensor& x, size_t d, Location at) {
  const Shape &shape = shape_of(y), &points = impl_of(x, op, at).shape;
  check_numbers(op, x, at);
  const bool vector = points.size() == 1, same = points.size() == shape.size() && !vector;
  if ((!vector && !same) || (vector ? points[0] : points[d]) != shape[d])
    fail<ShapeError>(op,
                     "There must be one `x` value for each sample point: expected a vector of " +
                         std::to_string(shape[d]) + " or a tensor like " + type_name(y) + ", got " + type_name(x),
                     at);
  Tensor dx = diff(x, 1, vector ? 0 : static_cast<int64_t>(d), {}, {}, at);
  if (!vector) return dx;
  Shape along(std::vector<int64_t>(shape.size(), 1));
  along[d] = shape_of(dx)[0];
  return dx.reshape(along, at);
}

Tensor means(const Tensor& y, size_t d, Location at) {
  return (part(y, d, 1, none, at) + part(y, d, none, -1, at)) / 2;
}

}  // namespace

Tensor diff(const Tensor& x, int64_t n, int64_t dim, const Tensor& prepend, const Tensor& append, Location at) {
  Composite call("diff", at);
  const size_t d = dim_of("diff", x, dim, at);
  if (n < 0) fail<ShapeError>("diff", "order must be non-negative but got " + std::to_string(n), at);
  if (n == 0) return x.clone(at);
  std::vector<Tensor> parts = {x};
  if (prepend.defined()) parts.insert(parts.begin(), prepend);
  if (append.defined()) parts.push_back(append);
  Tensor r = parts.size() > 1 ? cat(parts, static_cast<int64_t>(d), at) : x;
  n = std::min(n, shape_of(r)[d]);  // of nothing differences are nothing
  if (n == 0) return r.clone(at);
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
  check_numbers(op, y, at);
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

namespace {

// The quotient of differences of two samples at the end of a line, or of three, whose first differences are over `near`
// and `far`.
Tensor at_end(const Tensor& near, const Tensor& far, const Tensor& step, const Tensor& next, int64_t order) {
  Tensor slope = near / step;
  return order == 1 ? slope : slope + (slope - far / next) * step / (step + next);
}

// Along d, where `step` are the distances of neighbours, as what broadcasts to their differences.
Tensor slopes(const Tensor& x, size_t d, const Tensor& step, int64_t order, Location at) {
  const auto dim = static_cast<int64_t>(d);
  Tensor rise = diff(x, 1, dim, {}, {}, at);
  auto some = [&](const Tensor& t, std::optional<int64_t> from, std::optional<int64_t> to) {
    return part(t, d, from, to, at);
  };
  Tensor before = some(step, none, -1), after = some(step, 1, none);
  Tensor left = some(rise, none, -1) / before, right = some(rise, 1, none) / after;
  Tensor inner = (left * after + right * before) / (before + after);
  const int64_t n = shape_of(rise)[d], k = std::min<int64_t>(1, n - 1);  // the second difference, if there is one
  Tensor first = at_end(some(rise, 0, 1), some(rise, k, k + 1), some(step, 0, 1), some(step, k, k + 1), order);
  Tensor last = at_end(some(rise, n - 1, n), some(rise, n - 1 - k, n - k), some(step, n - 1, n),
                       some(step, n - 1 - k, n - k), order);
  return cat({first, inner, last}, dim, at);
}

// step(number of the dim among dims, dim): the distances along it.
template <class Step>
std::vector<Tensor> gradient_of(const Tensor& x, const Axes& dims, std::optional<size_t> given, int64_t order,
                                Location at, Step step) {
  const Shape shape = impl_of(x, "gradient", at).shape;
  if (order != 1 && order != 2)
    fail<Error>("gradient", "expected edge_order to be 1 or 2, got " + std::to_string(order), at);
  if (x.dtype() == DType::u8 || x.dtype() == DType::boolean)  // differences would wrap
    fail<DTypeError>("gradient", "not defined for u8 and boolean: convert with to(i64), got " + type_name(x), at);
  std::vector<int64_t> axes = dims.values;
  if (axes.empty())
    for (size_t d = 0; d < shape.size(); ++d) axes.push_back(static_cast<int64_t>(d));
  if (given && *given != axes.size())
    fail<ShapeError>("gradient",
                     "expected spacing to have one entry for each of " + std::to_string(axes.size()) + " dims, got " +
                         std::to_string(*given),
                     at);
  std::vector<Tensor> result;
  for (size_t i = 0; i < axes.size(); ++i) {
    const size_t d = dim_of("gradient", x, axes[i], at);
    if (shape[d] <= order)
      fail<ShapeError>("gradient",
                       "expected each dimension size to be at least edge_order+1, which is " +
                           std::to_string(order + 1) + ", got " + type_name(x),
                       at);
    result.push_back(slopes(x, d, step(i, d), order, at));
  }
  return result;
}

// n - 1 distances of one size.
Tensor even(const Tensor& x, size_t d, double size, Location at) {
  Shape shape(std::vector<int64_t>(shape_of(x).size(), 1));
  shape[d] = shape_of(x)[d] - 1;
  return full(shape, Arg(size, at), is_floating(x.dtype()) ? x.dtype() : default_dtype());
}

}  // namespace

std::vector<Tensor> gradient(const Tensor& x, double spacing, const Axes& dims, int64_t edge_order, Location at) {
  Composite call("gradient", at);
  return gradient_of(x, dims, {}, edge_order, at, [&](size_t, size_t d) { return even(x, d, spacing, at); });
}
std::vector<Tensor> gradient(const Tensor& x, const std::vector<double>& spacing, const Axes& dims, int64_t edge_order,
                             Location at) {
  Composite call("gradient", at);
  return gradient_of(x, dims, spacing.size(), edge_order, at,
                     [&](size_t i, size_t d) { return even(x, d, spacing[i], at); });
}
std::vector<Tensor> gradient(const Tensor& x, const std::vector<Tensor>& spacing, const Axes& dims, int64_t edge_order,
                             Location at) {
  Composite call("gradient", at);
  return gradient_of(x, dims, spacing.size(), edge_order, at, [&](size_t i, size_t d) {
    if (impl_of(spacing[i], "gradient", at).shape.size() != 1)
      fail<ShapeError>("gradient", "expected the places along a dim to be a vector, got " + type_name(spacing[i]), at);
    return steps("gradient", x, spacing[i], d, at);
  });
}

}  // namespace jot
