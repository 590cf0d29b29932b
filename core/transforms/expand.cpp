#include "core/transforms/expand.h"

#include "core/cache/events.h"
#include "core/cache/lru.h"
#include "ir/dependence.h"
#include "ir/fork.h"
#include "ir/hash.h"
#include "passes/chunk.h"
#include "passes/dce.h"
#include "passes/drop_writebacks.h"
#include "passes/pipeline.h"
#include "passes/transforms.h"

namespace jot {

using ir::Graph;
using ir::GraphData;
using ir::Value;

namespace {

uint64_t word_of(std::optional<int64_t> x) { return x ? static_cast<uint64_t>(*x) : 0x6e6f6e65; }

// Which values of a jvp graph have a tangent that depends on no tangent input.
std::vector<uint8_t> independent_values(const GraphData& g, size_t num_primals, size_t num_results, size_t num_values) {
  std::vector<uint8_t> depends = ir::dependents_from(g, num_primals), result;
  for (size_t i = 0; i < num_values; ++i) result.push_back(!depends[g.outputs()[num_results + i]]);
  return result;
}

Graph mapped(const Graph& g, const Expand& what) {
  if (!what.chunk_size || *what.chunk_size >= what.lanes)
    return passes::vmap(g, what.in_dims, what.out_dims, what.lanes, what.randomness);
  return passes::vmap_in_chunks(g, what.in_dims, what.out_dims, what.lanes, what.randomness,
                                {*what.chunk_size, what.random_offset, what.random_draws});
}

Expansion make_expansion(const Graph& g, const Expand& what) {
  switch (what.kind) {
    case TransformKind::grad:
      return {passes::dce(passes::grad(g, what.active, what.zeros)), {}};
    case TransformKind::vjp:
    case TransformKind::linearize: {
      passes::LinearSplit split = what.kind == TransformKind::vjp
                                      ? passes::split_vjp(g, what.active, what.num_values, what.zeros)
                                      : passes::split_jvp(g, what.active, what.num_values, what.zeros);
      return {passes::dce(split.primal), passes::dce(split.map), split.num_residuals};
    }
    case TransformKind::jvp: {
      Graph result = passes::dce(passes::jvp(g, what.active, what.num_values, what.zeros));
      return {result,
              {},
              0,
              independent_values(result.data(), g.data().inputs().size(), g.data().num_results(), what.num_values)};
    }
    case TransformKind::jacobian:
      return {passes::dce(passes::jacobian(g, what.active, what.num_values, what.mode, what.chunk_size, what.zeros)),
              {}};
    case TransformKind::vmap:
      return {passes::dce(mapped(g, what)), {}};
    case TransformKind::functionalize:
      return {g, {}};
  }
  internal_error("a transform", "");
}

// What a transform starts from. What it makes of it is simplified by the next, or by the compiler: once. A
// differentiated argument that is written is a copy: its writes end with the function.
Graph pure_form(const Graph& recorded, const Expand& what) {
  Graph pure = passes::optimize(recorded);
  return what.active.empty() ? pure : passes::drop_writebacks(pure, what.active);
}

// Expansions keep the lines and calls of the graph they were made of: they serve only recordings of the same ones.
bool same_lines(const GraphData& a, const GraphData& b) {
  if (&a == &b) return true;
  for (Value v = 0; v < a.size(); ++v)
    if (a.location(v) != b.location(v) || a.call(v) != b.call(v)) return false;
  return true;
}

struct ExpansionKey {
  Graph recorded;
  Expand what;
  uint64_t hash() const { return hash_mix(recorded.hash(), what.hash()); }
  friend bool operator==(const ExpansionKey& a, const ExpansionKey& b) {
    return a.what == b.what && a.recorded == b.recorded && same_lines(a.recorded.data(), b.recorded.data());
  }
};

constexpr size_t kMaxExpansions = 512;
constexpr int64_t kMaxNodes = 8'000'000;  // of all of them: about half a gigabyte

LruTable<ExpansionKey, Expansion>& table() {
  static auto* t = new LruTable<ExpansionKey, Expansion>(kMaxExpansions, kMaxNodes);
  return *t;
}

}  // namespace

uint64_t Expand::hash() const {
  uint64_t h = hash_mix(static_cast<uint64_t>(kind), num_values);
  for (uint8_t a : active) h = hash_mix(h, a);
  h = hash_mix(h,
               static_cast<uint64_t>(mode) * 8 + static_cast<uint64_t>(randomness) * 2 + static_cast<uint64_t>(zeros));
  h = hash_mix(h, word_of(chunk_size));
  for (auto d : in_dims) h = hash_mix(h, word_of(d));
  for (auto d : out_dims) h = hash_mix(h, word_of(d));
  return hash_mix(h, static_cast<uint64_t>(lanes));
}

std::shared_ptr<const Expansion> expand(const Graph& recorded, const Expand& what) {
  NoFork section;
  ExpansionKey key{recorded, what};
  auto found = table().find(key);
  if (env().log_cache) detail::log_lookup("expansions", found != nullptr, recorded);
  if (found) return found;
  auto made = std::make_shared<const Expansion>(make_expansion(pure_form(recorded, what), what));
  int64_t nodes = recorded.num_nodes() + made->graph.num_nodes() + made->map.num_nodes();
  table().insert(std::move(key), made, nodes);
  return made;
}

ExpansionCacheInfo expansion_cache_info() {
  NoFork section;
  auto info = table().info();
  return {info.hits, info.misses, info.entries};
}

}  // namespace jot
