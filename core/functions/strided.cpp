#include <algorithm>

#include "core/functions/operands.h"

namespace jot {

using namespace detail;

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

}  // namespace jot
