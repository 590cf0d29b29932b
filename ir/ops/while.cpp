// while: stages that go over the same steps, one after the other. The first steps forward as long as the condition
// holds; later ones, which derivatives make, go back or forward over these steps and see, at each, the states with
// which the earlier stages entered it.
//
//   stage 0:  for t = 0, 1, ... while condition(consts, s0):  s0 = stages[0](consts, s0)
//   stage j:  for all t, down where backward[j]:              sj = stages[j](consts, s0 at t, ..., sj)
//
// Operands: constants, then the states of all stages; results: the last states. Derivatives and lanes make ops of the
// same kind: a tangent doubles each stage, a transpose adds one stage for each, going the other way.
#include <algorithm>
#include <memory>

#include "ir/ops/classes.h"
#include "ir/ops/evaluate.h"
#include "ir/ops/regions.h"

namespace jot::ir {
namespace {

struct Stages {
  explicit Stages(AttrView a)
      : attrs(a),
        consts(static_cast<size_t>(a.integer(Key::consts))),
        max_steps(a.integer(Key::max_steps)),
        length(a.integer(Key::length)),
        checkpoints(a.integer(Key::checkpoints)),
        lanes(a.ints(Key::lanes).begin(), a.ints(Key::lanes).end()) {
    for (int64_t n : a.ints(Key::states)) starts.push_back(starts.back() + static_cast<size_t>(n));
  }
  size_t size() const { return starts.size() - 1; }
  const Graph& condition() const { return attrs.region(Key::condition); }
  const Graph& stage(size_t j) const { return attrs.region(Key::stages, j); }
  bool backward(size_t j) const { return attrs.ints(Key::backward)[j] != 0; }
  size_t states() const { return starts.back(); }
  size_t count(size_t j) const { return starts[j + 1] - starts[j]; }
  size_t inputs(size_t j) const { return consts + starts[j + 1]; }  // of the stage

  AttrView attrs;
  size_t consts;
  int64_t max_steps, length, checkpoints;
  std::vector<int64_t> lanes;  // where any is 1 the first state tells which go on: a dim for each of these
  size_t live_dims() const { return static_cast<size_t>(std::ranges::count(lanes, 1)); }
  std::vector<size_t> starts = {0};  // of each stage's states among all
};

// A while under construction.
struct NewStages {
  std::vector<Graph> stages;
  std::vector<int64_t> states, backward;
  void add(Graph stage, size_t count, bool back) {
    stages.push_back(std::move(stage));
    states.push_back(static_cast<int64_t>(count));
    backward.push_back(back);
  }
  // Bounds as those of `old`; its number of steps, where that is known.
  Attrs attrs(const Graph& condition, size_t consts, const Stages& old, int64_t length,
              const std::vector<int64_t>& lanes) const {
    return Attrs()
        .add(condition)
        .add(stages)
        .add(states)
        .add(backward)
        .add(static_cast<int64_t>(consts))
        .add(old.max_steps)
        .add(length)
        .add(old.checkpoints)
        .add(lanes);
  }
};

void infer_while(const InferContext& c, std::vector<Type>& results) {
  Ints counts = c.attrs.ints(Key::states);
  size_t n = c.attrs.num_regions(Key::stages);
  if (n == 0 || counts.size() != n || c.attrs.ints(Key::backward).size() != n)
    c.shape_error("expected one count of states and one direction for each stage, of which there is at least one");
  int64_t all = c.attrs.integer(Key::consts);
  for (int64_t count : counts) all = count < 0 || all < 0 ? -1 : all + count;
  if (all != static_cast<int64_t>(c.operands.size()))
    c.shape_error("expected " + std::to_string(all) + " constants and states, got " +
                  std::to_string(c.operands.size()) + " operands");
  Stages s(c.attrs);
  if (s.backward(0)) c.shape_error("the first stage goes forward");
  if (s.checkpoints < 0) c.shape_error("expected a number of checkpoints, got " + std::to_string(s.checkpoints));
  const GraphData& condition = s.condition().data();
  expect_pure(c, "the condition", s.condition());
  expect_types(c, "parameters of the condition", c.operands.first(s.inputs(0)),
               types_of(condition, condition.inputs()));
  const Type truth{DType::boolean, false, {}};
  const Type* expected = &truth;
  expect_types(c, "the condition", {&expected, 1}, types_of(condition, condition.outputs()));
  for (size_t j = 0; j < n; ++j) {
    const GraphData& g = s.stage(j).data();
    std::string name = j == 0 ? "the body" : "stage " + std::to_string(j);
    expect_pure(c, name, s.stage(j));
    expect_types(c, "parameters of " + name, c.operands.first(s.inputs(j)), types_of(g, g.inputs()));
    expect_types(c, "results of " + name, c.operands.subspan(s.consts + s.starts[j], s.count(j)),
                 types_of(g, g.outputs()));
  }
  if (s.states() == 0) c.shape_error("expected at least one state");
  const Type& live = *c.operands[s.consts];
  if (s.live_dims() > 0 && (live.dtype != DType::boolean || live.shape.size() != s.live_dims()))
    c.shape_error("expected a first state that tells which lanes go on, got " + to_string(live));
  for (const Type* t : c.operands.subspan(s.consts)) results.push_back(*t);
}

// ---- evaluation

class WhileEvaluation {
 public:
  explicit WhileEvaluation(const EvalContext& c) : c_(c), s_(c.attrs), inputs_(s_.consts + s_.states()) {
    for (const Type* t : c.types) bytes_.push_back(static_cast<size_t>(bytes_of(*t)));
    for (size_t i = 0; i < s_.consts; ++i) inputs_[i] = c.operands[i].data;
    entered_.resize(s_.size());
  }

