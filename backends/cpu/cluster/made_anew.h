#pragma once
#include "jot/ir.h"

namespace jot::cpu {

// Cheap elementwise values of one large parameter and of broadcasts, which a kernel reads and, behind a reduction of
// what that makes, another one: each makes its own. It reads the parameter instead, and nobody writes the value. Linear
// in nodes.
ir::Graph made_anew(const ir::Graph& graph);

}  // namespace jot::cpu
