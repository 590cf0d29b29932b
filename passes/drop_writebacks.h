#pragma once
#include <cstdint>
#include <span>

#include "jot/ir.h"

namespace jot::passes {

// The graph without the writebacks of the inputs that are flagged; what computed them is for dce. O(nodes).
ir::Graph drop_writebacks(const ir::Graph& g, std::span<const uint8_t> dropped);
ir::Graph drop_writebacks(const ir::Graph& g);  // of all

}  // namespace jot::passes
