// Random graphs whose axes are short and long, over all ops: what clustering has to tell apart. The same for the same
// seed.
#pragma once
#include <algorithm>
#include <random>
#include <vector>

#include "ir/build.h"
#include "tests/support/random_choice.h"

namespace jot::test {

class RandomProgram : RandomChoice {
 public:
  explicit RandomProgram(uint64_t seed) : RandomChoice(seed) {
    // A program has few different extents, so that values meet.
    constexpr int64_t kLong[] = {17, 33, 40, 67, 129, 600, 5000}, kShort[] = {2, 3, 4, 5};
    for (int i = 0; i < 2; ++i) extents_.push_back(kLong[below(std::size(kLong))]);
    for (int i = 0; i < 2; ++i) extents_.push_back(kShort[below(std::size(kShort))]);
    if (below(12) == 0) extents_.push_back(0);
    extents_.push_back(1);
    floating_ = below(8) == 0 ? (below(2) ? bf16 : f16) : below(2) ? f64 : f32;
  }

  ir::Graph make(int nodes) {
    for (size_t i = 1 + below(3); i > 0; --i) keep(b_.param({floating_, false, shape()}));
    if (coin()) keep(b_.param({pick({i32, i64, u8, boolean}), false, shape()}));
    for (int i = 0; i < nodes; ++i) {
      b_.set_location({"program.cpp", i + 1});
      if (ir::Value v = step(); count(b_.shape(v)) <= kLargest) keep(v);
    }
    std::vector<ir::Value> outputs;
    for (size_t i = 1 + below(4); i > 0; --i)
      outputs.push_back(values_[values_.size() - 1 - below(std::min<size_t>(values_.size(), 10))]);
    return b_.finish(outputs);
  }

 private:
  using Value = ir::Value;
  using Op = ir::Op;
  using Dims = std::vector<int64_t>;
  static constexpr int64_t kLargest = 8192;

  void keep(Value v) { values_.push_back(v); }
  Value any() {
    return values_[coin() ? below(values_.size()) : values_.size() - 1 - below(std::min<size_t>(values_.size(), 5))];
  }
  int64_t extent() { return extents_[below(extents_.size())]; }
  Shape shape() {
    Shape s;
    for (int64_t rank = between(0, 3); rank > 0; --rank)
      if (int64_t n = extent(); count(s) * n <= kLargest) s.push_back(n);
    return s;
  }
  // Not rounded differently by different ways to compute it: what steps may be taken of.
  bool exact(Value v) {
    const ir::GraphData& g = b_.graph();
    for (auto w = static_cast<Value>(exact_.size()); w <= v; ++w) {
      ir::OpClass kind = ir::info(g.op(w)).op_class;
      bool computes = kind == ir::OpClass::elementwise || kind == ir::OpClass::reduction ||
                      kind == ir::OpClass::contraction || kind == ir::OpClass::cumulative ||
                      g.op(w) == Op::scatter_add_op || g.op(w) == Op::scatter_mul_op;
      exact_.push_back(!(computes && is_floating(g.dtype(w))) &&
                       std::ranges::all_of(g.operands(w), [&](Value o) { return exact_[o]; }));
    }
    return exact_[v];
  }
  Value exact_value() {
    for (int i = 0; i < 8; ++i)
      if (Value x = any(); exact(x)) return x;
    return values_[0];
  }
  Value real() {
    for (int i = 0; i < 8; ++i)
      if (Value x = any(); b_.dtype(x) == floating_) return x;
    return ir::build::convert(b_, any(), floating_);
  }
  Value numeric() {
    Value x = coin() ? real() : any();
    return b_.dtype(x) == boolean ? ir::build::convert(b_, x, i32) : x;
  }
  Value constant(const ir::Type& type) {
    Dims data;
    int64_t n = coin() || type.shape.numel() > 100 ? 1 : type.shape.numel();
    for (int64_t i = 0; i < n; ++i) {
      double x = static_cast<double>(between(-8, 8)) / 4;
      data.push_back(is_floating(type.dtype) ? std::bit_cast<int64_t>(x)
                     : type.dtype == boolean ? i % 2
                     : type.dtype == u8      ? between(0, 255)
                                             : between(-5, 5));
    }
    return ir::build::constant_data(b_, type.dtype, type.shape, data);
  }
  // Another value of x's type, made from what there is.
  Value like(Value x) {
    const ir::Type type = b_.type(x);
    for (int i = 0; i < 10; ++i) {
      Value y = any();
      if (b_.type(y) == type) return y;
      if (b_.dtype(y) != type.dtype) continue;
      if (auto v = broadcast_like(y, type.shape); v != ir::kNoValue) return v;
    }
    return below(4) == 0 ? constant(type) : x;
  }
  Value broadcast_like(Value y, const Shape& to) {
    const Shape from = b_.shape(y);
    Dims dims;
    size_t d = 0;
    for (int64_t n : from) {
      while (d < to.size() && !(to[d] == n || (n == 1 && coin()))) ++d;
      if (d == to.size()) return ir::kNoValue;
      dims.push_back(static_cast<int64_t>(d++));
    }
    return ir::build::broadcast(b_, y, to, dims);
  }
  // Values stay small, so that errors do too.
  Value tame(Value x) { return b_.dtype(x) == floating_ ? ir::build::unary(b_, Op::tanh_op, x) : x; }

