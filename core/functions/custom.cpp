#include "jot/custom.h"

#include <algorithm>

#include "core/functions/operands.h"
#include "core/functions/regions.h"
#include "core/record/splice.h"
#include "jot/control.h"
#include "passes/inline.h"

namespace jot::detail {

using ir::Graph;
using ir::Value;

namespace {

[[noreturn]] void refuse(const Custom& c, const std::string& what) {
  throw TransformError("[" + std::string(c.api) + "] " + what + jot::at(c.at));
}

std::vector<ir::Type> types_of(std::span<const Tensor> tensors) {
  std::vector<ir::Type> types;
  for (const Tensor& t : tensors) types.push_back(type_of(t));
  return types;
}

// The first `results` results come after the calls of the host, whose order is one of the writebacks.
template <class Which>
Graph after_calls(const Graph& pure, size_t results, Which orders_calls) {
  const ir::GraphData& g = pure.data();
  ir::Builder b(g.name());
  std::vector<Value> values = passes::inline_graph(b, g, passes::params_like(b, g)), outputs;
  std::vector<uint32_t> writebacks;
  Value order = ir::kNoValue;
  for (size_t i = 0; i < g.writebacks().size(); ++i)
    if (orders_calls(g.writebacks()[i])) order = values[g.num_results() + i];
  for (size_t k = 0; k < g.num_results(); ++k)
    outputs.push_back(k < results ? b.emit(ir::Op::after_op, {values[k], order}) : values[k]);
  for (size_t i = 0; i < g.writebacks().size(); ++i)
    if (!orders_calls(g.writebacks()[i])) {
      outputs.push_back(values[g.num_results() + i]);
      writebacks.push_back(g.writebacks()[i]);
    }
  return b.finish(outputs, writebacks);
}

// results: how many of its results are those of the function that c stands for; kAll where it has no others.
constexpr size_t kAll = static_cast<size_t>(-1);
RecordedRegion record(const Custom& c, Fn fn, std::span<const Tensor> args, size_t results = kAll) {
  RecordedRegion r = record_region(c.api, fn, args, c.at, types_of(args));
  auto orders_calls = [&](uint32_t w) {
    const Binding& b = r.recording.bindings[w];
    return b.kind == Binding::Kind::capture && b.capture.impl()->storage->orders_calls;
  };
  if (std::ranges::any_of(r.pure.data().writebacks(), orders_calls))
    r.pure = after_calls(r.pure, results, orders_calls);
  for (uint32_t w : r.pure.data().writebacks())
    refuse(c, r.recording.bindings[w].kind == Binding::Kind::argument
                  ? "the function writes to an argument: write to a clone() of it"
                  : "the function writes to a tensor that it captures: return it instead");
  return r;
}

// What all regions capture.
class CapturedInputs {
 public:
  explicit CapturedInputs(std::span<RecordedRegion* const> regions) {
    for (RecordedRegion* r : regions) {
      draws_ |= r->recording.random_draws > 0;
      const ir::GraphData& g = r->pure.data();
      r->places.resize(r->recording.bindings.size());
      for (size_t i = 0; i < r->places.size(); ++i)
        if (const Binding& b = r->recording.bindings[i]; b.kind != Binding::Kind::argument)
          r->places[i] = inputs_.place(b, g.type(g.inputs()[i]));
    }
  }
  size_t size() const { return inputs_.bindings.size(); }
  bool draws() const { return draws_; }
  std::span<const Binding> bindings() const { return inputs_.bindings; }
  std::span<const ir::Type> types() const { return inputs_.types; }

  // (captured, args) -> results
  Graph region(const RecordedRegion& r, std::span<const ir::Type> args) const {
    const ir::GraphData& g = r.pure.data();
    ir::Builder b(g.name());
    std::vector<Value> captured, given, all;
    for (const ir::Type& t : inputs_.types) captured.push_back(b.param(t));
    for (const ir::Type& t : args) given.push_back(b.param(t));
    for (size_t i = 0; i < r.places.size(); ++i) {
      const Binding& binding = r.recording.bindings[i];
      all.push_back(binding.kind == Binding::Kind::argument ? given[binding.argument] : captured[r.places[i]]);
    }
    return b.finish(passes::inline_graph(b, g, all));
  }

