#pragma once
#include <cstddef>

#include "jot/ir.h"

namespace jot::passes {

// The pure graph with a further parameter at this position, a bool[]: where it is false no data is at fault and no loop
// goes on, whatever the other parameters are, and the results mean nothing. Calls of the host are made all the same.
// O(nodes).
ir::Graph guard(const ir::Graph& g, size_t position);

}  // namespace jot::passes
