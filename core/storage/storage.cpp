#include "core/storage/storage.h"

#include <algorithm>
#include <utility>

namespace jot::detail {

Shape row_major(const Shape& shape) {
  Shape strides = shape;
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

bool is_row_major(const Shape& shape, const Shape& strides) {
  if (shape.numel() == 0) return true;
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

bool TensorImpl::contiguous() const { return !parent || is_row_major(shape, strides); }

TensorImpl::~TensorImpl() {
  std::shared_ptr<TensorImpl> p = std::move(parent);
  while (p && p.use_count() == 1) p = std::exchange(p->parent, nullptr);
}

std::shared_ptr<TensorImpl> base_of(std::shared_ptr<TensorImpl> t) {
  while (t->parent) t = t->parent;
  return t;
}

void Storage::check() {
  Failure f = failed.load(std::memory_order_acquire);
  if (f == Failure::none) return;
  if (f == Failure::contents) std::rethrow_exception(failure);
  if (failed.compare_exchange_strong(f, Failure::none, std::memory_order_acq_rel))
    std::rethrow_exception(std::exchange(failure, nullptr));
}

// By the strides from small to large: each steps over all that the smaller ones reach, or the elements are counted out.
bool TensorImpl::overlapping() const {
  if (!parent || shape.numel() == 0) return false;
  std::vector<std::pair<int64_t, int64_t>> axes;  // stride, extent
  for (size_t d = 0; d < shape.size(); ++d)
    if (shape[d] > 1) axes.emplace_back(strides[d], shape[d]);
  std::ranges::sort(axes);
  int64_t reach = 0;
  bool apart = true;
  for (auto [stride, extent] : axes) {
    if (stride == 0) return true;
    apart &= stride > reach;
    reach += (extent - 1) * stride;
  }
  if (apart) return false;
  if (shape.numel() > reach + 1) return true;
  std::vector<int64_t> places = {0};
  for (auto [stride, extent] : axes)
    for (size_t i = 0, n = places.size() * static_cast<size_t>(extent - 1); i < n; ++i)
      places.push_back(places[i] + stride);
  std::ranges::sort(places);
  return std::ranges::adjacent_find(places) != places.end();
}

Tensor from_buffer(DType dtype, const Shape& shape, Buffer buffer) {
  auto base = make_pooled<BaseTensor>(ir::Type{dtype, false, shape});
  base->contents.buffer = std::move(buffer);
  return Tensor(std::move(base));
}

Tensor empty(DType dtype, const Shape& shape) {
  return from_buffer(dtype, shape, Buffer::allocate(shape.numel() * size_of(dtype), size_of(dtype)));
}

}  // namespace jot::detail
