// Cumulative functions: many lines at a time, side by side. Where lines are few they are cut into parts, whose sums are
// found first. The cut depends on sizes only.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "backends/cpu/routines/prefix_columns.h"
#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/runtime/pool.h"
#include "ir/ops/prefix.h"

namespace jot::cpu {

using ir::Key;
using ir::Op;

namespace {

// What an op reads and writes at an element, and the state of a line. `place` counts along the line.
template <class T, template <class> class Prefix>
struct Elements {
  using State = Prefix<T>;
  static constexpr bool kAppends = true;
  const T* x;
  T* y;
  void see(State& s, int64_t at, int64_t) const { s.step(x[at]); }
  void step(State& s, int64_t at, int64_t) const { y[at] = s.step(x[at]); }
};
template <class T, bool kMax>
struct Extremes {
  using State = ir::PrefixExtreme<T, kMax>;
  static constexpr bool kAppends = true;
  const T* x;
  T* y;
  int64_t* places;
  void see(State& s, int64_t at, int64_t place) const { s.step(x[at], place); }
  void step(State& s, int64_t at, int64_t place) const {
    y[at] = s.step(x[at], place);
    places[at] = s.place();
  }
};
template <class T>
struct Recurrence {
  using State = ir::PrefixLinear<T>;
  static constexpr bool kAppends = false;  // products of many factors might overflow where the recurrence does not
  const T *a, *x;
  T* y;
  void step(State& s, int64_t at, int64_t) const { y[at] = s.step(a[at], x[at]); }
};

class Cumulative final : public Routine {
 public:
  Op op = Op::cumulative_sum_op;
  DType dtype = DType::f32;
  int64_t outer = 1, n = 0, inner = 1;
  bool reverse = false;
  PrefixColumns rows;  // where lines lie beside each other

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte*,
                   KernelError&) const override {
    if (outer * n * inner == 0) return;
    if (beside_each_other() && PrefixColumns::takes(op)) return all_rows(operands, outs);
    visit_computing(dtype, [&](auto zero) {
      using T = decltype(zero);
      const auto* x = static_cast<const T*>(operands[0]);
      auto* y = static_cast<T*>(outs[0]);
      if (op == Op::cumulative_sum_op) return all(Elements<T, ir::PrefixSum>{x, y}, 1);
      if (op == Op::cumulative_prod_op) return all(Elements<T, ir::PrefixProduct>{x, y}, 1);
      if (op == Op::cumulative_max_op) return all(Extremes<T, true>{x, y, static_cast<int64_t*>(outs[1])}, 1);
      if (op == Op::cumulative_min_op) return all(Extremes<T, false>{x, y, static_cast<int64_t*>(outs[1])}, 1);
      if constexpr (std::is_floating_point_v<T>) {
        if (op == Op::cumulative_logsumexp_op) return all(Elements<T, ir::PrefixLogSumExp>{x, y}, 20);
        if (op == Op::linear_recurrence_op) return all(Recurrence<T>{x, static_cast<const T*>(operands[1]), y}, 1);
      }
      internal_error("a cumulative op", ir::name_of(op));
    });
  }

  bool beside_each_other() const { return inner >= 8; }

 private:
  static constexpr int64_t kWays = 4;       // lines in turn: the steps of one wait for each other
  static constexpr int64_t kColumns = 256;  // lines beside each other in memory
  static constexpr int64_t kPart = 4096, kParts = 16;

  // Elements `first`, ... of a line, which begins at `base`.
  struct Stretch {
    int64_t base, first;
  };

  template <class E>
  void all(const E& e, double cost) const {
    if (beside_each_other()) return columns(e, cost);
    const int64_t lines = outer * inner;
    if constexpr (E::kAppends)
      if (lines < 2 * kWays && n >= 2 * kPart) return parts(e, cost);
    const int64_t groups = (lines + kWays - 1) / kWays;
    const int64_t chunks = chunks_for(groups, static_cast<double>(kWays * n) * cost),
                  piece = (groups + chunks - 1) / chunks;
    auto body = [&](int64_t c, int) {
      for (int64_t g = c * piece; g < std::min(groups, (c + 1) * piece); ++g) {
        std::array<typename E::State, kWays> states{};
        Stretch lines_of[kWays];
        const int64_t count = std::min(kWays, lines - g * kWays);
        for (int64_t w = 0; w < count; ++w) lines_of[w] = {base(g * kWays + w), 0};
        beside<true>(e, states.data(), lines_of, count, n);
      }
    };
    parallel_for(chunks, body);
  }

  int64_t base(int64_t line) const { return line / inner * n * inner + line % inner; }

  // `length` elements of each stretch, several at a time.
  template <bool kWrites, class E>
  void beside(const E& e, typename E::State* states, const Stretch* of, int64_t count, int64_t length) const {
    if (count == kWays)
      steps<kWrites>(e, states, of, length, std::make_index_sequence<kWays>());
    else
      for (int64_t w = 0; w < count; ++w) steps<kWrites>(e, states + w, of + w, length, std::make_index_sequence<1>());
  }
  template <bool kWrites, class E, size_t... kWay>
  void steps(const E& e, typename E::State* states, const Stretch* of, int64_t length,
             std::index_sequence<kWay...>) const {
    typename E::State state[] = {states[kWay]...};
    const int64_t step = reverse ? -inner : inner, turn = reverse ? -1 : 1;
    int64_t place[] = {(reverse ? n - 1 - of[kWay].first : of[kWay].first)...};
    int64_t at[] = {(of[kWay].base + place[kWay] * inner)...};
    for (int64_t i = 0; i < length; ++i)
      (
          [&] {
            if constexpr (kWrites)
              e.step(state[kWay], at[kWay], place[kWay]);
            else
              e.see(state[kWay], at[kWay], place[kWay]);
            at[kWay] += step;
            place[kWay] += turn;
          }(),
          ...);
    ((states[kWay] = state[kWay]), ...);
  }

