#include "backends/cpu/cluster/tiles.h"

#include <algorithm>

#include "backends/cpu/cluster/code_room.h"
#include "backends/cpu/cluster/layout.h"
#include "backends/cpu/ops/cpu_ops.h"

namespace jot::cpu {

using namespace ir;

namespace {

class TileFinder {
 public:
  explicit TileFinder(Clustering& c)
      : c_(c), g_(c.g), last_(c.g.size(), 0), makes_(c.g.size(), kNobody), aligned_(c.g.size(), 0) {
    const auto n = static_cast<uint32_t>(c_.units.size());
    for (uint32_t u = 0; u < n; ++u) {
      each_made(u, [&](Value v) { makes_[v] = u; });
      each_read(u, [&](Value, size_t, Value root) {
        for (Value v = root;; v = c_.root(g_.operand(v, 0))) {
          last_[v] = u;
          if (!c_.points[v]) break;
        }
        return true;
      });
    }
    for (Value v : g_.outputs())
      for (v = c_.root(v);; v = c_.root(g_.operand(v, 0))) {
        last_[v] = n;
        if (!c_.points[v]) break;
      }
  }

  void run() {
    const auto n = static_cast<uint32_t>(c_.units.size());
    for (uint32_t first = 0, end = 0; first < n; first = std::max(end, first + 1)) {
      group_ = {first, 0, 0, 0};
      for (end = first; end < n && joins(end); ++end) each_made(end, [&](Value v) { aligned_[v] = is_aligned(v); });
      group_.count = end - first;
      if (group_.lanes == 0 && group_.count > 1 && is_large()) group_.lanes = kLanes;
      if (group_.lanes > 0 && group_.count > 1) keep();
    }
  }

 private:
  static constexpr uint32_t kNobody = 0xffffffff;
  static constexpr int64_t kLong = 1000;  // instructions
  static constexpr int64_t kLanes = 16;   // of tiles without routines

  template <class F>
  void each_made(uint32_t u, F f) const {
    const Unit unit = c_.units[u];
    if (!unit.is_cluster)
      for (Value v = unit.index; v < unit.index + g_.results(unit.index); ++v) f(v);
    else
      for (Value v : c_.clusters[unit.index].members)
        if (c_.stored[v]) f(v);
  }
  // f(v, i, root) for operands that may be read from memory that another unit makes, until one is false.
  template <class F>
  bool each_read(uint32_t u, F f) const {
    const Unit unit = c_.units[u];
    auto visit = [&](Value v) {
      for (size_t i = 0; i < g_.operands(v).size(); ++i) {
        const Value root = c_.root(g_.operand(v, i));
        const bool made = c_.role[root] == Role::routine || (c_.role[root] == Role::kernel && c_.stored[root]);
        if (made && makes_[root] != u && !f(v, i, root)) return false;
      }
      return true;
    };
    if (!unit.is_cluster) return visit(unit.index);
    const Cluster& cluster = c_.clusters[unit.index];
    return std::ranges::all_of(cluster.members, visit) && std::ranges::all_of(cluster.inlined, visit);
  }
  bool is_made_here(Value v, uint32_t u) const { return makes_[v] >= group_.first && makes_[v] < u; }

  // Whether unit u takes each item from the same of what the others make.
  bool joins(uint32_t u) {
    const Unit unit = c_.units[u];
    Axis loop = kNoAxis;
    int64_t items = 1, lanes = group_.lanes;
    if (!unit.is_cluster) {
      const Value v = unit.index;
      const auto tiles = c_.points[v] ? nullptr : cpu_op(g_.op(v)).tiles;
      const int64_t wanted = tiles ? tiles(g_, v) : 0;
      if (wanted == 0 || (lanes != 0 && wanted != lanes)) return false;
      lanes = wanted;
      for (size_t d = 0; d < batch_rank(g_, v); ++d) items *= g_.shape(v)[d];
    } else {
      const Cluster& cluster = c_.clusters[unit.index];
      if (cluster.loops.size() != 1 || cluster.splits) return false;
      for (Value v : cluster.members)
        if (c_.reduction[v] != Reduction::none) return false;
      loop = cluster.loops[0];
      items = c_.axes.extent(loop);
    }
    if (group_.items != 0 && group_.items != items) return false;
    const TileGroup before = std::exchange(group_, {group_.first, group_.count, items, lanes});
    const bool fits = each_read(u, [&](Value v, size_t i, Value root) {
      return !is_made_here(root, u) || (aligned_[root] && reads_same_item(v, i, root, loop));
    });
    if (!fits) group_ = before;
    return fits;
  }

  // loop: of the kernel that reads; kNoAxis: a routine.
  bool reads_same_item(Value v, size_t i, Value root, Axis loop) {
    const Value o = g_.operand(v, i);
    const bool gathers = g_.op(v) == Op::gather_op && i == 0;  // whose axes are its operand's own
    for (Value x = o;; x = g_.operand(x, 0)) {
      const size_t batch = dims_of_batch(g_.shape(x), group_.items);
      if (batch == 0 || (loop != kNoAxis && !gathers && c_.axes.of(x)[batch - 1] != loop)) return false;
      if (x == root) break;
      if (loop == kNoAxis ? !is_alias(g_, x) : !c_.follows[x]) return false;
    }
    if (loop == kNoAxis) return true;
    if (!gathers) return c_.axes.preserves(v, i);
    const Ints of_operand = g_.attrs(v).ints(Key::operand_batch), of_index = g_.attrs(v).ints(Key::index_batch);
    const auto batch = static_cast<int64_t>(dims_of_batch(g_.shape(o), group_.items)) - 1;
    const auto at = static_cast<size_t>(std::ranges::find(of_operand, batch) - of_operand.begin());
    return at < of_operand.size() && c_.axes.of(g_.operand(v, 1))[static_cast<size_t>(of_index[at])] == loop;
  }

  // Whether the first dims of a value that the last unit makes are its items.
  bool is_aligned(Value v) const {
    const size_t batch = dims_of_batch(g_.shape(v), group_.items);
    return batch != 0 && (c_.role[v] == Role::routine || c_.axes.looped(c_.axes.of(v)[batch - 1]));
  }

  // Kernels alone run so where each is as long that a call of it is nothing.
  bool is_large() const {
    int64_t least = group_.items >= 4 * kLanes ? INT64_MAX : 0;
    for (uint32_t u = group_.first; u < group_.first + group_.count; ++u) {
      int64_t n = 0;
      for (Value v : c_.clusters[c_.units[u].index].members) n += instructions_of(g_, c_.axes, v);
      least = std::min(least, n);
    }
    return least >= kLong;
  }

  void keep() {
    if (c_.tile_group.empty()) c_.tile_group.assign(g_.size(), Clustering::kNoTiles);
    const uint32_t end = group_.first + group_.count;
    for (uint32_t u = group_.first; u < end; ++u)
      each_made(u, [&](Value v) {
        if (aligned_[v] && last_[v] < end) c_.tile_group[v] = static_cast<uint32_t>(c_.tile_groups.size());
      });
    c_.tile_groups.push_back(group_);
  }

  Clustering& c_;
  const GraphData& g_;
  std::vector<uint32_t> last_, makes_;  // units: the last that reads a value, the one that makes it
  std::vector<uint8_t> aligned_;        // of what the units at hand make
  TileGroup group_;
};

}  // namespace

void find_tiles(Clustering& c) {
  if (c.units.size() > 1) TileFinder(c).run();
}

}  // namespace jot::cpu
