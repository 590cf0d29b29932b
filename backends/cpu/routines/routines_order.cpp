// Sorting and selection. Lines are gathered, several at a time where they lie beside each other.
#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>
#include <vector>

#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/runtime/plan.h"
#include "backends/cpu/runtime/pool.h"

namespace jot::cpu {
namespace {

using ir::Key;

// Lines along a dim; `together` of them lie beside each other and are gathered at a time.
struct Lines {
  int64_t n = 0, inner = 1, count = 0;

  Lines() = default;
  Lines(const Shape& shape, size_t dim) : n(shape[dim]), inner(shape.slice(dim + 1, shape.size()).numel()) {
    count = shape.slice(0, dim).numel() * inner;
  }
  // Where the line begins among lines of n elements.
  int64_t first(int64_t line, int64_t length) const { return line / inner * length * inner + line % inner; }

  // f(line, its elements) for the lines [begin, end); `room` for kTogether lines.
  template <class T, class F>
  void each(const T* x, int64_t begin, int64_t end, T* room, F f) const {
    if (inner == 1) {
      for (int64_t line = begin; line < end; ++line) f(line, x + line * n);
      return;
    }
    for (int64_t line = begin, beside = 0; line < end; line += beside) {
      beside = std::min({kTogether, end - line, inner - line % inner});
      const T* from = x + first(line, n);
      for (int64_t i = 0; i < n; ++i)
        for (int64_t l = 0; l < beside; ++l) room[l * n + i] = from[i * inner + l];
      for (int64_t l = 0; l < beside; ++l) f(line + l, room + l * n);
    }
  }
  static constexpr int64_t kTogether = 16;
  int64_t room(int64_t size) const { return inner == 1 ? 0 : aligned(kTogether * n * size); }
};

// Places are numbers of 32 bits.
Lines lines_of(const char* op, const Shape& shape, int64_t dim) {
  Lines lines(shape, static_cast<size_t>(dim));
  if (lines.n >= int64_t{1} << 32)
    throw ShapeError("[" + std::string(op) + "] expected lines of fewer than 2^32 elements, got " + to_string(shape));
  return lines;
}

// ---- sort

// A number whose order is that of keys: NaN greatest, zeros equal.
template <class T>
auto ordered(T x) {
  if constexpr (std::is_floating_point_v<T>) {
    using U = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    constexpr U kSign = U{1} << (8 * sizeof(T) - 1);
    if (x != x) return static_cast<U>(~U{0});
    const U bits = std::bit_cast<U>(x + T{0});  // -0 + 0 is 0
    return static_cast<U>(bits & kSign ? ~bits : bits | kSign);
  } else if constexpr (sizeof(T) == 8) {
    return static_cast<uint64_t>(x) ^ (uint64_t{1} << 63);
  } else {
    return static_cast<uint32_t>(static_cast<int32_t>(x)) ^ (uint32_t{1} << 31);
  }
}

template <class U>
struct Entry {
  U key;
  uint32_t position;
};

// In place, or into `other`: where the entries are then.
template <class U>
Entry<U>* radix_sorted(Entry<U>* from, Entry<U>* other, int64_t n) {
  constexpr int64_t kFew = 32;
  if (n <= kFew) {
    for (int64_t i = 1; i < n; ++i) {
      const Entry<U> e = from[i];
      int64_t j = i;
      for (; j > 0 && e.key < from[j - 1].key; --j) from[j] = from[j - 1];
      from[j] = e;
    }
    return from;
  }
  constexpr int kBits = 8, kDigits = static_cast<int>(sizeof(U));
  uint32_t counts[kDigits][1 << kBits] = {};
  for (int64_t i = 0; i < n; ++i)
    for (int d = 0; d < kDigits; ++d) ++counts[d][from[i].key >> (d * kBits) & 0xff];
  for (int d = 0; d < kDigits; ++d) {
    uint32_t* to = counts[d];
    if (to[from[0].key >> (d * kBits) & 0xff] == static_cast<uint32_t>(n)) continue;  // all have this digit
    for (uint32_t i = 0, at = 0; i < 1 << kBits; ++i) at += std::exchange(to[i], at);
    for (int64_t i = 0; i < n; ++i) other[to[from[i].key >> (d * kBits) & 0xff]++] = from[i];
    std::swap(from, other);
  }
  return from;
}

class Sort final : public Routine {
 public:
  DType keys = DType::f32;
  bool descending = false;
  Lines lines;
  std::vector<size_t> sizes;  // bytes of an element of each operand

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                   KernelError&) const override {
    visit_computing(keys, [&](auto zero) {
      using T = decltype(zero);
      using E = Entry<decltype(ordered(zero))>;
      const int64_t n = lines.n;
      int64_t chunks = chunks_for(lines.count, static_cast<double>(n) * 10),
              chunk = (lines.count + chunks - 1) / chunks;
      auto body = [&](int64_t i, int worker) {
        std::byte* own = scratch + worker * worker_bytes();
        auto* entries = reinterpret_cast<E*>(own + lines.room(8));
        auto sort_line = [&](int64_t line, const T* x) {
          for (int64_t k = 0; k < n; ++k) {
            const auto key = ordered(x[k]);
            entries[k] = {descending ? static_cast<decltype(key)>(~key) : key, static_cast<uint32_t>(k)};
          }
          const E* sorted = radix_sorted(entries, entries + n, n);
          for (size_t k = 0; k < outs.size(); ++k) move(operands[k], outs[k], sizes[k], lines.first(line, n), sorted);
        };
        lines.each(static_cast<const T*>(operands[0]), i * chunk, std::min(lines.count, (i + 1) * chunk),
                   reinterpret_cast<T*>(own), sort_line);
      };
      parallel_for(chunks, body);
    });
  }

