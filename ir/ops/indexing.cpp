// Slices and elements at positions that are data.
//
// gather: result axes are the axes of the indices but the last (batch), interleaved with the axes of a slice (offset);
// an index vector, the last axis of the indices, gives the slice's start along the operand axes `index_map`; operand
// axes `operand_batch` follow the axes `index_batch` of the indices. The scatters write such slices.
#include <algorithm>

#include "ir/ops/classes.h"
#include "ir/ops/evaluate.h"
#include "ir/ops/order.h"

namespace jot::ir {
namespace {

using build::GatherDims;

GatherDims gather_dims(AttrView a) {
  auto copy = [&](Key key) { return std::vector<int64_t>(a.ints(key).begin(), a.ints(key).end()); };
  return {copy(Key::offset_dims), copy(Key::collapsed), copy(Key::index_map), copy(Key::operand_batch),
          copy(Key::index_batch)};
}

// Operand axes that a slice keeps, in order.
std::vector<int64_t> window_axes(const GatherDims& dims, size_t rank) {
  std::vector<int64_t> axes;
  for (int64_t d = 0; d < static_cast<int64_t>(rank); ++d)
    if (!contains(dims.collapsed, d) && !contains(dims.operand_batch, d)) axes.push_back(d);
  return axes;
}

// ---- inference

void expect_starts(const InferContext& c, size_t first) {
  const size_t rank = c.shape(0).size(), given = c.operands.size();
  if (given != first + rank)
    c.shape_error("expected " + std::to_string(first + rank) + " operands, of which " + std::to_string(rank) +
                  " are starts, one an axis; got " + std::to_string(given));
  for (size_t i = first; i < c.operands.size(); ++i) {
    if (c.dtype(i) != DType::i64)
      c.dtype_error("start " + std::to_string(i - first) + ": expected i64, got " + std::string(to_string(c.dtype(i))));
    if (!c.shape(i).empty())
      c.shape_error("start " + std::to_string(i - first) + " must be 0-d, got " + to_string(c.shape(i)));
  }
}

void expect_fits(const InferContext& c, const Shape& part, const Shape& whole) {
  bool fits = part.size() == whole.size();
  for (size_t d = 0; fits && d < part.size(); ++d) fits = part[d] >= 0 && part[d] <= whole[d];
  if (!fits) c.shape_error("a slice of shape " + to_string(part) + " does not fit into " + to_string(whole));
}

Type infer_dynamic_slice(const InferContext& c) {
  expect_starts(c, 1);
  Shape sizes(c.attrs.ints(Key::sizes));
  expect_fits(c, sizes, c.shape(0));
  return {c.dtype(0), false, sizes};
}

Type infer_dynamic_update_slice(const InferContext& c) {
  expect_starts(c, 2);
  expect_same_dtype(c, 0, 1);
  expect_fits(c, c.shape(1), c.shape(0));
  return *c.operands[0];
}

// Checks what gather and the scatters have in common; returns the shape of the batch axes.
Shape expect_indexing(const InferContext& c, const GatherDims& dims) {
  const Shape &x = c.shape(0), &indices = c.shape(1);
  if (c.dtype(1) != DType::i64 && c.dtype(1) != DType::i32)
    c.dtype_error("the indices must be i64 or i32, got " + std::string(to_string(c.dtype(1))));
  if (indices.empty() || indices.back() != static_cast<int64_t>(dims.index_map.size()))
    c.shape_error("the last axis of the indices must have extent " + std::to_string(dims.index_map.size()) +
                  ", one entry for each of index_map " + list(dims.index_map) + ", got " + to_string(indices));
  expect_axes(c, "index_map", dims.index_map, x.size());
  std::vector<int64_t> dropped = dims.collapsed;
  dropped.insert(dropped.end(), dims.operand_batch.begin(), dims.operand_batch.end());
  expect_axes(c, "collapsed and operand_batch", dropped, x.size());
  expect_axes(c, "index_batch", dims.index_batch, indices.size() - 1);
  if (dims.operand_batch.size() != dims.index_batch.size())
    c.shape_error("operand_batch " + list(dims.operand_batch) + " and index_batch " + list(dims.index_batch) +
                  " must have one length");
  for (size_t i = 0; i < dims.operand_batch.size(); ++i) {
    int64_t m = x[static_cast<size_t>(dims.operand_batch[i])], n = indices[static_cast<size_t>(dims.index_batch[i])];
    if (contains(dims.index_map, dims.operand_batch[i]))
      c.index_error("axis " + std::to_string(dims.operand_batch[i]) + " is both in operand_batch and index_map");
    if (m != n)
      c.shape_error("operand_batch and index_batch axes must have one extent: expected " + std::to_string(m) +
                    ", got " + std::to_string(n));
  }
  if (!std::ranges::is_sorted(dims.offset_dims))
    c.index_error("offset_dims " + list(dims.offset_dims) + " must ascend");
  return indices.slice(0, indices.size() - 1);
}

// Batch and window extents, interleaved as offset_dims says.
Shape interleaved(const InferContext& c, const GatherDims& dims, const Shape& batch, const Shape& window) {
  size_t rank = batch.size() + window.size();
  expect_axes(c, "offset_dims", dims.offset_dims, rank);
  Shape shape;
  size_t next_batch = 0, next_window = 0;
  for (size_t d = 0; d < rank; ++d)
    shape.push_back(contains(dims.offset_dims, static_cast<int64_t>(d)) ? window[next_window++] : batch[next_batch++]);
  return shape;
}

Type infer_gather(const InferContext& c) {
  GatherDims dims = gather_dims(c.attrs);
  Shape batch = expect_indexing(c, dims), sizes(c.attrs.ints(Key::sizes)), whole = c.shape(0), window;
  for (int64_t d : dims.operand_batch) whole[static_cast<size_t>(d)] = 1;
  if (batch.numel() == 0)  // nothing is read
    for (int64_t d : dims.collapsed) whole[static_cast<size_t>(d)] = 1;
  expect_fits(c, sizes, whole);
  std::vector<int64_t> axes = window_axes(dims, sizes.size());
  for (size_t d = 0; d < sizes.size(); ++d)
    if (!contains(axes, static_cast<int64_t>(d)) && sizes[d] != 1)
      c.shape_error("axis " + std::to_string(d) + " is dropped: expected slice size 1, got " +
                    std::to_string(sizes[d]));
  if (axes.size() != dims.offset_dims.size())
    c.shape_error("offset_dims " + list(dims.offset_dims) + ": expected one for each of the " +
                  std::to_string(axes.size()) + " slice axes that are kept");
  for (int64_t d : axes) window.push_back(sizes[static_cast<size_t>(d)]);
  return {c.dtype(0), false, interleaved(c, dims, batch, window)};
}

Type infer_scatter(const InferContext& c) {
  expect_allowed(c, 0);
  expect_same_dtype(c, 0, 2);
  GatherDims dims = gather_dims(c.attrs);
  const Shape &x = c.shape(0), &updates = c.shape(2);
  Shape batch = expect_indexing(c, dims), window;
  std::vector<int64_t> axes = window_axes(dims, x.size());
  expect_axes(c, "offset_dims", dims.offset_dims, updates.size());
  if (axes.size() != dims.offset_dims.size())
    c.shape_error("offset_dims " + list(dims.offset_dims) + ": expected one for each of the " +
                  std::to_string(axes.size()) + " slice axes that are kept");
  Shape whole;
  for (int64_t d : axes) whole.push_back(x[static_cast<size_t>(d)]);
  for (int64_t d : dims.offset_dims) window.push_back(updates[static_cast<size_t>(d)]);
  expect_fits(c, window, whole);
  Shape wanted = interleaved(c, dims, batch, window);
  if (updates != wanted) c.shape_error("updates: expected " + to_string(wanted) + ", got " + to_string(updates));
  for (int64_t d : dims.collapsed)
    if (batch.numel() != 0 && x[static_cast<size_t>(d)] == 0)
      c.shape_error("axis " + std::to_string(d) + " is empty: nothing can be indexed");
  return *c.operands[0];
}

// ---- faults

// The first place of an axis is in range, if any is.
void guard_indices(const GuardContext& c) {
  Value& indices = c.operands[1];
  indices = build::where(c.b, c.live, indices, build::zeros_like(c.b, indices));
}

int64_t index_faults(AttrView a) {
  return a.mode() == IndexMode::check ? static_cast<int64_t>(a.ints(Key::index_map).size()) : 0;
}

// Of each of the first `count` axes of the result (updates): the place of an element of the batch along it, -1 for an
// axis of the slices.
std::vector<int64_t> places_in_front(const GatherDims& dims, const Shape& indices, int64_t element, size_t count) {
  std::vector<int64_t> batch(indices.size() - 1), places;
  for (size_t i = batch.size(); i-- > 0; element /= indices[i]) batch[i] = element % indices[i];
  for (size_t i = 0, next = 0; i < count; ++i)
    places.push_back(contains(dims.offset_dims, static_cast<int64_t>(i)) || next == batch.size() ? -1 : batch[next++]);
  return places;
}

// Code k: entry k of index_map. The element is of the batch of index vectors.
void index_out_of_range(const FaultContext& c) {
  GatherDims dims = gather_dims(c.attrs);
  const std::vector<int64_t> lanes = places_in_front(dims, c.shape(1), c.element, c.call.lanes.size());
  int64_t axis = dims.index_map[static_cast<size_t>(c.code)], size = 1;
  int64_t extent = c.shape(0)[static_cast<size_t>(axis)];
  std::vector<int64_t> window = window_axes(dims, c.shape(0).size());
  auto kept = static_cast<size_t>(std::ranges::find(window, axis) - window.begin());
  if (c.op == Op::gather_op)
    size = c.attrs.ints(Key::sizes)[static_cast<size_t>(axis)];
  else if (kept < window.size())
    size = c.shape(2)[static_cast<size_t>(dims.offset_dims[kept])];
  std::string slice = size == 1 ? "" : " for a slice of " + std::to_string(size);
  throw IndexError(c.text("index " + std::to_string(c.value) + " is out of bounds for dimension " +
                              std::to_string(c.dim(axis)) + " with size " + std::to_string(extent) + slice +
                              "; expected " + std::to_string(-extent) + " to " + std::to_string(extent - size),
                          lanes));
}

// ---- evaluation

// The operand element that each element of the result (updates) addresses.
class Addresses {
 public:
  Addresses(const EvalContext& c, const Shape& operand, const Shape& result)
      : c_(c),
        dims_(gather_dims(c.attrs)),
        operand_(operand),
        indices_(c.operands[1].type->shape),
        window_(window_axes(dims_, operand.size())),
        extent_(operand),
        mode_(c.attrs.mode()) {
    for (size_t d = 0; d < operand.size(); ++d) extent_[d] = 1;
    for (size_t w = 0; w < window_.size(); ++w)
      extent_[static_cast<size_t>(window_[w])] = result[static_cast<size_t>(dims_.offset_dims[w])];
    for (int64_t d = 0; d < static_cast<int64_t>(result.size()); ++d)
      if (!contains(dims_.offset_dims, d)) batch_.push_back(d);
  }

