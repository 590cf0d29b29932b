#include "backends/cpu/lower/lower_loop.h"

#include <algorithm>
#include <map>
#include <set>

#include "backends/cpu/kernel/hoist.h"
#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/lower/lower_kernel.h"
#include "backends/cpu/ops/cpu_ops.h"

namespace jot::cpu {

using namespace ir;

namespace {

constexpr int64_t kMostCarried = 512;   // elements
constexpr uint32_t kMostNodes = 20000;  // of a step
constexpr Axis kStepAxis = kNoAxis - 1;

// ---- which loops

// Makes one cluster of all that a step computes, if that can be: nothing crosses the loops, and no value needs what
// another computes for other loop indices.
class Fits {
 public:
  Fits(Clustering& step, const LoopPlan& plan) : c_(step), g_(step.g), plan_(plan) {}

  bool run() {
    if (!merge() || !ends_fit()) return false;
    for (Value v : merged_.members)
      if (!fits(v)) return false;
    c_.clusters = {std::move(merged_)};
    std::ranges::fill(c_.stored, uint8_t{0});
    for (Value v : c_.clusters[0].members) c_.cluster[v] = 0;
    return true;
  }

 private:
  bool merge() {
    std::set<Value> members;
    for (const Unit& u : c_.units) {
      if (!u.is_cluster) return false;
      const Cluster& cluster = c_.clusters[u.index];
      if (cluster.splits) return false;
      if (!cluster.loops.empty()) {
        if (!merged_.loops.empty() && std::set(merged_.loops.begin(), merged_.loops.end()) !=
                                          std::set(cluster.loops.begin(), cluster.loops.end()))
          return false;
        merged_.loops = cluster.loops;
      }
      members.insert(cluster.members.begin(), cluster.members.end());
      members.insert(cluster.inlined.begin(), cluster.inlined.end());
    }
    merged_.members.assign(members.begin(), members.end());
    merged_.outer = merged_.loops.size();
    return std::ranges::all_of(merged_.members, [&](Value v) { return c_.reduction[v] == Reduction::none; });
  }

  bool is_loop(Axis a) const { return std::ranges::find(merged_.loops, a) != merged_.loops.end(); }

  // Carries begin and end a step as the same elements; all outputs run over the loops.
  bool ends_fit() const {
    int64_t carried = 0;
    for (size_t k = 0; k < g_.outputs().size(); ++k) {
      Value out = g_.outputs()[k];
      for (Axis a : c_.axes.of(out))
        if (c_.axes.looped(a) && !is_loop(a)) return false;
      if (plan_.condition == k && c_.axes.elements(out) == 0) return false;  // of no lanes
      if (k >= plan_.carries) continue;
      Value in = g_.inputs()[plan_.consts + k];
      if (element_in_memory(g_.dtype(in)).memory != KMem::own) return false;
      carried += c_.axes.elements(out);
      if (!same_axes(in, out)) return false;
    }
    return carried <= kMostCarried;
  }
  bool same_axes(Value in, Value out) const {
    std::span<const Axis> from = c_.axes.of(in), to = c_.axes.of(out);
    for (size_t d = 0; d < from.size(); ++d)
      if (from[d] != to[d] && (c_.axes.looped(from[d]) || c_.axes.looped(to[d]))) return false;
    return true;
  }

  // Whether memory holds the value, unchanged as long as the loop runs, at one place.
  bool is_const(Value root) const {
    return c_.role[root] == Role::input && static_cast<size_t>(g_.attrs(root).integer(Key::index)) < plan_.consts;
  }
  bool is_slice(Value root) const {
    return c_.role[root] == Role::input &&
           static_cast<size_t>(g_.attrs(root).integer(Key::index)) >= plan_.consts + plan_.carries;
  }
  bool fits(Value v) {
    for (size_t i = 0; i < g_.operands(v).size(); ++i) {
      Value o = g_.operand(v, i);
      bool follows = moves_one(g_.op(v)) ? c_.follows[v] != 0 : c_.axes.preserves(v, i);
      for (; c_.role[o] == Role::view; o = g_.operand(o, 0)) follows &= c_.follows[o] != 0;
      bool gathered = g_.op(v) == Op::gather_op && i == 0;
      if (!follows && !is_const(o) && (gathered || !is_slice(o))) return false;
    }
    return true;
  }

