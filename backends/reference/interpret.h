// The interpreter: slow, obvious and complete, the oracle for everything else.
#pragma once
#include <span>

#include "ir/graph.h"

namespace jot::reference {

// Evaluates a pure graph node by node with the reference rules of its ops. inputs: contiguous contents, one a
// parameter; outputs: where results, then writebacks go; outputs overlap neither each other nor an input. Memory of
// an intermediate value is freed after its last use. Throws the data errors of the ops, with their line.
void interpret(const ir::Graph& graph, std::span<const void* const> inputs, std::span<void* const> outputs);

// JOT_CHECK=nan. Throws the Error that names the op, its line and the element where the first NaN or infinity comes
// into being that leads to the value v: of operands that are finite. Nothing where v is finite, or has it from inputs
// or constants. Interprets the graph once more.
void check_finite(const ir::Graph& graph, std::span<const void* const> inputs, ir::Value v);

// The first element that is NaN or infinite; -1: none.
int64_t first_not_finite(const ir::Type& type, const void* data);

}  // namespace jot::reference
