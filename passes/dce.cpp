#include "passes/dce.h"

#include <algorithm>
#include <vector>

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

Graph dce(const Graph& graph) {
  const GraphData& g = graph.data();
  std::vector<uint8_t> live = live_nodes(g);
  if (std::ranges::find(live, 0) == live.end() && g.regions().empty()) return graph;
  Builder b(g.name(), Builder::Sharing::off);
  b.reserve(g.size());
  Rewriter rewriter(b, g, dce);
  rewriter.take_params();
  rewriter.for_each_op([&](Value v) {
    if (live[v]) rewriter.copy(v);
  });
  return rewriter.finish();
}

}  // namespace jot::passes
