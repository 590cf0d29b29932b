#pragma once
#include <algorithm>
#include <cstdint>
#include <span>

#include "ir/builder.h"

namespace jot::ir {

// Orders positions by key(position): stable; NaN is greater than all numbers.
template <class Key>
void sort_by_key(std::span<int64_t> positions, Key key, bool descending) {
  auto less = [](auto x, auto y) { return x < y || (y != y && x == x); };
  if (descending)
    std::ranges::stable_sort(positions, [&](int64_t i, int64_t j) { return less(key(j), key(i)); });
  else
    std::ranges::stable_sort(positions, [&](int64_t i, int64_t j) { return less(key(i), key(j)); });
}

// The elements of x at `positions` along dim; these have as many dims as x, clipped.
Value taken_along(Builder& b, Value x, Value positions, int64_t dim);

}  // namespace jot::ir
