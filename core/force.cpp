#include "core/force.h"

#include <algorithm>

#include "core/recorder.h"

namespace jot::detail {

using ir::Op;
using ir::Value;

namespace {

[[noreturn]] void refuse(std::string_view what, const std::string& why, Location at) {
  throw TraceError("[" + std::string(what) + "] " + why + jot::at(at));
}

// The part of a trace's graph that computes `targets`, cut at values that are known already.
struct Slice {
  ir::Graph graph;
  std::vector<Value> known;  // values of the trace that are inputs after the trace's own
  bool has_lanes = false;    // depends on a mapped argument
};

std::vector<uint8_t> needed_nodes(const ir::GraphData& g, std::span<const Value> targets, const Trace& trace) {
  std::vector<uint8_t> needed(g.size(), 0);
  for (Value v : targets) needed[v] = 1;
  // A write changes what later reads of its storage see: with effects the whole prefix is needed.
  if (!g.pure()) std::ranges::fill(needed, 1);
  for (Value v = g.size(); v-- > 0;) {
    if (!needed[v] || (g.pure() && trace.forced.contains(v))) continue;
    for (Value o : g.operands(v)) needed[o] = 1;
  }
  return needed;
}

Slice slice(Trace& trace, std::span<const Value> targets) {
  const ir::GraphData& g = trace.builder().graph();
  std::vector<uint8_t> needed = needed_nodes(g, targets, trace);
  Slice result;
  ir::Builder b("main", ir::Builder::Sharing::off);
  std::vector<Value> map(g.size(), ir::kNoValue), operands, outputs;
  for (size_t i = 0; i < g.inputs().size(); ++i) {
    Value v = g.inputs()[i];
    map[v] = b.param(g.type(v));
    const Binding& binding = trace.bindings()[i];
    if (needed[v] && binding.kind == Binding::Kind::argument && binding.argument < trace.mapped.size())
      result.has_lanes |= trace.mapped[binding.argument] != 0;
  }
  for (Value v = 0; v < g.size(); ++v) {
    if (!needed[v] || g.op(v) == Op::param_op) continue;
    if (g.pure() && trace.forced.contains(v)) {
      map[v] = b.param(g.type(v));
      result.known.push_back(v);
      continue;
    }
    operands.clear();
    for (Value o : g.operands(v)) operands.push_back(map[o]);
    map[v] = b.copy_node(g, v, operands);
  }
  for (Value v : targets) outputs.push_back(map[v]);
  result.graph = b.finish(outputs);
  return result;
}

Value contents(Trace& trace, const Storage& s) {
  return s.version == ir::kNoValue ? s.base : trace.builder().emit(Op::read_op, {s.base, s.version});
}

std::string lanes_text(std::string_view what) {
  return "vmap: It looks like you're calling ." + std::string(what) +
         "() on a Tensor, or using it in data-dependent control flow. We don't support vmap over that: each lane may "
         "have "
         "another value; please try to rewrite what you're doing with where or cond";
}

void check_readable(const Trace& trace, std::string_view what, Location at) {
  if (trace.finished)
    refuse(
        what,
        "the tensor belongs to a transform that has ended: your tensor may have escaped from inside a function being "
        "transformed; return it from the function instead",
        at);
  for (const Trace* t = &trace; t; t = t->parent())
    if (t->options().kind == TraceKind::jit)
      refuse(
          what,
          "a symbolic tensor has no value while jit, trace or compile records; use where or cond, or pass the value as "
          "an ordinary argument",
          at);
}

}  // namespace

Buffer force(const Tensor& t, std::string_view what, Location at) {
  std::shared_ptr<Trace> trace = trace_of(*t.impl()->storage);
  check_readable(*trace, what, at);
  Value wanted = trace->read(t);
  if (auto known = trace->forced.find(wanted); known != trace->forced.end()) return read(known->second, what, at);

  std::vector<Value> targets = {wanted};
  bool lanes = trace->options().kind == TraceKind::vmap;
  if (!lanes)
    for (Storage* s : trace->live)
      if (Value v = contents(*trace, *s); v != wanted && !trace->forced.contains(v)) targets.push_back(v);
  Slice part = slice(*trace, targets);
  if (part.has_lanes) refuse(what, lanes_text(what), at);
  std::vector<Tensor> known;
  for (Value v : part.known) known.push_back(trace->forced.at(v));

  EnterTrace enter(*trace->parent());
  // The trace's arguments stand for `arguments`, kept when recording began.
  std::vector<Tensor> results = splice(part.graph, trace->bindings(), trace->arguments, known, 0, at);
  for (size_t i = 0; i < targets.size(); ++i) trace->forced.insert_or_assign(targets[i], results[i]);
  return read(results[0], what, at);
}

}  // namespace jot::detail
