// Vector math on every target of the machine, in routines, and in the interpreter: a sample. bench/math_accuracy runs
// all f32 and 10^7 f64.
#include <doctest/doctest.h>

#include <limits>
#include <random>

#include "tests/backends/math_error.h"

using namespace jot;
using namespace jot::test;

namespace {

// Values that are special to some function, and where pieces and cold paths begin; random ones, half bit patterns, half
// where the function is usually taken.
template <class T>
std::vector<T> arguments(const Interval& usual, size_t random_ones, uint64_t seed) {
  using L = std::numeric_limits<T>;
  std::vector<T> x = {0,   T(0.5), 1,   T(1.5), 2,        20,  87,  88,  T(88.8), 103,
                      104, 105,    708, 709,    T(709.7), 710, 745, 746, 747};
  for (T v : {L::infinity(), L::quiet_NaN(), L::max(), L::min(), L::denorm_min(), L::min() / 4, L::epsilon(), T(1e5),
              T(1.1e5), T(1e9), T(1.1e9), T(1e22), T(0.7071067811865475), T(3.1415926535897932), T(1.5707963267948966)})
    x.push_back(v);
  for (T v : {3, 4, 5, 6, 7, 8, 30, 28, 50}) x.push_back(v);
  for (T v : {2.5, 8.5, 9.19, 9.2, 10.06, 26.5, 26.6, 26.63, 27.3, 9.39, 1.4616321449683623, 0.999999940395, 0.84375,
              1e-4, 1e30, 1e300})
    x.push_back(static_cast<T>(v));
  // Where f32 functions are worst, of all arguments.
  for (double v :
       {1.1827658286835154e-38, -5.8486418724060059, 0.7050776481628418,   10687.94921875,       24819.900390625,
        4.5051517486572266,     -60.622650146484375, 17.146377563476562,   -0.49940934777259827, -0.29301360249519348,
        1.3970797061920166,     1.3202471733093262,  2.3591578006744385,   0.53650939464569092,  -0.50131869316101074,
        0.50075346231460571,    0.12450683861970901, 5.2000641822814941,   0.51813507080078125,  1.0077477693557739,
        0.12390807271003723,    2.5316197872161865,  0.014340505003929138, 0.9953078031539917,   1.2036896412479338e+37,
        -10.995856285095215,    0.24534820020198822, 0.45843914151191711})
    x.push_back(static_cast<T>(v));
  for (int quarter = 1; quarter < 100; ++quarter) {  // where the reduction cancels
    T v = static_cast<T>(quarter * 0.78539816339744831);
    for (T w : {std::nextafter(v, T(0)), v, std::nextafter(v, T(1e9))}) x.push_back(w);
  }
  // Where sine's reduction loses most; results that overflow or are denormal; denormal and huge arguments.
  x.push_back(static_cast<T>(std::ldexp(6381956970095103.0, sizeof(T) == 8 ? 797 : 60)));
  std::mt19937_64 rare(seed);
  auto from = [&](double low, double high) { return std::uniform_real_distribution<double>(low, high)(rare); };
  constexpr Interval kRare[] = {{85, 105},   {700, 750}, {120, 152},   {1020, 1080},
                                {8.5, 10.5}, {26, 28},   {12.5, 14.6}, {37, 39}};
  for (const Interval& r : kRare)
    for (int i = 0; i < 60; ++i) x.push_back(static_cast<T>(from(r.low, r.high)));
  for (int i = 0; i < 100; ++i) {
    x.push_back(L::min() * static_cast<T>(from(0, 1)));
    x.push_back(static_cast<T>(std::ldexp(from(1, 2), static_cast<int>(from(17, L::max_exponent - 1)))));
  }
  for (size_t i = 0, n = x.size(); i < n; ++i) x.push_back(-x[i]);
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> where(usual.low, usual.high);
  for (size_t i = 0; i < random_ones; ++i) {
    const uint64_t bits = random();
    if (i % 2)
      x.push_back(static_cast<T>(where(random)));
    else if constexpr (sizeof(T) == 4)
      x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    else
      x.push_back(std::bit_cast<double>(bits));
  }
  return x;
}

// Of one argument the list; of two random pairs, and each special one with each of many.
template <class T>
struct Arguments {
  std::vector<T> x, y;
  Arguments(const MathFunction& f, size_t random_ones) {
    const std::vector<T> a = arguments<T>(f.x, random_ones, 1), b = arguments<T>(f.y, random_ones, 2);
    x = a, y = b;
    if (f.operands == 1) return;
    for (size_t i = x.size() - random_ones / 2; i < x.size(); ++i)  // of ratios near 1, 2 and 1 / 2
      y[i] = static_cast<T>(x[i] * (i % 3 == 0 ? 1 : i % 3 == 1 ? 2 : 0.5) * (1 + b[i] * 1e-4));
    for (size_t i = 0; i < a.size() - random_ones; i += i < 160 ? 1 : 41)
      for (size_t j = 0; j < b.size() - random_ones; j += j < 160 ? 1 : 41) x.push_back(a[i]), y.push_back(b[j]);
  }
};

template <class T>
void check_errors(const MathFunction& f, const Arguments<T>& a, std::span<const T> z, std::span<const Wide> truth) {
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < z.size(); ++i)
    if (double e = ulp_error(z[i], truth[i], f.least ? f.least(a.x[i]) : Wide{0}); e > worst) worst = e, at = i;
  CHECK_MESSAGE(worst <= f.limit, f.name, " f", 8 * sizeof(T), " of ", a.x[at], ", ", a.y[at], ": ", z[at], ", not ",
                static_cast<T>(truth[at]));
}

