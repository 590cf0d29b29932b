// Gather and the scatters.
#include <algorithm>
#include <cstring>
#include <vector>

#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/runtime/pool.h"
#include "ir/ops/total.h"

namespace jot::cpu {

using ir::IndexMode;
using ir::Ints;
using ir::Key;
using ir::Op;

namespace {

using Axis = StridedCopy::Axis;

// ir::extremum, without a branch that depends on which is larger: only on whether they are equal or one is NaN.
template <bool kMax, class T>
[[gnu::always_inline]] inline T extremum(T x, T y) {
  const T most = (kMax ? x < y : y < x) ? y : x;
  if constexpr (std::is_floating_point_v<T>)
    if (!__builtin_islessgreater(x, y)) [[unlikely]]
      return ir::extremum<kMax>(x, y);
  return most;
}

// combine(what is there, the update), of a scatter.
template <class T, class F>
void with_combination(Op scatter, F f) {
  if constexpr (std::is_arithmetic_v<T>) {
    if (scatter == Op::scatter_add_op) return f([](T x, T y) { return ir::plus(x, y); });
    if (scatter == Op::scatter_mul_op) return f([](T x, T y) { return ir::Product<T>::combine(x, y); });
    if (scatter == Op::scatter_max_op) return f([](T x, T y) { return extremum<true>(x, y); });
    if (scatter == Op::scatter_min_op) return f([](T x, T y) { return extremum<false>(x, y); });
  }
  internal_error("a scatter of a computing type", ir::name_of(scatter));
}

// Windows of the operand at positions that are data. The windows of one batch element lie at `window` in the result
// (updates), the batch elements at `batch`.
class Indexing final : public Routine {
 public:
  Op op = Op::gather_op;
  IndexMode mode = IndexMode::check;
  DType dtype = DType::f32, index_dtype = DType::i64;
  struct BatchAxis {
    int64_t extent, index_step, operand_step, result_step;
    int64_t entry = -1;  // mode wrap: an axis of the window, whose elements wrap one by one: added to this index
    int64_t number_step = 0;
  };
  std::vector<BatchAxis> batch;
  struct Entry {
    int64_t extent, window, step;  // of the operand axis
  };
  std::vector<Entry> entries;  // of an index vector
  StridedCopy window;          // operand -> result for gather, result (updates) -> operand for scatter
  int64_t elements = 0, operand_bytes = 0, error_code = 0;
  bool only_checks = false;

  // After the members above are filled.
  void prepare() {
    int64_t step = 1;
    for (size_t d = batch.size(); d-- > 0; step *= batch[d].extent) batch[d].number_step = step;
    elements = step;
    for (size_t d = 0; d < batch.size(); ++d)
      if (batch[d].operand_step != 0 && (own_axis_ == kNone || batch[d].extent > batch[own_axis_].extent))
        own_axis_ = d;
  }

  void run(std::span<const void* const> operands, void* out, std::byte*, KernelError& error) const override {
    if (only_checks) {
      check_all(operands[1], error);
      return;
    }
    const bool in_place = op != Op::gather_op && out == operands[0];
    const bool nothing = window.count() == 0 || elements == 0, by_parts = own_axis_ != kNone && !nothing;
    if (op != Op::gather_op && !in_place && !by_parts) copy(operands[0], out);
    if (nothing) return;
    if (in_place && mode == IndexMode::check && !check_all(operands[1], error)) return;
    auto scatter_by = [&]<class T>(T, auto combine) {
      const T* copied = by_parts && !in_place ? static_cast<const T*>(operands[0]) : nullptr;
      scatter(copied, operands[1], static_cast<const T*>(operands[2]), static_cast<T*>(out), combine, error);
    };
    if (op == Op::gather_op)
      visit_word(size_of(dtype), [&]<class T>(T) {
        gather(static_cast<const T*>(operands[0]), operands[1], static_cast<T*>(out), error);
      });
    else if (op == Op::scatter_set_op)
      visit_word(size_of(dtype), [&]<class T>(T zero) { scatter_by(zero, [](T, T update) { return update; }); });
    else
      visit_dtype(dtype,
                  [&]<class T>(T zero) { with_combination<T>(op, [&](auto combine) { scatter_by(zero, combine); }); });
  }