  void run() {
    for (size_t j = 0; j < s_.size(); ++j) run_stage(j);
  }

 private:
  using Memory = std::vector<std::unique_ptr<std::byte[]>>;

  Memory copy_of_states(size_t j, const Memory& from) const {
    Memory to;
    for (size_t k = 0; k < from.size(); ++k) {
      size_t bytes = bytes_[s_.starts[j] + k];
      to.emplace_back(new std::byte[bytes + 1]);
      copy_bytes(to.back().get(), from[k].get(), bytes);
    }
    return to;
  }
  void show(size_t j, const Memory& states) {
    for (size_t k = 0; k < states.size(); ++k) inputs_[s_.consts + s_.starts[j] + k] = states[k].get();
  }

  bool goes_on(int64_t step) {
    uint8_t holds = 0;
    void* out = &holds;
    c_.evaluate(s_.condition(), std::span(inputs_).first(s_.inputs(0)), {&out, 1});
    if (holds && s_.max_steps >= 0 && step >= s_.max_steps) c_.fault(0, s_.max_steps, first_live());
    return holds != 0;
  }

  // Of the lanes.
  int64_t first_live() const {
    if (s_.live_dims() == 0) return 0;
    auto* live = static_cast<const uint8_t*>(inputs_[s_.consts]);
    return std::find(live, live + bytes_[0], 1) - live;
  }

  void run_stage(size_t j) {
    Memory now, next;
    for (size_t k = 0; k < s_.count(j); ++k) {
      size_t i = s_.starts[j] + k;
      now.emplace_back(new std::byte[bytes_[i] + 1]);
      next.emplace_back(new std::byte[bytes_[i] + 1]);
      copy_bytes(now[k].get(), c_.operands[s_.consts + i].data, bytes_[i]);
    }
    bool last = j + 1 == s_.size();
    auto steps = static_cast<int64_t>(entered_[0].size());
    for (int64_t t = 0; j == 0 || t < steps; ++t) {
      auto at = static_cast<size_t>(s_.backward(j) ? steps - 1 - t : t);
      for (size_t i = 0; i < j; ++i) show(i, entered_[i][at]);
      show(j, now);
      if (j == 0 && !goes_on(t)) break;
      if (!last) {
        if (entered_[j].size() <= at) entered_[j].resize(j == 0 ? at + 1 : static_cast<size_t>(steps));
        entered_[j][at] = copy_of_states(j, now);
      }
      std::vector<void*> outputs;
      for (auto& state : next) outputs.push_back(state.get());
      c_.evaluate(s_.stage(j), std::span(inputs_).first(s_.inputs(j)), outputs);
      now.swap(next);
    }
    for (size_t k = 0; k < now.size(); ++k)
      copy_bytes(c_.outs[s_.starts[j] + k], now[k].get(), bytes_[s_.starts[j] + k]);
  }

