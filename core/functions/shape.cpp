// Functions that join, reverse and mask tensors.
#include <algorithm>
#include <limits>

#include "core/functions/operands.h"
#include "jot/creation.h"
#include "jot/ops.h"
#include "jot/small_array.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Op;
using ir::Value;

namespace {

DType common_dtype(const std::vector<Tensor>& tensors) {
  Promotion p;
  for (const Tensor& t : tensors) p.add(Arg(t));
  return p.result();
}

// Row and column numbers of the last two dims, compared: column - row <= diagonal (lower) or >= diagonal.
Tensor triangle(std::string_view name, const Tensor& x, int64_t diagonal, ir::Direction keep, Location at) {
  Emitter e(name, at, x);
  const Shape& shape = shape_of(x);
  if (shape.size() < 2) e.fail<ShapeError>("expected at least two dims, got " + type_name(x));
  Shape matrix = shape.slice(shape.size() - 2, shape.size());
  Value row = build::iota(e.b, DType::i64, matrix, 0), column = build::iota(e.b, DType::i64, matrix, 1);
  Value mask =
      build::compare(e.b, build::sub(e.b, column, row), build::constant_int(e.b, DType::i64, matrix, diagonal), keep);
  Value v = e(x);
  return e.result(build::where(e.b, build::broadcast_to(e.b, mask, shape), v, build::zeros_like(e.b, v)));
}

}  // namespace

Tensor cat(const std::vector<Tensor>& tensors, int64_t dim, Location at) {
  Emitter e("cat", at, std::span<const Tensor>(tensors));
  if (tensors.empty()) e.fail<ShapeError>("expected a non-empty list of tensors");
  DType dtype = common_dtype(tensors);
  const Tensor* first = nullptr;
  std::vector<Value> parts;
  size_t d = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& t = tensors[i];
    if (shape_of(t) == Shape{0} && tensors.size() > 1) continue;  // as in torch: of any rank
    if (!first) {
      first = &t;
      if (shape_of(t).empty()) e.fail<ShapeError>("0-d tensors cannot be concatenated: use stack");
      d = wrap_dim(e, dim, shape_of(t).size());
    }
    Shape expected = shape_of(*first);
    if (shape_of(t).size() == expected.size()) expected[d] = shape_of(t)[d];
    if (shape_of(t) != expected)
      e.fail<ShapeError>("sizes of tensors must match except in dimension " + std::to_string(d) + ": tensor " +
                         std::to_string(i) + " is " + type_name(t) + ", the first is " + type_name(*first));
    parts.push_back(operand(e, t, dtype));
  }
  if (parts.empty()) return e.result(e.b.emit(Op::copy_op, {operand(e, tensors[0], dtype)}));
  if (parts.size() == 1) return e.result(e.b.emit(Op::copy_op, {parts[0]}));
  return e.result(build::concat(e.b, parts, static_cast<int64_t>(d)));
}

Tensor stack(const std::vector<Tensor>& tensors, int64_t dim, Location at) {
  Emitter e("stack", at, std::span<const Tensor>(tensors));
  if (tensors.empty()) e.fail<ShapeError>("expected a non-empty list of tensors");
  DType dtype = common_dtype(tensors);
  Shape shape = shape_of(tensors[0]);
  size_t d = wrap_dim(e, dim, shape.size() + 1);
  Shape part = shape;
  part.insert(d, 1);
  SmallArray<Value, 8> parts;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (shape_of(tensors[i]) != shape)
      e.fail<ShapeError>("expects each tensor to be equal size, but got " + to_string(shape) + " at entry 0 and " +
                         to_string(shape_of(tensors[i])) + " at entry " + std::to_string(i));
    parts.push_back(build::reshape(e.b, operand(e, tensors[i], dtype), part));
  }
  if (parts.size() == 1) return e.result(e.b.emit(Op::copy_op, parts.span()));
  return e.result(build::concat(e.b, parts.span(), static_cast<int64_t>(d)));
}

Tensor flip(const Tensor& x, const Axes& dims, Location at) {
  Emitter e("flip", at, x);
  std::vector<int64_t> axes = dims.values.empty() ? std::vector<int64_t>{} : wrap_dims(e, dims, shape_of(x).size());
  return e.result(e.b.emit(Op::rev_op, {e(x)}, ir::Attrs(axes)));
}

Tensor tril(const Tensor& x, int64_t diagonal, Location at) {
  return triangle("tril", x, diagonal, ir::Direction::le, at);
}
Tensor triu(const Tensor& x, int64_t diagonal, Location at) {
  return triangle("triu", x, diagonal, ir::Direction::ge, at);
}

bool equal(const Tensor& a, const Tensor& b, Location at) {
  if (impl_of(a, "equal", at).shape != impl_of(b, "equal", at).shape) return false;
  return all(eq(Arg(a, at), Arg(b, at)), {}, false, at).item<bool>(at);
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, Location at) {
  impl_of(a, "allclose", at), impl_of(b, "allclose", at);
  Arg x(a, at), y(b, at);
  Tensor same = eq(x, y), near = abs(sub(x, y), at).le(Arg(abs(b, at).mul(Arg(rtol, at)).add(Arg(atol, at)), at));
  // A difference from an infinity is never small.
  Tensor finite = lt(Arg(abs(b, at), at), Arg(std::numeric_limits<double>::infinity(), at));
  return all(logical_or(Arg(same, at), Arg(logical_and(Arg(near, at), Arg(finite, at)), at)), {}, false, at)
      .item<bool>(at);
}

}  // namespace jot
