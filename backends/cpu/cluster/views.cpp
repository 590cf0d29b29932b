// What movements leave where it is.
#include <algorithm>

#include "backends/cpu/cluster/cluster.h"

namespace jot::cpu {

using namespace ir;

bool is_movement_of_one(Op op) {
  switch (op) {
    case Op::broadcast_op:
    case Op::permute_op:
    case Op::slice_op:
    case Op::rev_op:
    case Op::reshape_op:
    case Op::copy_op:
    case Op::stop_gradient_op:
      return true;
    default:
      return false;
  }
}

bool reads_strided(Op op, size_t i) { return i == 0 && (op == Op::gather_op || op == Op::dynamic_slice_op); }

bool splits_axes(const GraphData& g, Value v) {
  return g.op(v) == Op::reshape_op &&
         std::ranges::all_of(reshape_groups(g.shape(g.operand(v, 0)), g.shape(v)),
                             [](const ReshapeGroup& group) { return group.from_end - group.from_begin == 1; });
}

bool is_alias(const GraphData& g, Value v) {
  switch (g.op(v)) {
    case Op::reshape_op:
    case Op::copy_op:
    case Op::stop_gradient_op:
      return true;
    case Op::broadcast_op:
    case Op::permute_op:
    case Op::slice_op:
    case Op::rev_op:
      return g.shape(v).numel() == g.shape(g.operand(v, 0)).numel() && g.shape(v).numel() <= 1;
    default:
      return false;
  }
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
