// The interpreter: slow, obvious and complete, the oracle for everything else.
#pragma once
#include <span>

#include "jot/ir.h"

namespace jot::reference {

// Evaluates a pure graph node by node with the reference rules of its ops. inputs: contiguous contents, one a
// parameter; outputs: where results, then writebacks go; outputs overlap neither each other nor an input. Memory of
// an intermediate value is freed after its last use. Throws the data errors of the ops, with their line.
void interpret(const ir::Graph& graph, std::span<const void* const> inputs, std::span<void* const> outputs);

}  // namespace jot::reference
