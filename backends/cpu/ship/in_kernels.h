#pragma once
#include "jot/ir.h"

namespace jot::cpu {

// What has no kernel becomes what has one: conditions whose branches cannot fail become selections, dynamic slices
// gathers, updates of them and scatters of few elements selections of all elements, cumulative functions scans, and
// loops carry their condition. Regions stay. Linear in nodes.
ir::Graph in_kernels(const ir::Graph& graph);

}  // namespace jot::cpu