  const EvalContext& c_;
  Stages s_;
  std::vector<const void*> inputs_;
  std::vector<size_t> bytes_;
  std::vector<std::vector<Memory>> entered_;  // of each stage but the last: the states with which it entered each step
};

void evaluate_while(const EvalContext& c) { WhileEvaluation(c).run(); }

int64_t fault_kinds_of_while(AttrView a) { return a.integer(Key::max_steps) >= 0 ? 1 : 0; }
void raise_while(const FaultContext& c) {
  Stages s(c.attrs);
  std::vector<int64_t> lanes(s.lanes.size(), -1);
  int64_t element = c.element;
  for (size_t i = lanes.size(), d = s.live_dims(); i-- > 0;) {
    if (s.lanes[i] == 0) continue;
    int64_t extent = c.shape(s.consts)[--d];
    lanes[i] = element % extent;
    element /= extent;
  }
  throw Error(c.text("still true after max_steps = " + std::to_string(c.value) + " steps", lanes));
}

// ---- the derivative

class WhileJvp {
 public:
  explicit WhileJvp(const JvpContext& c) : c_(c), s_(c.attrs), splits_(s_.size()) {
    for (size_t i = 0; i < c.primals.size(); ++i) active_.push_back(c.has(i));
  }

  void run(std::span<Value> tangents) {
    for (size_t j = 0; j < s_.size(); ++j) find_active(j);
    auto states = std::span(active_).subspan(s_.consts);
    if (std::ranges::find(states, 1) == states.end()) return;
    std::vector<Value> operands = doubled(0, s_.consts, c_.primals, c_.tangents);
    size_t consts = operands.size();
    NewStages made;
    std::vector<size_t> place;  // of each state's tangent among the results
    for (size_t j = 0, next = 0; j < s_.size(); ++j) {
      size_t first = s_.consts + s_.starts[j];
      std::vector<Value> both = doubled(first, first + s_.count(j), c_.primals, c_.tangents);
      operands.insert(operands.end(), both.begin(), both.end());
      made.add(stage(j), both.size(), s_.backward(j));
      next += s_.count(j);
      for (size_t k = 0; k < s_.count(j); ++k) place.push_back(active_[first + k] ? next++ : 0);
    }
    Value result = c_.b.emit(c_.op, operands, made.attrs(condition(), consts, s_, s_.length, s_.lanes));
    for (size_t k = 0; k < tangents.size(); ++k)
      if (states[k]) tangents[k] = result + static_cast<Value>(place[k]);
  }

 private:
  // A state has a tangent if its start has one, or a step gives it one.
  void find_active(size_t j) {
    for (bool grown = true; grown;) {
      grown = false;
      splits_[j] = c_.regions.split(s_.stage(j), std::span(active_).first(s_.inputs(j)), c_.zeros);
      for (size_t k = 0; k < s_.count(j); ++k) {
        if (splits_[j].active_results[k]) grown |= raised(active_[s_.consts + s_.starts[j] + k]);
      }
    }
  }

  // Values of the inputs [from, to), then the tangents of those that have one.
  std::vector<Value> doubled(size_t from, size_t to, std::span<const Value> primals, std::span<const Value> tangents) {
    std::vector<Value> result(primals.begin() + static_cast<std::ptrdiff_t>(from),
                              primals.begin() + static_cast<std::ptrdiff_t>(to));
    for (size_t i = from; i < to; ++i)
      if (active_[i])
        result.push_back(tangents[i] != kNoValue ? tangents[i] : build::zeros(c_.b, c_.b.type(primals[i])));
    return result;
  }