 private:
  static constexpr size_t kNone = SIZE_MAX;

  void copy(const void* from, void* to) const {
    constexpr int64_t kChunk = 256 << 10;
    auto body = [&](int64_t c, int) {
      std::memcpy(static_cast<std::byte*>(to) + c * kChunk, static_cast<const std::byte*>(from) + c * kChunk,
                  static_cast<size_t>(std::min(kChunk, operand_bytes - c * kChunk)));
    };
    parallel_for((operand_bytes + kChunk - 1) / kChunk, body);
  }

  // The operand's elements from begin to end along the own axis.
  template <class T>
  void copy_part(const T* from, T* to, int64_t begin, int64_t end) const {
    const BatchAxis& own = batch[own_axis_];
    const int64_t block = own.extent * own.operand_step, size = operand_bytes / static_cast<int64_t>(sizeof(T));
    const auto bytes = static_cast<size_t>((end - begin) * own.operand_step) * sizeof(T);
    for (int64_t at = begin * own.operand_step; at < size; at += block) std::memcpy(to + at, from + at, bytes);
  }

  // Elements of the batch: of one axis only a part, then from one number to another.
  struct Part {
    size_t axis = kNone;
    int64_t begin = 0, end = 0;  // along the axis
    int64_t first = 0, last = 0;
  };
  int64_t extent(const Part& part, size_t d) const { return d == part.axis ? part.end - part.begin : batch[d].extent; }

  // False if an index is out of range.
  bool check_all(const void* indices, KernelError& error) const {
    const int64_t chunks = chunks_for(elements, 0.5 + static_cast<double>(entries.size())),
                  piece = (elements + chunks - 1) / chunks;
    auto body = [&](int64_t c, int) {
      const Part part{.first = c * piece, .last = std::min((c + 1) * piece, elements)};
      if (single())
        each_run(indices, part, [&](const auto& run) { check(run, error); });
      else
        each_block(indices, part, error, [](std::span<const Place>) {});
    };
    parallel_for(chunks, body);
    return !failed(error);
  }
  static bool failed(const KernelError& error) { return error.code.load(std::memory_order_relaxed) != 0; }

  // Nanoseconds of a batch element.
  double cost() const {
    const auto window_elements = static_cast<double>(window.count());
    if (op == Op::gather_op) return 0.5 + (row() ? 0.1 : 0.5) * window_elements;
    return 2 + 0.5 * window_elements;
  }

  template <class T>
  void gather(const T* x, const void* indices, T* y, KernelError& error) const {
    const int64_t chunks = chunks_for(elements, cost()), piece = (elements + chunks - 1) / chunks;
    auto body = [&](int64_t c, int) {
      const Part part{.first = c * piece, .last = std::min((c + 1) * piece, elements)};
      if (single() && (window.rank() == 0 || row()))
        return each_run(indices, part, [&](const auto& run) { read_run(run, x, y, error); });
      each_block(indices, part, error, [&](std::span<const Place> places) { read(x, y, places); });
    };
    parallel_for(chunks, body);
  }

