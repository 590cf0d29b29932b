// fork() in a program of many threads. Of them the child has only the one that called it: a lock that another held
// would never be given back, and what it was changing would stay half done. So threads touch what they share in NoFork
// sections, and a fork waits until no other thread is in one: it waits for the calls of jot that are under way, not for
// the programs around them.
//
// The child may use everything that was made before. Its pool starts threads of its own when it first needs them, code
// that it compiles goes to memory of its own, and what the threads of the parent kept for themselves is lost (free
// memory, at most 1 MiB for each).
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>

#include "ir/fence.h"
#include "ir/thread_object.h"

namespace jot {

// While alive, a fork by another thread waits. Sections nest; only the outermost waits, for a fork under way.
class NoFork {
 public:
  NoFork() {
    if (depth_++ == 0) enter();
  }
  ~NoFork() {
    if (--depth_ == 0) cell_->store(0, std::memory_order_release);
  }
  NoFork(const NoFork&) = delete;
  NoFork& operator=(const NoFork&) = delete;

  // From now on the calling thread does nothing but work for threads that are in a section while it does.
  static void always_within_callers() { ++depth_; }

 private:
  friend struct ForkGate;
  friend class OwnForkCell;
  static void enter() {
    if (!cell_) return wait_and_enter();
    cell_->store(1, std::memory_order_relaxed);
    frequent_fence();
    if (forking_.load(std::memory_order_acquire) != 0) wait_and_enter();
  }
  static void wait_and_enter();

  static inline constinit std::atomic<uint32_t> forking_ = 0;
  JOT_THREAD_LOCAL static inline constinit thread_local uint32_t depth_ = 0;
  // 1 while this thread is in a section.
  JOT_THREAD_LOCAL static inline constinit thread_local std::atomic<uint32_t>* cell_ = nullptr;
};

// A lock that is free in a forked child, as what it protects is whole there.
template <class Mutex = std::mutex>
class ForkSafeLock {
 public:
  explicit ForkSafeLock(Mutex& mutex) : lock_(mutex) {}

 private:
  NoFork section_;
  std::lock_guard<Mutex> lock_;
};

// An object of static storage duration: calls before() on the forking thread when no other thread is in a section, and
// in_child() on the only thread of the child. Either may be null; neither may throw.
class ForkHandlers {
 public:
  using Handler = void (*)() noexcept;
  ForkHandlers(Handler before, Handler in_child) noexcept;

 private:
  friend struct ForkGate;
  Handler before_, in_child_;
  ForkHandlers* next_;
};

}  // namespace jot
