// The figures of the road from a C++ function to a cached, compiled jacobian, each benchmark run once a process:
// bench/road.py starts it again and again, judges the figures and sets JAX beside them.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>

#include "backends/cpu/executable.h"
#include "chain.h"
#include "contender.h"
#include "docs/examples/bundle_adjustment.h"

using namespace jot;

namespace {

using Clock = std::chrono::steady_clock;

template <class F>
double microseconds(F&& f) {
  Clock::time_point start = Clock::now();
  f();
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

// The benchmark's own time is that of a steady call. Counter compile_us: the first call less a steady one.
template <class F>
double measure(benchmark::State& state, F&& call) {
  const double first = microseconds(call);
  Clock::time_point start = Clock::now();
  for (auto _ : state) call();
  const double total = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
  const double compile = std::max(0.0, first - total / static_cast<double>(state.iterations()));
  state.counters["compile_us"] = compile;
  return compile;
}

// As in the bench.
void workload(benchmark::State& state, const std::string& name) {
  for (const bench::Contender& c : bench::contenders()) {
    if (c.name != "jot" || c.workload != name) continue;
    bench::Job job = c.make(bench::Size::full);
    measure(state, job.call);
    for (const auto& [figure, value] : job.stats()) state.counters[figure] = static_cast<double>(value);
  }
}
BENCHMARK_CAPTURE(workload, lin33, "lin33")->Iterations(20'000)->UseRealTime();
BENCHMARK_CAPTURE(workload, lin33t, "lin33t")->Iterations(20'000)->UseRealTime();
BENCHMARK_CAPTURE(workload, ba, "ba")->Iterations(100)->UseRealTime();
BENCHMARK_CAPTURE(workload, lorenz, "lorenz")->Iterations(300)->UseRealTime();
BENCHMARK_CAPTURE(workload, elem, "elem")->Iterations(10)->UseRealTime();

// Not jitted: recorded in every call, expanded and compiled in the first, then found by comparison.
void lin33_recorded(benchmark::State& state) {
  Tensor W = tensor({{.1, .2, .3}, {.4, .5, .6}, {.7, .8, .9}}), b = tensor({1., 2., 3.}), x = tensor({.1, .2, .3});
  auto f = [=](const Tensor& v) { return matmul(W, v) + b; };
  measure(state, [&] { jacrev(f)(x).eval(); });
}
BENCHMARK(lin33_recorded)->Iterations(2'000)->UseRealTime();

// Bundle adjustment with 31,000 observations after 31,843: the first such call less a steady one, and the kernels that
// another new number of observations compiles.
void ba_new_batch(benchmark::State& state) {
  namespace ba = bundle_adjustment;
  const ba::Problem all = ba::read_problem(bench::kBaFile), fewer = ba::head(all, 31'000), few = ba::head(all, 30'000);
  fewer.weights.eval(), fewer.features.eval(), fewer.camera_index.eval(), fewer.point_index.eval();
  auto f = [](const auto&... inputs) { return ba::jacobian(inputs...); };
  auto call = [g = jit(f)](const ba::Problem& p) {
    g(p.cameras, p.points, p.weights, p.features, p.camera_index, p.point_index);
  };
  for (int i = 0; i < 20; ++i) call(all);
  const double first = microseconds([&] { call(fewer); });
  std::vector<double> steady;
  for (int i = 0; i < 21; ++i) steady.push_back(microseconds([&] { call(fewer); }));
  std::nth_element(steady.begin(), steady.begin() + 10, steady.end());
  state.counters["extra_us"] = first - steady[10];
  state.counters["kernels_compiled"] = static_cast<double>(
      compile(f, few.cameras, few.points, few.weights, few.features, few.camera_index, few.point_index)
          .stats()
          .kernels_compiled);
  for (auto _ : state) call(fewer);
}
BENCHMARK(ba_new_batch)->Iterations(20)->UseRealTime();

// Compilation, recording included, and code of a scalar program, for each of its steps.
template <class F>
void chain_with(benchmark::State& state, F&& f) {
  const auto steps = static_cast<double>(state.range(0));
  Tensor x = tensor({0.3, 0.4}, f64);
  state.counters["us_a_step"] = measure(state, [&, g = jit(f)] { g(x); }) / steps;
  state.counters["bytes_a_step"] = static_cast<double>(compile(f, x).stats().code_bytes) / steps;
}
void chain(benchmark::State& state) {
  chain_with(state, [n = state.range(0)](const Tensor& v) { return bench::chain_sum(v, n); });
}
void chain_grad(benchmark::State& state) {
  chain_with(state, grad([n = state.range(0)](const Tensor& v) { return bench::chain_sum(v, n); }));
}
BENCHMARK(chain)->RangeMultiplier(10)->Range(100, 100'000)->Iterations(5)->UseRealTime();
BENCHMARK(chain_grad)->RangeMultiplier(10)->Range(100, 100'000)->Iterations(5)->UseRealTime();

// Memory of the gradient of a network of four layers over the largest set of values alive at once.
void mlp_arena(benchmark::State& state) {
  auto loss = [](const std::vector<Tensor>& weights, const Tensor& x) {
    Tensor y = x;
    for (const Tensor& w : weights) y = tanh(matmul(y, w));
    return sum(y * y);
  };
  std::vector<Tensor> weights(4, ones({128, 128}));
  const ir::Graph graph = optimize(trace(grad(loss), weights, ones({256, 128})));
  cpu::Compiled made = cpu::compile(graph, {});
  for (auto _ : state) benchmark::DoNotOptimize(made);
  state.counters["arena_bytes"] = static_cast<double>(made.program.arena_bytes);
  state.counters["arena_over_live"] =
      static_cast<double>(made.program.arena_bytes) / static_cast<double>(made.largest_live_set);
}
BENCHMARK(mlp_arena)->Iterations(1);

}  // namespace

// As in the bench: compilation is timed once the library has been used on another function.
int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  jit([](const Tensor& x) { return sin(x) + 1; })(tensor({0.3, 0.4}, f64)).eval();
  benchmark::RunSpecifiedBenchmarks();
}
