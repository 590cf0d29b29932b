// The rules that the ops of a class share, so that the common op takes three lines.
#pragma once
#include "ir/build.h"
#include "ir/rules.h"

namespace jot::ir {

// ---- inference

void expect_allowed(const InferContext& c, size_t operand);  // its dtype is one of the op's
void expect_same_dtype(const InferContext& c, size_t first, size_t second);
void expect_axes(const InferContext& c, std::string_view what, Ints axes, size_t rank);  // in range and distinct
void expect_constructible(const InferContext& c, DType dtype);                           // one that the op allows
void expect_extents(const InferContext& c, Ints extents);                                // none negative
std::string list(Ints values);                                                           // "[1,2]"
bool contains(Ints values, int64_t value);

Type infer_elementwise(const InferContext& c);  // operands and result of one type
Type infer_same(const InferContext& c);         // the type of operand 0

// ---- derivatives

// The op applied to the tangents; the operands that carry none (integers, predicates) stay.
Value jvp_linear(const JvpContext& c);
inline Value jvp_zero(const JvpContext&) { return kNoValue; }
inline Value splat_like(Builder& b, Value x, double number) {
  return build::constant(b, b.dtype(x), b.shape(x), number);
}
// Tangent times derivative, which D makes of (builder, operand, result).
template <class D>
JvpRule jvp_scaled(D) {
  return [](const JvpContext& c) { return c.times(c.tangents[0], D()(c.b, c.primals[0], c.out)); };
}

inline constexpr auto kNotLinear = none("not linear in any operand");
inline constexpr auto kNoTangent = none("its result carries no tangent");
inline constexpr auto kNoOperands = none("it has no operands");

// ---- batching

// The same op; all operands batched.
Value batch_elementwise(const BatchContext& c);
std::vector<int64_t> shifted(Ints dims);                // each plus one
Shape with_front(int64_t front, Ints list);             // {front} + list
Shape batched_shape(int64_t size, const Shape& shape);  // {size} + shape

// ---- classes

// An elementwise op of one operand, not linear.
inline Rules unary(EvalRule eval, Slot<JvpRule> jvp) {
  return {infer_elementwise, eval, jvp, kNotLinear, batch_elementwise};
}
// An elementwise op of several operands, not linear.
inline Rules elementwise(EvalRule eval, Slot<JvpRule> jvp) {
  return {infer_elementwise, eval, jvp, kNotLinear, batch_elementwise};
}
// Piecewise constant.
inline Rules zero_derivative(EvalRule eval) { return unary(eval, jvp_zero); }
// Linear in all operands that carry a tangent.
inline Rules linear(InferRule infer, EvalRule eval, TransposeRule transpose, BatchRule batch) {
  return {infer, eval, jvp_linear, transpose, batch};
}
// Elements are moved, repeated or dropped: the map says which (ir/movement.h).
void evaluate_movement(const EvalContext& c);
inline Rules movement(InferRule infer, MovementRule map, TransposeRule transpose, BatchRule batch) {
  return {infer, evaluate_movement, jvp_linear, transpose, batch, {}, map};
}

}  // namespace jot::ir
