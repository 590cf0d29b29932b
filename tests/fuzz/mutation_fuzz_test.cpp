// Random programs of views and writes against a model in plain C++. A failure prints its seed and the program made
// smaller. MUTATION_SEED=n runs that one; MUTATION_PROGRAMS=n runs n of them (from MUTATION_FIRST on).
#include <doctest/doctest.h>

#include <functional>

#include "passes/functionalize.h"
#include "tests/fuzz/mutation_graph.h"
#include "tests/support/fuzz_settings.h"

using namespace jot::test::mutation;

namespace {

constexpr int kSteps = 24;

}  // namespace

TEST_CASE("random programs of views and writes do what the model says") {
  const auto [first, last] = JOT_SEEDS("MUTATION", 2000);
  int failures = 0;
  for (uint64_t seed = first; seed < last && failures < 3; ++seed) {
    Program p = generate(seed, kSteps);
    REQUIRE(p.size() >= 20);
    std::string complaint = check(p);
    if (complaint.empty()) continue;
    ++failures;
    Program smaller = shrink(p);
    FAIL_CHECK("MUTATION_SEED=" << seed << ": " << complaint << "\n" << to_text(smaller) << check(smaller));
  }
}

namespace {

using Wrong = std::function<std::optional<jot::ir::Graph>(const jot::ir::Graph& recorded, uint64_t which)>;

struct Found {
  int graphs = 0, wrong = 0, found = 0;
};
// Functionalized graphs of random functions, and what a fault makes of them.
Found search(const Wrong& wrong) {
  Found r;
  for (uint64_t seed = 0; seed < 2500; ++seed) {
    std::optional<RecordedBody> body = record_body(generate(seed, kSteps));
    if (!body) continue;
    ++r.graphs;
    CAPTURE(seed);
    REQUIRE_EQ(check_pure(*body, jot::passes::functionalize(body->graph)), "");
    std::optional<jot::ir::Graph> graph = wrong(body->graph, seed);
    if (!graph) continue;
    ++r.wrong;
    r.found += !check_pure(*body, *graph).empty();
  }
  MESSAGE(r.graphs << " graphs, " << r.wrong << " with a fault, " << r.found << " found");
  return r;
}

}  // namespace

// Not every place matters: what is read or written there may be overwritten, or equal.
TEST_CASE("faults are found: an alias that is not regenerated after a write") {
  Found r = search([](const auto& recorded, uint64_t which) -> std::optional<jot::ir::Graph> {
    auto g = with_stale_alias(recorded, which);
    return g ? std::optional(jot::passes::functionalize(*g)) : g;
  });
  CHECK(r.found > 25);
  CHECK(r.found * 4 > r.wrong);
}

TEST_CASE("faults are found: reads merged across a write") {
  Found r = search([](const auto& recorded, uint64_t which) -> std::optional<jot::ir::Graph> {
    auto g = with_merged_reads(recorded, which);
    return g ? std::optional(jot::passes::functionalize(*g)) : g;
  });
  CHECK(r.found > 25);
  CHECK(r.found * 4 > r.wrong);
}

TEST_CASE("faults are found: a write put back at a wrong offset") {
  Found r = search([](const auto& recorded, uint64_t which) {
    return with_shifted_update(jot::passes::functionalize(recorded), which);
  });
  CHECK(r.found > 25);
  CHECK(r.found * 4 > r.wrong);
}
