#include "core/functions/forms.h"

#include "core/record/scope.h"

namespace jot::detail {

namespace build = ir::build;
using ir::Op;
using ir::Value;

DType domain_dtype(const Emitter& e, Domain domain, DType given) {
  if (domain == Domain::floating) return floating(given);
  if (domain == Domain::any) return given;
  if (domain == Domain::integer) {
    if (is_floating(given))
      e.fail<DTypeError>("defined for integers and booleans, got " + std::string(to_string(given)) +
                         ": convert with to(i64)");
    return given;
  }
  if (given == DType::boolean) e.fail<DTypeError>("not defined for boolean: convert with to(i64), or use logical_not");
  return given;
}

void store(Emitter& e, const Tensor& dst, Value v) {
  DType to = dst.dtype();
  check_castable(e, e.b.dtype(v), to);
  if (e.b.shape(v) != shape_of(dst))
    e.fail<ShapeError>("output with shape " + to_string(shape_of(dst)) + " doesn't match the broadcast shape " +
                       to_string(e.b.shape(v)));
  e.write(dst, build::convert(e.b, v, to));
}
void store(std::string_view op, const Tensor& dst, const Tensor& v, Location at) {
  Emitter e(op, at, dst, v);
  store(e, dst, e(v));
}

void into(std::string_view op, std::span<const Tensor> outs, std::span<const Tensor> results, Location at) {
  Emitter e(op, at, outs);
  for (const Tensor& t : results) e.use(t);
  for (const Trace* t = &e.trace; t; t = t->parent())
    if (t->options().kind == TraceKind::vmap)
      e.fail<TransformError>(
          "vmap: Batching rule not implemented for aten::" + std::string(op.substr(0, op.size() - 4)) +
          ".out; the fallback path doesn't work on out= or view ops; return the result, or copy_ it");
  for (size_t i = 0; i < outs.size(); ++i) {
    check_castable(e, results[i].impl()->dtype(), outs[i].impl()->dtype());
    if (shape_of(results[i]) != shape_of(outs[i]))
      e.fail<ShapeError>((outs.size() > 1 ? "output " + std::to_string(i) : std::string("the output")) + " is " +
                         type_name(outs[i]) + ", the result has shape " + to_string(shape_of(results[i])) +
                         ": outputs are not resized; give one of that shape");
  }
  std::vector<Value> values;
  for (size_t i = 0; i < outs.size(); ++i) values.push_back(operand(e, results[i], outs[i].impl()->dtype()));
  for (size_t i = 0; i < outs.size(); ++i) e.write(outs[i], values[i]);
}

// ---- of one tensor

namespace {
// What is computed is x.
bool stays(const Unary& f, DType dtype) {
  return dtype == DType::boolean || (f.domain == Domain::rounding && !is_floating(dtype));
}
}  // namespace

Tensor apply(const Unary& f, const Tensor& x, Location at) {
  Emitter e(f.name, at, x);
  DType dtype = domain_dtype(e, f.domain, x.impl()->dtype());
  Value v = operand(e, x, dtype);
  if (stays(f, dtype)) return e.result(e.b.emit(Op::copy_op, {v}));
  return e.result(build::unary(e.b, f.op, v));
}

void apply_in_place(const Unary& f, const Tensor& x, Location at) {
  Emitter e(f.in_place, at, x);
  DType dtype = domain_dtype(e, f.domain, x.impl()->dtype());
  if (stays(f, dtype)) return;
  if (dtype == x.impl()->dtype()) return e.write(x, f.op, {});
  store(e, x, build::unary(e.b, f.op, operand(e, x, dtype)));
}

// ---- of two, of which one may be a number

namespace {

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

}  // namespace

Tensor apply(const Binary& f, const Arg& a, const Arg& b) {
  Emitter e(f.name, line(a, b), a, b);
  return e.result(compute(e, f, a, b));
}

void apply_in_place(const Binary& f, const Tensor& dst, const Arg& b) {
  Emitter e(f.in_place, b.at(), dst, b);
  auto [op, dtype] = typed(e, f, dst, b);
  if (dtype == dst.impl()->dtype() && broadcasts_to(shape_of(b), shape_of(dst)) && !is_wide_number(b, dtype))
    return e.write(dst, op, {operand(e, b, dtype, shape_of(dst))});
  store(e, dst, compute(e, f, dst, b));
}

}  // namespace jot::detail
