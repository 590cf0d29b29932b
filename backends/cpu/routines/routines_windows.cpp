// Sums and greatest elements under a moving window: blocks of lines of the result along the last axis. The rows of x
// under the window of a line are folded into one, in pieces whose results stay in registers; then what is under each
// tap of the window, for all lines of a block at once where their places follow each other. Lines over the same rows
// of x (whose elements are apart) are made once. Of equal elements the first is found by its position. Lines are
// divided among threads.
#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
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
using ir::Tap;
using ir::WindowAxis;

#define JOT_INLINE [[gnu::always_inline]] inline

// ---- rows

// kBytes of a type; as many numbers of another type as a vector has.
template <class T, int kBytes>
struct Vector {
  typedef T type __attribute__((vector_size(kBytes)));
};
template <class V, class T, class N>
using Numbers = typename std::conditional_t<std::is_same_v<V, T>, std::type_identity<N>,
                                            Vector<N, static_cast<int>(sizeof(V) / sizeof(T) * sizeof(N))>>::type;

template <class V, class T>
JOT_INLINE void load(V& v, const T* x) {
  std::memcpy(&v, x, sizeof v);
}
template <class V, class T>
JOT_INLINE void store(const V& v, T* x) {
  std::memcpy(x, &v, sizeof v);
}

// All lanes the same.
template <class V, class N>
JOT_INLINE void spread(V& v, N n) {
  if constexpr (std::is_same_v<V, N>)
    v = n;
  else
    for (size_t l = 0; l < sizeof(V) / sizeof(N); ++l) v[l] = n;
}

// Calls f<V, vectors>(i) for pieces of a number of vectors from element i on that cover n elements: the last of them
// begins so early that it is whole. kSingle: element by element.
template <class T, class V, int kVectors, class F>
JOT_INLINE bool cover_by(int64_t n, const F& f) {
  constexpr auto kLength = static_cast<int64_t>(kVectors * sizeof(V) / sizeof(T));
  if (n < kLength) return false;
  for (int64_t i = 0; i < n; i += kLength) f.template run<V, kVectors>(std::min(i, n - kLength));
  return true;
}
template <class T, bool kSingle = false, class F>
JOT_INLINE void cover(int64_t n, const F& f) {
  if constexpr (!kSingle) {
    using Full = typename Vector<T, 32>::type;
    using Half = typename Vector<T, 16>::type;
    if (cover_by<T, Full, 4>(n, f) || cover_by<T, Full, 1>(n, f) || cover_by<T, Half, 1>(n, f)) return;
  }
  cover_by<T, T, 1>(n, f);
}

// Rows of x: where they begin.
template <class T>
struct Rows {
  const T* x;
  const int64_t* begins;
  int64_t count;
};

// Their sum; of at least one the greatest.
template <bool kSum, class T>
struct Fold {
  Rows<T> rows;
  T* y;
  template <class V, int kVectors>
  JOT_INLINE void run(int64_t i) const {
    constexpr auto kLanes = static_cast<int64_t>(sizeof(V) / sizeof(T));
    V total[kVectors] = {};
    for (int k = 0; k < kVectors && !kSum; ++k) load(total[k], rows.x + rows.begins[0] + i + k * kLanes);
    for (int64_t r = kSum ? 0 : 1; r < rows.count; ++r)
      for (int k = 0; k < kVectors; ++k) {
        V v;
        load(v, rows.x + rows.begins[r] + i + k * kLanes);
        if constexpr (kSum)
          total[k] += v;
        else
          total[k] = ((v > total[k]) | (v != v)) ? v : total[k];
      }
    for (int k = 0; k < kVectors; ++k) store(total[k], y + i + k * kLanes);
  }
};

