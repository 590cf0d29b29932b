#include <cmath>

#include "core/functions/forms.h"
#include "core/record/thread.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Direction;
using ir::Op;
using ir::Value;

namespace {

Value one_like(Emitter& e, Value x) { return splat(e, e.b.dtype(x), e.b.shape(x), 1); }

// x in a dtype that the domain takes.
Value of_domain(Emitter& e, Domain domain, const Tensor& x) {
  return operand(e, x, domain_dtype(e, domain, x.impl()->dtype()));
}

Value truth(Emitter& e, Value v) {
  if (e.b.dtype(v) == DType::boolean) return v;
  return build::compare(e.b, v, build::zeros_like(e.b, v), Direction::ne);
}

template <Direction direction>
Value compared(Emitter& e, const Arg& a, const Arg& b) {
  DType dtype = promoted({&a, &b});
  Shape shape = broadcast_shapes(e, shape_of(a), shape_of(b));
  Value x = operand(e, a, dtype, shape);
  return build::compare(e.b, x, operand(e, b, dtype, shape), direction);
}

template <Op op>
Value logical(Emitter& e, const Arg& a, const Arg& b) {
  Shape shape = broadcast_shapes(e, shape_of(a), shape_of(b));
  auto boolean_operand = [&](const Arg& x) {
    DType own = x.is_tensor() ? x.tensor().impl()->dtype() : x.number().dtype;
    return truth(e, operand(e, x, own, shape));
  };
  Value x = boolean_operand(a);
  return build::binary(e.b, op, x, boolean_operand(b));
}

template <Op op>
Value bitwise(Emitter& e, const Arg& a, const Arg& b) {
  DType dtype = promoted({&a, &b});
  if (is_floating(dtype))
    e.fail<DTypeError>("defined for integers and booleans, got " + std::string(to_string(dtype)) +
                       ": use logical_and, logical_or, logical_xor for truth values");
  Shape shape = broadcast_shapes(e, shape_of(a), shape_of(b));
  Value x = operand(e, a, dtype, shape);
  return build::binary(e.b, op, x, operand(e, b, dtype, shape));
}

}  // namespace

// ---- bodies