  // What goes to one place is written by one thread, in order: sums and the last writer do not depend on threads. Each
  // takes a part of an axis whose elements have parts of the operand of their own, and copies this part first; or, of
  // windows that are worth it, reads all indices and writes to a part of the operand.
  template <class T, class F>
  void scatter(const T* copied, const void* indices, const T* updates, T* out, F combine, KernelError& error) const {
    const bool elements_alone = window.rank() == 0;
    auto write_all = [&](const Part& part, int64_t low, int64_t high) {
      if (single() && elements_alone)
        return each_run(indices, part, [&](const auto& run) { write_run(run, updates, out, combine, error); });
      if (single() && row())
        return each_run(indices, part,
                        [&](const auto& run) { write_rows(run, updates, out, low, high, combine, error); });
      each_block(indices, part, error,
                 [&](std::span<const Place> places) { write(updates, out, places, low, high, combine); });
    };
    if (own_axis_ != kNone) {
      const int64_t extent = batch[own_axis_].extent, rest = elements / extent;
      auto [chunks, piece] = chunks_of(extent, cost() * static_cast<double>(rest), 1);
      if (own_axis_ + 1 == batch.size() && chunks > 1) {
        // Beside each other: lines of the cache have one writer, and indices and updates are read in long stretches.
        constexpr int64_t kLine = 64;
        piece = (extent + num_threads() - 1) / num_threads();
        piece = (piece + kLine - 1) / kLine * kLine;
        chunks = (extent + piece - 1) / piece;
      }
      auto body = [&, length = piece](int64_t c, int) {
        const int64_t begin = c * length, end = std::min(extent, begin + length);
        if (begin >= end) return;
        if (copied) copy_part(copied, out, begin, end);
        write_all({own_axis_, begin, end, 0, rest * (end - begin)}, 0, INT64_MAX);
      };
      return parallel_for(chunks, body);
    }
    const bool apart =
        !(single() && elements_alone) && std::ranges::all_of(entries, [](const Entry& e) { return e.window == 1; });
    const int64_t size = operand_bytes / size_of(dtype);
    const int64_t chunks = apart ? std::min<int64_t>(chunks_for(elements, cost()), num_threads()) : 1;
    auto body = [&](int64_t c, int) {
      write_all({.last = elements}, size * c / chunks, c + 1 == chunks ? INT64_MAX : size * (c + 1) / chunks);
    };
    parallel_for(chunks, body);
  }

  // Where the window of a batch element begins. Steps of the operand may be negative, and so may its places.
  struct Place {
    int64_t operand, result;
    bool outside() const { return operand == kOutside; }
  };
  static constexpr int64_t kOutside = INT64_MIN;

  // Numbers, of which a few need no memory of their own.
  class Counters {
   public:
    explicit Counters(size_t n) : many_(n > std::size(few_) ? n : 0) {}
    int64_t& operator[](size_t i) { return many_.empty() ? few_[i] : many_[i]; }
    int64_t operator[](size_t i) const { return many_.empty() ? few_[i] : many_[i]; }

   private:
    int64_t few_[16] = {};
    std::vector<int64_t> many_;
  };
  // An element of the batch: its counters and what follows from them.
  struct Cursor {
    int64_t index = 0, operand = 0, result = 0, number = 0;
    Counters at, shift;
  };
  void step(Cursor& c, size_t axis, int64_t by) const {
    const BatchAxis& a = batch[axis];
    c.at[axis] += by;
    c.index += by * a.index_step;
    c.operand += by * a.operand_step;
    c.result += by * a.result_step;
    c.number += by * a.number_step;
    if (a.entry >= 0) c.shift[static_cast<size_t>(a.entry)] += by;
  }
  Cursor seek(const Part& part) const {
    Cursor c{0, 0, 0, 0, Counters(batch.size()), Counters(entries.size())};
    if (part.axis != kNone) {
      step(c, part.axis, part.begin);
      c.at[part.axis] = 0;
    }
    int64_t i = part.first;
    for (size_t d = batch.size(); d-- > 0; i /= extent(part, d)) step(c, d, i % extent(part, d));
    return c;
  }
  // Along one axis, within it; then on.
  void advance(Cursor& c, const Part& part, size_t axis, int64_t by) const {
    for (size_t d = axis + 1; d-- > 0; by = 1) {
      step(c, d, by);
      if (c.at[d] < extent(part, d)) return;
      step(c, d, -extent(part, d));
    }
  }

  // One index an element, of an axis in which no window wraps.
  bool single() const { return entries.size() == 1 && mode != IndexMode::wrap; }

