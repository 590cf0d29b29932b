#include "backends/cpu/routines/tiles.h"

#include <cmath>

#include "backends/cpu/kernel/lower_ops.h"

namespace jot::cpu {
namespace {

// c[r][j] = start[r][j] + sum over k of a[r][k] * b[k][j] for r < rows, j < vectors * lanes. Arguments: a, its step, b,
// its step, k, start, its step, c, its step. Steps of start, c and of a's rows are in bytes, others in elements.
Kernel tile_kernel(KType t, int lanes, int64_t rows, int64_t vectors, bool a_rows) {
  const int64_t size = bytes_of(t), width = lanes * size;
  KernelBuilder b(lanes);
  const uint32_t x = b.arg(1), x_step = b.arg(2), y = b.arg(3), y_step = b.arg(4), terms = b.arg(5);
  std::vector<uint32_t> row = {x}, sums, right;
  for (int64_t r = 1; a_rows && r < rows; ++r) row.push_back(b.iadd(row.back(), x_step));
  for (int64_t i = 0; i < rows * vectors; ++i) sums.push_back(b.var(zero(b, t)));
  const uint32_t k = b.loop(terms), at = b.imul(k, y_step), column = a_rows ? k : b.imul(k, x_step);
  for (int64_t j = 0; j < vectors; ++j) right.push_back(b.load(t, y, at, j * width));
  for (int64_t r = 0; r < rows; ++r) {
    const uint32_t left =
        a_rows ? b.load_bcast(t, row[static_cast<size_t>(r)], column) : b.load_bcast(t, x, column, r * size);
    for (int64_t j = 0; j < vectors; ++j) {
      const uint32_t sum = sums[static_cast<size_t>(r * vectors + j)];
      b.set(sum, b.fma(left, right[static_cast<size_t>(j)], sum));
    }
  }
  b.endloop();
  uint32_t start = b.arg(6), start_step = b.arg(7), out = b.arg(8), out_step = b.arg(9);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < vectors; ++j)
      b.store(b.add(b.load(t, start, kNone, j * width), sums[static_cast<size_t>(r * vectors + j)]), out, kNone,
              j * width);
    start = b.iadd(start, start_step);
    out = b.iadd(out, out_step);
  }
  return std::move(b).finish();
}

}  // namespace

TileProduct::TileProduct(DType dtype, bool a_rows, std::initializer_list<int64_t> rows, int64_t n)
    : a_rows_(a_rows), size_(size_of(dtype)), lanes_(lanes(dtype)), n_(n) {
  // Sums, one row of B and an element of A are in registers.
  const int64_t sums = target() == Target::avx512 ? 24 : 12, most = target() == Target::avx512 ? 4 : 2;
  constexpr int64_t kPanel = 128 << 10;
  const int64_t all = n / lanes_, pieces = (all + most - 1) / most;
  vectors_ = (all + pieces - 1) / pieces;
  rows_ = std::min(sums / vectors_, int64_t{12});
  block_ = std::clamp<int64_t>(kPanel / (n * size_), 32, 256);
  tiles_.resize(static_cast<size_t>(2 * rows_));
  for (int64_t m : rows)
    for (int64_t count : {std::min(m, rows_), m % rows_})
      for (int64_t vectors : {vectors_, all % vectors_})
        if (count > 0 && vectors > 0)
          tiles_[static_cast<size_t>(count - 1 + (vectors == vectors_ ? 0 : rows_))] =
              InnerKernel(tile_kernel(kernel_type(dtype), static_cast<int>(lanes_), count, vectors, a_rows));
}

void TileProduct::operator()(const Matrices& x, int64_t m, int64_t k) const {
  alignas(64) static constexpr std::byte kZeros[4 * 64] = {};
  const auto *a = static_cast<const std::byte*>(x.a), *b = static_cast<const std::byte*>(x.b);
  auto* c = static_cast<std::byte*>(x.c);
  const int64_t row_step = a_rows_ ? x.a_step : 1, term_step = a_rows_ ? 1 : x.a_step, c_bytes = x.c_step * size_;
  const int64_t block = std::max(block_, static_cast<int64_t>(std::sqrt(static_cast<double>(k))));
  for (int64_t first = 0; first < k; first += block)
    for (int64_t r = 0; r < m; r += rows_) {
      const int64_t rows = std::min(rows_, m - r);
      for (int64_t j = 0; j < n_; j += vectors_ * lanes_) {
        const bool whole = j + vectors_ * lanes_ <= n_;
        std::byte* out = c + (r * x.c_step + j) * size_;
        const int64_t args[] = {0,
                                address(a + (r * row_step + first * term_step) * size_),
                                a_rows_ ? x.a_step * size_ : x.a_step,
                                address(b + (first * x.b_step + j) * size_),
                                x.b_step,
                                std::min(block, k - first),
                                address(first == 0 ? kZeros : out),
                                first == 0 ? 0 : c_bytes,
                                address(out),
                                c_bytes};
        tiles_[static_cast<size_t>(rows - 1 + (whole ? 0 : rows_))](args);
      }
    }
}

}  // namespace jot::cpu
