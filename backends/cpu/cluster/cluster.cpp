// Why the units of a clustering have no cycle. Members and routines have levels, and a unit has one: it is a routine,
// or members of one nest (`home_`) and level, all that have to do with each other. From an operand to its user
//   - the level rises, where a cluster cannot hold the edge: what comes from a routine or goes to one, from another
//     nest, from other loop indices, from a reduction over all loops;
//   - else it does not fall, and where it stays both are of one cluster;
//   - it rises from what an `after` waits for to who reads through it;
//   - there is no edge from a value without loops that the user computes for itself. What that needs from memory lies
//     below ready_, and ready_ is at most the level of who computes it.
// So between two units the level rises along every edge: no path leads back. Sinking raises a node to at most the
// levels of those users that can hold it and below those of the others, in reverse order, so that users are final; and
// never what a value without loops is made of, so ready_ stays true. If this ever fails the nodes stay where they were
// before sinking: the program is right, with more traffic.
#include "backends/cpu/cluster/cluster.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <queue>
#include <unordered_map>
#include <utility>

#include "backends/cpu/cluster/code_room.h"
#include "backends/cpu/cluster/layout.h"
#include "backends/cpu/ops/cpu_ops.h"

namespace jot::cpu {

using namespace ir;

namespace {

constexpr uint32_t kNothing = 0xffffffff;
constexpr int64_t kSequential = 4096;  // iterations up to which a full reduction stays within its cluster
constexpr int64_t kShared = 4;         // results that threads share, of a reduction of loops around and below theirs
constexpr int64_t kColumns = 16;       // least extents of a reduction of outer loops, in a kernel
constexpr int64_t kColumnTerms = 32;
constexpr int64_t kNearColumns = 8192;  // so many sums are in a near cache, from term to term
constexpr int64_t kSmaller = 16;        // so many times: what is repeated
constexpr int kGrowths = 4;             // ops between it and what is made
constexpr int64_t kLanes = 512;         // least extent of an outermost loop of lanes, of which threads take parts
constexpr int64_t kAcross = 16;         // least extent of rows side by side, each a reduction across memory
constexpr int64_t kAccumulators = 128;  // most elements of a reduction over loops
constexpr int64_t kInlineSize = 16;     // operations of a value that every user computes for itself
constexpr int64_t kUnrolledMatrices = 4;
constexpr int64_t kConstantBytes = 4096;  // splat constants in memory; longer ones are filled when they are needed

class Clusterer {
 public:
  Clusterer(const GraphData& g, std::span<const Tie> ties, Ways ways)
      : g_(g), kernels_(ways == Ways::kernels), most_unrolled_(unrolled_matrix(ways)), c_(g, ties, ways) {
    uint32_t n = g.size();
    c_.role.resize(n);
    c_.reduction.assign(n, Reduction::none);
    c_.points.assign(n, 0);
    c_.follows.assign(n, 1);
    root_.assign(n, kNoValue);
    path_.assign(n, 1);
    first_edge_.assign(n, 0);
    num_edges_.assign(n, 0);
    waits_.assign(n, kNoValue);
    edges_.reserve(2 * size_t{n});
    set_.assign(n, 0);
    home_.assign(n, 0);
    level_.assign(n, 0);
    around_.assign(n, 0);
    uses_.assign(n, 0);
    for (Value v = 0; v < n; ++v)
      for (Value o : g.operands(v)) ++uses_[o];
    size_.assign(n, 0);
    known_.assign(n, 0);
    ready_.assign(n, 0);
    set_loops_.emplace_back();  // 0: none
  }

  Clustering run(void (*after_sinking)(std::span<uint32_t>)) {
    assign_roles();
    find_memory();
    assign_levels();
    std::vector<uint32_t> levels = level_;
    sink();
    if (after_sinking) after_sinking(level_);
    if (!form_units()) {
      level_ = std::move(levels);
      c_.sunk = false;
      if (!form_units()) internal_error("clusters that are not sunk are acyclic", g_.name());
    }
    return std::move(c_);
  }

  // From the levels; false if there is a cycle.
  bool form_units() {
    c_.cluster.assign(g_.size(), kNothing);
    c_.stored.assign(g_.size(), 0);
    c_.clusters.clear();
    c_.units.clear();
    inline_of_.clear();
    find_needed();
    collect();
    return order();
  }

 private:
  using Set = uint32_t;                                     // a set of loops
  enum : uint8_t { kMemory = 1, kAffine = 2, kApart = 4 };  // contiguous; by strides; not where it is a slice of

  // ---- roles

  void assign_roles() {
    for (Value v = 0; v < g_.size(); ++v) {
      Op op = g_.op(v);
      if (op == Op::param_op) {
        c_.role[v] = Role::input;
      } else if (info(op).op_class == OpClass::source && g_.operands(v).empty()) {
        c_.role[v] = Role::source;
      } else if (moves_one(op)) {
        c_.role[v] = Role::view;
        c_.follows[v] = c_.axes.preserves(v, 0);
      } else if (op == Op::result_op) {
        c_.role[v] = c_.role[g_.operand(v, 0)];
      } else {
        c_.role[v] = fits_kernel(v) ? Role::kernel : Role::routine;
      }
    }
  }

