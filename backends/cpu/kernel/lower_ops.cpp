#include "backends/cpu/kernel/lower_ops.h"

#include <bit>
#include <limits>

#include "backends/cpu/kernel/math.h"

namespace jot::cpu {

using namespace ir;

namespace {

bool is_float(KType t) { return t == KType::f32 || t == KType::f64; }
int64_t least(KType t) {
  return t == KType::i32 ? std::numeric_limits<int32_t>::min() : std::numeric_limits<int64_t>::min();
}
int64_t greatest(KType t) {
  return t == KType::i32 ? std::numeric_limits<int32_t>::max() : std::numeric_limits<int64_t>::max();
}

uint32_t integer(KernelBuilder& b, KType t, int64_t x) {
  return b.constant(t, t == KType::i32 ? static_cast<uint32_t>(x) : static_cast<uint64_t>(x));
}

// Truncated, saturated, NaN to 0. The instruction gives the least integer for all that does not fit.
uint32_t float_to_integer(KernelBuilder& b, KType to, uint32_t x) {
  KType from = b.type(x);
  uint32_t result = b.convert(to, x);
  double limit = to == KType::i32 ? 0x1p31 : 0x1p63;
  result = b.select(b.cmp(KCmp::ge, x, b.number(from, limit)), integer(b, to, greatest(to)), result);
  return b.select(b.is_nan(x), integer(b, to, 0), result);
}

uint32_t converted(KernelBuilder& b, KType to, uint32_t x) {
  KType from = b.type(x);
  if (from == to) return x;
  if (from == KType::mask) return b.select(x, b.number(to, 1), b.number(to, 0));
  if (to == KType::mask) return b.cmp(KCmp::ne, x, zero(b, from));
  if (is_float(from) && !is_float(to)) return float_to_integer(b, to, x);
  return b.convert(to, x);
}

uint32_t quotient(KernelBuilder& b, uint32_t x, uint32_t y) {
  if (is_float(b.type(x))) return b.div(x, y);
  return b.fixup(KFn::idiv, x, x, b.mask_const(true), y);
}

// By squaring, as the reference does.
uint32_t power(KernelBuilder& b, uint32_t x, int64_t n) {
  KType t = b.type(x);
  uint32_t result = kNone;
  uint64_t e = n < 0 ? 0 - static_cast<uint64_t>(n) : static_cast<uint64_t>(n);
  for (uint32_t square = x; e != 0; e >>= 1) {
    if (e & 1) result = result == kNone ? square : b.mul(result, square);
    if (e > 1) square = b.mul(square, square);
  }
  if (result == kNone) return b.number(t, 1);
  return n < 0 ? quotient(b, b.number(t, 1), result) : result;
}

uint32_t sign(KernelBuilder& b, uint32_t x) {
  KType t = b.type(x);
  uint32_t none = b.number(t, 0);
  uint32_t negative = b.select(b.cmp(KCmp::lt, x, none), b.number(t, -1), none);
  return b.select(b.cmp(KCmp::gt, x, none), b.number(t, 1), negative);
}

uint32_t compare(KernelBuilder& b, Direction d, uint32_t x, uint32_t y) {
  if (b.type(x) != KType::mask) return b.cmp(static_cast<KCmp>(d), x, y);
  switch (d) {
    case Direction::eq:
      return b.mnot(b.mxor(x, y));
    case Direction::ne:
      return b.mxor(x, y);
    case Direction::lt:
      return b.mand(b.mnot(x), y);
    case Direction::le:
      return b.mor(b.mnot(x), y);
    case Direction::gt:
      return b.mand(x, b.mnot(y));
    case Direction::ge:
      return b.mor(x, b.mnot(y));
  }
  return x;
}
static_assert(static_cast<int>(Direction::eq) == static_cast<int>(KCmp::eq) &&
              static_cast<int>(Direction::ne) == static_cast<int>(KCmp::ne) &&
              static_cast<int>(Direction::lt) == static_cast<int>(KCmp::lt) &&
              static_cast<int>(Direction::le) == static_cast<int>(KCmp::le) &&
              static_cast<int>(Direction::gt) == static_cast<int>(KCmp::gt) &&
              static_cast<int>(Direction::ge) == static_cast<int>(KCmp::ge));

uint32_t bits(KernelBuilder& b, Op op, uint32_t x, uint32_t y) {
  bool mask = b.type(x) == KType::mask;
  if (op == Op::and_op) return mask ? b.mand(x, y) : b.bit_and(x, y);
  if (op == Op::or_op) return mask ? b.mor(x, y) : b.bit_or(x, y);
  return mask ? b.mxor(x, y) : b.bit_xor(x, y);
}

}  // namespace

KType kernel_type(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return KType::mask;
    case DType::i32:
      return KType::i32;
    case DType::i64:
      return KType::i64;
    case DType::f32:
      return KType::f32;
    case DType::f64:
      return KType::f64;
    case DType::u8:
    case DType::bf16:
    case DType::f16:
      break;
  }
  internal_error("a dtype that kernels have", to_string(dtype));
}

