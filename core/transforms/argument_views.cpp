#include "core/transforms/argument_views.h"

#include <algorithm>

#include "core/storage/view_map.h"

namespace jot::detail {

std::optional<size_t> WatchedArguments::shown_by(const Tensor& result) const {
  auto it = std::ranges::find(storages_, result.impl()->storage);
  return it == storages_.end() ? std::nullopt : std::optional<size_t>(it - storages_.begin());
}

void WatchedArguments::invoke(void* self, std::span<const Tensor> args, Outputs& out) {
  WatchedArguments& w = *static_cast<WatchedArguments*>(self);
  w.storages_.clear();
  for (const Tensor& t : args) w.storages_.push_back(t.impl()->storage);
  w.fn_.call(w.fn_.self, args, out);
}

std::string WatchedArguments::path(const void* self, Role role, size_t leaf) {
  const Fn& fn = static_cast<const WatchedArguments*>(self)->fn_;
  return fn.path(fn.self, role, leaf);
}

namespace {

// The same map of each lane.
ViewMap with_lanes(ViewMap m, int64_t lanes) {
  for (int64_t& dim : m.from) dim += dim >= 0;
  m.first.insert(0, 0);
  m.shape.insert(0, lanes);
  m.from.insert(0, 0);
  m.step.insert(0, 1);
  return m;
}

// The view of t that v is of its parent. None where t's elements would have to be copied.
std::optional<Tensor> replayed(const TensorImpl& v, const Tensor& t, bool lanes) {
  const TensorImpl& x = *t.impl();
  if (says_more(*v.step)) return view(t, *v.step, x.shape, x.offset, x.layout());
  if (std::optional<ViewMap> m = map_of(v)) return mapped_view(t, lanes ? with_lanes(*m, x.shape[0]) : *m);
  const Shape shape = lanes ? Shape{x.shape[0]} + v.shape : v.shape;
  std::optional<Shape> strides = compatible_strides(x, shape);
  if (!strides) return {};
  return reshaped_view(t, shape, *strides);
}

}  // namespace

std::optional<Tensor> view_of_argument(const Tensor& result, const Tensor& argument, bool lanes) {
  std::vector<const TensorImpl*> views;
  for (const TensorImpl* v = result.impl().get(); v->parent; v = v->parent.get()) views.push_back(v);
  std::optional<Tensor> view = argument;
  for (size_t i = views.size(); i-- > 0 && view;) view = replayed(*views[i], *view, lanes);
  return view;
}

}  // namespace jot::detail
