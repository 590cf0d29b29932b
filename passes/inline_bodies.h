#pragma once
#include "jot/ir.h"

namespace jot::passes {

// Puts the body of each op that means something to derivatives alone in its place, in regions too: what is left to do
// when all transforms are done. Equal nodes stay apart, so that what is to be computed twice is. O(nodes).
ir::Graph inline_bodies(const ir::Graph& g);

}  // namespace jot::passes
