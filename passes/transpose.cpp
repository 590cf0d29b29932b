#include "passes/transpose.h"

#include <algorithm>

#include "ir/build.h"
#include "ir/dependence.h"
#include "ir/rules.h"
#include "passes/regions.h"
#include "passes/rewrite.h"

namespace jot::passes {

using namespace ir;

namespace {

// The reverse sweep: cotangents of the linear nodes, accumulated at their operands.
class Sweep {
 public:
  Sweep(Builder& b, const GraphData& g, const std::vector<uint8_t>& linear, const Rewriter& primal)
      : b_(b), g_(g), linear_(linear), primal_(primal), cotangent_(g.size(), kNoValue) {}

  void add(Value v, Value ct) { cotangent_[v] = build::accumulated(b_, cotangent_[v], ct); }
  Value at(Value v) const { return cotangent_[v]; }

  void run() {
    for (Value v = g_.size(); v-- > 0;)
      if (linear_[v] && g_.op(v) != Op::param_op && g_.op(v) != Op::result_op && connected(v)) visit(v);
  }

 private:
  std::span<const Value> of_results(Value v) const { return {&cotangent_[v], g_.results(v)}; }
  bool connected(Value v) const {
    return cotangent_[v] != kNoValue || std::ranges::any_of(of_results(v), [](Value ct) { return ct != kNoValue; });
  }

  void visit(Value v) {
    const auto& rule = rules(g_.op(v)).transpose;
    if (!rule)
      throw TransformError("[" + std::string(name_of(g_.op(v))) + "] cannot be transposed: " + std::string(rule.why) +
                           jot::at(g_.location(v)));
    std::span<const Value> operands = g_.operands(v);
    known_.clear();
    types_.clear();
    for (Value o : operands) {
      if (linear_[o] && !is_floating(g_.dtype(o)))
        throw TransformError("[" + std::string(name_of(g_.op(v))) +
                             "] cannot be transposed: it is not linear in what it is to be transposed by, as operand " +
                             to_string(g_.type(o)) + " depends on that" + jot::at(g_.location(v)));
      known_.push_back(linear_[o] ? kNoValue : primal_[o]);
      types_.push_back(&g_.type(o));
    }
    cts_.assign(operands.size(), kNoValue);
    b_.set_origin_of(g_, v);
    rule.fn({b_, g_.op(v), g_.attrs(v), known_, types_, of_results(v), cts_, region_passes()});
    for (size_t i = 0; i < operands.size(); ++i)
      if (cts_[i] != kNoValue) add(operands[i], cts_[i]);
  }

  Builder& b_;
  const GraphData& g_;
  const std::vector<uint8_t>& linear_;
  const Rewriter& primal_;
  std::vector<Value> cotangent_, known_, cts_;
  std::vector<const Type*> types_;
};

// The nodes that no linear input reaches, emitted at `known`: the values of the inputs that are not linear.
Rewriter emit_known(Builder& b, const GraphData& g, const std::vector<uint8_t>& linear, std::span<const Value> known) {
  Rewriter primal(b, g);
  size_t next = 0;
  for (Value v : g.inputs())
    if (!linear[v]) primal.set(v, known[next++]);
  primal.for_each_op([&](Value v) {
    if (!linear[v]) primal.copy(v);
  });
  return primal;
}

}  // namespace

std::vector<Value> transpose_into(Builder& b, const Linearized& l, std::span<const Value> args,
                                  std::span<const Value> cotangents, std::vector<Value>* values) {
  const GraphData& g = l.graph.data();
  std::vector<uint8_t> linear = dependents_from(g, l.num_primals);
  Rewriter primal = emit_known(b, g, linear, args);
  if (values)
    for (size_t i = 0; i < l.num_outputs; ++i) values->push_back(primal[g.outputs()[i]]);

  Sweep sweep(b, g, linear, primal);
  size_t next_tangent = l.num_outputs;
  for (size_t i = 0; i < l.num_outputs; ++i) {
    if (l.zero_tangent[i]) continue;
    Value tangent = g.outputs()[next_tangent++];
    if (cotangents[i] != kNoValue) sweep.add(tangent, cotangents[i]);
  }
  sweep.run();
  std::vector<Value> result;
  for (size_t i = l.num_primals; i < g.inputs().size(); ++i) result.push_back(sweep.at(g.inputs()[i]));
  return result;
}

std::vector<Value> transpose_linear(Builder& b, const GraphData& g, std::span<const uint8_t> linear_inputs,
                                    std::span<const Value> known, std::span<const Value> cotangents) {
  std::vector<uint8_t> linear = dependents(g, linear_inputs);
  Rewriter primal = emit_known(b, g, linear, known);
  Sweep sweep(b, g, linear, primal);
  for (size_t i = 0; i < cotangents.size(); ++i)
    if (cotangents[i] != kNoValue && linear[g.outputs()[i]]) sweep.add(g.outputs()[i], cotangents[i]);
  sweep.run();
  std::vector<Value> result;
  for (Value v : g.inputs())
    if (linear[v]) result.push_back(sweep.at(v));
  return result;
}

}  // namespace jot::passes