 private:
  RegionInputs inputs_;
  bool draws_ = false;
};

// Records one op of captured tensors and arguments.
Leaves emit(const Custom& c, ir::Op op, const CapturedInputs& captured, const ir::Attrs& attrs, size_t results) {
  ir::Builder b("custom");
  b.set_origin(c.at, "");
  std::vector<Binding> bindings(captured.bindings().begin(), captured.bindings().end());
  std::vector<Value> operands, outputs;
  for (const ir::Type& t : captured.types()) operands.push_back(b.param(t));
  for (size_t i = 0; i < c.args.size(); ++i) {
    bindings.push_back({Binding::Kind::argument, i});
    operands.push_back(b.param(type_of(c.args[i])));
  }
  Value next = b.emit(op, operands, attrs);
  for (size_t i = 0; i < results; ++i) outputs.push_back(next++);
  return splice(b.finish(outputs), bindings, c.args, {}, captured.draws(), c.at);
}

void check_types(const Custom& c, const Fn& fn, std::string_view whose, std::span<const ir::Type> expected,
                 std::span<const ir::Type> got) {
  if (expected.size() != got.size())
    refuse(c, std::string(whose) + ": expected " + std::to_string(expected.size()) + " tensors, got " +
                  std::to_string(got.size()));
  for (size_t i = 0; i < got.size(); ++i)
    if (expected[i] != got[i])
      refuse(c, std::string(whose) + ": " + fn.name(Role::output, i) + " is " + ir::to_string(got[i]) + ", expected " +
                    ir::to_string(expected[i]));
}

// Of a function that must return what it is called on, `same` types.
void check_same(const Custom& c, const RecordedRegion& r, const Fn& fn, std::string_view whose) {
  check_types(c, fn, whose, types_of(c.args), types_of(r.recording.outputs.values));
}

void check_unknowns(const Custom& c, const Fn& fn) {
  for (size_t i = 0; i < c.args.size(); ++i)
    if (!is_floating(c.args[i].impl()->dtype()))
      refuse(c, "expected floating unknowns, " + fn.name(Role::argument, i) + " is " + type_name(c.args[i]));
}

std::vector<Tensor> repeated(std::span<const Tensor> args, int times) {
  std::vector<Tensor> all;
  for (; times > 0; --times) all.insert(all.end(), args.begin(), args.end());
  return all;
}

}  // namespace

Leaves custom_linear_solve(const Custom& c, Fn matvec, std::optional<Fn> transpose) {
  OwnStream stream;
  check_unknowns(c, c.f);
  RecordedRegion solve = record(c, c.f, c.args), product = record(c, matvec, c.args), back;
  check_same(c, solve, c.f, "solve");
  check_same(c, product, matvec, "matvec");
  std::vector<RecordedRegion*> all = {&solve, &product};
  if (transpose) {
    back = record(c, *transpose, c.args);
    check_same(c, back, *transpose, "transpose_solve");
    all.push_back(&back);
  }
  if (c.args.empty()) return {};
  CapturedInputs captured(all);
  const std::vector<ir::Type> types = types_of(c.args);
  std::vector<Graph> transposes;
  if (transpose) transposes.push_back(captured.region(back, types));
  ir::Attrs attrs;
  attrs.add(captured.region(solve, types)).add(captured.region(product, types)).add(transposes);
  attrs.add(static_cast<int64_t>(captured.size()));
  return emit(c, ir::Op::linear_solve_op, captured, attrs, c.args.size());
}

Leaves custom_root(const Custom& c, const RootFunctions& f) {
  OwnStream stream;
  check_unknowns(c, c.f);
  const std::vector<Tensor> twice = repeated(c.args, 2);
  RecordedRegion solve = record(c, c.f, c.args), equation = record(c, f.equation, c.args);
  check_same(c, equation, f.equation, "f");
  check_same(c, solve, c.f, "solve");
  RecordedRegion product = record(c, f.matvec, twice), tangent = record(c, f.tangent_solve, twice), back;
  check_same(c, tangent, f.tangent_solve, "tangent_solve");
  std::vector<RecordedRegion*> all = {&solve, &equation, &product, &tangent};
  if (*f.uses_matvec) {
    back = record(c, f.transposed_solve, twice);
    all.push_back(&back);
  }
  if (c.args.empty()) return {};
  CapturedInputs captured(all);
  const std::vector<ir::Type> once = types_of(c.args), both = types_of(twice);
  std::vector<Graph> transposes;
  if (*f.uses_matvec) transposes.push_back(captured.region(back, both));
  ir::Attrs attrs;
  attrs.add(captured.region(solve, once)).add(captured.region(equation, once)).add(captured.region(product, both));
  attrs.add(captured.region(tangent, both)).add(transposes).add(static_cast<int64_t>(captured.size()));
  return emit(c, ir::Op::custom_root_op, captured, attrs, c.args.size());
}

Leaves checkpoint(const Custom& c) {
  OwnStream stream;
  RecordedRegion body = record(c, c.f, c.args);
  if (body.recording.outputs.values.empty()) return {};
  RecordedRegion* all[] = {&body};
  CapturedInputs captured(all);
  Graph region = captured.region(body, types_of(c.args));
  return emit(c, ir::Op::checkpoint_op, captured, ir::Attrs().add(region).add(int64_t{0}),
              body.recording.outputs.values.size());
}

Leaves custom_jvp(const Custom& c, Fn rule) {
  OwnStream stream;
  RecordedRegion body = record(c, c.f, c.args);
  std::vector<Tensor> twice(c.args.begin(), c.args.end());
  twice.insert(twice.end(), c.args.begin(), c.args.end());
  RecordedRegion derivative = record(c, rule, twice, body.recording.outputs.values.size());
  std::vector<ir::Type> expected = types_of(body.recording.outputs.values);
  size_t results = expected.size();
  expected.insert(expected.end(), expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(results));
  check_types(c, rule, "the rule", expected, types_of(derivative.recording.outputs.values));
  if (results == 0) return {};
  RecordedRegion* all[] = {&body, &derivative};
  CapturedInputs captured(all);
  ir::Attrs attrs;
  attrs.add(captured.region(body, types_of(c.args))).add(captured.region(derivative, types_of(twice)));
  attrs.add(static_cast<int64_t>(captured.size()));
  return emit(c, ir::Op::custom_jvp_op, captured, attrs, results);
}

Leaves custom_vjp(const Custom& c, Fn forward, Backward backward) {
  OwnStream stream;
  RecordedRegion body = record(c, c.f, c.args);
  RecordedRegion ahead = record(c, forward, c.args, body.recording.outputs.values.size());
  const Leaves &values = body.recording.outputs.values, &made = ahead.recording.outputs.values;
  size_t results = values.size();
  std::vector<ir::Type> expected = types_of(values), given = types_of(made), cotangents, floating;
  if (made.size() < results) refuse(c, "fwd must return what f does, and residuals");
  check_types(c, forward, "fwd", expected, std::span(given).first(results));
  Leaves shapes;
  Fn back = backward.fn(backward.self, shapes);
  RecordedRegion behind = record(c, back, shapes);
  for (const Tensor& t : c.args) cotangents.push_back(type_of(t));
  check_types(c, back, "bwd", cotangents, types_of(behind.recording.outputs.values));
  if (results == 0) return {};
  RecordedRegion* all[] = {&body, &ahead, &behind};
  CapturedInputs captured(all);
  Graph rule = captured.region(behind, types_of(shapes));
  // Of arguments that have no derivative the rule's result is dropped.
  const ir::GraphData& g = rule.data();
  ir::Builder b(g.name());
  std::vector<Value> outputs, made_outputs = passes::inline_graph(b, g, passes::params_like(b, g));
  for (size_t i = 0; i < c.args.size(); ++i)
    if (is_floating(c.args[i].impl()->dtype())) outputs.push_back(made_outputs[i]);
  ir::Attrs attrs;
  attrs.add(captured.region(body, types_of(c.args))).add(captured.region(ahead, types_of(c.args)));
  attrs.add(b.finish(outputs)).add(static_cast<int64_t>(captured.size()));
  return emit(c, ir::Op::custom_vjp_op, captured, attrs, results);
}

}  // namespace jot::detail
