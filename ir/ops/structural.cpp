// Data movement: elements are moved, repeated or dropped, never computed. All of it is linear.
#include <algorithm>
#include <numeric>

#include "ir/ops/classes.h"
#include "ir/ops/structure.h"

namespace jot::ir {
namespace {

void expect_per_axis(const InferContext& c, std::string_view what, Ints values) {
  if (values.size() != c.shape(0).size())
    c.shape_error(std::string(what) + " " + list(values) + ": expected one value for each of " +
                  std::to_string(c.shape(0).size()) + " axes, got " + std::to_string(values.size()));
}

// ---- broadcast

Type infer_broadcast(const InferContext& c) {
  const Shape& x = c.shape(0);
  Shape shape = c.attrs.shape();
  Ints dims = c.attrs.ints(Key::dims);
  expect_extents(c, shape);
  expect_per_axis(c, "dims", dims);
  expect_axes(c, "dims", dims, shape.size());
  if (!std::ranges::is_sorted(dims)) c.index_error("dims " + list(dims) + " must ascend; permute the operand");
  for (size_t i = 0; i < dims.size(); ++i) {
    int64_t to = shape[static_cast<size_t>(dims[i])];
    if (x[i] != 1 && x[i] != to)
      c.shape_error("axis " + std::to_string(i) + " of extent " + std::to_string(x[i]) +
                    " cannot be broadcast to extent " + std::to_string(to) + " of " + to_string(shape) +
                    "; expected 1 or the same extent");
  }
  return {c.dtype(0), false, shape};
}

void map_broadcast(const MoveContext& c, Movement& m) {
  const Shape& from = *c.operands[0];
  Ints dims = c.attrs.ints(Key::dims);
  m.begin(0);
  for (size_t d = 0, i = 0; d < c.result.size(); ++d) {
    bool has = i < dims.size() && dims[i] == static_cast<int64_t>(d);
    if (has && from[i] == c.result[d])
      m.keep(i, d, from[i]);
    else
      m.add({c.result[d], {}, {.dim = static_cast<uint32_t>(d)}});
    i += has;
  }
}

void transpose_broadcast(const TransposeContext& c) {
  const Shape& from = c.types[0]->shape;
  const Shape to = c.b.shape(c.ct);
  Ints dims = c.attrs.ints(Key::dims);
  std::vector<int64_t> repeated;
  for (size_t d = 0; d < to.size(); ++d) {
    auto at = std::ranges::find(dims, static_cast<int64_t>(d));
    if (at == dims.end() || from[static_cast<size_t>(at - dims.begin())] != to[d])
      repeated.push_back(static_cast<int64_t>(d));
  }
  c.cotangents[0] = build::reshape(c.b, build::reduce_sum(c.b, c.ct, repeated), from);
}

Value batch_broadcast(const BatchContext& c) {
  return build::broadcast(c.b, c.operands[0], batched_shape(c.size, c.type.shape),
                          with_front(0, shifted(c.attrs.ints(Key::dims))));
}

// ---- reshape

Type infer_reshape(const InferContext& c) {
  Shape shape = c.attrs.shape();
  expect_extents(c, shape);
  if (shape.numel() != c.shape(0).numel())
    c.shape_error("shape " + to_string(shape) + " is invalid for input of size " + std::to_string(c.shape(0).numel()) +
                  ": it has " + std::to_string(shape.numel()) + " elements");
  return {c.dtype(0), false, shape};
}

void transpose_reshape(const TransposeContext& c) { c.cotangents[0] = build::reshape(c.b, c.ct, c.types[0]->shape); }

Value batch_reshape(const BatchContext& c) {
  return build::reshape(c.b, c.operands[0], batched_shape(c.size, c.type.shape));
}

// ---- permute

Type infer_permute(const InferContext& c) {
  Ints perm = c.attrs.ints(Key::perm);
  expect_per_axis(c, "perm", perm);
  expect_axes(c, "perm", perm, perm.size());
  Shape shape = c.shape(0);
  for (size_t i = 0; i < perm.size(); ++i) shape[i] = c.shape(0)[static_cast<size_t>(perm[i])];
  return {c.dtype(0), false, shape};
}

void map_permute(const MoveContext& c, Movement& m) {
  Ints perm = c.attrs.ints(Key::perm);
  m.begin(0);
  for (size_t d = 0; d < perm.size(); ++d) m.keep(static_cast<size_t>(perm[d]), d, c.result[d]);
}

void transpose_permute(const TransposeContext& c) {
  c.cotangents[0] = build::permute(c.b, c.ct, build::inverse(c.attrs.ints(Key::perm)));
}

Value batch_permute(const BatchContext& c) {
  return build::permute(c.b, c.operands[0], with_front(0, shifted(c.attrs.ints(Key::perm))));
}

// ---- slice

Type infer_slice(const InferContext& c) {
  Ints start = c.attrs.ints(Key::start), limit = c.attrs.ints(Key::limit), stride = c.attrs.ints(Key::stride);
  expect_per_axis(c, "start", start);
  expect_per_axis(c, "limit", limit);
  expect_per_axis(c, "stride", stride);
  Shape shape = c.shape(0);
  for (size_t d = 0; d < shape.size(); ++d) {
    if (start[d] < 0 || start[d] > limit[d] || limit[d] > shape[d])
      c.index_error("start " + std::to_string(start[d]) + " and limit " + std::to_string(limit[d]) + " of axis " +
                    std::to_string(d) + ": expected 0 <= start <= limit <= " + std::to_string(shape[d]));
    if (stride[d] < 1)
      c.index_error("stride " + std::to_string(stride[d]) + " of axis " + std::to_string(d) + ": expected at least 1");
    int64_t span = limit[d] - start[d];
    shape[d] = span / stride[d] + (span % stride[d] != 0);
  }
  return {c.dtype(0), false, shape};
}

void map_slice(const MoveContext& c, Movement& m) {
  Ints start = c.attrs.ints(Key::start), stride = c.attrs.ints(Key::stride);
  m.begin(0);
  for (uint32_t d = 0; d < start.size(); ++d) m.add({c.result[d], {d, start[d], stride[d]}, {d}});
}

void transpose_slice(const TransposeContext& c) {
  const Shape& from = c.types[0]->shape;
  const Shape to = c.b.shape(c.ct);
  Ints start = c.attrs.ints(Key::start), stride = c.attrs.ints(Key::stride);
  std::vector<int64_t> hi, interior;
  for (size_t d = 0; d < from.size(); ++d) {
    int64_t covered = to[d] == 0 ? 0 : (to[d] - 1) * stride[d] + 1;
    hi.push_back(from[d] - start[d] - covered);
    interior.push_back(to[d] == 0 ? 0 : stride[d] - 1);
  }
  c.cotangents[0] = build::pad_zero(c.b, c.ct, start, hi, interior);
}

Value batch_slice(const BatchContext& c) {
  return build::slice(c.b, c.operands[0], with_front(0, c.attrs.ints(Key::start)),
                      with_front(c.size, c.attrs.ints(Key::limit)), with_front(1, c.attrs.ints(Key::stride)));
}

// ---- pad

Type infer_pad(const InferContext& c) {
  Ints lo = c.attrs.ints(Key::lo), hi = c.attrs.ints(Key::hi), interior = c.attrs.ints(Key::interior);
  expect_same_dtype(c, 0, 1);
  if (!c.shape(1).empty()) c.shape_error("the padding value must be 0-d, got " + to_string(c.shape(1)));
  expect_per_axis(c, "lo", lo);
  expect_per_axis(c, "hi", hi);
  expect_per_axis(c, "interior", interior);
  Shape shape = c.shape(0);
  for (size_t d = 0; d < shape.size(); ++d) {
    if (interior[d] < 0)
      c.shape_error("interior " + std::to_string(interior[d]) + " of axis " + std::to_string(d) + " is negative");
    shape[d] += lo[d] + hi[d] + std::max<int64_t>(shape[d] - 1, 0) * interior[d];
    if (shape[d] < 0)
      c.shape_error("axis " + std::to_string(d) + " is cropped to the negative extent " + std::to_string(shape[d]));
  }
  return {c.dtype(0), false, shape};
}

// Of each dim the indices that are not cropped.
void map_pad(const MoveContext& c, Movement& m) {
  const Shape& from = *c.operands[0];
  Ints lo = c.attrs.ints(Key::lo), interior = c.attrs.ints(Key::interior);
  m.fill = Fill::operand1;
  m.begin(0);
  for (uint32_t d = 0; d < from.size(); ++d) {
    int64_t step = interior[d] + 1, room = c.result[d] - 1 - lo[d];
    int64_t first = lo[d] < 0 ? (-lo[d] + step - 1) / step : 0;
    int64_t last = room < 0 ? -1 : std::min(from[d] - 1, room / step);
    m.add({std::max<int64_t>(0, last - first + 1), {d, first}, {d, lo[d] + first * step, step}});
  }
}

void transpose_pad(const TransposeContext& c) {
  Builder& b = c.b;
  Ints lo = c.attrs.ints(Key::lo), hi = c.attrs.ints(Key::hi), interior = c.attrs.ints(Key::interior);
  const Shape& from = c.types[0]->shape;
  if (c.linear(0)) {  // what was cropped has cotangent 0; then the slice that undoes the padding
    std::vector<int64_t> cropped_lo, cropped_hi, start, limit, stride;
    for (size_t d = 0; d < from.size(); ++d) {
      cropped_lo.push_back(std::max<int64_t>(-lo[d], 0));
      cropped_hi.push_back(std::max<int64_t>(-hi[d], 0));
      start.push_back(std::max<int64_t>(lo[d], 0));
      limit.push_back(start[d] + from[d] + std::max<int64_t>(from[d] - 1, 0) * interior[d]);
      stride.push_back(interior[d] + 1);
    }
    Value whole = build::pad_zero(b, c.ct, cropped_lo, cropped_hi, std::vector<int64_t>(from.size(), 0));
    c.cotangents[0] = build::slice(b, whole, start, limit, stride);
  }
  if (c.linear(1)) {
    const Shape shape = b.shape(c.ct);
    Value inside = build::constant_int(b, DType::boolean, from, 1),
          outside = build::constant_int(b, DType::boolean, {}, 0);
    Value mask = build::pad(b, inside, outside, lo, hi, interior);
    Value padding = build::where(b, mask, build::zeros_like(b, c.ct), c.ct);
    c.cotangents[1] = build::reduce_sum(b, padding, build::all_axes(shape.size()));
  }
}

Value batch_pad(const BatchContext& c) {
  Builder& b = c.b;
  auto lo = with_front(0, c.attrs.ints(Key::lo)), hi = with_front(0, c.attrs.ints(Key::hi)),
       interior = with_front(0, c.attrs.ints(Key::interior));
  Value x = c.materialised(0);
  if (!c.batched[1]) return build::pad(b, x, c.operands[1], lo, hi, interior);
  const Shape shape = batched_shape(c.size, c.type.shape);
  Value inside = build::constant_int(b, DType::boolean, b.shape(x), 1),
        outside = build::constant_int(b, DType::boolean, {}, 0);
  Value mask = build::pad(b, inside, outside, lo, hi, interior);
  Value value = build::broadcast(b, c.operands[1], shape, std::vector<int64_t>{0});
  return build::where(b, mask, build::pad_zero(b, x, lo, hi, interior), value);
}

// ---- concat

Type infer_concat(const InferContext& c) {
  int64_t dim = c.attrs.integer(Key::dim);
  Shape shape = c.shape(0);
  expect_axes(c, "dim", Ints(&dim, 1), shape.size());
  auto axis = static_cast<size_t>(dim);
  for (size_t i = 1; i < c.operands.size(); ++i) {
    expect_same_dtype(c, 0, i);
    Shape part = c.shape(i), wanted = c.shape(0);
    if (part.size() == wanted.size()) wanted[axis] = part[axis];
    if (part != wanted)
      c.shape_error("sizes must match except in axis " + std::to_string(dim) + ": operand " + std::to_string(i) +
                    ": expected " + to_string(wanted) + ", got " + to_string(part));
    shape[axis] += part[axis];
  }
  return {c.dtype(0), false, shape};
}

void map_concat(const MoveContext& c, Movement& m) {
  auto dim = static_cast<uint32_t>(c.attrs.integer(Key::dim));
  int64_t before = 0;
  for (size_t i = 0; i < c.operands.size(); ++i) {
    const Shape& part = *c.operands[i];
    m.begin(i);
    for (uint32_t d = 0; d < part.size(); ++d) m.add({part[d], {d}, {d, d == dim ? before : 0}});
    before += part[dim];
  }
}

void transpose_concat(const TransposeContext& c) {
  int64_t dim = c.attrs.integer(Key::dim), start = 0;
  for (size_t i = 0; i < c.operands.size(); ++i) {
    int64_t limit = start + c.types[i]->shape[static_cast<size_t>(dim)];
    if (c.linear(i)) c.cotangents[i] = build::slice_axis(c.b, c.ct, dim, start, limit);
    start = limit;
  }
}

Value batch_concat(const BatchContext& c) {
  std::vector<Value> parts;
  for (size_t i = 0; i < c.operands.size(); ++i) parts.push_back(c.materialised(i));
  return build::concat(c.b, parts, c.attrs.integer(Key::dim) + 1);
}

// ---- rev

Type infer_rev(const InferContext& c) {
  expect_axes(c, "dims", c.attrs.ints(Key::dims), c.shape(0).size());
  return *c.operands[0];
}

void map_rev(const MoveContext& c, Movement& m) {
  m.begin(0);
  for (uint32_t d = 0; d < c.result.size(); ++d) {
    int64_t n = c.result[d];
    if (contains(c.attrs.ints(Key::dims), d))
      m.add({n, {d, n - 1, -1}, {d}});
    else
      m.keep(d, d, n);
  }
}

void transpose_rev(const TransposeContext& c) { c.cotangents[0] = build::rev(c.b, c.ct, c.attrs.ints(Key::dims)); }

Value batch_rev(const BatchContext& c) { return build::rev(c.b, c.operands[0], shifted(c.attrs.ints(Key::dims))); }

// ---- diag_embed

Type infer_diag_embed(const InferContext& c) {
  expect_allowed(c, 0);
  const Shape& x = c.shape(0);
  int64_t batch = c.attrs.integer(Key::batch_dims);
  if (batch < 0 || batch > static_cast<int64_t>(x.size()))
    c.index_error("batch_dims " + std::to_string(batch) + " is out of range; expected 0 to " +
                  std::to_string(x.size()));
  return {c.dtype(0), false, x + x.slice(static_cast<size_t>(batch), x.size())};
}

void map_diag_embed(const MoveContext& c, Movement& m) {
  const Shape& x = *c.operands[0];
  auto batch = static_cast<uint32_t>(c.attrs.integer(Key::batch_dims)), rank = static_cast<uint32_t>(x.size());
  m.fill = Fill::zero;
  m.begin(0);
  for (uint32_t d = 0; d < rank; ++d) m.add({x[d], {d}, {.dim = d, .also = d < batch ? kNoDim : d + rank - batch}});
}

// The diagonal: every (n + 1)-th element of the flattened blocks.
void transpose_diag_embed(const TransposeContext& c) {
  const Shape& x = c.types[0]->shape;
  auto batch = static_cast<size_t>(c.attrs.integer(Key::batch_dims));
  int64_t n = x.slice(batch, x.size()).numel();
  Value blocks = build::reshape(c.b, c.ct, Shape{x.slice(0, batch).numel(), n * n});
  c.cotangents[0] = build::reshape(c.b, build::slice_axis(c.b, blocks, 1, 0, n * n, n + 1), x);
}

Value batch_diag_embed(const BatchContext& c) {
  return build::diag_embed(c.b, c.operands[0], c.attrs.integer(Key::batch_dims) + 1);
}

// ---- copies and effects

Type infer_copy(const InferContext& c) {
  if (c.operands.size() == 2 && *c.operands[1] != *c.operands[0])
    c.shape_error("the source must be " + to_string(*c.operands[0]) + ", as the destination, got " +
                  to_string(*c.operands[1]));
  return *c.operands[0];
}

void transpose_copy(const TransposeContext& c) { c.cotangents[0] = c.ct; }

Type infer_after(const InferContext& c) {
  if (c.operands.empty()) c.shape_error("expected an operand");
  return *c.operands[0];
}
Value jvp_after(const JvpContext& c) { return c.tangents[0]; }
void transpose_after(const TransposeContext& c) {
  if (c.linear(0)) c.cotangents[0] = c.ct;
}
void batch_after(const BatchContext& c, std::span<Value> results, std::span<bool> batched) {
  results[0] = c.b.emit(c.op, c.operands);
  batched[0] = c.batched[0];
}

Type infer_fill(const InferContext& c) {
  expect_same_dtype(c, 0, 1);
  if (!c.shape(1).empty()) c.shape_error("the value must be 0-d, got " + to_string(c.shape(1)));
  return *c.operands[0];
}

Type infer_read(const InferContext& c) {
  if (!c.operands[1]->token) c.dtype_error("operand 1 must be a token, the version that is read");
  return *c.operands[0];
}

}  // namespace

void define_structural(RuleTable& table) {
  constexpr MovementRule regroup{Moves::regroup};
  auto view = [](auto map) { return MovementRule{Moves::view, map}; };
  auto assembled = [](auto map) { return MovementRule{Moves::assembled, map}; };
  table.define(Op::broadcast_op,
               movement(infer_broadcast, view(map_broadcast), transpose_broadcast, structured<batch_broadcast>));
  table.define(Op::reshape_op, movement(infer_reshape, regroup, transpose_reshape, structured<batch_reshape>));
  table.define(Op::permute_op,
               movement(infer_permute, view(map_permute), transpose_permute, structured<batch_permute>));
  table.define(Op::slice_op, movement(infer_slice, view(map_slice), transpose_slice, structured<batch_slice>));
  table.define(Op::pad_op, movement(infer_pad, assembled(map_pad), transpose_pad, structured<batch_pad>));
  table.define(Op::concat_op,
               movement(infer_concat, assembled(map_concat), transpose_concat, structured<batch_concat>));
  table.define(Op::rev_op, movement(infer_rev, view(map_rev), transpose_rev, batch_rev));
  table.define(Op::diag_embed_op,
               movement(infer_diag_embed, assembled(map_diag_embed), transpose_diag_embed, batch_diag_embed));
  table.define(Op::copy_op, movement(infer_copy, regroup, transpose_copy, structured<batch_elementwise>));
  Rules after = movement(infer_after, regroup, transpose_after, batch_after);
  after.jvp = jvp_after;
  table.define(Op::after_op, after);
  Rules stop = movement(infer_same, regroup, nullptr, batch_elementwise);
  stop.jvp = jvp_zero;
  stop.transpose = none("its tangent is zero");
  table.define(Op::stop_gradient_op, stop);
  constexpr auto effect = none("an effect: functionalize first");
  table.define(Op::fill_op, {infer_fill, effect, effect, effect, effect});
  table.define(Op::read_op, {infer_read, effect, effect, effect, effect});
}

}  // namespace jot::ir
