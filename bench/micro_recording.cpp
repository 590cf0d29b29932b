// What a step costs whose operations and transforms are recorded anew each time, beside the jitted one: the extended
// Kalman filter of docs/examples/ekf.h.
#include <benchmark/benchmark.h>
#include <jot/jot.h>

#include <chrono>

#include "docs/examples/ekf.h"

using namespace jot;

namespace {

template <class F>
void run_filter(benchmark::State& state, F&& step) {
  ekf::Estimate e = ekf::start();
  for (auto _ : state) {
    e = step(e, tensor({10., 12.}, f64));
    e.mean.eval();
  }
}
void ekf_unjitted(benchmark::State& state) { run_filter(state, ekf::step); }
void ekf_jitted(benchmark::State& state) { run_filter(state, jit(ekf::step)); }
BENCHMARK(ekf_unjitted);
BENCHMARK(ekf_jitted);

// The time of the first by that of the second, which take turns: the load of the machine cancels out.
void ekf_unjitted_by_jitted(benchmark::State& state) {
  using Clock = std::chrono::steady_clock;
  constexpr int kSteps = 500;  // of a turn
  auto jitted = jit(ekf::step);
  Clock::duration times[2] = {};
  ekf::Estimate e = ekf::start();
  for (auto _ : state)
    for (bool compiled : {false, true}) {
      auto begin = Clock::now();
      for (int i = 0; i < kSteps; ++i) {
        Tensor z = tensor({10., 12.}, f64);
        e = compiled ? jitted(e, z) : ekf::step(e, z);
        e.mean.eval();
      }
      times[compiled] += Clock::now() - begin;
    }
  state.counters["ratio"] = std::chrono::duration<double>(times[0]) / std::chrono::duration<double>(times[1]);
}
BENCHMARK(ekf_unjitted_by_jitted);

// A step of Adam over ten parameters of n elements: in one kernel, or as many as processors follow streams.
void adam_step(benchmark::State& state) {
  TensorDict p, g;
  for (int i = 0; i < 10; ++i) {
    const std::string name = "w" + std::to_string(i);
    p[name] = randn({state.range(0)}, f32).eval();
    g[name] = randn({state.range(0)}, f32).eval();
  }
  const optim::Adam adam({.lr = 1e-3});
  for (int i = 0; i < 3; ++i) adam.step(p, g);
  for (auto _ : state) adam.step(p, g);
  state.SetBytesProcessed(state.iterations() * 10 * state.range(0) * 7 * 4);
}
BENCHMARK(adam_step)->Arg(1'000)->Arg(100'000)->Arg(1'000'000)->UseRealTime();

}  // namespace
