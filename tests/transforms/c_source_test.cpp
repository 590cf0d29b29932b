// Compiled functions as C: real programs, beside the code that jot runs; what is refused.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>

#include "docs/examples/bundle_adjustment.h"
#include "docs/examples/ekf.h"
#include "tests/support/c_library.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

namespace {

// Units in the last place between results of the order of the tensor's greatest.
double units(const std::vector<double>& got, const std::vector<double>& wanted) {
  double worst = 0, scale = 0;
  for (double x : wanted) scale = std::max(scale, std::abs(x));
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (std::isnan(got[i]) && std::isnan(wanted[i])) continue;
    worst = std::max(worst, std::abs(got[i] - wanted[i]) / (scale * 0x1p-53));
  }
  return worst;
}

// What C makes of f64 arguments, compared with what the executable does.
template <class Exe>
void check_source(const Exe& exe, const std::vector<Tensor>& arguments, double most_units,
                  const std::string& flags = "-O2") {
  if (!has_c_compiler()) return;
  const std::string text = exe.c_source("program");
  CHECK(text == exe.c_source("program"));
  const CLibrary library({text}, flags);
  const std::vector<Tensor> wanted = exe.run(arguments);
  REQUIRE(library.template symbol<int()>("program_n_in")() == static_cast<int>(arguments.size()));
  REQUIRE(library.template symbol<int()>("program_n_out")() == static_cast<int>(wanted.size()));
  std::vector<std::vector<double>> contents, results;
  std::vector<std::vector<int64_t>> places;
  std::vector<const void*> in;
  std::vector<void*> out;
  contents.reserve(arguments.size());
  places.reserve(arguments.size());
  results.reserve(wanted.size());
  for (const Tensor& a : arguments)
    in.push_back(a.dtype() == i64 ? static_cast<const void*>(places.emplace_back(a.to_vector<int64_t>()).data())
                                  : contents.emplace_back(a.to_vector<double>()).data());
  for (const Tensor& w : wanted) out.push_back(results.emplace_back(static_cast<size_t>(w.numel())).data());
  REQUIRE(library.call("program", in, out) == 0);
  for (size_t i = 0; i < wanted.size(); ++i) CHECK(units(results[i], wanted[i].to_vector<double>()) <= most_units);
}

