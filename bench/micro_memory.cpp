// What memory allows: copies by hand on all threads, with stores that read what they overwrite and with stores past the
// caches; lines in order, and rows of a 6 x 6 matrix a lane (32 bytes of each of eight, as kernels load and store
// them).
#include <benchmark/benchmark.h>
#include <immintrin.h>

#include "backends/buffer.h"
#include "backends/cpu/runtime/pool.h"

using namespace jot;

namespace {

#define JOT_AVX512 __attribute__((target("avx512f")))

constexpr int64_t kMatrix = 36, kLanes = 8, kBlock = kMatrix * kLanes;  // numbers

JOT_AVX512 void copy_lines(const double* from, double* to, int64_t blocks) {
  for (int64_t i = 0; i < blocks * kBlock; i += 8) _mm512_store_pd(to + i, _mm512_load_pd(from + i));
}
JOT_AVX512 void copy_lines_past(const double* from, double* to, int64_t blocks) {
  for (int64_t i = 0; i < blocks * kBlock; i += 8) _mm512_stream_pd(to + i, _mm512_load_pd(from + i));
  _mm_sfence();
}
JOT_AVX512 void copy_rows(const double* from, double* to) {
  for (int64_t j = 0; j < kMatrix; j += 4)
    for (int64_t l = 0; l < kLanes; ++l) _mm256_store_pd(to + l * kMatrix + j, _mm256_load_pd(from + l * kMatrix + j));
}
JOT_AVX512 void copy_all_rows(const double* from, double* to, int64_t blocks) {
  for (int64_t b = 0; b < blocks; ++b) copy_rows(from + b * kBlock, to + b * kBlock);
}
// Through a tile, whose lines are then written in order.
JOT_AVX512 void copy_all_rows_past(const double* from, double* to, int64_t blocks) {
  alignas(64) double tile[kBlock];
  for (int64_t b = 0; b < blocks; ++b) {
    copy_rows(from + b * kBlock, tile);
    benchmark::ClobberMemory();
    copy_lines_past(tile, to + b * kBlock, 1);
  }
}
// And read in order.
JOT_AVX512 void copy_all_rows_by_tiles(const double* from, double* to, int64_t blocks) {
  alignas(64) double tile[kBlock], second[kBlock];
  for (int64_t b = 0; b < blocks; ++b) {
    copy_lines(from + b * kBlock, second, 1);
    benchmark::ClobberMemory();
    copy_rows(second, tile);
    benchmark::ClobberMemory();
    copy_lines_past(tile, to + b * kBlock, 1);
  }
}

void copy(benchmark::State& state, void (*f)(const double*, double*, int64_t)) {
  if (!__builtin_cpu_supports("avx512f")) return state.SkipWithError("no AVX-512");
  const int64_t matrices = state.range(0), pieces = 64, each = matrices / kLanes / pieces;
  Buffer from = Buffer::allocate(matrices * kMatrix * 8), to = Buffer::allocate(matrices * kMatrix * 8);
  auto* x = static_cast<double*>(from.data());
  auto* y = static_cast<double*>(to.data());
  std::fill_n(x, matrices * kMatrix, 1.0), std::fill_n(y, matrices * kMatrix, 1.0);
  auto body = [&](int64_t piece, int) { f(x + piece * each * kBlock, y + piece * each * kBlock, each); };
  for (auto _ : state) cpu::parallel_for(pieces, body);
  state.SetBytesProcessed(state.iterations() * pieces * each * kBlock * 16);
}
void sizes(benchmark::internal::Benchmark* b) {
  for (int64_t matrices : {10'240, 102'400, 1'024'000}) b->Arg(matrices);
  b->ArgName("matrices")->UseRealTime();
}
BENCHMARK_CAPTURE(copy, lines, copy_lines)->Apply(sizes);
BENCHMARK_CAPTURE(copy, lines_past_caches, copy_lines_past)->Apply(sizes);
BENCHMARK_CAPTURE(copy, rows, copy_all_rows)->Apply(sizes);
BENCHMARK_CAPTURE(copy, rows_past_caches, copy_all_rows_past)->Apply(sizes);
BENCHMARK_CAPTURE(copy, rows_by_tiles, copy_all_rows_by_tiles)->Apply(sizes);

}  // namespace
