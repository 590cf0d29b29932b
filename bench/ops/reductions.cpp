// Reductions and what is made of them.
#include <cmath>
#include <limits>
#include <memory>

#include "loops.h"

namespace bench::ops {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr auto kPlus = [](auto a, auto b) { return a + b; };
constexpr auto kTimes = [](auto a, auto b) { return a * b; };
constexpr auto kMax = [](auto a, auto b) { return a > b ? a : b; };

void mean_loop(const Layout& s, const float* x, float* y) {
  fold(s, x, y, 0.f, kPlus);
  for (int64_t i = 0; i < s.outer * s.inner; ++i) y[i] /= static_cast<float>(s.n);
}

// f(j, at) for all elements, in order, the lines on two threads: j numbers the line.
template <class F>
void each(const Layout& s, F f) {
  if (s.inner == 1)
    split(s.outer, 1, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r)
        for (int64_t i = 0; i < s.n; ++i) f(r, r * s.n + i);
    });
  else
    each_column_block(s, [&](int64_t first, int64_t width) {
      const int64_t line = first / (s.n * s.inner) * s.inner + first % s.inner;
      for (int64_t i = 0; i < s.n; ++i)
#pragma omp simd
        for (int64_t j = 0; j < width; ++j) f(line + j, first + i * s.inner + j);
    });
}

void var_loop(const Layout& s, const float* x, float* y) {
  const auto lines = static_cast<size_t>(s.outer * s.inner);
  std::vector<float> means(lines);
  const float* mean = means.data();
  mean_loop(s, x, means.data());
  if (lines == 1) {
    float sum = 0;
#pragma omp parallel for simd reduction(+ : sum)
    for (int64_t i = 0; i < s.n; ++i) sum += (x[i] - mean[0]) * (x[i] - mean[0]);
    *y = sum;
  } else if (s.inner == 1) {
#pragma omp parallel for
    for (int64_t r = 0; r < s.outer; ++r) {
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < s.n; ++i) sum += (x[r * s.n + i] - mean[r]) * (x[r * s.n + i] - mean[r]);
      y[r] = sum;
    }
  } else {
    std::fill_n(y, lines, 0.f);
    each(s, [=](int64_t line, int64_t at) { y[line] += (x[at] - mean[line]) * (x[at] - mean[line]); });
  }
  for (size_t i = 0; i < lines; ++i) y[i] /= static_cast<float>(s.n - 1);
}

void exponentials(const Layout& s, const float* x, float* exps, float* top, float* sum) {
  fold(s, x, top, -kInf, kMax);
  std::fill_n(sum, s.outer * s.inner, 0.f);
  if (s.outer * s.inner == 1) {
    float total = 0;
#pragma omp parallel for reduction(+ : total)
    for (int64_t i = 0; i < s.n; ++i) total += std::exp(x[i] - top[0]);
    *sum = total;
  } else {
    each(s, [=](int64_t line, int64_t at) {
      const float e = std::exp(x[at] - top[line]);
      if (exps) exps[at] = e;
      sum[line] += e;
    });
  }
}
void logsumexp_loop(const Layout& s, const float* x, float* y) {
  std::vector<float> top(static_cast<size_t>(s.outer * s.inner));
  exponentials(s, x, nullptr, top.data(), y);
  for (size_t i = 0; i < top.size(); ++i) y[i] = top[i] + std::log(y[i]);
}
void softmax_loop(const Layout& s, const float* x, float* y) {
  std::vector<float> top(static_cast<size_t>(s.outer * s.inner)), total(top.size());
  exponentials(s, x, y, top.data(), total.data());
  each(s, [y, sum = total.data()](int64_t line, int64_t at) { y[at] /= sum[line]; });
}

void argmax_loop(const Layout& s, const float* x, int64_t* y) {
  if (s.outer * s.inner == 1) {
    const auto places = std::make_unique<int64_t[]>(static_cast<size_t>(omp_get_max_threads()));
    int used = 1;
#pragma omp parallel
    {
      const int64_t threads = omp_get_num_threads(), t = omp_get_thread_num();
#pragma omp single
      used = static_cast<int>(threads);
      int64_t best = s.n * t / threads;
      for (int64_t i = best; i < s.n * (t + 1) / threads; ++i)
        if (x[i] > x[best]) best = i;
      places[t] = best;
    }
    *y = places[0];
    for (int t = 1; t < used; ++t)
      if (x[places[t]] > x[*y]) *y = places[t];
    return;
  }
  std::vector<float> tops(static_cast<size_t>(s.outer * s.inner), -kInf);
  float* top = tops.data();
  each(s, [=](int64_t line, int64_t at) {
    const bool more = x[at] > top[line];
    top[line] = more ? x[at] : top[line];
    y[line] = more ? at / s.inner % s.n : y[line];
  });
}

