// A recursive lock of which one thread, its owner, has most of the use: it pays no atomic exchange.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>

#include "ir/fence.h"

namespace jot {

class OwnerMutex {
 public:
  // The owner is the thread that makes it.
  OwnerMutex() = default;
  OwnerMutex(const OwnerMutex&) = delete;
  OwnerMutex& operator=(const OwnerMutex&) = delete;

  bool owned_by_this_thread() const { return owner_ == std::this_thread::get_id(); }

  void lock() {
    if (!owned_by_this_thread()) return lock_of_other();
    if (depth_++ > 0) return;
    held_.store(true, std::memory_order_relaxed);
    frequent_fence();
    if (wanted_.load(std::memory_order_acquire)) wait_for_others();
  }
  void unlock() {
    if (!owned_by_this_thread()) return unlock_of_other();
    if (--depth_ == 0) held_.store(false, std::memory_order_release);
  }

 private:
  // Behind the others; those who come next see that it is held.
  void wait_for_others() {
    held_.store(false, std::memory_order_release);
    std::lock_guard turn(others_);
    held_.store(true, std::memory_order_relaxed);
  }
  void lock_of_other() {
    others_.lock();
    if (depth_of_others_++ > 0) return;
    wanted_.store(true, std::memory_order_relaxed);
    rare_fence();
    for (int i = 0; held_.load(std::memory_order_acquire); ++i)
      if (i < 100)
        std::this_thread::yield();
      else
        std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  void unlock_of_other() {
    if (--depth_of_others_ == 0) wanted_.store(false, std::memory_order_release);
    others_.unlock();
  }

  const std::thread::id owner_ = std::this_thread::get_id();
  uint32_t depth_ = 0;  // of the owner
  std::atomic<bool> held_ = false, wanted_ = false;
  std::recursive_mutex others_;
  uint32_t depth_of_others_ = 0;
};

}  // namespace jot
