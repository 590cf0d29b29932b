#pragma once
#include "jot/ir.h"

namespace jot::passes {

// One rebuild of what outputs need that applies identities, evaluates constants (passes/fold.h) and merges equal nodes.
// Identities are those that keep every bit IEEE 754 prescribes: x * 1, x + -0, x - 0, x / 1, --x, where with a constant
// predicate, and those of data movement. Never x * 0, x - x, 0 / x, x + 0: these are not identities. (A signalling NaN
// may become quiet or stay.) Pure graphs. O(nodes).
ir::Graph simplify(const ir::Graph& g);

}  // namespace jot::passes
