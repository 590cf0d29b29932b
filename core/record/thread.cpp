#include "core/record/thread.h"

#include <random>
#include <utility>

#include "core/record/evaluate.h"
#include "ir/fork.h"
#include "ir/thread_object.h"

namespace jot::detail {

namespace {

Generator random_generator() {
  std::random_device device;
  auto word = [&] { return static_cast<int64_t>(uint64_t{device()} << 32 | device()); };
  return {{word(), 0}, 0};
}

// Null until the thread records, and when its state has ended.
JOT_THREAD_LOCAL constinit thread_local Trace* innermost = nullptr;

// A forked child continues a stream that was seeded; others must not be drawn twice.
const ForkHandlers at_fork(nullptr, []() noexcept {
  if (innermost && !generator().seeded) thread_state().lazy->draws().seed(random_generator());
});

}  // namespace

ThreadState::ThreadState() : lazy(std::make_shared<Trace>(TraceOptions{}, nullptr)) {
  lazy->draws().generator() = random_generator();
  innermost = lazy.get();
  constexpr size_t kSpareBuilders = 8;
  spare_builders.reserve(kSpareBuilders);
}

ThreadState::~ThreadState() {
  {
    ForkSafeLock lock(lazy->mutex());
    flush(*lazy);
  }
  innermost = nullptr;
}

ThreadState& thread_state() { return ThreadObject<ThreadState>::get(); }

ir::Builder take_builder() {
  std::vector<ir::Builder>& spare = thread_state().spare_builders;
  if (spare.empty()) return ir::Builder("main", ir::Builder::Sharing::off);
  ir::Builder b = std::move(spare.back());
  spare.pop_back();
  return b;
}

void give_builder(ir::Builder builder) noexcept {
  ThreadState* s = ThreadObject<ThreadState>::find();  // null: the thread ends
  if (s && s->spare_builders.size() < s->spare_builders.capacity()) s->spare_builders.push_back(std::move(builder));
}

Trace* innermost_trace() { return innermost; }
Trace& current_trace() {
  if (!innermost) thread_state();
  return *innermost;
}
bool tracing() { return !current_trace().lazy(); }

Tensor new_call_order() {
  Tensor t = from_buffer(DType::u8, Shape{0}, Buffer::allocate(0, 1));
  t.impl()->storage->orders_calls = true;
  return t;
}
const Tensor& call_order() {
  Tensor& order = thread_state().order;
  if (!order.defined()) order = new_call_order();
  return order;
}

EnterTrace::EnterTrace(Trace& trace) : outer_(std::exchange(innermost, &trace)) {}
EnterTrace::~EnterTrace() { innermost = outer_; }

}  // namespace jot::detail
