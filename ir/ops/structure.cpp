#include "ir/ops/structure.h"

#include <algorithm>
#include <utility>

#include "ir/ops/classes.h"
#include "ir/ops/selection.h"

namespace jot::ir {
namespace {

using Result = std::optional<Selection>;

// ---- movement of the lane's axes

// Selects elements start, start + stride, ... (n of them) of an unpadded lane axis.
void take(Builder& b, Selection& s, size_t axis, int64_t start, int64_t stride, int64_t n) {
  if (Selection::Seed* seed = s.seed_of(axis)) {
    Padding& p = seed->padding;
    int64_t extent = p.padded(s.shape[axis]);
    p.lo += p.step() * start;
    p.interior = p.step() * stride - 1;
    p.hi = 0;
    p.hi = extent - p.padded(n);
  }
  if (s.values != kNoValue)
    s.values = build::slice_axis(b, s.values, static_cast<int64_t>(axis), start, start + (n - 1) * stride + 1, stride);
  s.shape[axis] = n;
}

// What a run takes of a lane axis. False where that is not a part of a padded axis.
bool take_run(Builder& b, Selection& s, const Run& run) {
  size_t d = run.from.dim;
  Padding& p = s.lanes[d];
  int64_t start = run.from.start, n = run.extent;
  if (n == 0 || run.from.step < 1) return false;
  if (start == 0 && run.from.step == 1 && n == p.padded(s.shape[d])) return true;
  if (p.none()) {
    take(b, s, d, start, run.from.step, n);
    return true;
  }
  int64_t from = std::max<int64_t>(0, start - p.lo), to = std::min(s.shape[d], start + n - p.lo);
  if (run.from.step != 1 || p.interior != 0 || from >= to) return false;
  p.lo += from - start;
  p.hi = n - p.lo - (to - from);
  take(b, s, d, from, 1, to - from);
  return true;
}

// Reorders the axes of values: the new axis d is the old order[d].
Selection reordered(Builder& b, const Selection& s, const std::vector<int64_t>& order, std::vector<Padding> lanes) {
  Selection r = s;
  r.shape = {};
  r.lanes = std::move(lanes);
  for (int64_t d : order) r.shape.push_back(s.shape[static_cast<size_t>(d)]);
  if (s.values != kNoValue) r.values = build::permute(b, s.values, order);
  std::vector<int64_t> to = build::inverse(order);
  for (Selection::Seed& seed : r.seeds) seed.axis = static_cast<size_t>(to[seed.axis]);
  return r;
}

// Drops the lane axes that `keeps` does not name: of extent 1, in no diagonal.
void drop_axes(Builder& b, Selection& s, const std::vector<uint8_t>& keeps) {
  for (size_t d = keeps.size(); d-- > 0;) {
    if (keeps[d]) continue;
    s.shape.erase(d);
    s.lanes.erase(s.lanes.begin() + static_cast<std::ptrdiff_t>(d));
    for (Selection::Seed& seed : s.seeds) seed.axis -= seed.axis > d;
  }
  if (s.values != kNoValue) s.values = build::reshape(b, s.values, s.shape);
}

// A piece of a movement (ir/movement.h): lane axes are taken, put among zeros, reordered; new ones repeat the elements.
Result moved(const BatchContext& c, Selection s, std::span<const Run> runs) {
  const Shape& to = c.type.shape;
  std::vector<uint8_t> keeps(s.rank(), 0);
  std::vector<Padding> lanes(to.size());
  std::vector<int64_t> positions(s.rank());
  for (const Run& run : runs) {
    if (run.to.also != kNoDim) return {};
    if (run.from.dim == kNoDim) continue;
    if (std::exchange(keeps[run.from.dim], 1) || !take_run(c.b, s, run)) return {};
    Padding p = s.lanes[run.from.dim];
    p.lo = run.to.start + run.to.step * p.lo;
    p.interior = run.to.step * p.step() - 1;
    p.hi = 0;
    p.hi = to[run.to.dim] - p.padded(s.shape[run.from.dim]);
    lanes[run.to.dim] = p;
    positions[run.from.dim] = run.to.dim;
  }
  for (size_t d = 0; d < keeps.size(); ++d)
    if (!keeps[d] && (s.diagonal(d) || s.lane_shape()[d] != 1)) return {};
  size_t kept = 0;
  for (size_t d = 0; d < keeps.size(); ++d)
    if (keeps[d]) positions[kept++] = positions[d];
  positions.resize(kept);
  if (kept != keeps.size()) drop_axes(c.b, s, keeps);
  Selection r = s;
  r.shape = to;
  r.lanes = std::move(lanes);
  for (size_t d = 0; d < kept; ++d) r.shape[static_cast<size_t>(positions[d])] = s.shape[d];
  for (size_t d = kept; d < s.shape.size(); ++d) {
    positions.push_back(static_cast<int64_t>(r.shape.size()));
    r.shape.push_back(s.shape[d]);
  }
  for (Selection::Seed& seed : r.seeds) seed.axis = static_cast<size_t>(positions[seed.axis]);
  if (s.values != kNoValue) r.values = spread(c.b, s.values, r.shape, positions);
  return r;
}

// ---- reshape: axes of extent 1 come and go; plain axes merge and split, diagonals where their seeds can too

struct Group {
  std::vector<size_t> from, to;
  bool single() const { return from.size() == 1 && to.size() == 1; }
};

// The finest groups of axes with equal products; axes of extent 1 are in none. No extent is 0.
std::vector<Group> common_groups(const Shape& from, const Shape& to) {
  std::vector<Group> groups;
  size_t i = 0, j = 0;
  auto next = [](const Shape& shape, size_t& at, std::vector<size_t>& axes) {
    while (shape[at] == 1) ++at;
    axes.push_back(at);
    return shape[at++];
  };
  int64_t left = from.numel();
  while (left != 1) {
    Group g;
    int64_t m = next(from, i, g.from), n = next(to, j, g.to);
    while (m != n) {
      if (m < n)
        m *= next(from, i, g.from);
      else
        n *= next(to, j, g.to);
    }
    left /= m;
    groups.push_back(std::move(g));
  }
  return groups;
}

bool can_regroup(Selection& s, const Group& g) {
  if (g.single()) return true;
  bool diagonal = s.diagonal(g.from[0]);
  for (size_t axis : g.from) {
    if (!s.lanes[axis].none() || s.diagonal(axis) != diagonal) return false;
    if (diagonal && !s.seed_of(axis)->padding.none()) return false;
  }
  return true;
}

// Brings the seeds of each group's diagonals together, in its order. The rows then stand in another order.
bool gather_seeds(Selection& s, const std::vector<Group>& groups) {
  auto index_of = [&](size_t axis) { return s.seed_of(axis) - s.seeds.data(); };
  std::vector<int64_t> order = build::all_axes(s.seeds.size());
  for (const Group& g : groups) {
    if (g.single() || !s.diagonal(g.from[0])) continue;
    int64_t first = index_of(g.from[0]);
    for (size_t k = 1; k < g.from.size(); ++k) std::erase(order, index_of(g.from[k]));
    auto at = std::ranges::find(order, first) + 1;
    for (size_t k = 1; k < g.from.size(); ++k) at = order.insert(at, index_of(g.from[k])) + 1;
  }
  if (std::ranges::is_sorted(order)) return true;
  if (!s.row_perm.empty()) return false;
  std::vector<Selection::Seed> seeds = s.seeds;
  for (size_t k = 0; k < order.size(); ++k) {
    s.seeds[k] = seeds[static_cast<size_t>(order[k])];
    s.row_factors.push_back(s.seeds[k].padding.padded(s.shape[s.seeds[k].axis]));
  }
  s.row_perm = build::inverse(order);
  return true;
}

Result reshape(const BatchContext& c, Selection s) {
  const Shape& to = c.type.shape;
  std::vector<Group> groups = common_groups(s.lane_shape(), to);
  for (const Group& g : groups)
    if (!can_regroup(s, g)) return {};
  if (!gather_seeds(s, groups)) return {};
  Selection r = s;
  r.shape = to;
  r.lanes.assign(to.size(), {});
  r.seeds.clear();
  std::vector<const Group*> group_of(s.rank(), nullptr);
  for (const Group& g : groups) {
    for (size_t axis : g.from) group_of[axis] = &g;
    if (!g.single()) continue;
    r.shape[g.to[0]] = s.shape[g.from[0]];
    r.lanes[g.to[0]] = s.lanes[g.from[0]];
  }
  for (size_t d = s.rank(); d < s.shape.size(); ++d) r.shape.push_back(s.shape[d]);
  for (const Selection::Seed& seed : s.seeds) {
    if (seed.axis >= s.rank()) {
      r.seeds.push_back({seed.axis - s.rank() + to.size(), seed.padding});
    } else if (const Group& g = *group_of[seed.axis]; g.from[0] == seed.axis) {
      for (size_t axis : g.to) r.seeds.push_back({axis, seed.padding});
    }
  }
  if (s.values != kNoValue) r.values = build::reshape(c.b, s.values, r.shape);
  return r;
}

// ---- elementwise ops with an unbatched operand of the lane's shape

// What of e stands at the values, repeated along the axes that only seeds have.
Value at_values(Builder& b, const Selection& s, Value e) {
  for (size_t d = 0; d < s.rank(); ++d) {
    const Padding& p = s.lanes[d];
    int64_t last = p.lo + (s.shape[d] - 1) * p.step();
    e = build::slice_axis(b, e, static_cast<int64_t>(d), p.lo, last + 1, p.step());
  }
  return build::broadcast(b, e, s.shape, build::all_axes(s.rank()));
}

Result scaled(const BatchContext& c, Selection s, size_t operand) {
  Value e = at_values(c.b, s, c.operands[1 - operand]), x = s.values;
  bool swapped = operand == 1 && c.op == Op::mul_no_nan_op;
  s.values = x == kNoValue ? e : build::binary(c.b, c.op, swapped ? e : x, swapped ? x : e);
  return s;
}

Result divided(const BatchContext& c, Selection s) {
  s.values = build::div(c.b, dense_values(c.b, s), at_values(c.b, s, c.operands[1]));
  return s;
}

// where(pred, s, 0) and where(pred, 0, s).
Result masked(const BatchContext& c, Selection s, size_t operand) {
  Builder& b = c.b;
  if (c.batched[0] || !is_zero_constant(b, c.operands[3 - operand])) return {};
  Value pred = c.operands[0], x = dense_values(b, s), zero = build::zeros_like(b, x);
  if (!b.shape(pred).empty()) pred = at_values(b, s, pred);
  s.values = operand == 1 ? build::where(b, pred, x, zero) : build::where(b, pred, zero, x);
  return s;
}

Result unary(const BatchContext& c, Selection s) {
  s.values = c.b.emit(c.op, {dense_values(c.b, s)}, c.attrs.words());
  s.dtype = c.b.dtype(s.values);
  return s;
}

// x and y as one: they differ along one axis of the lane, and y goes on there, and in the seeds, where x ends.
Result merged(Builder& b, Selection x, Selection y) {
  for (size_t d = 0; d < x.rank() && d < y.rank(); ++d) {
    Padding &p = x.lanes[d], q = y.lanes[d];
    if (p == q) continue;
    auto goes_on = [&](const Padding& before, const Padding& after) {
      return before.interior == after.interior && before.lo + before.step() * x.shape[d] == after.lo;
    };
    if (!goes_on(p, q)) return {};
    Value values[] = {dense_values(b, x), dense_values(b, y)};
    if (Selection::Seed* seed = x.seed_of(d), *next = y.seed_of(d); seed && next) {
      if (!goes_on(seed->padding, next->padding)) return {};
      seed->padding.hi = next->padding.hi;
      next->padding = seed->padding;
    }
    p.hi = q.hi;
    y.lanes[d] = p;
    int64_t n = x.shape[d] + y.shape[d];
    x.shape[d] = y.shape[d] = n;
    if (!x.same_layout(y)) return {};
    if (x.values != kNoValue || y.values != kNoValue) x.values = build::concat(b, values, static_cast<int64_t>(d));
    return x;
  }
  return {};
}

Result sum(const BatchContext& c, Selection s, const Selection& other) {
  if (s.same_layout(other)) {
    s.values = build::binary(c.b, c.op, dense_values(c.b, s), dense_values(c.b, other));
    return s;
  }
  if (c.op != Op::add_any_op) return {};
  Result r = merged(c.b, s, other);
  return r ? r : merged(c.b, other, s);
}

bool is_empty(std::span<const Run> runs) {
  return std::ranges::any_of(runs, [](const Run& run) { return run.extent == 0; });
}

// A view; or pieces: selections that go on from one to the next, and constants 0. What fills the rest is 0.
Result movement(const BatchContext& c) {
  std::vector<Shape> shapes;
  std::vector<const Shape*> at;
  for (size_t i = 0; i < c.operands.size(); ++i) {
    const Shape shape = c.b.shape(c.operands[i]);
    shapes.push_back(c.batched[i] ? shape.slice(1, shape.size()) : shape);
  }
  for (const Shape& shape : shapes) at.push_back(&shape);
  MovementReader read;
  const Movement& m = read({c.attrs, at, c.type.shape});
  if (m.moves == Moves::regroup) {
    Result s = recognise(c.b, c.operands[0]);
    return s && shapes[0] != c.type.shape ? reshape(c, *s) : s;
  }
  if (m.fill == Fill::operand1 && (c.batched[1] || !is_zero_constant(c.b, c.operands[1]))) return {};
  Result r;
  for (const Piece& p : m.pieces()) {
    if (is_empty(m.runs(p))) continue;
    if (c.batched[p.operand]) {
      Result part = recognise(c.b, c.operands[p.operand]);
      if (part) part = moved(c, *part, m.runs(p));
      r = r && part ? merged(c.b, *r, *part) : part;
      if (!r) return {};
    } else if (!is_zero_constant(c.b, c.operands[p.operand])) {
      return {};
    }
  }
  return r;
}

// ---- contractions

// A diagonal that is summed over is an axis of the seeds only.
Result reduce_sum(const BatchContext& c, Selection s) {
  Ints dims = c.attrs.ints(Key::dims);
  std::vector<int64_t> order, plain;
  std::vector<Padding> lanes;
  for (size_t d = 0; d < s.rank(); ++d) {
    if (contains(dims, static_cast<int64_t>(d))) continue;
    order.push_back(static_cast<int64_t>(d));
    lanes.push_back(s.lanes[d]);
  }
  for (size_t d = 0; d < s.shape.size(); ++d)
    if (d >= s.rank() || (contains(dims, static_cast<int64_t>(d)) && s.diagonal(d)))
      order.push_back(static_cast<int64_t>(d));
  for (int64_t d : dims)
    if (!s.diagonal(static_cast<size_t>(d))) plain.push_back(d);
  size_t kept = order.size();
  order.insert(order.end(), plain.begin(), plain.end());
  if (!plain.empty()) s.values = dense_values(c.b, s);
  Selection r = reordered(c.b, s, order, lanes);
  if (plain.empty()) return r;
  std::vector<int64_t> summed;
  for (size_t d = kept; d < order.size(); ++d) summed.push_back(static_cast<int64_t>(d));
  r.values = build::reduce_sum(c.b, r.values, summed);
  r.shape = r.shape.slice(0, kept);
  return r;
}

// The product of a selection, operand `self`, with an unbatched operand.
class Dot {
 public:
  Dot(const BatchContext& c, Selection s, size_t self)
      : b_(c.b), s_(std::move(s)), self_(self), other_(c.operands[1 - self]) {
    Ints contract[] = {c.attrs.first(Key::contract), c.attrs.second(Key::contract)};
    Ints batch[] = {c.attrs.first(Key::batch), c.attrs.second(Key::batch)};
    contract_ = contract[self];
    batch_ = batch[self];
    other_contract_ = contract[1 - self];
    other_batch_ = batch[1 - self];
  }

