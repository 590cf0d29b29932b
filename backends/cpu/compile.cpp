// From a graph to a program: cluster, lower, compile kernels, place values in memory.
#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <tuple>

#include "backends/cpu/cluster/cluster.h"
#include "backends/cpu/cluster/layout.h"
#include "backends/cpu/cluster/made_anew.h"
#include "backends/cpu/cluster/prepare.h"
#include "backends/cpu/cluster/tiles.h"
#include "backends/cpu/cluster/widen.h"
#include "backends/cpu/executable.h"
#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/library/flops.h"
#include "backends/cpu/loops/loop_kernel.h"
#include "backends/cpu/lower/lower.h"
#include "backends/cpu/ops/cpu_ops.h"
#include "backends/cpu/runtime/debug_info.h"
#include "backends/cpu/runtime/plan.h"
#include "backends/cpu/runtime/pool.h"
#include "backends/cpu/ship/self_contained.h"
#include "backends/cpu/slices.h"
#include "ir/env.h"
#include "ir/evaluate.h"
#include "ir/log.h"
#include "ir/seen.h"
#include "passes/inline_bodies.h"

namespace jot::cpu {

using namespace ir;

namespace {

class Timer {
 public:
  explicit Timer(ExecutableStats& stats) : stats_(stats), start_(std::chrono::steady_clock::now()) {}
  void phase(const char* name) {
    auto now = std::chrono::steady_clock::now();
    stats_.compile_seconds[name] += std::chrono::duration<double>(now - start_).count();
    start_ = now;
  }

 private:
  ExecutableStats& stats_;
  std::chrono::steady_clock::time_point start_;
};

class ProgramBuilder {
 public:
  ProgramBuilder(const Graph& graph, const CompileOptions& options, bool with_listing)
      : graph_(graph), g_(graph_.data()), options_(options), with_listing_(with_listing) {}
  ProgramBuilder(SelfContained kernels, const CompileOptions& options, bool with_listing)
      : graph_(kernels.graph),
        g_(graph_.data()),
        options_(options),
        with_listing_(with_listing),
        clustering_(std::move(kernels.clustering)),
        loops_(std::move(kernels.loops)) {}

  Compiled build() {
    Timer timer(result_.stats);
    if (!clustering_) {
      Clustering c = cluster(g_);
      find_tiles(c);
      clustering_ = std::make_shared<Clustering>(std::move(c));
    }
    timer.phase("cluster");
    lower_units();
    timer.phase("lower");
    emit_kernels();
    timer.phase("emit");
    copy_outputs();
    place_values();
    fill_places();
    if (env().check_nan) check_steps();
    if (with_listing_) list();
    timer.phase("plan");
    result_.program.graph = graph_;
    count();
    if (seen::on()) result_.seen = take_seen();
    return std::move(result_);
  }

 private:
  static constexpr uint32_t kNowhere = 0xffffffff;
  static constexpr int64_t kColumns = 16;  // a share of so many elements is combined by a kernel
  // Of a chunk, at least: its share of columns is written and read once more.
  static constexpr int64_t kColumnIterations = 8;

  std::vector<Step>& steps() { return result_.program.steps; }

  // ---- steps

  bool nothing_to_do(const Unit& u) const {
    auto is_empty = [&](Value v) { return g_.shape(v).numel() == 0; };
    if (!u.is_cluster) {
      Value first = u.index;
      if (ir::has_regions(g_.op(first))) return false;  // it may call the host
      for (Value v = first; v < first + g_.results(first); ++v)
        if (!is_empty(v)) return false;
      return true;
    }
    return std::ranges::all_of(clustering_->clusters[u.index].members,
                               [&](Value v) { return !clustering_->stored[v] || is_empty(v); });
  }

  void lower_units() {
    Lowering lowering(*clustering_, options_.vector_bytes, options_.origins || seen::lines(), streamed(),
                      options_.lanes_of_sums);
    auto tiles = clustering_->tile_groups.begin();
    for (uint32_t number = 0; number < clustering_->units.size(); ++number) {
      const Unit& u = clustering_->units[number];
      if (tiles != clustering_->tile_groups.end() && number == tiles->first + tiles->count) ++tiles;
      if (nothing_to_do(u)) continue;
      if (tiles != clustering_->tile_groups.end() && number >= tiles->first) add_to_tiles(*tiles);
      unit_of_step_.push_back(u);
      if (!u.is_cluster) {
        alone() ? add_loop(u.index) : add_routine(u.index);
        continue;
      }
      add_kernel(lowering.lower(u.index));
      auto& kernel = std::get<KernelStep>(steps().back().what);
      for (Value v : clustering_->clusters[u.index].members)
        if (clustering_->stored[v]) kernel.writes.push_back(v);
    }
  }
  // The next step is one of the group's.
  void add_to_tiles(const TileGroup& tiles) {
    const auto step = static_cast<uint32_t>(steps().size());
    std::vector<Group>& groups = result_.program.groups;
    const auto number = static_cast<uint32_t>(&tiles - clustering_->tile_groups.data());
    if (tile_groups_.empty() || tile_groups_.back() != number) {
      tile_groups_.push_back(number);
      Group g;
      g.first = step, g.items = tiles.items, g.each = tiles.lanes, g.tiles = true;
      groups.push_back(std::move(g));
    }
    ++groups.back().count;
  }

