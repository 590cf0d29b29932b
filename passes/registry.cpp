#include "passes/registry.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>
#include <vector>

#include "ir/build.h"
#include "passes/chunk.h"
#include "passes/cse.h"
#include "passes/dce.h"
#include "passes/drop_writebacks.h"
#include "passes/fold.h"
#include "passes/functionalize.h"
#include "passes/guard.h"
#include "passes/inline.h"
#include "passes/inline_bodies.h"
#include "passes/jacobian.h"
#include "passes/linearize.h"
#include "passes/pipeline.h"
#include "passes/scan_products.h"
#include "passes/simplify.h"
#include "passes/transforms.h"
#include "passes/transpose.h"
#include "passes/trim.h"

namespace jot::passes {

using namespace ir;

namespace {

std::vector<uint8_t> flags(std::span<const int64_t> positions, size_t size, std::string_view what) {
  std::vector<uint8_t> chosen(size, 0);
  for (int64_t i : positions) {
    if (i < 0 || static_cast<size_t>(i) >= size)
      throw Error("[pass] there is no " + std::string(what) + " " + std::to_string(i) + ": expected one of " +
                  std::to_string(size));
    chosen[static_cast<size_t>(i)] = 1;
  }
  return chosen;
}

// The inputs by which is differentiated.
std::vector<uint8_t> active_inputs(const GraphData& g, const PassOptions& options) {
  if (options.inputs) return flags(*options.inputs, g.inputs().size(), "input");
  std::vector<uint8_t> active;
  for (Value v : g.inputs()) active.push_back(is_floating(g.dtype(v)));
  return active;
}

size_t num_values(const GraphData& g, const PassOptions& options) {
  const size_t all = g.num_results();
  if (!options.values) return all;
  if (*options.values < 0 || static_cast<size_t>(*options.values) > all)
    throw Error("[pass] values=" + std::to_string(*options.values) + ": the graph has " + std::to_string(all) +
                " results");
  return static_cast<size_t>(*options.values);
}

Zeros zeros(const PassOptions& options) { return options.strong_zeros ? Zeros::strong : Zeros::ieee; }

template <Graph (*pass)(const Graph&)>
Graph plain(const Graph& g, const PassOptions&) {
  return pass(g);
}

Graph linearized(const Graph& g, const PassOptions& options) {
  return linearize(g, active_inputs(g.data(), options), zeros(options)).graph;
}

template <Graph (*transform)(const Graph&, std::span<const uint8_t>, size_t, Zeros)>
Graph derivative(const Graph& g, const PassOptions& options) {
  return transform(g, active_inputs(g.data(), options), num_values(g.data(), options), zeros(options));
}

template <LinearSplit (*split)(const Graph&, std::span<const uint8_t>, size_t, Zeros), bool map>
Graph half(const Graph& g, const PassOptions& options) {
  const LinearSplit s = split(g, active_inputs(g.data(), options), num_values(g.data(), options), zeros(options));
  return map ? s.map : s.primal;
}

template <JacobianMode mode>
Graph blocks(const Graph& g, const PassOptions& options) {
  return jacobian(g, active_inputs(g.data(), options), num_values(g.data(), options), mode, options.chunk,
                  zeros(options));
}

// The blocks of the jacobian of the jacobian, behind it: forward of reverse.
Graph second_derivative(const Graph& g, const PassOptions& options) {
  const Graph first = blocks<JacobianMode::reverse>(g, options);
  PassOptions of_blocks = options;
  of_blocks.values = {};
  return blocks<JacobianMode::forward>(first, of_blocks);
}

Graph gradient(const Graph& g, const PassOptions& options) {
  const GraphData& d = g.data();
  if (d.num_results() == 0 || !d.shape(d.outputs()[0]).empty())
    throw TransformError("[grad] expected a 0-d first result, got " +
                         (d.num_results() == 0 ? "none" : to_string(d.type(d.outputs()[0]))) + "; use vjp or jacrev");
  return grad(g, active_inputs(d, options), zeros(options));
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

// One dim for each of n; if none are given, 0.
std::vector<std::optional<int64_t>> dims(const std::vector<std::optional<int64_t>>& given, size_t n,
                                         std::string_view name) {
  if (given.empty()) return std::vector<std::optional<int64_t>>(n, 0);
  if (given.size() != n)
    throw Error("[pass] " + std::string(name) + ": expected " + std::to_string(n) + " dims, got " +
                std::to_string(given.size()));
  return given;
}

Graph mapped(const Graph& graph, const PassOptions& options) {
  const GraphData& g = graph.data();
  const auto in = dims(options.in_dims, g.inputs().size(), "in_dims"),
             out = dims(options.out_dims, g.num_results(), "out_dims");
  return vmap(graph, in, out, options.lanes, options.randomness);
}

Graph mapped_in_chunks(const Graph& graph, const PassOptions& options) {
  const GraphData& g = graph.data();
  const auto in = dims(options.in_dims, g.inputs().size(), "in_dims"),
             out = dims(options.out_dims, g.num_results(), "out_dims");
  return vmap_in_chunks(graph, in, out, options.lanes, options.randomness, {.size = options.chunk.value_or(1)});
}

Graph part(const Graph& graph, const PassOptions& options) {
  const GraphData& g = graph.data();
  const std::vector<uint8_t> outputs = flags(options.outputs, g.outputs().size(), "output");
  std::vector<uint8_t> needed(g.size(), 0);
  for (size_t i = 0; i < outputs.size(); ++i) needed[g.outputs()[i]] |= outputs[i];
  for (Value v = g.size(); v-- > 0;)
    for (Value o : g.operands(v)) needed[o] |= needed[v];
  std::vector<uint8_t> inputs;
  for (Value v : g.inputs()) inputs.push_back(needed[v]);
  return part_of(graph, outputs, inputs);
}

Graph guarded(const Graph& graph, const PassOptions&) { return guard(graph, graph.data().inputs().size()); }

#define JOT_DERIVATIVE "inputs values strong_zeros"
#define JOT_MAP "lanes in_dims out_dims randomness"
constexpr NamedPass kPasses[] = {
    {"functionalize", "", "give writes and views their meaning", plain<functionalize>},
    {"simplify", "", "identities that change no bit", plain<simplify>},
    {"fold", "", "evaluate what is constant", plain<fold>},
    {"cse", "", "merge equal nodes", plain<cse>},
    {"scan_products", "", "products of all steps of a loop as one, before or after it", plain<scan_products>},
    {"dce", "", "drop what no result needs", plain<dce>},
    {"inline_bodies", "", "bodies of ops that mean something to derivatives alone in their place",
     plain<inline_bodies>},
    {"drop_writebacks", "", "without the new contents of inputs", plain<drop_writebacks>},
    {"part", "outputs", "what these outputs (of results, then writebacks) need", part},
    {"guard", "", "a further input: where it is false no data is at fault", guarded},
    {"optimize", "", "the pipeline in front of a backend", plain<optimize>},
    {"linearize", "inputs strong_zeros", "add the derivative: inputs, tangents -> results, tangents that are not zero",
     linearized},
    {"transpose", "", "of a graph that is linear in all its inputs: cotangents -> cotangents", transposed},
    {"jvp", JOT_DERIVATIVE, "inputs, tangents -> results, tangents", derivative<jvp>},
    {"vjp", JOT_DERIVATIVE, "inputs, cotangents -> results, cotangents of the inputs", derivative<vjp>},
    {"jvp_primal", JOT_DERIVATIVE, "inputs -> results, what the map of tangents needs", half<split_jvp, false>},
    {"jvp_map", JOT_DERIVATIVE, "what the primal kept, tangents -> tangents", half<split_jvp, true>},
    {"vjp_primal", JOT_DERIVATIVE, "inputs -> results, what the map of cotangents needs", half<split_vjp, false>},
    {"vjp_map", JOT_DERIVATIVE, "what the primal kept, cotangents -> cotangents", half<split_vjp, true>},
    {"grad", "inputs strong_zeros", "inputs -> results, gradients of the first", gradient},
    {"jacrev", JOT_DERIVATIVE " chunk", "inputs -> results, jacobian by rows", blocks<JacobianMode::reverse>},
    {"jacfwd", JOT_DERIVATIVE " chunk", "inputs -> results, jacobian by columns", blocks<JacobianMode::forward>},
    {"jacobian", JOT_DERIVATIVE " chunk", "jacrev or jacfwd, whichever is cheaper", blocks<JacobianMode::cheaper>},
    {"hessian", JOT_DERIVATIVE " chunk", "inputs -> results, jacobian, jacobians of both", second_derivative},
    {"vmap", JOT_MAP, "inputs and results with lanes: all, in front", mapped},
    {"batch", JOT_MAP, "vmap, by the name of its file", mapped},
    {"vmap_in_chunks", JOT_MAP " chunk", "vmap, piece after piece", mapped_in_chunks},
};

#undef JOT_DERIVATIVE
#undef JOT_MAP

// ---- reading calls

[[noreturn]] void reject(std::string_view pass, std::string_view argument, std::string_view expected) {
  throw Error("[pass] " + std::string(pass) + "(" + std::string(argument) + "): expected " + std::string(expected));
}

// The pieces of a text between a character.
std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> pieces;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(at, begin), text.size());
    pieces.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return pieces;
}

class CallReader {
 public:
  CallReader(const NamedPass& pass, PassOptions& options) : pass_(pass), options_(options) {}

