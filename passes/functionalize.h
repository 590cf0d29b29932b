#pragma once
#include "jot/ir.h"

namespace jot::passes {

// Gives writes and views their meaning: a graph with effects in, an equal pure graph out. A write becomes an update of
// the view that it goes through, put back into the base of its storage when another alias is used; reads are taken from
// the base as it is then. Each input that was written gets one writeback (GraphData::writebacks). A pure graph is
// returned as it is. Costs O(nodes + steps between the views that are used one after the other): at most the length of
// their chains.
ir::Graph functionalize(const ir::Graph& g);

}  // namespace jot::passes