  Selection run() {
    crop_other();
    place_axes();
    Selection r = s_;
    r.shape = shape_;
    r.lanes = lanes_;
    for (Selection::Seed& seed : r.seeds) seed.axis = static_cast<size_t>(self_at_[seed.axis]);
    r.values = values();
    return r;
  }

 private:
  // Lanes that are padded meet only a part of the other operand.
  void crop_other() {
    auto crop = [&](Ints self, Ints other) {
      for (size_t i = 0; i < self.size(); ++i) {
        auto d = static_cast<size_t>(self[i]);
        const Padding& p = s_.lanes[d];
        int64_t last = p.lo + (s_.shape[d] - 1) * p.step();
        other_ = build::slice_axis(b_, other_, other[i], p.lo, last + 1, p.step());
      }
    };
    crop(contract_, other_contract_);
    crop(batch_, other_batch_);
  }

  // Where the axes of either operand stand in the result's values; -1: summed over.
  void place_axes() {
    self_at_.assign(s_.shape.size(), -1);
    other_at_.assign(b_.shape(other_).size(), -1);
    for (size_t i = 0; i < batch_.size(); ++i) {
      auto d = static_cast<size_t>(batch_[i]);
      self_at_[d] = other_at_[static_cast<size_t>(other_batch_[i])] = lane(s_.shape[d], s_.lanes[d]);
    }
    auto free_of_self = [&] {
      for (size_t d = 0; d < s_.rank(); ++d)
        if (self_at_[d] < 0 && !contains(contract_, static_cast<int64_t>(d)))
          self_at_[d] = lane(s_.shape[d], s_.lanes[d]);
    };
    auto free_of_other = [&] {
      for (size_t d = 0; d < other_at_.size(); ++d)
        if (other_at_[d] < 0 && !contains(other_contract_, static_cast<int64_t>(d)))
          other_at_[d] = lane(b_.shape(other_)[d], {});
    };
    if (self_ == 0) free_of_self();
    free_of_other();
    if (self_ == 1) free_of_self();
    for (size_t i = 0; i < contract_.size(); ++i) {
      auto d = static_cast<size_t>(contract_[i]);
      if (s_.diagonal(d)) self_at_[d] = other_at_[static_cast<size_t>(other_contract_[i])] = axis(s_.shape[d]);
    }
    for (size_t d = s_.rank(); d < s_.shape.size(); ++d) self_at_[d] = axis(s_.shape[d]);
  }
  int64_t axis(int64_t extent) {
    shape_.push_back(extent);
    return static_cast<int64_t>(shape_.size()) - 1;
  }
  int64_t lane(int64_t extent, const Padding& p) {
    lanes_.push_back(p);
    return axis(extent);
  }

