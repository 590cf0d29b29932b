// Ops that run as their body and mean something to derivatives alone: rules that the user gives, and what is computed
// again rather than kept. What is left of them when all transforms are done is inlined (passes/inline_bodies).
#include <algorithm>

#include "ir/ops/classes.h"
#include "ir/ops/evaluate.h"
#include "ir/ops/regions.h"

namespace jot::ir {
namespace {

// ---- checkpoint(x...): its derivative computes what it needs anew, in a body of its own, when the cotangents are
// there

void infer_checkpoint(const InferContext& c, std::vector<Type>& results) {
  infer_body(c, results);
  if (int64_t n = c.attrs.integer(Key::waits); n < 0 || n > static_cast<int64_t>(c.operands.size()))
    c.shape_error("expected at most as many operands that are waited for as there are, got " + std::to_string(n));
}

Graph body_of_checkpoint(AttrView a, const RuleContext& regions) {
  const GraphData& g = body_of(a).data();
  auto waits = static_cast<size_t>(a.integer(Key::waits));
  if (waits == 0) return body_of(a);
  Builder b(g.name());
  std::vector<Value> args;
  for (Value v : g.inputs()) args.push_back(b.param(g.type(v)));
  const std::vector<Value> awaited(args.end() - static_cast<std::ptrdiff_t>(waits), args.end());
  for (size_t i = 0; i + waits < args.size(); ++i)
    args[i] = b.emit(Op::after_op, joined(std::span(&args[i], 1), awaited));
  return b.finish(regions.inlined(b, body_of(a), args));
}

// (primals, tangents of the active ones) -> tangents of the active results
Graph tangent_body(const JvpContext& c, const RuleContext::Split& split, std::span<const uint8_t> active) {
  const GraphData& g = body_of(c.attrs).data();
  Builder b(g.name());
  std::vector<Value> primals, tangents;
  for (Value v : g.inputs()) primals.push_back(b.param(g.type(v)));
  for (size_t i = 0; i < active.size(); ++i)
    if (active[i]) tangents.push_back(b.param(g.type(g.inputs()[i])));
  std::vector<Value> values = c.regions.inlined(b, split.primal, primals);
  auto residuals = std::span(values).last(split.num_residuals);
  return c.regions.simplified(b.finish(c.regions.inlined(b, split.map, joined(residuals, tangents))));
}

void jvp_checkpoint(const JvpContext& c, std::span<Value> tangents) {
  std::vector<uint8_t> active;
  std::vector<Value> operands(c.primals.begin(), c.primals.end());
  for (size_t i = 0; i < c.primals.size(); ++i) {
    active.push_back(c.has(i));
    if (c.has(i)) operands.push_back(c.tangents[i]);
  }
  RuleContext::Split split = c.regions.split(body_of(c.attrs), active, c.zeros);
  if (std::ranges::find(split.active_results, 1) == split.active_results.end()) return;
  Value next = c.b.emit(c.op, operands, Attrs().add(tangent_body(c, split, active)).add(int64_t{0}));
  for (size_t k = 0; k < tangents.size(); ++k)
    if (split.active_results[k]) tangents[k] = next++;
}

void transpose_checkpoint(const TransposeContext& c) {
  std::vector<uint8_t> linear, has_ct;
  std::vector<Value> operands;
  for (size_t i = 0; i < c.operands.size(); ++i) {
    linear.push_back(c.linear(i));
    if (!c.linear(i)) operands.push_back(c.operands[i]);
  }
  const size_t known = operands.size();
  for (Value ct : c.cts) {
    has_ct.push_back(ct != kNoValue);
    if (ct != kNoValue) operands.push_back(ct);
  }
  RuleContext::Transposed t = c.regions.transposed(body_of(c.attrs), linear, has_ct);
  if (std::ranges::find(t.connected, 1) == t.connected.end()) return;
  auto waits = static_cast<int64_t>(operands.size() - known);
  Value next = c.b.emit(c.op, operands, Attrs().add(t.graph).add(waits));
  for (size_t i = 0, k = 0; i < linear.size(); ++i)
    if (linear[i] && t.connected[k++]) c.cotangents[i] = next++;
}

void batch_checkpoint(const BatchContext& c, std::span<Value> results, std::span<bool> batched) {
  const std::vector<uint8_t> lanes(c.batched.begin(), c.batched.end());
  RuleContext::Batch body = c.regions.batched(body_of(c.attrs), lanes, c.size, c.randomness, {});
  Value next = c.b.emit(c.op, c.operands, Attrs().add(body.graph).add(c.attrs.integer(Key::waits)));
  for (size_t k = 0; k < results.size(); ++k) {
    results[k] = next++;
    batched[k] = body.results_batched[k] != 0;
  }
}

Trimmed trim_checkpoint(const TrimContext& c) {
  Trimmed result{{}, needed_inputs(body_of(c.attrs), c.used), {c.used.begin(), c.used.end()}};
  auto awaited = std::span(result.operands).last(static_cast<size_t>(c.attrs.integer(Key::waits)));
  result.attrs = Attrs().add(c.regions.part(body_of(c.attrs), c.used, result.operands));
  result.attrs.add(int64_t{std::ranges::count(awaited, 1)});
  return result;
}

// ---- custom_jvp(consts, x...): rule(consts, x, tangents of x) -> results, their tangents

void refuse_consts(const JvpContext& c, size_t consts) {
  for (size_t i = 0; i < consts; ++i)
    if (c.has(i))
      throw TransformError("[" + std::string(name_of(c.op)) +
                           "] the function captures a tensor that is differentiated: its rule does not know of it; "
                           "pass the tensor as an argument" +
                           at(c.b.location()));
}

void infer_custom_jvp(const InferContext& c, std::vector<Type>& results) {
  infer_body(c, results);
  auto consts = static_cast<size_t>(c.attrs.integer(Key::consts));
  if (consts > c.operands.size()) c.shape_error("more constants than operands");
  const Graph& rule = c.attrs.region(Key::rule);
  expect_pure(c, "the rule", rule);
  std::vector<const Type*> expected(c.operands.begin(), c.operands.end()), twice;
  for (const Type* t : c.operands.subspan(consts)) expected.push_back(t);
  expect_types(c, "parameters of the rule", expected, types_of(rule.data(), rule.data().inputs()));
  for (int i = 0; i < 2; ++i)
    for (const Type& t : results) twice.push_back(&t);
  expect_types(c, "results of the rule", twice, types_of(rule.data(), rule.data().outputs()));
}

void jvp_custom_jvp(const JvpContext& c, std::span<Value> tangents) {
  auto consts = static_cast<size_t>(c.attrs.integer(Key::consts));
  refuse_consts(c, consts);
  std::vector<Value> args(c.primals.begin(), c.primals.end());
  for (size_t i = consts; i < c.primals.size(); ++i)
    args.push_back(build::or_zeros(c.b, c.tangents[i], c.b.type(c.primals[i])));
  std::vector<Value> values = c.regions.inlined(c.b, c.attrs.region(Key::rule), args);
  for (size_t k = 0; k < tangents.size(); ++k) {
    c.outs[k] = values[k];
    tangents[k] = values[tangents.size() + k];
  }
}

void batch_custom_jvp(const BatchContext& c, std::span<Value> results, std::span<bool>) {
  auto consts = static_cast<size_t>(c.attrs.integer(Key::consts));
  std::vector<uint8_t> lanes(c.batched.begin(), c.batched.end()), all(results.size(), 1), twice(2 * results.size(), 1);
  Graph body = c.regions.batched(body_of(c.attrs), lanes, c.size, c.randomness, all).graph;
  lanes.insert(lanes.end(), lanes.begin() + static_cast<std::ptrdiff_t>(consts), lanes.end());
  Graph rule = c.regions.batched(c.attrs.region(Key::rule), lanes, c.size, c.randomness, twice).graph;
  Value next = c.b.emit(c.op, c.operands, Attrs().add(body).add(rule).add(static_cast<int64_t>(consts)));
  for (Value& r : results) r = next++;
}

// ---- custom_vjp(consts, x...): forward(consts, x) -> results, residuals;
//      backward(consts, residuals, cotangents of the results) -> cotangents of the floating x

void infer_custom_vjp(const InferContext& c, std::vector<Type>& results) {
  infer_body(c, results);
  auto consts = static_cast<size_t>(c.attrs.integer(Key::consts));
  if (consts > c.operands.size()) c.shape_error("more constants than operands");
  const Graph &forward = c.attrs.region(Key::forward), &backward = c.attrs.region(Key::reverse_rule);
  expect_pure(c, "the forward rule", forward);
  expect_pure(c, "the backward rule", backward);
  const GraphData& f = forward.data();
  expect_types(c, "parameters of the forward rule", c.operands, types_of(f, f.inputs()));
  std::vector<const Type*> given = types_of(f, f.outputs()), expected, cotangents;
  for (const Type& t : results) expected.push_back(&t);
  if (given.size() < results.size()) c.shape_error("the forward rule has fewer results than the body");
  expect_types(c, "results of the forward rule", expected, std::span(given).first(results.size()));
  expected.assign(c.operands.begin(), c.operands.begin() + static_cast<std::ptrdiff_t>(consts));
  expected.insert(expected.end(), given.begin() + static_cast<std::ptrdiff_t>(results.size()), given.end());
  for (const Type& t : results) expected.push_back(&t);
  expect_types(c, "parameters of the backward rule", expected, types_of(backward.data(), backward.data().inputs()));
  for (const Type* t : c.operands.subspan(consts))
    if (is_floating(t->dtype)) cotangents.push_back(t);
  expect_types(c, "results of the backward rule", cotangents, types_of(backward.data(), backward.data().outputs()));
}

void jvp_custom_vjp(const JvpContext& c, std::span<Value> tangents) {
  auto consts = static_cast<size_t>(c.attrs.integer(Key::consts));
  refuse_consts(c, consts);
  std::vector<Value> values = c.regions.inlined(c.b, c.attrs.region(Key::forward), c.primals), operands;
  for (size_t i = 0; i < consts; ++i) operands.push_back(c.primals[i]);
  operands.insert(operands.end(), values.begin() + static_cast<std::ptrdiff_t>(tangents.size()), values.end());
  auto known = static_cast<int64_t>(operands.size());
  for (size_t i = consts; i < c.primals.size(); ++i)
    if (is_floating(c.b.dtype(c.primals[i])))
      operands.push_back(build::or_zeros(c.b, c.tangents[i], c.b.type(c.primals[i])));
  Value next = c.b.emit(Op::pushforward_op, operands, Attrs().add(c.attrs.region(Key::reverse_rule)).add(known));
  for (size_t k = 0; k < tangents.size(); ++k) {
    c.outs[k] = values[k];
    tangents[k] = next++;
  }
}

void batch_custom_vjp(const BatchContext& c, std::span<Value> results, std::span<bool>) {
  auto consts = static_cast<size_t>(c.attrs.integer(Key::consts));
  std::vector<uint8_t> lanes(c.batched.begin(), c.batched.end()), all(results.size(), 1);
  Graph body = c.regions.batched(body_of(c.attrs), lanes, c.size, c.randomness, all).graph;
  const Graph& backward = c.attrs.region(Key::reverse_rule);
  std::vector<uint8_t> everything(c.attrs.region(Key::forward).data().outputs().size(), 1);
  Graph forward = c.regions.batched(c.attrs.region(Key::forward), lanes, c.size, c.randomness, everything).graph;
  std::vector<uint8_t> inputs(backward.data().inputs().size(), 1), outputs(backward.data().outputs().size(), 1);
  std::copy_n(lanes.begin(), consts, inputs.begin());
  // The cotangent of what has no lanes is summed over them.
  Graph lanewise = c.regions.batched(backward, inputs, c.size, c.randomness, outputs).graph;
  Builder b(lanewise.data().name());
  std::vector<Value> params, made;
  for (Value v : lanewise.data().inputs()) params.push_back(b.param(lanewise.data().type(v)));
  std::vector<Value> values = c.regions.inlined(b, lanewise, params);
  const std::vector<int64_t> front = {0};
  for (size_t i = consts, next = 0; i < c.operands.size(); ++i) {
    if (!is_floating(c.b.dtype(c.operands[i]))) continue;
    Value ct = values[next++];
    made.push_back(lanes[i] ? ct : build::reduce_sum(b, ct, front));
  }
  Value next =
      c.b.emit(c.op, c.operands, Attrs().add(body).add(forward).add(b.finish(made)).add(static_cast<int64_t>(consts)));
  for (Value& r : results) r = next++;
}

// ---- pushforward(known, tangents): the tangents of a custom_vjp's results, whose transpose is its backward rule

std::vector<uint8_t> after(size_t known, size_t all) {
  std::vector<uint8_t> flags(all, 1);
  std::fill_n(flags.begin(), known, 0);
  return flags;
}

// The transpose of the rule, by way of its own linearity in the cotangents.
Graph body_of_pushforward(AttrView a, const RuleContext& regions) {
  const Graph& backward = a.region(Key::reverse_rule);
  const GraphData& g = backward.data();
  auto known = static_cast<size_t>(a.integer(Key::consts));
  const std::vector<uint8_t> every(g.outputs().size(), 1);
  RuleContext::Transposed t;
  try {
    t = regions.transposed(backward, after(known, g.inputs().size()), every);
  } catch (const TransformError& e) {
    throw TransformError(
        "[custom_vjp] the backward rule is not linear in the cotangent, so it has no forward mode (write custom_jvp "
        "for that): " +
        std::string(e.what()));
  }
  Builder b(g.name());
  std::vector<Value> args;
  for (size_t i = 0; i < known; ++i) args.push_back(b.param(g.type(g.inputs()[i])));
  for (Value o : g.outputs()) args.push_back(b.param(g.type(o)));
  std::vector<Value> made = regions.inlined(b, t.graph, args), outputs;
  for (size_t k = known, next = 0, at = 0; k < g.inputs().size(); ++k)
    outputs.push_back(t.connected[next++] ? made[at++] : build::zeros(b, g.type(g.inputs()[k])));
  return b.finish(outputs);
}

void infer_pushforward(const InferContext& c, std::vector<Type>& results) {
  const Graph& backward = c.attrs.region(Key::reverse_rule);
  const GraphData& g = backward.data();
  expect_pure(c, "the backward rule", backward);
  auto known = static_cast<size_t>(c.attrs.integer(Key::consts));
  if (known > c.operands.size() || known > g.inputs().size()) c.shape_error("more constants than operands");
  std::vector<const Type*> inputs = types_of(g, g.inputs());
  expect_types(c, "constants of the backward rule", c.operands.first(known), std::span(inputs).first(known));
  expect_types(c, "results of the backward rule", c.operands.subspan(known), types_of(g, g.outputs()));
  for (const Type* t : std::span(inputs).subspan(known)) results.push_back(*t);
  if (results.empty()) c.shape_error("expected at least one result");
}

void jvp_pushforward(const JvpContext& c, std::span<Value> tangents) {
  std::vector<uint8_t> active;
  std::vector<Value> directions;
  for (size_t i = 0; i < c.primals.size(); ++i) {
    active.push_back(c.has(i));
    if (c.has(i)) directions.push_back(c.tangents[i]);
  }
  RuleContext::Split split = c.regions.split(body_of_pushforward(c.attrs, c.regions), active, c.zeros);
  std::vector<Value> values = c.regions.inlined(c.b, split.primal, c.primals);
  auto residuals = std::span(values).last(split.num_residuals);
  std::vector<Value> made = c.regions.inlined(c.b, split.map, joined(residuals, directions));
  for (size_t k = 0, next = 0; k < tangents.size(); ++k)
    if (split.active_results[k]) tangents[k] = made[next++];
}

void transpose_pushforward(const TransposeContext& c) {
  const Graph& backward = c.attrs.region(Key::reverse_rule);
  auto known = static_cast<size_t>(c.attrs.integer(Key::consts));
  std::vector<Value> args(c.operands.begin(), c.operands.begin() + static_cast<std::ptrdiff_t>(known));
  for (size_t k = 0; k < c.cts.size(); ++k)
    args.push_back(build::or_zeros(c.b, c.cts[k], backward.data().type(backward.data().inputs()[known + k])));
  std::vector<Value> made = c.regions.inlined(c.b, backward, args);
  for (size_t i = known; i < c.operands.size(); ++i)
    if (c.linear(i)) c.cotangents[i] = made[i - known];
}

void batch_pushforward(const BatchContext& c, std::span<Value> results, std::span<bool>) {
  const Graph& backward = c.attrs.region(Key::reverse_rule);
  auto known = static_cast<size_t>(c.attrs.integer(Key::consts));
  std::vector<uint8_t> lanes(c.batched.begin(), c.batched.begin() + static_cast<std::ptrdiff_t>(known));
  lanes.resize(backward.data().inputs().size(), 1);
  const std::vector<uint8_t> all(backward.data().outputs().size(), 1);
  Graph rule = c.regions.batched(backward, lanes, c.size, c.randomness, all).graph;
  std::vector<Value> operands(c.operands.begin(), c.operands.end());
  for (size_t i = known; i < operands.size(); ++i) operands[i] = c.materialised(i);
  Value next = c.b.emit(c.op, operands, Attrs().add(rule).add(static_cast<int64_t>(known)));
  for (Value& r : results) r = next++;
}

}  // namespace

void define_custom(RuleTable& table) {
  constexpr auto by_rule = none("its rule is inlined before");
  table.define(Op::checkpoint_op, {.infer = infer_checkpoint,
                                   .eval = evaluate_body,
                                   .jvp = jvp_checkpoint,
                                   .transpose = transpose_checkpoint,
                                   .batch = batch_checkpoint,
                                   .trim = trim_checkpoint,
                                   .body = body_of_checkpoint});
  table.define(Op::custom_jvp_op, {.infer = infer_custom_jvp,
                                   .eval = evaluate_body,
                                   .jvp = jvp_custom_jvp,
                                   .transpose = by_rule,
                                   .batch = batch_custom_jvp,
                                   .body = own_body});
  table.define(Op::custom_vjp_op, {.infer = infer_custom_vjp,
                                   .eval = evaluate_body,
                                   .jvp = jvp_custom_vjp,
                                   .transpose = by_rule,
                                   .batch = batch_custom_vjp,
                                   .body = own_body});
  table.define(Op::pushforward_op, {.infer = infer_pushforward,
                                    .eval = evaluate_body,
                                    .jvp = jvp_pushforward,
                                    .transpose = transpose_pushforward,
                                    .batch = batch_pushforward,
                                    .body = body_of_pushforward});
}

}  // namespace jot::ir
