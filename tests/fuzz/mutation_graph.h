// The graph of a program's function, checked against the model: the way to show that wrong graphs are found out.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "jot/ir.h"
#include "tests/fuzz/mutation_program.h"

namespace jot::test::mutation {

struct RecordedBody {
  ir::Graph graph;             // with effects
  std::vector<int> arguments;  // of each input: which argument of the function, or -1: a capture
  std::vector<std::vector<double>> inputs;
  FunctionOutcome expected;
  double tolerance;
};

// The function that a program calls, recorded. None where there is no call, or one whose arguments have lanes.
std::optional<RecordedBody> record_body(Program p);

// Empty if a pure graph, interpreted, gives the results and leaves the arguments that the model does.
std::string check_pure(const RecordedBody& body, const ir::Graph& pure);

// Ways to be wrong. Each gives nothing where the graph has no place for it.
// Of the recorded graph: what a view shows is not made anew after a write to its base.
std::optional<ir::Graph> with_stale_alias(const ir::Graph& recorded, uint64_t which);
// Of the recorded graph: two reads of one address are taken for one, in spite of a write between them.
std::optional<ir::Graph> with_merged_reads(const ir::Graph& recorded, uint64_t which);
// Of the pure graph: what was written is put back one element further.
std::optional<ir::Graph> with_shifted_update(const ir::Graph& pure, uint64_t which);

}  // namespace jot::test::mutation
