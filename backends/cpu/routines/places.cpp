#include "backends/cpu/routines/places.h"

#include "backends/cpu/routines/clones.h"
#include "jot/error.h"

namespace jot::cpu {
namespace {

// Calls f(r, place) of each index, that of index 0 for one that is outside. False if there is one. kNarrow: places of
// what is inside are products of 32 bits, which processors multiply several of at once.
template <bool kNarrow, class Index, class F>
[[gnu::always_inline]] inline bool visit_as(const Index* indices, int64_t n, const IndexLine& line, F f) {
  const auto [operand, operand_step, step, wrapped, last] = line;
  int64_t outside = 0;
  for (int64_t r = 0; r < n; ++r) {
    int64_t i = indices[r];
    i += i < 0 ? wrapped : 0;
    const bool wrong = (i < 0) | (i > last);
    outside |= wrong;
    i = wrong ? 0 : i;
    int64_t moved;
    if constexpr (kNarrow)
      moved = static_cast<int64_t>(uint64_t{static_cast<uint32_t>(i)} * static_cast<uint32_t>(step));
    else
      moved = i * step;
    f(r, operand + r * operand_step + moved);
  }
  return outside == 0;
}
template <class Index, class F>
[[gnu::always_inline]] inline bool visit(const Index* indices, int64_t n, const IndexLine& line, F f) {
  const bool narrow = line.step >= 0 && line.step <= INT32_MAX && line.last <= INT32_MAX;
  return narrow ? visit_as<true>(indices, n, line, f) : visit_as<false>(indices, n, line, f);
}

template <class Index>
[[gnu::always_inline]] inline bool find(const Index* indices, int64_t n, const IndexLine& line, int64_t* places) {
  return visit(
      indices, n, line, [=](int64_t r, int64_t place) __attribute__((always_inline)) { places[r] = place; });
}
template <class T, class Index>
[[gnu::always_inline]] inline bool read(const void* x, const Index* indices, int64_t n, const IndexLine& line,
                                        void* y) {
  const auto* from = static_cast<const T*>(x);
  auto* __restrict to = static_cast<T*>(y);
  return visit(
      indices, n, line, [=](int64_t r, int64_t place) __attribute__((always_inline)) { to[r] = from[place]; });
}

#define JOT_PLACES(Index)                                                                                     \
  JOT_CLONES uint8_t find_cloned(const Index* indices, int64_t n, const IndexLine& line, int64_t* places) {   \
    return find(indices, n, line, places);                                                                    \
  }                                                                                                           \
  JOT_CLONES uint8_t read_4(const void* x, const Index* indices, int64_t n, const IndexLine& line, void* y) { \
    return read<uint32_t>(x, indices, n, line, y);                                                            \
  }                                                                                                           \
  JOT_CLONES uint8_t read_8(const void* x, const Index* indices, int64_t n, const IndexLine& line, void* y) { \
    return read<uint64_t>(x, indices, n, line, y);                                                            \
  }
JOT_PLACES(int32_t)
JOT_PLACES(int64_t)
#undef JOT_PLACES

template <class Index>
bool read_sized(const void* x, const Index* indices, int64_t n, const IndexLine& line, void* y, size_t size) {
  switch (size) {
    case 1:
      return read<uint8_t>(x, indices, n, line, y);
    case 2:
      return read<uint16_t>(x, indices, n, line, y);
    case 4:
      return read_4(x, indices, n, line, y) != 0;
    case 8:
      return read_8(x, indices, n, line, y) != 0;
  }
  internal_error("elements of another size", "read_places");
}

}  // namespace

bool find_places(const int32_t* indices, int64_t n, const IndexLine& line, int64_t* places) {
  return find_cloned(indices, n, line, places) != 0;
}
bool find_places(const int64_t* indices, int64_t n, const IndexLine& line, int64_t* places) {
  return find_cloned(indices, n, line, places) != 0;
}
bool read_places(const void* x, const int32_t* indices, int64_t n, const IndexLine& line, void* y, size_t size) {
  return read_sized(x, indices, n, line, y, size);
}
bool read_places(const void* x, const int64_t* indices, int64_t n, const IndexLine& line, void* y, size_t size) {
  return read_sized(x, indices, n, line, y, size);
}

}  // namespace jot::cpu