  Value values() {
    if (std::ranges::find(self_at_, -1) == self_at_.end()) {  // nothing is summed: a product of elements
      Value e = spread(b_, other_, shape_, other_at_);
      if (s_.values == kNoValue) return e;
      Value x = spread(b_, s_.values, shape_, self_at_);
      return self_ == 0 ? build::mul(b_, x, e) : build::mul(b_, e, x);
    }
    std::vector<int64_t> sum[2], shared[2], at;
    auto pair = [&](Ints self, Ints other) {
      for (size_t i = 0; i < self.size(); ++i) {
        bool summed = self_at_[static_cast<size_t>(self[i])] < 0;
        (summed ? sum : shared)[self_].push_back(self[i]);
        (summed ? sum : shared)[1 - self_].push_back(other[i]);
      }
    };
    pair(batch_, other_batch_);
    pair(contract_, other_contract_);
    Value operands[2];
    operands[self_] = dense_values(b_, s_);
    operands[1 - self_] = other_;
    Value product = build::dot(b_, operands[0], operands[1], sum[0], sum[1], shared[0], shared[1]);
    for (int64_t d : shared[self_]) at.push_back(self_at_[static_cast<size_t>(d)]);
    for (size_t i = 0; i < 2; ++i) {
      const std::vector<int64_t>& places = i == self_ ? self_at_ : other_at_;
      for (size_t d = 0; d < places.size(); ++d)
        if (places[d] >= 0 && !contains(shared[i], static_cast<int64_t>(d))) at.push_back(places[d]);
    }
    return spread(b_, product, shape_, at);
  }

