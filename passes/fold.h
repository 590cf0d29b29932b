#pragma once
#include "jot/ir.h"

namespace jot::passes {

// Evaluates nodes all of whose operands are constants, by the reference rules, where operands and result have at most
// 64 elements. Pure graphs. O(nodes).
ir::Graph fold(const ir::Graph& g);

}  // namespace jot::passes
