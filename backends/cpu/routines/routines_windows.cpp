// Sums and greatest elements under a moving window: line by line of the result along the last axis. The rows of x under
// the window of a line are folded into one, element by element, and this tap by tap of the window, for those places at
// once where there is an element under the tap. Of equal elements the first is found by its position. Lines are divided
// among threads.
#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "backends/cpu/routines/clones.h"
#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/runtime/plan.h"
#include "backends/cpu/runtime/pool.h"
#include "ir/ops/total.h"
#include "ir/ops/window.h"

namespace jot::cpu {
namespace {

using ir::Ints;
using ir::Key;
using ir::WindowAxis;

using ir::Tap;

template <class T>
using Wrapping = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;

// kBy, kStep: the steps, -1 where they are those of the tap.
template <int kBy, int kStep, class F>
[[gnu::always_inline]] inline void run(const Tap& t, F f) {
  const int64_t by = kBy >= 0 ? kBy : t.by, step = kStep >= 0 ? kStep : t.step, n = t.count;
  for (int64_t i = 0; i < n; ++i) f(i * by, i * step);
}
template <class F>
[[gnu::always_inline]] inline void run(const Tap& t, F f) {
  if (t.step == 1 && t.by == 1)
    run<1, 1>(t, f);
  else if (t.step == 1 && t.by == 2)
    run<2, 1>(t, f);
  else if (t.step == 1 && t.by == 0)
    run<0, 1>(t, f);
  else if (t.step == 2 && t.by == 1)
    run<1, 2>(t, f);
  else
    run<-1, -1>(t, f);
}

template <class T>
[[gnu::always_inline]] inline void sum(const T* x, T* y, const Tap& t) {
  using U = Wrapping<T>;
  run(t, [&](int64_t i, int64_t j) { y[j] = static_cast<T>(static_cast<U>(y[j]) + static_cast<U>(x[i])); });
}
template <class T>
[[gnu::always_inline]] inline void greatest(const T* x, T* y, const Tap& t) {
  run(t, [&](int64_t i, int64_t j) {
    const T v = x[i], best = y[j];
    y[j] = (v > best) | (v != v) ? v : best;
  });
}
// positions: of each place, -1 before its first; `at`: of the first element, `by` from one to the next.
template <class T, class Position>
[[gnu::always_inline]] inline void greatest(const T* x, T* y, Position* positions, const Tap& t, Position at,
                                            Position by) {
  run(t, [&](int64_t i, int64_t j) {
    const T v = x[i], best = y[j];
    const Position before = positions[j];
    const bool better = (v > best) | (v != v) | (before < 0);
    y[j] = better ? v : best;
    positions[j] = better ? static_cast<Position>(at + static_cast<Position>(i) * by) : before;
  });
}

// Of elements with positions, -1: none. Of equal elements that of the least position stays, of NaN the greatest.
template <class T, class Position>
[[gnu::always_inline]] inline void combine(const T* x, const Position* at, T* y, Position* positions, const Tap& t) {
  auto take = [&](int64_t i, int64_t j) __attribute__((always_inline)) {
    const T v = x[i], best = y[j];
    const Position p = at[i], before = positions[j];
    const bool nan = v != v, over_nan = best != best;
    const bool better =
        (p >= 0) & ((before < 0) | (v > best) | ((v == best) & (p < before)) | (nan & (!over_nan | (p > before))));
    y[j] = better ? v : best;
    positions[j] = better ? p : before;
  };
  run(t, take);
}

JOT_CLONES void sum_tap(const float* x, float* y, const Tap& t) { sum(x, y, t); }
JOT_CLONES void sum_tap(const double* x, double* y, const Tap& t) { sum(x, y, t); }
JOT_CLONES void sum_tap(const int32_t* x, int32_t* y, const Tap& t) { sum(x, y, t); }
JOT_CLONES void sum_tap(const int64_t* x, int64_t* y, const Tap& t) { sum(x, y, t); }
JOT_CLONES void max_tap(const float* x, float* y, const Tap& t) { greatest(x, y, t); }
JOT_CLONES void max_tap(const double* x, double* y, const Tap& t) { greatest(x, y, t); }
JOT_CLONES void max_tap(const int32_t* x, int32_t* y, const Tap& t) { greatest(x, y, t); }
JOT_CLONES void max_tap(const int64_t* x, int64_t* y, const Tap& t) { greatest(x, y, t); }
JOT_CLONES void argmax_tap(const float* x, float* y, int32_t* p, const Tap& t, int32_t at, int32_t by) {
  greatest(x, y, p, t, at, by);
}
JOT_CLONES void argmax_tap(const int32_t* x, int32_t* y, int32_t* p, const Tap& t, int32_t at, int32_t by) {
  greatest(x, y, p, t, at, by);
}
JOT_CLONES void argmax_tap(const float* x, float* y, int64_t* p, const Tap& t, int64_t at, int64_t by) {
  greatest(x, y, p, t, at, by);
}
JOT_CLONES void argmax_tap(const int32_t* x, int32_t* y, int64_t* p, const Tap& t, int64_t at, int64_t by) {
  greatest(x, y, p, t, at, by);
}
JOT_CLONES void argmax_tap(const double* x, double* y, int64_t* p, const Tap& t, int64_t at, int64_t by) {
  greatest(x, y, p, t, at, by);
}
JOT_CLONES void argmax_tap(const int64_t* x, int64_t* y, int64_t* p, const Tap& t, int64_t at, int64_t by) {
  greatest(x, y, p, t, at, by);
}

JOT_CLONES void combine_tap(const float* x, const int32_t* at, float* y, int32_t* p, const Tap& t) {
  combine(x, at, y, p, t);
}
JOT_CLONES void combine_tap(const int32_t* x, const int32_t* at, int32_t* y, int32_t* p, const Tap& t) {
  combine(x, at, y, p, t);
}
JOT_CLONES void combine_tap(const float* x, const int64_t* at, float* y, int64_t* p, const Tap& t) {
  combine(x, at, y, p, t);
}
JOT_CLONES void combine_tap(const int32_t* x, const int64_t* at, int32_t* y, int64_t* p, const Tap& t) {
  combine(x, at, y, p, t);
}
JOT_CLONES void combine_tap(const double* x, const int64_t* at, double* y, int64_t* p, const Tap& t) {
  combine(x, at, y, p, t);
}
JOT_CLONES void combine_tap(const int64_t* x, const int64_t* at, int64_t* y, int64_t* p, const Tap& t) {
  combine(x, at, y, p, t);
}

enum class Kind : uint8_t { sum, max, argmax };

class Windows final : public Routine {
 public:
  Kind kind = Kind::sum;
  DType dtype = DType::f32;
  int64_t outer = 1;                   // what comes before the axes
  std::vector<WindowAxis> axes;        // of an axis without a window, one of one element
  std::vector<int64_t> steps, places;  // of x; how many of the result
  std::vector<int64_t> plane;          // of a position, by axis; 0: it counts not
  int64_t extent = 1, positions = 1;   // elements of x of an outer one; positions there are
  std::vector<Tap> taps;               // along the last axis

