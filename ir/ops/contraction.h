// What dot and conv have in common: axes of two operands that go together, and those that are left.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "ir/ops/classes.h"

namespace jot::ir {

// The axes that none of the lists names, ascending.
inline std::vector<int64_t> free_axes(size_t rank, std::initializer_list<Ints> taken) {
  std::vector<int64_t> dims;
  for (int64_t d = 0; d < static_cast<int64_t>(rank); ++d) {
    bool free = true;
    for (Ints list : taken) free &= !contains(list, d);
    if (free) dims.push_back(d);
  }
  return dims;
}

// Each axis of x has the extent of one of y.
inline void expect_pairs(const InferContext& c, std::string_view what, Ints x, Ints y) {
  if (x.size() != y.size())
    c.shape_error(std::string(what) + " [" + list(x) + "," + list(y) + "] must name as many axes of either operand");
  for (size_t i = 0; i < x.size(); ++i) {
    int64_t m = c.shape(0)[static_cast<size_t>(x[i])], n = c.shape(1)[static_cast<size_t>(y[i])];
    if (m != n)
      c.shape_error(std::string(what) + " axes " + std::to_string(x[i]) + " and " + std::to_string(y[i]) +
                    " must have one extent: expected " + std::to_string(m) + ", got " + std::to_string(n));
  }
}

}  // namespace jot::ir
