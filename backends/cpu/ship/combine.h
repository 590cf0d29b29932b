// The end of a reduction over a kernel's loop as a kernel: what Executable does in C++, to the bit.
#pragma once
#include "backends/cpu/program.h"

namespace jot::cpu {

// Over the elements of a share: arguments 1, the shares of all chunks, and 2, the result.
Kernel combine_kernel(const Partial& partial, int64_t chunks, int vector_bytes);

}  // namespace jot::cpu
