#include "backends/buffer.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "ir/env.h"
#include "jot/error.h"

using jot::Buffer;

namespace {

bool guarded() { return jot::env().guard != jot::Env::Guard::off; }

#if defined(__SANITIZE_ADDRESS__)
bool recycles() { return false; }
#else
bool recycles() { return !guarded(); }
#endif

bool aligned(const Buffer& b, uintptr_t to) { return reinterpret_cast<uintptr_t>(b.data()) % to == 0; }

}  // namespace

TEST_CASE("buffer: a null handle") {
  Buffer b;
  CHECK_FALSE(b);
  CHECK(b.data() == nullptr);
  CHECK(b.size() == 0);
  CHECK_FALSE(b.unique());
  CHECK_FALSE(b.owned());
  Buffer c = b, d = std::move(b);
  CHECK(c == d);
}

TEST_CASE("buffer: size, alignment, sharing") {
  for (int64_t bytes : {0, 1, 4, 63, 64, 65, 500, 513, 1000, 4096, 65536, 65537, 1 << 20, 5000000}) {
    CAPTURE(bytes);
    Buffer b = Buffer::allocate(bytes);
    CHECK(b.size() == bytes);
    CHECK(b.data() != nullptr);
    CHECK(b.owned());
    CHECK(aligned(b, 64));
    std::memset(b.data(), 1, static_cast<size_t>(bytes));
    CHECK(b.unique());
    Buffer c = b;
    CHECK_FALSE(b.unique());
    CHECK(c.data() == b.data());
    c = Buffer();
    CHECK(b.unique());
    c = std::move(b);
    CHECK(c.unique());
    CHECK_FALSE(b);  // NOLINT: a moved-from handle is null
    Buffer& self = c;
    c = self;
    CHECK(c.unique());
  }
}

TEST_CASE("buffer: the pages of new large memory come at once") {
#ifdef __SANITIZE_THREAD__
  return;  // its shadow memory faults, too
#endif
  if (guarded()) return;
  auto faults = [] {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
  };
  Buffer::trim();
  constexpr int64_t kBytes = 3 << 20;
  Buffer b = Buffer::allocate(kBytes);
  auto before = faults();
  std::memset(b.data(), 1, kBytes);
  CHECK(faults() - before < 100);  // of 768 pages; other threads may fault too
}

TEST_CASE("buffer: faulty requests") {
  CHECK_THROWS_WITH_AS(Buffer::allocate(-1), doctest::Contains("bytes >= 0"), jot::InternalError);
  CHECK_THROWS_AS(Buffer::allocate(8, 3), jot::InternalError);
  CHECK_THROWS_AS(Buffer::allocate(8, 128), jot::InternalError);
  CHECK_THROWS_WITH_AS(Buffer::allocate(INT64_MAX), doctest::Contains("[memory] out of memory"), jot::MemoryError);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  int64_t live = Buffer::stats().live;
  CHECK_THROWS_WITH_AS(Buffer::allocate(int64_t{1} << 56), doctest::Contains("72057594037927936 bytes"), jot::Error);
  CHECK(Buffer::stats().live == live);
#endif
  CHECK(Buffer::allocate(8).size() == 8);
}

