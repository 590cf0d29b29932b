#include "backends/cpu/kernel/lower_ops.h"

#include <bit>
#include <cstring>
#include <limits>

#include "backends/cpu/kernel/math.h"
#include "backends/cpu/ops/cpu_ops.h"
#include "ir/ops/total.h"

namespace jot::cpu {

using namespace ir;

namespace {

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
  return integer_quotient(b, x, y);
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
  switch (computing_type(dtype)) {
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

KElement element_in_memory(DType dtype) {
  switch (dtype) {
    case DType::u8:
      return {KType::i32, KMem::byte};
    case DType::f16:
      return {KType::f32, KMem::half};
    case DType::bf16:
      return {KType::i32, KMem::word};
    case DType::boolean:
    case DType::i32:
    case DType::i64:
    case DType::f32:
    case DType::f64:
      return kernel_type(dtype);
  }
  internal_error("a dtype", to_string(dtype));
}

uint32_t widened(KernelBuilder& b, DType dtype, uint32_t x) {
  return dtype == DType::bf16 ? b.bitcast(KType::f32, b.shl(x, 16)) : x;
}

uint32_t narrowed(KernelBuilder& b, DType dtype, uint32_t x) {
  return dtype == DType::bf16 ? b.shr(b.bitcast(KType::i32, x), 16) : x;
}

namespace {

// The upper half, rounded by what is below it; NaN stays one, quiet.
uint32_t rounded_to_bf16(KernelBuilder& b, uint32_t x) {
  const KType t = KType::i32;
  uint32_t bits = b.bitcast(t, x), odd = b.bit_and(b.shr(bits, 16), integer(b, t, 1));
  uint32_t sum = b.add(bits, b.add(integer(b, t, 0x7fff), odd));
  uint32_t nearest = b.select(b.is_nan(x), b.bit_or(bits, integer(b, t, 0x400000)), sum);
  return b.bitcast(KType::f32, b.bit_and(nearest, integer(b, t, -0x10000)));
}

}  // namespace

uint32_t rounded(KernelBuilder& b, DType dtype, uint32_t x) {
  switch (dtype) {
    case DType::u8:
      return b.bit_and(x, integer(b, KType::i32, 0xff));
    case DType::f16:
      return b.round_half(x);
    case DType::bf16:
      return rounded_to_bf16(b, x);
    case DType::boolean:
    case DType::i32:
    case DType::i64:
    case DType::f32:
    case DType::f64:
      return x;
  }
  internal_error("a dtype", to_string(dtype));
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

ReductionForm::ReductionForm(Op reduction, DType dtype)
    : op(reduction), negated(reduction == Op::reduce_max_op && is_floating(dtype)) {
  if (negated) op = Op::reduce_min_op;
}

TwoSum two_sum(KernelBuilder& b, uint32_t high, uint32_t x) {
  uint32_t whole = b.add(high, x), part = b.sub(whole, high);
  return {whole, b.add(b.sub(high, b.sub(whole, part)), b.sub(x, part))};
}

uint32_t whole_sum(KernelBuilder& b, uint32_t high, uint32_t low) {
  return b.select(b.cmp(KCmp::eq, low, low), b.add(high, low), high);
}

uint32_t reduction_start(KernelBuilder& b, Op op, DType dtype) {
  return visit_reduction(op, [&](auto reduction) {
    return visit_computing(dtype, [&](auto zero) {
      using T = decltype(zero);
      const T start = typename decltype(reduction)::template Fold<T>().value();
      uint64_t bits = 0;
      std::memcpy(&bits, &start, sizeof start);
      if (dtype == DType::boolean) return b.mask_const(start != T{});
      return b.constant(kernel_type(dtype), bits);
    });
  });
}

uint32_t reduction_step(KernelBuilder& b, Op op, uint32_t accumulator, uint32_t x) {
  const uint32_t operands[] = {accumulator, x};
  return cpu_op(combining(op)).element({b, combining(op), operands});
}

uint32_t reduction_of_lanes(KernelBuilder& b, Op op, uint32_t x) {
  switch (combining(op)) {
    case Op::add_op:
      return b.reduce(KOp::add, x);
    case Op::mul_op:
      return b.reduce(KOp::mul, x);
    case Op::max_op:
      return b.reduce(KOp::max, x);
    case Op::min_op:
      return b.reduce(KOp::min, x);
    case Op::and_op:  // no lane is false
      return b.cmp(KCmp::eq, b.broadcast(KType::i32, b.any(b.mnot(x))), zero(b, KType::i32));
    case Op::or_op:
      return b.cmp(KCmp::ne, b.broadcast(KType::i32, b.any(x)), zero(b, KType::i32));
    default:
      internal_error("a reduction of lanes", name_of(op));
  }
}

bool adds(Op op) { return op == Op::dot_op || (is_reduction(op) && combining(op) == Op::add_op); }

uint32_t lower_element(KernelBuilder& b, const GraphData& g, Value v, std::span<const uint32_t> x) {
  return cpu_op(g.op(v)).element({b, g.op(v), x, &g, v});
}

void define_elements(CpuTable& table) {
  using C = const ElementContext&;
  table.element(Op::where_op, [](C c) {
    return c.x[1] == c.x[2] ? c.x[1] : c.b.select(c.x[0], c.x[1], c.x[2]);  // of a value and itself without derivative
  });
  table.element(Op::demand_op, [](C c) { return c.x[0]; });
  table.element(Op::convert_op, [](C c) {
    const DType from = c.g->dtype(c.g->operand(c.v, 0)), to = c.g->dtype(c.v);
    const uint32_t x = converted(c.b, kernel_type(to), c.x[0]);
    return from == to ? x : rounded(c.b, to, x);
  });
  for (Op op : {Op::add_op, Op::add_any_op}) table.element(op, [](C c) { return c.b.add(c.x[0], c.x[1]); });
  table.element(Op::sub_op, [](C c) { return c.b.sub(c.x[0], c.x[1]); });
  table.element(Op::neg_op, [](C c) { return c.b.neg(c.x[0]); });
  table.element(Op::mul_op, [](C c) { return c.b.mul(c.x[0], c.x[1]); });
  table.element(Op::mul_no_nan_op, [](C c) {
    return c.b.select(c.b.cmp(KCmp::eq, c.x[0], zero(c.b, c.b.type(c.x[0]))), c.x[0], c.b.mul(c.x[0], c.x[1]));
  });
  table.element(Op::div_op, [](C c) { return quotient(c.b, c.x[0], c.x[1]); });
  table.element(Op::log_gamma_draw_op, [](C c) { return c.x[1]; });
  table.element(Op::bitcast_op, [](C c) { return c.b.bitcast(kernel_type(c.g->dtype(c.v)), c.x[0]); });
  table.element(Op::integer_pow_op, [](C c) { return power(c.b, c.x[0], c.g->attrs(c.v).integer(Key::n)); });
  table.element(Op::max_op, [](C c) { return extremum(c.b, true, c.x[0], c.x[1]); });
  table.element(Op::min_op, [](C c) { return extremum(c.b, false, c.x[0], c.x[1]); });
  table.element(Op::sqrt_op, [](C c) { return c.b.sqrt(c.x[0]); });
  table.element(Op::rsqrt_op, [](C c) { return c.b.div(c.b.number(c.b.type(c.x[0]), 1), c.b.sqrt(c.x[0])); });
  table.element(Op::abs_op, [](C c) { return c.b.abs(c.x[0]); });
  table.element(Op::sign_op, [](C c) { return sign(c.b, c.x[0]); });
  table.element(Op::floor_op, [](C c) { return c.b.round(c.x[0], KernelBuilder::floor); });
  table.element(Op::ceil_op, [](C c) { return c.b.round(c.x[0], KernelBuilder::ceil); });
  table.element(Op::round_even_op, [](C c) { return c.b.round(c.x[0], KernelBuilder::even); });
  table.element(Op::trunc_op, [](C c) { return c.b.round(c.x[0], KernelBuilder::trunc); });
  table.element(Op::compare_op, [](C c) { return compare(c.b, c.g->attrs(c.v).direction(), c.x[0], c.x[1]); });
  for (Op op : {Op::and_op, Op::or_op, Op::xor_op})
    table.element(op, [](C c) { return bits(c.b, c.op, c.x[0], c.x[1]); });
  table.element(Op::not_op, [](C c) {
    KType t = c.b.type(c.x[0]);
    return t == KType::mask ? c.b.mnot(c.x[0]) : c.b.bit_xor(c.x[0], integer(c.b, t, -1));
  });
  table.element(Op::shl_op, [](C c) { return c.b.shlv(c.x[0], c.x[1]); });
  table.element(Op::shr_op, [](C c) { return c.b.shrv(c.x[0], c.x[1]); });
  table.element(Op::sar_op, [](C c) { return c.b.sarv(c.x[0], c.x[1]); });
  table.element(Op::popcnt_op, [](C c) { return c.b.popcnt(c.x[0]); });
}

}  // namespace jot::cpu
