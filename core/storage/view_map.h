// What a view does to indices, read from the op that makes it (ir/movement.h), and views made from that. Parts of
// views, views of arguments with lanes and what repeats elements follow from it; no view op is named for them.
#pragma once
#include <optional>

#include "core/storage/views.h"

namespace jot::detail {

// A block of a tensor, and of each dim of it every step-th element.
struct Part {
  Shape start, size, step;
  int64_t covered(size_t d) const { return size[d] == 0 ? 0 : (size[d] - 1) * step[d] + 1; }
};

// Element (i, j, ...) of the view is that of its parent whose index along each dim is `first` there and what the view's
// dims that go along it add: i * step. Those of from -1 repeat the elements.
struct ViewMap {
  Shape first;              // by the parent's dims
  Shape shape, from, step;  // by the view's

  ViewMap(const Shape& parent, const Shape& view);  // the first element, repeated
  void set(size_t d, int64_t dim, int64_t by) {
    from[d] = dim;
    step[d] = by;
  }
  // Nothing is repeated or permuted: a part of the parent.
  bool keeps_order() const;
};

// None of a reshape that does more than add or drop dims of extent 1.
std::optional<ViewMap> map_of(const TensorImpl& view);

// A map in two steps: what block of a parent of this shape the part p of the view needs, and the part as a view of that
// block.
struct SplitMap {
  Part block;
  ViewMap rest;
};
SplitMap split(const ViewMap& m, const Shape& parent, const Part& p);

// The view of all of t by the rest of a split map: windows, then the order of dims, then repeats.
Tensor arranged(const Tensor& t, const ViewMap& rest);

// The view of t by a map.
Tensor mapped_view(const Tensor& t, const ViewMap& m);

// Calls f(dim of `from`, dim of `to`) for extents other than 1 where `to` has the same; false if it has others.
template <class F>
bool for_each_kept(const Shape& from, const Shape& to, F f) {
  size_t i = 0, j = 0;
  while (true) {
    while (i < from.size() && from[i] == 1) ++i;
    while (j < to.size() && to[j] == 1) ++j;
    if (i == from.size() || j == to.size()) return i == from.size() && j == to.size();
    if (from[i] != to[j]) return false;
    f(i++, j++);
  }
}
// The strides where dims of extent 1 come and go.
Shape strides_of(const Shape& shape, const Shape& from, const Shape& strides);
Tensor with_dims(const Tensor& t, const Shape& shape);

// Whether the op says more than which elements are shown, so that it stays where its view is made anew.
inline bool says_more(const ViewStep& step) { return ir::info(step.op).is(ir::Trait::kept); }

}  // namespace jot::detail
