// Small matrices side by side, one a lane: element e of the matrix in lane l lies at e * kTileLanes + l of a tile. What
// goes through lanes is chosen by masks; loops end when no lane needs more. What a lane gives depends on its matrix
// alone, to the bit.
#pragma once
#include <cstdint>
#include <type_traits>

#include "backends/cpu/ops/cpu_ops.h"
#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/runtime/plan.h"

namespace jot::cpu {

template <class T>
inline constexpr int64_t kTileLanes = 64 / sizeof(T);

// Copies rows of `columns` elements between a stack and a tile.
class TileRows {
 public:
  TileRows() = default;
  TileRows(DType dtype, int64_t columns);
  // Of `count` matrices, whose first elements are matrix_step elements apart, and whose rows row_step. The tile has the
  // rows behind each other; lanes without a matrix hold the first.
  void load(int64_t count, const void* stack, void* tile, int64_t rows, int64_t matrix_step, int64_t row_step) const {
    run(load_, count, stack, tile, rows, matrix_step, row_step);
    if (count < 64 / size_) repeat_first(count, tile, rows);
  }
  void store(int64_t count, void* stack, const void* tile, int64_t rows, int64_t matrix_step, int64_t row_step) const {
    run(store_, count, stack, tile, rows, matrix_step, row_step);
  }

 private:
  void repeat_first(int64_t count, void* tile, int64_t rows) const;
  static void run(const InnerKernel& kernel, int64_t count, const void* stack, const void* tile, int64_t rows,
                  int64_t matrix_step, int64_t row_step) {
    const int64_t args[] = {0, count, address(stack), address(tile), rows, matrix_step, row_step};
    kernel(args);
  }
  InnerKernel load_, store_;
  int64_t size_ = 0, columns_ = 0;
};

// to[j, i] = from[i, j] of [rows, columns].
class Transposition {
 public:
  Transposition() = default;
  Transposition(DType dtype, int64_t columns);
  void operator()(const void* from, void* to, int64_t rows) const {
    const int64_t args[] = {0, rows, address(from), address(to)};
    kernel_(args);
  }

 private:
  InnerKernel kernel_;
};

// Operand i, matrices of `rows` rows, as a tile of its own.
template <class T>
void load_tile(const Routine::Tile& t, size_t i, const TileRows& by_rows, int64_t rows, int64_t columns, T* tile) {
  auto* from = static_cast<const T*>(t.operands[i]);
  if (t.operand_in_lanes(i))
    std::copy_n(from, rows * columns * kTileLanes<T>, tile);
  else
    by_rows.load(t.count, from + t.first * rows * columns, tile, rows, rows * columns, columns);
}

// Memory of a worker, taken piece by piece.
class Pieces {
 public:
  explicit Pieces(std::byte* at) : at_(at) {}
  template <class T>
  T* take(int64_t elements) {
    T* piece = reinterpret_cast<T*>(at_);
    at_ += aligned(elements * static_cast<int64_t>(sizeof(T)));
    return piece;
  }

 private:
  std::byte* at_;
};

// Each in place, of a tile of matrices by rows, in f32 and f64. Integers are of the size of the elements, by lanes.
template <class T>
using TileInteger = std::conditional_t<sizeof(T) == 8, int64_t, int32_t>;

// Result i, of i32, from `each` integers of every lane.
template <class T>
void store_integers(const Routine::Tile& t, size_t i, const TileInteger<T>* from, int64_t each) {
  constexpr int64_t kLanes = kTileLanes<T>;
  auto* to = static_cast<int32_t*>(t.outs[i]);
  if (t.result_in_lanes(i)) return static_cast<void>(std::copy_n(from, each * kLanes, to));
  for (int64_t l = 0; l < t.count; ++l)
    for (int64_t e = 0; e < each; ++e) to[(t.first + l) * each + e] = static_cast<int32_t>(from[e * kLanes + l]);
}

// The first item that is at fault, with its number.
template <class Integer>
void record_first(const Routine::Tile& t, int64_t code, const Integer* fault) {
  for (int64_t l = 0; l < t.count; ++l)
    if (fault[l] != 0) return t.error.record(code, t.first + l, fault[l]);
}

#define JOT_TILE_FUNCTIONS(T)                                                                                         \
  /* l of a = l l^T, [n, n], the lower triangle is read; info: the order of the first minor that is not positive */   \
  void tile_cholesky(T* a, int64_t n, TileInteger<T>* info);                                                          \
  /* p a = l u, [m, n]: pivots [min(m, n)] from 1, order [m], info: the first pivot that is zero, from 1 */           \
  void tile_lu(T* a, int64_t m, int64_t n, TileInteger<T>* pivots, TileInteger<T>* order, TileInteger<T>* info);      \
  /* m x = b: element i of side s at i * row + s * side; m [n, n] with elements i * m_row + j * m_column, its lower   \
     triangle (forward) or its upper one */                                                                           \
  void tile_solve(const T* m, int64_t m_row, int64_t m_column, bool forward, bool unit, T* x, int64_t row,            \
                  int64_t side, int64_t n, int64_t sides);                                                            \
  /* a [m, n] becomes r, q [m, columns] of a = q r, for min(m, n) <= columns <= m */                                  \
  void tile_qr(T* a, T* q, int64_t m, int64_t n, int64_t columns);                                                    \
  /* a [n, n], of which the lower triangle is read, becomes its eigenvectors, as columns; values [n], rising. info: 1 \
     where a matrix has not converged, else 0 */                                                                      \
  void tile_eigh(T* a, T* values, T* work, int64_t n, TileInteger<T>* info);                                          \
  /* a [m, n], m >= n, with elements i * row + j * column, = u s v^T: u [m, us], s [n], falling, v [n, n], both by    \
     columns: vector j at j * m or j * n */                                                                           \
  void tile_svd(const T* a, int64_t row, int64_t column, T* u, T* s, T* v, T* work, int64_t m, int64_t n, int64_t us, \
                TileInteger<T>* info);
JOT_TILE_FUNCTIONS(double)
JOT_TILE_FUNCTIONS(float)
#undef JOT_TILE_FUNCTIONS

// Elements of work of the functions above.
constexpr int64_t tile_eigh_work(int64_t n) { return n * n; }
constexpr int64_t tile_svd_work(int64_t m, int64_t us) { return m * us + m * m; }

}  // namespace jot::cpu
