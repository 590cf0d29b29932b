#pragma once
#include "jot/ir.h"

namespace jot::passes {

// Drops nodes that no output needs; inputs stay. Pure graphs. O(nodes).
ir::Graph dce(const ir::Graph& g);

}  // namespace jot::passes
