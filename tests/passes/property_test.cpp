// What holds for every graph: derivatives agree with differences and with each other, lanes with a loop, optimisation
// changes no bit.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>

#include "ir/build.h"
#include "ir/env.h"
#include "passes/cse.h"
#include "passes/dce.h"
#include "passes/fold.h"
#include "passes/functionalize.h"
#include "passes/jacobian.h"
#include "passes/pipeline.h"
#include "passes/simplify.h"
#include "passes/transforms.h"
#include "tests/support/fuzz_settings.h"
#include "tests/support/host.h"
#include "tests/support/random_graph.h"

using namespace jot;
using test::HostTensor;
using Tensors = std::vector<HostTensor>;

namespace {

const test::Seeds kSeeds = JOT_SEEDS("PROPERTY", 60);  // PROPERTY_PROGRAMS=n, PROPERTY_SEED=n

// Every pass of this binary is followed by verification: the environment is read once, on first use.
[[maybe_unused]] const int verify_always = setenv("JOT_VERIFY", "1", 1);

ir::Graph smooth(uint64_t seed) { return test::random_graph(seed, {.nodes = 20, .differentiable = true}); }

Tensors random_values(const ir::GraphData& g, std::span<const ir::Value> like, std::mt19937& random) {
  Tensors values;
  for (ir::Value v : like) values.push_back(test::random_tensor(g.type(v), -0.9, 0.9, random));
  return values;
}
Tensors random_inputs(const ir::Graph& g, std::mt19937& random) {
  return random_values(g.data(), g.data().inputs(), random);
}
Tensors random_cotangents(const ir::Graph& g, std::mt19937& random) {
  return random_values(g.data(), g.data().outputs(), random);
}

Tensors operator+(Tensors a, const Tensors& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Tensors from(const Tensors& all, size_t first) { return {all.begin() + static_cast<std::ptrdiff_t>(first), all.end()}; }
Tensors upto(const Tensors& all, size_t last) { return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(last)}; }

Tensors run(const ir::Graph& g, const Tensors& inputs) {
  ir::verify(g);
  return test::interpret(g, inputs);
}

void check_close(const Tensors& a, const Tensors& b, double tolerance) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    CHECK(test::difference(a[i], b[i]) <= tolerance);
  }
}

double inner_product(const Tensors& a, const Tensors& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += test::inner_product(a[i], b[i]);
  return sum;
}

std::vector<uint8_t> all_active(const ir::Graph& g) { return std::vector<uint8_t>(g.data().inputs().size(), 1); }
size_t results_of(const ir::Graph& g) { return g.data().num_results(); }

}  // namespace

TEST_CASE("jvp agrees with central differences; values stay") {
  for (uint64_t seed = kSeeds.first; seed < kSeeds.last; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(static_cast<unsigned>(seed));
    ir::Graph g = smooth(seed);
    Tensors x = random_inputs(g, random), t = random_inputs(g, random);
    Tensors all = run(passes::jvp(g, all_active(g), results_of(g)), x + t);
    CHECK(upto(all, results_of(g)) == run(g, x));
    constexpr double h = 1e-5;
    Tensors above, below;
    for (size_t i = 0; i < x.size(); ++i) {
      above.push_back(test::plus(x[i], t[i], h));
      below.push_back(test::plus(x[i], t[i], -h));
    }
    Tensors high = run(g, above), low = run(g, below), slope;
    for (size_t i = 0; i < high.size(); ++i) {
      slope.push_back(high[i]);
      for (int64_t e = 0; e < slope[i].numel(); ++e) slope[i].set(e, (high[i].number(e) - low[i].number(e)) / (2 * h));
    }
    check_close(from(all, results_of(g)), slope, 1e-6);
  }
}

