// Products of matrices whose panels fit in caches: in tiles that registers hold, from where the operands lie.
#pragma once
#include "backends/cpu/routines/routine_parts.h"

namespace jot::cpu {

class TileProduct {
 public:
  struct Matrices {
    const void *a, *b;               // [m, k] and [k, n]
    void* c;                         // [m, n]
    int64_t a_step, b_step, c_step;  // elements from row to row; of A from column to column if these are contiguous
  };

  TileProduct() = default;
  // Of n columns, a multiple of lanes(dtype), and as many rows as one of `rows`. A's rows are contiguous, or else its
  // columns.
  TileProduct(DType dtype, bool a_rows, std::initializer_list<int64_t> rows, int64_t n);
  // C = A B. Terms are summed in blocks, these in order.
  void operator()(const Matrices& x, int64_t m, int64_t k) const;

  static int64_t lanes(DType dtype) { return InnerKernel::lanes(size_of(dtype)); }

 private:
  bool a_rows_ = true;
  int64_t size_ = 4, lanes_ = 8, n_ = 0;
  int64_t block_ = 0;               // terms, at least; no fewer than the root of their number
  int64_t rows_ = 0, vectors_ = 0;  // of a tile
  std::vector<InnerKernel> tiles_;  // by rows, those of all vectors before those of what is left over
};

}  // namespace jot::cpu