// The greatest of at least one, and where it is. positions: of the first elements, `by` from one to the next.
template <class T, class Position>
struct Find {
  Rows<T> rows;
  const Position* positions;
  Position by;
  T* y;
  Position* at;
  template <class V, int kVectors>
  JOT_INLINE void run(int64_t i) const {
    using P = Numbers<V, T, Position>;
    constexpr auto kLanes = static_cast<int64_t>(sizeof(V) / sizeof(T));
    V best[kVectors];
    P found[kVectors] = {}, along{}, row{};
    for (int k = 0; k < kVectors; ++k) load(best[k], rows.x + rows.begins[0] + i + k * kLanes);
    spread(row, positions[0]);
    for (P& p : found) p = row;
    for (int64_t r = 1; r < rows.count; ++r) {
      spread(row, positions[r]);
      for (int k = 0; k < kVectors; ++k) {
        V v;
        load(v, rows.x + rows.begins[r] + i + k * kLanes);
        const auto better = (v > best[k]) | (v != v);
        best[k] = better ? v : best[k];
        found[k] = better ? row : found[k];
      }
    }
    if constexpr (kLanes > 1)
      for (int l = 0; l < kLanes; ++l) along[l] = static_cast<Position>(l);
    for (int k = 0; k < kVectors; ++k) {
      store(best[k], y + i + k * kLanes);
      store<P>(found[k] + (along + static_cast<Position>(i + k * kLanes)) * by, at + i + k * kLanes);
    }
  }
};

template <class T>
struct Copy {
  const T* x;
  T* y;
  template <class V, int kVectors>
  JOT_INLINE void run(int64_t i) const {
    std::memcpy(y + i, x + i, kVectors * sizeof(V));
  }
};

// ---- taps

// Lines of both, one behind the other.
struct Lines {
  int64_t count = 0, x_length = 0, y_length = 0;
};

// Calls f(place in x, place in y, how many) for what is under a tap: of all lines at once if their places follow each
// other.
template <class F>
JOT_INLINE void each_run(const Tap& t, const Lines& lines, F f) {
  if (t.count * t.by == lines.x_length && t.count * t.step == lines.y_length)
    return f(t.from, t.first, lines.count * t.count);
  for (int64_t l = 0; l < lines.count; ++l) f(l * lines.x_length + t.from, l * lines.y_length + t.first, t.count);
}

// f(i by, i step) for i < n. kBy, kStep: the steps, -1 where they are those of the tap.
template <int kBy, int kStep, class F>
JOT_INLINE void steps(const Tap& t, int64_t n, F f) {
  const int64_t by = kBy >= 0 ? kBy : t.by, step = kStep >= 0 ? kStep : t.step;
  for (int64_t i = 0; i < n; ++i) f(i * by, i * step);
}

template <class T>
JOT_INLINE void add_taps(const T* x, T* y, std::span<const Tap> taps, const Lines& lines) {
  std::fill_n(y, lines.count * lines.y_length, T{});
  for (const Tap& t : taps) {
    auto add = [&](int64_t from, int64_t to, int64_t n) __attribute__((always_inline)) {
      auto one = [=](int64_t i, int64_t j) __attribute__((always_inline)) { y[to + j] += x[from + i]; };
      if (t.step == 1 && t.by == 1)
        steps<1, 1>(t, n, one);
      else if (t.step == 1 && t.by == 2)
        steps<2, 1>(t, n, one);
      else if (t.step == 1 && t.by == 0)
        steps<0, 1>(t, n, one);
      else if (t.step == 2 && t.by == 1)
        steps<1, 2>(t, n, one);
      else
        steps<-1, -1>(t, n, one);
    };
    each_run(t, lines, add);
  }
}

