#include "passes/transforms.h"

#include <algorithm>

#include "ir/build.h"
#include "passes/batch.h"
#include "passes/dump.h"
#include "passes/inline.h"
#include "passes/linearize.h"
#include "passes/rewrite.h"
#include "passes/transpose.h"

namespace jot::passes {

using namespace ir;

namespace {

// Results first, then `derived`, then writebacks. `values` are the outputs of g as they are in b.
Graph finish_with(Builder& b, const GraphData& g, std::span<const Value> values, std::span<const Value> derived) {
  std::span<const Value> results = values.first(g.num_results()), written = values.subspan(g.num_results());
  std::vector<Value> outputs(results.begin(), results.end());
  outputs.insert(outputs.end(), derived.begin(), derived.end());
  outputs.insert(outputs.end(), written.begin(), written.end());
  return b.finish(outputs, g.writebacks());
}

std::string derived_name(const std::string& name, const char* suffix) { return name.empty() ? name : name + suffix; }

Graph forward(const Graph& graph, std::span<const uint8_t> active, size_t num_values, Zeros zeros) {
  const GraphData& g = graph.data();
  Builder b(g.name());
  b.reserve(3 * static_cast<size_t>(g.size()));
  std::vector<Value> args = params_like(b, g), tangents(args.size(), kNoValue), derived;
  for (size_t i = 0; i < args.size(); ++i)
    if (active[i]) tangents[i] = b.param(g.type(g.inputs()[i]), derived_name(g.input_name(i), "_t"));
  Dual dual = linearize_into(b, g, args, tangents, zeros);
  for (size_t i = 0; i < num_values; ++i)
    derived.push_back(build::or_zeros(b, dual.tangents[i], g.type(g.outputs()[i])));
  return finish_with(b, g, dual.values, derived);
}

// Gives vjp and grad: seed(b, i, type) is the cotangent of value i.
template <class Seed>
Graph reverse(const Graph& graph, std::span<const uint8_t> active, size_t num_values, Zeros zeros, Seed seed) {
  const GraphData& g = graph.data();
  Linearized l = linearize(graph, active, zeros);
  Builder b(g.name());
  b.reserve(3 * static_cast<size_t>(l.graph.data().size()) / 2);
  std::vector<Value> args = params_like(b, g), cotangents(g.outputs().size(), kNoValue), values;
  for (size_t i = 0; i < num_values; ++i) cotangents[i] = seed(b, i, g.type(g.outputs()[i]));
  std::vector<Value> derived = transpose_into(b, l, args, cotangents, &values);
  size_t next = 0;
  for (size_t i = 0; i < active.size(); ++i)
    if (active[i]) {
      derived[next] = build::or_zeros(b, derived[next], g.type(g.inputs()[i]));
      ++next;
    }
  return finish_with(b, g, values, derived);
}

}  // namespace

Graph jvp(const Graph& graph, std::span<const uint8_t> active, size_t num_values, Zeros zeros) {
  return hooked("jvp", graph, [&] { return forward(graph, active, num_values, zeros); });
}

Graph vjp(const Graph& graph, std::span<const uint8_t> active, size_t num_values, Zeros zeros) {
  auto seed = [&](Builder& b, size_t i, const Type& type) {
    if (!is_floating(type.dtype))
      throw TransformError("[vjp] all outputs of f must be floating-point tensors: output " + std::to_string(i) +
                           " is " + to_string(type) + "; return it as aux" +
                           at(graph.data().location(graph.data().outputs()[i])));
    return b.param(type, "ct" + std::to_string(i));
  };
  return hooked("vjp", graph, [&] { return reverse(graph, active, num_values, zeros, seed); });
}

Graph grad(const Graph& graph, std::span<const uint8_t> active, Zeros zeros) {
  auto seed = [](Builder& b, size_t, const Type& type) {
    return is_floating(type.dtype) ? build::constant_int(b, type.dtype, type.shape, 1) : kNoValue;
  };
  return hooked("grad", graph, [&] { return reverse(graph, active, 1, zeros, seed); });
}

// ---- splits

namespace {

enum class Part : uint8_t {
  constant,  // depends on no input: copied into the map
  saved,     // a residual, where the map uses it
  rebuilt,   // a residual's broadcast or reshape: cheaper made again than kept
  linear,    // depends on a tangent
};

std::vector<Part> parts_of(const GraphData& g, size_t first_tangent) {
  std::vector<Part> part(g.size(), Part::constant);
  for (size_t i = 0; i < g.inputs().size(); ++i) part[g.inputs()[i]] = i < first_tangent ? Part::saved : Part::linear;
  for (Value v = 0; v < g.size(); ++v) {
    for (Value o : g.operands(v)) part[v] = std::max(part[v], part[o]);
    if (part[v] == Part::linear || part[v] == Part::constant || g.op(v) == Op::param_op) continue;
    part[v] = g.op(v) == Op::broadcast_op || g.op(v) == Op::reshape_op ? Part::rebuilt : Part::saved;
  }
  return part;
}

// Nodes of the map, and the residuals, that `results` need.
std::vector<uint8_t> needed(const GraphData& g, const std::vector<Part>& part, std::span<const Value> results) {
  std::vector<uint8_t> live(g.size(), 0);
  for (Value o : results) live[o] = 1;
  for (Value v = g.size(); v-- > 0;)
    if (live[v] && part[v] != Part::saved)
      for (Value o : g.operands(v)) live[o] = 1;
  return live;
}

bool needed_result(const GraphData& g, const std::vector<uint8_t>& live, Value v) {
  return std::ranges::any_of(std::span(live).subspan(v, g.results(v)), [](uint8_t l) { return l != 0; });
}

// Splits a transformed graph at its tangent inputs: those from `first_tangent` on. `num_results` of its results are
// not derived ones.
LinearSplit split(const Graph& transformed, size_t first_tangent, size_t num_results) {
  const GraphData& g = transformed.data();
  std::span<const Value> outputs = g.outputs(), derived = outputs.subspan(num_results, g.num_results() - num_results);
  std::vector<Part> part = parts_of(g, first_tangent);
  std::vector<uint8_t> live = needed(g, part, derived);

  Builder primal(g.name()), linear(g.name());
  Rewriter in_primal(primal, g), in_linear(linear, g);
  std::vector<Value> residuals;
  for (size_t i = 0; i < first_tangent; ++i)
    in_primal.set(g.inputs()[i], primal.param(g.type(g.inputs()[i]), g.input_name(i)));
  for (Value v = 0; v < g.size(); ++v)
    if (live[v] && part[v] == Part::saved) {
      residuals.push_back(v);
      in_linear.set(v, linear.param(g.type(v)));
    }
  for (size_t i = first_tangent; i < g.inputs().size(); ++i)
    in_linear.set(g.inputs()[i], linear.param(g.type(g.inputs()[i]), g.input_name(i)));
  in_primal.for_each_op([&](Value v) {
    if (part[v] != Part::linear) in_primal.copy(v);
    if (part[v] != Part::saved && needed_result(g, live, v)) in_linear.copy(v);
  });

  LinearSplit result;
  result.num_residuals = residuals.size();
  std::vector<Value> values;
  for (Value o : outputs.first(num_results)) values.push_back(in_primal[o]);
  for (Value v : residuals) values.push_back(in_primal[v]);
  for (Value o : outputs.subspan(g.num_results())) values.push_back(in_primal[o]);
  result.primal = primal.finish(values, g.writebacks());
  values.clear();
  for (Value o : derived) values.push_back(in_linear[o]);
  result.map = linear.finish(values);
  return result;
}

}  // namespace

LinearSplit split_jvp(const Graph& g, std::span<const uint8_t> active, size_t num_values, Zeros zeros) {
  return split(jvp(g, active, num_values, zeros), g.data().inputs().size(), g.data().num_results());
}

LinearSplit split_vjp(const Graph& g, std::span<const uint8_t> active, size_t num_values, Zeros zeros) {
  return split(vjp(g, active, num_values, zeros), g.data().inputs().size(), g.data().num_results());
}

ConnectedSplit split_connected(const Graph& graph, std::span<const uint8_t> active, Zeros zeros) {
  const GraphData& g = graph.data();
  Builder b(g.name());
  std::vector<Value> args = params_like(b, g), tangents(args.size(), kNoValue);
  for (size_t i = 0; i < args.size(); ++i)
    if (active[i]) tangents[i] = b.param(g.type(g.inputs()[i]));
  Dual dual = linearize_into(b, g, args, tangents, zeros);
  std::vector<Value> outputs = dual.values;
  ConnectedSplit result;
  for (Value t : dual.tangents) {
    result.connected.push_back(t != kNoValue);
    if (t != kNoValue) outputs.push_back(t);
  }
  result.split = split(b.finish(outputs), args.size(), dual.values.size());
  return result;
}

// ---- vmap

namespace {

[[noreturn]] void no_place_for_lanes(const GraphData& g, size_t output) {
  Value v = g.outputs()[output];
  if (output < g.num_results())
    throw TransformError("[vmap] `f` can not return a BatchedTensor when out_dim is None: output " +
                         std::to_string(output) + " is " + to_string(g.type(v)) + " for each lane" + at(g.location(v)));
  size_t input = g.writebacks()[output - g.num_results()];
  throw LanesError("[vmap] a value with lanes is written to input " + std::to_string(input) + ", " +
                       to_string(g.type(v)) + ", which has none: map it too, or write to a copy" + at(g.location(v)),
                   input);
}

Graph mapped(const Graph& graph, std::span<const std::optional<int64_t>> in_dims,
             std::span<const std::optional<int64_t>> out_dims, int64_t size, Randomness randomness,
             int64_t first_lane) {
  const GraphData& g = graph.data();
  Builder b(g.name());
  std::vector<Value> args;
  std::vector<uint8_t> mapped;
  for (size_t i = 0; i < g.inputs().size(); ++i) {
    Type type = g.type(g.inputs()[i]);
    if (in_dims[i]) type.shape.insert(static_cast<size_t>(*in_dims[i]), size);
    args.push_back(b.param(type, g.input_name(i)));
    mapped.push_back(in_dims[i].has_value());
  }
  for (size_t i = 0; i < args.size(); ++i)
    if (in_dims[i]) args[i] = move_dim(b, args[i], *in_dims[i], 0);
  Batched batched = batch_into(b, g, args, mapped, size, randomness, first_lane);

  std::vector<Value> outputs;
  for (size_t i = 0; i < batched.values.size(); ++i) {
    size_t results = g.num_results();
    std::optional<int64_t> to = i < results ? out_dims[i] : in_dims[g.writebacks()[i - results]];
    Value v = batched.values[i];
    if (to && (*to < 0 || *to > static_cast<int64_t>(g.shape(g.outputs()[i]).size())))
      throw IndexError("[vmap] out_dim " + std::to_string(*to) + " is out of range for output " + std::to_string(i) +
                       ", " + to_string(g.type(g.outputs()[i])) + " for each lane");
    if (const Type& type = g.type(g.outputs()[i]); !to && batched.batched[i]) {
      if (type.shape.numel() > 0) no_place_for_lanes(g, i);
      v = build::reshape(b, v, type.shape);  // without elements, lanes do not differ
    }
    outputs.push_back(to ? place_lanes(b, v, batched.batched[i], *to, size) : v);
  }
  return b.finish(outputs, g.writebacks());
}

}  // namespace

Graph vmap(const Graph& graph, std::span<const std::optional<int64_t>> in_dims,
           std::span<const std::optional<int64_t>> out_dims, int64_t size, Randomness randomness, int64_t first_lane) {
  return hooked("vmap", graph, [&] { return mapped(graph, in_dims, out_dims, size, randomness, first_lane); });
}

}  // namespace jot::passes