  // Few long lines: what each part comes to, but the last, then from part to part, then all steps.
  template <class E>
  void parts(const E& e, double cost) const {
    const int64_t lines = outer * inner, pieces = std::clamp<int64_t>(n / kPart, 2, kParts), length = n / pieces;
    std::vector<typename E::State> states(static_cast<size_t>(lines * pieces));
    std::vector<Stretch> of;
    for (int64_t line = 0; line < lines; ++line)
      for (int64_t p = 0; p < pieces; ++p) of.push_back({base(line), p * length});
    const int64_t groups = (lines * pieces + kWays - 1) / kWays;
    auto in_groups = [&](auto f) {
      const int64_t chunks = chunks_for(groups, static_cast<double>(kWays * length) * cost);
      const int64_t piece = (groups + chunks - 1) / chunks;
      auto body = [&](int64_t c, int) {
        for (int64_t g = c * piece; g < std::min(groups, (c + 1) * piece); ++g)
          f(g * kWays, std::min(kWays, lines * pieces - g * kWays));
      };
      parallel_for(chunks, body);
    };
    in_groups([&](int64_t first, int64_t count) {
      beside<false>(e, states.data() + first, of.data() + first, count, length);
    });
    for (int64_t line = 0; line < lines; ++line) {
      typename E::State before;
      for (int64_t p = 0; p < pieces; ++p) {
        typename E::State& state = states[static_cast<size_t>(line * pieces + p)];
        typename E::State after = before;
        after.append(state);
        state = std::exchange(before, after);
      }
    }
    in_groups([&](int64_t first, int64_t count) {
      beside<true>(e, states.data() + first, of.data() + first, count, length);
    });
    for (int64_t line = 0; line < lines; ++line) {
      const Stretch rest{base(line), pieces * length};
      beside<true>(e, &states[static_cast<size_t>((line + 1) * pieces - 1)], &rest, 1, n - pieces * length);
    }
  }

  // f(first column, columns) of each block of lines that lie beside each other, `first` in row 0 of its `outer`.
  template <class F>
  void each_block(int64_t width, double cost, F f) const {
    const int64_t blocks = (inner + width - 1) / width, tasks = outer * blocks;
    const int64_t chunks = chunks_for(tasks, static_cast<double>(std::min(width, inner) * n) * cost);
    const int64_t piece = (tasks + chunks - 1) / chunks;
    auto body = [&](int64_t c, int) {
      for (int64_t t = c * piece; t < std::min(tasks, (c + 1) * piece); ++t) {
        const int64_t column = t % blocks * width;
        f(t / blocks * n * inner + column, std::min(width, inner - column));
      }
    };
    parallel_for(chunks, body);
  }

  void all_rows(std::span<const void* const> operands, std::span<void* const> outs) const {
    const int64_t size = size_of(dtype), start = reverse ? (n - 1) * inner : 0;
    // Whole rows follow each other in memory: they are cut where threads need it. Results do not depend on the cut.
    const int64_t share = (outer * inner / num_threads() + 15) / 16 * 16;
    const int64_t width = std::min({std::max<int64_t>(share, 16), inner, PrefixColumns::kWidth});
    auto from = [](const void* p, int64_t bytes) { return static_cast<const std::byte*>(p) + bytes; };
    auto to = [](void* p, int64_t bytes) { return static_cast<std::byte*>(p) + bytes; };
    const bool linear = op == Op::linear_recurrence_op;
    each_block(width, 0.3, [&](int64_t first, int64_t columns) {
      const int64_t at = first + start;
      rows({.x = from(operands[linear ? 1 : 0], at * size),
            .a = linear ? from(operands[0], at * size) : nullptr,
            .y = to(outs[0], at * size),
            .places = outs.size() > 1 ? to(outs[1], at * 8) : nullptr,
            .rows = n,
            .step = reverse ? -inner : inner,
            .width = columns,
            .first = reverse ? n - 1 : 0});
    });
  }
  // Without a kernel.
  template <class E>
  void columns(const E& e, double cost) const {
    each_block(kColumns, cost, [&](int64_t first, int64_t width) {
      typename E::State states[kColumns];
      for (int64_t i = 0; i < n; ++i) {
        const int64_t place = reverse ? n - 1 - i : i, at = first + place * inner;
        for (int64_t j = 0; j < width; ++j) e.step(states[j], at + j, place);
      }
    });
  }
};

}  // namespace

std::unique_ptr<const Routine> make_cumulative(const RoutineContext& c) {
  auto r = std::make_unique<Cumulative>();
  const Shape& shape = c.g.shape(c.v);
  const auto dim = static_cast<size_t>(c.g.attrs(c.v).integer(Key::dim));
  r->op = c.g.op(c.v);
  r->dtype = c.g.dtype(c.v);
  r->outer = shape.slice(0, dim).numel();
  r->n = shape[dim];
  r->inner = shape.slice(dim + 1, shape.size()).numel();
  r->reverse = c.g.attrs(c.v).integer(Key::reverse) != 0;
  if (r->beside_each_other() && PrefixColumns::takes(r->op)) r->rows = PrefixColumns(r->op, r->dtype);
  return r;
}

}  // namespace jot::cpu
