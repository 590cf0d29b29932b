#pragma once
#include <span>

#include "ir/builder.h"

namespace jot::cpu {

// A movement of several pieces (pad, concat, diag_embed) as selections by place, of elements that are gathered: for
// kernels whose loops run along what is moved. `node` of g, onto these operands.
ir::Value as_selections(ir::Builder& b, const ir::GraphData& g, ir::Value node, std::span<const ir::Value> operands);

}  // namespace jot::cpu
