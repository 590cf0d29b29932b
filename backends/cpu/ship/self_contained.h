// Programs of kernels alone, for one thread: what code that is shipped without the library is made of.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "backends/cpu/cluster/cluster.h"
#include "backends/cpu/lower/lower_loop.h"
#include "jot/ir.h"

namespace jot::cpu {

// A loop whose steps run in one kernel; its faults are of the step's nodes.
struct KernelLoop {
  ir::Graph step;
  LoweredLoop lowered;
};

struct SelfContained {
  ir::Graph graph;
  std::unique_ptr<Clustering> clustering;  // whose only routines are loops
  std::map<ir::Value, KernelLoop> loops;
};

// The graph in ops that kernels take, where there are such: both branches of a condition are computed and one is
// chosen, slices at starts that are data are gathered, cumulative functions are loops, products sums. Throws Error,
// "[api] ...", with a line for each op that needs more: a routine, a library, an engine for its steps, the host.
SelfContained self_contained(const ir::Graph& optimised, int vector_bytes, std::string_view api, bool origins);

}  // namespace jot::cpu