template <class T>
void check_all(size_t random_ones) {
  for (const MathFunction& f : kMathFunctions) {
    CAPTURE(f.name);
    const Arguments<T> a(f, is_out_of_line(f) ? 200 : random_ones);
    const std::span<const T> x = a.x, y = a.y;
    std::vector<Wide> truth(x.size());
    for (size_t i = 0; i < x.size(); ++i) truth[i] = f.truth(x[i], y[i]);
    std::vector<T> z(x.size());
    for (Target t : {Target::avx512, Target::avx2}) {
      if (target() == Target::reference || (t == Target::avx512 && target() != t)) continue;
      CAPTURE(to_string(t));
      for (bool scalar : {false, true}) {  // as a routine of a scalar program
        std::ranges::fill(z, T(-7));
        CompiledMath run(scalar ? math_kernel<T>(f, 1, true) : math_kernel<T>(f, lanes_of<T>(t)), t);
        run(f.operands, x, y, std::span<T>(z));
        check_errors<T>(f, a, z, truth);
      }
    }
    // In the interpreter.
    std::ranges::fill(z, T(-7));
    const size_t n = std::min<size_t>(x.size(), 2000);
    cpu::KernelError error;
    auto address = [](const void* p) { return static_cast<int64_t>(reinterpret_cast<intptr_t>(p)); };
    int64_t args[] = {address(&error), address(x.data()), address(f.operands == 2 ? y.data() : z.data()),
                      address(z.data())};
    cpu::interpret(math_kernel<T>(f, 8), args, 0, static_cast<int64_t>(n));
    check_errors<T>(f, a, {z.data(), n}, truth);
  }
}

}  // namespace

