#pragma once
#include <cstdint>
#include <memory>
#include <span>

#include "backends/buffer.h"
#include "backends/engine.h"
#include "ir/graph.h"
#include "jot/ir.h"

namespace jot {

// Optimises and compiles a recorded graph, or finds it: the bounded, locked cache of executables. A hit compares the
// whole recorded graph. writebacks: whether the graph's writebacks are wanted (trailing outputs) or dropped.
struct CompiledGraph {
  ir::Graph recorded;
  std::shared_ptr<const Engine> engine;
  ir::Graph optimised;
  double pass_seconds = 0;  // spent in the passes
};
std::shared_ptr<const CompiledGraph> compile_cached(const ir::Graph& recorded, bool writebacks);

// Runs it. `recorded` is the caller's graph, equal to the one that was compiled: a data error names its lines.
void run_compiled(const CompiledGraph& compiled, const ir::Graph& recorded, std::span<const void* const> inputs,
                  std::span<void* const> outputs);

// Memory for a result of `recorded`; where there is none, a MemoryError that names the op and its line.
Buffer allocate_result(const ir::Graph& recorded, ir::Value result);

struct EngineCacheInfo {
  int64_t hits, misses, entries;
};
EngineCacheInfo engine_cache_info();

}  // namespace jot
