// Functions that turn, roll, repeat and place elements on diagonals.
#include <algorithm>
#include <limits>
#include <numeric>

#include "core/functions/forms.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;
namespace build = ir::build;
using ir::Op;
using ir::Value;

namespace {

void check_rank(std::string_view op, const Tensor& x, size_t least, Location at) {
  if (impl_of(x, op, at).shape.size() < least)
    fail<ShapeError>(op, "Input must be >= " + std::to_string(least) + "-d, got " + type_name(x), at);
}

// v where it was made anew, else a copy of it.
Value made(Emitter& e, Value v, Value of) { return v == of ? e.b.emit(Op::copy_op, {v}) : v; }

// What an int64_t does not hold is too large for a shape, whatever it would wrap to.
int64_t times(int64_t extent, int64_t copies) {
  int64_t product;
  return __builtin_mul_overflow(extent, copies, &product) ? std::numeric_limits<int64_t>::max() : product;
}

// sizes[d] copies along dim d; sizes has at least as many dims as v.
Value repeated(Emitter& e, Value v, const Shape& sizes) {
  const Shape shape = e.b.shape(v);
  const size_t lead = sizes.size() - shape.size();
  Shape spread, result;
  std::vector<int64_t> dims;
  for (size_t d = 0; d < sizes.size(); ++d) {
    const int64_t n = d < lead ? 1 : shape[d - lead];
    if (n != 1 && sizes[d] != 1) spread.push_back(sizes[d]);
    if (d >= lead) dims.push_back(static_cast<int64_t>(spread.size()));
    spread.push_back(n == 1 ? sizes[d] : n);
    result.push_back(times(n, sizes[d]));
  }
  check_shape(e.op(), "the result", result, e.at());
  return made(e, build::reshape(e.b, build::broadcast(e.b, v, spread, dims), result), v);
}

void check_sizes(const Emitter& e, const Shape& sizes) {
  if (std::ranges::any_of(sizes, [](int64_t n) { return n < 0; }))
    e.fail<ShapeError>("expected numbers of copies that are not negative, got " + to_string(sizes));
}

}  // namespace

Tensor fliplr(const Tensor& x, Location at) {
  check_rank("fliplr", x, 2, at);
  return flip(x, 1, at);
}
Tensor flipud(const Tensor& x, Location at) {
  check_rank("flipud", x, 1, at);
  return flip(x, 0, at);
}

Tensor rot90(const Tensor& x, int64_t k, const Axes& dims, Location at) {
  Composite call("rot90", at);
  check_rank("rot90", x, 2, at);
  if (dims.values.size() != 2)
    fail<ShapeError>("rot90", "expected total rotation dims == 2, but got dims = " + std::to_string(dims.values.size()),
                     at);
  const size_t rank = shape_of(x).size();
  const auto from = static_cast<int64_t>(wrap_dim("rot90", dims.values[0], rank, at)),
             to = static_cast<int64_t>(wrap_dim("rot90", dims.values[1], rank, at));
  if (from == to)
    fail<IndexError>("rot90",
                     "expected rotation dims to be different, but got dim0 = " + std::to_string(dims.values[0]) +
                         " and dim1 = " + std::to_string(dims.values[1]),
                     at);
  switch ((k % 4 + 4) % 4) {
    case 1:
      return flip(x, to, at).transpose(from, to, at);
    case 2:
      return flip(x, {from, to}, at);
    case 3:
      return flip(x, from, at).transpose(from, to, at);
    default:
      return x.clone(at);
  }
}

