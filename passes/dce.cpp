#include "passes/dce.h"

#include <algorithm>
#include <vector>

#include "passes/inline.h"

namespace jot::passes {

using namespace ir;

std::vector<uint8_t> live_nodes(const GraphData& g) {
  std::vector<uint8_t> live(g.size(), 0);
  for (Value v : g.inputs()) live[v] = 1;
  for (Value o : g.outputs()) live[o] = 1;
  for (Value v = g.size(); v-- > 0;)
    if (live[v])
      for (Value o : g.operands(v)) live[o] = 1;
  return live;
}

Graph dce(const Graph& graph) {
  const GraphData& g = graph.data();
  std::vector<uint8_t> live = live_nodes(g);
  if (std::ranges::find(live, 0) == live.end()) return graph;
  Builder b(g.name(), Builder::Sharing::off);
  b.reserve(g.size());
  std::vector<Value> params = params_like(b, g), map(g.size(), kNoValue), operands, outputs;
  for (size_t i = 0; i < params.size(); ++i) map[g.inputs()[i]] = params[i];
  for (Value v = 0; v < g.size(); ++v) {
    if (!live[v] || g.op(v) == Op::param_op) continue;
    operands.clear();
    for (Value o : g.operands(v)) operands.push_back(map[o]);
    map[v] = b.copy_node(g, v, operands);
  }
  for (Value o : g.outputs()) outputs.push_back(map[o]);
  return b.finish(outputs, g.writebacks());
}

}  // namespace jot::passes