  // What does not fit the caches: inputs, and results of kernels that nothing here reads again and in whose place no
  // input's contents stand. Where all that a call takes and returns fills two thirds of the last cache, results of a
  // sixteenth do not either: written there, they would first be read, and drive out what the next call takes.
  std::vector<uint8_t> streamed() const {
    std::vector<uint8_t> streams;
    auto is_large = [&](Value v, int64_t least) {
      if (bytes_of(g_.type(v)) < least) return false;
      streams.resize(g_.size(), 0);
      return true;
    };
    int64_t all = 0;
    for (std::span<const Value> list : {g_.inputs(), g_.outputs()})
      for (Value v : list) all += bytes_of(g_.type(v));
    const int64_t least = all / 2 > options_.stream / 3 ? options_.stream / 16 : options_.stream;
    for (Value v : g_.inputs())
      if (is_large(v, options_.stream)) streams[v] = 1;
    for (uint32_t i = 0; i < g_.outputs().size(); ++i)
      if (const Value s = clustering_->storage(g_.outputs()[i]);
          clustering_->role[s] == Role::kernel && is_large(s, least))
        streams[s] = replaced(i) == kNoValue;
    if (streams.empty()) return streams;
    for (const Unit& u : clustering_->units) {
      auto reads = [&](Value v) {
        for (Value o : g_.operands(v))
          if (const Value m = memory(o);
              clustering_->role[m] == Role::kernel && !(u.is_cluster && clustering_->cluster[m] == u.index))
            streams[m] = 0;
      };
      if (u.is_cluster)
        for (const auto* list : {&clustering_->clusters[u.index].members, &clustering_->clusters[u.index].inlined})
          std::ranges::for_each(*list, reads);
      else
        reads(u.index);
    }
    return streams;
  }

  void add_kernel(LoweredKernel lowered) {
    if (env().verify) verify(lowered.kernel);
    flops_.push_back(lowered.flops * static_cast<double>(lowered.extent));
    KernelStep k;
    int lanes = lowered.kernel.lanes;
    bool vector = std::ranges::any_of(lowered.kernel.instrs, [](const KInstr& i) { return i.op == KOp::vrange; });
    k.chunk = k.extent = lowered.parallel ? lowered.extent : 1;
    if (lowered.parallel && !alone()) {
      std::tie(k.chunks, k.chunk) = chunks_of(k.extent, lowered.nanoseconds, vector ? lanes : 1);
      const bool adds_columns = std::ranges::any_of(lowered.args, [&](const KernelArg& a) {
        return a.kind == KernelArg::Kind::partial && g_.shape(a.value).numel() >= kColumns;
      });
      if (adds_columns) k.chunk = std::max(k.chunk, kColumnIterations);
      k.chunk = std::min(k.chunk, lowered.longest);
      k.chunks = std::max<int64_t>((k.extent + k.chunk - 1) / k.chunk, 1);
    }
    k.sliceable = lowered.parallel && !lowered.strips;
    k.nanoseconds = lowered.nanoseconds;
    Step step;
    step.faults = std::move(lowered.faults);
    step.may_fail = !step.faults.empty();
    std::vector<int64_t>& args = result_.program.args;
    k.first_arg = static_cast<uint32_t>(args.size());
    args.push_back(0);
    for (size_t i = 0; i < lowered.args.size(); ++i) {
      const KernelArg& a = lowered.args[i];
      if (a.kind == KernelArg::Kind::partial) {
        Partial p;
        p.arg = static_cast<uint32_t>(i + 1);
        p.count = g_.shape(a.value).numel();
        p.op = g_.op(a.value);
        p.dtype = g_.dtype(a.value);
        if (p.count >= kColumns) p.columns = std::make_shared<ColumnFold>(p.op, p.dtype, false);
        k.partials.push_back(std::move(p));
        partial_values_.push_back(a.value);
      }
      if (a.kind == KernelArg::Kind::scratch)
        k.scratch.push_back({static_cast<uint32_t>(i + 1), {}, aligned(a.number)});
      args.push_back(a.kind == KernelArg::Kind::number ? a.number : 0);
    }
    k.num_args = static_cast<uint32_t>(lowered.kernel.num_args);
    k.kernel = LazyKernel(std::move(lowered.kernel));
    step.what = std::move(k);
    steps().push_back(std::move(step));
    arguments_.push_back(std::move(lowered.args));
  }

