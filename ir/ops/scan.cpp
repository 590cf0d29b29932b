// scan: body(consts, carries, slices of the xs) -> carries, slices of the ys; once for each place along dim 0, from the
// last to the first with `reverse`.
#include <algorithm>
#include <memory>

#include "ir/dependence.h"
#include "ir/ops/classes.h"
#include "ir/ops/evaluate.h"
#include "ir/ops/regions.h"

namespace jot::ir {
namespace {

// What the operands and results of a scan are.
struct Parts {
  explicit Parts(AttrView a)
      : body(a.region(Key::body)),
        consts(static_cast<size_t>(a.integer(Key::consts))),
        carries(static_cast<size_t>(a.integer(Key::carries))),
        length(a.integer(Key::length)),
        reverse(a.integer(Key::reverse) != 0) {}
  size_t first_x() const { return consts + carries; }
  const Graph& body;
  size_t consts, carries;
  int64_t length;
  bool reverse;
};

Attrs scan_attrs(const Graph& body, int64_t length, bool reverse, size_t consts, size_t carries) {
  return Attrs()
      .add(body)
      .add(length)
      .add(int64_t{reverse})
      .add(static_cast<int64_t>(consts))
      .add(static_cast<int64_t>(carries));
}

Type stacked(const Type& type, int64_t length) {
  Type result = type;
  result.shape.insert(0, length);
  return result;
}

void infer_scan(const InferContext& c, std::vector<Type>& results) {
  int64_t consts = c.attrs.integer(Key::consts), carries = c.attrs.integer(Key::carries);
  if (consts < 0 || carries < 0 || consts + carries > static_cast<int64_t>(c.operands.size()))
    c.shape_error("expected " + std::to_string(consts) + " constants and " + std::to_string(carries) +
                  " carries, got " + std::to_string(c.operands.size()) + " operands");
  Parts p(c.attrs);
  if (p.length < 0) c.shape_error("negative length " + std::to_string(p.length));
  const GraphData& g = p.body.data();
  expect_pure(c, "the body", p.body);
  std::vector<Type> slices;
  std::vector<const Type*> expected;
  for (size_t i = p.first_x(); i < c.operands.size(); ++i) {
    Type slice = *c.operands[i];
    if (slice.shape.empty() || slice.shape[0] != p.length)
      c.shape_error("expected " + std::to_string(p.length) + " slices along dim 0, got " + to_string(slice));
    slice.shape.erase(0);
    slices.push_back(std::move(slice));
  }
  for (size_t i = 0; i < p.first_x(); ++i) expected.push_back(c.operands[i]);
  for (const Type& t : slices) expected.push_back(&t);
  expect_types(c, "parameters of the body", expected, types_of(g, g.inputs()));
  std::vector<const Type*> given = types_of(g, g.outputs());
  if (given.size() < p.carries)
    c.shape_error("the body has " + std::to_string(given.size()) + " results for " + std::to_string(p.carries) +
                  " carries");
  expect_types(c, "carries", c.operands.subspan(p.consts, p.carries), std::span(given).first(p.carries));
  if (given.empty()) c.shape_error("expected at least one result");
  for (size_t i = 0; i < given.size(); ++i) results.push_back(i < p.carries ? *given[i] : stacked(*given[i], p.length));
}

void evaluate_scan(const EvalContext& c) {
  Parts p(c.attrs);
  const GraphData& g = p.body.data();
  std::vector<std::unique_ptr<std::byte[]>> now, next;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (const Array& a : c.operands) inputs.push_back(a.data);
  for (size_t k = 0; k < p.carries; ++k) {
    auto bytes = static_cast<size_t>(bytes_of(*c.types[k]));
    now.emplace_back(new std::byte[bytes + 1]);
    next.emplace_back(new std::byte[bytes + 1]);
    copy_bytes(now[k].get(), c.operands[p.consts + k].data, bytes);
  }
  outputs.resize(c.outs.size());
  for (int64_t t = 0; t < p.length; ++t) {
    const int64_t at = p.reverse ? p.length - 1 - t : t;
    for (size_t k = 0; k < p.carries; ++k) {
      inputs[p.consts + k] = now[k].get();
      outputs[k] = next[k].get();
    }
    for (size_t i = p.first_x(); i < inputs.size(); ++i)
      inputs[i] = static_cast<const std::byte*>(c.operands[i].data) + at * bytes_of(g.type(g.inputs()[i]));
    for (size_t i = p.carries; i < outputs.size(); ++i) outputs[i] = c.outs[i] + at * bytes_of(g.type(g.outputs()[i]));
    c.evaluate(p.body, inputs, outputs);
    now.swap(next);
  }
  for (size_t k = 0; k < p.carries; ++k)
    copy_bytes(c.outs[k], now[k].get(), static_cast<size_t>(bytes_of(*c.types[k])));
}

// ---- the derivative: a scan that stacks residuals, and a scan of the linear map

class ScanJvp {
 public:
  explicit ScanJvp(const JvpContext& c) : c_(c), p_(c.attrs) {
    for (size_t i = 0; i < c.primals.size(); ++i) active_.push_back(c.has(i));
  }

