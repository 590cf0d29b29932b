// Microbenchmarks of what a call and its compilation are made of: recording, passes, comparison, caches, emission,
// dispatch. Items are nodes (instructions for emission), so that time an item is to be read.
#include <benchmark/benchmark.h>

#include "backends/cpu/emit/emit.h"
#include "backends/cpu/executable.h"
#include "backends/cpu/ship/export.h"
#include "chain.h"
#include "core/cache/engine_cache.h"
#include "ir/graph.h"
#include "passes/functionalize.h"
#include "passes/pipeline.h"
#include "passes/registry.h"

using namespace jot;

namespace {

constexpr int64_t kSteps = 1000;  // four nodes each

Tensor point() { return tensor({0.3, 0.4}, f64); }
Tensor chain(const Tensor& x) { return bench::chain_sum(x, kSteps); }

// The recorded chain, and the same without effects.
ir::Graph recorded() { return trace(chain, point()); }
// A graph of writes through a view.
ir::Graph written() {
  return trace(
      [](const Tensor& x) {
        Tensor y = x.clone();
        for (int64_t i = 0; i < kSteps; ++i) y.slice(0, 0, 1).mul_(y[1]);
        return y;
      },
      point());
}
ir::Graph pure() { return passes::functionalize(recorded()); }
// A chain that is linear, as a transposition takes it.
ir::Graph linear() {
  return passes::functionalize(trace(
      [](const Tensor& x) {
        Tensor a = x[0], b = x[1], total = b;
        for (int64_t i = 0; i < kSteps; ++i) {
          Tensor next = 0.5 * a - b;
          a = b;
          b = next;
          total = total + b;
        }
        return total;
      },
      point()));
}

void items(benchmark::State& state, int64_t count) {
  state.counters["time_an_item"] = benchmark::Counter(static_cast<double>(state.iterations() * count),
                                                      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void record(benchmark::State& state) {
  Tensor x = point();
  for (auto _ : state) benchmark::DoNotOptimize(trace(chain, x));
  items(state, recorded().num_nodes());
}
BENCHMARK(record);

// A pass or transform on the chain, or on what `before` makes of it.
void pass(benchmark::State& state, const std::string& name, const std::string& before) {
  ir::Graph g = before.empty()       ? pure()
                : before == "writes" ? written()
                : before == "linear" ? linear()
                                     : passes::pass_named(before).run(pure(), {});
  const passes::NamedPass& pass = passes::pass_named(name);
  for (auto _ : state) benchmark::DoNotOptimize(pass.run(g, {}));
  items(state, g.num_nodes());
}

// Machine code for both instruction sets, as a file, of a chain of so many nodes or of its gradient.
void export_chain(benchmark::State& state, bool gradient) {
  const int64_t steps = state.range(0) / 4;
  auto f = [steps](const Tensor& x) { return bench::chain_sum(x, steps); };
  const ir::Graph made = gradient ? trace(grad(f), point()) : trace(f, point());
  const ir::Graph graph = make_engine(passes::optimize(made))->graph();
  const cpu::ExportedFunction function{"f", graph, {std::span<const std::byte>()}, {"x"}, {"y"}};
  for (auto _ : state)
    benchmark::DoNotOptimize(cpu::object_file(cpu::export_plain(function, true, "export_object").image));
  items(state, state.range(0));
}
BENCHMARK_CAPTURE(export_chain, value, false)->Arg(1000)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(export_chain, gradient, true)->Arg(1000)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

void hash(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();  // a graph keeps its hash
    ir::Graph g = recorded();
    state.ResumeTiming();
    benchmark::DoNotOptimize(g.hash());
  }
  items(state, recorded().num_nodes());
}
BENCHMARK(hash);

void compare(benchmark::State& state) {
  ir::Graph a = recorded(), b = recorded();
  for (auto _ : state) benchmark::DoNotOptimize(a == b);
  items(state, a.num_nodes());
}
BENCHMARK(compare);

// Hits of the cache of executables: the graph is compared.
void cache_lookup(benchmark::State& state) {
  ir::Graph kept = recorded(), g = recorded();
  auto first = compile_cached(kept, false);
  g.hash();
  for (auto _ : state) benchmark::DoNotOptimize(compile_cached(g, false));
  items(state, g.num_nodes());
}
BENCHMARK(cache_lookup);

// The largest kernel of a graph.
cpu::LazyKernel largest_kernel(const ir::Graph& graph) {
  cpu::Compiled made = cpu::compile(optimize(graph), {.vector_bytes = target() == Target::avx512 ? 64 : 32});
  cpu::LazyKernel kernel{cpu::Kernel()};
  for (const cpu::Step& step : made.program.steps)
    if (const auto* k = std::get_if<cpu::KernelStep>(&step.what))
      if (k->kernel->instrs.size() > kernel->instrs.size()) kernel = k->kernel;
  return kernel;
}

void emit_kernel(benchmark::State& state, const ir::Graph& graph) {
  if (target() == Target::reference) return state.SkipWithError("no machine code on this target");
  auto kernel = largest_kernel(graph);
  for (auto _ : state) benchmark::DoNotOptimize(cpu::emit(*kernel, target(), false));
  items(state, static_cast<int64_t>(kernel->instrs.size()));
}

// From graph to kernels and steps, without machine code.
void lower(benchmark::State& state) {
  ir::Graph g = optimize(passes::pass_named("grad").run(pure(), {}));
  for (auto _ : state) benchmark::DoNotOptimize(cpu::compile(g, {}));
  items(state, g.num_nodes());
}
BENCHMARK(lower);

// A call that computes next to nothing: through `jit`, through `compile`, with raw pointers.
void dispatch_jit(benchmark::State& state) {
  auto f = jit([](const Tensor& x) { return x + 1; });
  Tensor x = point();
  for (auto _ : state) benchmark::DoNotOptimize(f(x));
}
BENCHMARK(dispatch_jit);

void dispatch_compiled(benchmark::State& state) {
  Tensor x = point();
  auto f = compile([](const Tensor& v) { return v + 1; }, x);
  for (auto _ : state) benchmark::DoNotOptimize(f(x));
}
BENCHMARK(dispatch_compiled);

void dispatch_pointers(benchmark::State& state) {
  auto f = compile([](const Tensor& v) { return v + 1; }, point());
  double x[2] = {0.3, 0.4}, y[2];
  const void* in[] = {x};
  void* out[] = {y};
  for (auto _ : state) {
    f.run_into(in, out);
    benchmark::DoNotOptimize(y);
  }
}
BENCHMARK(dispatch_pointers);

// A hundred parameters of four elements, by name: what a call costs beyond its kernel is the difference of the two.
TensorDict parameters() {
  TensorDict all;
  for (int i = 0; i < 100; ++i) all["layers." + std::to_string(i) + ".weight"] = full({4}, 0.01 * i, f64);
  return all;
}
Tensor sum_of(const TensorDict& all) {
  Tensor total = zeros({4}, f64);
  for (const auto& [name, p] : all) total = total + p * p;
  return total;
}
void parameters_jit(benchmark::State& state) {
  const TensorDict all = parameters();
  auto f = jit(sum_of);
  for (auto _ : state) benchmark::DoNotOptimize(f(all));
}
BENCHMARK(parameters_jit);

void parameters_pointers(benchmark::State& state) {
  const TensorDict all = parameters();
  auto f = compile(sum_of, all);
  std::vector<const void*> in;
  for (const auto& [name, p] : all) in.push_back(p.data<double>());
  double y[4];
  void* out[] = {y};
  for (auto _ : state) {
    f.run_into(in, out);
    benchmark::DoNotOptimize(y);
  }
}
BENCHMARK(parameters_pointers);

// Not jitted: recorded, looked up, run.
void dispatch_recorded(benchmark::State& state) {
  Tensor x = point();
  for (auto _ : state) (x + 1).eval();
}
BENCHMARK(dispatch_recorded);

[[maybe_unused]] const bool registered = [] {
  for (const passes::NamedPass& p : passes::all_passes()) {
    const std::string name(p.name);
    const std::string before = name == "functionalize" ? "writes" : name == "transpose" ? "linear" : "";
    benchmark::RegisterBenchmark(("pass/" + name).c_str(), pass, name, before);
    if (name == "simplify" || name == "dce")
      benchmark::RegisterBenchmark(("pass/" + name + "/grad").c_str(), pass, name, "grad");
  }
  benchmark::RegisterBenchmark("emit/chain", [](benchmark::State& state) { emit_kernel(state, pure()); });
  benchmark::RegisterBenchmark("emit/lanes", [](benchmark::State& state) {
    emit_kernel(state, trace(vmap(chain), ones({64, 2}, f64)));
  });
  return true;
}();

}  // namespace
