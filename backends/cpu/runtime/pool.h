// The threads of the runtime.
//
// parallel_for runs chunks 0 .. chunks - 1, claimed one at a time by the caller and by helpers, each from a range of
// its own first, then from those of others. The caller never waits for a helper that has not started, so a busy machine
// costs no more than running alone; a second caller at the same time runs alone. Helpers spin a little, then sleep.
// Chunks must not depend on who runs them.
#pragma once
#include <cstdint>
#include <memory>
#include <type_traits>

namespace jot::cpu {

// Threads of the pool with the caller: JOT_NUM_THREADS, else the processors of the process.
int num_threads();

// `worker` is in [0, num_threads()) and differs between calls of fn that run at the same time in one parallel_for.
using ChunkFn = void (*)(void* context, int64_t chunk, int worker) noexcept;
void parallel_for(int64_t chunks, ChunkFn fn, void* context);

template <class Body>
void parallel_for(int64_t chunks, Body& body) {
  parallel_for(
      chunks, [](void* context, int64_t chunk, int worker) noexcept { (*static_cast<Body*>(context))(chunk, worker); },
      &body);
}

// How many chunks a loop of `items` items is cut in, each of about `nanoseconds`: one where the whole takes less than
// about 20 us. Depends on sizes only, so that results do too.
int64_t chunks_for(int64_t items, double nanoseconds);

// The same and how long each is, a multiple of `unit`; the last may be shorter.
std::pair<int64_t, int64_t> chunks_of(int64_t items, double nanoseconds, int64_t unit);

}  // namespace jot::cpu
