// Random nodes of a graph, each of values that are there. What is made of them: random_graph.h.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "ir/build.h"
#include "tests/support/random_choice.h"

namespace jot::test {

struct RandomGraphOptions {
  int nodes = 40;               // about
  bool differentiable = false;  // smooth functions of f64 inputs whose values stay small
  bool effects = false;         // writes and reads too
  int loops = 1;                // how many of 24 nodes are a loop
};

class RandomNodes : protected RandomChoice {
 protected:
  using Value = ir::Value;
  using Op = ir::Op;

  RandomNodes(uint64_t seed, RandomGraphOptions options) : RandomChoice(seed), options_(options) {}

  DType any_dtype() {
    if (options_.differentiable) return f64;
    return pick({boolean, u8, i32, i64, bf16, f16, f32, f64});
  }
  Shape any_shape() {
    Shape s;
    for (int64_t rank = between(0, 3); rank > 0; --rank)
      s.push_back(options_.differentiable ? between(1, 3) : between(0, 3));
    return s;
  }
  std::vector<int64_t> any_perm(size_t rank) {
    std::vector<int64_t> perm = ir::build::all_axes(rank);
    std::shuffle(perm.begin(), perm.end(), random_);
    return perm;
  }

  void origin() {
    Location where = coin() ? Location{"model.cpp", static_cast<int>(between(1, 99))} : Location{};
    b_.set_origin(where, pick<const char*>({"", "", "net/l1", "vmap \"x\""}));
  }

  Value any() { return values_[below(values_.size())]; }
  // A value of this kind; made from another if need be.
  Value floating() {
    Value x = any();
    if (is_floating(b_.dtype(x))) return x;
    if (options_.differentiable) return ir::build::unary(b_, Op::tanh_op, ir::build::convert(b_, x, f64));
    return ir::build::convert(b_, x, pick({bf16, f16, f32, f64}));
  }
  Value numeric() {
    Value x = any();
    return b_.dtype(x) != boolean ? x : ir::build::convert(b_, x, i64);
  }
  // A value of this type, another than x if there is one.
  Value like(Value x) { return of(ir::Type(b_.type(x))); }
  Value of(const ir::Type& type) {
    for (int attempt = 0; attempt < 8; ++attempt)
      if (Value y = any(); b_.type(y) == type) return y;
    return constant(type);
  }
  Value number(int64_t n) { return ir::build::constant_data(b_, i64, {}, std::vector<int64_t>{n}); }

  int64_t element(DType dtype) {
    if (dtype == boolean) return between(0, 1);
    if (dtype == u8) return between(0, 255);
    if (!is_floating(dtype)) return coin() ? between(-5, 5) : static_cast<int32_t>(random_());
    double x = static_cast<double>(between(-1000, 1000)) / 997;
    if (!options_.differentiable && below(8) == 0)
      x = pick(
          {-0.0, 0.0, 1.0, HUGE_VAL, -HUGE_VAL, std::nan(""), -std::nan(""), 5e-324, 1.7976931348623157e308, 1e-45});
    if (!options_.differentiable && dtype == f64 && below(8) == 0) return static_cast<int64_t>(random_());  // any bits
    return visit_dtype(
        dtype, [&](auto zero) { return std::bit_cast<int64_t>(static_cast<double>(static_cast<decltype(zero)>(x))); });
  }

  Value constant(const ir::Type& type) {
    std::vector<int64_t> data;
    int64_t n = coin() ? 1 : type.shape.numel();
    for (int64_t i = 0; i < n; ++i) data.push_back(element(type.dtype));
    return ir::build::constant_data(b_, type.dtype, type.shape, data);
  }

