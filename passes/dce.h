#pragma once
#include <cstdint>
#include <vector>

#include "ir/graph.h"

namespace jot::passes {

// Drops nodes that no output needs, results of choices that nobody uses and operands that only these need; inputs stay.
// Pure graphs. O(nodes).
ir::Graph dce(const ir::Graph& g);

// Of each node whether it is an input or some output needs it. Pure graphs. O(nodes).
std::vector<uint8_t> live_nodes(const ir::GraphData& g);

}  // namespace jot::passes
