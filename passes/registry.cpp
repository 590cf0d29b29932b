#include "passes/registry.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "ir/build.h"
#include "passes/cse.h"
#include "passes/dce.h"
#include "passes/fold.h"
#include "passes/functionalize.h"
#include "passes/inline.h"
#include "passes/jacobian.h"
#include "passes/linearize.h"
#include "passes/pipeline.h"
#include "passes/scan_products.h"
#include "passes/simplify.h"
#include "passes/transforms.h"
#include "passes/transpose.h"

namespace jot::passes {

using namespace ir;

namespace {

std::vector<uint8_t> floating_inputs(const GraphData& g) {
  std::vector<uint8_t> active;
  for (Value v : g.inputs()) active.push_back(is_floating(g.dtype(v)));
  return active;
}

template <Graph (*pass)(const Graph&)>
Graph plain(const Graph& g, const PassOptions&) {
  return pass(g);
}

Graph linearized(const Graph& g, const PassOptions&) { return linearize(g, floating_inputs(g.data())).graph; }

template <Graph (*transform)(const Graph&, std::span<const uint8_t>, size_t, Zeros)>
Graph derivative(const Graph& g, const PassOptions&) {
  return transform(g, floating_inputs(g.data()), g.data().num_results(), Zeros::ieee);
}

template <JacobianMode mode>
Graph blocks(const Graph& g, const PassOptions&) {
  return jacobian(g, floating_inputs(g.data()), g.data().num_results(), mode);
}

Graph gradient(const Graph& g, const PassOptions&) {
  const GraphData& d = g.data();
  if (d.num_results() == 0 || !d.shape(d.outputs()[0]).empty())
    throw TransformError("[grad] expected a 0-d first result, got " +
                         (d.num_results() == 0 ? "none" : to_string(d.type(d.outputs()[0]))) + "; use vjp or jacrev");
  return grad(g, floating_inputs(d));
}

// A graph that is linear in all its inputs: from cotangents of its results to those of its inputs.
Graph transposed(const Graph& graph, const PassOptions&) {
  // As the derivative of a function without primals, whose results are its tangents.
  Builder linear;
  std::vector<Value> tangents = inline_graph(linear, graph.data(), params_like(linear, graph.data()));
  size_t n = graph.data().num_results();
  tangents.resize(n);
  std::vector<Value> twice = tangents;
  twice.insert(twice.end(), tangents.begin(), tangents.end());
  Linearized l{linear.finish(twice), 0, n, std::vector<uint8_t>(n, 0)};
  const GraphData& g = l.graph.data();

  Builder b(graph.data().name());
  std::vector<Value> cotangents;
  for (size_t i = 0; i < n; ++i) cotangents.push_back(b.param(g.type(g.outputs()[i]), "ct" + std::to_string(i)));
  std::vector<Value> outputs = transpose_into(b, l, {}, cotangents);
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i] == kNoValue) {
      const Type& type = g.type(g.inputs()[i]);
      outputs[i] = build::constant_int(b, type.dtype, type.shape, 0);
    }
  return b.finish(outputs);
}

Graph mapped(const Graph& graph, const PassOptions& options) {
  const GraphData& g = graph.data();
  std::vector<std::optional<int64_t>> in(g.inputs().size(), 0), out(g.num_results(), 0);
  return vmap(graph, in, out, options.lanes, Randomness::different);
}

constexpr NamedPass kPasses[] = {
    {"functionalize", "give writes and views their meaning", plain<functionalize>},
    {"simplify", "identities that change no bit", plain<simplify>},
    {"fold", "evaluate what is constant", plain<fold>},
    {"cse", "merge equal nodes", plain<cse>},
    {"scan_products", "products of all steps of a loop as one, before or after it", plain<scan_products>},
    {"dce", "drop what no result needs", plain<dce>},
    {"optimize", "the pipeline in front of a backend", plain<optimize>},
    {"linearize", "add the derivative: inputs, tangents -> results, tangents that are not zero", linearized},
    {"transpose", "of a graph that is linear in all its inputs: cotangents -> cotangents", transposed},
    {"jvp", "inputs, tangents -> results, tangents", derivative<jvp>},
    {"vjp", "inputs, cotangents -> results, cotangents of the inputs", derivative<vjp>},
    {"grad", "inputs -> results, gradients of the first", gradient},
    {"jacrev", "inputs -> results, jacobian by rows", blocks<JacobianMode::reverse>},
    {"jacfwd", "inputs -> results, jacobian by columns", blocks<JacobianMode::forward>},
    {"vmap", "all inputs and results with lanes in front", mapped},
    {"batch", "vmap, by the name of its file", mapped},
};

}  // namespace

std::span<const NamedPass> all_passes() { return kPasses; }

const NamedPass& pass_named(std::string_view name) {
  auto found = std::ranges::find(kPasses, name, &NamedPass::name);
  if (found != std::end(kPasses)) return *found;
  std::string names;
  for (const NamedPass& p : kPasses) names += (names.empty() ? "" : ", ") + std::string(p.name);
  throw Error("[pass] there is no pass '" + std::string(name) + "': expected one of " + names);
}

}  // namespace jot::passes