  void prepare() {
    steps.assign(axes.size(), 1);
    for (size_t d = axes.size(); d-- > 0;) {
      steps[d] = extent;
      extent *= axes[d].extent;
      places.insert(places.begin(), axes[d].places());
    }
    const WindowAxis& a = axes.back();
    // Sums of few elements that each are under many taps: by elements, which are neighbours' in the result.
    if (kind == Kind::sum && a.stride == 1 && a.w_dilation == 1 && a.extent < a.window)
      for (int64_t i = 0; i < a.extent; ++i) {
        const int64_t last = i * a.x_dilation + a.lo;  // place under which it is with the first tap
        const int64_t first = std::max<int64_t>(last - a.window + 1, 0);
        const int64_t count = std::max<int64_t>(std::min(last + 1, places.back()) - first, 0);
        taps.push_back({first, 1, i, 0, count});
      }
    else
      for (int64_t k = 0; k < a.window; ++k) taps.push_back(ir::tap(a, k));
    row_bytes_ = aligned(a.extent * 8);
    line_bytes_ = 2 * row_bytes_ + (kind == Kind::argmax ? aligned(places.back() * 8) : 0);
    scratch_bytes = line_bytes_ * num_threads();
  }

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                   KernelError&) const override {
    int64_t lines = outer, window = 1;
    for (size_t d = 0; d + 1 < axes.size(); ++d) {
      lines *= places[d];
      window *= std::min(axes[d].window, axes[d].extent);
    }
    const double line = static_cast<double>(axes.back().extent * window + places.back() * std::ssize(taps)) * 0.2;
    const int64_t chunks = chunks_for(lines, line + 20), share = (lines + chunks - 1) / chunks;
    visit_computing(dtype, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (sizeof(T) > 1) {
        auto body = [&](int64_t c, int worker) {
          for (int64_t l = c * share; l < std::min((c + 1) * share, lines); ++l)
            run_line(static_cast<const T*>(operands[0]), static_cast<T*>(outs[0]),
                     kind == Kind::argmax ? static_cast<int64_t*>(outs[1]) : nullptr, l,
                     scratch + worker * line_bytes_);
        };
        parallel_for(chunks, body);
      }
    });
  }

 private:
  template <class T>
  void run_line(const T* x, T* y, int64_t* at, int64_t line, std::byte* scratch) const {
    using Short = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    y += line * places.back();
    T* row = reinterpret_cast<T*>(scratch);
    if (kind != Kind::argmax)
      fold_line(x, y, line, row);
    else if (positions <= std::numeric_limits<Short>::max())
      find_line(x, y, at, line, row, reinterpret_cast<Short*>(scratch + row_bytes_));
    else
      find_line(x, y, at, line, row, reinterpret_cast<int64_t*>(scratch + row_bytes_));
  }