  Value step() {
    switch (below(24)) {
      case 0:
        return ir::build::unary(b_, pick({Op::sin_op, Op::cos_op, Op::tanh_op, Op::logistic_op, Op::abs_op}), real());
      case 1:
        if (Value x = numeric(); exact(x)) {
          Op op = b_.dtype(x) == floating_ && coin()
                      ? pick({Op::floor_op, Op::ceil_op, Op::round_even_op, Op::trunc_op})
                      : Op::sign_op;
          return ir::build::unary(b_, op, x);
        }
        return ir::build::unary(b_, pick({Op::neg_op, Op::abs_op}), numeric());
      case 2:
      case 3:
      case 4: {
        Value x = numeric(), y = like(x);
        return ir::build::binary(b_, pick({Op::add_op, Op::sub_op, Op::mul_op, Op::max_op, Op::min_op, Op::add_any_op}),
                                 x, y);
      }
      case 5:
      case 6:
        return broadcast();
      case 7:
        return reshape();
      case 8: {
        Value x = any();
        Dims perm = ir::build::all_axes(b_.shape(x).size());
        std::shuffle(perm.begin(), perm.end(), random_);
        return ir::build::permute(b_, x, perm);
      }
      case 9:
        return slice();
      case 10:
        return pad();
      case 11:
      case 12:
        return reduce();
      case 13:
        return dot();
      case 14: {
        Value x = any(), y = like(x);
        if (!exact(x) || !exact(y)) x = y = exact_value();
        Value mask = ir::build::compare(b_, x, y, pick({ir::Direction::lt, ir::Direction::ge, ir::Direction::ne}));
        if (b_.dtype(x) == boolean) return mask;
        if (coin() && b_.shape(x).numel() > 0) {
          Dims zero(b_.shape(x).size(), 0), one(b_.shape(x).size(), 1);
          mask = ir::build::reshape(b_, ir::build::slice(b_, mask, zero, one, one), Shape{});
        }
        return ir::build::where(b_, mask, x, y);
      }
      case 15:
        if (Value x = any(); exact(x)) return ir::build::convert(b_, x, pick({boolean, u8, i32, i64, f32, f64}));
        return ir::build::convert(b_, real(), pick({f32, f64}));
      case 16:
        return concat();
      case 17: {
        Value x = any();
        Dims dims;
        for (size_t d = 0; d < b_.shape(x).size(); ++d)
          if (coin()) dims.push_back(static_cast<int64_t>(d));
        return ir::build::rev(b_, x, dims);
      }
      case 18:
        return source();
      case 19:
        return gather();
      case 20:
        return dynamic();
      case 21:
        return order();
      case 22:
        return cumulative();
      default:
        return diagonal();
    }
  }

  // Lines in the order of keys whose values are exact, and what moves along with them.
  Value order() {
    Value keys = exact_value();
    const Shape shape = b_.shape(keys);
    if (shape.empty()) return diagonal();
    int64_t dim = between(0, static_cast<int64_t>(shape.size()) - 1);
    Value other = any();
    if (b_.shape(other) != shape) other = ir::build::iota(b_, i64, shape, dim);
    if (below(3) == 0) {
      Value first = ir::build::top_k(b_, keys, dim, between(0, shape[static_cast<size_t>(dim)]), coin());
      keep(first + 1);
      return first;
    }
    Value operands[] = {keys, other};
    Value first = ir::build::sort(b_, operands, dim, coin());
    if (count(shape) <= kLargest) keep(first + 1);
    return first;
  }

  Value cumulative() {
    Value x = numeric();
    if (b_.shape(x).empty()) return diagonal();
    const int64_t dim = between(0, static_cast<int64_t>(b_.shape(x).size()) - 1);
    const bool reverse = coin();
    switch (below(5)) {
      case 0:
        return tame(ir::build::cumulative(b_, Op::cumulative_sum_op, x, dim, reverse));
      case 1:
        return tame(ir::build::cumulative(b_, Op::cumulative_prod_op, tame(x), dim, reverse));
      case 2:
        return tame(ir::build::cumulative(b_, Op::cumulative_logsumexp_op, real_of(x), dim, reverse));
      case 3:
        return tame(ir::build::linear_recurrence(b_, tame(real_of(x)), like(real_of(x)), dim, reverse));
      default: {
        Value keys = exact_value();
        if (b_.shape(keys).empty() || b_.dtype(keys) == boolean) return diagonal();
        Value first = ir::build::cumulative(b_, pick({Op::cumulative_max_op, Op::cumulative_min_op}), keys,
                                            between(0, static_cast<int64_t>(b_.shape(keys).size()) - 1), reverse);
        if (count(b_.shape(keys)) <= kLargest) keep(first + 1);
        return first;
      }
    }
  }
  Value real_of(Value x) { return b_.dtype(x) == floating_ ? x : ir::build::convert(b_, x, floating_); }