  bool alone() const { return !options_.self_contained.empty(); }

  // Its operands and results are those of a routine.
  void add_loop(Value v) {
    KernelLoop& loop = loops_.at(v);
    LoweredKernel& lowered = loop.lowered.kernel;
    for (KernelArg& a : lowered.args) switch (a.kind) {
        case KernelArg::Kind::memory: {  // of an input of the step
          const auto input = static_cast<size_t>(loop.step.data().attrs(a.value).integer(Key::index));
          a.value = clustering_->storage(g_.operand(v, input));
          break;
        }
        case KernelArg::Kind::operand:
          a = {KernelArg::Kind::memory, clustering_->storage(g_.operand(v, a.value)), a.number};
          break;
        case KernelArg::Kind::result:
          a = {KernelArg::Kind::memory, v + a.value, a.number};
          break;
        case KernelArg::Kind::number:
        case KernelArg::Kind::partial:
        case KernelArg::Kind::scratch:
          break;
      }
    const size_t faults = lowered.faults.size();
    if (loop.lowered.exceeded > 0) lowered.faults.push_back({v, 0});
    add_kernel(std::move(lowered));
    auto& k = std::get<KernelStep>(steps().back().what);
    k.loop = loop.step;
    k.loop_faults = faults;
  }

  void add_routine(Value v) {
    arguments_.emplace_back();
    if (clustering_->points[v]) {
      steps().push_back({PointerStep{v, result_.program.pointers++, {}, {}, {}}, {}});
      return;
    }
    Ints strides;
    Placement from;
    if (cpu_op(g_.op(v)).strided) strides = (from = placement_of(*clustering_, g_.operand(v, 0))).strides;
    RoutineRule routine = cpu_op(g_.op(v)).routine;
    if (!routine) internal_error("a routine for every op that kernels do not take", name_of(g_.op(v)));
    steps().push_back(routine_step(v, routine({g_, v, 1, strides}), {strides.begin(), strides.end()}));
  }
  Step routine_step(Value v, std::unique_ptr<const Routine> routine, std::vector<int64_t> operand_steps = {},
                    bool checks = false) const {
    Step step;
    for (int64_t code = 0, kinds = fault_kinds(g_, v); code < kinds; ++code) step.faults.push_back({v, code});
    step.may_fail = !step.faults.empty() || !routine->regions.empty();
    step.what = RoutineStep{v, std::move(operand_steps), checks, std::move(routine), {}, {}, {}};
    return step;
  }

  void emit_kernels() {
    if (!options_.code) return;
    for (Step& s : steps())
      if (auto* k = std::get_if<KernelStep>(&s.what)) {
        bool compiled = false;
        k->code = options_.code(*k->kernel, &compiled);
        result_.stats.kernels_compiled += compiled;
        if (compiled && debugging()) tell_debuggers(*k->kernel, k->code, g_);
        if (env().log_cache)
          log("cache", std::string(compiled ? "kernels: miss, " : "kernels: hit, ") +
                           std::to_string(k->kernel->instrs.size()) + " instructions");
      }
  }

  // ---- outputs: the first use of a computed value is written in place, all else is copied

  void copy_outputs() {
    output_of_.assign(g_.size(), kNowhere);
    uint32_t results = static_cast<uint32_t>(g_.num_results()), all = static_cast<uint32_t>(g_.outputs().size());
    // Writebacks may be updates in place: what is a result too is copied there.
    for (uint32_t k = 0; k < all; ++k) {
      uint32_t i = k < all - results ? results + k : k - (all - results);
      Value s = clustering_->storage(g_.outputs()[i]);
      int64_t bytes = bytes_of(g_.type(s));
      if (computed(s) && output_of_[s] == kNowhere) {
        output_of_[s] = i;
        continue;
      }
      if (bytes == 0) continue;
      Step step;
      step.what = CopyStep{{}, {Space::output, i, 0}, bytes};
      steps().push_back(std::move(step));
      arguments_.push_back({{KernelArg::Kind::memory, s, 0}});
    }
  }
  bool computed(Value s) const {
    return clustering_->role[s] == Role::kernel || (clustering_->role[s] == Role::routine && !clustering_->points[s]);
  }

  // ---- memory

