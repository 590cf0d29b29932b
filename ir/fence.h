// A fence in two halves. Two threads that each write something and then read what the other writes must not both miss
// it: each needs a full fence between. Where one does so all the time and the other rarely, the system lets the rare
// one pay for both (membarrier); without that both halves are full fences.
#pragma once
#include <atomic>

namespace jot {

namespace detail {
inline constinit bool rare_fence_serves_both = false;  // changes only while the program has one thread
}

// ThreadSanitizer knows no fences: it sees an exchange.
inline void full_fence() {
#ifdef __SANITIZE_THREAD__
  static constinit std::atomic<int> all{0};
  all.fetch_add(1, std::memory_order_seq_cst);
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}
inline void frequent_fence() {
  if (detail::rare_fence_serves_both)
    std::atomic_signal_fence(std::memory_order_seq_cst);
  else
    full_fence();
}
void rare_fence();

}  // namespace jot
