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

namespace jot {

// Threads count their sections in one of some cells, so that they do not wait for each other's cache line. A thread
// that counts itself in while a fork is under way counts itself out again; so, once a fork is announced, a cell that
// has been seen empty stays so but for moments.
struct ForkGate {
  struct alignas(64) Cell {
    std::atomic<uint32_t> inside{0};
  };
  static constexpr uint32_t kCells = 64;
  Cell cells[kCells];
  std::atomic<uint32_t> forking{0};
  std::atomic<uint32_t> threads{0};
  ForkHandlers* handlers = nullptr;

  void enter(uint32_t cell) {
    while (cells[cell].inside.fetch_add(1, std::memory_order_seq_cst), forking.load(std::memory_order_seq_cst) != 0) {
      cells[cell].inside.fetch_sub(1, std::memory_order_seq_cst);
      forking.wait(1, std::memory_order_seq_cst);
    }
  }
  void close();
  void open();

  static void before_fork() noexcept;
  static void in_parent() noexcept;
  static void in_child() noexcept;
};

namespace {

constinit ForkGate gate;
constinit thread_local uint32_t depth = 0;  // of the sections of this thread
constinit thread_local uint32_t own_cell = ForkGate::kCells;

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

void ForkGate::close() {
  while (forking.exchange(1, std::memory_order_seq_cst) != 0) forking.wait(1, std::memory_order_seq_cst);
  for (uint32_t c = 0; c < kCells; ++c) {
    const uint32_t own = depth > 0 && c == own_cell;
    for (int i = 0; cells[c].inside.load(std::memory_order_seq_cst) > own; ++i)
      if (i < 100)
        std::this_thread::yield();
      else
        std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  ++depth;  // what the handlers lock does not wait for this fork
}

void ForkGate::open() {
  --depth;
  forking.store(0, std::memory_order_seq_cst);
  forking.notify_all();
}

void ForkGate::before_fork() noexcept {
  gate.close();
  finish_tables();
  for (ForkHandlers* h = gate.handlers; h; h = h->next_)
    if (h->before_) h->before_();
}

void ForkGate::in_parent() noexcept { gate.open(); }

void ForkGate::in_child() noexcept {
  for (uint32_t c = 0; c < kCells; ++c)
    gate.cells[c].inside.store(depth > 1 && c == own_cell, std::memory_order_relaxed);
  for (ForkHandlers* h = gate.handlers; h; h = h->next_)
    if (h->in_child_) h->in_child_();
  gate.open();
}

ForkHandlers::ForkHandlers(Handler before, Handler in_child) noexcept
    : before_(before), in_child_(in_child), next_(std::exchange(gate.handlers, this)) {}

NoFork::NoFork() {
  if (depth++ > 0) return;
  if (own_cell == ForkGate::kCells) own_cell = gate.threads.fetch_add(1, std::memory_order_relaxed) % ForkGate::kCells;
  gate.enter(own_cell);
}

NoFork::~NoFork() {
  if (--depth == 0) gate.cells[own_cell].inside.fetch_sub(1, std::memory_order_release);
}

void NoFork::always_within_callers() { ++depth; }

}  // namespace jot