  int64_t worker_bytes() const {
    return lines.room(8) + aligned(2 * lines.n * static_cast<int64_t>(sizeof(Entry<uint64_t>)));
  }

 private:
  template <class E>
  void move(const void* from, void* to, size_t size, int64_t first, const E* sorted) const {
    auto moved = [&](auto zero) {
      using T = decltype(zero);
      const T* source = static_cast<const T*>(from) + first;
      T* target = static_cast<T*>(to) + first;
      for (int64_t i = 0; i < lines.n; ++i) target[i * lines.inner] = source[sorted[i].position * lines.inner];
    };
    size == 8 ? moved(uint64_t{}) : size == 4 ? moved(uint32_t{}) : size == 2 ? moved(uint16_t{}) : moved(uint8_t{});
  }
};

// ---- top_k

// A key with its place, in one number where it fits; of equal keys the first place comes first.
template <class U>
struct Candidate {
  U key;
  uint64_t position;
  Candidate() = default;
  Candidate(U k, int64_t p) : key(k), position(static_cast<uint64_t>(p)) {}
  int64_t place() const { return static_cast<int64_t>(position); }
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return a.key < b.key || (a.key == b.key && a.position < b.position);
  }
};
template <>
struct Candidate<uint32_t> {
  uint64_t bits;
  Candidate() = default;
  Candidate(uint32_t k, int64_t p) : bits(uint64_t{k} << 32 | static_cast<uint64_t>(p)) {}
  int64_t place() const { return static_cast<int64_t>(bits & 0xffffffff); }
  friend bool operator<(const Candidate& a, const Candidate& b) { return a.bits < b.bits; }
};