namespace compose {
Value roll(Emitter& e, const Tensor& x, const Axes& shifts, const Axes& dims) {
  const Shape shape = shape_of(x);
  const Value given = e(x);
  Value v = given;
  auto back = [](int64_t shift, int64_t extent) { return extent == 0 ? 0 : -(shift % extent); };
  if (shifts.values.empty()) e.fail<ShapeError>("`shifts` required");
  if (dims.values.empty() ? shifts.values.size() != 1 : dims.values.size() != shifts.values.size())
    e.fail<ShapeError>("shifts and dimensions must align. shifts: " + std::to_string(shifts.values.size()) +
                       ", dims:" + std::to_string(dims.values.size()));
  if (dims.values.empty()) {
    v = build::reshape(e.b, v, {shape.numel()});
    v = rolled(e, v, 0, back(shifts.values[0], shape.numel()));
    return made(e, build::reshape(e.b, v, shape), given);
  }
  for (size_t i = 0; i < dims.values.size(); ++i) {
    size_t d = wrap_dim(e, dims.values[i], shape.size());
    if (!shape.empty()) v = rolled(e, v, static_cast<int64_t>(d), back(shifts.values[i], shape[d]));
  }
  return made(e, v, given);
}
}  // namespace compose

Tensor Tensor::repeat(const Shape& sizes, Location at) const {
  Emitter e("repeat", at, *this);
  check_sizes(e, sizes);
  if (sizes.size() < impl_->shape.size())
    e.fail<ShapeError>("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor: " +
                       to_string(sizes) + " for " + type_name(*this));
  return e.result(repeated(e, e(*this), sizes));
}
namespace compose {
Value tile(Emitter& e, const Tensor& x, const Shape& sizes) {
  check_sizes(e, sizes);
  Shape all = sizes;
  while (all.size() < shape_of(x).size()) all.insert(0, 1);
  return repeated(e, e(x), all);
}
}  // namespace compose

namespace compose {
Value repeat_interleave(Emitter& e, const Tensor& x, int64_t n, std::optional<Dim> dim) {
  if (n < 0) e.fail<ShapeError>("repeats can not be negative, got " + std::to_string(n));
  const Value given = e(x);
  Value v = given;
  if (!dim || shape_of(x).empty()) v = build::reshape(e.b, v, {shape_of(x).numel()});
  const Shape shape = e.b.shape(v);
  const size_t d = dim ? wrap_dim(e, *dim, shape.size()) : 0;
  Shape spread = shape, result = shape;
  spread.insert(d + 1, n);
  result[d] = times(result[d], n);
  check_shape(e.op(), "the result", result, e.at());
  std::vector<int64_t> dims = build::all_axes(shape.size());
  for (size_t i = d + 1; i < dims.size(); ++i) ++dims[i];
  return made(e, build::reshape(e.b, build::broadcast(e.b, v, spread, dims), result), given);
}
}  // namespace compose

Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<Dim> dim, Location at) {
  Composite call("repeat_interleave", at);
  impl_of(x, "repeat_interleave", at);
  const TensorImpl& r = impl_of(repeats, "repeat_interleave", at);
  if (r.dtype() != DType::i64 && r.dtype() != DType::i32)
    fail<DTypeError>("repeat_interleave", "repeats has to be i32 or i64, got " + type_name(repeats), at);
  if (r.shape.size() > 1)
    fail<ShapeError>("repeat_interleave", "repeats must be 0-dim or 1-dim tensor, got " + type_name(repeats), at);
  Tensor flat = dim && !shape_of(x).empty() ? x : x.reshape({-1}, at);
  const size_t d = dim ? wrap_dim("repeat_interleave", *dim, shape_of(flat).size(), at) : 0;
  const int64_t n = shape_of(flat)[d];
  if (r.shape.numel() != 1 && r.shape.numel() != n)
    fail<ShapeError>("repeat_interleave",
                     "repeats must have the same size as input along dim: " + type_name(repeats) + " for extent " +
                         std::to_string(n) + " of " + type_name(x),
                     at);
  std::vector<int64_t> counts(static_cast<size_t>(r.shape.numel()));
  read_elements(repeats, convert_elements<int64_t>, counts.data(), "repeat_interleave", at);
  auto count_of = [&](int64_t i) { return counts[counts.size() == 1 ? 0 : static_cast<size_t>(i)]; };
  int64_t total = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (count_of(i) < 0)
      fail<ShapeError>("repeat_interleave", "repeats can not be negative, got " + std::to_string(count_of(i)), at);
    if (count_of(i) > ir::kMaxNumel - total)
      fail<ShapeError>("repeat_interleave", "expected repeats whose sum is at most 2^48, got more", at);
    total += count_of(i);
  }
  Shape shape = shape_of(flat);
  shape[d] = total;
  check_shape("repeat_interleave", "the result", shape, at);
  Tensor places = allocated("repeat_interleave", {total}, DType::i64, at);
  auto* next = static_cast<int64_t*>(places.impl()->storage->buffer.data());
  for (int64_t i = 0; i < n; ++i) next = std::fill_n(next, count_of(i), i);
  return index_select(flat, static_cast<int64_t>(d), places, at);
}

