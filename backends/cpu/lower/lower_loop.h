// Lowering of loops: where the body of a loop is one nest over axes that its steps keep, the steps run inside it, in
// one kernel, and what passes from step to step stays in registers.
#pragma once
#include <optional>

#include "backends/cpu/lower/lower.h"

namespace jot::cpu {

// What the inputs and outputs of a step are. Inputs: constants, carries, slices. Outputs: carries, slices, and of a
// loop with a condition whether another step follows.
struct LoopPlan {
  size_t consts = 0, carries = 0;
  bool reverse = false;
  // Of a loop with a condition: the carry, of truth values, that it is about (true of some lane), or the output behind
  // all others; kNone: the loop has a length. Then a further operand, behind the carries, holds its truth before the
  // first step.
  std::optional<size_t> condition = {};
};

struct LoweredLoop {
  LoweredKernel kernel;                      // `memory` arguments are of the step's inputs
  std::optional<LoweredKernel> groups = {};  // the same of `lanes` at a time, of all arguments as kernel's
  int64_t lanes = 1;
  size_t steps_arg = 0;  // where the number of steps goes, or how many there may be
  int64_t exceeded = 0;  // the code of the error that there would be more; 0: none
};

// None where the step has to be a program of its own. steps: how many there may be.
std::optional<LoweredLoop> lower_loop(const ir::GraphData& step, const LoopPlan& plan, int64_t steps, int vector_bytes,
                                      Ways ways = Ways::all, bool origins = false);

}  // namespace jot::cpu
