// The CPU backend against the interpreter: every op, random programs; and what running promises.
#include "backends/cpu/executable.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <thread>

#include "backends/cpu/pool.h"
#include "backends/target.h"
#include "ir/env.h"
#include "passes/pipeline.h"
#include "passes/transforms.h"
#include "tests/backends/random_program.h"
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

// Machine code of this process's target; interpreted kernels for both widths.
std::vector<cpu::CompileOptions> all_options() {
  std::vector<cpu::CompileOptions> list = {{.vector_bytes = 64}, {.vector_bytes = 32}};
  if (target() != Target::reference)
    list.push_back({.vector_bytes = target() == Target::avx512 ? 64 : 32, .code = cpu::kernel_code});
  return list;
}

void check_agrees(const ir::Graph& graph, const std::vector<HostTensor>& inputs, double tolerance) {
  for (const cpu::CompileOptions& options : all_options()) {
    CAPTURE(options.vector_bytes);
    CAPTURE(options.code != nullptr);
    REQUIRE(disagreement(graph, inputs, options, tolerance) == "");
  }
}

const Engine& compiled(const ir::Graph& graph, std::shared_ptr<const Engine>& keep) {
  cpu::CompileOptions options = all_options().back();
  keep = cpu::make_executable(cpu::compile(graph, options));
  return *keep;
}

}  // namespace

TEST_CASE("executable: every op row") {
  std::mt19937 random(1);
  for (const Row& row : op_rows())
    for (DType d : {f64, f32}) {
      ir::Graph graph = graph_of(row, d);
      CAPTURE(title(row));
      CAPTURE(to_text(graph));
      check_agrees(graph, inputs_of(row, random, d), d == f32 ? 1e-5 : 1e-12);
    }
}

TEST_CASE("executable: random graphs") {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    ir::Graph graph = RandomGraph(seed, {.nodes = 30, .differentiable = true}).make();
    std::mt19937 random(static_cast<unsigned>(seed));
    std::vector<HostTensor> inputs = random_inputs(graph, random);
    CAPTURE(seed);
    CAPTURE(to_text(graph));
    check_agrees(passes::optimize(graph), inputs, 1e-9);
  }
}

// Replay: SEED=n runs that one and prints the graph and the program.
TEST_CASE("executable: random programs of short and long axes") {
  uint64_t first = 1, last = 150;
  const char* replay = std::getenv("SEED");
  if (replay) first = last = std::strtoull(replay, nullptr, 10);
  for (uint64_t seed = first; seed <= last; ++seed) {
    ir::Graph graph = passes::optimize(RandomProgram(seed).make(25));
    std::mt19937 random(static_cast<unsigned>(seed));
    std::vector<HostTensor> inputs = random_inputs(graph, random);
    CAPTURE(seed);
    CAPTURE(to_text(graph));
    if (replay) MESSAGE(cpu::compile(graph, {}, true).listing);
    check_agrees(graph, inputs, 1e-4);
  }
}

TEST_CASE("executable: every length of a loop, and its tail") {
  std::mt19937 random(2);
  for (int64_t n = 0; n <= 67; ++n) {
    std::string m = std::to_string(n);
    CAPTURE(n);
    // elementwise; a mapped axis with rows of three; a reduction of rows; a reduction of everything
    ir::Graph flat =
        ir::parse("func @main(%x: f32[" + m + "], %y: i64[" + m + "]) -> (f32[" + m + "], i64[" + m + "], bool[" + m +
                  "]) {\n  %0: f32[" + m + "] = exp(%x)\n  %1: i64[" + m + "] = mul(%y, %y)\n  %2: bool[" + m +
                  "] = compare(%y, %1) {direction=lt}\n  return %0, %1, %2\n}\n");
    check_agrees(flat, random_inputs(flat, random), 1e-6);
    ir::Graph rows = ir::parse("func @main(%x: f64[" + m + ",3]) -> (f64[" + m + ",3], f64[3,3]) {\n  %0: f64[" + m +
                               ",3] = rev(%x) {dims=[1]}\n  %1: f64[" + m + ",3] = mul(%0, %x)\n  %2: f64[" + m +
                               "] = reduce_sum(%1) {dims=[1]}\n  %3: f64[" + m + ",3] = broadcast(%2) {shape=[" + m +
                               ",3], dims=[0]}\n  %4: f64[3,3] = dot(%3, %x) {contract=[[0],[0]], batch=[[],[]]}\n"
                               "  return %3, %4\n}\n");
    check_agrees(rows, random_inputs(rows, random), 1e-12);
    ir::Graph softmax = ir::parse("func @main(%x: f32[3," + m + "]) -> (f32[3," + m +
                                  "], f32[]) {\n  %0: f32[3] = reduce_max(%x) {dims=[1]}\n  %1: f32[3," + m +
                                  "] = broadcast(%0) {shape=[3," + m + "], dims=[0]}\n  %2: f32[3," + m +
                                  "] = sub(%x, %1)\n  %3: f32[3," + m +
                                  "] = exp(%2)\n  %4: f32[3] = reduce_sum(%3) {dims=[1]}\n  %5: f32[3," + m +
                                  "] = broadcast(%4) {shape=[3," + m + "], dims=[0]}\n  %6: f32[3," + m +
                                  "] = div(%3, %5)\n  %7: f32[] = reduce_max(%6) {dims=[0,1]}\n  return %6, %7\n}\n");
    check_agrees(softmax, random_inputs(softmax, random), 1e-5);
  }
}

