#include "passes/dce.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "passes/regions.h"
#include "passes/rewrite.h"

namespace jot::passes {

using namespace ir;

std::vector<uint8_t> live_nodes(const GraphData& g) {
  std::vector<uint8_t> live(g.size(), 0);
  for (Value v : g.inputs()) live[v] = 1;
  for (Value o : g.outputs()) live[o] = 1;
  for (Value v = g.size(); v-- > 0;)
    if (live[v])
      for (Value o : g.operands(v)) live[o] = 1;
  for (Value v = 0; v < g.size(); ++v)  // an op has all its results, or none
    if (g.op(v) == Op::result_op) live[v] = live[g.operand(v, 0)];
  return live;
}

namespace {

// What outputs need; of an op with regions only the results that are used and the operands that these need.
struct Liveness {
  std::vector<uint8_t> used;                   // one a node; of an op some of its results
  std::unordered_map<Value, Trimmed> trimmed;  // ops with regions that are needed
};

Liveness liveness(const GraphData& g) {
  Liveness l{std::vector<uint8_t>(g.size(), 0), {}};
  for (Value o : g.outputs()) l.used[o] = 1;
  for (Value v = g.size(); v-- > 0;) {
    if (g.op(v) == Op::result_op || g.op(v) == Op::param_op) continue;
    std::span<const uint8_t> used(&l.used[v], g.results(v));
    if (std::ranges::find(used, 1) == used.end()) continue;
    const Trimmed* left = nullptr;
    if (TrimRule trim = has_regions(g.op(v)) ? rules(g.op(v)).trim : nullptr)
      left = &l.trimmed.emplace(v, trim({g.attrs(v), g.operands(v).size(), used, region_passes()})).first->second;
    for (size_t i = 0; i < g.operands(v).size(); ++i)
      if (!left || left->operands[i]) l.used[g.operand(v, i)] = 1;
  }
  return l;
}

}  // namespace

Graph dce(const Graph& graph) {
  const GraphData& g = graph.data();
  if (g.regions().empty()) {
    std::vector<uint8_t> live = live_nodes(g);
    if (std::ranges::find(live, 0) == live.end()) return graph;
  }
  Liveness l = liveness(g);
  Builder b(g.name(), Builder::Sharing::off);
  b.reserve(g.size());
  Rewriter rewriter(b, g, dce);
  rewriter.take_params();
  rewriter.for_each_op([&](Value v) {
    std::span<const uint8_t> used(&l.used[v], g.results(v));
    if (std::ranges::find(used, 1) == used.end()) return;
    auto left = l.trimmed.find(v);
    if (left == l.trimmed.end()) return rewriter.copy(v);
    std::span<const Value> operands = rewriter.operands(v);
    std::vector<Value> needed;
    for (size_t i = 0; i < operands.size(); ++i)
      if (left->second.operands[i]) needed.push_back(operands[i]);
    b.set_origin_of(g, v);
    Value next = b.emit(g.op(v), needed, left->second.attrs);
    for (Value i = 0; i < used.size(); ++i)
      if (left->second.results[i]) rewriter.set(v + i, next++);
  });
  return rewriter.finish();
}

}  // namespace jot::passes