namespace compose {
Value kron(Emitter& e, const Tensor& a, const Tensor& b) {
  const DType dtype = promote(a.impl()->dtype(), b.impl()->dtype());  // as of equally many dims
  const size_t rank = std::max(shape_of(a).size(), shape_of(b).size());
  auto extent = [rank](const Tensor& t, size_t d) {
    size_t lead = rank - shape_of(t).size();
    return d < lead ? 1 : shape_of(t)[d - lead];
  };
  Shape spread, result;
  std::vector<int64_t> dims_a, dims_b;
  for (size_t d = 0; d < rank; ++d) {
    const int64_t m = extent(a, d), n = extent(b, d);
    if (d + shape_of(a).size() >= rank) dims_a.push_back(static_cast<int64_t>(spread.size()));
    if (m != 1 && n != 1) spread.push_back(m);
    if (d + shape_of(b).size() >= rank) dims_b.push_back(static_cast<int64_t>(spread.size()));
    spread.push_back(n == 1 ? m : n);
    result.push_back(m * n);
  }
  check_shape(e.op(), "the result", result, e.at());
  Value x = build::broadcast(e.b, operand(e, a, dtype), spread, dims_a),
        y = build::broadcast(e.b, operand(e, b, dtype), spread, dims_b);
  return build::reshape(e.b, build::binary(e.b, dtype == DType::boolean ? Op::and_op : Op::mul_op, x, y), result);
}
}  // namespace compose

namespace compose {
Value vander(Emitter& e, const Tensor& x, std::optional<int64_t> n, bool increasing) {
  if (shape_of(x).size() != 1) e.fail<ShapeError>("x must be a one-dimensional tensor, got " + type_name(x));
  const int64_t rows = shape_of(x)[0], columns = n.value_or(rows);
  if (columns < 0) e.fail<ShapeError>("N must be non-negative, got " + std::to_string(columns));
  check_shape(e.op(), "the result", {rows, columns}, e.at());
  const DType dtype = is_floating(x.impl()->dtype()) ? x.impl()->dtype() : DType::i64;
  if (columns == 0) return splat(e, dtype, {rows, 0}, 0);
  Value v = build::reshape(e.b, operand(e, x, dtype), {rows, 1});
  std::vector<Value> powers = {splat(e, dtype, {rows, 1}, 1)};
  for (int64_t i = 1; i < columns; ++i) powers.push_back(i == 1 ? v : build::mul(e.b, powers.back(), v));
  if (!increasing) std::ranges::reverse(powers);
  return powers.size() == 1 ? powers[0] : build::concat(e.b, powers, 1);
}
}  // namespace compose