  Builder& b_;
  Selection s_;
  size_t self_;
  Value other_;
  Ints contract_, batch_, other_contract_, other_batch_;
  std::vector<int64_t> self_at_, other_at_;
  Shape shape_;
  std::vector<Padding> lanes_;
};

// ---- the rules

Result of_one(const BatchContext& c, const Selection& s, size_t operand) {
  switch (c.op) {
    case Op::neg_op:
    case Op::convert_op:
      return is_floating(c.type.dtype) ? unary(c, s) : Result();
    case Op::mul_op:
    case Op::mul_no_nan_op:
      return scaled(c, s, operand);
    case Op::div_op:
      return operand == 0 ? divided(c, s) : Result();
    case Op::where_op:
      return operand == 0 ? Result() : masked(c, s, operand);
    case Op::reduce_sum_op:
      return reduce_sum(c, s);
    case Op::dot_op:
      return Dot(c, s, operand).run();
    default:
      return {};
  }
}

bool is_sum(Op op) { return op == Op::add_op || op == Op::add_any_op || op == Op::sub_op; }

}  // namespace

Value batch_structure(const BatchContext& c) {
  if (c.type.shape.numel() == 0) return kNoValue;
  size_t count = static_cast<size_t>(std::ranges::count(c.batched, true));
  Result result;
  if (moves(c.op) != Moves::nothing_known) {
    result = movement(c);
  } else if (count == 1) {
    auto operand = static_cast<size_t>(std::ranges::find(c.batched, true) - c.batched.begin());
    Result s = recognise(c.b, c.operands[operand]);
    if (s) result = of_one(c, *s, operand);
  } else if (count == 2 && is_sum(c.op)) {
    Result x = recognise(c.b, c.operands[0]), y = recognise(c.b, c.operands[1]);
    if (x && y) result = sum(c, *x, *y);
  }
  return result ? emit(c.b, std::move(*result)) : kNoValue;
}

}  // namespace jot::ir