  bool all_preserved(Value v, size_t first = 0) {
    for (size_t i = first; i < g_.operands(v).size(); ++i)
      if (!c_.axes.preserves(v, i)) return false;
    return true;
  }

  bool fits_kernel(Value v) {
    Op op = g_.op(v);
    switch (cpu_op(op).kernel) {
      case InKernel::no:
        return false;
      case InKernel::element:
        return true;
      case InKernel::moved:
        return all_preserved(v);
      case InKernel::terms:
        return is_reduction(op) ? all_preserved(v) && fits_reduction(v) : is_small_dot(g_, v) && all_preserved(v);
      case InKernel::gathered:
        return all_preserved(v, 1) && fits_gather(v);
      case InKernel::matrix:
        return is_small_matrix_op(g_, v, most_unrolled_) && all_preserved(v) && fits_matrices(v);
    }
    return false;
  }

  // Few matrices that are unrolled; right sides may be a loop.
  bool fits_matrices(Value v) {
    for (Value r = v + 1; r < v + g_.results(v); ++r)
      if (!all_preserved(r)) return false;
    const size_t batch = batch_rank(g_, v), rank = g_.shape(v).size();
    int64_t matrices = 1;
    for (size_t d = 0; d < batch; ++d)
      if (Axis a = c_.axes.of(v)[d]; a != kNoAxis && !c_.axes.looped(a)) matrices *= c_.axes.extent(a);
    const int64_t most = kernels_ ? kMaxUnrolled : kUnrolledMatrices;
    if (g_.op(v) != Op::triangular_solve_op) return matrices <= most;
    const bool left = g_.attrs(v).integer(Key::left) != 0;
    return matrices <= most && !c_.axes.looped(c_.axes.of(v)[rank - (left ? 2 : 1)]);
  }
  bool is_matrix_op(Value v) const { return cpu_op(g_.op(v)).kernel == InKernel::matrix || g_.op(v) == Op::result_op; }

  // Modulo arithmetic wraps inside a slice, too: single elements only.
  bool fits_gather(Value v) const {
    if (g_.attrs(v).mode() != IndexMode::wrap) return true;
    const Ints sizes = g_.attrs(v).ints(Key::sizes);
    auto single = [&](int64_t d) { return sizes[static_cast<size_t>(d)] == 1; };
    if (kernels_) return std::ranges::all_of(g_.attrs(v).ints(Key::index_map), single);
    return std::ranges::all_of(sizes, [](int64_t n) { return n == 1; });
  }

  bool fits_reduction(Value v) {
    Value o = g_.operand(v, 0);
    Ints dims = g_.attrs(v).ints(Key::dims);
    int64_t iterations = 1, kept = 1, reduced = 1;
    size_t last = 0;
    // The reduced loops are the last, the first; the last is one of them.
    bool trailing = true, leading = true, along = false;
    for (size_t d = 0; d < g_.shape(o).size(); ++d) {
      Axis a = c_.axes.of(o)[d];
      if (!c_.axes.looped(a)) continue;
      iterations *= c_.axes.extent(a);
      last = d;
      along = std::ranges::find(dims, static_cast<int64_t>(d)) != dims.end();
      trailing &= along || reduced == 1;
      leading &= !along || kept == 1;
      (along ? reduced : kept) *= c_.axes.extent(a);
    }
    if (reduced == 1) return true;
    if (kernels_) {
      c_.reduction[v] = Reduction::rows;
      return true;
    }
    // A routine folds bytes, and extremes twice where it must; a kernel has as few lanes as its widest element.
    if (g_.dtype(v) == DType::boolean && !is_made(o)) return false;
    const bool extreme = g_.op(v) == Op::reduce_max_op || g_.op(v) == Op::reduce_min_op;
    if (extreme && is_floating(g_.dtype(v)) && !is_made(o) && iterations > kSequential) return false;
    if (kept > 1 && leading && reduced >= kColumnTerms && kept >= kColumns && c_.axes.elements(v) == 1 && is_made(o) &&
        !(kept > kNearColumns && is_grown(o, o, kGrowths))) {
      c_.reduction[v] = Reduction::columns;
      return true;
    }
    if (!is_made(o) && kept > 1 && iterations > kSequential && lies_across(o, dims)) return false;  // a routine
    const bool across = !along && kept > 1 && is_made(o) && c_.axes.extent(c_.axes.of(o)[last]) >= kAcross;
    if (c_.axes.elements(v) > kAccumulators || (kept > 1 && !trailing && !across && !(along && kept >= kShared)))
      return false;
    c_.reduction[v] = kept > 1 || iterations <= kSequential ? Reduction::rows : Reduction::full;
    return true;
  }

  // Whether neighbours in memory are terms of different results.
  bool lies_across(Value o, Ints dims) const {
    const Placement from = placement_of(c_, o);
    int64_t step[2] = {INT64_MAX, INT64_MAX}, extent = 1;
    for (size_t d = 0; d < from.strides.size(); ++d) {
      const int64_t n = g_.shape(o)[d], s = std::abs(from.strides[d]);
      const bool reduced = std::ranges::find(dims, static_cast<int64_t>(d)) != dims.end();
      if (n == 1 || s == 0 || s >= step[reduced]) continue;
      step[reduced] = s;
      if (!reduced) extent = n;
    }
    return step[0] < step[1] && extent >= kColumns;
  }

