#include "ir/build.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "ir/rules.h"

namespace jot::ir::build {
namespace {

bool is_counting(Ints list) {
  for (size_t i = 0; i < list.size(); ++i)
    if (list[i] != static_cast<int64_t>(i)) return false;
  return true;
}
bool all_equal(Ints list, int64_t value) {
  return std::ranges::all_of(list, [value](int64_t x) { return x == value; });
}

// The result type of an op that is not emitted. Throws as Builder::emit does.
Type infer(const Builder& b, Op op, Value x, const Attrs& attrs) {
  const Type* operands[] = {&b.type(x)};
  return rules(op).infer.fn.one({op, operands, {op, attrs.words()}, b.location()});
}

// The word of a constant whose elements are all equal.
std::optional<int64_t> splat_word(const Builder& b, Value x) {
  if (b.op(x) != Op::const_op) return {};
  Ints data = b.attrs(x).ints(Key::data);
  if (data.size() != 1) return {};
  return data[0];
}
Value splat(Builder& b, DType dtype, const Shape& shape, int64_t word) {
  if (dtype == DType::u8) word = static_cast<uint8_t>(word);
  return b.emit(Op::const_op, {}, Attrs(shape, dtype, Ints(&word, 1)));
}

// Moving the elements of a splat constant gives a splat constant.
Value movement(Builder& b, Op op, Value x, const Attrs& attrs) {
  if (auto word = splat_word(b, x)) {
    Type type = infer(b, op, x, attrs);
    return splat(b, type.dtype, type.shape, *word);
  }
  return b.emit(op, {x}, attrs);
}

// Truncates; saturates, of u8 modulo 256; NaN becomes 0.
int64_t to_integer(double value, DType dtype) {
  if (dtype == DType::boolean) return value != 0;
  if (std::isnan(value)) return 0;
  if (dtype == DType::i32) return static_cast<int64_t>(std::clamp(value, -0x1p31, 0x1p31 - 1));
  if (value >= 0x1p63) return std::numeric_limits<int64_t>::max();
  if (value < -0x1p63) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(value);
}
int64_t float_word(double value, DType dtype) {
  return visit_dtype(dtype, [&](auto zero) {
    return std::bit_cast<int64_t>(static_cast<double>(static_cast<decltype(zero)>(value)));
  });
}

}  // namespace

// ---- sources

Value constant(Builder& b, DType dtype, const Shape& shape, double value) {
  return splat(b, dtype, shape, is_floating(dtype) ? float_word(value, dtype) : to_integer(value, dtype));
}

Value constant_int(Builder& b, DType dtype, const Shape& shape, int64_t value) {
  if (dtype == DType::boolean) return splat(b, dtype, shape, value != 0);
  return splat(b, dtype, shape, is_floating(dtype) ? float_word(static_cast<double>(value), dtype) : value);
}

Value constant_data(Builder& b, DType dtype, const Shape& shape, Ints data) {
  if (shape.numel() == 0) return splat(b, dtype, shape, 0);
  if (!data.empty() && all_equal(data, data[0]) && static_cast<int64_t>(data.size()) == shape.numel())
    return splat(b, dtype, shape, data[0]);
  return b.emit(Op::const_op, {}, Attrs(shape, dtype, data));
}

Value zeros_like(Builder& b, Value x) { return splat(b, b.dtype(x), b.shape(x), 0); }

Value iota(Builder& b, DType dtype, const Shape& shape, int64_t dim) {
  return b.emit(Op::iota_op, {}, Attrs(shape, dim, dtype));
}

Value identity(Builder& b, DType dtype, const Shape& shape) {
  if (shape.numel() == 1) return constant_int(b, dtype, shape + shape, 1);
  return b.emit(Op::identity_op, {}, Attrs(shape, dtype));
}

// ---- axes

std::vector<int64_t> all_axes(size_t rank) {
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

std::vector<int64_t> inverse(Ints perm) {
  std::vector<int64_t> result(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) result[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
  return result;
}

// ---- movement

Value broadcast(Builder& b, Value x, const Shape& shape, Ints dims) {
  if (b.shape(x) == shape && is_counting(dims) && dims.size() == shape.size()) return x;
  if (b.op(x) == Op::broadcast_op) {
    Ints inner = b.attrs(x).ints(Key::dims);
    Attrs attrs(shape, dims);
    infer(b, Op::broadcast_op, x, attrs);
    std::vector<int64_t> composed;
    for (int64_t d : inner) composed.push_back(dims[static_cast<size_t>(d)]);
    return movement(b, Op::broadcast_op, b.operand(x, 0), Attrs(shape, composed));
  }
  return movement(b, Op::broadcast_op, x, Attrs(shape, dims));
}

Value broadcast_scalar(Builder& b, Value x, const Shape& shape) { return broadcast(b, x, shape, {}); }

Value broadcast_to(Builder& b, Value x, const Shape& shape) {
  size_t rank = b.shape(x).size();
  std::vector<int64_t> dims;
  for (size_t i = 0; i < rank; ++i)
    dims.push_back(static_cast<int64_t>(shape.size()) - static_cast<int64_t>(rank) + static_cast<int64_t>(i));
  return broadcast(b, x, shape, dims);
}

Value reshape(Builder& b, Value x, const Shape& shape) {
  while (b.op(x) == Op::reshape_op && b.shape(x) != shape) x = b.operand(x, 0);
  if (b.shape(x) == shape) return x;
  return movement(b, Op::reshape_op, x, Attrs(shape));
}

Value permute(Builder& b, Value x, Ints perm) {
  std::vector<int64_t> composed(perm.begin(), perm.end());
  for (; b.op(x) == Op::permute_op; x = b.operand(x, 0)) {
    infer(b, Op::permute_op, x, Attrs(composed));
    Ints inner = b.attrs(x).ints(Key::perm);
    for (int64_t& d : composed) d = inner[static_cast<size_t>(d)];
  }
  if (is_counting(composed) && composed.size() == b.shape(x).size()) return x;
  return movement(b, Op::permute_op, x, Attrs(composed));
}

Value slice(Builder& b, Value x, Ints start, Ints limit, Ints stride) {
  if (std::ranges::equal(limit, Ints(b.shape(x))) && start.size() == limit.size() && stride.size() == limit.size() &&
      all_equal(start, 0) && all_equal(stride, 1))
    return x;
  return movement(b, Op::slice_op, x, Attrs(start, limit, stride));
}

Value slice_axis(Builder& b, Value x, int64_t axis, int64_t start, int64_t limit, int64_t stride) {
  Shape starts = b.shape(x), limits = b.shape(x), strides = b.shape(x);
  for (size_t i = 0; i < starts.size(); ++i) {
    bool chosen = static_cast<int64_t>(i) == axis;
    starts[i] = chosen ? start : 0;
    strides[i] = chosen ? stride : 1;
    if (chosen) limits[i] = limit;
  }
  return slice(b, x, starts, limits, strides);
}

Value pad(Builder& b, Value x, Value value, Ints lo, Ints hi, Ints interior) {
  size_t rank = b.shape(x).size();
  if (lo.size() == rank && hi.size() == rank && interior.size() == rank && all_equal(lo, 0) && all_equal(hi, 0) &&
      all_equal(interior, 0))
    return x;
  return b.emit(Op::pad_op, {x, value}, Attrs(lo, hi, interior));
}

Value pad_zero(Builder& b, Value x, Ints lo, Ints hi, Ints interior) {
  return pad(b, x, splat(b, b.dtype(x), {}, 0), lo, hi, interior);
}

Value concat(Builder& b, std::span<const Value> parts, int64_t dim) {
  if (parts.size() == 1) return parts[0];
  return b.emit(Op::concat_op, parts, Attrs(dim));
}

Value rev(Builder& b, Value x, Ints dims) {
  if (dims.empty()) return x;
  return movement(b, Op::rev_op, x, Attrs(dims));
}

Value diag_embed(Builder& b, Value x, int64_t batch_dims) {
  const Shape& s = b.shape(x);
  size_t batch = static_cast<size_t>(batch_dims);
  if (batch <= s.size()) {
    Shape embedded = s.slice(batch, s.size());
    if (embedded.numel() == 1) return reshape(b, x, s + embedded);
  }
  return b.emit(Op::diag_embed_op, {x}, Attrs(batch_dims));
}

Value dynamic_slice(Builder& b, Value x, std::span<const Value> starts, Ints sizes) {
  std::vector<Value> operands = {x};
  operands.insert(operands.end(), starts.begin(), starts.end());
  return b.emit(Op::dynamic_slice_op, operands, Attrs(sizes));
}

Value dynamic_update_slice(Builder& b, Value x, Value update, std::span<const Value> starts) {
  std::vector<Value> operands = {x, update};
  operands.insert(operands.end(), starts.begin(), starts.end());
  return b.emit(Op::dynamic_update_slice_op, operands);
}

Value gather(Builder& b, Value x, Value indices, const GatherDims& dims, Ints sizes, IndexMode mode) {
  return b.emit(Op::gather_op, {x, indices},
                Attrs(dims.offset_dims, dims.collapsed, dims.index_map, dims.operand_batch, dims.index_batch)
                    .add(sizes)
                    .add(mode));
}

Value scatter(Builder& b, Op op, Value x, Value indices, Value updates, const GatherDims& dims, IndexMode mode,
              bool unique) {
  return b.emit(op, {x, indices, updates},
                Attrs(dims.offset_dims, dims.collapsed, dims.index_map, dims.operand_batch, dims.index_batch)
                    .add(mode)
                    .add(int64_t{unique}));
}

// ---- elementwise

Value where(Builder& b, Value pred, Value x, Value y) { return b.emit(Op::where_op, {pred, x, y}); }

Value demand(Builder& b, Value x, Value fine, Value found) {
  return b.emit(Op::demand_op, {x, broadcast_to(b, fine, b.shape(x)), broadcast_to(b, found, b.shape(x))});
}

Value convert(Builder& b, Value x, DType dtype) {
  if (b.dtype(x) == dtype) return x;
  if (dtype == DType::u8 && is_floating(b.dtype(x))) x = convert(b, x, DType::i64);
  return b.emit(Op::convert_op, {x}, Attrs(dtype));
}

Value unary(Builder& b, Op op, Value x) { return b.emit(op, {x}); }

Value binary(Builder& b, Op op, Value x, Value y) { return b.emit(op, {x, y}); }

Value scale(Builder& b, Value x, double factor) {
  if (factor == 1) return x;
  return mul(b, x, constant(b, b.dtype(x), b.shape(x), factor));
}

Value zeros(Builder& b, const Type& type) { return constant_int(b, type.dtype, type.shape, 0); }
Value or_zeros(Builder& b, Value v, const Type& type) { return v != kNoValue ? v : zeros(b, type); }

Value add_any(Builder& b, Value x, Value y) {
  if (x == kNoValue) return y;
  if (y == kNoValue) return x;
  return b.emit(Op::add_any_op, {x, y});
}

Value accumulated(Builder& b, Value sum, Value ct) {
  if (sum == kNoValue || ct == kNoValue) return add_any(b, sum, ct);
  const GraphData& g = b.graph();
  auto into_zeros = [&](Value v) {
    if (g.op(v) != Op::scatter_add_op) return false;
    Value into = g.operand(v, 0);
    Ints data = g.op(into) == Op::const_op ? g.attrs(into).ints(Key::data) : Ints();
    return data.size() == 1 && data[0] == 0;
  };
  if (!into_zeros(ct)) std::swap(sum, ct);
  if (!into_zeros(ct)) return add_any(b, ct, sum);
  const std::vector<int64_t> words(g.words(ct).begin(), g.words(ct).end());
  return b.emit(Op::scatter_add_op, {sum, g.operand(ct, 1), g.operand(ct, 2)}, words);
}

Value integer_pow(Builder& b, Value x, int64_t n) { return b.emit(Op::integer_pow_op, {x}, Attrs(n)); }

Value compare(Builder& b, Value x, Value y, Direction direction) {
  return b.emit(Op::compare_op, {x, y}, Attrs(direction));
}

// ---- reductions and contractions

Value sort(Builder& b, std::span<const Value> operands, int64_t dim, bool descending) {
  return b.emit(Op::sort_op, operands, Attrs(dim, int64_t{descending}));
}

Value top_k(Builder& b, Value x, int64_t dim, int64_t k, bool descending) {
  return b.emit(Op::top_k_op, {x}, Attrs(dim, k, int64_t{descending}));
}

// ---- cumulative

Value cumulative(Builder& b, Op op, Value x, int64_t dim, bool reverse) {
  return b.emit(op, {x}, Attrs(dim, int64_t{reverse}));
}

Value linear_recurrence(Builder& b, Value a, Value x, int64_t dim, bool reverse) {
  return b.emit(Op::linear_recurrence_op, {a, x}, Attrs(dim, int64_t{reverse}));
}

Value shifted_along(Builder& b, Value x, int64_t dim, bool reverse, double start) {
  const std::vector<int64_t> none(b.shape(x).size(), 0);
  std::vector<int64_t> lo = none, hi = none;
  (reverse ? hi : lo)[static_cast<size_t>(dim)] = 1;
  (reverse ? lo : hi)[static_cast<size_t>(dim)] = -1;
  return pad(b, x, constant(b, b.dtype(x), {}, start), lo, hi, none);
}

Value cond(Builder& b, Value index, std::span<const Graph> branches, std::span<const Value> operands) {
  std::vector<Value> all = {index};
  all.insert(all.end(), operands.begin(), operands.end());
  return b.emit(Op::cond_op, all, Attrs().add(branches));
}

Value scan(Builder& b, const Graph& body, int64_t length, bool reverse, size_t consts, size_t carries,
           std::span<const Value> operands) {
  return b.emit(Op::scan_op, operands,
                Attrs()
                    .add(body)
                    .add(length)
                    .add(int64_t{reverse})
                    .add(static_cast<int64_t>(consts))
                    .add(static_cast<int64_t>(carries)));
}

Value while_loop(Builder& b, const Graph& condition, const Graph& body, size_t consts, int64_t max_steps,
                 std::span<const Value> operands, int64_t length, int64_t checkpoints) {
  const std::vector<int64_t> states = {static_cast<int64_t>(operands.size() - consts)}, forward = {0};
  return b.emit(Op::while_op, operands,
                Attrs()
                    .add(condition)
                    .add(std::span(&body, 1))
                    .add(states)
                    .add(forward)
                    .add(static_cast<int64_t>(consts))
                    .add(max_steps)
                    .add(length)
                    .add(checkpoints)
                    .add(std::vector<int64_t>{}));
}

Value reduce(Builder& b, Op op, Value x, Ints dims) {
  if (dims.empty()) return x;
  return b.emit(op, {x}, Attrs(dims));
}

Value dot(Builder& b, Value x, Value y, Ints contract_x, Ints contract_y, Ints batch_x, Ints batch_y) {
  return b.emit(Op::dot_op, {x, y}, Attrs(contract_x, contract_y, batch_x, batch_y));
}

namespace {

std::vector<int64_t> or_all(const std::vector<int64_t>& list, size_t n, int64_t value) {
  return list.empty() ? std::vector<int64_t>(n, value) : list;
}

}  // namespace

Value conv(Builder& b, Value x, Value w, const ConvAxes& axes, const Windows& windows, bool flip, Ints perm) {
  const size_t n = axes.spatial[0].size();
  Attrs attrs;
  for (const auto* pair : {&axes.contract, &axes.batch, &axes.spatial}) attrs.add((*pair)[0]).add((*pair)[1]);
  attrs.add(or_all(windows.stride, n, 1)).add(or_all(windows.lo, n, 0)).add(or_all(windows.hi, n, 0));
  attrs.add(or_all(windows.x_dilation, n, 1)).add(or_all(windows.w_dilation, n, 1));
  return b.emit(Op::conv_op, {x, w}, attrs.add(static_cast<int64_t>(flip)).add(perm));
}

Value reduce_window_sum(Builder& b, Value x, Ints dims, Ints sizes, const Windows& windows) {
  const size_t n = dims.size();
  Attrs attrs(dims, sizes, or_all(windows.stride, n, 1), or_all(windows.lo, n, 0), or_all(windows.hi, n, 0));
  return b.emit(Op::reduce_window_sum_op, {x},
                attrs.add(or_all(windows.x_dilation, n, 1)).add(or_all(windows.w_dilation, n, 1)));
}

Value window_argmax(Builder& b, Value x, Ints dims, Ints sizes, const Windows& windows) {
  const size_t n = dims.size();
  return b.emit(Op::window_argmax_op, {x},
                Attrs(dims, sizes, or_all(windows.stride, n, 1), or_all(windows.lo, n, 0), or_all(windows.hi, n, 0),
                      or_all(windows.w_dilation, n, 1)));
}

}  // namespace jot::ir::build
