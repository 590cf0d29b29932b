// Writes by tensors of indices along one dim, and copies with a part replaced. The functions are the members on a
// clone.
#include <algorithm>
#include <vector>

#include "core/functions/operands.h"
#include "core/functions/scatter.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Op;
using ir::Value;

namespace {

// ---- one index for each element

// The part of x that an index list for each element can address: along `dim` all, else what the index has.
Tensor addressed(const Tensor& x, size_t dim, const Shape& index) {
  Shape size = shape_of(x), zeros = size, ones = size;
  for (size_t d = 0; d < size.size(); ++d) {
    if (d != dim) size[d] = index[d];
    zeros[d] = 0;
    ones[d] = 1;
  }
  return strided_view(x, zeros, size, ones);
}

struct Along {
  Tensor part;  // of x, with x's extent along the dim and the index's elsewhere
  Value indices;
  build::GatherDims dims;
  std::vector<int64_t> dim;
};

// Checks, in torch's words. 0-d tensors count as one element.
Along along(Emitter& e, const Tensor& tensor, int64_t dim, const Tensor& index_tensor) {
  Location at = e.at();
  if (index_tensor.impl()->dtype() != DType::i64 && index_tensor.impl()->dtype() != DType::i32)
    e.fail<IndexError>("Expected dtype int64 for index, got " + type_name(index_tensor));
  size_t d = wrap_dim(e, dim, shape_of(tensor).size());
  bool scalar = shape_of(tensor).empty();
  Tensor x = scalar ? tensor.unsqueeze(0, at) : tensor;
  Shape index = shape_of(index_tensor), shape = shape_of(x);
  if (scalar && index.empty()) index = {1};
  if (index.size() != shape.size())
    e.fail<ShapeError>("Index tensor must have the same number of dimensions as input tensor: got " +
                       type_name(index_tensor) + " for " + type_name(tensor));
  for (size_t i = 0; i < shape.size(); ++i)
    if (i != d && index[i] > shape[i])
      e.fail<ShapeError>("Size does not match at dimension " + std::to_string(i) + " expected index " +
                         to_string(index) + " to be no larger than self " + to_string(shape) +
                         " apart from dimension " + std::to_string(d));
  Along a;
  a.part = addressed(x, d, index);
  Shape column = index;
  column.push_back(1);
  a.indices = build::reshape(e.b, operand(e, index_tensor, DType::i64), column);
  for (size_t i = 0; i < shape.size(); ++i)
    (i == d ? a.dims.index_map : a.dims.operand_batch).push_back(static_cast<int64_t>(i));
  a.dims.collapsed = a.dim = a.dims.index_map;
  a.dims.index_batch = a.dims.operand_batch;
  return a;
}

void scatter_into(std::string_view name, Op op, const Tensor& x, int64_t dim, const Tensor& index, const Arg& source) {
  Emitter e(name, source.at(), x, index, source);
  Shape wanted = shape_of(index);
  Along a = along(e, x, dim, index);
  DType dtype = x.impl()->dtype();
  Value updates;
  if (source.is_tensor()) {
    const Shape& given = shape_of(source);
    if (source.tensor().impl()->dtype() != dtype)
      e.fail<DTypeError>("Expected self.dtype to be equal to src.dtype: self is " + type_name(x) + ", src " +
                         type_name(source.tensor()));
    bool covers = given.size() == wanted.size();
    for (size_t i = 0; covers && i < given.size(); ++i) covers = wanted[i] <= given[i];
    if (!covers)
      e.fail<ShapeError>("expected index " + to_string(wanted) + " to be no larger than src " + to_string(given));
    updates = build::slice(e.b, e(source.tensor()), std::vector<int64_t>(wanted.size(), 0), wanted,
                           std::vector<int64_t>(wanted.size(), 1));
  } else {
    if (op != Op::scatter_set_op) check_castable(e, source, dtype);
    updates = operand(e, source, dtype, wanted);
  }
  Shape batch = e.b.shape(a.indices);
  batch.erase(batch.size() - 1);
  updates = build::reshape(e.b, updates, batch);
  Value part = e(a.part);
  e.write(a.part,
          emitted_for_call(e, a.dim, [&] { return scatter_checked(e, op, part, a.indices, updates, a.dims, false); }));
}

// ---- one index for each slice

struct Rows {
  std::vector<Index> indices;
  Shape shape;  // of the slices that they show
};
Rows rows(std::string_view op, const Tensor& x, int64_t dim, const Tensor& index, Location at) {
  const Shape& shape = impl_of(x, op, at).shape;
  const Shape& list = impl_of(index, op, at).shape;
  if (list.size() > 1) fail<IndexError>(op, "Index is supposed to be a vector, got " + type_name(index), at);
  if (index.impl()->dtype() != DType::i64 && index.impl()->dtype() != DType::i32)
    fail<IndexError>(op, "Expected dtype int32/int64 for index, got " + type_name(index), at);
  size_t d = wrap_dim(op, dim, shape.size(), at);
  Rows r{std::vector<Index>(d, Index(Slice(), at)), shape};
  r.indices.push_back(Index(index.reshape({-1}, at), at));
  if (!shape.empty()) r.shape[d] = list.numel();
  return r;
}

void put_rows(std::string_view op, const Tensor& x, int64_t dim, const Tensor& index, const Arg& source,
              const Arg& values, bool accumulate) {
  Tensor whole = shape_of(x).empty() ? x.unsqueeze(0, source.at()) : x;
  Rows r = rows(op, whole, dim, index, source.at());
  if (source.is_tensor()) {
    const Tensor& s = source.tensor();
    if (impl_of(s, op, source.at()).dtype() != x.impl()->dtype())
      fail<DTypeError>(op,
                       "self and source expected to have the same dtype, but got (self) " + type_name(x) +
                           " and (source) " + type_name(s),
                       source.at());
    bool matches = shape_of(s) == r.shape || (shape_of(s).empty() && r.shape.numel() == 1);
    if (!matches)
      fail<ShapeError>(op,
                       "source has shape " + to_string(shape_of(s)) + ", expected " + to_string(r.shape) +
                           ": that of self " + to_string(shape_of(x)) + " with the length of index at dim " +
                           std::to_string(dim),
                       source.at());
  }
  put(op, whole, r.indices, values, accumulate);
}

// ---- a part replaced

Tensor with_part(std::string_view op, const Tensor& copy, const Tensor& part, const Tensor& src, Location at) {
  if (impl_of(src, op, at).shape != shape_of(part))
    fail<ShapeError>(op,
                     "expected src to have a size equal to the slice of self. src size = " + to_string(shape_of(src)) +
                         ", slice size = " + to_string(shape_of(part)),
                     at);
  part.copy_(Arg(src, at));
  return copy;
}

}  // namespace

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index, Location at) {
  Emitter e("gather", at, x, index);
  if (shape_of(index).numel() == 0) {  // of any shape and dtype: nothing is asked for
    wrap_dim(e, dim, shape_of(x).size());
    return e.result(splat(e, x.impl()->dtype(), shape_of(index), 0));
  }
  Along a = along(e, x, dim, index);
  std::vector<int64_t> ones(shape_of(a.part).size(), 1);
  Value part = e(a.part);
  Value v = emitted_for_call(e, a.dim,
                             [&] { return build::gather(e.b, part, a.indices, a.dims, ones, ir::IndexMode::check); });
  return e.result(build::reshape(e.b, v, shape_of(index)));
}