  void run(std::span<Value> tangents) {
    // A carry has a tangent if its start has one, or a step gives it one.
    for (bool grown = true; grown;) {
      grown = false;
      split_ = c_.regions.split(p_.body, active_, c_.zeros);
      for (size_t k = 0; k < p_.carries; ++k)
        if (split_.active_results[k]) grown |= raised(active_[p_.consts + k]);
    }
    for (size_t k = 0; k < tangents.size(); ++k)
      active_results_.push_back(split_.active_results[k] || (k < p_.carries && active_[p_.consts + k]));
    if (std::ranges::find(active_results_, 1) == active_results_.end()) return;
    classify();
    emit_primal(tangents.size());
    emit_linear(tangents);
  }

 private:
  // Where the linear map finds a residual.
  struct Residual {
    Value value;  // what each step sees: loop invariant, or stacked
    bool invariant;
    size_t stack = 0;  // of a stacked one that the primal scan makes: its number
    bool made = false;
  };

  // An input of the body, a value that only constants make, or what a step leaves for the other scan.
  void classify() {
    const GraphData& g = split_.primal.data();
    size_t results = g.outputs().size() - split_.num_residuals;
    const std::vector<uint8_t> varies = dependents_from(g, p_.consts);
    std::vector<uint8_t> hoisted(g.outputs().size(), 0);
    for (size_t r = 0; r < split_.num_residuals; ++r) {
      Value v = g.outputs()[results + r];
      auto input = static_cast<size_t>(std::ranges::find(g.inputs(), v) - g.inputs().begin());
      if (input < p_.consts || (input >= p_.first_x() && input < g.inputs().size()))
        residuals_.push_back({c_.primals[input], input < p_.consts});
      else if (!varies[v])
        residuals_.push_back({kNoValue, true}), hoisted[results + r] = 1;
      else
        residuals_.push_back({kNoValue, false, stacks_.size(), true}), stacks_.push_back(results + r);
    }
    if (std::ranges::find(hoisted, 1) == hoisted.end()) return;
    std::vector<uint8_t> constant(g.inputs().size(), 0);
    std::fill_n(constant.begin(), p_.consts, 1);
    std::vector<Value> values =
        c_.regions.inlined(c_.b, c_.regions.part(split_.primal, hoisted, constant), c_.primals.first(p_.consts));
    size_t next = 0;
    for (size_t r = 0; r < split_.num_residuals; ++r)
      if (hoisted[results + r]) residuals_[r].value = values[next++];
  }

  void emit_primal(size_t results) {
    const GraphData& g = split_.primal.data();
    std::vector<uint8_t> kept(g.outputs().size(), 0), all(g.inputs().size(), 1);
    std::fill_n(kept.begin(), results, 1);
    for (size_t output : stacks_) kept[output] = 1;
    Graph body = c_.regions.part(split_.primal, kept, all);
    Value first = c_.b.emit(c_.op, c_.primals, scan_attrs(body, p_.length, p_.reverse, p_.consts, p_.carries));
    for (size_t k = 0; k < results; ++k) c_.outs[k] = first + static_cast<Value>(k);
    for (Residual& r : residuals_)
      if (r.made) r.value = first + static_cast<Value>(results + r.stack);
  }