// Elements of x that are far apart are laid out in `room` first: what follows is vectorised.
template <class T>
JOT_INLINE void keep_taps(const T* x, T* y, T* room, std::span<const Tap> taps, const Lines& lines) {
  std::fill_n(y, lines.count * lines.y_length, ir::Largest<T>().value());
  for (const Tap& t : taps) {
    auto keep = [&](int64_t from, int64_t to, int64_t n) __attribute__((always_inline)) {
      auto one = [ =, y = y + to ](const T* x, int64_t i, int64_t j) __attribute__((always_inline)) {
        const T v = x[i], best = y[j];
        y[j] = ((v > best) | (v != v)) ? v : best;
      };
      auto near = [=](int64_t i, int64_t j) __attribute__((always_inline)) { one(x + from, i, j); };
      if (t.by == 1) return steps<1, 1>(t, n, near);
      if (t.by == 2) return steps<2, 1>(t, n, near);
      for (int64_t i = 0; i < n; ++i) room[i] = x[from + i * t.by];
      steps<1, 1>(
          t, n, [=](int64_t i, int64_t j) __attribute__((always_inline)) { one(room, i, j); });
    };
    each_run(t, lines, keep);
  }
}

// Of elements with positions, -1: none. Of equal elements that of the least position stays, of NaN the greatest.
template <class T, class Position>
struct Found {
  T* values;
  Position* at;
};
template <class T, class Position>
JOT_INLINE void find_taps(Found<const T, const Position> x, Found<T, Position> y, Found<T, Position> room,
                          std::span<const Tap> taps, const Lines& lines, int64_t* positions) {
  const int64_t places = lines.count * lines.y_length;
  std::fill_n(y.values, places, ir::Largest<T>().value());
  std::fill_n(y.at, places, Position{-1});
  for (const Tap& t : taps) {
    auto find = [&](int64_t from, int64_t to, int64_t n) __attribute__((always_inline)) {
      auto one = [ =, values = y.values + to, at = y.at + to ](const T* x, const Position* of, int64_t i, int64_t j)
          __attribute__((always_inline)) {
        const T v = x[i], best = values[j];
        const Position p = of[i], before = at[j];
        const bool nan = v != v, over_nan = best != best;
        const bool better =
            (p >= 0) & ((before < 0) | (v > best) | ((v == best) & (p < before)) | (nan & (!over_nan | (p > before))));
        values[j] = better ? v : best;
        at[j] = better ? p : before;
      };
      auto near = [=](int64_t i, int64_t j) __attribute__((always_inline)) { one(x.values + from, x.at + from, i, j); };
      if (t.by == 1) return steps<1, 1>(t, n, near);
      if (t.by == 2) return steps<2, 1>(t, n, near);
      for (int64_t i = 0; i < n; ++i) {
        room.values[i] = x.values[from + i * t.by];
        room.at[i] = x.at[from + i * t.by];
      }
      steps<1, 1>(
          t, n, [=](int64_t i, int64_t j) __attribute__((always_inline)) { one(room.values, room.at, i, j); });
    };
    each_run(t, lines, find);
  }
  for (int64_t i = 0; i < places; ++i) positions[i] = y.at[i];
}

// ---- for each instruction set

#define JOT_SUM_FUNCTIONS(T)                                                                              \
  JOT_CLONES void add_rows(const Rows<T>& rows, T* y, int64_t n) { cover<T>(n, Fold<true, T>{rows, y}); } \
  JOT_CLONES void add_under(const T* x, T* y, std::span<const Tap> taps, const Lines& lines) {            \
    add_taps(x, y, taps, lines);                                                                          \
  }                                                                                                       \
  JOT_CLONES void copy_lines(const T* x, const int64_t* lines, int64_t count, T* y, int64_t n) {          \
    for (int64_t l = 0; l < count; ++l) cover<T>(n, Copy<T>{x + lines[l] * n, y + l * n});                \
  }
JOT_SUM_FUNCTIONS(float)
JOT_SUM_FUNCTIONS(double)
JOT_SUM_FUNCTIONS(uint32_t)
JOT_SUM_FUNCTIONS(uint64_t)
#undef JOT_SUM_FUNCTIONS