  Value node() {
    if (below(12) == 0) return indexed();
    if (below(16) == 0) return windowed();
    if (below(16) == 0) return cumulative();
    switch (below(options_.differentiable ? 9 : 14)) {
      case 0:
        return ir::build::unary(b_, pick({Op::sin_op, Op::cos_op, Op::tanh_op, Op::logistic_op, Op::neg_op}),
                                floating());
      case 1: {
        Value x = numeric();
        Op op = options_.differentiable
                    ? pick({Op::add_op, Op::sub_op, Op::mul_op})
                    : pick({Op::add_op, Op::sub_op, Op::mul_op, Op::div_op, Op::max_op, Op::min_op, Op::add_any_op});
        Value y =
            below(3) == 0 ? ir::build::constant(b_, b_.dtype(x), b_.shape(x), pick({0.0, -0.0, 1.0, -1.0})) : like(x);
        return coin() ? ir::build::binary(b_, op, x, y) : ir::build::binary(b_, op, y, x);
      }
      case 2:
        return broadcast();
      case 3:
        return reshape();
      case 4: {
        Value x = any();
        return ir::build::permute(b_, x, any_perm(b_.shape(x).size()));
      }
      case 5:
        return slice();
      case 6:
        return pad();
      case 7:
        return reduce(options_.differentiable ? Op::reduce_sum_op
                                              : pick({Op::reduce_sum_op, Op::reduce_max_op, Op::reduce_min_op}));
      case 8:
        return dot();
      case 9:
        return constant({any_dtype(), false, any_shape()});
      case 10: {
        Value x = any();
        Value mask = ir::build::compare(b_, x, like(x), pick({ir::Direction::eq, ir::Direction::ne}));
        return ir::build::where(b_, mask, x, like(x));
      }
      case 11:
        return ir::build::convert(b_, any(), any_dtype());
      case 12: {
        Value x = any();
        size_t rank = b_.shape(x).size();
        if (rank == 0) return ir::build::integer_pow(b_, numeric(), between(-2, 3));
        auto axis = static_cast<int64_t>(below(rank));
        Value parts[] = {x, like(x), like(x), x};
        return ir::build::concat(b_, std::span<const Value>(parts).first(below(4) + 1), axis);
      }
      default:
        return ir::build::unary(b_, pick({Op::exp_op, Op::log_op, Op::sqrt_op, Op::floor_op}), floating());
    }
  }

  Value broadcast() {
    Value x = any();
    const Shape from = b_.shape(x);
    if (from.size() > 2) return ir::build::unary(b_, Op::neg_op, numeric());
    Shape to = from;
    std::vector<int64_t> dims = ir::build::all_axes(from.size());
    auto at = below(from.size() + 1);
    to.insert(at, between(1, 3));
    for (size_t d = at; d < dims.size(); ++d) ++dims[d];
    return ir::build::broadcast(b_, x, to, dims);
  }

  Value reshape() {
    Value x = any();
    const Shape from = b_.shape(x);
    if (coin() || from.empty()) return ir::build::reshape(b_, x, Shape{from.numel()});
    Shape to = from;
    to.insert(below(to.size() + 1), 1);
    return ir::build::reshape(b_, x, to);
  }

  Value slice() {
    Value x = any();
    std::vector<int64_t> start, limit, stride;
    for (int64_t d : b_.shape(x)) {
      start.push_back(d == 0 ? 0 : between(0, d - 1));
      limit.push_back(d == 0 ? 0 : between(start.back() + 1, d));
      stride.push_back(between(1, 2));
    }
    return ir::build::slice(b_, x, start, limit, stride);
  }

  Value pad() {
    Value x = numeric();
    std::vector<int64_t> lo, hi, interior;
    for (int64_t d : b_.shape(x)) {
      lo.push_back(between(d > 1 ? -1 : 0, 1));
      hi.push_back(between(0, 1));
      interior.push_back(between(0, 1));
    }
    return ir::build::pad(b_, x, constant({b_.dtype(x), false, {}}), lo, hi, interior);
  }

  Value reduce(Op op) {
    Value x = numeric();
    std::vector<int64_t> dims;
    for (size_t d = 0; d < b_.shape(x).size(); ++d)
      if (coin()) dims.push_back(static_cast<int64_t>(d));
    return ir::build::reduce(b_, op, x, dims);
  }

  Value dot() {
    Value x = options_.differentiable ? floating() : numeric(), y = like(x);
    std::vector<int64_t> contract, batch;
    for (size_t d = 0; d < b_.shape(x).size(); ++d) {
      size_t kind = below(3);
      if (kind == 0) contract.push_back(static_cast<int64_t>(d));
      if (kind == 1) batch.push_back(static_cast<int64_t>(d));
    }
    Value r = ir::build::dot(b_, x, y, contract, contract, batch, batch);
    return options_.differentiable ? ir::build::unary(b_, Op::tanh_op, r) : r;
  }

