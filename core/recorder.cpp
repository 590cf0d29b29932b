#include "core/recorder.h"

#include <cstring>
#include <random>

#include "core/engine_cache.h"
#include "core/force.h"
#include "ir/build.h"
#include "passes/inline.h"

namespace jot::detail {

using ir::Op;
using ir::Value;

namespace {

// Protects Storage::trace where more than one thread may look at it: at a hand-over and at the end of a flush.
std::mutex& hand_over_mutex() {
  static std::mutex* m = new std::mutex;
  return *m;
}

// Past this many nodes a lazy trace is evaluated on its own, so that loops need bounded memory.
constexpr uint32_t kMaxPendingNodes = 4096;

struct ThreadState {
  std::shared_ptr<Trace> lazy = std::make_shared<Trace>(TraceOptions{}, nullptr);
  Trace* current = nullptr;  // innermost; null: the lazy trace
  std::string scope;
  Location scope_location;
  Generator generator;

  ThreadState() {
    std::random_device device;
    generator = {{static_cast<int64_t>(device()), static_cast<int64_t>(device())}, 0};
  }
  ~ThreadState() {
    std::lock_guard lock(lazy->mutex());
    try {
      flush(*lazy);
    } catch (const std::exception&) {  // the tensors keep the failure; reading them reports it
    }
  }
};
ThreadState& state() {
  thread_local ThreadState s;
  return s;
}

thread_local int depth_of_no_grad = 0;

Trace& current() {
  ThreadState& s = state();
  return s.current ? *s.current : *s.lazy;
}

// Records into the innermost trace under its lock, with its origin set.
class Recorder {
 public:
  explicit Recorder(Location at) : trace(current()), lock_(trace.mutex(), std::defer_lock) {
    if (trace.options().kind == TraceKind::lazy) lock_.lock();
    ThreadState& s = state();
    trace.builder().set_origin(s.scope_location.line ? s.scope_location : at, s.scope);
  }
  Trace& trace;