#define JOT_MAX_FUNCTIONS(T)                                                                                \
  JOT_CLONES void keep_rows(const Rows<T>& rows, T* y, int64_t n) { cover<T>(n, Fold<false, T>{rows, y}); } \
  JOT_CLONES void keep_under(const T* x, T* y, T* room, std::span<const Tap> taps, const Lines& lines) {    \
    keep_taps(x, y, room, taps, lines);                                                                     \
  }
JOT_MAX_FUNCTIONS(float)
JOT_MAX_FUNCTIONS(double)
JOT_MAX_FUNCTIONS(int32_t)
JOT_MAX_FUNCTIONS(int64_t)
#undef JOT_MAX_FUNCTIONS

#define JOT_FIND_FUNCTIONS(T, P)                                                                              \
  JOT_CLONES void find_rows(const Rows<T>& rows, const P* positions, P by, const Found<T, P>& y, int64_t n) { \
    cover<T, sizeof(T) != sizeof(P)>(n, Find<T, P>{rows, positions, by, y.values, y.at});                     \
  }                                                                                                           \
  JOT_CLONES void find_under(const Found<T, P>& x, const Found<T, P>& y, const Found<T, P>& room,             \
                             std::span<const Tap> taps, const Lines& lines, int64_t* positions) {             \
    find_taps<T, P>({x.values, x.at}, y, room, taps, lines, positions);                                       \
  }
JOT_FIND_FUNCTIONS(float, int32_t)
JOT_FIND_FUNCTIONS(float, int64_t)
JOT_FIND_FUNCTIONS(double, int64_t)
JOT_FIND_FUNCTIONS(int32_t, int32_t)
JOT_FIND_FUNCTIONS(int32_t, int64_t)
JOT_FIND_FUNCTIONS(int64_t, int64_t)
#undef JOT_FIND_FUNCTIONS
#undef JOT_INLINE

enum class Kind : uint8_t { sum, max, argmax };

class Windows final : public Routine {
 public:
  Kind kind = Kind::sum;
  DType dtype = DType::f32;
  int64_t outer = 1;             // what comes before the axes
  std::vector<WindowAxis> axes;  // of an axis without a window, one of one element
  std::vector<int64_t> plane;    // of a position, by axis; 0: it counts not
  int64_t positions = 1;         // how many there are

