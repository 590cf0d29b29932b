// What a kernel hands over when it leaves for a cold path: the site, which lies behind the code, and all registers.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "backends/cpu/kernel/kernel_ir.h"

namespace jot::cpu {

// Where a cold path finds a vector, mask or scalar: a register, or the spill area.
struct Location {
  int32_t code;
  static Location reg(int r) { return {r}; }
  static Location slot(int32_t offset) { return {~offset}; }
};

// A fixup or a check.
struct ColdSite {
  int64_t error;  // of a check
  KFn fn;
  KType type;  // of the result of a fixup, of the reported value of a check
  bool check, tail, mask_registers;
  uint8_t lanes, mask_bytes, operands;  // mask_bytes: of one lane of a mask that is a vector
  union {
    Location result;
    Location step;  // of a check, if operands & 4: from the element of a lane to the next (a scalar)
  };
  Location mask, x, y;  // of a check: x is reported, y the element (a scalar) if operands & 2
  int32_t live;         // slot of the number of live lanes
};
static_assert(sizeof(ColdSite) == 40);

// As the code stores them.
struct alignas(64) SavedRegisters {
  std::array<std::byte, 64> vector[32];
  uint64_t gpr[16];
  uint64_t mask[8];
};

}  // namespace jot::cpu
