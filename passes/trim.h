#pragma once
#include <cstdint>
#include <span>

#include "ir/graph.h"

namespace jot::passes {

// The graph of the outputs that are flagged, without dead nodes, of the inputs that are flagged: those that these need.
// O(nodes).
ir::Graph part_of(const ir::Graph& g, std::span<const uint8_t> outputs, std::span<const uint8_t> inputs);

}  // namespace jot::passes