  Value source() {
    Shape s = shape();
    switch (below(3)) {
      case 0:
        return constant({pick({floating_, i32, i64, u8, boolean}), false, s});
      case 1:
        if (s.empty()) return constant({floating_, false, s});
        return ir::build::iota(b_, pick({floating_, i32, i64}), s, between(0, static_cast<int64_t>(s.size()) - 1));
      default: {
        Value key = constant({i64, false, {2}}), offset = constant({i64, false, {}});
        return b_.emit(Op::random_bits_op, {key, offset}, ir::Attrs(s, pick<int64_t>({32, 64})));
      }
    }
  }

  // As the library counts: extents of 0 as 1.
  static int64_t count(const Shape& shape) {
    int64_t n = 1;
    for (int64_t d : shape) n *= std::max<int64_t>(1, d);
    return n;
  }

  Value broadcast() {
    Value x = any();
    Shape to = b_.shape(x);
    Dims dims = ir::build::all_axes(to.size());
    for (int64_t i = between(1, 2); i > 0; --i) {
      int64_t n = extent();
      if (count(to) * n > kLargest || to.size() > 4) continue;
      size_t at = below(to.size() + 1);
      to.insert(at, n);
      for (int64_t& d : dims) d += d >= static_cast<int64_t>(at);
    }
    return ir::build::broadcast(b_, x, to, dims);
  }

  Value reshape() {
    Value x = any();
    Shape to = b_.shape(x);
    if (to.empty() || below(4) == 0) return ir::build::reshape(b_, x, Shape{to.numel()});
    size_t at = below(to.size());
    if (coin() && at + 1 < to.size()) {  // joins two axes
      to[at] *= to[at + 1];
      to.erase(at + 1);
    } else {
      for (int64_t n : {2, 3, 5, 17, 20})
        if (to[at] % n == 0 && to[at] > n) {
          to[at] /= n;
          to.insert(at, n);
          break;
        }
    }
    return ir::build::reshape(b_, x, to);
  }

  Value slice() {
    Value x = any();
    Dims start, limit, stride;
    for (int64_t d : b_.shape(x)) {
      bool whole = coin();
      start.push_back(d == 0 || whole ? 0 : between(0, d - 1));
      limit.push_back(d == 0 || whole ? d : between(start.back() + 1, d));
      stride.push_back(whole ? 1 : between(1, 3));
    }
    return ir::build::slice(b_, x, start, limit, stride);
  }

  Value pad() {
    Value x = any();
    Dims lo, hi, interior;
    for (int64_t d : b_.shape(x)) {
      bool some = below(3) == 0;
      lo.push_back(some ? between(d > 1 ? -1 : 0, 2) : 0);
      hi.push_back(some ? between(0, 2) : 0);
      interior.push_back(some ? between(0, 1) : 0);
    }
    Value padding = coin() ? constant({b_.dtype(x), false, {}}) : ir::build::constant_int(b_, b_.dtype(x), {}, 0);
    return ir::build::pad(b_, x, padding, lo, hi, interior);
  }

  Value reduce() {
    Value x = numeric();
    Dims dims;
    size_t rank = b_.shape(x).size();
    for (size_t d = 0; d < rank; ++d)
      if (coin()) dims.push_back(static_cast<int64_t>(d));
    if (rank > 0 && below(3) == 0) dims = {static_cast<int64_t>(rank) - 1};
    Op op = pick({Op::reduce_sum_op, Op::reduce_sum_op, Op::reduce_max_op, Op::reduce_min_op});
    return tame(ir::build::reduce(b_, op, x, dims));
  }

