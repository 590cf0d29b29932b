#include "backends/cpu/cluster/code_room.h"

#include <algorithm>
#include <utility>

#include "backends/cpu/ops/cpu_ops.h"

namespace jot::cpu {

using namespace ir;

int64_t instructions_of(const GraphData& g, const Axes& axes, Value v) {
  constexpr int64_t kDear = 30;
  const Op op = g.op(v);
  const CpuOp& how = cpu_op(op);
  if (op == Op::result_op || (how.kernel == InKernel::moved && moves_one(op))) return 0;
  int64_t n = axes.elements(v);
  if (info(op).is(Trait::dear)) n *= kDear;
  if (is_reduction(op)) return std::max(n, axes.elements(g.operand(v, 0)));
  if (op == Op::dot_op) {
    const Ints contract = g.attrs(v).first(Key::contract);
    for (int64_t d : contract) n *= g.shape(g.operand(v, 0))[static_cast<size_t>(d)];
  }
  if (how.kernel == InKernel::matrix) n *= 2 * g.shape(g.operand(v, 0)).back();
  return n;
}

// The first level from there on that is not passed over.
uint32_t CodeRoom::open(uint32_t nest, uint32_t level) {
  uint32_t top = level;
  for (auto at = next_.find(key(nest, top)); at != next_.end(); at = next_.find(key(nest, top))) top = at->second;
  while (level != top) level = std::exchange(next_[key(nest, level)], top);
  return top;
}

uint32_t CodeRoom::take(uint32_t nest, uint32_t level, int64_t n) {
  for (level = open(nest, level);; level = open(nest, level + 1)) {
    int64_t& there = instructions_[key(nest, level)];
    if (there == 0 || there + n <= kMost) {
      there += n;
      return level;
    }
    if (2 * there >= kMost) next_[key(nest, level)] = level + 1;
  }
}

bool CodeRoom::move(uint32_t nest, uint32_t from, uint32_t to, int64_t n) {
  int64_t& there = instructions_[key(nest, to)];
  if (there + n > kMost) return false;
  there += n;
  instructions_[key(nest, from)] -= n;
  return true;
}

}  // namespace jot::cpu
