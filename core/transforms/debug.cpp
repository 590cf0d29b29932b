#include "jot/debug.h"

#include <vector>

#include "core/record/evaluate.h"
#include "core/record/splice.h"
#include "core/record/thread.h"
#include "ir/dependence.h"
#include "passes/drop_writebacks.h"
#include "passes/functionalize.h"
#include "passes/rewrite.h"
#include "passes/transforms.h"

namespace jot {

using namespace detail;

namespace {

// The argument of the transform's function that x is, as it was given.
Tensor given_argument(Trace& trace, const TensorImpl& x) {
  const Storage& s = *x.storage;
  const ir::GraphData& g = trace.builder().graph();
  bool laid_out = s.caller_strides && x.shape == s.type.shape && x.strides == *s.caller_strides;
  if ((x.parent && !laid_out) || s.version != ir::kNoValue || g.op(s.base) != ir::Op::param_op) return {};
  const Binding& b = trace.bindings()[static_cast<size_t>(g.attrs(s.base).integer(ir::Key::index))];
  return b.kind == Binding::Kind::argument ? trace.call().arguments[b.argument] : Tensor();
}

// What a trace has recorded for one value, as a pure graph of all its inputs.
ir::Graph graph_of(Trace& trace, ir::Value wanted) {
  ir::Builder b("main", ir::Builder::Sharing::off);
  const ir::GraphData& g = trace.builder().graph();
  passes::Rewriter rewriter(b, g);
  rewriter.take_params();
  rewriter.for_each_op([&](ir::Value v) { rewriter.copy(v); });
  return passes::drop_writebacks(passes::functionalize(b.finish({rewriter[wanted]})));
}

// The graph for all lanes of a vmap; what has none stays without.
ir::Graph for_all_lanes(const ir::Graph& graph, const Trace& trace) {
  const ir::GraphData& g = graph.data();
  bool different = trace.options().randomness == Randomness::different;
  std::vector<std::optional<int64_t>> in_dims;
  for (const Binding& b : trace.bindings())
    in_dims.push_back(b.kind == Binding::Kind::argument ? trace.call().in_dims[b.argument] : std::nullopt);
  std::vector<uint8_t> lanes(g.size(), 0);
  for (size_t i = 0; i < in_dims.size(); ++i) lanes[g.inputs()[i]] = in_dims[i].has_value();
  for (ir::Value v = 0; v < g.size(); ++v) {
    for (ir::Value o : g.operands(v)) lanes[v] |= lanes[o];
    lanes[v] |= different && ir::draws(g, v);
  }
  std::vector<std::optional<int64_t>> out_dims(1);
  if (lanes[g.outputs()[0]]) out_dims[0] = 0;
  return passes::vmap(graph, in_dims, out_dims, trace.options().lanes,
                      different ? Randomness::different : Randomness::same);
}

Tensor unwrap_once(const Tensor& x, Trace& trace, Location at) {
  if (trace.options().kind == TraceKind::jit)
    throw TraceError(
        "[debug_unwrap] jit, trace and compile record and compute nothing: there is no tensor under this one" +
        jot::at(at));
  if (trace.ended()) throw TraceError("[debug_unwrap] the tensor belongs to a transform that has ended" + jot::at(at));
  if (Tensor given = given_argument(trace, *x.impl()); given.defined()) return given;
  ir::Graph graph = graph_of(trace, trace.read(x));
  if (trace.options().kind == TraceKind::vmap) graph = for_all_lanes(graph, trace);
  EnterTrace enter(*trace.parent());
  return splice(graph, trace.bindings(), trace.call().arguments, {}, 0, at)[0];
}

}  // namespace

Tensor debug_unwrap(const Tensor& x, DebugUnwrapOptions options, Location at) {
  if (!x.defined()) throw TraceError("[debug_unwrap] the operand is an undefined Tensor" + jot::at(at));
  Tensor t = x;
  do {
    std::shared_ptr<Trace> trace = trace_of(*t.impl()->storage);
    if (!trace || trace->lazy()) break;
    t = unwrap_once(t, *trace, at);
  } while (options.recurse);
  if (options.recurse) t.eval(at);
  return t;
}

}  // namespace jot
