#include "ir/fork.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <thread>
#include <utility>

#include "ir/env.h"
#include "ir/graph.h"
#include "ir/rules.h"
#include "ir/thread_object.h"

namespace jot {

// Of each thread that has been in a section: whether it is in one. A thread that enters while a fork is under way
// leaves again; so, once a fork is announced, a cell that has been seen empty stays so but for moments. Cells of
// threads that have ended serve new ones.
struct ForkCell {
  std::atomic<uint32_t> inside{0}, taken{1};
  ForkCell* next = nullptr;
};

struct ForkGate {
  std::atomic<ForkCell*> cells{nullptr};
  ForkHandlers* handlers = nullptr;

  ForkCell& take_cell();
  void close();
  void open();

  static void before_fork() noexcept;
  static void in_parent() noexcept;
  static void in_child() noexcept;
};

namespace {

constinit ForkGate gate;

// What is made on first use, by whichever thread: finished before the fork, or the child would wait for that thread.
void finish_tables() noexcept {
  try {
    env();
  } catch (const std::exception&) {  // whoever asks for it is told
  }
  ir::rules(ir::Op::param_op);
  ir::op_named("");
  ir::Graph();
}

[[maybe_unused]] const int registered = pthread_atfork(ForkGate::before_fork, ForkGate::in_parent, ForkGate::in_child);

}  // namespace

// The cell of a thread until it ends.
class OwnForkCell {
 public:
  OwnForkCell() : cell_(gate.take_cell()) { NoFork::cell_ = &cell_.inside; }
  ~OwnForkCell() {
    NoFork::cell_ = nullptr;
    cell_.taken.store(0, std::memory_order_release);
  }
  OwnForkCell(const OwnForkCell&) = delete;
  OwnForkCell& operator=(const OwnForkCell&) = delete;

 private:
  ForkCell& cell_;
};

ForkCell& ForkGate::take_cell() {
  for (ForkCell* c = cells.load(std::memory_order_acquire); c; c = c->next)
    if (c->taken.exchange(1, std::memory_order_acq_rel) == 0) return *c;
  auto* made = new ForkCell;  // for ever
  made->next = cells.load(std::memory_order_relaxed);
  while (!cells.compare_exchange_weak(made->next, made, std::memory_order_acq_rel)) {
  }
  return *made;
}

void NoFork::wait_and_enter() {
  if (!cell_) ThreadObject<OwnForkCell>::get();
  while (cell_->store(1, std::memory_order_relaxed), frequent_fence(), forking_.load(std::memory_order_acquire) != 0) {
    cell_->store(0, std::memory_order_release);
    forking_.wait(1, std::memory_order_seq_cst);
  }
}

void ForkGate::close() {
  while (NoFork::forking_.exchange(1, std::memory_order_seq_cst) != 0)
    NoFork::forking_.wait(1, std::memory_order_seq_cst);
  rare_fence();
  for (ForkCell* c = cells.load(std::memory_order_acquire); c; c = c->next) {
    if (&c->inside == NoFork::cell_) continue;
    for (int i = 0; c->inside.load(std::memory_order_acquire) != 0; ++i)
      if (i < 100)
        std::this_thread::yield();
      else
        std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  ++NoFork::depth_;  // what the handlers lock does not wait for this fork
}

void ForkGate::open() {
  --NoFork::depth_;
  NoFork::forking_.store(0, std::memory_order_seq_cst);
  NoFork::forking_.notify_all();
}

void ForkGate::before_fork() noexcept {
  gate.close();
  finish_tables();
  for (ForkHandlers* h = gate.handlers; h; h = h->next_)
    if (h->before_) h->before_();
}

void ForkGate::in_parent() noexcept { gate.open(); }

void ForkGate::in_child() noexcept {
  for (ForkCell* c = gate.cells.load(std::memory_order_relaxed); c; c = c->next)
    if (&c->inside != NoFork::cell_) {
      c->inside.store(0, std::memory_order_relaxed);
      c->taken.store(0, std::memory_order_relaxed);
    }
  for (ForkHandlers* h = gate.handlers; h; h = h->next_)
    if (h->in_child_) h->in_child_();
  gate.open();
}

ForkHandlers::ForkHandlers(Handler before, Handler in_child) noexcept
    : before_(before), in_child_(in_child), next_(std::exchange(gate.handlers, this)) {}

}  // namespace jot
