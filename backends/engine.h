// What runs a graph.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "ir/lazy_graph.h"
#include "jot/ir.h"
#include "jot/stats.h"

namespace jot {

class ByteWriter;
class PageGraphs;

// Adds what was made of a region.
void add(ExecutableStats& stats, const ExecutableStats& region);

// The calls of a loop, one after the other.
class Steps {
 public:
  virtual ~Steps() = default;
  // Fills in the buffers of the next call, as of Engine::run; false: there is none.
  virtual bool next(std::span<const void*> inputs, std::span<void*> outputs) = 0;
};

// A graph made runnable: by the CPU backend, or by the reference backend where JOT_CPU or the machine says so.
// Immutable, thread-safe.
class Engine {
 public:
  virtual ~Engine() = default;
  // Contiguous buffers, one an input and one an output (results, then writebacks); outputs overlap nothing but what
  // in_place() allows. Throws the data errors of the graph's ops (IndexError) with their line. Allocates nothing once
  // warm.
  virtual void run(std::span<const void* const> inputs, std::span<void* const> outputs) const = 0;
  // Runs all steps. What a call needs is set up once. Of `inputs` and `outputs` there is room for as many as the graph
  // has; next() finds in them what it left there.
  virtual void run_steps(Steps& steps, std::span<const void*> inputs, std::span<void*> outputs) const {
    while (steps.next(inputs, outputs)) run(inputs, outputs);
  }
  // Of each output: the input whose memory it may be given, -1 for none. That input is updated in place then: only the
  // parts that change are written; when run() throws, nothing has been. Empty: none.
  virtual std::span<const int32_t> in_place() const { return {}; }
  // The graph that runs.
  virtual const ir::Graph& graph() const = 0;
  // What load_engine makes this of again, beside the graph. Nothing: the graph is enough.
  virtual void store(ByteWriter&) const {}
  virtual ExecutableStats stats() const = 0;
  // What the page of a run tells of it (docs/seeing.md): JSON, whose graphs go to `graphs`.
  virtual std::string page_json(PageGraphs&) const { return "null"; }
  virtual std::string disassembly() const = 0;
};

// Compiles an optimised pure graph for the backend of this process (target()). replaces: of each output the input whose
// contents it becomes, -1 for none; that of writebacks is known. in_place() can say no other.
std::shared_ptr<const Engine> make_engine(const ir::Graph& optimised, std::span<const int32_t> replaces = {});

// Clusters and kernels of an optimised pure graph, for people.
std::string program_listing(const ir::Graph& optimised);

// What make_engine makes an engine's graph() of.
ir::Graph graph_of_engine(const ir::Graph& optimised);

// Of what store() wrote, in a process whose engine_stamp() is that of the one that wrote it. Throws CacheError where it
// is something else. O(bytes); routines ask for the graph, errors do when they are raised.
std::shared_ptr<const Engine> load_engine(const LazyGraph& graph, std::span<const std::byte> stored);
// What the bytes of store() depend on beside the graph: the sources, the target, the number of threads, and from which
// size on results pass the caches by.
std::string engine_stamp();

namespace reference {
std::shared_ptr<const Engine> make_engine(const ir::Graph& optimised);  // the interpreter
}
namespace cpu {
// Kernels, routines, library calls.
std::shared_ptr<const Engine> make_engine(const ir::Graph& optimised, std::span<const int32_t> replaces);
std::shared_ptr<const Engine> load_engine(const LazyGraph& graph, std::span<const std::byte> stored);
ir::Graph graph_of_engine(const ir::Graph& optimised);
std::string program_listing(const ir::Graph& optimised);
}  // namespace cpu

}  // namespace jot
