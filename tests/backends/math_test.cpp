// Vector math on every target of the machine, in routines, and in the interpreter: a sample. bench/math_accuracy runs
// all f32 and 10^7 f64.
#include <doctest/doctest.h>

#include <limits>
#include <random>

#include "tests/backends/math_error.h"

using namespace jot;
using namespace jot::test;

namespace {

template <class T>
std::vector<T> arguments(size_t random_ones) {
  using L = std::numeric_limits<T>;
  std::vector<T> x = {0,   T(0.5), 1,   T(1.5), 2,        20,  87,  88,  T(88.8), 103,
                      104, 105,    708, 709,    T(709.7), 710, 745, 746, 747};
  for (T v : {L::infinity(), L::quiet_NaN(), L::max(), L::min(), L::denorm_min(), L::min() / 4, L::epsilon(), T(1e5),
              T(1.1e5), T(1e9), T(1.1e9), T(1e22), T(0.7071067811865475), T(3.1415926535897932), T(1.5707963267948966)})
    x.push_back(v);
  for (int quarter = 1; quarter < 100; ++quarter) {  // where the reduction cancels
    T v = static_cast<T>(quarter * 0.78539816339744831);
    for (T w : {std::nextafter(v, T(0)), v, std::nextafter(v, T(1e9))}) x.push_back(w);
  }
  std::mt19937_64 random(1);
  for (size_t i = 0; i < random_ones; ++i) {
    uint64_t bits = random();
    if constexpr (sizeof(T) == 4)
      x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    else
      x.push_back(std::bit_cast<double>(i % 2 ? bits : (bits & 0x000fffffffffffffu) | (983 + (bits >> 52) % 52) << 52));
  }
  for (size_t i = 0, n = x.size(); i < n; ++i) x.push_back(-x[i]);
  return x;
}

template <class T>
void check_errors(const MathFunction& f, std::span<const T> x, std::span<const T> y) {
  const double limit = 2;
  double worst = 0;
  T at = 0;
  for (size_t i = 0; i < x.size(); ++i)
    if (double e = ulp_error(y[i], f.truth(static_cast<long double>(x[i]))); e > worst) worst = e, at = x[i];
  CHECK_MESSAGE(worst <= limit, f.name, " f", 8 * sizeof(T), " at ", at);
  CHECK(worst > 0);
}

template <class T>
void check_all(size_t random_ones) {
  const std::vector<T> x = arguments<T>(random_ones);
  std::vector<T> y(x.size());
  for (const MathFunction& f : kMathFunctions) {
    CAPTURE(f.name);
    for (Target t : {Target::avx512, Target::avx2}) {
      if (target() == Target::reference || (t == Target::avx512 && target() != t)) continue;
      CAPTURE(to_string(t));
      std::ranges::fill(y, T(-7));
      const int lanes = (t == Target::avx512 ? 64 : 32) / static_cast<int>(sizeof(T));
      CompiledMath(math_kernel<T>(f, lanes), t)(std::span<const T>(x), std::span<T>(y));
      check_errors<T>(f, x, y);
      // As a routine of a scalar program (whose slots are its own: the function rows of few elements).
      std::ranges::fill(y, T(-7));
      CompiledMath(math_kernel<T>(f, 1, true), t)(std::span<const T>(x), std::span<T>(y));
      check_errors<T>(f, x, y);
    }
    // In the interpreter.
    std::ranges::fill(y, T(-7));
    const size_t n = std::min<size_t>(x.size(), 2000);
    cpu::KernelError error;
    auto address = [](const void* p) { return static_cast<int64_t>(reinterpret_cast<intptr_t>(p)); };
    int64_t args[] = {address(&error), address(x.data()), address(y.data())};
    cpu::interpret(math_kernel<T>(f, 8), args, 0, static_cast<int64_t>(n));
    check_errors<T>(f, {x.data(), n}, {y.data(), n});
  }
}

// y and x of all magnitudes and signs, near the bounds of octants, and special ones with each other.
template <class T>
void check_atan2(int random_ones) {
  using L = std::numeric_limits<T>;
  std::vector<T> special = {0,
                            1,
                            T(0.41421356237309505),
                            T(2.414213562373095),
                            2,
                            T(1e-3),
                            T(1e3),
                            L::infinity(),
                            L::quiet_NaN(),
                            L::max(),
                            L::max() / 2,
                            L::min(),
                            L::denorm_min(),
                            L::min() / 4,
                            T(1e30)};
  for (size_t i = 0, n = special.size(); i < n; ++i) special.push_back(-special[i]);
  std::vector<T> y, x;
  for (T a : special)
    for (T b : special) y.push_back(a), x.push_back(b);
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> number(-1, 1), size(-12, 12);
  for (int i = 0; i < random_ones; ++i) {
    double a = number(random), ratio = i % 3 == 0   ? 1 + number(random) * 1e-3
                                       : i % 3 == 1 ? 0.5 + number(random) * 1e-3
                                                    : std::exp(size(random));
    y.push_back(static_cast<T>(a)), x.push_back(static_cast<T>((i % 2 ? 1 : -1) * (i % 5 ? ratio : 1 / ratio) * a));
  }
  std::vector<T> out(y.size());
  auto kernel = [](int lanes) {
    cpu::KernelBuilder b(lanes);
    auto i = b.vrange();
    const uint32_t operands[] = {b.load(ktype<T>(), b.arg(1), i), b.load(ktype<T>(), b.arg(2), i)};
    b.store(cpu::elementary(b, ir::Op::atan2_op, operands[0], operands[1]), b.arg(3), i);
    b.endloop();
    return std::move(b).finish();
  };
  auto check = [&](size_t n) {
    using Wide = std::conditional_t<sizeof(T) == 4, double, long double>;
    for (size_t i = 0; i < n; ++i) {
      const double e = ulp_error(out[i], std::atan2(static_cast<Wide>(y[i]), static_cast<Wide>(x[i])));
      CHECK_MESSAGE(e <= 2, "atan2 f", 8 * sizeof(T), " of ", y[i], ", ", x[i], ": ", out[i]);
      if (!(e <= 2)) return;
    }
  };
  for (Target t : {Target::avx512, Target::avx2})
    for (bool scalar : {false, true}) {
      if (target() == Target::reference || (t == Target::avx512 && target() != t)) continue;
      CAPTURE(to_string(t));
      std::ranges::fill(out, T(-7));
      const int lanes = scalar ? 1 : (t == Target::avx512 ? 64 : 32) / static_cast<int>(sizeof(T));
      CompiledMath(kernel(lanes), t)(std::span<const T>(y), std::span<const T>(x), std::span<T>(out));
      check(y.size());
    }
  std::ranges::fill(out, T(-7));
  cpu::KernelError error;
  auto address = [](const void* p) { return static_cast<int64_t>(reinterpret_cast<intptr_t>(p)); };
  int64_t args[] = {address(&error), address(y.data()), address(x.data()), address(out.data())};
  cpu::interpret(kernel(8), args, 0, 3000);
  check(3000);
}

}  // namespace

