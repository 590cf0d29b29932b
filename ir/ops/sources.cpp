// Constants, counters and the basis of a jacobian. No operands: no derivative, and never batched.
#include <bit>
#include <cmath>

#include "ir/ops/classes.h"
#include "ir/ops/evaluate.h"

namespace jot::ir {
namespace {

Type source_type(const InferContext& c) {
  DType dtype = c.attrs.dtype();
  expect_constructible(c, dtype);
  expect_extents(c, c.attrs.ints(Key::shape));
  return {dtype, false, c.attrs.shape()};
}

// Whether a word is what Key::data prescribes for the dtype.
bool representable(DType dtype, int64_t word) {
  if (dtype == DType::boolean) return word == 0 || word == 1;
  return visit_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (!is_floating_element<T>) return word == static_cast<int64_t>(static_cast<T>(word));
    const double x = std::bit_cast<double>(word);
    return std::isnan(x) || std::bit_cast<int64_t>(static_cast<double>(static_cast<T>(x))) == word;
  });
}

Type infer_const(const InferContext& c) {
  Type type = source_type(c);
  Ints data = c.attrs.ints(Key::data);
  int64_t n = type.shape.numel();
  if (data.size() != 1 && static_cast<int64_t>(data.size()) != n)
    c.shape_error("a constant of shape " + to_string(type.shape) + " has " + std::to_string(n) +
                  " elements: expected one word or one an element, got " + std::to_string(data.size()));
  for (int64_t word : data)
    if (!representable(type.dtype, word))
      c.dtype_error("word " + std::to_string(word) + " is not an element of " + std::string(to_string(type.dtype)));
  return type;
}

void evaluate_const(const EvalContext& c) {
  Ints data = c.attrs.ints(Key::data);
  visit_dtype(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    auto out = c.result<T>();
    for (size_t i = 0; i < out.size(); ++i) {
      int64_t word = data[data.size() == 1 ? 0 : i];
      if constexpr (is_floating_element<T>)
        out[i] = static_cast<T>(std::bit_cast<double>(word));
      else
        out[i] = static_cast<T>(word);
    }
  });
}

Type infer_iota(const InferContext& c) {
  Type type = source_type(c);
  int64_t dim = c.attrs.integer(Key::dim);
  expect_axes(c, "dim", Ints(&dim, 1), type.shape.size());
  return type;
}

void evaluate_iota(const EvalContext& c) {
  auto dim = static_cast<size_t>(c.attrs.integer(Key::dim));
  visit_computing(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    auto out = c.result<T>();
    for_each_index(c.type.shape,
                   [&](const Shape& i, int64_t at) { out[static_cast<size_t>(at)] = static_cast<T>(i[dim]); });
  });
}

Type infer_identity(const InferContext& c) {
  Type type = source_type(c);
  type.shape = type.shape + type.shape;
  return type;
}

void evaluate_identity(const EvalContext& c) {
  visit_computing(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    auto out = c.result<T>();
    int64_t n = c.attrs.shape().numel();
    for (int64_t i = 0; i < n * n; ++i) out[static_cast<size_t>(i)] = static_cast<T>(i % (n + 1) == 0);
  });
}

Type infer_result(const InferContext& c) { c.dtype_error("an op makes all its results at once"); }

}  // namespace

void define_sources(RuleTable& table) {
  auto source = [&](Op op, InferRule infer, Slot<EvalRule> eval) {
    table.define(op, {infer, eval, kNoOperands, kNoOperands, kNoOperands});
  };
  source(Op::param_op, source_type, none("the caller gives its value"));
  source(Op::const_op, infer_const, evaluate_const);
  source(Op::iota_op, infer_iota, evaluate_iota);
  source(Op::identity_op, infer_identity, evaluate_identity);
  constexpr auto kWithFirst = none("its op makes it together with the first result");
  table.define(Op::result_op, {infer_result, kWithFirst, kWithFirst, kWithFirst, kWithFirst});
}

}  // namespace jot::ir
