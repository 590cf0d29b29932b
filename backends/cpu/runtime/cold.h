// The kernels behind fixups, as machine code.
#pragma once
#include "backends/cpu/runtime/kernel_code.h"

namespace jot::cpu {

// Lanes of rare_kernel for a target: it computes in f64.
constexpr int rare_lanes(Target t) { return t == Target::avx512 ? 8 : 4; }
// What none of them spills more than.
inline constexpr int64_t kRareSpillBytes = 4096;

}  // namespace jot::cpu