TEST_CASE("vjp is the adjoint of jvp, the splits and the modes of the jacobian agree with both") {
  for (uint64_t seed = kSeeds.first; seed < kSeeds.last; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(static_cast<unsigned>(seed));
    ir::Graph g = smooth(seed);
    size_t n = results_of(g);
    auto active = all_active(g);
    Tensors x = random_inputs(g, random), t = random_inputs(g, random), c = random_cotangents(g, random);
    Tensors forward = from(run(passes::jvp(g, active, n), x + t), n);
    Tensors backward = from(run(passes::vjp(g, active, n), x + c), n);
    double a = inner_product(forward, c), b = inner_product(backward, t);
    CHECK(a == doctest::Approx(b).epsilon(1e-10));

    passes::LinearSplit push = passes::split_jvp(g, active, n), pull = passes::split_vjp(g, active, n);
    Tensors kept = run(push.primal, x);
    REQUIRE(kept.size() == n + push.num_residuals);
    check_close(run(push.map, from(kept, n) + t), forward, 1e-13);
    kept = run(pull.primal, x);
    check_close(run(pull.map, from(kept, n) + c), backward, 1e-13);

    Tensors rows = run(passes::jacobian(g, active, n, passes::JacobianMode::reverse), x);
    Tensors columns = run(passes::jacobian(g, active, n, passes::JacobianMode::forward), x);
    CHECK(upto(rows, n) == run(g, x));
    check_close(rows, columns, 1e-11);
    check_close(rows, run(passes::jacobian(g, active, n, passes::JacobianMode::cheaper), x), 1e-11);
    check_close(rows, run(passes::jacobian(g, active, n, passes::JacobianMode::reverse, 2), x), 1e-12);
    check_close(columns, run(passes::jacobian(g, active, n, passes::JacobianMode::forward, 1), x), 1e-12);
    // Contracted with a cotangent and a tangent, the blocks give the same number.
    double contracted = 0;
    for (size_t o = 0; o < n; ++o)
      for (size_t k = 0; k < x.size(); ++k) {
        const HostTensor& block = rows[n + o * x.size() + k];
        CHECK(block.type.shape == g.data().shape(g.data().outputs()[o]) + x[k].type.shape);
        for (int64_t i = 0; i < c[o].numel(); ++i)
          for (int64_t j = 0; j < t[k].numel(); ++j)
            contracted += c[o].number(i) * block.number(i * t[k].numel() + j) * t[k].number(j);
      }
    CHECK(contracted == doctest::Approx(a).epsilon(1e-10));
  }
}

TEST_CASE("some inputs active, some results only computed") {
  ir::Graph g = ir::parse(
      "func @main(%x: f64[2], %n: i64[2], %y: f64[]) -> (f64[2], i64[2], f64[]) {\n"
      "  %0: f64[2] = broadcast(%y) {shape=[2], dims=[]}\n  %1: f64[2] = mul(%x, %0)\n  %2: f64[] = sin(%y)\n"
      "  return %1, %n, %2\n}\n");
  Tensors x = {{f64, {2}, {3, 4}}, {i64, {2}, {5, 6}}, {f64, {}, {0.5}}};
  uint8_t by_y[] = {0, 0, 1}, by_x[] = {1, 0, 0};
  Tensors one = {{f64, {}, {1}}};
  Tensors all = run(passes::jvp(g, by_y, 2), x + one);
  REQUIRE(all.size() == 5);
  CHECK(all[3].numbers() == std::vector<double>{3, 4});
  CHECK(all[4] == HostTensor(i64, {2}, {0, 0}));
  all = run(passes::jacobian(g, by_x, 3, passes::JacobianMode::forward), x);
  REQUIRE(all.size() == 6);
  CHECK(all[3].numbers() == std::vector<double>{0.5, 0, 0, 0.5});
  CHECK(all[4] == HostTensor(i64, {2, 2}, {0, 0, 0, 0}));
  CHECK(all[5].numbers() == std::vector<double>{0, 0});
  CHECK_THROWS_WITH_AS(
      passes::jacobian(g, by_x, 3, passes::JacobianMode::reverse),
      doctest::Contains("[jacrev] all outputs of f must be floating-point tensors: output 1 is i64[2]"),
      TransformError);
  CHECK_THROWS_WITH_AS(passes::vjp(g, by_x, 2), doctest::Contains("output 1 is i64[2]"), TransformError);
  all = run(passes::vjp(g, by_x, 1), x + Tensors{{f64, {2}, {1, 10}}});
  REQUIRE(all.size() == 4);
  CHECK(all[3].numbers() == std::vector<double>{0.5, 5});
}

