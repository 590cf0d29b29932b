// What writes cost: an update in place beside the size of what it updates, loops of writes outside transforms, and a
// chain of writes beside its pure form.
#include <benchmark/benchmark.h>
#include <jot/jot.h>

#include "backends/buffer.h"
#include "core/cache/engine_cache.h"

using namespace jot;

namespace {

// A jitted call that writes one row, of 8 KB, of an f64 matrix; bytes: what a call allocates at most.
void update_row(benchmark::State& state) {
  constexpr int64_t kColumns = 1024;
  const int64_t rows = state.range(0) * (1 << 20) / (kColumns * 8);
  Tensor x = zeros({rows, kColumns}, f64), row = ones({kColumns}, f64);
  auto update = jit([](const Tensor& x, const Tensor& row) {
    x[3].copy_(row);
    return row[0];
  });
  for (int i = 0; i < 3; ++i) update(x, row);
  for (auto _ : state) benchmark::DoNotOptimize(update(x, row));
  Buffer::reset_peak();
  const int64_t before = Buffer::stats().live;
  update(x, row);
  state.counters["bytes"] = static_cast<double>(Buffer::stats().peak - before);
}
BENCHMARK(update_row)->ArgName("MB")->Arg(1)->Arg(100);

constexpr int64_t kWrites = 100'000;

void report(benchmark::State& state, int64_t compiled_before) {
  state.counters["time_a_write"] = benchmark::Counter(static_cast<double>(state.iterations() * kWrites),
                                                      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["compilations"] = static_cast<double>(engine_cache_info().misses - compiled_before);
}

// x += 0.1 i, 10^5 times, outside transforms.
void add_loop(benchmark::State& state) {
  static const int64_t before = engine_cache_info().misses;  // of the first of several runs
  for (auto _ : state) {
    Tensor x = zeros({8}, f64);
    for (int64_t i = 0; i < kWrites; ++i) x.add_(0.1 * static_cast<double>(i));
    x.eval();
  }
  report(state, before);
}
BENCHMARK(add_loop)->Unit(benchmark::kMillisecond);

// a[i % n] = v, 10^5 times, outside transforms.
void write_loop(benchmark::State& state) {
  static const int64_t before = engine_cache_info().misses;  // of the first of several runs
  for (auto _ : state) {
    Tensor a = zeros({16}, f64);
    for (int64_t i = 0; i < kWrites; ++i) a[i % 16] = 0.5 * static_cast<double>(i);
    a.eval();
  }
  report(state, before);
}
BENCHMARK(write_loop)->Unit(benchmark::kMillisecond);

// Eight updates in place of a copy, and the same as values.
Tensor written(const Tensor& x) {
  Tensor y = x.clone();
  for (int i = 0; i < 8; ++i) y.add_(x).mul_(0.5);
  return y;
}
Tensor pure(const Tensor& x) {
  Tensor y = x;
  for (int i = 0; i < 8; ++i) y = (y + x) * 0.5;
  return y;
}
void chain_of(benchmark::State& state, Tensor (*f)(const Tensor&)) {
  auto g = jit(f);
  Tensor x = ones({1 << 16}, f64);
  for (auto _ : state) benchmark::DoNotOptimize(g(x));
}
BENCHMARK_CAPTURE(chain_of, writes, written);
BENCHMARK_CAPTURE(chain_of, values, pure);

}  // namespace
