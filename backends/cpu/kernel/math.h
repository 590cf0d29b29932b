// Elementary functions on vectors, as kernel IR: at most 2 ulp, all special values as C's libm gives them, denormals
// kept. Arguments outside the fast path (huge ones of sin and cos, results of exp that overflow or are denormal) go
// lane by lane to libm through `fixup`. Functions of one argument share their reductions: cos(x) after sin(x) is cheap.
#pragma once
#include "backends/cpu/kernel/kernel_builder.h"

namespace jot::cpu {

// x is f32 or f64. In a builder with out-of-line math these are calls.
uint32_t exp(KernelBuilder& b, uint32_t x);
uint32_t log(KernelBuilder& b, uint32_t x);
uint32_t sin(KernelBuilder& b, uint32_t x);
uint32_t cos(KernelBuilder& b, uint32_t x);
uint32_t tanh(KernelBuilder& b, uint32_t x);
uint32_t logistic(KernelBuilder& b, uint32_t x);  // 1 / (1 + exp(-x))
uint32_t rsqrt(KernelBuilder& b, uint32_t x);     // 1 / sqrt(x)

// What `call` runs: input, straight line, output.
const Kernel& routine_body(KFn fn, KType type);

// What `fixup` runs: one element, as bits; y only for functions of two arguments.
uint64_t libm(KFn fn, KType type, uint64_t x, uint64_t y);

}  // namespace jot::cpu