  void prepare() {
    const WindowAxis& last = axes.back();
    steps_.assign(axes.size(), 1);
    for (size_t d = axes.size(); d-- > 0; extent_ *= axes[d].extent) steps_[d] = extent_;
    lines_ = outer;
    for (size_t d = 0; d + 1 < axes.size(); ++d) {
      const WindowAxis& a = axes[d];
      std::vector<Tap> under;
      int64_t most = 1;
      for (int64_t o = 0; o < a.places(); ++o) {
        under.push_back(ir::tap(a.of_window(), o));
        most = std::max(most, under.back().count);
      }
      under_.push_back(std::move(under));
      lines_ *= a.places();
      rows_ *= most;
    }
    if (kind == Kind::sum && !under_.empty()) {
      const Tap* before = nullptr;
      for (const Tap& t : under_.back()) {
        again_.push_back(before != nullptr && t.count == 1 && before->count == 1 && t.from == before->from);
        repeats_ |= again_.back() != 0;
        before = &t;
      }
    }
    prepare_taps();
    // What is behind the last tap is left out, and room is left where there is nothing, so that from line to line
    // places and elements go on as within one.
    int64_t reach = 0;
    for (const Tap& t : taps_)
      if (t.count > 0) reach = std::max(reach, t.from + (t.count - 1) * t.by + 1);
    const int64_t apart = last.places() * last.stride;
    const int64_t length = last.x_dilation == 1 && reach <= apart ? apart : last.extent;
    columns_ = std::min(last.extent, length);
    constexpr int64_t kElements = 2048, kLines = 64;
    block_ = {std::clamp<int64_t>(kElements / std::max({length, last.places(), int64_t{1}}), 1, kLines), length,
              last.places()};
    const bool finds = kind == Kind::argmax;
    const int64_t x_bytes = aligned(block_.count * length * 8), y_bytes = aligned(block_.count * last.places() * 8);
    room_ = {
        aligned(rows_ * 8), aligned((finds ? rows_ : block_.count) * 8), x_bytes, finds ? x_bytes : 0, y_bytes, y_bytes,
        finds ? y_bytes : 0};
    worker_bytes_ = std::accumulate(room_.begin(), room_.end(), int64_t{0});
    scratch_bytes = worker_bytes_ * num_threads();
  }

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                   KernelError&) const override {
    const auto line = static_cast<double>(columns_ * rows_ + block_.y_length * std::ssize(taps_));
    const int64_t chunks = chunks_for(lines_, line * 0.1 + 10), share = (lines_ + chunks - 1) / chunks;
    visit_computing(dtype, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (sizeof(T) > 1) {
        auto body = [&](int64_t c, int worker) {
          const int64_t end = std::min((c + 1) * share, lines_);
          for (int64_t first = c * share; first < end; first += block_.count) {
            Lines block = block_;
            block.count = std::min(block.count, end - first);
            run_block(static_cast<const T*>(operands[0]), static_cast<T*>(outs[0]),
                      kind == Kind::argmax ? static_cast<int64_t*>(outs[1]) : nullptr, first, block,
                      scratch + worker * worker_bytes_);
          }
        };
        parallel_for(chunks, body);
      }
    });
  }

 private:
  // Along the last axis.
  void prepare_taps() {
    const WindowAxis& a = axes.back();
    // Sums of few elements that each are under many taps: by elements, which are neighbours' in the result.
    constexpr int64_t kMany = 16;
    if (kind == Kind::sum && a.stride == 1 && a.w_dilation == 1 && a.extent < a.window &&
        (a.x_dilation < a.window || a.window >= kMany))
      for (int64_t i = 0; i < a.extent; ++i) {
        const int64_t end = i * a.x_dilation + a.lo;  // place under which it is with the first tap
        const int64_t first = std::max<int64_t>(end - a.window + 1, 0);
        taps_.push_back({first, 1, i, 0, std::max<int64_t>(std::min(end + 1, a.places()) - first, 0)});
      }
    else
      for (int64_t k = 0; k < a.window; ++k) taps_.push_back(ir::tap(a, k));
  }

  // What a worker keeps: where rows begin; their positions, or which of the lines that are made each one is; folded
  // rows and their positions; lines that are made, or their positions; what is laid out.
  enum Part : uint8_t { kBegins, kAt, kRows, kRowsAt, kMade, kLaidOut, kLaidOutAt, kParts };
  template <class N>
  N* room(Part part, std::byte* scratch) const {
    return reinterpret_cast<N*>(std::accumulate(room_.begin(), room_.begin() + part, scratch));
  }

  template <class T>
  void run_block(const T* x, T* y, int64_t* at, int64_t first, const Lines& block, std::byte* scratch) const {
    using Short = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    using U = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;
    y += first * block.y_length;
    if (kind == Kind::sum)
      add_block(reinterpret_cast<const U*>(x), reinterpret_cast<U*>(y), first, block, scratch);
    else if (kind == Kind::max)
      keep_block(x, y, first, block, scratch);
    else if (positions <= std::numeric_limits<Short>::max())
      find_block<T, Short>(x, y, at + first * block.y_length, first, block, scratch);
    else
      find_block<T, int64_t>(x, y, at + first * block.y_length, first, block, scratch);
  }

  template <class T>
  void add_block(const T* x, T* y, int64_t first, const Lines& block, std::byte* scratch) const {
    int64_t *begins = room<int64_t>(kBegins, scratch), *made = room<int64_t>(kAt, scratch);
    T *rows = room<T>(kRows, scratch), *to = repeats_ ? room<T>(kMade, scratch) : y;
    Lines distinct = block;
    distinct.count = 0;
    for (int64_t l = 0; l < block.count; ++l) {
      if (l == 0 || !repeats_ || !again_[static_cast<size_t>((first + l) % std::ssize(again_))])
        add_rows(rows_of<T, int64_t>(x, first + l, begins, nullptr), rows + distinct.count++ * block.x_length,
                 columns_);
      made[l] = distinct.count - 1;
    }
    add_under(rows, to, taps_, distinct);
    if (repeats_) copy_lines(to, made, block.count, y, block.y_length);
  }

  template <class T>
  void keep_block(const T* x, T* y, int64_t first, const Lines& block, std::byte* scratch) const {
    T* rows = room<T>(kRows, scratch);
    for (int64_t l = 0; l < block.count; ++l) {
      const Rows<T> under = rows_of<T, int64_t>(x, first + l, room<int64_t>(kBegins, scratch), nullptr);
      if (under.count > 0)
        keep_rows(under, rows + l * block.x_length, columns_);
      else
        std::fill_n(rows + l * block.x_length, columns_, ir::Largest<T>().value());
    }
    keep_under(rows, y, room<T>(kLaidOut, scratch), taps_, block);
  }

  template <class T, class Position>
  void find_block(const T* x, T* y, int64_t* at, int64_t first, const Lines& block, std::byte* scratch) const {
    Position* of_rows = room<Position>(kAt, scratch);
    const Found<T, Position> rows{room<T>(kRows, scratch), room<Position>(kRowsAt, scratch)};
    for (int64_t l = 0; l < block.count; ++l) {
      const Found<T, Position> row{rows.values + l * block.x_length, rows.at + l * block.x_length};
      const Rows<T> under = rows_of(x, first + l, room<int64_t>(kBegins, scratch), of_rows);
      if (under.count > 0)
        find_rows(under, of_rows, static_cast<Position>(plane.back()), row, columns_);
      else
        std::fill_n(row.at, columns_, Position{-1});
    }
    find_under(rows, {y, room<Position>(kMade, scratch)},
               {room<T>(kLaidOut, scratch), room<Position>(kLaidOutAt, scratch)}, taps_, block, at);
  }

  // Those under the window of a line; in `at` the positions of their first elements, unless it is null.
  template <class T, class Position>
  Rows<T> rows_of(const T* x, int64_t line, int64_t* begins, Position* at) const {
    int64_t count = 1;
    begins[0] = 0;
    if (at != nullptr) at[0] = 0;
    for (size_t d = under_.size(); d-- > 0;) {
      const auto places = std::ssize(under_[d]);
      const Tap& t = under_[d][static_cast<size_t>(line % places)];
      line /= places;
      for (int64_t i = t.count; i-- > 0;)
        for (int64_t r = 0; r < count; ++r) {
          const int64_t element = t.from + i * t.by;
          begins[i * count + r] = begins[r] + element * steps_[d];
          if (at != nullptr)
            at[i * count + r] = static_cast<Position>(at[r] + static_cast<Position>(element * plane[d]));
        }
      count *= t.count;
    }
    return {x + line * extent_, begins, count};
  }

  std::vector<std::vector<Tap>> under_;  // of the axes but the last: elements under each place
  std::vector<Tap> taps_;                // along the last axis
  std::vector<int64_t> steps_;           // of x
  int64_t extent_ = 1;                   // elements of x of an outer one
  int64_t lines_ = 1, rows_ = 1;         // how many; under one at most
  int64_t columns_ = 0;                  // elements of a row that are used
  std::vector<uint8_t> again_;           // of the last of these axes: where the same is under a place as before it
  bool repeats_ = false;                 // at one of them
  Lines block_;
  std::array<int64_t, kParts> room_{};
  int64_t worker_bytes_ = 0;
};

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
