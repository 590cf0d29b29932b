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
void each(const T* x, const T* y, T* z, size_t count, F f) {
  for (size_t i = 0; i < count; i += sizeof(Vector) / sizeof(T)) {
    Vector v, w;
    __builtin_memcpy(&v, x + i, sizeof v);
    __builtin_memcpy(&w, y + i, sizeof w);
    v = f(v, w);
    __builtin_memcpy(z + i, &v, sizeof v);
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
BENCH_OVERLOADS(lgamma, u10)
#define BENCH_OVERLOADS_2(name)                                 \
  F64 name(F64 v, F64 w) { return BENCH_F64(name, u10)(v, w); } \
  F32 name(F32 v, F32 w) { return BENCH_F32(name, u10)(v, w); }
BENCH_OVERLOADS_2(pow)
BENCH_OVERLOADS_2(atan2)
#ifdef __AVX512F__
F64 fmod(F64 v, F64 w) { return Sleef_fmodd8_avx512f(v, w); }
F32 fmod(F32 v, F32 w) { return Sleef_fmodf16_avx512f(v, w); }
#else
F64 fmod(F64 v, F64 w) { return Sleef_fmodd4_avx2(v, w); }
F32 fmod(F32 v, F32 w) { return Sleef_fmodf8_avx2(v, w); }
#endif

}  // namespace

#define BENCH_LOOP(V, T, value)                                                                 \
  [](const T* x, const T* y, T* z, size_t n) {                                                  \
    each<V>(x, y, z, n, []([[maybe_unused]] V v, [[maybe_unused]] V w) -> V { return value; }); \
  }
#define BENCH_FUNCTION(name, value) \
  { name, BENCH_LOOP(F64, double, value), BENCH_LOOP(F32, float, value) }

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
    BENCH_FUNCTION("lgamma", lgamma(v)),
    BENCH_FUNCTION("pow", pow(v, w)),
    BENCH_FUNCTION("atan2", atan2(v, w)),
    BENCH_FUNCTION("rem", fmod(v, w)),
    // What SLEEF lacks, as a program with SLEEF computes it.
    BENCH_FUNCTION("logistic", 1 / (1 + exp(-v))),
    BENCH_FUNCTION("rsqrt", 1 / sqrt(v)),
};

}  // namespace bench
