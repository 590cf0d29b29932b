#include "core/record/splice.h"

#include <algorithm>

#include "core/record/emitter.h"
#include "core/record/evaluate.h"
#include "core/record/thread.h"
#include "passes/inline.h"

namespace jot::detail {

using ir::Value;

namespace {

// A recording may have been made by another thread.
const Tensor& captured(const Binding& b) { return b.capture.impl()->storage->orders_calls ? call_order() : b.capture; }

Value bound_value(Trace& t, const Binding& b, std::span<const Tensor> args) {
  switch (b.kind) {
    case Binding::Kind::argument:
      return t.read(args[b.argument]);
    case Binding::Kind::capture:
      return t.read(captured(b));
    case Binding::Kind::literal:
      return t.literal(b.number, b.dtype);
    case Binding::Kind::rng_key:
      return t.draws().key();
    case Binding::Kind::rng_offset:
      return t.draws().offset();
  }
  return ir::kNoValue;
}

// Whether it calls the host for what that does.
bool writes_call_order(const ir::GraphData& g, std::span<const Binding> bindings) {
  return std::ranges::any_of(g.writebacks(), [&](uint32_t w) {
    return bindings[w].kind == Binding::Kind::capture && bindings[w].capture.impl()->storage->orders_calls;
  });
}

std::vector<Tensor> record_splice(const ir::Graph& graph, std::span<const Binding> bindings,
                                  std::span<const Tensor> args, std::span<const Tensor> extra, int64_t random_draws,
                                  Location at) {
  std::vector<Tensor> read(args.begin(), args.end());
  read.insert(read.end(), extra.begin(), extra.end());
  for (const Binding& b : bindings)
    if (b.kind == Binding::Kind::capture) read.push_back(captured(b));
  Emitter e("copy_", at, read);
  Trace& t = e.trace;
  const ir::GraphData& g = graph.data();
  std::vector<Value> inputs;
  inputs.reserve(bindings.size() + extra.size());
  for (const Binding& b : bindings) inputs.push_back(bound_value(t, b, args));
  for (const Tensor& x : extra) inputs.push_back(t.read(x));
  t.draws().drew(random_draws);
  std::vector<Value> outputs = passes::inline_graph(e.b, g, inputs);
  const ThreadState& s = thread_state();
  e.b.set_origin(s.scope_location.line ? s.scope_location : at, s.scope);

  std::vector<Tensor> results;
  results.reserve(g.num_results());
  for (size_t i = 0; i < g.writebacks().size(); ++i) {
    const Binding& binding = bindings[g.writebacks()[i]];
    e.write(binding.kind == Binding::Kind::argument ? args[binding.argument] : captured(binding),
            outputs[g.num_results() + i]);
  }
  for (size_t i = 0; i < g.num_results(); ++i) results.push_back(e.result(outputs[i]));
  return results;
}

}  // namespace

std::vector<Tensor> splice(const ir::Graph& graph, std::span<const Binding> bindings, std::span<const Tensor> args,
                           std::span<const Tensor> extra, int64_t random_draws, Location at) {
  std::vector<Tensor> results = record_splice(graph, bindings, args, extra, random_draws, at);
  if (!tracing() && writes_call_order(graph.data(), bindings)) evaluate(call_order(), "host_call", at);
  return results;
}

}  // namespace jot::detail
