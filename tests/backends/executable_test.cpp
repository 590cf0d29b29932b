// The CPU backend against the interpreter: every op, random graphs.
#include "backends/cpu/executable.h"

#include <doctest/doctest.h>

#include <random>

#include "passes/pipeline.h"
#include "tests/backends/run.h"
#include "tests/ops/rows.h"
#include "tests/support/random_graph.h"

using namespace jot;
using namespace jot::test;

namespace {

std::vector<HostTensor> random_inputs(const ir::Graph& graph, std::mt19937& random, double lo = -2, double hi = 2) {
  std::vector<HostTensor> inputs;
  for (ir::Value v : graph.data().inputs()) inputs.push_back(random_tensor(graph.data().type(v), lo, hi, random));
  return inputs;
}

}  // namespace

TEST_CASE("executable: every op row") {
  std::mt19937 random(1);
  for (const Row& row : op_rows())
    for (DType d : {f64, f32}) {
      ir::Graph graph = graph_of(row, d);
      std::vector<HostTensor> inputs = inputs_of(row, random, d);
      for (int bytes : {64, 32}) {
        CAPTURE(title(row));
        CAPTURE(to_text(graph));
        CHECK(disagreement(graph, inputs, {.vector_bytes = bytes}, d == f32 ? 1e-5 : 1e-12) == "");
      }
    }
}

TEST_CASE("executable: random graphs") {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    ir::Graph graph = RandomGraph(seed, {.nodes = 30, .differentiable = seed % 2 == 0}).make();
    std::mt19937 random(static_cast<unsigned>(seed));
    std::vector<HostTensor> inputs = random_inputs(graph, random);
    CAPTURE(seed);
    CAPTURE(to_text(graph));
    REQUIRE(disagreement(graph, inputs, {}, 1e-4) == "");
    REQUIRE(disagreement(passes::optimize(graph), inputs, {}, 1e-4) == "");
  }
}
