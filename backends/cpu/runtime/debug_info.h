// Kernels as debuggers and profilers know them: JOT_GDB=1 tells gdb (its JIT interface), JOT_PERF=1 writes a jitdump
// for perf. Both have the kernel's name and, for each piece of code, the user's line.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/cpu/runtime/kernel_code.h"
#include "ir/env.h"
#include "ir/graph.h"

namespace jot::cpu {

inline bool debugging() { return env().perf || env().gdb; }

// A kernel that was compiled now, with origins that are nodes of g. The code is kept from now on: its place is known by
// name.
void tell_debuggers(const Kernel& kernel, const std::shared_ptr<const KernelCode>& code, const ir::GraphData& g);

}  // namespace jot::cpu
