// Microbenchmarks of the runtime's parts (Google Benchmark): the pool beside OpenMP and oneTBB, alone and beside busy
// processes; routines and library calls. What comes before: micro_compile.cpp.
#include <benchmark/benchmark.h>
#include <omp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <tbb/parallel_for.h>
#include <unistd.h>

#include "backends/cpu/routines/routines.h"
#include "backends/cpu/runtime/pool.h"
#include "ir/build.h"

using namespace jot;

namespace {

// ---- pool

// Processes that keep `count` processors busy.
class BusyProcesses {
 public:
  explicit BusyProcesses(int64_t count) {
    for (; count > 0; --count) {
      pid_t child = fork();
      if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) benchmark::ClobberMemory();
      }
      children_.push_back(child);
    }
  }
  ~BusyProcesses() {
    for (pid_t child : children_) kill(child, SIGKILL), waitpid(child, nullptr, 0);
  }
  BusyProcesses(const BusyProcesses&) = delete;
  BusyProcesses& operator=(const BusyProcesses&) = delete;

 private:
  std::vector<pid_t> children_;
};

constexpr int64_t kChunks = 10;

// About 20 us.
void work(int64_t chunk) {
  double x = static_cast<double>(chunk);
  for (int i = 0; i < 5000; ++i) x = x * 1.0000001 + 1;
  benchmark::DoNotOptimize(x);
}

void work_alone(benchmark::State& state) {
  for (auto _ : state)
    for (int64_t c = 0; c < kChunks; ++c) work(c);
}
BENCHMARK(work_alone)->UseRealTime();

void region_pool(benchmark::State& state) {
  BusyProcesses busy(state.range(0));
  auto body = [](int64_t chunk, int) { work(chunk); };
  for (auto _ : state) cpu::parallel_for(kChunks, body);
}
BENCHMARK(region_pool)->ArgName("busy")->Arg(0)->Arg(1)->Arg(2)->UseRealTime();

void region_openmp(benchmark::State& state) {
  BusyProcesses busy(state.range(0));
  for (auto _ : state) {
#pragma omp parallel for schedule(dynamic)
    for (int64_t c = 0; c < kChunks; ++c) work(c);
  }
}
BENCHMARK(region_openmp)->ArgName("busy")->Arg(0)->Arg(1)->Arg(2)->UseRealTime();

void region_tbb(benchmark::State& state) {
  BusyProcesses busy(state.range(0));
  for (auto _ : state) tbb::parallel_for(int64_t{0}, kChunks, work, tbb::simple_partitioner());
}
BENCHMARK(region_tbb)->ArgName("busy")->Arg(0)->Arg(1)->Arg(2)->UseRealTime();

void region_empty(benchmark::State& state) {
  auto body = [](int64_t, int) {};
  for (auto _ : state) cpu::parallel_for(2, body);
}
BENCHMARK(region_empty)->UseRealTime();

// ---- products: [B, M, K] x [B, K, N], B, K or both transposed; flops a second

enum Layout { plain, transposed_left, transposed_right };

void dot(benchmark::State& state, DType dtype, Layout layout) {
  const int64_t batch = state.range(0), m = state.range(1), n = state.range(2), k = state.range(3);
  using Dims = std::vector<int64_t>;
  ir::Builder b;
  ir::Value x = b.param({dtype, false, layout == transposed_left ? Shape{batch, k, m} : Shape{batch, m, k}});
  ir::Value y = b.param({dtype, false, layout == transposed_right ? Shape{batch, n, k} : Shape{batch, k, n}});
  ir::Value z = ir::build::dot(b, x, y, Dims{layout == transposed_left ? 1 : 2},
                               Dims{layout == transposed_right ? 2 : 1}, Dims{0}, Dims{0});
  ir::Graph g = b.finish({z});
  auto routine = cpu::make_routine(g.data(), g.data().outputs()[0], 1);
  auto buffer = [&](int64_t count) { return std::vector<double>(static_cast<size_t>(count), 1.0); };
  std::vector<double> left = buffer(batch * m * k), right = buffer(batch * k * n), out = buffer(batch * m * n);
  std::vector<double> scratch(static_cast<size_t>(routine->scratch_bytes / 8 + 16));
  auto* aligned = reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(scratch.data()) + 63) / 64 * 64);
  cpu::KernelError error;
  const void* operands[] = {left.data(), right.data()};
  for (auto _ : state) routine->run(operands, out.data(), aligned, error);
  state.counters["flops"] =
      benchmark::Counter(static_cast<double>(2 * batch * m * n * k * state.iterations()), benchmark::Counter::kIsRate);
}
void dot_sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"B", "M", "N", "K"})->UseRealTime();
  for (int64_t n : {32, 128, 512, 1024}) b->Args({1, n, n, n});
  b->Args({256, 32, 32, 32})->Args({64, 64, 64, 64})->Args({1000, 20, 20, 20})->Args({4, 256, 256, 256});
  b->Args({1, 2048, 1, 2048})->Args({1, 1, 2048, 2048})->Args({64, 256, 1, 256})->Args({1, 64, 64, 20000});
}
BENCHMARK_CAPTURE(dot, f32, f32, plain)->Apply(dot_sizes);
BENCHMARK_CAPTURE(dot, f64, f64, plain)->Apply(dot_sizes);
BENCHMARK_CAPTURE(dot, f32_left, f32, transposed_left)->Apply(dot_sizes);
BENCHMARK_CAPTURE(dot, f64_left, f64, transposed_left)->Apply(dot_sizes);
BENCHMARK_CAPTURE(dot, f32_right, f32, transposed_right)->Apply(dot_sizes);
BENCHMARK_CAPTURE(dot, f64_right, f64, transposed_right)->Apply(dot_sizes);

