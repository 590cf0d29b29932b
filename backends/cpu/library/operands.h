// Several axes of an operand taken for one.
#pragma once
#include <span>

#include "ir/graph.h"

namespace jot::cpu {

// The one step of several axes, if they are as one.
inline bool merged(const Shape& x, std::span<const int64_t> steps, ir::Ints axes, int64_t* step) {
  int64_t expected = -1;
  *step = 0;
  for (size_t i = axes.size(); i-- > 0;) {
    auto d = static_cast<size_t>(axes[i]);
    if (x[d] == 1) continue;
    if (expected >= 0 && steps[d] != expected) return false;
    if (expected < 0) *step = steps[d];
    expected = steps[d] * x[d];
  }
  return true;
}

inline int64_t extent_of(const Shape& x, ir::Ints axes) {
  int64_t n = 1;
  for (int64_t d : axes) n *= x[static_cast<size_t>(d)];
  return n;
}

}  // namespace jot::cpu