  // Index i of element r stands for the place operand + r * operand_step + i * step. It is inside if, after `wrapped`
  // is added to a negative one, it is at most `last` and at least 0.
  struct IndexLine {
    int64_t operand, operand_step, step, wrapped, last;
  };
  // Neighbours along the last axis, each with one index.
  template <class Index>
  struct Run {
    const Index* indices;
    int64_t count, index_step, result, result_step, number, number_step;
    IndexLine line;
    void move(const BatchAxis& axis) {
      indices += axis.index_step;
      result += axis.result_step;
      number += axis.number_step;
      line.operand += axis.operand_step;
    }
    // The place of element r, if it is inside.
    bool find(int64_t r, int64_t& place) const {
      int64_t i = indices[r * index_step];
      i += i < 0 ? line.wrapped : 0;
      place = static_cast<int64_t>(static_cast<uint64_t>(line.operand + r * line.operand_step) +
                                   static_cast<uint64_t>(i) * static_cast<uint64_t>(line.step));
      return i >= 0 && i <= line.last;
    }
  };
  template <class F>
  void each_run(const void* indices, const Part& part, F f) const {
    if (index_dtype == DType::i64)
      runs_of(static_cast<const int64_t*>(indices), part, f);
    else
      runs_of(static_cast<const int32_t*>(indices), part, f);
  }
  template <class Index, class F>
  void runs_of(const Index* indices, const Part& part, F f) const {
    if (part.first >= part.last) return;
    const size_t inner = batch.empty() ? 0 : batch.size() - 1;
    Cursor c = seek(part);
    for (int64_t left = part.last - part.first; left > 0;) {
      const int64_t count = neighbours(part, c, left);
      Run<Index> run = run_at(indices, c, count);
      // Whole runs beside each other along the axis before the last.
      const bool whole = inner > 0 && count == extent(part, inner);
      const int64_t runs = whole ? std::min(left / count, extent(part, inner - 1) - c.at[inner - 1]) : 1;
      for (int64_t i = 0; i < runs; ++i) {
        f(run);
        if (whole) run.move(batch[inner - 1]);
      }
      left -= runs * count;
      if (left > 0) advance(c, part, whole ? inner - 1 : inner, whole ? runs : count);
    }
  }
  // How many elements follow along the last axis, at most `left`.
  int64_t neighbours(const Part& part, const Cursor& c, int64_t left) const {
    return batch.empty() ? 1 : std::min(left, extent(part, batch.size() - 1) - c.at[batch.size() - 1]);
  }
  template <class Index>
  Run<Index> run_at(const Index* indices, const Cursor& c, int64_t count) const {
    const Entry& e = entries[0];
    const BatchAxis axis = batch.empty() ? BatchAxis{1, 0, 0, 0} : batch.back();
    return {indices + c.index,
            count,
            axis.index_step,
            c.result,
            axis.result_step,
            c.number,
            axis.number_step,
            {c.operand, axis.operand_step, e.step, mode == IndexMode::check ? e.extent : 0, e.extent - e.window}};
  }
  // Of an index that is outside: where its window is all the same, or kOutside.
  template <class Index>
  [[gnu::cold, gnu::noinline]] int64_t outside(const Run<Index>& run, int64_t r, KernelError& error) const {
    const int64_t raw = run.indices[r * run.index_step];
    if (mode == IndexMode::check) error.record(error_code, run.number + r * run.number_step, raw);
    if (mode != IndexMode::clip) return kOutside;
    return run.line.operand + r * run.line.operand_step + std::clamp<int64_t>(raw, 0, run.line.last) * run.line.step;
  }

