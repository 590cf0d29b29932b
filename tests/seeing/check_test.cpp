// JOT_CHECK=nan, which this test runs with.
#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "jot/jot.h"

using namespace jot;

namespace {

template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("JOT_CHECK=nan names the op, its line and the element") {
  auto f = jit([](const Tensor& x) {
    Tensor y = x * 2;
    Tensor z = log(y - 4);  // here
    return exp(z) + 1;
  });
  const int line = __LINE__ - 3;
  Tensor good = full({2, 3}, 5.0, f64), bad = full({2, 3}, 5.0, f64);
  bad[1][2] = 1.0;
  CHECK(f(good).to_vector<double>().size() == 6);
  const std::string text = error_of([&] { f(bad).eval(); });
  CAPTURE(text);
  CHECK(has(text, "[log] JOT_CHECK=nan: made NaN of -2"));
  CHECK(has(text, "element [1,2] of f64[2,3]"));
  CHECK(has(text, "check_test.cpp:" + std::to_string(line)));
  CHECK(f(good).to_vector<double>().size() == 6);
}

TEST_CASE("infinities, in f32, in the middle of a product, and without jit") {
  const std::string divided = error_of([] { (1 / full({4}, 0.0, f32)).eval(); });
  CAPTURE(divided);
  CHECK(has(divided, "[div]"));
  CHECK(has(divided, "made infinity"));
  auto g = jit([](const Tensor& a) { return sum(matmul(a, a) * 1e38); });
  const std::string product = error_of([&] { g(full({20, 20}, 1e10, f32)).eval(); });
  CAPTURE(product);
  CHECK(has(product, "made infinity"));
}

TEST_CASE("what was not finite before, or is chosen away, is no fault") {
  Tensor x = full({4}, 1.0, f64);
  x[2] = std::numeric_limits<double>::quiet_NaN();
  auto f = jit([](const Tensor& t) { return t * 2 + 1; });
  CHECK(error_of([&] { f(x).eval(); }) == "");
  auto masked = jit([](const Tensor& t) { return where(t > 0, log(t), 0.0); });
  CHECK(error_of([&] { masked(tensor({-1.0, 2.0, 3.0}, f64)).eval(); }) == "");
  auto infinite =
      jit([](const Tensor& t) { return maximum(t, full_like(t, -std::numeric_limits<double>::infinity())); });
  CHECK(error_of([&] { infinite(full({3}, 1.0, f64)).eval(); }) == "");
}

TEST_CASE("JOT_CHECK=nan within vmap and derivatives names the lane") {
  auto slope = jit(vmap(grad([](const Tensor& x) { return sum(pow(x, 1.5)); })));
  Tensor x = full({3, 2}, 4.0, f64);
  CHECK(slope(x).to_vector<double>() == std::vector<double>(6, 3.0));
  x[1][0] = -1.0;
  const std::string text = error_of([&] { slope(x).eval(); });
  CAPTURE(text);
  CHECK(has(text, "made NaN of -1"));
  CHECK(has(text, "element [1,0] of f64[3,2]"));
  CHECK(has(text, "check_test.cpp:"));
}
