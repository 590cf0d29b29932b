#include "tests/fuzz/rows_graph.h"

#include <algorithm>
#include <cmath>

#include "passes/functionalize.h"

namespace jot::test {

using namespace ir;

namespace {

// By op, so that each is as likely as another.
const std::vector<std::vector<const Row*>>& rows_by_op() {
  static const std::vector<std::vector<const Row*>> all = [] {
    std::map<Op, std::vector<const Row*>> map;
    for (const Row& row : op_rows())
      if (row.op != Op::host_call_op) map[row.op].push_back(&row);  // text cannot replay it
    std::vector<std::vector<const Row*>> list;
    for (auto& [op, rows] : map) list.push_back(std::move(rows));
    return list;
  }();
  return all;
}

}  // namespace

// The elements of x, again and again where there are too few; zeros where there are none.
Value RandomRows::fitted(Value x, const Shape& shape) {
  const int64_t n = shape.numel();
  int64_t m = b_.shape(x).numel();
  if (n == 0 || m == 0) return build::zeros(b_, {b_.dtype(x), false, shape});
  Value flat = build::reshape(b_, x, {m});
  while (m < n) {
    const Value parts[] = {flat, build::neg(b_, flat)};
    flat = build::concat(b_, parts, 0);
    m *= 2;
  }
  const int64_t first = between(0, m - n);
  if (m > n) flat = build::slice_axis(b_, flat, 0, first, first + n);
  return build::reshape(b_, flat, shape);
}

// Inside (lo, hi), smoothly, without a plateau; of 0, which may be one but for rounding, not an integer.
Value RandomRows::within(Value x, double lo, double hi) {
  Value one = build::constant(b_, f64, b_.shape(x), 1);
  Value unit = build::mul(b_, x, build::unary(b_, Op::rsqrt_op, build::add(b_, one, build::mul(b_, x, x))));
  Value half = build::constant(b_, f64, b_.shape(x), 0.49 * (hi - lo));
  return build::add(b_, build::mul(b_, unit, half),
                    build::constant(b_, f64, b_.shape(x), (hi + lo) / 2 + 0.0071 * (hi - lo)));
}

Value RandomRows::input(const Input& wanted) {
  if (!is_floating(wanted.dtype) && wanted.hi - wanted.lo > 100) {  // as keys: what a small step makes another number
    std::vector<int64_t> data;
    for (int64_t i = 0; i < wanted.shape.numel(); ++i)
      data.push_back(between(static_cast<int64_t>(wanted.lo), static_cast<int64_t>(wanted.hi) - 1));
    return build::constant_data(b_, wanted.dtype, wanted.shape, data);
  }
  const bool rough = wanted.dtype != f64 && !rough_.empty() && coin();
  const std::vector<Value>& from = rough ? rough_ : smooth_;
  Value x = fitted(from[below(from.size())], wanted.shape);
  if (wanted.dtype == boolean) return build::compare(b_, x, build::constant(b_, f64, wanted.shape, 0.1), Direction::gt);
  if (is_floating(wanted.dtype)) {
    x = within(x, wanted.lo, wanted.hi);
    return wanted.dtype == f64 ? x : build::convert(b_, x, wanted.dtype);
  }
  // [lo, hi) of integers: also where rounding takes the value to an end.
  Value i = build::convert(b_, build::unary(b_, Op::floor_op, within(x, wanted.lo, wanted.hi)), i64);
  auto number = [&](double n) {
    return build::constant_data(b_, i64, wanted.shape, std::vector<int64_t>{static_cast<int64_t>(n)});
  };
  i = build::binary(b_, Op::max_op, build::binary(b_, Op::min_op, i, number(wanted.hi - 1)), number(wanted.lo));
  return wanted.dtype == i64 ? i : build::convert(b_, i, wanted.dtype);
}

Value RandomRows::step(const Row& row) {
  std::vector<Value> inputs;
  for (const Input& i : row.inputs) inputs.push_back(input(i));
  // The incomplete gamma function has two derivatives by its first operand, and no more.
  for (Op op : {Op::igamma_op, Op::igammac_op, Op::igamma_grad_a_op, Op::igamma_grad_aa_op, Op::log_gamma_draw_op})
    if (row.op == op && inputs.size() == 2)
      inputs[0] = build::constant(b_, row.inputs[0].dtype, row.inputs[0].shape, 1.5);
  return row.build(b_, inputs);
}

Value RandomRows::total(const std::vector<Value>& values) {
  Value sum = build::constant(b_, f64, {}, 0);
  for (Value v : values) {
    Value x = within(v, -1, 1);
    sum = build::add(b_, sum, build::reduce_sum(b_, x, build::all_axes(b_.shape(x).size())));
  }
  return sum;
}

RowsGraph RandomRows::make(int steps) {
  b_ = Builder("main");
  smooth_.clear();
  rough_.clear();
  std::vector<HostTensor> inputs;
  std::mt19937 random(static_cast<unsigned>(random_()));
  for (int64_t n = between(1, 2); n > 0; --n) {
    Shape shape;
    for (int64_t rank = between(0, 2); rank > 0; --rank) shape.push_back(between(1, 3));
    smooth_.push_back(b_.param({f64, false, shape}));
    inputs.push_back(random_tensor(b_.type(smooth_.back()), -1.5, 1.5, random));
  }
  const auto& all = rows_by_op();
  for (int i = 0; i < steps; ++i) {
    const std::vector<const Row*>& rows = all[below(all.size())];
    const Row& row = *rows[below(rows.size())];
    Value v = step(row);
    if (b_.type(v).token || b_.shape(v).numel() > 300) continue;
    if (row.order >= 2 && b_.dtype(v) == f64) {
      smooth_.push_back(v);
    } else {
      rough_.push_back(b_.dtype(v) == f64 ? v : build::convert(b_, v, f64));
    }
  }
  // All are used: their sum, and a few elements of a late one.
  std::vector<Value> outputs = {total(smooth_), within(fitted(smooth_.back(), {3}), -2, 2)};
  for (Value v : rough_) outputs.push_back(build::unary(b_, Op::stop_gradient_op, v));
  Graph g = passes::functionalize(std::move(b_).finish(outputs));
  return {g, std::move(inputs), 2};
}

}  // namespace jot::test
