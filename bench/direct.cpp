// The libraries and loops that jot ends up at, called directly: what the rest of jot costs on top.
#include <omp.h>
#include <dnnl.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "backends/cpu/library/blas.h"
#include "contender.h"

namespace bench {
namespace {

template <class T>
std::vector<T> numbers(uint64_t seed, int64_t n, double scale = 0.2) {
  std::vector<T> v(static_cast<size_t>(n));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<T>(scale * uniform(seed, i));
  return v;
}

template <class T>
struct Product {
  std::vector<T> a, b, c;
};

template <class T>
Job gemm(int64_t n, Size size, void (*multiply)(int64_t, Product<T>&)) {
  if (size == Size::toy) n = 8;
  jot::cpu::blas().openblas_set_num_threads(omp_get_max_threads());
  auto p = std::make_shared<Product<T>>();
  *p = {numbers<T>(1, n * n), numbers<T>(2, n * n), std::vector<T>(static_cast<size_t>(n * n))};
  return {[=] { multiply(n, *p); }, [=] { return std::vector<std::vector<double>>{{p->c.begin(), p->c.end()}}; }};
}

void multiply_f32(int64_t n, Product<float>& p) {
  dnnl::sgemm('N', 'N', n, n, n, 1, p.a.data(), n, p.b.data(), n, 0, p.c.data(), n);
}
void multiply_f64(int64_t n, Product<double>& p) {
  auto i = static_cast<blasint>(n);
  jot::cpu::blas().cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, i, i, i, 1, p.a.data(), i, p.b.data(), i, 0,
                               p.c.data(), i);
}

Job stream(Size size) {
  int64_t n = size == Size::toy ? 1000 : 20'000'000;
  auto p = std::make_shared<Product<double>>();
  *p = {numbers<double>(1, n), numbers<double>(2, n), std::vector<double>(static_cast<size_t>(n))};
  return {[=] {
            const double *a = p->a.data(), *b = p->b.data();
            double* c = p->c.data();
#pragma omp parallel for simd
            for (int64_t i = 0; i < n; ++i) c[i] = a[i] + 3.0 * b[i];
          },
          [=] { return std::vector<std::vector<double>>{p->c}; }};
}

// As many lanes at a time as a register has: each group takes the steps of its longest lane.
Job newton(Size size) {
#ifdef __AVX512F__
  constexpr size_t kLanes = 8;
#else
  constexpr size_t kLanes = 4;
#endif
  struct Group {
    alignas(64) double cubes[kLanes], roots[kLanes];
  };
  const size_t n = size == Size::toy ? 20 : 10'000;
  auto groups = std::make_shared<std::vector<Group>>((n + kLanes - 1) / kLanes);
  for (Group& g : *groups) std::ranges::fill(g.cubes, 1.0);
  for (size_t i = 0; i < n; ++i) (*groups)[i / kLanes].cubes[i % kLanes] = std::exp2(79 * (uniform(1, i) - 0.5) - 39.5);
  return {[=] {
#pragma omp parallel for
            for (Group& g : *groups) {
              std::ranges::fill(g.roots, 1.0);
              for (int64_t running = 1; running != 0;) {
                running = 0;
#pragma omp simd reduction(+ : running)
                for (size_t i = 0; i < kLanes; ++i) {
                  const double y = g.roots[i], rest = y * y * y - g.cubes[i];
                  const bool runs = std::abs(rest) > 1e-12 * g.cubes[i];
                  g.roots[i] = runs ? y - rest / (3 * y * y) : y;
                  running += runs;
                }
              }
            }
          },
          [=] {
            std::vector<double> roots(n);
            for (size_t i = 0; i < n; ++i) roots[i] = (*groups)[i / kLanes].roots[i % kLanes];
            return std::vector<std::vector<double>>{roots};
          }};
}

}  // namespace

void add_direct(std::vector<Contender>& all) {
  const dnnl_version_t* v = dnnl_version();
  const std::string onednn = "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor);
  const jot::cpu::Blas& blas = jot::cpu::blas();
  const bool one_thread = blas.openblas_get_parallel() == OPENBLAS_SEQUENTIAL;
  for (int64_t n : {32, 64, 128, 256, 512, 1024, 2048}) {
    const std::string suffix = "-" + std::to_string(n);
    all.push_back({"direct", "gemm-f32" + suffix, "", [=](Size s) { return gemm<float>(n, s, multiply_f32); }, onednn});
    all.push_back({"direct", "gemm-f64" + suffix, "", [=](Size s) { return gemm<double>(n, s, multiply_f64); },
                   blas.title, one_thread});
  }
  all.push_back({"direct", "stream", "", stream, "a loop under OpenMP"});
  all.push_back({"direct", "newton", "", newton, "a loop under OpenMP"});
}

}  // namespace bench
