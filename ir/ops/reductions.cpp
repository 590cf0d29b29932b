// Reductions over axes, which the result drops.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/ops/classes.h"
#include "ir/ops/evaluate.h"
#include "ir/ops/structure.h"

namespace jot::ir {
namespace {

std::vector<int64_t> kept_axes(Ints dims, size_t rank) {
  std::vector<int64_t> kept;
  for (size_t d = 0; d < rank; ++d)
    if (!contains(dims, static_cast<int64_t>(d))) kept.push_back(static_cast<int64_t>(d));
  return kept;
}

Type infer_reduction(const InferContext& c) {
  expect_allowed(c, 0);
  const Shape& x = c.shape(0);
  Ints dims = c.attrs.ints(Key::dims);
  expect_axes(c, "dims", dims, x.size());
  Shape shape;
  for (int64_t d : kept_axes(dims, x.size())) shape.push_back(x[static_cast<size_t>(d)]);
  return {c.dtype(0), false, shape};
}

// Row-major order of the operand.
template <template <class> class Fold>
void evaluate_reduction(const EvalContext& c) {
  const Shape& from = c.operands[0].type->shape;
  std::vector<int64_t> kept = kept_axes(c.attrs.ints(Key::dims), from.size());
  visit_computing(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    auto x = c.operands[0].as<T>();
    auto out = c.result<T>();
    std::vector<Fold<T>> folds(out.size());
    Shape target = c.type.shape;
    for_each_index(from, [&](const Shape& i, int64_t at) {
      for (size_t d = 0; d < kept.size(); ++d) target[d] = i[static_cast<size_t>(kept[d])];
      folds[static_cast<size_t>(position(c.type.shape, target))].add(x[static_cast<size_t>(at)]);
    });
    std::ranges::transform(folds, out.begin(), &Fold<T>::value);
  });
}

void transpose_sum(const TransposeContext& c) {
  const Shape& shape = c.types[0]->shape;
  c.cotangents[0] = build::broadcast(c.b, c.ct, shape, kept_axes(c.attrs.ints(Key::dims), shape.size()));
}

// The elements that attain the extremum share the tangent equally.
Value jvp_extremum(const JvpContext& c) {
  Builder& b = c.b;
  Value x = c.primals[0], t = c.tangents[0];
  Ints dims = c.attrs.ints(Key::dims);
  const Shape& shape = b.shape(x);
  Value extremum = build::broadcast(b, c.out, shape, kept_axes(dims, shape.size()));
  Value attains = build::compare(b, x, extremum, Direction::eq);
  Value count = build::reduce_sum(b, build::convert(b, attains, b.dtype(x)), dims);
  Value sum = build::reduce_sum(b, build::where(b, attains, t, build::zeros_like(b, t)), dims);
  return build::div(b, sum, count);
}

// By halves, so that no order of derivative divides by a factor, which may be zero.
Value jvp_product(const JvpContext& c) {
  Builder& b = c.b;
  Value x = c.primals[0], t = c.tangents[0];
  if (b.shape(x).numel() == 0) return kNoValue;
  for (int64_t d : c.attrs.ints(Key::dims))
    for (int64_t n = b.shape(x)[static_cast<size_t>(d)], half = 0; n > 1; n = half) {
      half = (n + 1) / 2;
      auto lower = [&](Value v) { return build::slice_axis(b, v, d, 0, half); };
      auto upper = [&](Value v, double last) {  // of an odd number the last is missing
        v = build::slice_axis(b, v, d, half, n);
        if (n % 2 == 0) return v;
        Shape none = b.shape(v);
        std::ranges::fill(none, 0);
        Shape one = none;
        one[static_cast<size_t>(d)] = 1;
        return build::pad(b, v, build::constant(b, b.dtype(v), {}, last), none, one, none);
      };
      Value left = lower(x), right = upper(x, 1);
      t = build::add_any(b, c.times(lower(t), right), c.times(upper(t, 0), left));
      x = build::mul(b, left, right);
    }
  return build::reshape(b, t, b.shape(c.out));
}

Value batch_reduction(const BatchContext& c) {
  return build::reduce(c.b, c.op, c.operands[0], shifted(c.attrs.ints(Key::dims)));
}

}  // namespace

void define_reductions(RuleTable& table) {
  table.define(Op::reduce_sum_op,
               linear(infer_reduction, evaluate_reduction<Total>, transpose_sum, structured<batch_reduction>));
  auto extremum = [&](Op op, EvalRule eval) {
    table.define(op, {infer_reduction, eval, jvp_extremum, kNotLinear, batch_reduction});
  };
  extremum(Op::reduce_max_op, evaluate_reduction<Largest>);
  extremum(Op::reduce_min_op, evaluate_reduction<Least>);
  table.define(Op::reduce_prod_op,
               {infer_reduction, evaluate_reduction<Product>, jvp_product, kNotLinear, batch_reduction});
  auto quantifier = [&](Op op, EvalRule eval) {
    table.define(op, {infer_reduction, eval, kNoTangent, kNotLinear, batch_reduction});
  };
  quantifier(Op::reduce_and_op, evaluate_reduction<AllTrue>);
  quantifier(Op::reduce_or_op, evaluate_reduction<AnyTrue>);
}

}  // namespace jot::ir