TEST_CASE("executable: outputs that are inputs, constants, repeated or views") {
  ir::Graph graph = ir::parse(
      "func @main(%x: f64[2,3]) -> (f64[2,3], f64[6], f64[2,3], f64[2,3], f64[3,2], f64[2], f64[6]) {\n"
      "  %0: f64[6] = reshape(%x) {shape=[6]}\n"
      "  %1: f64[2,3] = neg(%x)\n"
      "  %2: f64[3,2] = permute(%1) {perm=[1,0]}\n"
      "  %3: f64[2] = const() {shape=[2], dtype=f64, data=[1,2]}\n"
      "  %4: f64[6] = reshape(%1) {shape=[6]}\n"
      "  return %x, %0, %1, %1, %2, %3, %4\n}\n");
  check_agrees(graph, {HostTensor(f64, {2, 3}, {1, 2, 3, 4, 5, 6})}, 0);
}

TEST_CASE("executable: an index out of range names the op, the line and the index; the engine goes on working") {
  ir::Graph graph = ir::parse(
      "func @main(%x: f64[3,2], %i: i64[100,1]) -> (f64[100,2]) {\n"
      "  %0: f64[100,2] = gather(%x, %i) {offset_dims=[1], collapsed=[0], index_map=[0], operand_batch=[], "
      "index_batch=[], sizes=[1,2], mode=check} loc(\"model.cpp\":12)\n"
      "  return %0\n}\n");
  std::vector<HostTensor> inputs = {HostTensor(f64, {3, 2}, {1, 2, 3, 4, 5, 6}), HostTensor({i64, false, {100, 1}})};
  std::vector<HostTensor> bad = inputs;
  bad[1].set(77, 3);
  std::shared_ptr<const Engine> keep;
  const Engine& engine = compiled(graph, keep);
  for (int i = 0; i < 2; ++i) {
    CHECK_THROWS_WITH_AS(run_on(engine, graph, bad),
                         "[gather] index 3 is out of bounds for dimension 0 with size 3; expected -3 to 2\n"
                         "  at model.cpp:12",
                         IndexError);
    CHECK(run_on(engine, graph, inputs)[0].number(199) == 2);
  }
}

TEST_CASE("executable: results are the same bit for bit from call to call and in four threads at once") {
  ir::Graph graph = ir::parse(
      "func @main(%x: f32[300000]) -> (f32[], f32[300000]) {\n"
      "  %0: f32[300000] = sin(%x)\n  %1: f32[] = reduce_sum(%0) {dims=[0]}\n"
      "  %2: f32[300000] = broadcast(%1) {shape=[300000], dims=[]}\n  %3: f32[300000] = mul(%0, %2)\n"
      "  return %1, %3\n}\n");
  std::mt19937 random(3);
  std::vector<HostTensor> inputs = random_inputs(graph, random);
  cpu::CompileOptions options = all_options().back();
  cpu::Compiled made = cpu::compile(graph, options);
  const auto* kernel = std::get_if<cpu::KernelStep>(&made.program.steps[0].what);
  REQUIRE(kernel != nullptr);
  CHECK(kernel->chunks > 1);
  CHECK(kernel->partials.size() == 1);
  std::shared_ptr<const Engine> engine = cpu::make_executable(std::move(made));
  std::vector<HostTensor> first = run_on(*engine, graph, inputs);
  std::vector<std::vector<HostTensor>> again(4);
  std::vector<std::thread> threads;
  for (auto& result : again) threads.emplace_back([&] { result = run_on(*engine, graph, inputs); });
  for (std::thread& t : threads) t.join();
  for (const auto& result : again) CHECK(result == first);
}

TEST_CASE("executable: the gradient of a network needs little more memory than its largest live set") {
  constexpr int64_t kBatch = 256, kWidth = 128;
  ir::Builder b;
  std::vector<ir::Value> weights;
  for (int i = 0; i < 4; ++i) weights.push_back(b.param({f32, false, {kWidth, kWidth}}));
  ir::Value h = b.param({f32, false, {kBatch, kWidth}});
  for (ir::Value w : weights) {
    const int64_t one = 1, zero = 0;
    h = ir::build::unary(b, ir::Op::tanh_op, ir::build::dot(b, h, w, {&one, 1}, {&zero, 1}, {}, {}));
  }
  const int64_t all[] = {0, 1};
  ir::Value loss = ir::build::reduce_sum(b, ir::build::mul(b, h, h), all);
  const uint8_t active[] = {1, 1, 1, 1, 0};
  ir::Graph graph = passes::optimize(passes::grad(b.finish({loss}), active));
  cpu::Compiled made = cpu::compile(graph, all_options().back());
  CHECK(made.stats.library_calls == 11);
  CHECK(made.stats.routines == 0);
  CHECK(static_cast<double>(made.program.arena_bytes) <= 1.2 * static_cast<double>(made.largest_live_set));
  CHECK(made.largest_live_set <= 6 * kBatch * kWidth * 4 + 4096);  // four activations, two cotangents, scratch
}

TEST_CASE("executable: statistics") {
  ir::Graph graph = ir::parse(
      "func @main(%x: f64[50,50], %y: f64[50,50]) -> (f64[50,50]) {\n"
      "  %0: f64[50,50] = dot(%x, %y) {contract=[[1],[0]], batch=[[],[]]}\n"
      "  %1: f64[50,50] = tanh(%0)\n  return %1\n}\n");
  EngineStats stats = cpu::make_executable(cpu::compile(graph, all_options().back()))->stats();
  CHECK(stats.kernels == 1);
  CHECK(stats.library_calls == 1);
  CHECK(stats.routines == 0);
  CHECK(stats.arena_bytes >= 50 * 50 * 8);
  for (const char* phase : {"cluster", "lower", "emit", "plan"}) CHECK(stats.compile_seconds.contains(phase));
}
