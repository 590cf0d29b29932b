#include "backends/cpu/cluster/widen.h"

#include <algorithm>
#include <vector>

#include "ir/build.h"
#include "passes/rewrite.h"

namespace jot::cpu {

using namespace ir;

namespace {

// Equal conversions are shared by the builder.
Value computed(Builder& b, const GraphData& g, Value v, std::span<const Value> operands) {
  const DType dtype = computing_type(g.dtype(v));
  if (g.op(v) == Op::iota_op) return build::iota(b, dtype, g.shape(v), g.attrs(v).integer(Key::dim));
  if (g.op(v) == Op::identity_op) return build::identity(b, dtype, g.attrs(v).shape());
  std::vector<Value> wide;
  for (Value o : operands) wide.push_back(build::convert(b, o, computing_type(b.dtype(o))));
  return b.emit(g.op(v), wide, g.attrs(v));
}

}  // namespace

Graph widen(const Graph& graph) {
  const GraphData& g = graph.data();
  auto stores = [&](Value v) { return is_storage(g.dtype(v)); };
  bool any = false;
  for (Value v = 0; v < g.size(); ++v) any |= stores(v);
  if (!any) return graph;
  Builder b(g.name());
  b.reserve(2 * g.size());
  passes::Rewriter map(b, g);
  map.take_params();
  map.for_each_op([&](Value v) {
    bool narrow = std::ranges::any_of(g.operands(v), stores);
    for (Value r = v; r < v + g.results(v); ++r) narrow |= stores(r);
    if (!narrow || !computes(g.op(v)) || g.op(v) == Op::convert_op) return map.copy(v);
    b.set_origin_of(g, v);
    const Value first = computed(b, g, v, map.operands(v));
    for (Value i = 0; i < g.results(v); ++i) map.set(v + i, build::convert(b, first + i, g.dtype(v + i)));
  });
  return map.finish();
}

}  // namespace jot::cpu
