#include "tests/ops/checks.h"

#include <algorithm>
#include <map>

#include "passes/transforms.h"

namespace jot::test {

using namespace ir;

std::vector<uint8_t> floating_inputs(const Graph& g) {
  std::vector<uint8_t> active;
  for (Value v : g.data().inputs()) active.push_back(is_floating(g.data().dtype(v)));
  return active;
}

double jacobian_error(const Graph& g, const std::vector<HostTensor>& x, passes::JacobianMode mode,
                      std::optional<int64_t> chunk) {
  std::vector<uint8_t> active = floating_inputs(g);
  Graph jacobian = passes::jacobian(g, active, 1, mode, chunk), jvp = passes::jvp(g, active, 1);
  verify(jacobian);
  std::vector<HostTensor> blocks = interpret(jacobian, x), zeros = x;
  for (size_t k = 0; k < x.size(); ++k)
    if (active[k]) zeros.emplace_back(x[k].type);
  double worst = 0;
  size_t block = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!active[i]) continue;
    const HostTensor& j = blocks[1 + block];
    for (int64_t column = 0; column < x[i].numel(); ++column) {
      std::vector<HostTensor> args = zeros;
      args[x.size() + block].set(column, 1);
      HostTensor expected = interpret(jvp, args)[1], actual(expected.type);
      for (int64_t o = 0; o < actual.numel(); ++o) actual.set(o, j.number(o * x[i].numel() + column));
      worst = std::max(worst, difference(actual, expected));
    }
    ++block;
  }
  return worst;
}

std::optional<Graph> mutant(const GraphData& g, Value at) {
  static const std::map<Op, Op> like = {
      {Op::add_op, Op::sub_op},  {Op::sub_op, Op::add_op},   {Op::add_any_op, Op::sub_op}, {Op::mul_op, Op::add_op},
      {Op::neg_op, Op::copy_op}, {Op::sin_op, Op::cos_op},   {Op::cos_op, Op::sin_op},     {Op::div_op, Op::mul_op},
      {Op::max_op, Op::min_op},  {Op::rsqrt_op, Op::sqrt_op}};
  const auto other = like.find(g.op(at));
  if (other == like.end()) return {};
  Builder b(g.name());
  std::vector<Value> map;
  for (Value v = 0; v < g.size(); ++v) {
    std::vector<Value> operands;
    for (Value o : g.operands(v)) operands.push_back(map[o]);
    map.push_back(g.op(v) == Op::param_op ? b.param(g.type(v))
                  : v == at               ? b.emit(other->second, operands)
                                          : b.copy_node(g, v, operands));
  }
  std::vector<Value> outputs;
  for (Value o : g.outputs()) outputs.push_back(map[o]);
  return b.finish(outputs, g.writebacks());
}

}  // namespace jot::test
