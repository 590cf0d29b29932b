#include "ir/ops/classes.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "ir/ops/evaluate.h"

namespace jot::ir {

std::string list(Ints values) { return to_string(Shape(values)); }
bool contains(Ints values, int64_t value) { return std::ranges::find(values, value) != values.end(); }

// ---- inference

void expect_allowed(const InferContext& c, size_t operand) {
  if (!info(c.op).allows(c.dtype(operand)))
    c.dtype_error("operand " + std::to_string(operand) + ": " + std::string(to_string(c.dtype(operand))) +
                  " is not supported; convert it");
}

void expect_same_dtype(const InferContext& c, size_t first, size_t second) {
  if (c.dtype(first) != c.dtype(second))
    c.dtype_error("operands " + std::to_string(first) + " and " + std::to_string(second) +
                  " must have one dtype: expected " + std::string(to_string(c.dtype(first))) + ", got " +
                  std::string(to_string(c.dtype(second))) + "; convert one of them");
}

void expect_axes(const InferContext& c, std::string_view what, Ints axes, size_t rank) {
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] < 0 || axes[i] >= static_cast<int64_t>(rank))
      c.index_error(std::string(what) + " " + list(axes) + ": " + std::to_string(axes[i]) +
                    " is out of range; expected 0 to " + std::to_string(static_cast<int64_t>(rank) - 1));
    if (contains(axes.first(i), axes[i]))
      c.index_error(std::string(what) + " " + list(axes) + ": " + std::to_string(axes[i]) +
                    " appears twice; expected distinct axes");
  }
}

void expect_constructible(const InferContext& c, DType dtype) {
  if (!is_dtype(dtype))
    c.dtype_error("DType(" + std::to_string(static_cast<int>(dtype)) + ") is none of the dtypes: expected " +
                  names_of_dtypes());
  if (!info(c.op).allows(dtype)) c.dtype_error(std::string(to_string(dtype)) + " is not supported");
}

void expect_extents(const InferContext& c, Ints extents) {
  if (std::ranges::any_of(extents, [](int64_t d) { return d < 0; }))
    c.shape_error("shape " + list(extents) + " has a negative extent");
}

Type infer_elementwise(const InferContext& c) {
  expect_allowed(c, 0);
  for (size_t i = 1; i < c.operands.size(); ++i) {
    if (c.operands[i] == c.operands[0]) continue;
    expect_same_dtype(c, 0, i);
    if (c.shape(i) != c.shape(0))
      c.shape_error("operands must have one shape: expected " + to_string(c.shape(0)) + ", got " +
                    to_string(c.shape(i)) + "; broadcast one of them");
  }
  return *c.operands[0];
}

Type infer_same(const InferContext& c) {
  expect_allowed(c, 0);
  return *c.operands[0];
}

// ---- derivatives

Value jvp_linear(const JvpContext& c) {
  std::vector<Value> operands;
  for (size_t i = 0; i < c.primals.size(); ++i) {
    bool differentiable = is_floating(c.b.dtype(c.primals[i]));
    operands.push_back(c.has(i) ? c.tangents[i] : differentiable ? build::zeros_like(c.b, c.primals[i]) : c.primals[i]);
  }
  return c.b.emit(c.op, operands, c.attrs.words());
}

namespace {

// A constant that is a finite number other than zero: neither it nor its reciprocal makes NaN of a zero.
bool is_tame(const Builder& b, Value x) {
  if (b.op(x) != Op::const_op) return false;
  Ints data = b.attrs(x).ints(Key::data);
  return data.size() == 1 && std::isnormal(std::bit_cast<double>(data[0]));
}

}  // namespace

Value JvpContext::times(Value tangent, Value partial) const {
  return zeros == Zeros::ieee || is_tame(b, partial) ? build::mul(b, tangent, partial)
                                                     : build::mul_no_nan(b, tangent, partial);
}
Value JvpContext::over(Value tangent, Value divisor) const {
  if (zeros == Zeros::ieee || is_tame(b, divisor)) return build::div(b, tangent, divisor);
  Value one = build::constant(b, b.dtype(divisor), b.shape(divisor), 1);
  return build::mul_no_nan(b, tangent, build::div(b, one, divisor));
}

// ---- batching

Value batch_elementwise(const BatchContext& c) {
  if (std::ranges::find(c.batched, false) == c.batched.end()) return c.b.emit(c.op, c.operands, c.attrs.words());
  std::vector<Value> operands;
  for (size_t i = 0; i < c.operands.size(); ++i) operands.push_back(c.materialised(i));
  return c.b.emit(c.op, operands, c.attrs.words());
}

std::vector<int64_t> shifted(Ints dims) {
  std::vector<int64_t> result;
  for (int64_t d : dims) result.push_back(d + 1);
  return result;
}

Shape with_front(int64_t front, Ints list) {
  Shape result = {front};
  for (int64_t x : list) result.push_back(x);
  return result;
}

Shape batched_shape(int64_t size, const Shape& shape) { return Shape{size} + shape; }

// ---- movement

void evaluate_movement(const EvalContext& c) {
  std::vector<const Shape*> shapes;
  for (const Array& a : c.operands) shapes.push_back(&a.type->shape);
  MovementReader read;
  const Movement& m = read({c.attrs, shapes, c.type.shape});
  Mover mover(c);
  if (m.moves == Moves::regroup) return mover.copy_all(c.operands[0]);
  for (int64_t i = 0; m.fill != Fill::none && i < c.type.shape.numel(); ++i)
    m.fill == Fill::zero ? mover.zero(i) : mover.copy(i, c.operands[1], 0);
  const Shape to_steps = row_major_steps(c.type.shape);
  for (const Piece& p : m.pieces()) {
    const Array& x = c.operands[p.operand];
    for_each_point(located(m.runs(p), row_major_steps(x.type->shape), to_steps),
                   [&](int64_t from, int64_t to) { mover.copy(to, x, from); });
  }
}

}  // namespace jot::ir
