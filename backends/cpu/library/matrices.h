// Stacks of matrices for BLAS and LAPACK, and for tiles of small ones.
#pragma once
#include <algorithm>
#include <vector>

#include "backends/cpu/library/blas.h"
#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/runtime/plan.h"
#include "backends/cpu/runtime/pool.h"

namespace jot::cpu {

// f(first, count, worker) for all items, `group` or a multiple of it at a time, over the pool.
template <class F>
void in_groups(int64_t items, int64_t group, double nanoseconds, F f) {
  if (items == 0) return;
  const int64_t groups = (items + group - 1) / group;
  const int64_t chunks = chunks_for(groups, nanoseconds * static_cast<double>(group));
  const int64_t share = (groups + chunks - 1) / chunks * group;
  auto body = [&](int64_t c, int worker) {
    if (c * share < items) f(c * share, std::min(share, items - c * share), worker);
  };
  parallel_for(chunks, body);
}

// The whole batch, tile by tile.
inline void run_tiles(const Routine& routine, int64_t items, int64_t lanes, std::span<const void* const> operands,
                      std::span<void* const> outs, std::byte* scratch, KernelError& error) {
  in_groups(items, lanes, routine.item_nanoseconds, [&](int64_t first, int64_t count, int worker) {
    for (const int64_t last = first + count; first < last; first += lanes)
      routine.run_tile(
          {operands, outs, 0, first, std::min(lanes, last - first), scratch + worker * routine.tile_bytes, error});
  });
}

inline std::byte* shifted(void* p, int64_t bytes) { return static_cast<std::byte*>(p) + bytes; }
inline const std::byte* shifted(const void* p, int64_t bytes) { return static_cast<const std::byte*>(p) + bytes; }

// to[j, i] = from[i, j] of [rows, columns], in squares that stay in cache.
template <class T>
void transpose(const T* from, T* to, int64_t rows, int64_t columns) {
  constexpr int64_t kSquare = 16;
  for (int64_t r = 0; r < rows; r += kSquare)
    for (int64_t c = 0; c < columns; c += kSquare)
      for (int64_t i = r; i < std::min(r + kSquare, rows); ++i)
        for (int64_t j = c; j < std::min(c + kSquare, columns); ++j) to[j * rows + i] = from[i * columns + j];
}

// The functions of LAPACK for a type.
template <class T>
struct Lapack {
#define JOT_TYPED(name)           \
  static auto name() {            \
    if constexpr (sizeof(T) == 8) \
      return blas().d##name;      \
    else                          \
      return blas().s##name;      \
  }
  JOT_TYPED(potrf)
  JOT_TYPED(getrf)
  JOT_TYPED(gelqf)
  JOT_TYPED(orglq)
  JOT_TYPED(syevd)
  JOT_TYPED(gesdd)
#undef JOT_TYPED
};

// Throws ShapeError: LAPACK counts in blasint, also what it needs to work, and wraps.
void check_workspace(std::string_view op, int64_t numbers, const Shape& a);

template <class F>
void visit_lapack(DType dtype, F f) {
  dtype == DType::f64 ? f(double{}) : f(float{});
}

}  // namespace jot::cpu
