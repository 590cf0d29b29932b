#include "core/cache/engine_cache.h"

#include <atomic>
#include <chrono>
#include <optional>

#include "backends/reference/interpret.h"
#include "core/cache/disk_cache.h"
#include "core/cache/events.h"
#include "core/cache/lru.h"
#include "core/cache/seen.h"
#include "ir/bytes.h"
#include "ir/digest.h"
#include "ir/fork.h"
#include "ir/hash.h"
#include "passes/dce.h"
#include "passes/drop_writebacks.h"
#include "passes/dump.h"
#include "passes/functionalize.h"
#include "passes/pipeline.h"

namespace jot {

namespace {

struct CompileKey {
  ir::Graph recorded;
  bool writebacks;
  uint64_t hash() const { return hash_mix(recorded.hash(), writebacks); }
  // Of what the stored form depends on.
  Digest digest() const {
    ByteWriter out;
    const Digest graph = digest_of(recorded);
    out(graph.high), out(graph.low), out(writebacks), out(engine_stamp());
    return digest_of(std::span<const std::byte>(out.bytes()));
  }
  friend bool operator==(const CompileKey& a, const CompileKey& b) {
    return a.writebacks == b.writebacks && a.recorded == b.recorded;
  }
};

// Of each result: the input whose new contents it is, or -1.
std::vector<int32_t> replaced_inputs(const ir::GraphData& g) {
  std::vector<int32_t> inputs(g.num_results(), -1);
  for (size_t k = 0; k < g.writebacks().size(); ++k)
    for (size_t i = 0; i < g.num_results(); ++i)
      if (g.outputs()[i] == g.outputs()[g.num_results() + k]) inputs[i] = static_cast<int32_t>(g.writebacks()[k]);
  return inputs;
}

constexpr size_t kMaxExecutables = 512;
constexpr int64_t kMaxNodes = 8'000'000;  // of their graphs

LruTable<CompileKey, CompiledGraph>& table() {
  static auto* t = new LruTable<CompileKey, CompiledGraph>(kMaxExecutables, kMaxNodes);
  return *t;
}

// Memory ran out for a value, or (all) for what is kept meanwhile, of which it is the largest.
[[noreturn]] void no_memory(const ir::GraphData& g, ir::Value v, bool all, const MemoryError& e) {
  if (g.op(v) == ir::Op::read_op) v = g.operand(v, 1);
  const ir::Type& type = g.type(g.in_place(v) ? g.operand(v, 0) : v);
  const std::string& function = g.call(v).function;
  throw MemoryError("[" + (function.empty() ? std::string(name_of(g.op(v))) : function) + "] " + to_string(type) +
                    (all ? ", the largest of the values that are computed together: " : ": ") + e.what() +
                    at(g.location(v)));
}

struct Optimised {
  ir::Graph graph;
  std::vector<int32_t> replaces;
};
Optimised optimised(const CompileKey& key) {
  Optimised o{passes::optimize(key.recorded), {}};
  if (key.writebacks) return o;
  o.replaces = replaced_inputs(o.graph.data());
  o.graph = passes::dce(passes::drop_writebacks(o.graph));
  return o;
}

std::shared_ptr<const CompiledGraph> compile(const CompileKey& key) {
  auto made = std::make_shared<CompiledGraph>();
  made->recorded = key.recorded;
  std::optional<seen::Stages> stages;
  if (seen::on()) stages.emplace();
  auto start = std::chrono::steady_clock::now();
  passes::dump_graph("recorded", key.recorded);
  const Optimised o = optimised(key);
  made->interface = interface_of(o.graph.data());
  made->pass_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  made->engine = make_engine(o.graph, o.replaces);
  if (stages)
    made->seen = detail::see_compilation(key.recorded, made->engine, stages->take(), made->pass_seconds, false, start);
  return made;
}

std::atomic<int64_t> loaded_from_disk{0};
std::atomic<double> miss_seconds{0};

// From disk, or compiled and kept there.
std::shared_ptr<const CompiledGraph> load_or_compile(const DiskCache& disk, const CompileKey& key) {
  const Digest name = key.digest();
  // Its passes are run again where a routine or an error asks for the graph.
  const LazyGraph graph([key] { return graph_of_engine(optimised(key).graph); });
  const auto start = std::chrono::steady_clock::now();
  if (std::shared_ptr<const CompiledGraph> found = disk.find(name, graph)) {
    ++loaded_from_disk;
    if (seen::on()) detail::see_compilation(key.recorded, found->engine, {}, 0, true, start);
    return found;
  }
  std::shared_ptr<const CompiledGraph> made = compile(key);
  disk.insert(name, *made);
  return made;
}

}  // namespace

CompiledGraph::Interface interface_of(const ir::GraphData& g) {
  CompiledGraph::Interface i;
  for (ir::Value v : g.inputs()) i.inputs.push_back(g.type(v));
  for (ir::Value v : g.outputs()) i.outputs.push_back(g.type(v));
  i.writebacks.assign(g.writebacks().begin(), g.writebacks().end());
  return i;
}

Buffer allocate_output(const CompiledGraph& compiled, size_t i) {
  const ir::Type& type = compiled.interface.outputs[i];
  try {
    return Buffer::allocate(bytes_of(type), size_of(type.dtype));
  } catch (const MemoryError& e) {
    const ir::GraphData& g = compiled.engine->graph().data();
    no_memory(g, g.outputs()[i], false, e);
  }
}

Buffer allocate_result(const ir::Graph& recorded, ir::Value result) {
  const ir::GraphData& g = recorded.data();
  try {
    return Buffer::allocate(bytes_of(g.type(result)), size_of(g.dtype(result)));
  } catch (const MemoryError& e) {
    no_memory(g, result, false, e);
  }
}

std::shared_ptr<const CompiledGraph> compile_cached(const ir::Graph& recorded, bool writebacks) {
  NoFork section;
  CompileKey key{recorded.with_captures(nullptr), writebacks};  // the table keeps no tensors
  auto found = table().find(key);
  if (env().log_cache) detail::log_lookup("executables", found != nullptr, recorded);
  if (found) return found;
  const auto start = std::chrono::steady_clock::now();
  const DiskCache* disk = disk_cache();
  std::shared_ptr<const CompiledGraph> made =
      disk && !env().check_nan && !calls_host(recorded) ? load_or_compile(*disk, key) : compile(key);
  miss_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  table().insert(std::move(key), made, 2 * recorded.num_nodes());
  return made;
}

void run_compiled(const CompiledGraph& compiled, const ir::Graph& recorded, std::span<const void* const> inputs,
                  std::span<void* const> outputs) {
  try {
    compiled.engine->run(inputs, outputs);
  } catch (const MemoryError& e) {
    const ir::GraphData& g = (recorded.num_nodes() > 0 ? recorded : compiled.engine->graph()).data();
    ir::Value largest = 0;
    for (ir::Value v = 0; v < g.size(); ++v)
      if (g.op(v) != ir::Op::param_op && bytes_of(g.type(v)) > bytes_of(g.type(largest))) largest = v;
    no_memory(g, largest, true, e);
  } catch (const Error&) {
    if (&recorded.data() == &compiled.recorded.data()) throw;
    // Compiled for another recording of the same graph: find the line in this one.
    ir::Graph pure = passes::functionalize(recorded);
    if (outputs.size() == pure.data().num_results()) pure = passes::drop_writebacks(pure);
    const ir::GraphData& g = pure.data();
    // The caller's outputs may be inputs that are updated in place.
    std::vector<Buffer> results;
    std::vector<void*> pointers;
    for (ir::Value o : g.outputs()) {
      results.push_back(Buffer::allocate(g.type(o).shape.numel() * size_of(g.type(o).dtype)));
      pointers.push_back(results.back().data());
    }
    reference::interpret(pure, inputs, pointers);
    throw;
  }
}

EngineCacheInfo engine_cache_info() {
  NoFork section;
  auto info = table().info();
  return {info.hits, info.misses, info.entries, loaded_from_disk, miss_seconds};
}

}  // namespace jot
