#include "core/storage/borrowed.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "core/storage/views.h"

namespace jot::detail {

namespace {

// From the first element to the last, with both.
int64_t span_of(const BorrowedMemory& m, std::string_view what, Location at) {
  if (m.strides.size() != m.shape.size())
    fail<ShapeError>(what,
                     "shape " + to_string(m.shape) + " and strides " + to_string(m.strides) +
                         " differ in length: expected a stride for each dim, in elements",
                     at);
  if (m.shape.numel() == 0) return 0;
  int64_t span = 1;
  for (size_t d = 0; d < m.shape.size(); ++d) {
    if (m.shape[d] == 1) continue;
    if (m.strides[d] < 0)
      fail<ShapeError>(what,
                       "stride " + std::to_string(m.strides[d]) + " of dim " + std::to_string(d) +
                           " is negative: expected strides from 0 on; copy the elements (numpy: x.copy())",
                       at);
    int64_t bytes = 0, reach = 0;
    if (__builtin_mul_overflow(m.shape[d] - 1, m.strides[d], &reach) || __builtin_add_overflow(span, reach, &span) ||
        __builtin_mul_overflow(span, size_of(m.dtype), &bytes))
      fail<ShapeError>(what, "strides " + to_string(m.strides) + " reach over more memory than there is", at);
  }
  return span;
}

}  // namespace

Tensor borrowed(const BorrowedMemory& m, std::string_view what, Location at) {
  const int64_t span = span_of(m, what, at);
  auto over = [&](const Shape& base) {
    Tensor t = from_buffer(m.dtype, base, Buffer::borrow(m.data, span * size_of(m.dtype), m.release, m.context));
    t.impl()->storage->made = at;
    t.impl()->storage->writes_through = m.writable;
    return t;
  };
  if (is_row_major(m.shape, m.strides)) return over(m.shape);
  const size_t rank = m.shape.size();
  std::vector<size_t> order(rank);  // of the dims, from the longest steps to the shortest
  std::iota(order.begin(), order.end(), 0);
  auto step = [&](size_t d) { return m.shape[d] == 1 ? std::numeric_limits<int64_t>::max() : m.strides[d]; };
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return step(a) > step(b); });
  Shape base = m.shape, steps = m.shape;
  std::vector<int64_t> places(rank);  // of each dim in the base
  for (size_t i = 0; i < rank; ++i) {
    base[i] = m.shape[order[i]];
    steps[i] = m.strides[order[i]];
    places[order[i]] = static_cast<int64_t>(i);
  }
  if (is_row_major(base, steps)) return permuted(over(base), places);
  return strided_over_base(over({span}), m.shape, m.strides, 0);
}

}  // namespace jot::detail
