#include "backends/cpu/lower/lower_kernel.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "backends/cpu/kernel/hoist.h"
#include "backends/cpu/kernel/lower_ops.h"

namespace jot::cpu {

using namespace ir;

namespace {

constexpr double kNanosecondsPerInstruction = 0.4;  // of a full vector, about

// Of one lane.
int flops_of(KOp op) {
  switch (op) {
    case KOp::add:
    case KOp::sub:
    case KOp::mul:
    case KOp::div:
    case KOp::sqrt:
    case KOp::min:
    case KOp::max:
      return 1;
    case KOp::fma:
    case KOp::fnma:
    case KOp::fms:
      return 2;
    default:
      return 0;
  }
}

}  // namespace

LoweringTables::LoweringTables(const Clustering& clustering, int bytes, bool origins, std::vector<uint8_t> streamed)
    : c(clustering),
      g(clustering.g),
      vector_bytes(bytes),
      keep_origins(origins),
      streams(std::move(streamed)),
      maps(g, clustering.axes),
      uses(g.size(), 0),
      slot(g.size()),
      slot_stamp(g.size(), kNone),
      access(g.size()),
      access_stamp(g.size(), kNone) {
  for (Value v = 0; v < g.size(); ++v)
    for (Value o : g.operands(v)) ++uses[o];
  for (Value v : g.outputs()) ++uses[v];
}

struct Lowering::Shared : LoweringTables {
  using LoweringTables::LoweringTables;
};
Lowering::Lowering(const Clustering& c, int vector_bytes, bool origins, std::vector<uint8_t> streams,
                   bool lanes_of_sums)
    : shared_(std::make_unique<Shared>(c, vector_bytes, origins, std::move(streams))) {
  shared_->lanes_of_sums = lanes_of_sums;
}
Lowering::~Lowering() = default;
LoweredKernel Lowering::lower(uint32_t cluster) {
  ClusterLowering lowering(*shared_, cluster);
  LoweredKernel kernel = lowering.run();
  const std::vector<size_t> rows = lowering.long_rows();
  return rows.empty() ? kernel : ClusterLowering(*shared_, cluster, rows).run();
}

ClusterSurvey::ClusterSurvey(LoweringTables& tables, uint32_t cluster)
    : t_(tables), c_(tables.c), g_(tables.g), cluster_(tables.c.clusters[cluster]), mark_(tables.mark++) {}

// ---- the kernel

// Whether what lanes hold is rounded when it is put together: the result depends on how many there are.
bool ClusterLowering::folds_lanes() const {
  return std::ranges::any_of(cluster_.members, [&](Value v) {
    const bool rows = c_.reduction[v] == Reduction::rows && !cluster_.across();
    return is_floating(g_.dtype(v)) && (rows || c_.reduction[v] == Reduction::full);
  });
}

void ClusterLowering::make_loops() {
  bool looped = !cluster_.loops.empty();
  int lanes = looped && (!t_.lanes_of_sums || folds_lanes()) ? std::max(t_.vector_bytes / widest_, 1) : 1;
  b_ = std::make_unique<KernelBuilder>(lanes, !looped || t_.vector_bytes == 0 || t_.lanes_of_sums);
  b_->reserve(slots_.size());
  if (t_.keep_origins) b_->keep_origins();
  args_ = std::make_unique<Arguments>(c_.axes, *b_);
  if (!cluster_.members.empty()) b_->origin(cluster_.members.back());  // what belongs to no other
  std::vector<std::vector<Stride>> strides;
  for (const Found& f : found_) strides.push_back(f.by_axis);
  size_t split = cluster_.splits ? cluster_.outer : cluster_.loops.size();
  loops_ = join_loops(cluster_.loops, split, alone_, strides);
  std::span<const Axis> around(cluster_.loops.data(), split);
  while (outer_ < loops_.size() && std::ranges::find(around, loops_[outer_].axes[0]) != around.end()) ++outer_;
  for (size_t l = outer_ == 0 ? 0 : 1; l < loops_.size(); ++l) args_->product(loops_[l].axes);  // before the loops
}

void ClusterLowering::make_accesses(std::span<const Axis> axes) {
  const bool plain = axes.size() == cluster_.loops.size();  // no steps of a loop
  for (const Found& f : found_) {
    const bool share = own(f.value) && c_.reduction[f.value] == Reduction::columns;
    const int64_t offset = f.layout.offset * size_of(g_.dtype(f.value));
    uint32_t pointer = share ? args_->partial(f.value) : args_->memory(f.layout.storage, offset, plain && is_sliced(f));
    if (share) b_->read_write(pointer);
    accesses_.emplace_back(c_, f.value, pointer, f.layout, f.by_axis, axes, loops_, *args_, *b_);
    accesses_.back().slots = static_cast<uint32_t>(slots_.size());
    slots_.resize(slots_.size() + accesses_.back().elements(), kNone);
  }
  make_tile();
  for (size_t i : read_in_order_) {
    Access& a = accesses_[i];
    a.tile = args_->scratch({}, int64_t{a.elements()} * b_->lanes() * size_of(g_.dtype(found_[i].value)));
    b_->read_write(a.tile);
  }
  find_strips();
  for (Value v : cluster_.members)
    if (g_.op(v) == Op::gather_op) {
      Layout from = layout_of(c_, g_.operand(v, 0));
      operand_pointers_[v] = args_->memory(from.storage, from.offset * size_of(g_.dtype(v)));
      operand_strides_[v] = std::move(from.strides);
    }
}

std::vector<size_t> ClusterLowering::long_rows() const {
  if (t_.streams.empty() || loops_.empty() || lanes_ == 1 || cluster_.splits) return {};
  constexpr int64_t kLong = 160;  // bytes: shorter rows are read in order anyway
  std::vector<size_t> rows;
  int64_t left = kTileBytes;
  for (size_t i = 0; i < found_.size(); ++i) {
    const Found& f = found_[i];
    const Access& a = accesses_[i];
    const KElement t = element_in_memory(g_.dtype(f.value));
    const int64_t row = int64_t{a.elements()} * size_of(g_.dtype(f.value)), bytes = row * lanes_;
    if (own(f.value) || c_.role[f.layout.storage] != Role::input || !t_.streams[f.layout.storage]) continue;
    if (t.type == KType::mask || t.memory != KMem::own || !a.packed(loops_.size() - 1)) continue;
    if (row < kLong || row % kTilePart != 0 || bytes > left) continue;
    const auto first = slots_.begin() + a.slots;
    if (4 * std::count(first, first + a.elements(), kNone) > a.elements()) continue;  // much of it is not needed
    left -= bytes;
    rows.push_back(i);
  }
  return rows;
}

// All steps are forward and the outermost takes the value in as many parts as it has iterations: so each of these stays
// within its part.
bool ClusterLowering::is_sliced(const Found& f) const {
  if (loops_.empty() || f.layout.offset != 0) return false;
  auto number = [&](const Stride& s) {
    int64_t n = s.factor;
    for (Axis a : s.axes) n *= c_.axes.extent(a);
    return n;
  };
  for (const Stride& s : f.layout.strides)
    if (s.factor < 0) return false;
  int64_t iterations = 1;
  for (Axis a : loops_[0].axes) iterations *= c_.axes.extent(a);
  const auto last = std::ranges::find(cluster_.loops, loops_[0].axes.back()) - cluster_.loops.begin();
  return number(f.by_axis[static_cast<size_t>(last)]) * iterations == g_.shape(f.layout.storage).numel();
}

LoweredKernel ClusterLowering::run() {
  survey();
  make_loops();
  make_accesses(cluster_.loops);
  start_columns();
  for (Value v : cluster_.inlined) make_all(v);
  for (Value v : cluster_.members)
    if (c_.reduction[v] == Reduction::full) start_reduction(v);
  cluster_.splits ? emit_rows() : emit_plain();
  for (Value v : cluster_.members)
    if (c_.reduction[v] == Reduction::full) finish_full(v);
  return finish();
}

LoweredKernel ClusterLowering::finish() {
  count_work();
  if (result_.parallel)
    for (Axis a : loops_[0].axes) result_.extent *= c_.axes.extent(a);
  result_.strips = result_.parallel && strip_loop_ == 0;
  if (result_.strips) result_.extent = (result_.extent + strip_ - 1) / strip_;
  lanes_ = b_->lanes();
  result_.args = args_->take();
  result_.faults = std::move(faults_);
  result_.kernel = std::move(*b_).finish();
  if (cluster_.across()) result_.kernel = hoist(result_.kernel, false);
  result_.kernel.num_args = static_cast<int>(result_.args.size()) + 1;
  return std::move(result_);
}

// A chunk's share of sums over the outer loops: it begins as the sum of nothing.
void ClusterLowering::start_columns() {
  std::vector<Value> columns;
  for (Value v : cluster_.members)
    if (c_.reduction[v] == Reduction::columns) columns.push_back(v);
  if (columns.empty()) return;
  for (size_t l = outer_; l < loops_.size(); ++l) loops_[l].index = open_whole(l, l + 1 == loops_.size());
  vector_loop_ = static_cast<uint32_t>(loops_.size() - 1);
  for (Value v : columns) {
    const uint32_t start = reduction_start(*b_, g_.op(v), g_.dtype(v));
    store(accesses_[t_.access[v]], v, {&start, 1});
  }
  vector_loop_ = kNone;
  for (size_t l = loops_.size(); l-- > outer_;) {
    b_->endloop();
    loops_[l].index = kNone;
  }
  limit_columns();
}

// It takes up few terms, so that its error is bounded.
void ClusterLowering::limit_columns() {
  constexpr int64_t kMost = 32;
  int64_t below = 1;
  for (size_t l = 1; l < outer_; ++l)
    for (Axis a : loops_[l].axes) below *= c_.axes.extent(a);
  result_.longest = std::max<int64_t>(kMost / below, 1);
}

// Of one iteration of the range, or of all where there is none: each instruction as often as its loops run.
void ClusterLowering::count_work() {
  auto scattered = [](KOp op) {  // element by element
    return op == KOp::load_strided || op == KOp::gather || op == KOp::store_strided || op == KOp::scatter;
  };
  std::vector<double> runs = {result_.parallel ? 0.0 : 1.0};
  double total = 0, flops = 0;
  for (uint32_t i = 0; i < b_->size(); ++i) {
    const KOp op = b_->instr(i).op;
    if (const KType t = b_->instr(i).type; t == KType::f32 || t == KType::f64) flops += runs.back() * flops_of(op);
    if (is_loop(op))
      runs.push_back(op == KOp::range || op == KOp::vrange ? iterations_.at(i) : runs.back() * iterations_.at(i));
    else if (op == KOp::endloop)
      runs.pop_back();
    else
      total += runs.back() * (scattered(op) ? b_->lanes() : 1);
  }
  result_.nanoseconds = kNanosecondsPerInstruction * total;
  result_.flops = flops * b_->lanes();
}

void ClusterLowering::emit_plain() {
  for (size_t l = 0; l < loops_.size(); ++l) open(l, l == 0, l + 1 == loops_.size());
  make_milestones();
  for (Value v : cluster_.members) {
    if (c_.stored[v] && c_.reduction[v] == Reduction::none) emit_store(v);
    if (c_.reduction[v] == Reduction::full) accumulate(v);
  }
  check_unseen();
  vector_loop_ = kNone;
  for (size_t l = loops_.size(); l-- > 0;) close(l);
}

// What is stored last may depend on all else: in large clusters some members are made in passing, so that few wait for
// each other. No factors of sums, which are made with them.
void ClusterLowering::make_milestones() {
  constexpr size_t kApart = 1024;
  size_t waiting = 0;
  for (Value v : cluster_.members) {
    Op op = g_.op(v);
    if (++waiting < kApart || op == Op::mul_op || op == Op::neg_op || c_.reduction[v] != Reduction::none) continue;
    if (c_.axes.elements(v) != 1 || !in_all_loops(v)) continue;
    make(v, 0);
    waiting = 0;
  }
}

void ClusterLowering::emit_rows() {
  find_phases();
  find_kept();
  int phases = 0;
  for (auto [v, phase] : phase_) phases = std::max(phases, phase);
  std::vector<std::vector<Value>> members(static_cast<size_t>(phases) + 2);
  for (auto [v, phase] : phase_) members[static_cast<size_t>(phase + 1)].push_back(v);
  std::vector<std::vector<Value>> kept(members.size());
  for (auto& [v, k] : kept_) kept[static_cast<size_t>(k.phase + 1)].push_back(v);
  if (turns_side_by_side(members)) return emit_turns_side_by_side(members);
  for (size_t l = 0; l < outer_; ++l) open(l, l == 0, loops_[l].axes.back() == cluster_.lanes);
  size_t last = members.size();
  while (last > 0 && std::ranges::none_of(members[last - 1], [&](Value v) { return runs_in_loops(v); })) --last;
  for (size_t p = 0; p < members.size(); ++p) {
    current_phase_ = static_cast<int>(p) - 1;
    emit_phase(members[p], kept[p], p + 1 == last);
  }
  vector_loop_ = kNone;
  for (size_t l = 0; l < outer_; ++l) b_->endloop();
}

void ClusterLowering::emit_elements(std::span<const Value> in_loops) {
  for (Value v : in_loops) {
    if (c_.reduction[v] == Reduction::none)
      emit_store(v);
    else if (c_.reduction[v] == Reduction::columns)
      accumulate_columns(v);
    else
      accumulate(v);
  }
}

void ClusterLowering::emit_phase(std::span<const Value> members, std::span<const Value> kept, bool last) {
  std::vector<Value> in_loops;
  for (Value v : members)
    if (runs_in_loops(v)) in_loops.push_back(v);
  if (!in_loops.empty()) {
    for (Value v : in_loops)
      if (c_.reduction[v] == Reduction::rows) start_reduction(v);
    inner_ = true;
    if (kept.empty() && runs_side_by_side(in_loops)) {
      emit_side_by_side(in_loops);
    } else {
      for (size_t l = outer_; l < loops_.size(); ++l) open(l, false, !cluster_.across() && l + 1 == loops_.size());
      emit_elements(in_loops);
      for (Value v : kept) keep(v);
      if (last) check_unseen();
      close_inner();
    }
    inner_ = false;
    for (Value v : in_loops)
      if (c_.reduction[v] == Reduction::rows) finish_rows(v);
  }
  for (Value v : members) {
    if (c_.reduction[v] != Reduction::none || in_all_loops(v)) continue;
    make_all(v);
    if (c_.stored[v]) emit_store(v);
  }
}

// Reductions over loops: what an accumulator takes up is bounded, so that the error of a sum is.
void ClusterLowering::find_strips() {
  constexpr int64_t kMost = 32;
  const bool folded = std::ranges::any_of(cluster_.members, [&](Value v) {
    return c_.reduction[v] == Reduction::full ||
           (c_.reduction[v] == Reduction::rows && keeps_losses(g_.op(v), g_.dtype(v)));
  });
  if (!folded) return;
  int64_t below = 1;  // iterations of the loops inside
  for (size_t l = loops_.size(); l-- > (cluster_.splits ? outer_ : 0);) {
    int64_t lanes = !cluster_.across() && l + 1 == loops_.size() ? b_->lanes() : 1, extent = 1;
    for (Axis a : loops_[l].axes) extent *= c_.axes.extent(a);
    int64_t iterations = below * ((extent + lanes - 1) / lanes);
    if (iterations > kMost) {
      strip_loop_ = l;
      strip_ = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(kMost / below))) * lanes;
      args_->product(loops_[l].axes);
      if (l > 0 || cluster_.splits) strips_ = args_->pieces(loops_[l].axes, strip_);
      return;
    }
    below = iterations;
  }
}

