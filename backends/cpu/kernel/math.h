// Elementary functions on vectors, as kernel IR: at most 2 ulp, all special values as C's libm gives them, denormals
// kept. Arguments outside the fast path (huge ones of sin and cos, results of exp that overflow or are denormal) leave
// through `fixup`, to a kernel of their own. Functions of one argument share their reductions: cos(x) after sin(x) is
// cheap.
#pragma once
#include "backends/cpu/kernel/kernel_builder.h"

namespace jot::cpu {

// An elementary function as the op that it is: its instructions (y: of two arguments; none: each element by the op's
// scalar rule), and those for what its fixup covers, of f64.
class Expansion;
struct Function {
  using Expand = uint32_t (*)(const Expansion& e, uint32_t x, uint32_t y);
  int operands;
  Expand expand = nullptr;
  Expand rare = nullptr;
};
// The op of x, and y, of f32 or f64. In a builder with out-of-line math a call, if it has one argument.
uint32_t elementary(KernelBuilder& b, ir::Op op, uint32_t x, uint32_t y = kNone);
// x / y of integers, truncated: 0 where y is 0; the least integer over -1 is itself.
uint32_t integer_quotient(KernelBuilder& b, uint32_t x, uint32_t y);
uint32_t integer_remainder(KernelBuilder& b, uint32_t x, uint32_t y);  // x - y (x / y)
// 1 or 2; 0 if it is no function.
int operands_of(KFn fn);
bool is_out_of_line(KFn fn);  // without instructions: each element by the scalar rule

// What `call` runs: input, straight line, output.
const Kernel& routine_body(KFn fn, KType type);

// What `fixup` runs. Of functions that have instructions a kernel: elements of the range from arguments 1, of two
// arguments 2 as well, to argument 3. Right for what the fixup covers, and harmless elsewhere. Of f32 in f64.
bool has_rare_kernel(KFn fn);
Kernel rare_kernel(KFn fn, KType type, int lanes);
// Of others one element, as bits.
uint64_t by_rule(KFn fn, KType type, uint64_t x, uint64_t y);

}  // namespace jot::cpu
