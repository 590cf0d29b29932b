// Sorting: lines are gathered, ordered by pairs of key and position, and moved.
#include <algorithm>
#include <cstring>
#include <vector>

#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/runtime/pool.h"

namespace jot::cpu {
namespace {

using ir::Key;

template <class T>
struct Entry {
  T key;
  int64_t position;
};

class Sort final : public Routine {
 public:
  DType keys = DType::f32;
  bool descending = false;
  int64_t n = 0, inner = 1, lines = 0;
  std::vector<size_t> sizes;  // bytes of an element of each operand

  void run(std::span<const void* const> operands, void* out, std::byte* scratch, KernelError& error) const override {
    run_results(operands, {&out, 1}, scratch, error);
  }

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                   KernelError&) const override {
    visit_computing(keys, [&](auto zero) {
      using T = decltype(zero);
      int64_t chunks = chunks_for(lines, static_cast<double>(n) * 20), chunk = (lines + chunks - 1) / chunks;
      auto body = [&](int64_t i, int worker) {
        auto* entries = reinterpret_cast<Entry<T>*>(scratch + worker * worker_bytes());
        for (int64_t line = i * chunk; line < std::min(lines, (i + 1) * chunk); ++line)
          sort_line(operands, outs, line / inner * n * inner + line % inner, entries);
      };
      parallel_for(chunks, body);
    });
  }

  // Entries, and room for a stable sort of them.
  int64_t worker_bytes() const { return (2 * n * static_cast<int64_t>(sizeof(Entry<double>)) + 63) / 64 * 64; }

 private:
  template <class T>
  void sort_line(std::span<const void* const> operands, std::span<void* const> outs, int64_t first,
                 Entry<T>* entries) const {
    const T* x = static_cast<const T*>(operands[0]) + first;
    for (int64_t i = 0; i < n; ++i) entries[i] = {x[i * inner], i};
    const Entry<T>* sorted = descending ? merge_sorted<T, true>(entries) : merge_sorted<T, false>(entries);
    for (size_t k = 0; k < outs.size(); ++k)
      move(static_cast<const std::byte*>(operands[k]), static_cast<std::byte*>(outs[k]), sizes[k], first, sorted);
  }

  // NaN is greater than all numbers.
  template <class T>
  static bool less(T x, T y) {
    return x < y || (y != y && x == x);
  }
  template <class T, bool kDescending>
  static bool before(const Entry<T>& a, const Entry<T>& b) {
    return kDescending ? less(b.key, a.key) : less(a.key, b.key);
  }

  // Bottom up, from runs that insertion makes; the entries end in one of the two halves of the room.
  template <class T, bool kDescending>
  const Entry<T>* merge_sorted(Entry<T>* from) const {
    constexpr int64_t kRun = 16;
    for (int64_t begin = 0; begin < n; begin += kRun)
      for (int64_t i = begin + 1; i < std::min(n, begin + kRun); ++i) {
        Entry<T> e = from[i];
        int64_t j = i;
        for (; j > begin && before<T, kDescending>(e, from[j - 1]); --j) from[j] = from[j - 1];
        from[j] = e;
      }
    Entry<T>* to = from + n;
    for (int64_t run = kRun; run < n; run *= 2, std::swap(from, to))
      for (int64_t begin = 0; begin < n; begin += 2 * run) {
        int64_t middle = std::min(n, begin + run), end = std::min(n, begin + 2 * run);
        std::merge(from + begin, from + middle, from + middle, from + end, to + begin, before<T, kDescending>);
      }
    return from;
  }

  template <class T>
  void move(const std::byte* from, std::byte* to, size_t size, int64_t first, const Entry<T>* order) const {
    for (int64_t i = 0; i < n; ++i)
      std::memcpy(to + static_cast<size_t>(first + i * inner) * size,
                  from + static_cast<size_t>(first + order[i].position * inner) * size, size);
  }
};

}  // namespace

std::unique_ptr<const Routine> make_sort(const RoutineContext& c) {
  const ir::GraphData& g = c.g;
  const ir::Value v = c.v;
  auto r = std::make_unique<Sort>();
  const Shape& shape = g.shape(v);
  auto dim = static_cast<size_t>(g.attrs(v).integer(Key::dim));
  r->keys = g.dtype(v);
  r->descending = g.attrs(v).integer(Key::descending) != 0;
  r->n = shape[dim];
  r->inner = shape.slice(dim + 1, shape.size()).numel();
  r->lines = shape.slice(0, dim).numel() * r->inner;
  for (ir::Value o : g.operands(v)) r->sizes.push_back(static_cast<size_t>(size_of(g.dtype(o))));
  r->scratch_bytes = r->worker_bytes() * num_threads();
  return r;
}

}  // namespace jot::cpu