TEST_CASE("zeros of a jacobian are absent: no 0 * inf, in either mode, with any chunk") {
  using enum passes::JacobianMode;
  auto jacobian_of = [](const std::string& body, const Tensors& x, passes::JacobianMode mode,
                        std::optional<int64_t> chunk) {
    ir::Graph g = ir::parse("func @f(%x: f64[2]) -> (f64[2]) {\n" + body + "}\n");
    return run(passes::jacobian(g, all_active(g), 1, mode, chunk), x)[1].numbers();
  };
  const double inf = HUGE_VAL;
  struct Row {
    std::string body;
    std::vector<double> at, expected;
  };
  const Row rows[] = {
      {"  %0: f64[2] = sqrt(%x)\n  return %0\n", {0, 1}, {inf, 0, 0, 0.5}},
      {"  %0: f64[2,1] = reshape(%x) {shape=[2,1]}\n  %1: f64[2,1] = sqrt(%0)\n  %2: f64[2,1] = neg(%1)\n"
       "  %3: f64[2] = reshape(%2) {shape=[2]}\n  return %3\n",
       {0, 1},
       {-inf, 0, 0, -0.5}},
      {"  %0: f64[1] = slice(%x) {start=[0], limit=[1], stride=[1]}\n  %1: f64[1] = slice(%x) {start=[1], limit=[2], "
       "stride=[1]}\n"
       "  %2: f64[1] = sqrt(%0)\n  %3: f64[1] = sqrt(%1)\n  %4: f64[2] = concat(%2, %3) {dim=0}\n  return %4\n",
       {0, 1},
       {inf, 0, 0, 0.5}},
      {"  %0: f64[2] = mul(%x, %x)\n  %1: bool[2] = compare(%x, %x) {direction=ne}\n"
       "  %2: f64[2] = where(%1, %x, %0)\n  return %2\n",
       {1, inf},
       {2, 0, 0, inf}},
  };
  for (const Row& row : rows)
    for (auto mode : {reverse, forward})
      for (std::optional<int64_t> chunk : {std::optional<int64_t>(), std::optional<int64_t>(1)}) {
        CAPTURE(row.body);
        std::vector<double> got = jacobian_of(row.body, {{f64, {2}, row.at}}, mode, chunk);
        REQUIRE(got.size() == 4);
        for (size_t i = 0; i < 4; ++i) CHECK(got[i] == row.expected[i]);
      }
}

TEST_CASE("chunks of a jacobian have at most chunk_size lanes, and its zeros") {
  using enum passes::JacobianMode;
  ir::Graph f = ir::parse("func @f(%x: f64[2,3,2]) -> (f64[2,3,2]) {\n  %0: f64[2,3,2] = sqrt(%x)\n  return %0\n}\n");
  Tensors x = {{f64, {2, 3, 2}, {0, 1, 2, 3, 0, 5, 6, 7, 8, 9, 10, 0}}};
  for (int64_t chunk = 1; chunk <= 13; ++chunk)
    for (auto mode : {reverse, forward}) {
      CAPTURE(chunk);
      ir::Graph j = passes::jacobian(f, all_active(f), 1, mode, chunk);
      HostTensor block = run(j, x)[1];
      for (int64_t i = 0; i < 144; ++i)
        CHECK(block.number(i) == (i / 12 == i % 12 ? 0.5 / std::sqrt(x[0].number(i % 12)) : 0.0));
    }
}