  // Whether a kernel makes the elements of v, or reads them for others, too.
  bool is_made(Value v) const {
    while (c_.role[v] == Role::view && c_.follows[v] && uses_[v] == 1) v = g_.operand(v, 0);
    return c_.role[v] == Role::kernel || uses_[v] > 1;
  }

  // Whether v is made, in few ops, of what is much smaller than `large`: terms of sums then come from caches in any
  // order, and sums stay in registers.
  bool is_grown(Value v, Value large, int ops) const {
    if (c_.role[v] == Role::source || kSmaller * g_.shape(v).numel() <= g_.shape(large).numel()) return true;
    const bool makes = is_elementwise(g_.op(v)) || g_.op(v) == Op::dot_op;
    if (ops == 0 || !(c_.role[v] == Role::kernel ? makes : c_.role[v] == Role::view && c_.follows[v])) return false;
    return std::ranges::all_of(g_.operands(v), [&](Value o) { return is_grown(o, large, ops - 1); });
  }

  // ---- memory

  // What routines, outputs and movements that no loop nest can follow need in memory. Users come before operands.
  void find_memory() {
    std::vector<uint8_t> need(g_.size(), 0);
    for (Value v : g_.outputs()) need[v] |= kMemory;
    for (Value v = g_.size(); v-- > 0;) {
      switch (c_.role[v]) {
        case Role::input:
          break;
        case Role::source:
          if (need[v] && !kernels_ && !is_constant_memory(v)) c_.role[v] = Role::routine;
          break;
        case Role::view:
          view_needs(v, need);
          break;
        case Role::kernel:
          if (g_.op(v) != Op::gather_op) break;
          if (is_gathered_alone(v))
            c_.role[v] = Role::routine;
          else
            need[g_.operand(v, 0)] |= kAffine;
          break;
        case Role::routine:
          if (g_.op(v) == Op::dynamic_slice_op) c_.points[v] = !(need[v] & kMemory) || is_block(v, need);
          break;
      }
      if (c_.role[v] == Role::routine) routine_needs(v, need);
    }
    memory_ = std::move(need);
  }

  // By indices that are in memory, for nothing in a kernel: a loop over indices takes less time than lanes.
  bool is_gathered_alone(Value v) const {
    if (kernels_ || uses_[v] != 0 || !gathers_near(g_, v)) return false;
    const Role indices = c_.role[c_.storage(g_.operand(v, 1))];
    return indices == Role::input || indices == Role::routine;
  }

  void routine_needs(Value v, std::vector<uint8_t>& need) const {
    std::span<const Value> operands = g_.operands(v);
    Op op = g_.op(v);
    // What is written to a part of memory must not be another part of it.
    bool updates = cpu_op(op).updates;
    for (size_t i = 0; i < operands.size(); ++i) {
      bool strided = reads_strided(op, i) && !(c_.points[v] && (need[v] & kMemory));
      need[operands[i]] |= strided ? kAffine : updates && i > 0 ? kMemory | kApart : kMemory;
    }
  }
  // Whether a slice of contiguous memory may stay there: before an axis that it cuts it shows one element of each.
  bool is_block(Value v, const std::vector<uint8_t>& need) const {
    if (need[v] & kApart) return false;
    const Shape &from = g_.shape(g_.operand(v, 0)), &size = g_.shape(v);
    size_t d = size.size();
    while (d > 0 && size[d - 1] == from[d - 1]) --d;
    for (size_t i = 0; i + 1 < d; ++i)
      if (size[i] != 1) return false;
    return true;
  }

  bool is_constant_memory(Value v) const {
    if (g_.op(v) != Op::const_op) return false;
    return !is_splat(g_, v) || g_.shape(v).numel() * size_of(g_.dtype(v)) <= kConstantBytes;
  }

  void view_needs(Value v, std::vector<uint8_t>& need) {
    Value o = g_.operand(v, 0);
    if (need[v] & kMemory) {
      if (is_alias(g_, v)) {
        need[o] |= need[v] & (kMemory | kApart);
        return;
      }
      c_.points[v] = !kernels_ && !c_.follows[v] && is_slice(v) && is_block(v, need);
      if ((!kernels_ && wants_tiles(v)) || c_.points[v]) {
        c_.role[v] = Role::routine;
        return;
      }
      c_.role[v] = Role::kernel;
    }
    if (!c_.follows[v] || (c_.role[v] == Role::view && (need[v] & kAffine)))
      need[o] |= is_strided(g_, v) ? kAffine : kMemory;
  }

  // Whether a view takes of each dim neighbours.
  bool is_slice(Value v) {
    const Movement& m = movement_(g_, v);
    return m.moves == Moves::view && std::ranges::all_of(m.runs(), [](const Run& run) {
             return run.from.dim == run.to.dim && (run.from.step == 1 || run.extent <= 1);
           });
  }

