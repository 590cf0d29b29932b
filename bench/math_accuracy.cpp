// The accuracy of compiled vector math: f32 functions of one argument on all 2^32 arguments, of two on 10^8 pairs, f64
// on 10^7, half of them random bit patterns, half where the function is usually taken.
//
//   math_accuracy [f32 | f64] [function ...] [COUNT]     on so many arguments only; JOT_CPU chooses the target
//
// The truth of f64 is computed in long double, that of f32 by the compiled f64 function. Fails where an error is above
// the function's limit.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "tests/backends/math_error.h"

using namespace jot;
using namespace jot::test;

namespace {

struct Worst {
  double error = 0;
  double x = 0, y = 0;
  int64_t over[4] = {};  // arguments with an error above 1, 1.5, 2 and the limit
  void see(double e, double limit, double x_there, double y_there) {
    over[0] += e > 1, over[1] += e > 1.5, over[2] += e > 2, over[3] += e > limit;
    if (e > error) error = e, x = x_there, y = y_there;
  }
  void merge(const Worst& w) {
    for (int i = 0; i < 4; ++i) over[i] += w.over[i];
    if (w.error > error) error = w.error, x = w.x, y = w.y;
  }
};

uint64_t mixed(uint64_t z) {
  z *= 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// Number i of so many. f32 of one argument: bits in equal steps. Else every other one is a pattern.
template <class T>
T argument(uint64_t i, uint64_t count, int operands, int operand, const Interval& usual) {
  if (sizeof(T) == 4 && operands == 1)
    return std::bit_cast<float>(static_cast<uint32_t>(i * ((uint64_t{1} << 32) / count)));
  const uint64_t z = mixed(2 * i + static_cast<uint64_t>(operand) + 1);
  if (i % 2 == 0) {
    if constexpr (sizeof(T) == 4)
      return std::bit_cast<float>(static_cast<uint32_t>(z));
    else
      return std::bit_cast<double>(z);
  }
  return static_cast<T>(usual.low + (usual.high - usual.low) * (static_cast<double>(z >> 11) * 0x1p-53));
}

template <class T>
class Measurement {
 public:
  Measurement(const MathFunction& f, uint64_t count)
      : f_(f),
        count_(count),
        kernel_(math_kernel<T>(f, lanes_of<T>(target()))),
        wide_(math_kernel<double>(f, lanes_of<double>(target()))) {}

  Worst part(uint64_t begin, uint64_t end) {
    CompiledMath run(kernel_, target()), truth(wide_, target());
    constexpr uint64_t kBlock = 1 << 12;
    std::vector<T> x(kBlock), y(kBlock), z(kBlock);
    std::vector<double> wide_x(kBlock), wide_y(kBlock), wide_z(kBlock);
    Worst worst;
    for (uint64_t at = begin; at < end; at += kBlock) {
      const size_t n = static_cast<size_t>(std::min(kBlock, end - at));
      for (size_t i = 0; i < n; ++i) {
        x[i] = argument<T>(at + i, count_, f_.operands, 0, f_.x);
        y[i] = f_.operands == 2 ? argument<T>(at + i, count_, 2, 1, f_.y) : T{0};
      }
      using In = std::span<const T>;
      run(f_.operands, In(x.data(), n), In(y.data(), n), std::span<T>(z.data(), n));
      if constexpr (sizeof(T) == 4) {
        std::copy_n(x.begin(), n, wide_x.begin());
        std::copy_n(y.begin(), n, wide_y.begin());
        using WideIn = std::span<const double>;
        truth(f_.operands, WideIn(wide_x.data(), n), WideIn(wide_y.data(), n), std::span<double>(wide_z.data(), n));
      }
      for (size_t i = 0; i < n; ++i) see(worst, x[i], y[i], z[i], wide_z[i]);
    }
    return worst;
  }

 private:
  void see(Worst& worst, T x, T y, T z, double wide) const {
    auto least = [&] { return f_.least ? f_.least(x) : Wide{0}; };
    double e = 0;
    if constexpr (sizeof(T) == 4) {
      const auto nearest = static_cast<float>(wide);
      if (std::bit_cast<uint32_t>(nearest) == std::bit_cast<uint32_t>(z)) return;
      e = ulp_error(z, wide, static_cast<double>(least()));
    } else {
      e = ulp_error(z, f_.truth(x, y), least());
    }
    if (e != 0) worst.see(e, f_.limit, static_cast<double>(x), static_cast<double>(y));
  }

  const MathFunction& f_;
  uint64_t count_;
  cpu::Kernel kernel_, wide_;
};

template <class T>
bool measure(const MathFunction& f, uint64_t count) {
  Measurement<T> measurement(f, count);
  const uint64_t threads = std::max(1u, std::thread::hardware_concurrency());
  std::vector<Worst> worst(threads);
  std::vector<std::thread> running;
  for (uint64_t t = 0; t < threads; ++t)
    running.emplace_back([&, t] { worst[t] = measurement.part(count * t / threads, count * (t + 1) / threads); });
  for (auto& t : running) t.join();
  for (uint64_t t = 1; t < threads; ++t) worst[0].merge(worst[t]);
  const Worst& w = worst[0];
  std::printf("%-10s f%zu %s  worst %.3f ulp at %.17g", f.name.data(), 8 * sizeof(T), to_string(target()).data(),
              w.error, w.x);
  if (f.operands == 2) std::printf(", %.17g", w.y);
  std::printf("; above 1: %lld, 1.5: %lld, 2: %lld of %llu%s\n", static_cast<long long>(w.over[0]),
              static_cast<long long>(w.over[1]), static_cast<long long>(w.over[2]),
              static_cast<unsigned long long>(count), w.over[3] ? "  FAILS" : "");
  std::fflush(stdout);
  return w.over[3] == 0;
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
    if (f32 || !f64) good &= measure<float>(f, count ? count : f.operands == 1 ? uint64_t{1} << 32 : 100'000'000);
  }
  return good ? 0 : 1;
}
