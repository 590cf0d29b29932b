#include "backends/buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <span>
#include <string>
#include <type_traits>

#include "ir/env.h"
#include "ir/fork.h"
#include "ir/thread_object.h"
#include "jot/error.h"

namespace jot {
namespace {

using detail::BufferHeader;
using Kind = BufferHeader::Kind;

constexpr int64_t kHeader = sizeof(BufferHeader);
constexpr int64_t kPage = 4096;
constexpr int64_t kHugePage = int64_t{2} << 20;
constexpr int64_t kMapped = int64_t{1} << 20;            // from this class size on: a mapping of its own
constexpr int64_t kHuge = int64_t{4} << 20;              // from this class size on: huge pages
constexpr int64_t kSmall = int64_t{64} << 10;            // up to this class size: thread's own lists
constexpr int64_t kThreadCache = int64_t{1} << 20;       // bytes in a thread's lists
constexpr int64_t kThreadUncounted = int64_t{64} << 10;  // live bytes a thread may keep out of the shared counter
constexpr int64_t kFloor = int64_t{256} << 20;           // the shared list may always hold this much
constexpr int kWindow = 256;                             // allocations per window of the recent peak
constexpr int64_t kMaxBytes = int64_t{1} << 60;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kRecycle = false;  // so that a use after free is found
#else
constexpr bool kRecycle = true;
#endif

// 64, 128, ... 512, then four classes per power of two.
constexpr int class_of(int64_t bytes) {
  if (bytes <= 512) return bytes <= 64 ? 0 : static_cast<int>((bytes - 1) / 64);
  int exponent = std::bit_width(static_cast<uint64_t>(bytes - 1)) - 1;
  return 8 + (exponent - 9) * 4 + static_cast<int>((bytes - 1) >> (exponent - 2)) - 4;
}
constexpr int64_t class_size(int c) {
  if (c < 8) return (c + 1) * int64_t{64};
  return (int64_t{5} + (c - 8) % 4) << ((c - 8) / 4 + 7);
}
static_assert(class_size(class_of(513)) == 640 && class_size(class_of(1024)) == 1024 && class_of(1025) == 12);
constexpr int kClasses = class_of(kMaxBytes) + 1;
constexpr int kSmallClasses = class_of(kSmall) + 1;
static_assert(kClasses <= 256 && class_size(kSmallClasses - 1) == kSmall);

constexpr int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }
constexpr int64_t block_bytes(int c) { return kHeader + class_size(c); }

// ---- memory of the system

void* map(int64_t bytes, int protection, int flags = 0) {
  void* p = mmap(nullptr, static_cast<size_t>(bytes), protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}
void unmap(void* p, int64_t bytes) { munmap(p, static_cast<size_t>(bytes)); }

void* map_huge(int64_t bytes) {
  auto* p = static_cast<std::byte*>(map(bytes + kHugePage, PROT_READ | PROT_WRITE));
  if (!p) return nullptr;
  auto address = static_cast<int64_t>(reinterpret_cast<uintptr_t>(p));
  int64_t before = round_up(address, kHugePage) - address;
  if (before > 0) unmap(p, before);
  unmap(p + before + bytes, kHugePage - before);
  madvise(p + before, static_cast<size_t>(bytes), MADV_HUGEPAGE);
  return p + before;
}

void* system_allocate(int c) {
  int64_t bytes = block_bytes(c);
  if (class_size(c) < kMapped) return ::operator new(static_cast<size_t>(bytes), std::align_val_t{64}, std::nothrow);
  bytes = round_up(bytes, kPage);
  // Its pages at once: a third of what a fault for each costs.
  return class_size(c) < kHuge ? map(bytes, PROT_READ | PROT_WRITE, MAP_POPULATE) : map_huge(bytes);
}
void system_free(void* block, int c) {
  if (class_size(c) < kMapped)
    ::operator delete(block, std::align_val_t{64});
  else
    unmap(block, round_up(block_bytes(c), kPage));
}

// ---- the shared free list

// A free block begins with this.
struct FreeBlock {
  FreeBlock *next, *prev;                // in the class, newest first
  FreeBlock *next_by_age, *prev_by_age;  // in the list, newest first
  int size_class;
};
static_assert(sizeof(FreeBlock) <= kHeader);

class SharedList {
 public:
  void* take(int c) {
    ForkSafeLock lock(mutex_);
    FreeBlock* b = heads_[c];
    if (b) unlink(b);
    return b;
  }

  // A block of more than kSmall begins or ends to be live. The first may free others.
  void* take_large(int c) {
    FreeBlock* evicted = nullptr;
    void* block = nullptr;
    {
      ForkSafeLock lock(mutex_);
      if (FreeBlock* b = heads_[c]) {
        unlink(b);
        block = b;
      }
      live_ += block_bytes(c);
      if (++allocations_ == kWindow) {
        allocations_ = 0;
        last_peak_ = std::exchange(peak_, live_);
      }
      evicted = shrink();
    }
    free_all(evicted);
    return block;
  }
  void put_large(void* block, int c) {
    FreeBlock* evicted = nullptr;
    {
      ForkSafeLock lock(mutex_);
      peak_ = std::max(peak_, live_);
      live_ -= block_bytes(c);
      link(block, c);
      evicted = shrink();
    }
    free_all(evicted);
  }
  void not_taken(int c) {
    ForkSafeLock lock(mutex_);
    live_ -= block_bytes(c);
  }

  void put(std::span<void* const> blocks, int c) {
    FreeBlock* evicted = nullptr;
    {
      ForkSafeLock lock(mutex_);
      for (void* b : blocks) link(b, c);
      evicted = shrink();
    }
    free_all(evicted);
  }

  void trim() {
    FreeBlock* evicted = nullptr;
    {
      ForkSafeLock lock(mutex_);
      evicted = shrink_to(0);
    }
    free_all(evicted);
  }
  int64_t cached() {
    ForkSafeLock lock(mutex_);
    return cached_;
  }

 private:
  void link(void* memory, int c) {
    auto* b = new (memory) FreeBlock{heads_[c], nullptr, newest_, nullptr, c};
    if (b->next) b->next->prev = b;
    (newest_ ? newest_->prev_by_age : oldest_) = b;
    heads_[c] = newest_ = b;
    cached_ += block_bytes(c);
  }
  void unlink(FreeBlock* b) {
    (b->prev ? b->prev->next : heads_[b->size_class]) = b->next;
    if (b->next) b->next->prev = b->prev;
    (b->prev_by_age ? b->prev_by_age->next_by_age : newest_) = b->next_by_age;
    (b->next_by_age ? b->next_by_age->prev_by_age : oldest_) = b->prev_by_age;
    cached_ -= block_bytes(b->size_class);
  }
  // The oldest blocks that are too many, linked by `next`: the caller frees them without the lock.
  FreeBlock* shrink() { return shrink_to(std::max({kFloor, peak_, last_peak_}) - live_); }
  FreeBlock* shrink_to(int64_t limit) {
    FreeBlock* evicted = nullptr;
    while (oldest_ && cached_ > limit) {
      FreeBlock* b = oldest_;
      unlink(b);
      b->next = std::exchange(evicted, b);
    }
    return evicted;
  }
  static void free_all(FreeBlock* b) {
    while (b) {
      FreeBlock* next = b->next;
      system_free(b, b->size_class);
      b = next;
    }
  }

  std::mutex mutex_;
  FreeBlock* heads_[kClasses] = {};
  FreeBlock *newest_ = nullptr, *oldest_ = nullptr;
  int64_t cached_ = 0, live_ = 0;
  int64_t peak_ = 0, last_peak_ = 0;  // of live_ just before it falls, in this window and the last
  int allocations_ = 0;
};

// ---- counters of live bytes

class Counters {
 public:
  void add(int64_t bytes) {
    int64_t live = live_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    int64_t peak = peak_.load(std::memory_order_relaxed);
    while (live > peak && !peak_.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
    }
  }
  int64_t live() const { return live_.load(std::memory_order_relaxed); }
  int64_t peak() const { return peak_.load(std::memory_order_relaxed); }
  void set_peak(int64_t bytes) { peak_.store(bytes, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> live_{0}, peak_{0};
};

class ThreadCache;

struct Shared {
  SharedList list;
  Counters counters;
  std::mutex threads_mutex;
  ThreadCache* threads = nullptr;  // all that live, linked by next_thread
  std::atomic<uint32_t> guarded{0};
};

// Never destroyed: buffers of static storage duration are dropped at exit.
constinit Shared kept;
static_assert(std::is_trivially_destructible_v<Shared>);
Shared& shared() { return kept; }

// ---- a thread's own lists

class ThreadCache {
 public:
  ThreadCache() {
    ForkSafeLock lock(shared().threads_mutex);
    next_thread_ = std::exchange(shared().threads, this);
  }
  ~ThreadCache() {
    drain();
    ForkSafeLock lock(shared().threads_mutex);
    shared().counters.add(uncounted());
    ThreadCache** link = &shared().threads;
    while (*link != this) link = &(*link)->next_thread_;
    *link = next_thread_;
  }

  void* take(int c) {
    if (List& list = lists_[c]; list.count > 0) {
      bytes_ -= block_bytes(c);
      --list.count;
      Link* top = list.head;
      list.head = top->next;
      return top;
    }
    return nullptr;
  }
  void put(void* block, int c) {
    if (bytes_ + block_bytes(c) > kThreadCache) spill(c);
    List& list = lists_[c];
    list.head = new (block) Link{list.head};
    ++list.count;
    bytes_ += block_bytes(c);
  }
  void drain() {
    for (int c = 0; c < kSmallClasses; ++c) move_to_shared(c, lists_[c].count);
  }

  // Written by the owner only.
  void count(int64_t bytes) {
    int64_t n = uncounted() + bytes;
    if (n > kThreadUncounted || n < -kThreadUncounted) {
      shared().counters.add(n);
      n = 0;
    }
    uncounted_.store(n, std::memory_order_relaxed);
  }
  int64_t uncounted() const { return uncounted_.load(std::memory_order_relaxed); }
  ThreadCache* next_thread() const { return next_thread_; }

  // In a forked child: the other threads, and what they kept, are gone.
  void remain_alone() {
    Shared& s = shared();
    for (ThreadCache* t = s.threads; t; t = t->next_thread_)
      if (t != this) s.counters.add(t->uncounted());
    s.threads = this;
    next_thread_ = nullptr;
  }

 private:
  struct Link {
    Link* next;
  };
  struct List {
    Link* head = nullptr;
    int count = 0;
  };

  // Makes room: half of class c, so that a thread that only frees takes the lock rarely; all classes where c holds
  // little, since the cache is then full of what the thread no longer asks for.
  void spill(int c) {
    if (lists_[c].count * block_bytes(c) >= kThreadCache / 4)
      move_to_shared(c, (lists_[c].count + 1) / 2);
    else
      drain();
  }
  void move_to_shared(int c, int count) {
    constexpr int kBatch = 64;
    void* batch[kBatch];
    while (count > 0) {
      int n = std::min(count, kBatch);
      for (int i = 0; i < n; ++i) batch[i] = take(c);
      shared().list.put({batch, static_cast<size_t>(n)}, c);
      count -= n;
    }
  }

  List lists_[kSmallClasses];
  int64_t bytes_ = 0;
  std::atomic<int64_t> uncounted_{0};
  ThreadCache* next_thread_ = nullptr;
};

ThreadCache& thread_cache() { return ThreadObject<ThreadCache>::get(); }

const ForkHandlers at_fork(nullptr, []() noexcept { thread_cache().remain_alone(); });

// ---- blocks

[[noreturn]] void out_of_memory(int64_t bytes) {
  throw MemoryError("[memory] out of memory: " + std::to_string(bytes) + " bytes asked for, " +
                    std::to_string(shared().counters.live()) + " in use by tensors");
}

void* take_recycled(int c) {
  if (!kRecycle) return nullptr;
  if (c >= kSmallClasses) return shared().list.take_large(c);
  void* block = thread_cache().take(c);
  return block ? block : shared().list.take(c);
}

void* take_block(int c) {
  void* block = take_recycled(c);
  if (!block) block = system_allocate(c);
  if (!block) {
    Buffer::trim();
    block = system_allocate(c);
  }
  if (block) return block;
  if (kRecycle && c >= kSmallClasses) shared().list.not_taken(c);
  out_of_memory(class_size(c));
}

void put_block(void* block, int c) {
  if (!kRecycle)
    system_free(block, c);
  else if (c >= kSmallClasses)
    shared().list.put_large(block, c);
  else
    thread_cache().put(block, c);
}

void count_live(int64_t bytes) {
  if (bytes <= kSmall && bytes >= -kSmall)
    thread_cache().count(bytes);
  else
    shared().counters.add(bytes);
}

// ---- guarded memory

constexpr int kSlack = 0xcb;
constexpr int kPoison = 0xff;  // NaN in every floating type

// Null where the system refuses: each buffer takes three of its (by default 65,530) mappings.
BufferHeader* try_guarded(int64_t bytes, int alignment) {
  int64_t inner = std::max(round_up(bytes, kPage), kPage);
  auto* base = static_cast<std::byte*>(map(inner + 2 * kPage, PROT_NONE));
  if (!base) return nullptr;
  std::byte* begin = base + kPage;
  if (mprotect(begin, static_cast<size_t>(inner), PROT_READ | PROT_WRITE) != 0) {
    unmap(base, inner + 2 * kPage);
    return nullptr;
  }
  Env::Guard side = env().guard;
  if (side == Env::Guard::alternate)
    side = shared().guarded.fetch_add(1, std::memory_order_relaxed) % 2 == 0 ? Env::Guard::end : Env::Guard::begin;
  std::byte* data = side == Env::Guard::begin ? begin : begin + inner - round_up(bytes, alignment);
  std::memset(begin, kSlack, static_cast<size_t>(inner));
  std::memset(data, kPoison, static_cast<size_t>(bytes));
  return new (take_block(0)) BufferHeader{data, bytes, 1, Kind::guarded, 0, nullptr, base, inner + 2 * kPage};
}

void free_guarded(BufferHeader* header) {
  auto* base = static_cast<std::byte*>(header->context);
  auto* data = static_cast<std::byte*>(header->data);
  auto written = [](std::byte b) { return b != std::byte{kSlack}; };
  std::byte* inner_end = base + header->context_bytes - kPage;
  if (std::any_of(base + kPage, data, written) || std::any_of(data + header->size, inner_end, written)) {
    // The faulty write is long past and lies outside any call that could report it.
    std::fputs("jot: a write next to a buffer was found when the buffer was freed (JOT_GUARD)\n", stderr);
    std::abort();
  }
  unmap(base, header->context_bytes);
}

}  // namespace

void detail::destroy(BufferHeader* header) noexcept {
  int c = header->size_class;
  switch (header->kind) {
    case Kind::block:
      count_live(-header->size);
      break;
    case Kind::guarded:
      count_live(-header->size);
      free_guarded(header);
      break;
    case Kind::borrowed:
      if (header->on_release) header->on_release(header->context, header->data);
      break;
  }
  header->~BufferHeader();
  put_block(header, c);
}

Buffer Buffer::allocate(int64_t bytes, int alignment) {
  if (bytes < 0 || alignment < 1 || alignment > 64 || !std::has_single_bit(static_cast<unsigned>(alignment)))
    internal_error("bytes >= 0 && alignment is a power of two up to 64", std::to_string(bytes));
  if (bytes > kMaxBytes) out_of_memory(bytes);
  if (env().guard != Env::Guard::off) {
    if (BufferHeader* header = try_guarded(bytes, alignment)) {
      count_live(bytes);
      return Buffer(header);
    }
  }
  int c = class_of(bytes);
  void* block = take_block(c);
  count_live(bytes);
  return Buffer(new (block) BufferHeader{static_cast<std::byte*>(block) + kHeader, bytes, 1, Kind::block,
                                         static_cast<uint8_t>(c)});
}

Buffer Buffer::borrow(void* data, int64_t bytes) { return borrow(data, bytes, nullptr, nullptr); }

Buffer Buffer::borrow(void* data, int64_t bytes, Release release, void* context) {
  if (bytes < 0) internal_error("bytes >= 0", std::to_string(bytes));
  return Buffer(new (take_block(0)) BufferHeader{data, bytes, 1, Kind::borrowed, 0, release, context});
}

Buffer::Stats Buffer::stats() {
  Shared& s = shared();
  ForkSafeLock lock(s.threads_mutex);
  int64_t live = s.counters.live();
  for (ThreadCache* t = s.threads; t; t = t->next_thread()) live += t->uncounted();
  return {live, std::max(live, s.counters.peak()), s.list.cached()};
}

void Buffer::reset_peak() { shared().counters.set_peak(stats().live); }

void Buffer::trim() {
  thread_cache().drain();
  shared().list.trim();
}

}  // namespace jot
