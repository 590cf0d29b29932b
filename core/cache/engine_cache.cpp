#include "core/cache/engine_cache.h"

#include <chrono>

#include "backends/reference/interpret.h"
#include "core/cache/events.h"
#include "core/cache/lru.h"
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

}  // namespace

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
  auto made = std::make_shared<CompiledGraph>();
  made->recorded = key.recorded;
  auto start = std::chrono::steady_clock::now();
  passes::dump_graph("recorded", recorded);
  made->optimised = passes::optimize(recorded);
  std::vector<int32_t> replaces;
  if (!writebacks) {
    replaces = replaced_inputs(made->optimised.data());
    made->optimised = passes::dce(passes::drop_writebacks(made->optimised));
  }
  made->pass_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  made->engine = make_engine(made->optimised, replaces);
  int64_t nodes = recorded.num_nodes() + made->optimised.num_nodes();
  table().insert(std::move(key), made, nodes);
  return made;
}

void run_compiled(const CompiledGraph& compiled, const ir::Graph& recorded, std::span<const void* const> inputs,
                  std::span<void* const> outputs) {
  try {
    compiled.engine->run(inputs, outputs);
  } catch (const MemoryError& e) {
    const ir::GraphData& g = recorded.data();
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
  return {info.hits, info.misses, info.entries};
}

}  // namespace jot
