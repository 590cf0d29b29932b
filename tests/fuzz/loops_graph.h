// Graphs with loops and branches, written out step by step; and the faults that a comparison of both must find.
#pragma once
#include <cstdint>
#include <optional>

#include "ir/graph.h"

namespace jot::test::loops {

// The same function without regions. A while must end within `steps` steps. Choices become selects.
ir::Graph written_out(const ir::Graph& g, int steps);

// The graph with one fault, at a place that `which` chooses; none where it has no such place.
// A step of a linear scan gets residuals of another.
std::optional<ir::Graph> with_shifted_residual(const ir::Graph& g, uint64_t which);
// A lane that has finished goes on.
std::optional<ir::Graph> with_moving_lane(const ir::Graph& g, uint64_t which);
// A carry of a loop on which the first `values` results do not depend is zero after each step.
std::optional<ir::Graph> with_missed_tangent(const ir::Graph& g, size_t values, uint64_t which);
// What a loop left in a tensor that it captured is not written to it.
std::optional<ir::Graph> with_lost_write(const ir::Graph& g, uint64_t which);

}  // namespace jot::test::loops
