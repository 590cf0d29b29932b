// Views: metadata on the storage of the tensor they are taken from, and the op that computes them from it.
#include <algorithm>

#include "core/functions/operands.h"
#include "ir/extents.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
using ir::Attrs;
using ir::Op;
namespace build = ir::build;

// ---- parts

Tensor Tensor::select(int64_t dim, int64_t index, Location at) const {
  const Shape& shape = impl_of(*this, "select", at).shape;
  if (shape.empty()) fail<IndexError>("select", "cannot be applied to a 0-d tensor", at);
  size_t d = wrap_dim("select", dim, shape.size(), at);
  if (index < -shape[d] || index >= shape[d])
    fail<IndexError>("select",
                     "index " + std::to_string(index) + " is out of range for dimension " + std::to_string(d) +
                         " with size " + std::to_string(shape[d]),
                     at);
  Shape start = shape, size = shape, step = shape;
  for (size_t i = 0; i < shape.size(); ++i) {
    start[i] = i != d ? 0 : index < 0 ? index + shape[d] : index;
    if (i == d) size[i] = 1;
    step[i] = 1;
  }
  Shape kept = size;
  kept.erase(d);
  return strided_view(*this, start, size, step, kept);
}

Tensor Tensor::slice(int64_t dim, std::optional<int64_t> from, std::optional<int64_t> to, int64_t by,
                     Location at) const {
  const Shape& shape = impl_of(*this, "slice", at).shape;
  if (shape.empty()) fail<IndexError>("slice", "cannot be applied to a 0-d tensor", at);
  size_t d = wrap_dim("slice", dim, shape.size(), at);
  Bounds bounds = clipped(Slice(from, to, by), shape[d], "slice", at);
  Shape start = shape, size = shape, step = shape;
  for (size_t i = 0; i < shape.size(); ++i) {
    start[i] = i == d ? bounds.start : 0;
    if (i == d) size[i] = bounds.size;
    step[i] = i == d ? by : 1;
  }
  return strided_view(*this, start, size, step);
}

Tensor Tensor::narrow(int64_t dim, int64_t start, int64_t length, Location at) const {
  const Shape& shape = impl_of(*this, "narrow", at).shape;
  if (shape.empty()) fail<IndexError>("narrow", "cannot be applied to a 0-d tensor", at);
  size_t d = wrap_dim("narrow", dim, shape.size(), at);
  int64_t first = start < 0 ? start + shape[d] : start;
  if (first < 0 || first > shape[d] || length < 0 || length > shape[d] - first)
    fail<IndexError>("narrow",
                     "start (" + std::to_string(start) + ") + length (" + std::to_string(length) +
                         ") exceeds dimension size (" + std::to_string(shape[d]) + ")",
                     at);
  return slice(static_cast<int64_t>(d), first, first + length, 1, at);
}

std::vector<Tensor> Tensor::split(const Sections& sizes, int64_t dim, Location at) const {
  if (!sizes.number()) return split_with_sizes(sizes.list(), dim, at);
  const int64_t size = *sizes.number();
  const Shape& shape = impl_of(*this, "split", at).shape;
  if (shape.empty()) fail<IndexError>("split", "expects at least a 1-dimensional tensor", at);
  size_t d = wrap_dim("split", dim, shape.size(), at);
  int64_t n = shape[d];
  if (size < 0 || (size == 0 && n != 0))
    fail<IndexError>("split", "expected a positive size of the parts, got " + std::to_string(size), at);
  std::vector<Tensor> parts;
  for (int64_t i = 0; i == 0 || i < n; i += std::max<int64_t>(1, size))
    parts.push_back(slice(static_cast<int64_t>(d), i, std::min(n, i + size), 1, at));
  return parts;
}