  // A transposition of loops: the routine works in tiles.
  bool wants_tiles(Value v) {
    std::span<const Axis> axes = c_.axes.of(v);
    if (g_.shape(v).numel() < 1024 || axes.empty() || !c_.axes.looped(axes.back())) return false;
    const Shape &from = g_.shape(g_.operand(v, 0)), &to = g_.shape(v);
    const Movement& m = movement_(g_, v);
    bool exchanges = false;
    for (const Run& run : m.runs()) {
      if (!is_whole(run, from, to)) return false;
      exchanges |= run.to.dim + 1 == to.size() && run.from.dim + 1 != from.size();
    }
    return exchanges;
  }

  // ---- levels

  Set loops_of(Value v) {
    return interned(c_.axes.of(v), [](size_t) { return true; });
  }
  // The loops around a Reduction::columns.
  Set loops_around(Value v) {
    Ints dims = g_.attrs(v).ints(Key::dims);
    return interned(c_.axes.of(g_.operand(v, 0)),
                    [&](size_t d) { return std::ranges::find(dims, static_cast<int64_t>(d)) != dims.end(); });
  }
  template <class Which>
  Set interned(std::span<const Axis> axes, Which which) {
    if (axes.empty()) return 0;
    loops_.clear();
    for (size_t d = 0; d < axes.size(); ++d)
      if (c_.axes.looped(axes[d]) && which(d)) loops_.push_back(axes[d]);
    if (loops_.empty()) return 0;
    std::ranges::sort(loops_);
    if (loops_ == set_loops_[last_set_]) return last_set_;
    auto [it, fresh] = sets_.try_emplace(loops_, static_cast<Set>(set_loops_.size()));
    if (fresh) set_loops_.push_back(loops_);
    return last_set_ = it->second;
  }

  // The edge from an operand of a member or routine, seen through views: where the value comes from.
  struct Edge {
    Value root;        // kNoValue: a source
    Role role;         // of the root
    bool preserved;    // an element depends on the same loop indices of the root
    bool read = true;  // false: it only has to be there first
    bool in_kernel() const { return role == Role::kernel; }
    bool is_memory() const { return role == Role::routine; }
  };
  Edge edge(Value root, bool preserved) const {
    return {root, root == kNoValue ? Role::source : c_.role[root], preserved};
  }
  std::span<const Edge> edges(Value v) const { return {edges_.data() + first_edge_[v], num_edges_[v]}; }
  // What must be there before v is read, behind views.
  template <class F>
  void each_awaited(Value v, F f) const {
    for (Value w = waits_[v]; w != kNoValue; w = waits_[g_.operand(w, 0)])
      for (Value before : g_.operands(w).subspan(1)) f(c_.root(before));
  }
  void find_edges(Value v) {
    first_edge_[v] = static_cast<uint32_t>(edges_.size());
    bool routine = c_.role[v] == Role::routine, direct = !moves_one(g_.op(v)) || c_.follows[v];
    for (Value o : g_.operands(v))
      edges_.push_back(routine ? edge(c_.root(o), false) : edge(root_[o], direct && path_[o]));
    if (!routine && g_.op(v) == Op::gather_op) edges_[first_edge_[v]] = edge(c_.root(g_.operand(v, 0)), false);
    for (Value o : g_.operands(v))
      each_awaited(o, [&](Value before) {
        edges_.push_back(edge(before, false));
        edges_.back().read = false;
      });
    num_edges_[v] = static_cast<uint32_t>(edges_.size()) - first_edge_[v];
  }
  bool can_inline(Value root) const { return size_[root] != 0 && size_[root] <= kInlineSize; }

  void assign_levels() {
    for (Value v = 0; v < g_.size(); ++v) {
      switch (c_.role[v]) {
        case Role::input:
          root_[v] = v;
          break;
        case Role::source:
          break;
        case Role::view:
          root_[v] = root_[g_.operand(v, 0)];
          path_[v] = path_[g_.operand(v, 0)] && c_.follows[v];
          waits_[v] = g_.op(v) == Op::after_op ? v : waits_[g_.operand(v, 0)];
          break;
        case Role::kernel:
          root_[v] = v;
          find_edges(v);
          place(v);
          break;
        case Role::routine:
          if (!is_splat(g_, v)) root_[v] = v;  // kernels make splats anew
          find_edges(v);
          for (Edge e : edges(v))
            if (e.in_kernel() || e.is_memory()) level_[v] = std::max(level_[v], level_[e.root] + 1);
          break;
      }
    }
  }

  // The level of v as a member of the nest `home`.
  uint32_t level_in(Value v, Set home) const {
    uint32_t level = 0;
    for (Edge e : edges(v)) {
      if (e.is_memory()) level = std::max(level, level_[e.root] + 1);
      if (!e.in_kernel()) continue;
      bool fused = e.preserved && home_[e.root] == home && !ends_cluster(c_.reduction[e.root]);
      bool inlined = e.preserved && !fused && can_inline(e.root);
      level = std::max(level, fused ? level_[e.root] : inlined ? ready_[e.root] : level_[e.root] + 1);
    }
    return level;
  }