void any_loop(const Layout& s, const bool* x, bool* y) {
  fold(s, reinterpret_cast<const uint8_t*>(x), reinterpret_cast<uint8_t*>(y), uint8_t{0},
       [](auto a, auto b) { return static_cast<decltype(a)>(a | b); });
}

template <class T, class F>
Loop on(const Layout& s, F loop) {
  return [=](Memory& m) { loop(s, m.in<T>(0), m.out<T>()); };
}

}  // namespace

void add_reductions(Rows& rows) {
  using X = const Tensors&;
  using A = const Args&;
  std::vector<Layout> all = layouts(rows);
  all.push_back(whole(rows));
  auto floats = [&](auto name, const Layout& s, double low, double high, auto f, auto loop) {
    rows.add(name, s.label, {{s.shape, jot::f32, low, high}}, {s.dim}, f, on<float>(s, loop));
  };
  for (const Layout& s : all) {
    auto total = [](const Layout& l, const float* x, float* y) { fold(l, x, y, 0.f, kPlus); };
    auto product = [](const Layout& l, const float* x, float* y) { fold(l, x, y, 1.f, kTimes); };
    auto most = [](const Layout& l, const float* x, float* y) { fold(l, x, y, -kInf, kMax); };
    floats(
        "sum", s, 0, 1, [](X x, A a) { return sum(x[0], axes(a)); }, total);
    floats(
        "mean", s, 0, 1, [](X x, A a) { return mean(x[0], axes(a)); }, mean_loop);
    floats(
        "amax", s, 0, 1, [](X x, A a) { return amax(x[0], axes(a)); }, most);
    floats(
        "prod", s, 0.999, 1.001, [](X x, A a) { return prod(x[0], axes(a)); }, product);
    floats(
        "var", s, 0, 1, [](X x, A a) { return var(x[0], axes(a)); }, var_loop);
    floats(
        "logsumexp", s, 0, 1, [](X x, A a) { return logsumexp(x[0], axes(a)); }, logsumexp_loop);
    if (s.dim != -9 && s.shape.size() > 1)
      floats(
          "softmax", s, 0, 1, [](X x, A a) { return softmax(x[0], a[0]); }, softmax_loop);
    rows.add(
        "argmax", s.label, {{s.shape, jot::f32, 0, 1}}, {s.dim},
        [](X x, A a) { return a[0] == -9 ? argmax(x[0]) : argmax(x[0], a[0]); },
        [=](Memory& m) { argmax_loop(s, m.in<float>(0), m.out<int64_t>()); });
    rows.add(
        "any", s.label, {{s.shape, jot::boolean, -1, 0.5}}, {s.dim}, [](X x, A a) { return any(x[0], axes(a)); },
        on<bool>(s, any_loop));
    rows.add(
        "sum f64", s.label, {{s.shape, jot::f64, 0, 1}}, {s.dim}, [](X x, A a) { return sum(x[0], axes(a)); },
        on<double>(s, [](const Layout& l, const double* x, double* y) { fold(l, x, y, 0., kPlus); }));
  }
  // Views: of the transpose, and of every second column.
  const int64_t n = rows(1000, 20);
  for (int64_t dim : {0, 1}) {
    const Layout turned = of_rows(dim == 0 ? "0" : "1", {n, n}, 1 - dim);
    floats(
        "sum of x.t()", turned, 0, 1, [dim](X x, A) { return sum(x[0].t(), dim); },
        [](const Layout& l, const float* x, float* y) { fold(l, x, y, 0.f, kPlus); });
    rows.rows.back().args = {dim};
    const Layout wide = of_rows(dim == 0 ? "0" : "1", {n, 2 * n}, dim);
    floats(
        "sum of x[:, ::2]", wide, 0, 1, [](X x, A a) { return sum(x[0].slice(1, 0, jot::none, 2), a[0]); },
        [n, dim](const Layout&, const float* x, float* y) {
          if (dim == 1) {
#pragma omp parallel for
            for (int64_t r = 0; r < n; ++r) {
              float total = 0;
#pragma omp simd reduction(+ : total)
              for (int64_t i = 0; i < n; ++i) total += x[r * 2 * n + 2 * i];
              y[r] = total;
            }
            return;
          }
          split(n, 16, [&](int64_t begin, int64_t end) {
            std::fill(y + begin, y + end, 0.f);
            for (int64_t i = 0; i < n; ++i)
#pragma omp simd
              for (int64_t j = begin; j < end; ++j) y[j] += x[i * 2 * n + 2 * j];
          });
        });
  }
}

}  // namespace bench::ops
