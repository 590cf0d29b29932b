#include "backends/cpu/cluster/layout.h"

#include <algorithm>

#include "ir/movement.h"

namespace jot::cpu {

using namespace ir;

int64_t value_of(const Axes& axes, const Stride& s) {
  int64_t n = s.factor;
  for (Axis a : s.axes) n *= axes.extent(a);
  return n;
}

Stride times(Stride s, int64_t factor) {
  s.factor *= factor;
  return s;
}
Stride times_axis(Stride s, Axis a) {
  s.axes.insert(std::ranges::upper_bound(s.axes, a), a);
  return s;
}

namespace {

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
  Layout l{c.storage(base), 0, {}};
  const TileGroup* tiles = c.tiles_of(l.storage);
  l.strides = tiles ? tile_major(c.axes, c.g.shape(base), c.axes.of(base), *tiles)
                    : row_major(c.axes, c.g.shape(base), c.axes.of(base));
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

size_t dims_of_batch(const Shape& shape, int64_t items) {
  int64_t n = 1;
  for (size_t d = 0; d < shape.size(); ++d)
    if ((n *= shape[d]) == items) return d + 1;
  return 0;
}

namespace {

void set_steps(const Axes& axes, const Shape& shape, std::span<const Axis> dims, size_t first, size_t last, Stride step,
               std::vector<Stride>& strides) {
  for (size_t d = last; d-- > first;) {
    strides[d] = step;
    step = axes.looped(dims[d]) ? times_axis(std::move(step), dims[d]) : times(std::move(step), shape[d]);
  }
}

}  // namespace

std::vector<Stride> tile_major(const Axes& axes, const Shape& shape, std::span<const Axis> dims,
                               const TileGroup& tiles) {
  std::vector<Stride> strides(shape.size());
  const size_t batch = dims_of_batch(shape, tiles.items);
  set_steps(axes, shape, dims, batch, shape.size(), {tiles.lanes, {}}, strides);
  set_steps(axes, shape, dims, 0, batch, {1, {}}, strides);
  return strides;
}

std::vector<Stride> row_major(const Axes& axes, const Shape& shape, std::span<const Axis> dims) {
  std::vector<Stride> strides(shape.size());
  set_steps(axes, shape, dims, 0, shape.size(), {1, {}}, strides);
  return strides;
}

}  // namespace jot::cpu
