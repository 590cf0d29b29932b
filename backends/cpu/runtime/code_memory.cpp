#include "backends/cpu/runtime/code_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "ir/fork.h"
#include "jot/error.h"

namespace jot::cpu {
namespace {

constexpr size_t kUnit = 64;
constexpr size_t kPage = 4096;
constexpr size_t kArena = size_t{1} << 20;

constexpr size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

[[noreturn]] void no_memory(size_t bytes) {
  throw Error("[compile] no executable memory for " + std::to_string(bytes) + " bytes of code: " +
              std::strerror(errno) + "; a policy of the system may forbid it, JOT_CPU=reference runs without");
}

// The pages of a large range at once: a third of what a fault for each costs. Systems before Linux 5.14 do not know
// how.
void populate(std::byte* begin, size_t bytes) {
#ifdef MADV_POPULATE_WRITE
  if (bytes < 16 * kPage) return;
  const size_t before = reinterpret_cast<uintptr_t>(begin) % kPage;
  madvise(begin - before, bytes + before, MADV_POPULATE_WRITE);
#endif
}

// One memory file, mapped twice.
class DualMapping {
 public:
  // Not mapped() where the system refuses.
  explicit DualMapping(size_t bytes) : bytes_(bytes) {
    int file = memfd_create("jot-code", MFD_CLOEXEC);
    if (file < 0) return;
    if (ftruncate(file, static_cast<off_t>(bytes)) == 0) {
      write_ = map(file, PROT_READ | PROT_WRITE);
      if (write_) run_ = map(file, PROT_READ | PROT_EXEC);
    }
    close(file);
  }
  DualMapping(const DualMapping&) = delete;
  DualMapping& operator=(const DualMapping&) = delete;
  ~DualMapping() {
    if (write_) munmap(write_, bytes_);
    if (run_) munmap(run_, bytes_);
  }
  bool mapped() const { return run_ != nullptr; }
  std::byte* writable() const { return write_; }
  void freeze() { munmap(std::exchange(write_, nullptr), bytes_); }
  const std::byte* executable() const { return run_; }
  size_t size() const { return bytes_; }

 private:
  std::byte* map(int file, int protection) const {
    void* p = mmap(nullptr, bytes_, protection, MAP_SHARED, file, 0);
    return p == MAP_FAILED ? nullptr : static_cast<std::byte*>(p);
  }
  size_t bytes_;
  std::byte* write_ = nullptr;
  std::byte* run_ = nullptr;
};

// A mapping and its free ranges, by offset; neighbours are merged. A frozen one only runs what it holds.
class Arena {
 public:
  explicit Arena(size_t bytes) : mapping_(bytes) { free_[0] = bytes; }
  bool mapped() const { return mapping_.mapped(); }
  bool frozen() const { return mapping_.writable() == nullptr; }
  void freeze() { mapping_.freeze(); }
  bool empty() const { return free_.size() == 1 && free_.begin()->second == mapping_.size(); }
  size_t size() const { return mapping_.size(); }

  // Null if no range is large enough. `bytes` is a multiple of kUnit.
  const std::byte* take(std::span<const std::byte> code, size_t bytes) {
    auto it = std::find_if(free_.begin(), free_.end(), [&](const auto& range) { return range.second >= bytes; });
    if (it == free_.end()) return nullptr;
    auto [at, room] = *it;
    free_.erase(it);
    if (room > bytes) free_[at + bytes] = room - bytes;
    populate(mapping_.writable() + at, code.size());
    std::memcpy(mapping_.writable() + at, code.data(), code.size());
    return mapping_.executable() + at;
  }

  void give_back(const std::byte* code, size_t bytes) {
    auto at = static_cast<size_t>(code - mapping_.executable());
    std::memset(mapping_.writable() + at, 0xcc, bytes);  // int3
    auto it = free_.emplace(at, bytes).first;
    if (auto next = std::next(it); next != free_.end() && at + bytes == next->first) {
      it->second += next->second;
      free_.erase(next);
    }
    if (it == free_.begin()) return;
    auto before = std::prev(it);
    if (before->first + before->second != at) return;
    before->second += it->second;
    free_.erase(it);
  }

 private:
  DualMapping mapping_;
  std::map<size_t, size_t> free_;
};

struct Pool {
  std::mutex mutex;
  std::vector<std::shared_ptr<Arena>> arenas;
  size_t live = 0;
};
// Never destroyed: code may be dropped by destructors of other static objects.
Pool& pool() {
  NoFork section;
  static Pool& instance = *new Pool;
  return instance;
}

// Memory files are shared with forked children, which run the code in them too: from then on nobody writes there.
void freeze_all() noexcept {
  ForkSafeLock lock(pool().mutex);
  for (const auto& arena : pool().arenas) arena->freeze();
  pool().arenas.clear();
}
const ForkHandlers at_fork(freeze_all, nullptr);

struct GiveBack {
  std::shared_ptr<Arena> arena;
  size_t bytes;
  void operator()(const std::byte* code) const {
    ForkSafeLock lock(pool().mutex);
    pool().live -= bytes;
    if (arena->frozen()) return;
    arena->give_back(code, bytes);
    // One empty arena is kept for the next kernel.
    auto empty = [](const auto& a) { return a->empty(); };
    auto& arenas = pool().arenas;
    if (arena->empty() && (arena->size() > kArena || std::count_if(arenas.begin(), arenas.end(), empty) > 1))
      std::erase(arenas, arena);
  }
};

}  // namespace

std::shared_ptr<const std::byte> make_executable(std::span<const std::byte> code) {
  const size_t bytes = round_up(std::max(code.size(), size_t{1}), kUnit);
  NoFork section;
  std::unique_lock lock(pool().mutex);
  auto& arenas = pool().arenas;
  std::shared_ptr<Arena> arena;
  const std::byte* at = nullptr;
  for (auto it = arenas.rbegin(); it != arenas.rend() && !at; ++it)
    if ((at = (*it)->take(code, bytes))) arena = *it;
  if (!at) {
    arena = std::make_shared<Arena>(std::max(kArena, round_up(bytes, kPage)));
    if (!arena->mapped()) {
      lock.unlock();
      return make_executable_alone(code);
    }
    arenas.push_back(arena);
    at = arena->take(code, bytes);
  }
  pool().live += bytes;
  lock.unlock();  // if there is no memory for the handle, its deleter runs, which locks
  return std::shared_ptr<const std::byte>(at, GiveBack{arena, bytes});
}

std::shared_ptr<const std::byte> make_executable_alone(std::span<const std::byte> code) {
  const size_t bytes = round_up(std::max(code.size(), size_t{1}), kPage);
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) no_memory(bytes);
  std::shared_ptr<const std::byte> memory(static_cast<const std::byte*>(p),
                                          [p, bytes](const std::byte*) { munmap(p, bytes); });
  std::memcpy(p, code.data(), code.size());
  if (mprotect(p, bytes, PROT_READ | PROT_EXEC) != 0) no_memory(bytes);
  return memory;
}

size_t shared_code_bytes() {
  ForkSafeLock lock(pool().mutex);
  return pool().live;
}

}  // namespace jot::cpu