  // -1: outside (mode fill).
  int64_t of(const Shape& i) const {
    Shape index = indices_, at = operand_;
    for (size_t d = 0; d < batch_.size(); ++d) index[d] = i[static_cast<size_t>(batch_[d])];
    for (int64_t& a : at) a = 0;
    for (size_t k = 0; k < dims_.operand_batch.size(); ++k)
      at[static_cast<size_t>(dims_.operand_batch[k])] = index[static_cast<size_t>(dims_.index_batch[k])];
    for (size_t k = 0; k < dims_.index_map.size(); ++k) {
      index[indices_.size() - 1] = static_cast<int64_t>(k);
      auto d = static_cast<size_t>(dims_.index_map[k]);
      int64_t at_index = position(indices_, index);
      int64_t start = start_of(integer_at(c_.operands[1], at_index), d, k, at_index);
      if (start < 0) return -1;
      at[d] = start;
    }
    for (size_t w = 0; w < window_.size(); ++w) {
      auto d = static_cast<size_t>(window_[w]);
      at[d] = (at[d] + i[static_cast<size_t>(dims_.offset_dims[w])]) % operand_[d];  // wraps in mode wrap only
    }
    return position(operand_, at);
  }

 private:
  // Along d: entry k of an index vector, element `at` of the indices.
  int64_t start_of(int64_t start, size_t d, size_t k, int64_t at) const {
    int64_t last = operand_[d] - extent_[d];
    switch (mode_) {
      case IndexMode::clip:
        return std::clamp<int64_t>(start, 0, last);
      case IndexMode::fill:
        return start < 0 || start > last ? -1 : start;
      case IndexMode::wrap:
        return start % operand_[d] + (start % operand_[d] < 0 ? operand_[d] : 0);
      case IndexMode::check:
        break;
    }
    int64_t from_front = start < 0 ? start + operand_[d] : start;
    if (from_front < 0 || from_front > last)
      c_.fault(static_cast<int64_t>(k), start, at / static_cast<int64_t>(dims_.index_map.size()));
    return from_front;
  }