  // f(where in the result, place) for each element of a run, in order, absent(where in the result) of those that are
  // nowhere. Index and element are in one loop: were places written first, reading them would wait for stores of
  // elements that miss the cache.
  template <class Index, class F, class G>
  void each_element(const Run<Index>& run, KernelError& error, F f, G absent) const {
    const IndexLine line = run.line;
    const int64_t count = run.count;
    const auto extent = static_cast<uint64_t>(line.last + 1);
    auto inside = [=](int64_t i) { return static_cast<uint64_t>(i) < extent; };
    auto one = [&](int64_t r, int64_t result) {
      int64_t place = kOutside;
      if (run.find(r, place) || (place = outside(run, r, error)) != kOutside)
        f(result, place);
      else
        absent(result);
    };
    const Index* const index = run.indices;
    if (run.index_step != 1 || run.result_step != 1) {
      for (int64_t r = 0; r < count; ++r) one(r, r * run.result_step);
      return;
    }
    auto by_fours = [&](auto step, auto operand_step) {
      int64_t r = 0, at = line.operand;
      for (; r + 4 <= count; r += 4, at += 4 * operand_step) {
        const int64_t i0 = index[r], i1 = index[r + 1], i2 = index[r + 2], i3 = index[r + 3];
        if (!(inside(i0) && inside(i1) && inside(i2) && inside(i3))) [[unlikely]] {
          for (int64_t k = r; k < r + 4; ++k) one(k, k);
          continue;
        }
        f(r, at + i0 * step);
        f(r + 1, at + operand_step + i1 * step);
        f(r + 2, at + 2 * operand_step + i2 * step);
        f(r + 3, at + 3 * operand_step + i3 * step);
      }
      for (; r < count; ++r) one(r, r);
    };
    if (line.step == 1 && line.operand_step == 0)
      by_fours(std::integral_constant<int64_t, 1>(), std::integral_constant<int64_t, 0>());
    else if (line.operand_step == 1)  // columns beside each other
      by_fours(line.step, std::integral_constant<int64_t, 1>());
    else
      by_fours(line.step, line.operand_step);
  }

  template <class Index>
  void check(const Run<Index>& run, KernelError& error) const {
    each_element(
        run, error, [](int64_t, int64_t) {}, [](int64_t) {});
  }
  template <class Index, class T>
  [[gnu::noinline]] void read_run(const Run<Index>& run, const T* x, T* result, KernelError& error) const {
    T* const y = result + run.result;
    if (window.rank() != 0) {
      const auto n = static_cast<size_t>(window.axes[0].extent);
      return each_element(
          run, error, [=](int64_t r, int64_t place) { std::memcpy(y + r, x + place, n * sizeof(T)); },
          [=](int64_t r) { std::fill_n(y + r, n, T{}); });
    }
    each_element(
        run, error, [=](int64_t r, int64_t place) { y[r] = x[place]; }, [=](int64_t r) { y[r] = T{}; });
  }
  template <class Index, class T, class F>
  [[gnu::noinline]] void write_run(const Run<Index>& run, const T* updates, T* y, F combine, KernelError& error) const {
    auto write = [ =, u = updates + run.result ](int64_t r, int64_t place) __attribute__((always_inline)) {
      y[place] = combine(y[place], u[r]);
    };
    each_element(run, error, write, [](int64_t) {});
  }

  // Rows that begin in [low, high) of the operand.
  template <class Index, class T, class F>
  void write_rows(const Run<Index>& run, const T* updates, T* y, int64_t low, int64_t high, F combine,
                  KernelError& error) const {
    const int64_t n = window.axes[0].extent;
    auto write = [ =, u = updates + run.result ](int64_t r, int64_t place) __attribute__((always_inline)) {
      if (place >= low && place < high) combine_row(u + r, y + place, n, combine);
    };
    each_element(run, error, write, [](int64_t) {});
  }

  // f(places of the next elements).
  template <class F>
  void each_block(const void* indices, const Part& part, KernelError& error, F f) const {
    constexpr int64_t kBlock = 128;
    Place places[kBlock];
    if (part.first >= part.last) return;
    Cursor cursor = seek(part);
    for (int64_t left = part.last - part.first; left > 0; left -= kBlock) {
      const std::span<Place> block(places, static_cast<size_t>(std::min(kBlock, left)));
      if (index_dtype == DType::i64)
        locate(static_cast<const int64_t*>(indices), cursor, part, block, error);
      else
        locate(static_cast<const int32_t*>(indices), cursor, part, block, error);
      f(block);
    }
  }

