#include "backends/cpu/ship/sparsity.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/engine.h"
#include "ir/build.h"
#include "ir/dependence.h"
#include "passes/dce.h"
#include "passes/rewrite.h"

namespace jot::cpu {

using namespace ir;

namespace {

// A graph of the same dependences in which NaN is handed on by every op: computed elements are sums of operands.
std::optional<Graph> dependence_graph(const Graph& graph, size_t inputs) {
  const GraphData& g = graph.data();
  Builder b(g.name());
  passes::Rewriter r(b, g);
  r.take_params();
  std::vector<uint8_t> flagged(inputs, 1);
  const std::vector<uint8_t> depends = dependents(g, flagged);
  bool known = true;
  r.for_each_op([&](Value v) {
    const Type& type = g.type(v);
    if (!depends[v]) {
      if (g.results(v) != 1) return void(r.copy(v));
      return r.set(v, type.token ? r[v] : build::zeros(b, type));
    }
    if (!known || g.results(v) != 1 || type.token) return void(known = false);
    if (!is_floating(type.dtype)) return r.set(v, build::zeros(b, type));
    const Op op = g.op(v);
    switch (info(op).op_class) {
      case OpClass::elementwise: {
        Value sum = kNoValue;
        for (Value o : g.operands(v))
          if (depends[o] && is_floating(g.dtype(o))) sum = build::add_any(b, sum, build::convert(b, r[o], type.dtype));
        return r.set(v, build::or_zeros(b, sum, type));
      }
      case OpClass::reduction:
        return r.set(v, build::reduce_sum(b, r[g.operand(v, 0)], g.attrs(v).ints(Key::dims)));
      case OpClass::movement:
        if (op == Op::dynamic_slice_op) return void(known = false);
        return r.copy(v);
      case OpClass::contraction:
        return r.copy(v);
      case OpClass::source:
      case OpClass::cumulative:
      case OpClass::indexing:
      case OpClass::order:
      case OpClass::control:
      case OpClass::effect:
        known = false;
    }
  });
  if (!known) return {};
  return passes::dce(r.finish());
}

}  // namespace

std::optional<Dependence> dependence(const Graph& graph, size_t inputs) {
  const std::optional<Graph> numbers = dependence_graph(graph, inputs);
  if (!numbers) return {};
  const GraphData& g = numbers->data();
  for (size_t i = 0; i < inputs; ++i)
    if (g.dtype(g.inputs()[i]) != DType::f64) return {};
  for (Value o : g.outputs())
    if (g.dtype(o) != DType::f64) return {};
  const std::shared_ptr<const Engine> engine = jot::make_engine(*numbers);
  std::vector<std::vector<double>> in, out;
  std::vector<const void*> from;
  std::vector<void*> to;
  for (Value i : g.inputs()) in.emplace_back(static_cast<size_t>(bytes_of(g.type(i)) + 7) / 8, 0.0);
  for (Value o : g.outputs()) out.emplace_back(static_cast<size_t>(g.shape(o).numel()), 0.0);
  for (auto& x : in) from.push_back(x.data());
  for (auto& x : out) to.push_back(x.data());
  Dependence all;
  for (size_t i = 0; i < inputs; ++i)
    for (double& x : in[i]) {
      x = std::numeric_limits<double>::quiet_NaN();
      engine->run(from, to);
      x = 0;
      std::vector<uint8_t>& uses = all.uses.emplace_back();
      for (const auto& y : out)
        for (double element : y) uses.push_back(std::isnan(element));
    }
  return all;
}

}  // namespace jot::cpu
