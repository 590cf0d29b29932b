// Cumulative functions along a dim: sums, products, sums of exponentials, extremes, and the linear recurrence that the
// derivatives of products and exponentials are.
#include <limits>

#include "ir/ops/classes.h"
#include "ir/ops/evaluate.h"
#include "ir/ops/order.h"
#include "ir/ops/prefix.h"

namespace jot::ir {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

int64_t dim_of(AttrView a) { return a.integer(Key::dim); }
bool reverse_of(AttrView a) { return a.integer(Key::reverse) != 0; }

Type infer_cumulative(const InferContext& c) {
  expect_allowed(c, 0);
  const int64_t dim = dim_of(c.attrs);
  expect_axes(c, "dim", Ints(&dim, 1), c.shape(0).size());
  return {c.dtype(0), false, c.shape(0)};
}
void infer_cumulative_extremum(const InferContext& c, std::vector<Type>& results) {
  results.push_back(infer_cumulative(c));
  results.push_back({DType::i64, false, c.shape(0)});
}
Type infer_linear_recurrence(const InferContext& c) {
  expect_same_dtype(c, 0, 1);
  if (c.shape(0) != c.shape(1))
    c.shape_error("operands must have one shape: expected " + to_string(c.shape(0)) + ", got " + to_string(c.shape(1)));
  return infer_cumulative(c);
}

// ---- evaluation: line by line

// f(at, place) for the elements of each line in turn; start() before each line.
template <class Start, class F>
void each_line(const Shape& shape, AttrView attrs, Start start, F f) {
  const auto dim = static_cast<size_t>(dim_of(attrs));
  const int64_t n = shape[dim], inner = shape.slice(dim + 1, shape.size()).numel();
  const int64_t lines = shape.slice(0, dim).numel() * inner;
  for (int64_t line = 0; line < lines; ++line) {
    start();
    for (int64_t i = 0; i < n; ++i) {
      const int64_t place = reverse_of(attrs) ? n - 1 - i : i;
      f(static_cast<size_t>(line / inner * n * inner + line % inner + place * inner), place);
    }
  }
}

template <template <class> class Prefix, class Visit>
void evaluate_lines(const EvalContext& c, Visit visit) {
  visit(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    auto x = c.operands[0].as<T>();
    auto out = c.result<T>();
    Prefix<T> state;
    each_line(
        c.type.shape, c.attrs, [&] { state = {}; }, [&](size_t at, int64_t) { out[at] = state.step(x[at]); });
  });
}
template <template <class> class Prefix>
void evaluate_prefix(const EvalContext& c) {
  evaluate_lines<Prefix>(c, [](DType dtype, auto f) { visit_computing(dtype, f); });
}
void evaluate_logsumexp(const EvalContext& c) {
  evaluate_lines<PrefixLogSumExp>(c, [](DType dtype, auto f) { visit_floating(dtype, f); });
}
template <bool kMax>
void evaluate_extremum(const EvalContext& c) {
  visit_computing(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    auto x = c.operands[0].as<T>();
    auto out = c.result<T>();
    auto places = c.result<int64_t>(1);
    PrefixExtreme<T, kMax> state;
    each_line(
        c.type.shape, c.attrs, [&] { state = {}; },
        [&](size_t at, int64_t place) {
          out[at] = state.step(x[at], place);
          places[at] = state.place();
        });
  });
}
void evaluate_linear_recurrence(const EvalContext& c) {
  visit_floating(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    auto a = c.operands[0].as<T>(), x = c.operands[1].as<T>();
    auto out = c.result<T>();
    PrefixLinear<T> state;
    each_line(
        c.type.shape, c.attrs, [&] { state = {}; }, [&](size_t at, int64_t) { out[at] = state.step(a[at], x[at]); });
  });
}

// ---- derivatives

// r' = x r' + t times the product before: by no division, so right at zeros and to any order.
Value jvp_product(const JvpContext& c) {
  const int64_t dim = dim_of(c.attrs);
  const bool reverse = reverse_of(c.attrs);
  Value before = build::shifted_along(c.b, c.out, dim, reverse, 1);
  return build::linear_recurrence(c.b, c.primals[0], c.times(c.tangents[0], before), dim, reverse);
}

