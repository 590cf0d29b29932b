#pragma once
#include "jot/ir.h"

namespace jot::cpu {

// Rewrites products so that no transposition is left around them: permuted operands are contracted over their source's
// axes, a permuted result becomes the product with its operands exchanged, and the product with an identity, whose
// zeros are absent, is the other operand. A product with a vector becomes a sum of products, which kernels fuse, unless
// the columns of its matrix lie side by side. Elementwise values of transposed operands that only products read are
// computed in the layout of their source, and permuted values of repeated operands in the order in which they are
// wanted. Linear in nodes.
ir::Graph prepare(const ir::Graph& graph);

}  // namespace jot::cpu
