#include "passes/trim.h"

#include <vector>

#include "passes/dce.h"
#include "passes/rewrite.h"

namespace jot::passes {

using namespace ir;

namespace {

Graph with_only(const GraphData& g, std::span<const uint8_t> outputs, std::span<const uint8_t> inputs) {
  Builder b(g.name(), Builder::Sharing::off);
  b.reserve(g.size());
  Rewriter rewriter(b, g);
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i]) rewriter.set(g.inputs()[i], b.param(g.type(g.inputs()[i]), g.input_name(i)));
  rewriter.for_each_op([&](Value v) { rewriter.copy(v); });
  std::vector<Value> all = rewriter.outputs(), kept;
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i]) kept.push_back(all[i]);
  return b.finish(kept);
}

}  // namespace

Graph part_of(const Graph& graph, std::span<const uint8_t> outputs, std::span<const uint8_t> inputs) {
  const std::vector<uint8_t> all_inputs(graph.data().inputs().size(), 1);
  Graph live = dce(with_only(graph.data(), outputs, all_inputs));
  const std::vector<uint8_t> all_outputs(live.data().outputs().size(), 1);
  return with_only(live.data(), all_outputs, inputs);
}

}  // namespace jot::passes
