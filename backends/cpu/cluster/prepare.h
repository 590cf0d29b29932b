#pragma once
#include <vector>

#include "backends/cpu/cluster/axes.h"
#include "jot/ir.h"

namespace jot::cpu {

// Rewrites products so that no transposition is left around them: permuted operands are contracted over their source's
// axes, a permuted result becomes the product with its operands exchanged, and the product with an identity, whose
// zeros are absent, is the other operand. A product with a vector becomes a sum of products, which kernels fuse, unless
// the columns of its matrix lie side by side. Elementwise values of transposed operands that only products read are
// computed in the layout of their source, and permuted values of repeated operands in the order in which they are
// wanted. For kernels alone all products of less than kProduct in one of their extents become such sums. Linear in
// nodes.
inline constexpr int64_t kProduct = 64;
ir::Graph prepare(const ir::Graph& graph, Ways ways = Ways::all);

// The nodes that are flagged read their operands from memory, over axes that no other value has: where one axis would
// have to run along two dims. Movements of several pieces become selections.
bool can_set_apart(const ir::GraphData& g, ir::Value v);
ir::Graph set_apart(const ir::Graph& graph, std::vector<uint8_t> nodes);

}  // namespace jot::cpu
