#include "core/writebacks.h"

#include <vector>

#include "ir/builder.h"
#include "passes/inline.h"

namespace jot {

ir::Graph drop_writebacks(const ir::Graph& graph, std::span<const uint8_t> dropped) {
  const ir::GraphData& g = graph.data();
  bool any = false;
  for (uint32_t i : g.writebacks()) any |= dropped[i] != 0;
  if (!any) return graph;
  ir::Builder b(g.name());
  std::vector<ir::Value> values = passes::inline_graph(b, g, passes::params_like(b, g));
  std::vector<ir::Value> outputs(values.begin(), values.begin() + static_cast<int64_t>(g.num_results()));
  std::vector<uint32_t> kept;
  for (size_t i = 0; i < g.writebacks().size(); ++i) {
    if (dropped[g.writebacks()[i]]) continue;
    kept.push_back(g.writebacks()[i]);
    outputs.push_back(values[g.num_results() + i]);
  }
  return b.finish(outputs, kept);
}

ir::Graph drop_writebacks(const ir::Graph& graph) {
  return drop_writebacks(graph, std::vector<uint8_t>(graph.data().inputs().size(), 1));
}

}  // namespace jot