// The weights exp(x - y) of the tangent and exp(y before - y) of what came before are at most 1; they are 0 where there
// is nothing but -inf.
Value jvp_logsumexp(const JvpContext& c) {
  Builder& b = c.b;
  const int64_t dim = dim_of(c.attrs);
  const bool reverse = reverse_of(c.attrs);
  Value zero = build::zeros_like(b, c.out);
  Value nothing =
      build::compare(b, c.out, build::constant(b, b.dtype(c.out), b.shape(c.out), -kInfinity), Direction::eq);
  auto weight = [&](Value v) {
    return build::where(b, nothing, zero, build::unary(b, Op::exp_op, build::sub(b, v, c.out)));
  };
  Value before = weight(build::shifted_along(b, c.out, dim, reverse, -kInfinity));
  return build::linear_recurrence(b, before, c.times(c.tangents[0], weight(c.primals[0])), dim, reverse);
}

void jvp_extremum(const JvpContext& c, std::span<Value> tangents) {
  tangents[0] = taken_along(c.b, c.tangents[0], c.outs[1], dim_of(c.attrs));
}

// By a, the result before is its partial.
Value jvp_linear_recurrence(const JvpContext& c) {
  Builder& b = c.b;
  const int64_t dim = dim_of(c.attrs);
  const bool reverse = reverse_of(c.attrs);
  Value t = c.tangents[1];
  if (c.has(0)) t = build::add_any(b, t, c.times(c.tangents[0], build::shifted_along(b, c.out, dim, reverse, 0)));
  return build::linear_recurrence(b, c.primals[0], t, dim, reverse);
}

void transpose_sum(const TransposeContext& c) {
  c.cotangents[0] = build::cumulative(c.b, c.op, c.ct, dim_of(c.attrs), !reverse_of(c.attrs));
}

void transpose_linear_recurrence(const TransposeContext& c) {
  const int64_t dim = dim_of(c.attrs);
  const bool back = !reverse_of(c.attrs);
  Value next = build::shifted_along(c.b, c.operands[0], dim, back, 0);
  c.cotangents[1] = build::linear_recurrence(c.b, next, c.ct, dim, back);
}

// ---- batching

Attrs batched_attrs(const BatchContext& c) { return Attrs(dim_of(c.attrs) + 1, c.attrs.integer(Key::reverse)); }

Value batch_cumulative(const BatchContext& c) { return c.b.emit(c.op, {c.operands[0]}, batched_attrs(c)); }
void batch_extremum(const BatchContext& c, std::span<Value> results, std::span<bool>) {
  results[0] = batch_cumulative(c);
  results[1] = results[0] + 1;
}
Value batch_linear_recurrence(const BatchContext& c) {
  return c.b.emit(c.op, {c.materialised(0), c.materialised(1)}, batched_attrs(c));
}

}  // namespace

void define_cumulative(RuleTable& table) {
  table.define(Op::cumulative_sum_op,
               linear(infer_cumulative, evaluate_prefix<PrefixSum>, transpose_sum, batch_cumulative));
  table.define(Op::cumulative_prod_op,
               {infer_cumulative, evaluate_prefix<PrefixProduct>, jvp_product, kNotLinear, batch_cumulative});
  table.define(Op::cumulative_logsumexp_op,
               {infer_cumulative, evaluate_logsumexp, jvp_logsumexp, kNotLinear, batch_cumulative});
  table.define(Op::cumulative_max_op,
               {infer_cumulative_extremum, evaluate_extremum<true>, jvp_extremum, kNotLinear, batch_extremum});
  table.define(Op::cumulative_min_op,
               {infer_cumulative_extremum, evaluate_extremum<false>, jvp_extremum, kNotLinear, batch_extremum});
  table.define(Op::linear_recurrence_op, {infer_linear_recurrence, evaluate_linear_recurrence, jvp_linear_recurrence,
                                          transpose_linear_recurrence, batch_linear_recurrence});
}

}  // namespace jot::ir
