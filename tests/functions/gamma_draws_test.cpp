// Draws of the gamma distribution and of Dirichlet's: moments, distribution, derivatives, keys, lanes, errors.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "tests/functions/failures.h"

namespace jot::test {
namespace {

constexpr int64_t kMany = 40000;
double mean_of(const Tensor& x) { return mean(x.to(f64)).item<double>(); }

// The greatest distance of the draws' distribution function from gamma's, in units of 1 / sqrt(n): above 2 one time in
// three thousand.
double kolmogorov(const Tensor& draws, double alpha) {
  std::vector<double> p = special::gammainc(alpha, draws).to_vector<double>();
  std::ranges::sort(p);
  const double n = static_cast<double>(p.size());
  double most = 0;
  for (size_t i = 0; i < p.size(); ++i)
    most = std::max({most, p[i] - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - p[i]});
  return most * std::sqrt(n);
}

}  // namespace

TEST_CASE("gamma draws: mean, variance and distribution") {
  manual_seed(11);
  for (double alpha : {0.05, 0.6, 1.0, 3.5, 400.0}) {
    CAPTURE(alpha);
    Tensor x = random_gamma(full({kMany}, alpha, f64));
    CHECK(std::abs(mean_of(x) - alpha) < 5 * std::sqrt(alpha / static_cast<double>(kMany)));
    CHECK(std::abs(mean_of(square(x - alpha)) / alpha - 1) <
          6 * std::sqrt((2 + 6 / alpha) / static_cast<double>(kMany)));
    CHECK(kolmogorov(x, alpha) < 2);
  }
  CHECK(kolmogorov(random_gamma(full({kMany}, 2.0, f64)), 2.1) > 2);
  CHECK(random_gamma(full({3}, 2.0, f32)).dtype() == f32);
  Tensor edges = random_gamma(tensor({0.0, -1.0, std::nan(""), inf, 1e-3}, f64));
  for (int i = 0; i < 4; ++i) CHECK(std::isnan(edges[i].item<double>()));
  CHECK(edges[4].item<double>() >= 0);
}

// A draw stays at its place in the distribution function.
TEST_CASE("gamma draws: the derivative by alpha, in either mode, of order 2, and its mean") {
  Tensor key = random::key(5), alpha = tensor({0.02, 0.3, 0.9, 1.5, 20.0, 1e4}, f64);
  auto draw = [&](const Tensor& a) { return random::gamma(key, a); };
  Tensor x = draw(alpha), slope = grad([&](const Tensor& a) { return sum(draw(a)); })(alpha);
  auto [value, tangent] = jvp(draw, primals(alpha), tangents(ones({6}, f64)));
  CHECK(allclose(value, x));
  CHECK(allclose(tangent, slope, 1e-12));
  // With l = log(x): P(alpha + h, exp(l + h l' + h^2 l'' / 2)) is P(alpha, x), to h^3.
  auto log_draw = [&](const Tensor& a) { return sum(log(draw(a))); };
  Tensor rate = grad(log_draw)(alpha), curve = grad([&](const Tensor& a) { return sum(grad(log_draw)(a)); })(alpha);
  for (int i = 0; i < 6; ++i) {
    CAPTURE(i);
    const double a = alpha[i].item<double>(), h = 1e-4 * a, l = std::log(x[i].item<double>());
    const double s = rate[i].item<double>(), c = curve[i].item<double>();
    auto moved = [&](double step) {
      Tensor at = exp(tensor(l + step * s + step * step * c / 2, f64));
      return special::gammainc(tensor(a + step, f64), at).item<double>();
    };
    const double first = (moved(h) - moved(-h)) / 2, second = moved(h) - 2 * moved(0) + moved(-h);
    CHECK(std::abs(first) < 1e-9);
    CHECK(std::abs(second) < 1e-11);
    // What they would be if the draw did not follow.
    CHECK(std::abs(h * grad([&](const Tensor& b) { return special::gammainc(b, x[i]); })(alpha[i]).item<double>()) >
          1e-6);
  }
  // d/da of the means of x and of x^2, a and a (a + 1).
  for (double a : {0.4, 3.0}) {
    auto moment = [&](int power) {
      return grad([&](const Tensor& s) { return mean(pow(random::gamma(key, s.expand({kMany})), power)); })(
                 tensor(a, f64))
          .item<double>();
    };
    CHECK(std::abs(moment(1) - 1) < 0.05);
    CHECK(std::abs(moment(2) / (2 * a + 1) - 1) < 0.1);
  }
}

TEST_CASE("gamma draws: where the draw itself vanishes its logarithm has a derivative") {
  Tensor alpha = full({64, 3}, 1e-3, f64);
  Tensor x = random::dirichlet(random::key(3), alpha);
  CHECK(allclose(sum(x, -1), ones({64}, f64)));
  Tensor g = grad([](const Tensor& a) { return sum(square(random::dirichlet(random::key(3), a))); })(alpha);
  CHECK(all(isfinite(g)).item<bool>());
}

TEST_CASE("dirichlet draws: means, covariances, derivatives of the mean") {
  manual_seed(12);
  Tensor alpha = tensor({0.5, 1.5, 3.0}, f64), total = sum(alpha), share = alpha / total;
  Tensor x = dirichlet(alpha.expand({kMany, 3}));
  CHECK(allclose(sum(x, -1), ones({kMany}, f64)));
  CHECK(allclose(mean(x, 0), share, 0, 0.01));
  CHECK(allclose(mean(x * x, 0) - share * share, share * (1 - share) / (total + 1), 0, 0.005));
  Tensor jacobian = jacrev([](const Tensor& a) { return mean(dirichlet(a.expand({kMany, 3})), 0); })(alpha);
  CHECK(allclose(jacobian, (eye(3, f64) - share.unsqueeze(-1)) / total, 0, 0.01));
}

TEST_CASE("gamma draws: keys, jit, lanes") {
  Tensor key = random::key(9), alpha = tensor({0.5, 2.0, 7.0}, f64);
  Tensor x = random::gamma(key, alpha);
  CHECK(equal(random::gamma(key, alpha), x));
  CHECK(!equal(random::gamma(random::key(10), alpha), x));
  CHECK(equal(jit([](const Tensor& k, const Tensor& a) { return random::gamma(k, a); })(key, alpha), x));
  Tensor keys = random::split(key, 4);
  Tensor lanes = vmap([&](const Tensor& k) { return random::gamma(k, alpha); })(keys);
  for (int i = 0; i < 4; ++i) CHECK(equal(lanes[i], random::gamma(keys[i], alpha)));
  manual_seed(4);
  Tensor first = gamma(alpha);
  manual_seed(4);
  CHECK(equal(random_gamma(alpha), first));
  Tensor apart = vmap([](const Tensor& a) { return random_gamma(a); },
                      {.randomness = Randomness::different})(full({8, 2}, 2.0, f64));
  CHECK(unique(apart.reshape({-1})).values.numel() == 16);
}

TEST_CASE("gamma draws: what is wrong is said") {
  Tensor i = zeros({3}, i64), x = ones({3}, f64);
  check_errors({{"[random_gamma] expected a floating dtype, got i64[3]", [&] { random_gamma(i); }},
                {"[dirichlet] expected concentrations along the last dim, got f32[]", [&] { dirichlet(tensor(1.0f)); }},
                {"[random::gamma] expected a key, i64[2], got i64[3]", [&] { random::gamma(i, x); }}},
               "gamma_draws_test.cpp");
  check_error<TransformError>(
      "[dirichlet] Vmap does not currently support same randomness",
      [] {
        vmap([](const Tensor& a) { return dirichlet(a); }, {.randomness = Randomness::same})(ones({4, 3}, f64));
      },
      "gamma_draws_test.cpp");
}

}  // namespace jot::test