  void emit_linear(std::span<Value> tangents) {
    const GraphData& g = split_.map.data();
    Builder b(g.name());
    std::vector<Value> operands, args(g.inputs().size(), kNoValue);
    auto type_of_input = [&](size_t i) { return p_.body.data().type(p_.body.data().inputs()[i]); };
    // The map takes residuals, then the tangents of the active inputs, in the order of the body.
    std::vector<size_t> place(c_.primals.size(), 0);
    for (size_t i = 0, next = split_.num_residuals; i < active_.size(); ++i)
      if (active_[i]) place[i] = next++;
    auto take_residuals = [&](bool invariant) {
      for (size_t r = 0; r < residuals_.size(); ++r) {
        if (residuals_[r].invariant != invariant) continue;
        args[r] = b.param(g.type(g.inputs()[r]));
        operands.push_back(residuals_[r].value);
      }
    };
    auto take_tangents = [&](size_t from, size_t to) {
      for (size_t i = from; i < to; ++i) {
        if (!active_[i]) continue;
        args[place[i]] = b.param(type_of_input(i));
        operands.push_back(c_.has(i) ? c_.tangents[i] : build::zeros(c_.b, c_.b.type(c_.primals[i])));
      }
    };
    take_residuals(true);
    take_tangents(0, p_.consts);
    size_t consts = operands.size();
    take_tangents(p_.consts, p_.first_x());
    size_t carries = operands.size() - consts;
    take_residuals(false);
    take_tangents(p_.first_x(), active_.size());
    std::vector<Value> made = c_.regions.inlined(b, split_.map, args), outputs;
    size_t next = 0;
    for (size_t k = 0; k < active_results_.size(); ++k) {
      Value own = split_.active_results[k] ? made[next++] : kNoValue;
      if (active_results_[k]) outputs.push_back(own != kNoValue ? own : build::zeros(b, type_of_input(p_.consts + k)));
    }
    Graph body = c_.regions.simplified(b.finish(outputs));
    Value result = c_.b.emit(c_.op, operands, scan_attrs(body, p_.length, p_.reverse, consts, carries));
    for (size_t k = 0; k < tangents.size(); ++k)
      if (active_results_[k]) tangents[k] = result++;
  }