TEST_CASE("buffer: large memory is recycled, and bounded") {
  if (!recycles()) return;
  Buffer::trim();
  CHECK(Buffer::stats().cached == 0);
  constexpr int64_t bytes = 40'000'000;
  Buffer b = Buffer::allocate(bytes);
  void* data = b.data();
  b = Buffer();
  CHECK(Buffer::stats().cached >= bytes);
  b = Buffer::allocate(bytes - 1000);  // of the same class
  CHECK(b.data() == data);
  CHECK(Buffer::stats().cached == 0);
  b = Buffer();

  // Many classes: what is free stays within the floor.
  for (int i = 1; i <= 56; ++i) Buffer::allocate(i * int64_t{4 << 20});
  CHECK(Buffer::stats().cached <= int64_t{256} << 20);
  // Live memory past the floor raises the bound.
  {
    std::vector<Buffer> held;
    for (int i = 0; i < 10; ++i) held.push_back(Buffer::allocate(bytes));
  }
  CHECK(Buffer::stats().cached >= 10 * bytes);
  // The bound forgets the peak.
  for (int i = 0; i < 600; ++i) Buffer::allocate(100'000);
  CHECK(Buffer::stats().cached <= int64_t{256} << 20);
  Buffer::trim();
  CHECK(Buffer::stats().cached == 0);
}

TEST_CASE("buffer: small memory is recycled by its thread") {
  if (!recycles()) return;
  void* data = Buffer::allocate(100).data();
  CHECK(Buffer::allocate(128).data() == data);
  // More than the thread's lists hold: the rest is in the shared list, and comes back.
  std::vector<Buffer> held;
  for (int i = 0; i < 3000; ++i) held.push_back(Buffer::allocate(1000));
  std::vector<void*> before;
  for (Buffer& b : held) before.push_back(b.data());
  held.clear();
  CHECK(Buffer::stats().cached > 1'000'000);
  std::sort(before.begin(), before.end());
  int again = 0;
  for (int i = 0; i < 3000; ++i) {
    held.push_back(Buffer::allocate(1000));
    again += std::binary_search(before.begin(), before.end(), held.back().data()) ? 1 : 0;
  }
  CHECK(again == 3000);
}

TEST_CASE("buffer: counters") {
  int64_t live = Buffer::stats().live;
  Buffer::reset_peak();
  {
    std::vector<Buffer> held;
    for (int i = 0; i < 1000; ++i) held.push_back(Buffer::allocate(300));
    CHECK(Buffer::stats().live == live + 300'000);
    held.push_back(Buffer::allocate(1'000'000));
    CHECK(Buffer::stats().live == live + 1'300'000);
  }
  CHECK(Buffer::stats().live == live);
  CHECK(Buffer::stats().peak >= live + 1'300'000 - 65536);
  CHECK(Buffer::stats().peak <= live + 1'300'000);
  Buffer::reset_peak();
  CHECK(Buffer::stats().peak == live);
}

TEST_CASE("buffer: borrowed memory") {
  float x[3] = {1, 2, 3};
  int64_t live = Buffer::stats().live;
  Buffer b = Buffer::borrow(x, sizeof x);
  CHECK(b.data() == x);
  CHECK_FALSE(b.owned());
  CHECK(Buffer::stats().live == live);
  static void* released = nullptr;
  int count = 0;
  b = Buffer::borrow(
      x, sizeof x,
      [](void* context, void* data) noexcept {
        ++*static_cast<int*>(context);
        released = data;
      },
      &count);
  Buffer c = b;
  b = Buffer();
  CHECK(count == 0);
  c = Buffer();
  CHECK(count == 1);
  CHECK(released == x);

  std::vector<double> v = {1, 2, 3};
  const double* data = v.data();
  b = Buffer::keep(std::move(v));
  CHECK(b.data() == data);
  CHECK(b.size() == 24);
  CHECK(Buffer::keep(std::vector<int>()).size() == 0);
}

TEST_CASE("buffer: guard pages") {
  if (!guarded()) return;
  for (int64_t bytes = 0; bytes <= 67; ++bytes) {
    Buffer a = Buffer::allocate(bytes, 1), b = Buffer::allocate(bytes, 1);
    auto ends = [](const Buffer& x) {
      return (reinterpret_cast<uintptr_t>(x.data()) + static_cast<uintptr_t>(x.size())) % 4096 == 0;
    };
    using Guard = jot::Env::Guard;
    if (jot::env().guard == Guard::end) CHECK((ends(a) && ends(b)));
    if (jot::env().guard == Guard::begin) CHECK((aligned(a, 4096) && aligned(b, 4096)));
    if (jot::env().guard == Guard::alternate) CHECK(((aligned(a, 4096) && ends(b)) || (ends(a) && aligned(b, 4096))));
    auto* p = static_cast<unsigned char*>(a.data());
    CHECK(std::all_of(p, p + bytes, [](unsigned char c) { return c == 0xff; }));
  }
  CHECK(aligned(Buffer::allocate(3, 8), 8));
}

TEST_CASE("buffer: shared by many threads") {
  constexpr int kThreads = 8, kRounds = 2000;
  int64_t live = Buffer::stats().live;
  std::mutex mutex;
  std::vector<Buffer> exchange(64);
  std::atomic<int> wrong = 0;
  auto work = [&](unsigned seed) {
    for (int i = 0; i < kRounds; ++i) {
      seed = seed * 1664525 + 1013904223;
      int64_t bytes = 8 << (seed >> 28);  // up to 256 KiB
      Buffer b = Buffer::allocate(bytes);
      std::memset(b.data(), static_cast<int>(seed & 255), static_cast<size_t>(std::min<int64_t>(bytes, 256)));
      Buffer copy = b;
      {
        std::lock_guard lock(mutex);
        std::swap(exchange[(seed >> 8) % 64], copy);
      }
      if (copy) {  // of another thread, who may have dropped it
        auto* p = static_cast<unsigned char*>(copy.data());
        if (!std::all_of(p, p + std::min<int64_t>(copy.size(), 256), [&](unsigned char c) { return c == *p; })) ++wrong;
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < kThreads; ++t) threads.emplace_back(work, t);
  for (std::thread& t : threads) t.join();
  CHECK(wrong == 0);
  exchange.clear();
  CHECK(Buffer::stats().live == live);
}

TEST_CASE("buffer: dropped by a thread that ends") {
  // A thread-local of an earlier construction than the thread's cache is dropped after it.
  struct Late {
    Buffer buffer;
  };
  int64_t live = Buffer::stats().live;
  std::thread([] {
    thread_local Late late;
    late.buffer = Buffer::allocate(100);
    Buffer::allocate(200);
  }).join();
  CHECK(Buffer::stats().live == live);
}

static Buffer at_exit = Buffer::allocate(1000);