namespace compose {

Value square(Emitter& e, const Tensor& x) {
  const DType dtype = x.impl()->dtype();
  Value v = operand(e, x, dtype == DType::boolean ? DType::i64 : dtype);
  return build::mul(e.b, v, v);
}
Value reciprocal(Emitter& e, const Tensor& x) {
  Value v = of_domain(e, Domain::floating, x);
  return build::div(e.b, one_like(e, v), v);
}
// NaN stays.
Value relu(Emitter& e, const Tensor& x) {
  Value v = of_domain(e, Domain::numeric, x), zero = build::zeros_like(e.b, v);
  return build::where(e.b, build::compare(e.b, v, zero, Direction::le), zero, v);
}

Value eq(Emitter& e, const Arg& a, const Arg& b) { return compared<Direction::eq>(e, a, b); }
Value ne(Emitter& e, const Arg& a, const Arg& b) { return compared<Direction::ne>(e, a, b); }
Value lt(Emitter& e, const Arg& a, const Arg& b) { return compared<Direction::lt>(e, a, b); }
Value le(Emitter& e, const Arg& a, const Arg& b) { return compared<Direction::le>(e, a, b); }
Value gt(Emitter& e, const Arg& a, const Arg& b) { return compared<Direction::gt>(e, a, b); }
Value ge(Emitter& e, const Arg& a, const Arg& b) { return compared<Direction::ge>(e, a, b); }
Value logical_and(Emitter& e, const Arg& a, const Arg& b) { return logical<Op::and_op>(e, a, b); }
Value logical_or(Emitter& e, const Arg& a, const Arg& b) { return logical<Op::or_op>(e, a, b); }
Value logical_xor(Emitter& e, const Arg& a, const Arg& b) { return logical<Op::xor_op>(e, a, b); }
Value bitwise_and(Emitter& e, const Arg& a, const Arg& b) { return bitwise<Op::and_op>(e, a, b); }
Value bitwise_or(Emitter& e, const Arg& a, const Arg& b) { return bitwise<Op::or_op>(e, a, b); }
Value bitwise_xor(Emitter& e, const Arg& a, const Arg& b) { return bitwise<Op::xor_op>(e, a, b); }
Value logical_not(Emitter& e, const Tensor& x) { return build::unary(e.b, Op::not_op, truth(e, e(x))); }
Value bitwise_not(Emitter& e, const Tensor& x) {
  if (is_floating(x.impl()->dtype())) e.fail<DTypeError>("defined for integers and booleans, got " + type_name(x));
  return build::unary(e.b, Op::not_op, e(x));
}

Value where(Emitter& e, const Tensor& condition, const Arg& x, const Arg& y) {
  if (condition.impl()->dtype() != DType::boolean)
    e.fail<DTypeError>("the condition must be boolean, got " + type_name(condition) + ": compare it, as in x != 0");
  DType dtype = promoted({&x, &y});
  Shape values = broadcast_shapes(e, shape_of(x), shape_of(y)),
        shape = broadcast_shapes(e, shape_of(condition), values);
  Value c = e(condition);
  if (!shape_of(condition).empty()) c = build::broadcast_to(e.b, c, shape);
  Value a = operand(e, x, dtype, shape);
  return build::where(e.b, c, a, operand(e, y, dtype, shape));
}

Value masked_fill(Emitter& e, const Tensor& x, const Tensor& mask, const Arg& value) {
  if (mask.impl()->dtype() != DType::boolean) e.fail<DTypeError>("the mask must be boolean, got " + type_name(mask));
  if (!shape_of(value).empty())
    e.fail<ShapeError>("the value must be a number or a 0-d tensor, got " + type_name(value.tensor()));
  DType dtype = x.impl()->dtype();
  Shape shape = broadcast_shapes(e, shape_of(x), shape_of(mask));
  Value m = operand(e, mask, DType::boolean, shape), v = operand(e, value, dtype, shape);
  return build::where(e.b, m, v, operand(e, x, dtype, shape));
}

namespace {
// x without a derivative where it is NaN. Costs nothing but in derivatives.
Value known_slope(Emitter& e, Value x) {
  if (!is_floating(e.b.dtype(x))) return x;
  Value fixed = build::unary(e.b, Op::stop_gradient_op, x);
  return build::where(e.b, build::compare(e.b, fixed, fixed, Direction::eq), x, fixed);
}
}  // namespace

namespace {
// v, or the bound where v is outside it. NaN stays, as bounds compare false with it; a bound of NaN gives NaN.
Value limited(Emitter& e, Value v, const Arg& bound, Direction outside) {
  const DType dtype = e.b.dtype(v);
  Value l = operand(e, bound, dtype, e.b.shape(v)), taken = build::compare(e.b, v, l, outside);
  if (is_floating(dtype) && (bound.is_tensor() || std::isnan(bound.number().real)))
    taken = build::binary(e.b, Op::or_op, taken, build::compare(e.b, l, l, Direction::ne));
  return build::where(e.b, taken, l, v);
}
}  // namespace

// Where low > high the result is high.
Value clamp(Emitter& e, const Tensor& x, const Bound& low, const Bound& high) {
  if (low.absent() && high.absent()) e.fail<Error>("At least one of 'min' or 'max' must not be none");
  Promotion p;
  p.add(x);
  Shape shape = shape_of(x);
  for (const Bound* bound : {&low, &high})
    if (!bound->absent()) {
      p.add(*bound);
      shape = broadcast_shapes(e, shape, shape_of(*bound));
    }
  DType dtype = p.result();
  Value v = known_slope(e, operand(e, x, dtype, shape));
  if (!low.absent()) v = limited(e, v, low, Direction::lt);
  return high.absent() ? v : limited(e, v, high, Direction::gt);
}

namespace {
Value bounded(Emitter& e, const Tensor& x, const Arg& bound, Direction outside) {
  const Arg first(x);
  DType dtype = promoted({&first, &bound});
  Shape shape = broadcast_shapes(e, shape_of(x), shape_of(bound));
  return limited(e, known_slope(e, operand(e, first, dtype, shape)), bound, outside);
}
}  // namespace
Value clamp_min(Emitter& e, const Tensor& x, const Arg& low) { return bounded(e, x, low, Direction::lt); }
Value clamp_max(Emitter& e, const Tensor& x, const Arg& high) { return bounded(e, x, high, Direction::gt); }

}  // namespace compose

Tensor max(const Tensor& a, const Tensor& b, Location at) { return maximum(Arg(a, at), Arg(b, at)); }
Tensor min(const Tensor& a, const Tensor& b, Location at) { return minimum(Arg(a, at), Arg(b, at)); }

