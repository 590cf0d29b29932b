#include "core/storage/view_map.h"

#include <algorithm>

#include "ir/movement.h"

namespace jot::detail {

using ir::Attrs;
using ir::Ints;
using ir::Key;
using ir::Op;

namespace {

Shape filled(const Shape& like, int64_t x) {
  Shape s = like;
  std::ranges::fill(s, x);
  return s;
}

// The starts are the host's; the view shows any dims of extent 1, or none.
ViewMap map_of_block(const ViewStep& s, const Shape& parent, const Shape& view) {
  ViewMap m(parent, view);
  m.first = s.starts;
  for_each_kept(Shape(ir::AttrView(s.op, s.attrs).ints(Key::sizes)), view,
                [&](size_t i, size_t d) { m.set(d, static_cast<int64_t>(i), 1); });
  return m;
}

// Neighbouring dims of the view stand for one of the parent.
ViewMap map_of_windows(const ViewStep& s, const Shape& parent, const Shape& view) {
  ViewMap m(parent, view);
  const int64_t axis = ir::AttrView(s.op, s.attrs).ints(Key::index_map)[0];
  const auto count = static_cast<int64_t>(s.starts.size() / 2);
  for (size_t d = 0; d < view.size(); ++d) {
    const auto at = static_cast<int64_t>(d);
    if (at >= axis && at < axis + count)
      m.set(d, axis, s.starts[static_cast<size_t>(count + at - axis)]);
    else
      m.set(d, at < axis ? at : at - count + 1, 1);
  }
  return m;
}

}  // namespace

ViewMap::ViewMap(const Shape& parent, const Shape& view)
    : first(filled(parent, 0)), shape(view), from(filled(view, -1)), step(filled(view, 1)) {}

bool ViewMap::keeps_order() const {
  int64_t last = -1;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (from[d] < 0 ? shape[d] != 1 : from[d] <= last) return false;
    last = std::max(last, from[d]);
  }
  return true;
}

std::optional<ViewMap> map_of(const TensorImpl& view) {
  const ViewStep& s = *view.step;
  const Shape& parent = view.parent->shape;
  if (s.op == Op::dynamic_slice_op) return map_of_block(s, parent, view.shape);
  if (s.op == Op::gather_op) return map_of_windows(s, parent, view.shape);
  ViewMap m(parent, view.shape);
  if (ir::moves(s.op) == ir::Moves::regroup) {
    if (!for_each_kept(parent, view.shape, [&](size_t i, size_t d) { m.set(d, static_cast<int64_t>(i), 1); }))
      return {};
    return m;
  }
  ir::MovementReader movement;
  const Shape* operand = &parent;
  for (const ir::Run& run : movement({{s.op, s.attrs}, {&operand, 1}, view.shape}).runs()) {
    if (run.from.dim == ir::kNoDim) continue;
    m.first[run.from.dim] += run.from.start;
    m.set(run.to.dim, run.from.dim, run.from.step);
  }
  return m;
}

SplitMap split(const ViewMap& m, const Shape& parent, const Part& p) {
  SplitMap r{{m.first, filled(m.first, 1), filled(m.first, 1)}, ViewMap(parent, p.size)};
  Part& block = r.block;
  Shape users = filled(parent, 0);
  for (size_t d = 0; d < p.size.size(); ++d) {
    if (m.from[d] < 0) continue;
    const auto i = static_cast<size_t>(m.from[d]);
    const int64_t by = p.size[d] > 1 ? p.step[d] * m.step[d] : 1;
    block.start[i] += p.start[d] * m.step[d];
    r.rest.set(d, m.from[d], by);
    if (users[i]++ == 0) {
      block.size[i] = p.size[d];
      block.step[i] = by;
    } else {  // windows: all that they reach
      const int64_t reach = std::max<int64_t>(1, block.covered(i)) + std::max<int64_t>(0, p.size[d] - 1) * by;
      block.size[i] = std::min(parent[i], reach);
      block.step[i] = 1;
    }
  }
  for (size_t d = 0; d < p.size.size(); ++d)  // the block has taken the steps of the others
    if (m.from[d] >= 0 && users[static_cast<size_t>(m.from[d])] == 1) r.rest.step[d] = 1;
  return r;
}

