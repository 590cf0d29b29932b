#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backends/buffer.h"
#include "backends/engine.h"
#include "ir/graph.h"
#include "jot/ir.h"

namespace jot {

// Optimises and compiles a recorded graph, or finds it: the bounded, locked cache of executables. A hit compares the
// whole recorded graph. writebacks: whether the graph's writebacks are wanted (trailing outputs) or dropped.
struct CompiledGraph {
  // What goes in and out. Outputs: results, then the new contents of the inputs that are written.
  struct Interface {
    std::vector<ir::Type> inputs, outputs;
    std::vector<uint32_t> writebacks;
    size_t num_results() const { return outputs.size() - writebacks.size(); }
  };
  ir::Graph recorded;  // none where it was loaded
  std::shared_ptr<const Engine> engine;
  Interface interface;
  double pass_seconds = 0;  // spent in the passes
  uint64_t seen = 0;        // the number of its block on the page of the run; 0: none
};
CompiledGraph::Interface interface_of(const ir::GraphData& pure);
std::shared_ptr<const CompiledGraph> compile_cached(const ir::Graph& recorded, bool writebacks);

// Runs it. `recorded` is the caller's graph, equal to the one that was compiled: a data error names its lines.
void run_compiled(const CompiledGraph& compiled, const ir::Graph& recorded, std::span<const void* const> inputs,
                  std::span<void* const> outputs);

// Memory for output i. Where there is none, a MemoryError as below.
Buffer allocate_output(const CompiledGraph& compiled, size_t i);
// Memory for a result of `recorded`; where there is none, a MemoryError that names the op and its line.
Buffer allocate_result(const ir::Graph& recorded, ir::Value result);

struct EngineCacheInfo {
  int64_t hits, misses, entries;
  int64_t loaded;       // of the misses: found on disk
  double miss_seconds;  // spent in misses, by all threads
};
EngineCacheInfo engine_cache_info();

}  // namespace jot