TEST_CASE("the jacobian of an elementwise function costs O(n) arithmetic, that of W x + b is W") {
  using enum passes::JacobianMode;
  ir::Graph f = ir::parse(
      "func @f(%x: f64[40,100]) -> (f64[40,100]) {\n  %0: f64[40,100] = sin(%x)\n  %1: f64[40,100] = mul(%0, %x)\n"
      "  %2: f64[40,100] = tanh(%1)\n  %3: f64[40,100] = div(%2, %x)\n  return %3\n}\n");
  for (auto mode : {reverse, forward}) {
    ir::Graph j = passes::optimize(passes::jacobian(f, all_active(f), 1, mode));
    int large = 0;
    for (ir::Value v = 0; v < j.data().size(); ++v) {
      if (j.data().shape(v).numel() <= 4000) continue;
      ++large;
      ir::Op op = j.data().op(v);
      CHECK_MESSAGE((op == ir::Op::diag_embed_op || op == ir::Op::reshape_op), to_text(j));
    }
    CHECK(large <= 2);
  }
  ir::Graph linear = ir::parse(
      "func @f(%w: f64[3,4], %x: f64[4], %b: f64[3]) -> (f64[3]) {\n"
      "  %0: f64[3] = dot(%w, %x) {contract=[[1],[0]], batch=[[],[]]}\n  %1: f64[3] = add(%0, %b)\n  return %1\n}\n");
  uint8_t by_x[] = {0, 1, 0};
  for (auto mode : {reverse, forward}) {
    ir::Graph j = passes::jacobian(linear, by_x, 1, mode);
    CHECK(j.data().outputs()[1] == 0);
  }
}

TEST_CASE("grad: of a scalar, of an integer, of what does not depend") {
  ir::Graph g = ir::parse(
      "func @main(%x: f64[2], %y: f64[]) -> (f64[], i64[]) {\n  %0: f64[2] = mul(%x, %x)\n"
      "  %1: f64[] = reduce_sum(%0) {dims=[0]}\n  %2: i64[] = convert(%1) {dtype=i64}\n  return %1, %2\n}\n");
  Tensors x = {{f64, {2}, {3, 4}}, {f64, {}, {1}}};
  uint8_t both[] = {1, 1};
  Tensors all = run(passes::grad(g, both), x);
  REQUIRE(all.size() == 4);
  CHECK(all[0].number(0) == 25);
  CHECK(all[2].numbers() == std::vector<double>{6, 8});
  CHECK(all[3].number(0) == 0);
  ir::Graph integer =
      ir::parse("func @main(%x: f64[]) -> (i64[]) {\n  %0: i64[] = convert(%x) {dtype=i64}\n  return %0\n}\n");
  uint8_t one[] = {1};
  CHECK(run(passes::grad(integer, one), {{f64, {}, {2.5}}})[1] == HostTensor(f64, {}, {0}));
}

TEST_CASE("second derivatives: every order of modes gives one hessian") {
  for (uint64_t seed = kSeeds.first; seed < kSeeds.last; seed += 2) {
    CAPTURE(seed);
    std::mt19937 random(static_cast<unsigned>(seed));
    ir::Graph g = smooth(seed);
    size_t n = results_of(g), k = all_active(g).size();
    Tensors x = random_inputs(g, random);
    std::optional<Tensors> expected;
    using enum passes::JacobianMode;
    for (auto inner : {reverse, forward})
      for (auto outer : {reverse, forward}) {
        ir::Graph first = passes::jacobian(g, all_active(g), n, inner);
        ir::Graph second = passes::jacobian(first, all_active(g), n + n * k, outer);
        Tensors got = run(passes::optimize(second), x);
        if (!expected) expected = got;
        check_close(got, *expected, 1e-9);
      }
  }
}

TEST_CASE("vmap agrees with a loop over its lanes, wherever they are") {
  for (uint64_t seed = kSeeds.first; seed < kSeeds.last; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(static_cast<unsigned>(seed));
    ir::Graph g = test::random_graph(seed, {.nodes = 25, .differentiable = seed % 2 == 0});
    const ir::GraphData& d = g.data();
    for (int64_t lanes : {3, 1, 0}) {
      std::vector<std::optional<int64_t>> in, out;
      auto place = [&](ir::Value v) { return static_cast<int64_t>(random() % (d.shape(v).size() + 1)); };
      for (ir::Value v : d.inputs()) in.push_back(random() % 4 ? std::optional(place(v)) : std::nullopt);
      for (ir::Value v : d.outputs()) out.push_back(place(v));
      ir::Graph mapped = passes::vmap(g, in, out, lanes, Randomness::different);
      // One graph that moves lanes to the front, for comparison lane by lane.
      Tensors x = random_values(mapped.data(), mapped.data().inputs(), random);
      Tensors all = run(mapped, x);
      auto lane_of = [&](const HostTensor& t, std::optional<int64_t> dim, int64_t i) {
        if (!dim) return t;
        ir::Builder b;
        ir::Value v = b.param(t.type);
        ir::Value part = ir::build::slice_axis(b, v, *dim, i, i + 1);
        Shape shape = t.type.shape;
        shape.erase(static_cast<size_t>(*dim));
        return run(b.finish({ir::build::reshape(b, part, shape)}), {t})[0];
      };
      for (int64_t i = 0; i < lanes; ++i) {
        Tensors one;
        for (size_t k = 0; k < x.size(); ++k) one.push_back(lane_of(x[k], in[k], i));
        Tensors expected = run(g, one);
        for (size_t k = 0; k < expected.size(); ++k)
          CHECK(test::difference(lane_of(all[k], out[k], i), expected[k]) <= 1e-12);
      }
      for (size_t k = 0; k < all.size(); ++k) {
        Shape shape = d.shape(d.outputs()[k]);
        shape.insert(static_cast<size_t>(*out[k]), lanes);
        CHECK(all[k].type.shape == shape);
      }
    }
  }
}