 private:
  std::unique_lock<std::recursive_mutex> lock_;
};

Value blocked(Trace& t, Value v) {
  if (depth_of_no_grad > 0 && t.options().kind != TraceKind::lazy && is_floating(t.builder().dtype(v))) return t.builder().emit(Op::stop_gradient_op, {v});
  return v;
}

void bound(Trace& t) {
  if (t.options().kind == TraceKind::lazy && t.builder().graph().size() > kMaxPendingNodes) flush(t);
}

std::span<const std::byte> literal_bytes(const Binding& b, std::byte (&word)[8]) {
  double real = b.number.dtype == DType::f64 ? b.number.real : static_cast<double>(b.number.integer);
  int64_t integer = b.number.dtype == DType::f64 ? static_cast<int64_t>(b.number.real) : b.number.integer;
  auto put = [&](auto x) { std::memcpy(word, &x, sizeof x); };
  switch (b.dtype) {
    case DType::f64: put(real); break;
    case DType::f32: put(static_cast<float>(real)); break;
    case DType::i64: put(integer); break;
    case DType::i32: put(static_cast<int32_t>(integer)); break;
    case DType::boolean: put(static_cast<uint8_t>(b.number.dtype == DType::f64 ? real != 0 : integer != 0)); break;
    default: internal_error("dtype of a literal", to_string(b.dtype));
  }
  return word;
}

}  // namespace

Generator& generator() { return state().generator; }
Trace& current_trace() { return current(); }
int& no_grad_depth() { return depth_of_no_grad; }

EnterTrace::EnterTrace(Trace& trace) : outer_(state().current) {
  state().current = trace.options().kind == TraceKind::lazy ? nullptr : &trace;
}
EnterTrace::~EnterTrace() { state().current = outer_; }


std::shared_ptr<Trace> trace_of(const Storage& storage) {
  std::lock_guard lock(hand_over_mutex());
  return storage.owner.load(std::memory_order_relaxed) ? storage.trace : nullptr;
}

Tensor record(Op op, std::span<const Tensor> operands, ir::Ints attrs, Location at) {
  Recorder r(at);
  constexpr size_t kInline = 8;
  Value few[kInline];
  std::vector<Value> many;
  if (operands.size() > kInline) many.resize(operands.size());
  Value* values = many.empty() ? few : many.data();
  for (size_t i = 0; i < operands.size(); ++i) values[i] = r.trace.read(*operands[i].impl());
  Tensor result = r.trace.adopt(blocked(r.trace, r.trace.builder().emit(op, {values, operands.size()}, attrs)));
  bound(r.trace);
  return result;
}

Tensor view(const Tensor& t, ViewStep step, Shape shape, int64_t offset, std::vector<int64_t> strides) {
  auto impl = std::make_shared<TensorImpl>();
  impl->storage = t.impl()->storage;
  impl->shape = std::move(shape);
  impl->offset = offset;
  impl->strides = std::move(strides);
  impl->parent = t.impl();
  impl->step = std::move(step);
  return Tensor(std::move(impl));
}

namespace {

// B17: under a derivative transform nothing that was made outside may be written.
void check_writable(const Trace& trace, const Storage& storage, std::string_view op, Location at) {
  uint64_t owner = storage.owner.load(std::memory_order_acquire);
  for (const Trace* t = &trace; t && t->id() != owner; t = t->parent()) {
    if (t->options().kind == TraceKind::derivative)
      throw TransformError(
          "[" + std::string(op) +
          "] During a grad (vjp, jvp, grad, etc) transform, the function provided attempted to call in-place "
          "operation (" + std::string(op) +
          ") that would mutate a captured Tensor. This is not supported; please rewrite the function being "
          "transformed to explicitly accept the mutated Tensor(s) as inputs." + jot::at(at));
  }
}

}  // namespace

void write(const Tensor& dst, Op op, std::span<const Tensor> others, Location at) {
  Recorder r(at);
  TensorImpl& t = *dst.impl();
  check_writable(r.trace, *t.storage, std::string(ir::name_of(op)) + "_", r.trace.builder().location());
  std::vector<Value> operands = {ir::kNoValue};
  for (const Tensor& o : others) operands.push_back(blocked(r.trace, r.trace.read(*o.impl())));
  operands[0] = r.trace.address(t);
  r.trace.wrote(t, r.trace.builder().emit(op, operands, {}, true));
  bound(r.trace);
}

Tensor literal(Number number, DType dtype, Location at) {
  Recorder r(at);
  return r.trace.adopt(r.trace.literal(number, dtype));
}

Tensor random_bits(const Shape& shape, int width, Location at) {
  Recorder r(at);
  Trace& t = r.trace;
  for (const Trace* outer = &t; outer; outer = outer->parent())
    if (outer->options().kind == TraceKind::vmap && outer->options().randomness == Randomness::error)
      throw TransformError(
          "[vmap] called random operation while in randomness error mode. Please either use the 'same' or 'different' "
          "randomness flags on vmap or perform the randomness operation out of vmap" + jot::at(t.builder().location()));
  Value key = t.rng_input(Binding::Kind::rng_key), base = t.rng_input(Binding::Kind::rng_offset);
  Value offset = ir::build::add(t.builder(), base, ir::build::constant_int(t.builder(), DType::i64, {}, t.random_blocks));
  Value bits = t.builder().emit(Op::random_bits_op, {key, offset}, ir::Attrs(shape, static_cast<int64_t>(width)));
  t.random_blocks += (shape.numel() * (width / 32) + 3) / 4;
  return t.adopt(bits);
}

Tensor from_buffer(DType dtype, const Shape& shape, Buffer buffer) {
  auto impl = std::make_shared<TensorImpl>();
  impl->storage = std::make_shared<Storage>(ir::Type{dtype, false, shape});
  impl->storage->buffer = std::move(buffer);
  impl->shape = shape;
  impl->strides = row_major(shape);
  return Tensor(std::move(impl));
}

Tensor empty(DType dtype, const Shape& shape) {
  return from_buffer(dtype, shape, Buffer::allocate(shape.numel() * size_of(dtype), size_of(dtype)));
}

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

// ---- evaluation of lazy traces

namespace {

// Runs a recorded graph whose bindings are all concrete; returns its results.
std::vector<Buffer> evaluate(const ir::Graph& graph, std::span<const Binding> bindings, const Generator& rng) {
  std::shared_ptr<const CompiledGraph> compiled = compile_cached(graph, false);
  const ir::GraphData& g = graph.data();
  std::vector<const void*> inputs;
  std::vector<std::byte[8]> words(bindings.size());
  for (size_t i = 0; i < bindings.size(); ++i) {
    const Binding& b = bindings[i];
    switch (b.kind) {
      case Binding::Kind::capture: inputs.push_back(b.buffer.data()); break;
      case Binding::Kind::literal: inputs.push_back(literal_bytes(b, words[i]).data()); break;
      case Binding::Kind::rng_key: inputs.push_back(rng.key); break;
      case Binding::Kind::rng_offset: inputs.push_back(&rng.offset); break;
      case Binding::Kind::argument: internal_error("lazy traces have no arguments", "");
    }
  }
  std::vector<Buffer> results;
  std::vector<void*> outputs;
  for (Value o : g.outputs()) {
    const ir::Type& type = g.type(o);
    results.push_back(Buffer::allocate(type.shape.numel() * size_of(type.dtype), size_of(type.dtype)));
    outputs.push_back(results.back().data());
  }
  compiled->engine->run(inputs, outputs);
  return results;
}

// Evaluates each output alone, so that a failure spoils only what depends on it.
void evaluate_one_by_one(const ir::Graph& graph, std::span<const Binding> bindings, const Generator& rng,
                         std::span<Storage* const> live) {
  const ir::GraphData& g = graph.data();
  for (size_t i = 0; i < live.size(); ++i) {
    try {
      ir::Builder b("main", ir::Builder::Sharing::off);
      std::vector<Value> values = passes::inline_graph(b, g, passes::params_like(b, g));
      live[i]->buffer = evaluate(b.finish({values[i]}), bindings, rng)[0];
    } catch (const Error& e) {
      live[i]->failure = e.what();
    }
  }
}

}  // namespace

void flush(Trace& trace) {
  if (trace.live.empty()) {
    trace.take({});
    return;
  }
  std::vector<Value> outputs;
  for (Storage* s : trace.live)
    outputs.push_back(s->version == ir::kNoValue ? s->base
                                                 : trace.builder().emit(Op::read_op, {s->base, s->version}));
  int64_t blocks = trace.random_blocks;
  auto [graph, bindings] = trace.take(outputs);
  std::vector<Storage*> live = std::move(trace.live);
  trace.live.clear();
  Generator& rng = generator();
  std::exception_ptr failure;
  try {
    std::vector<Buffer> results = evaluate(graph, bindings, rng);
    for (size_t i = 0; i < live.size(); ++i) live[i]->buffer = std::move(results[i]);
  } catch (const Error&) {
    failure = std::current_exception();
    evaluate_one_by_one(graph, bindings, rng, live);
  }
  rng.offset += blocks;
  std::lock_guard lock(hand_over_mutex());
  for (Storage* s : live) {
    s->base = s->version = ir::kNoValue;
    s->owner.store(0, std::memory_order_release);
    s->trace.reset();
  }
  if (failure) std::rethrow_exception(failure);
}

void hand_over(Storage& storage) {
  std::shared_ptr<Trace> trace = trace_of(storage);
  if (!trace || trace->options().kind != TraceKind::lazy) return;
  std::lock_guard lock(trace->mutex());
  if (storage.owner.load(std::memory_order_acquire) == 0) return;
  try {
    flush(*trace);
  } catch (const Error&) {  // kept by the storages that failed
  }
}

// ---- reading

namespace {

template <class T>
void gather_strided(const TensorImpl& t, const T* from, T* to) {
  int64_t n = t.shape.numel();
  std::vector<int64_t> index(t.shape.size(), 0);
  const T* p = from + t.offset;
  for (int64_t i = 0; i < n; ++i) {
    to[i] = *p;
    for (size_t d = index.size(); d-- > 0;) {
      p += t.strides[d];
      if (++index[d] < t.shape[d]) break;
      p -= t.strides[d] * t.shape[d];
      index[d] = 0;
    }
  }
}

Buffer dense(const TensorImpl& t) {
  const Storage& s = *t.storage;
  if (!t.parent) return s.buffer;
  int size = size_of(s.type.dtype);
  Buffer out = Buffer::allocate(t.shape.numel() * size, size);
  if (t.contiguous()) {
    if (out.size()) std::memcpy(out.data(), static_cast<const std::byte*>(s.buffer.data()) + t.offset * size, static_cast<size_t>(out.size()));
  } else if (size == 8) {
    gather_strided(t, static_cast<const int64_t*>(s.buffer.data()), static_cast<int64_t*>(out.data()));
  } else if (size == 4) {
    gather_strided(t, static_cast<const int32_t*>(s.buffer.data()), static_cast<int32_t*>(out.data()));
  } else {
    gather_strided(t, static_cast<const int8_t*>(s.buffer.data()), static_cast<int8_t*>(out.data()));
  }
  return out;
}

}  // namespace

Buffer read(const Tensor& t, std::string_view what, Location at) {
  Storage& s = *t.impl()->storage;
  if (s.owner.load(std::memory_order_acquire) != 0) {
    hand_over(s);
    if (s.owner.load(std::memory_order_acquire) != 0) return force(t, what, at);
  }
  if (!s.failure.empty()) throw TraceError("[" + std::string(what) + "] the evaluation of this tensor failed: " + s.failure);
  return dense(*t.impl());
}

// ---- functions

namespace {

class TraceGuard {
 public:
  explicit TraceGuard(TraceOptions options)
      : trace(std::make_shared<Trace>(std::move(options), &current())), outer_(state().current), outer_grad_(depth_of_no_grad) {
    state().current = trace.get();
    depth_of_no_grad = 0;
  }
  ~TraceGuard() {
    trace->finished = true;
    state().current = outer_;
    depth_of_no_grad = outer_grad_;
  }
  std::shared_ptr<Trace> trace;

