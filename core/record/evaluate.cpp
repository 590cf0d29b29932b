// Evaluation of lazy traces, and reading.
#include <cstring>

#include "core/cache/engine_cache.h"
#include "core/record/force.h"
#include "core/record/thread.h"
#include "ir/fork.h"
#include "passes/inline.h"

namespace jot::detail {

using ir::Op;
using ir::Value;

namespace {

// Protects Storage::trace where more than one thread may look at it: at a hand-over and at the end of a flush.
constinit std::mutex hand_over_mutex;

const void* literal_bytes(const Binding& b, std::byte (&word)[8]) {
  const Number& n = b.number;
  visit_dtype(b.dtype, [&](auto zero) {
    using T = decltype(zero);
    T x = b.dtype == DType::boolean ? static_cast<T>(n.real != 0) : n.as<T>();
    std::memcpy(word, &x, sizeof x);
  });
  return word;
}

// The memory of a captured storage that output i, its new contents, may overwrite: only the storage and the binding
// hold it.
Buffer updated_in_place(const CompiledGraph& compiled, std::span<const Binding> bindings, const Storage& s, size_t i) {
  std::span<const int32_t> in_place = compiled.engine->in_place();
  if (in_place.empty() || in_place[i] < 0 || s.writes_through) return {};
  const Buffer& input = bindings[static_cast<size_t>(in_place[i])].buffer;
  return input && input == s.buffer && input.owned() && input.uses() == 2 ? input : Buffer();
}

// Runs a recorded graph whose bindings are all concrete. The outputs are the contents of `live`, or, where there are
// none, memory of their own.
std::vector<Buffer> run(const ir::Graph& graph, std::span<const Binding> bindings,
                        std::span<Storage* const> live = {}) {
  std::shared_ptr<const CompiledGraph> compiled = compile_cached(graph, false);
  const ir::GraphData& g = graph.data();
  std::vector<const void*> inputs;
  std::vector<std::byte[8]> words(bindings.size());
  inputs.reserve(bindings.size());
  for (size_t i = 0; i < bindings.size(); ++i) {
    const Binding& b = bindings[i];
    switch (b.kind) {
      case Binding::Kind::capture:
        inputs.push_back(b.buffer.data());
        break;
      case Binding::Kind::literal:
        inputs.push_back(literal_bytes(b, words[i]));
        break;
      case Binding::Kind::rng_key:
        inputs.push_back(b.generator.key);
        break;
      case Binding::Kind::rng_offset:
        inputs.push_back(&b.generator.offset);
        break;
      case Binding::Kind::argument:
        internal_error("lazy traces have no arguments", "");
    }
  }
  std::vector<Buffer> results;
  std::vector<void*> outputs;
  for (size_t i = 0; i < g.outputs().size(); ++i) {
    Buffer b = live.empty() ? Buffer() : updated_in_place(*compiled, bindings, *live[i], i);
    if (!b) b = allocate_result(graph, g.outputs()[i]);
    outputs.push_back(b.data());
    results.push_back(std::move(b));
  }
  run_compiled(*compiled, graph, inputs, outputs);
  return results;
}

void settle(Storage& s, Buffer contents) {
  if (!s.writes_through)
    s.buffer = std::move(contents);
  else if (contents.size() > 0)
    std::memcpy(s.buffer.data(), contents.data(), static_cast<size_t>(contents.size()));
}

// What g computes up to `last`: the value `base`, or its contents after the write `last`.
ir::Graph prefix(const ir::GraphData& g, Value base, Value last) {
  ir::Builder b("main", ir::Builder::Sharing::off);
  // Inputs come first in g too: values have the same numbers in both.
  for (Value v = static_cast<Value>(passes::params_like(b, g).size()); v <= last; ++v) b.copy_node(g, v, g.operands(v));
  return b.finish({last == base ? base : b.emit(Op::read_op, {base, last})});
}

struct Evaluated {
  Buffer contents;  // null: as they are
  Storage::Failure failed = Storage::Failure::none;
  std::exception_ptr failure{};
};

// The contents of one storage. Where they fail: those before a write that fails.
Evaluated evaluate_alone(const ir::GraphData& g, std::span<const Binding> bindings, Value output, const Storage& s) {
  bool is_written = s.version != ir::kNoValue;
  Value base = is_written ? g.operand(output, 0) : output, last = is_written ? g.operand(output, 1) : output;
  Evaluated result;
  auto succeeds = [&](Value v) {
    try {
      result.contents = run(prefix(g, base, v), bindings)[0];
      return true;
    } catch (const std::exception&) {
      result.failure = std::current_exception();
      return false;
    }
  };
  if (succeeds(last)) return result;
  if (!s.base_is_input && (!is_written || !succeeds(base))) {
    result.failed = Storage::Failure::contents;
    return result;
  }
  std::vector<Value> writes;
  for (Value v = 0; v <= last; ++v)
    if (g.in_place(v) && root_of(g, g.operand(v, 0)) == base) writes.push_back(v);
  // After `good` of them there are contents; after `bad` there are none.
  size_t good = 0, bad = writes.size();
  while (bad - good > 1) {
    size_t middle = good + (bad - good) / 2;
    (succeeds(writes[middle - 1]) ? good : bad) = middle;
  }
  result.failed = Storage::Failure::write;
  return result;
}

// Evaluates each output alone, so that a failure spoils only what depends on it.
void run_one_by_one(const ir::Graph& graph, std::span<const Binding> bindings, std::span<Storage* const> live) {
  const ir::GraphData& g = graph.data();
  std::vector<Evaluated> results;
  for (size_t i = 0; i < live.size(); ++i) results.push_back(evaluate_alone(g, bindings, g.outputs()[i], *live[i]));
  for (size_t i = 0; i < live.size(); ++i) {
    if (results[i].contents) settle(*live[i], std::move(results[i].contents));
    if (results[i].failed == Storage::Failure::none) continue;
    live[i]->failure = results[i].failure;
    live[i]->failed.store(results[i].failed, std::memory_order_release);
  }
}

}  // namespace

std::shared_ptr<Trace> trace_of(const Storage& storage) {
  ForkSafeLock lock(hand_over_mutex);
  return storage.owner.load(std::memory_order_relaxed) ? storage.trace->shared_from_this() : nullptr;
}

void flush(Trace& trace) noexcept {
  std::vector<Storage*> live = trace.take_live();
  std::vector<Value> outputs;
  outputs.reserve(live.size());
  for (Storage* s : live) {
    bool written = s->version != ir::kNoValue;
    s->made = trace.builder().location(written ? s->version : s->base);
    outputs.push_back(written ? trace.builder().emit(Op::read_op, {s->base, s->version}) : s->base);
  }
  auto [graph, bindings] = trace.take(outputs);
  if (!live.empty()) {
    try {
      std::vector<Buffer> results = run(graph, bindings, live);
      for (size_t i = 0; i < live.size(); ++i) settle(*live[i], std::move(results[i]));
    } catch (const std::exception&) {
      run_one_by_one(graph, bindings, live);
    }
  }
  ForkSafeLock lock(hand_over_mutex);
  for (Storage* s : live) {
    s->base = s->version = ir::kNoValue;
    s->base_is_input = false;
    s->trace = nullptr;
    s->owner.store(0, std::memory_order_release);
  }
}

void evaluate_pending() {
  Trace& lazy = *thread_state().lazy;
  ForkSafeLock lock(lazy.mutex());
  flush(lazy);
}

void hand_over(Storage& storage) {
  std::shared_ptr<Trace> trace = trace_of(storage);
  if (!trace || !trace->lazy()) return;
  ForkSafeLock lock(trace->mutex());
  if (storage.owner.load(std::memory_order_acquire) != 0) flush(*trace);
}

// ---- reading

namespace {

template <class T>
void gather_strided(const TensorImpl& t, const void* from, void* to) {
  T* out = static_cast<T*>(to);
  const T* p = static_cast<const T*>(from) + t.offset;
  size_t rank = t.shape.size();
  int64_t n = t.shape.numel(), inner = rank ? t.shape[rank - 1] : 1, step = rank ? t.strides[rank - 1] : 0;
  std::vector<int64_t> index(rank, 0);
  for (int64_t i = 0; i < n; i += inner) {
    for (int64_t j = 0; j < inner; ++j) *out++ = p[j * step];
    for (size_t d = rank; d-- > 1;) {
      p += t.strides[d - 1];
      if (++index[d - 1] < t.shape[d - 1]) break;
      p -= t.strides[d - 1] * t.shape[d - 1];
      index[d - 1] = 0;
    }
  }
}

Buffer dense(const TensorImpl& t) {
  const Buffer& whole = t.storage->buffer;
  if (!t.parent) return whole;
  int size = size_of(t.dtype());
  Buffer out = Buffer::allocate(t.shape.numel() * size, size);
  if (out.size() == 0) return out;
  if (t.contiguous())
    std::memcpy(out.data(), static_cast<const std::byte*>(whole.data()) + t.offset * size,
                static_cast<size_t>(out.size()));
  else if (size == 8)
    gather_strided<int64_t>(t, whole.data(), out.data());
  else if (size == 4)
    gather_strided<int32_t>(t, whole.data(), out.data());
  else if (size == 2)
    gather_strided<int16_t>(t, whole.data(), out.data());
  else
    gather_strided<int8_t>(t, whole.data(), out.data());
  return out;
}

}  // namespace

Buffer evaluate(const Tensor& t, std::string_view what, Location at) {
  Storage& s = *t.impl()->storage;
  // A running function sees its own writes, also those to what it has captured.
  for (Trace* running = innermost_trace(); running && !running->lazy(); running = running->parent())
    if (running->has_written(s)) return force(*running, t, what, at);
  while (s.owner.load(std::memory_order_acquire) != 0) {
    std::shared_ptr<Trace> owner = trace_of(s);
    if (!owner) break;
    if (!owner->lazy()) return force(*owner, t, what, at);
    hand_over(s);
  }
  s.check();
  return {};
}

Buffer read(const Tensor& t, std::string_view what, Location at) {
  Buffer forced = evaluate(t, what, at);
  if (forced) return forced;
  try {
    return dense(*t.impl());
  } catch (const MemoryError& e) {
    throw MemoryError("[" + std::string(what) + "] " +
                      ir::to_string(ir::Type{t.impl()->dtype(), false, t.impl()->shape}) + ": " + e.what() +
                      jot::at(at));
  }
}

}  // namespace jot::detail
