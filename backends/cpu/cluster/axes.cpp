#include "backends/cpu/cluster/axes.h"

#include <algorithm>

namespace jot::cpu {

using namespace ir;

namespace {

constexpr int64_t kSmall = 16;        // extents that are unrolled under a longer axis
constexpr int64_t kShortSum = 4;      // products of any extents that sum so few terms are bound by memory
constexpr int64_t kSmallSum = 32;     // the same, of reduced axes
constexpr int64_t kRows = 8;          // so many rows are a loop, of which threads take parts
constexpr int64_t kTiny = 32;         // axes whose every value has at most so many elements are unrolled
constexpr int64_t kMovedGroup = 128;  // extents that a concat, slice, ... may want unrolled
constexpr int64_t kCopied = 32;       // windows of a gather from so many elements on are copied
constexpr int64_t kBudget = 1 << 22;  // unrolled elements of all values together, plus 8 a value

bool contains(Ints list, size_t d) { return std::ranges::find(list, static_cast<int64_t>(d)) != list.end(); }

// Calls f(dim of operand i, dim of the result) for dims that a movement keeps as they are.
template <class F>
void for_each_moved_tie(const GraphData& g, Value v, size_t i, const Movement& m, F f) {
  const Shape &from = g.shape(g.operand(v, i)), &to = g.shape(v);
  if (m.moves == Moves::regroup) {
    if (i > 0) return;  // what an `after` waits for
    for (const ReshapeGroup& group : reshape_groups(from, to))
      if (group.single()) f(group.from_begin, group.to_begin);
    return;
  }
  if (i >= m.pieces().size()) return;  // what fills the rest
  for (const Run& run : m.runs(m.pieces()[i]))
    if (is_whole(run, from, to)) f(run.from.dim, run.to.dim);
}

// Calls f(dim of operand i, dim of the result) for dims that run together across the edge.
template <class F>
void for_each_tie(const GraphData& g, Value v, size_t i, Ways ways, MovementReader& movement, F f) {
  if (moves(g.op(v)) != Moves::nothing_known) return for_each_moved_tie(g, v, i, movement(g, v), f);
  const Shape& from = g.shape(g.operand(v, i));
  AttrView a = g.attrs(v);
  switch (g.op(v)) {
    case Op::dot_op: {
      Ints batch = i == 0 ? a.first(Key::batch) : a.second(Key::batch);
      for (size_t d = 0; d < batch.size(); ++d) f(static_cast<size_t>(batch[d]), d);
      size_t at = batch.size() + (i == 0 ? 0 : free_dims(g, v, 0).size());
      for (int64_t d : free_dims(g, v, i)) f(static_cast<size_t>(d), at++);
      return;
    }
    case Op::gather_op:
      if (i == 1)
        for (size_t d = 0, batch = 0; d < g.shape(v).size(); ++d)
          if (!contains(a.ints(Key::offset_dims), d)) f(batch++, d);
      return;
    default:
      if (is_reduction(g.op(v))) {
        for (size_t d = 0, kept = 0; d < from.size(); ++d)
          if (!contains(a.ints(Key::dims), d)) f(d, kept++);
      } else if (is_elementwise(g.op(v))) {
        for (size_t d = 0; d < from.size(); ++d) f(d, d);
      } else if (is_small_matrix_op(g, v, unrolled_matrix(ways))) {
        const bool sides = g.op(v) == Op::triangular_solve_op && i == 1;
        for (size_t d = 0; d < (sides ? from.size() : batch_rank(g, v)); ++d) f(d, d);
      }
  }
}

// A splat constant is shared by unrelated users and ties them to nothing, where its elements' positions do not matter.
bool any_element_serves(const GraphData& g, Value v, Value operand) {
  return is_splat(g, operand) && moves(g.op(v)) != Moves::assembled && !is_reduction(g.op(v)) &&
         g.op(v) != Op::gather_op;
}

uint32_t find(std::vector<uint32_t>& parent, uint32_t x) {
  while (parent[x] != x) x = parent[x] = parent[parent[x]];
  return x;
}

}  // namespace

bool is_splat(const GraphData& g, Value v) { return g.op(v) == Op::const_op && g.attrs(v).ints(Key::data).size() == 1; }

std::vector<int64_t> free_dims(const GraphData& g, Value v, size_t i) {
  AttrView a = g.attrs(v);
  Ints contract = i == 0 ? a.first(Key::contract) : a.second(Key::contract);
  Ints batch = i == 0 ? a.first(Key::batch) : a.second(Key::batch);
  std::vector<int64_t> dims;
  for (size_t d = 0; d < g.shape(g.operand(v, i)).size(); ++d)
    if (!contains(contract, d) && !contains(batch, d)) dims.push_back(static_cast<int64_t>(d));
  return dims;
}

bool is_small_dot(const GraphData& g, Value v) {
  AttrView a = g.attrs(v);
  int64_t contracted = 1, free[2] = {1, 1};
  const Shape& lhs = g.shape(g.operand(v, 0));
  for (int64_t d : a.first(Key::contract)) contracted *= lhs[static_cast<size_t>(d)];
  for (size_t i = 0; i < 2; ++i)
    for (int64_t d : free_dims(g, v, i)) free[i] *= g.shape(g.operand(v, i))[static_cast<size_t>(d)];
  return contracted <= kShortSum || (contracted <= kSmall && std::min(free[0], free[1]) <= kSmall);
}

// ---- classes

Axes::Axes(const GraphData& g, std::span<const Tie> ties, Ways ways) : g_(g), ways_(ways), first_(g.size() + 1) {
  for (Value v = 0; v < g.size(); ++v) first_[v + 1] = first_[v] + static_cast<uint32_t>(g.shape(v).size());
  axis_.resize(first_[g.size()]);
  std::vector<uint8_t> restricted(axis_.size(), 0);
  relate(restricted, ties);
  choose_roles();
  while (find_repeated(restricted)) {  // other axes may be loops then
    relate(restricted, ties);
    choose_roles();
  }
}

// One axis must not loop over two dims of a value (x - x^T would see only the diagonal). Dims of such axes are then
// tied by elementwise ops alone, which keep positions. Whether there are more of them than before.
bool Axes::find_repeated(std::vector<uint8_t>& restricted) const {
  std::vector<Value> seen(extents_.size(), kNoValue);
  std::vector<uint8_t> repeated(extents_.size(), 0);
  bool any = false;
  for (Value v = 0; v < g_.size(); ++v)
    for (Axis a : of(v)) {
      if (!looped(a)) continue;
      if (seen[a] == v) repeated[a] = 1;
      any |= seen[a] == v;
      seen[a] = v;
    }
  bool more = false;
  for (size_t d = 0; any && d < axis_.size(); ++d) {
    if (restricted[d] || axis_[d] == kNoAxis || !repeated[axis_[d]]) continue;
    restricted[d] = 1;
    more = true;
  }
  return more;
}

void Axes::relate(const std::vector<uint8_t>& restricted, std::span<const Tie> ties) {
  std::vector<uint32_t> parent(axis_.size());
  for (uint32_t d = 0; d < parent.size(); ++d) parent[d] = d;
  for (Value v = 0; v < g_.size(); ++v) {
    if (first_[v] == first_[v + 1] && is_elementwise(g_.op(v))) continue;
    std::span<const Value> operands = g_.operands(v);
    for (size_t i = 0; i < operands.size(); ++i) {
      if (any_element_serves(g_, v, operands[i])) continue;
      uint32_t from = first_[operands[i]], to = first_[v];
      for_each_tie(g_, v, i, ways_, movement_, [&](size_t x, size_t y) {
        uint32_t p = from + static_cast<uint32_t>(x), q = to + static_cast<uint32_t>(y);
        if ((restricted[p] || restricted[q]) && !is_elementwise(g_.op(v))) return;
        parent[find(parent, q)] = find(parent, p);  // v is new: the trees stay flat
      });
    }
  }
  for (const Tie& t : ties) {
    uint32_t p = first_[t.v] + static_cast<uint32_t>(t.d), q = first_[t.w] + static_cast<uint32_t>(t.e);
    if (!restricted[p] && !restricted[q]) parent[find(parent, q)] = find(parent, p);
  }
  extents_.clear();
  std::fill(axis_.begin(), axis_.end(), kNoAxis);
  std::vector<Axis> name(parent.size(), kNoAxis);
  for (Value v = 0; v < g_.size(); ++v)
    for (size_t d = 0; d < g_.shape(v).size(); ++d) {
      int64_t extent = g_.shape(v)[d];
      if (extent == 1) continue;
      uint32_t at = first_[v] + static_cast<uint32_t>(d), root = find(parent, at);
      if (name[root] == kNoAxis) {
        name[root] = static_cast<Axis>(extents_.size());
        extents_.push_back(extent);
      }
      axis_[at] = name[root];
    }
}

bool Axes::has_loops(Value v) const {
  return std::ranges::any_of(of(v), [this](Axis a) { return looped(a); });
}

int64_t Axes::elements(Value v) const {
  int64_t n = 1;
  for (Axis a : of(v))
    if (a != kNoAxis && !looped(a)) n *= extents_[a];
  return n;
}

// ---- loops or unrolled

namespace {

// Marks the axes that an op would rather have unrolled.
class Wishes {
 public:
  Wishes(const GraphData& g, const Axes& axes, Ways ways, std::vector<uint8_t>& wanted)
      : g_(g), axes_(axes), ways_(ways), wanted_(wanted) {}

