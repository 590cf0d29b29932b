#include "jot/custom.h"

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

RecordedRegion record(const Custom& c, Fn fn, std::span<const Tensor> args) {
  RecordedRegion r = record_region(c.api, fn, args, c.at, types_of(args));
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

}  // namespace

Leaves checkpoint(const Custom& c) {
  OwnStream stream;
  RecordedRegion body = record(c, c.f, c.args);
  if (body.recording.outputs.values.empty()) return {};
  RecordedRegion* all[] = {&body};
  CapturedInputs captured(all);
  Graph region = captured.region(body, types_of(c.args));
  return emit(c, ir::Op::checkpoint_op, captured, ir::Attrs().add(region), body.recording.outputs.values.size());
}

Leaves custom_jvp(const Custom& c, Fn rule) {
  OwnStream stream;
  RecordedRegion body = record(c, c.f, c.args);
  std::vector<Tensor> twice(c.args.begin(), c.args.end());
  twice.insert(twice.end(), c.args.begin(), c.args.end());
  RecordedRegion derivative = record(c, rule, twice);
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
  RecordedRegion body = record(c, c.f, c.args), ahead = record(c, forward, c.args);
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
