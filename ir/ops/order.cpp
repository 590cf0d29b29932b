// The order of elements along an axis.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ir/ops/classes.h"
#include "ir/ops/evaluate.h"
#include "ir/ops/order.h"
#include "ir/ops/total.h"

namespace jot::ir {

Value taken_along(Builder& b, Value x, Value positions, int64_t dim) {
  build::GatherDims dims;
  auto rank = static_cast<int64_t>(b.shape(x).size());
  for (int64_t d = 0; d < rank; ++d)
    if (d != dim) {
      dims.operand_batch.push_back(d);
      dims.index_batch.push_back(d);
    }
  dims.collapsed = dims.index_map = {dim};
  Shape indices = b.shape(positions);
  indices.push_back(1);
  std::vector<int64_t> ones(static_cast<size_t>(rank), 1);
  return build::gather(b, x, build::reshape(b, positions, indices), dims, ones, IndexMode::clip);
}

namespace {

// ---- sort: keys and what moves along with them

void infer_sort(const InferContext& c, std::vector<Type>& results) {
  expect_allowed(c, 0);
  int64_t dim = c.attrs.integer(Key::dim);
  expect_axes(c, "dim", Ints(&dim, 1), c.shape(0).size());
  for (size_t i = 0; i < c.operands.size(); ++i) {
    if (c.shape(i) != c.shape(0))
      c.shape_error("operands must have one shape: expected " + to_string(c.shape(0)) + ", got " +
                    to_string(c.shape(i)));
    results.push_back(*c.operands[i]);
  }
}

void evaluate_sort(const EvalContext& c) {
  const Shape& shape = c.type.shape;
  auto dim = static_cast<size_t>(c.attrs.integer(Key::dim));
  int64_t n = shape[dim], inner = shape.slice(dim + 1, shape.size()).numel();
  std::vector<int64_t> order(static_cast<size_t>(n));
  visit_computing(c.operands[0].type->dtype, [&](auto zero) {
    auto keys = c.operands[0].as<decltype(zero)>();
    for (int64_t line = 0; line < shape.slice(0, dim).numel() * inner; ++line) {
      int64_t first = line / inner * n * inner + line % inner;
      auto key = [&](int64_t i) { return keys[static_cast<size_t>(first + i * inner)]; };
      std::iota(order.begin(), order.end(), int64_t{0});
      sort_by_key(order, key, c.attrs.integer(Key::descending) != 0);
      for (size_t k = 0; k < c.operands.size(); ++k) {
        auto size = static_cast<size_t>(size_of(c.types[k]->dtype));
        for (int64_t i = 0; i < n; ++i)
          std::memcpy(c.outs[k] + static_cast<size_t>(first + i * inner) * size,
                      c.operands[k].data + static_cast<size_t>(first + order[static_cast<size_t>(i)] * inner) * size,
                      size);
      }
    }
  });
}

// Tangents move as their primals do: the primal sort is made again with the positions along.
void jvp_sort(const JvpContext& c, std::span<Value> tangents) {
  Builder& b = c.b;
  int64_t dim = c.attrs.integer(Key::dim);
  std::vector<Value> operands(c.primals.begin(), c.primals.end());
  operands.push_back(build::iota(b, DType::i64, b.shape(c.primals[0]), dim));
  Value first = b.emit(c.op, operands, c.attrs);
  Value positions = first + static_cast<Value>(c.primals.size());
  for (size_t i = 0; i < c.primals.size(); ++i) {
    c.outs[i] = first + static_cast<Value>(i);
    if (c.has(i)) tangents[i] = taken_along(b, c.tangents[i], positions, dim);
  }
}

void batch_sort(const BatchContext& c, std::span<Value> results, std::span<bool>) {
  std::vector<Value> operands;
  for (size_t i = 0; i < c.operands.size(); ++i) operands.push_back(c.materialised(i));
  Value first = c.b.emit(c.op, operands, Attrs(c.attrs.integer(Key::dim) + 1, c.attrs.integer(Key::descending)));
  for (size_t i = 0; i < results.size(); ++i) results[i] = first + static_cast<Value>(i);
}

// ---- where extrema are

Type infer_argmax(const InferContext& c) {
  expect_allowed(c, 0);
  const int64_t dim = c.attrs.integer(Key::dim);
  expect_axes(c, "dim", Ints(&dim, 1), c.shape(0).size());
  const auto d = static_cast<size_t>(dim);
  if (c.shape(0)[d] == 0)
    c.shape_error("dim " + std::to_string(dim) + " of " + to_string(c.shape(0)) +
                  " has no elements; expected at least one");
  return {DType::i64, false, c.shape(0).slice(0, d) + c.shape(0).slice(d + 1, c.shape(0).size())};
}

template <bool kMax>
void evaluate_argmax(const EvalContext& c) {
  const Shape& shape = c.operands[0].type->shape;
  const auto dim = static_cast<size_t>(c.attrs.integer(Key::dim));
  const int64_t n = shape[dim], inner = shape.slice(dim + 1, shape.size()).numel();
  visit_computing(c.operands[0].type->dtype, [&](auto zero) {
    auto x = c.operands[0].as<decltype(zero)>();
    auto places = c.result<int64_t>();
    for (size_t line = 0; line < places.size(); ++line) {
      const auto l = static_cast<int64_t>(line), first = l / inner * n * inner + l % inner;
      auto at = [&](int64_t i) { return x[static_cast<size_t>(first + i * inner)]; };
      int64_t& place = places[line] = 0;
      for (int64_t i = 1; i < n; ++i)
        if (takes_over<kMax>(at(i), at(place))) place = i;
    }
  });
}

Value batch_argmax(const BatchContext& c) {
  return c.b.emit(c.op, {c.operands[0]}, Attrs(c.attrs.integer(Key::dim) + 1));
}

// ---- top_k

void infer_top_k(const InferContext& c, std::vector<Type>& results) {
  expect_allowed(c, 0);
  const int64_t dim = c.attrs.integer(Key::dim), k = c.attrs.integer(Key::n);
  expect_axes(c, "dim", Ints(&dim, 1), c.shape(0).size());
  Shape shape = c.shape(0);
  int64_t& extent = shape[static_cast<size_t>(dim)];
  if (k < 0 || k > extent)
    c.shape_error("n must be from 0 to the extent of dim " + std::to_string(dim) + ", " + std::to_string(extent) +
                  ": got " + std::to_string(k));
  extent = k;
  results.push_back({c.dtype(0), false, shape});
  results.push_back({DType::i64, false, shape});
}

void evaluate_top_k(const EvalContext& c) {
  const Shape& shape = c.operands[0].type->shape;
  auto dim = static_cast<size_t>(c.attrs.integer(Key::dim));
  const int64_t n = shape[dim], k = c.attrs.integer(Key::n), inner = shape.slice(dim + 1, shape.size()).numel();
  std::vector<int64_t> order(static_cast<size_t>(n));
  visit_computing(c.operands[0].type->dtype, [&](auto zero) {
    auto x = c.operands[0].as<decltype(zero)>();
    auto values = c.result<decltype(zero)>();
    auto places = c.result<int64_t>(1);
    for (int64_t line = 0; line < shape.slice(0, dim).numel() * inner; ++line) {
      const int64_t first = line / inner * n * inner + line % inner, to = line / inner * k * inner + line % inner;
      auto key = [&](int64_t i) { return x[static_cast<size_t>(first + i * inner)]; };
      std::iota(order.begin(), order.end(), int64_t{0});
      sort_by_key(order, key, c.attrs.integer(Key::descending) != 0);
      for (int64_t i = 0; i < k; ++i) {
        values[static_cast<size_t>(to + i * inner)] = key(order[static_cast<size_t>(i)]);
        places[static_cast<size_t>(to + i * inner)] = order[static_cast<size_t>(i)];
      }
    }
  });
}

void jvp_top_k(const JvpContext& c, std::span<Value> tangents) {
  tangents[0] = taken_along(c.b, c.tangents[0], c.outs[1], c.attrs.integer(Key::dim));
}

void batch_top_k(const BatchContext& c, std::span<Value> results, std::span<bool>) {
  results[0] =
      c.b.emit(c.op, {c.operands[0]},
               Attrs(c.attrs.integer(Key::dim) + 1, c.attrs.integer(Key::n), c.attrs.integer(Key::descending)));
  results[1] = results[0] + 1;
}

}  // namespace

void define_order(RuleTable& table) {
  table.define(Op::argmax_op, {infer_argmax, evaluate_argmax<true>, kNoTangent, kNotLinear, batch_argmax});
  table.define(Op::argmin_op, {infer_argmax, evaluate_argmax<false>, kNoTangent, kNotLinear, batch_argmax});
  table.define(Op::top_k_op, {infer_top_k, evaluate_top_k, jvp_top_k, kNotLinear, batch_top_k});
  table.define(Op::sort_op, {infer_sort, evaluate_sort, jvp_sort, kNotLinear, batch_sort});
}

}  // namespace jot::ir
