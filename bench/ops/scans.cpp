// Cumulative functions.
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "loops.h"

namespace bench::ops {
namespace {

// y[i] = op(y[i - 1], x[i]) along each line; a single line in two passes, a part a thread.
template <class T, class Op>
void scan(const Layout& s, const T* x, T* y, T start, Op op) {
  if (s.outer * s.inner == 1) {
    const auto parts = std::make_unique<T[]>(static_cast<size_t>(omp_get_max_threads()));
#pragma omp parallel
    {
      const int64_t threads = omp_get_num_threads(), t = omp_get_thread_num();
      const int64_t begin = s.n * t / threads, end = s.n * (t + 1) / threads;
      T whole = start;
      if (t + 1 < threads)
        for (int64_t i = begin; i < end; ++i) whole = op(whole, x[i]);
      parts[t] = whole;
#pragma omp barrier
      T state = start;
      for (int64_t k = 0; k < t; ++k) state = op(state, parts[k]);
      for (int64_t i = begin; i < end; ++i) y[i] = state = op(state, x[i]);
    }
    return;
  }
  each_column_block(s, [&](int64_t first, int64_t width) {
    if (width == 1) {
      T state = start;
      for (int64_t i = 0; i < s.n; ++i) y[first + i * s.inner] = state = op(state, x[first + i * s.inner]);
      return;
    }
    for (int64_t i = 0; i < s.n; ++i) {
      T* to = y + first + i * s.inner;
      const T *from = x + first + i * s.inner, *before = to - s.inner;
#pragma omp simd
      for (int64_t j = 0; j < width; ++j) to[j] = i == 0 ? op(start, from[j]) : op(before[j], from[j]);
    }
  });
}

// Sums in double, as jot's and torch's.
void sums_in_double(const Layout& s, const float* x, float* y) {
  each_column_block(s, [&](int64_t first, int64_t width) {
    std::vector<double> sums(static_cast<size_t>(width));
    for (int64_t i = 0; i < s.n; ++i) {
      const float* from = x + first + i * s.inner;
      float* to = y + first + i * s.inner;
      double* sum = sums.data();
#pragma omp simd
      for (int64_t j = 0; j < width; ++j) to[j] = static_cast<float>(sum[j] += from[j]);
    }
  });
}

float logaddexp(float a, float b) {
  const float top = std::max(a, b), low = std::min(a, b);
  return std::isinf(top) ? top : top + std::log1p(std::exp(low - top));
}

void cummax_loop(const Layout& s, const float* x, float* y, int64_t* places) {
  if (s.outer * s.inner == 1) {
    const auto best = std::make_unique<int64_t[]>(static_cast<size_t>(omp_get_max_threads()));
#pragma omp parallel
    {
      const int64_t threads = omp_get_num_threads(), t = omp_get_thread_num();
      const int64_t begin = s.n * t / threads, end = s.n * (t + 1) / threads;
      int64_t place = begin;
      if (t + 1 < threads)
        for (int64_t i = begin; i < end; ++i)
          if (x[i] >= x[place]) place = i;
      best[t] = place;
#pragma omp barrier
      place = 0;
      for (int64_t k = 0; k < t; ++k)
        if (x[best[k]] >= x[place]) place = best[k];
      float top = x[place];
      for (int64_t i = begin; i < end; ++i) {
        if (x[i] >= top) {
          top = x[i];
          place = i;
        }
        y[i] = top;
        places[i] = place;
      }
    }
    return;
  }
  each_column_block(s, [&](int64_t first, int64_t width) {
    for (int64_t i = 0; i < s.n; ++i) {
      const int64_t at = first + i * s.inner, before = i == 0 ? at : at - s.inner;
#pragma omp simd
      for (int64_t j = 0; j < width; ++j) {
        const bool more = i == 0 || x[at + j] >= y[before + j];
        y[at + j] = more ? x[at + j] : y[before + j];
        places[at + j] = more ? i : places[before + j];
      }
    }
  });
}

}  // namespace

void add_scans(Rows& rows) {
  using X = const Tensors&;
  using A = const Args&;
  for (const Layout& s : layouts(rows)) {
    auto add = [&](auto name, double low, double high, auto f, float start, auto op) {
      rows.add(name, s.label, {{s.shape, jot::f32, low, high}}, {s.dim}, f,
               [=](Memory& m) { scan(s, m.in<float>(0), m.out<float>(), start, op); });
    };
    add(
        "cumsum", 0, 1, [](X x, A a) { return cumsum(x[0], a[0]); }, 0, [](float a, float b) { return a + b; });
    if (s.inner > 1) {
      rows.rows.push_back(rows.rows.back());
      rows.rows.back().label += ", loop in f64";
      rows.rows.back().loop = [=](Memory& m) { sums_in_double(s, m.in<float>(0), m.out<float>()); };
    }
    add(
        "cumprod", 0.999, 1.001, [](X x, A a) { return cumprod(x[0], a[0]); }, 1,
        [](float a, float b) { return a * b; });
    add(
        "logcumsumexp", -1, 1, [](X x, A a) { return logcumsumexp(x[0], a[0]); },
        -std::numeric_limits<float>::infinity(), logaddexp);
    rows.add(
        "cummax", s.label, {{s.shape, jot::f32, 0, 1}}, {s.dim}, [](X x, A a) { return cummax(x[0], a[0]); },
        [=](Memory& m) { cummax_loop(s, m.in<float>(0), m.out<float>(0), m.out<int64_t>(1)); });
  }
}

}  // namespace bench::ops
