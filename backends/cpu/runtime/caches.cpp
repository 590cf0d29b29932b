#include "backends/cpu/runtime/caches.h"

#include <algorithm>

#include "ir/env.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace jot::cpu {
namespace {

// By the leaf of the processor's maker. (sysconf adds up the caches of a whole socket on some.)
int64_t detect_last_level_cache() {
  int64_t largest = 0;
#if defined(__x86_64__)
  constexpr unsigned kIntel = 4, kAmd = 0x8000001d;
  for (unsigned leaf : {kIntel, kAmd})
    for (unsigned i = 0, a = 0, b = 0, c = 0, d = 0; __get_cpuid_count(leaf, i, &a, &b, &c, &d) != 0; ++i) {
      const unsigned type = a & 0x1f;  // 0: no more; 2: of instructions
      if (type == 0 || i == 16) break;
      if (type == 2) continue;
      const int64_t ways = (b >> 22) + 1, partitions = (b >> 12 & 0x3ff) + 1, line = (b & 0xfff) + 1;
      largest = std::max(largest, ways * partitions * line * (int64_t{c} + 1));
    }
#endif
  return largest > 0 ? largest : int64_t{32} << 20;
}

}  // namespace

int64_t last_level_cache() {
  static const int64_t bytes = detect_last_level_cache();
  return bytes;
}

int64_t stream_threshold() { return env().stream >= 0 ? env().stream : last_level_cache(); }

}  // namespace jot::cpu
