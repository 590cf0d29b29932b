#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "jot/ir.h"

namespace jot {

// What compilation made of a graph, for people.
struct EngineStats {
  int64_t kernels = 0, routines = 0, library_calls = 0, code_bytes = 0, arena_bytes = 0;
};

// A graph made runnable: by the CPU backend, or by the reference backend where JOT_CPU or the machine says so. Immutable,
// thread-safe.
class Engine {
 public:
  virtual ~Engine() = default;
  // Contiguous buffers, one an input and one an output (results, then writebacks); outputs overlap nothing.
  virtual void run(std::span<const void* const> inputs, std::span<void* const> outputs) const = 0;
  virtual EngineStats stats() const = 0;
  virtual std::string disassembly() const = 0;
};

// Compiles an optimised pure graph.
std::shared_ptr<const Engine> make_engine(const ir::Graph& optimised);

// Optimises and compiles a recorded graph, or finds it: the bounded, locked cache of executables. A hit compares the whole
// recorded graph. writebacks: whether the graph's writebacks are wanted (trailing outputs) or dropped.
struct CompiledGraph {
  std::shared_ptr<const Engine> engine;
  ir::Graph optimised;
};
std::shared_ptr<const CompiledGraph> compile_cached(const ir::Graph& recorded, bool writebacks);

struct EngineCacheInfo {
  int64_t hits, misses, entries;
};
EngineCacheInfo engine_cache_info();

}  // namespace jot