  void argument(std::string_view text) {
    const size_t equals = text.find('=');
    const std::string_view key = text.substr(0, equals);
    const std::vector<std::string_view> known = split(pass_.arguments, ' ');
    if (equals == std::string_view::npos || std::ranges::find(known, key) == known.end())
      reject(pass_.name, text,
             pass_.arguments.empty() ? "no arguments" : "KEY=VALUE with a key of " + std::string(pass_.arguments));
    text_ = text;
    set(key, text.substr(equals + 1));
  }

 private:
  void set(std::string_view key, std::string_view value) {
    if (key == "lanes") options_.lanes = number(value);
    if (key == "values") options_.values = number(value);
    if (key == "chunk") options_.chunk = number(value);
    if (key == "inputs") options_.inputs = numbers(value);
    if (key == "outputs") options_.outputs = numbers(value);
    if (key == "in_dims") options_.in_dims = dims(value);
    if (key == "out_dims") options_.out_dims = dims(value);
    if (key == "strong_zeros") options_.strong_zeros = number(value) != 0;
    if (key == "randomness") {
      if (value != "error" && value != "different" && value != "same")
        reject(pass_.name, text_, "error, different or same");
      options_.randomness = value == "error"  ? Randomness::error
                            : value == "same" ? Randomness::same
                                              : Randomness::different;
    }
  }
  int64_t number(std::string_view value) const {
    int64_t n = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
    if (error != std::errc() || end != value.data() + value.size() || n < 0)
      reject(pass_.name, text_, "a number that is not negative");
    return n;
  }
  std::vector<int64_t> numbers(std::string_view value) const {
    std::vector<int64_t> list;
    for (std::string_view item : split(value, ':')) list.push_back(number(item));
    return list;
  }
  std::vector<std::optional<int64_t>> dims(std::string_view value) const {
    std::vector<std::optional<int64_t>> list;
    for (std::string_view item : split(value, ':'))
      list.push_back(item == "none" ? std::nullopt : std::optional(number(item)));
    return list;
  }

