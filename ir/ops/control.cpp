// Ops with regions. A rule of such an op makes new regions of the old ones and emits the op again.
#include <algorithm>

#include "ir/ops/classes.h"
#include "ir/ops/evaluate.h"
#include "ir/ops/regions.h"

namespace jot::ir {
namespace {

// ---- cond: index, operands

size_t num_branches(AttrView attrs) { return attrs.num_regions(Key::branches); }
const Graph& branch(AttrView attrs, size_t i) { return attrs.region(Key::branches, i); }

void infer_cond(const InferContext& c, std::vector<Type>& results) {
  if (*c.operands[0] != Type{DType::i64, false, {}})
    c.shape_error("the index must be i64[], got " + to_string(*c.operands[0]));
  if (num_branches(c.attrs) == 0) c.shape_error("expected at least one branch");
  const GraphData& first = branch(c.attrs, 0).data();
  for (size_t i = 0; i < num_branches(c.attrs); ++i) {
    const GraphData& g = branch(c.attrs, i).data();
    std::string name = "branch " + std::to_string(i);
    expect_pure(c, name, branch(c.attrs, i));
    expect_types(c, "parameters of " + name, c.operands.subspan(1), types_of(g, g.inputs()));
    expect_types(c, "results of " + name, types_of(first, first.outputs()), types_of(g, g.outputs()));
  }
  if (first.outputs().empty()) c.shape_error("expected at least one result");
  for (Value o : first.outputs()) results.push_back(first.type(o));
}

void evaluate_cond(const EvalContext& c) {
  auto last = static_cast<int64_t>(num_branches(c.attrs)) - 1;
  auto chosen = static_cast<size_t>(std::clamp<int64_t>(c.operands[0].as<int64_t>()[0], 0, last));
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (const Array& a : c.operands.subspan(1)) inputs.push_back(a.data);
  for (std::byte* out : c.outs) outputs.push_back(out);
  c.evaluate(branch(c.attrs, chosen), inputs, outputs);
}

// Residuals of several branches in common slots: each branch fills those of its own.
class Slots {
 public:
  // Takes a slot of this type that the branch has not taken yet.
  size_t take(const Type& type, std::vector<uint8_t>& taken) {
    size_t i = 0;
    while (i < types_.size() && (types_[i] != type || (i < taken.size() && taken[i]))) ++i;
    if (i == types_.size()) types_.push_back(type);
    taken.resize(types_.size(), 0);
    taken[i] = 1;
    return i;
  }
  const std::vector<Type>& types() const { return types_; }

 private:
  std::vector<Type> types_;
};

// The derivative in two steps: a cond that also gives the residuals of the branch taken, a cond of the linear maps.
class CondJvp {
 public:
  explicit CondJvp(const JvpContext& c) : c_(c) {
    for (size_t i = 1; i < c.primals.size(); ++i) active_.push_back(c.has(i));
  }

  void run(std::span<Value> tangents) {
    active_results_.assign(tangents.size(), 0);
    for (size_t i = 0; i < num_branches(c_.attrs); ++i) {
      splits_.push_back(c_.regions.split(branch(c_.attrs, i), active_, c_.zeros));
      place_residuals(splits_.back());
      for (size_t k = 0; k < tangents.size(); ++k) active_results_[k] |= splits_.back().active_results[k];
    }
    std::vector<Graph> primal, map;
    for (size_t i = 0; i < splits_.size(); ++i) {
      primal.push_back(primal_branch(i));
      map.push_back(map_branch(i));
    }
    Builder& b = c_.b;
    Value first = b.emit(c_.op, c_.primals, Attrs().add(primal));
    for (size_t k = 0; k < tangents.size(); ++k) c_.outs[k] = first + static_cast<Value>(k);
    if (std::ranges::find(active_results_, 1) == active_results_.end()) return;
    std::vector<Value> operands = {c_.primals[0]};
    for (size_t s = 0; s < slots_.types().size(); ++s)
      operands.push_back(first + static_cast<Value>(tangents.size() + s));
    for (size_t i = 1; i < c_.primals.size(); ++i)
      if (c_.has(i)) operands.push_back(c_.tangents[i]);
    Value next = b.emit(c_.op, operands, Attrs().add(map));
    for (size_t k = 0; k < tangents.size(); ++k)
      if (active_results_[k]) tangents[k] = next++;
  }

 private:
  void place_residuals(const RuleContext::Split& split) {
    const GraphData& g = split.map.data();
    std::vector<uint8_t> taken;
    slot_of_.emplace_back();
    for (size_t r = 0; r < split.num_residuals; ++r)
      slot_of_.back().push_back(slots_.take(g.type(g.inputs()[r]), taken));
  }