  Clustering& c_;
  const GraphData& g_;
  const LoopPlan& plan_;
  Cluster merged_;
};

// ---- the kernel

class LoopLowering : ClusterLowering {
 public:
  LoopLowering(LoweringTables& tables, const LoopPlan& plan, int64_t steps)
      : ClusterLowering(tables, 0), plan_(plan), most_steps_(steps) {}

  // Of several groups of lanes at a time, if that can be and pays: while one waits for a result another computes. There
  // is no tail.
  std::optional<LoweredLoop> run(bool several) {
    survey();
    for (Value v : g_.outputs()) survey_read(v);
    for (const Found& f : found_)  // not tables of constants
      if (c_.role[f.layout.storage] != Role::input) return {};
    make_loops();
    nest_ = loops_.size();
    loops_.push_back({{kStepAxis}});
    std::vector<Axis> axes = cluster_.loops;
    axes.push_back(kStepAxis);
    for (Found& f : found_) f.by_axis.push_back(step_stride(f.layout.storage));
    make_accesses(axes);
    make_ends(axes);
    if (several && !find_groups()) return {};
    loop_.steps_arg = args_->size() + 1;
    uint32_t steps = args_->number(most_steps_);
    several ? open_groups() : open_nest();
    each_group([&] { start_carries(); });
    emit_steps(steps);
    each_group([&] {
      for (size_t k = 0; k < plan_.carries; ++k) store(accesses_[ends_[k]], g_.outputs()[k], variables_of(k));
    });
    for (size_t l = several ? 1 : nest_; l-- > 0;) close(l);
    loop_.kernel = finish();
    if (several) loop_.kernel.extent /= loop_.lanes;
    loop_.kernel.kernel = hoist(loop_.kernel.kernel);
    return std::move(loop_);
  }

 private:
  // ---- groups of lanes: each has elements of its own

  struct Group {
    uint32_t index;  // of the loop of lanes
    std::vector<uint32_t> slots, variables;
  };
  template <class F>
  void each_group(F f) {
    for (Group& g : groups_) {
      if (nest_ > 0) loops_[nest_ - 1].index = g.index;
      slots_.swap(g.slots);
      variables_.swap(g.variables);
      f();
      variables_.swap(g.variables);
      slots_.swap(g.slots);
    }
  }

  void open_nest() {
    for (size_t l = 0; l < nest_; ++l) open(l, l == 0, l + 1 == nest_);
    groups_.push_back({nest_ > 0 ? loops_[nest_ - 1].index : kNone, slots_, {}});
    loop_.lanes = b_->lanes();
  }
  void open_groups() {
    uint32_t block = b_->range();
    iterations_[block] = 1;
    result_.parallel = true;
    vector_loop_ = 0;
    uint32_t first = b_->imuli(block, loop_.lanes);
    for (int64_t lane = 0; lane < loop_.lanes; lane += b_->lanes())
      groups_.push_back({b_->iadd(first, b_->iconst(lane)), slots_, {}});
  }

  // As many as registers hold the carries of, of a step that is short: a longer one has enough to do.
  bool find_groups() {
    constexpr int64_t kShort = 64;
    if (nest_ != 1) return false;
    int64_t carried = 0, elements = 0;
    for (Value v : cluster_.members) {
      if (cpu_op(g_.op(v)).kernel == InKernel::gathered) return false;
      elements += c_.axes.elements(v);
    }
    for (size_t k = 0; k < plan_.carries; ++k) carried += c_.axes.elements(g_.outputs()[k]);
    for (const Access& a : accesses_)
      if (a.moves(0) && !a.unit(0)) return false;
    const int64_t registers = t_.vector_bytes == 64 ? 16 : 6;
    int64_t groups = std::min<int64_t>(4, registers / std::max<int64_t>(carried, 1));
    if (groups < 2 || elements > kShort) return false;
    loop_.lanes = groups * b_->lanes();
    return true;
  }

