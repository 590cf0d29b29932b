// Smart constructors: one function per op with its attributes as C++ arguments. What they simplify away is only what
// changes no bit: identities of data movement (reshape to the same shape, a whole slice, ...).
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "ir/builder.h"

namespace jot::ir::build {

// sources
Value constant(Builder& b, DType dtype, const Shape& shape, double value);  // splat; converted to dtype
Value constant_int(Builder& b, DType dtype, const Shape& shape, int64_t value);
Value constant_data(Builder& b, DType dtype, const Shape& shape, Ints data);  // as Key::data says
Value zeros_like(Builder& b, Value x);
Value iota(Builder& b, DType dtype, const Shape& shape, int64_t dim);
Value identity(Builder& b, DType dtype, const Shape& shape);

// axes
std::vector<int64_t> all_axes(size_t rank);  // 0, 1, ...
std::vector<int64_t> inverse(Ints perm);     // of a permutation

// movement
Value broadcast(Builder& b, Value x, const Shape& shape, Ints dims);
Value broadcast_scalar(Builder& b, Value x, const Shape& shape);  // a 0-d value to any shape
Value broadcast_to(Builder& b, Value x, const Shape& shape);      // numpy's rule: aligned at the last axis
Value reshape(Builder& b, Value x, const Shape& shape);
Value permute(Builder& b, Value x, Ints perm);
Value slice(Builder& b, Value x, Ints start, Ints limit, Ints stride);
Value slice_axis(Builder& b, Value x, int64_t axis, int64_t start, int64_t limit, int64_t stride = 1);
Value pad(Builder& b, Value x, Value value, Ints lo, Ints hi, Ints interior);
Value pad_zero(Builder& b, Value x, Ints lo, Ints hi, Ints interior);
Value concat(Builder& b, std::span<const Value> parts, int64_t dim);
Value rev(Builder& b, Value x, Ints dims);
Value diag_embed(Builder& b, Value x, int64_t batch_dims);
Value dynamic_slice(Builder& b, Value x, std::span<const Value> starts, Ints sizes);
Value dynamic_update_slice(Builder& b, Value x, Value update, std::span<const Value> starts);

// How gather and the scatters address their operand; see ir/ops/indexing.cpp.
struct GatherDims {
  std::vector<int64_t> offset_dims, collapsed, index_map, operand_batch, index_batch;
};
Value gather(Builder& b, Value x, Value indices, const GatherDims& dims, Ints sizes, IndexMode mode);
Value scatter(Builder& b, Op op, Value x, Value indices, Value updates, const GatherDims& dims, IndexMode mode,
              bool unique);
inline Value scatter_add(Builder& b, Value x, Value indices, Value updates, const GatherDims& dims, IndexMode mode,
                         bool unique) {
  return scatter(b, Op::scatter_add_op, x, indices, updates, dims, mode, unique);
}
inline Value scatter_set(Builder& b, Value x, Value indices, Value updates, const GatherDims& dims, IndexMode mode,
                         bool unique) {
  return scatter(b, Op::scatter_set_op, x, indices, updates, dims, mode, unique);
}

// elementwise
Value where(Builder& b, Value pred, Value x, Value y);
Value demand(Builder& b, Value x, Value fine, Value found);  // fine and found 0-d or of x's shape
Value convert(Builder& b, Value x, DType dtype);
Value unary(Builder& b, Op op, Value x);
Value binary(Builder& b, Op op, Value x, Value y);
inline Value add(Builder& b, Value x, Value y) { return binary(b, Op::add_op, x, y); }
inline Value sub(Builder& b, Value x, Value y) { return binary(b, Op::sub_op, x, y); }
inline Value mul(Builder& b, Value x, Value y) { return binary(b, Op::mul_op, x, y); }
inline Value mul_no_nan(Builder& b, Value x, Value y) { return binary(b, Op::mul_no_nan_op, x, y); }
inline Value div(Builder& b, Value x, Value y) { return binary(b, Op::div_op, x, y); }
inline Value neg(Builder& b, Value x) { return unary(b, Op::neg_op, x); }
Value scale(Builder& b, Value x, double factor);  // x * factor
Value zeros(Builder& b, const Type& type);
Value or_zeros(Builder& b, Value v, const Type& type);  // v, or if it is kNoValue zeros
Value add_any(Builder& b, Value x, Value y);            // kNoValue is a symbolic zero
Value integer_pow(Builder& b, Value x, int64_t n);
// The same, where one is a scatter into zeros: the other is scattered into.
Value accumulated(Builder& b, Value sum, Value ct);
Value compare(Builder& b, Value x, Value y, Direction direction);

// order: the first of as many results
Value sort(Builder& b, std::span<const Value> operands, int64_t dim, bool descending);
Value top_k(Builder& b, Value x, int64_t dim, int64_t k, bool descending);

// cumulative
Value cumulative(Builder& b, Op op, Value x, int64_t dim, bool reverse = false);  // the first of its results
Value linear_recurrence(Builder& b, Value a, Value x, int64_t dim, bool reverse = false);
// Of each element the one before it along dim (reverse: after it), of the first `start`.
Value shifted_along(Builder& b, Value x, int64_t dim, bool reverse, double start);

// control: the first of its results
Value cond(Builder& b, Value index, std::span<const Graph> branches, std::span<const Value> operands);
// operands: consts, carries, xs.
Value scan(Builder& b, const Graph& body, int64_t length, bool reverse, size_t consts, size_t carries,
           std::span<const Value> operands);
// operands: consts, carries. max_steps: -1 for none. length: the number of steps, -1 where it is not known.
Value while_loop(Builder& b, const Graph& condition, const Graph& body, size_t consts, int64_t max_steps,
                 std::span<const Value> operands, int64_t length = -1, int64_t checkpoints = 0);

// reductions and contractions
Value reduce(Builder& b, Op op, Value x, Ints dims);
inline Value reduce_sum(Builder& b, Value x, Ints dims) { return reduce(b, Op::reduce_sum_op, x, dims); }
Value dot(Builder& b, Value x, Value y, Ints contract_x, Ints contract_y, Ints batch_x, Ints batch_y);
// How a window moves along dims: a list each, one entry a dim; empty strides and dilations are ones, empty lo and hi
// zeros.
struct Windows {
  std::vector<int64_t> stride, lo, hi, x_dilation, w_dilation;
};
// Axes of conv's operands, of x and of w, as in ir/ops/conv.cpp.
struct ConvAxes {
  std::vector<int64_t> contract[2], batch[2], spatial[2];
};
Value conv(Builder& b, Value x, Value w, const ConvAxes& axes, const Windows& windows, bool flip, Ints perm);
Value reduce_window_sum(Builder& b, Value x, Ints dims, Ints sizes, const Windows& windows);
// The first of two results: the greatest elements; behind it their positions.
Value window_argmax(Builder& b, Value x, Ints dims, Ints sizes, const Windows& windows);

}  // namespace jot::ir::build
