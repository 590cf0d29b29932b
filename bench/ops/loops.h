// Loops as one writes them by hand for one op, on two threads. An array is seen as [outer, n, inner], n along the dim.
#pragma once
#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "ops.h"

namespace bench::ops {

struct Layout {
  const char* label;
  Shape shape;
  int64_t dim;  // -9: all
  int64_t outer, n, inner;
};
// 10^6 elements: along a line, and over all, the inner, the outer, the middle dim.
inline std::vector<Layout> layouts(const Rows& size) {
  const int64_t m = size(1'000'000, 300), s = size(1000, 20), c = size(100, 7);
  return {{"1-d", {m}, 0, 1, m, 1},
          {"inner", {s, s}, 1, s, s, 1},
          {"outer", {s, s}, 0, 1, s, s},
          {"middle", {c, c, c}, 1, c, c, c}};
}
inline Layout whole(const Rows& size) {
  const int64_t s = size(1000, 20);
  return {"all", {s, s}, -9, 1, s * s, 1};
}
inline Layout of_rows(const char* label, const Shape& shape, int64_t dim) {
  const auto d = static_cast<size_t>(dim);
  return {label, shape, dim, shape.slice(0, d).numel(), shape[d], shape.slice(d + 1, shape.size()).numel()};
}
// As an argument of jot's functions.
inline jot::Axes axes(const Args& a) { return a[0] == -9 ? jot::Axes() : jot::Axes(a[0]); }

// body(begin, end) on each thread for its part of n, a multiple of `unit` but for the last.
template <class F>
void split(int64_t n, int64_t unit, F body) {
#pragma omp parallel
  {
    const int64_t parts = omp_get_num_threads(), part = omp_get_thread_num(), units = (n + unit - 1) / unit;
    const int64_t begin = units * part / parts * unit, end = std::min(n, units * (part + 1) / parts * unit);
    if (begin < end) body(begin, end);
  }
}

// Four registers of partial results.
template <class T, class Op>
T fold_line(const T* x, int64_t n, T start, Op op) {
  constexpr int64_t kLanes = 64 / sizeof(T);
  typedef T Vector __attribute__((vector_size(64)));
  Vector part[4];
  for (Vector& p : part) p = start - Vector{};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes)
    for (int64_t k = 0; k < 4; ++k) {
      Vector v;
      std::memcpy(&v, x + i + k * kLanes, sizeof v);
      part[k] = op(part[k], v);
    }
  Vector all = op(op(part[0], part[1]), op(part[2], part[3]));
  T result = start;
  for (int64_t k = 0; k < kLanes; ++k) result = op(result, static_cast<T>(all[k]));
  for (; i < n; ++i) result = op(result, x[i]);
  return result;
}

// One element of each line.
template <class T, class Op>
void fold(const Layout& s, const T* x, T* y, T start, Op op) {
  if (s.inner == 1 && s.outer == 1) {
    const auto parts = std::make_unique<T[]>(static_cast<size_t>(omp_get_max_threads()));
    int used = 1;
#pragma omp parallel
    {
      const int64_t threads = omp_get_num_threads(), t = omp_get_thread_num();
#pragma omp single
      used = static_cast<int>(threads);
      const int64_t begin = s.n * t / threads, end = s.n * (t + 1) / threads;
      parts[t] = fold_line(x + begin, end - begin, start, op);
    }
    *y = start;
    for (int t = 0; t < used; ++t) *y = op(*y, parts[t]);
  } else if (s.inner == 1) {
    split(s.outer, 1, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) y[r] = fold_line(x + r * s.n, s.n, start, op);
    });
  } else {
    const int64_t blocks = s.outer > 1 ? 1 : omp_get_max_threads(), width = (s.inner + blocks - 1) / blocks;
    split(s.outer * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t o = t / blocks, first = t % blocks * width, last = std::min(s.inner, first + width);
        T* to = y + o * s.inner;
        std::fill(to + first, to + last, start);
        for (int64_t i = 0; i < s.n; ++i) {
          const T* from = x + (o * s.n + i) * s.inner;
#pragma omp simd
          for (int64_t j = first; j < last; ++j) to[j] = op(to[j], from[j]);
        }
      }
    });
  }
}

// body(first element, step) for each line, lines of several columns side by side: body is given the number of columns.
template <class F>
void each_column_block(const Layout& s, F body) {
  const int64_t blocks = s.inner == 1 ? 1 : s.outer > 1 ? 1 : omp_get_max_threads();
  const int64_t width = (s.inner + blocks - 1) / blocks;
  split(s.outer * blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t first = t % blocks * width;
      if (first < s.inner) body(t / blocks * s.n * s.inner + first, std::min(width, s.inner - first));
    }
  });
}

}  // namespace bench::ops
