#pragma once
#include "jot/ir.h"

namespace jot::cpu {

// Cheap values that a kernel reads and, behind a reduction of what that makes, another one: each makes its own, and
// nobody writes them. They are elementwise values of broadcasts and at most one large parameter, which the other kernel
// reads instead, and products without terms to sum (outer products) of smaller values. Linear in nodes.
ir::Graph made_anew(const ir::Graph& graph);

}  // namespace jot::cpu