  const EvalContext& c_;
  GatherDims dims_;
  Shape operand_, indices_;
  std::vector<int64_t> window_, batch_;
  Shape extent_;  // of a slice, for each operand axis
  IndexMode mode_;
};

void evaluate_gather(const EvalContext& c) {
  Mover mover(c);
  Addresses addresses(c, c.operands[0].type->shape, c.type.shape);
  for_each_index(c.type.shape, [&](const Shape& i, int64_t at) {
    int64_t from = addresses.of(i);
    from < 0 ? mover.zero(at) : mover.copy(at, c.operands[0], from);
  });
}

// combine(what is there, the update).
template <class F>
void evaluate_scatter(const EvalContext& c) {
  Mover(c).copy_all(c.operands[0]);
  const Shape& shape = c.operands[2].type->shape;
  Addresses addresses(c, c.type.shape, shape);
  visit_computing(c.type.dtype, [&](auto zero) {
    auto update = c.operands[2].as<decltype(zero)>();
    auto out = c.result<decltype(zero)>();
    for_each_index(shape, [&](const Shape& i, int64_t from) {
      int64_t to = addresses.of(i);
      if (to < 0) return;
      auto& o = out[static_cast<size_t>(to)];
      o = F()(o, update[static_cast<size_t>(from)]);
    });
  });
}

// The windows one after the other: where they overlap that of the last index stays.
void evaluate_scatter_set(const EvalContext& c) {
  Mover mover(c);
  mover.copy_all(c.operands[0]);
  const Shape& shape = c.operands[2].type->shape;
  Ints offset_dims = c.attrs.ints(Key::offset_dims);
  Addresses addresses(c, c.type.shape, shape);
  std::vector<size_t> order;
  for (size_t d = 0; d < shape.size(); ++d)
    if (!contains(offset_dims, static_cast<int64_t>(d))) order.push_back(d);
  order.insert(order.end(), offset_dims.begin(), offset_dims.end());
  Shape ordered, i = shape;
  for (size_t d : order) ordered.push_back(shape[d]);
  for_each_index(ordered, [&](const Shape& at, int64_t) {
    for (size_t d = 0; d < order.size(); ++d) i[order[d]] = at[d];
    int64_t to = addresses.of(i);
    if (to >= 0) mover.copy(to, c.operands[2], position(shape, i));
  });
}

// Starts, clamped such that a part of shape `sizes` lies within `whole`.
Shape clamped_starts(const EvalContext& c, size_t first, const Shape& whole, const Shape& sizes) {
  Shape starts = whole;
  for (size_t d = 0; d < whole.size(); ++d)
    starts[d] = std::clamp<int64_t>(integer_at(c.operands[first + d], 0), 0, whole[d] - sizes[d]);
  return starts;
}
Shape sum(const Shape& a, const Shape& b) {
  Shape result = a;
  for (size_t d = 0; d < a.size(); ++d) result[d] += b[d];
  return result;
}

void evaluate_dynamic_slice(const EvalContext& c) {
  Mover mover(c);
  const Shape& whole = c.operands[0].type->shape;
  Shape starts = clamped_starts(c, 1, whole, c.type.shape);
  for_each_index(c.type.shape,
                 [&](const Shape& i, int64_t at) { mover.copy(at, c.operands[0], position(whole, sum(starts, i))); });
}

void evaluate_dynamic_update_slice(const EvalContext& c) {
  Mover mover(c);
  mover.copy_all(c.operands[0]);
  const Shape& part = c.operands[1].type->shape;
  Shape starts = clamped_starts(c, 2, c.type.shape, part);
  for_each_index(
      part, [&](const Shape& i, int64_t at) { mover.copy(position(c.type.shape, sum(starts, i)), c.operands[1], at); });
}

// ---- derivatives of scatters that multiply or compare

// The slice sizes of the gather that reads what a scatter of `updates` writes.
std::vector<int64_t> slice_sizes(const GatherDims& dims, const Shape& operand, const Shape& updates) {
  std::vector<int64_t> sizes(operand.size(), 1), window = window_axes(dims, operand.size());
  for (size_t w = 0; w < window.size(); ++w)
    sizes[static_cast<size_t>(window[w])] = updates[static_cast<size_t>(dims.offset_dims[w])];
  return sizes;
}

// Which of the updates (of what is there) are in the result: they share the tangent equally.
Value jvp_scatter_extremum(const JvpContext& c) {
  Builder& b = c.b;
  GatherDims dims = gather_dims(c.attrs);
  const IndexMode mode = c.attrs.mode();
  const bool unique = c.attrs.integer(Key::unique) != 0;
  Value x = c.primals[0], indices = c.primals[1], updates = c.primals[2];
  Value chosen = build::gather(b, c.out, indices, dims, slice_sizes(dims, b.shape(x), b.shape(updates)), mode);
  Value stays = build::compare(b, x, c.out, Direction::eq), comes = build::compare(b, updates, chosen, Direction::eq);
  auto scattered = [&](Value own, Value others) {
    return build::scatter_add(b, own, indices, others, dims, mode, unique);
  };
  auto tangent = [&](size_t operand, Value where) {
    Value zero = build::zeros_like(b, c.primals[operand]);
    return c.has(operand) ? build::where(b, where, c.tangents[operand], zero) : zero;
  };
  Value count = scattered(build::convert(b, stays, b.dtype(x)), build::convert(b, comes, b.dtype(x)));
  return build::div(b, scattered(tangent(0, stays), tangent(2, comes)), count);
}

// The updates in the order of the elements that they go to, as runs of factors: prefixes of each run and their
// derivatives are linear recurrences, which divide by no factor, and the last of a run is the product of it.
class Runs {
 public:
  explicit Runs(const JvpContext& c) : b_(c.b), shape_(b_.shape(c.primals[0])) {
    GatherDims dims = gather_dims(c.attrs);
    const Shape& updates = b_.shape(c.primals[2]);
    size_ = updates.numel();
    // Places from 1 on; 0 is outside.
    Value places = build::iota(b_, DType::i64, {shape_.numel()}, 0);
    places = build::add(b_, places, build::constant_int(b_, DType::i64, {shape_.numel()}, 1));
    places = build::gather(b_, build::reshape(b_, places, shape_), c.primals[1], dims,
                           slice_sizes(dims, shape_, updates), c.attrs.mode());
    Value operands[] = {build::reshape(b_, places, {size_}), build::iota(b_, DType::i64, {size_}, 0)};
    places_ = build::sort(b_, operands, 0, false);
    order_ = places_ + 1;
    Value same = build::compare(b_, build::slice_axis(b_, places_, 0, 1, size_),
                                build::slice_axis(b_, places_, 0, 0, size_ - 1), Direction::eq);
    const std::vector<int64_t> one = {1}, none = {0};
    continues_ = build::pad(b_, same, build::constant(b_, DType::boolean, {}, 0), one, none, none);
  }

