#include "backends/cpu/runtime/kernel_code.h"

#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "backends/cpu/emit/emit.h"
#include "backends/cpu/runtime/code_memory.h"
#include "ir/fork.h"
#include "passes/dump.h"

namespace jot::cpu {
namespace {

// Least recently used first out. Kernels are compared in full; the hash only finds candidates.
class Cache {
 public:
  // kernel: a pointer to it, as in locked_find.
  std::shared_ptr<const KernelCode> find(uint64_t hash, const auto& kernel) {
    ForkSafeLock lock(mutex_);
    return locked_find(hash, kernel);
  }
  // What the cache holds afterwards: the code of another thread if that was first.
  std::shared_ptr<const KernelCode> insert(uint64_t hash, const LazyKernel& kernel, size_t kernel_bytes,
                                           std::shared_ptr<const KernelCode> code) {
    ForkSafeLock lock(mutex_);
    if (auto other = locked_find(hash, kernel)) return other;
    const size_t bytes = kernel_bytes + static_cast<size_t>(code->code_bytes);
    entries_.push_front({hash, kernel, std::move(code), bytes});
    bytes_ += bytes;
    index_.emplace(hash, entries_.begin());
    while (entries_.size() > 1 && (entries_.size() > kEntries || bytes_ > kBytes)) evict();
    return entries_.front().code;
  }

 private:
  static constexpr size_t kEntries = 4096, kBytes = size_t{256} << 20;
  struct Entry {
    uint64_t hash;
    LazyKernel kernel;
    std::shared_ptr<const KernelCode> code;
    size_t bytes;
  };
  // Looks at kernels where there are two of that hash alone.
  std::shared_ptr<const KernelCode> locked_find(uint64_t hash, const auto& kernel) {
    auto [first, last] = index_.equal_range(hash);
    for (auto it = first; it != last; ++it)
      if (*it->second->kernel == *kernel) {
        entries_.splice(entries_.begin(), entries_, it->second);
        return it->second->code;
      }
    return nullptr;
  }
  void evict() {
    auto oldest = std::prev(entries_.end());
    auto [first, last] = index_.equal_range(oldest->hash);
    for (auto it = first; it != last; ++it)
      if (it->second == oldest) {
        index_.erase(it);
        break;
      }
    bytes_ -= oldest->bytes;
    entries_.pop_back();
  }
  std::mutex mutex_;
  std::list<Entry> entries_;
  std::unordered_multimap<uint64_t, std::list<Entry>::iterator> index_;
  size_t bytes_ = 0;
};

Cache& cache() {
  static auto* c = new Cache;
  return *c;
}

thread_local KernelLog* innermost_log = nullptr;

std::shared_ptr<const KernelCode> runnable(std::span<const std::byte> bytes, size_t entry, int64_t spill_bytes) {
  auto code = std::make_shared<KernelCode>();
  std::shared_ptr<const std::byte> memory = make_executable(bytes);
  code->fn = reinterpret_cast<KernelCode::Fn>(reinterpret_cast<uintptr_t>(memory.get() + entry));
  code->code_bytes = static_cast<int64_t>(bytes.size());
  code->spill_bytes = spill_bytes;
  code->memory = std::move(memory);
  return code;
}

}  // namespace

KernelLog::KernelLog() : outer_(std::exchange(innermost_log, this)) {}
KernelLog::~KernelLog() { innermost_log = outer_; }
void KernelLog::add(const Kernel& kernel, const std::shared_ptr<const KernelCode>& code) {
  entries_.push_back({LazyKernel(kernel), code});
}

std::shared_ptr<const KernelCode> compile(const Kernel& kernel, Target target) {
  const EmittedCode emitted = emit(kernel, target, false);
  return runnable(emitted.bytes, emitted.entry, emitted.spill_bytes);
}

std::shared_ptr<const KernelCode> keep_code(const LazyKernel& kernel, uint64_t hash, size_t kernel_bytes,
                                            std::span<const std::byte> code, size_t entry, int64_t spill_bytes) {
  NoFork section;
  if (std::shared_ptr<const KernelCode> found = cache().find(hash, kernel)) return found;
  return cache().insert(hash, kernel, kernel_bytes, runnable(code, entry, spill_bytes));
}

std::shared_ptr<const KernelCode> kernel_code(const Kernel& kernel, bool* compiled) {
  NoFork section;
  uint64_t hash = kernel.hash();
  std::shared_ptr<const KernelCode> code = cache().find(hash, &kernel);
  if (compiled) *compiled = code == nullptr;
  const bool made = code == nullptr;
  if (made) {
    const size_t bytes = kernel.instrs.size() * sizeof(KInstr) + kernel.lists.size() * sizeof(uint32_t);
    code = cache().insert(hash, LazyKernel(kernel), bytes, compile(kernel, target()));
  }
  if (innermost_log) innermost_log->add(kernel, code);
  if (made && dumping()) {
    dump_text("kernel.txt", to_text(kernel));
    dump_text("kernel.s", disassembly(kernel));
  }
  return code;
}

std::string disassembly(const Kernel& kernel, Target target) { return emit(kernel, target, true).log; }

}  // namespace jot::cpu
