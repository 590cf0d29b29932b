#pragma once
#include <cstdint>
#include <string_view>

#include "ir/env.h"

namespace jot {

// Instruction sets that kernels are made for. avx2: with FMA, F16C and BMI2; avx512: F, DQ, BW and VL, and avx2's.
// reference: no kernels, the interpreter.
enum class Target : uint8_t { reference, avx2, avx512 };
std::string_view to_string(Target target);

// The best target of this machine.
Target detect_target();

// What target() decides where the machine's best is `best`. For target() and tests.
Target choose_target(Env::Cpu wanted, Target best);

// The target of this process: JOT_CPU, else the machine's best. Decided once; says so on stderr if it is `reference`
// because the machine has no AVX2. Throws Error where JOT_CPU names what the machine cannot run.
Target target();

}  // namespace jot