  Value memory(Value v) const { return clustering_->storage(clustering_->root(v)); }
  // And what it points into, if it is a pointer.
  template <class F>
  void for_each_memory(Value v, F f) const {
    for (v = memory(v);; v = memory(g_.operand(v, 0))) {
      f(v);
      if (!clustering_->points[v]) return;
    }
  }
  // Calls f(value) for the memory that a step reads or writes.
  template <class F>
  void for_each_value(size_t step, F f) const {
    for (const KernelArg& a : arguments_[step])
      if (a.kind == KernelArg::Kind::memory || a.kind == KernelArg::Kind::partial) for_each_memory(a.value, f);
    const auto& what = result_.program.steps[step].what;
    Value node = kNoValue;
    if (auto* r = std::get_if<RoutineStep>(&what)) node = r->node;
    if (auto* p = std::get_if<PointerStep>(&what)) node = p->node;
    if (node == kNoValue) return;
    for (Value v = node; v < node + g_.results(node); ++v) f(v);
    for (Value o : g_.operands(node)) for_each_memory(o, f);
  }

  void place_values() {
    uint32_t n = static_cast<uint32_t>(steps().size());
    first_.assign(g_.size(), kNowhere);
    last_.assign(g_.size(), 0);
    for (uint32_t s = 0; s < n; ++s)
      for_each_value(s, [&](Value v) {
        if (first_[v] == kNowhere) first_[v] = s;
        last_[v] = s;
      });
    share_in_place();
    place_.assign(g_.size(), Place{});
    group_steps();
    place_constants();
    std::vector<Block> blocks;
    std::vector<uint32_t> block_of(g_.size(), kNowhere);
    for (uint32_t i = 0; i < g_.inputs().size(); ++i) place_[g_.inputs()[i]] = {Space::input, i, 0};
    for (const Step& s : steps())
      if (auto* p = std::get_if<PointerStep>(&s.what)) place_[p->node] = {Space::pointer, p->index, 0};
    for (Value v = 0; v < g_.size(); ++v) {
      if (first_[v] == kNowhere || !computed(v) || same_as_[v] != v || place_[v].space == Space::slice) continue;
      if (output_of_[v] != kNowhere) {
        place_[v] = {Space::output, output_of_[v], 0};
      } else {
        block_of[v] = static_cast<uint32_t>(blocks.size());
        blocks.push_back(block(bytes_of(g_.type(v)), first_[v], last_[v]));
      }
    }
    size_t values = blocks.size();
    add_step_blocks(blocks);
    result_.program.arena_bytes = plan_memory(blocks);
    result_.largest_live_set = largest_live_set(blocks);
    for (Value v = 0; v < g_.size(); ++v)
      if (block_of[v] != kNowhere) place_[v].offset = blocks[block_of[v]].offset;
    for (Value v = g_.size(); v-- > 0;)
      if (same_as_[v] != v) place_[v] = place_[same_as_[v]];
    take_step_blocks(std::span(blocks).subspan(values));
    insert_checks();
  }

  // Steps of a group run at the same time.
  Block block(int64_t bytes, uint32_t first, uint32_t last) const {
    if (const Group* g = group_of(first)) first = g->first;
    if (const Group* g = group_of(last)) last = g->first + g->count - 1;
    return {bytes, first, last};
  }
  // Groups are in the order of their steps, which they share with no other.
  const Group* group_of(uint32_t step) const {
    const std::vector<Group>& groups = result_.program.groups;
    auto after = std::ranges::upper_bound(groups, step, {}, &Group::first);
    return after != groups.begin() && step - (after - 1)->first < (after - 1)->count ? &*(after - 1) : nullptr;
  }
  bool grouped(uint32_t step) const { return group_of(step) != nullptr; }

  void group_steps() {
    place_tiles();
    if (alone() || !checked_before_.empty()) return;  // steps are inserted
    std::vector<uint8_t> shared(g_.size(), 0);
    for (Value v = 0; v < g_.size(); ++v) {
      const uint32_t output = output_of_[v];
      if (same_as_[v] != v) shared[v] = shared[same_as_[v]] = 1;
      if (output != kNowhere && result_.program.in_place[output] >= 0) shared[v] = 1;
    }
    auto shares_memory = [&](size_t s) {
      bool shares = false;
      for_each_value(s, [&](Value v) { shares |= shared[v]; });
      return shares;
    };
    std::vector<PlannedStep> planned;
    for (uint32_t s = 0; s < steps().size(); ++s)
      planned.push_back({&steps()[s], arguments_[s], s >= unit_of_step_.size() || shares_memory(s) || grouped(s)});
    auto only_within = [this](Value v, uint32_t first, uint32_t last) {
      return output_of_[v] == kNowhere && first_[v] >= first && last_[v] <= last;
    };
    std::vector<Group>& groups = result_.program.groups;
    const auto tiles = static_cast<ptrdiff_t>(groups.size());
    for (GroupedSteps& found : find_groups(*clustering_, planned, only_within)) {
      for (size_t i = 0; i < found.values.size(); ++i)
        place_[found.values[i]] = {Space::slice, static_cast<uint32_t>(i), 0};
      groups.push_back(std::move(found.group));
    }
    std::ranges::inplace_merge(groups, groups.begin() + tiles, {}, &Group::first);
  }

