// The speed of compiled vector math beside SLEEF's (u10: within 1 ulp; erfc u15), in turns, in the first-level cache,
// on one thread: a table. Arguments are where the function is usually taken, the same for both.
//
//   math_speed [function ...]     JOT_CPU chooses the target; --smoke: every function once
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <set>

#include "bench/sleef_loops.h"
#include "tests/backends/math_error.h"

using namespace jot;
using namespace jot::test;

namespace {

constexpr size_t kElements = 1024;

// Nanoseconds an element, the least of many turns.
struct Speed {
  double own = 1e9, sleef = 1e9;
};

template <class T, class Call>
void turn(double& least, Call call) {
  const auto start = std::chrono::steady_clock::now();
  constexpr int kCalls = 16;
  for (int i = 0; i < kCalls; ++i) {
    call();
    asm volatile("" ::: "memory");
  }
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  least = std::min(least, took.count() / (kCalls * kElements));
}

template <class T>
Speed measure(const MathFunction& f, void (*sleef)(const T*, const T*, T*, size_t), int turns) {
  std::vector<T> x(kElements), y(kElements), z(kElements);
  for (size_t i = 0; i < kElements; ++i) {
    const double at = static_cast<double>(i * 37 % kElements) / kElements;
    x[i] = static_cast<T>(f.x.low + (f.x.high - f.x.low) * (static_cast<double>(i) + 0.5) / kElements);
    y[i] = static_cast<T>(f.y.low + (f.y.high - f.y.low) * at);
  }
  CompiledMath run(math_kernel<T>(f, lanes_of<T>(target())), target());
  Speed speed;
  for (int i = 0; i < turns; ++i) {
    turn<T>(speed.own, [&] { run(f.operands, std::span<const T>(x), std::span<const T>(y), std::span<T>(z)); });
    if (sleef) turn<T>(speed.sleef, [&] { sleef(x.data(), y.data(), z.data(), kElements); });
  }
  return speed;
}

}  // namespace

int main(int argc, char** argv) {
  if (target() == Target::reference) return std::puts("no vector math on this target"), 0;
  std::set<std::string_view> chosen(argv + 1, argv + argc);
  const int turns = chosen.erase("--smoke") ? 1 : 400;
  const auto& sleef = target() == Target::avx512 ? bench::sleef_avx512 : bench::sleef_avx2;
  std::printf("| %s, elements a ns | f32 | SLEEF | ratio | f64 | SLEEF | ratio |\n|---|--:|--:|--:|--:|--:|--:|\n",
              to_string(target()).data());
  for (const MathFunction& f : kMathFunctions) {
    auto peer = std::ranges::find(sleef, f.name, &bench::SleefFunction::name);
    const bool has = peer != std::end(sleef);
    if (chosen.empty() ? is_out_of_line(f) : !chosen.contains(f.name)) continue;
    auto cells = [](const Speed& s, bool with_sleef) {
      if (with_sleef)
        std::printf(" %.2f | %.2f | %.2f |", 1 / s.own, 1 / s.sleef, s.sleef / s.own);
      else
        std::printf(" %.2f | | |", 1 / s.own);
    };
    std::printf("| %s |", f.name.data());
    cells(measure<float>(f, has ? peer->f32 : nullptr, turns), has);
    cells(measure<double>(f, has ? peer->f64 : nullptr, turns), has);
    std::puts("");
    std::fflush(stdout);
  }
  return 0;
}