  template <class Index>
  void locate(const Index* indices, Cursor& c, const Part& part, std::span<Place> places, KernelError& error) const {
    const BatchAxis none{1, 0, 0, 0};
    const BatchAxis& axis = batch.empty() ? none : batch.back();
    for (size_t done = 0; done < places.size();) {
      const auto left = static_cast<int64_t>(places.size() - done);
      const int64_t count = mode == IndexMode::wrap ? 1 : neighbours(part, c, left);
      Place* to = places.data() + done;
      if (single()) {  // the common case
        const Run<Index> run = run_at(indices, c, count);
        for (int64_t r = 0; r < count; ++r) {
          int64_t place;
          if (!run.find(r, place)) [[unlikely]]
            place = outside(run, r, error);
          to[r] = {place, run.result + r * run.result_step};
        }
      } else {
        const Index* from = indices + c.index;
        for (int64_t r = 0; r < count; ++r)
          to[r] = {place(from + r * axis.index_step, c.operand + r * axis.operand_step, c,
                         c.number + r * axis.number_step, error),
                   c.result + r * axis.result_step};
      }
      done += static_cast<size_t>(count);
      if (!batch.empty()) advance(c, part, batch.size() - 1, count);
    }
  }
  template <class Index>
  int64_t place(const Index* vector, int64_t at, Cursor& c, int64_t number, KernelError& error) const {
    for (size_t k = 0; k < entries.size(); ++k) {
      const Entry& e = entries[k];
      const int64_t raw = vector[k], last = e.extent - e.window;
      int64_t i = raw;
      if (mode == IndexMode::check && i < 0) i += e.extent;
      if (mode == IndexMode::wrap) {
        i %= e.extent;
        i = (i + (i < 0 ? e.extent : 0) + c.shift[k]) % e.extent;
      } else if (i < 0 || i > last) {
        if (mode == IndexMode::check) error.record(error_code + static_cast<int64_t>(k), number, raw);
        if (mode != IndexMode::clip) return kOutside;
        i = std::clamp<int64_t>(i, 0, last);
      }
      at += i * e.step;
    }
    return at;
  }

  bool row() const { return window.rank() == 1 && window.axes[0].src == 1 && window.axes[0].dst == 1; }

  template <class T>
  void read(const T* src, T* dst, std::span<const Place> places) const {
    if (window.rank() == 0) {
      for (const Place& p : places) dst[p.result] = p.outside() ? T{} : src[p.operand];
      return;
    }
    constexpr size_t kAhead = 8;
    for (size_t i = 0; i < places.size(); ++i) {
      const Place& p = places[i];
      T* to = dst + p.result;
      if (i + kAhead < places.size() && !places[i + kAhead].outside()) fetch(src + places[i + kAhead].operand);
      if (p.outside())
        each([&](int64_t, int64_t d) { to[d] = T{}; });
      else if (row())
        std::memcpy(to, src + p.operand, static_cast<size_t>(window.axes[0].extent) * sizeof(T));
      else
        each([&, from = src + p.operand](int64_t s, int64_t d) { to[d] = from[s]; });
    }
  }

  // The lines of the cache of a short row.
  template <class T>
  void fetch(const T* x) const {
    if (!row()) return;
    const auto* bytes = reinterpret_cast<const std::byte*>(x);
    const int64_t n = std::min<int64_t>(window.axes[0].extent * static_cast<int64_t>(sizeof(T)), 512);
    for (int64_t at = 0; at < n; at += 64) __builtin_prefetch(bytes + at);
  }

  // Windows that begin in [low, high) of the operand.
  template <class T, class F>
  void write(const T* src, T* dst, std::span<const Place> places, int64_t low, int64_t high, F combine) const {
    if (window.rank() == 0) {
      for (const Place& p : places)
        if (p.operand >= low && p.operand < high) dst[p.operand] = combine(dst[p.operand], src[p.result]);
      return;
    }
    for (const Place& p : places) {
      if (p.operand < low || p.operand >= high) continue;
      const T* from = src + p.result;
      T* to = dst + p.operand;
      if (row())
        combine_row(from, to, window.axes[0].extent, combine);
      else
        each([&](int64_t s, int64_t d) { to[d] = combine(to[d], from[s]); });
    }
  }
  // Blocks of a known length are vectorised.
  template <class T, class F>
  static void combine_row(const T* __restrict from, T* __restrict to, int64_t n, F combine) {
    constexpr int64_t kBlock = 16;
    int64_t i = 0;
    for (; i + kBlock <= n; i += kBlock)
      for (int64_t j = 0; j < kBlock; ++j) to[i + j] = combine(to[i + j], from[i + j]);
    for (; i < n; ++i) to[i] = combine(to[i], from[i]);
  }