  // What lies in tiles; and how many of them a thread takes at once.
  void place_tiles() {
    for (size_t n = 0; n < result_.program.groups.size(); ++n) {
      Group& g = result_.program.groups[n];
      double nanoseconds = 0;
      for (uint32_t s = g.first; s < g.first + g.count; ++s) {
        const auto& what = steps()[s].what;
        if (auto* k = std::get_if<KernelStep>(&what)) {
          if (k->extent != g.items) internal_error("a kernel over the items of tiles", g_.name());
          nanoseconds += k->nanoseconds;
        } else {
          nanoseconds += std::get<RoutineStep>(what).routine->item_nanoseconds;
        }
        for_each_value(s, [&](Value v) {
          if (clustering_->tile_group.empty() || clustering_->tile_group[v] != tile_groups_[n]) return;
          if (place_[v].space == Space::slice) return;
          const int64_t size = size_of(g_.dtype(v)), bytes = bytes_of(g_.type(v)) / g.items * g.each;
          place_[v] = {Space::slice, static_cast<uint32_t>(g.parts.size()), 0};
          g.parts.push_back({g.bytes, bytes, g.each * size});
          g.bytes += aligned(bytes);
        });
      }
      g.chunks = chunks_of(g.slices(), nanoseconds * static_cast<double>(g.each), 1).first;
    }
  }
  // The checks of indices that come before what they would spoil.
  void insert_checks() {
    if (checked_before_.empty()) return;
    std::multimap<size_t, size_t> checks;  // before a step, those of one
    for (auto [step, before] : checked_before_) checks.emplace(before, step);
    std::vector<Step> all;
    std::vector<std::vector<KernelArg>> arguments;
    std::vector<uint32_t> now;  // of the steps there are
    for (size_t s = 0; s < steps().size(); ++s) {
      auto [first, last] = checks.equal_range(s);
      for (auto it = first; it != last; ++it)
        for (std::set<Value> checked; const Fault& f : steps()[it->second].faults) {
          if (!checked.insert(f.node).second) continue;  // a check is of all positions
          all.push_back(routine_step(f.node, cpu_op(g_.op(f.node)).check({g_, f.node}), {}, true));
          arguments.emplace_back();
        }
      now.push_back(static_cast<uint32_t>(all.size()));
      all.push_back(std::move(steps()[s]));
      arguments.push_back(std::move(arguments_[s]));
    }
    for (Value v = 0; v < g_.size(); ++v)
      if (first_[v] != kNowhere) first_[v] = now[first_[v]], last_[v] = now[last_[v]];
    for (Group& g : result_.program.groups) g.first = now[g.first];
    steps() = std::move(all);
    arguments_ = std::move(arguments);
  }

  // The input that an output replaces, kNoValue if none.
  Value replaced(uint32_t output) const {
    if (output == kNowhere) return kNoValue;
    if (output >= g_.num_results()) return g_.inputs()[g_.writebacks()[output - g_.num_results()]];
    bool any = !options_.replaces.empty() && options_.replaces[output] >= 0;
    return any ? g_.inputs()[static_cast<size_t>(options_.replaces[output])] : kNoValue;
  }

  // Whether the indices of step t can be checked before step s. A region's cannot.
  bool can_check_before(size_t s, size_t t) const {
    const std::vector<Fault>& faults = result_.program.steps[t].faults;
    return !faults.empty() && std::ranges::all_of(faults, [&](const Fault& f) {
      if (!cpu_op(g_.op(f.node)).check) return false;
      Value indices = g_.operand(f.node, 1), m = memory(indices);
      return clustering_->storage(indices) == m &&
             (clustering_->role[m] == Role::input || (computed(m) && clustering_->stored[m] && first_[m] < s));
    });
  }

  // Whether an input can be overwritten from step s on: no step from `from` on fails once it has been. Indices are
  // checked first.
  bool becomes_safe(size_t s, size_t from) {
    auto fails = [&](size_t t) { return t >= from && !can_check_before(s, t); };
    if (std::ranges::any_of(faulty_, fails)) return false;
    for (size_t t : faulty_)
      if (t >= from) checked_before_[t] = s;
    return true;
  }

