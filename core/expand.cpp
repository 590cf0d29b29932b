#include "core/expand.h"

#include <algorithm>

#include "core/events.h"
#include "core/lru.h"
#include "core/writebacks.h"
#include "ir/build.h"
#include "ir/fork.h"
#include "ir/hash.h"
#include "passes/functionalize.h"
#include "passes/inline.h"
#include "passes/pipeline.h"
#include "passes/rewrite.h"
#include "passes/transforms.h"
#include "passes/transpose.h"

namespace jot {

using ir::Graph;
using ir::GraphData;
using ir::Value;

namespace {

uint64_t word_of(std::optional<int64_t> x) { return x ? static_cast<uint64_t>(*x) : 0x6e6f6e65; }

ir::RandomMode random_mode(Randomness r) {
  switch (r) {
    case Randomness::error:
      return ir::RandomMode::error;
    case Randomness::different:
      return ir::RandomMode::different;
    case Randomness::same:
      return ir::RandomMode::same;
  }
  return ir::RandomMode::error;
}

Graph tidy(const Graph& g) {
  Graph result = g;
  for (const passes::Pass& pass : passes::optimization_pipeline()) result = passes::run_pass(pass, result);
  return result;
}

// Which values of a jvp graph have a tangent that depends on no tangent input.
std::vector<uint8_t> independent_values(const GraphData& g, size_t num_primals, size_t num_results, size_t num_values) {
  std::vector<uint8_t> depends = passes::depends_on_inputs(g, num_primals), result;
  for (size_t i = 0; i < num_values; ++i) result.push_back(!depends[g.outputs()[num_results + i]]);
  return result;
}

// A vmap in pieces of chunk_size lanes.
class ChunkedVmap {
 public:
  ChunkedVmap(const Graph& graph, const Expand& what) : graph_(graph), g_(graph.data()), what_(what), b_(g_.name()) {}

  Graph run() {
    for (size_t i = 0; i < g_.inputs().size(); ++i) {
      ir::Type type = g_.type(g_.inputs()[i]);
      if (what_.in_dims[i]) type.shape.insert(static_cast<size_t>(*what_.in_dims[i]), what_.lanes);
      args_.push_back(b_.param(type, g_.input_name(i)));
    }
    std::vector<std::vector<Value>> parts(g_.outputs().size());
    int64_t chunk = 0;
    for (int64_t first = 0; first < what_.lanes; first += *what_.chunk_size, ++chunk) {
      std::vector<Value> piece = run_piece(first, std::min(what_.lanes, first + *what_.chunk_size), chunk);
      for (size_t i = 0; i < piece.size(); ++i) parts[i].push_back(piece[i]);
    }
    std::vector<Value> outputs;
    for (size_t i = 0; i < parts.size(); ++i) {
      std::optional<int64_t> dim =
          i < g_.num_results() ? what_.out_dims[i] : what_.in_dims[g_.writebacks()[i - g_.num_results()]];
      outputs.push_back(dim ? ir::build::concat(b_, parts[i], *dim) : parts[i].front());
    }
    return b_.finish(outputs, g_.writebacks());
  }

 private:
  std::vector<Value> run_piece(int64_t first, int64_t last, int64_t chunk) {
    bool different = what_.random_offset && what_.randomness == Randomness::different;
    Graph of_one = different && last - first < *what_.chunk_size ? drawing_for(last - first) : graph_;
    Graph piece =
        passes::vmap(of_one, what_.in_dims, what_.out_dims, last - first, random_mode(what_.randomness), first);
    std::vector<Value> inputs = args_;
    for (size_t i = 0; i < inputs.size(); ++i)
      if (what_.in_dims[i]) inputs[i] = ir::build::slice_axis(b_, inputs[i], *what_.in_dims[i], first, last);
    // 'different' goes on drawing; 'same' starts each chunk from the same draws.
    if (different) {
      Value& offset = inputs[*what_.random_offset];
      offset = ir::build::add(b_, offset, ir::build::constant_int(b_, i64, {}, chunk * what_.random_draws));
    }
    return passes::inline_graph(b_, piece.data(), inputs);
  }

  // The function with the places of its draws, which count what a full chunk draws, counted in fewer lanes.
  Graph drawing_for(int64_t lanes) {
    ir::Builder b("main", ir::Builder::Sharing::off);
    passes::Rewriter rewriter(b, g_);
    rewriter.take_params();
    auto number = [&](int64_t n) { return ir::build::constant_int(b, i64, {}, n); };
    rewriter.for_each_op([&](Value v) {
      std::span<const Value> operands = rewriter.operands(v);
      if (g_.op(v) != ir::Op::random_bits_op) return rewriter.copy(v, operands);
      Value base = rewriter[g_.inputs()[*what_.random_offset]], drawn = ir::build::sub(b, operands[1], base);
      Value by_one_lane = ir::build::div(b, drawn, number(*what_.chunk_size));
      Value offset = ir::build::add(b, base, ir::build::mul(b, by_one_lane, number(lanes)));
      rewriter.copy(v, std::vector<Value>{operands[0], offset});
    });
    return rewriter.finish();
  }

  const Graph& graph_;
  const GraphData& g_;
  const Expand& what_;
  ir::Builder b_;
  std::vector<Value> args_;
};

Expansion make_expansion(const Graph& g, const Expand& what) {
  switch (what.kind) {
    case TransformKind::grad:
      return {tidy(passes::grad(g, what.active, what.zeros)), {}};
    case TransformKind::vjp:
    case TransformKind::linearize: {
      passes::LinearSplit split = what.kind == TransformKind::vjp
                                      ? passes::split_vjp(g, what.active, what.num_values, what.zeros)
                                      : passes::split_jvp(g, what.active, what.num_values, what.zeros);
      return {tidy(split.primal), tidy(split.map), split.num_residuals};
    }
    case TransformKind::jvp: {
      Graph result = tidy(passes::jvp(g, what.active, what.num_values, what.zeros));
      return {result,
              {},
              0,
              independent_values(result.data(), g.data().inputs().size(), g.data().num_results(), what.num_values)};
    }
    case TransformKind::jacobian:
      return {tidy(passes::jacobian(g, what.active, what.num_values, what.mode, what.chunk_size, what.zeros)), {}};
    case TransformKind::vmap:
      if (what.chunk_size && *what.chunk_size < what.lanes) return {tidy(ChunkedVmap(g, what).run()), {}};
      return {tidy(passes::vmap(g, what.in_dims, what.out_dims, what.lanes, random_mode(what.randomness))), {}};
    case TransformKind::functionalize:
      return {tidy(g), {}};
  }
  internal_error("a transform", "");
}

// A differentiated argument that is written is a copy: its writes end with the function.
Graph pure_form(const Graph& recorded, const Expand& what) {
  Graph pure = passes::functionalize(recorded);
  return what.active.empty() ? pure : drop_writebacks(pure, what.active);
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
