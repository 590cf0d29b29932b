// What movements leave where it is.
#include <algorithm>

#include "backends/cpu/cluster/cluster.h"
#include "backends/cpu/ops/cpu_ops.h"

namespace jot::cpu {

using namespace ir;

bool reads_strided(Op op, size_t i) { return i == 0 && cpu_op(op).strided; }

bool is_strided(const GraphData& g, Value v) {
  auto one_source = [](const ReshapeGroup& group) { return group.from_end - group.from_begin == 1; };
  return moves(g.op(v)) != Moves::regroup ||
         std::ranges::all_of(reshape_groups(g.shape(g.operand(v, 0)), g.shape(v)), one_source);
}

bool is_alias(const GraphData& g, Value v) {
  Moves how = moves(g.op(v));
  return how == Moves::regroup ||
         (how == Moves::view && g.shape(v).numel() <= 1 && g.shape(v).numel() == g.shape(g.operand(v, 0)).numel());
}

Value Clustering::storage(Value v) const {
  while (role[v] == Role::view && is_alias(g, v)) v = g.operand(v, 0);
  return v;
}

Value Clustering::root(Value v) const {
  while (role[v] == Role::view) v = g.operand(v, 0);
  return v;
}

}  // namespace jot::cpu
