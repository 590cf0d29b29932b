// Values and derivatives at singular points, of special values and integers, and errors of elementwise functions.
#include <cmath>
#include <limits>

#include <functional>

#include "tests/transforms/check.h"

namespace jot::test {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor slope(const std::function<Tensor(const Tensor&)>& f, double x) {
  return grad([&](const Tensor& v) { return f(v); })(tensor(x, f64));
}

template <class E, class F>
std::string message(F f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "no error";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("elementwise: the derivatives of powers at their singular points") {
  CHECK_EQ(slope([](const Tensor& x) { return pow(x, 1.875); }, 0).item<double>(), 0);
  // (a - b)^b at a = b = 1.
  auto f = [](const Tensor& a, const Tensor& b) { return pow(a - b, b); };
  auto [y, pullback] = vjp(f, tensor(1.0, f64), tensor(1.0, f64));
  auto [da, db] = pullback(tensor(123.0, f64));
  CHECK_EQ(y.item<double>(), 0);
  CHECK_EQ(da.item<double>(), 123);
  CHECK_EQ(db.item<double>(), -123);
  // 0^0 is 1, constant by the base; 0^x is 0, constant by the power.
  Tensor zero = tensor(0.0, f64);
  CHECK_EQ(grad([](const Tensor& x, const Tensor& n) { return pow(x, n); })(zero, zero).item<double>(), 0);
  CHECK_EQ(slope([&](const Tensor& n) { return pow(zero, n); }, 2).item<double>(), 0);
  CHECK_EQ(slope([&](const Tensor& n) { return pow(zero, n); }, 0).item<double>(), 0);
  CHECK_SAME(pow(tensor({2, -1, 3, 5}), tensor({-1, -3, 2, 0})), tensor({0, -1, 9, 1}));
  CHECK_SAME(pow(3, tensor({40, 41})), tensor(std::vector<int64_t>{-6289078614652622815, -420491770248316829}));
  CHECK(contains(message<DTypeError>([] { pow(tensor({2}), -1); }), "Integers to negative integer powers"));
}

TEST_CASE("elementwise: logarithms times zero, and of sums") {
  CHECK_EQ(slope([](const Tensor& x) { return xlogy(x, 23); }, 0).item<double>(), std::log(23.0));
  CHECK_EQ(slope([](const Tensor& x) { return special::xlog1py(x, 22); }, 0).item<double>(), std::log1p(22.0));
  CHECK_EQ(xlogy(tensor(0.0, f64), 0).item<double>(), 0);
  CHECK(std::isnan(xlogy(tensor(0.0, f64), kNan).item<double>()));
  Tensor inf = tensor(std::numeric_limits<double>::infinity(), f64);
  CHECK_EQ(logaddexp(-inf, -inf).item<double>(), -inf.item<double>());
  CHECK_EQ(logaddexp(inf, inf).item<double>(), inf.item<double>());
  CHECK_EQ(logaddexp(-inf, 1.0).item<double>(), 1);
  // The second derivative of a tie.
  auto second = grad(grad([](const Tensor& x) { return logaddexp(x, 2.0); }));
  CHECK_EQ(second(tensor(2.0, f64)).item<double>(), doctest::Approx(0.25));
}

TEST_CASE("elementwise: vmap of the gradient of atan2") {
  Tensor a = tensor({1.0, 2.0, 3.0, 4.0}, f64), b = tensor({2.0, 3.0, 4.0, 5.0}, f64);
  auto g = vmap(grad([](const Tensor& y, const Tensor& x) { return atan2(y, x); }));
  CHECK_SAME(g(a, b), tensor({0.4, 3.0 / 13, 0.16, 5.0 / 41}, f64));
}

TEST_CASE("elementwise: tails keep their digits") {
  CHECK_EQ(special::log_ndtr(tensor(-40.0, f64)).item<double>(),
           doctest::Approx(-804.6084420137538).epsilon(1e-15).scale(0));
  CHECK_EQ(special::log_ndtr(tensor(8.0, f64)).item<double>(),
           doctest::Approx(-6.220960574271786e-16).epsilon(1e-14).scale(0));
  CHECK_EQ(slope([](const Tensor& x) { return special::log_ndtr(x); }, -40).item<double>(),
           doctest::Approx(40.024968847207263).epsilon(1e-13).scale(0));
  CHECK_EQ(slope([](const Tensor& x) { return special::erfcx(x); }, 1000).item<double>(),
           doctest::Approx(-5.6418873726549667e-07).epsilon(1e-12).scale(0));
  CHECK_EQ(expm1(tensor(1e-20, f64)).item<double>(), 1e-20);
  CHECK_EQ(log1p(tensor(1e-20, f64)).item<double>(), 1e-20);
  CHECK_EQ(slope([](const Tensor& x) { return expm1(x); }, -40).item<double>(), std::exp(-40.0));
  CHECK_EQ(logit(tensor(1e-30, f64)).item<double>(), doctest::Approx(-69.07755278982137).epsilon(1e-15).scale(0));
  CHECK_EQ(logit(tensor(0.5 + 0x1p-40, f64)).item<double>(), doctest::Approx(0x1p-38).epsilon(1e-15).scale(0));
}

TEST_CASE("elementwise: values of special functions (mpmath)") {
  auto near = [](const Tensor& got, double want) {
    CHECK_EQ(got.item<double>(), doctest::Approx(want).epsilon(1e-15).scale(0));
  };
  auto x = [](double v) { return tensor(v, f64); };
  near(digamma(x(2.5)), 0.70315664064524319);
  near(digamma(x(-0.5)), 0.03648997397857652);
  near(polygamma(1, x(1.0)), 1.6449340668482264);
  near(polygamma(2, x(1.0)), -2.4041138063191886);
  near(special::zeta(3, x(-0.5)), 0.41439832211715999);
  near(erfinv(x(0.5)), 0.47693627620446988);
  near(special::erfcx(x(10.0)), 0.056140992743822588);
  near(special::i0e(x(10.0)), 0.1278333371634286);
  near(special::i1e(x(10.0)), 0.12126268138445552);
  near(i0(x(1.0)), 1.2660658777520084);
  near(special::i1(x(1.0)), 0.56515910399248503);
  near(mvlgamma(x(3.0), 2), 1.5501949939575657);
  CHECK(std::isnan(digamma(x(-1.0)).item<double>()));
  CHECK(contains(message<Error>([&] { polygamma(-1, x(1.0)); }), "the order must not be negative, got -1"));
  CHECK(contains(message<Error>([&] { mvlgamma(x(1.0), 0); }), "the dimension must be positive, got 0"));
  CHECK(contains(message<TransformError>([&] { slope([](const Tensor& s) { return special::zeta(s, 1.5); }, 2); }),
                 "it has no derivative by its first operand"));
}

TEST_CASE("elementwise: division and remainders of integers, by zero too, and shifts") {
  Tensor a = tensor({7, -7, 7, -7, 5, -5}), b = tensor({2, 2, -2, -2, 0, 0});
  CHECK_SAME(floor_divide(a, b), tensor({3, -4, -4, 3, 0, 0}));
  CHECK_SAME(div(a, b, Rounding::trunc), tensor({3, -3, -3, 3, 0, 0}));
  CHECK_SAME(divide(a, b, Rounding::trunc), div(a, b, Rounding::trunc));
  CHECK_SAME(a.divide(b, Rounding::floor), div(a, b, Rounding::floor));
  CHECK_SAME(a.clone().divide_(b, Rounding::floor), div(a, b, Rounding::floor));
  CHECK_SAME(subtract(a, b, 2), a - 2 * b);
  CHECK_SAME(a.subtract(b, 2), a - 2 * b);
  CHECK_SAME(remainder(a, b), tensor({1, 1, -1, -1, 5, -5}));
  CHECK_SAME(a % b, remainder(a, b));
  CHECK_SAME(fmod(a, b), tensor({1, -1, 1, -1, 5, -5}));
  Tensor least = tensor(std::vector<int64_t>{INT64_MIN});
  CHECK_SAME(floor_divide(least, -1), least);
  CHECK_SAME(remainder(least, -1), tensor({0}));
  CHECK_SAME(tensor({1, 1, -3, 1}) << tensor({3, 64, 1, -1}), tensor({8, 0, -6, 0}));
  CHECK_SAME(tensor({8, -8, -8, 8}) >> tensor({1, 1, 64, 64}), tensor({4, -4, -1, 0}));
  Tensor x = tensor({6, 4});
  x %= 4;
  x <<= 2;
  x >>= 1;
  CHECK_SAME(x, tensor({4, 0}));
  CHECK_SAME(gcd(tensor({12, -18, 0, 5}), tensor({18, 12, 0, 0})), tensor({6, 6, 0, 5}));
  CHECK_SAME(lcm(tensor({4, -6, 0}), 6), tensor({12, 6, 0}));
  CHECK_SAME(gcd(tensor({12}), tensor({18})), tensor({6}));
  CHECK_SAME(gcd(tensor({200, 6}).to(u8), tensor({50, 4}).to(u8)), tensor({50, 2}).to(u8));
  CHECK_SAME(lcm(tensor({200, 6, 255, 100}).to(u8), tensor({50, 4, 254, 7}).to(u8)), tensor({200, 12, 2, 188}).to(u8));
  // What does not fit is as in torch the size of what the product wraps to.
  const int64_t most = std::numeric_limits<int32_t>::max();
  CHECK_SAME(lcm(tensor({(int64_t{1} << 30) + 1, int64_t{100000}, -most - 1}).to(i32), tensor({3, 99999, 3}).to(i32)),
             tensor({int64_t{1073741821}, int64_t{1409965408}, -most - 1}).to(i32));
  CHECK(contains(message<DTypeError>([] { gcd(tensor({1.5}), 2); }), "[gcd] defined for integers"));
  CHECK(contains(message<DTypeError>([] { tensor({1.5}) << 2; }), "[bitwise_left_shift] defined for integers"));
}

TEST_CASE("elementwise: floor division of floats, remainders, roundings") {
  Tensor a = tensor({7.5, -7.5, 0.3, 1.0}, f64), b = tensor({2.0, 2.0, -0.1, 0.0}, f64);
  CHECK_SAME(floor_divide(a, b), tensor({3.0, -4.0, -3.0, std::numeric_limits<double>::infinity()}, f64));
  CHECK_SAME(remainder(a, 2.0), tensor({1.5, 0.5, 0.3, 1.0}, f64));
  CHECK(std::isnan(remainder(a, b)[3].item<double>()));
  CHECK_SAME(round(tensor({1.2345, -2.5}, f64), 2), tensor({1.23, -2.5}, f64));
  CHECK_SAME(round(tensor({1250.0, 1350.0}, f64), -2), tensor({1200.0, 1400.0}, f64));
  CHECK(contains(message<DTypeError>([] { round(tensor({15}), -1); }), "[round] integers are not rounded to tens"));
}

TEST_CASE("elementwise: NaN, infinities, signs, neighbours") {
  const double inf = std::numeric_limits<double>::infinity();
  Tensor x = tensor({1.0, -0.0, inf, -inf, kNan}, f64);
  CHECK_SAME(isnan(x), tensor({false, false, false, false, true}));
  CHECK_SAME(isinf(x), tensor({false, false, true, true, false}));
  CHECK_SAME(isfinite(x), tensor({true, true, false, false, false}));
  CHECK_SAME(isposinf(x), tensor({false, false, true, false, false}));
  CHECK_SAME(isneginf(x), tensor({false, false, false, true, false}));
  CHECK_SAME(signbit(tensor({1.0, -0.0, -inf}, f64)), tensor({false, true, true}));
  CHECK_SAME(nan_to_num(x, 7, 8, -9), tensor({1.0, 0.0, 8.0, -9.0, 7.0}, f64));
  CHECK_EQ(nan_to_num(tensor({inf}, f32)).item<float>(), std::numeric_limits<float>::max());
  CHECK_SAME(fmax(x, 0.5), tensor({1.0, 0.5, inf, 0.5, 0.5}, f64));
  CHECK_SAME(fmin(x, 0.5), tensor({0.5, 0.0, 0.5, -inf, 0.5}, f64));
  CHECK(std::signbit(copysign(tensor(0.0, f64), -0.0).item<double>()));
  CHECK_EQ(nextafter(tensor(1.0, f64), 2.0).item<double>(), std::nextafter(1.0, 2.0));
  CHECK_EQ(nextafter(tensor(-1.0f), 2.0).item<float>(), std::nextafter(-1.0f, 2.0f));
  CHECK_EQ(nextafter(tensor(0.0, f64), -1.0).item<double>(), -std::numeric_limits<double>::denorm_min());
  CHECK_SAME(heaviside(tensor({-1.0, 0.0, 2.0}, f64), 0.5), tensor({0.0, 0.5, 1.0}, f64));
  CHECK_EQ(hypot(tensor(3e200, f64), 4e200).item<double>(), doctest::Approx(5e200).epsilon(1e-15).scale(0));
  CHECK_EQ(hypot(tensor(0.0, f64), 0.0).item<double>(), 0);
  CHECK_SAME(isclose(tensor({1.0, inf, kNan}, f64), tensor({1.0 + 1e-9, inf, kNan}, f64)), tensor({true, true, false}));
  CHECK_SAME(isclose(tensor({kNan}, f64), tensor({kNan}, f64), 1e-5, 1e-8, true), tensor({true}));
  auto [m, e] = frexp(tensor({8.0, -0.75, 0.0, 5e-324, inf}, f64));
  CHECK_SAME(m, tensor({0.5, -0.75, 0.0, 0.5, inf}, f64));
  CHECK_SAME(e, tensor({4, 0, 0, -1073, 0}).to(i32));
  CHECK_EQ(slope([](const Tensor& v) { return special::entr(v) + sinc(v); }, 1e-300).item<double>() > 600, true);
  CHECK_SAME(special::entr(tensor({0.0, -1.0, 1.0}, f64)), tensor({0.0, -inf, 0.0}, f64));
  CHECK_EQ(sinc(tensor(0.0, f64)).item<double>(), 1);
  CHECK_EQ(grad(grad([](const Tensor& v) { return sinc(v); }))(tensor(0.0, f64)).item<double>(),
           doctest::Approx(-M_PI * M_PI / 3));
}

TEST_CASE("elementwise: dtypes and errors") {
  CHECK(special::i0e(tensor({1, 2})).dtype() == f32);
  CHECK(float_power(tensor({2}), 3).dtype() == f64);
  CHECK(lerp(tensor({1.0f}), tensor({2.0f}), 0.25).dtype() == f32);
  CHECK(div(tensor({7}), 2, Rounding::floor).dtype() == i64);
  CHECK(logaddexp(tensor({1.0f}).to(bf16), 2).dtype() == bf16);
  CHECK(contains(message<DTypeError>([] { lerp(tensor({1}), 2, 1); }), "[lerp] defined for floating dtypes"));
  CHECK(contains(message<DTypeError>([] { addcdiv(tensor({1}), 2, 1); }), "[addcdiv] integer division"));
  CHECK(contains(message<DTypeError>([] { nextafter(tensor({1.0f}).to(f16), 2); }),
                 "[nextafter] defined for f32 and f64"));
  CHECK(contains(message<ShapeError>([] { hypot(ones({2}), ones({3})); }),
                 "[hypot] shapes [2] and [3] cannot be broadcast"));
  CHECK(contains(message<DTypeError>([] { tensor({1}).pow_(tensor({0.5})); }), "[pow_] result type f32"));
  CHECK(contains(message<DTypeError>([] { add(tensor({1}), 1, 0.5); }), "can't be cast"));
  CHECK(contains(message<DTypeError>([] { frexp(tensor({1})); }), "[frexp] defined for floating dtypes"));
  CHECK(contains(message<DTypeError>([] { positive(tensor({true})); }), "[positive] not defined for boolean"));
}

}  // namespace jot::test