  Value in_order(Value updates) const { return taken_along(b_, build::reshape(b_, updates, {size_}), order_, 0); }
  // r of `first` at the begin of each run, then of factor * r + term.
  Value recurrence(Value factor, Value term) const {
    return build::linear_recurrence(b_, build::where(b_, continues_, factor, build::zeros_like(b_, factor)), term, 0);
  }
  // 1 where a run begins, else 0.
  Value begins(DType dtype) const { return build::convert(b_, build::unary(b_, Op::not_op, continues_), dtype); }
  // In x's shape: the last of each run, elsewhere `rest`.
  Value lasts(Value runs, double rest) const {
    const int64_t n = shape_.numel() + 1;
    Value all = build::constant(b_, b_.dtype(runs), {n}, rest);
    all = build::scatter_set(b_, all, build::reshape(b_, places_, {size_, 1}), runs, {{}, {0}, {0}, {}, {}},
                             IndexMode::clip, false);
    return build::reshape(b_, build::slice_axis(b_, all, 0, 1, n), shape_);
  }

 private:
  Builder& b_;
  Shape shape_;
  int64_t size_ = 0;
  Value places_ = kNoValue, order_ = kNoValue, continues_ = kNoValue;
};

Value jvp_scatter_mul(const JvpContext& c) {
  Builder& b = c.b;
  if (b.shape(c.primals[2]).numel() == 0) return c.tangents[0];
  Runs runs(c);
  Value u = runs.in_order(c.primals[2]), begins = runs.begins(b.dtype(u));
  Value before = runs.recurrence(build::shifted_along(b, u, 0, false, 1), begins);  // the product of those before
  Value result = kNoValue;
  if (c.has(0)) result = c.times(c.tangents[0], runs.lasts(build::mul(b, before, u), 1));
  if (!c.has(2)) return result;
  Value t = runs.recurrence(u, c.times(runs.in_order(c.tangents[2]), before));
  return build::add_any(b, result, c.times(runs.lasts(t, 0), c.primals[0]));
}

// ---- transposition

void transpose_dynamic_slice(const TransposeContext& c) {
  c.cotangents[0] = build::dynamic_update_slice(c.b, build::zeros(c.b, *c.types[0]), c.ct, c.operands.subspan(1));
}

void transpose_dynamic_update_slice(const TransposeContext& c) {
  auto starts = c.operands.subspan(2);
  if (c.linear(0)) c.cotangents[0] = build::dynamic_update_slice(c.b, c.ct, build::zeros(c.b, *c.types[1]), starts);
  if (c.linear(1)) c.cotangents[1] = build::dynamic_slice(c.b, c.ct, starts, c.types[1]->shape);
}

void transpose_gather(const TransposeContext& c) {
  c.cotangents[0] = build::scatter_add(c.b, build::zeros(c.b, *c.types[0]), c.operands[1], c.ct, gather_dims(c.attrs),
                                       c.attrs.mode(), false);
}

void transpose_scatter_add(const TransposeContext& c) {
  GatherDims dims = gather_dims(c.attrs);
  if (c.linear(0)) c.cotangents[0] = c.ct;
  if (c.linear(2))
    c.cotangents[2] = build::gather(c.b, c.ct, c.operands[1], dims,
                                    slice_sizes(dims, c.types[0]->shape, c.types[2]->shape), c.attrs.mode());
}

// An update has a cotangent where it was the last writer.
void transpose_scatter_set(const TransposeContext& c) {
  Builder& b = c.b;
  GatherDims dims = gather_dims(c.attrs);
  IndexMode mode = c.attrs.mode();
  const Type &x = *c.types[0], &updates = *c.types[2];
  Value indices = c.operands[1];
  const bool one_index = b.shape(indices).numel() == static_cast<int64_t>(dims.index_map.size());
  bool unique = one_index || c.attrs.integer(Key::unique) != 0;
  std::vector<int64_t> sizes = slice_sizes(dims, x.shape, updates.shape);
  // Read before it is overwritten: so it may be in place.
  Value read = c.linear(2) ? build::gather(b, c.ct, indices, dims, sizes, mode) : kNoValue;
  if (c.linear(0)) c.cotangents[0] = build::scatter_set(b, c.ct, indices, build::zeros(b, updates), dims, mode, unique);
  if (!c.linear(2)) return;
  if (!unique) {
    Value number = build::reshape(b, build::iota(b, DType::i64, Shape{updates.shape.numel()}, 0), updates.shape);
    Value writer = build::constant_int(b, DType::i64, x.shape, -1);
    writer = build::scatter_set(b, writer, indices, number, dims, mode, false);
    Value last = build::compare(b, build::gather(b, writer, indices, dims, sizes, mode), number, Direction::eq);
    read = build::where(b, last, read, build::zeros(b, updates));
  }
  c.cotangents[2] = read;
}

// ---- batching

// Index vectors [size, rank] of starts, one of which at least is batched.
Value index_vectors(const BatchContext& c, size_t first) {
  std::vector<Value> columns;
  for (size_t i = first; i < c.operands.size(); ++i)
    columns.push_back(build::reshape(c.b, c.materialised(i), Shape{c.size, 1}));
  return build::concat(c.b, columns, 1);
}

bool any_batched(const BatchContext& c, size_t first) {
  return std::ranges::any_of(c.batched.subspan(first), [](bool x) { return x; });
}

// Windows of full rank, one a lane.
GatherDims lane_windows(size_t rank, bool batched_operand) {
  GatherDims dims;
  dims.offset_dims = shifted(build::all_axes(rank));
  dims.index_map = batched_operand ? dims.offset_dims : build::all_axes(rank);
  if (batched_operand) dims.operand_batch = dims.index_batch = {0};
  return dims;
}

std::vector<Value> starts_from_lane_0(const BatchContext& c, size_t first) {
  std::vector<Value> starts = {build::constant_int(c.b, DType::i64, {}, 0)};
  starts.insert(starts.end(), c.operands.begin() + static_cast<std::ptrdiff_t>(first), c.operands.end());
  return starts;
}

Value batch_dynamic_slice(const BatchContext& c) {
  Ints sizes = c.attrs.ints(Key::sizes);
  if (!any_batched(c, 1))
    return build::dynamic_slice(c.b, c.operands[0], starts_from_lane_0(c, 1), with_front(c.size, sizes));
  GatherDims dims = lane_windows(sizes.size(), c.batched[0]);
  Shape window = c.batched[0] ? with_front(1, sizes) : Shape(sizes);
  if (sizes.empty()) return c.operands[0];
  return build::gather(c.b, c.operands[0], index_vectors(c, 1), dims, window, IndexMode::clip);
}

Value batch_dynamic_update_slice(const BatchContext& c) {
  Value x = c.materialised(0), update = c.materialised(1);
  if (!any_batched(c, 2)) return build::dynamic_update_slice(c.b, x, update, starts_from_lane_0(c, 2));
  return build::scatter_set(c.b, x, index_vectors(c, 2), update, lane_windows(c.type.shape.size(), true),
                            IndexMode::clip, true);
}

// Lanes of the operand are an offset axis where the indices are shared, an axis of the indices where it is shared, and
// an operand_batch axis where both are batched.
GatherDims batched_dims(const GatherDims& dims, bool operand, bool indices) {
  GatherDims r = dims;
  r.offset_dims = shifted(dims.offset_dims);
  if (operand) {
    r.collapsed = shifted(dims.collapsed);
    r.index_map = shifted(dims.index_map);
    r.operand_batch = shifted(dims.operand_batch);
  }
  if (indices) r.index_batch = shifted(dims.index_batch);
  if (operand && indices) {
    r.operand_batch.insert(r.operand_batch.begin(), 0);
    r.index_batch.insert(r.index_batch.begin(), 0);
  } else if (operand) {
    r.offset_dims.insert(r.offset_dims.begin(), 0);
  }
  return r;
}

Value batch_gather(const BatchContext& c) {
  bool operand = c.batched[0], indices = c.batched[1];
  Ints sizes = c.attrs.ints(Key::sizes);
  std::vector<int64_t> window(sizes.begin(), sizes.end());
  if (operand) window.insert(window.begin(), indices ? 1 : c.size);
  return build::gather(c.b, c.operands[0], c.operands[1], batched_dims(gather_dims(c.attrs), operand, indices), window,
                       c.attrs.mode());
}

Value batch_scatter(const BatchContext& c) {
  GatherDims dims = batched_dims(gather_dims(c.attrs), true, c.batched[1]);
  return build::scatter(c.b, c.op, c.materialised(0), c.operands[1], c.materialised(2), dims, c.attrs.mode(),
                        c.attrs.integer(Key::unique) != 0);
}

}  // namespace

void define_indexing(RuleTable& table) {
  Rules dynamic_slice =
      linear(infer_dynamic_slice, evaluate_dynamic_slice, transpose_dynamic_slice, batch_dynamic_slice);
  dynamic_slice.movement = none("data tell where it starts");
  table.define(Op::dynamic_slice_op, dynamic_slice);
  table.define(Op::dynamic_update_slice_op, linear(infer_dynamic_update_slice, evaluate_dynamic_update_slice,
                                                   transpose_dynamic_update_slice, batch_dynamic_update_slice));
  auto indexing = [&](Op op, Rules rules) {
    rules.faults = {index_faults, index_out_of_range, guard_indices};
    table.define(op, rules);
  };
  indexing(Op::gather_op, linear(infer_gather, evaluate_gather, transpose_gather, batch_gather));
  using Plus = decltype([](auto x, auto y) { return plus(x, y); });
  using Times = decltype([](auto x, auto y) { return times(x, y); });
  using Max = decltype([](auto x, auto y) { return extremum<true>(x, y); });
  using Min = decltype([](auto x, auto y) { return extremum<false>(x, y); });
  indexing(Op::scatter_add_op, linear(infer_scatter, evaluate_scatter<Plus>, transpose_scatter_add, batch_scatter));
  indexing(Op::scatter_mul_op, {infer_scatter, evaluate_scatter<Times>, jvp_scatter_mul, kNotLinear, batch_scatter});
  indexing(Op::scatter_max_op, {infer_scatter, evaluate_scatter<Max>, jvp_scatter_extremum, kNotLinear, batch_scatter});
  indexing(Op::scatter_min_op, {infer_scatter, evaluate_scatter<Min>, jvp_scatter_extremum, kNotLinear, batch_scatter});
  indexing(Op::scatter_set_op, linear(infer_scatter, evaluate_scatter_set, transpose_scatter_set, batch_scatter));
}

}  // namespace jot::ir