class TopK final : public Routine {
 public:
  DType dtype = DType::f32;
  bool descending = true;
  int64_t k = 0;
  Lines lines;

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                   KernelError&) const override {
    if (k == 0) return;
    visit_computing(dtype, [&](auto zero) {
      using T = decltype(zero);
      const auto* x = static_cast<const T*>(operands[0]);
      auto* y = static_cast<T*>(outs[0]);
      auto* places = static_cast<int64_t*>(outs[1]);
      descending ? all<true>(x, y, places, scratch) : all<false>(x, y, places, scratch);
    });
  }

  void set_scratch() {
    parts_ = lines.count < 4 ? std::clamp<int64_t>(lines.n / std::max<int64_t>(8 * k, 16384), 1, 16) : 1;
    room_ = std::min(lines.n, 2 * k);
    scratch_bytes = parts_ > 1 ? aligned(parts_ * room_ * kEntry) : num_threads() * worker_bytes();
  }

 private:
  static constexpr int64_t kFew = 32;
  static constexpr int64_t kEntry = sizeof(Candidate<uint64_t>);
  int64_t worker_bytes() const { return lines.room(8) + aligned(room_ * kEntry); }

  template <class T>
  using Entry = Candidate<decltype(ordered(T{}))>;
  // Its order is that of what comes first.
  template <bool kDescending, class T>
  static Entry<T> entry(T x, int64_t place) {
    const auto key = ordered(x);
    return Entry<T>(kDescending ? static_cast<decltype(ordered(x))>(~key) : key, place);
  }

  template <bool kDescending, class T>
  void all(const T* x, T* y, int64_t* places, std::byte* scratch) const {
    if (parts_ > 1) {
      for (int64_t line = 0; line < lines.count; ++line) one<kDescending>(line, x, y, places, scratch);
      return;
    }
    const int64_t chunks = chunks_for(lines.count, static_cast<double>(lines.n));
    const int64_t chunk = (lines.count + chunks - 1) / chunks;
    auto body = [&](int64_t c, int worker) {
      std::byte* own = scratch + worker * worker_bytes();
      auto* room = reinterpret_cast<Entry<T>*>(own + lines.room(8));
      auto select_line = [&](int64_t line, const T* elements) {
        put(line, elements, 1, room, select<kDescending>(elements, 1, 0, lines.n, room), y, places);
      };
      lines.each(x, c * chunk, std::min(lines.count, (c + 1) * chunk), reinterpret_cast<T*>(own), select_line);
    };
    parallel_for(chunks, body);
  }

  // A long line: the first k of each part, then those of all.
  template <bool kDescending, class T>
  void one(int64_t line, const T* x, T* y, int64_t* places, std::byte* scratch) const {
    auto* room = reinterpret_cast<Entry<T>*>(scratch);
    const T* elements = x + lines.first(line, lines.n);
    const int64_t part = (lines.n + parts_ - 1) / parts_;
    std::vector<int64_t> found(static_cast<size_t>(parts_));
    auto body = [&](int64_t p, int) {
      found[static_cast<size_t>(p)] =
          select<kDescending>(elements, lines.inner, p * part, std::min(lines.n, (p + 1) * part), room + p * room_);
    };
    parallel_for(parts_, body);
    int64_t count = found[0];
    for (int64_t p = 1; p < parts_; ++p) {
      std::copy_n(room + p * room_, found[static_cast<size_t>(p)], room + count);
      count += found[static_cast<size_t>(p)];
    }
    put(line, elements, lines.inner, room, first_k(room, count), y, places);
  }

  template <class E>
  int64_t first_k(E* room, int64_t count) const {
    if (count <= k) return count;
    std::nth_element(room, room + k - 1, room + count);
    return k;
  }

  // The first k of the elements [begin, end) of a line, in no order. What comes later must be better than the k-th.
  template <bool kDescending, class T>
  int64_t select(const T* x, int64_t step, int64_t begin, int64_t end, Entry<T>* room) const {
    if (k <= kFew) return select_few<kDescending>(x, step, begin, end, room);
    int64_t count = 0, i = begin;
    for (; i < end && count < room_; ++i) room[count++] = entry<kDescending>(x[i * step], i);
    if (i == end) return first_k(room, count);
    Entry<T> last{};
    T least{};
    auto shrink = [&] {
      count = first_k(room, count);
      last = room[k - 1];
      least = x[last.place() * step];
    };
    shrink();
    each_better<kDescending>(x, step, i, end, least, [&](int64_t at) {
      const Entry<T> e = entry<kDescending>(x[at * step], at);
      if (!(e < last)) return;
      room[count++] = e;
      if (count == room_) shrink();
    });
    return first_k(room, count);
  }

  // Few are kept in order: one that comes later goes to its place among them.
  template <bool kDescending, class T>
  int64_t select_few(const T* x, int64_t step, int64_t begin, int64_t end, Entry<T>* room) const {
    const int64_t count = std::min(k, end - begin);
    for (int64_t i = 0; i < count; ++i) room[i] = entry<kDescending>(x[(begin + i) * step], begin + i);
    std::sort(room, room + count);
    if (count == end - begin) return count;
    T least = x[room[k - 1].place() * step];
    each_better<kDescending>(x, step, begin + count, end, least, [&](int64_t at) {
      const Entry<T> e = entry<kDescending>(x[at * step], at);
      if (!(e < room[k - 1])) return;
      for (int64_t j = k - 1; j > 0; --j) room[j] = std::max(room[j - 1], std::min(room[j], e));
      room[0] = std::min(room[0], e);
      least = x[room[k - 1].place() * step];
    });
    return count;
  }

  // take(i) of all elements [begin, end) that may be better than `least`, which it may change.
  template <bool kDescending, class T, class F>
  static void each_better(const T* x, int64_t step, int64_t begin, int64_t end, const T& least, F take) {
    constexpr int64_t kBlock = 32;
    auto is_none = [&](const T& v) { return kDescending ? v <= least : v >= least; };  // a comparison that NaN fails
    int64_t i = begin;
    for (; step == 1 && i + kBlock <= end; i += kBlock) {
      int none = 1;
      for (int64_t j = 0; j < kBlock; ++j) none &= is_none(x[i + j]);
      if (!none)
        for (int64_t j = 0; j < kBlock; ++j)
          if (!is_none(x[i + j])) take(i + j);
    }
    for (; i < end; ++i)
      if (!is_none(x[i * step])) take(i);
  }

  template <class T>
  void put(int64_t line, const T* x, int64_t step, Entry<T>* found, int64_t count, T* y, int64_t* places) const {
    std::sort(found, found + count);
    const int64_t first = lines.first(line, k);
    for (int64_t i = 0; i < count; ++i) {
      y[first + i * lines.inner] = x[found[i].place() * step];
      places[first + i * lines.inner] = found[i].place();
    }
  }

  int64_t parts_ = 1, room_ = 0;  // candidates that are kept
};

}  // namespace

std::unique_ptr<const Routine> make_sort(const RoutineContext& c) {
  const ir::GraphData& g = c.g;
  const ir::Value v = c.v;
  auto r = std::make_unique<Sort>();
  r->keys = g.dtype(v);
  r->descending = g.attrs(v).integer(Key::descending) != 0;
  r->lines = lines_of("sort", g.shape(v), g.attrs(v).integer(Key::dim));
  for (ir::Value o : g.operands(v)) r->sizes.push_back(static_cast<size_t>(size_of(g.dtype(o))));
  r->scratch_bytes = r->worker_bytes() * num_threads();
  return r;
}

std::unique_ptr<const Routine> make_top_k(const RoutineContext& c) {
  const ir::GraphData& g = c.g;
  auto r = std::make_unique<TopK>();
  ir::AttrView a = g.attrs(c.v);
  r->dtype = g.dtype(c.v);
  r->descending = a.integer(Key::descending) != 0;
  r->k = a.integer(Key::n);
  r->lines = lines_of("top_k", g.shape(g.operand(c.v, 0)), a.integer(Key::dim));
  r->set_scratch();
  return r;
}

}  // namespace jot::cpu