namespace {
void fill_rows(std::string_view op, const Tensor& x, int64_t dim, const Tensor& index, const Arg& value) {
  if (value.is_tensor() && !impl_of(value.tensor(), op, value.at()).shape.empty())
    fail<ShapeError>(op, "only a number or a 0-d tensor can fill, got " + type_name(value.tensor()), value.at());
  put_rows(op, x, dim, index, Arg(0, value.at()), value, false);
}
void add_rows(std::string_view op, const Tensor& x, int64_t dim, const Tensor& index, const Arg& source,
              const Arg& alpha) {
  bool one = !alpha.is_tensor() && alpha.number() == Number(1);
  Tensor scaled = one ? Tensor() : jot::mul(source, alpha);
  put_rows(op, x, dim, index, source, one ? source : Arg(scaled, source.at()), true);
}
}  // namespace

const Tensor& Tensor::scatter_(int64_t dim, const Tensor& index, const Arg& source) const {
  scatter_into("scatter_", Op::scatter_set_op, *this, dim, index, source);
  return *this;
}
const Tensor& Tensor::scatter_add_(int64_t dim, const Tensor& index, const Arg& source) const {
  scatter_into("scatter_add_", Op::scatter_add_op, *this, dim, index, source);
  return *this;
}
const Tensor& Tensor::index_copy_(int64_t dim, const Tensor& index, const Arg& source) const {
  put_rows("index_copy_", *this, dim, index, source, source, false);
  return *this;
}
const Tensor& Tensor::index_fill_(int64_t dim, const Tensor& index, const Arg& value) const {
  fill_rows("index_fill_", *this, dim, index, value);
  return *this;
}
const Tensor& Tensor::index_add_(int64_t dim, const Tensor& index, const Arg& source, const Arg& alpha) const {
  add_rows("index_add_", *this, dim, index, source, alpha);
  return *this;
}
const Tensor& Tensor::masked_scatter_(const Tensor& mask, const Arg& source) const {
  constexpr std::string_view op = "masked_scatter_";
  Location at = source.at();
  if (impl_of(mask, op, at).dtype() != DType::boolean)
    fail<DTypeError>(op, "the mask must be boolean, got " + type_name(mask), at);
  if (!source.is_tensor()) fail<DTypeError>(op, "the source must be a tensor", at);
  const Tensor& s = source.tensor();
  if (impl_of(s, op, at).dtype() != impl_of(*this, op, at).dtype())
    fail<DTypeError>(
        op, "expected self and source to have same dtypes but got " + type_name(*this) + " and " + type_name(s), at);
  std::vector<Index> chosen = {Index(mask.expand(impl_->shape, at), at)};
  int64_t wanted = index(chosen).numel(), given = s.numel();
  if (given < wanted)
    fail<ShapeError>(op,
                     "expected the source to have at least as many elements as the mask has ones: " +
                         std::to_string(given) + " < " + std::to_string(wanted),
                     at);
  detail::put(op, *this, chosen, Arg(s.reshape({-1}, at).slice(0, 0, wanted, 1, at), at), false);
  return *this;
}