  // Parameters for those, of the constants and the states of the stages up to j.
  void take(Builder& b, size_t j, std::vector<Value>& primals, std::vector<Value>& tangents) {
    auto section = [&](size_t from, size_t to) {
      for (size_t i = from; i < to; ++i) primals.push_back(b.param(c_.b.type(c_.primals[i])));
      for (size_t i = from; i < to; ++i)
        if (active_[i]) tangents.push_back(b.param(c_.b.type(c_.primals[i])));
    };
    section(0, s_.consts);
    for (size_t i = 0; i <= j; ++i) section(s_.consts + s_.starts[i], s_.consts + s_.starts[i + 1]);
  }

  Graph condition() {
    Builder b("condition");
    std::vector<Value> primals, tangents;
    take(b, 0, primals, tangents);
    return b.finish(c_.regions.inlined(b, s_.condition(), primals));
  }

  Graph stage(size_t j) {
    const RuleContext::Split& split = splits_[j];
    Builder b(s_.stage(j).data().name());
    std::vector<Value> primals, tangents;
    take(b, j, primals, tangents);
    std::vector<Value> values = c_.regions.inlined(b, split.primal, primals);
    auto results = static_cast<std::ptrdiff_t>(s_.count(j));
    std::vector<Value> args(values.begin() + results, values.end()), outputs(values.begin(), values.begin() + results);
    args.insert(args.end(), tangents.begin(), tangents.end());
    std::vector<Value> made = c_.regions.inlined(b, split.map, args);
    for (size_t k = 0, next = 0; k < s_.count(j); ++k) {
      size_t i = s_.consts + s_.starts[j] + k;
      Value own = split.active_results[k] ? made[next++] : kNoValue;
      if (active_[i]) outputs.push_back(own != kNoValue ? own : build::zeros(b, c_.b.type(c_.primals[i])));
    }
    return c_.regions.simplified(b.finish(outputs));
  }

  const JvpContext& c_;
  Stages s_;
  std::vector<uint8_t> active_;
  std::vector<RuleContext::Split> splits_;
};

void jvp_while(const JvpContext& c, std::span<Value> tangents) { WhileJvp(c).run(tangents); }

// The stages as they are, of what is known; then one for each stage, from the last to the first and the other way: its
// states are the cotangents of the linear states, and sums for the linear constants.
class WhileTranspose {
 public:
  explicit WhileTranspose(const TransposeContext& c) : c_(c), s_(c.attrs), transposed_(s_.size()) {
    for (size_t i = 0; i < c.operands.size(); ++i) linear_.push_back(c.linear(i));
    for (Value ct : c.cts) has_ct_.push_back(ct != kNoValue);
    connected_.resize(s_.size());
    // So is a state that starts with a constant, the zero of a tangent, where a step makes it of what is linear.
    for (size_t j = 0; j < s_.size(); ++j)
      for (bool grown = true; grown;) {
        grown = false;
        std::vector<uint8_t> depends = dependent_outputs(s_.stage(j), std::span(linear_).first(s_.inputs(j)));
        for (size_t k = 0; k < depends.size(); ++k)
          if (depends[k]) grown |= raised(linear_[s_.consts + s_.starts[j] + k]);
      }
    if (dependent_outputs(s_.condition(), std::span(linear_).first(s_.inputs(0)))[0])
      throw TransformError("[while_loop] cannot be transposed: its condition depends on what it is to be linear in" +
                           at(c.b.location()));
  }

