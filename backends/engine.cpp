#include "backends/engine.h"

#include "backends/target.h"

namespace jot {

void EngineStats::add(const EngineStats& region) {
  kernels += region.kernels;
  routines += region.routines;
  library_calls += region.library_calls;
  code_bytes += region.code_bytes;
  arena_bytes += region.arena_bytes;
  kernels_compiled += region.kernels_compiled;
  libraries.insert(region.libraries.begin(), region.libraries.end());
  for (const auto& [phase, seconds] : region.compile_seconds) compile_seconds[phase] += seconds;
}

std::shared_ptr<const Engine> make_engine(const ir::Graph& optimised, std::span<const int32_t> replaces) {
  return target() == Target::reference ? reference::make_engine(optimised) : cpu::make_engine(optimised, replaces);
}

}  // namespace jot
