// The scalar program that compilation is timed on.
#pragma once
#include <jot/jot.h>

namespace bench {

// a, b = b, sin(a*b + 1), again and again; the sum of all b.
inline jot::Tensor chain_sum(const jot::Tensor& x, int64_t steps) {
  jot::Tensor a = x[0], b = x[1], total = b;
  for (int64_t i = 0; i < steps; ++i) {
    jot::Tensor next = sin(a * b + 1);
    a = b;
    b = next;
    total = total + b;
  }
  return total;
}

}  // namespace bench
