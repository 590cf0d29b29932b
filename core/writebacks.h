#pragma once
#include <cstdint>
#include <span>

#include "jot/ir.h"

namespace jot {

// The graph without the writebacks of the inputs that are flagged.
ir::Graph drop_writebacks(const ir::Graph& graph, std::span<const uint8_t> dropped);
ir::Graph drop_writebacks(const ir::Graph& graph);  // of all

}  // namespace jot
