#include "passes/transpose.h"

#include "ir/build.h"
#include "ir/rules.h"

namespace jot::passes {

using namespace ir;

std::vector<uint8_t> depends_on_inputs(const GraphData& g, size_t first) {
  std::vector<uint8_t> depends(g.size(), 0);
  for (size_t i = first; i < g.inputs().size(); ++i) depends[g.inputs()[i]] = 1;
  for (Value v = 0; v < g.size(); ++v)
    for (Value o : g.operands(v)) depends[v] |= depends[o];
  return depends;
}

namespace {

// The reverse sweep: cotangents of the linear nodes, accumulated at their operands.
class Sweep {
 public:
  Sweep(Builder& b, const GraphData& g, const std::vector<uint8_t>& linear, const std::vector<Value>& primal)
      : b_(b), g_(g), linear_(linear), primal_(primal), cotangent_(g.size(), kNoValue) {}

  void add(Value v, Value ct) { cotangent_[v] = build::add_any(b_, cotangent_[v], ct); }
  Value at(Value v) const { return cotangent_[v]; }

  void run() {
    for (Value v = g_.size(); v-- > 0;)
      if (linear_[v] && cotangent_[v] != kNoValue && g_.op(v) != Op::param_op) visit(v);
  }

 private:
  void visit(Value v) {
    const auto& rule = rules(g_.op(v)).transpose;
    if (!rule)
      throw TransformError("[" + std::string(name_of(g_.op(v))) + "] cannot be transposed: " + std::string(rule.why) +
                           jot::at(g_.location(v)));
    std::span<const Value> operands = g_.operands(v);
    known_.clear();
    types_.clear();
    for (Value o : operands) {
      known_.push_back(linear_[o] ? kNoValue : primal_[o]);
      types_.push_back(&g_.type(o));
    }
    cts_.assign(operands.size(), kNoValue);
    b_.set_origin_of(g_, v);
    rule.fn({b_, g_.op(v), g_.attrs(v), known_, types_, cotangent_[v], cts_});
    for (size_t i = 0; i < operands.size(); ++i)
      if (cts_[i] != kNoValue) add(operands[i], cts_[i]);
  }

  Builder& b_;
  const GraphData& g_;
  const std::vector<uint8_t>& linear_;
  const std::vector<Value>& primal_;
  std::vector<Value> cotangent_, known_, cts_;
  std::vector<const Type*> types_;
};

}  // namespace

std::vector<Value> transpose_into(Builder& b, const Linearized& l, std::span<const Value> args,
                                  std::span<const Value> cotangents, std::vector<Value>* values) {
  const GraphData& g = l.graph.data();
  std::vector<uint8_t> linear = depends_on_inputs(g, l.num_primals);
  std::vector<Value> primal(g.size(), kNoValue), operands;
  for (size_t i = 0; i < l.num_primals; ++i) primal[g.inputs()[i]] = args[i];
  for (Value v = 0; v < g.size(); ++v) {
    if (linear[v] || g.op(v) == Op::param_op) continue;
    operands.clear();
    for (Value o : g.operands(v)) operands.push_back(primal[o]);
    primal[v] = b.copy_node(g, v, operands);
  }
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

}  // namespace jot::passes
