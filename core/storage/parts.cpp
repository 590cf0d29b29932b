// Parts of views, while they are recorded. What is taken of a view is a view of what is taken of its parent: slices go
// below whatever permutes, repeats or windows elements, so that a part costs what it shows, whether it is read or
// written.
#include <utility>
#include <vector>

#include "core/storage/view_map.h"

namespace jot::detail {

using ir::Attrs;
using ir::Ints;
using ir::Op;

namespace {

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

// A view on the way down, which part of it is wanted, and that part as a view of its parent's part.
struct Shown {
  const TensorImpl* view;
  Part part;
  ViewMap rest;
  bool is_slice() const { return !says_more(*view->step) && rest.keeps_order(); }
};

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
  const bool moves = size.numel() != 0 && !v->storage->caller_strides;
  if (!moves || !v->parent) {
    Lie lie = lie_of(*v, p);
    if (shape != size) lie.strides = strides_of(shape, size, lie.strides);
    return sliced(t, p, shape, lie);
  }
  std::vector<Shown> views;
  for (; v->parent; v = v->parent) {
    std::optional<ViewMap> m = map_of(*v);
    if (!m) break;
    SplitMap below = split(*m, v->parent->shape, p);
    views.push_back({v.get(), std::exchange(p, std::move(below.block)), std::move(below.rest)});
  }
  // Slices above it become one with it.
  size_t n = views.size();
  while (n > 0 && views[n - 1].is_slice()) --n;
  const bool some = n < views.size();
  const Part& shown = some ? views[n].part : p;
  Lie lie = lie_of(some ? *views[n].view : *v, shown);
  const Shape& below_others = n == 0 ? shape : shown.size;
  if (below_others != shown.size) lie.strides = strides_of(shape, shown.size, lie.strides);
  Tensor r = sliced(Tensor(v), p, below_others, lie);
  for (; n > 0; --n) {
    const Shown& s = views[n - 1];
    const TensorImpl& x = *r.impl();
    r = says_more(*s.view->step) ? view(r, *s.view->step, x.shape, x.offset, x.layout()) : arranged(r, s.rest);
  }
  return with_dims(r, shape);
}

}  // namespace jot::detail