  void run() {
    for (size_t j = s_.size(); j-- > 0;) find_connected(j);
    std::vector<Value> operands;
    take_operands(operands, 0, s_.consts);
    size_t consts = operands.size();
    NewStages made;
    for (size_t j = 0; j < s_.size(); ++j) {
      size_t before = operands.size();
      take_operands(operands, s_.consts + s_.starts[j], s_.consts + s_.starts[j + 1]);
      if (j > 0 && operands.size() == before) continue;
      made.add(known_stage(j), operands.size() - before, s_.backward(j));
    }
    size_t known_states = operands.size() - consts;
    std::vector<size_t> order;
    for (size_t j = s_.size(); j-- > 0;) {
      if (!runs(j)) continue;
      order.push_back(j);
      size_t before = operands.size();
      for (size_t k = s_.starts[j]; k < s_.starts[j + 1]; ++k)
        if (has_ct_[k]) operands.push_back(c_.cts[k] != kNoValue ? c_.cts[k] : build::zeros(c_.b, type(s_.consts + k)));
      for (size_t i = 0; i < s_.consts; ++i)
        if (connected_[j][i]) operands.push_back(build::zeros(c_.b, type(i)));
      made.add(transposed_stage(order), operands.size() - before, !s_.backward(j));
    }
    if (order.empty()) return;
    Value next = c_.b.emit(c_.op, operands, made.attrs(known_condition(), consts, s_, s_.length, s_.lanes)) +
                 static_cast<Value>(known_states);
    for (size_t j : order) {
      for (size_t k = s_.starts[j]; k < s_.starts[j + 1]; ++k) {
        if (!has_ct_[k]) continue;
        if (c_.linear(s_.consts + k)) c_.cotangents[s_.consts + k] = next;
        ++next;
      }
      for (size_t i = 0; i < s_.consts; ++i)
        if (connected_[j][i]) c_.cotangents[i] = build::add_any(c_.b, c_.cotangents[i], next++);
    }
  }

 private:
  const Type& type(size_t input) const { return *c_.types[input]; }
  bool runs(size_t j) const {
    auto first = has_ct_.begin() + static_cast<std::ptrdiff_t>(s_.starts[j]);
    return std::find(first, first + static_cast<std::ptrdiff_t>(s_.count(j)), 1) !=
           first + static_cast<std::ptrdiff_t>(s_.count(j));
  }

  void find_connected(size_t j) {
    connected_[j].assign(s_.inputs(j), 0);
    if (!runs(j)) return;
    for (bool grown = true; grown;) {
      grown = false;
      transposed_[j] = c_.regions.transposed(s_.stage(j), std::span(linear_).first(s_.inputs(j)),
                                             std::span(has_ct_).subspan(s_.starts[j], s_.count(j)));
      for (size_t i = 0, next = 0; i < s_.inputs(j); ++i) {
        if (!linear_[i]) continue;
        connected_[j][i] = transposed_[j].connected[next++];
        if (!connected_[j][i] || i < s_.consts) continue;
        grown |= raised(has_ct_[i - s_.consts]) && i >= s_.consts + s_.starts[j];
      }
    }
  }

  void take_operands(std::vector<Value>& operands, size_t from, size_t to) const {
    for (size_t i = from; i < to; ++i)
      if (!linear_[i]) operands.push_back(c_.operands[i]);
  }

  // Parameters for the known constants and states of the stages up to j; zeros stand for what is linear.
  std::vector<Value> take_known(Builder& b, size_t j) const {
    std::vector<Value> args;
    for (size_t i = 0; i < s_.inputs(j); ++i) args.push_back(linear_[i] ? kNoValue : b.param(type(i)));
    return args;
  }
  Graph known_condition() const {
    Builder b("condition");
    std::vector<Value> args = take_known(b, 0);
    for (size_t i = 0; i < args.size(); ++i)
      if (linear_[i]) args[i] = build::zeros(b, type(i));
    return c_.regions.simplified(b.finish(c_.regions.inlined(b, s_.condition(), args)));
  }
  Graph known_stage(size_t j) const {
    Builder b(s_.stage(j).data().name());
    std::vector<Value> args = take_known(b, j), outputs;
    for (size_t i = 0; i < args.size(); ++i)
      if (linear_[i]) args[i] = build::zeros(b, type(i));
    std::vector<Value> values = c_.regions.inlined(b, s_.stage(j), args);
    for (size_t k = 0; k < s_.count(j); ++k)
      if (!linear_[s_.consts + s_.starts[j] + k]) outputs.push_back(values[k]);
    return c_.regions.simplified(b.finish(outputs));
  }