TEST_CASE("vmap: lanes without a place, out_dims out of range") {
  ir::Graph g = ir::parse(
      "func @main(%x: f64[2], %y: f64[]) -> (f64[2], f64[]) {\n  %0: f64[2] = neg(%x) loc(\"a.cpp\":3)\n  return %0, "
      "%y\n}\n");
  using Dims = std::vector<std::optional<int64_t>>;
  auto map = [&](const Dims& in, const Dims& out) { return passes::vmap(g, in, out, 4, Randomness::error); };
  CHECK(map({1, {}}, {0, {}}).data().shape(2) == Shape{4, 2});
  CHECK_THROWS_WITH_AS(
      map({0, {}}, {{}, {}}),
      "[vmap] `f` can not return a BatchedTensor when out_dim is None: output 0 is f64[2] for each lane\n  at a.cpp:3",
      TransformError);
  CHECK_THROWS_WITH_AS(map({0, {}}, {2, {}}), "[vmap] out_dim 2 is out of range for output 0, f64[2] for each lane",
                       IndexError);
  // A writeback has its input's lanes.
  ir::Graph write = passes::functionalize(ir::parse(
      "func @main(%x: f64[2], %y: f64[2]) -> () {\n  %0: token = add_(%x, %y) loc(\"b.cpp\":5)\n  return\n}\n"));
  ir::Graph mapped = passes::vmap(write, Dims{1, 0}, {}, 3, Randomness::error);
  Tensors x = {{f64, {2, 3}, {0, 0, 0, 0, 0, 0}}, {f64, {3, 2}, {1, 2, 3, 4, 5, 6}}};
  CHECK(run(mapped, x)[0] == HostTensor(f64, {2, 3}, {1, 3, 5, 2, 4, 6}));
  CHECK_THROWS_WITH_AS(passes::vmap(write, Dims{{}, 0}, {}, 3, Randomness::error),
                       doctest::Contains("a value with lanes is written to input 0, f64[2], which has none"),
                       TransformError);
}

