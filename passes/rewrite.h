// The one copy loop: a graph, node by node, into a builder. A pass is this copy plus what it does differently.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "ir/builder.h"

namespace jot::passes {

class Rewriter {
 public:
  // What becomes of the regions of ops that are copied.
  using RegionPass = ir::Graph (*)(const ir::Graph& region);

  Rewriter(ir::Builder& to, const ir::GraphData& from, RegionPass region_pass = nullptr);

  // The inputs become parameters like them, or these values.
  void take_params();
  void take(std::span<const ir::Value> args);

  // Calls f(v) for each op in order, v its first result; f gives all of its results a value: by copy(v) or set().
  template <class F>
  void for_each_op(F f) {
    for (ir::Value v = 0; v < from_.size(); ++v)
      if (from_.op(v) != ir::Op::param_op && from_.op(v) != ir::Op::result_op) f(v);
  }

  // What a value has become; kNoValue: nothing yet.
  ir::Value operator[](ir::Value v) const { return map_[v]; }
  void set(ir::Value v, ir::Value now) { map_[v] = now; }
  // Those of the operands of v. Valid until the next call.
  std::span<const ir::Value> operands(ir::Value v);

  void copy(ir::Value v) { copy(v, operands(v)); }
  void copy(ir::Value v, std::span<const ir::Value> operands);

  // Those of the outputs: results, then writebacks.
  std::vector<ir::Value> outputs() const;
  // The graph of these outputs.
  ir::Graph finish() { return to_.finish(outputs(), from_.writebacks()); }

 private:
  ir::Value emit_regions(ir::Value v, std::span<const ir::Value> operands);

  ir::Builder& to_;
  const ir::GraphData& from_;
  RegionPass region_pass_;
  std::vector<ir::Value> map_, operands_;
  std::vector<std::optional<ir::Graph>> regions_;  // what those of `from` have become
};

}  // namespace jot::passes