std::vector<Tensor> Tensor::split_with_sizes(const Shape& sizes, int64_t dim, Location at) const {
  const Shape& shape = impl_of(*this, "split", at).shape;
  if (shape.empty()) fail<IndexError>("split", "expects at least a 1-dimensional tensor", at);
  size_t d = wrap_dim("split", dim, shape.size(), at);
  int64_t sum = 0;
  for (int64_t n : sizes) {
    if (n < 0) fail<IndexError>("split", "split_with_sizes expects sizes >= 0, got " + to_string(sizes), at);
    sum = std::min(shape[d] + 1, sum) + std::min(shape[d] + 1, n);
  }
  if (sum != shape[d])
    fail<ShapeError>("split",
                     "split_with_sizes expects sizes to sum exactly to " + std::to_string(shape[d]) +
                         " (input tensor's size at dimension " + std::to_string(d) + "), got " + to_string(sizes),
                     at);
  std::vector<Tensor> parts;
  int64_t start = 0;
  for (int64_t n : sizes) {
    parts.push_back(slice(static_cast<int64_t>(d), start, start + n, 1, at));
    start += n;
  }
  return parts;
}

namespace {

// Where each part but the first begins.
Shape starts_of(int64_t sections, int64_t extent, Location at) {
  if (sections <= 0)
    fail<IndexError>("tensor_split", "number of sections must be larger than 0, got " + std::to_string(sections), at);
  constexpr int64_t kMaxSections = int64_t{1} << 24;
  if (sections > kMaxSections)
    fail<IndexError>("tensor_split", "number of sections must be at most 2^24, got " + std::to_string(sections), at);
  Shape starts;  // the first extent % sections parts have one more
  for (int64_t i = 1; i < sections; ++i) starts.push_back(i * (extent / sections) + std::min(i, extent % sections));
  return starts;
}

}  // namespace

std::vector<Tensor> Tensor::tensor_split(const Sections& sections, int64_t dim, Location at) const {
  const Shape& shape = impl_of(*this, "tensor_split", at).shape;
  if (shape.empty()) fail<IndexError>("tensor_split", "expects at least a 1-dimensional tensor", at);
  size_t d = wrap_dim("tensor_split", dim, shape.size(), at);
  std::vector<Tensor> parts;
  int64_t start = 0;
  for (int64_t stop : sections.number() ? starts_of(*sections.number(), shape[d], at) : sections.list()) {
    parts.push_back(slice(static_cast<int64_t>(d), start, stop, 1, at));
    start = stop;
  }
  parts.push_back(slice(static_cast<int64_t>(d), start, none, 1, at));
  return parts;
}

std::vector<Tensor> Tensor::chunk(int64_t chunks, int64_t dim, Location at) const {
  const Shape& shape = impl_of(*this, "chunk", at).shape;
  if (chunks <= 0) fail<IndexError>("chunk", "expects chunks to be greater than 0, got " + std::to_string(chunks), at);
  if (shape.empty()) fail<IndexError>("chunk", "expects at least a 1-dimensional tensor", at);
  size_t d = wrap_dim("chunk", dim, shape.size(), at);
  if (shape[d] == 0) return tensor_split(chunks, dim, at);  // as many as are asked for
  return split(std::max<int64_t>(1, shape[d] / chunks + (shape[d] % chunks != 0)), static_cast<int64_t>(d), at);
}

std::vector<Tensor> Tensor::unbind(int64_t dim, Location at) const {
  const Shape& shape = impl_of(*this, "unbind", at).shape;
  if (shape.empty()) fail<IndexError>("unbind", "cannot be applied to a 0-d tensor", at);
  size_t d = wrap_dim("unbind", dim, shape.size(), at);
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < shape[d]; ++i) parts.push_back(select(static_cast<int64_t>(d), i, at));
  return parts;
}

// ---- orders

Tensor Tensor::permute(const Axes& dims, Location at) const {
  size_t rank = impl_of(*this, "permute", at).shape.size();
  if (dims.values.size() != rank)
    fail<ShapeError>("permute",
                     "number of dimensions in the tensor input does not match the length of the desired ordering of "
                     "dimensions: " +
                         type_name(*this) + ", " + std::to_string(dims.values.size()) + " dims",
                     at);
  std::vector<int64_t> perm;
  for (int64_t d : dims.values) {
    auto wrapped = static_cast<int64_t>(wrap_dim("permute", d, rank, at));
    if (std::ranges::find(perm, wrapped) != perm.end())
      fail<IndexError>("permute", "duplicate dims are not allowed: " + std::to_string(d), at);
    perm.push_back(wrapped);
  }
  return permuted(*this, perm);
}