  const NamedPass& pass_;
  PassOptions& options_;
  std::string_view text_;
};

}  // namespace

std::vector<PassCall> parse_passes(std::string_view text, const PassOptions& unset) {
  std::vector<PassCall> calls;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of("(,"), text.size());
    calls.push_back({&pass_named(text.substr(0, end)), unset});
    PassCall& call = calls.back();
    size_t next = end;
    if (end < text.size() && text[end] == '(') {
      const size_t close = text.find(')', end);
      if (close == std::string_view::npos) reject(call.pass->name, text.substr(end + 1), "a closing bracket");
      CallReader reader(*call.pass, call.options);
      if (close > end + 1)
        for (std::string_view item : split(text.substr(end + 1, close - end - 1), ',')) reader.argument(item);
      next = close + 1;
      if (next < text.size() && text[next] != ',')
        reject(call.pass->name, text.substr(end + 1), "a comma behind the closing bracket");
    }
    text.remove_prefix(std::min(next + 1, text.size()));
  }
  return calls;
}

std::span<const NamedPass> all_passes() { return kPasses; }

const NamedPass& pass_named(std::string_view name) {
  auto found = std::ranges::find(kPasses, name, &NamedPass::name);
  if (found != std::end(kPasses)) return *found;
  std::string names;
  for (const NamedPass& p : kPasses) names += (names.empty() ? "" : ", ") + std::string(p.name);
  throw Error("[pass] there is no pass '" + std::string(name) + "': expected one of " + names);
}

}  // namespace jot::passes