  template <class T>
  void fold_line(const T* x, T* y, int64_t line, T* row) const {
    const Tap all{0, 1, 0, 1, axes.back().extent};
    const T start = kind == Kind::sum ? T{} : ir::Largest<T>().value();
    auto fold = [&](const T* from, T* to, const Tap& t) {
      kind == Kind::sum ? sum_tap(from, to, t) : max_tap(from, to, t);
    };
    std::fill_n(row, all.count, start);
    for_each_row(line, [&](int64_t from, int64_t) { fold(x + from, row, all); });
    std::fill_n(y, places.back(), start);
    for (const Tap& t : taps) fold(row + t.from, y + t.first, t);
  }

  template <class T, class Position>
  void find_line(const T* x, T* y, int64_t* at, int64_t line, T* row, Position* of_row) const {
    const int64_t n = places.back();
    const Tap all{0, 1, 0, 1, axes.back().extent};
    Position* found = reinterpret_cast<Position*>(reinterpret_cast<std::byte*>(of_row) + row_bytes_);
    auto clear = [](T* values, Position* where, int64_t count) {
      std::fill_n(values, count, ir::Largest<T>().value());
      std::fill_n(where, count, Position{-1});
    };
    clear(row, of_row, all.count);
    for_each_row(line, [&](int64_t from, int64_t position) {
      argmax_tap(x + from, row, of_row, all, static_cast<Position>(position), static_cast<Position>(plane.back()));
    });
    clear(y, found, n);
    for (const Tap& t : taps) combine_tap(row + t.from, of_row + t.from, y + t.first, found + t.first, t);
    std::copy_n(found, n, at + line * n);
  }

  // Calls f(where a row of x begins, the position of its first element) for each under the window of a line.
  template <class F>
  void for_each_row(int64_t line, F f) const {
    const size_t rank = axes.size() - 1;
    Counters place(rank);
    for (size_t d = rank; d-- > 0; line /= places[d]) place[d] = line % places[d];
    const int64_t base = line * extent;
    int64_t rows = 1;
    for (size_t d = 0; d < rank; ++d) rows *= axes[d].window;
    for (int64_t r = 0; r < rows; ++r) {
      int64_t from = base, position = 0, rest = r;
      bool inside = true;
      for (size_t d = rank; d-- > 0 && inside; rest /= axes[d].window) {
        const int64_t at = axes[d].element(place[d], rest % axes[d].window);
        inside = at >= 0;
        from += at * steps[d];
        position += at * plane[d];
      }
      if (inside) f(from, position);
    }
  }

  // Numbers, of which a few need no memory of their own.
  class Counters {
   public:
    explicit Counters(size_t n) : many_(n > std::size(few_) ? n : 0) {}
    int64_t& operator[](size_t i) { return many_.empty() ? few_[i] : many_[i]; }

   private:
    int64_t few_[8];
    std::vector<int64_t> many_;
  };

  int64_t row_bytes_ = 0, line_bytes_ = 0;
};

}  // namespace

namespace {

bool is_used(const ir::GraphData& g, ir::Value v) {
  for (ir::Value user = v + 1; user < g.size(); ++user)
    if (std::ranges::find(g.operands(user), v) != g.operands(user).end()) return true;
  return std::ranges::find(g.outputs(), v) != g.outputs().end();
}

}  // namespace

std::unique_ptr<const Routine> make_windows(const RoutineContext& c) {
  const ir::GraphData& g = c.g;
  const ir::AttrView a = g.attrs(c.v);
  const Shape& x = g.shape(g.operand(c.v, 0));
  const Ints dims = a.ints(Key::dims);
  auto r = std::make_unique<Windows>();
  r->dtype = g.dtype(c.v);
  r->kind = g.op(c.v) == ir::Op::reduce_window_sum_op ? Kind::sum : is_used(g, c.v + 1) ? Kind::argmax : Kind::max;
  const std::vector<WindowAxis> windows = ir::window_axes(a, ir::extents_along(x, dims), a.ints(Key::sizes));
  std::vector<int64_t> position_steps(dims.size());
  for (size_t i = dims.size(); i-- > 0; r->positions *= windows[i].extent) position_steps[i] = r->positions;
  const auto first = dims.empty() ? x.size() : static_cast<size_t>(std::ranges::min(dims));
  r->outer = x.slice(0, first).numel();
  for (size_t d = first; d < x.size(); ++d) {
    auto window = std::ranges::find(dims, static_cast<int64_t>(d));
    if (window == dims.end()) {
      r->axes.push_back({.extent = x[d]});
      r->plane.push_back(0);
    } else {
      r->axes.push_back(windows[static_cast<size_t>(window - dims.begin())]);
      r->plane.push_back(position_steps[static_cast<size_t>(window - dims.begin())]);
    }
  }
  if (r->axes.empty()) {
    r->axes.emplace_back();
    r->plane.push_back(0);
  }
  r->prepare();
  return r;
}

}  // namespace jot::cpu
