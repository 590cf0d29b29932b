#include "passes/drop_writebacks.h"

#include <algorithm>
#include <vector>

#include "passes/rewrite.h"

namespace jot::passes {

using namespace ir;

Graph drop_writebacks(const Graph& graph, std::span<const uint8_t> dropped) {
  const GraphData& g = graph.data();
  if (std::ranges::none_of(g.writebacks(), [&](uint32_t i) { return dropped[i] != 0; })) return graph;
  Builder b(g.name());
  b.reserve(g.size());
  Rewriter rewriter(b, g);
  rewriter.take_params();
  rewriter.for_each_op([&](Value v) { rewriter.copy(v); });
  std::vector<Value> values = rewriter.outputs(), outputs(values.begin(), values.end() - std::ssize(g.writebacks()));
  std::vector<uint32_t> kept;
  for (size_t i = 0; i < g.writebacks().size(); ++i) {
    if (dropped[g.writebacks()[i]]) continue;
    kept.push_back(g.writebacks()[i]);
    outputs.push_back(values[g.num_results() + i]);
  }
  return b.finish(outputs, kept);
}

Graph drop_writebacks(const Graph& graph) {
  return drop_writebacks(graph, std::vector<uint8_t>(graph.data().inputs().size(), 1));
}

}  // namespace jot::passes
