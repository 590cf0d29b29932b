// Draws in place, counts, dropout, initialisation: distributions (fixed seeds, wide bounds), transforms, errors.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>
#include <functional>
#include <numeric>
#include <string>

#include "tests/functions/failures.h"

namespace jot::test {
namespace {

namespace F = nn::functional;
namespace init = nn::init;
constexpr int64_t kMany = 40000;

struct Moments {
  double mean, var;
};
Moments moments(const Tensor& x) {
  std::vector<double> v = x.to_vector<double>();
  const double n = static_cast<double>(v.size()), mean = std::accumulate(v.begin(), v.end(), 0.0) / n;
  double var = 0;
  for (double each : v) var += (each - mean) * (each - mean) / n;
  return {mean, var};
}
// Of kMany draws: 6 standard errors of the mean; the variance within a tenth.
void check_moments(const Tensor& x, double mean, double var) {
  Moments m = moments(x);
  CAPTURE(m.mean);
  CAPTURE(m.var);
  CHECK(std::abs(m.mean - mean) <= 6 * std::sqrt(var / static_cast<double>(x.numel())));
  CHECK(std::abs(m.var - var) < 0.1 * var + 1e-12);
}
Tensor many(DType dtype = f64) { return zeros({kMany}, dtype); }
double share(const Tensor& mask) { return moments(mask.to(f64)).mean; }

using test::Failure;
void check_errors(const std::vector<Failure>& failures) { test::check_errors(failures, "draws_test.cpp"); }

}  // namespace

TEST_CASE("draws: in place, of every floating dtype") {
  manual_seed(1);
  for (DType dtype : {f64, f32, f16, bf16}) {
    CAPTURE(to_string(dtype));
    check_moments(many(dtype).uniform_(-1, 3), 1, 16.0 / 12);
    check_moments(many(dtype).normal_(2, 3), 2, 9);
    check_moments(many(dtype).exponential_(2), 0.5, 0.25);
    check_moments(many(dtype).bernoulli_(0.3), 0.3, 0.21);
    check_moments(many(dtype).geometric_(0.4), 2.5, 0.6 / 0.16);
    check_moments(log(many(dtype).log_normal_(0.5, 0.7).to(f64)), 0.5, 0.49);
    Tensor c = many(dtype).cauchy_(1, 2).to(f64);
    CHECK(std::abs(share(c < 1) - 0.5) < 0.02);
    CHECK(std::abs(share(logical_and(c > -1, c < 3)) - 0.5) < 0.02);
  }
  Tensor u = many().uniform_(2, 5);
  CHECK((amin(u, {}).item<double>() >= 2 && amax(u, {}).item<double>() < 5));
  CHECK_EQ(amin(many().geometric_(0.9), {}).item<double>(), 1);
  CHECK(amin(many(f32).exponential_(), {}).item<double>() >= 0);
  check_moments(many().bernoulli_(full({kMany}, 0.8, f64)), 0.8, 0.16);
  check_moments(many(f32).bernoulli_(tensor(0.2)), 0.2, 0.16);
}

TEST_CASE("draws: integers in place") {
  manual_seed(2);
  for (DType dtype : {f64, f32, i64, i32, u8}) {
    CAPTURE(to_string(dtype));
    Tensor x = many(dtype).random_(3, 7);
    check_moments(x, 4.5, 15.0 / 12);
    CHECK((amin(x, {}).item<double>() == 3 && amax(x, {}).item<double>() == 6));
    check_moments(many(dtype).random_(2), 0.5, 0.25);
  }
  check_moments(many(u8).random_(), 127.5, 256.0 * 256 / 12);
  check_moments(many(boolean).random_(), 0.5, 0.25);
  check_moments(many(boolean).bernoulli_(0.25), 0.25, 0.1875);
  check_moments(many(i64).geometric_(0.5), 2, 2);
  check_moments(many(f32).random_() / 0x1p24, 0.5, 1.0 / 12);
  CHECK(amin(many(i32).random_(), {}).item<double>() >= 0);
  check_moments(many(i64).random_().to(f64) / 0x1p63, 0.5, 1.0 / 12);
}

TEST_CASE("draws: writes as all others") {
  manual_seed(3);
  Tensor base = zeros({4, 3}, f64);
  base[1].uniform_(1, 2);
  CHECK_EQ(sum(base[0]).item<double>(), 0);
  CHECK(amin(base[1], {}).item<double>() >= 1);
  // The same seed, the same numbers; jitted too.
  auto f = [](const Tensor& x) { return x.clone().normal_(1, 2) * x; };
  Tensor x = full({5}, 2.0, f64);
  manual_seed(4);
  Tensor first = f(x);
  first.eval();
  manual_seed(4);
  CHECK(allclose(jit(f)(x), first));
  // What was there has no derivative; the lanes of a vmap draw together or apart.
  CHECK_EQ(grad([](const Tensor& v) {
             Tensor y = v * 1;
             y.uniform_();
             return sum(y);
           })(x)
               .to_vector<double>(),
           std::vector<double>(5, 0));
  auto lanes = [&](Randomness r) {
    return vmap([](const Tensor& v) { return (v * 1).exponential_(); }, {.randomness = r})(ones({3, 2}, f64));
  };
  Tensor same = lanes(Randomness::same), apart = lanes(Randomness::different);
  CHECK(equal(same[0], same[1]));
  CHECK(!equal(apart[0], apart[1]));
}

TEST_CASE("draws: poisson") {
  manual_seed(5);
  for (double rate : {0.3, 4.0, 9.5, 10.5, 30.0, 1000.0, 1e6}) {
    CAPTURE(rate);
    check_moments(poisson(full({kMany}, rate, f64)), rate, rate);
  }
  // The distribution itself, on both sides of the change of method.
  for (double rate : {3.0, 12.0}) {
    Tensor k = poisson(full({kMany}, rate, f64));
    double log_p = -rate;
    for (int i = 0; i < 25; ++i) {
      const double p = std::exp(log_p);
      CAPTURE(i);
      CHECK(std::abs(share(k == i) - p) < 6 * std::sqrt(p / kMany) + 1e-4);
      log_p += std::log(rate / (i + 1));
    }
  }
  Tensor mixed = poisson(Tensor::from(std::vector<float>{0, 5, 500}));
  std::vector<float> m = mixed.to_vector<float>();
  CHECK_EQ(to_string(mixed.dtype()), "f32");
  CHECK((m[0] == 0 && m[1] < 30 && m[2] > 300 && m[2] < 700));
  manual_seed(6);
  Tensor a = poisson(full({50}, 7.0));
  a.eval();
  manual_seed(6);
  CHECK(equal(jit([](const Tensor& r) { return poisson(r); })(full({50}, 7.0)), a));
  CHECK_EQ(grad([](const Tensor& r) { return sum(poisson(r)); })(full({3}, 20.0)).to_vector<float>(),
           std::vector<float>(3, 0));
  Tensor lanes = vmap([](const Tensor& r) { return poisson(r.expand({kMany})); },
                      {.randomness = Randomness::different})(tensor({2.0, 50.0}, f64));
  check_moments(lanes[0], 2, 2), check_moments(lanes[1], 50, 50);
}

TEST_CASE("draws: binomial") {
  manual_seed(7);
  for (auto [n, p] : {std::pair{10.0, 0.3},
                      {40.0, 0.1},
                      {40.0, 0.5},
                      {100.0, 0.7},
                      {1000.0, 0.001},
                      {1e6, 0.4},
                      {7.0, 1.0},
                      {7.0, 0.0}}) {
    CAPTURE(n);
    CAPTURE(p);
    Tensor x = binomial(full({kMany}, n, f64), tensor(p, f64));
    check_moments(x, n * p, n * p * (1 - p));
    CHECK((amin(x, {}).item<double>() >= 0 && amax(x, {}).item<double>() <= n));
  }
  Tensor k = binomial(full({kMany}, 30.0, f64), tensor(0.45, f64));
  for (int i = 0; i <= 30; ++i) {
    const double p = std::exp(std::lgamma(31) - std::lgamma(i + 1) - std::lgamma(31 - i) + i * std::log(0.45) +
                              (30 - i) * std::log(0.55));
    CAPTURE(i);
    CHECK(std::abs(share(k == i) - p) < 6 * std::sqrt(p / kMany) + 1e-4);
  }
  CHECK(isnan(binomial(tensor(3.0), tensor(2.0))).item<bool>());
}

TEST_CASE("draws: dropout and its kin") {
  manual_seed(8);
  Tensor x = full({kMany}, 2.0, f64);
  Tensor y = F::dropout(x, 0.3);
  CHECK(std::abs(share(y == 0) - 0.3) < 0.02);
  CHECK(all(logical_or(y == 0, abs(y - 2 / 0.7) < 1e-12)).item<bool>());
  CHECK(equal(F::dropout(x, 0.3, false), x));
  CHECK(equal(F::dropout(x, 0), x));
  CHECK_EQ(sum(F::dropout(x, 1)).item<double>(), 0);
  CHECK_EQ(to_string(F::dropout(ones({9}, f16)).dtype()), "f16");
  // The derivative is what the elements grew by.
  manual_seed(9);
  Tensor z = F::dropout(x, 0.5);
  z.eval();
  manual_seed(9);
  CHECK(allclose(grad([](const Tensor& v) { return sum(F::dropout(v, 0.5)); })(x), z / 2));
  // Whole channels.
  auto constant = [](const Tensor& t, const Axes& dims) { return equal(amax(t, dims), amin(t, dims)); };
  CHECK(constant(F::dropout1d(ones({50, 40, 3})), -1));
  CHECK(constant(F::dropout1d(ones({50, 3})), -1));
  CHECK(constant(F::dropout2d(ones({50, 40, 3, 2})), {-1, -2}));
  CHECK(constant(F::dropout3d(ones({50, 40, 3, 2, 2})), {-1, -2, -3}));
  CHECK(constant(F::dropout3d(ones({50, 3, 2, 2})), {-1, -2, -3}));
  CHECK(constant(F::feature_alpha_dropout(ones({50, 40, 3}), 0.5, true), -1));
  CHECK(std::abs(share(F::dropout2d(ones({200, 100, 1, 2}), 0.25) == 0) - 0.25) < 0.02);
  Tensor normal = many().normal_();
  for (double p : {0.1, 0.5, 0.8}) check_moments(F::alpha_dropout(normal, p, true), 0, 1);
  CHECK(equal(F::alpha_dropout(normal), normal));
  // Lanes.
  auto lanes = [&](Randomness r) {
    return vmap([](const Tensor& v) { return F::dropout(v); }, {.randomness = r})(ones({2, 200}));
  };
  CHECK(equal(lanes(Randomness::same)[0], lanes(Randomness::same)[1]) == false);
  Tensor same = lanes(Randomness::same), apart = lanes(Randomness::different);
  CHECK(equal(same[0], same[1]));
  CHECK(!equal(apart[0], apart[1]));
  check_errors({{"[vmap] called random operation while in randomness error mode", [&] { lanes(Randomness::error); }}});
  CHECK(equal(vmap([](const Tensor& v) { return F::dropout(v, 0.5, false); })(x), x));
}

TEST_CASE("draws: rrelu and gumbel_softmax") {
  manual_seed(10);
  Tensor x = full({kMany}, -1.0, f64), y = F::rrelu(x, {.lower = 0.1, .upper = 0.5, .training = true});
  check_moments(-y, 0.3, 0.16 / 12);
  CHECK((amin(-y, {}).item<double>() >= 0.1 && amax(-y, {}).item<double>() <= 0.5));
  CHECK(allclose(grad([](const Tensor& v) { return sum(F::rrelu(v, {.training = true})); })(-x), ones_like(x)));
  Tensor logits = log(tensor({0.2, 0.3, 0.5}, f64)).expand({kMany, 3});
  Tensor hard = F::gumbel_softmax(logits, {.hard = true});
  CHECK(equal(sum(hard, -1), ones({kMany}, f64)));
  CHECK(all(logical_or(hard == 0, hard == 1)).item<bool>());
  for (int k = 0; k < 3; ++k)
    CHECK(std::abs(share(hard.select(1, k)) - std::vector<double>{0.2, 0.3, 0.5}[static_cast<size_t>(k)]) < 0.02);
  Tensor soft = F::gumbel_softmax(logits, {.tau = 0.7, .dim = 1});
  CHECK(allclose(sum(soft, 1), ones({kMany}, f64)));
  auto f = [](const Tensor& v) { return sum(F::gumbel_softmax(v, {.hard = true}) * tensor({1.0, 2.0, 3.0}, f64)); };
  CHECK(sum(abs(grad(f)(tensor({0.1, 0.2, 0.3}, f64)))).item<double>() > 0);
}

TEST_CASE("draws: nn::init") {
  manual_seed(11);
  Tensor w = zeros({200, 100}, f64);
  const double fan = std::sqrt(2.0 / 300);
  check_moments(init::uniform_(w, 1, 3), 2, 4.0 / 12);
  check_moments(init::normal_(w, 1, 2), 1, 4);
  check_moments(init::xavier_uniform_(w, 2), 0, 4 * fan * fan);
  check_moments(init::xavier_normal_(w), 0, fan * fan);
  check_moments(init::kaiming_uniform_(w, {.a = 1}), 0, 1.0 / 100);
  check_moments(init::kaiming_normal_(w, {.mode = "fan_out", .nonlinearity = "relu"}), 0, 2.0 / 200);
  CHECK(amax(abs(init::xavier_uniform_(w)), {}).item<double>() <= fan * std::sqrt(3));
  init::trunc_normal_(w, {.mean = 1, .std = 2, .a = 0, .b = 2});
  CHECK((amin(w, {}).item<double>() >= 0 && amax(w, {}).item<double>() <= 2));
  CHECK(std::abs(moments(w).mean - 1) < 0.02);
  check_moments(init::trunc_normal_(w), 0, 0.7737);
  CHECK(equal(init::constant_(zeros({2}), 3), full({2}, 3.0)));
  CHECK(equal(init::ones_(zeros({2})), ones({2})));
  CHECK(equal(init::zeros_(ones({2})), zeros({2})));
  CHECK(equal(init::eye_(ones({2, 3})), eye(2, 3)));
  CHECK(std::abs(share(init::sparse_(w, 0.25) == 0) - 0.25) < 1e-12);
  CHECK(equal(sum((w == 0).to(i64), 0), full({100}, 50, i64)));
  for (const Shape& shape : {Shape{30, 20}, Shape{20, 30}, Shape{8, 2, 3}}) {
    Tensor q = init::orthogonal_(zeros(shape, f64), 2).flatten(1);
    Tensor product = q.size(0) < q.size(1) ? matmul(q, q.t()) : matmul(q.t(), q);
    CHECK(allclose(product, 4 * eye(product.size(0), f64), 1e-12, 1e-12));
  }
  CHECK(allclose(init::orthogonal_(zeros({40, 40})), init::orthogonal_(zeros({40, 40}))) == false);
  Tensor kernel = init::dirac_(zeros({4, 2, 3, 3}), 2);
  CHECK_EQ(sum(kernel).item<double>(), 4);
  CHECK_EQ(kernel.index({2, 0, 1, 1}).item<double>(), 1);
  CHECK_EQ(kernel.index({3, 1, 1, 1}).item<double>(), 1);
  CHECK_EQ(init::calculate_gain("tanh"), 5.0 / 3);
  CHECK_EQ(init::calculate_gain("leaky_relu", 1.0), 1);
  CHECK_EQ(init::calculate_gain("selu"), 0.75);
}

TEST_CASE("draws: what is wrong is said") {
  Tensor x = zeros({3}), i = zeros({3}, i64), w = zeros({3, 4});
  check_errors({
      {"[uniform_] expects to return a [from, to) range, but found from=2 > to=1", [&] { x.uniform_(2, 1); }},
      {"[uniform_] a continuous distribution: expected a floating dtype, got i64", [&] { i.uniform_(); }},
      {"[normal_] expects std >= 0.0, but found std -1", [&] { x.normal_(0, -1); }},
      {"[exponential_] expects lambda > 0.0, but found lambda=0", [&] { x.exponential_(0); }},
      {"[bernoulli_] expects p to be in [0, 1], but got p=2", [&] { x.bernoulli_(2); }},
      {"[bernoulli_] probabilities of shape [4] cannot be broadcast to [3]", [&] { x.bernoulli_(ones({4})); }},
      {"[cauchy_] expects sigma > 0.0, but found sigma=0", [&] { x.cauchy_(0, 0); }},
      {"[log_normal_] expects std > 0.0, but found std=0", [&] { x.log_normal_(0, 0); }},
      {"[geometric_] expects p to be in (0, 1), but got p=1", [&] { x.geometric_(1); }},
      {"[random_] expects 'from' to be less than 'to', but got from=5 >= to=2", [&] { x.random_(5, 2); }},
      {"[random_] to - 1 is out of bounds for u8", [&] { zeros({3}, u8).random_(0, 300); }},
      {"[random_] from is out of bounds for u8", [&] { zeros({3}, u8).random_(-1, 3); }},
      {"[poisson] expected a floating dtype, got i64[3]", [&] { poisson(i); }},
      {"[binomial] expected a floating dtype, got i64[3]", [&] { binomial(i, x); }},
      {"[binomial] shapes", [&] { binomial(x, zeros({2})); }},
      {"[xavier_uniform_] Fan in and fan out can not be computed for tensor with fewer than 2 dimensions",
       [&] { init::xavier_uniform_(x); }},
      {"[eye_] Only tensors with 2 dimensions are supported", [&] { init::eye_(x); }},
      {"[dirac_] Only tensors with 3, 4, or 5 dimensions are supported", [&] { init::dirac_(x); }},
      {"[dirac_] dim 0 must be divisible by groups",
       [&] {
         init::dirac_(zeros({3, 2, 3}), 2);
       }},
      {"[orthogonal_] Only tensors with 2 or more dimensions are supported", [&] { init::orthogonal_(x); }},
      {"[sparse_] Only tensors with 2 dimensions are supported", [&] { init::sparse_(x, 0.1); }},
      {"[sparse_] expected a sparsity in [0, 1]", [&] { init::sparse_(w, 2); }},
      {"[kaiming_uniform_] Mode foo not supported", [&] { init::kaiming_uniform_(w, {.mode = "foo"}); }},
      {"[calculate_gain] Unsupported nonlinearity foo", [&] { init::calculate_gain("foo"); }},
      {"[calculate_gain] Unsupported nonlinearity foo", [&] { init::kaiming_normal_(w, {.nonlinearity = "foo"}); }},
  });
}

}  // namespace jot::test