// ---- routines: bytes moved a second

void run_routine(benchmark::State& state, const ir::Graph& graph, int64_t bytes) {
  const ir::GraphData& g = graph.data();
  const ir::Value v = g.outputs()[0];
  auto routine = cpu::make_routine(g, v, 1);
  std::vector<std::vector<double>> memory;
  std::vector<const void*> operands;
  auto allocate = [&](ir::Value x) {
    memory.emplace_back(static_cast<size_t>(g.shape(x).numel() * size_of(g.dtype(x)) / 8 + 9));
    return reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(memory.back().data()) + 63) / 64 * 64);
  };
  for (ir::Value o : g.operands(v)) operands.push_back(allocate(o));
  std::byte* out = allocate(v);
  cpu::KernelError error;
  for (auto _ : state) routine->run(operands, out, nullptr, error);
  state.SetBytesProcessed(bytes * state.iterations());
}

void permute(benchmark::State& state, DType dtype) {
  ir::Builder b;
  ir::Value x = b.param({dtype, false, {state.range(0), state.range(1)}});
  ir::Value y = ir::build::permute(b, x, std::vector<int64_t>{1, 0});
  run_routine(state, b.finish({y}), 2 * b.shape(x).numel() * size_of(dtype));
}
BENCHMARK_CAPTURE(permute, f32, f32)->Args({64, 512})->Args({1000, 1000})->Args({4096, 4096})->UseRealTime();
BENCHMARK_CAPTURE(permute, f64, f64)->Args({64, 512})->Args({1000, 1000})->Args({4096, 4096})->UseRealTime();

void reduce(benchmark::State& state, DType dtype, std::vector<int64_t> dims) {
  ir::Builder b;
  ir::Value x = b.param({dtype, false, {state.range(0), state.range(1)}});
  const int64_t bytes = b.shape(x).numel() * size_of(dtype);
  ir::Value y = ir::build::reduce_sum(b, x, dims);
  run_routine(state, b.finish({y}), bytes);
}
BENCHMARK_CAPTURE(reduce, f32_columns, f32, {0})->Args({64, 512})->Args({4096, 4096})->UseRealTime();
BENCHMARK_CAPTURE(reduce, f64_columns, f64, {0})->Args({64, 512})->Args({4096, 4096})->UseRealTime();
BENCHMARK_CAPTURE(reduce, f32_all, f32, {0, 1})->Args({64, 512})->Args({4096, 4096})->UseRealTime();
BENCHMARK_CAPTURE(reduce, f32_rows, f32, {1})->Args({64, 512})->Args({4096, 4096})->UseRealTime();

void draw(benchmark::State& state, int64_t width) {
  ir::Builder b;
  ir::Value key = b.param({i64, false, {2}}), offset = b.param({i64, false, {}});
  ir::Value bits = b.emit(ir::Op::random_bits_op, {key, offset}, ir::Attrs(Shape{state.range(0)}, width));
  run_routine(state, b.finish({bits}), state.range(0) * width / 8);
}
BENCHMARK_CAPTURE(draw, i32, 32)->Arg(1000)->Arg(1'000'000)->UseRealTime();
BENCHMARK_CAPTURE(draw, i64, 64)->Arg(1000)->Arg(1'000'000)->UseRealTime();

// Rows of a table of 10,000, or single elements of a vector of 10^6.
void gather(benchmark::State& state) {
  const int64_t row = state.range(1), rows = row == 1 ? 1'000'000 : 10'000;
  ir::Builder b;
  ir::Value x = b.param({f32, false, {rows, row}}), i = b.param({i64, false, {state.range(0), 1}});
  ir::build::GatherDims dims{{1}, {0}, {0}, {}, {}};
  ir::Value y = ir::build::gather(b, x, i, dims, std::vector<int64_t>{1, row}, ir::IndexMode::check);
  run_routine(state, b.finish({y}), state.range(0) * (8 + 8 * row));
}
BENCHMARK(gather)->Args({10'000, 1})->Args({1'000'000, 1})->Args({10'000, 64})->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
