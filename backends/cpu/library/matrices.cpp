#include "backends/cpu/library/matrices.h"

#include <limits>
#include <string>

#include "jot/error.h"

namespace jot::cpu {

void check_workspace(std::string_view op, int64_t numbers, const Shape& a) {
  if (numbers > std::numeric_limits<blasint>::max())
    throw ShapeError("[" + std::string(op) + "] expected matrices whose workspace LAPACK can index, got " +
                     to_string(a));
}

}  // namespace jot::cpu