  // Of the last stage in `order`; the others are those that run before it.
  Graph transposed_stage(std::span<const size_t> order) const {
    size_t own = order.back();
    Builder b(s_.stage(own).data().name());
    std::vector<Value> known = take_known(b, s_.size() - 1), cts(has_ct_.size(), kNoValue), outputs;
    std::vector<Value> sums(s_.consts, kNoValue), into(c_.operands.size(), kNoValue);
    for (size_t j : order) {
      for (size_t k = s_.starts[j]; k < s_.starts[j + 1]; ++k)
        if (has_ct_[k]) cts[k] = b.param(type(s_.consts + k));
      for (size_t i = 0; i < s_.consts; ++i)
        if (connected_[j][i]) sums[i] = b.param(type(i));  // at the end: its own
    }
    for (size_t i = 0; i < s_.consts; ++i)
      if (!connected_[own][i]) sums[i] = kNoValue;
    for (size_t j : order) {
      std::vector<Value> args;
      for (size_t i = 0; i < s_.inputs(j); ++i)
        if (!linear_[i]) args.push_back(known[i]);
      for (size_t k = s_.starts[j]; k < s_.starts[j + 1]; ++k)
        if (has_ct_[k]) args.push_back(cts[k]);
      std::vector<Value> made = c_.regions.inlined(b, transposed_[j].graph, args);
      for (size_t i = 0, next = 0; i < s_.inputs(j); ++i) {
        if (!connected_[j][i]) continue;
        Value ct = made[next++];
        if (i >= s_.consts || j == own) into[i] = build::add_any(b, into[i], ct);
      }
    }
    for (size_t k = s_.starts[own]; k < s_.starts[own + 1]; ++k) {
      if (!has_ct_[k]) continue;
      Value ct = into[s_.consts + k];
      outputs.push_back(ct != kNoValue ? ct : build::zeros(b, type(s_.consts + k)));
    }
    for (size_t i = 0; i < s_.consts; ++i)
      if (sums[i] != kNoValue) outputs.push_back(build::accumulated(b, sums[i], into[i]));
    return c_.regions.simplified(b.finish(outputs));
  }

  const TransposeContext& c_;
  Stages s_;
  std::vector<uint8_t> linear_, has_ct_;
  std::vector<RuleContext::Transposed> transposed_;
  std::vector<std::vector<uint8_t>> connected_;  // of each stage: its inputs
};

void transpose_while(const TransposeContext& c) { WhileTranspose(c).run(); }

// ---- lanes

// Where the condition differs by lanes the first state tells which lanes go on, and the loop goes on while any does.
// Under a further vmap that state has a dim more.
class WhileBatch {
 public:
  explicit WhileBatch(const BatchContext& c) : c_(c), s_(c.attrs), lanes_(c.batched.begin(), c.batched.end()) {}

  void run(std::span<Value> results, std::span<bool> batched) {
    find_lanes();
    if (condition_.results_batched[0]) {
      std::fill(lanes_.begin() + static_cast<std::ptrdiff_t>(s_.consts), lanes_.end(), 1);
      find_lanes();
    }
    const bool differ = condition_.results_batched[0] != 0;
    masked_ = differ && s_.live_dims() == 0;
    std::vector<Value> operands;
    for (size_t i = 0; i < c_.operands.size(); ++i)
      operands.push_back(lanes_[i] && !c_.batched[i] ? c_.materialised(i) : c_.operands[i]);
    if (masked_) operands.insert(operands.begin() + static_cast<std::ptrdiff_t>(s_.consts), first_live(operands));
    std::vector<int64_t> live_lanes = s_.lanes;
    live_lanes.insert(live_lanes.begin(), differ);
    NewStages made;
    for (size_t j = 0; j < s_.size(); ++j)
      made.add(masked_ ? masked_stage(j) : stages_[j].graph, s_.count(j) + (masked_ && j == 0), s_.backward(j));
    Value next = c_.b.emit(c_.op, operands,
                           made.attrs(differ ? any_live() : condition_.graph, s_.consts, s_, masked_ ? -1 : s_.length,
                                      live_lanes)) +
                 masked_;
    for (size_t k = 0; k < results.size(); ++k) {
      batched[k] = lanes_[s_.consts + k] != 0;
      results[k] = next++;
    }
  }

