#include "core/record/trace.h"

#include <algorithm>

#include "core/record/evaluate.h"
#include "core/record/thread.h"
#include "core/storage/overlap.h"
#include "core/storage/views.h"
#include "ir/build.h"
#include "ir/fork.h"
#include "jot/small_array.h"

namespace jot {

using namespace detail;
using ir::Op;
using ir::Value;

namespace detail {

Storage::~Storage() {
  uint64_t id = owner.load(std::memory_order_acquire);
  if (id == 0) return;
  if (Trace* t = innermost_trace(); t && t->id() == id) {
    if (!t->lazy()) {
      t->drop(*this);
      return;
    }
    ForkSafeLock lock(t->mutex());
    if (owner.load(std::memory_order_relaxed) != 0) t->drop(*this);
    return;
  }
  std::shared_ptr<Trace> keep = trace_of(*this);
  if (!keep) return;
  ForkSafeLock lock(keep->mutex());
  if (owner.load(std::memory_order_relaxed) != 0) keep->drop(*this);
}

}  // namespace detail

namespace {
std::atomic<uint64_t> next_id{1};  // of traces and their graphs

// Numbers that are structure.
bool special(double x) { return x == 0 || x == 1 || x == -1 || x == 2 || x == 0.5; }
}  // namespace

Trace::Trace(TraceOptions options, Trace* parent)
    : id_(next_id.fetch_add(1, std::memory_order_relaxed)),
      graph_id_(id_),
      options_(std::move(options)),
      parent_(parent),
      bakes_literals_(options_.kind == TraceKind::jit || (parent && parent->bakes_literals_)),
      builder_(parent ? take_builder() : ir::Builder("main", ir::Builder::Sharing::off)) {
  live_.reserve(16);
}

Trace::~Trace() {
  if (builder_.fresh()) give_builder(std::move(builder_));
}

std::vector<Storage*> Trace::take_live() {
  std::vector<Storage*> all;
  all.reserve(live_.capacity());
  all.swap(live_);
  return all;
}

Value Trace::input(Binding binding, const ir::Type& type) {
  new_binding(binding.kind) = std::move(binding);
  return builder_.param(type);
}

Binding& Trace::new_binding(Binding::Kind kind) {
  if (bindings_.capacity() == 0) bindings_.reserve(last_bindings_);
  return bindings_.emplace_back(kind);
}

Tensor Trace::argument(const ir::Type& type) {
  Tensor t = adopt(input({Binding::Kind::argument, num_arguments_++}, type));
  t.impl()->storage->base_is_input = true;
  return t;
}

void Trace::alias(const Tensor& symbolic, size_t position) {
  aliases_.push_back({call_.arguments[position], symbolic.impl()->storage, position});
}

Value Trace::literal(Number n, DType dtype) {
  if (bakes_literals_ || special(n.real)) {
    if (n.dtype == DType::f64) return ir::build::constant(builder_, dtype, {}, n.real);
    return ir::build::constant_int(builder_, dtype, {}, n.integer);
  }
  return input(n, dtype);
}

Value Trace::input(Number n, DType dtype) {
  Binding& binding = new_binding(Binding::Kind::literal);
  binding.number = n;
  binding.dtype = dtype;
  return builder_.param({dtype, false, {}});
}

// ---- storages

bool Trace::reachable(const Storage& storage) const {
  uint64_t owner = storage.owner.load(std::memory_order_acquire);
  for (const Trace* t = this; owner != 0 && t; t = t->parent_)
    if (t->id_ == owner) return true;
  return owner == 0;
}

void Trace::check_reachable(const Storage& storage, std::string_view op, Location at) const {
  if (reachable(storage)) return;
  const std::shared_ptr<Trace> owner = trace_of(storage);
  const std::string where =
      owner && owner->foreign() && !owner->ended()
          ? std::string(kForeign)
          : "outside the transform whose function made it: your tensor may have escaped from inside a function being "
            "transformed; return it from the function instead";
  throw TraceError("[" + std::string(op) + "] a tensor was used " + where + jot::at(at));
}

Captured& Trace::captured(const Impl& t) {
  Storage& storage = *t->storage;
  storage.check();
  Captured* entry = captured_.find(storage);
  // Another thread may have written it since.
  if (entry && (!lazy() || entry->buffer == storage.buffer)) return *entry;
  check_reachable(storage, "jot", builder_.location());
  Impl base = base_of(t);
  Binding binding{Binding::Kind::capture};
  if (lazy())
    binding.buffer = storage.buffer;
  else
    binding.capture = Tensor(base);
  Buffer buffer = binding.buffer;
  captured_bytes_ += buffer.size();
  reads_borrowed_ |= buffer && !buffer.owned();
  largest_capture_ = std::max(largest_capture_, buffer.size());
  Value value = input(std::move(binding), storage.type);
  Captured made{&storage, std::move(base), std::move(buffer), value, ir::kNoValue};
  if (entry) return *entry = std::move(made);
  return captured_.add(std::move(made));
}

// What an argument holds and what a captured tensor shows must not come apart.
void Trace::check_aliases(const Tensor& t, bool writes) const {
  for (const Alias& a : aliases_) {
    if (a.argument.impl()->storage != t.impl()->storage) continue;
    if ((writes || a.symbolic->version != ir::kNoValue) && elements_overlap(a.argument, t))
      throw TransformError("[" + options_.scope + "] a captured tensor is " + (writes ? "written" : "read") +
                           " that shares memory with " + call_.fn.name(Role::argument, a.position) +
                           (writes ? "" : ", which has been written") +
                           ": use the argument instead of what f captures" + jot::at(builder_.location()));
  }
}

Value Trace::value_of_base(const Impl& t) {
  const Storage& s = *t->storage;
  return s.owner.load(std::memory_order_relaxed) == id_ ? s.base : captured(t).value;
}
Value Trace::version_of(const Impl& t) {
  const Storage& s = *t->storage;
  return s.owner.load(std::memory_order_relaxed) == id_ ? s.version : captured(t).version;
}

// Starts are data where literals are.
Value Trace::emit_view(Value parent, const TensorImpl& view) {
  const ViewStep& step = *view.step;
  if (step.op == Op::gather_op)
    return builder_.emit(step.op, {parent, window_indices(builder_, step.starts)}, step.attrs);
  if (step.op == Op::reshape_op &&
      std::ranges::equal(ir::AttrView(step.op, step.attrs).ints(ir::Key::shape), builder_.shape(parent)))
    return parent;
  if (step.op != Op::dynamic_slice_op) return builder_.emit(step.op, {parent}, step.attrs);
  ir::Ints sizes = ir::AttrView(step.op, step.attrs).ints(ir::Key::sizes);
  Value slice = emit_slice(parent, step, sizes);
  return std::ranges::equal(sizes, view.shape) ? slice : ir::build::reshape(builder_, slice, view.shape);
}

Value Trace::emit_slice(Value parent, const ViewStep& step, ir::Ints sizes) {
  const Shape& starts = step.starts;
  if (bakes_literals_) {
    Shape limits(sizes), ones = limits;
    for (size_t d = 0; d < limits.size(); ++d) {
      limits[d] += starts[d];
      ones[d] = 1;
    }
    return builder_.emit(Op::slice_op, {parent}, ir::Attrs(starts, limits, ones));
  }
  SmallArray<Value, 8> operands;
  operands.push_back(parent);
  const Shape& shape = builder_.shape(parent);
  for (size_t d = 0; d < sizes.size(); ++d)  // where it shows all of a dim it always starts at 0
    operands.push_back(sizes[d] == shape[d] ? ir::build::constant_int(builder_, DType::i64, {}, 0)
                                            : input(starts[d], DType::i64));
  return builder_.emit(Op::dynamic_slice_op, operands.span(), step.attrs);
}

Value Trace::address(const Tensor& tensor) {
  const Impl& t = tensor.impl();
  bool owned = t->storage->owner.load(std::memory_order_relaxed) == id_;
  SmallArray<TensorImpl*, 8> views;
  TensorImpl* base = t.get();
  const Value root = t->storage->base;
  while (base->parent && !(owned && base->cached_graph == graph_id_ && base->cached_base == root)) {
    views.push_back(base);
    base = base->parent.get();
  }
  Value v = base->parent ? base->cached_address : value_of_base(t);
  for (size_t i = views.span().size(); i-- > 0;) {
    TensorImpl& view = *views.span()[i];
    v = emit_view(v, view);
    if (!owned) continue;
    view.cached_graph = graph_id_;
    view.cached_base = root;
    view.cached_address = v;
    view.cached_read = ir::kNoValue;
  }
  return v;
}

Value Trace::read(const Tensor& tensor) {
  TensorImpl& t = *tensor.impl();
  if (!aliases_.empty() && t.storage->owner.load(std::memory_order_relaxed) != id_) check_aliases(tensor, false);
  Value version = version_of(tensor.impl());
  if (!t.parent && version == ir::kNoValue) return value_of_base(tensor.impl());
  Value address = this->address(tensor);
  if (version == ir::kNoValue) return address;
  bool owned = t.parent && t.cached_graph == graph_id_;
  if (owned && t.cached_read != ir::kNoValue && t.cached_version == version) return t.cached_read;
  Value v = builder_.emit(Op::read_op, {address, version});
  if (owned) {
    t.cached_version = version;
    t.cached_read = v;
  }
  return v;
}

Value Trace::destination(const Tensor& tensor) {
  Storage& s = *tensor.impl()->storage;
  if (!aliases_.empty() && s.owner.load(std::memory_order_relaxed) != id_) check_aliases(tensor, true);
  if (s.owner.load(std::memory_order_relaxed) == id_ && s.version == ir::kNoValue && !s.base_is_input)
    s.base = builder_.emit(Op::copy_op, {s.base});
  return address(tensor);
}

void Trace::wrote(const Tensor& tensor, Value version) {
  Storage& s = *tensor.impl()->storage;
  if (s.owner.load(std::memory_order_relaxed) == id_) {
    s.version = version;
    return;
  }
  Captured& entry = captured(tensor.impl());
  entry.version = version;
  if (!lazy()) return;
  // A concrete tensor written outside any transform: from now on its contents are a value of this trace.
  s.base = entry.value;
  s.version = version;
  s.base_is_input = true;
  own(s);
  entry.storage = nullptr;
  entry.base.reset();  // dropping the last handle drops what is pending
}

std::vector<Trace::Written> Trace::written() const {
  std::vector<Written> result;
  for (const Storage* s : live_)
    if (s->version != ir::kNoValue) result.push_back({s->base, s->version});
  for (const Captured& c : captured_.all())
    if (c.version != ir::kNoValue) result.push_back({c.value, c.version});
  return result;
}

bool Trace::has_written(const Storage& storage) {
  if (storage.owner.load(std::memory_order_acquire) == id_) return storage.version != ir::kNoValue;
  const Captured* c = captured_.find(storage);
  return c && c->version != ir::kNoValue;
}

void Trace::own(Storage& s) {
  s.trace = this;
  s.live_index = live_.size();
  live_.push_back(&s);
  s.owner.store(id_, std::memory_order_release);
}

Tensor Trace::adopt(Value v) {
  auto base = make_pooled<BaseTensor>(builder_.type(v));
  base->contents.base = v;
  own(base->contents);
  return Tensor(std::move(base));
}

bool Trace::full() const {
  constexpr uint32_t kMaxNodes = 4096;
  constexpr int64_t kMaxBytes = int64_t{256} << 20;
  return reads_borrowed_ || builder_.size() > kMaxNodes || captured_bytes_ > std::max(kMaxBytes, 4 * largest_capture_);
}

void Trace::end() {
  ended_ = true;
  ForkSafeLock lock(mutex_);
  for (Storage* s : live_) s->ended_trace = shared_from_this();
}

void Trace::drop(Storage& storage) {
  live_.back()->live_index = storage.live_index;
  live_[storage.live_index] = live_.back();
  live_.pop_back();
  if (live_.empty() && lazy() && !emitting_) take({});  // nobody can read what is pending
}

void Trace::follow(Precedents& precedents, uint64_t key) {
  builder_.follow(precedents.find(key));
  precedents_ = &precedents;
  precedent_key_ = key;
}

ir::Graph Trace::finish(std::span<const Value> outputs) {
  Precedents* precedents = std::exchange(precedents_, nullptr);
  if (!precedents) return builder_.finish(outputs);
  std::shared_ptr<const ir::Builder::Precedent> precedent = builder_.finish_precedent(outputs);
  precedents->keep(precedent_key_, precedent);
  return precedent->graph;
}

Trace::Taken Trace::take(std::span<const Value> outputs) {
  last_bindings_ = std::max(last_bindings_, bindings_.size());
  Taken taken{finish(outputs), std::move(bindings_)};
  graph_id_ = next_id.fetch_add(1, std::memory_order_relaxed);
  bindings_.clear();
  captured_.clear();
  captured_bytes_ = largest_capture_ = 0;
  reads_borrowed_ = false;
  forced_ = {};
  draws_.start_graph();
  num_arguments_ = 0;
  return taken;
}

}  // namespace jot
