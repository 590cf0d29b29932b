#include "passes/batch.h"

#include <algorithm>
#include <memory>
#include <numeric>

#include "ir/build.h"

namespace jot::passes {

using namespace ir;

namespace {
size_t max_operands(const GraphData& g) {
  size_t n = 0;
  for (Value v = 0; v < g.size(); ++v) n = std::max(n, g.operands(v).size());
  return n;
}
}  // namespace

Batched batch_into(Builder& b, const GraphData& g, std::span<const Value> args, std::span<const uint8_t> batched,
                   int64_t size, RandomMode randomness) {
  std::vector<Value> map(g.size(), kNoValue), operands;
  std::vector<uint8_t> is_batched(g.size(), 0);
  std::unique_ptr<bool[]> flags(new bool[max_operands(g)]);  // vector<bool> has no span
  for (size_t i = 0; i < args.size(); ++i) {
    map[g.inputs()[i]] = args[i];
    is_batched[g.inputs()[i]] = batched[i];
  }
  for (Value v = 0; v < g.size(); ++v) {
    if (g.op(v) == Op::param_op) continue;
    operands.clear();
    bool any = g.op(v) == Op::random_bits_op && randomness != RandomMode::same;
    for (Value o : g.operands(v)) {
      flags[operands.size()] = is_batched[o] != 0;
      operands.push_back(map[o]);
      any |= is_batched[o] != 0;
    }
    if (!any) {
      map[v] = b.copy_node(g, v, operands);
      continue;
    }
    const auto& rule = rules(g.op(v)).batch;
    if (!rule)
      throw TransformError("[vmap] [" + std::string(name_of(g.op(v))) +
                           "] cannot be batched: " + std::string(rule.why) + at(g.location(v)));
    b.set_origin_of(g, v);
    map[v] = rule.fn({b, g.op(v), g.attrs(v), size, operands, {flags.get(), operands.size()}, g.type(v), randomness});
    is_batched[v] = 1;
  }
  Batched result;
  for (Value o : g.outputs()) {
    result.values.push_back(map[o]);
    result.batched.push_back(is_batched[o]);
  }
  return result;
}

Value move_dim(Builder& b, Value x, int64_t from, int64_t to) {
  std::vector<int64_t> perm(b.shape(x).size());
  std::iota(perm.begin(), perm.end(), 0);
  perm.erase(perm.begin() + from);
  perm.insert(perm.begin() + to, from);
  return build::permute(b, x, perm);
}

}  // namespace jot::passes
