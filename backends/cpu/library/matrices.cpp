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

std::vector<uint32_t> load_row(KernelBuilder& b, KType t, uint32_t pointer, uint32_t matrix, int64_t elements,
                               int64_t first, int64_t count) {
  uint32_t value = b.load_rows(t, static_cast<uint16_t>(count), pointer, b.imuli(matrix, elements), b.iconst(elements),
                               first * bytes_of(t));
  std::vector<uint32_t> values;
  for (int64_t j = 0; j < count; ++j) values.push_back(value++);
  return values;
}
void store_row(KernelBuilder& b, std::span<const uint32_t> values, KType t, uint32_t pointer, uint32_t matrix,
               int64_t elements, int64_t first) {
  b.store_rows(values, pointer, b.imuli(matrix, elements), b.iconst(elements), first * bytes_of(t));
}

}  // namespace jot::cpu
