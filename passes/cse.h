#pragma once
#include "jot/ir.h"

namespace jot::passes {

// Merges equal nodes (same op, operands, attributes). Pure graphs. O(nodes).
ir::Graph cse(const ir::Graph& g);

}  // namespace jot::passes
