#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "ir/graph.h"

namespace jot::ir {

// Of each node whether it is an input that is flagged or depends on one. Inputs past the end of `flagged` are not.
// O(nodes).
std::vector<uint8_t> dependents(const GraphData& g, std::span<const uint8_t> flagged);

// The same of the inputs from position `first` on.
std::vector<uint8_t> dependents_from(const GraphData& g, size_t first);

// Whether the op at v draws random bits, itself or in its regions. O(nodes of its regions).
bool draws(const GraphData& g, Value v);

}  // namespace jot::ir