  // x -> y, slots
  Graph primal_branch(size_t i) const {
    const GraphData& g = splits_[i].primal.data();
    Builder b(g.name());
    std::vector<Type> types;
    for (Value v : g.inputs()) types.push_back(g.type(v));
    std::vector<Value> values = c_.regions.inlined(b, splits_[i].primal, params(b, types));
    size_t results = values.size() - splits_[i].num_residuals;
    std::vector<Value> outputs(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(results));
    outputs.resize(results + slots_.types().size(), kNoValue);
    for (size_t r = 0; r < slot_of_[i].size(); ++r) outputs[results + slot_of_[i][r]] = values[results + r];
    for (size_t s = 0; s < slots_.types().size(); ++s)
      if (outputs[results + s] == kNoValue) outputs[results + s] = build::zeros(b, slots_.types()[s]);
    return b.finish(outputs);
  }

  // slots, tangents -> tangents
  Graph map_branch(size_t i) const {
    const RuleContext::Split& split = splits_[i];
    const GraphData& g = split.map.data();
    Builder b(g.name());
    std::vector<Value> slots = params(b, slots_.types()), args, outputs;
    for (size_t slot : slot_of_[i]) args.push_back(slots[slot]);
    for (size_t k = split.num_residuals; k < g.inputs().size(); ++k) args.push_back(b.param(g.type(g.inputs()[k])));
    std::vector<Value> tangents = c_.regions.inlined(b, split.map, args);
    size_t next = 0;
    for (size_t k = 0; k < active_results_.size(); ++k) {
      if (!active_results_[k]) continue;
      bool own = split.active_results[k] != 0;
      outputs.push_back(own ? tangents[next++] : build::zeros(b, c_.b.type(c_.out + static_cast<Value>(k))));
    }
    return b.finish(outputs);
  }

