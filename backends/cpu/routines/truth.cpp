#include "backends/cpu/routines/truth.h"

#include <cstring>

#include "backends/cpu/routines/clones.h"

namespace jot::cpu {
namespace {

// Not 0 where a byte decides: one that is true or, with kAll, one that is false.
template <bool kAll>
[[gnu::always_inline]] inline uint8_t decides(uint8_t x) {
  return kAll ? static_cast<uint8_t>(x == 0) : x;
}

template <bool kAll>
[[gnu::always_inline]] inline uint8_t of_row(const uint8_t* x, int64_t n) {
  constexpr int64_t kBlock = 128;
  uint8_t found[kBlock] = {};
  auto see = [&](const uint8_t* from, int64_t count) __attribute__((always_inline)) {
    for (int64_t i = 0; i < count; ++i) found[i] = static_cast<uint8_t>(found[i] | decides<kAll>(from[i]));
  };
  if (n < kBlock) {
    see(x, n);
  } else {
    for (int64_t i = 0; i + kBlock <= n; i += kBlock) see(x + i, kBlock);
    see(x + n - kBlock, kBlock);  // some of them again
  }
  uint64_t words[kBlock / 8], any = 0;
  std::memcpy(words, found, kBlock);
  for (uint64_t w : words) any |= w;
  return any != 0;
}

// kRows rows at a time.
template <bool kAll, int kRows>
[[gnu::always_inline]] inline void see_rows(const uint8_t* x, int64_t step, uint8_t* __restrict y, int64_t n) {
  for (int64_t j = 0; j < n; ++j) {
    uint8_t found = 0;
    for (int r = 0; r < kRows; ++r) found = static_cast<uint8_t>(found | decides<kAll>(x[j + r * step]));
    y[j] = static_cast<uint8_t>(kAll ? y[j] & (found == 0) : y[j] | (found != 0));
  }
}
template <bool kAll>
[[gnu::always_inline]] inline void of_columns(const uint8_t* x, int64_t step, int64_t rows, uint8_t* y, int64_t n) {
  constexpr int kRows = 8;
  int64_t r = 0;
  for (; r + kRows <= rows; r += kRows) see_rows<kAll, kRows>(x + r * step, step, y, n);
  for (; r < rows; ++r) see_rows<kAll, 1>(x + r * step, step, y, n);
}

template <bool kAll>
[[gnu::always_inline]] inline void of_rows(const uint8_t* x, int64_t n, int64_t step, uint8_t* y, int64_t rows,
                                           int64_t y_step) {
  for (int64_t r = 0; r < rows; ++r) y[r * y_step] = of_row<kAll>(x + r * step, n) ^ uint8_t { kAll };
}

JOT_CLONES void any_of_rows(const uint8_t* x, int64_t n, int64_t step, uint8_t* y, int64_t rows, int64_t y_step) {
  of_rows<false>(x, n, step, y, rows, y_step);
}
JOT_CLONES void all_of_rows(const uint8_t* x, int64_t n, int64_t step, uint8_t* y, int64_t rows, int64_t y_step) {
  of_rows<true>(x, n, step, y, rows, y_step);
}
JOT_CLONES void any_of_columns(const uint8_t* x, int64_t step, int64_t rows, uint8_t* y, int64_t n) {
  of_columns<false>(x, step, rows, y, n);
}
JOT_CLONES void all_of_columns(const uint8_t* x, int64_t step, int64_t rows, uint8_t* y, int64_t n) {
  of_columns<true>(x, step, rows, y, n);
}

}  // namespace

bool quantified(bool all, const void* x, int64_t n, int64_t step) {
  if (uint8_t one = 0; step == 1) {
    quantify_rows(all, x, n, 0, &one, 1, 0);
    return one != 0;
  }
  const auto* bytes = static_cast<const uint8_t*>(x);
  for (int64_t i = 0; i < n; ++i)
    if ((bytes[i * step] != 0) != all) return !all;
  return all;
}

void quantify_rows(bool all, const void* x, int64_t n, int64_t step, void* y, int64_t rows, int64_t y_step) {
  (all ? all_of_rows : any_of_rows)(static_cast<const uint8_t*>(x), n, step, static_cast<uint8_t*>(y), rows, y_step);
}

void quantify_columns(bool all, const void* x, int64_t step, int64_t rows, void* y, int64_t n) {
  const auto* bytes = static_cast<const uint8_t*>(x);
  (all ? all_of_columns : any_of_columns)(bytes, step, rows, static_cast<uint8_t*>(y), n);
}

}  // namespace jot::cpu
