// Folds of rows into neighbouring results: y[j] of x[r][j], perhaps times w[r], over many rows r.
#pragma once
#include <span>

#include "backends/cpu/routines/routine_parts.h"
#include "ir/op.h"

namespace jot::cpu {

class ColumnFold {
 public:
  ColumnFold() = default;
  // Sums of floats keep what rounding loses (docs/numerics.md). With `weighted`, rows are multiplied by weights.
  ColumnFold(ir::Op op, DType dtype, bool weighted);

  // n results at y, which then hold the op's reduction of all rows: their elements lie at x + src, their weights at
  // w + dst of the axes. The results are of the dtype.
  void operator()(const void* x, const void* w, std::span<const StridedCopy::Axis> rows, void* y, int64_t n) const;

 private:
  static constexpr int64_t kRows = 8, kWidth = 1024;

  void block(const std::byte* x, const std::byte* w, std::span<const StridedCopy::Axis> rows, std::byte* y,
             int64_t n) const;
  void truth_values(const std::byte* x, std::span<const StridedCopy::Axis> rows, void* y, int64_t n) const;
  void fill(void* x, int64_t n) const;

  ir::Op op_ = ir::Op::reduce_sum_op;
  DType dtype_ = DType::f32;
  uint64_t start_ = 0;  // the bits of an empty reduction
  bool compensated_ = false;
  InnerKernel column_, columns_, merge_, fold_, last_;
};

}  // namespace jot::cpu