  void visit(Value v) {
    if (moves(g_.op(v)) != Moves::nothing_known) return visit_movement(v);
    switch (g_.op(v)) {
      case Op::identity_op:
        return want_all(v, 0, g_.shape(v).size());
      case Op::dot_op:
        return visit_dot(v);
      case Op::gather_op:
        return visit_gather(v);
      default:
        if (is_reduction(g_.op(v))) visit_reduction(v);
        if (is_small_matrix_op(g_, v, unrolled_matrix(ways_)) || runs_in_tiles(v)) visit_matrices(v);
    }
  }

 private:
  int64_t extent(Axis a) const { return a == kNoAxis ? 1 : axes_.extent(a); }
  void want(Axis a) {
    if (a != kNoAxis) wanted_[a] = 1;
  }
  void want_all(Value v, size_t begin, size_t end) {
    int64_t n = 1;
    for (size_t d = begin; d < end; ++d) n *= g_.shape(v)[d];
    if (n > kMaxUnrolled) return;
    for (size_t d = begin; d < end; ++d) want(axes_.of(v)[d]);
  }
  // Dims that do not stay as they are; those of a diagonal together.
  void visit_movement(Value v) {
    const Movement& m = movement_(g_, v);
    if (m.moves == Moves::regroup) return visit_regroup(v);
    std::vector<size_t> diagonal[2];
    bool repeats = false;
    for (const Piece& p : m.pieces()) {
      Value o = g_.operand(v, p.operand);
      for (const Run& run : m.runs(p)) {
        repeats |= run.from.dim == kNoDim;
        if (run.from.dim == kNoDim || is_whole(run, g_.shape(o), g_.shape(v))) continue;
        if (run.to.also != kNoDim) {
          diagonal[0].push_back(run.from.dim);
          for (uint32_t d : {run.to.dim, run.to.also}) diagonal[1].push_back(d);
        } else if (g_.shape(o)[run.from.dim] <= kMovedGroup && g_.shape(v)[run.to.dim] <= kMovedGroup) {
          want(axes_.of(o)[run.from.dim]);
          want(axes_.of(v)[run.to.dim]);
        }
      }
    }
    if (!diagonal[0].empty()) {
      want_dims(g_.operand(v, 0), diagonal[0]);
      want_dims(v, diagonal[1]);
    }
    if (repeats) visit_broadcast(v);
  }
  void want_dims(Value v, const std::vector<size_t>& dims) {
    int64_t n = 1;
    for (size_t d : dims) n *= g_.shape(v)[d];
    if (n > kMaxUnrolled) return;
    for (size_t d : dims) want(axes_.of(v)[d]);
  }
  void visit_regroup(Value v) {
    Value o = g_.operand(v, 0);
    for (const ReshapeGroup& group : reshape_groups(g_.shape(o), g_.shape(v))) {
      int64_t n = 1;
      for (size_t d = group.from_begin; d < group.from_end; ++d) n *= g_.shape(o)[d];
      if (n > kMovedGroup || group.single()) continue;
      want_all(o, group.from_begin, group.from_end);
      want_all(v, group.to_begin, group.to_end);
    }
  }
  // The extent of the neighbours that share a dim's fate, which one loop can run along.
  template <class Same>
  std::vector<int64_t> runs(const Shape& shape, Same same) const {
    std::vector<int64_t> extents(shape.size());
    for (size_t begin = 0, end = 0; begin < shape.size(); begin = end) {
      int64_t n = 1;
      for (end = begin; end < shape.size() && same(begin, end); ++end) n *= shape[end];
      std::fill(extents.begin() + static_cast<ptrdiff_t>(begin), extents.begin() + static_cast<ptrdiff_t>(end), n);
    }
    return extents;
  }
  // A short axis under a longer one, where the operand has some axes of the result but not all. Repeated neighbours
  // count as one; where they are the last and long, a loop runs along memory, and around it such that repeat, too.
  void visit_broadcast(Value v) {
    int64_t from = g_.shape(g_.operand(v, 0)).numel(), longest = 1;
    if (from == 1 || from == g_.shape(v).numel()) return;
    for (Axis a : axes_.of(v)) longest = std::max(longest, extent(a));
    Ints kept = g_.attrs(v).ints(Key::dims);
    auto repeated = [&](size_t d) { return !contains(kept, d); };
    const std::vector<int64_t> run = runs(g_.shape(v), [&](size_t d, size_t e) { return repeated(d) == repeated(e); });
    const bool along = repeated(run.size() - 1) && run.back() > kSmallSum;
    for (size_t d = 0; d < run.size(); ++d) {
      const int64_t n = extent(axes_.of(v)[d]);
      if ((repeated(d) ? run[d] : n) <= kSmall && n < longest && !(along && (repeated(d) || run[d] >= kRows)))
        want(axes_.of(v)[d]);
    }
  }
  // Short reduced axes, and short axes that stay when a longer one goes. Where the last axes are reduced and long, a
  // loop runs along memory: no axis that is reduced with them need be unrolled, and none of several rows.
  void visit_reduction(Value v) {
    Value o = g_.operand(v, 0);
    Ints dims = g_.attrs(v).ints(Key::dims);
    int64_t longest_kept = 1, longest_reduced = 1;
    for (size_t d = 0; d < g_.shape(o).size(); ++d) {
      int64_t& longest = contains(dims, d) ? longest_reduced : longest_kept;
      longest = std::max(longest, g_.shape(o)[d]);
    }
    const std::vector<int64_t> run =
        runs(g_.shape(o), [&](size_t d, size_t e) { return contains(dims, d) == contains(dims, e); });
    const bool along = !run.empty() && contains(dims, run.size() - 1) && run.back() > kSmallSum;
    for (size_t d = 0; d < g_.shape(o).size(); ++d) {
      int64_t n = g_.shape(o)[d];
      const bool wanted =
          contains(dims, d) ? longest_kept > 1 && !along : longest_reduced > n && !(along && run[d] >= kRows);
      if (n <= kSmallSum && wanted) want(axes_.of(o)[d]);
    }
  }
  void visit_dot(Value v) {
    if (!is_small_dot(g_, v)) return;
    AttrView a = g_.attrs(v);
    int64_t free[2] = {1, 1};
    for (size_t i = 0; i < 2; ++i) {
      Value o = g_.operand(v, i);
      for (int64_t d : i == 0 ? a.first(Key::contract) : a.second(Key::contract))
        want(axes_.of(o)[static_cast<size_t>(d)]);
      for (int64_t d : free_dims(g_, v, i)) free[i] *= g_.shape(o)[static_cast<size_t>(d)];
    }
    bool batched = false;
    for (int64_t d : a.first(Key::batch)) batched |= g_.shape(g_.operand(v, 0))[static_cast<size_t>(d)] > 1;
    for (size_t i = 0; i < 2; ++i)
      if (free[i] <= kSmall && (batched || free[i] < free[1 - i]))
        for (int64_t d : free_dims(g_, v, i)) want(axes_.of(g_.operand(v, i))[static_cast<size_t>(d)]);
  }
  bool runs_in_tiles(Value v) const {
    if (g_.op(v) == Op::result_op) v = g_.operand(v, 0);
    const auto tiles = cpu_op(g_.op(v)).tiles;
    return tiles && tiles(g_, v) != 0;
  }
  // Matrices, and few right sides.
  void visit_matrices(Value v) {
    auto want_matrices = [&](Value of) {
      for (size_t d = batch_rank(g_, v); d < g_.shape(of).size(); ++d)
        if (g_.shape(of)[d] <= kSmall) want(axes_.of(of)[d]);
    };
    want_matrices(v);
    for (Value o : g_.operands(v)) want_matrices(o);
  }
  void visit_gather(Value v) {
    AttrView a = g_.attrs(v);
    int64_t n = 1;
    for (int64_t d : a.ints(Key::offset_dims)) n *= g_.shape(v)[static_cast<size_t>(d)];
    want(axes_.of(g_.operand(v, 1)).back());
    if (n >= kCopied) return;
    for (int64_t d : a.ints(Key::offset_dims)) want(axes_.of(v)[static_cast<size_t>(d)]);
  }

