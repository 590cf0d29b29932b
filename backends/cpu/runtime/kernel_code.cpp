#include "backends/cpu/runtime/kernel_code.h"

#include <list>
#include <mutex>
#include <unordered_map>

#include "backends/cpu/emit/emit.h"
#include "backends/cpu/runtime/code_memory.h"
#include "ir/fork.h"
#include "passes/dump.h"

namespace jot::cpu {
namespace {

// Least recently used first out. Kernels are compared in full; the hash only finds candidates.
class Cache {
 public:
  std::shared_ptr<const KernelCode> find(uint64_t hash, const Kernel& kernel) {
    ForkSafeLock lock(mutex_);
    return locked_find(hash, kernel);
  }
  // What the cache holds afterwards: the code of another thread if that was first.
  std::shared_ptr<const KernelCode> insert(uint64_t hash, const Kernel& kernel,
                                           std::shared_ptr<const KernelCode> code) {
    ForkSafeLock lock(mutex_);
    if (auto other = locked_find(hash, kernel)) return other;
    entries_.push_front({hash, kernel, std::move(code)});
    bytes_ += cost(entries_.front());
    index_.emplace(hash, entries_.begin());
    while (entries_.size() > 1 && (entries_.size() > kEntries || bytes_ > kBytes)) evict();
    return entries_.front().code;
  }

 private:
  static constexpr size_t kEntries = 4096, kBytes = size_t{256} << 20;
  struct Entry {
    uint64_t hash;
    Kernel kernel;
    std::shared_ptr<const KernelCode> code;
  };
  static size_t cost(const Entry& e) {
    return e.kernel.instrs.size() * sizeof(KInstr) + e.kernel.lists.size() * sizeof(uint32_t) +
           static_cast<size_t>(e.code->code_bytes);
  }
  std::shared_ptr<const KernelCode> locked_find(uint64_t hash, const Kernel& kernel) {
    auto [first, last] = index_.equal_range(hash);
    for (auto it = first; it != last; ++it)
      if (it->second->kernel == kernel) {
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
    bytes_ -= cost(*oldest);
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

}  // namespace

std::shared_ptr<const KernelCode> compile(const Kernel& kernel, Target target) {
  const EmittedCode emitted = emit(kernel, target, false);
  auto code = std::make_shared<KernelCode>();
  std::shared_ptr<const std::byte> memory = make_executable(emitted.bytes);
  code->fn = reinterpret_cast<KernelCode::Fn>(reinterpret_cast<uintptr_t>(memory.get() + emitted.entry));
  code->code_bytes = static_cast<int64_t>(emitted.bytes.size());
  code->spill_bytes = emitted.spill_bytes;
  code->memory = std::move(memory);
  return code;
}

std::shared_ptr<const KernelCode> kernel_code(const Kernel& kernel, bool* compiled) {
  NoFork section;
  uint64_t hash = kernel.hash();
  std::shared_ptr<const KernelCode> code = cache().find(hash, kernel);
  if (compiled) *compiled = code == nullptr;
  if (code) return code;
  code = compile(kernel, target());
  code = cache().insert(hash, kernel, code);
  if (dumping()) {
    dump("kernel.txt", to_text(kernel));
    dump("kernel.s", disassembly(kernel));
  }
  return code;
}

std::string disassembly(const Kernel& kernel, Target target) { return emit(kernel, target, true).log; }

}  // namespace jot::cpu
