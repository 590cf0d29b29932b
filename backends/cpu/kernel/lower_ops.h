// One element of an elementwise op, as kernel instructions.
#pragma once
#include <span>

#include "backends/cpu/kernel/kernel_builder.h"
#include "ir/graph.h"

namespace jot::cpu {

KType kernel_type(DType dtype);  // of the computing type: what values in registers are
// Of storage dtypes (u8, f16, bf16): an element in memory, its value, which is of the computing type and exact, and the
// element of such a value. Of other dtypes element and value are one.
KElement element_in_memory(DType dtype);
uint32_t widened(KernelBuilder& b, DType dtype, uint32_t element);
uint32_t narrowed(KernelBuilder& b, DType dtype, uint32_t value);
// The value of a dtype's element that any value of its computing type becomes: of floats the nearest, ties to even, of
// u8 that modulo 256.
uint32_t rounded(KernelBuilder& b, DType dtype, uint32_t value);

// Constants of a type from a word of Key::data (f64 bits for floats).
uint32_t constant(KernelBuilder& b, DType dtype, int64_t word);
uint32_t zero(KernelBuilder& b, KType t);

// high + x is `whole` and, exactly, what rounding took: `lost` (two-sum, Knuth 1969).
struct TwoSum {
  uint32_t whole, lost;
};
TwoSum two_sum(KernelBuilder& b, uint32_t high, uint32_t x);
// high + low, where low has collected what was lost: NaN of infinite sums.
uint32_t whole_sum(KernelBuilder& b, uint32_t high, uint32_t low);

// The result of node v from its operands' elements.
uint32_t lower_element(KernelBuilder& b, const ir::GraphData& g, ir::Value v, std::span<const uint32_t> operands);

// Extrema as the IR defines them: NaN if either is, the first of equal ones.
uint32_t extremum(KernelBuilder& b, bool max, uint32_t x, uint32_t y);

// What a reduction starts with, one step of it, and what all lanes of x come to, in each lane.
uint32_t reduction_start(KernelBuilder& b, ir::Op op, DType dtype);
uint32_t reduction_step(KernelBuilder& b, ir::Op op, uint32_t accumulator, uint32_t x);
uint32_t reduction_of_lanes(KernelBuilder& b, ir::Op op, uint32_t x);
// A reduction in terms of another, of which each step is cheaper: the greatest float is what the least of the negated
// ones is, negated.
struct ReductionForm {
  ir::Op op;
  bool negated = false;
  ReductionForm(ir::Op reduction, DType dtype);
  explicit ReductionForm(ir::Op reduction) : op(reduction) {}  // as it is
  uint32_t turned(KernelBuilder& b, uint32_t x) const { return negated ? b.neg(x) : x; }
};
// A sum: a term that is a structural zero adds nothing, a product is contracted with it, and of floats what rounding
// loses is kept.
bool adds(ir::Op op);
inline bool keeps_losses(ir::Op reduction, DType dtype) { return adds(reduction) && is_floating(dtype); }

}  // namespace jot::cpu