  const GraphData& g_;
  const Axes& axes_;
  Ways ways_;
  std::vector<uint8_t>& wanted_;
  MovementReader movement_;
};

}  // namespace

void Axes::choose_roles() {
  std::vector<uint8_t> wanted(extents_.size(), 0);
  std::vector<int64_t> largest(extents_.size(), 0);
  loops_.assign(extents_.size(), 1);
  if (extents_.empty()) return;
  Wishes wishes(g_, *this, ways_, wanted);
  for (Value v = 0; v < g_.size(); ++v) {
    if (of(v).empty() && is_elementwise(g_.op(v))) continue;
    wishes.visit(v);
    int64_t n = g_.shape(v).numel();
    for (Axis a : of(v))
      if (a != kNoAxis) largest[a] = std::max(largest[a], n);
  }
  for (Axis a = 0; a < extents_.size(); ++a)
    loops_[a] = extents_[a] > kMaxUnrolled || !(wanted[a] || largest[a] <= kTiny || extents_[a] == 0);
  // Too much to unroll: the longest axis of the value becomes a loop.
  int64_t total = 0;
  for (int64_t limit = kMaxUnrolled; limit > 0; limit /= 8) {
    total = 0;
    for (Value v = 0; v < g_.size(); ++v) {
      int64_t n = elements(v);
      for (; n > limit; n = elements(v)) {
        Axis longest = kNoAxis;
        for (Axis a : of(v))
          if (a != kNoAxis && !looped(a) && (longest == kNoAxis || extents_[a] > extents_[longest])) longest = a;
        loops_[longest] = 1;
      }
      total += n;
    }
    if (total <= kBudget + 8 * static_cast<int64_t>(g_.size())) return;
  }
}

// ---- edges

// Both unrolled, or the same loop.
bool Axes::same(Axis a, Axis b) const { return looped(a) || looped(b) ? a == b : true; }

bool Axes::preserves_regroup(Value v) const {
  Value o = g_.operand(v, 0);
  for (const ReshapeGroup& group : reshape_groups(g_.shape(o), g_.shape(v))) {
    if (group.single()) {
      if (!same(of(o)[group.from_begin], of(v)[group.to_begin])) return false;
      continue;
    }
    for (size_t d = group.from_begin; d < group.from_end; ++d)
      if (looped(of(o)[d])) return false;
    for (size_t d = group.to_begin; d < group.to_end; ++d)
      if (looped(of(v)[d])) return false;
  }
  return true;
}

bool Axes::preserves(Value v, size_t i) {
  Value o = g_.operand(v, i);
  Op op = g_.op(v);
  if (any_element_serves(g_, v, o)) return true;
  if (moves(op) == Moves::regroup) return preserves_regroup(v);
  if (op == Op::gather_op && i == 0) return false;
  std::span<const Axis> from = of(o), to = of(v);
  // Untied dims must be unrolled on both sides, but for reduced ones and those along which elements are repeated.
  uint8_t few[16] = {};
  std::vector<uint8_t> many;
  if (from.size() + to.size() > std::size(few)) many.resize(from.size() + to.size());
  uint8_t* tied_from = many.empty() ? few : many.data();
  uint8_t* tied_to = tied_from + from.size();
  bool ok = true;
  for_each_tie(g_, v, i, ways_, movement_, [&](size_t x, size_t y) {
    tied_from[x] = tied_to[y] = 1;
    ok &= same(from[x], to[y]);
  });
  bool fills = false;
  if (moves(op) != Moves::nothing_known) {
    const Movement& m = movement_(g_, v);
    fills = i >= m.pieces().size();
    if (!fills)
      for (const Run& run : m.runs(m.pieces()[i]))
        if (run.from.dim == kNoDim && run.to.also == kNoDim) tied_to[run.to.dim] = 1;
  }
  if (is_reduction(op)) return ok;
  if (op == Op::gather_op && ways_ == Ways::kernels) {  // along windows, which are behind the indices
    const Ints offset = g_.attrs(v).ints(Key::offset_dims);
    for (int64_t d : offset) tied_to[d] = 1;
  }
  for (size_t d = 0; d < from.size(); ++d) ok &= tied_from[d] || unrolled(from[d]);
  bool grows =
      fills || op == Op::dot_op || (op == Op::triangular_solve_op && i == 0) || (op == Op::where_op && from.empty());
  for (size_t d = 0; d < to.size() && !grows; ++d) ok &= tied_to[d] || unrolled(to[d]);
  return ok;
}

}  // namespace jot::cpu
