#include "core/record/emitter.h"

#include <vector>

#include "core/record/evaluate.h"
#include "core/record/thread.h"
#include "core/storage/views.h"
#include "ir/hash.h"

namespace jot::detail {

using ir::Op;
using ir::Value;

namespace {

// Where recordings begin.
uint64_t key_of(std::string_view op, Location at) {
  uint64_t h = hash_mix(reinterpret_cast<uintptr_t>(op.data()), static_cast<uint64_t>(at.line));
  return hash_mix(h, reinterpret_cast<uintptr_t>(at.file));
}

}  // namespace

Emitter::Emitter(std::string_view op, Location at, std::span<const Tensor> operands)
    : trace(current_trace()), b(trace.builder()), op_(op) {
  ThreadState& s = thread_state();
  if (!s.composite.empty()) op_ = s.composite, at = s.composite_line;
  if (trace.lazy()) lock_ = std::unique_lock(trace.mutex());
  if (s.scope_location.line) at = s.scope_location;
  if (lock_ && !trace.follows() && b.size() == 0) trace.follow(s.lazy_precedents, key_of(op, at));
  b.set_origin(at, s.scope);
  for (const Tensor& t : operands) hand_over(t);
  nested_ = trace.set_emitting(true);  // last: what fails before it leaves no emitter
}

void Emitter::hand_over(const Tensor& t) {
  if (!t.defined()) fail<TraceError>("an operand is an undefined Tensor");
  Storage& s = *t.impl()->storage;
  uint64_t owner = s.owner.load(std::memory_order_acquire);
  if (owner == 0) return;
  for (const Trace* own = &trace; own; own = own->parent())
    if (own->id() == owner) return;
  // Two threads that hand over to each other must not hold their own locks meanwhile.
  if (lock_) lock_.unlock();
  detail::hand_over(s);
  if (trace.lazy()) lock_.lock();
  trace.check_reachable(s, op_, b.location());
}

// Under NoGrad no derivative may see how v came about.
Value Emitter::constant_without_grad(Value v) {
  if (thread_state().no_grad_depth == 0 || trace.lazy() || !is_floating(b.dtype(v))) return v;
  return b.emit(Op::stop_gradient_op, {v});
}

// Values stay valid while an emitter lives.
Emitter::~Emitter() {
  if (lock_ && !nested_ && trace.full()) flush(trace);
  trace.set_emitting(nested_);
}

Tensor Emitter::result(Value v) { return trace.adopt(constant_without_grad(v)); }

Value Emitter::random_bits(const Shape& shape, int width) {
  for (const Trace* t = &trace; t; t = t->parent())
    if (t->options().randomness == Randomness::error)  // of a vmap, or of jacfwd's columns
      throw TransformError(
          "[vmap] called random operation while in randomness error mode. Please either use the 'same' or 'different' "
          "randomness flags on vmap or perform the randomness operation out of vmap" +
          jot::at(b.location()));
  Draws& draws = trace.draws();
  Value key = draws.key(), offset = draws.offset();
  draws.drew(shape.numel() * draws.lanes());
  return b.emit(Op::random_bits_op, {key, offset}, ir::Attrs(shape, static_cast<int64_t>(width)));
}

// Under a derivative transform nothing that was made outside may be written.
void Emitter::check_writable(const Tensor& dst) const {
  if (dst.impl()->storage->orders_calls) return;
  if (dst.impl()->overlapping())
    fail<ShapeError>(
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location; "
        "write to a clone() of it");
  uint64_t owner = dst.impl()->storage->owner.load(std::memory_order_acquire);
  for (const Trace* t = &trace; t && t->id() != owner; t = t->parent()) {
    if (t->options().kind == TraceKind::derivative)
      fail<TransformError>(
          "During a grad (vjp, jvp, grad, etc) transform, the function provided attempted to call in-place operation "
          "(" +
          std::string(op_) +
          ") that would mutate a captured Tensor. This is not supported; please rewrite the function being transformed "
          "to explicitly accept the mutated Tensor(s) as inputs.");
  }
}

void Emitter::write(const Tensor& dst, Op op, std::initializer_list<Value> others) {
  check_writable(dst);
  std::vector<Value> operands = {ir::kNoValue};
  for (Value v : others) operands.push_back(constant_without_grad(v));
  // Of elements that a parent repeats only these are written: the way to them must not lead through it.
  std::optional<Tensor> placed = dst.impl()->repeats ? placed_in_base(dst) : dst;
  if (!placed)
    fail<TransformError>(
        "unsupported operation: the destination is a part of a view that repeats elements of an argument that is not "
        "contiguous; pass a clone() of it");
  const Tensor& to = *placed;
  operands[0] = trace.destination(to);
  trace.wrote(to, b.emit(op, operands, {}, true));
}

void Emitter::write(const Tensor& dst, Value v) { write(dst, Op::copy_op, {v}); }

Tensor record(Op op, std::span<const Tensor> operands, ir::Ints attrs, Location at) {
  Emitter e(ir::name_of(op), at, operands);
  constexpr size_t kInline = 8;
  Value few[kInline];
  std::vector<Value> many;
  if (operands.size() > kInline) many.resize(operands.size());
  Value* values = many.empty() ? few : many.data();
  for (size_t i = 0; i < operands.size(); ++i) values[i] = e(operands[i]);
  return e.result(e.b.emit(op, {values, operands.size()}, attrs));
}

}  // namespace jot::detail
