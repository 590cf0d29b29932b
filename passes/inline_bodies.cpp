#include "passes/inline_bodies.h"

#include <algorithm>

#include "passes/inline.h"
#include "passes/regions.h"
#include "passes/rewrite.h"

namespace jot::passes {

using namespace ir;

Graph inline_bodies(const Graph& graph) {
  const GraphData& g = graph.data();
  bool any = false;
  for (Value v = 0; v < g.size() && !any; ++v) any = has_regions(g.op(v));
  if (!any) return graph;
  Builder b(g.name(), Builder::Sharing::off);
  Rewriter rewriter(b, g, inline_bodies);
  rewriter.take_params();
  rewriter.for_each_op([&](Value v) {
    BodyRule body = has_regions(g.op(v)) ? rules(g.op(v)).body : nullptr;
    if (!body) return rewriter.copy(v);
    std::span<const Value> operands = rewriter.operands(v);
    std::vector<Value> results = inline_graph(b, inline_bodies(body(g.attrs(v), region_passes())).data(), operands);
    for (Value i = 0; i < results.size(); ++i) rewriter.set(v + i, results[i]);
  });
  return rewriter.finish();
}

}  // namespace jot::passes