TEST_CASE("math: atan2 in all quadrants, of zeros, infinities and NaN as C's") {
  check_atan2<double>(100'000);
  check_atan2<float>(100'000);
}

TEST_CASE("math: f64") { check_all<double>(100'000); }
TEST_CASE("math: f32") { check_all<float>(100'000); }

TEST_CASE("math: sin and cos of one argument share their work") {
  auto size = [](bool both) {
    cpu::KernelBuilder b(8);
    auto i = b.vrange();
    auto x = b.load(cpu::KType::f64, b.arg(1), i);
    b.store(cpu::elementary(b, ir::Op::sin_op, x), b.arg(2), i);
    if (both) b.store(cpu::elementary(b, ir::Op::cos_op, x), b.arg(3), i);
    b.endloop();
    return std::move(b).finish().instrs.size();
  };
  CHECK(size(true) <= size(false) + 14);
}

TEST_CASE("math: integer division through libm") {
  auto run = [](cpu::KFn fn, int64_t a, int64_t b) {
    return static_cast<int64_t>(cpu::libm(fn, cpu::KType::i64, static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
  };
  constexpr int64_t least = std::numeric_limits<int64_t>::min();
  CHECK(run(cpu::KFn::idiv, -7, 2) == -3);
  CHECK(run(cpu::KFn::irem, -7, 2) == -1);
  CHECK(run(cpu::KFn::idiv, 7, 0) == 0);
  CHECK(run(cpu::KFn::irem, 7, 0) == 7);
  CHECK(run(cpu::KFn::idiv, least, -1) == least);
  CHECK(run(cpu::KFn::irem, least, -1) == 0);
}