Tensor Tensor::transpose(int64_t dim0, int64_t dim1, Location at) const {
  size_t rank = impl_of(*this, "transpose", at).shape.size();
  size_t a = wrap_dim("transpose", dim0, rank, at), b = wrap_dim("transpose", dim1, rank, at);
  std::vector<int64_t> perm = build::all_axes(rank);
  if (rank) std::swap(perm[a], perm[b]);
  return permuted(*this, perm);
}

Tensor Tensor::t(Location at) const {
  size_t rank = impl_of(*this, "t", at).shape.size();
  if (rank > 2) fail<ShapeError>("t", "expects a tensor with <= 2 dimensions, got " + type_name(*this), at);
  return rank == 2 ? transpose(0, 1, at) : permuted(*this, build::all_axes(rank));
}

Tensor Tensor::mT(Location at) const {
  size_t rank = impl_of(*this, "mT", at).shape.size();
  if (rank < 2) fail<ShapeError>("mT", "expects a tensor with at least 2 dimensions, got " + type_name(*this), at);
  return transpose(-2, -1, at);
}
Tensor Tensor::mH(Location at) const { return mT(at); }
Tensor Tensor::swapaxes(int64_t dim0, int64_t dim1, Location at) const { return transpose(dim0, dim1, at); }
Tensor Tensor::swapdims(int64_t dim0, int64_t dim1, Location at) const { return transpose(dim0, dim1, at); }

Tensor Tensor::movedim(const Axes& source, const Axes& destination, Location at) const {
  size_t rank = impl_of(*this, "movedim", at).shape.size();
  if (source.values.size() != destination.values.size())
    fail<ShapeError>("movedim", "source and destination must have the same number of dims", at);
  std::vector<int64_t> perm(rank, -1);
  std::vector<uint8_t> moved(rank, 0);
  for (size_t i = 0; i < source.values.size(); ++i) {
    size_t from = wrap_dim("movedim", source.values[i], rank, at);
    size_t to = wrap_dim("movedim", destination.values[i], rank, at);
    if (rank == 0) continue;
    if (moved[from] || perm[to] != -1) fail<IndexError>("movedim", "repeated dim", at);
    moved[from] = 1;
    perm[to] = static_cast<int64_t>(from);
  }
  size_t next = 0;
  for (int64_t& d : perm) {
    if (d != -1) continue;
    while (moved[next]) ++next;
    d = static_cast<int64_t>(next++);
  }
  return permuted(*this, perm);
}

Tensor Tensor::moveaxis(const Axes& source, const Axes& destination, Location at) const {
  return movedim(source, destination, at);
}

// ---- extents

Tensor Tensor::view_as(const Tensor& other, Location at) const { return view(impl_of(other, "view_as", at).shape, at); }
Tensor Tensor::reshape_as(const Tensor& other, Location at) const {
  return reshape(impl_of(other, "reshape_as", at).shape, at);
}
Tensor Tensor::expand_as(const Tensor& other, Location at) const {
  return expand(impl_of(other, "expand_as", at).shape, at);
}
Tensor Tensor::broadcast_to(const Shape& shape, Location at) const { return expand(shape, at); }
Tensor Tensor::ravel(Location at) const {
  impl_of(*this, "ravel", at);
  return reshape({-1}, at);
}