  Value dot() {
    Value x = numeric(), y = numeric();
    for (int i = 0; i < 10 && b_.dtype(y) != b_.dtype(x); ++i) y = numeric();
    if (b_.dtype(y) != b_.dtype(x)) y = x;
    Dims cx, cy, bx, by;
    const Shape &xs = b_.shape(x), &ys = b_.shape(y);
    std::vector<bool> used(ys.size(), false);
    int64_t size = 1, contracted = 1;
    for (size_t i = 0; i < xs.size(); ++i) {
      size_t j = 0;
      while (j < ys.size() && (used[j] || ys[j] != xs[i])) ++j;
      size_t kind = below(3);
      if (j < ys.size() && kind != 2) {
        used[j] = true;
        (kind == 0 ? cx : bx).push_back(static_cast<int64_t>(i));
        (kind == 0 ? cy : by).push_back(static_cast<int64_t>(j));
        (kind == 0 ? contracted : size) *= std::max<int64_t>(1, xs[i]);
      } else {
        size *= std::max<int64_t>(1, xs[i]);
      }
      if (size * contracted > 20 * kLargest) return x;
    }
    for (size_t j = 0; j < ys.size(); ++j)
      if (!used[j] && size <= kLargest) size *= std::max<int64_t>(1, ys[j]);
    if (size * contracted > 20 * kLargest || size > kLargest) return x;
    return tame(ir::build::dot(b_, x, y, cx, cy, bx, by));
  }

  Value concat() {
    Value x = any();
    size_t rank = b_.shape(x).size();
    if (rank == 0) return ir::build::integer_pow(b_, tame(numeric()), between(-1, 3));
    Value parts[] = {x, like(x), like(x)};
    return ir::build::concat(b_, std::span<const Value>(parts).first(1 + below(3)),
                             between(0, static_cast<int64_t>(rank) - 1));
  }

  // Indices of shape batch + [1] into axis 0 of x.
  Value indices(const Shape& batch, int64_t limit, bool valid) {
    Value i = ir::build::iota(b_, pick({i32, i64}), batch + Shape{1},
                              static_cast<int64_t>(batch.empty() ? 0 : below(batch.size())));
    DType t = b_.dtype(i);
    Value n = ir::build::constant_int(b_, t, b_.shape(i), std::max<int64_t>(limit, 1));
    Value q = ir::build::binary(b_, Op::div_op, i, n);
    Value r = ir::build::sub(b_, i, ir::build::mul(b_, q, n));  // i mod limit
    if (valid) return coin() ? r : ir::build::sub(b_, r, n);    // from the end
    return ir::build::sub(b_, i, ir::build::constant_int(b_, t, b_.shape(i), 2));
  }
  Value gather() {
    Value x = any();
    const Shape s = b_.shape(x);
    if (s.empty() || s.numel() == 0) return x;
    ir::IndexMode mode = pick(
        {ir::IndexMode::check, ir::IndexMode::check, ir::IndexMode::clip, ir::IndexMode::fill, ir::IndexMode::wrap});
    Shape batch = coin() ? Shape{extent()} : Shape{};
    Dims sizes(s.begin(), s.end());
    sizes[0] = 1;
    Shape window = s.slice(1, s.size());
    if (count(batch) * count(window) > kLargest) return x;
    Value i = indices(batch, s[0], mode == ir::IndexMode::check && below(20) != 0);
    ir::build::GatherDims dims;
    for (size_t d = 0; d < window.size(); ++d) dims.offset_dims.push_back(static_cast<int64_t>(batch.size() + d));
    dims.collapsed = {0};
    dims.index_map = {0};
    if (coin()) return ir::build::gather(b_, x, i, dims, sizes, mode);
    if (b_.dtype(x) == boolean || mode == ir::IndexMode::check) mode = ir::IndexMode::fill;
    Value updates = like(constant({b_.dtype(x), false, batch + window}));
    Op op = Op::scatter_set_op;
    if (b_.dtype(x) != boolean && coin())
      op = pick({Op::scatter_add_op, Op::scatter_add_op, Op::scatter_mul_op, Op::scatter_max_op, Op::scatter_min_op});
    return ir::build::scatter(b_, op, x, i, updates, dims, mode, false);
  }

  Value dynamic() {
    Value x = any();
    std::vector<Value> starts;
    Dims sizes;
    for (int64_t d : b_.shape(x)) {
      starts.push_back(ir::build::constant_int(b_, i64, {}, between(-1, std::max<int64_t>(d, 1))));
      sizes.push_back(d == 0 ? 0 : between(1, d));
    }
    Value part = ir::build::dynamic_slice(b_, x, starts, sizes);
    return coin() ? part : ir::build::dynamic_update_slice(b_, x, like(part), starts);
  }

  Value diagonal() {
    Value x = numeric();
    const Shape s = b_.shape(x);
    size_t batch = below(s.size() + 1);
    Shape embedded = s.slice(batch, s.size());
    if (s.numel() == 0 || count(s) * count(embedded) > kLargest) return x;
    if (coin()) return ir::build::diag_embed(b_, x, static_cast<int64_t>(batch));
    return ir::build::identity(b_, b_.dtype(x), embedded);
  }

  ir::Builder b_;
  Dims extents_;
  DType floating_;
  std::vector<Value> values_;
  std::vector<bool> exact_;
};

}  // namespace jot::test
