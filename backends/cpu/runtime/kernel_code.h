// Kernels as machine code: compiled once, shared by whoever needs an equal kernel.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "backends/cpu/kernel/kernel_ir.h"
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

// Compiles, for avx2 or avx512, whatever the cache holds.
std::shared_ptr<const KernelCode> compile(const Kernel& kernel, Target target);

// Assembly: emitted again, with a logger.
std::string disassembly(const Kernel& kernel, Target target);
inline std::string disassembly(const Kernel& kernel) { return disassembly(kernel, target()); }

}  // namespace jot::cpu
