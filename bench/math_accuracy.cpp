// The accuracy of compiled vector math: f32 on all 2^32 arguments, f64 on random bit patterns.
//
//   math_accuracy [f32 | f64] [function ...] [COUNT]     on so many arguments only; JOT_CPU chooses the target
//
// Fails where an error is above 2 ulp.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <thread>

#include "tests/backends/math_error.h"

using namespace jot;
using namespace jot::test;

namespace {

struct Worst {
  double error = 0;
  uint64_t argument = 0;
  int64_t over[3] = {};  // arguments with an error above 1, 1.5, 2
  void see(double e, uint64_t x) {
    over[0] += e > 1, over[1] += e > 1.5, over[2] += e > 2;
    if (e > error) error = e, argument = x;
  }
  void merge(const Worst& w) {
    for (int i = 0; i < 3; ++i) over[i] += w.over[i];
    if (w.error > error) error = w.error, argument = w.argument;
  }
};

// Arguments by number, of so many: f32 bits in equal steps; f64 random patterns, every other one of moderate size.
template <class T>
T argument(uint64_t i, uint64_t count) {
  if constexpr (sizeof(T) == 4) {
    return std::bit_cast<float>(static_cast<uint32_t>(i * ((uint64_t{1} << 32) / count)));
  } else {
    uint64_t z = (i / 2 + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    if (i % 2) z = (z & 0x800fffffffffffffu) | (1023 - 40 + (z >> 52) % 52) << 52;
    return std::bit_cast<double>(z);
  }
}

template <class T>
Worst part(const MathFunction& f, const cpu::Kernel& kernel, uint64_t begin, uint64_t end, uint64_t count) {
  CompiledMath run(kernel, target());
  constexpr uint64_t kBlock = 1 << 14;
  std::vector<T> x(kBlock), y(kBlock);
  Worst worst;
  for (uint64_t at = begin; at < end; at += kBlock) {
    size_t n = static_cast<size_t>(std::min(kBlock, end - at));
    for (size_t i = 0; i < n; ++i) x[i] = argument<T>(at + i, count);
    run(std::span<const T>(x.data(), n), std::span<T>(y.data(), n));
    for (size_t i = 0; i < n; ++i) {
      double e;
      if constexpr (sizeof(T) == 4)
        e = ulp_error(y[i], f.truth32(static_cast<double>(x[i])));
      else
        e = ulp_error(y[i], f.truth(static_cast<long double>(x[i])));
      if (e != 0) worst.see(e, std::bit_cast<std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>(x[i]));
    }
  }
  return worst;
}

template <class T>
bool measure(const MathFunction& f, uint64_t count) {
  const int lanes = (target() == Target::avx512 ? 64 : 32) / static_cast<int>(sizeof(T));
  const cpu::Kernel kernel = math_kernel<T>(f, lanes);
  const uint64_t threads = std::max(1u, std::thread::hardware_concurrency());
  std::vector<Worst> worst(threads);
  std::vector<std::thread> running;
  for (uint64_t t = 0; t < threads; ++t)
    running.emplace_back(
        [&, t] { worst[t] = part<T>(f, kernel, count * t / threads, count * (t + 1) / threads, count); });
  for (auto& t : running) t.join();
  for (uint64_t t = 1; t < threads; ++t) worst[0].merge(worst[t]);
  const Worst& w = worst[0];
  T x;
  std::memcpy(&x, &w.argument, sizeof x);
  std::printf("%-9s f%zu %s  worst %.3f ulp at %.17g (0x%llx); above 1: %lld, 1.5: %lld, 2: %lld of %llu\n",
              f.name.data(), 8 * sizeof(T), to_string(target()).data(), w.error, static_cast<double>(x),
              static_cast<unsigned long long>(w.argument), static_cast<long long>(w.over[0]),
              static_cast<long long>(w.over[1]), static_cast<long long>(w.over[2]),
              static_cast<unsigned long long>(count));
  std::fflush(stdout);
  return w.over[2] == 0;
}

}  // namespace

int main(int argc, char** argv) {
  bool f32 = false, f64 = false, good = true;
  uint64_t count = 0;
  std::vector<MathFunction> chosen;
  for (std::string_view word : std::span(argv + 1, argv + argc)) {
    auto function = std::ranges::find(kMathFunctions, word, &MathFunction::name);
    if (word == "f32" || word == "f64")
      (word == "f32" ? f32 : f64) = true;
    else if (function != std::end(kMathFunctions))
      chosen.push_back(*function);
    else if (count = std::strtoull(word.data(), nullptr, 10); count == 0)
      return std::fprintf(stderr, "math_accuracy: neither a function nor a count: %s\n", word.data()), 2;
  }
  if (target() == Target::reference) return std::puts("no vector math on this target"), 0;
  if (chosen.empty()) chosen.assign(std::begin(kMathFunctions), std::end(kMathFunctions));
  for (const MathFunction& f : chosen) {
    if (f64 || !f32) good &= measure<double>(f, count ? count : 10'000'000);
    if (f32 || !f64) good &= measure<float>(f, count ? count : uint64_t{1} << 32);
  }
  return good ? 0 : 1;
}
