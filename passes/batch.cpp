#include "passes/batch.h"

#include <algorithm>
#include <memory>
#include <numeric>

#include "ir/build.h"
#include "ir/dependence.h"
#include "passes/regions.h"
#include "passes/rewrite.h"

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
                   int64_t size, Randomness randomness, int64_t first_lane) {
  Rewriter rewriter(b, g);
  rewriter.take(args);
  std::vector<uint8_t> is_batched(g.size(), 0);
  size_t most = max_operands(g);
  std::unique_ptr<bool[]> flags(new bool[most]), of_results;  // vector<bool> has no span
  std::vector<Value> results;
  std::vector<const Type*> types;
  for (size_t i = 0; i < args.size(); ++i) is_batched[g.inputs()[i]] = batched[i];
  rewriter.for_each_op([&](Value v) {
    bool any = randomness != Randomness::same && draws(g, v);
    for (size_t i = 0; i < g.operands(v).size(); ++i) {
      flags[i] = is_batched[g.operand(v, i)] != 0;
      any |= flags[i];
    }
    if (!any) {
      rewriter.copy(v);
      return;
    }
    const auto& rule = rules(g.op(v)).batch;
    if (!rule)
      throw TransformError("[vmap] [" + std::string(name_of(g.op(v))) +
                           "] cannot be batched: " + std::string(rule.why) + at(g.location(v)));
    b.set_origin_of(g, v);
    if (g.origin(v).call != 0) {
      Call call = g.call(v);
      call.lanes.insert(call.lanes.begin(), first_lane);
      b.set_call(call);
    }
    std::span<const Value> operands = rewriter.operands(v);
    uint32_t count = g.results(v);
    types.clear();
    for (Value i = 0; i < count; ++i) types.push_back(&g.type(v + i));
    BatchContext c{b,     g.op(v),    g.attrs(v),     size, operands, {flags.get(), operands.size()},
                   types, randomness, region_passes()};
    if (rule.fn.one) {
      rewriter.set(v, rule.fn.one(c));
      is_batched[v] = 1;
      return;
    }
    results.assign(count, kNoValue);
    of_results.reset(new bool[count]);
    std::fill_n(of_results.get(), count, true);
    rule.fn.many(c, results, {of_results.get(), count});
    for (Value i = 0; i < count; ++i) {
      rewriter.set(v + i, results[i]);
      is_batched[v + i] = of_results[i];
    }
  });
  Batched result{rewriter.outputs(), {}};
  for (Value o : g.outputs()) result.batched.push_back(is_batched[o]);
  return result;
}

Value place_lanes(Builder& b, Value v, bool batched, int64_t to, int64_t size) {
  if (batched) return move_dim(b, v, 0, to);
  Shape shape = b.shape(v);
  std::vector<int64_t> dims;
  for (int64_t d = 0; d < static_cast<int64_t>(shape.size()); ++d) dims.push_back(d < to ? d : d + 1);
  shape.insert(static_cast<size_t>(to), size);
  return build::broadcast(b, v, shape, dims);
}

Value move_dim(Builder& b, Value x, int64_t from, int64_t to) {
  std::vector<int64_t> perm(b.shape(x).size());
  std::iota(perm.begin(), perm.end(), 0);
  perm.erase(perm.begin() + from);
  perm.insert(perm.begin() + to, from);
  return build::permute(b, x, perm);
}

}  // namespace jot::passes