std::string what(auto&& f) {
  try {
    f();
  } catch (const InternalError&) {
    throw;
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

Tensor uniform(uint64_t seed, const Shape& shape) {
  manual_seed(seed);
  return rand(shape, f64);
}

}  // namespace

TEST_CASE("C: the jacobian of a bundle adjustment, to the bit") {
  const int64_t n = 37;
  Tensor cameras = uniform(1, {5, 11}), points = uniform(2, {9, 3}) + 2, weights = uniform(3, {n}),
         features = uniform(4, {n, 2});
  Tensor camera_index = arange(n, i64) % 5, point_index = arange(n, i64) % 9;
  auto exe = compile([](const auto&... inputs) { return bundle_adjustment::jacobian(inputs...); }, cameras, points,
                     weights, features, camera_index, point_index);
  for (const char* flags : {"-O2", "-O3 -march=native"})
    check_source(exe, {cameras, points, weights, features, camera_index, point_index}, 0, flags);
}

TEST_CASE("C: a step of an extended Kalman filter, to the bit") {
  const ekf::Estimate start = ekf::start();
  Tensor measured = tensor({9.8, 12.2}, f64);
  check_source(compile(ekf::step, start, measured), {start.mean, start.covariance, measured}, 0);
}

TEST_CASE("C: solutions with matrices up to 16 x 16") {
  for (int64_t n : {3, 6, 7, 16}) {
    Tensor a = uniform(5, {n, n}) + eye(n, f64), b = uniform(6, {n});
    auto f = [](const Tensor& A, const Tensor& c) { return linalg::solve(A, c); };
    check_source(compile(f, a, b), {a, b}, n <= 6 ? 0 : 2e3);
  }
}

TEST_CASE("C: a network with captured weights, and its gradient") {
  Tensor w1 = uniform(7, {8, 4}), b1 = uniform(8, {8}), w2 = uniform(9, {3, 8}), x = uniform(10, {4});
  auto net = [=](const Tensor& v) { return matmul(w2, tanh(matmul(w1, v) + b1)); };
  check_source(compile(jacrev(net), x), {x}, 0);
  Tensor wide = uniform(11, {100, 40}), v = uniform(12, {40});
  check_source(compile(grad([=](const Tensor& y) { return sum(exp(-matmul(wide, y))); }), v), {v}, 8);
}

TEST_CASE("C: loops, and functions in single precision") {
  auto orbit = [](const Tensor& x) {
    return while_loop([](const Tensor& s) { return sum(s * s) < 100; },
                      [](const Tensor& s) { return s * 1.5 + sin(s); }, x);
  };
  Tensor x = tensor({0.3, 0.4, -0.2}, f64);
  check_source(compile(orbit, x), {x}, 0);
  auto steps = [](const Tensor& s) {
    return fori_loop(
        0, 20, [](const Tensor& i, const Tensor& c) { return c + 0.1 * cos(c * i); }, s);
  };
  check_source(compile(steps, x), {x}, 0);
  check_source(compile(jacrev(steps), x), {x}, 0);
  if (!has_c_compiler()) return;
  auto exe = compile([](const Tensor& a) { return exp(a) / (1 + a * a); }, spec({7}, f32));
  const std::string text = exe.c_source("single");
  CHECK(text.find("int single(const float* const* in, float* const* out, void* work)") != std::string::npos);
  const CLibrary library({text});
  std::vector<float> a = {-3, -1.5f, 0, 0.1f, 2, 20, 60}, got(7);
  REQUIRE(library.call("single", {a.data()}, {got.data()}) == 0);
  CHECK(got == exe.run({tensor(a, f32)})[0].to_vector<float>());
}

TEST_CASE("C: data at fault end the call with the number of the fault") {
  if (!has_c_compiler()) return;
  auto f = [](const Tensor& x, const Tensor& i) { return x.index({i}) * 2; };
  auto exe = compile(f, spec({5}, f64), spec({2}, i64));
  const std::string text = exe.c_source("pick");
  CHECK(text.find("or\n   16: the data is at fault in ") != std::string::npos);
  const CLibrary library({text});
  std::vector<double> x = {1, 2, 3, 4, 5}, got(2);
  std::vector<int64_t> good = {4, -5}, bad = {1, 5};
  CHECK(library.call("pick", {x.data(), good.data()}, {got.data()}) == 0);
  CHECK(got == std::vector<double>{10, 2});
  CHECK(library.call("pick", {x.data(), bad.data()}, {got.data()}) == 16);
  const std::string classes = compile([](const Tensor& y) { return one_hot(y, 4); }, spec({9}, i64)).c_source("hot");
  CHECK(classes.find("16: the data is at fault in one_hot: class another number is out of range; expected 0 to 3 for "
                     "num_classes = 4 (") != std::string::npos);
}

TEST_CASE("C: names of arguments and results") {
  auto exe = compile([](const Tensor& x, const Tensor& k) { return x * k; }, spec({3}, f64), spec({}, f64));
  const std::string text = exe.c_source("scaled", {"x", "factor"}, {"y"});
  for (const char* told :
       {"in[1]   factor: f64[]", "out[0]  y: f64[3]", "return \"x: f64[3]\";", "return \"y: f64[3]\";"})
    CHECK(text.find(told) != std::string::npos);
  CHECK_THROWS_WITH_AS(exe.c_source("scaled", {"x"}), doctest::Contains("[c_source] 1 names of inputs: expected 2"),
                       Error);
  CHECK_THROWS_WITH_AS(exe.c_source("scaled", {"x", "a b"}), doctest::Contains("expected an identifier of C"), Error);
}

TEST_CASE("C: comments name the user's lines, tables hold what was captured") {
  Tensor table = tensor({1.5, -2.25, 1e-300, HUGE_VAL}, f64);
  auto exe = compile([=](const Tensor& x) { return sin(x) * table; }, spec({4}, f64));
  const std::string text = exe.c_source("f");
  CHECK(text.find("c_source_test.cpp:" + std::to_string(__LINE__ - 2)) != std::string::npos);
  CHECK(text.find("{1.5, (-2.25), 1e-300, HUGE_VAL}") != std::string::npos);
  CHECK(exe.c_source() == exe.c_source("function"));
}

TEST_CASE("C: what needs more than kernels is refused by name, with its line and what to do") {
  struct Refused {
    std::string op, why;
    std::function<std::string()> source;
  };
  auto source = [](auto f, auto... specs) { return [=] { return compile(f, specs...).c_source("f"); }; };
  const Tensor square = spec({20, 20}, f64), large = spec({80, 80}, f64), line = spec({9}, f64);
  const Refused table[] = {
      {"dot", "an extent is at most 64", source([](const Tensor& x) { return matmul(x, x.t()); }, large)},
      {"lu", "more than 16 rows", source([](const Tensor& x) { return linalg::solve(x, x[0]); }, square)},
      {"cholesky", "more than 16 rows", source([](const Tensor& x) { return linalg::cholesky(x); }, square)},
      {"svd", "calls a library", source([](const Tensor& x) { return linalg::svdvals(x); }, square)},
      {"eigh", "calls a library", source([](const Tensor& x) { return linalg::eigvalsh(x); }, square)},
      {"qr", "solve with lu or cholesky", source([](const Tensor& x) { return linalg::qr(x).R; }, square)},
      {"sort", "whole lines", source([](const Tensor& x) { return sort(x).values; }, line)},
      {"bessel_j0", "element by element", source([](const Tensor& x) { return special::bessel_j0(x); }, line)},
      {"while", "give the loop .max_steps",
       source(grad([](const Tensor& x) {
                return sum(
                    while_loop([](const Tensor& s) { return sum(s) < 9; }, [](const Tensor& s) { return s * s; }, x));
              }),
              line)},
      {"scan", "more than one kernel",
       source(
           [](const Tensor& x) {
             return fori_loop(
                 0, 3, [](const Tensor&, const Tensor& c) { return sum(c * c) * c; }, x);
           },
           spec({600}, f64))},
  };
  for (const Refused& r : table) {
    const std::string text = what(r.source);
    CAPTURE(text);
    CHECK(text.starts_with("[c_source] the function needs more than kernels"));
    CHECK(text.find(r.op) != std::string::npos);
    CHECK(text.find(r.why) != std::string::npos);
    CHECK(text.find("c_source_test.cpp:") != std::string::npos);
  }
  auto draws = compile([](const Tensor& x) { return x + rand({9}, f64); }, line);
  CHECK_THROWS_WITH_AS(draws.c_source("f"), Contains("draws random numbers"), Error);
}
