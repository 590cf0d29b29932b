// Machine code of a kernel.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backends/cpu/kernel/kernel_ir.h"
#include "backends/target.h"

namespace jot::cpu {

// The code from `offset` on is of an instruction; kNone: of none. what: its op, or which part it is.
struct CodeMark {
  uint32_t offset, instruction;
  std::string_view what;
};

struct EmittedCode {
  std::vector<std::byte> bytes;  // position independent, constants included
  size_t entry = 0;              // offset of the function
  int64_t spill_bytes = 0;
  std::string log;              // lines of assembly, behind "; %i op" those of instruction i of the kernel
  std::vector<CodeMark> marks;  // ascending
};

// Faults for tests of the tests: each must make some test fail.
enum class PlantedBug : uint8_t { none, lost_tail_mask, lost_mask_spill };

// For avx2 or avx512. The kernel has passed `verify`. With `log` the text of the assembly is kept, and the marks.
EmittedCode emit(const Kernel& kernel, Target target, bool log, PlantedBug bug = PlantedBug::none);

}  // namespace jot::cpu