TEST_CASE("math: f64") { check_all<double>(20'000); }
TEST_CASE("math: f32") { check_all<float>(20'000); }

TEST_CASE("math: every function of the table that is one op is measured") {
  struct None {};
  const auto check = [](auto... ops) {
    auto measured = [](auto op) {
      if constexpr (!std::is_same_v<decltype(op), None>)
        CHECK_MESSAGE(std::ranges::count(kMathFunctions, op, &MathFunction::op) == 1, ir::name_of(op));
    };
    (measured(ops), ...);
  };
#define unary(dtypes, op, ...) ir::Op::op
#define binary(dtypes, op, ...) ir::Op::op
#define composed(...) None()
#define function(...) None()
#define member(...) None()
#define alias(...) None()
#define FUNCTION(name, forms, marks, body, ...) check(body);
#define RESULT(...)
#define OPTIONS(...)
#define SECTION(...)
#define TEXT(...)
#define NAMESPACE(...)
#define USING(...)
#include "core/functions.def"
#undef FUNCTION
}

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

namespace {

// Every pair of what is special, and random ones of all sizes.
template <class Int>
void check_division() {
  using L = std::numeric_limits<Int>;
  std::vector<Int> some = {
      0, 1, 2, 3, 7, 10, 1000, Int(1) << 23, Int(1) << 24, L::max(), L::max() - 1, L::max() / 2, L::min()};
  for (size_t i = 1, n = some.size() - 1; i < n; ++i) {
    some.push_back(-some[i]);
    some.push_back(static_cast<Int>(static_cast<std::make_unsigned_t<Int>>(some[i]) + 1));  // wraps
  }
  std::vector<Int> x, y;
  for (Int a : some)
    for (Int b : some) x.push_back(a), y.push_back(b);
  std::mt19937_64 random(3);
  for (int i = 0; i < 100'000; ++i) {
    const int width = 8 * sizeof(Int);
    Int a = static_cast<Int>(random()) >> random() % width, b = static_cast<Int>(random()) >> random() % width;
    if (i % 4 == 0) a = static_cast<Int>(static_cast<std::make_unsigned_t<Int>>(b) * static_cast<uint32_t>(i));  // even
    x.push_back(a), y.push_back(b);
  }
  const cpu::KType type = sizeof(Int) == 4 ? cpu::KType::i32 : cpu::KType::i64;
  auto kernel = [&](int lanes) {
    cpu::KernelBuilder b(lanes);
    auto i = b.vrange(), p = b.load(type, b.arg(1), i), q = b.load(type, b.arg(2), i);
    b.store(cpu::integer_quotient(b, p, q), b.arg(3), i);
    b.store(cpu::integer_remainder(b, p, q), b.arg(4), i);
    b.endloop();
    return std::move(b).finish();
  };
  std::vector<Int> quotient(x.size()), rest(x.size());
  auto check = [&] {
    for (size_t i = 0; i < x.size(); ++i) {
      const bool least = x[i] == L::min() && y[i] == -1;
      const Int want = y[i] == 0 ? 0
                       : least   ? L::min()
                                 : x[i] / y[i],
                left = y[i] == 0 ? x[i]
                       : least   ? 0
                                 : x[i] % y[i];
      CHECK_MESSAGE((quotient[i] == want && rest[i] == left), x[i], " / ", y[i], ": ", quotient[i], " and ", rest[i]);
      if (quotient[i] != want || rest[i] != left) return;
    }
  };
  cpu::KernelError error;
  auto address = [](const void* p) { return static_cast<int64_t>(reinterpret_cast<intptr_t>(p)); };
  const int64_t args[] = {address(&error), address(x.data()), address(y.data()), address(quotient.data()),
                          address(rest.data())};
  for (Target t : {Target::avx512, Target::avx2})
    for (int lanes : {1, (t == Target::avx512 ? 64 : 32) / static_cast<int>(sizeof(Int))}) {
      if (target() == Target::reference || (t == Target::avx512 && target() != t)) continue;
      CAPTURE(to_string(t));
      const auto code = cpu::compile(kernel(lanes), t);
      std::vector<std::byte> spill(static_cast<size_t>(code->spill_bytes) + 64);
      code->fn(args, 0, static_cast<int64_t>(x.size()),
               spill.data() + (64 - reinterpret_cast<uintptr_t>(spill.data()) % 64) % 64);
      check();
    }
  cpu::interpret(kernel(8), args, 0, static_cast<int64_t>(x.size()));
  check();
}

}  // namespace

TEST_CASE("math: division and remainder of integers, by zero, of the least one by -1") {
  check_division<int32_t>();
  check_division<int64_t>();
}