uint32_t ClusterLowering::counted(uint32_t loop, double iterations) {
  iterations_[loop] = iterations;
  return loop;
}
// Over all indices, in one piece.
uint32_t ClusterLowering::open_whole(size_t l, bool vector) {
  const uint32_t count = args_->product(loops_[l].axes);
  double extent = 1;
  for (Axis a : loops_[l].axes) extent *= static_cast<double>(c_.axes.extent(a));
  return counted(vector ? b_->vloop(count) : b_->loop(count), std::ceil(extent / (vector ? b_->lanes() : 1)));
}

void ClusterLowering::open(size_t l, bool range, bool vector) {
  Loop& loop = loops_[l];
  bool strips = l == strip_loop_;
  double extent = 1;
  const double lanes = vector ? b_->lanes() : 1, strip = static_cast<double>(strip_);
  for (Axis a : loop.axes) extent *= static_cast<double>(c_.axes.extent(a));
  result_.parallel |= range;
  if (strips) {
    uint32_t nth = range ? counted(b_->range(), 1) : counted(b_->loop(strips_), std::ceil(extent / strip));
    uint32_t first = b_->imuli(nth, strip_), left = b_->isub(args_->product(loop.axes), first);
    uint32_t count = b_->imin(b_->iconst(strip_), left);
    uint32_t within = vector ? b_->vloop(count) : b_->loop(count);
    loop.index = b_->iadd(first, counted(within, std::ceil(std::min(extent, strip) / lanes)));
  } else if (range) {
    loop.index = counted(vector ? b_->vrange() : b_->range(), 1 / lanes);
  } else {
    loop.index = open_whole(l, vector);
  }
  if (vector) vector_loop_ = static_cast<uint32_t>(l);
}

void ClusterLowering::close(size_t l) {
  b_->endloop();
  loops_[l].index = kNone;
  if (l != strip_loop_) return;
  fold();
  b_->endloop();
}

void ClusterLowering::close_inner() {
  if (!cluster_.across()) vector_loop_ = kNone;
  for (size_t l = loops_.size(); l-- > outer_;) close(l);
  if (strip_loop_ == SIZE_MAX) fold();  // of all rows
  forget_inner();
}

// The elements of this turn of the inner loops.
void ClusterLowering::forget_inner() {
  for (uint32_t s : inner_slots_) slots_[s] = kNone;
  inner_slots_.clear();
  starts_.clear();
}

}  // namespace jot::cpu