uint32_t zero(KernelBuilder& b, KType t) { return t == KType::mask ? b.mask_const(false) : b.constant(t, 0); }

uint32_t constant(KernelBuilder& b, DType dtype, int64_t word) {
  KType t = kernel_type(dtype);
  if (t == KType::mask) return b.mask_const(word != 0);
  if (t == KType::f32) return b.constant(t, std::bit_cast<uint32_t>(static_cast<float>(std::bit_cast<double>(word))));
  return integer(b, t, word);
}

uint32_t extremum(KernelBuilder& b, bool max, uint32_t x, uint32_t y) {
  if (!is_float(b.type(x))) return max ? b.max(x, y) : b.min(x, y);
  if (max) return b.neg(extremum(b, false, b.neg(x), b.neg(y)));
  // They differ where either is NaN, or both are zeros: together they are NaN, or -0 if one is.
  return b.bit_or(b.min(x, y), b.min(y, x));
}

TwoSum two_sum(KernelBuilder& b, uint32_t high, uint32_t x) {
  uint32_t whole = b.add(high, x), part = b.sub(whole, high);
  return {whole, b.add(b.sub(high, b.sub(whole, part)), b.sub(x, part))};
}

uint32_t whole_sum(KernelBuilder& b, uint32_t high, uint32_t low) {
  return b.select(b.cmp(KCmp::eq, low, low), b.add(high, low), high);
}

uint32_t reduction_start(KernelBuilder& b, Op op, KType t) {
  if (op == Op::reduce_sum_op) return zero(b, t);
  bool max = op == Op::reduce_max_op;
  if (!is_float(t)) return integer(b, t, max ? least(t) : greatest(t));
  double infinity = std::numeric_limits<double>::infinity();
  return b.number(t, max ? -infinity : infinity);
}

uint32_t reduction_step(KernelBuilder& b, Op op, uint32_t accumulator, uint32_t x) {
  if (op == Op::reduce_sum_op) return b.add(accumulator, x);
  return extremum(b, op == Op::reduce_max_op, accumulator, x);
}

KReduce reduction_kind(Op op) {
  return op == Op::reduce_sum_op ? KReduce::sum : op == Op::reduce_max_op ? KReduce::max : KReduce::min;
}

uint32_t lower_element(KernelBuilder& b, const GraphData& g, Value v, std::span<const uint32_t> x) {
  switch (g.op(v)) {
    case Op::where_op:
      return b.select(x[0], x[1], x[2]);
    case Op::convert_op:
      return converted(b, kernel_type(g.dtype(v)), x[0]);
    case Op::add_op:
    case Op::add_any_op:
      return b.add(x[0], x[1]);
    case Op::sub_op:
      return b.sub(x[0], x[1]);
    case Op::neg_op:
      return b.neg(x[0]);
    case Op::mul_op:
      return b.mul(x[0], x[1]);
    case Op::mul_no_nan_op:
      return b.select(b.cmp(KCmp::eq, x[0], zero(b, b.type(x[0]))), x[0], b.mul(x[0], x[1]));
    case Op::div_op:
      return quotient(b, x[0], x[1]);
    case Op::integer_pow_op:
      return power(b, x[0], g.attrs(v).integer(Key::n));
    case Op::max_op:
      return extremum(b, true, x[0], x[1]);
    case Op::min_op:
      return extremum(b, false, x[0], x[1]);
    case Op::exp_op:
      return exp(b, x[0]);
    case Op::log_op:
      return log(b, x[0]);
    case Op::sqrt_op:
      return b.sqrt(x[0]);
    case Op::rsqrt_op:
      return rsqrt(b, x[0]);
    case Op::sin_op:
      return sin(b, x[0]);
    case Op::cos_op:
      return cos(b, x[0]);
    case Op::tanh_op:
      return tanh(b, x[0]);
    case Op::logistic_op:
      return logistic(b, x[0]);
    case Op::abs_op:
      return b.abs(x[0]);
    case Op::sign_op:
      return sign(b, x[0]);
    case Op::floor_op:
      return b.round(x[0], KernelBuilder::floor);
    case Op::ceil_op:
      return b.round(x[0], KernelBuilder::ceil);
    case Op::round_even_op:
      return b.round(x[0], KernelBuilder::even);
    case Op::trunc_op:
      return b.round(x[0], KernelBuilder::trunc);
    case Op::compare_op:
      return compare(b, g.attrs(v).direction(), x[0], x[1]);
    case Op::and_op:
    case Op::or_op:
    case Op::xor_op:
      return bits(b, g.op(v), x[0], x[1]);
    case Op::not_op:
      return b.type(x[0]) == KType::mask ? b.mnot(x[0]) : b.bit_xor(x[0], integer(b, b.type(x[0]), -1));
    case Op::shl_op:
      return b.shlv(x[0], x[1]);
    case Op::shr_op:
      return b.shrv(x[0], x[1]);
    case Op::sar_op:
      return b.sarv(x[0], x[1]);
    case Op::popcnt_op:
      return b.popcnt(x[0]);
    default:
      internal_error("an elementwise op", name_of(g.op(v)));
  }
}

}  // namespace jot::cpu
