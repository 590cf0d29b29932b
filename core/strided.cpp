// Views by strides: windows along an axis, any strides over the base. In the graph they are gathers.
#include <algorithm>
#include <numeric>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/operands.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Value;

namespace detail {

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

Value window_indices(ir::Builder& b, ir::Ints extents_and_steps) {
  size_t k = extents_and_steps.size() / 2;
  Shape extents(extents_and_steps.first(k)), column = extents;
  column.push_back(1);
  Value sum = ir::kNoValue;
  for (size_t d = 0; d < k; ++d) {
    Value i = build::mul(b, build::iota(b, i64, extents, static_cast<int64_t>(d)),
                         build::constant_int(b, i64, extents, extents_and_steps[k + d]));
    sum = d == 0 ? i : build::add(b, sum, i);
  }
  return build::reshape(b, sum, column);
}

Tensor windowed_view(const Tensor& t, size_t axis, const Shape& extents, const Shape& steps) {
  const TensorImpl& x = *t.impl();
  size_t k = extents.size();
  Shape old = x.layout(), shape, strides, sizes = x.shape;
  std::vector<int64_t> kept, dropped = {static_cast<int64_t>(axis)};
  sizes[axis] = 1;
  for (size_t d = 0; d < x.shape.size(); ++d) {
    for (size_t i = 0; d == axis && i < k; ++i) {
      shape.push_back(extents[i]);
      strides.push_back(steps[i] * old[d]);
    }
    if (d == axis) continue;
    kept.push_back(static_cast<int64_t>(shape.size()));
    shape.push_back(x.shape[d]);
    strides.push_back(old[d]);
  }
  ViewStep step{ir::Op::gather_op, ir::Attrs(kept, dropped, dropped, ir::Ints(), ir::Ints(), sizes).add(ir::Mode::clip),
                extents + steps};
  return view(t, std::move(step), shape, x.offset, strides);
}

namespace {

// Elements of the base by their strides in it, all of them inside.
Tensor strided_over_base(const Tensor& t, const Shape& size, const Shape& stride, int64_t offset) {
  Tensor base(base_of(t.impl()));
  int64_t span = size.numel() == 0 ? 0 : 1;
  for (size_t d = 0; d < size.size() && span != 0; ++d) span += (size[d] - 1) * stride[d];
  Tensor flat = reshaped_view(base, {base.impl()->shape.numel()}, {1});
  Tensor part = strided_view(flat, {span ? offset : 0}, {span}, {1});
  bool dense = span == size.numel();
  Shape packed = row_major(size);
  for (size_t d = 0; d < size.size(); ++d) dense &= size[d] == 1 || stride[d] == packed[d];
  Tensor r = dense || span == 0 ? reshaped_view(part, size, stride) : windowed_view(part, 0, size, stride);
  for (const TensorImpl* v = t.impl().get(); v->parent; v = v->parent.get())
    if (v->step->op == ir::Op::stop_gradient_op) return r.detach();
  return r;
}

// Where the elements of an array lie in memory, in row-major order.
std::vector<int64_t> places(const Shape& shape, const Shape& strides, int64_t offset) {
  std::vector<int64_t> result = {offset}, outer;
  for (size_t d = 0; d < shape.size(); ++d) {
    outer.swap(result);
    result.clear();
    for (int64_t p : outer)
      for (int64_t i = 0; i < shape[d]; ++i) result.push_back(p + i * strides[d]);
  }
  return result;
}

// Of a view whose strides are those of a caller's storage: the same elements by strides over the row-major base.
std::optional<Tensor> placed_in_row_major(const Tensor& t) {
  const TensorImpl& x = *t.impl();
  const Shape& base = x.storage->type.shape;
  std::unordered_map<int64_t, int64_t> numbers;
  for (int64_t p : places(base, *x.storage->caller_strides, 0))
    if (!numbers.emplace(p, static_cast<int64_t>(numbers.size())).second) return {};
  std::vector<int64_t> wanted;
  for (int64_t p : places(x.shape, x.layout(), x.offset)) wanted.push_back(numbers.at(p));
  if (wanted.empty()) return t;
  Shape strides = x.shape, index = row_major(x.shape);
  for (size_t d = 0; d < strides.size(); ++d) {
    strides[d] = x.shape[d] > 1 ? wanted[static_cast<size_t>(index[d])] - wanted[0] : 0;
    if (strides[d] < 0) return {};
  }
  if (places(x.shape, strides, wanted[0]) != wanted) return {};
  return strided_over_base(t, x.shape, strides, wanted[0]);
}

}  // namespace

std::optional<Tensor> placed_in_base(const Tensor& t) {
  const TensorImpl& x = *t.impl();
  if (x.storage->caller_strides) return placed_in_row_major(t);
  return strided_over_base(t, x.shape, x.layout(), x.offset);
}

}  // namespace detail

