// Comparisons and bits. Their results carry no tangent.
#include <bit>

#include "ir/ops/classes.h"
#include "ir/ops/evaluate.h"

namespace jot::ir {
namespace {

Type infer_compare(const InferContext& c) {
  Type type = infer_elementwise(c);
  type.dtype = DType::boolean;
  return type;
}

template <class T>
bool holds(Direction direction, T x, T y) {
  switch (direction) {
    case Direction::eq:
      return x == y;
    case Direction::ne:
      return x != y;
    case Direction::lt:
      return x < y;
    case Direction::le:
      return x <= y;
    case Direction::gt:
      return x > y;
    case Direction::ge:
      return x >= y;
  }
  return false;
}

void evaluate_compare(const EvalContext& c) {
  Direction direction = c.attrs.direction();
  visit_computing(c.operands[0].type->dtype, [&](auto zero) {
    auto x = c.operands[0].as<decltype(zero)>(), y = c.operands[1].as<decltype(zero)>();
    auto out = c.result<uint8_t>();
    for (size_t i = 0; i < out.size(); ++i) out[i] = holds(direction, x[i], y[i]);
  });
}

// F of elements that are integers or bytes 0 and 1.
template <class F>
auto bitwise(F) {
  return [](auto x, auto... y) {
    if constexpr (std::is_integral_v<decltype(x)>)
      return F()(x, y...);
    else
      return x;  // never instantiated for a value: dtypes IB
  };
}

void evaluate_not(const EvalContext& c) {
  bool truth = c.type.dtype == DType::boolean;
  visit_computing(c.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>) {
      auto x = c.operands[0].as<T>();
      auto out = c.result<T>();
      for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(truth ? !x[i] : ~x[i]);
    }
  });
}

// ---- shifts: a count outside [0, width) shifts everything out

template <class T>
bool shifts_out(T count) {
  return count < 0 || count >= static_cast<T>(8 * sizeof(T));
}

template <class T>
T shift_left(T x, T count) {
  using U = std::make_unsigned_t<T>;
  return shifts_out(count) ? T(0) : static_cast<T>(static_cast<U>(x) << count);
}

template <class T>
T shift_right_logical(T x, T count) {
  using U = std::make_unsigned_t<T>;
  return shifts_out(count) ? T(0) : static_cast<T>(static_cast<U>(x) >> count);
}

template <class T>
T shift_right_arithmetic(T x, T count) {
  if (shifts_out(count)) return x < 0 ? static_cast<T>(-1) : T(0);
  return static_cast<T>(x >> count);
}

}  // namespace

void define_logical(RuleTable& table) {
  auto op = [&](Op name, EvalRule eval) {
    table.define(name, {infer_elementwise, eval, kNoTangent, kNotLinear, batch_elementwise});
  };
  table.define(Op::compare_op, {infer_compare, evaluate_compare, kNoTangent, kNotLinear, batch_elementwise});
  op(Op::and_op, evaluate_binary(bitwise([](auto x, auto y) { return x & y; })));
  op(Op::or_op, evaluate_binary(bitwise([](auto x, auto y) { return x | y; })));
  op(Op::xor_op, evaluate_binary(bitwise([](auto x, auto y) { return x ^ y; })));
  op(Op::not_op, evaluate_not);
  op(Op::shl_op, evaluate_binary(bitwise([](auto x, auto y) { return shift_left(x, y); })));
  op(Op::shr_op, evaluate_binary(bitwise([](auto x, auto y) { return shift_right_logical(x, y); })));
  op(Op::sar_op, evaluate_binary(bitwise([](auto x, auto y) { return shift_right_arithmetic(x, y); })));
  op(Op::popcnt_op,
     evaluate_unary(bitwise([](auto x) { return std::popcount(static_cast<std::make_unsigned_t<decltype(x)>>(x)); })));
}

}  // namespace jot::ir
