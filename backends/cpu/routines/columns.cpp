#include "backends/cpu/routines/columns.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/kernel/lower_ops.h"
#include "backends/cpu/routines/truth.h"

namespace jot::cpu {

using ir::Op;
using Axis = StridedCopy::Axis;

namespace {

// y[j] = y[j] with x[j], x[j + row], ... of some times `rows` rows, for j < n; of weighted ones the sum. Arguments: x,
// y, n, bytes from row to row, weights, bytes from one to the next, how many times.
Kernel columns_kernel(Op op, DType dtype, int rows, bool weighted) {
  const KType t = kernel_type(dtype);
  const ReductionForm form(op, dtype);
  KernelBuilder b(InnerKernel::lanes(bytes_of(t)));
  uint32_t x = b.arg(1), y = b.arg(2), n = b.arg(3), step = b.arg(4);
  b.read_write(y);
  const uint32_t first = b.imuli(b.loop(b.arg(7)), rows);
  std::vector<uint32_t> row = {b.iadd(x, b.imul(first, step))}, weights;
  for (int r = 1; r < rows; ++r) row.push_back(b.iadd(row.back(), step));
  for (uint32_t r = 0, at = 0; weighted && r < row.size(); ++r) {
    at = r == 0 ? b.iadd(b.arg(5), b.imul(first, b.arg(6))) : b.iadd(at, b.arg(6));
    weights.push_back(b.load_bcast(t, at));
  }
  uint32_t j = b.vloop(n), total = form.turned(b, b.load(t, y, j));
  for (size_t r = 0; r < row.size(); ++r) {
    uint32_t element = form.turned(b, b.load(t, row[r], j));
    total = weighted ? b.fma(weights[r], element, total) : reduction_step(b, form.op, total, element);
  }
  b.store(form.turned(b, total), y, j);
  b.endloop();
  b.endloop();
  return std::move(b).finish();
}

// y[j] + z[j] = y[j] + z[j] + x[j] for j < n, z what rounding takes; with `last` all of it into y. Arguments: x, y, z,
// n.
Kernel fold_kernel(KType t, int lanes, bool last) {
  KernelBuilder b(lanes);
  uint32_t x = b.arg(1), y = b.arg(2), z = b.arg(3), n = b.arg(4);
  b.read_write(y), b.read_write(z);
  uint32_t j = b.vloop(n), high = b.load(t, y, j), low = b.load(t, z, j);
  if (last) {
    b.store(whole_sum(b, high, low), y, j);
  } else {
    auto [whole, lost] = two_sum(b, high, b.load(t, x, j));
    b.store(whole, y, j);
    b.store(b.add(low, lost), z, j);
  }
  b.endloop();
  return std::move(b).finish();
}

// The result of a reduction of nothing.
uint64_t start_bits(Op op, DType dtype) {
  KernelBuilder b(1);
  return static_cast<uint64_t>(b.instr(reduction_start(b, op, dtype)).imm);
}

}  // namespace

ColumnFold::ColumnFold(Op op, DType dtype, bool weighted)
    : op_(op), dtype_(dtype), start_(start_bits(op, dtype)), compensated_(keeps_losses(op, dtype)) {
  if (dtype == DType::boolean) return;
  const KType t = kernel_type(dtype);
  const int lanes = InnerKernel::lanes(bytes_of(t));
  column_ = InnerKernel(columns_kernel(op, dtype, 1, weighted));
  columns_ = InnerKernel(columns_kernel(op, dtype, kRows, weighted));
  merge_ = weighted ? InnerKernel(columns_kernel(op, dtype, 1, false)) : column_;
  if (!compensated_) return;
  fold_ = InnerKernel(fold_kernel(t, lanes, false));
  last_ = InnerKernel(fold_kernel(t, lanes, true));
}

void ColumnFold::fill(void* x, int64_t n) const {
  if (size_of(dtype_) == 8)
    std::fill_n(static_cast<uint64_t*>(x), n, start_);
  else
    std::fill_n(static_cast<uint32_t*>(x), n, static_cast<uint32_t>(start_));
}

void ColumnFold::operator()(const void* x, const void* w, std::span<const Axis> rows, void* y, int64_t n) const {
  if (dtype_ == DType::boolean) return truth_values(static_cast<const std::byte*>(x), rows, y, n);
  const int64_t size = size_of(dtype_);
  for (int64_t first = 0; first < n; first += kWidth)
    block(static_cast<const std::byte*>(x) + first * size, static_cast<const std::byte*>(w), rows,
          static_cast<std::byte*>(y) + first * size, std::min(kWidth, n - first));
}

void ColumnFold::truth_values(const std::byte* x, std::span<const Axis> rows, void* y, int64_t n) const {
  std::memset(y, static_cast<int>(start_), static_cast<size_t>(n));
  const Axis last = rows.empty() ? Axis{1, 0, 0} : rows.back();
  const std::span<const Axis> outer = rows.first(rows.empty() ? 0 : rows.size() - 1);
  int64_t blocks = 1;
  for (const Axis& a : outer) blocks *= a.extent;
  for (int64_t i = 0; i < blocks; ++i)
    quantify_columns(op_ == Op::reduce_and_op, x + offsets_of(outer, i).src, last.src, last.extent, y, n);
}

// Rows in blocks that are folded apart, sums with what is lost.
void ColumnFold::block(const std::byte* x, const std::byte* w, std::span<const Axis> rows, std::byte* y,
                       int64_t n) const {
  constexpr int64_t kBlock = 32;
  const int64_t size = size_of(dtype_), inner = rows.empty() ? 1 : rows.back().extent;
  const int64_t step = rows.empty() ? 0 : rows.back().src * size,
                weight_step = rows.empty() ? 0 : rows.back().dst * size;
  int64_t terms = 1;
  for (const Axis& a : rows) terms *= a.extent;
  alignas(64) std::byte part[kWidth * 8], lost[kWidth * 8];
  const bool exact = compensated_ && terms > kBlock;
  fill(y, n);
  if (exact) std::memset(lost, 0, static_cast<size_t>(n * size));
  for (int64_t begin = 0; begin < terms; begin += kBlock) {
    const int64_t end = std::min(begin + kBlock, terms);
    fill(part, n);
    for (int64_t r = begin; r < end;) {
      const int64_t together = std::min(inner - r % inner, end - r), groups = together / kRows;
      const Offsets o = offsets_of(rows, r);
      const int64_t args[] = {0,    address(x + o.src * size), address(part), n,
                              step, address(w + o.dst * size), weight_step,   groups > 0 ? groups : together};
      (groups > 0 ? columns_ : column_)(args);
      r += groups > 0 ? groups * kRows : together;
    }
    if (exact) {
      const int64_t args[] = {0, address(part), address(y), address(lost), n};
      fold_(args);
    } else {
      const int64_t args[] = {0, address(part), address(y), n, 0, 0, 0, 1};
      merge_(args);
    }
  }
  const int64_t args[] = {0, 0, address(y), address(lost), n};
  if (exact) last_(args);
}

}  // namespace jot::cpu
