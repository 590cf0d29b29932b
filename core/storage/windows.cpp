// Views by strides: windows along an axis, any strides over the base. In the graph they are gathers.
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/storage/view_map.h"
#include "ir/build.h"

namespace jot::detail {

namespace build = ir::build;
using ir::Value;

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
  ViewStep step{ir::Op::gather_op,
                ir::Attrs(kept, dropped, dropped, ir::Ints(), ir::Ints(), sizes).add(ir::IndexMode::clip),
                extents + steps};
  Tensor windows = view(t, std::move(step), shape, x.offset, strides);
  windows.impl()->repeats |= windows.impl()->overlapping();
  return windows;
}

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
    if (says_more(*v->step)) return view(r, *v->step, r.impl()->shape, r.impl()->offset, r.impl()->layout());
  return r;
}

namespace {

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

}  // namespace jot::detail