 private:
  Trace* outer_;
  int outer_grad_;
};

}  // namespace

Recording record_function(Fn fn, std::span<const Tensor> args, TraceOptions options, std::span<const uint8_t> mapped,
                          std::span<const ir::Type> types) {
  Scope scope(options.scope);
  TraceGuard guard(std::move(options));
  Trace& trace = *guard.trace;
  trace.mapped.assign(mapped.begin(), mapped.end());
  trace.arguments.assign(args.begin(), args.end());
  std::vector<Tensor> symbolic;
  for (size_t i = 0; i < args.size(); ++i)
    symbolic.push_back(trace.adopt(
        trace.argument(types.empty() ? ir::Type{args[i].dtype(), false, args[i].impl()->shape} : types[i])));
  Recording recording;
  fn.call(fn.self, symbolic, recording.outputs);
  std::vector<Value> outputs;
  for (const Tensor& t : recording.outputs.values) outputs.push_back(trace.read(*t.impl()));
  for (const Tensor& t : recording.outputs.aux) outputs.push_back(trace.read(*t.impl()));
  recording.random_blocks = trace.random_blocks;
  Trace::Taken taken = trace.take(outputs);
  recording.graph = std::move(taken.graph);
  recording.bindings = std::move(taken.bindings);
  return recording;
}

namespace {

Value bound_value(Trace& t, const Binding& b, std::span<const Tensor> args) {
  switch (b.kind) {
    case Binding::Kind::argument: return t.read(*args[b.argument].impl());
    case Binding::Kind::capture: return t.read(*b.capture.impl());
    case Binding::Kind::literal: return t.literal(b.number, b.dtype);
    case Binding::Kind::rng_key: return t.rng_input(b.kind);
    case Binding::Kind::rng_offset:
      return ir::build::add(t.builder(), t.rng_input(b.kind),
                            ir::build::constant_int(t.builder(), DType::i64, {}, t.random_blocks));
  }
  return ir::kNoValue;
}

}  // namespace

std::vector<Tensor> splice(const ir::Graph& graph, std::span<const Binding> bindings, std::span<const Tensor> args,
                           std::span<const Tensor> extra, int64_t random_blocks, Location at) {
  Recorder r(at);
  Trace& t = r.trace;
  const ir::GraphData& g = graph.data();
  std::vector<Value> inputs;
  for (const Binding& b : bindings) inputs.push_back(bound_value(t, b, args));
  for (const Tensor& e : extra) inputs.push_back(t.read(*e.impl()));
  t.random_blocks += random_blocks;
  Value first_new = t.builder().graph().size();
  std::vector<Value> outputs = passes::inline_graph(t.builder(), g, inputs);
  t.builder().set_origin(state().scope_location.line ? state().scope_location : at, state().scope);

  std::vector<uint8_t> taken(t.builder().graph().size() - first_new, 0);
  std::vector<Tensor> results;
  for (size_t i = 0; i < g.num_results(); ++i) {
    Value v = outputs[i];
    // Every result has a storage of its own.
    if (v < first_new || taken[v - first_new]) v = t.builder().emit(Op::copy_op, {v});
    else taken[v - first_new] = 1;
    results.push_back(t.adopt(blocked(t, v)));
  }
  for (size_t i = 0; i < g.writebacks().size(); ++i) {
    const Binding& b = bindings[g.writebacks()[i]];
    const Tensor& dst = b.kind == Binding::Kind::argument ? args[b.argument] : b.capture;
    check_writable(t, *dst.impl()->storage, "copy_", at);
    Value v = t.builder().emit(Op::copy_op, {t.address(*dst.impl()), outputs[g.num_results() + i]}, {}, true);
    t.wrote(*dst.impl(), v);
  }
  bound(t);
  return results;
}

bool tracing() { return state().current != nullptr; }

}  // namespace jot::detail
