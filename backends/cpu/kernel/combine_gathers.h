#pragma once
#include <optional>
#include <vector>

#include "backends/cpu/kernel/kernel_ir.h"

namespace jot::cpu {

// Gathers of neighbouring elements by one index become rows: a `load_rows` whose c is a vector, lane l reading
// elements c[l] + j (only the emitter knows that form). Blocks of a row cost half of what hardware gathers do.
// Memory that the kernel stores to is left alone. Nothing if nothing combines.
// from: of each of its instructions, the one of `kernel` that it is, or the first that it does the work of.
std::optional<Kernel> combine_gathers(const Kernel& kernel, std::vector<uint32_t>& from);

}  // namespace jot::cpu
