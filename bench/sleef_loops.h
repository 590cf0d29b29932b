// SLEEF's vector math on arrays, for one instruction set.
#pragma once
#include <cstddef>
#include <string_view>

namespace bench {

struct SleefFunction {
  std::string_view name;  // as in tests/backends/math_error.h
  // count: a multiple of the lanes. y: of functions of two arguments.
  void (*f64)(const double* x, const double* y, double* z, size_t count);
  void (*f32)(const float* x, const float* y, float* z, size_t count);
};

constexpr size_t kSleefFunctions = 28;
extern const SleefFunction sleef_avx2[kSleefFunctions], sleef_avx512[kSleefFunctions];

}  // namespace bench
