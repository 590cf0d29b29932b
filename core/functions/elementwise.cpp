#include <cmath>

#include "core/functions/operands.h"
#include "core/record/thread.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Direction;
using ir::Op;
using ir::Value;

namespace {

// The line of a call: that of its operands.
Location at(const Arg& a, const Arg& b) { return a.at().line ? a.at() : b.at(); }

// dst = v: v is cast as torch casts the result of an in-place operation.
void store(Emitter& e, const Tensor& dst, Value v) {
  DType to = dst.dtype();
  check_castable(e, e.b.dtype(v), to);
  if (e.b.shape(v) != shape_of(dst))
    e.fail<ShapeError>("output with shape " + to_string(shape_of(dst)) + " doesn't match the broadcast shape " +
                       to_string(e.b.shape(v)));
  e.write(dst, build::convert(e.b, v, to));
}

// ---- of one tensor

enum class Domain : uint8_t { floating, numeric, rounding };
struct Unary {
  std::string_view name, in_place;
  Domain domain;
  Op op;
  Value (*composed)(Emitter&, Value);  // instead of op
};

DType domain_dtype(const Emitter& e, const Unary& u, DType given) {
  if (u.domain == Domain::floating) return floating(given);
  if (given == DType::boolean) e.fail<DTypeError>("not defined for boolean: convert with to(i64), or use logical_not");
  return given;
}

Tensor apply(const Unary& u, const Tensor& x, Location where) {
  Emitter e(u.name, where, x);
  DType dtype = domain_dtype(e, u, x.impl()->dtype());
  Value v = operand(e, x, dtype);
  if (u.domain == Domain::rounding && !is_floating(dtype)) return e.result(e.b.emit(Op::copy_op, {v}));
  return e.result(u.composed ? u.composed(e, v) : build::unary(e.b, u.op, v));
}

void apply_in_place(const Unary& u, const Tensor& x, Location where) {
  Emitter e(u.in_place, where, x);
  DType dtype = domain_dtype(e, u, x.impl()->dtype());
  if (u.domain == Domain::rounding && !is_floating(dtype)) return;
  if (!u.composed && dtype == x.impl()->dtype()) return e.write(x, u.op, {});
  Value v = operand(e, x, dtype);
  store(e, x, u.composed ? u.composed(e, v) : build::unary(e.b, u.op, v));
}

Value composed_square(Emitter& e, Value x) { return build::mul(e.b, x, x); }
Value composed_reciprocal(Emitter& e, Value x) { return build::div(e.b, splat(e, e.b.dtype(x), e.b.shape(x), 1), x); }
// NaN stays.
Value composed_relu(Emitter& e, Value x) {
  Value zero = build::zeros_like(e.b, x);
  return build::where(e.b, build::compare(e.b, x, zero, Direction::le), zero, x);
}

#define JOT_DEFINE(name, domain, op) const Unary kUnary_##name{#name, #name "_", Domain::domain, Op::op, nullptr};
JOT_UNARY_OP(JOT_DEFINE)
#undef JOT_DEFINE
#define JOT_DEFINE(name, domain) \
  const Unary kUnary_##name{#name, #name "_", Domain::domain, Op::copy_op, composed_##name};
JOT_UNARY_COMPOSED(JOT_DEFINE)
#undef JOT_DEFINE

// ---- of two, of which one may be a number

struct Binary {
  std::string_view name, in_place;
  Domain domain;
  Op op;
  Op of_booleans;  // op itself: none
};
#define JOT_DEFINE(name, domain, op, of_booleans) \
  constexpr Binary kBinary_##name{#name, #name "_", Domain::domain, Op::op, Op::of_booleans};
JOT_BINARY_OP(JOT_DEFINE)
#undef JOT_DEFINE

struct Typed {
  Op op;
  DType dtype;
};
Typed typed(const Emitter& e, const Binary& f, const Arg& a, const Arg& b) {
  const bool alike = a.is_tensor() && b.is_tensor() && a.tensor().impl()->dtype() == b.tensor().impl()->dtype();
  DType dtype = alike ? a.tensor().impl()->dtype() : promoted({&a, &b});
  if (f.domain == Domain::floating) dtype = floating(dtype);
  if (dtype != DType::boolean) return {f.op, dtype};
  if (f.of_booleans == f.op)
    e.fail<DTypeError>("not defined for two booleans: use logical_xor, or convert with to(i64)");
  return {f.of_booleans, dtype};
}

// A number beside half floats is one of what they are computed in, not rounded to them.
bool is_wide_number(const Arg& a, DType dtype) { return !a.is_tensor() && is_floating(dtype) && is_storage(dtype); }

Value compute(Emitter& e, const Binary& f, const Arg& a, const Arg& b) {
  auto [op, dtype] = typed(e, f, a, b);
  Shape shape = broadcast_shapes(e, shape_of(a), shape_of(b));
  DType within = is_wide_number(a, dtype) || is_wide_number(b, dtype) ? computing_type(dtype) : dtype;
  Value x = operand(e, a, within, shape);
  return build::convert(e.b, e.b.emit(op, {x, operand(e, b, within, shape)}), dtype);
}

Tensor apply(const Binary& f, const Arg& a, const Arg& b) {
  Emitter e(f.name, at(a, b), a, b);
  return e.result(compute(e, f, a, b));
}

void apply_in_place(const Binary& f, const Tensor& dst, const Arg& b) {
  Emitter e(f.in_place, b.at(), dst, b);
  auto [op, dtype] = typed(e, f, dst, b);
  if (dtype == dst.impl()->dtype() && broadcasts_to(shape_of(b), shape_of(dst)) && !is_wide_number(b, dtype))
    return e.write(dst, op, {operand(e, b, dtype, shape_of(dst))});
  store(e, dst, compute(e, f, dst, b));
}

// x to the power of a number.
Value compute_pow(Emitter& e, const Arg& base, const Arg& exponent) {
  DType dtype = promoted({&base, &exponent});
  if (exponent.is_tensor())
    e.fail<DTypeError>("exponents that are tensors are not supported yet: use exp(y * log(x)), which needs x > 0");
  double n = exponent.number().real;
  if (dtype == DType::boolean) dtype = DType::i64;
  if (!is_floating(dtype) && n < 0) e.fail<DTypeError>("Integers to negative integer powers are not allowed");
  Value x = operand(e, base, dtype, shape_of(base));
  if (n == std::trunc(n) && std::abs(n) < 0x1p31) return build::integer_pow(e.b, x, static_cast<int64_t>(n));
  if (n == 0.5) return build::unary(e.b, Op::sqrt_op, x);
  if (n == -0.5) return build::unary(e.b, Op::rsqrt_op, x);
  e.fail<DTypeError>("exponents that are neither integers nor 0.5 nor -0.5 are not supported yet: use exp(" +
                     std::to_string(n) + " * log(x)), which needs x > 0");
}

// ---- comparisons and logic

template <Direction direction>
Value compared(Emitter& e, const Arg& a, const Arg& b) {
  DType dtype = promoted({&a, &b});
  Shape shape = broadcast_shapes(e, shape_of(a), shape_of(b));
  Value x = operand(e, a, dtype, shape);
  return build::compare(e.b, x, operand(e, b, dtype, shape), direction);
}

Value truth(Emitter& e, Value v) {
  if (e.b.dtype(v) == DType::boolean) return v;
  return build::compare(e.b, v, build::zeros_like(e.b, v), Direction::ne);
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

Value negated(Emitter& e, const Tensor& x) { return build::unary(e.b, Op::not_op, truth(e, e(x))); }
Value inverted(Emitter& e, const Tensor& x) {
  if (is_floating(x.impl()->dtype())) e.fail<DTypeError>("defined for integers and booleans, got " + type_name(x));
  return build::unary(e.b, Op::not_op, e(x));
}

}  // namespace

#define JOT_DEFINE(name, ...)                                                        \
  Tensor name(const Tensor& x, Location at) { return apply(kUnary_##name, x, at); }  \
  Tensor Tensor::name(Location at) const { return apply(kUnary_##name, *this, at); } \
  const Tensor& Tensor::name##_(Location at) const {                                 \
    apply_in_place(kUnary_##name, *this, at);                                        \
    return *this;                                                                    \
  }
JOT_UNARY(JOT_DEFINE)
#undef JOT_DEFINE

#define JOT_DEFINE(name, ...)                                                                      \
  Tensor name(const Arg& a, const Arg& b) { return apply(kBinary_##name, a, b); }                  \
  Tensor Tensor::name(const Arg& b) const { return apply(kBinary_##name, Arg(*this, b.at()), b); } \
  const Tensor& Tensor::name##_(const Arg& b) const {                                              \
    apply_in_place(kBinary_##name, *this, b);                                                      \
    return *this;                                                                                  \
  }
JOT_BINARY_OP(JOT_DEFINE)
#undef JOT_DEFINE

#define JOT_DEFINE(name, compute)                                                      \
  Tensor name(const Arg& a, const Arg& b) {                                            \
    Emitter e(#name, at(a, b), a, b);                                                  \
    return e.result(compute(e, a, b));                                                 \
  }                                                                                    \
  Tensor Tensor::name(const Arg& b) const { return jot::name(Arg(*this, b.at()), b); } \
  const Tensor& Tensor::name##_(const Arg& b) const {                                  \
    Emitter e(#name "_", b.at(), *this, b);                                            \
    store(e, *this, compute(e, *this, b));                                             \
    return *this;                                                                      \
  }
JOT_BINARY_COMPOSED(JOT_DEFINE)
#undef JOT_DEFINE

#define JOT_DEFINE(name, compute)                                         \
  Tensor name(const Tensor& x, Location at) {                             \
    Emitter e(#name, at, x);                                              \
    return e.result(compute(e, x));                                       \
  }                                                                       \
  Tensor Tensor::name(Location at) const { return jot::name(*this, at); } \
  const Tensor& Tensor::name##_(Location at) const {                      \
    Emitter e(#name "_", at, *this);                                      \
    store(e, *this, compute(e, *this));                                   \
    return *this;                                                         \
  }
JOT_NOT(JOT_DEFINE)
#undef JOT_DEFINE

// ---- operators

Tensor operator+(const Arg& a, const Arg& b) { return apply(kBinary_add, a, b); }
Tensor operator-(const Arg& a, const Arg& b) { return apply(kBinary_sub, a, b); }
Tensor operator*(const Arg& a, const Arg& b) { return apply(kBinary_mul, a, b); }
Tensor operator/(const Arg& a, const Arg& b) { return apply(kBinary_div, a, b); }
Tensor operator-(const Arg& a) { return apply(kUnary_neg, a.tensor(), a.at()); }
Tensor operator==(const Arg& a, const Arg& b) { return eq(a, b); }
Tensor operator!=(const Arg& a, const Arg& b) { return ne(a, b); }
Tensor operator<(const Arg& a, const Arg& b) { return lt(a, b); }
Tensor operator<=(const Arg& a, const Arg& b) { return le(a, b); }
Tensor operator>(const Arg& a, const Arg& b) { return gt(a, b); }
Tensor operator>=(const Arg& a, const Arg& b) { return ge(a, b); }
Tensor operator&(const Arg& a, const Arg& b) { return bitwise_and(a, b); }
Tensor operator|(const Arg& a, const Arg& b) { return bitwise_or(a, b); }
Tensor operator^(const Arg& a, const Arg& b) { return bitwise_xor(a, b); }
Tensor operator~(const Arg& a) { return bitwise_not(a.tensor(), a.at()); }

const Tensor& Tensor::operator+=(const Arg& b) const { return add_(b); }
const Tensor& Tensor::operator-=(const Arg& b) const { return sub_(b); }
const Tensor& Tensor::operator*=(const Arg& b) const { return mul_(b); }
const Tensor& Tensor::operator/=(const Arg& b) const { return div_(b); }
const Tensor& Tensor::operator&=(const Arg& b) const { return bitwise_and_(b); }
const Tensor& Tensor::operator|=(const Arg& b) const { return bitwise_or_(b); }
const Tensor& Tensor::operator^=(const Arg& b) const { return bitwise_xor_(b); }

// ---- choosing

Tensor where(const Tensor& condition, const Arg& x, const Arg& y) {
  Emitter e("where", at(x, y), condition, x, y);
  if (condition.impl()->dtype() != DType::boolean)
    e.fail<DTypeError>("the condition must be boolean, got " + type_name(condition) + ": compare it, as in x != 0");
  DType dtype = promoted({&x, &y});
  Shape values = broadcast_shapes(e, shape_of(x), shape_of(y)),
        shape = broadcast_shapes(e, shape_of(condition), values);
  Value c = e(condition);
  if (!shape_of(condition).empty()) c = build::broadcast_to(e.b, c, shape);
  Value a = operand(e, x, dtype, shape);
  return e.result(build::where(e.b, c, a, operand(e, y, dtype, shape)));
}

namespace {

Value compute_masked_fill(Emitter& e, const Tensor& x, const Tensor& mask, const Arg& value) {
  if (mask.impl()->dtype() != DType::boolean) e.fail<DTypeError>("the mask must be boolean, got " + type_name(mask));
  if (!shape_of(value).empty())
    e.fail<ShapeError>("the value must be a number or a 0-d tensor, got " + type_name(value.tensor()));
  DType dtype = x.impl()->dtype();
  Shape shape = broadcast_shapes(e, shape_of(x), shape_of(mask));
  Value m = operand(e, mask, DType::boolean, shape), v = operand(e, value, dtype, shape);
  return build::where(e.b, m, v, operand(e, x, dtype, shape));
}

// NaN stays, as the bounds compare false with it; where low > high the result is high.
Value compute_clamp(Emitter& e, const Tensor& x, const Bound& low, const Bound& high) {
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
  Value v = operand(e, x, dtype, shape);
  auto limit = [&](const Bound& bound, Direction outside) {
    if (bound.absent()) return;
    Value l = operand(e, bound, dtype, shape);
    v = build::where(e.b, build::compare(e.b, v, l, outside), l, v);
  };
  limit(low, Direction::lt);
  limit(high, Direction::gt);
  return v;
}

}  // namespace

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Arg& value) {
  Emitter e("masked_fill", value.at(), x, mask, value);
  return e.result(compute_masked_fill(e, x, mask, value));
}
Tensor Tensor::masked_fill(const Tensor& mask, const Arg& value) const { return jot::masked_fill(*this, mask, value); }
const Tensor& Tensor::masked_fill_(const Tensor& mask, const Arg& value) const {
  Emitter e("masked_fill_", value.at(), *this, mask, value);
  store(e, *this, compute_masked_fill(e, *this, mask, value));
  return *this;
}

Tensor clamp(const Tensor& x, const Bound& low, const Bound& high) {
  Emitter e("clamp", low.at(), x, low, high);
  return e.result(compute_clamp(e, x, low, high));
}
Tensor clamp(const Tensor& x, const Bound& low) { return clamp(x, low, Bound(none, low.at())); }
Tensor Tensor::clamp(const Bound& low, const Bound& high) const { return jot::clamp(*this, low, high); }
Tensor Tensor::clamp(const Bound& low) const { return jot::clamp(*this, low); }
const Tensor& Tensor::clamp_(const Bound& low, const Bound& high) const {
  Emitter e("clamp_", low.at(), *this, low, high);
  store(e, *this, compute_clamp(e, *this, low, high));
  return *this;
}
const Tensor& Tensor::clamp_(const Bound& low) const { return clamp_(low, Bound(none, low.at())); }

Tensor max(const Tensor& a, const Tensor& b, Location at) { return maximum(Arg(a, at), Arg(b, at)); }
Tensor min(const Tensor& a, const Tensor& b, Location at) { return minimum(Arg(a, at), Arg(b, at)); }

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
Tensor Tensor::clone(Location at) const { return jot::clone(*this, at); }

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