namespace compose {
Value diag_embed(Emitter& e, const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  const Shape shape = shape_of(x);
  if (shape.empty()) e.fail<ShapeError>("expected at least one dim, got " + type_name(x));
  const size_t rank = shape.size() + 1, row = wrap_dim(e, dim1, rank), column = wrap_dim(e, dim2, rank);
  if (row == column)
    e.fail<IndexError>("diagonal dimensions cannot be identical " + std::to_string(dim1) + ", " + std::to_string(dim2));
  const int64_t most = ir::kMaxNumel, by = std::clamp(offset, -most, most), side = shape.back() + std::abs(by);
  Shape result = shape.slice(0, shape.size() - 1) + Shape{side, side};
  check_shape(e.op(), "diagonal " + std::to_string(offset) + ": the result", result, e.at());
  const bool boolean = x.impl()->dtype() == DType::boolean;
  Value v = build::diag_embed(e.b, operand(e, x, boolean ? DType::i32 : x.impl()->dtype()),
                              static_cast<int64_t>(shape.size()) - 1);
  std::vector<int64_t> lo(rank, 0), hi(rank, 0), interior(rank, 0), perm(rank, -1);
  lo[rank - 2] = hi[rank - 1] = std::max<int64_t>(0, -by);
  lo[rank - 1] = hi[rank - 2] = std::max<int64_t>(0, by);
  v = build::convert(e.b, build::pad_zero(e.b, v, lo, hi, interior), x.impl()->dtype());
  perm[row] = static_cast<int64_t>(rank) - 2, perm[column] = static_cast<int64_t>(rank) - 1;
  for (size_t d = 0, next = 0; d < rank; ++d)
    if (perm[d] < 0) perm[d] = static_cast<int64_t>(next++);
  return build::permute(e.b, v, perm);
}
}  // namespace compose

Tensor diag(const Tensor& x, int64_t diagonal, Location at) {
  const size_t rank = impl_of(x, "diag", at).shape.size();
  if (rank == 2) return x.diagonal(diagonal, 0, 1, at).clone(at);
  if (rank != 1) fail<ShapeError>("diag", "expected a 1-d or 2-d tensor, got " + type_name(x), at);
  Composite call("diag", at);
  return diag_embed(x, diagonal, -2, -1, at);
}
Tensor diagflat(const Tensor& x, int64_t offset, Location at) {
  impl_of(x, "diagflat", at);
  Composite call("diagflat", at);
  return diag_embed(x.reshape({-1}, at), offset, -2, -1, at);
}

Tensor Tensor::sum_to_size(const Shape& size, Location at) const {
  Composite call("sum_to_size", at);
  const Shape shape = impl_of(*this, "sum_to_size", at).shape;
  if (!broadcasts_to(size, shape))
    fail<ShapeError>("sum_to_size", "size " + to_string(size) + " is not expandable to size " + to_string(shape), at);
  const size_t lead = shape.size() - size.size();
  Axes dims;
  for (size_t d = 0; d < shape.size(); ++d)
    if (d < lead || (size[d - lead] == 1 && shape[d] != 1)) dims.values.push_back(static_cast<int64_t>(d));
  return dims.values.empty() ? itself(*this) : sum(dims, true, at).reshape(size, at);
}

namespace {

Tensor triangle_indices(std::string_view op, int64_t rows, int64_t columns, int64_t offset, bool lower, Location at) {
  check_shape(op, "rows and columns", {rows, columns}, at);
  const int64_t by = std::clamp(offset, -rows, columns);
  std::vector<int64_t> list[2];
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t first = lower ? 0 : std::max<int64_t>(0, i + by);
    const int64_t stop = lower ? std::min(columns, i + by + 1) : columns;
    for (int64_t j = first; j < stop; ++j) list[0].push_back(i), list[1].push_back(j);
  }
  const auto n = static_cast<int64_t>(list[0].size());
  list[0].insert(list[0].end(), list[1].begin(), list[1].end());
  return Tensor::from(list[0], {2, n}, at);
}

}  // namespace

Tensor tril_indices(int64_t rows, int64_t columns, int64_t offset, Location at) {
  return triangle_indices("tril_indices", rows, columns, offset, true, at);
}
Tensor triu_indices(int64_t rows, int64_t columns, int64_t offset, Location at) {
  return triangle_indices("triu_indices", rows, columns, offset, false, at);
}

}  // namespace jot