// ---- operators

Tensor operator+(const Arg& a, const Arg& b) { return add(a, b); }
Tensor operator-(const Arg& a, const Arg& b) { return sub(a, b); }
Tensor operator*(const Arg& a, const Arg& b) { return mul(a, b); }
Tensor operator/(const Arg& a, const Arg& b) { return div(a, b); }
Tensor operator-(const Arg& a) { return neg(a.tensor(), a.at()); }
Tensor operator==(const Arg& a, const Arg& b) { return eq(a, b); }
Tensor operator!=(const Arg& a, const Arg& b) { return ne(a, b); }
Tensor operator<(const Arg& a, const Arg& b) { return lt(a, b); }
Tensor operator<=(const Arg& a, const Arg& b) { return le(a, b); }
Tensor operator>(const Arg& a, const Arg& b) { return gt(a, b); }
Tensor operator>=(const Arg& a, const Arg& b) { return ge(a, b); }
Tensor operator&(const Arg& a, const Arg& b) { return bitwise_and(a, b); }
Tensor operator|(const Arg& a, const Arg& b) { return bitwise_or(a, b); }
Tensor operator^(const Arg& a, const Arg& b) { return bitwise_xor(a, b); }
Tensor operator%(const Arg& a, const Arg& b) { return remainder(a, b); }
Tensor operator<<(const Arg& a, const Arg& b) { return bitwise_left_shift(a, b); }
Tensor operator>>(const Arg& a, const Arg& b) { return bitwise_right_shift(a, b); }
Tensor operator~(const Arg& a) { return bitwise_not(a.tensor(), a.at()); }

const Tensor& Tensor::operator+=(const Arg& b) const { return add_(b); }
const Tensor& Tensor::operator-=(const Arg& b) const { return sub_(b); }
const Tensor& Tensor::operator*=(const Arg& b) const { return mul_(b); }
const Tensor& Tensor::operator/=(const Arg& b) const { return div_(b); }
const Tensor& Tensor::operator&=(const Arg& b) const { return bitwise_and_(b); }
const Tensor& Tensor::operator|=(const Arg& b) const { return bitwise_or_(b); }
const Tensor& Tensor::operator^=(const Arg& b) const { return bitwise_xor_(b); }
const Tensor& Tensor::operator%=(const Arg& b) const { return remainder_(b); }
const Tensor& Tensor::operator<<=(const Arg& b) const { return bitwise_left_shift_(b); }
const Tensor& Tensor::operator>>=(const Arg& b) const { return bitwise_right_shift_(b); }

// ---- conversions, copies, fills

Tensor Tensor::to(DType dtype, Location at) const {
  Emitter e("to", at, *this);
  if (impl_->dtype() == dtype) return itself(*this);
  return e.result(operand(e, *this, checked_dtype(dtype, "to", at)));
}
Tensor clone(const Tensor& x, Location at) {
  Emitter e("clone", at, x);
  return e.result(e.b.emit(Op::copy_op, {e(x)}));
}

const Tensor& Tensor::copy_(const Arg& source) const {
  Emitter e("copy_", source.at(), *this, source);
  if (!broadcasts_to(shape_of(source), impl_->shape))
    e.fail<ShapeError>("a source of shape " + to_string(shape_of(source)) +
                       " cannot be broadcast to the destination's " + to_string(impl_->shape));
  e.write(*this, operand(e, source, impl_->dtype(), impl_->shape));
  return *this;
}

namespace {
const Tensor& filled(std::string_view name, const Tensor& x, const Arg& value) {
  Emitter e(name, value.at(), x, value);
  if (!shape_of(value).empty())
    e.fail<ShapeError>("only a number or a 0-d tensor can fill, got " + type_name(value.tensor()));
  e.write(x, Op::fill_op, {operand(e, value, x.impl()->dtype(), {})});
  return x;
}
}  // namespace
const Tensor& Tensor::fill_(const Arg& value) const { return filled("fill_", *this, value); }
const Tensor& Tensor::zero_(Location at) const { return filled("zero_", *this, Arg(0, at)); }

NoGrad::NoGrad() { ++thread_state().no_grad_depth; }
NoGrad::~NoGrad() { --thread_state().no_grad_depth; }
StrongZeros::StrongZeros() { ++thread_state().strong_zeros_depth; }
StrongZeros::~StrongZeros() { --thread_state().strong_zeros_depth; }

}  // namespace jot