  void place(Value v) {
    set_[v] = loops_of(v);
    if (g_.op(v) == Op::result_op) {  // made with the first
      home_[v] = home_[g_.operand(v, 0)];
      level_[v] = level_[g_.operand(v, 0)];
      return measure(v);
    }
    Set home = c_.reduction[v] == Reduction::none ? set_[v] : loops_of(g_.operand(v, 0));
    uint32_t level = level_in(v, home);
    if (c_.reduction[v] == Reduction::none && g_.op(v) != Op::gather_op) {
      // Values of the outer loops stay in the cluster of the reduction that they come from.
      for (Edge e : edges(v)) {
        if (!e.preserved || !e.in_kernel() || set_[e.root] != set_[v] || home_[e.root] == set_[v]) continue;
        if (ends_cluster(c_.reduction[e.root]) || home_[e.root] == home) continue;
        uint32_t other = level_in(v, home_[e.root]);
        if (other < level && can_split(home_[e.root], other, set_[v])) {
          home = home_[e.root];
          level = other;
        }
      }
    }
    if (c_.reduction[v] == Reduction::columns) around_[v] = loops_around(v);
    if (home != set_[v] && c_.reduction[v] != Reduction::full) level = level_with_split(home, level, outer_of(v));
    if (home != 0 && home == set_[v] && !kernels_) level = room_.take(home, level, instructions_of(g_, c_.axes, v));
    home_[v] = home;
    level_[v] = level;
    measure(v);
  }

  // The loops around the others in the nest of v.
  Set outer_of(Value v) const { return c_.reduction[v] == Reduction::columns ? around_[v] : set_[v]; }
  bool can_split(Set home, uint32_t level, Set outer) const {
    auto it = split_.find(key(home, level));
    return it == split_.end() || it->second == outer;
  }
  // The first level at which the nest `home` can be split below the loops `outer`.
  uint32_t level_with_split(Set home, uint32_t level, Set outer) {
    while (true) {
      auto [it, fresh] = split_.try_emplace(key(home, level), outer);
      if (it->second == outer) return level;
      ++level;
    }
  }
  static uint64_t key(Set home, uint32_t level) { return (uint64_t{home} << 32) | level; }

  // Whether kernels fold all elements of v: it is made of constants alone.
  bool is_known(Value v) const {
    if (info(g_.op(v)).is(Trait::dear)) return false;
    return std::ranges::all_of(edges(v), [this](Edge e) { return e.root == kNoValue || known_[e.root]; });
  }

  // What it costs to compute a value without loops anew, and the level from which that is possible.
  void measure(Value v) {
    if (set_[v] != 0 || home_[v] != 0) return;
    if (g_.op(v) == Op::gather_op || is_matrix_op(v)) {  // gathers stand in vector loops only
      size_[v] = kInlineSize + 1;
      return;
    }
    if (is_known(v)) {
      known_[v] = size_[v] = 1;
      return;
    }
    int64_t size = c_.axes.elements(v) * (info(g_.op(v)).is(Trait::dear) ? 4 : 1);
    uint32_t ready = 0;
    for (Edge e : edges(v)) {
      if (e.is_memory() || (e.in_kernel() && !(e.preserved && can_inline(e.root)))) {
        ready = std::max(ready, level_[e.root] + 1);
      } else if (e.in_kernel()) {
        size += size_[e.root];
        ready = std::max(ready, ready_[e.root]);
      }
    }
    size_[v] = static_cast<uint8_t>(std::min<int64_t>(size, kInlineSize + 1));
    ready_[v] = ready;
  }

  // ---- sinking

  // Moves nodes down to the cluster of their first user where that saves memory traffic: what only a later cluster of
  // the same nest uses need not be written.
  void sink() {
    std::vector<uint32_t> latest(g_.size(), kNothing);
    for (Value v = g_.size(); v-- > 0;) {
      if (c_.role[v] != Role::kernel && c_.role[v] != Role::routine) continue;
      if (c_.role[v] == Role::kernel && latest[v] != kNothing && latest[v] > level_[v] && may_sink(v) &&
          (kernels_ || room_.move(home_[v], level_[v], latest[v], instructions_of(g_, c_.axes, v))))
        level_[v] = latest[v];
      for (Edge e : edges(v)) {
        if (!e.in_kernel()) continue;
        bool fused = c_.role[v] == Role::kernel && e.preserved && home_[e.root] == home_[v] &&
                     !ends_cluster(c_.reduction[e.root]);
        uint32_t limit = fused ? level_[v] : level_[v] - 1;
        if (size_[v] != 0) limit = level_[e.root];  // v may be computed anew by whoever uses it
        latest[e.root] = std::min(latest[e.root], limit);
      }
    }
  }
  bool may_sink(Value v) const {
    if (g_.op(v) == Op::result_op || g_.results(v) > 1) return false;  // results stay together
    if ((memory_[v] & kMemory) || c_.reduction[v] != Reduction::none || set_[v] != home_[v] || set_[v] == 0)
      return false;
    // Values of this cluster that it alone keeps from sinking too would have to be written for it: at most one.
    Value cut = kNoValue;
    for (Edge e : edges(v)) {
      if (!e.in_kernel() || home_[e.root] != home_[v] || level_[e.root] != level_[v]) continue;
      if (uses_[e.root] == 1 || e.root == cut || (memory_[e.root] & kMemory)) continue;
      if (cut != kNoValue) return false;
      cut = e.root;
    }
    return true;
  }

  // ---- what is needed

  bool same_cluster(Value u, Value v) const { return home_[u] == home_[v] && level_[u] == level_[v]; }