  // Whether a cluster makes element i of its one stored value of element i of an input, if it reads that.
  bool reads_same_elements(const Cluster& cluster, Value input) const {
    std::vector<Value> all = cluster.members;
    all.insert(all.end(), cluster.inlined.begin(), cluster.inlined.end());
    std::ranges::sort(all);
    std::vector<Value> made;  // of it
    for (Value v : all)
      for (Value o : g_.operands(v)) {
        Value root = clustering_->root(o);
        bool reads = std::ranges::binary_search(made, root);
        if (!reads) for_each_memory(root, [&](Value m) { reads |= m == input; });
        if (!reads) continue;
        if (!is_elementwise(g_.op(v)) || g_.shape(v).numel() != g_.shape(input).numel() ||
            clustering_->storage(o) != root || clustering_->points[root])
          return false;
        if (made.empty() || made.back() != v) made.push_back(v);
      }
    return true;
  }

  // The one value that a step makes, kNoValue if there are more.
  Value made_by(Unit u) const {
    if (!u.is_cluster) return u.index;
    Value stored = kNoValue;
    for (Value v : clustering_->clusters[u.index].members) {
      if (!clustering_->stored[v]) continue;
      if (stored != kNoValue) return kNoValue;
      stored = v;
    }
    return stored;
  }

  // A step that makes the contents which replace an input's may write them there.
  void overwrite_input(size_t s) {
    Unit u = unit_of_step_[s];
    Value stored = made_by(u);
    if (stored == kNoValue || !computed(stored)) return;
    uint32_t output = output_of_[same_as_[stored]];
    Value input = replaced(output);
    if (input == kNoValue || result_.program.in_place[output] >= 0) return;
    bool read = first_[input] != kNowhere;
    if (read && last_[input] > s) return;
    if (read && last_[input] == s && !(u.is_cluster && reads_same_elements(clustering_->clusters[u.index], input)))
      return;
    if (becomes_safe(s, s)) result_.program.in_place[output] = static_cast<int32_t>(index_of(input));
  }
  int64_t index_of(Value input) const { return g_.attrs(input).integer(Key::index); }

  // A scatter or an update of a value that nobody needs any more works in the value's memory. That of an input becomes
  // an output, if the caller wants it so.
  void share_in_place() {
    same_as_.resize(g_.size());
    for (Value v = 0; v < g_.size(); ++v) same_as_[v] = v;
    result_.program.in_place.assign(g_.outputs().size(), -1);
    if (alone()) return;
    for (uint32_t i = 0; i < g_.outputs().size(); ++i)  // contents that stay as they are
      if (Value input = clustering_->storage(g_.outputs()[i]); replaced(i) == input)
        result_.program.in_place[i] = static_cast<int32_t>(index_of(input));
    for (size_t s = steps().size(); s-- > 0;) {
      if (steps()[s].may_fail) faulty_.push_back(s);
      bool output_copy = s >= unit_of_step_.size();
      if (!output_copy && !updates_operand(s) && !grouped(static_cast<uint32_t>(s))) overwrite_input(s);
    }
  }

  // Whether step s works in the memory of its operand, or may.
  bool updates_operand(size_t s) {
    auto* r = std::get_if<RoutineStep>(&steps()[s].what);
    if (!r) return false;
    if (!cpu_op(g_.op(r->node)).updates) return false;
    Value operand = clustering_->storage(g_.operand(r->node, 0));
    bool input = clustering_->role[operand] == Role::input;
    if ((!computed(operand) && !input) || output_of_[operand] != kNowhere || last_[operand] != s) return false;
    int uses = 0;
    for (Value o : g_.operands(r->node)) for_each_memory(o, [&](Value v) { uses += v == operand; });
    if (uses != 1) return false;
    Value target = same_as_[r->node];
    if (input) {
      if (replaced(output_of_[target]) == operand && becomes_safe(s, s + 1))
        result_.program.in_place[output_of_[target]] = static_cast<int32_t>(index_of(operand));
      return true;
    }
    same_as_[operand] = target;
    first_[target] = std::min(first_[target], first_[operand]);
    last_[target] = std::max(last_[target], last_[operand]);
    return true;
  }

  void place_constants() {
    int64_t bytes = 0;
    std::vector<Value> constants;
    for (Value v = 0; v < g_.size(); ++v)
      if (first_[v] != kNowhere && clustering_->role[v] == Role::source) {
        place_[v] = {Space::constant, 0, bytes};
        result_.program.constant_places.push_back({v, bytes});
        bytes = aligned(bytes + bytes_of(g_.type(v)));
        constants.push_back(v);
      }
    if (constants.empty()) return;
    result_.program.constants = Buffer::allocate(bytes);
    auto* base = static_cast<std::byte*>(result_.program.constants.data());
    for (Value v : constants) {
      const Type* types[] = {&g_.type(v)};
      std::byte* outs[] = {base + place_[v].offset};
      ir::evaluate({g_.attrs(v), types, {}, outs, g_.location(v), g_.call(v)});
    }
  }

  int threads() const { return options_.one_thread ? 1 : num_threads(); }

