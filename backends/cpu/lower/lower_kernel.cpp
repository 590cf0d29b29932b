#include "backends/cpu/lower/lower_kernel.h"

#include <algorithm>
#include <bit>
#include <climits>
#include <cmath>

#include "backends/cpu/kernel/lower_ops.h"

namespace jot::cpu {

using namespace ir;

namespace {

constexpr double kNanosecondsPerInstruction = 0.4;  // of a full vector, about

}  // namespace

LoweringTables::LoweringTables(const Clustering& clustering, int bytes)
    : c(clustering),
      g(clustering.g),
      vector_bytes(bytes),
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
Lowering::Lowering(const Clustering& c, int vector_bytes) : shared_(std::make_unique<Shared>(c, vector_bytes)) {}
Lowering::~Lowering() = default;
LoweredKernel Lowering::lower(uint32_t cluster) { return ClusterLowering(*shared_, cluster).run(); }

ClusterLowering::ClusterLowering(LoweringTables& tables, uint32_t cluster)
    : t_(tables), c_(tables.c), g_(tables.g), cluster_(tables.c.clusters[cluster]), mark_(cluster) {}

// ---- survey: what is accessed, with which strides, and the widest element

void ClusterLowering::survey() {
  uint32_t slots = 0;
  for (const std::vector<Value>* list : {&cluster_.members, &cluster_.inlined})
    for (Value v : *list) {
      t_.slot[v] = slots;
      t_.slot_stamp[v] = mark_;
      slots += static_cast<uint32_t>(c_.axes.elements(v));
    }
  slots_.assign(slots, kNone);
  for (const std::vector<Value>* list : {&cluster_.members, &cluster_.inlined})
    for (Value v : *list) {
      see(g_.dtype(v));
      bool plain = c_.follows[v] && g_.op(v) != Op::gather_op;
      std::span<const Value> operands = g_.operands(v);
      for (size_t i = 0; i < operands.size(); ++i)
        if (!plain || !own(operands[i])) survey_operand(v, i);
    }
  for (Value v : cluster_.members)
    if (c_.stored[v] && c_.reduction[v] != Reduction::full) find_access(v, false);
}

// A movement that no loop nest follows: its elements are read where its operand lies.
bool ClusterLowering::copies_memory(Value v) const { return !c_.follows[v] && own(v) && moves_one(g_.op(v)); }

void ClusterLowering::survey_operand(Value v, size_t i) {
  Value o = g_.operand(v, i);
  see(g_.dtype(o));
  if (copies_memory(v)) return find_access(v, true);
  if (g_.op(v) == Op::gather_op && i == 0) {
    Ints batch = g_.attrs(v).ints(Key::index_batch);
    for (int64_t d : batch)
      if (Axis a = c_.axes.of(g_.operand(v, 1))[static_cast<size_t>(d)]; c_.axes.looped(a)) alone_.push_back(a);
    int64_t reach = 0;
    Placement from = placement_of(c_, o);
    for (size_t d = 0; d < from.strides.size(); ++d) reach += (g_.shape(o)[d] - 1) * std::abs(from.strides[d]);
    if (reach >= INT32_MAX) see(DType::i64);
    return;
  }
  while (!own(o) && c_.role[o] == Role::view && c_.follows[o]) o = g_.operand(o, 0);
  if (own(o) || is_splat(g_, o)) return;
  if (c_.role[o] != Role::source) return find_access(o, false);
  if (g_.op(o) == Op::const_op) {
    if (c_.axes.has_loops(o)) find_access(o, false);
    return;
  }
  for (Axis a : c_.axes.of(o))
    if (c_.axes.looped(a)) {
      alone_.push_back(a);
      if (c_.axes.extent(a) > INT32_MAX) see(DType::i64);
    }
}

void ClusterLowering::find_access(Value v, bool copied) {
  if (copied) {
    if (!copied_.emplace(v, found_.size()).second) return;
  } else {
    if (t_.access_stamp[v] == mark_) return;
    t_.access_stamp[v] = mark_;
    t_.access[v] = static_cast<uint32_t>(found_.size());
  }
  Found f{v, layout_of(c_, v, copied), std::vector<Stride>(cluster_.loops.size())};
  for (size_t d = 0; d < f.layout.strides.size(); ++d) {
    Axis a = c_.axes.of(v)[d];
    if (!c_.axes.looped(a)) continue;
    auto at = std::ranges::find(cluster_.loops, a);
    if (at == cluster_.loops.end()) internal_error("the axes of an access are loops of its cluster", g_.name());
    f.by_axis[static_cast<size_t>(at - cluster_.loops.begin())] = f.layout.strides[d];
  }
  found_.push_back(std::move(f));
}

bool ClusterLowering::in_all_loops(Value v) const {
  size_t n = 0;
  for (Axis a : c_.axes.of(v)) n += c_.axes.looped(a);
  return n == cluster_.loops.size();
}

// Rows run in phases: a value that needs the result of a reduction of this row comes a phase after it. Values of the
// outer loops: the phase after whose loops they are known, -1 if before all.
void ClusterLowering::find_phases() {
  for (Value v : cluster_.members) {
    bool all = in_all_loops(v), reduces = c_.reduction[v] != Reduction::none;
    int phase = all || reduces ? 0 : -1;
    for (Value o : g_.operands(v)) {
      while (!own(o) && c_.role[o] == Role::view && c_.follows[o]) o = g_.operand(o, 0);
      auto at = phase_.find(o);
      if (at == phase_.end()) continue;
      bool from_row = !in_all_loops(o) || c_.reduction[o] == Reduction::rows;
      phase = std::max(phase, at->second + (from_row && (all || reduces)));
    }
    phase_[v] = phase;
  }
}

// ---- the kernel

LoweredKernel ClusterLowering::run() {
  survey();
  bool looped = !cluster_.loops.empty();
  int lanes = looped ? t_.vector_bytes / widest_ : 1;
  b_ = std::make_unique<KernelBuilder>(lanes, !looped);
  b_->reserve(slots_.size());
  args_ = std::make_unique<Arguments>(c_.axes, *b_);
  std::vector<std::vector<Stride>> strides;
  for (const Found& f : found_) strides.push_back(f.by_axis);
  size_t split = cluster_.splits ? cluster_.outer : cluster_.loops.size();
  loops_ = join_loops(cluster_.loops, split, alone_, strides);
  std::span<const Axis> around(cluster_.loops.data(), split);
  while (outer_ < loops_.size() && std::ranges::find(around, loops_[outer_].axes[0]) != around.end()) ++outer_;
  for (const Found& f : found_) {
    accesses_.emplace_back(c_, f.value, f.layout, f.by_axis, cluster_.loops, loops_, *args_, *b_);
    accesses_.back().slots = static_cast<uint32_t>(slots_.size());
    slots_.resize(slots_.size() + accesses_.back().elements(), kNone);
  }
  find_strips();
  for (size_t l = outer_ == 0 ? 0 : 1; l < loops_.size(); ++l) args_->product(loops_[l].axes);  // before the loops
  for (Value v : cluster_.members)
    if (g_.op(v) == Op::gather_op) {
      Layout from = layout_of(c_, g_.operand(v, 0));
      operand_pointers_[v] = args_->memory(from.storage, from.offset * size_of(g_.dtype(v)));
      operand_strides_[v] = std::move(from.strides);
    }
  for (Value v : cluster_.inlined) make_all(v);
  for (Value v : cluster_.members)
    if (c_.reduction[v] == Reduction::full) start_reduction(v);
  cluster_.splits ? emit_rows() : emit_plain();
  for (Value v : cluster_.members)
    if (c_.reduction[v] == Reduction::full) finish_full(v);

  result_.nanoseconds = nanoseconds();
  if (result_.parallel)
    for (Axis a : loops_[0].axes) result_.extent *= c_.axes.extent(a);
  if (result_.parallel && strip_loop_ == 0) result_.extent = (result_.extent + strip_ - 1) / strip_;
  result_.args = args_->take();
  result_.kernel = std::move(*b_).finish();
  result_.kernel.num_args = static_cast<int>(result_.args.size()) + 1;
  return std::move(result_);
}

// Of one iteration of the range, or of all where there is none: each instruction as often as its loops run.
double ClusterLowering::nanoseconds() const {
  auto scattered = [](KOp op) {  // element by element
    return op == KOp::load_strided || op == KOp::gather || op == KOp::store_strided || op == KOp::scatter;
  };
  std::vector<double> runs = {result_.parallel ? 0.0 : 1.0};
  double total = 0;
  for (uint32_t i = 0; i < b_->size(); ++i) {
    const KOp op = b_->instr(i).op;
    if (is_loop(op))
      runs.push_back(op == KOp::range || op == KOp::vrange ? iterations_.at(i) : runs.back() * iterations_.at(i));
    else if (op == KOp::endloop)
      runs.pop_back();
    else
      total += runs.back() * (scattered(op) ? b_->lanes() : 1);
  }
  return kNanosecondsPerInstruction * total;
}

void ClusterLowering::emit_plain() {
  for (size_t l = 0; l < loops_.size(); ++l) open(l, l == 0, l + 1 == loops_.size());
  make_milestones();
  for (Value v : cluster_.members) {
    if (c_.stored[v] && c_.reduction[v] == Reduction::none) emit_store(v);
    if (c_.reduction[v] == Reduction::full) accumulate(v);
  }
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

// Values that several phases need and that cost more than reading them again are kept in memory for a row, where the
// row fits in a cache.
void ClusterLowering::find_kept() {
  constexpr int kCheap = 4, kMost = 100;
  constexpr int64_t kRowBytes = int64_t{256} << 10;
  struct Need {
    int first = INT_MAX, last = -1, cost = 1;
  };
  std::map<Value, Need> needs;
  auto source = [&](Value o) {
    while (!own(o) && c_.role[o] == Role::view && c_.follows[o]) o = g_.operand(o, 0);
    return phase_.contains(o) && in_all_loops(o) && c_.reduction[o] == Reduction::none ? o : kNoValue;
  };
  for (Value v : cluster_.members) {
    Need& n = needs[v];
    if (info(g_.op(v)).is(Trait::dear)) n.cost = 8;
    for (Value o : g_.operands(v))
      if (Value s = source(o); s != kNoValue) n.cost = std::min(n.cost + needs.at(s).cost, kMost);
    if (c_.stored[v] || c_.reduction[v] != Reduction::none) n.first = n.last = phase_.at(v);
  }
  std::vector<Axis> inner;
  for (size_t l = outer_; l < loops_.size(); ++l)
    inner.insert(inner.end(), loops_[l].axes.begin(), loops_[l].axes.end());
  std::ranges::sort(inner);
  int64_t row = 1;
  for (Axis a : inner) row *= c_.axes.extent(a);
  for (size_t i = cluster_.members.size(); i-- > 0;) {
    Value v = cluster_.members[i];
    Need n = needs.at(v);
    if (n.last < 0 || (!in_all_loops(v) && c_.reduction[v] == Reduction::none)) continue;
    int64_t bytes = c_.axes.elements(v) * size_of(g_.dtype(v));
    if (n.first < n.last && n.cost > kCheap && row * bytes <= kRowBytes) {
      uint32_t pointer = args_->scratch(inner, bytes);
      b_->read_write(pointer);
      kept_[v] = {n.first, pointer};
      n.last = n.first;
    }
    for (Value o : g_.operands(v))
      if (Value s = source(o); s != kNoValue) {
        Need& m = needs.at(s);
        m.first = std::min(m.first, n.first);
        m.last = std::max(m.last, n.last);
      }
  }
  if (!kept_.empty()) args_->product(inner);  // before the loops
}

// Element-major: each element a row of its own.
uint32_t ClusterLowering::kept_index(uint32_t element) {
  std::vector<Axis> behind;
  uint32_t index = kNone;
  for (size_t l = loops_.size(); l-- > outer_;) {
    uint32_t part = behind.empty() ? loops_[l].index : b_->imul(loops_[l].index, args_->product(behind));
    index = index == kNone ? part : b_->iadd(index, part);
    behind.insert(behind.end(), loops_[l].axes.begin(), loops_[l].axes.end());
    std::ranges::sort(behind);
  }
  return element == 0 ? index : b_->iadd(index, b_->imuli(args_->product(behind), element));
}

void ClusterLowering::keep(Value v) {
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  for (uint32_t j = 0; j < n; ++j) b_->store(make(v, j), kept_.at(v).pointer, kept_index(j));
}

uint32_t ClusterLowering::load_kept(Value v, uint32_t element) {
  uint32_t x = b_->load(kernel_type(g_.dtype(v)), kept_.at(v).pointer, kept_index(element));
  set_slot(t_.slot[v] + element, x);
  return x;
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
  for (size_t l = 0; l < outer_; ++l) open(l, l == 0, false);
  for (size_t p = 0; p < members.size(); ++p) {
    current_phase_ = static_cast<int>(p) - 1;
    emit_phase(members[p], kept[p]);
  }
  for (size_t l = 0; l < outer_; ++l) b_->endloop();
}

void ClusterLowering::emit_phase(std::span<const Value> members, std::span<const Value> kept) {
  std::vector<Value> in_loops;
  for (Value v : members)
    if (c_.reduction[v] != Reduction::none || (in_all_loops(v) && c_.stored[v])) in_loops.push_back(v);
  if (!in_loops.empty()) {
    for (Value v : in_loops)
      if (c_.reduction[v] == Reduction::rows) start_reduction(v);
    inner_ = true;
    for (size_t l = outer_; l < loops_.size(); ++l) open(l, false, l + 1 == loops_.size());
    for (Value v : in_loops) c_.reduction[v] == Reduction::none ? emit_store(v) : accumulate(v);
    for (Value v : kept) keep(v);
    close_inner();
    for (Value v : in_loops)
      if (c_.reduction[v] == Reduction::rows) finish_rows(v);
  }
  for (Value v : members) {
    if (c_.reduction[v] != Reduction::none || in_all_loops(v)) continue;
    make_all(v);
    if (c_.stored[v]) emit_store(v);
  }
}

// Sums of floats over loops: what an accumulator takes up is bounded, so that its error is.
void ClusterLowering::find_strips() {
  constexpr int64_t kMost = 32;
  bool sums = std::ranges::any_of(cluster_.members, [&](Value v) {
    return c_.reduction[v] != Reduction::none && g_.op(v) == Op::reduce_sum_op && is_floating(g_.dtype(v));
  });
  if (!sums) return;
  int64_t below = 1;  // iterations of the loops inside
  for (size_t l = loops_.size(); l-- > (cluster_.splits ? outer_ : 0);) {
    int64_t lanes = l + 1 == loops_.size() ? b_->lanes() : 1, extent = 1;
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

void ClusterLowering::open(size_t l, bool range, bool vector) {
  Loop& loop = loops_[l];
  bool strips = l == strip_loop_;
  double extent = 1;
  const double lanes = vector ? b_->lanes() : 1, strip = static_cast<double>(strip_);
  for (Axis a : loop.axes) extent *= static_cast<double>(c_.axes.extent(a));
  auto counted = [&](uint32_t index, double iterations) {
    iterations_[index] = iterations;
    return index;
  };
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
    uint32_t count = args_->product(loop.axes);
    loop.index = counted(vector ? b_->vloop(count) : b_->loop(count), std::ceil(extent / lanes));
  }
  if (vector) vector_loop_ = static_cast<uint32_t>(l);
}

void ClusterLowering::close(size_t l) {
  b_->endloop();
  loops_[l].index = kNone;
  if (l != strip_loop_) return;
  fold_sums();
  b_->endloop();
}

void ClusterLowering::close_inner() {
  vector_loop_ = kNone;
  for (size_t l = loops_.size(); l-- > outer_;) close(l);
  if (strip_loop_ == SIZE_MAX) fold_sums();  // of all rows
  inner_ = false;
  for (uint32_t s : inner_slots_) slots_[s] = kNone;
  inner_slots_.clear();
  starts_.clear();
}

void ClusterLowering::make_all(Value v) {
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  for (uint32_t j = 0; j < n; ++j) make(v, j);
}

// ---- stores

void ClusterLowering::emit_store(Value v) {
  const Access& a = accesses_[t_.access[v]];
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  bool vector = in_vector() && a.moves(vector_loop_), masks = g_.dtype(v) == DType::boolean;
  bool rows = vector && n > 1 && a.dense() && !masks;
  auto block = rows ? static_cast<uint32_t>(b_->lanes()) : 1;
  std::vector<uint32_t> values;
  for (uint32_t j = 0; j < n; j += block) {
    values.clear();
    for (uint32_t k = j; k < std::min(j + block, n); ++k) values.push_back(make(v, k));
    Access::Address at = a.at(*b_, loops_, j);
    if (!vector)
      b_->store_one(values[0], a.pointer(), at.index, at.bytes);
    else if (values.size() > 1)
      b_->store_rows(values, a.pointer(), at.index, a.step(vector_loop_, *b_), at.bytes);
    else if (a.unit(vector_loop_))
      b_->store(values[0], a.pointer(), at.index, at.bytes);
    else
      b_->store_strided(values[0], a.pointer(), at.index, a.step(vector_loop_, *b_), at.bytes);
  }
}

// ---- reductions over loops

void ClusterLowering::start_reduction(Value v) {
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  KType t = kernel_type(g_.dtype(v));
  bool folds = g_.op(v) == Op::reduce_sum_op && is_floating(g_.dtype(v)) &&
               (strip_loop_ != SIZE_MAX || (cluster_.splits && c_.reduction[v] == Reduction::full));
  variables_[v] = static_cast<uint32_t>(variable_values_.size());
  for (uint32_t j = 0; j < n; ++j) {
    variable_values_.push_back(b_->var(reduction_start(*b_, g_.op(v), t)));
    if (folds) sums_[variable_values_.back()] = {b_->var(zero(*b_, t)), b_->var(zero(*b_, t))};
  }
  if (c_.reduction[v] == Reduction::full) partials_[v] = args_->partial(v);
}

void ClusterLowering::fold_sums() {
  for (auto [accumulator, sum] : sums_) {
    auto [whole, lost] = two_sum(*b_, sum.high, accumulator);
    b_->set(sum.low, b_->add(sum.low, lost));
    b_->set(sum.high, whole);
    b_->set(accumulator, zero(*b_, b_->type(accumulator)));
  }
}

void ClusterLowering::accumulate(Value v) {
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  for (uint32_t j = 0; j < n; ++j) {
    Frame f;
    f.value = v;
    f.element = j;
    f.accumulator = variable_values_[variables_.at(v) + j];
    make_frame(f);
  }
}

// What a reduction has come to, in all lanes together.
uint32_t ClusterLowering::result_of(Value v, uint32_t element) {
  uint32_t x = variable_values_[variables_.at(v) + element];
  if (auto at = sums_.find(x); at != sums_.end()) {
    x = whole_sum(*b_, at->second.high, at->second.low);
    sums_.erase(at);
  }
  return b_->reduce(reduction_kind(g_.op(v)), x);
}

void ClusterLowering::finish_rows(Value v) {
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  for (uint32_t j = 0; j < n; ++j) slots_[t_.slot[v] + j] = result_of(v, j);
  if (c_.stored[v]) emit_store(v);
}

void ClusterLowering::finish_full(Value v) {
  auto n = static_cast<uint32_t>(c_.axes.elements(v));
  for (uint32_t j = 0; j < n; ++j)
    b_->store_one(result_of(v, j), partials_.at(v), kNone, int64_t{j} * size_of(g_.dtype(v)));
}

}  // namespace jot::cpu
