// SLEEF's vector math on arrays, for one instruction set.
#pragma once
#include <cstddef>
#include <string_view>

namespace bench {

struct SleefFunction {
  std::string_view name;                              // as in tests/backends/math_error.h
  void (*f64)(const double*, double*, size_t count);  // count: a multiple of the lanes
  void (*f32)(const float*, float*, size_t count);
};

constexpr size_t kSleefFunctions = 24;
extern const SleefFunction sleef_avx2[kSleefFunctions], sleef_avx512[kSleefFunctions];

}  // namespace bench