Tensor Tensor::as_strided(const Shape& size, const Shape& stride, std::optional<int64_t> offset, Location at) const {
  const TensorImpl& x = impl_of(*this, "as_strided", at);
  if (x.storage->caller_strides)
    fail<TransformError>("as_strided",
                         "of an argument of a transform that is not contiguous: what lies between its elements is not "
                         "there; pass the tensor that it is a view of, or a clone() of it",
                         at);
  if (size.size() != stride.size())
    fail<ShapeError>(
        "as_strided",
        "mismatch in length of strides and shape: size " + to_string(size) + ", stride " + to_string(stride), at);
  int64_t first = offset.value_or(x.offset), last = first, room = base_of(impl_)->shape.numel();
  auto outside = [&] {
    fail<ShapeError>("as_strided",
                     "size " + to_string(size) + ", stride " + to_string(stride) + " and storage offset " +
                         std::to_string(first) + " are out of bounds for the storage of " + std::to_string(room) +
                         " elements",
                     at);
  };
  if (first < 0) fail<ShapeError>("as_strided", "expected a storage offset >= 0, got " + std::to_string(first), at);
  check_shape("as_strided", "size", size, at);
  bool any = true;
  for (size_t d = 0; d < size.size(); ++d) {
    if (stride[d] < 0)
      fail<ShapeError>("as_strided", "Negative strides are not supported, got " + to_string(stride), at);
    any &= size[d] != 0;
  }
  if (any && last >= room) outside();
  for (size_t d = 0; d < size.size() && any; ++d) {
    if (size[d] > 1 && stride[d] > (room - 1 - last) / (size[d] - 1)) outside();
    last += (size[d] - 1) * stride[d];
  }
  Shape used = stride;
  for (int64_t& step : used) step = std::min(step, room);  // a longer one steps over nothing
  return strided_over_base(*this, size, used, first);
}

Tensor Tensor::unfold(int64_t dim, int64_t size, int64_t step, Location at) const {
  const TensorImpl& x = impl_of(*this, "unfold", at);
  size_t rank = x.shape.size(), d = wrap_dim("unfold", dim, rank, at);
  int64_t extent = rank ? x.shape[d] : 1;
  if (step <= 0) fail<ShapeError>("unfold", "step is " + std::to_string(step) + " but must be > 0", at);
  if (size < 0) fail<ShapeError>("unfold", "size is " + std::to_string(size) + " but must be >= 0", at);
  if (size > extent)
    fail<ShapeError>("unfold",
                     "maximum size for tensor at dimension " + std::to_string(d) + " is " + std::to_string(extent) +
                         " but size is " + std::to_string(size),
                     at);
  if (rank == 0) return unsqueeze(0, at).slice(0, 0, size, 1, at);
  step = std::min(step, std::max<int64_t>(1, extent));  // a longer one steps over nothing
  Shape shape = x.shape;
  shape[d] = (extent - size) / step + 1;
  shape.push_back(size);
  check_shape("unfold", "the result", shape, at);
  Tensor windows = windowed_view(*this, d, {shape[d], size}, {step, 1});
  return windows.movedim(static_cast<int64_t>(d) + 1, -1, at);
}

Tensor as_strided(const Tensor& x, const Shape& size, const Shape& stride, std::optional<int64_t> offset, Location at) {
  return x.as_strided(size, stride, offset, at);
}
Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step, Location at) {
  return x.unfold(dim, size, step, at);
}

}  // namespace jot
