#include "passes/inline.h"

namespace jot::passes {

using namespace ir;

std::vector<Value> inline_graph(Builder& b, const GraphData& g, std::span<const Value> args) {
  std::vector<Value> map(g.size(), kNoValue), operands, outputs;
  b.reserve(g.size());
  for (size_t i = 0; i < args.size(); ++i) map[g.inputs()[i]] = args[i];
  for (Value v = 0; v < g.size(); ++v) {
    if (g.op(v) == Op::param_op) continue;
    operands.clear();
    for (Value o : g.operands(v)) operands.push_back(map[o]);
    map[v] = b.copy_node(g, v, operands);
  }
  for (Value o : g.outputs()) outputs.push_back(map[o]);
  return outputs;
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
