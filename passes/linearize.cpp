#include "passes/linearize.h"

#include <algorithm>

#include "passes/inline.h"

namespace jot::passes {

using namespace ir;

Dual linearize_into(Builder& b, const GraphData& g, std::span<const Value> args, std::span<const Value> tangents,
                    Zeros zeros) {
  std::vector<Value> primal(g.size(), kNoValue), tangent(g.size(), kNoValue), operands, directions;
  for (size_t i = 0; i < args.size(); ++i) {
    primal[g.inputs()[i]] = args[i];
    tangent[g.inputs()[i]] = tangents[i];
  }
  for (Value v = 0; v < g.size(); ++v) {
    if (g.op(v) == Op::param_op) continue;
    operands.clear();
    directions.clear();
    bool active = false;
    for (Value o : g.operands(v)) {
      operands.push_back(primal[o]);
      directions.push_back(tangent[o]);
      active |= tangent[o] != kNoValue;
    }
    primal[v] = b.copy_node(g, v, operands);
    if (!active || !is_floating(g.dtype(v))) continue;
    const auto& rule = rules(g.op(v)).jvp;
    if (!rule)
      throw TransformError("[" + std::string(name_of(g.op(v))) + "] has no derivative: " + std::string(rule.why) +
                           at(g.location(v)));
    tangent[v] = rule.fn({b, g.op(v), g.attrs(v), operands, primal[v], directions, zeros});
  }
  Dual dual;
  for (Value o : g.outputs()) {
    dual.values.push_back(primal[o]);
    dual.tangents.push_back(tangent[o]);
  }
  return dual;
}

Linearized linearize(const Graph& graph, std::span<const uint8_t> active, Zeros zeros) {
  const GraphData& g = graph.data();
  Builder b(g.name());
  b.reserve(3 * static_cast<size_t>(g.size()));
  std::vector<Value> args = params_like(b, g), tangents(args.size(), kNoValue);
  for (size_t i = 0; i < args.size(); ++i)
    if (active[i]) tangents[i] = b.param(g.type(g.inputs()[i]), g.input_name(i).empty() ? "" : g.input_name(i) + "_t");
  Dual dual = linearize_into(b, g, args, tangents, zeros);
  Linearized result{{}, args.size(), dual.values.size(), {}};
  std::vector<Value> outputs = dual.values;
  for (Value t : dual.tangents) {
    result.zero_tangent.push_back(t == kNoValue);
    if (t != kNoValue) outputs.push_back(t);
  }
  result.graph = b.finish(outputs);
  return result;
}

}  // namespace jot::passes
