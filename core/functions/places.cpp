// Elements read and combined at places along a dim or in the flattened tensor.
#include <algorithm>
#include <limits>

#include "core/functions/operands.h"
#include "jot/creation.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;

namespace {

void check_index(std::string_view op, const Tensor& index, Location at) {
  const DType dtype = impl_of(index, op, at).dtype();
  if (dtype != DType::i64 && dtype != DType::i32)
    fail<DTypeError>(op, "the indices must be i32 or i64, got " + type_name(index) + ": convert with to(i64)", at);
}

}  // namespace

Tensor take_along_dim(const Tensor& x, const Tensor& indices, std::optional<Dim> dim, Location at) {
  Composite call("take_along_dim", at);
  impl_of(x, "take_along_dim", at);
  check_index("take_along_dim", indices, at);
  if (!dim) return gather(x.reshape({-1}, at), 0, indices.reshape({-1}, at), at);
  Shape own = shape_of(x), places = shape_of(indices);
  if (own.size() != places.size())
    fail<ShapeError>("take_along_dim",
                     "input and indices should have the same number of dimensions, but got " + type_name(x) + " and " +
                         type_name(indices),
                     at);
  const size_t d = wrap_dim("take_along_dim", *dim, own.size(), at);
  if (own.empty()) return gather(x, 0, indices, at);
  const int64_t extent = own[d];
  own[d] = places[d];
  Shape shape;
  {
    Emitter e("take_along_dim", at, x, indices);
    shape = broadcast_shapes(e, own, places);
  }
  Shape whole = shape;
  whole[d] = extent;
  return gather(x.expand(whole, at), static_cast<int64_t>(d), indices.expand(shape, at), at);
}

Tensor take(const Tensor& x, const Tensor& index, Location at) {
  Composite call("take", at);
  impl_of(x, "take", at);
  check_index("take", index, at);
  return gather(x.reshape({-1}, at), 0, index.reshape({-1}, at), at).reshape(shape_of(index), at);
}

Tensor put(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate, Location at) {
  Composite call("put", at);
  const TensorImpl& own = impl_of(x, "put", at);
  check_index("put", index, at);
  if (impl_of(source, "put", at).shape.numel() != shape_of(index).numel())
    fail<ShapeError>("put",
                     "Expected source and index to have the same number of elements, but got " + type_name(source) +
                         " and " + type_name(index),
                     at);
  if (source.dtype() != own.dtype())
    fail<DTypeError>(
        "put", "expected self and source to have the same dtype, got " + type_name(x) + " and " + type_name(source),
        at);
  Tensor flat = x.clone(at).reshape({-1}, at);
  Arg values(source, at);
  Tensor flat_source = source.reshape({-1}, at), flat_index = index.reshape({-1}, at);
  Tensor r = accumulate ? flat.scatter_add(0, flat_index, Arg(flat_source, at))
                        : flat.scatter(0, flat_index, Arg(flat_source, at));
  return r.reshape(own.shape, at);
}

