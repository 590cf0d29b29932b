// Which steps run slice by slice: products of stacks of matrices with the kernels between them. Attention and its
// derivatives are such, and recurrent steps of many lanes: what one product makes is in a cache when the next reads it.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "backends/cpu/cluster/cluster.h"
#include "backends/cpu/lower/lower.h"
#include "backends/cpu/program.h"

namespace jot::cpu {

// What is known of a step before values have places.
struct PlannedStep {
  const Step* step;
  std::span<const KernelArg> args;  // of a kernel
  bool whole = false;               // it writes what may lie in memory of another step's, or is no unit
};

// The groups, without places; their parts are those of `values`.
struct GroupedSteps {
  Group group;
  std::vector<ir::Value> values;  // whose memory the parts are
};

// `only_within(v, first, last)`: no other step and no output needs the memory of v.
std::vector<GroupedSteps> find_groups(const Clustering& c, std::span<const PlannedStep> steps,
                                      const std::function<bool(ir::Value, uint32_t, uint32_t)>& only_within);

}  // namespace jot::cpu
