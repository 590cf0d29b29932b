// Sorting, selection, search.
#include "loops.h"

namespace bench::ops {
namespace {

using Entry = std::pair<float, int64_t>;

// Lines as pairs of value and place, lines split over two threads; `order` brings the wanted ones to the front.
template <class F>
void ordered(const Layout& s, int64_t k, Memory& m, F order) {
  const float* x = m.in<float>(0);
  float* values = m.out<float>(0);
  int64_t* places = m.out<int64_t>(1);
  split(s.outer * s.inner, 1, [&](int64_t begin, int64_t end) {
    std::vector<Entry> entries(static_cast<size_t>(s.n));
    for (int64_t line = begin; line < end; ++line) {
      const int64_t from = line / s.inner * s.n * s.inner + line % s.inner,
                    to = line / s.inner * k * s.inner + line % s.inner;
      for (int64_t i = 0; i < s.n; ++i) entries[static_cast<size_t>(i)] = {x[from + i * s.inner], i};
      order(entries);
      for (int64_t i = 0; i < k; ++i) {
        values[to + i * s.inner] = entries[static_cast<size_t>(i)].first;
        places[to + i * s.inner] = entries[static_cast<size_t>(i)].second;
      }
    }
  });
}

Loop sort_loop(const Layout& s) {
  return [=](Memory& m) {
    ordered(s, s.n, m, [](std::vector<Entry>& e) {
      std::stable_sort(e.begin(), e.end(), [](const Entry& a, const Entry& b) { return a.first < b.first; });
    });
  };
}
Loop topk_loop(const Layout& s, int64_t k) {
  return [=](Memory& m) {
    ordered(s, k, m, [k](std::vector<Entry>& e) {
      std::partial_sort(e.begin(), e.begin() + k, e.end(), [](const Entry& a, const Entry& b) {
        return a.first > b.first || (a.first == b.first && a.second < b.second);
      });
    });
  };
}

}  // namespace

void add_order(Rows& rows) {
  using X = const Tensors&;
  using A = const Args&;
  for (const Layout& s : layouts(rows)) {
    const Input x = {s.shape, jot::f32, 0, 1};
    rows.add(
        "sort", s.label, {x}, {s.dim}, [](X x, A a) { return sort(x[0], a[0]); }, sort_loop(s));
    for (int64_t k : {10, 100})
      if (k <= s.n)
        rows.add(
            "topk", std::to_string(k) + " " + s.label, {x}, {k, s.dim}, [](X x, A a) { return topk(x[0], a[0], a[1]); },
            topk_loop(s, k));
  }
  const int64_t n = rows(1'000'000, 100), m = rows(1000, 30);
  rows.add(
      "searchsorted", "10^6 in 1000", {{{m}, jot::f32, 0, 1}, {{n}, jot::f32, 0, 1}}, {},
      [](X x, A) { return searchsorted(jot::sort(x[0]).values, x[1]); },
      [=](Memory& memory) {
        std::vector<float> sorted(memory.in<float>(0), memory.in<float>(0) + m);
        std::sort(sorted.begin(), sorted.end());
        const float* v = memory.in<float>(1);
        int64_t* y = memory.out<int64_t>();
#pragma omp parallel for
        for (int64_t i = 0; i < n; ++i) y[i] = std::lower_bound(sorted.begin(), sorted.end(), v[i]) - sorted.begin();
      });
}

}  // namespace bench::ops
