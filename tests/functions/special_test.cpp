// Special functions: exact values, derivatives near 0, far out and of higher order, edges, errors.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>
#include <limits>

#include "tests/functions/failures.h"
#include "tests/functions/special_golden.h"

namespace jot::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();
using Function = Tensor (*)(const Tensor&);

#define JOT_SPECIAL(name) [](const Tensor& x) { return special::name(x); }

double of(Function f, double x) { return f(tensor(x, f64)).item<double>(); }
double slope(Function f, double x, int order = 1) {
  std::function<Tensor(const Tensor&)> d = f;
  for (int i = 0; i < order; ++i) d = grad(d);
  return d(tensor(x, f64)).item<double>();
}
void near(double got, double want, double tolerance = 1e-14) {
  CAPTURE(want);
  CHECK(std::abs(got - want) <= tolerance * std::abs(want));
}
// Equal, where NaN is NaN.
void same(double got, double want) {
  CAPTURE(want);
  CHECK((got == want || (std::isnan(got) && std::isnan(want))));
}

}  // namespace

TEST_CASE("special: at most 8 ulp of exact values in f64, 4 in f32") {
  const std::vector<SpecialGolden> all = special_goldens(SPECIAL_GOLDEN);
  CHECK_EQ(all.size(), special_calls().size());
  for (const SpecialGolden& g : all) {
    CHECK_EQ(g.points, 2000);
    for (const auto& [e, limit, bits] : {std::tuple{g.wide, 8.0, 64}, std::tuple{g.narrow, 4.0, 32}})
      CHECK_MESSAGE(e.most <= limit, g.name, " f", bits, " of ", e.x, ", ", e.y, ": ", e.got, ", not ", e.want);
  }
}

TEST_CASE("special: the second derivative of i0(2 t - 1) at 1/2 is 2") {
  auto f = [](const Tensor& t) { return special::i0(2 * t - 1); };
  CHECK_EQ(grad(grad(f))(tensor(0.5, f64)).item<double>(), 2);
  CHECK_EQ(grad(f)(tensor(0.5, f64)).item<double>(), 0);
}

TEST_CASE("special: derivatives of Bessel functions keep their digits near 0 and far out (mpmath)") {
  near(slope(JOT_SPECIAL(i0), 1e-8), 5e-9);
  near(slope(JOT_SPECIAL(bessel_j0), 1e-8), -5e-9);
  for (int n : {2, 4}) {  // of odd functions, even derivatives
    near(slope(JOT_SPECIAL(i1), 1e-8, n), n == 2 ? 3e-8 / 8 : 5e-8 / 16, 1e-13);
    near(slope(JOT_SPECIAL(bessel_j1), 1e-8, n), n == 2 ? -3e-8 / 8 : 5e-8 / 16, 1e-13);
  }
  CHECK_EQ(slope(JOT_SPECIAL(bessel_j1), 0), 0.5);
  CHECK_EQ(slope(JOT_SPECIAL(bessel_j0), 0, 2), -0.5);
  near(slope(JOT_SPECIAL(i1e), 1e-8, 2), -1 + 1.875e-8);
  // Of exp(-x) I0 about -1 / (2 x) of it, where I1 - I0 cancels.
  near(slope(JOT_SPECIAL(i0e), 1e6), -1.9947121500246404e-10);
  near(slope(JOT_SPECIAL(i0e), -1e6), 1.9947121500246404e-10);
  near(slope(JOT_SPECIAL(i0e), 40), -0.00079605080079326951);
  near(slope(JOT_SPECIAL(i1e), 40), -0.000766004926067782);
  near(slope(JOT_SPECIAL(scaled_modified_bessel_k0), 1e6), -6.2665683366156969e-10);
  near(slope(JOT_SPECIAL(scaled_modified_bessel_k1), 40), -0.0025458668842255219);
  near(slope(JOT_SPECIAL(bessel_y0), 1e-8), 63661977.236758194);
  near(slope(JOT_SPECIAL(bessel_y1), 2.5, 2), -0.2984524776635071);
}

