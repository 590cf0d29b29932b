#include "passes/cse.h"

#include "passes/rewrite.h"

namespace jot::passes {

using namespace ir;

Graph cse(const Graph& graph) {
  const GraphData& g = graph.data();
  Builder b(g.name());  // shares equal nodes
  b.reserve(g.size());
  Rewriter rewriter(b, g, cse);
  rewriter.take_params();
  rewriter.for_each_op([&](Value v) { rewriter.copy(v); });
  return rewriter.finish();
}

}  // namespace jot::passes
