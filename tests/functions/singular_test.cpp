// Values and derivatives at singular points, ties and infinities: torch's (2.13, f64), by reverse and forward mode.
// Where torch's is NaN forward mode may give the derivative of the branch that is taken.
#include <doctest/doctest.h>

#include <jot/jot.h>

#include <cmath>
#include <limits>
#include <string>

namespace jot::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

bool same(double got, double want) {
  return std::isnan(want) ? std::isnan(got) : got == want || std::abs(got - want) <= 1e-15 * std::abs(want);
}

struct One {
  std::string name;
  Tensor (*f)(const Tensor&);
  double x, value, slope;
};
struct Two {
  std::string name;
  Tensor (*f)(const Tensor&, const Tensor&);
  double a, b, value, by_a, by_b;
};

Tensor clamp_unit(const Tensor& x) { return clamp(x, 0, 1); }
Tensor clamp_below(const Tensor& x) { return clamp_min(x, 0); }
Tensor clamp_above(const Tensor& x) { return clamp_max(x, 1); }
template <auto f>
Tensor slope(const Tensor& x) {
  return grad([](const Tensor& y) { return f(y, JOT_HERE); })(x);
}
Tensor bce_of_zero(const Tensor& x) { return nn::functional::binary_cross_entropy(x, zeros_like(x)); }
Tensor bce_of_some(const Tensor& x) { return nn::functional::binary_cross_entropy(x, full_like(x, 0.25)); }
Tensor bce_slope(const Tensor& x) { return grad(bce_of_some)(x); }
Tensor clamp_unknown(const Tensor& x) { return clamp(x, kNan, 1); }
Tensor clamp_below_unknown(const Tensor& x) { return clamp_max(x, full_like(x, kNan)); }
Tensor bce_of_one(const Tensor& x) { return nn::functional::binary_cross_entropy(x, ones_like(x)); }

#define JOT_ROW_1(f, ...)                                 \
  {                                                       \
    #f, [](const Tensor& x) { return f(x); }, __VA_ARGS__ \
  }
#define JOT_ROW_2(f, ...)                                                     \
  {                                                                           \
    #f, [](const Tensor& a, const Tensor& b) { return f(a, b); }, __VA_ARGS__ \
  }