// The parts of a definition that are not taken at x have no say in derivatives of any order, whatever they overflow to.
TEST_CASE("special: derivatives up to the third are numbers wherever the function is smooth, far out and near 0") {
  const std::vector<std::pair<std::string, Function>> functions = {
      {"sinc", JOT_SPECIAL(sinc)},
      {"spherical_bessel_j0", JOT_SPECIAL(spherical_bessel_j0)},
      {"bessel_j0", JOT_SPECIAL(bessel_j0)},
      {"bessel_j1", JOT_SPECIAL(bessel_j1)},
      {"i0e", JOT_SPECIAL(i0e)},
      {"i1e", JOT_SPECIAL(i1e)},
      {"erfcx", JOT_SPECIAL(erfcx)},
      {"erf", JOT_SPECIAL(erf)},
      {"erfc", JOT_SPECIAL(erfc)},
      {"ndtr", JOT_SPECIAL(ndtr)},
      {"expit", JOT_SPECIAL(expit)}};
  std::vector<double> x;
  for (double v : {0.0, 1e-30, 1e-15, 1e-4, 1e-2, 0.5, 1.0, 2.0, 7.0, 13.0, 40.0, 1e3, 1e4, 1e6, 1e10, 1e15})
    x.push_back(v), x.push_back(-v);
  for (const auto& [name, f] : functions) {
    const std::vector<double>& places = name == "erfcx" ? std::vector<double>(x.begin(), x.begin() + 16) : x;
    std::function<Tensor(const Tensor&)> d = f;
    for (int order = 1; order <= 3; ++order) {
      d = [d](const Tensor& t) { return grad([&](const Tensor& s) { return sum(d(s)); })(t); };
      for (DType dtype : {f64, f32}) {
        const std::vector<double> all = d(Tensor::from(places).to(dtype)).to_vector<double>();
        for (size_t i = 0; i < all.size(); ++i)
          CHECK_MESSAGE(std::isfinite(all[i]), name, ", order ", order, ", ", to_string(dtype), " at ", places[i]);
      }
    }
  }
  near(slope(JOT_SPECIAL(erfcx), 0, 2), 2);
  near(slope(JOT_SPECIAL(sinc), 1e35), 1e-35);
  near(slope(JOT_SPECIAL(bessel_j1), 1e20, 2), -of(JOT_SPECIAL(bessel_j1), 1e20), 1e-12);
}

TEST_CASE("special: derivatives of the incomplete gamma function by both operands, to second order (mpmath)") {
  struct Row {
    double a, x, by_a, by_x, aa, ax, xx;
  };
  for (const Row& r : {
           Row{0.5, 0.3, -0.77057035137535192, 0.76309057876818596, 0.62614765583991265, 0.57959569809958949,
               -2.034908210048496},
           Row{3.25, 7.5, -0.031353332677699505, 0.020196011695443129, -0.026657315274883578, 0.02015384463396296,
               -0.014137208186810191},
           Row{40, 38, -0.061575654662101362, 0.062919444385986662, 0.0031682384596322573, -0.0024375756791265734,
               0.0016557748522628069},
           Row{1e-3, 1e-2, -4.0232716518012267, 0.098606916814867984, 14.636044545048509, 98.209570555020935,
               -9.9494379066201794},
       }) {
    CAPTURE(r.a);
    Tensor a = tensor(r.a, f64), x = tensor(r.x, f64);
    for (double sign : {1.0, -1.0}) {
      auto f = [sign](const Tensor& shape, const Tensor& at) {
        return sign > 0 ? special::gammainc(shape, at) : special::gammaincc(shape, at);
      };
      auto by_a = [&](const Tensor& s) { return f(s, x); };
      auto by_x = [&](const Tensor& t) { return f(a, t); };
      near(grad(by_a)(a).item<double>(), sign * r.by_a);
      near(grad(by_x)(x).item<double>(), sign * r.by_x);
      near(grad(grad(by_a))(a).item<double>(), sign * r.aa, 1e-12);
      near(grad(grad(by_x))(x).item<double>(), sign * r.xx, 1e-12);
      auto mixed = [&](const Tensor& t) { return grad([&](const Tensor& s) { return f(s, t); })(a); };
      near(grad(mixed)(x).item<double>(), sign * r.ax, 1e-12);
    }
  }
}

TEST_CASE("special: second derivatives of gammainc at 0 and at infinity are their limits (mpmath)") {
  const double inf = std::numeric_limits<double>::infinity();
  auto check = [](double got, double want) { CHECK_MESSAGE((got == want), got, ", not ", want); };
  const double by_x[][2] = {{0.5, -inf}, {1, -1}, {1.5, inf}, {2, 1}, {2.5, 0}, {3, 0}};
  for (auto [a, want] : by_x) {
    auto of_x = [a = a](const Tensor& x) { return special::gammainc(a, x); };
    check(grad(grad(of_x))(tensor(0.0, f64)).item<double>(), want);
    check(grad(grad(of_x))(tensor(inf, f64)).item<double>(), 0);
    auto mixed = [](double a, double x) {
      return grad([a](const Tensor& y) {
               return grad([y](const Tensor& b) { return special::gammainc(b, y); })(tensor(a, f64));
             })(tensor(x, f64))
          .item<double>();
    };
    check(mixed(a, 0), a > 1 ? 0 : -inf);
    check(mixed(a, inf), 0);
  }
}

