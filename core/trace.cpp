#include "core/trace.h"

#include "core/recorder.h"
#include "ir/build.h"

namespace jot {

using namespace detail;
using ir::Op;
using ir::Value;

namespace detail {

std::vector<int64_t> row_major(const Shape& shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

bool TensorImpl::contiguous() const {
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

Storage::~Storage() {
  if (owner.load(std::memory_order_acquire) == 0) return;
  std::shared_ptr<Trace> keep = trace_of(*this);
  if (!keep) return;
  std::lock_guard lock(keep->mutex());
  if (owner.load(std::memory_order_relaxed) != 0) keep->drop(*this);
}

}  // namespace detail

namespace {
std::atomic<uint64_t> next_trace_id{1};

bool exact(double x) { return x == 0 || x == 1 || x == -1 || x == 2 || x == 0.5; }
}  // namespace

Trace::Trace(TraceOptions options, Trace* parent)
    : id_(next_trace_id.fetch_add(1, std::memory_order_relaxed)),
      options_(std::move(options)),
      parent_(parent),
      bakes_literals_(options_.kind == TraceKind::jit || (parent && parent->bakes_literals_)),
      builder_("main", ir::Builder::Sharing::off) {}

Value Trace::argument(const ir::Type& type) {
  bindings_.push_back({Binding::Kind::argument, num_arguments++});
  return builder_.param(type);
}

Value Trace::literal(Number n, DType dtype) {
  double value = n.dtype == DType::f64 ? n.real : static_cast<double>(n.integer);
  if (bakes_literals_ || exact(value)) {
    if (n.dtype == DType::f64) return ir::build::constant(builder_, dtype, {}, n.real);
    if (is_floating(dtype)) return ir::build::constant(builder_, dtype, {}, static_cast<double>(n.integer));
    return ir::build::constant_int(builder_, dtype, {}, n.integer);
  }
  Binding binding{Binding::Kind::literal};
  binding.number = n;
  binding.dtype = dtype;
  bindings_.push_back(std::move(binding));
  return builder_.param({dtype, false, {}});
}

Value Trace::rng_input(Binding::Kind kind) {
  Value& input = kind == Binding::Kind::rng_key ? rng_key_ : rng_offset_;
  if (input == ir::kNoValue) {
    input = builder_.param({DType::i64, false, kind == Binding::Kind::rng_key ? Shape{2} : Shape{}});
    bindings_.push_back({kind});
  }
  return input;
}

Value Trace::constant_start(int64_t start) { return literal({DType::i64, 0, start}, DType::i64); }

Trace::Captured& Trace::captured(const std::shared_ptr<Storage>& storage) {
  auto it = captures_.find(storage.get());
  if (it != captures_.end() && it->second.buffer == storage->buffer) return it->second;
  if (it == captures_.end() && !reachable(*storage)) {
    hand_over(*storage);
    if (storage->owner.load(std::memory_order_acquire) != 0)
      throw TraceError(
          "[jot] a tensor was used outside the transform whose function made it: your tensor may have escaped from "
          "inside a function being transformed; return it from the function instead" +
          jot::at(builder_.location()));
  }
  Binding binding{Binding::Kind::capture};
  binding.buffer = storage->buffer;
  if (options_.kind != TraceKind::lazy) {
    auto impl = std::make_shared<TensorImpl>();
    impl->storage = storage;
    impl->shape = storage->type.shape;
    impl->strides = row_major(impl->shape);
    binding.capture = Tensor(std::move(impl));
  }
  bindings_.push_back(std::move(binding));
  Captured entry{storage, storage->buffer, builder_.param(storage->type), ir::kNoValue};
  return captures_.insert_or_assign(storage.get(), std::move(entry)).first->second;
}

// Concrete, or a value of this trace or one around it.
bool Trace::reachable(const Storage& storage) const {
  uint64_t owner = storage.owner.load(std::memory_order_acquire);
  for (const Trace* t = this; owner != 0 && t; t = t->parent_)
    if (t->id_ == owner) return true;
  return owner == 0;
}

Value Trace::base_of(const std::shared_ptr<Storage>& storage) {
  return storage->owner.load(std::memory_order_relaxed) == id_ ? storage->base : captured(storage).base;
}

Value Trace::version_of(const std::shared_ptr<Storage>& storage) {
  return storage->owner.load(std::memory_order_relaxed) == id_ ? storage->version : captured(storage).version;
}

Value Trace::address(const TensorImpl& t) {
  // Down from the base: a view's parent is the value before it.
  std::vector<const TensorImpl*> views;
  const TensorImpl* base = &t;
  bool owned = t.storage->owner.load(std::memory_order_relaxed) == id_;
  while (base->parent && !(owned && base->cached_trace == id_)) {
    views.push_back(base);
    base = base->parent.get();
  }
  Value v = base->parent ? base->cached_address : base_of(t.storage);
  for (size_t i = views.size(); i-- > 0;) {
    const ViewStep& step = views[i]->step;
    std::vector<Value> operands = {v};
    for (int64_t s : step.starts) operands.push_back(constant_start(s));
    v = builder_.emit(step.op, operands, step.attrs);
  }
  return v;
}

Value Trace::read(TensorImpl& t) {
  bool owned = t.storage->owner.load(std::memory_order_relaxed) == id_;
  Value version = version_of(t.storage);
  if (owned && t.parent && t.cached_trace == id_ && t.cached_version == version && t.cached_read != ir::kNoValue)
    return t.cached_read;
  Value address = this->address(t);
  Value v = version == ir::kNoValue ? address : builder_.emit(Op::read_op, {address, version});
  if (owned && t.parent) {
    t.cached_trace = id_;
    t.cached_address = address;
    t.cached_version = version;
    t.cached_read = v;
  }
  return v;
}

void Trace::wrote(const TensorImpl& t, Value version) {
  Storage& s = *t.storage;
  if (s.owner.load(std::memory_order_relaxed) == id_) {
    s.version = version;
    return;
  }
  Captured& entry = captured(t.storage);
  entry.version = version;
  if (options_.kind != TraceKind::lazy) return;
  // A concrete tensor written outside any transform: from now on its contents are a value of this trace.
  s.base = entry.base;
  s.version = version;
  s.trace = shared_from_this();
  s.live_index = live.size();
  live.push_back(&s);
  s.owner.store(id_, std::memory_order_release);
  captures_.erase(&s);
}

Tensor Trace::adopt(Value v) {
  auto impl = std::make_shared<TensorImpl>();
  auto storage = std::make_shared<Storage>(builder_.type(v));
  storage->trace = shared_from_this();
  storage->base = v;
  storage->live_index = live.size();
  live.push_back(storage.get());
  storage->owner.store(id_, std::memory_order_release);
  impl->shape = storage->type.shape;
  impl->strides = row_major(impl->shape);
  impl->storage = std::move(storage);
  return Tensor(std::move(impl));
}

void Trace::drop(Storage& storage) {
  live.back()->live_index = storage.live_index;
  live[storage.live_index] = live.back();
  live.pop_back();
}

Trace::Taken Trace::take(std::span<const Value> outputs) {
  Taken taken{builder_.finish(outputs), std::move(bindings_)};
  bindings_.clear();
  captures_.clear();
  forced.clear();
  rng_key_ = rng_offset_ = ir::kNoValue;
  num_arguments = 0;
  random_blocks = 0;
  return taken;
}

}  // namespace jot
