#include "core/recorder.h"

#include <cstring>
#include <random>

#include "core/events.h"
#include "core/force.h"
#include "core/views.h"
#include "ir/build.h"
#include "ir/hash.h"
#include "ir/thread_object.h"
#include "passes/inline.h"

namespace jot::detail {

using ir::Op;
using ir::Value;

namespace {

Generator random_generator() {
  std::random_device device;
  auto word = [&] { return static_cast<int64_t>(uint64_t{device()} << 32 | device()); };
  return {{word(), 0}, 0};
}

constinit thread_local Trace* innermost = nullptr;  // null until the thread records, and when its state has ended

struct ThreadState {
  std::shared_ptr<Trace> lazy = std::make_shared<Trace>(TraceOptions{}, nullptr);
  int no_grad_depth = 0, strong_zeros_depth = 0;
  Precedents precedents;  // of functions
  std::string scope;
  Location scope_location, call_site;

  ThreadState() {
    lazy->generator = random_generator();
    innermost = lazy.get();
  }
  ~ThreadState() {
    {
      ForkSafeLock lock(lazy->mutex());
      flush(*lazy);
    }
    innermost = nullptr;
  }
};
ThreadState& state() { return ThreadObject<ThreadState>::get(); }

// A forked child continues a stream that was seeded; others must not be drawn twice.
const ForkHandlers at_fork(nullptr, []() noexcept {
  if (innermost && !generator().seeded) state().lazy->seed(random_generator());
});

bool is_lazy(const Trace& t) { return t.options().kind == TraceKind::lazy; }

// Where recordings begin.
uint64_t key_of(std::string_view op, Location at) {
  uint64_t h = hash_mix(reinterpret_cast<uintptr_t>(op.data()), static_cast<uint64_t>(at.line));
  return hash_mix(h, reinterpret_cast<uintptr_t>(at.file));
}
uint64_t key_of(Fn fn, const Trace& trace) {
  const TraceOptions& o = trace.options();
  uint64_t h = hash_mix(static_cast<uint64_t>(o.kind) * 2 + trace.bakes_literals(), static_cast<uint64_t>(o.at.line));
  h = hash_mix(h, reinterpret_cast<uintptr_t>(o.at.file));
  return hash_mix(h, reinterpret_cast<uintptr_t>(fn.call));
}

}  // namespace

Generator& generator() { return state().lazy->generator; }
Trace* innermost_trace() { return innermost; }
Trace& current_trace() {
  if (!innermost) state();
  return *innermost;
}
bool tracing() { return !is_lazy(current_trace()); }
int& no_grad_depth() { return state().no_grad_depth; }
int& strong_zeros_depth() { return state().strong_zeros_depth; }

EnterTrace::EnterTrace(Trace& trace) : outer_(std::exchange(innermost, &trace)) {}
EnterTrace::~EnterTrace() { innermost = outer_; }

Scope::Scope(std::string_view name, Location at) : name_size_(state().scope.size()), outer_(state().scope_location) {
  ThreadState& s = state();
  if (!s.scope.empty() && !name.empty()) s.scope += '/';
  s.scope += name;
  if (at.line && !s.scope_location.line) s.scope_location = at;
}
Scope::~Scope() {
  state().scope.resize(name_size_);
  state().scope_location = outer_;
}

CallSite::CallSite(Location at) : outer_(state().call_site) {
  if (at.line) state().call_site = at;
}
CallSite::~CallSite() { state().call_site = outer_; }
Location CallSite::current() { return state().call_site; }

// ---- recording

Emitter::Emitter(std::string_view op, Location at, std::span<const Tensor> operands)
    : trace(current_trace()), b(trace.builder()), op_(op) {
  ThreadState& s = state();
  if (is_lazy(trace)) lock_ = std::unique_lock(trace.mutex());
  nested_ = std::exchange(trace.emitting, true);
  if (s.scope_location.line) at = s.scope_location;
  if (lock_ && !trace.follows() && b.size() == 0) trace.follow(trace.precedents, key_of(op, at));
  b.set_origin(at, s.scope);
  for (const Tensor& t : operands) hand_over(t);
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
  if (is_lazy(trace)) lock_.lock();
}

// Under NoGrad no derivative may see how v came about.
Value Emitter::constant_without_grad(Value v) {
  if (state().no_grad_depth == 0 || is_lazy(trace) || !is_floating(b.dtype(v))) return v;
  return b.emit(Op::stop_gradient_op, {v});
}

// Values stay valid while an emitter lives.
Emitter::~Emitter() {
  if (lock_ && !nested_ && (trace.full() || trace.reads_borrowed())) flush(trace);
  trace.emitting = nested_;
}

Tensor Emitter::result(Value v) { return trace.adopt(constant_without_grad(v)); }

Value Emitter::random_bits(const Shape& shape, int width) {
  for (const Trace* t = &trace; t; t = t->parent())
    if (t->options().randomness == Randomness::error)  // of a vmap, or of jacfwd's columns
      throw TransformError(
          "[vmap] called random operation while in randomness error mode. Please either use the 'same' or 'different' "
          "randomness flags on vmap or perform the randomness operation out of vmap" +
          jot::at(b.location()));
  Value key = trace.rng_key(), offset = trace.rng_offset();
  trace.drew(shape.numel() * trace.drawing_lanes());
  return b.emit(Op::random_bits_op, {key, offset}, ir::Attrs(shape, static_cast<int64_t>(width)));
}

// Under a derivative transform nothing that was made outside may be written.
void Emitter::check_writable(const Tensor& dst) const {
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

namespace {

// A permutation of a permutation is one, and of reshapes only the last counts.
bool merged(ViewStep& step, const ViewStep& inner) {
  if (step.op != inner.op) return false;
  if (step.op == Op::permute_op) {
    ir::Ints outer_perm = ir::AttrView(step.op, step.attrs).ints(ir::Key::perm);
    ir::Ints inner_perm = ir::AttrView(inner.op, inner.attrs).ints(ir::Key::perm);
    std::vector<int64_t> perm;
    for (int64_t d : outer_perm) perm.push_back(inner_perm[static_cast<size_t>(d)]);
    step.attrs = ir::Attrs(perm);
    return true;
  }
  return step.op == Op::reshape_op;
}

}  // namespace

Tensor view(const Tensor& t, ViewStep step, Shape shape, int64_t offset, Shape strides) {
  const TensorImpl& from = *t.impl();
  auto impl = make_pooled<TensorImpl>(from.storage, std::move(shape));
  impl->offset = offset;
  impl->strides = std::move(strides);
  impl->parent = from.step && merged(step, *from.step) ? from.parent : t.impl();
  bool may_repeat = step.op == Op::broadcast_op || step.op == Op::gather_op;
  impl->repeats = from.repeats || (may_repeat && impl->overlapping());
  impl->step = std::unique_ptr<const ViewStep>(new ViewStep(std::move(step)));
  return Tensor(std::move(impl));
}

Tensor from_buffer(DType dtype, const Shape& shape, Buffer buffer) {
  auto base = make_pooled<BaseTensor>(ir::Type{dtype, false, shape});
  base->contents.buffer = std::move(buffer);
  return Tensor(std::move(base));
}

Tensor empty(DType dtype, const Shape& shape) {
  return from_buffer(dtype, shape, Buffer::allocate(shape.numel() * size_of(dtype), size_of(dtype)));
}

// ---- recording of functions

namespace {

// An argument as f sees it: its elements are row-major, its strides the caller's (where it is mapped: of a lane), as
// what reshape, view and contiguous do depends on them.
Tensor with_layout_of(Tensor symbolic, const TensorImpl& caller, std::optional<int64_t> in_dim) {
  std::unique_ptr<const Shape>& kept = symbolic.impl()->storage->caller_strides;
  if (!caller.parent && !in_dim) {  // perhaps a base whose views are arguments
    if (caller.storage->caller_strides) kept = std::make_unique<const Shape>(*caller.storage->caller_strides);
    return symbolic;
  }
  Shape strides = caller.layout();
  if (in_dim) strides.erase(static_cast<size_t>(*in_dim));
  const Shape shape = symbolic.impl()->shape;
  if (is_row_major(shape, strides)) return symbolic;
  kept = std::make_unique<const Shape>(strides);
  return reshaped_view(symbolic, shape, strides);
}

class TraceGuard {
 public:
  explicit TraceGuard(TraceOptions options)
      : trace(std::make_shared<Trace>(std::move(options), &current_trace())),
        enter_(*trace),
        outer_depth_(std::exchange(state().no_grad_depth, 0)) {}
  ~TraceGuard() {
    trace->finished = true;
    state().no_grad_depth = outer_depth_;
  }
  TraceGuard(const TraceGuard&) = delete;
  TraceGuard& operator=(const TraceGuard&) = delete;
  std::shared_ptr<Trace> trace;

 private:
  EnterTrace enter_;
  int outer_depth_;
};

}  // namespace

Recording record_function(Fn fn, std::span<const Tensor> args, TraceOptions options,
                          std::span<const std::optional<int64_t>> in_dims, std::span<const ir::Type> types,
                          std::span<const uint8_t> copied) {
  Scope scope(options.scope);
  CallSite site(options.at);
  TraceGuard guard(std::move(options));
  Trace& trace = *guard.trace;
  if (trace.options().kind != TraceKind::jit) trace.follow(state().precedents, key_of(fn, trace));
  trace.in_dims.assign(in_dims.begin(), in_dims.end());
  trace.arguments.assign(args.begin(), args.end());
  trace.fn = fn;
  std::vector<Tensor> symbolic;
  symbolic.reserve(args.size());
  for (size_t i = 0; i < args.size(); ++i) {
    Tensor t = trace.adopt(
        trace.argument(types.empty() ? ir::Type{args[i].dtype(), false, args[i].impl()->shape} : types[i]), true);
    if (!trace.options().row_major)
      t = with_layout_of(std::move(t), *args[i].impl(), in_dims.empty() ? std::nullopt : in_dims[i]);
    symbolic.push_back(std::move(t));
  }
  for (size_t i = 0; i < args.size(); ++i)
    if (copied.empty() || !copied[i]) trace.aliases.push_back({args[i], symbolic[i].impl()->storage, i});
  Recording recording;
  fn.call(fn.self, symbolic, recording.outputs);
  std::vector<Value> outputs;
  for (const std::vector<Tensor>* list : {&recording.outputs.values, &recording.outputs.aux})
    for (size_t i = 0; i < list->size(); ++i) {
      const Tensor& t = (*list)[i];
      if (!t.defined())
        throw TransformError("[" + trace.options().scope + "] f returned an undefined Tensor: " +
                             fn.name(list == &recording.outputs.aux ? Role::aux : Role::output, i) +
                             jot::at(trace.options().at));
      Emitter e("return", {}, t);
      outputs.push_back(e(t));
    }
  trace.aliases.clear();
  recording.random_draws = trace.random_draws;
  Trace::Taken taken = trace.take(outputs);
  recording.graph = std::move(taken.graph);
  recording.bindings = std::move(taken.bindings);
  if (env().log_record) log_recording(trace.options(), recording);
  return recording;
}

// ---- emitting graphs

namespace {

Value bound_value(Trace& t, const Binding& b, std::span<const Tensor> args) {
  switch (b.kind) {
    case Binding::Kind::argument:
      return t.read(args[b.argument]);
    case Binding::Kind::capture:
      return t.read(b.capture);
    case Binding::Kind::literal:
      return t.literal(b.number, b.dtype);
    case Binding::Kind::rng_key:
      return t.rng_key();
    case Binding::Kind::rng_offset:
      return t.rng_offset();
  }
  return ir::kNoValue;
}

}  // namespace

std::vector<Tensor> splice(const ir::Graph& graph, std::span<const Binding> bindings, std::span<const Tensor> args,
                           std::span<const Tensor> extra, int64_t random_draws, Location at) {
  std::vector<Tensor> read(args.begin(), args.end());
  read.insert(read.end(), extra.begin(), extra.end());
  for (const Binding& b : bindings)
    if (b.kind == Binding::Kind::capture) read.push_back(b.capture);
  Emitter e("copy_", at, read);
  Trace& t = e.trace;
  const ir::GraphData& g = graph.data();
  std::vector<Value> inputs;
  inputs.reserve(bindings.size() + extra.size());
  for (const Binding& b : bindings) inputs.push_back(bound_value(t, b, args));
  for (const Tensor& x : extra) inputs.push_back(t.read(x));
  t.drew(random_draws);
  std::vector<Value> outputs = passes::inline_graph(e.b, g, inputs);
  e.b.set_origin(state().scope_location.line ? state().scope_location : at, state().scope);

  std::vector<Tensor> results;
  results.reserve(g.num_results());
  for (size_t i = 0; i < g.writebacks().size(); ++i) {
    const Binding& binding = bindings[g.writebacks()[i]];
    e.write(binding.kind == Binding::Kind::argument ? args[binding.argument] : binding.capture,
            outputs[g.num_results() + i]);
  }
  for (size_t i = 0; i < g.num_results(); ++i) results.push_back(e.result(outputs[i]));
  return results;
}

}  // namespace jot::detail
