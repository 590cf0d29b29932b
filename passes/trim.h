#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "ir/builder.h"

namespace jot::passes {

// What is left of a choice (cond) of which only some results are used.
struct Trimmed {
  std::vector<ir::Graph> branches;  // to those results, from the operands that they need; without dead nodes
  std::vector<uint8_t> operands;    // one an operand of the op: needed
};
// used: one a result of the op at v, at least one of them. O(nodes of its regions).
Trimmed trim(const ir::GraphData& g, ir::Value v, std::span<const uint8_t> used);

// Emits it for the op at v of g, whose operands are now these: the first of the results that are left.
ir::Value emit_trimmed(ir::Builder& b, const ir::GraphData& g, ir::Value v, const Trimmed& trimmed,
                       std::span<const ir::Value> operands);

}  // namespace jot::passes
