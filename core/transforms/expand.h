// Memoised expansion: a transform of a recorded graph is computed once, then found by comparing graphs.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "jot/ir.h"
#include "jot/options.h"
#include "passes/jacobian.h"

namespace jot {

enum class TransformKind : uint8_t { grad, vjp, jvp, linearize, jacobian, vmap, functionalize };

// What is done to a recorded graph; passes/transforms.h has the conventions. Members a transform has no use for keep
// their defaults.
struct Expand {
  TransformKind kind;
  std::vector<uint8_t> active{};  // one an input: differentiated
  size_t num_values = 0;
  detail::JacobianMode mode = detail::JacobianMode::reverse;
  std::optional<int64_t> chunk_size{};
  std::vector<std::optional<int64_t>> in_dims{}, out_dims{};
  int64_t lanes = 0;
  Randomness randomness = Randomness::error;
  std::optional<size_t> random_offset{};  // of a chunked vmap: the input with the base of the draws ...
  int64_t random_draws = 0;               // ... and how many numbers one full chunk draws
  ir::Zeros zeros = ir::Zeros::ieee;      // of a derivative

  uint64_t hash() const;
  friend bool operator==(const Expand&, const Expand&) = default;
};

struct Expansion {
  ir::Graph graph;  // vjp, linearize: the primal part, whose last results are the residuals
  ir::Graph map;    // vjp, linearize: residuals, cotangents (tangents) -> cotangents (tangents)
  size_t num_residuals = 0;
  std::vector<uint8_t> independent{};  // jvp: values whose tangent is zero whatever the inputs' are
};

// The functionalized, simplified, transformed graph: pure, with writebacks, without dead nodes.
std::shared_ptr<const Expansion> expand(const ir::Graph& recorded, const Expand& what);

struct ExpansionCacheInfo {
  int64_t hits, misses, entries;
};
ExpansionCacheInfo expansion_cache_info();

}  // namespace jot