  template <class F>
  void each(F f) const {
    if (window.rank() == 0) return f(0, 0);
    const Axis& row = window.axes.back();
    std::span<const Axis> outer(window.axes.data(), window.rank() - 1);
    const int64_t rows = outer.empty() ? 1 : window.count() / row.extent;
    for (int64_t r = 0; r < rows; ++r) {
      Offsets o = rows == 1 ? Offsets{} : offsets_of(outer, r);
      for (int64_t i = 0; i < row.extent; ++i) f(o.src + i * row.src, o.dst + i * row.dst);
    }
  }

  size_t own_axis_ = kNone;  // of the batch, with a part of the operand for each of its elements
};

std::unique_ptr<Indexing> indexing(const ir::GraphData& g, ir::Value v, int64_t error_code, Ints steps) {
  auto r = std::make_unique<Indexing>();
  ir::AttrView a = g.attrs(v);
  bool gather = g.op(v) == Op::gather_op;
  r->op = g.op(v);
  r->mode = a.mode();
  r->dtype = g.dtype(v);
  r->index_dtype = g.dtype(g.operand(v, 1));
  r->error_code = error_code;
  const Shape &x = g.shape(g.operand(v, 0)), &indices = g.shape(g.operand(v, 1));
  const Shape& result = gather ? g.shape(v) : g.shape(g.operand(v, 2));
  std::vector<int64_t> operand_steps = row_major(x), index_steps = row_major(indices), result_steps = row_major(result);
  if (!steps.empty()) operand_steps.assign(steps.begin(), steps.end());
  Ints offset_dims = a.ints(Key::offset_dims), operand_batch = a.ints(Key::operand_batch);
  Ints index_map = a.ints(Key::index_map);

  size_t index_axis = 0;
  for (size_t d = 0; d < result.size(); ++d) {
    if (contains(offset_dims, static_cast<int64_t>(d))) continue;
    Indexing::BatchAxis axis{result[d], index_steps[index_axis], 0, result_steps[d]};
    Ints index_batch = a.ints(Key::index_batch);
    for (size_t k = 0; k < index_batch.size(); ++k)
      if (index_batch[k] == static_cast<int64_t>(index_axis))
        axis.operand_step = operand_steps[static_cast<size_t>(operand_batch[k])];
    if (axis.extent != 1) r->batch.push_back(axis);
    ++index_axis;
  }
  std::vector<int64_t> extent(x.size(), 1);
  size_t next = 0;
  r->window.size = size_of(r->dtype);
  for (size_t d = 0; d < x.size(); ++d) {
    auto axis = static_cast<int64_t>(d);
    if (contains(a.ints(Key::collapsed), axis) || contains(operand_batch, axis)) continue;
    auto to = static_cast<size_t>(offset_dims[next++]);
    auto entry = std::ranges::find(index_map, axis);
    if (r->mode == IndexMode::wrap && entry != index_map.end() && result[to] > 1) {
      r->batch.push_back({result[to], 0, 0, result_steps[to], entry - index_map.begin()});
      continue;
    }
    extent[d] = result[to];
    if (gather)
      r->window.add(result[to], operand_steps[d], result_steps[to]);
    else
      r->window.add(result[to], result_steps[to], operand_steps[d]);
  }
  r->window.normalise();
  for (int64_t d : index_map) {
    auto i = static_cast<size_t>(d);
    r->entries.push_back({x[i], extent[i], operand_steps[i]});
  }
  r->operand_bytes = x.numel() * size_of(r->dtype);
  r->prepare();
  return r;
}

}  // namespace

std::unique_ptr<const Routine> make_indexing(const RoutineContext& c) {
  return indexing(c.g, c.v, c.error_code, c.operand_steps);
}

std::unique_ptr<const Routine> make_index_check(const RoutineContext& c) {
  std::unique_ptr<Indexing> r = indexing(c.g, c.v, c.error_code, {});
  r->only_checks = true;
  return r;
}

}  // namespace jot::cpu
