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

bool gathers_near(const GraphData& g, Value v) {
  constexpr int64_t kMany = 4096, kNear = 256 << 10;
  const AttrView a = g.attrs(v);
  const Ints dims = a.ints(Key::index_map), sizes = a.ints(Key::sizes);
  if (dims.size() != 1 || a.mode() == IndexMode::wrap || g.shape(v).numel() < kMany) return false;
  if (!std::ranges::all_of(sizes, [](int64_t n) { return n == 1; })) return false;
  const Value x = g.operand(v, 0);
  const Shape& from = g.shape(x);
  return from.slice(static_cast<size_t>(dims[0]), from.size()).numel() * size_of(g.dtype(x)) <= kNear;
}

}  // namespace jot::cpu