  // In elements, from slice to slice.
  Stride step_stride(Value storage) const {
    auto i = static_cast<size_t>(g_.attrs(storage).integer(Key::index));
    return i < plan_.consts + plan_.carries ? Stride{} : numel(storage);
  }
  Stride numel(Value v) const {
    Stride s{c_.axes.elements(v), {}};
    for (Axis a : c_.axes.of(v))
      if (c_.axes.looped(a)) s = times_axis(std::move(s), a);
    return s;
  }
  size_t add_access(Value v, KernelArg::Kind kind, size_t buffer, bool sliced, std::span<const Axis> axes) {
    Layout layout{kNoValue, 0, row_major(c_.axes, g_.shape(v), c_.axes.of(v))};
    std::vector<Stride> by_axis(axes.size());
    for (size_t d = 0; d < layout.strides.size(); ++d)
      if (Axis a = c_.axes.of(v)[d]; c_.axes.looped(a))
        by_axis[static_cast<size_t>(std::ranges::find(axes, a) - axes.begin())] = layout.strides[d];
    if (sliced) by_axis.back() = numel(v);
    accesses_.emplace_back(c_, v, args_->buffer(kind, buffer), layout, by_axis, axes, loops_, *args_, *b_);
    accesses_.back().slots = static_cast<uint32_t>(slots_.size());
    slots_.resize(slots_.size() + accesses_.back().elements(), kNone);
    return accesses_.size() - 1;
  }
  size_t num_results() const { return g_.outputs().size() - (plan_.condition && *plan_.condition >= plan_.carries); }

  // Where carries start and where results go.
  void make_ends(std::span<const Axis> axes) {
    for (size_t k = 0; k < plan_.carries; ++k)
      starts_of_.push_back(add_access(g_.outputs()[k], KernelArg::Kind::operand, plan_.consts + k, false, axes));
    for (size_t k = 0; k < num_results(); ++k)
      ends_.push_back(add_access(g_.outputs()[k], KernelArg::Kind::result, k, k >= plan_.carries, axes));
    if (num_results() < g_.outputs().size())
      starts_of_.push_back(
          add_access(g_.outputs().back(), KernelArg::Kind::operand, plan_.consts + plan_.carries, false, axes));
  }

  // Variables, which stand for the carries wherever a step reads them.
  void start_carries() {
    first_variable_ = {0};
    for (size_t k = 0; k < starts_of_.size(); ++k) {
      Value out = g_.outputs()[k < plan_.carries ? k : g_.outputs().size() - 1];
      auto n = static_cast<uint32_t>(c_.axes.elements(out));
      b_->origin(out);
      for (uint32_t j = 0; j < n; ++j) variables_.push_back(b_->var(load(accesses_[starts_of_[k]], g_.dtype(out), j)));
      first_variable_.push_back(variables_.size());
      if (k >= plan_.carries) continue;
      Value in = g_.inputs()[plan_.consts + k];
      if (t_.access_stamp[in] != mark_) continue;  // no step reads it
      for (uint32_t j = 0; j < n; ++j) slots_[accesses_[t_.access[in]].slots + j] = variables_of(k)[j];
    }
  }
  std::span<const uint32_t> variables_of(size_t k) const {
    return std::span(variables_).subspan(first_variable_[k], first_variable_[k + 1] - first_variable_[k]);
  }

  void emit_steps(uint32_t steps) {
    uint32_t flag = kNone, step;
    size_t about = 0;  // of starts_of_
    if (plan_.condition) {
      about = std::min(*plan_.condition, plan_.carries);
      flag = b_->var(any_of(masks_of(about)));
      step = b_->wloop(steps, flag);
    } else {
      step = b_->loop(steps);
    }
    iterations_[step] = static_cast<double>(plan_.condition ? kLikelySteps : most_steps_);
    loops_[nest_].index = plan_.reverse ? b_->isub(b_->isub(steps, step), b_->iconst(1)) : step;
    std::vector<uint32_t> now, next;  // of all groups
    each_group([&] {
      make_milestones();
      for (size_t k = plan_.carries; k < num_results(); ++k) store(accesses_[ends_[k]], g_.outputs()[k]);
      for (size_t k = 0; k < starts_of_.size(); ++k) {
        Value out = g_.outputs()[k < plan_.carries ? k : g_.outputs().size() - 1];
        for (uint32_t j = 0; j < variables_of(k).size(); ++j) next.push_back(make(out, j));
      }
      check_unseen();
      now.insert(now.end(), variables_.begin(), variables_.end());
    });
    // All are there before the first changes.
    for (size_t i = 0; i < next.size(); ++i)
      if (next[i] != now[i] && b_->instr(next[i]).op == KOp::var) next[i] = b_->var(next[i]);
    for (size_t i = 0; i < next.size(); ++i)
      if (next[i] != now[i]) b_->set(now[i], next[i]);
    if (plan_.condition) b_->set(flag, any_of(masks_of(about)));
    b_->endloop();
    loops_[nest_].index = kNone;
    if (!plan_.condition) return;
    loop_.exceeded = static_cast<int64_t>(faults_.size()) + 1;
    for (uint32_t mask : masks_of(about)) b_->check(loop_.exceeded, mask, integer(0));
  }
  std::vector<uint32_t> masks_of(size_t k) {
    std::vector<uint32_t> masks;
    each_group([&] { masks.insert(masks.end(), variables_of(k).begin(), variables_of(k).end()); });
    return masks;
  }
  uint32_t any_of(std::span<const uint32_t> masks) {
    uint32_t all = masks[0];
    for (uint32_t m : masks.subspan(1)) all = b_->mor(all, m);
    return b_->any(all);
  }

