// Arithmetic on values, for bodies that are formulas. A number beside an Expr has its dtype and shape.
#pragma once
#include <limits>

#include "core/functions/forms.h"

namespace jot::detail {

class Expr {
 public:
  Expr(Emitter& e, ir::Value v) : e_(&e), v_(v) {}
  operator ir::Value() const { return v_; }  // NOLINT: what it is
  Emitter& emitter() const { return *e_; }
  ir::Builder& b() const { return e_->b; }
  DType dtype() const { return b().dtype(v_); }
  Expr like(double number) const { return {*e_, splat(*e_, dtype(), b().shape(v_), number)}; }
  Expr make(ir::Op op) const { return {*e_, ir::build::unary(b(), op, v_)}; }
  Expr make(ir::Op op, const Expr& y) const { return {*e_, ir::build::binary(b(), op, v_, y.v_)}; }
  Expr to(DType dtype) const { return {*e_, ir::build::convert(b(), v_, dtype)}; }
  Expr bits(DType dtype) const { return {*e_, b().emit(ir::Op::bitcast_op, {v_}, ir::Attrs(dtype))}; }
  Expr compared(const Expr& y, ir::Direction how) const { return {*e_, ir::build::compare(b(), v_, y.v_, how)}; }

 private:
  Emitter* e_;
  ir::Value v_;
};

template <class T>
concept Plain = std::is_arithmetic_v<T>;
#define JOT_EXPR(symbol, op)                                                                  \
  inline Expr operator symbol(const Expr& x, const Expr& y) { return x.make(ir::Op::op, y); } \
  template <Plain T>                                                                          \
  Expr operator symbol(const Expr& x, T y) {                                                  \
    return x.make(ir::Op::op, x.like(static_cast<double>(y)));                                \
  }                                                                                           \
  template <Plain T>                                                                          \
  Expr operator symbol(T x, const Expr& y) {                                                  \
    return y.like(static_cast<double>(x)).make(ir::Op::op, y);                                \
  }
JOT_EXPR(+, add_op)
JOT_EXPR(-, sub_op)
JOT_EXPR(*, mul_op)
JOT_EXPR(/, div_op)
#undef JOT_EXPR
#define JOT_EXPR(symbol, direction)                                                                             \
  inline Expr operator symbol(const Expr& x, const Expr& y) { return x.compared(y, ir::Direction::direction); } \
  template <Plain T>                                                                                            \
  Expr operator symbol(const Expr& x, T y) {                                                                    \
    return x.compared(x.like(static_cast<double>(y)), ir::Direction::direction);                                \
  }
JOT_EXPR(<, lt)
JOT_EXPR(<=, le)
JOT_EXPR(>, gt)
JOT_EXPR(>=, ge)
JOT_EXPR(==, eq)
JOT_EXPR(!=, ne)
#undef JOT_EXPR
// Of booleans and integers.
inline Expr operator&(const Expr& x, const Expr& y) { return x.make(ir::Op::and_op, y); }
inline Expr operator|(const Expr& x, const Expr& y) { return x.make(ir::Op::or_op, y); }
inline Expr operator!(const Expr& x) { return x.make(ir::Op::not_op); }
inline Expr operator-(const Expr& x) { return x.make(ir::Op::neg_op); }

inline Expr where(const Expr& condition, const Expr& x, const Expr& y) {
  return {x.emitter(), ir::build::where(x.b(), condition, x, y)};
}
template <Plain T>
Expr where(const Expr& condition, T x, const Expr& y) {
  return where(condition, y.like(static_cast<double>(x)), y);
}
template <Plain T>
Expr where(const Expr& condition, const Expr& x, T y) {
  return where(condition, x, x.like(static_cast<double>(y)));
}

// The operands of a function, promoted and broadcast. What is computed from them, in f32 for half floats and i32 for
// u8, is rounded to their dtype by result().
class Operands {
 public:
  Operands(Emitter& e, Domain domain, std::initializer_list<const Arg*> args) : e_(&e), dtype_(promoted(args)) {
    dtype_ = domain_dtype(e, domain, dtype_);
    within_ = computing_type(dtype_);
    for (const Arg* a : args) shape_ = broadcast_shapes(e, shape_, shape_of(*a));
  }
  Operands(Emitter& e, Domain domain, const Tensor& x) : Operands(e, domain, {Arg(x)}) {}
  Expr operator()(const Arg& a) const { return {*e_, operand(*e_, a, within_, shape_)}; }
  ir::Value result(const Expr& v) const { return v.to(dtype_); }
  DType dtype() const { return dtype_; }
  DType within() const { return within_; }

 private:
  Operands(Emitter& e, Domain domain, const Arg& x) : Operands(e, domain, {&x}) {}
  Emitter* e_;
  DType dtype_, within_;
  Shape shape_;
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// log, log1p, ... of an Expr: f(Op::log_op, x).
inline Expr f(ir::Op op, const Expr& x) { return x.make(op); }
inline Expr f(ir::Op op, const Expr& x, const Expr& y) { return x.make(op, y); }

}  // namespace jot::detail
