#include "passes/regions.h"

#include "ir/build.h"
#include "passes/batch.h"
#include "passes/dce.h"
#include "passes/guard.h"
#include "passes/inline.h"
#include "passes/simplify.h"
#include "passes/transforms.h"
#include "passes/transpose.h"
#include "passes/trim.h"

namespace jot::passes {

using namespace ir;

namespace {

class RegionPasses final : public RuleContext {
 public:
  std::vector<Value> inlined(Builder& b, const Graph& region, std::span<const Value> args) const override {
    const uint32_t origin = b.origin();  // of the op whose rule asks
    std::vector<Value> results = inline_graph(b, region.data(), args);
    b.set_origin(origin);
    return results;
  }

  Split split(const Graph& region, std::span<const uint8_t> active, Zeros zeros) const override {
    ConnectedSplit s = split_connected(region, active, zeros);
    return {simplify(s.split.primal), simplify(s.split.map), std::move(s.connected), s.split.num_residuals};
  }

  Transposed transposed(const Graph& region, std::span<const uint8_t> linear,
                        std::span<const uint8_t> has_ct) const override {
    const GraphData& g = region.data();
    Builder b(g.name());
    std::vector<Value> known, cotangents(g.outputs().size(), kNoValue), outputs;
    for (size_t i = 0; i < linear.size(); ++i)
      if (!linear[i]) known.push_back(b.param(g.type(g.inputs()[i]), g.input_name(i)));
    for (size_t i = 0; i < has_ct.size(); ++i)
      if (has_ct[i]) cotangents[i] = b.param(g.type(g.outputs()[i]));
    Transposed result;
    for (Value ct : transpose_linear(b, g, linear, known, cotangents)) {
      result.connected.push_back(ct != kNoValue);
      if (ct != kNoValue) outputs.push_back(ct);
    }
    result.graph = simplify(b.finish(outputs));
    return result;
  }

  Batch batched(const Graph& region, std::span<const uint8_t> batched, int64_t size, Randomness randomness,
                std::span<const uint8_t> with_lanes) const override {
    const GraphData& g = region.data();
    Builder b(g.name());
    std::vector<Value> args;
    for (size_t i = 0; i < batched.size(); ++i) {
      Type type = g.type(g.inputs()[i]);
      if (batched[i]) type.shape.insert(0, size);
      args.push_back(b.param(type, g.input_name(i)));
    }
    Batched made = batch_into(b, g, args, batched, size, randomness, 0);
    for (size_t i = 0; i < with_lanes.size(); ++i)
      if (with_lanes[i] && !made.batched[i]) {
        made.values[i] = place_lanes(b, made.values[i], false, 0, size);
        made.batched[i] = 1;
      }
    return {simplify(b.finish(made.values)), std::move(made.batched)};
  }

  Graph guarded(const Graph& region, size_t position) const override { return guard(region, position); }

  Graph simplified(const Graph& region) const override { return dce(simplify(region)); }

  Graph part(const Graph& region, std::span<const uint8_t> outputs, std::span<const uint8_t> inputs) const override {
    return part_of(region, outputs, inputs);
  }
};

}  // namespace

const RuleContext& region_passes() {
  static const auto* passes = new RegionPasses;
  return *passes;
}

}  // namespace jot::passes
