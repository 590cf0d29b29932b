#include "backends/target.h"

#include <string>

#include "ir/log.h"
#include "jot/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace jot {
namespace {

#if defined(__x86_64__)
// Not all compilers know "f16c" in __builtin_cpu_supports.
bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

}  // namespace

Target choose_target(Env::Cpu wanted, Target best) {
  Target chosen = best;
  switch (wanted) {
    case Env::Cpu::detect:
      if (best == Target::reference)
        log("target", "this processor has no AVX2 with FMA, F16C and BMI2: graphs are interpreted, not compiled");
      break;
    case Env::Cpu::reference:
      chosen = Target::reference;
      break;
    case Env::Cpu::avx2:
      chosen = Target::avx2;
      break;
    case Env::Cpu::avx512:
      chosen = Target::avx512;
      break;
  }
  if (chosen > best)
    throw Error("[environment] JOT_CPU=" + std::string(to_string(chosen)) + ": this machine has at most " +
                std::string(to_string(best)) + "; unset JOT_CPU to let jot choose");
  return chosen;
}

std::string_view to_string(Target target) {
  constexpr std::string_view names[] = {"reference", "avx2", "avx512"};
  return names[static_cast<size_t>(target)];
}

Target detect_target() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") && has_f16c();
  bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  if (avx2) return avx512 ? Target::avx512 : Target::avx2;
#endif
  return Target::reference;
}

Target target() {
  static const Target chosen = choose_target(env().cpu, detect_target());
  return chosen;
}

}  // namespace jot