namespace {

// The value that a reduction starts from.
Tensor start_of(Reduce reduce, DType dtype) {
  if (reduce != Reduce::amax && reduce != Reduce::amin) return full({}, reduce == Reduce::prod ? 1 : 0, dtype);
  const bool max = reduce == Reduce::amax;
  if (is_floating(dtype)) return full({}, max ? -inf : inf, dtype);
  if (dtype == DType::i64)
    return full({}, max ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max(), dtype);
  if (dtype == DType::u8) return full({}, max ? 0 : 255, dtype);
  return full({}, max ? std::numeric_limits<int32_t>::min() : std::numeric_limits<int32_t>::max(), dtype);
}

// Each update combined with what is there.
Tensor combined(std::string_view op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                Reduce reduce, Location at) {
  using ir::Op;
  const Op scatter = reduce == Reduce::prod   ? Op::scatter_mul_op
                     : reduce == Reduce::amax ? Op::scatter_max_op
                     : reduce == Reduce::amin ? Op::scatter_min_op
                                              : Op::scatter_add_op;
  return scattered(op, scatter, x, dim, index, src, at);
}

Tensor reduced_into(std::string_view op, const Tensor& given, int64_t dim, const Tensor& given_index, const Tensor& src,
                    Reduce reduce, bool include_self, Location at) {
  if (reduce == Reduce::mean && given.dtype() == DType::boolean)
    fail<DTypeError>(op, "the mean is defined for numbers, got " + type_name(given), at);
  const bool scalar = shape_of(given).empty();
  Tensor r = (scalar ? given.unsqueeze(0, at) : given).clone(at),
         index = scalar ? given_index.reshape({-1}, at) : given_index;
  const size_t d = wrap_dim(op, dim, shape_of(r).size(), at);
  const Shape wanted = shape_of(index);
  Tensor part = r, values = scalar ? src.reshape({-1}, at) : src;
  for (size_t i = 0; i < wanted.size(); ++i) {
    values = values.slice(static_cast<int64_t>(i), 0, wanted[i], 1, at);
    if (i != d) part = part.slice(static_cast<int64_t>(i), 0, wanted[i], 1, at);
  }
  if (wanted.numel() == 0) return scalar ? r.reshape({}, at) : r;
  auto hits = [&](DType dtype) {  // how many of src each element is given
    Tensor ones = ones_like(values, dtype, at);
    return zeros(shape_of(part), dtype, at).scatter_add(static_cast<int64_t>(d), index, Arg(ones, at));
  };
  Tensor own = part.clone(at);
  if (!include_self) own = where(hits(DType::i64) > 0, start_of(reduce, own.dtype()), own);
  Tensor v = combined(op, own, static_cast<int64_t>(d), index, values, reduce, at);
  if (reduce == Reduce::mean) {
    const bool real = is_floating(own.dtype());
    Tensor count = hits(real ? own.dtype() : DType::i64);
    count = include_self ? count + 1 : clamp(count, 1, none);
    v = real ? v / count : floor_divide(v, count).to(own.dtype(), at);
  }
  part.copy_(Arg(v, at));
  return scalar ? r.reshape({}, at) : r;
}

void check_source(std::string_view op, const Tensor& x, const Tensor& src, Location at) {
  if (impl_of(src, op, at).dtype() != impl_of(x, op, at).dtype())
    fail<DTypeError>(
        op, "Expected self.dtype to be equal to src.dtype: self is " + type_name(x) + ", src " + type_name(src), at);
}

}  // namespace

Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, Reduce reduce,
                      bool include_self, Location at) {
  Composite call("scatter_reduce", at);
  check_source("scatter_reduce", x, src, at);
  check_index("scatter_reduce", index, at);
  const Shape &own = shape_of(x), &places = shape_of(index), &given = shape_of(src);
  bool fits = own.size() == places.size() && own.size() == given.size();
  const size_t d = wrap_dim("scatter_reduce", dim, own.size(), at);
  for (size_t i = 0; fits && i < own.size(); ++i) fits = places[i] <= given[i] && (i == d || places[i] <= own[i]);
  if (!fits)
    fail<ShapeError>("scatter_reduce",
                     "expected index " + type_name(index) + " to be no larger than src " + type_name(src) +
                         " and, apart from dimension " + std::to_string(d) + ", than self " + type_name(x),
                     at);
  if (x.dtype() != DType::boolean || reduce == Reduce::mean)
    return reduced_into("scatter_reduce", x, dim, index, src, reduce, include_self, at);
  const bool any = reduce == Reduce::sum || reduce == Reduce::amax;
  return reduced_into("scatter_reduce", x.to(DType::i32, at), dim, index, src.to(DType::i32, at),
                      any ? Reduce::amax : Reduce::amin, include_self, at)
      .to(DType::boolean, at);
}

Tensor index_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, Reduce reduce,
                    bool include_self, Location at) {
  Composite call("index_reduce", at);
  check_source("index_reduce", x, src, at);
  if (x.dtype() == DType::boolean)
    fail<DTypeError>("index_reduce", "not defined for booleans: convert with to(i64)", at);
  check_index("index_reduce", index, at);
  if (shape_of(index).size() > 1)
    fail<ShapeError>("index_reduce", "Index should have dimension 1 or 0, got " + type_name(index), at);
  Shape expected = shape_of(x);
  const size_t d = wrap_dim("index_reduce", dim, expected.size(), at);
  if (!expected.empty()) expected[d] = shape_of(index).numel();
  if (shape_of(src) != expected)
    fail<ShapeError>("index_reduce",
                     "expected a source of shape " + to_string(expected) +
                         ", that of self with the length of index, got " + type_name(src),
                     at);
  Shape along(std::vector<int64_t>(expected.size(), 1));
  if (!expected.empty()) along[d] = expected[d];
  return reduced_into("index_reduce", x, dim, index.reshape(along, at).expand(expected, at), src, reduce, include_self,
                      at);
}

}  // namespace jot
