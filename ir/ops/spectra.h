// The sign of eigenvectors and singular vectors, for the reference evaluation and the library's results.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace jot::ir {

// -1 where the first of n components, `step` apart, that is at least half as large as the largest is negative, else 1.
template <class T>
T sign_of(const T* x, int64_t n, int64_t step) {
  T largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i * step]));
  for (int64_t i = 0; i < n; ++i)
    if (2 * std::abs(x[i * step]) >= largest) return x[i * step] < 0 ? T{-1} : T{1};
  return 1;
}

}  // namespace jot::ir
