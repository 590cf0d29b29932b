// Reads and writes by index.
#include "loops.h"

namespace bench::ops {
namespace {

using X = const Tensors&;
using A = const Args&;

// f(place in x, place in the index) for each index, lines split over two threads; of a single line on one.
template <class F>
void each_index(const Layout& s, const int64_t* index, F f) {
  if (s.outer * s.inner == 1) {
    for (int64_t i = 0; i < s.n; ++i) f(index[i], i);
    return;
  }
  each_column_block(s, [&](int64_t first, int64_t width) {
    const int64_t base = first / (s.n * s.inner) * s.n * s.inner + first % s.inner;
    for (int64_t i = 0; i < s.n; ++i)
      for (int64_t j = 0; j < width; ++j) {
        const int64_t at = first + i * s.inner + j;
        f(base + j + index[at] * s.inner, at);
      }
  });
}

Loop gather_loop(const Layout& s) {
  return [=](Memory& m) {
    const float* x = m.in<float>(0);
    float* y = m.out<float>();
    const int64_t* index = m.in<int64_t>(1);
    if (s.outer * s.inner == 1) {
#pragma omp parallel for
      for (int64_t i = 0; i < s.n; ++i) y[i] = x[index[i]];
    } else {
      each_index(s, index, [=](int64_t from, int64_t to) { y[to] = x[from]; });
    }
  };
}
template <class F>
Loop scatter_loop(const Layout& s, F f) {
  return [=](Memory& m) {
    const float *x = m.in<float>(0), *u = m.in<float>(2);
    float* y = m.out<float>();
    std::copy_n(x, s.outer * s.n * s.inner, y);
    each_index(s, m.in<int64_t>(1), [=](int64_t to, int64_t from) { y[to] = f(y[to], u[from]); });
  };
}

void add_rows_of_matrix(Rows& rows) {
  const int64_t n = rows(10'000, 20), count = rows(15'625, 30), width = rows(64, 5);
  const Input x = {{n, width}}, index = integers({count}, n), source = {{count, width}};
  rows.add(
      "index_select", "rows of 64", {x, index}, {0}, [](X x, A a) { return index_select(x[0], a[0], x[1]); },
      [=](Memory& m) {
        const float* from = m.in<float>(0);
        float* to = m.out<float>();
        const int64_t* at = m.in<int64_t>(1);
#pragma omp parallel for
        for (int64_t i = 0; i < count; ++i) std::copy_n(from + at[i] * width, width, to + i * width);
      });
  rows.add(
      "index_add", "rows of 64", {x, index, source}, {0}, [](X x, A a) { return index_add(x[0], a[0], x[1], x[2]); },
      [=](Memory& m) {
        const float* u = m.in<float>(2);
        float* to = m.out<float>();
        const int64_t* at = m.in<int64_t>(1);
        std::copy_n(m.in<float>(0), n * width, to);
        for (int64_t i = 0; i < count; ++i)
#pragma omp simd
          for (int64_t j = 0; j < width; ++j) to[at[i] * width + j] += u[i * width + j];
      });
}

}  // namespace

void add_indexing(Rows& rows) {
  for (const Layout& s : layouts(rows)) {
    const Input x = {s.shape}, index = integers(s.shape, s.n);
    rows.add(
        "gather", s.label, {x, index}, {s.dim}, [](X x, A a) { return gather(x[0], a[0], x[1]); }, gather_loop(s));
    rows.add(
        "scatter_add", s.label, {x, index, x}, {s.dim}, [](X x, A a) { return scatter_add(x[0], a[0], x[1], x[2]); },
        scatter_loop(s, [](float a, float b) { return a + b; }));
    rows.add(
        "scatter_reduce amax", s.label, {x, index, x}, {s.dim},
        [](X x, A a) { return scatter_reduce(x[0], a[0], x[1], x[2], jot::Reduce::amax); },
        scatter_loop(s, [](float a, float b) { return a > b ? a : b; }));
    rows.add(
        "scatter", s.label, {x, index, x}, {s.dim}, [](X x, A a) { return scatter(x[0], a[0], x[1], x[2]); },
        scatter_loop(s, [](float, float b) { return b; }));
  }
  const Layout line = layouts(rows)[0];
  const Input x = {line.shape}, index = integers(line.shape, line.n);
  rows.add(
      "index_put", "1-d", {x, index, x}, {}, [](X x, A) { return x[0].index_put({x[1]}, x[2]); },
      scatter_loop(line, [](float, float b) { return b; }));
  add_rows_of_matrix(rows);
}

}  // namespace bench::ops
