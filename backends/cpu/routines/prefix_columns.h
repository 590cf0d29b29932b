// Cumulative functions of lines that lie beside each other in memory: kernels that take a few rows at a time.
#pragma once
#include <span>

#include "backends/cpu/routines/routine_parts.h"
#include "ir/op.h"

namespace jot::cpu {

class PrefixColumns {
 public:
  static constexpr int64_t kWidth = 2048;  // columns at a time, at most

  PrefixColumns() = default;
  // Of sums, products, extremes and linear recurrences.
  PrefixColumns(ir::Op op, DType dtype);
  static bool takes(ir::Op op) { return op != ir::Op::cumulative_logsumexp_op; }

  // `rows` rows of `width` columns, `step` elements from one to the next (negative: from the last row on, `x` and what
  // else is given point there). Places count from `first` on, in the direction of the step.
  struct Rows {
    const void *x, *a;  // a: of a recurrence
    void *y, *places;   // places: of extremes
    int64_t rows, step, width, first;
  };
  void operator()(const Rows& r) const;

 private:
  static constexpr int64_t kRows = 4;
  void start(std::span<std::byte> state, std::span<std::byte> second, int64_t width) const;

  ir::Op op_ = ir::Op::cumulative_sum_op;
  DType dtype_ = DType::f32;
  InnerKernel one_, many_;  // of a row, of kRows rows
};

}  // namespace jot::cpu
