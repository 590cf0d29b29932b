#include "backends/cpu/runtime/pool.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "ir/env.h"
#include "ir/fork.h"

namespace jot::cpu {
namespace {

constexpr double kSerialNanoseconds = 20'000;  // work below this stays with the caller
constexpr double kChunkNanoseconds = 10'000;   // of a chunk, at least
constexpr int64_t kMaxChunks = 256;
constexpr auto kSpin = std::chrono::microseconds(30);

void pause() { __builtin_ia32_pause(); }

// Without a yield before, as std::atomic's wait has it: that may cost the rest of another process's turn.
void sleep_while(std::atomic<uint32_t>& word, uint32_t value) {
  static_assert(sizeof word == sizeof value && std::atomic<uint32_t>::is_always_lock_free);
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}
void wake_one(std::atomic<uint32_t>& word) { syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0); }

int available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

class Pool {
 public:
  // As many helpers as the system grants. They take no signals.
  explicit Pool(int threads) : ranges_(static_cast<size_t>(threads)) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      for (int worker = 1; worker < threads; ++worker) std::thread([this, worker] { help(worker); }).detach();
    } catch (const std::system_error&) {
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void run(int64_t chunks, ChunkFn fn, void* context) {
    // A second caller, or a chunk that calls: alone.
    if (busy_.exchange(true, std::memory_order_acquire)) {
      for (int64_t i = 0; i < chunks; ++i) fn(context, i, 0);
      return;
    }
    fn_ = fn;
    context_ = context;
    chunks_ = chunks;
    num_ranges_ = std::min(chunks, static_cast<int64_t>(ranges_.size()));
    for (int64_t r = 0; r < num_ranges_; ++r) range(r).next.store(begin_of(r), std::memory_order_relaxed);
    state_.store(kOpen, std::memory_order_seq_cst);
    if (int sleepers = sleepers_.load(std::memory_order_seq_cst); sleepers > 0) {
      wake_.fetch_add(1, std::memory_order_seq_cst);
      if (chunks > sleepers)
        wake_.notify_all();
      else
        for (int64_t i = 1; i < chunks; ++i) wake_.notify_one();
    }
    work(0);
    state_.fetch_and(~kOpen, std::memory_order_acq_rel);  // nobody joins any more
    // Who has joined is at its last chunk; if the system has taken its processor away, it may have ours.
    for (int i = 0; state_.load(std::memory_order_acquire) != 0 && i < kPauses; ++i) pause();
    uint32_t at_work = state_.load(std::memory_order_acquire);
    if (at_work != 0) at_work = state_.fetch_or(kSleeps, std::memory_order_acq_rel);
    while ((at_work & ~kSleeps) != 0) {
      sleep_while(state_, at_work | kSleeps);
      at_work = state_.load(std::memory_order_acquire);
    }
    busy_.store(false, std::memory_order_release);
  }

 private:
  // state_: the open flag, whether the caller sleeps until the helpers are done, and how many of these are at work.
  static constexpr uint32_t kOpen = 1u << 31, kSleeps = 1u << 30;
  static constexpr int kPauses = 20'000;  // some hundred microseconds: longer than most chunks take

  // Each begins with a range of its own, the same in each loop over so many chunks: what it read and wrote there before
  // is in its caches. Then it helps the others.
  struct alignas(64) Range {
    std::atomic<int64_t> next{0};
  };
  Range& range(int64_t r) { return ranges_[static_cast<size_t>(r)]; }
  int64_t begin_of(int64_t r) const { return chunks_ * r / num_ranges_; }

  void work(int worker) {
    for (int64_t k = 0; k < num_ranges_; ++k) {
      const int64_t r = (worker + k) % num_ranges_, end = begin_of(r + 1);
      std::atomic<int64_t>& next = range(r).next;
      while (next.load(std::memory_order_relaxed) < end)
        if (const int64_t i = next.fetch_add(1, std::memory_order_relaxed); i < end) fn_(context_, i, worker);
    }
  }

  bool join() {
    uint32_t s = state_.load(std::memory_order_acquire);
    while (s & kOpen)
      if (state_.compare_exchange_weak(s, s + 1, std::memory_order_acq_rel)) return true;
    return false;
  }

  void help(int worker) {
    NoFork::always_within_callers();
    for (;;) {
      auto until = std::chrono::steady_clock::now() + kSpin;
      bool joined = join();
      for (int i = 0; !joined; joined = join()) {
        pause();
        if (++i % 64 == 0 && std::chrono::steady_clock::now() > until) break;
      }
      if (joined) {
        work(worker);
        if (state_.fetch_sub(1, std::memory_order_acq_rel) == (kSleeps | 1)) wake_one(state_);
        continue;
      }
      uint32_t seen = wake_.load(std::memory_order_seq_cst);
      sleepers_.fetch_add(1, std::memory_order_seq_cst);
      if (!(state_.load(std::memory_order_seq_cst) & kOpen)) wake_.wait(seen, std::memory_order_seq_cst);
      sleepers_.fetch_sub(1, std::memory_order_seq_cst);
    }
  }

  std::atomic<bool> busy_{false};
  ChunkFn fn_ = nullptr;
  void* context_ = nullptr;
  int64_t chunks_ = 0, num_ranges_ = 0;
  std::vector<Range> ranges_;
  alignas(64) std::atomic<uint32_t> state_{0};
  alignas(64) std::atomic<uint32_t> wake_{0};
  std::atomic<int> sleepers_{0};
};

// Never destroyed: its helpers run until the process ends. A forked child has none of them and makes another pool.
constinit std::atomic<Pool*> made{nullptr};
constinit std::mutex making;

Pool& pool() {
  if (Pool* p = made.load(std::memory_order_acquire)) return *p;
  ForkSafeLock lock(making);
  if (!made.load(std::memory_order_relaxed)) made.store(new Pool(num_threads()), std::memory_order_release);
  return *made.load(std::memory_order_relaxed);
}

const ForkHandlers at_fork(nullptr, []() noexcept { made.store(nullptr, std::memory_order_relaxed); });

}  // namespace

int num_threads() {
  static const int n = env().num_threads > 0 ? env().num_threads : available_processors();
  return n;
}

void parallel_for(int64_t chunks, ChunkFn fn, void* context) {
  if (chunks > 1 && num_threads() > 1) return pool().run(chunks, fn, context);
  for (int64_t i = 0; i < chunks; ++i) fn(context, i, 0);
}

int64_t chunks_for(int64_t items, double nanoseconds) {
  double total = static_cast<double>(items) * nanoseconds;
  if (total < kSerialNanoseconds) return 1;
  return std::clamp(static_cast<int64_t>(total / kChunkNanoseconds), int64_t{2},
                    std::min(kMaxChunks, std::max<int64_t>(items, 2)));
}

std::pair<int64_t, int64_t> chunks_of(int64_t items, double nanoseconds, int64_t unit) {
  int64_t chunks = chunks_for(items, nanoseconds), length = (items + chunks - 1) / chunks;
  length = std::max<int64_t>((length + unit - 1) / unit * unit, 1);
  return {std::max<int64_t>((items + length - 1) / length, 1), length};
}

}  // namespace jot::cpu