TEST_CASE("special: edges") {
  same(of(JOT_SPECIAL(ndtri), 0), -kInf), same(of(JOT_SPECIAL(ndtri), 1), kInf),
      same(of(JOT_SPECIAL(ndtri), 1.5), kNan);
  same(of(JOT_SPECIAL(ndtri), 0.5), 0), same(of(JOT_SPECIAL(ndtr), -kInf), 0), same(of(JOT_SPECIAL(ndtr), kInf), 1);
  same(of(JOT_SPECIAL(bessel_j0), kInf), 0), same(of(JOT_SPECIAL(bessel_j1), -kInf), 0);
  same(of(JOT_SPECIAL(bessel_y0), 0), -kInf), same(of(JOT_SPECIAL(bessel_y1), -1), kNan);
  same(of(JOT_SPECIAL(modified_bessel_k0), 0), kInf), same(of(JOT_SPECIAL(modified_bessel_k1), -1), kNan);
  same(of(JOT_SPECIAL(modified_bessel_k0), 1e4), 0), same(of(JOT_SPECIAL(scaled_modified_bessel_k0), kInf), 0);
  same(of(JOT_SPECIAL(i0), 800), kInf), same(of(JOT_SPECIAL(i1), -kInf), -kInf);
  same(of(JOT_SPECIAL(spherical_bessel_j0), 0), 1), same(of(JOT_SPECIAL(spherical_bessel_j0), kInf), 0);
  same(of(JOT_SPECIAL(sinc), 3), 0), same(of(JOT_SPECIAL(sinc), 1e300), 0);
  for (Function f : {Function(JOT_SPECIAL(ndtri)), Function(JOT_SPECIAL(bessel_j0)), Function(JOT_SPECIAL(bessel_y1)),
                     Function(JOT_SPECIAL(modified_bessel_k1)), Function(JOT_SPECIAL(i0)), Function(JOT_SPECIAL(ndtr))})
    same(of(f, kNan), kNan);
  struct Row {
    double a, x, p;
  };
  for (const Row& r :
       {Row{0, 0, kNan}, Row{0, 1, 1}, Row{1, 0, 0}, Row{2, kInf, 1}, Row{kInf, 2, 0}, Row{kInf, kInf, kNan},
        Row{-1, 1, kNan}, Row{1, -1, kNan}, Row{kNan, 1, kNan}, Row{1e-300, 1, 1}}) {
    CAPTURE(r.a);
    CAPTURE(r.x);
    same(special::gammainc(tensor(r.a, f64), r.x).item<double>(), r.p);
    if (r.a != 1e-300) same(special::gammaincc(tensor(r.a, f64), r.x).item<double>(), 1 - r.p);
  }
  near(special::gammaincc(tensor(1e-300, f64), 1).item<double>(), 2.1938393439552028e-301);
  same(polygamma(200, tensor(1e-3, f64)).item<double>(), -kInf);
  near(polygamma(200, tensor(10.0, f64)).item<double>(), -7.8865787114015541e173, 1e-13);
  near(polygamma(40, tensor(10.0f)).item<double>(), -8327848.7, 1e-6);
}

TEST_CASE("special: what has no derivative says so") {
  Tensor a = tensor(2.0, f64);
  auto third = grad(grad(grad([](const Tensor& s) { return special::gammainc(s, 1.5); })));
  check_error<TransformError>(
      "it has no derivative by its first operand, a, of which derivatives of order 1 and 2 are known",
      [&] { third(a); }, "special_test.cpp");
  check_error<TransformError>(
      "it has no derivative by its first operand, the exponent",
      [&] { grad([](const Tensor& s) { return special::zeta(s, 1.5); })(a); }, "special_test.cpp");
  check_error<ShapeError>(
      "[gammainc] shapes [2] and [3] cannot be broadcast", [&] { special::gammainc(ones({2}), ones({3})); },
      "special_test.cpp");
}

}  // namespace jot::test
