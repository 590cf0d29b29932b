#include "ir/extents.h"

#include "ir/graph.h"

namespace jot::ir {

std::string fault_of(const Shape& shape) {
  int64_t n = 1;
  for (int64_t d : shape)
    if (d < 0) return to_string(shape) + " has a negative extent: expected extents >= 0";
  for (int64_t d : shape) {
    if (d == 0) continue;
    if (n > kMaxNumel / d) return to_string(shape) + " has too many elements: expected at most 2^48";
    n *= d;
  }
  return {};
}

}  // namespace jot::ir
