#pragma once
#include "jot/ir.h"

namespace jot::passes {

// Gives writes and views their meaning: a graph with effects in, an equal pure graph out. A write becomes an update of
// the base of its storage; reads are regenerated from the base's value at their version. Each input that was written
// gets one writeback (GraphData::writebacks). A pure graph is returned as it is. O(nodes + length of the view chains
// written).
ir::Graph functionalize(const ir::Graph& g);

}  // namespace jot::passes
