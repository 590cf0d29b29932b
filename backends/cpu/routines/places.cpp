#include "backends/cpu/routines/places.h"

#include "backends/cpu/routines/clones.h"
#include "jot/error.h"

namespace jot::cpu {
namespace {

// The place of an index that is far outside may not fit: it wraps.
template <class Index>
[[gnu::always_inline]] inline bool find(const Index* indices, int64_t n, const IndexLine& line, int64_t* places) {
  const auto [operand, operand_step, step, wrapped, last] = line;
  int64_t outside = 0;
  for (int64_t r = 0; r < n; ++r) {
    int64_t i = indices[r];
    i += i < 0 ? wrapped : 0;
    outside |= (i < 0) | (i > last);
    places[r] = static_cast<int64_t>(static_cast<uint64_t>(operand + r * operand_step) +
                                     static_cast<uint64_t>(i) * static_cast<uint64_t>(step));
  }
  return outside == 0;
}
template <class T>
[[gnu::always_inline]] inline void read(const void* x, const int64_t* places, int64_t n, void* y) {
  const auto* from = static_cast<const T*>(x);
  auto* to = static_cast<T*>(y);
  for (int64_t r = 0; r < n; ++r) to[r] = from[places[r]];
}

JOT_CLONES uint8_t find_32(const int32_t* indices, int64_t n, const IndexLine& line, int64_t* places) {
  return find(indices, n, line, places);
}
JOT_CLONES uint8_t find_64(const int64_t* indices, int64_t n, const IndexLine& line, int64_t* places) {
  return find(indices, n, line, places);
}
JOT_CLONES void read_4(const void* x, const int64_t* places, int64_t n, void* y) { read<uint32_t>(x, places, n, y); }
JOT_CLONES void read_8(const void* x, const int64_t* places, int64_t n, void* y) { read<uint64_t>(x, places, n, y); }

}  // namespace

bool find_places(const int32_t* indices, int64_t n, const IndexLine& line, int64_t* places) {
  return find_32(indices, n, line, places) != 0;
}
bool find_places(const int64_t* indices, int64_t n, const IndexLine& line, int64_t* places) {
  return find_64(indices, n, line, places) != 0;
}

void read_places(const void* x, const int64_t* places, int64_t n, void* y, size_t size) {
  switch (size) {
    case 1:
      return read<uint8_t>(x, places, n, y);
    case 2:
      return read<uint16_t>(x, places, n, y);
    case 4:
      return read_4(x, places, n, y);
    case 8:
      return read_8(x, places, n, y);
  }
  internal_error("elements of another size", "read_places");
}

}  // namespace jot::cpu
