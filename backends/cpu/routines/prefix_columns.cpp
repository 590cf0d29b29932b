#include "backends/cpu/routines/prefix_columns.h"

#include <algorithm>
#include <bit>

#include "backends/cpu/kernel/lower_ops.h"
#include "ir/ops/total.h"

namespace jot::cpu {

using ir::Op;

namespace {

bool is_extreme(Op op) { return op == Op::cumulative_max_op || op == Op::cumulative_min_op; }
// Floats that are summed, or multiplied and summed, in double.
bool in_double(Op op, DType dtype) {
  return is_floating(dtype) && (op == Op::cumulative_sum_op || op == Op::linear_recurrence_op);
}
// Sums of doubles keep what rounding takes; extremes have a place.
bool has_second(Op op, DType dtype) { return is_extreme(op) || (op == Op::cumulative_sum_op && dtype == DType::f64); }

// Some times `rows` rows of n columns. Arguments: x, y, n, bytes from row to row, state, second state; of extremes the
// places in memory, of recurrences a; of extremes the bytes from row to row of these, the first place, from place to
// place; how many times; the bits of 1.0.
Kernel rows_kernel(Op op, DType dtype, int64_t rows) {
  const KType t = kernel_type(dtype), s = in_double(op, dtype) ? KType::f64 : t;
  const bool extreme = is_extreme(op), second = has_second(op, dtype);
  KernelBuilder b(InnerKernel::lanes(extreme ? 8 : bytes_of(s)));
  uint32_t x = b.arg(1), y = b.arg(2), n = b.arg(3), step = b.arg(4), state = b.arg(5), other = b.arg(6);
  b.read_write(state);
  if (second) b.read_write(other);
  const bool linear = op == Op::linear_recurrence_op;
  auto wide = [&](uint32_t v) { return s == t ? v : b.convert(s, v); };
  auto narrow = [&](uint32_t v) { return s == t ? v : b.convert(t, v); };
  uint32_t extra = extreme || linear ? b.arg(7) : kNone;  // places, or a
  uint32_t places_step = extreme ? b.arg(8) : kNone, place = extreme ? b.arg(9) : kNone;
  uint32_t turn = extreme ? b.arg(10) : kNone;
  const uint32_t first = b.imuli(b.loop(b.arg(11)), rows);
  auto there = [&](uint32_t at, uint32_t by) { return b.iadd(at, b.imul(first, by)); };
  x = there(x, step), y = there(y, step);
  if (linear) extra = there(extra, step);
  if (extreme) extra = there(extra, places_step), place = there(place, turn);
  // Conversions bound sums in double. Where sums share units with them, products do not: a sum of products by a 1 that
  // the builder does not know.
  const uint32_t one = s != t ? b.bitcast(s, b.broadcast(KType::i64, b.arg(12))) : kNone;
  const uint32_t j = b.vloop(n);
  uint32_t value = b.load(s, state, j), low = second ? b.load(extreme ? KType::i64 : s, other, j) : kNone;
  for (int64_t r = 0; r < rows; ++r) {
    const uint32_t element = b.load(t, x, j);
    uint32_t result = kNone;
    if (extreme) {
      uint32_t taken = b.cmp(op == Op::cumulative_max_op ? KCmp::ge : KCmp::le, element, value);
      if (is_floating(dtype)) taken = b.mor(taken, b.is_nan(element));
      result = value = b.select(taken, element, value);
      low = b.select(taken, b.broadcast(KType::i64, place), low);
      b.store(low, extra, j);
    } else if (linear) {
      value = b.fma(wide(b.load(t, extra, j)), value, wide(element));
      result = narrow(value);
    } else if (op == Op::cumulative_prod_op) {
      result = value = b.mul(value, element);
    } else if (second) {
      auto [whole, lost] = two_sum(b, value, element);
      value = whole;
      low = b.add(low, lost);
      result = whole_sum(b, value, low);
    } else if (s != t) {
      value = b.fma(wide(element), one, value);
      result = narrow(value);
    } else {
      result = value = b.add(value, element);
    }
    b.store(result, y, j);
    if (r + 1 == rows) break;
    x = b.iadd(x, step), y = b.iadd(y, step);
    if (linear) extra = b.iadd(extra, step);
    if (extreme) extra = b.iadd(extra, places_step), place = b.iadd(place, turn);
  }
  b.store(value, state, j);
  if (second) b.store(low, other, j);
  b.endloop();
  b.endloop();
  return std::move(b).finish();
}

}  // namespace

PrefixColumns::PrefixColumns(Op op, DType dtype)
    : op_(op), dtype_(dtype), one_(rows_kernel(op, dtype, 1)), many_(rows_kernel(op, dtype, kRows)) {}

// What a line of nothing comes to: 0 but for products and extremes; of recurrences what adds nothing, not even a sign.
void PrefixColumns::start(std::span<std::byte> state, std::span<std::byte> second, int64_t width) const {
  std::ranges::fill(state.first(static_cast<size_t>(width) * 8), std::byte{0});
  std::ranges::fill(second.first(static_cast<size_t>(width) * 8), std::byte{0});
  visit_computing(dtype_, [&](auto zero) {
    using T = decltype(zero);
    auto* to = reinterpret_cast<T*>(state.data());
    if (op_ == Op::linear_recurrence_op) std::fill_n(reinterpret_cast<double*>(state.data()), width, -0.0);
    if (op_ == Op::cumulative_prod_op) std::fill_n(to, width, T{1});
    if (op_ == Op::cumulative_max_op) std::fill_n(to, width, ir::Largest<T>().value());
    if (op_ == Op::cumulative_min_op) std::fill_n(to, width, ir::Least<T>().value());
  });
}

void PrefixColumns::operator()(const Rows& all) const {
  alignas(64) std::byte state[kWidth * 8], second[kWidth * 8];
  start(state, second, all.width);
  const int64_t bytes = all.step * size_of(dtype_), places_bytes = all.step * 8, turn = all.step < 0 ? -1 : 1;
  for (int64_t r = 0; r < all.rows;) {
    const bool first = r == 0 && op_ == Op::linear_recurrence_op;  // whose factor means nothing: any does
    const int64_t groups = first ? 0 : (all.rows - r) / kRows;
    const void* extra = op_ == Op::linear_recurrence_op ? all.a : all.places;
    const int64_t extra_bytes = op_ == Op::linear_recurrence_op ? bytes : places_bytes;
    const int64_t args[] = {0,
                            address(all.x) + r * bytes,
                            address(all.y) + r * bytes,
                            all.width,
                            bytes,
                            address(state),
                            address(second),
                            first ? address(second) : address(extra) + r * extra_bytes,
                            places_bytes,
                            all.first + r * turn,
                            turn,
                            std::max<int64_t>(groups, 1),
                            std::bit_cast<int64_t>(1.0)};
    (groups > 0 ? many_ : one_)(args);
    r += groups > 0 ? groups * kRows : 1;
  }
}

}  // namespace jot::cpu
