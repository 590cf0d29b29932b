#include "backends/cpu/slices.h"

#include <algorithm>

#include "backends/cpu/cluster/layout.h"
#include "backends/cpu/runtime/plan.h"

namespace jot::cpu {

using ir::Value;

namespace {

constexpr int64_t kLeastSlices = 4;
constexpr int64_t kLeastBytes = int64_t{1} << 18;  // of all that steps hand on: less is in a cache anyway
constexpr int64_t kMostBytes = int64_t{16} << 20;  // of a slice
constexpr int64_t kCacheBytes = int64_t{1} << 20;  // slices of more are split
constexpr int64_t kMostSplit = 16;
constexpr uint32_t kLongest = 64;  // steps that are tried from each of them on

class Finder {
 public:
  Finder(const Clustering& c, std::span<const PlannedStep> steps)
      : c_(c), g_(c.g), steps_(steps), turn_of_(c.g.size(), 0) {}

  // How many steps from `first` on run in the slices of that one, which is a product, each split; the values that they
  // make.
  uint32_t extent(uint32_t first, int64_t slices, int64_t split) {
    made_.clear();
    ++turn_;
    slices_ = slices;
    split_ = split;
    uint32_t end = first;
    while (end < steps_.size() && add(steps_[end])) ++end;
    return end - first;
  }
  std::span<const Value> made() const { return made_; }
  static int64_t slices(const PlannedStep& s) {
    auto* r = std::get_if<RoutineStep>(&s.step->what);
    return r && !s.whole ? r->routine->slices() : 1;
  }

 private:
  bool is_made(Value v) const { return turn_of_[v] == turn_; }
  void make(Value v) {
    made_.push_back(v);
    turn_of_[v] = turn_;
  }

  bool add(const PlannedStep& s) {
    if (s.whole || !s.step->faults.empty()) return false;
    if (auto* r = std::get_if<RoutineStep>(&s.step->what)) return add_routine(*r);
    auto* k = std::get_if<KernelStep>(&s.step->what);
    return k && add_kernel(*k, s.args);
  }
  bool add_routine(const RoutineStep& r) {
    if (r.routine->slices() != slices_ || (split_ > 1 && !r.routine->splits(split_))) return false;
    for (size_t i = 0; i < g_.operands(r.node).size(); ++i) {
      const Value o = g_.operand(r.node, i);
      bool made = false;
      for (Value v = c_.storage(c_.root(o));; v = c_.storage(c_.root(g_.operand(v, 0)))) {
        made |= is_made(v);
        if (!c_.points[v]) break;
      }
      if (!made) continue;
      const Placement from = placement_of(c_, o);
      if (!is_made(from.storage) || from.offset != 0 || !r.routine->slices_operand(i, split_)) return false;
      if (g_.shape(from.storage).numel() != g_.shape(o).numel()) return false;
    }
    make(r.node);
    return true;
  }
  bool add_kernel(const KernelStep& k, std::span<const KernelArg> args) {
    if (!k.sliceable || !k.partials.empty() || k.extent % (slices_ * split_) != 0) return false;
    for (const KernelArg& a : args) {
      if (a.kind != KernelArg::Kind::memory) continue;
      if (c_.points[a.value]) return false;
      const bool computed = c_.role[a.value] == Role::kernel;
      if (!a.sliced && (is_made(a.value) || (computed && writes(k, a.value)))) return false;
    }
    for (const KernelArg& a : args)
      if (a.kind == KernelArg::Kind::memory && writes(k, a.value) && !is_made(a.value)) make(a.value);
    return true;
  }
  static bool writes(const KernelStep& k, Value v) { return std::ranges::find(k.writes, v) != k.writes.end(); }

  const Clustering& c_;
  const ir::GraphData& g_;
  std::span<const PlannedStep> steps_;
  std::vector<Value> made_;        // from `first` on
  std::vector<uint32_t> turn_of_;  // by value: the last turn that made it
  uint32_t turn_ = 0;
  int64_t slices_ = 1, split_ = 1;
};

}  // namespace

std::vector<GroupedSteps> find_groups(const Clustering& c, std::span<const PlannedStep> steps,
                                      const std::function<bool(Value, uint32_t, uint32_t)>& only_within) {
  std::vector<GroupedSteps> groups;
  Finder finder(c, steps);
  auto found_at = [&](uint32_t first, int64_t slices, int64_t split) {
    GroupedSteps found;
    const uint32_t count = finder.extent(first, slices, split);
    found.group.first = first, found.group.count = count;
    found.group.items = found.group.chunks = slices * split, found.group.split = split;
    for (Value v : finder.made()) {
      const int64_t bytes = ir::bytes_of(c.g.type(v));
      const int64_t part = bytes / found.group.items;
      if (bytes % found.group.items != 0 || !only_within(v, first, first + count - 1)) continue;
      found.group.parts.push_back({found.group.bytes, part, part});
      found.group.bytes += aligned(part);
      found.values.push_back(v);
    }
    return found;
  };
  for (uint32_t first = 0; first < steps.size(); ++first) {
    const int64_t slices = Finder::slices(steps[first]);
    if (slices < kLeastSlices) continue;
    GroupedSteps found = found_at(first, slices, 1);
    const uint32_t count = found.group.count;
    if (count < 2) continue;
    if (found.group.bytes * slices < kLeastBytes) {
      if (count > kLongest)
        first += count - 1;  // what begins later hands on less; few starts, so that time stays linear
      continue;
    }
    for (int64_t split = 2; found.group.bytes > kCacheBytes && split <= kMostSplit; split *= 2)
      if (GroupedSteps finer = found_at(first, slices, split); finer.group.count == count) found = std::move(finer);
    if (found.group.bytes > kMostBytes) continue;
    groups.push_back(std::move(found));
    first += count - 1;
  }
  return groups;
}

}  // namespace jot::cpu
