// Random graphs with loops and branches under random stacks of transforms: compiled, against the same stack on the
// steps written out, interpreted. A failure prints its seed. LOOPS_SEED=n runs that one; LOOPS_PROGRAMS=n runs n of
// them (from LOOPS_FIRST on).
#include <doctest/doctest.h>

#include <functional>
#include <random>
#include <string>

#include "backends/cpu/executable.h"
#include "passes/functionalize.h"
#include "passes/pipeline.h"
#include "passes/transforms.h"
#include "tests/backends/run.h"
#include "tests/fuzz/loops_graph.h"
#include "tests/support/fuzz_settings.h"
#include "tests/support/random_graph.h"

using namespace jot;
using namespace jot::test;
using ir::Graph;

namespace {

constexpr double kTolerance = 1e-8;

cpu::CompileOptions options() {
  cpu::CompileOptions o{.vector_bytes = target() == Target::avx512 ? 64 : 32};
  if (target() != Target::reference) o.code = cpu::kernel_code;
  return o;
}

enum class Kind : uint8_t { jvp, vjp, vmap };

// A transform of any graph of these inputs and results.
struct Level {
  Kind kind;
  std::vector<std::optional<int64_t>> in{}, out{};  // vmap
  int64_t lanes = 2;
};

Graph apply(const Level& level, const Graph& g) {
  const ir::GraphData& d = g.data();
  std::vector<uint8_t> active(d.inputs().size(), 1);
  switch (level.kind) {
    case Kind::jvp:
      return passes::jvp(g, active, d.num_results());
    case Kind::vjp:
      return passes::vjp(g, active, d.num_results());
    default:
      return passes::vmap(g, level.in, level.out, level.lanes, Randomness::different);
  }
}

class Program {
 public:
  explicit Program(uint64_t seed, std::optional<std::vector<Kind>> kinds = {}, bool effects = false)
      : random_(static_cast<unsigned>(seed)),
        recorded_(random_graph(seed, {.nodes = 12, .differentiable = true, .effects = effects, .loops = 6})) {
    looped_ = passes::functionalize(recorded_);
    steps_ = loops::written_out(looped_, 4);
    if (!kinds) {
      kinds.emplace();
      for (uint64_t n = random_() % 4; n > 0; --n) kinds->push_back(static_cast<Kind>(random_() % 3));
    }
    for (Kind kind : *kinds) add(kind);
    for (ir::Value v : looped_.data().inputs())
      inputs_.push_back(random_tensor(looped_.data().type(v), -0.9, 0.9, random_));
  }

  const Graph& recorded() const { return recorded_; }
  const Graph& looped() const { return looped_; }
  size_t values() const { return values_; }  // leading results that are not tangents of the last transform

  // The stack on another graph of the same inputs and results.
  Graph under_stack(Graph g) const {
    for (const Level& level : levels_) g = apply(level, g);
    return g;
  }

  // Empty if the compiled graph does what the steps do.
  std::string complaint(const Graph& g) const {
    const std::vector<HostTensor> got = run_cpu(passes::optimize(g), inputs_, options());
    const std::vector<HostTensor> expected = interpret(steps_, inputs_);
    for (size_t i = 0; i < got.size(); ++i)
      if (double d = difference(got[i], expected[i]); !(d <= kTolerance))
        return "result " + std::to_string(i) + " differs by " + std::to_string(d);
    return {};
  }
  std::string stack() const {
    std::string text;
    for (const Level& l : levels_) text += l.kind == Kind::jvp ? " jvp" : l.kind == Kind::vjp ? " vjp" : " vmap";
    return text;
  }

 private:
  void add(Kind kind) {
    Level level{kind};
    const ir::GraphData& d = looped_.data();
    if (kind == Kind::vmap) {
      for (size_t i = 0; i < d.inputs().size(); ++i)
        level.in.push_back(random_() % 4 ? std::optional<int64_t>(0) : std::nullopt);
      level.out.assign(d.outputs().size(), 0);
      level.lanes = static_cast<int64_t>(2 + random_() % 2);
    }
    values_ = kind == Kind::vmap ? values_ : d.num_results();
    looped_ = apply(level, looped_);
    steps_ = apply(level, steps_);
    levels_.push_back(std::move(level));
  }

