#include "jot/graphs.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "backends/reference/interpret.h"
#include "core/record/evaluate.h"
#include "core/record/function.h"
#include "core/record/thread.h"
#include "core/run/program.h"
#include "ir/fork.h"
#include "passes/functionalize.h"
#include "passes/pipeline.h"

namespace jot {

using detail::Program;

namespace {

ir::Graph with_captures_of(const ir::Graph& from, const ir::Graph& g) {
  return g.with_captures(std::make_shared<const std::vector<Tensor>>(from.captures()));
}

// The state of a generator, as captured tensors.
Tensor generator_state(bool key) {
  Generator& rng = detail::generator();
  Tensor t = detail::empty(i64, key ? Shape{2} : Shape{});
  auto* to = static_cast<int64_t*>(t.impl()->storage->buffer.data());
  if (key)
    std::copy_n(rng.key, 2, to);
  else
    *to = rng.offset;
  return t;
}

std::string type_text(const Tensor& t) {
  return t.defined() ? ir::to_string(ir::Type{t.impl()->dtype(), false, t.impl()->shape}) : "an undefined Tensor";
}

void check_type(std::string_view api, size_t i, const Tensor& t, const ir::Type& type, Location at) {
  if (t.defined() && t.impl()->dtype() == type.dtype && t.impl()->shape == type.shape) return;
  std::string text = "[" + std::string(api) + "] argument " + std::to_string(i) + ": expected " + ir::to_string(type) +
                     ", got " + type_text(t) + jot::at(at);
  if (t.defined() && t.impl()->dtype() != type.dtype) throw DTypeError(text);
  throw ShapeError(text);
}

// The inputs of g, its captures appended where only the others are given, checked.
std::vector<Tensor> inputs_of(std::string_view api, const ir::Graph& graph, const std::vector<Tensor>& given,
                              Location at) {
  const ir::GraphData& g = graph.data();
  size_t expected = g.inputs().size(), captured = graph.captures().size();
  std::vector<Tensor> inputs = given;
  if (given.size() + captured == expected)
    inputs.insert(inputs.end(), graph.captures().begin(), graph.captures().end());
  if (inputs.size() != expected)
    throw TransformError("[" + std::string(api) + "] expected " + std::to_string(expected - captured) + " inputs" +
                         (captured ? " (or " + std::to_string(expected) + " with the captures)" : "") + ", got " +
                         std::to_string(given.size()) + jot::at(at));
  for (size_t i = 0; i < expected; ++i) check_type(api, i, inputs[i], g.type(g.inputs()[i]), at);
  return inputs;
}

// Runs `evaluate` on the contents of the inputs; returns the results and does the writebacks.
template <class Evaluate>
std::vector<Tensor> evaluate_graph(std::string_view api, const CompiledGraph::Interface& types,
                                   const std::vector<Tensor>& inputs, Location at, Evaluate evaluate) {
  std::vector<Buffer> contents;
  std::vector<const void*> in;
  for (const Tensor& t : inputs) in.push_back(contents.emplace_back(detail::read(t, api, at)).data());
  std::vector<Tensor> outputs;
  std::vector<void*> out;
  for (const ir::Type& type : types.outputs) {
    outputs.push_back(detail::empty(type.dtype, type.shape));
    out.push_back(outputs.back().impl()->storage->buffer.data());
  }
  evaluate(std::span<const void* const>(in), std::span<void* const>(out));
  for (size_t i = 0; i < types.writebacks.size(); ++i)
    inputs[types.writebacks[i]].copy_(Arg(outputs[types.num_results() + i], at));
  outputs.resize(types.num_results());
  return outputs;
}

}  // namespace

namespace detail {

ir::Graph trace(Fn fn, std::span<const Tensor> args, bool functionalized) {
  for (size_t i = 0; i < args.size(); ++i)
    if (!args[i].defined()) throw TransformError("[trace] " + fn.name(Role::argument, i) + " is an undefined Tensor");
  SeenRecording seen;
  Recording recording = record_function(fn, args, {.kind = TraceKind::jit, .scope = "trace"});
  auto captures = std::make_shared<std::vector<Tensor>>();
  for (const Binding& b : recording.bindings) {
    if (b.kind == Binding::Kind::capture)
      captures->push_back(b.capture);
    else if (b.kind == Binding::Kind::rng_key || b.kind == Binding::Kind::rng_offset)
      captures->push_back(generator_state(b.kind == Binding::Kind::rng_key));
  }
  ir::Graph graph = functionalized ? passes::functionalize(recording.graph) : recording.graph;
  seen.done("trace", Location(), graph, {}, {}, {}, 0);
  return graph.with_captures(std::move(captures));
}

ArgumentTypes::ArgumentTypes(const JitKey& key) : words_(key.words().begin(), key.words().end()) {
  for (const Tensor* t : key.tensors()) types_.push_back(type_text(*t));
}

void ArgumentTypes::check(const JitKey& key, LeafNames names, Location at) const {
  if (std::ranges::equal(words_, key.words())) return;
  for (size_t i = 0; i < std::min(types_.size(), key.tensors().size()); ++i)
    if (std::string got = type_text(*key.tensors()[i]); got != types_[i])
      throw ShapeError("[compile] " + names(i) + ": expected " + types_[i] + ", got " + got +
                       "; compile for each kind of arguments, or use jit" + jot::at(at));
  throw TransformError(
      "[compile] the arguments differ in structure or in a number from those that the function was compiled for; "
      "compile for each, or use jit" +
      jot::at(at));
}

}  // namespace detail

const std::vector<Tensor>& ir::Graph::captures() const {
  static const auto* none = new std::vector<Tensor>;
  return captures_ ? *captures_ : *none;
}

void dump(const ir::Graph& graph) { std::fputs(to_text(graph).c_str(), stderr); }
void dump(const Tensor& t) { std::fputs((to_string(t) + "\n").c_str(), stderr); }

ir::Graph optimize(const ir::Graph& graph) { return with_captures_of(graph, passes::optimize(graph)); }
ir::Graph optimize(const ir::Graph& graph, const std::function<void(std::string_view, const ir::Graph&)>& observer) {
  return with_captures_of(graph, passes::optimize(graph, observer));
}

std::vector<Tensor> run(const ir::Graph& graph, const std::vector<Tensor>& inputs, Location at) {
  std::vector<Tensor> all = inputs_of("run", graph, inputs, at);
  std::shared_ptr<const CompiledGraph> compiled = compile_cached(graph, true);
  return evaluate_graph("run", compiled->interface, all, at,
                        [&](auto in, auto out) { run_compiled(*compiled, graph, in, out); });
}

std::vector<Tensor> interpret(const ir::Graph& graph, const std::vector<Tensor>& inputs, Location at) {
  std::vector<Tensor> all = inputs_of("interpret", graph, inputs, at);
  ir::Graph pure = passes::functionalize(graph);
  return evaluate_graph("interpret", interface_of(pure.data()), all, at,
                        [&](auto in, auto out) { reference::interpret(pure, in, out); });
}

// ---- Executable

std::vector<Tensor> Executable::run(const std::vector<Tensor>& inputs, Location at) const {
  size_t expected = program_->num_arguments();
  if (inputs.size() != expected)
    throw TransformError("[run] expected " + std::to_string(expected) + " inputs, got " +
                         std::to_string(inputs.size()) + jot::at(at));
  std::vector<const Tensor*> args;
  for (size_t i = 0; i < expected; ++i) {
    check_type("run", i, inputs[i], program_->argument_type(i), at);
    args.push_back(&inputs[i]);
  }
  std::vector<Tensor> results(program_->num_results());
  program_->run(args, results);
  return results;
}

void Executable::run_into(std::span<const void* const> inputs, std::span<void* const> outputs, Location at) const {
  auto check = [&](size_t expected, size_t got, const char* what) {
    if (expected != got)
      throw TransformError("[run_into] expected " + std::to_string(expected) + " pointers to " + what + ", got " +
                           std::to_string(got) + jot::at(at));
  };
  check(program_->num_arguments(), inputs.size(), "inputs, one for each tensor of the arguments");
  check(program_->num_outputs(), outputs.size(),
        program_->num_outputs() == program_->num_results()
            ? "outputs, one for each tensor of the result"
            : "outputs, one for each tensor of the result, then one for each argument that is written");
  auto check_address = [&](const void* p, const ir::Type& type, const char* what, size_t i) {
    if (!p && type.shape.numel() > 0)
      throw Error("[run_into] " + (what + std::to_string(i)) + " is null: expected the address of " +
                  ir::to_string(type) + jot::at(at));
  };
  for (size_t i = 0; i < inputs.size(); ++i) check_address(inputs[i], program_->argument_type(i), "input ", i);
  for (size_t i = 0; i < outputs.size(); ++i) check_address(outputs[i], program_->output_type(i), "output ", i);
  program_->run_into(inputs, outputs);
}

void Executable::save(const std::string& path) const { program_->save(path); }

Executable Executable::load(const std::string& path) {
  NoFork section;
  return Executable(std::make_shared<const Program>(path));
}

ExecutableStats Executable::stats() const {
  ExecutableStats s = program_->engine().stats();
  s.compile_seconds["passes"] = program_->pass_seconds();
  return s;
}

std::string Executable::disassembly() const { return program_->engine().disassembly(); }

}  // namespace jot