  static constexpr int64_t kLikelySteps = 16;

  const LoopPlan& plan_;
  int64_t most_steps_;
  LoweredLoop loop_;
  size_t nest_ = 0;                       // loops around the steps
  std::vector<size_t> starts_of_, ends_;  // accesses
  std::vector<uint32_t> variables_;       // of the group at hand
  std::vector<size_t> first_variable_;
  std::vector<Group> groups_;
};

// Before any clustering: no op has to be a routine.
bool all_in_kernels(const GraphData& g) {
  if (g.size() > kMostNodes) return false;
  for (Value v = 0; v < g.size(); ++v) {
    const Op op = g.op(v);
    bool none = op == Op::param_op || info(op).op_class == OpClass::source || moves_one(op);
    if (!none && cpu_op(op).kernel == InKernel::no) return false;
  }
  return true;
}

// The axes of a carry before and after a step are the same.
std::vector<Tie> ties_of(const GraphData& g, const LoopPlan& plan) {
  std::vector<Tie> ties;
  for (size_t k = 0; k < plan.carries; ++k) {
    Value in = g.inputs()[plan.consts + k], out = g.outputs()[k];
    for (size_t d = 0; d < g.shape(in).size(); ++d) ties.push_back({in, d, out, d});
  }
  return ties;
}

// Loops of one extent that have nothing to do with each other become one.
bool tie_loops(const Clustering& c, std::vector<Tie>& ties) {
  std::map<Axis, std::pair<Value, size_t>> found;
  for (Value v = 0; v < c.g.size(); ++v)
    for (size_t d = 0; d < c.g.shape(v).size(); ++d)
      if (Axis a = c.axes.of(v)[d]; c.axes.looped(a)) found.try_emplace(a, v, d);
  if (found.size() < 2) return false;
  auto [first, at] = *found.begin();
  for (const auto& [axis, place] : found) {
    if (c.axes.extent(axis) != c.axes.extent(first)) return false;
    ties.push_back({at.first, at.second, place.first, place.second});
  }
  return true;
}

}  // namespace

std::optional<LoweredLoop> lower_loop(const GraphData& g, const LoopPlan& plan, int64_t steps, int vector_bytes,
                                      Ways ways, bool origins) {
  if (!all_in_kernels(g)) return {};
  std::vector<Tie> ties = ties_of(g, plan);
  std::optional<Clustering> step(cluster(g, ties, ways));
  if (tie_loops(*step, ties)) step.emplace(cluster(g, ties, ways));
  if (!Fits(*step, plan).run()) return {};
  LoweringTables tables(*step, vector_bytes, origins);
  std::optional<LoweredLoop> loop = LoopLowering(tables, plan, steps).run(false);
  if (!loop) return {};
  LoweringTables again(*step, vector_bytes, origins);
  if (std::optional<LoweredLoop> several = LoopLowering(again, plan, steps).run(true);
      several && several->kernel.args == loop->kernel.args) {
    loop->groups = std::move(several->kernel);
    loop->lanes = several->lanes;
  }
  return loop;
}

}  // namespace jot::cpu