  // A window along the last axis of x: of its sums, its greatest elements, or a convolution with another value.
  Value windowed() {
    Value x = options_.differentiable ? floating() : numeric();
    const Shape shape = b_.shape(x);
    if (shape.empty()) return ir::build::unary(b_, Op::neg_op, x);
    const int64_t axis = static_cast<int64_t>(shape.size()) - 1, size = between(1, 3);
    ir::build::Windows w{{between(1, 2)}, {between(0, 2)}, {between(0, 2)}, {}, {between(1, 2)}};
    if (below(3) == 0 && !options_.differentiable) {
      Value first = ir::build::window_argmax(b_, x, {&axis, 1}, {&size, 1}, w);
      if (b_.shape(first).numel() <= 256) values_.push_back(first + 1);
      return first;
    }
    w.x_dilation = {between(1, 2)};
    Value r;
    if (coin()) {
      r = ir::build::reduce_window_sum(b_, x, {&axis, 1}, {&size, 1}, w);
    } else {
      Value window = of({b_.dtype(x), false, Shape{size}});
      std::vector<int64_t> perm = any_perm(shape.size());
      r = ir::build::conv(b_, x, window, {{{}, {}}, {{}, {}}, {{axis}, {0}}}, w, coin(), perm);
    }
    return options_.differentiable ? ir::build::unary(b_, Op::tanh_op, r) : r;
  }

  // Lines in order, and where their elements were.
  Value order() {
    Value x = any();
    if (b_.shape(x).empty()) return ir::build::unary(b_, Op::neg_op, numeric());
    int64_t dim = between(0, static_cast<int64_t>(b_.shape(x).size()) - 1);
    if (below(3) == 0) {
      Value first = ir::build::top_k(b_, x, dim, between(0, b_.shape(x)[static_cast<size_t>(dim)]), coin());
      values_.push_back(first + 1);
      return first;
    }
    Value operands[] = {x, ir::build::iota(b_, pick({i64, f32}), b_.shape(x), dim)};
    Value first = ir::build::sort(b_, operands, dim, coin());
    if (b_.shape(first).numel() <= 256) values_.push_back(first + 1);
    return first;
  }

  // What the elements of a line come to, up to each.
  Value cumulative() {
    Value x = numeric();
    if (b_.shape(x).empty()) return ir::build::unary(b_, Op::neg_op, x);
    const int64_t dim = between(0, static_cast<int64_t>(b_.shape(x).size()) - 1);
    const bool reverse = coin();
    switch (below(options_.differentiable ? 4 : 6)) {
      case 0:
        return ir::build::cumulative(b_, Op::cumulative_sum_op, x, dim, reverse);
      case 1:
        return ir::build::cumulative(b_, Op::cumulative_prod_op, x, dim, reverse);
      case 2:
        if (!is_floating(b_.dtype(x))) return ir::build::cumulative(b_, Op::cumulative_sum_op, x, dim, reverse);
        return ir::build::cumulative(b_, Op::cumulative_logsumexp_op, x, dim, reverse);
      case 3:
        if (!is_floating(b_.dtype(x))) return ir::build::cumulative(b_, Op::cumulative_prod_op, x, dim, reverse);
        return ir::build::linear_recurrence(b_, x, like(x), dim, reverse);
      default: {
        Value first = ir::build::cumulative(b_, pick({Op::cumulative_max_op, Op::cumulative_min_op}), x, dim, reverse);
        values_.push_back(first + 1);
        return first;
      }
    }
  }

  // A row that an integer chooses, or all rows with that one replaced or added to.
  Value indexed() {
    Value x = numeric();
    const Shape shape = b_.shape(x);
    if (shape.empty() || shape[0] == 0) return ir::build::unary(b_, Op::neg_op, x);
    Value at = coin() ? number(between(-2, 3)) : of({i64, false, {}});
    std::vector<Value> starts(shape.size(), number(0));
    starts[0] = at;
    Shape row = shape;
    row[0] = 1;
    switch (below(4)) {
      case 0:
        return ir::build::dynamic_slice(b_, x, starts, ir::Ints(row));
      case 1:
        return ir::build::dynamic_update_slice(b_, x, of({b_.dtype(x), false, row}), starts);
      default:
        break;
    }
    ir::build::GatherDims dims{ir::build::all_axes(shape.size() - 1), {0}, {0}, {}, {}};
    Value indices = ir::build::reshape(b_, at, {1});
    ir::IndexMode mode = pick({ir::IndexMode::clip, ir::IndexMode::fill, ir::IndexMode::wrap});
    if (coin()) return ir::build::gather(b_, x, indices, dims, ir::Ints(row), mode);
    row.erase(0);
    Op op = options_.differentiable ? pick({Op::scatter_set_op, Op::scatter_add_op, Op::scatter_mul_op})
                                    : pick({Op::scatter_set_op, Op::scatter_add_op, Op::scatter_mul_op,
                                            Op::scatter_max_op, Op::scatter_min_op});
    return ir::build::scatter(b_, op, x, indices, of({b_.dtype(x), false, row}), dims, mode, coin());
  }

  RandomGraphOptions options_;
  ir::Builder b_;
  std::vector<Value> values_;
};

}  // namespace jot::test
