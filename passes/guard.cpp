#include "passes/guard.h"

#include <algorithm>
#include <vector>

#include "ir/rules.h"
#include "passes/inline.h"
#include "passes/rewrite.h"

namespace jot::passes {

using namespace ir;

namespace {

Type truth() { return {DType::boolean, false, {}}; }

// Whether data of the op may be at fault, or of what its regions do; or whether they may never end.
bool may_fail(const GraphData& g, Value v) {
  if (g.op(v) == Op::while_op || fault_kinds(g, v) > 0) return true;
  return has_regions(g.op(v)) && std::ranges::any_of(g.attrs(v).region_words(), [&](size_t at) {
           const GraphData& region = g.regions()[static_cast<size_t>(g.words(v)[at])].data();
           for (Value u = 0; u < region.size(); ++u)
             if (may_fail(region, u)) return true;
           return false;
         });
}

// A condition that does not hold while its first parameter is false.
Graph stopped(const Graph& condition) {
  const GraphData& g = condition.data();
  Builder b(g.name());
  std::vector<Value> args = params_like(b, g);
  Value holds = inline_graph(b, g, args)[0];
  return b.finish({b.emit(Op::and_op, {args[0], holds})});
}

// The op with `live` before what all its regions see first.
Value with_guarded_regions(Builder& b, const GraphData& g, Value v, std::span<const Value> operands, Value live) {
  AttrView attrs = g.attrs(v);
  std::vector<int64_t> words(attrs.words().begin(), attrs.words().end());
  std::vector<Graph> table;
  for (size_t at : attrs.region_words()) {
    Graph region = guard(g.regions()[static_cast<size_t>(words[at])], 0);
    bool condition = attrs.has(Key::condition) && at == attrs.place(Key::condition);
    words[at] = static_cast<int64_t>(table.size());
    table.push_back(condition ? stopped(region) : region);
  }
  if (attrs.has(Key::consts)) ++words[attrs.place(Key::consts)];
  std::vector<Value> all(operands.begin(), operands.end());
  all.insert(all.begin() + attrs.has(Key::branches), live);  // the index of a choice is no operand of its regions
  b.set_origin_of(g, v);
  return b.emit(g.op(v), all, AttrView(g.op(v), words, table));
}

}  // namespace

Graph guard(const Graph& graph, size_t position) {
  const GraphData& g = graph.data();
  Builder b(g.name());
  Rewriter rewriter(b, g);
  Value live = kNoValue;
  std::vector<Value> args;
  for (size_t i = 0; i <= g.inputs().size(); ++i) {
    if (i == position) live = b.param(truth());
    if (i < g.inputs().size()) args.push_back(b.param(g.type(g.inputs()[i]), g.input_name(i)));
  }
  rewriter.take(args);
  rewriter.for_each_op([&](Value v) {
    if (!may_fail(g, v)) return rewriter.copy(v);
    std::vector<Value> operands(rewriter.operands(v).begin(), rewriter.operands(v).end());
    b.set_origin_of(g, v);
    if (has_regions(g.op(v))) {
      Value first = with_guarded_regions(b, g, v, operands, live);
      for (Value i = 0; i < g.results(v); ++i) rewriter.set(v + i, first + i);
      return;
    }
    rules(g.op(v)).faults.guard({b, g.attrs(v), operands, live});
    rewriter.copy(v, operands);
  });
  return rewriter.finish();
}

}  // namespace jot::passes
