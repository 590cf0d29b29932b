// Parts of views, while they are recorded. What is taken of a view is a view of what is taken of its parent: slices go
// below whatever permutes, repeats or windows elements, so that a part costs what it shows, whether it is read or
// written. For a few ops, without the maps of ir/movement.h, which would need memory for each view; a view of any other
// op is sliced as it is.
#include <utility>

#include "core/storage/views.h"

namespace jot::detail {

using ir::Attrs;
using ir::AttrView;
using ir::Ints;
using ir::Key;
using ir::Op;

namespace {

struct Part {
  Shape start, size, step;
  void set(size_t d, int64_t first, int64_t n, int64_t by) {
    start[d] = first;
    size[d] = n;
    step[d] = by;
  }
  int64_t covered(size_t d) const { return size[d] == 0 ? 0 : (size[d] - 1) * step[d] + 1; }
};

bool is_slice(const TensorImpl& v) { return v.step->op == Op::slice_op || v.step->op == Op::dynamic_slice_op; }

// All of a shape.
Part whole(const Shape& shape) {
  Part p{shape, shape, shape};
  for (size_t d = 0; d < shape.size(); ++d) p.set(d, 0, shape[d], 1);
  return p;
}

// Calls f(dim of the parent, dim of the view) for extents other than 1 of a reshape that adds or drops such of 1; false
// if it does more.
template <class F>
bool for_each_kept(const Shape& parent, const Shape& view, F f) {
  size_t i = 0, j = 0;
  while (true) {
    while (i < parent.size() && parent[i] == 1) ++i;
    while (j < view.size() && view[j] == 1) ++j;
    if (i == parent.size() || j == view.size()) return i == parent.size() && j == view.size();
    if (parent[i] != view[j]) return false;
    f(i++, j++);
  }
}

// A window's axes are neighbours; they stand for an axis of the parent.
struct Windows {
  size_t axis;
  Ints extents, steps;
  explicit Windows(const ViewStep& s)
      : axis(static_cast<size_t>(AttrView(s.op, s.attrs).ints(Key::index_map)[0])),
        extents(Ints(s.starts).first(s.starts.size() / 2)),
        steps(Ints(s.starts).last(s.starts.size() / 2)) {}
  size_t count() const { return steps.size(); }
};

Part below_windows(const Windows& w, const Shape& parent, const Part& p) {
  Part q = whole(parent);
  int64_t first = 0, last = 0;
  for (size_t i = 0; i < w.count(); ++i) {
    first += p.start[w.axis + i] * w.steps[i];
    last += (p.size[w.axis + i] - 1) * p.step[w.axis + i] * w.steps[i];
  }
  for (size_t d = 0; d < parent.size(); ++d) {
    size_t from = d < w.axis ? d : d + w.count() - 1;
    if (d == w.axis)
      q.set(d, first, last + 1, 1);
    else
      q.set(d, p.start[from], p.size[from], p.step[from]);
  }
  return q;
}

// What a part of v, which is not empty, is of v's parent. None where no slice shows just that.
std::optional<Part> below(const TensorImpl& v, const Part& p) {
  const ViewStep& s = *v.step;
  AttrView a(s.op, s.attrs);
  const Shape& parent = v.parent->shape;
  Part q = whole(parent);
  switch (s.op) {
    case Op::permute_op:
      for (size_t d = 0; d < parent.size(); ++d)
        q.set(static_cast<size_t>(a.ints(Key::perm)[d]), p.start[d], p.size[d], p.step[d]);
      return q;
    case Op::broadcast_op:
      for (size_t i = 0; i < parent.size(); ++i)
        if (auto d = static_cast<size_t>(a.ints(Key::dims)[i]); parent[i] != 1)
          q.set(i, p.start[d], p.size[d], p.step[d]);
      return q;
    case Op::reshape_op:
      if (!for_each_kept(parent, v.shape, [&](size_t i, size_t d) { q.set(i, p.start[d], p.size[d], p.step[d]); }))
        return {};
      return q;
    case Op::stop_gradient_op:
      return p;
    case Op::dynamic_slice_op:
      q = {s.starts, Shape(a.ints(Key::sizes)), Shape(a.ints(Key::sizes))};
      for (int64_t& step : q.step) step = 1;
      for_each_kept(Shape(q.size), v.shape,
                    [&](size_t i, size_t d) { q.set(i, s.starts[i] + p.start[d], p.size[d], p.step[d]); });
      return q;
    case Op::slice_op:
      for (size_t d = 0; d < parent.size(); ++d) {
        int64_t by = a.ints(Key::stride)[d];
        q.set(d, a.ints(Key::start)[d] + p.start[d] * by, p.size[d], p.step[d] * by);
      }
      return q;
    case Op::gather_op:
      return below_windows(Windows(s), parent, p);
    default:
      return {};
  }
}

// The part p of v as a view of `part`, what below() says of v's parent.
Tensor above(const TensorImpl& v, const Part& p, const Tensor& part) {
  const ViewStep& s = *v.step;
  const Shape from = part.impl()->layout();
  Shape strides = p.size;
  switch (s.op) {
    case Op::permute_op:
      return permuted(part, AttrView(s.op, s.attrs).ints(Key::perm));
    case Op::broadcast_op: {
      Ints dims = AttrView(s.op, s.attrs).ints(Key::dims);
      for (int64_t& stride : strides) stride = 0;
      for (size_t i = 0; i < dims.size(); ++i)
        if (v.parent->shape[i] != 1) strides[static_cast<size_t>(dims[i])] = from[i];
      if (p.size.numel() == part.impl()->shape.numel()) return reshaped_view(part, p.size, strides);
      return view(part, {Op::broadcast_op, Attrs(p.size, dims)}, p.size, part.impl()->offset, strides);
    }
    case Op::reshape_op:
      for (int64_t& stride : strides) stride = 1;
      for_each_kept(v.parent->shape, v.shape, [&](size_t i, size_t d) { strides[d] = from[i]; });
      return reshaped_view(part, p.size, strides);
    case Op::stop_gradient_op:
      return view(part, {s.op, {}}, p.size, part.impl()->offset, from);
    default: {
      Windows w(s);
      Shape extents = p.size.slice(w.axis, w.axis + w.count()), steps = extents;
      for (size_t i = 0; i < w.count(); ++i) steps[i] = w.steps[i] * p.step[w.axis + i];
      return windowed_view(part, w.axis, extents, steps);
    }
  }
}

// Where a part of v lies in the storage.
struct Lie {
  int64_t offset;
  Shape strides;
};
Lie lie_of(const TensorImpl& v, const Part& p) {
  Lie lie{v.offset, v.layout()};
  for (size_t d = 0; d < lie.strides.size(); ++d) {
    lie.offset += p.start[d] * lie.strides[d];
    lie.strides[d] *= p.step[d];
  }
  return lie;
}

// The strides where dims of extent 1 come and go.
Shape strides_of(const Shape& shape, const Shape& from, const Shape& strides) {
  Shape result = shape;
  for (int64_t& stride : result) stride = 1;
  for_each_kept(from, shape, [&](size_t i, size_t d) { result[d] = strides[i]; });
  return result;
}

// A block of t, and of it every step-th element, as a view of this shape that lies so.
Tensor sliced(Tensor t, const Part& p, const Shape& shape, const Lie& lie) {
  bool all = true, steps = false;
  for (size_t d = 0; d < p.size.size(); ++d) {
    all &= p.covered(d) == t.impl()->shape[d];
    steps |= p.step[d] != 1;
  }
  if (!all && !steps) return view(t, {Op::dynamic_slice_op, Attrs(p.size), p.start}, shape, lie.offset, lie.strides);
  Shape start = p.start, size = p.size;
  for (size_t d = 0; d < size.size(); ++d) size[d] = p.covered(d);
  if (!all) t = view(t, {Op::dynamic_slice_op, Attrs(size), start}, size, lie.offset, t.impl()->layout());
  for (int64_t& zero : start) zero = 0;
  if (steps) {
    const Shape strides = shape == p.size ? lie.strides : strides_of(p.size, shape, lie.strides);
    t = view(t, {Op::slice_op, Attrs(start, size, p.step)}, p.size, lie.offset, strides);
  }
  return shape == p.size ? t : reshaped_view(t, shape, lie.strides);
}

Tensor with_dims(Tensor t, const Shape& shape) {
  const TensorImpl& x = *t.impl();
  return x.shape == shape ? t : reshaped_view(t, shape, strides_of(shape, x.shape, x.layout()));
}

}  // namespace

Tensor permuted(const Tensor& t, Ints perm) {
  const TensorImpl& x = *t.impl();
  Shape shape = x.shape, strides = x.layout(), old = strides;
  for (size_t d = 0; d < perm.size(); ++d) {
    shape[d] = x.shape[static_cast<size_t>(perm[d])];
    strides[d] = old[static_cast<size_t>(perm[d])];
  }
  return view(t, {Op::permute_op, Attrs(perm)}, shape, x.offset, strides);
}

Tensor strided_view(const Tensor& t, const Shape& start, const Shape& size, const Shape& step) {
  return strided_view(t, start, size, step, size);
}

Tensor strided_view(const Tensor& t, const Shape& start, const Shape& size, const Shape& step, const Shape& shape) {
  Part p{start, size, step};
  bool all = true;
  for (size_t d = 0; d < size.size(); ++d) {
    if (size[d] <= 1) p.step[d] = 1;  // nothing is stepped over
    if (size[d] == 0) p.start[d] = 0;
    all &= p.step[d] == 1 && size[d] == t.impl()->shape[d];
  }
  if (all) return with_dims(itself(t), shape);
  std::shared_ptr<TensorImpl> v = t.impl();
  // The strides of what a caller's argument shows are not those that its base has here.
  bool moves = size.numel() != 0 && !v->storage->caller_strides;
  if (!moves || !v->parent) {
    Lie lie = lie_of(*v, p);
    if (shape != size) lie.strides = strides_of(shape, size, lie.strides);
    return sliced(t, p, shape, lie);
  }
  std::vector<std::pair<const TensorImpl*, Part>> views;
  while (moves && v->parent) {
    std::optional<Part> q = below(*v, p);
    if (!q) break;
    views.emplace_back(v.get(), std::exchange(p, std::move(*q)));
    v = v->parent;
  }
  // Slices above it become one with it.
  size_t n = views.size();
  while (n > 0 && is_slice(*views[n - 1].first)) --n;
  const auto& [top, shown] = n < views.size() ? views[n] : std::pair<const TensorImpl*, Part>(v.get(), p);
  Lie lie = lie_of(*top, shown);
  const Shape& below_others = n == 0 ? shape : shown.size;
  if (below_others != shown.size) lie.strides = strides_of(shape, shown.size, lie.strides);
  Tensor r = sliced(Tensor(v), p, below_others, lie);
  for (; n > 0; --n) {
    const auto& [view, part] = views[n - 1];
    r = is_slice(*view) ? with_dims(r, part.size) : above(*view, part, r);
  }
  return with_dims(r, shape);
}

}  // namespace jot::detail
