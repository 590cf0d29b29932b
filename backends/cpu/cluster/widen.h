#pragma once
#include "ir/graph.h"

namespace jot::cpu {

// Ops that compute do so in the computing types of storage dtypes: their operands are converted, and their results
// back. Of such dtypes kernels and routines then see what moves elements, constants and conversions. Leaves regions.
ir::Graph widen(const ir::Graph& graph);

}  // namespace jot::cpu