namespace {

// Dims that several of the view's go along become windows. `axes`: the view's dim that each of the result's is, or -1.
Tensor windowed(Tensor t, const ViewMap& rest, Shape& axes) {
  for (size_t i = 0; i < rest.first.size(); ++i) {
    const size_t axis = axes.size();
    Shape extents, steps;
    for (size_t d = 0; d < rest.shape.size(); ++d) {
      if (rest.from[d] != static_cast<int64_t>(i)) continue;
      axes.push_back(static_cast<int64_t>(d));
      extents.push_back(rest.shape[d]);
      steps.push_back(rest.step[d]);
    }
    if (extents.empty()) axes.push_back(-1);
    if (extents.size() > 1) t = windowed_view(t, axis, extents, steps);
  }
  return t;
}

// Brings the axes into the view's order; those of -1 stay where they are.
Tensor ordered(const Tensor& t, Shape& axes) {
  Shape wanted;
  for (int64_t d : axes)
    if (d >= 0) wanted.push_back(d);
  if (std::ranges::is_sorted(wanted)) return t;
  std::ranges::sort(wanted);
  std::vector<int64_t> perm;
  const Shape old = axes;
  for (size_t k = 0, next = 0; k < old.size(); ++k) {
    if (old[k] >= 0) axes[k] = wanted[next++];
    perm.push_back(std::ranges::find(old, axes[k]) - old.begin());
    if (old[k] < 0) perm.back() = static_cast<int64_t>(k);
  }
  return permuted(t, perm);
}

}  // namespace

Tensor arranged(const Tensor& part, const ViewMap& rest) {
  const Shape& shape = rest.shape;
  Shape axes;
  Tensor t = windowed(part, rest, axes);
  t = ordered(t, axes);
  // Dims of extent 1 that are left over are those that repeat.
  Shape narrow, dims;
  bool repeats = false;
  for (size_t d = 0, k = 0; d < shape.size(); ++d) {
    const bool along = rest.from[d] >= 0;
    repeats |= !along && shape[d] != 1;
    while (along && axes[k] < 0) ++k;
    if (!along && (k == axes.size() || axes[k] >= 0)) continue;
    narrow.push_back(along ? shape[d] : 1);
    dims.push_back(static_cast<int64_t>(d));
    ++k;
  }
  if (!repeats) return with_dims(t, shape);
  t = with_dims(t, narrow);
  Shape strides = filled(shape, 0);
  const Shape from = t.impl()->layout();
  for (size_t i = 0; i < dims.size(); ++i)
    if (const auto d = static_cast<size_t>(dims[i]); narrow[i] == shape[d]) strides[d] = from[i];
  return view(t, {Op::broadcast_op, Attrs(shape, dims)}, shape, t.impl()->offset, strides);
}

Tensor mapped_view(const Tensor& t, const ViewMap& m) {
  auto [block, rest] = split(m, t.impl()->shape, {filled(m.shape, 0), m.shape, filled(m.shape, 1)});
  if (rest.keeps_order()) return strided_view(t, block.start, block.size, block.step, m.shape);
  return arranged(strided_view(t, block.start, block.size, block.step), rest);
}

Shape strides_of(const Shape& shape, const Shape& from, const Shape& strides) {
  Shape result = filled(shape, 1);
  for_each_kept(from, shape, [&](size_t i, size_t d) { result[d] = strides[i]; });
  return result;
}

Tensor with_dims(const Tensor& t, const Shape& shape) {
  const TensorImpl& x = *t.impl();
  return x.shape == shape ? t : reshaped_view(t, shape, strides_of(shape, x.shape, x.layout()));
}

}  // namespace jot::detail