  const JvpContext& c_;
  std::vector<uint8_t> active_, active_results_;
  std::vector<RuleContext::Split> splits_;
  Slots slots_;
  std::vector<std::vector<size_t>> slot_of_;  // of each branch's residuals
};

void jvp_cond(const JvpContext& c, std::span<Value> tangents) { CondJvp(c).run(tangents); }

void transpose_cond(const TransposeContext& c) {
  std::vector<uint8_t> linear, has_ct, connected;
  std::vector<Value> operands = {c.operands[0]};
  for (size_t i = 1; i < c.operands.size(); ++i) {
    linear.push_back(c.linear(i));
    if (!c.linear(i)) operands.push_back(c.operands[i]);
  }
  for (Value ct : c.cts) {
    has_ct.push_back(ct != kNoValue);
    if (ct != kNoValue) operands.push_back(ct);
  }
  std::vector<RuleContext::Transposed> transposed;
  for (size_t i = 0; i < num_branches(c.attrs); ++i) {
    transposed.push_back(c.regions.transposed(branch(c.attrs, i), linear, has_ct));
    connected.resize(transposed.back().connected.size(), 0);
    for (size_t k = 0; k < connected.size(); ++k) connected[k] |= transposed.back().connected[k];
  }
  if (std::ranges::find(connected, 1) == connected.end()) return;
  std::vector<size_t> position;  // of each linear operand
  for (size_t i = 0; i < linear.size(); ++i)
    if (linear[i]) position.push_back(i + 1);
  std::vector<Graph> branches;
  for (const RuleContext::Transposed& t : transposed) {
    const GraphData& g = t.graph.data();
    Builder b(g.name());
    std::vector<Type> types;
    for (Value v : g.inputs()) types.push_back(g.type(v));
    std::vector<Value> cotangents = c.regions.inlined(b, t.graph, params(b, types)), outputs;
    size_t next = 0;
    for (size_t k = 0; k < connected.size(); ++k)
      if (connected[k]) outputs.push_back(t.connected[k] ? cotangents[next++] : build::zeros(b, *c.types[position[k]]));
    branches.push_back(b.finish(outputs));
  }
  Value next = c.b.emit(c.op, operands, Attrs().add(branches));
  for (size_t k = 0; k < connected.size(); ++k)
    if (connected[k]) c.cotangents[position[k]] = next++;
}

// An index for all lanes stays a branch.
void batch_branches(const BatchContext& c, std::span<const uint8_t> lanes, std::span<Value> results,
                    std::span<bool> batched) {
  std::vector<uint8_t> with_lanes(results.size(), 0);
  std::vector<Graph> branches;
  for (size_t i = 0; i < num_branches(c.attrs); ++i) {
    auto once = c.regions.batched(branch(c.attrs, i), lanes, c.size, c.randomness, {});
    for (size_t k = 0; k < results.size(); ++k) with_lanes[k] |= once.results_batched[k];
  }
  for (size_t i = 0; i < num_branches(c.attrs); ++i)
    branches.push_back(c.regions.batched(branch(c.attrs, i), lanes, c.size, c.randomness, with_lanes).graph);
  Value next = c.b.emit(c.op, c.operands, Attrs().add(branches));
  for (size_t k = 0; k < results.size(); ++k) {
    results[k] = next++;
    batched[k] = with_lanes[k] != 0;
  }
}

// An index with lanes: all branches run, the results are selected. In the lanes that do not take a branch no data is at
// fault there, and what it sees carries no derivative, so that it cannot put NaN into a gradient.
void select_branches(const BatchContext& c, std::span<const uint8_t> lanes, std::span<Value> results) {
  Builder& b = c.b;
  Value index = c.operands[0];
  std::vector<uint8_t> with_lanes(results.size(), 1), all_lanes(lanes.size(), 1);
  size_t n = num_branches(c.attrs);
  for (size_t i = n; i-- > 0;) {
    auto position = build::constant_int(b, DType::i64, b.shape(index), static_cast<int64_t>(i));
    Direction direction = i == 0 ? Direction::le : i + 1 == n ? Direction::ge : Direction::eq;
    Value taken = n == 1 ? build::constant_int(b, DType::boolean, b.shape(index), 1)
                         : build::compare(b, index, position, direction);
    auto chosen = [&](Value x, Value y) {
      std::vector<int64_t> dims = {0};
      return build::where(b, build::broadcast(b, taken, b.shape(x), dims), x, y);
    };
    std::vector<Value> args;
    std::vector<uint8_t> batched(lanes.begin(), lanes.end());
    for (size_t k = 1; k < c.operands.size(); ++k) {
      Value x = c.operands[k];
      if (is_floating(b.dtype(x))) {
        x = c.materialised(k);
        x = chosen(x, b.emit(Op::stop_gradient_op, {x}));
        batched[k - 1] = 1;
      }
      args.push_back(x);
    }
    args.insert(args.begin(), taken);
    batched.insert(batched.begin(), 1);
    auto lanewise =
        c.regions.batched(c.regions.guarded(branch(c.attrs, i), 0), batched, c.size, c.randomness, with_lanes);
    std::vector<Value> values = c.regions.inlined(b, lanewise.graph, args);
    for (size_t k = 0; k < results.size(); ++k)
      results[k] = results[k] == kNoValue ? values[k] : chosen(values[k], results[k]);
  }
}

void batch_cond(const BatchContext& c, std::span<Value> results, std::span<bool> batched) {
  std::vector<uint8_t> lanes;
  for (size_t i = 1; i < c.operands.size(); ++i) lanes.push_back(c.batched[i]);
  c.batched[0] ? select_branches(c, lanes, results) : batch_branches(c, lanes, results, batched);
}

// Operand i + 1 is input i of every branch.
Trimmed trim_cond(const TrimContext& c) {
  Trimmed result;
  result.results.assign(c.used.begin(), c.used.end());
  result.operands.assign(c.num_operands, 0);
  result.operands[0] = 1;
  std::vector<Graph> branches;
  const std::vector<uint8_t> all_inputs(c.num_operands - 1, 1);
  for (size_t i = 0; i < num_branches(c.attrs); ++i) {
    branches.push_back(c.regions.part(branch(c.attrs, i), c.used, all_inputs));
    const std::vector<uint8_t> all_outputs(branches.back().data().outputs().size(), 1);
    std::vector<uint8_t> needed = needed_inputs(branches.back(), all_outputs);
    for (size_t k = 0; k < needed.size(); ++k) result.operands[k + 1] |= needed[k];
  }
  // Their nodes are those that are needed: another part() would go through nested choices twice at each level.
  for (Graph& branch : branches) {
    const GraphData& g = branch.data();
    Builder b(g.name());
    std::vector<Value> args(g.inputs().size(), kNoValue);
    for (size_t k = 0; k < args.size(); ++k)
      if (result.operands[k + 1]) args[k] = b.param(g.type(g.inputs()[k]), g.input_name(k));
    branch = b.finish(c.regions.inlined(b, branch, args));
  }
  result.attrs = Attrs().add(branches);
  return result;
}

}  // namespace

void define_control(RuleTable& table) {
  table.define(Op::cond_op, {.infer = infer_cond,
                             .eval = evaluate_cond,
                             .jvp = jvp_cond,
                             .transpose = transpose_cond,
                             .batch = batch_cond,
                             .trim = trim_cond});
}

}  // namespace jot::ir