  void find_needed() {
    live_.assign(g_.size(), 0);
    inlined_.assign(g_.size(), 0);
    // What is waited for may be a call of the host.
    auto need_call = [&](Value root) {
      if (c_.role[root] == Role::routine) need_stored(root);
    };
    for (Value v : g_.outputs()) {
      need_stored(c_.storage(v));
      each_awaited(v, need_call);
    }
    for (Value v = g_.size(); v-- > 0;) {
      if (c_.role[v] == Role::routine && live_[v])
        for (Edge e : edges(v))
          if (e.read || e.is_memory()) need_stored(e.root);
      if (c_.role[v] != Role::kernel) continue;
      for (Edge e : edges(v)) {
        if (live_[v]) need(e, v);
        if (inlined_[v]) need_inlined(e);
      }
    }
  }
  void need_stored(Value root) {
    if (root == kNoValue || (c_.role[root] != Role::kernel && c_.role[root] != Role::routine)) return;
    c_.stored[root] = live_[root] = 1;
  }
  void need(Edge e, Value v) {
    if (e.is_memory()) need_stored(e.root);
    if (!e.read) return;
    if (!e.in_kernel()) return;
    if (e.preserved && same_cluster(e.root, v) && !ends_cluster(c_.reduction[e.root]))
      live_[e.root] = 1;
    else if (inlines(e, v))
      inlined_[e.root] = 1;
    else
      need_stored(e.root);
  }
  bool inlines(Edge e, Value v) const { return e.preserved && home_[e.root] != home_[v] && can_inline(e.root); }
  void need_inlined(Edge e) {
    if (!e.read && !e.is_memory()) return;
    if (e.in_kernel() && e.preserved && can_inline(e.root))
      inlined_[e.root] = 1;
    else
      need_stored(e.root);
  }

  // ---- clusters

  void collect() {
    std::unordered_map<uint64_t, uint32_t> index;
    Value last = kNoValue;
    for (Value v = 0; v < g_.size(); ++v) {
      if (c_.role[v] != Role::kernel || !live_[v]) continue;
      if (last != kNoValue && same_cluster(v, last)) {  // as most neighbours
        c_.cluster[v] = c_.cluster[last];
      } else {
        auto [it, fresh] = index.try_emplace(key(home_[v], level_[v]), static_cast<uint32_t>(c_.clusters.size()));
        if (fresh) c_.clusters.emplace_back().loops = set_loops_[home_[v]];
        c_.cluster[v] = it->second;
      }
      c_.clusters[c_.cluster[v]].members.push_back(v);
      last = v;
    }
    for (uint32_t i = 0, n = static_cast<uint32_t>(c_.clusters.size()); i < n; ++i)
      if (c_.clusters[i].members.size() > 1) take_apart(i);
    for (Cluster& cluster : c_.clusters) {
      collect_inlined(cluster);
      order_loops(cluster);
    }
  }

  // What is computed of different long arrays becomes kernels of its own: fewer streams through the caches, each may
  // run as soon as its arrays are there and give their memory back (the pieces of a vmap in chunks one after the
  // other), and those that do the same share their code. No path leads from one part to another, as none leads between
  // units of a level.
  void take_apart(uint32_t number) {
    constexpr int64_t kLong = 1 << 14;
    int64_t iterations = 1, longest = 0;
    for (Axis a : c_.clusters[number].loops) iterations *= c_.axes.extent(a);
    auto is_own = [&](Edge e, Value v) { return e.in_kernel() && same_cluster(e.root, v); };
    for (Value v : c_.clusters[number].members) {
      longest = std::max(longest, g_.shape(v).numel());
      for (Edge e : edges(v))
        if (e.is_memory() || (e.in_kernel() && !is_own(e, v))) longest = std::max(longest, g_.shape(e.root).numel());
    }
    if (longest < kLong) return;
    // Parts: members that one is made of, or that read the same array; of an input the same part of it.
    std::unordered_map<Value, Value> parent;
    auto part_of = [&](Value v) {
      Value top = parent.try_emplace(v, v).first->second;
      while (parent.at(top) != top) top = parent.at(top);
      while (v != top) v = std::exchange(parent.at(v), top);
      return top;
    };
    auto join = [&](Value v, size_t i) {
      const Edge e = edges(v)[i];
      if (e.root == kNoValue) return;
      const Value array = e.role == Role::input ? g_.operand(v, i) : e.root;
      const int64_t read = g_.shape(g_.operand(v, i)).numel();  // more than there is where it is repeated
      if (is_own(e, v) || (read >= iterations && g_.shape(e.root).numel() >= read)) parent[part_of(array)] = part_of(v);
    };
    const std::vector<Value> members = std::move(c_.clusters[number].members);
    const std::vector<Axis> loops = c_.clusters[number].loops;
    for (Value v : members)
      for (size_t i = 0; i < g_.operands(v).size(); ++i) join(v, i);
    std::unordered_map<Value, uint32_t> cluster_of;
    for (Value v : members) {
      auto [it, fresh] = cluster_of.try_emplace(part_of(v), number);
      if (fresh && cluster_of.size() > 1) {
        it->second = static_cast<uint32_t>(c_.clusters.size());
        c_.clusters.emplace_back().loops = loops;
      }
      c_.cluster[v] = it->second;
      c_.clusters[it->second].members.push_back(v);
    }
  }