  std::mt19937 random_;
  Graph recorded_, looped_, steps_;
  std::vector<Level> levels_;
  std::vector<HostTensor> inputs_;
  size_t values_ = 0;
};

}  // namespace

namespace {

// Runs a number of seeds; f gives a complaint.
template <class F>
void check_seeds(uint64_t usual, F f) {
  const auto [first, last] = JOT_SEEDS("LOOPS", usual);
  int failures = 0;
  for (uint64_t seed = first; seed < last && failures < 3; ++seed) {
    std::string complaint = f(seed);
    if (complaint.empty()) continue;
    ++failures;
    FAIL_CHECK("LOOPS_SEED=" << seed << ": " << complaint);
  }
}

}  // namespace

TEST_CASE("loops under random stacks of transforms do what their steps do") {
  check_seeds(300, [](uint64_t seed) {
    Program p(seed, {}, seed % 4 == 0);
    std::string complaint;
    try {
      complaint = p.complaint(p.looped());
    } catch (const std::exception& e) {
      complaint = e.what();
    }
    if (!complaint.empty()) complaint += " under" + p.stack() + "\n" + to_text(p.recorded());
    return complaint;
  });
}

TEST_CASE("loops of all dtypes, compiled, agree with the interpreter") {
  check_seeds(300, [](uint64_t seed) {
    const Graph g = passes::optimize(
        passes::functionalize(random_graph(seed, {.nodes = 20, .effects = seed % 4 == 0, .loops = 4})));
    std::mt19937 random(static_cast<unsigned>(seed));
    std::vector<HostTensor> inputs;
    for (ir::Value v : g.data().inputs()) inputs.push_back(random_tensor(g.data().type(v), -2, 2, random));
    std::string complaint = disagreement(g, inputs, options(), 1e-4);
    if (!complaint.empty()) complaint += "\n" + to_text(g);
    return complaint;
  });
}

namespace {

using Fault = std::function<std::optional<Graph>(const Program&, uint64_t which)>;

// Not every place matters: what is wrong there may be unused, or equal.
void check_found(const std::vector<Kind>& kinds, bool effects, const Fault& fault) {
  int planted = 0, found = 0;
  for (uint64_t seed = 0; seed < 2000 && planted < 100; ++seed) {
    Program p(seed, kinds, effects);
    std::optional<Graph> g = fault(p, seed);
    if (!g) continue;
    ++planted;
    found += !p.complaint(*g).empty();
  }
  MESSAGE(planted << " planted, " << found << " found");
  CHECK(found > 10);
  CHECK(found * 6 > planted);
}

}  // namespace

TEST_CASE("faults are found: a residual of the wrong step") {
  check_found({Kind::vjp}, false, [](const Program& p, uint64_t which) {
    return loops::with_shifted_residual(passes::optimize(p.looped()), which);
  });
}

TEST_CASE("faults are found: a finished lane that moves") {
  check_found({Kind::vmap}, false, [](const Program& p, uint64_t which) {
    return loops::with_moving_lane(passes::optimize(p.looped()), which);
  });
}

TEST_CASE("faults are found: a missed tangent of a carry") {
  check_found({Kind::jvp}, false, [](const Program& p, uint64_t which) {
    return loops::with_missed_tangent(passes::optimize(p.looped()), p.values(), which);
  });
}

TEST_CASE("faults are found: a lost write of a loop to what it captured") {
  check_found({Kind::vjp}, true, [](const Program& p, uint64_t which) -> std::optional<Graph> {
    std::optional<Graph> g = loops::with_lost_write(p.recorded(), which);
    if (!g) return g;
    Graph faulty = p.under_stack(passes::functionalize(*g));
    return passes::optimize(faulty) == passes::optimize(p.looped()) ? std::nullopt : std::optional(faulty);
  });
}
