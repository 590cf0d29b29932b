// Arithmetic, selection and conversion.
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "ir/ops/classes.h"
#include "ir/ops/evaluate.h"
#include "ir/ops/structure.h"

namespace jot::ir {
namespace {

using build::add_any;
using build::binary;
using build::div;
using build::mul;
using build::neg;

// ---- where

Type infer_where(const InferContext& c) {
  if (c.dtype(0) != DType::boolean)
    c.dtype_error("the predicate must be bool, got " + std::string(to_string(c.dtype(0))) + "; compare it with 0");
  expect_same_dtype(c, 1, 2);
  if (c.shape(1) != c.shape(2))
    c.shape_error("operands must have one shape: expected " + to_string(c.shape(1)) + ", got " + to_string(c.shape(2)) +
                  "; broadcast one of them");
  if (!c.shape(0).empty() && c.shape(0) != c.shape(1))
    c.shape_error("the predicate must be 0-d or of shape " + to_string(c.shape(1)) + ", got " + to_string(c.shape(0)) +
                  "; broadcast it");
  return *c.operands[1];
}

void evaluate_where(const EvalContext& c) {
  Mover mover(c);
  auto pred = c.operands[0].as<uint8_t>();
  for (int64_t i = 0; i < c.type.shape.numel(); ++i)
    mover.copy(i, c.operands[pred[pred.size() == 1 ? 0 : static_cast<size_t>(i)] ? 1 : 2], i);
}

void transpose_where(const TransposeContext& c) {
  Value zero = build::zeros_like(c.b, c.ct);
  if (c.linear(1)) c.cotangents[1] = build::where(c.b, c.operands[0], c.ct, zero);
  if (c.linear(2)) c.cotangents[2] = build::where(c.b, c.operands[0], zero, c.ct);
}

Value batch_where(const BatchContext& c) {
  Value pred = c.operands[0], x = c.materialised(1), y = c.materialised(2);
  if (c.batched[0] && c.b.shape(pred) != c.b.shape(x))  // one predicate a lane
    pred = build::broadcast(c.b, pred, c.b.shape(x), std::vector<int64_t>{0});
  else if (!c.batched[0] && !c.b.shape(pred).empty())
    pred = c.materialised(0);
  return build::where(c.b, pred, x, y);
}

// ---- demand: derivatives pass it by

Type infer_demand(const InferContext& c) {
  if (c.dtype(1) != DType::boolean)
    c.dtype_error("the condition must be bool, got " + std::string(to_string(c.dtype(1))) + "; compare it with 0");
  for (size_t i : {1, 2})
    if (c.shape(i) != c.shape(0))
      c.shape_error("operands must have one shape: expected " + to_string(c.shape(0)) + ", got " +
                    to_string(c.shape(i)) + "; broadcast it");
  if (c.dtype(2) == DType::boolean) c.dtype_error("what was found must be a number, got bool");
  return *c.operands[0];
}

// What was found as faults are recorded: an integer, or the bits of a float.
int64_t recorded(const Array& found, int64_t i) {
  int64_t bits = 0;
  visit_dtype(found.type->dtype, [&]<class T>(T) {
    const T x = found.as<T>()[static_cast<size_t>(i)];
    if constexpr (std::is_same_v<T, double>)
      bits = std::bit_cast<int64_t>(x);
    else if constexpr (std::is_integral_v<T>)
      bits = static_cast<int64_t>(x);
    else
      bits = std::bit_cast<int32_t>(static_cast<float>(x));
  });
  return bits;
}

void evaluate_demand(const EvalContext& c) {
  auto fine = c.operands[1].as<uint8_t>();
  for (size_t i = 0; i < fine.size(); ++i)
    if (!fine[i]) c.fault(0, recorded(c.operands[2], static_cast<int64_t>(i)), static_cast<int64_t>(i));
  Mover(c).copy_all(c.operands[0]);
}

template <class T>
std::string decimal(T number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

void not_as_demanded(const FaultContext& c) {
  std::vector<int64_t> lanes(c.call.lanes.size());  // the dims in front
  int64_t rest = c.element;
  for (size_t d = c.shape(0).size(); d-- > 0; rest /= c.shape(0)[d])
    if (d < lanes.size()) lanes[d] = rest % c.shape(0)[d];
  const DType found = c.operands[2]->dtype;
  if (!is_floating(found)) throw IndexError(c.text(c.call.told(decimal(c.value)), lanes));
  throw Error(c.text(c.call.told(found == DType::f64 ? decimal(std::bit_cast<double>(c.value))
                                                     : decimal(std::bit_cast<float>(static_cast<int32_t>(c.value)))),
                     lanes));
}

Rules demand_rules() {
  Rules rules = {infer_demand, evaluate_demand, [](const JvpContext& c) { return c.has(0) ? c.tangents[0] : kNoValue; },
                 [](const TransposeContext& c) { c.cotangents[0] = c.ct; }, structured<batch_elementwise>};
  rules.faults = {[](AttrView) -> int64_t { return 1; }, not_as_demanded,
                  [](const GuardContext& c) {
                    Value& fine = c.operands[1];
                    Value dead = build::unary(c.b, Op::not_op, c.live);
                    fine = binary(c.b, Op::or_op, fine, build::broadcast_to(c.b, dead, c.b.shape(fine)));
                  }};
  return rules;
}

// ---- convert

Type infer_convert(const InferContext& c) {
  expect_constructible(c, c.attrs.dtype());
  if (c.attrs.dtype() == DType::u8 && is_floating(c.dtype(0)))
    c.dtype_error("floats become u8 by way of i64: convert to i64 first");
  return {c.attrs.dtype(), false, c.shape(0)};
}

// Floats to integers: truncated, saturated, NaN to 0. Integers wrap. To boolean: not equal to zero.
template <class To, class From>
To converted(From x) {
  if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    using Limits = std::numeric_limits<To>;
    if (std::isnan(x)) return 0;
    if (x >= std::ldexp(From(1), Limits::digits)) return Limits::max();
    if (x < static_cast<From>(Limits::min())) return Limits::min();
  }
  return static_cast<To>(x);
}

void evaluate_convert(const EvalContext& c) {
  visit_computing(c.type.dtype, [&](auto to) {
    visit_computing(c.operands[0].type->dtype, [&](auto from) {
      auto x = c.operands[0].as<decltype(from)>();
      auto out = c.result<decltype(to)>();
      bool truth = c.type.dtype == DType::boolean;
      for (size_t i = 0; i < out.size(); ++i)
        out[i] = truth ? static_cast<decltype(to)>(x[i] != 0) : converted<decltype(to)>(x[i]);
    });
  });
}

void transpose_convert(const TransposeContext& c) { c.cotangents[0] = build::convert(c.b, c.ct, c.types[0]->dtype); }

// ---- sums

Value jvp_add(const JvpContext& c) { return add_any(c.b, c.tangents[0], c.tangents[1]); }

void transpose_add(const TransposeContext& c) {
  for (size_t i = 0; i < 2; ++i)
    if (c.linear(i)) c.cotangents[i] = c.ct;
}

Value jvp_sub(const JvpContext& c) {
  if (!c.has(1)) return c.tangents[0];
  if (!c.has(0)) return neg(c.b, c.tangents[1]);
  return build::sub(c.b, c.tangents[0], c.tangents[1]);
}

void transpose_sub(const TransposeContext& c) {
  if (c.linear(0)) c.cotangents[0] = c.ct;
  if (c.linear(1)) c.cotangents[1] = neg(c.b, c.ct);
}

void transpose_neg(const TransposeContext& c) { c.cotangents[0] = neg(c.b, c.ct); }

// ---- products and quotients

Value jvp_mul(const JvpContext& c) {
  Value x = c.has(0) ? c.times(c.tangents[0], c.primals[1]) : kNoValue;
  if (!c.has(1)) return x;
  bool strong = c.zeros == Zeros::strong;  // else in the order of the operands
  return add_any(c.b, x, strong ? c.times(c.tangents[1], c.primals[0]) : mul(c.b, c.primals[0], c.tangents[1]));
}

void transpose_mul(const TransposeContext& c) {
  size_t i = c.linear(0) ? 0 : 1;
  c.cotangents[i] = mul(c.b, c.ct, c.operands[1 - i]);
}

// Bilinear.
Value jvp_mul_no_nan(const JvpContext& c) {
  Value x = c.has(0) ? build::mul_no_nan(c.b, c.tangents[0], c.primals[1]) : kNoValue;
  Value y = c.has(1) ? build::mul_no_nan(c.b, c.primals[0], c.tangents[1]) : kNoValue;
  return add_any(c.b, x, y);
}

void transpose_mul_no_nan(const TransposeContext& c) {
  if (c.linear(0))
    c.cotangents[0] = build::mul_no_nan(c.b, c.ct, c.operands[1]);
  else
    c.cotangents[1] = build::mul_no_nan(c.b, c.operands[0], c.ct);
}

// x'/y - y' (x/y)/y
Value jvp_div(const JvpContext& c) {
  Value y = c.primals[1];
  Value from_x = c.has(0) ? c.over(c.tangents[0], y) : kNoValue;
  if (!c.has(1)) return from_x;
  Value slope = neg(c.b, div(c.b, c.out, y));
  return add_any(c.b, from_x, c.times(c.tangents[1], slope));
}

void transpose_div(const TransposeContext& c) { c.cotangents[0] = div(c.b, c.ct, c.operands[1]); }

// ---- integer_pow

// By squaring. Negative exponents: the quotient of 1 and the positive power.
template <class T>
T power(T x, int64_t n) {
  T result = 1;
  uint64_t e = n < 0 ? 0 - static_cast<uint64_t>(n) : static_cast<uint64_t>(n);
  for (T square = x; e != 0; e >>= 1) {
    if (e & 1) result = times(result, square);
    if (e > 1) square = times(square, square);
  }
  return n < 0 ? quotient(T(1), result) : result;
}

void evaluate_integer_pow(const EvalContext& c) {
  int64_t n = c.attrs.integer(Key::n);
  visit_computing(c.type.dtype, [&](auto zero) {
    auto x = c.operands[0].as<decltype(zero)>();
    auto out = c.result<decltype(zero)>();
    for (size_t i = 0; i < out.size(); ++i) out[i] = power(x[i], n);
  });
}

Value jvp_integer_pow(const JvpContext& c) {
  int64_t n = c.attrs.integer(Key::n);
  if (n == 0) return kNoValue;
  if (n == 1) return c.tangents[0];
  Value x = c.primals[0];
  Value slope = n == 2 ? x : build::integer_pow(c.b, x, n - 1);
  return c.times(c.tangents[0], build::scale(c.b, slope, static_cast<double>(n)));
}

// ---- max, min: at ties each operand gets half

template <bool kMax>
struct Extremum {
  template <class T>
  T operator()(T x, T y) const {
    return extremum<kMax>(x, y);
  }
};

template <bool kMax>
Value jvp_extremum(const JvpContext& c) {
  Builder& b = c.b;
  Value x = c.primals[0], y = c.primals[1];
  Value tie = build::compare(b, x, y, Direction::eq);
  Value share = build::where(b, tie, build::constant(b, b.dtype(x), b.shape(x), 0.5),
                             build::constant(b, b.dtype(x), b.shape(x), 1));
  auto part = [&](size_t i) {
    if (!c.has(i)) return kNoValue;
    Value loses = build::compare(b, c.primals[i], c.primals[1 - i], kMax ? Direction::lt : Direction::gt);
    return build::where(b, loses, build::zeros_like(b, x), mul(b, c.tangents[i], share));
  };
  return add_any(b, part(0), part(1));
}

// ---- pow, rem, bitcast

template <class T>
T remainder_of(T x, T y) {
  if constexpr (std::is_integral_v<T>)
    return minus(x, times(quotient(x, y), y));
  else
    return std::fmod(x, y);
}

// y x^(y-1) x', 0 where y is 0, and o log(x) y', 0 where x is 0 and y is not negative. What is not chosen is finite.
Value jvp_pow(const JvpContext& c) {
  Builder& b = c.b;
  Value x = c.primals[0], y = c.primals[1], zero = build::zeros_like(b, x), t = kNoValue;
  Value one = build::constant(b, b.dtype(x), b.shape(x), 1);
  if (c.has(0)) {
    Value flat = build::compare(b, y, zero, Direction::eq);
    Value less = build::sub(b, build::where(b, flat, one, y), one);
    t = c.times(c.tangents[0], build::where(b, flat, zero, mul(b, y, binary(b, Op::pow_op, x, less))));
  }
  if (c.has(1)) {
    Value still =
        binary(b, Op::and_op, build::compare(b, x, zero, Direction::eq), build::compare(b, y, zero, Direction::ge));
    Value log = build::unary(b, Op::log_op, build::where(b, still, one, x));
    t = add_any(b, t, c.times(c.tangents[1], build::where(b, still, zero, mul(b, c.out, log))));
  }
  return t;
}

Value jvp_rem(const JvpContext& c) {
  if (!c.has(1)) return c.tangents[0];
  Value steps = build::unary(c.b, Op::trunc_op, div(c.b, c.primals[0], c.primals[1]));
  return add_any(c.b, c.has(0) ? c.tangents[0] : kNoValue, c.times(c.tangents[1], neg(c.b, steps)));
}

Type infer_bitcast(const InferContext& c) {
  const DType from = c.dtype(0), to = c.attrs.dtype();
  expect_constructible(c, to);
  if (is_storage(from) || is_storage(to) || size_of(from) != size_of(to))
    c.dtype_error("the bits of " + std::string(to_string(from)) + " are not those of " + std::string(to_string(to)) +
                  ": expected i32 and f32, or i64 and f64");
  return {to, false, c.shape(0)};
}

}  // namespace

void define_elementwise(RuleTable& table) {
  auto op = [&](Op name, EvalRule eval, JvpRule jvp, TransposeRule transpose) {
    table.define(name, {infer_elementwise, eval, jvp, transpose, structured<batch_elementwise>});
  };
  table.define(Op::where_op, linear(infer_where, evaluate_where, transpose_where, structured<batch_where>));
  table.define(Op::demand_op, demand_rules());
  table.define(Op::convert_op,
               linear(infer_convert, evaluate_convert, transpose_convert, structured<batch_elementwise>));
  op(Op::add_op, evaluate_binary([](auto x, auto y) { return plus(x, y); }), jvp_add, transpose_add);
  op(Op::add_any_op, evaluate_binary([](auto x, auto y) { return plus(x, y); }), jvp_add, transpose_add);
  op(Op::sub_op, evaluate_binary([](auto x, auto y) { return minus(x, y); }), jvp_sub, transpose_sub);
  op(Op::neg_op, evaluate_unary([](auto x) { return negated(x); }), jvp_linear, transpose_neg);
  op(Op::mul_op, evaluate_binary([](auto x, auto y) { return times(x, y); }), jvp_mul, transpose_mul);
  op(Op::mul_no_nan_op, evaluate_binary([](auto x, auto y) { return x == 0 ? x : times(x, y); }), jvp_mul_no_nan,
     transpose_mul_no_nan);
  op(Op::div_op, evaluate_binary([](auto x, auto y) { return quotient(x, y); }), jvp_div, transpose_div);
  table.define(Op::integer_pow_op, unary(evaluate_integer_pow, jvp_integer_pow));
  table.define(Op::max_op, elementwise(evaluate_binary(Extremum<true>()), jvp_extremum<true>));
  table.define(Op::min_op, elementwise(evaluate_binary(Extremum<false>()), jvp_extremum<false>));
  table.define(Op::pow_op, elementwise(evaluate_binary([](auto x, auto y) { return std::pow(x, y); }), jvp_pow));
  table.define(Op::rem_op, elementwise(evaluate_binary([](auto x, auto y) { return remainder_of(x, y); }), jvp_rem));
  table.define(Op::bitcast_op, {infer_bitcast, evaluate_copy, kNoTangent, kNotLinear, structured<batch_elementwise>});
  // (x y' - y x') / (x^2 + y^2): 0 at the origin, as in torch.
  auto atan2 = [](auto y, auto x) { return std::atan2(y, x); };
  table.define(Op::atan2_op, elementwise(evaluate_binary(atan2), [](const JvpContext& c) {
                 Value y = c.primals[0], x = c.primals[1], t = kNoValue;
                 Value square = build::add(c.b, mul(c.b, y, y), mul(c.b, x, x)), zero = build::zeros_like(c.b, x);
                 square = build::where(c.b, build::compare(c.b, square, zero, Direction::eq),
                                       build::constant(c.b, c.b.dtype(x), c.b.shape(x), 1), square);
                 if (c.has(0)) t = c.times(c.tangents[0], build::div(c.b, x, square));
                 if (c.has(1)) t = add_any(c.b, t, c.times(c.tangents[1], build::div(c.b, neg(c.b, y), square)));
                 return t;
               }));
}

}  // namespace jot::ir
