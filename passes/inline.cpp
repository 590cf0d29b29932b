#include "passes/inline.h"

#include "passes/rewrite.h"

namespace jot::passes {

using namespace ir;

std::vector<Value> inline_graph(Builder& b, const GraphData& g, std::span<const Value> args) {
  if (auto outputs = b.followed_copy(g, args)) return {outputs->begin(), outputs->end()};
  Value begin = b.size();
  Rewriter rewriter(b, g);
  b.reserve(g.size());
  rewriter.take(args);
  rewriter.for_each_op([&](Value v) { rewriter.copy(v); });
  b.copied(g, args, begin, rewriter.outputs());
  return rewriter.outputs();
}

std::vector<Value> params_like(Builder& b, const GraphData& g) {
  std::vector<Value> params;
  for (size_t i = 0; i < g.inputs().size(); ++i) {
    b.set_origin_of(g, g.inputs()[i]);
    params.push_back(b.param(g.type(g.inputs()[i]), g.input_name(i)));
  }
  return params;
}

}  // namespace jot::passes