const One kOne[] = {
    JOT_ROW_1(abs, 0.0, 0.0, 0.0),
    JOT_ROW_1(abs, -0.0, 0.0, 0.0),
    JOT_ROW_1(sign, 0.0, 0.0, 0.0),
    JOT_ROW_1(floor, 1.0, 1.0, 0.0),
    JOT_ROW_1(round, 0.5, 0.0, 0.0),
    JOT_ROW_1(trunc, 1.0, 1.0, 0.0),
    JOT_ROW_1(frac, 1.0, 0.0, 1.0),
    JOT_ROW_1(frac, -0.5, -0.5, 1.0),
    JOT_ROW_1(exp, -kInf, 0.0, 0.0),
    JOT_ROW_1(log, 0.0, -kInf, kInf),
    JOT_ROW_1(log, -1.0, kNan, -1.0),
    JOT_ROW_1(log2, 0.0, -kInf, kInf),
    JOT_ROW_1(log10, 0.0, -kInf, kInf),
    JOT_ROW_1(log1p, -1.0, -kInf, kInf),
    JOT_ROW_1(log1p, -2.0, kNan, -1.0),
    JOT_ROW_1(sqrt, 0.0, 0.0, kInf),
    JOT_ROW_1(sqrt, kInf, kInf, 0.0),
    JOT_ROW_1(rsqrt, 0.0, kInf, -kInf),
    JOT_ROW_1(square, 0.0, 0.0, 0.0),
    JOT_ROW_1(reciprocal, 0.0, kInf, -kInf),
    JOT_ROW_1(reciprocal, kInf, 0.0, -0.0),
    JOT_ROW_1(relu, 0.0, 0.0, 0.0),
    JOT_ROW_1(sigmoid, kInf, 1.0, 0.0),
    JOT_ROW_1(sigmoid, -kInf, 0.0, 0.0),
    JOT_ROW_1(tanh, kInf, 1.0, 0.0),
    JOT_ROW_1(asin, 1.0, 1.5707963267948966, kInf),
    JOT_ROW_1(asin, -1.0, -1.5707963267948966, kInf),
    JOT_ROW_1(acos, 1.0, 0.0, -kInf),
    JOT_ROW_1(acos, -1.0, 3.141592653589793, -kInf),
    JOT_ROW_1(atan, kInf, 1.5707963267948966, 0.0),
    JOT_ROW_1(asinh, 0.0, 0.0, 1.0),
    JOT_ROW_1(acosh, 1.0, 0.0, kInf),
    JOT_ROW_1(acosh, -2.0, kNan, 0.57735026918962576),
    JOT_ROW_1(acosh, 0.5, kNan, kNan),
    JOT_ROW_1(acosh, 0x1p600, 416.58145551652713, 0x1p-600),
    JOT_ROW_1(atanh, 1.0, kInf, kInf),
    JOT_ROW_1(atanh, -1.0, -kInf, kInf),
    JOT_ROW_1(sinh, 0.0, 0.0, 1.0),
    JOT_ROW_1(cosh, 0.0, 1.0, 0.0),
    JOT_ROW_1(expm1, -kInf, -1.0, 0.0),
    JOT_ROW_1(erf, 0.0, 0.0, 1.1283791670955126),
    JOT_ROW_1(erf, kInf, 1.0, 0.0),
    JOT_ROW_1(erfc, kInf, 0.0, -0.0),
    JOT_ROW_1(erfinv, 1.0, kInf, kInf),
    JOT_ROW_1(erfinv, -1.0, -kInf, kInf),
    JOT_ROW_1(lgamma, 0.0, kInf, -kInf),
    JOT_ROW_1(lgamma, -1.0, kInf, kNan),
    JOT_ROW_1(digamma, 0.0, -kInf, kInf),
    JOT_ROW_1(sinc, 0.0, 1.0, 0.0),
    JOT_ROW_1(i0, 0.0, 1.0, 0.0),
    JOT_ROW_1(logit, 0.0, -kInf, kInf),
    JOT_ROW_1(logit, 1.0, kInf, kInf),
    JOT_ROW_1(nan_to_num, kNan, 0.0, 0.0),
    JOT_ROW_1(nan_to_num, kInf, 1.7976931348623157e+308, 0.0),
    JOT_ROW_1(deg2rad, 0.0, 0.0, 0.017453292519943295),
    JOT_ROW_1(special::entr, 0.0, 0.0, kInf),
    JOT_ROW_1(special::i0e, 0.0, 1.0, 0.0),
    JOT_ROW_1(special::i1, 0.0, 0.0, 0.5),
    JOT_ROW_1(special::i1e, 0.0, 0.0, 0.5),
    JOT_ROW_1(special::erfcx, 0.0, 1.0, -1.1283791670955126),
    JOT_ROW_1(special::ndtr, kInf, 1.0, 0.0),
    JOT_ROW_1(special::ndtr, -kInf, 0.0, 0.0),
    JOT_ROW_1(special::log_ndtr, 0.0, -0.6931471805599453, 0.7978845608028654),
    JOT_ROW_1(clamp_unit, kNan, kNan, 0.0),
    JOT_ROW_1(clamp_below, kNan, kNan, 0.0),
    JOT_ROW_1(clamp_above, kNan, kNan, 0.0),
    JOT_ROW_1(clamp_unit, 0.0, 0.0, 1.0),
    JOT_ROW_1(slope<special::i0e>, 0.0, 0.0, 0.5),
    JOT_ROW_1(bce_of_zero, 0.0, 0.0, 0.0),
    JOT_ROW_1(bce_of_one, 1.0, 0.0, 0.0),
    JOT_ROW_1(bce_of_some, 0.0, 25.0, -0.25e12),
    JOT_ROW_1(bce_of_some, 1.0, 75.0, 0.75e12),
    JOT_ROW_1(bce_of_some, 1e-20, 11.512925464970229, -0.25e12),
    JOT_ROW_1(bce_slope, 1e-20, -0.25e12, 0.0),
    JOT_ROW_1(clamp_unknown, 0.5, kNan, 0.0),
    JOT_ROW_1(clamp_below_unknown, 0.5, kNan, 0.0),
    // torch has no derivatives of these; limits.
    JOT_ROW_1(special::bessel_y0, 0.0, -kInf, kInf),
    JOT_ROW_1(special::bessel_y1, 0.0, -kInf, kInf),
    JOT_ROW_1(special::modified_bessel_k0, 0.0, kInf, -kInf),
    JOT_ROW_1(special::modified_bessel_k1, 0.0, kInf, -kInf),
    JOT_ROW_1(special::scaled_modified_bessel_k0, 0.0, kInf, -kInf),
    JOT_ROW_1(special::scaled_modified_bessel_k1, 0.0, kInf, -kInf),
    // torch: NaN.
    JOT_ROW_1(special::i1, 800.0, kInf, kInf),
    JOT_ROW_1(special::i1, -800.0, -kInf, kInf),
    // torch: 6.58e32.
    JOT_ROW_1(digamma, -1.0, kNan, kInf),
};
const Two kTwo[] = {
    JOT_ROW_2(maximum, 1.0, 1.0, 1.0, 0.5, 0.5),
    JOT_ROW_2(maximum, 0.0, kNan, kNan, 1.0, 1.0),
    JOT_ROW_2(minimum, 1.0, 1.0, 1.0, 0.5, 0.5),
    JOT_ROW_2(fmax, 1.0, 1.0, 1.0, 1.0, 0.0),
    JOT_ROW_2(fmax, kNan, 1.0, 1.0, 0.0, 1.0),
    JOT_ROW_2(fmin, 1.0, 1.0, 1.0, 1.0, 0.0),
    JOT_ROW_2(pow, 0.0, 0.0, 1.0, 0.0, 0.0),
    JOT_ROW_2(pow, 0.0, 1.0, 0.0, 1.0, 0.0),
    JOT_ROW_2(pow, 0.0, 2.0, 0.0, 0.0, 0.0),
    JOT_ROW_2(pow, 0.0, 0.5, 0.0, kInf, 0.0),
    JOT_ROW_2(pow, 0.0, -1.0, kInf, -kInf, -kInf),
    JOT_ROW_2(pow, -1.0, 2.0, 1.0, -2.0, kNan),
    JOT_ROW_2(atan2, 0.0, 0.0, 0.0, 0.0, -0.0),
    JOT_ROW_2(atan2, 0.0, -1.0, 3.141592653589793, -1.0, -0.0),
    JOT_ROW_2(hypot, 0.0, 0.0, 0.0, kNan, kNan),
    JOT_ROW_2(hypot, 1.0, kInf, kInf, 0.0, 1.0),  // torch: by the infinite one NaN
    JOT_ROW_2(hypot, -kInf, 1.0, kInf, -1.0, 0.0),
    JOT_ROW_2(logaddexp, -kInf, -kInf, -kInf, kNan, kNan),
    JOT_ROW_2(logaddexp, 1.0, 1.0, 1.6931471805599454, 0.5, 0.5),
    JOT_ROW_2(logaddexp, kInf, kInf, kInf, kNan, kNan),
    JOT_ROW_2(logaddexp2, -kInf, -kInf, -kInf, kNan, kNan),
    JOT_ROW_2(xlogy, 0.0, 2.0, 0.0, 0.6931471805599453, 0.0),
    JOT_ROW_2(xlogy, 1.0, 0.0, -kInf, -kInf, kInf),
    JOT_ROW_2(special::xlog1py, 0.0, 1.0, 0.0, 0.6931471805599453, 0.0),
    JOT_ROW_2(div, 1.0, 0.0, kInf, kInf, -kInf),
    JOT_ROW_2(div, 0.0, 0.0, kNan, kInf, kNan),
    JOT_ROW_2(fmod, 4.0, 2.0, 0.0, 1.0, -2.0),
    JOT_ROW_2(fmod, 1.0, 0.0, kNan, 1.0, -kInf),
    JOT_ROW_2(remainder, 4.0, 2.0, 0.0, 1.0, -2.0),
    JOT_ROW_2(remainder, -4.0, 2.0, -0.0, 1.0, 2.0),
    JOT_ROW_2(copysign, 0.0, -1.0, -0.0, 0.0, 0.0),
    JOT_ROW_2(copysign, 2.0, -1.0, -2.0, -1.0, 0.0),
    // torch's derivative by y is NaN.
    JOT_ROW_2(xlogy, 0.0, 0.0, 0.0, 0.0, 0.0),
    JOT_ROW_2(special::xlog1py, 0.0, -1.0, 0.0, 0.0, 0.0),
};
#undef JOT_ROW_1
#undef JOT_ROW_2

}  // namespace

