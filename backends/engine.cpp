#include "backends/engine.h"

#include "backends/target.h"

namespace jot {

void add(ExecutableStats& stats, const ExecutableStats& region) {
  stats.kernels += region.kernels;
  stats.routines += region.routines;
  stats.library_calls += region.library_calls;
  stats.code_bytes += region.code_bytes;
  stats.arena_bytes += region.arena_bytes;
  stats.kernels_compiled += region.kernels_compiled;
  stats.libraries.insert(region.libraries.begin(), region.libraries.end());
  for (const auto& [phase, seconds] : region.compile_seconds) stats.compile_seconds[phase] += seconds;
}

std::shared_ptr<const Engine> make_engine(const ir::Graph& optimised, std::span<const int32_t> replaces) {
  return target() == Target::reference ? reference::make_engine(optimised) : cpu::make_engine(optimised, replaces);
}

std::string program_listing(const ir::Graph& optimised) {
  return target() == Target::reference ? "interpreted: no kernels\n" : cpu::program_listing(optimised);
}

ir::Graph graph_of_engine(const ir::Graph& optimised) {
  return target() == Target::reference ? optimised : cpu::graph_of_engine(optimised);
}

std::shared_ptr<const Engine> load_engine(const LazyGraph& graph, std::span<const std::byte> stored) {
  return target() == Target::reference ? reference::make_engine(graph.get()) : cpu::load_engine(graph, stored);
}

}  // namespace jot