  void collect_inlined(Cluster& cluster) {
    if (inline_of_.empty()) inline_of_.assign(g_.size(), kNothing);
    auto mark = static_cast<uint32_t>(&cluster - c_.clusters.data());
    std::vector<Value> pending;
    auto visit = [&](Value v, Edge e, bool from_member) {
      if (!e.in_kernel() || !e.preserved || !inlined_[e.root] || inline_of_[e.root] == mark) return;
      if (from_member ? !inlines(e, v) : !can_inline(e.root)) return;
      inline_of_[e.root] = mark;
      pending.push_back(e.root);
    };
    for (Value v : cluster.members)
      for (Edge e : edges(v)) visit(v, e, true);
    for (size_t next = 0; next < pending.size(); ++next)
      for (Value v = pending[next]; Edge e : edges(v)) visit(v, e, false);
    std::ranges::sort(pending);
    cluster.inlined = std::move(pending);
  }

  // In the order of the dims of the largest value in memory; the loops of rows are outermost.
  void order_loops(Cluster& cluster) {
    cluster.outer = cluster.loops.size();
    Value model = kNoValue;
    Set outer = 0;
    for (Value v : cluster.members) {
      if (c_.reduction[v] != Reduction::full && set_[v] != home_[v]) {
        cluster.splits = true;
        outer = outer_of(v);
      }
      Value candidate = c_.reduction[v] != Reduction::none ? g_.operand(v, 0) : v;
      if (set_[v] != home_[v] && c_.reduction[v] == Reduction::none) continue;
      if (model == kNoValue || (c_.stored[v] && c_.reduction[v] == Reduction::none && !c_.stored[model]))
        model = candidate;
    }
    std::vector<Axis> sorted;
    auto in_outer = [&](Axis a) { return !cluster.splits || std::ranges::binary_search(set_loops_[outer], a); };
    bool rows = cluster.splits;
    for (Value v : cluster.members) rows &= c_.reduction[v] != Reduction::columns;
    for (Axis a : c_.axes.of(model))
      if (c_.axes.looped(a)) cluster.lanes = rows && in_outer(a) && c_.axes.extent(a) >= kAcross ? a : kNoAxis;
    for (bool want_outer : {true, false})
      for (Axis a : c_.axes.of(model))
        if (c_.axes.looped(a) && in_outer(a) == want_outer) sorted.push_back(a);
    if (cluster.splits) cluster.outer = set_loops_[outer].size();
    cluster.loops = std::move(sorted);
    if (repeats_along_rows(cluster)) {
      const auto first = cluster.loops.begin(), lanes = first + static_cast<ptrdiff_t>(cluster.outer);
      std::rotate(first, lanes - 1, lanes);
    }
  }

  // Whether the terms of sums in lanes are of smaller values, of which one that lies along the lanes is larger than a
  // near cache: a part of it then serves all turns of the loops around, which go on within that of the lanes.
  bool repeats_along_rows(const Cluster& cluster) const {
    if (!cluster.across() || cluster.outer < 2 || c_.axes.extent(cluster.lanes) < kLanes) return false;
    int64_t row = c_.axes.extent(cluster.lanes);
    for (size_t l = cluster.outer; l < cluster.loops.size(); ++l) row *= c_.axes.extent(cluster.loops[l]);
    return row > kNearColumns && std::ranges::all_of(cluster.members, [&](Value v) {
             return c_.reduction[v] == Reduction::none || is_grown(g_.operand(v, 0), g_.operand(v, 0), kGrowths);
           });
  }

  // ---- order

  struct Units {
    std::vector<Unit> all;
    std::vector<Value> last;        // of each: where it ends in the graph
    std::vector<uint32_t> of_node;  // kNothing: of none
  };
  Units list_units() const {
    Units units;
    units.of_node.assign(g_.size(), kNothing);
    auto add = [&](Unit u, Value last) {
      units.all.push_back(u);
      units.last.push_back(last);
      return static_cast<uint32_t>(units.all.size() - 1);
    };
    for (uint32_t i = 0; i < c_.clusters.size(); ++i) {
      uint32_t u = add({true, i}, c_.clusters[i].members.back());
      for (Value v : c_.clusters[i].members) units.of_node[v] = u;
    }
    for (Value v = 0; v < g_.size(); ++v)
      if (g_.op(v) == Op::result_op)
        units.of_node[v] = units.of_node[g_.operand(v, 0)];
      else if (c_.role[v] == Role::routine && live_[v])
        units.of_node[v] = add({false, v}, v);
    return units;
  }

  // Calls f(root) for the memory that a unit reads.
  template <class F>
  void for_each_read(const Units& units, uint32_t u, F f) const {
    auto visit = [&](Value v, bool inlined) {
      for (Edge e : edges(v)) {
        Value root = e.root;
        if (root == kNoValue || !e.read) continue;
        if (c_.role[root] != Role::input && (units.of_node[root] == u || !c_.stored[root])) continue;
        bool anew = inlined ? e.preserved && can_inline(root) : inlines(e, v);
        if (c_.role[v] != Role::kernel || !e.in_kernel() || !anew) f(root);
      }
    };
    if (!units.all[u].is_cluster) return visit(units.all[u].index, false);
    for (Value v : c_.clusters[units.all[u].index].members) visit(v, false);
    for (Value v : c_.clusters[units.all[u].index].inlined) visit(v, true);
  }