 private:
  // Which states have lanes: those that start with them, or get them in a step.
  void find_lanes() {
    stages_.resize(s_.size());
    for (size_t j = 0; j < s_.size(); ++j)
      for (bool grown = true; grown;) {
        grown = false;
        auto inputs = std::span<const uint8_t>(lanes_).first(s_.inputs(j));
        std::span<uint8_t> own = std::span(lanes_).subspan(s_.consts + s_.starts[j], s_.count(j));
        stages_[j] = c_.regions.batched(s_.stage(j), inputs, c_.size, c_.randomness, own);
        for (size_t k = 0; k < own.size(); ++k)
          if (stages_[j].results_batched[k]) grown |= raised(own[k]);
      }
    condition_ = c_.regions.batched(s_.condition(), std::span<const uint8_t>(lanes_).first(s_.inputs(0)), c_.size,
                                    c_.randomness, {});
  }

  Type with_lanes(size_t i) const {
    Type t = i < s_.consts ? c_.b.type(c_.operands[i]) : *c_.types[i - s_.consts];
    if (i < s_.consts) return t;
    if (lanes_[i]) t.shape.insert(0, c_.size);
    return t;
  }
  Type live_type() const { return {DType::boolean, false, Shape{c_.size}}; }

  Value first_live(std::span<const Value> operands) const {
    return c_.regions.inlined(c_.b, condition_.graph, operands.first(s_.inputs(0)))[0];
  }

  Graph any_live() const {
    Builder b("condition");
    Value live = kNoValue;
    for (size_t i = 0; i < s_.inputs(0); ++i) {
      if (masked_ && i == s_.consts) live = b.param(live_type());
      Value x = b.param(with_lanes(i));
      if (!masked_ && i == s_.consts) live = x;
    }
    return b.finish({any_of(b, live)});
  }

  // Finished lanes keep their states. What a step makes of them is not at fault and carries no derivative.
  Graph masked_stage(size_t j) const {
    std::vector<uint8_t> lanes(lanes_.begin(), lanes_.begin() + static_cast<std::ptrdiff_t>(s_.inputs(j)));
    std::span<const uint8_t> own = std::span(lanes_).subspan(s_.consts + s_.starts[j], s_.count(j));
    for (size_t i = 0; i < s_.consts; ++i) lanes[i] |= is_shielded(i);
    lanes.insert(lanes.begin() + static_cast<std::ptrdiff_t>(s_.consts), 1);
    const Graph step =
        c_.regions.batched(c_.regions.guarded(s_.stage(j), s_.consts), lanes, c_.size, c_.randomness, own).graph;
    Builder b(s_.stage(j).data().name());
    std::vector<Value> args, outputs;
    Value live = kNoValue;
    for (size_t i = 0; i < s_.inputs(j); ++i) {
      if (i == s_.consts) live = b.param(live_type());
      args.push_back(b.param(with_lanes(i)));
    }
    auto chosen = [&](Value x, Value y) {
      std::vector<int64_t> dims = {0};
      return build::where(b, build::broadcast(b, live, b.shape(x), dims), x, y);
    };
    std::vector<Value> seen = args;
    for (size_t i = 0; i < seen.size(); ++i) {
      if (!is_floating(b.dtype(seen[i])) || (i < s_.consts && !is_shielded(i))) continue;
      if (i < s_.consts && !lanes_[i]) {
        Shape shape = b.shape(seen[i]);
        const std::vector<int64_t> behind = build::all_axes(shape.size() + 1);
        shape.insert(0, c_.size);
        seen[i] = build::broadcast(b, seen[i], shape, std::span(behind).subspan(1));
      }
      seen[i] = chosen(seen[i], b.emit(Op::stop_gradient_op, {seen[i]}));
    }
    seen.insert(seen.begin() + static_cast<std::ptrdiff_t>(s_.consts), live);
    std::vector<Value> values = c_.regions.inlined(b, step, seen);
    for (size_t k = 0; k < values.size(); ++k) outputs.push_back(chosen(values[k], args[s_.consts + s_.starts[j] + k]));
    if (j == 0) {
      std::vector<Value> next(args.begin(), args.begin() + static_cast<std::ptrdiff_t>(s_.consts));
      next.insert(next.end(), outputs.begin(), outputs.end());
      Value holds = c_.regions.inlined(b, condition_.graph, next)[0];
      outputs.insert(outputs.begin(), b.emit(Op::and_op, {live, holds}));
    }
    return c_.regions.simplified(b.finish(outputs));
  }