Tensor Tensor::unflatten(int64_t dim, const Shape& sizes, Location at) const {
  const Shape& shape = impl_of(*this, "unflatten", at).shape;
  if (shape.empty()) fail<ShapeError>("unflatten", "expects at least a 1-dimensional tensor", at);
  if (sizes.empty()) fail<ShapeError>("unflatten", "sizes must be non-empty", at);
  size_t d = wrap_dim("unflatten", dim, shape.size(), at);
  Shape parts = sizes;
  int64_t* open = std::ranges::find(parts, -1);
  const bool inferred = open != parts.end();
  if (inferred) *open = 1;
  check_shape("unflatten", "sizes", parts, at);
  const int64_t known = parts.numel();
  if (inferred && known > 0) *open = shape[d] / known;
  if ((inferred && known == 0) || parts.numel() != shape[d])
    fail<ShapeError>("unflatten",
                     "Provided sizes " + to_string(sizes) + " don't multiply up to the size of dim " +
                         std::to_string(d) + " (" + std::to_string(shape[d]) + ") in the input tensor",
                     at);
  // Of one axis the strides follow, also where the rest is not contiguous.
  Shape old = impl_->layout(), inner = row_major(parts), strides = old.slice(0, d);
  for (int64_t step : inner) strides.push_back(step * old[d]);
  return reshaped_view(*this, shape.slice(0, d) + parts + shape.slice(d + 1, shape.size()),
                       strides + old.slice(d + 1, old.size()));
}

Tensor Tensor::view(const Shape& wanted, Location at) const {
  const TensorImpl& x = impl_of(*this, "view", at);
  Shape shape = inferred_shape("view", numel(at), wanted, at);
  std::optional<Shape> strides = compatible_strides(x, shape);
  if (!strides)
    fail<ShapeError>("view",
                     "view size " + to_string(shape) +
                         " is not compatible with input tensor's size and stride (at least one dimension spans across "
                         "two contiguous subspaces). Use reshape(...) instead.",
                     at);
  return reshaped_view(*this, shape, *strides);
}

Tensor Tensor::reshape(const Shape& wanted, Location at) const {
  const TensorImpl& x = impl_of(*this, "reshape", at);
  Shape shape = inferred_shape("reshape", numel(at), wanted, at);
  if (std::optional<Shape> strides = compatible_strides(x, shape)) return reshaped_view(*this, shape, *strides);
  return record(Op::reshape_op, {*this}, Attrs(shape), at);
}

Tensor Tensor::flatten(int64_t first, int64_t last, Location at) const {
  const Shape& shape = impl_of(*this, "flatten", at).shape;
  size_t a = wrap_dim("flatten", first, shape.size(), at), b = wrap_dim("flatten", last, shape.size(), at);
  if (shape.empty()) return reshape({1}, at);
  if (a > b) fail<ShapeError>("flatten", "flatten() has invalid args: start_dim cannot come after end_dim", at);
  Shape flat = shape.slice(0, a);
  flat.push_back(shape.slice(a, b + 1).numel());
  return reshape(flat + shape.slice(b + 1, shape.size()), at);
}

Tensor Tensor::expand(const Shape& wanted, Location at) const {
  const TensorImpl& x = impl_of(*this, "expand", at);
  auto impossible = [&] {
    fail<ShapeError>("expand",
                     "the expanded size " + to_string(wanted) + " must match the existing " + to_string(x.shape) +
                         " at every dim whose extent is not 1",
                     at);
  };
  if (wanted.size() < x.shape.size()) impossible();
  size_t lead = wanted.size() - x.shape.size();
  Shape shape = wanted, strides = wanted, old = x.layout();
  std::vector<int64_t> dims;
  for (size_t d = 0; d < wanted.size(); ++d) {
    strides[d] = 0;
    if (d < lead) {
      if (wanted[d] < 0) impossible();
      continue;
    }
    int64_t own = x.shape[d - lead];
    dims.push_back(static_cast<int64_t>(d));
    if (wanted[d] == -1) shape[d] = own;
    if (shape[d] < 0 || (shape[d] != own && own != 1)) impossible();
    if (shape[d] == own) strides[d] = old[d - lead];
  }
  check_shape("expand", "shape", shape, at);
  if (shape.numel() == x.shape.numel()) return reshaped_view(*this, shape, strides);  // nothing is repeated
  return detail::view(*this, {Op::broadcast_op, Attrs(shape, dims)}, shape, x.offset, strides);
}

