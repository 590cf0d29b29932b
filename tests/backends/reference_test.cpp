// The interpreter as a machine (what its ops compute is tested in tests/ops), targets, engines.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "backends/buffer.h"
#include "backends/engine.h"
#include "backends/reference/interpret.h"
#include "backends/target.h"
#include "ir/env.h"

using namespace jot;

namespace {

std::string error_of(const ir::Graph& g, std::span<const void* const> inputs, std::span<void* const> outputs) {
  try {
    reference::interpret(g, inputs, outputs);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("an output may be a parameter, stand twice, be needed later, be written back") {
  ir::Graph g = ir::parse(
      "func @f(%x: f64[2], %y: f64[2]) -> (f64[2], f64[2], f64[2], f64[2]) {\n"
      "  %0: f64[2] = add(%x, %y)\n  %1: f64[2] = mul(%0, %0)\n  writeback %y = %0\n  return %0, %x, %1, %0\n}\n");
  double x[] = {1, 2}, y[] = {3, 4}, out[5][2];
  const void* inputs[] = {x, y};
  void* outputs[] = {out[0], out[1], out[2], out[3], out[4]};
  reference::interpret(g, inputs, outputs);
  const double expected[5][2] = {{4, 6}, {1, 2}, {16, 36}, {4, 6}, {4, 6}};
  for (int i = 0; i < 5; ++i)
    for (int j = 0; j < 2; ++j) CHECK(out[i][j] == expected[i][j]);
  CHECK(y[0] == 3);  // a writeback is an output; who runs the graph stores it
}

TEST_CASE("no elements, no inputs") {
  ir::Graph g = ir::parse(
      "func @f(%x: f64[0,3]) -> (f64[0,3], f64[3]) {\n  %0: f64[0,3] = neg(%x)\n"
      "  %1: f64[3] = reduce_sum(%0) {dims=[0]}\n  return %0, %1\n}\n");
  double sums[3] = {7, 7, 7};
  const void* inputs[] = {nullptr};
  void* outputs[] = {nullptr, sums};
  reference::interpret(g, inputs, outputs);
  CHECK(sums[0] == 0);
  reference::interpret(ir::Graph(), {}, {});
}

TEST_CASE("intermediate values are freed after their last use") {
  constexpr int kNodes = 50, kElements = 1 << 16;
  std::string text = "func @f(%x: f64[65536]) -> (f64[65536]) {\n";
  for (int i = 0; i < kNodes; ++i)
    text += "  %" + std::to_string(i) + ": f64[65536] = neg(%" + (i ? std::to_string(i - 1) : "x") + ")\n";
  ir::Graph g = ir::parse(text + "  return %" + std::to_string(kNodes - 1) + "\n}\n");
  std::vector<double> x(kElements, 1), y(kElements);
  const void* inputs[] = {x.data()};
  void* outputs[] = {y.data()};
  Buffer::reset_peak();
  int64_t before = Buffer::stats().live;
  reference::interpret(g, inputs, outputs);
  CHECK(y[5] == 1);
  CHECK(Buffer::stats().live == before);
  CHECK(Buffer::stats().peak - before <= 2 * kElements * 8 + 65536);
  CHECK(Buffer::stats().peak - before >= kElements * 8);
}

TEST_CASE("what the interpreter refuses, and data errors with their line") {
  ir::Graph effects = ir::parse("func @f(%x: f64[2]) -> () {\n  %0: token = neg_(%x)\n  return\n}\n");
  CHECK(error_of(effects, {}, {}) == "[interpret] the graph has effects; run functionalize first");
  ir::Graph one = ir::parse("func @f(%x: f64[2]) -> (f64[2]) {\n  return %x\n}\n");
  CHECK(error_of(one, {}, {}) == "[interpret] expected 1 inputs and 1 outputs, got 0 and 0");
  ir::Graph gather = ir::parse(
      "func @f(%x: f64[3], %i: i64[1,1]) -> (f64[1]) {\n"
      "  %0: f64[1] = gather(%x, %i) {offset_dims=[], collapsed=[0], index_map=[0], operand_batch=[], index_batch=[], "
      "sizes=[1], mode=check} loc(\"user.cpp\":8)\n  return %0\n}\n");
  double x[] = {1, 2, 3}, y = 0;
  for (int64_t i : {-3, 2, -4, 3}) {
    const void* inputs[] = {x, &i};
    void* outputs[] = {&y};
    std::string error = error_of(gather, inputs, outputs);
    CAPTURE(i);
    CHECK((error == "no error") == (i >= -3 && i < 3));
    if (error != "no error") {
      CHECK(error.starts_with("[gather] "));
      CHECK(error.ends_with("\n  at user.cpp:8"));
    }
  }
}

TEST_CASE("the target of this process is what JOT_CPU says, else the machine's best") {
  CHECK(target() <= detect_target());
  const Env::Cpu wanted[] = {Env::Cpu::reference, Env::Cpu::avx2, Env::Cpu::avx512};
  CHECK(
      (env().cpu == Env::Cpu::detect ? target() == detect_target() : env().cpu == wanted[static_cast<int>(target())]));
  CHECK(to_string(Target::avx512) == "avx512");
}

namespace {

// What work() writes to stderr.
template <class Work>
std::string logged(Work work) {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  const int before = dup(STDERR_FILENO);
  dup2(fileno(file), STDERR_FILENO);
  work();
  dup2(before, STDERR_FILENO);
  close(before);
  std::string text(static_cast<size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

}  // namespace

TEST_CASE("a processor without AVX2 runs the reference backend, and says so") {
  using Cpu = Env::Cpu;
  Target chosen = Target::avx512;
  CHECK(logged([&] { chosen = choose_target(Cpu::detect, Target::reference); }) ==
        "[jot] target: this processor has no AVX2 with FMA, F16C and BMI2: graphs are interpreted, not compiled\n");
  CHECK(chosen == Target::reference);
  // Once: the target of a process is decided once. Who asks for the reference backend is not told.
  CHECK(logged([&] { chosen = choose_target(Cpu::reference, Target::reference); }) == "");
  CHECK(logged([&] { chosen = choose_target(Cpu::detect, Target::avx2); }) == "");
  CHECK(chosen == Target::avx2);
  target();
  CHECK(logged([] { target(); }) == "");
  CHECK_THROWS_WITH_AS(
      choose_target(Cpu::avx2, Target::reference),
      "[environment] JOT_CPU=avx2: this machine has at most reference; unset JOT_CPU to let jot choose", Error);
  CHECK_THROWS_WITH_AS(choose_target(Cpu::avx512, Target::avx2),
                       "[environment] JOT_CPU=avx512: this machine has at most avx2; unset JOT_CPU to let jot choose",
                       Error);
}

TEST_CASE("the engine of the target runs a graph") {
  ir::Graph g = ir::parse("func @f(%x: f64[2]) -> (f64[2]) {\n  %0: f64[2] = neg(%x)\n  return %0\n}\n");
  for (const auto& engine : {make_engine(g), reference::make_engine(g)}) {
    double x[] = {1, -2}, y[2];
    const void* inputs[] = {x};
    void* outputs[] = {y};
    engine->run(inputs, outputs);
    CHECK(y[0] == -1);
    CHECK(y[1] == 2);
  }
  bool interpreted = target() == Target::reference;
  CHECK((make_engine(g)->stats().code_bytes == 0) == interpreted);
}
