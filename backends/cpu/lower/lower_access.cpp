#include "backends/cpu/lower/lower_access.h"

#include <algorithm>

namespace jot::cpu {

using namespace ir;

Stride times(Stride s, int64_t factor) {
  s.factor *= factor;
  return s;
}
Stride times_axis(Stride s, Axis a) {
  s.axes.insert(std::ranges::upper_bound(s.axes, a), a);
  return s;
}

namespace {

int64_t value_of(const Axes& axes, const Stride& s) {
  int64_t n = s.factor;
  for (Axis a : s.axes) n *= axes.extent(a);
  return n;
}

// The layout of a view from its operand's.
void apply(const Clustering& c, Value v, const Movement& m, Layout& l) {
  const Shape &from = c.g.shape(c.g.operand(v, 0)), &to = c.g.shape(v);
  std::vector<Stride> strides(to.size());
  switch (m.moves) {
    case Moves::regroup:  // that splits axes
      for (const ReshapeGroup& group : reshape_groups(from, to)) {
        Stride step = l.strides[group.from_begin];
        for (size_t d = group.to_end; d-- > group.to_begin;) {
          strides[d] = step;
          Axis axis = c.axes.of(v)[d];
          step = c.axes.looped(axis) ? times_axis(std::move(step), axis) : times(std::move(step), to[d]);
        }
      }
      break;
    case Moves::view:
      for (const Run& run : m.runs()) {
        if (run.from.dim == kNoDim) continue;
        l.offset += run.from.start * value_of(c.axes, l.strides[run.from.dim]);
        strides[run.to.dim] = times(l.strides[run.from.dim], run.from.step);
      }
      break;
    case Moves::nothing_known:  // dynamic_slice: its pointer says where
      strides = l.strides;
      break;
    case Moves::assembled:
      internal_error("a view of one operand", name_of(c.g.op(v)));
  }
  l.strides = std::move(strides);
  if (c.points[v]) {
    l.storage = v;
    l.offset = 0;
  }
}

}  // namespace

Layout layout_of(const Clustering& c, Value v, bool through) {
  std::vector<Value> chain;
  Value base = v;
  if (through) {
    chain.push_back(v);
    base = c.g.operand(v, 0);
  }
  auto passes = [&](Value o) { return c.points[o] || (c.role[o] == Role::view && is_strided(c.g, o)); };
  for (; passes(base); base = c.g.operand(base, 0)) chain.push_back(base);
  Layout l{c.storage(base), 0, row_major(c.axes, c.g.shape(base), c.axes.of(base))};
  MovementReader movement;
  for (size_t i = chain.size(); i-- > 0;) apply(c, chain[i], movement(c.g, chain[i]), l);
  return l;
}

Placement placement_of(const Clustering& c, Value v) {
  Layout l = layout_of(c, v);
  Placement p{l.storage, l.offset, {}};
  for (const Stride& s : l.strides) p.strides.push_back(value_of(c.axes, s));
  return p;
}

std::vector<Stride> row_major(const Axes& axes, const Shape& shape, std::span<const Axis> dims) {
  std::vector<Stride> strides(shape.size());
  Stride step{1, {}};
  for (size_t d = strides.size(); d-- > 0;) {
    strides[d] = step;
    step = axes.looped(dims[d]) ? times_axis(std::move(step), dims[d]) : times(std::move(step), shape[d]);
  }
  return strides;
}

uint32_t Arguments::product(const std::vector<Axis>& axes) {
  auto [it, fresh] = products_.try_emplace(axes, static_cast<uint32_t>(args_.size() + 1));
  if (fresh) args_.push_back({KernelArg::Kind::number, kNoValue, value_of(axes_, {1, axes})});
  return b_.arg(it->second);
}

uint32_t Arguments::pieces(const std::vector<Axis>& axes, int64_t length) {
  return add({KernelArg::Kind::number, kNoValue, (value_of(axes_, {1, axes}) + length - 1) / length});
}

uint32_t Arguments::scratch(const std::vector<Axis>& axes, int64_t bytes) {
  return add({KernelArg::Kind::scratch, kNoValue, value_of(axes_, {bytes, axes})});
}

uint32_t Arguments::scalar(const Stride& s) {
  return s.fixed() ? b_.iconst(s.factor) : b_.imuli(product(s.axes), s.factor);
}

// ---- accesses

Access::Access(const Clustering& c, Value v, uint32_t pointer, const Layout& layout, std::span<const Stride> by_axis,
               std::span<const Axis> axes, std::span<const Loop> loops, Arguments& args, KernelBuilder& b)
    : pointer_(pointer), size_(size_of(c.g.dtype(v))) {
  for (const Loop& loop : loops) {
    auto last = static_cast<size_t>(std::ranges::find(axes, loop.axes.back()) - axes.begin());
    loops_.push_back(make_step(0, by_axis[last], args));
    if (!by_axis[last].fixed()) continue;
    if (by_axis[last].factor > 1) b.iconst(by_axis[last].factor);  // before the loops
  }
  int64_t behind = 1;
  for (size_t d = layout.strides.size(); d-- > 0;) {
    int64_t extent = c.g.shape(v)[d];
    if (extent == 1 || c.axes.looped(c.axes.of(v)[d])) continue;
    dims_.push_back(make_step(extent, layout.strides[d], args));
    dense_ &= layout.strides[d] == Stride{behind, {}};
    behind *= extent;
  }
  std::ranges::reverse(dims_);
  elements_ = static_cast<uint32_t>(behind);
}

Access::Address Access::at(KernelBuilder& b, std::span<const Loop> loops, uint32_t element) const {
  uint32_t index = kNone;
  auto add = [&](uint32_t x) { index = index == kNone ? x : b.iadd(index, x); };
  for (size_t l = 0; l < loops.size(); ++l) {
    const Step& s = loops_[l];
    if (s.factor == 0 || loops[l].index == kNone) continue;
    add(s.step != kNone ? b.imul(loops[l].index, s.step) : b.imuli(loops[l].index, s.factor));
  }
  if (dense_) return {index, element * size_};
  int64_t fixed = 0, rest = element;
  for (size_t d = dims_.size(); d-- > 0;) {
    int64_t i = rest % dims_[d].extent;
    rest /= dims_[d].extent;
    if (i == 0) continue;
    if (dims_[d].step == kNone)
      fixed += i * dims_[d].factor;
    else
      add(b.imuli(dims_[d].step, i));
  }
  return {index, fixed * size_};
}

std::vector<Loop> join_loops(std::span<const Axis> loops, size_t split, std::span<const Axis> alone,
                             std::span<const std::vector<Stride>> accesses) {
  auto is_alone = [&](Axis a) { return std::ranges::find(alone, a) != alone.end(); };
  std::vector<Loop> joined;
  for (size_t i = 0; i < loops.size(); ++i) {
    bool joins = i > 0 && i != split && !is_alone(loops[i]) && !is_alone(loops[i - 1]);
    for (const std::vector<Stride>& s : accesses) {
      if (!joins) break;
      joins = s[i].factor == 0 ? s[i - 1].factor == 0 : s[i - 1] == times_axis(s[i], loops[i]);
    }
    if (joins)
      joined.back().axes.push_back(loops[i]);
    else
      joined.push_back({{loops[i]}});
  }
  return joined;
}

}  // namespace jot::cpu
