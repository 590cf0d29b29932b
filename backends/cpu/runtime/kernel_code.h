// Kernels as machine code: compiled once, shared by whoever needs an equal kernel.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/cpu/kernel/packed_kernel.h"
#include "backends/target.h"

namespace jot::cpu {

struct KernelCode {
  // `spill`: spill_bytes of scratch memory, aligned to 64 bytes, for this call alone; its contents do not matter.
  using Fn = void (*)(const int64_t* args, int64_t begin, int64_t end, std::byte* spill);
  Fn fn = nullptr;
  int64_t code_bytes = 0;              // constants included
  int64_t spill_bytes = 0;             // grows with the program: may be megabytes
  std::shared_ptr<const void> memory;  // the code, freed with its last user
};

// The code of a kernel for target(), from a bounded cache keyed by the whole kernel, else compiled. *compiled says
// which. Thread safe. The kernel must have passed `verify`.
std::shared_ptr<const KernelCode> kernel_code(const Kernel& kernel, bool* compiled = nullptr);

// Code that was made of the kernel, whose hash that is, before, by these sources for target(), into the cache: what it
// then holds. The function begins at `entry`.
std::shared_ptr<const KernelCode> keep_code(const LazyKernel& kernel, uint64_t hash, size_t kernel_bytes,
                                            std::span<const std::byte> code, size_t entry, int64_t spill_bytes);

// While one lives, it has all kernels that this thread asked for; the innermost alone.
class KernelLog {
 public:
  struct Entry {
    LazyKernel kernel;
    std::shared_ptr<const KernelCode> code;
  };
  KernelLog();
  ~KernelLog();
  KernelLog(const KernelLog&) = delete;
  KernelLog& operator=(const KernelLog&) = delete;
  void add(const Kernel& kernel, const std::shared_ptr<const KernelCode>& code);
  std::span<const Entry> entries() const { return entries_; }

 private:
  KernelLog* outer_;
  std::vector<Entry> entries_;
};

// Compiles, for avx2 or avx512, whatever the cache holds.
std::shared_ptr<const KernelCode> compile(const Kernel& kernel, Target target);

// Assembly: emitted again, with a logger.
std::string disassembly(const Kernel& kernel, Target target);
inline std::string disassembly(const Kernel& kernel) { return disassembly(kernel, target()); }

}  // namespace jot::cpu