// ---- copies: the members that write, on a clone

namespace {
Tensor copied(std::string_view op, const Tensor& t, Location at) {
  impl_of(t, op, at);
  return t.clone(at);
}
}  // namespace

Tensor detail::scattered(std::string_view name, Op op, const Tensor& x, int64_t dim, const Tensor& index,
                         const Tensor& src, Location at) {
  Tensor r = copied(name, x, at);
  scatter_into(name, op, r, dim, index, Arg(src, at));
  return r;
}

Tensor Tensor::scatter(int64_t dim, const Tensor& index, const Arg& source) const {
  Tensor r = copied("scatter", *this, source.at());
  scatter_into("scatter", Op::scatter_set_op, r, dim, index, source);
  return r;
}
Tensor Tensor::scatter_add(int64_t dim, const Tensor& index, const Arg& source) const {
  Tensor r = copied("scatter_add", *this, source.at());
  scatter_into("scatter_add", Op::scatter_add_op, r, dim, index, source);
  return r;
}
Tensor Tensor::index_copy(int64_t dim, const Tensor& index, const Arg& source) const {
  Tensor r = copied("index_copy", *this, source.at());
  put_rows("index_copy", r, dim, index, source, source, false);
  return r;
}
Tensor Tensor::index_fill(int64_t dim, const Tensor& index, const Arg& value) const {
  Tensor r = copied("index_fill", *this, value.at());
  fill_rows("index_fill", r, dim, index, value);
  return r;
}
Tensor Tensor::index_add(int64_t dim, const Tensor& index, const Arg& source, const Arg& alpha) const {
  Tensor r = copied("index_add", *this, source.at());
  add_rows("index_add", r, dim, index, source, alpha);
  return r;
}
Tensor Tensor::index_put(const Indices& indices, const Arg& values, bool accumulate) const {
  Tensor r = copied("index_put", *this, values.at());
  detail::put("index_put", r, indices.list(), values, accumulate);
  return r;
}
Tensor Tensor::masked_scatter(const Tensor& mask, const Arg& source) const {
  impl_of(*this, "masked_scatter", source.at()), impl_of(mask, "masked_scatter", source.at());
  return broadcast_tensors({*this, mask}, source.at())[0].clone(source.at()).masked_scatter_(mask, source);
}
Tensor Tensor::select_scatter(const Tensor& src, int64_t dim, int64_t index, Location at) const {
  Tensor r = copied("select_scatter", *this, at);
  return with_part("select_scatter", r, r.select(dim, index, at), src, at);
}
Tensor Tensor::slice_scatter(const Tensor& src, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> stop,
                             int64_t step, Location at) const {
  Tensor r = copied("slice_scatter", *this, at);
  return with_part("slice_scatter", r, r.slice(dim, start, stop, step, at), src, at);
}
Tensor Tensor::diagonal_scatter(const Tensor& src, int64_t offset, int64_t dim0, int64_t dim1, Location at) const {
  Tensor r = copied("diagonal_scatter", *this, at);
  return with_part("diagonal_scatter", r, r.diagonal(offset, dim0, dim1, at), src, at);
}
// The strides are those of the copy, which is row-major.
Tensor Tensor::as_strided_scatter(const Tensor& src, const Shape& size, const Shape& stride,
                                  std::optional<int64_t> offset, Location at) const {
  Tensor r = copied("as_strided_scatter", *this, at);
  return with_part("as_strided_scatter", r, r.as_strided(size, stride, offset, at), src, at);
}

const Tensor& Tensor::resize_(const Shape& shape, Location at) const {
  const TensorImpl& x = impl_of(*this, "resize_", at);
  if (shape == x.shape) return *this;
  if (x.parent && shape.numel() > x.shape.numel())
    fail<ShapeError>("resize_",
                     "Attempted to resize a view tensor to a larger size: " + type_name(*this) + " to " +
                         to_string(shape) + ". This is not allowed: make a new tensor",
                     at);
  fail<ShapeError>("resize_",
                   "a tensor keeps its shape, others may show its elements: " + type_name(*this) + " cannot become " +
                       to_string(shape) + "; make a new tensor, or use view, slice or as_strided",
                   at);
}

}  // namespace jot
