#pragma once
#include <functional>
#include <string>

#include "jot/ir.h"

namespace jot::cli {

// The smallest graph found that still fails: outputs and nodes are taken away, as many at a time as can be, as long as
// fails(graph) stays true (delta debugging, Zeller 1999). What is taken away becomes an input, or an operand of its
// type. Regions stay as they are. g fails.
ir::Graph reduce(const ir::Graph& g, const std::function<bool(const ir::Graph&)>& fails);

// Runs `command FILE`, where FILE holds the text of the graph; its exit code, 128 + the signal that ended it.
int run_command(const std::string& command, const ir::Graph& g);

}  // namespace jot::cli