Tensor Tensor::squeeze(const Axes& dims, Location at) const {
  const TensorImpl& x = impl_of(*this, "squeeze", at);
  std::vector<uint8_t> chosen(x.shape.size(), dims.values.empty());
  for (int64_t d : dims.values)
    if (size_t i = wrap_dim("squeeze", d, x.shape.size(), at); i < chosen.size()) chosen[i] = 1;
  Shape shape, strides, old = x.layout();
  for (size_t d = 0; d < x.shape.size(); ++d) {
    if (chosen[d] && x.shape[d] == 1) continue;
    shape.push_back(x.shape[d]);
    strides.push_back(old[d]);
  }
  return reshaped_view(*this, shape, strides);
}

Tensor Tensor::unsqueeze(int64_t dim, Location at) const {
  const TensorImpl& x = impl_of(*this, "unsqueeze", at);
  size_t d = wrap_dim("unsqueeze", dim, x.shape.size() + 1, at);
  Shape shape = x.shape, strides = x.layout();
  shape.insert(d, 1);
  strides.insert(d, d < x.shape.size() ? x.shape[d] * x.layout()[d] : 1);
  return reshaped_view(*this, shape, strides);
}

Tensor Tensor::diagonal(int64_t offset, int64_t dim0, int64_t dim1, Location at) const {
  const TensorImpl& x = impl_of(*this, "diagonal", at);
  size_t rank = x.shape.size();
  if (rank < 2) fail<ShapeError>("diagonal", "expects at least two dims, got " + type_name(*this), at);
  size_t row = wrap_dim("diagonal", dim0, rank, at), column = wrap_dim("diagonal", dim1, rank, at);
  if (row == column) fail<IndexError>("diagonal", "dimensions cannot be identical", at);
  offset = std::clamp(offset, -x.shape[row], x.shape[column]);  // beyond there are no elements either
  Tensor last = movedim(Axes{row, column}, Axes{-2, -1}, at);
  // The transpose has the same diagonal, and may lie in memory as it is.
  if (Tensor turned = last.mT(at); !last.impl()->contiguous() && turned.impl()->contiguous()) {
    last = std::move(turned);
    std::swap(row, column);
    offset = -offset;
  }
  int64_t n = x.shape[row], m = x.shape[column];
  int64_t first = offset >= 0 ? std::min(offset, m) : std::min(-offset, n) * m;
  int64_t length = std::max<int64_t>(0, offset >= 0 ? std::min(n, m - offset) : std::min(n + offset, m));
  // Elements first, first + m + 1, ... of the flattened matrix; in memory every step is one row and one column.
  Shape batch = last.impl()->shape.slice(0, rank - 2), strides = last.impl()->layout();
  Shape flat = batch, start = batch, limit = batch, step = batch, shape = batch;
  flat.push_back(n * m);
  for (size_t d = 0; d < batch.size(); ++d) {
    start[d] = 0;
    step[d] = 1;
  }
  start.push_back(length ? first : 0);
  limit.push_back(length ? first + (length - 1) * (m + 1) + 1 : 0);
  step.push_back(m + 1);
  shape.push_back(length);
  Shape along = strides.slice(0, rank - 2);
  along.push_back(strides[rank - 2] + strides[rank - 1]);
  int64_t where = x.offset + (offset >= 0 ? offset * strides[rank - 1] : -offset * strides[rank - 2]);
  Tensor flattened = detail::view(last, {Op::reshape_op, Attrs(flat)}, flat, x.offset, {});
  return detail::view(flattened, {Op::slice_op, Attrs(start, limit, step)}, shape, length ? where : x.offset, along);
}

Tensor Tensor::detach(Location at) const {
  const TensorImpl& x = impl_of(*this, "detach", at);
  return detail::view(*this, {Op::stop_gradient_op, {}}, x.shape, x.offset, x.layout());
}

Tensor Tensor::contiguous(Location at) const {
  return impl_of(*this, "contiguous", at).contiguous() ? itself(*this) : clone(at);
}

Tensor stop_gradient(const Tensor& x, Location at) { return x.detach(at); }

}  // namespace jot