TEST_CASE("singular points: functions of one tensor") {
  for (const One& row : kOne) {
    const Tensor x = tensor(row.x, f64), one = tensor(1.0, f64);
    const double value = row.f(x).item<double>(), reverse = grad(row.f)(x).item<double>();
    const double forward = jvp(row.f, primals(x), tangents(one)).second.item<double>();
    CHECK_MESSAGE(same(value, row.value), row.name, " of ", row.x, ": ", value, ", not ", row.value);
    CHECK_MESSAGE(same(reverse, row.slope), row.name, " at ", row.x, ", reverse: ", reverse, ", not ", row.slope);
    CHECK_MESSAGE(same(forward, row.slope), row.name, " at ", row.x, ", forward: ", forward, ", not ", row.slope);
  }
}

TEST_CASE("singular points: functions of two tensors") {
  for (const Two& row : kTwo) {
    const Tensor a = tensor(row.a, f64), b = tensor(row.b, f64), one = tensor(1.0, f64);
    const double value = row.f(a, b).item<double>();
    auto by_a = [&](const Tensor& x) { return row.f(x, b); };
    auto by_b = [&](const Tensor& x) { return row.f(a, x); };
    const double reverse_a = grad(by_a)(a).item<double>(), reverse_b = grad(by_b)(b).item<double>();
    const double forward_a = jvp(by_a, primals(a), tangents(one)).second.item<double>();
    const double forward_b = jvp(by_b, primals(b), tangents(one)).second.item<double>();
    CHECK_MESSAGE(same(value, row.value), row.name, " of ", row.a, ", ", row.b, ": ", value, ", not ", row.value);
    CHECK_MESSAGE(same(reverse_a, row.by_a), row.name, " of ", row.a, ", ", row.b, " by the first: ", reverse_a);
    CHECK_MESSAGE(same(reverse_b, row.by_b), row.name, " of ", row.a, ", ", row.b, " by the second: ", reverse_b);
    CHECK_MESSAGE((std::isnan(row.by_a) || same(forward_a, row.by_a)), row.name, " of ", row.a, ", ", row.b,
                  " by the first, forward: ", forward_a);
    CHECK_MESSAGE((std::isnan(row.by_b) || same(forward_b, row.by_b)), row.name, " of ", row.a, ", ", row.b,
                  " by the second, forward: ", forward_b);
  }
}

}  // namespace jot::test
