#include "jot/control.h"

#include <algorithm>

#include "core/functions/operands.h"
#include "core/functions/regions.h"
#include "core/record/function.h"
#include "core/record/splice.h"
#include "core/record/thread.h"
#include "passes/functionalize.h"
#include "passes/inline.h"

namespace jot::detail {

namespace build = ir::build;
using ir::Graph;
using ir::Value;

namespace {

using Branch = RecordedRegion;

void check_results(std::string_view api, std::span<const Branch> branches, const Fn& fn, Location at) {
  const Leaves& first = branches[0].recording.outputs.values;
  auto refuse = [&](const std::string& what) {
    throw TransformError("[" + std::string(api) +
                         "] all branches must return tensors of the same shapes and dtypes: " + what + jot::at(at));
  };
  for (size_t i = 1; i < branches.size(); ++i) {
    const Leaves& values = branches[i].recording.outputs.values;
    std::string others = "branch " + std::to_string(i) + " ";
    if (values.size() != first.size())
      refuse("branch 0 returns " + std::to_string(first.size()) + " tensors, " + others +
             std::to_string(values.size()));
    for (size_t k = 0; k < values.size(); ++k)
      if (type_of(values[k]) != type_of(first[k]))
        refuse(fn.name(Role::output, k) + " of branch 0 is " + ir::to_string(type_of(first[k])) + ", of " + others +
               ir::to_string(type_of(values[k])));
  }
}

// The inputs that some branch writes, ascending.
std::vector<uint32_t> written_by(std::span<const Branch> branches) {
  std::vector<uint32_t> written;
  for (const Branch& b : branches)
    for (uint32_t w : b.pure.data().writebacks()) written.push_back(static_cast<uint32_t>(b.places[w]));
  std::ranges::sort(written);
  written.erase(std::unique(written.begin(), written.end()), written.end());
  return written;
}

// all inputs -> results, new contents of the written inputs
Graph region_of(const Branch& branch, const RegionInputs& inputs, std::span<const uint32_t> written) {
  const ir::GraphData& g = branch.pure.data();
  ir::Builder b("branch");
  std::vector<Value> params, args;
  for (const ir::Type& t : inputs.types) params.push_back(b.param(t));
  for (size_t place : branch.places) args.push_back(params[place]);
  std::vector<Value> values = passes::inline_graph(b, g, args);
  std::vector<Value> outputs(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(g.num_results()));
  for (uint32_t place : written) {
    Value contents = params[place];
    for (size_t i = 0; i < g.writebacks().size(); ++i)
      if (branch.places[g.writebacks()[i]] == place) contents = values[g.num_results() + i];
    outputs.push_back(contents);
  }
  return b.finish(outputs);
}

// A function whose only op is the choice. Its last input is the index.
Graph choice_of(std::span<const Branch> branches, const RegionInputs& inputs, Location at) {
  std::vector<uint32_t> written = written_by(branches);
  ir::Builder b("cond");
  b.set_origin(at, "");
  std::vector<Value> operands, outputs;
  for (const ir::Type& t : inputs.types) operands.push_back(b.param(t));
  Value index = b.param({i64, false, {}});
  std::vector<Graph> regions;
  for (const Branch& branch : branches) regions.push_back(region_of(branch, inputs, written));
  size_t count = regions[0].data().outputs().size();
  if (count == 0) return b.finish({});
  Value first = build::cond(b, index, regions, operands);
  for (size_t i = 0; i < count; ++i) outputs.push_back(first + static_cast<Value>(i));
  return b.finish(outputs, written);
}

// The position as an i64[] tensor.
Tensor position_of(std::string_view api, const Tensor& index, bool truth, Location at) {
  Emitter e(api, at, index);
  Value v = build::reshape(e.b, e(index), {});
  if (truth && e.b.dtype(v) != boolean) v = build::compare(e.b, v, build::zeros_like(e.b, v), ir::Direction::ne);
  return e.result(build::convert(e.b, v, i64));
}

void check_index(std::string_view api, const Tensor& index, bool truth, Location at) {
  const TensorImpl& t = impl_of(index, api, at);
  if (t.shape.numel() != 1)
    throw ShapeError("[" + std::string(api) + "] expected " + (truth ? "a condition" : "an index") +
                     " of one element, got " + type_name(index) +
                     "; for a choice by element use where, for one of all any or all" + jot::at(at));
  if (!truth && !is_integer(t.dtype()))
    throw DTypeError("[" + std::string(api) + "] expected an integer index, got " + type_name(index) + jot::at(at));
}

}  // namespace

std::optional<size_t> known_choice(std::string_view api, const Arg& index, size_t count, bool truth) {
  auto clamped = [&](int64_t i) {
    return static_cast<size_t>(std::clamp<int64_t>(i, 0, static_cast<int64_t>(count) - 1));
  };
  if (!index.is_tensor()) {
    const Number& n = index.number();
    if (!truth && n.dtype == f64)
      throw DTypeError("[" + std::string(api) + "] expected an integer index, got a float" + jot::at(index.at()));
    return truth ? size_t{n.real != 0} : clamped(n.integer);
  }
  check_index(api, index.tensor(), truth, index.at());
  if (tracing()) return {};
  return truth ? size_t{index.tensor().item<double>(index.at()) != 0}
               : clamped(index.tensor().item<int64_t>(index.at()));
}

Leaves choose(std::string_view api, const Arg& index, std::span<const Fn> branches, std::span<const Tensor> operands,
              bool truth) {
  Location at = index.at();
  Tensor position = position_of(api, index.tensor(), truth, at);
  OwnStream stream;
  std::vector<Branch> recorded;
  RegionInputs inputs;
  bool draws = false;
  for (const Fn& fn : branches) {
    Branch b;
    b.recording = record_function(
        fn, operands, {.kind = TraceKind::functionalize, .scope = std::string(api), .at = at, .region = true});
    b.pure = passes::functionalize(b.recording.graph);
    const ir::GraphData& g = b.pure.data();
    for (size_t i = 0; i < g.inputs().size(); ++i)
      b.places.push_back(inputs.place(b.recording.bindings[i], g.type(g.inputs()[i])));
    draws |= b.recording.random_draws > 0;
    recorded.push_back(std::move(b));
  }
  check_results(api, recorded, branches[0], at);
  Graph choice = choice_of(recorded, inputs, at);
  std::vector<Tensor> args(operands.begin(), operands.end());
  args.push_back(position);
  Binding last{.kind = Binding::Kind::argument, .argument = operands.size()};
  inputs.bindings.push_back(last);
  return splice(choice, inputs.bindings, args, {}, draws, at);
}

}  // namespace jot::detail