  // Calls f(unit) for those that must have run before a unit though it reads nothing of theirs.
  template <class F>
  void for_each_awaited(const Units& units, uint32_t u, F f) const {
    auto visit = [&](Value v) {
      for (Edge e : edges(v))
        if (!e.read && e.root != kNoValue && units.of_node[e.root] != kNothing && units.of_node[e.root] != u)
          f(units.of_node[e.root]);
    };
    if (!units.all[u].is_cluster) return visit(units.all[u].index);
    for (Value v : c_.clusters[units.all[u].index].members) visit(v);
    for (Value v : c_.clusters[units.all[u].index].inlined) visit(v);
  }

  // The memory in which a unit might work, if nobody else needs it any more.
  Value updated_by(const Unit& u) const {
    return u.is_cluster || !cpu_op(g_.op(u.index)).updates ? kNoValue : edges(u.index)[0].root;
  }

  // Topological; of the units that are ready, the one that ends first in the graph, but what may work in the memory of
  // its operand after all others that read this. False if there is a cycle.
  bool order() {
    const Units units = list_units();
    const auto n = static_cast<uint32_t>(units.all.size());
    using Pairs = std::vector<std::pair<uint32_t, uint32_t>>;
    Pairs before, updates;  // unit, one that needs it; memory, a unit that updates it
    std::vector<uint32_t> waits(n, 0), reads(g_.size(), 0);
    for (uint32_t u = 0; u < n; ++u) {
      for_each_read(units, u, [&](Value root) {
        ++reads[root];
        if (units.of_node[root] == kNothing) return;
        before.emplace_back(units.of_node[root], u);
        ++waits[u];
      });
      for_each_awaited(units, u, [&](uint32_t first) {
        before.emplace_back(first, u);
        ++waits[u];
      });
      if (Value m = updated_by(units.all[u]); m != kNoValue) updates.emplace_back(m, u);
    }
    std::ranges::sort(before);
    std::ranges::sort(updates);
    auto for_each_second = [](const Pairs& pairs, uint32_t key, auto f) {
      for (auto it = std::ranges::lower_bound(pairs, std::pair{key, 0u}); it != pairs.end() && it->first == key; ++it)
        f(it->second);
    };
    auto later = [&](uint32_t a, uint32_t b) { return units.last[a] > units.last[b]; };
    using Queue = std::priority_queue<uint32_t, std::vector<uint32_t>, decltype(later)>;
    Queue ready(later), reluctant(later);  // reluctant: others read what they update
    auto push = [&](uint32_t u) {
      Value m = updated_by(units.all[u]);
      (m != kNoValue && reads[m] > 1 ? reluctant : ready).push(u);
    };
    for (uint32_t u = 0; u < n; ++u)
      if (waits[u] == 0) push(u);
    std::vector<uint8_t> done(n, 0);
    while (!ready.empty() || !reluctant.empty()) {
      Queue& from = ready.empty() ? reluctant : ready;
      uint32_t u = from.top();
      from.pop();
      if (done[u]++) continue;
      c_.units.push_back(units.all[u]);
      for_each_second(before, u, [&](uint32_t user) {
        if (--waits[user] == 0) push(user);
      });
      for_each_read(units, u, [&](Value root) {
        if (--reads[root] != 1) return;
        for_each_second(updates, root, [&](uint32_t last) {
          if (waits[last] == 0) ready.push(last);
        });
      });
    }
    return c_.units.size() == n;
  }

  const GraphData& g_;
  bool kernels_;  // alone
  int64_t most_unrolled_;
  MovementReader movement_;
  Clustering c_;
  std::vector<uint8_t> memory_;  // kMemory, kAffine
  std::vector<Value> root_;      // the value behind a chain of views
  std::vector<uint8_t> path_;    // all views of the chain keep the loop indices
  std::vector<Edge> edges_;      // of members and routines
  std::vector<uint32_t> first_edge_, num_edges_;
  std::vector<Value> waits_;  // of views: the last `after` among them
  std::map<std::vector<Axis>, Set> sets_;
  std::vector<std::vector<Axis>> set_loops_;
  std::vector<Axis> loops_;
  Set last_set_ = 0;
  std::vector<Set> set_, home_;  // loops of a value, of its cluster
  std::vector<Set> around_;      // of a Reduction::columns: those of its terms
  std::vector<uint32_t> level_;
  std::vector<uint32_t> uses_;  // operands that name a value
  std::vector<uint8_t> size_;   // 0: has loops
  std::vector<uint8_t> known_;
  std::vector<uint32_t> ready_;
  std::unordered_map<uint64_t, Set> split_;
  CodeRoom room_;  // where the code of kernels is bounded
  std::vector<uint8_t> live_, inlined_;
  std::vector<uint32_t> inline_of_;
};

}  // namespace

Clustering cluster(const GraphData& g, std::span<const Tie> ties, Ways ways,
                   void (*after_sinking)(std::span<uint32_t> levels)) {
  return Clusterer(g, ties, ways).run(after_sinking);
}

}  // namespace jot::cpu