  const JvpContext& c_;
  Parts p_;
  std::vector<uint8_t> active_, active_results_;
  RuleContext::Split split_;
  std::vector<Residual> residuals_;
  std::vector<size_t> stacks_;  // outputs of the primal region that are stacked
};

void jvp_scan(const JvpContext& c, std::span<Value> tangents) { ScanJvp(c).run(tangents); }

// The scan in the other direction: cotangents of the carries are carried, those of the constants summed, those of the
// xs stacked.
void transpose_scan(const TransposeContext& c) {
  Parts p(c.attrs);
  const GraphData& g = p.body.data();
  size_t inputs = c.operands.size(), results = c.cts.size();
  std::vector<uint8_t> linear, has_ct;
  for (size_t i = 0; i < inputs; ++i) linear.push_back(c.linear(i));
  for (Value ct : c.cts) has_ct.push_back(ct != kNoValue);
  // So is a carry that starts with a constant, the zero of a tangent, where a step makes it of what is linear.
  for (bool grown = true; grown;) {
    grown = false;
    std::vector<uint8_t> depends = dependent_outputs(p.body, linear);
    for (size_t k = 0; k < p.carries; ++k)
      if (depends[k]) grown |= raised(linear[p.consts + k]);
  }
  RuleContext::Transposed t;
  std::vector<uint8_t> connected;  // one an input
  for (bool grown = true; grown;) {
    grown = false;
    t = c.regions.transposed(p.body, linear, has_ct);
    connected.assign(inputs, 0);
    for (size_t i = 0, next = 0; i < inputs; ++i) {
      if (!linear[i]) continue;
      connected[i] = t.connected[next++];
      bool carry = i >= p.consts && i < p.first_x();
      if (carry && connected[i]) grown |= raised(has_ct[i - p.consts]);
    }
  }
  auto type_of_input = [&](size_t i) -> const Type& { return g.type(g.inputs()[i]); };
  Builder b(g.name());
  std::vector<Value> operands, known(inputs, kNoValue), cts(results, kNoValue), sums(inputs, kNoValue);
  auto take_known = [&](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      if (linear[i]) continue;
      known[i] = b.param(type_of_input(i));
      operands.push_back(c.operands[i]);
    }
  };
  take_known(0, p.consts);
  size_t consts = operands.size();
  for (size_t k = 0; k < p.carries; ++k) {
    if (!has_ct[k]) continue;
    cts[k] = b.param(type_of_input(p.consts + k));
    operands.push_back(c.cts[k] != kNoValue ? c.cts[k] : build::zeros(c.b, type_of_input(p.consts + k)));
  }
  for (size_t i = 0; i < p.consts; ++i) {
    if (!connected[i]) continue;
    sums[i] = b.param(type_of_input(i));
    operands.push_back(build::zeros(c.b, type_of_input(i)));
  }
  size_t carries = operands.size() - consts;
  take_known(p.first_x(), inputs);
  for (size_t k = p.carries; k < results; ++k) {
    if (!has_ct[k]) continue;
    cts[k] = b.param(g.type(g.outputs()[k]));
    operands.push_back(c.cts[k]);
  }
  std::vector<Value> args, made(inputs, kNoValue), outputs;
  for (size_t i = 0; i < inputs; ++i)
    if (!linear[i]) args.push_back(known[i]);
  for (size_t k = 0; k < results; ++k)
    if (has_ct[k]) args.push_back(cts[k]);
  std::vector<Value> values = c.regions.inlined(b, t.graph, args);
  for (size_t i = 0, next = 0; i < inputs; ++i)
    if (connected[i]) made[i] = values[next++];
  for (size_t k = 0; k < p.carries; ++k)
    if (has_ct[k])
      outputs.push_back(connected[p.consts + k] ? made[p.consts + k] : build::zeros(b, type_of_input(p.consts + k)));
  for (size_t i = 0; i < p.consts; ++i)
    if (connected[i]) outputs.push_back(build::accumulated(b, sums[i], made[i]));
  for (size_t i = p.first_x(); i < inputs; ++i)
    if (connected[i]) outputs.push_back(made[i]);
  if (outputs.empty()) return;
  Graph body = c.regions.simplified(b.finish(outputs));
  Value next = c.b.emit(c.op, operands, scan_attrs(body, p.length, !p.reverse, consts, carries));
  for (size_t k = 0; k < p.carries; ++k)
    if (has_ct[k]) {
      Value ct = next++;
      if (c.linear(p.consts + k)) c.cotangents[p.consts + k] = ct;
    }
  for (size_t i = 0; i < p.consts; ++i)
    if (connected[i]) c.cotangents[i] = next++;
  for (size_t i = p.first_x(); i < inputs; ++i)
    if (connected[i]) c.cotangents[i] = next++;
}

// The same values with dims 0 and 1 exchanged.
Value exchanged(Builder& b, Value x) {
  std::vector<int64_t> perm = build::all_axes(b.shape(x).size());
  std::swap(perm[0], perm[1]);
  return build::permute(b, x, perm);
}

void batch_scan(const BatchContext& c, std::span<Value> results, std::span<bool> batched) {
  Parts p(c.attrs);
  std::vector<uint8_t> lanes(c.batched.begin(), c.batched.end()), with_lanes(results.size(), 0);
  RuleContext::Batch body;
  for (bool grown = true; grown;) {
    grown = false;
    for (size_t k = 0; k < p.carries; ++k) with_lanes[k] = lanes[p.consts + k];
    body = c.regions.batched(p.body, lanes, c.size, c.randomness, with_lanes);
    for (size_t k = 0; k < p.carries; ++k)
      if (body.results_batched[k]) grown |= raised(lanes[p.consts + k]);
  }
  std::vector<Value> operands;
  for (size_t i = 0; i < c.operands.size(); ++i) {
    Value x = c.operands[i];
    if (lanes[i] && !c.batched[i]) x = c.materialised(i);
    if (lanes[i] && i >= p.first_x()) x = exchanged(c.b, x);
    operands.push_back(x);
  }
  Value next = c.b.emit(c.op, operands, scan_attrs(body.graph, p.length, p.reverse, p.consts, p.carries));
  for (size_t k = 0; k < results.size(); ++k) {
    batched[k] = body.results_batched[k] != 0;
    results[k] = next++;
    if (batched[k] && k >= p.carries) results[k] = exchanged(c.b, results[k]);
  }
}

// A carry is needed where its end is used, or by what is needed of a step.
Trimmed trim_scan(const TrimContext& c) {
  Parts p(c.attrs);
  Trimmed result;
  result.results.assign(c.used.begin(), c.used.end());
  for (bool grown = true; grown;) {
    grown = false;
    result.operands = needed_inputs(p.body, result.results);
    for (size_t k = 0; k < p.carries; ++k) {
      uint8_t& needed = result.operands[p.consts + k];
      if (needed) grown |= raised(result.results[k]);
      needed |= result.results[k];
    }
  }
  auto count = [](std::span<const uint8_t> flags) { return static_cast<size_t>(std::ranges::count(flags, 1)); };
  std::span<const uint8_t> operands = result.operands, results = result.results;
  result.attrs = scan_attrs(c.regions.part(p.body, results, operands), p.length, p.reverse,
                            count(operands.first(p.consts)), count(results.first(p.carries)));
  return result;
}

}  // namespace

void define_scan(RuleTable& table) {
  table.define(Op::scan_op, {.infer = infer_scan,
                             .eval = evaluate_scan,
                             .jvp = jvp_scan,
                             .transpose = transpose_scan,
                             .batch = batch_scan,
                             .trim = trim_scan});
}

}  // namespace jot::ir