  // Constants that get lanes for it, where they are few numbers: what a finished lane makes of them has no derivative.
  bool is_shielded(size_t i) const {
    constexpr int64_t kFew = 256;
    const Type& t = c_.b.type(c_.operands[i]);
    return is_floating(t.dtype) && (lanes_[i] || t.shape.numel() <= kFew);
  }

  const BatchContext& c_;
  Stages s_;
  std::vector<uint8_t> lanes_;
  std::vector<RuleContext::Batch> stages_;
  RuleContext::Batch condition_;
  bool masked_ = false;  // lanes end at different steps
};

void batch_while(const BatchContext& c, std::span<Value> results, std::span<bool> batched) {
  WhileBatch(c).run(results, batched);
}

// What the condition needs stays; of a later stage what is used.
Trimmed trim_while(const TrimContext& c) {
  Stages s(c.attrs);
  Trimmed result;
  result.results.assign(c.used.begin(), c.used.end());
  auto count = [](std::span<const uint8_t> flags) { return static_cast<size_t>(std::ranges::count(flags, 1)); };
  const std::vector<uint8_t> truth = {1};
  result.operands.assign(c.num_operands, 0);
  auto need = [&](const std::vector<uint8_t>& inputs) {
    bool grown = false;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i]) grown |= raised(result.operands[i]);
    }
    return grown;
  };
  need(needed_inputs(s.condition(), truth));
  for (bool grown = true; grown;) {
    grown = false;
    for (size_t k = 0; k < s.states(); ++k) {
      if (result.operands[s.consts + k]) result.results[k] = 1;
      if (result.results[k]) result.operands[s.consts + k] = 1;
    }
    for (size_t j = s.size(); j-- > 0;)
      grown |= need(needed_inputs(s.stage(j), std::span(result.results).subspan(s.starts[j], s.count(j))));
  }
  std::span<const uint8_t> operands = result.operands, results = result.results;
  NewStages made;
  for (size_t j = 0; j < s.size(); ++j) {
    std::span<const uint8_t> own = results.subspan(s.starts[j], s.count(j));
    if (j > 0 && count(own) == 0) continue;
    made.add(c.regions.part(s.stage(j), own, operands.first(s.inputs(j))), count(own), s.backward(j));
  }
  result.attrs = made.attrs(c.regions.part(s.condition(), truth, operands.first(s.inputs(0))),
                            count(operands.first(s.consts)), s, s.length, s.lanes);
  return result;
}

}  // namespace

void define_while(RuleTable& table) {
  table.define(Op::while_op, {.infer = infer_while,
                              .eval = evaluate_while,
                              .jvp = jvp_while,
                              .transpose = transpose_while,
                              .batch = batch_while,
                              .faults = {fault_kinds_of_while, raise_while},
                              .trim = trim_while});
}

}  // namespace jot::ir
