#include "passes/trim.h"

#include "passes/dce.h"
#include "passes/rewrite.h"

namespace jot::passes {

using namespace ir;

namespace {

// The graph with these outputs and inputs only; nothing that stays needs another input.
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

Trimmed trim(const GraphData& g, Value v, std::span<const uint8_t> used) {
  AttrView attrs = g.attrs(v);
  Trimmed result;
  result.operands.assign(g.operands(v).size(), 0);
  result.operands[0] = 1;  // the index; operand i + 1 is input i of every branch
  for (size_t i = 0; i < attrs.num_regions(Key::branches); ++i) {
    const GraphData& region = attrs.region(Key::branches, i).data();
    const std::vector<uint8_t> all(region.inputs().size(), 1);
    result.branches.push_back(dce(with_only(region, used, all)));
    const GraphData& branch = result.branches.back().data();
    for (Value u = 0; u < branch.size(); ++u)  // inputs are the first nodes
      for (Value o : branch.operands(u))
        if (o < all.size()) result.operands[o + 1] = 1;
    for (Value o : branch.outputs())
      if (o < all.size()) result.operands[o + 1] = 1;
  }
  for (Graph& branch : result.branches) {
    const std::vector<uint8_t> all(branch.data().outputs().size(), 1);
    branch = with_only(branch.data(), all, std::span(result.operands).subspan(1));
  }
  return result;
}

Value emit_trimmed(Builder& b, const GraphData& g, Value v, const Trimmed& trimmed, std::span<const Value> operands) {
  std::vector<Value> needed;
  for (size_t i = 0; i < operands.size(); ++i)
    if (trimmed.operands[i]) needed.push_back(operands[i]);
  b.set_origin_of(g, v);
  return b.emit(g.op(v), needed, Attrs().add(trimmed.branches));
}

}  // namespace jot::passes