  // Memory that one step alone needs: spilled registers, scratch, partial results.
  void add_step_blocks(std::vector<Block>& blocks) {
    for (uint32_t s = 0; s < steps().size(); ++s) {
      if (auto* k = std::get_if<KernelStep>(&steps()[s].what)) {
        int64_t workers = k->chunks > 1 || grouped(s) ? threads() : 1;
        blocks.push_back(block(k->code ? aligned(k->code->spill_bytes) * workers : 0, s, s));
        for (const Partial& p : k->partials) blocks.push_back(block(k->chunks > 1 ? p.bytes() * k->chunks : 0, s, s));
        for (const WorkerMemory& m : k->scratch) blocks.push_back(block(m.bytes * workers, s, s));
      } else if (auto* r = std::get_if<RoutineStep>(&steps()[s].what)) {
        blocks.push_back(block(r->routine->scratch_bytes, s, s));
      }
    }
    for (const Group& g : result_.program.groups) blocks.push_back(block(g.bytes * threads(), g.first, g.first));
  }
  void take_step_blocks(std::span<const Block> blocks) {
    size_t next = 0, next_partial = 0;
    for (Step& s : steps()) {
      if (auto* k = std::get_if<KernelStep>(&s.what)) {
        k->spill.offset = blocks[next++].offset;
        for (Partial& p : k->partials) {
          p.result = place_[partial_values_[next_partial++]];
          p.chunks = k->chunks > 1 ? Place{Space::arena, 0, blocks[next].offset} : p.result;
          ++next;
        }
        for (WorkerMemory& m : k->scratch) m.place.offset = blocks[next++].offset;
      } else if (auto* r = std::get_if<RoutineStep>(&s.what)) {
        r->scratch.offset = blocks[next++].offset;
      }
    }
    for (Group& g : result_.program.groups) g.memory.offset = blocks[next++].offset;
  }

  // Of the first element of a value that is in memory, and the strides.
  std::pair<Place, std::vector<int64_t>> place_of(Value v) const {
    Placement p = placement_of(*clustering_, v);
    Place place = place_[p.storage];
    place.offset += p.offset * size_of(g_.dtype(v));
    return {place, std::move(p.strides)};
  }

  void fill_pointer(PointerStep& p) const {
    Value whole = g_.operand(p.node, 0);
    std::vector<int64_t> strides;
    std::tie(p.whole, strides) = place_of(whole);
    int size = size_of(g_.dtype(whole));
    if (moves_one(g_.op(p.node))) {
      MovementReader movement;
      p.whole.offset += located(movement(g_, p.node).runs(), strides, row_major_steps(g_.shape(p.node))).from * size;
      return;
    }
    for (size_t d = 0; d < strides.size(); ++d) {
      int64_t stride = strides[d] * size;
      if (int64_t limit = g_.shape(whole)[d] - g_.shape(p.node)[d]; limit > 0)
        p.starts.push_back({place_of(g_.operand(p.node, d + 1)).first, limit, stride});
    }
  }

  void fill_places() {
    std::vector<PointerStep*> pointer_steps(result_.program.pointers);
    for (size_t i = 0; i < steps().size(); ++i) {
      if (auto* k = std::get_if<KernelStep>(&steps()[i].what)) {
        size_t partial = 0, scratch = 0;
        for (size_t j = 0; j < arguments_[i].size(); ++j) {
          const KernelArg& a = arguments_[i][j];
          if (a.kind == KernelArg::Kind::number) continue;
          Place p;
          if (a.kind == KernelArg::Kind::scratch) {
            p = k->scratch[scratch++].place;
          } else {
            p = a.kind == KernelArg::Kind::partial ? k->partials[partial++].chunks : place_[a.value];
            p.offset += a.number;
          }
          Address address{k->first_arg + static_cast<uint32_t>(j) + 1, p};
          if (p.space == Space::slice)
            k->of_slice.push_back(address);
          else
            result_.program.addresses.push_back(address);
          if (p.space == Space::pointer) pointer_steps[p.index]->uses.push_back(address);
        }
      } else if (auto* r = std::get_if<RoutineStep>(&steps()[i].what)) {
        for (Value o : g_.operands(r->node)) r->operands.push_back(place_of(o).first);
        for (Value v = r->node; v < r->node + g_.results(r->node); ++v) r->outs.push_back(place_[v]);
        uint64_t bit = 1;
        for (const std::vector<Place>* places : {&r->operands, &r->outs})
          for (const Place& p : *places) r->in_lanes |= p.space == Space::slice ? bit : 0, bit <<= 1;
      } else if (auto* p = std::get_if<PointerStep>(&steps()[i].what)) {
        pointer_steps[p->index] = p;
        fill_pointer(*p);
      } else {
        std::get<CopyStep>(steps()[i].what).from = place_[arguments_[i][0].value];
      }
    }
  }

