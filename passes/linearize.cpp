#include "passes/linearize.h"

#include <algorithm>

#include "passes/inline.h"
#include "passes/regions.h"
#include "passes/rewrite.h"

namespace jot::passes {

using namespace ir;

Dual linearize_into(Builder& b, const GraphData& g, std::span<const Value> args, std::span<const Value> tangents,
                    Zeros zeros) {
  Rewriter primal(b, g);
  primal.take(args);
  std::vector<Value> tangent(g.size(), kNoValue), directions, outs;
  for (size_t i = 0; i < args.size(); ++i) tangent[g.inputs()[i]] = tangents[i];
  primal.for_each_op([&](Value v) {
    directions.clear();
    bool active = false;
    for (Value o : g.operands(v)) {
      directions.push_back(tangent[o]);
      active |= tangent[o] != kNoValue;
    }
    std::span<const Value> operands = primal.operands(v);
    primal.copy(v, operands);
    uint32_t results = g.results(v);
    if (!active || (results == 1 && !is_floating(g.dtype(v)))) return;
    const auto& rule = rules(g.op(v)).jvp;
    if (!rule)
      throw TransformError("[" + std::string(name_of(g.op(v))) + "] has no derivative: " + std::string(rule.why) +
                           at(g.location(v)));
    outs.clear();
    for (Value i = 0; i < results; ++i) outs.push_back(primal[v + i]);
    JvpContext c{b, g.op(v), g.attrs(v), operands, outs[0], directions, outs, region_passes(), zeros};
    if (rule.fn.one) {
      tangent[v] = rule.fn.one(c);
      return;
    }
    rule.fn.many(c, {&tangent[v], results});
    for (Value i = 0; i < results; ++i) {
      primal.set(v + i, outs[i]);
      if (!is_floating(g.dtype(v + i))) tangent[v + i] = kNoValue;
    }
  });
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
