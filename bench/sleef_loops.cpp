// Compiled once for AVX2 and once for AVX-512. Nothing but these loops: an inline function of a library, compiled here,
// might be the one that the linker keeps for all.
#include "bench/sleef_loops.h"

#include <immintrin.h>
#include <sleef.h>

#ifdef __AVX512F__
#define BENCH_TABLE sleef_avx512
#define BENCH_BYTES 64
#define BENCH_F64(name, error) Sleef_##name##d8_##error##avx512f
#define BENCH_F32(name, error) Sleef_##name##f16_##error##avx512f
#else
#define BENCH_TABLE sleef_avx2
#define BENCH_BYTES 32
#define BENCH_F64(name, error) Sleef_##name##d4_##error##avx2
#define BENCH_F32(name, error) Sleef_##name##f8_##error##avx2
#endif

namespace bench {
namespace {

using F64 __attribute__((vector_size(BENCH_BYTES))) = double;
using F32 __attribute__((vector_size(BENCH_BYTES))) = float;

template <class Vector, class T, class F>
void each(const T* x, T* y, size_t count, F f) {
  for (size_t i = 0; i < count; i += sizeof(Vector) / sizeof(T)) {
    Vector v;
    __builtin_memcpy(&v, x + i, sizeof v);
    v = f(v);
    __builtin_memcpy(y + i, &v, sizeof v);
  }
}

#define BENCH_OVERLOADS(name, error)                    \
  F64 name(F64 v) { return BENCH_F64(name, error)(v); } \
  F32 name(F32 v) { return BENCH_F32(name, error)(v); }
BENCH_OVERLOADS(exp, u10)
BENCH_OVERLOADS(log, u10)
BENCH_OVERLOADS(sin, u10)
BENCH_OVERLOADS(cos, u10)
BENCH_OVERLOADS(tanh, u10)
BENCH_OVERLOADS(sqrt, u05)
BENCH_OVERLOADS(tan, u10)
BENCH_OVERLOADS(asin, u10)
BENCH_OVERLOADS(acos, u10)
BENCH_OVERLOADS(atan, u10)
BENCH_OVERLOADS(sinh, u10)
BENCH_OVERLOADS(cosh, u10)
BENCH_OVERLOADS(asinh, u10)
BENCH_OVERLOADS(acosh, u10)
BENCH_OVERLOADS(atanh, u10)
BENCH_OVERLOADS(expm1, u10)
BENCH_OVERLOADS(log1p, u10)
BENCH_OVERLOADS(log2, u10)
BENCH_OVERLOADS(log10, u10)
BENCH_OVERLOADS(exp2, u10)
BENCH_OVERLOADS(cbrt, u10)
BENCH_OVERLOADS(erf, u10)
BENCH_OVERLOADS(erfc, u15)

}  // namespace

#define BENCH_FUNCTION(name, value)                                                                             \
  {                                                                                                             \
    name, [](const double* x, double* y, size_t n) { each<F64>(x, y, n, [](F64 v) -> F64 { return value; }); }, \
        [](const float* x, float* y, size_t n) { each<F32>(x, y, n, [](F32 v) -> F32 { return value; }); }      \
  }

constinit const SleefFunction BENCH_TABLE[kSleefFunctions] = {
    BENCH_FUNCTION("exp", exp(v)),
    BENCH_FUNCTION("log", log(v)),
    BENCH_FUNCTION("sin", sin(v)),
    BENCH_FUNCTION("cos", cos(v)),
    BENCH_FUNCTION("tanh", tanh(v)),
    BENCH_FUNCTION("tan", tan(v)),
    BENCH_FUNCTION("asin", asin(v)),
    BENCH_FUNCTION("acos", acos(v)),
    BENCH_FUNCTION("atan", atan(v)),
    BENCH_FUNCTION("sinh", sinh(v)),
    BENCH_FUNCTION("cosh", cosh(v)),
    BENCH_FUNCTION("asinh", asinh(v)),
    BENCH_FUNCTION("acosh", acosh(v)),
    BENCH_FUNCTION("atanh", atanh(v)),
    BENCH_FUNCTION("expm1", expm1(v)),
    BENCH_FUNCTION("log1p", log1p(v)),
    BENCH_FUNCTION("log2", log2(v)),
    BENCH_FUNCTION("log10", log10(v)),
    BENCH_FUNCTION("exp2", exp2(v)),
    BENCH_FUNCTION("cbrt", cbrt(v)),
    BENCH_FUNCTION("erf", erf(v)),
    BENCH_FUNCTION("erfc", erfc(v)),
    // What SLEEF lacks, as a program with SLEEF computes it.
    BENCH_FUNCTION("logistic", 1 / (1 + exp(-v))),
    BENCH_FUNCTION("rsqrt", 1 / sqrt(v)),
};

}  // namespace bench
