// Machine code of a kernel.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "backends/cpu/kernel/kernel_ir.h"
#include "backends/target.h"

namespace jot::cpu {

struct EmittedCode {
  std::vector<std::byte> bytes;  // position independent, constants included
  size_t entry = 0;              // offset of the function
  int64_t spill_bytes = 0;
  std::string log;
};

// Faults for tests of the tests: each must make some test fail.
enum class PlantedBug : uint8_t { none, lost_tail_mask, lost_mask_spill };

// For avx2 or avx512. The kernel has passed `verify`. With `log` the text of the assembly is kept.
EmittedCode emit(const Kernel& kernel, Target target, bool log, PlantedBug bug = PlantedBug::none);

}  // namespace jot::cpu