namespace {

// The first seed whose graph a pass does not keep bit by bit, if there is one. Graphs have special values.
std::optional<uint64_t> first_changed(ir::Graph (*pass)(const ir::Graph&), bool effects, uint64_t most = 300) {
  const auto [first, last] = JOT_SEEDS("PROPERTY", most);
  for (uint64_t seed = first; seed < last; ++seed) {
    std::mt19937 random(static_cast<unsigned>(seed));
    ir::Graph g = test::random_graph(seed, {.effects = effects});
    Tensors x = random_inputs(g, random);
    for (HostTensor& t : x)
      for (int64_t i = 0; t.floating() && i < t.numel(); ++i) {
        const double special[] = {0.0, -0.0, HUGE_VAL, -HUGE_VAL, std::nan(""), 1.0};
        if (random() % 2) t.set(i, special[random() % std::size(special)]);
      }
    Tensors expected = run(passes::functionalize(g), x), got = run(pass(g), x);
    // NaN has one meaning, whatever its sign and payload.
    for (size_t i = 0; i < expected.size(); ++i) {
      if (expected[i] == got[i]) continue;
      for (int64_t e = 0; e < expected[i].numel(); ++e) {
        double a = expected[i].number(e), b = got[i].number(e);
        if (!(std::isnan(a) && std::isnan(b)) && (a != b || std::signbit(a) != std::signbit(b))) return seed;
      }
    }
  }
  return {};
}

// x * 0 -> 0: a planted bug.
ir::Graph times_zero(const ir::Graph& graph) {
  const ir::GraphData& g = graph.data();
  ir::Builder b(g.name());
  std::vector<ir::Value> map;
  for (ir::Value v = 0; v < g.size(); ++v) {
    std::vector<ir::Value> operands;
    for (ir::Value o : g.operands(v)) operands.push_back(map[o]);
    bool zero = false;
    for (ir::Value o : g.operands(v))
      zero |= g.op(o) == ir::Op::const_op && is_floating(g.dtype(o)) && g.attrs(o).ints(ir::Key::data)[0] == 0 &&
              g.attrs(o).ints(ir::Key::data).size() == 1;
    if (g.op(v) == ir::Op::param_op)
      map.push_back(b.param(g.type(v)));
    else if (g.op(v) == ir::Op::mul_op && zero)
      map.push_back(ir::build::constant(b, g.dtype(v), g.shape(v), 0));
    else
      map.push_back(b.copy_node(g, v, operands));
  }
  std::vector<ir::Value> outputs;
  for (ir::Value o : g.outputs()) outputs.push_back(map[o]);
  return b.finish(outputs, g.writebacks());
}

// Takes every read for one of the last version: a planted bug.
ir::Graph merged_reads(const ir::Graph& graph) {
  const ir::GraphData& g = graph.data();
  ir::Builder b(g.name());
  std::vector<ir::Value> map;
  for (ir::Value v = 0; v < g.size(); ++v) {
    std::vector<ir::Value> operands;
    for (ir::Value o : g.operands(v)) operands.push_back(map[o]);
    if (g.op(v) == ir::Op::param_op)
      map.push_back(b.param(g.type(v)));
    else
      map.push_back(g.op(v) == ir::Op::read_op ? operands[0] : b.copy_node(g, v, operands));
  }
  std::vector<ir::Value> outputs;
  for (ir::Value o : g.outputs()) outputs.push_back(map[o]);
  return passes::functionalize(b.finish(outputs, g.writebacks()));
}

}  // namespace

TEST_CASE("optimisation changes no bit") {
  CHECK_FALSE(first_changed(passes::simplify, false).has_value());
  CHECK_FALSE(first_changed(passes::fold, false).has_value());
  CHECK_FALSE(first_changed(passes::cse, false).has_value());
  CHECK_FALSE(first_changed(passes::dce, false).has_value());
  CHECK_FALSE(first_changed(passes::optimize, false).has_value());
  CHECK_FALSE(first_changed(passes::optimize, true).has_value());
}

TEST_CASE("a graph that a pass has broken goes no further") {
  REQUIRE(env().verify);
  auto broken = [](const ir::Graph& graph) {  // the sum of another shape, its type as before
    ir::Builder b;
    ir::Value x = b.param({f64, false, {3, 3}});
    return b.finish({b.copy_node(graph.data(), 1, std::vector<ir::Value>{x})});
  };
  const ir::Graph g = ir::parse(
      "func @main(%x: f64[2,3]) -> (f64[2]) {\n  %0: f64[2] = reduce_sum(%x) {dims=[1]} loc(\"a.cpp\":7)\n"
      "  return %0\n}\n");
  CHECK_THROWS_WITH_AS(passes::run_pass({"broken", broken}, g),
                       "[broken] made a graph that is not valid: [verify] %1: f64[2] = reduce_sum(%0) {dims=[1]}: its "
                       "type is inferred as f64[3]\n"
                       "  at a.cpp:7",
                       IrError);
  CHECK(passes::run_pass({"simplify", passes::simplify}, g) == g);
}

TEST_CASE("planted bugs are caught: x * 0 -> 0, a read merged across a write") {
  CHECK(first_changed(times_zero, false, 5000).has_value());
  CHECK(first_changed(merged_reads, true, 5000).has_value());
}