  // ---- for people

  void check_steps() {
    for (Step& s : steps()) {
      const auto add = [&](Value v) {
        if (is_floating(g_.dtype(v)) && place_[v].space != Space::slice) s.checked.emplace_back(v, place_[v]);
      };
      if (auto* k = std::get_if<KernelStep>(&s.what)) std::ranges::for_each(k->writes, add);
      auto* r = std::get_if<RoutineStep>(&s.what);
      if (r && !r->checks)
        for (Value v = r->node; v < r->node + g_.results(r->node); ++v)
          if (first_[v] != kNowhere) add(v);
    }
  }

  std::shared_ptr<ProgramSeen> take_seen() {
    auto seen = std::make_shared<ProgramSeen>();
    size_t kernel = 0;
    for (size_t s = 0; s < steps().size(); ++s) {
      ProgramSeen::Work work;
      std::set<Value> values;
      for_each_value(s, [&](Value v) {
        if (!clustering_->points[v] && values.insert(v).second) work.bytes += bytes_of(g_.type(v));
      });
      if (std::holds_alternative<KernelStep>(steps()[s].what)) work.flops = flops_[kernel++];
      if (auto* r = std::get_if<RoutineStep>(&steps()[s].what); r && !r->checks) work.flops = flops_of(g_, r->node);
      seen->work.push_back(work);
    }
    seen->places = std::move(place_);
    seen->first = std::move(first_);
    seen->last = std::move(last_);
    seen->clustering = clustering_;
    return seen;
  }

  void count() {
    ExecutableStats& s = result_.stats;
    s.arena_bytes = result_.program.arena_bytes;
    for (const Step& step : steps()) {
      if (auto* k = std::get_if<KernelStep>(&step.what)) {
        ++s.kernels;
        if (k->code) s.code_bytes += k->code->code_bytes;
      } else if (auto* r = std::get_if<RoutineStep>(&step.what)) {
        const std::string& library = r->routine->library;
        if (r->routine->kernels.empty()) ++(library.empty() ? s.routines : s.library_calls);
        for (const auto& kernel : r->routine->kernels) kernel->add_to(s);
        if (!library.empty()) s.libraries.insert(library);
        for (const auto& region : r->routine->regions) add(s, region->stats());
      }
    }
  }

  void list() {
    std::string& text = result_.listing;
    text = to_text(*clustering_);
    for (const Group& g : result_.program.groups)
      text += "\n" + std::to_string(g.count) + " steps in " + std::to_string(g.slices()) + " slices of " +
              std::to_string(g.bytes) + " bytes\n";
    for (const Step& step : steps())
      if (auto* k = std::get_if<KernelStep>(&step.what))
        text += "\nkernel, " + std::to_string(k->extent) + " iterations in " + std::to_string(k->chunks) + " chunks\n" +
                to_text(*k->kernel);
      else if (auto* r = std::get_if<RoutineStep>(&step.what))
        for (const auto& kernel : r->routine->kernels)
          text += "\n" + std::string(name_of(g_.op(r->node))) + ", a loop within a " + kernel->text();
  }

  Graph graph_;
  const GraphData& g_;
  const CompileOptions& options_;
  bool with_listing_;
  Compiled result_;
  std::shared_ptr<const Clustering> clustering_;
  std::map<Value, KernelLoop> loops_;  // where there are no routines
  std::vector<Unit> unit_of_step_;
  std::vector<uint32_t> tile_groups_;              // of the clustering, in the order of the program's groups
  std::vector<std::vector<KernelArg>> arguments_;  // of each step
  std::vector<Value> partial_values_;
  std::vector<double> flops_;                // of a call of each kernel
  std::vector<uint32_t> output_of_;          // of each value: the output that is its memory
  std::vector<uint32_t> first_, last_;       // steps
  std::vector<Value> same_as_;               // the value whose memory it shares
  std::vector<size_t> faulty_;               // steps that can fail
  std::map<size_t, size_t> checked_before_;  // the step before which their indices are checked
  std::vector<Place> place_;
};

}  // namespace

Graph graph_of_engine(const Graph& optimised) { return made_anew(prepare(widen(passes::inline_bodies(optimised)))); }

Compiled compile(const Graph& optimised, const CompileOptions& options, bool with_listing) {
  if (!optimised.pure()) throw IrError("[compile] the graph has effects; run functionalize first");
  if (options.self_contained.empty()) return ProgramBuilder(graph_of_engine(optimised), options, with_listing).build();
  SelfContained kernels = self_contained(optimised, options.lanes_of_sums ? 0 : options.vector_bytes,
                                         options.self_contained, options.origins);
  return ProgramBuilder(std::move(kernels), options, with_listing).build();
}

}  // namespace jot::cpu
