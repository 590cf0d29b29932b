#pragma once
#include "ir/graph.h"

namespace jot::passes {

// Takes large products out of scans: those that do not depend on the carries are one product of all steps before the
// scan (W x_t); so are, after it, slices of results that are products (the cotangent of x_t) and carries that sum
// products up (that of W); unless what has to be stacked for that is much larger than what the scan goes over. O(nodes
// of the graph and the bodies).
ir::Graph scan_products(const ir::Graph& g);

}  // namespace jot::passes
