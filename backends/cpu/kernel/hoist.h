#pragma once
#include "backends/cpu/kernel/kernel_ir.h"

namespace jot::cpu {

// Moves out of loops what is the same in each turn: arithmetic and loads of memory that the kernel does not write, but
// not gathers, whose indices may be wrong where the loop has no turn. Not out of loops of lanes. O(instructions).
// Without `loads`, where results may lie in the memory of operands, arithmetic alone.
Kernel hoist(const Kernel& kernel, bool loads = true);

}  // namespace jot::cpu
