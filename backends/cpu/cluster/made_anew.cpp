#include "backends/cpu/cluster/made_anew.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "backends/cpu/cluster/axes.h"
#include "ir/rules.h"
#include "passes/rewrite.h"

namespace jot::cpu {

using namespace ir;

namespace {

constexpr int64_t kLarge = 4096;  // elements
constexpr int64_t kSmaller = 16;  // so many times, what is broadcast

class MadeAnew {
 public:
  explicit MadeAnew(const GraphData& g)
      : g_(g),
        b_(g.name(), Builder::Sharing::off),
        map_(b_, g),
        stage_(g.size(), 0),
        first_(g.size(), kNever),
        anew_(g.size(), 0) {}

  // Whether there are such values.
  bool find() {
    for (Value v = 0; v < g_.size(); ++v) {
      anew_[v] = is_outer(v) || is_cheap(v);
      for (Value o : g_.operands(v)) stage_[v] = std::max(stage_[v], stage_[o] + ends_kernel(o));
    }
    for (Value v : g_.outputs()) anew_[v] = 0;
    for (Value v = 0; v < g_.size(); ++v)
      for (Value o : g_.operands(v)) {
        first_[o] = std::min(first_[o], stage_[v]);
        if (!is_elementwise(g_.op(v)) && !is_reduction(g_.op(v))) anew_[o] = 0;  // it reads it from memory
      }
    for (Value v = 0; v < g_.size(); ++v)
      if (std::ranges::any_of(g_.operands(v), [&](Value o) { return is_remade(o, v); })) return true;
    return false;
  }

  Graph run() {
    map_.take_params();
    b_.reserve(g_.size());
    std::vector<Value> operands;
    map_.for_each_op([&](Value v) {
      operands.clear();
      for (Value o : g_.operands(v)) operands.push_back(is_remade(o, v) ? remade(o, stage_[v]) : map_[o]);
      b_.set_origin_of(g_, v);
      map_.copy(v, operands);
    });
    return map_.finish();
  }

 private:
  static constexpr uint32_t kNever = 0xffffffff;

  // What is made of it is in another kernel.
  bool ends_kernel(Value v) const {
    const Op op = g_.op(v);
    return op != Op::param_op && !is_elementwise(op) && !moves_one(op) && info(op).op_class != OpClass::source &&
           !(op == Op::dot_op && anew_[v]);
  }
  bool repeats(Value o, Value v) const { return kSmaller * g_.shape(o).numel() <= g_.shape(v).numel(); }
  // A product without terms to sum, of smaller values, that a kernel makes.
  bool is_outer(Value v) {
    if (g_.op(v) != Op::dot_op || !is_floating(g_.dtype(v)) || g_.shape(v).numel() < kLarge) return false;
    const Ints contract = g_.attrs(v).first(Key::contract);
    for (int64_t d : contract)
      if (g_.shape(g_.operand(v, 0))[static_cast<size_t>(d)] != 1) return false;
    if (!repeats(g_.operand(v, 0), v) || !repeats(g_.operand(v, 1), v)) return false;
    if (!axes_) axes_.emplace(g_);
    return axes_->preserves(v, 0) && axes_->preserves(v, 1);
  }
  bool is_cheap(Value v) const {
    if (!is_elementwise(g_.op(v)) || info(g_.op(v)).is(Trait::dear) || !is_floating(g_.dtype(v)) ||
        g_.shape(v).numel() < kLarge)
      return false;
    int large = 0;
    for (Value o : g_.operands(v)) {
      const bool small = g_.op(o) == Op::broadcast_op && repeats(g_.operand(o, 0), v);
      if (g_.op(o) == Op::param_op && g_.shape(o) == g_.shape(v))
        ++large;
      else if (!small && !is_splat(g_, o))
        return false;
    }
    return large <= 1;
  }
  bool is_remade(Value v, Value user) const { return anew_[v] && stage_[user] > first_[v]; }

  Value remade(Value v, uint32_t stage) {
    auto [it, fresh] = remade_.try_emplace({v, stage}, kNoValue);
    if (!fresh) return it->second;
    const Value before = map_[v];
    b_.set_origin_of(g_, v);
    map_.copy(v);
    it->second = map_[v];
    map_.set(v, before);
    return it->second;
  }

  const GraphData& g_;
  Builder b_;
  passes::Rewriter map_;
  std::vector<uint32_t> stage_, first_;  // reductions and the like on the way to a value; of its first user
  std::vector<uint8_t> anew_;
  std::optional<Axes> axes_;  // where products ask for them
  std::map<std::pair<Value, uint32_t>, Value> remade_;
};

}  // namespace

Graph made_anew(const Graph& graph) {
  MadeAnew pass(graph.data());
  return pass.find() ? pass.run() : graph;
}

}  // namespace jot::cpu
