// Functions that are composed of others: values by hand or torch's, special cases, errors.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>
#include <functional>
#include <string>

#include "tests/functions/failures.h"

namespace jot::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Same shape, dtype and elements; NaN equals NaN.
void check(const Tensor& got, const Tensor& want) {
  CHECK_EQ(to_string(got.shape()), to_string(want.shape()));
  CHECK_EQ(to_string(got.dtype()), to_string(want.dtype()));
  std::vector<double> a = got.to_vector<double>(), b = want.to_vector<double>();
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    CAPTURE(i);
    CHECK((a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])) || std::abs(a[i] - b[i]) < 1e-14));
  }
}
Tensor d(const Nested& n) { return tensor(n, f64); }

using test::Failure;
void check_errors(const std::vector<Failure>& failures) { test::check_errors(failures, "composed_test.cpp"); }

}  // namespace

TEST_CASE("composed: of booleans, as torch") {
  const Tensor b = tensor({true, false, true}), yes = tensor({true, true}), no = tensor({false, false});
  check(sign(b), b);
  check(sgn(b), b);
  check(b.clone().sign_(), b);
  check(square(b), tensor({1, 0, 1}));
  const Tensor first = tensor({0, 0}), both = tensor({0, 1}), mixed = tensor({true, false});
  auto into = [&](const Tensor& i, const Tensor& x, Reduce r, bool self = true) {
    return scatter_reduce(b, 0, i, x, r, self);
  };
  for (Reduce any : {Reduce::sum, Reduce::amax}) {
    check(into(both, yes, any), tensor({true, true, true}));
    check(into(first, mixed, any, false), tensor({true, false, true}));
    check(into(both, no, any, false), tensor({false, false, true}));
  }
  for (Reduce all : {Reduce::prod, Reduce::amin}) {
    check(into(both, yes, all), b);
    check(into(both, yes, all, false), tensor({true, true, true}));
    check(into(first, mixed, all), tensor({false, false, true}));
  }
  const Tensor c = tensor({{true, false}, {false, false}}), right = tensor({false, true});
  check(all(tensor({1, 0}).to(u8)), tensor(0).to(u8));
  check(any(tensor({{1, 0}}).to(u8), 0), tensor({1, 0}).to(u8));
  check(addr(c, yes, right), tensor({{true, true}, {false, true}}));
  check(addr(c, yes, right, 2, 3), tensor({{true, true}, {false, true}}));
  check(addr(c, yes, right, 0), tensor({{false, true}, {false, true}}));
  check(addr(c, yes, right, 1, 0), c);
  check(c.clone().addr_(yes, right), tensor({{true, true}, {false, true}}));
  check_errors({
      {"[square_] ", [&] { b.clone().square_(); }},
      {"[scatter_reduce] the mean is defined for numbers", [&] { into(both, yes, Reduce::mean); }},
      {"[index_reduce] not defined for booleans: convert with to(i64)",
       [&] { index_reduce(b, 0, both, yes, Reduce::prod); }},
      {"[addr] For integral input tensors, beta and alpha must not be floating", [&] { addr(c, yes, right, 1.0); }},
      {"[fold] not defined for booleans: convert with to(i64)",
       [&] {
         nn::functional::fold(ones({1, 4, 1}, boolean), {2, 2}, 2);
       }},
  });
}

TEST_CASE("composed: joins") {
  check(hstack({tensor({1, 2}), tensor(3)}), tensor({1, 2, 3}));
  check(vstack({tensor({1, 2}), tensor({3.5, 4.5}, f64)}), d({{1, 2}, {3.5, 4.5}}));
  check(dstack({tensor({1, 2}), tensor({3, 4})}), tensor({{{1, 3}, {2, 4}}}));
  check(column_stack({tensor({1, 2}), tensor({{3, 4}, {5, 6}})}), tensor({{1, 3, 4}, {2, 5, 6}}));
  check(hsplit(tensor({{1, 2, 3}, {4, 5, 6}}), {1})[1], tensor({{2, 3}, {5, 6}}));
  check(tensor({1, 2, 3, 4}).tensor_split({2})[0], tensor({1, 2}));
  CHECK_EQ(tensor({1, 2, 3, 4}).tensor_split({2}).size(), 2);
  CHECK_EQ(tensor({1, 2, 3, 4}).tensor_split(4).size(), 4);
  CHECK_EQ(tensor({1, 2, 3, 4}).split({4}).size(), 1);
  CHECK_EQ(tensor({1, 2, 3, 4}).split(1).size(), 4);
  auto grid = meshgrid({tensor({1, 2, 3}), tensor({4, 5})}, Indexing::xy);
  check(grid[0], tensor({{1, 2, 3}, {1, 2, 3}}));
  check(grid[1], tensor({{4, 4, 4}, {5, 5, 5}}));
  check(cartesian_prod({tensor({1, 2}), tensor({4, 5})}), tensor({{1, 4}, {1, 5}, {2, 4}, {2, 5}}));
  check(combinations(tensor({1, 2, 3})), tensor({{1, 2}, {1, 3}, {2, 3}}));
  check(combinations(tensor({1, 2}), 2, true), tensor({{1, 1}, {1, 2}, {2, 2}}));
  CHECK_EQ(to_string(combinations(tensor({1, 2}), 3).shape()), "[0,3]");
  CHECK_EQ(to_string(combinations(tensor({1, 2}), 0).shape()), "[0]");
  check(block_diag({tensor({{1, 2}}), tensor(3), tensor({4, 5})}),
        tensor({{1, 2, 0, 0, 0}, {0, 0, 3, 0, 0}, {0, 0, 0, 4, 5}}));
  check(block_diag({tensor({true}), tensor({true})}), tensor({{true, false}, {false, true}}));
  // A 0-d tensor does not widen the others of its kind.
  check(block_diag({d(2), tensor({1.0})}), tensor({{2.0, 0.0}, {0.0, 1.0}}));
  check(block_diag({tensor(true), tensor({2})}), tensor({{1, 0}, {0, 2}}));
  for (const Tensor& part : ones({2, 0}).chunk(3, 1)) check(part, ones({2, 0}));
  CHECK_EQ(ones({2, 0}).chunk(3, 1).size(), 3);
  // Views: writes reach the base.
  Tensor x = zeros({2, 2}, f64);
  vsplit(x, 2)[1].fill_(1);
  atleast_2d(x[0])[0] = 2;
  check(x, d({{2, 2}, {1, 1}}));
}

TEST_CASE("composed: arrangements") {
  Tensor x = tensor({{1, 2, 3}, {4, 5, 6}});
  check(rot90(x), tensor({{3, 6}, {2, 5}, {1, 4}}));
  check(rot90(x, -1), tensor({{4, 1}, {5, 2}, {6, 3}}));
  check(roll(x, 1), tensor({{6, 1, 2}, {3, 4, 5}}));
  check(roll(x, -1, 1), tensor({{2, 3, 1}, {5, 6, 4}}));
  check(roll(tensor(1), 3, 0), tensor(1));
  check(tensor({1, 2}).repeat({2, 2}), tensor({{1, 2, 1, 2}, {1, 2, 1, 2}}));
  check(repeat(tensor(7), {2}), tensor({7, 7}));
  check(tile(x, {2}), tensor({{1, 2, 3, 1, 2, 3}, {4, 5, 6, 4, 5, 6}}));
  check(repeat_interleave(tensor({1, 2}), 2), tensor({1, 1, 2, 2}));
  check(repeat_interleave(x, tensor({1, 2}), 0), tensor({{1, 2, 3}, {4, 5, 6}, {4, 5, 6}}));
  check(diag(tensor({1, 2}), 1), tensor({{0, 1, 0}, {0, 0, 2}, {0, 0, 0}}));
  check(diag(x, -1), tensor({4}));
  check(diag_embed(x.slice(1, 0, 2), 0, 0, 1), tensor({{{1, 4}, {0, 0}}, {{0, 0}, {2, 5}}}));
  check(diagflat(tensor({{1, 2}}), -1), tensor({{0, 0, 0}, {1, 0, 0}, {0, 2, 0}}));
  check(kron(tensor({1, 2}), tensor({{3, 4}})), tensor({{3, 4, 6, 8}}));
  check(kron(d(2), tensor({1.0, 2.0})), d({2, 4}));  // the 0-d one counts as the other
  check(vander(tensor({2, 3})), tensor({{2, 1}, {3, 1}}));
  check(vander(tensor({2, 3}), 3, true), tensor({{1, 2, 4}, {1, 3, 9}}));
  check(x.sum_to_size({1, 3}), tensor({{5, 7, 9}}));
  check(sum_to_size(x, {2, 1}), tensor({{6}, {15}}));
  check(tril_indices(3, 3, -1), tensor({{1, 2, 2}, {0, 0, 1}}));
  check(triu_indices(2, 3), tensor({{0, 0, 0, 1, 1}, {0, 1, 2, 1, 2}}));
  // A result is not the argument: a write to it stays there.
  Tensor y = tensor({1.0, 2.0}, f64);
  for (const Tensor& copy :
       {roll(y, 0), y.repeat({1}), tile(y, {1}), repeat_interleave(y, 1), rot90(y.expand({1, 2}), 0),
        einsum("i->i", {y}), diff(y, 0), chain_matmul({y.unsqueeze(0)})})
    copy.fill_(9);
  check(y, d({1, 2}));
}

TEST_CASE("composed: greatest and middle elements, ties and NaN") {
  for (auto [between, expected] : {std::pair{Quantile::lower, 2.0}, std::pair{Quantile::higher, 5.0},
                                   std::pair{Quantile::midpoint, 3.5}, std::pair{Quantile::nearest, 2.0}})
    check(quantile(d({1, 2, 5, 9}), 0.4, none, false, between), d(expected));
  Tensor x = d({{1, 3, 3}, {kNan, 0, kNan}});
  check(argmax(x, 1), tensor({1, 0}));
  check(argmin(x, 1), tensor({0, 0}));
  check(argmax(x), tensor(3));
  check(argmax(tensor(5)), tensor(0));
  check(argmax(tensor({false, true, true}), 0), tensor(1));
  auto [values, indices] = max(x, 1);
  check(values, d({3, kNan}));
  check(indices, tensor({1, 0}));
  check(grad([](const Tensor& t) { return sum(max(t, 0).values); })(d({3, 3})), d({1, 0}));
  check(grad([](const Tensor& t) { return aminmax(t).max; })(d({3, 3})), d({0.5, 0.5}));
  check(median(d({4, 1, 3, 2})), d(2));
  check(median(d({1, kNan})), d(kNan));
  check(nanmedian(d({kNan, 1, 5, 3, kNan})), d(3));
  check(median(d({inf, inf, 1})), d(inf));
  check(median(zeros({0}, f64)), d(kNan));
  check(median(tensor({3, 1, 2, 9})), tensor(2));
  check(grad([](const Tensor& t) { return median(t); })(d({2, 1, 2, 5})), d({0.5, 0, 0.5, 0}));
  check(grad([](const Tensor& t) { return sum(median(t, 0).values); })(d({1, 2, 2})), d({0, 1, 0}));
  check(median(x, 1).values, d({3, kNan}));
  check(median(x, 1).indices, tensor({1, 0}));
  check(nanmedian(x, 1, true).values, d({{3}, {0}}));
  check(nanmedian(d({kNan, kNan}), 0).values, d(kNan));
  check(kthvalue(d({3, kNan, 1}), 2).values, d(3));
  check(kthvalue(d({3, kNan, 1}), 3).indices, tensor(1));
  check(quantile(d({1, 2, 3, 4}), 0.5), d(2.5));
  check(quantile(d({{1, 2}, {5, 9}}), d({0, 0.25, 1}), 0), d({{1, 2}, {2, 3.75}, {5, 9}}));
  check(quantile(d({{1, 2}, {5, 9}}), 0.5, 1, true), d({{1.5}, {7}}));
  check(quantile(d({1, inf}), 0.0), d(1));
  check(quantile(d({1, kNan}), 0.5), d(kNan));
  check(nanquantile(d({1, kNan, 3}), 0.5), d(2));
  check(nanquantile(d({kNan, kNan}), 0.5), d(kNan));
}

TEST_CASE("composed: sums, norms and covariances") {
  check(count_nonzero(tensor({{1, 0}, {2, 3}}), 0), tensor({2, 1}));
  check(nansum(d({1, kNan})), d(1));
  check(nanmean(d({{1, kNan}, {kNan, kNan}}), 1), d({1, kNan}));
  check(norm(d({3, -4})), d(5));
  check(norm(d({3, -4}), 1), d(7));
  check(norm(d({3, -4}), inf), d(4));
  check(norm(d({3, -4}), -inf), d(3));
  check(norm(d({3, 0}), 0), d(1));
  check(norm(d({3, 0}), -1), d(0));
  check(norm(zeros({0, 2}, f64), 2, 0), d({0, 0}));
  check(norm(d(-3), 3), d(3));
  for (double p : {1.0, 2.0, 3.0, 2.5, inf, 0.5})
    check(grad([p](const Tensor& x) { return norm(x, p); })(zeros({3}, f64)), zeros({3}, f64));
  check(dist(d({1, 2}), d({1, 4})), d(2));
  check(cdist(d({{0, 0}, {3, 4}}), d({{0, 0}})), d({{0}, {5}}));
  check(grad([](const Tensor& x) { return sum(cdist(x, x)); })(d({{1, 2}})), d({{0, 0}}));
  check(renorm(d({{3, 4}, {0, 1}}), 2, 0, 10), d({{3, 4}, {0, 1}}));
  check(cov(d({{0, 2}, {2, 0}})), d({{2, -2}, {-2, 2}}));
  check(cov(d({1, 3, 5})), d(4));
  check(cov(d({1, 3}), {.fweights = tensor({1, 2})}), d(4.0 / 3));
  check(corrcoef(d({{0, 1, 2}, {4, 2, 0}})), d({{1, -1}, {-1, 1}}));
  check(corrcoef(d({0, 1, 2})), d(1));
  check(cov(tensor({1.0, 3.0}), {.correction = 0, .aweights = d({1, 1})}), d(1));
  check(cov(tensor({1, 3}), {.correction = 0, .aweights = d({1, 1})}), d(1));
  check(cov(d(1), {.correction = 0, .fweights = tensor(2), .aweights = d(3)}), d(0));
  for (const Ord& order : {Ord("fro"), Ord("nuc"), Ord(1), Ord(2), Ord(inf)})
    for (const Shape& shape : {Shape{2, 0, 3}, Shape{2, 3, 0}, Shape{2, 0, 0}})
      check(linalg::matrix_norm(zeros(shape, f64), order), d({0, 0}));
  check(cov(d({{1, 3, 5}})), d(4));
  check(var(d({1, 2, 3, 6}), {}, 1.5), d(5.6));
}

TEST_CASE("composed: samples") {
  check(diff(tensor({1, 4, 9})), tensor({3, 5}));
  check(diff(tensor({true, false, false})), tensor({true, false}));
  check(diff(tensor({1, 4, 9}), 3), zeros({0}, i64));
  check(trapezoid(d({1, 2, 3})), d(4));
  check(trapezoid(d({1, 2, 3}), d({0, 1, 4})), d(9));
  check(trapezoid(d({5})), d(0));
  check(gradient(d({1, 2, 4, 7}))[0], d({1, 1.5, 2.5, 3}));
  // torch's values.
  check(gradient(d({1, 2, 4, 7}), 1, {}, 2)[0], d({0.5, 1.5, 2.5, 3.5}));
  check(gradient(d({1, 2, 4, 8, 16}), {d({0, 1, 3, 6, 7})})[0], d({1, 1, 1 + 2.0 / 15, 6 + 1.0 / 3, 8}));
  check(gradient(d({{1, 2}, {4, 8}}), {2.0, 0.5})[0], d({{1.5, 3}, {1.5, 3}}));
  check(gradient(d({1, 4}), 2)[0], d({1.5, 1.5}));
  check(diff(d({1, 4}), 1, 0, d({0, 0}), d({5})), d({0, 1, 3, 1}));
}

TEST_CASE("composed: creation and draws") {
  check(logspace(0, 2, 3, 10, f64), d({1, 10, 100}));
  check(hann_window(4, true, f64), d({0, 0.5, 1, 0.5}));
  // torch's: of integers the ends and the step are integers.
  check(arange(5.5, i64), tensor({0, 1, 2, 3, 4}));
  check(arange(5.5, i32), tensor({0, 1, 2, 3, 4, 5}, i32));
  check(arange(-1.5, 2.5, 1.5, i32), tensor({-1, 0, 1}, i32));
  check(linspace(2.5, 5, 6, i32), tensor({2, 2, 3, 3, 4, 5}, i32));
  check(logspace(2.5, 3, 2, 10, i64), tensor({100, 1000}));
  check(hamming_window(3, false, 0.5, 0.5, f64), d({0, 1, 0}));
  check(bartlett_window(5, false, f64), d({0, 0.5, 1, 0.5, 0}));
  check(blackman_window(3, false, f64), d({0, 1, 0}));
  check(kaiser_window(3, false, 0, f64), d({1, 1, 1}));
  check(hann_window(1), tensor({1.0}));
  manual_seed(1);
  check(msort(randperm(100)), arange(100));
  CHECK(!equal(randperm(100), arange(100)));
  Tensor picks = multinomial(tensor({0.0, 1.0, 3.0}), 1000, true);
  CHECK_EQ(picks.to(f64).amin().item<double>(), 1);
  CHECK(std::abs(mean((picks == 2).to(f64)).item<double>() - 0.75) < 0.06);
  check(msort(multinomial(ones({5}), 5)), arange(5));
  check(grad([](const Tensor& m) { return sum(normal(m, zeros({3}, f64))); })(d({1, 2, 3})), d({1, 1, 1}));
  // Keys: the same key the same numbers, each lane those of its own key.
  Tensor key = random::key(7), keys = random::split(key, 3);
  CHECK(equal(random::normal(key, {4}), random::normal(key, {4})));
  CHECK(equal(keys[1], random::fold_in(key, 1)));
  CHECK(!equal(random::uniform(keys[0], {4}), random::uniform(keys[1], {4})));
  auto draw = [](const Tensor& k) { return random::uniform(k, {4}, f64); };
  check(vmap(draw)(keys), stack({draw(keys[0]), draw(keys[1]), draw(keys[2])}));
  check_errors({
      {"[logspace] number of steps must be non-negative", [] { logspace(0, 1, -1); }},
      {"[hann_window] expected a floating dtype, got i64", [] { hann_window(3, true, i64); }},
      {"[kaiser_window] n", [] { kaiser_window(-1); }},
      {"[randperm] n", [] { randperm(-1); }},
      {"[normal] shapes [2] and [3] cannot be broadcast", [] { normal(ones({2}), ones({3})); }},
      {"[multinomial] cannot sample 3 of 2 without replacement", [] { multinomial(ones({2}), 3); }},
      {"[random::normal] expected a key, i64[2], got f32[2]", [] { random::normal(ones({2}), {3}); }},
      {"[random::uniform] expected a key", [] { random::uniform(ones({3}, i64), {3}); }},
      {"[random::split] expected a key", [] { random::split(ones({3}, i64)); }},
      {"[random::fold_in] expected an integer", [&] { random::fold_in(key, 0.5); }},
  });
}

TEST_CASE("composed: cumulative functions") {
  check(cumsum(tensor({{1, 2}, {3, 4}}), 0), tensor({{1, 2}, {4, 6}}));
  check(cumsum(tensor({true, true}), 0), tensor({1, 2}));
  check(cumprod(d({2, 0, 3}), 0), d({2, 0, 0}));
  check(cumsum(d(3), 0), d(3));
  check(logcumsumexp(d({-inf, 0, 1000}), 0), d({-inf, 0, 1000}));
  check(cummax(d({1, 3, 2, 3, kNan, 5}), 0).values, d({1, 3, 3, 3, kNan, kNan}));
  check(cummax(d({1, 3, 2, 3, kNan, 5}), 0).indices, tensor({0, 1, 1, 3, 4, 4}));
  check(cummin(tensor({3, 1, 1, 2}), 0).indices, tensor({0, 1, 2, 2}));
  check(cumsum(ones({3}, i64).clone().cumsum_(0), 0), tensor({1, 3, 6}));
  check(mode(tensor({3, 1, 1, 3, 2})).values, tensor(1));
  check(mode(tensor({3, 1, 1, 3, 2})).indices, tensor(2));
  check(mode(d({{5, 5}, {7, 6}}), 1, true).values, d({{5}, {6}}));
  check(cumulative_trapezoid(d({1, 2, 4})), d({1.5, 4.5}));
  // x0, x0 x1, x0 x1 x2: the second derivative of the last by x1 and x2 is x0, also where a factor is 0.
  auto last = [](const Tensor& x) { return cumprod(x, 0)[2]; };
  check(grad(last)(d({2, 0, 3})), d({0, 6, 0}));
  check(hessian(last)(d({2, 0, 3})), d({{0, 3, 0}, {3, 0, 2}, {0, 2, 0}}));
  // So are second forward derivatives of all prefixes, those of x0, x0 x1, x0 x1 x2, x0 x1 x2 x3.
  auto expanded = [](const Tensor& x) {
    return stack({x[0], x[0] * x[1], x[0] * x[1] * x[2], x[0] * x[1] * x[2] * x[3]});
  };
  auto second = [](auto f, const Tensor& x) {
    auto first = [&](const Tensor& v) { return jvp(f, primals(v), tangents(d({1, 2, -1, 3}))).second; };
    return jvp(first, primals(x), tangents(d({2, -1, 1, 1}))).second;
  };
  for (const Tensor& x : {d({2, 0, 3, 5}), d({0, 0, 3, 5}), d({0, 2, 0, 0})})
    check(second([](const Tensor& v) { return cumprod(v, 0); }, x), second(expanded, x));
  check(grad([](const Tensor& x) { return sum(cummax(x, 0).values); })(d({2, 2, 1})), d({1, 2, 0}));
  // Weights do not overflow; what is -inf has none, and what is before it keeps its own.
  Tensor weights = d({1, 2, 3});
  auto weighted = [&](const Tensor& x) { return sum(weights * logcumsumexp(x, 0)); };
  check(grad(weighted)(d({1000, 1, -1000})), d({6, 0, 0}));
  check(grad(weighted)(d({-inf, -inf, 2})), d({0, 0, 3}));
  check((logcumsumexp(d({-1000, -1000}), 0) - d({-1000, -1000 + std::log(2.0)})).abs() < 1e-12, tensor({true, true}));
  // A million terms in f32, in parts and in whole.
  Tensor tenth = full({1 << 20}, 0.1, f32);
  check((cumsum(tenth, 0)[-1] / (0.1f * (1 << 20)) - 1).abs() < 1e-6, tensor(true));
  check((cumsum(tenth.reshape({-1, 1}).expand({1 << 20, 2}), 0)[-1] / (0.1f * (1 << 20)) - 1).abs() < 1e-6,
        tensor({true, true}));
  check(cumsum(ones({100'000}, i64), 0), arange(1, 100'001));
  check(cummax(arange(100'000) % 1000, 0).values[-1], tensor(999));
  check(cummax(arange(100'000) % 1000, 0).indices[-1], tensor(99'999));
  check_errors({
      {"[cumsum] Dimension out of range", [] { cumsum(ones({2}), 1); }},
      {"[cumprod] Dimension out of range", [] { cumprod(ones({2}), -2); }},
      {"[logcumsumexp] expected a floating dtype, got i64[2]", [] { logcumsumexp(ones({2}, i64), 0); }},
      {"[cummax] Dimension out of range", [] { cummax(ones({2}), 1); }},
      {"[cummin] Dimension out of range", [] { cummin(ones({2}), 1); }},
      {"[mode] Expected reduction dim 0 to have non-zero size", [] { mode(ones({0})); }},
      {"[cumulative_trapezoid] There must be one `x` value", [] { cumulative_trapezoid(ones({2}), ones({3})); }},
  });
}

TEST_CASE("composed: products") {
  check(inner(d({{1, 2}, {3, 4}}), d({1, 1})), d({3, 7}));
  check(addmm(tensor({1, 1}), tensor({{1}, {2}}), tensor({{3, 4}}), 2, 3), tensor({{11, 14}, {20, 26}}));
  check(nn::functional::linear(d({{1, 2}, {3, 4}}), d({5, 6}), d(1)), d({18, 40}));
  check(nn::functional::linear(d({1, 2}), d({5, 6})), d(17));
  check(nn::functional::lp_pool1d(d({{3, -4, 1, 2}}), inf, 2), d({{4, 2}}));
  check(nn::functional::lp_pool1d(d({{3, -4, 1, 2}}), -inf, 2), d({{3, 1}}));
  check(addmv(d({kNan, kNan}), d({{1}, {2}}), d({3}), 0), d({3, 6}));
  check(chain_matmul({d({{2}}), d({{3}}), d({{4}})}), d({{24}}));
  check(tensordot(d({1, 2}), d({3, 4}), 1), d(11));
  check(tensordot(d({{1, 2}, {3, 4}}), d({{1, 0}, {0, 2}}), {0, 1}, {1, 0}), d(9));
  check(einsum("ij->ji", {d({{1, 2}, {3, 4}})}), d({{1, 3}, {2, 4}}));
  check(einsum("ii", {d({{1, 2}, {3, 4}})}), d(5));
  check(einsum("ba", {d({{1, 2}, {3, 4}})}), d({{1, 3}, {2, 4}}));
  check(einsum("bA", {d({{1, 2}, {3, 4}})}), d({{1, 3}, {2, 4}}));
  check(einsum("...", {d({1, 2})}), d({1, 2}));
  check(einsum("i,i->", {tensor({1, 2}), tensor({3, 4})}), tensor(11));
  check(einsum("ij,jk->ik", {zeros({2, 0}, f64), zeros({0, 2}, f64)}), zeros({2, 2}, f64));
}

TEST_CASE("composed: places and searches") {
  check(gather(d({1, 2}), 0, zeros({3, 0}, u8)), zeros({3, 0}, f64));
  check(index_select(d(3), 0, tensor({0})), d(3));
  check(d({1, 2}).masked_scatter(tensor({{true, false}, {false, true}}), d({5, 6})), d({{5, 2}, {1, 6}}));
  check(d({1, 2}).masked_scatter(tensor(true), d({5, 6})), d({5, 6}));
  check(d(1).masked_scatter(tensor(true), d({5})), d(5));
  Tensor x = tensor({{10, 20}, {30, 40}});
  // A 0-d mask takes all, as a new dim, or nothing.
  check(x.index({tensor(true), 1}), tensor({{30, 40}}));
  check(x.index({tensor(false)}), zeros({0, 2, 2}, i64));
  check(x.clone().index_put_({tensor(true)}, 7), full({2, 2}, 7));
  check(take_along_dim(x, tensor({{1}, {0}}), 1), tensor({{20}, {30}}));
  check(take(x, tensor({{0, -1}})), tensor({{10, 40}}));
  check(put(x, tensor({1, 1}), tensor({5, 6})), tensor({{10, 6}, {30, 40}}));
  check(put(x, tensor({1, 1}), tensor({5, 6}), true), tensor({{10, 31}, {30, 40}}));
  Tensor v = d({1, 2, 3}), i = tensor({0, 0, 2}), s = d({5, 7, 3});
  check(scatter_reduce(v, 0, i, s, Reduce::sum), d({13, 2, 6}));
  check(scatter_reduce(v, 0, i, s, Reduce::sum, false), d({12, 2, 3}));
  check(scatter_reduce(v, 0, i, s, Reduce::prod), d({35, 2, 9}));
  check(scatter_reduce(v, 0, i, s, Reduce::mean), d({13.0 / 3, 2, 3}));
  check(scatter_reduce(v, 0, i, s, Reduce::mean, false), d({6, 2, 3}));
  check(scatter_reduce(tensor({1, 2, 3}), 0, i, tensor({-5, 2, 4}), Reduce::mean), tensor({-1, 2, 3}));
  check(scatter_reduce(full({1}, 200, u8), 0, tensor({0, 0}), full({2}, 50, u8), Reduce::mean, false),
        full({1}, 50, u8));
  check(index_reduce(tensor({1, 2}), 0, tensor({1, 1}), tensor({-4, 1}), Reduce::mean, false), tensor({1, -2}));
  check(scatter_reduce(v, 0, i, s, Reduce::amax), d({7, 2, 3}));
  check(scatter_reduce(v, 0, i, s, Reduce::amin, false), d({5, 2, 3}));
  check(scatter_reduce(v, 0, zeros({0}, i64), s, Reduce::amin), v);
  auto largest = [&](const Tensor& t) { return sum(scatter_reduce(v, 0, i, t, Reduce::amax)); };
  check(grad(largest)(s), d({0, 1, 0.5}));
  auto product = [&](const Tensor& t) { return sum(scatter_reduce(v, 0, i, t, Reduce::prod)); };
  check(grad(product)(d({0, 7, 3})), d({7, 0, 3}));
  check(hessian(product)(d({0, 0, 3})), d({{0, 1, 0}, {1, 0, 0}, {0, 0, 0}}));
  auto self = [&](const Tensor& t) { return sum(scatter_reduce(t, 0, i, s, Reduce::prod)); };
  check(grad(self)(d({0, 2, 0})), d({35, 1, 3}));
  auto replaced = [&](const Tensor& t) { return sum(scatter_reduce(v, 0, i, t, Reduce::amax, false)); };
  check(grad(replaced)(d({7, 7, 3})), d({0.5, 0.5, 1}));
  check(scatter_reduce(tensor({1, 2}), 0, tensor({0, 0, 1}), tensor({3, -4, 5}), Reduce::prod), tensor({-12, 10}));
  check(scatter_reduce(d({1, 2}), 0, tensor({0}), d({kNan}), Reduce::amin), d({kNan, 2}));
  // Many indices, in parts.
  Tensor many = arange(200'000);
  check(scatter_reduce(zeros({7}, i64), 0, many % 7, many, Reduce::amax),
        tensor({199'997, 199'998, 199'999, 199'993, 199'994, 199'995, 199'996}));
  check(index_reduce(d({{1, 2}, {3, 4}}), 0, tensor({1, 1}), d({{5, 1}, {2, 9}}), Reduce::amax), d({{1, 2}, {5, 9}}));
  check(one_hot(tensor({0, 2})), tensor({{1, 0, 0}, {0, 0, 1}}));
  check(one_hot(tensor(1), 2), tensor({0, 1}));
  Tensor sorted = tensor({1, 3, 3, 5});
  check(searchsorted(sorted, tensor({0, 3, 4, 9})), tensor({0, 1, 3, 4}));
  check(searchsorted(sorted, tensor({0, 3, 4, 9}), true), tensor({0, 3, 3, 4}));
  check(searchsorted(d({1, 2}), d(kNan)), tensor(2));
  check(bucketize(tensor({{3, 6}}), sorted, true), tensor({{3, 4}}));
  check(isin(tensor({{1, 2}, {3, 4}}), tensor({2, 4})), tensor({{false, true}, {false, true}}));
  check(isin(tensor({1}), zeros({0}, i64)), tensor({false}));
  check(isin(tensor({{1, 2}, {3, 4}}), 2), tensor({{false, true}, {false, false}}));
  check(isin(2, tensor({{1, 2}, {3, 4}})), tensor(true));
  check(isin(2.5, tensor({2, 3})), tensor(false));
  check(searchsorted(sorted, 3), tensor(1));
  check(searchsorted(sorted, 3.5, true), tensor(3));
  check(bucketize(3, sorted, true), tensor(3));
  check(bucketize(0.5, d({0.25, 0.5})), tensor(1));
  check(histc(d({1, 2, 1, 9}), 4, 0, 4), d({0, 2, 1, 0}));
  check(histc(d({1, 2, 1}), 2), d({2, 1}));
  check(histc(d({1, 1}), 2), d({0, 2}));
  check(histc(zeros({0}, f64), 2), d({0, 0}));
  check(bincount(tensor({1, 3, 1})), tensor({0, 2, 0, 1}));
  check(bincount(tensor({1, 1}), d({0.5, 2}), 3), d({0, 2.5, 0}));
  check(bincount(zeros({0}, i64)), zeros({0}, i64));
  auto [values, inverse, counts] = unique(tensor({{3, 1}, {3, 2}}));
  check(values, tensor({1, 2, 3}));
  check(inverse, tensor({{2, 0}, {2, 1}}));
  check(counts, tensor({1, 1, 2}));
  check(unique(d({kNan, 1, kNan})).values, d({1, kNan, kNan}));
  check(unique(zeros({0}, f64)).values, zeros({0}, f64));
  auto [rows, row_of, times] = unique(tensor({{3, 1}, {3, 0}, {3, 1}}), 0);
  check(rows, tensor({{3, 0}, {3, 1}}));
  check(row_of, tensor({1, 0, 1}));
  check(times, tensor({1, 2}));
  check(unique(d({{1, 1, 0}, {2, 2, 5}}), -1).values, d({{0, 1}, {5, 2}}));
  check(nonzero(tensor({{0, 3}, {4, 0}})), tensor({{0, 1}, {1, 0}}));
  CHECK_EQ(to_string(nonzero(tensor(3)).shape()), "[1,0]");
  CHECK_EQ(to_string(nonzero(tensor(0)).shape()), "[0,0]");
  check(masked_select(x, tensor({true, false})), tensor({10, 30}));
  check(masked_select(tensor(4), tensor(true)), tensor({4}));
}

TEST_CASE("composed: errors of shapes") {
  Tensor x = ones({2, 3}), v = ones({3}), c = ones({2, 3, 4}), i = zeros({2, 3}, i64);
  check_errors({
      {"[hstack] expects a non-empty list of tensors", [] { hstack({}); }},
      {"[vstack] sizes of tensors must match except in dimension 0",
       [&] {
         vstack({x, ones({2})});
       }},
      {"[dstack] sizes of tensors must match",
       [&] {
         dstack({x, v});
       }},
      {"[column_stack] expects a non-empty list", [] { column_stack({}); }},
      {"[hsplit] attempted to split along dimension 1, but the size of the dimension 3 is not divisible by the "
       "split_size 2",
       [&] { hsplit(x, 2); }},
      {"[vsplit] requires a tensor with at least 2 dimensions, but got a tensor with 1", [&] { vsplit(v, 1); }},
      {"[dsplit] requires a tensor with at least 3 dimensions", [&] { dsplit(x, 1); }},
      {"[broadcast_tensors] shapes [2,3] and [4] cannot be broadcast",
       [&] {
         broadcast_tensors({x, ones({4})});
       }},
      {"[meshgrid] Expected 0D or 1D tensor in the tensor list but got: f32[2,3]",
       [&] {
         meshgrid({v, x});
       }},
      {"[meshgrid] expects all tensors to have the same dtype",
       [&] {
         meshgrid({v, i[0]});
       }},
      {"[cartesian_prod] Expect a 1D vector, but got f32[2,3]", [&] { cartesian_prod({x}); }},
      {"[combinations] Expect a non-negative number, but got -1", [&] { combinations(v, -1); }},
      {"[block_diag] Input tensors must have 2 or fewer dimensions. Input 1 has 3",
       [&] {
         block_diag({x, c});
       }},
      {"[fliplr] Input must be >= 2-d, got f32[3]", [&] { fliplr(v); }},
      {"[flipud] Input must be >= 1-d, got f32[]", [&] { flipud(v[0]); }},
      {"[rot90] expected rotation dims to be different, but got dim0 = 1 and dim1 = -1",
       [&] {
         rot90(x, 1, {1, -1});
       }},
      {"[roll] shifts and dimensions must align. shifts: 2, dims:1",
       [&] {
         roll(x, {1, 2}, 0);
       }},
      {"[repeat] Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor: [2]",
       [&] { x.repeat({2}); }},
      {"[tile] expected numbers of copies that are not negative, got [-1]", [&] { tile(x, {-1}); }},
      {"[repeat_interleave] repeats can not be negative, got -2", [&] { repeat_interleave(x, -2); }},
      {"[repeat_interleave] repeats must have the same size as input along dim: i64[2] for extent 3 of f32[2,3]",
       [&] {
         repeat_interleave(x, tensor({1, 2}), 1);
       }},
      {"[repeat_interleave] vmap: We do not support batching operators that can output dynamic shape: the shape",
       [&] {
         vmap([](const Tensor& r) { return repeat_interleave(ones({2}), r); })(ones({3, 2}, i64));
       }},
      {"[diag_embed] diagonal dimensions cannot be identical 0, -3", [&] { diag_embed(x, 0, 0, -3); }},
      {"[diag] expected a 1-d or 2-d tensor, got f32[2,3,4]", [&] { diag(c); }},
      {"[diagflat] diagonal ", [&] { diagflat(v, int64_t{1} << 40); }},
      {"[kron] the result [", [&] { kron(ones({}).expand({1 << 30}), ones({}).expand({1 << 30})); }},
      {"[vander] x must be a one-dimensional tensor, got f32[2,3]", [&] { vander(x); }},
      {"[sum_to_size] size [2] is not expandable to size [2,3]", [&] { x.sum_to_size({2}); }},
      {"[mT] expects a tensor with at least 2 dimensions", [&] { v.mH(); }},
      {"[tril_indices] rows and columns", [] { tril_indices(-1, 2); }},
      {"[triu_indices] rows and columns", [] { triu_indices(2, -1); }},
      {"[atleast_1d] ", [] { atleast_1d(Tensor()); }},
      {"[atleast_2d] ", [] { atleast_2d(Tensor()); }},
      {"[atleast_3d] ", [] { atleast_3d(Tensor()); }},
      {"[split] split_with_sizes expects sizes to sum exactly to 3",
       [&] {
         split_with_sizes(v, {1, 1});
       }},
  });
}

TEST_CASE("composed: errors of reductions and products") {
  Tensor x = ones({2, 3}), v = ones({3}), none_at_all = ones({0, 3}), n = ones({3}, i64);
  check_errors({
      {"[max] Expected reduction dim 0 to have non-zero size, got f32[0,3]", [&] { max(none_at_all, 0); }},
      {"[min] Expected reduction dim 0 to have non-zero size", [&] { min(none_at_all, 0); }},
      {"[argmax] Expected reduction dim 0 to have non-zero size", [&] { argmax(none_at_all); }},
      {"[argmin] Dimension out of range", [&] { argmin(x, 2); }},
      {"[aminmax] expected the reduced dims to have at least one element", [&] { aminmax(none_at_all); }},
      {"[count_nonzero] Dimension out of range", [&] { count_nonzero(x, 4); }},
      {"[var_mean] defined for floating dtypes, got i64[3]", [&] { var_mean(n); }},
      {"[std_mean] defined for floating dtypes, got i64[3]", [&] { std_mean(n); }},
      {"[norm] \"nuc\" is a norm of matrices: expected two dims, got [0] of f32[2,3]", [&] { norm(x, "nuc", 0); }},
      {"[linalg.vector_norm] \"nuc\" is a norm of matrices", [&] { linalg::vector_norm(x, "nuc"); }},
      {"[norm] the order \"two\" is not known: expected a number, inf, \"fro\" or \"nuc\"", [&] { norm(x, "two"); }},
      {"[norm] expected a floating dtype, got i64[3]", [&] { norm(n); }},
      {"[norm] the norm of order inf of nothing is not defined", [&] { norm(none_at_all, inf); }},
      {"[norm] the norm of order -1 of nothing is not defined", [&] { norm(none_at_all, -1); }},
      {"[linalg.norm] \"fro\" is a norm of matrices: expected two dims, got f32[2]",
       [] { linalg::norm(ones({2}), "fro"); }},
      {"[cross] expected extent 3 in dim -1",
       [] {
         cross(ones({2, 3}), ones({2, 1}));
       }},
      {"[dist] shapes [2,3] and [2] cannot be broadcast", [&] { dist(x, ones({2})); }},
      {"[cdist] the tensors must have the same number of columns",
       [&] {
         cdist(x, ones({2, 2}));
       }},
      {"[nansum] Dimension out of range", [&] { nansum(x, 3); }},
      {"[nanmean] expected a floating dtype, got i64[3]", [&] { nanmean(n); }},
      {"[softmin] Dimension out of range", [&] { softmin(x, 2); }},
      {"[median] Expected reduction dim 0 to have non-zero size", [&] { median(none_at_all, 0); }},
      {"[nanmedian] Expected reduction dim 0 to have non-zero size", [&] { nanmedian(none_at_all, 0); }},
      {"[kthvalue] selected index k out of range: k is 4, expected 1 to 3", [&] { kthvalue(x, 4); }},
      {"[quantile] q must be in the range [0, 1] but got 1.5", [&] { quantile(x, 1.5); }},
      {"[nanquantile] q tensor must be same dtype as the input tensor, got f64[1]",
       [&] { nanquantile(x, tensor({0.5}, f64)); }},
      {"[diff] order must be non-negative but got -1", [&] { diff(x, -1); }},
      {"[diff] ",
       [&] {
         diff(x, 1, 0, ones({2, 2}));
       }},
      {"[gradient] expected edge_order to be 1 or 2, got 3", [&] { gradient(x, 1, {}, 3); }},
      {"[gradient] expected spacing to have one entry for each of 2 dims, got 1",
       [&] { gradient(x, std::vector{1.0}); }},
      {"[gradient] There must be one `x` value",
       [&] {
         gradient(x, {ones({2}), ones({2})});
       }},
      {"[gradient] expected the places along a dim to be a vector",
       [&] {
         gradient(x, {ones({}), ones({3})});
       }},
      {"[trapezoid] There must be one `x` value for each sample point", [&] { trapezoid(x, ones({2})); }},
      {"[cov] fweights must be integral, got f32[3]", [&] { cov(x, {.fweights = v}); }},
      {"[cov] expected input to have two or fewer dimensions but got an input with 3",
       [&] {
         cov(ones({1, 1, 1}));
       }},
      {"[corrcoef] expected input to have two or fewer dimensions",
       [&] {
         corrcoef(ones({1, 1, 1}));
       }},
      {"[renorm] input needs at least 2 dimensions, got f32[3]", [&] { renorm(v, 2, 0, 1); }},
      {"[gradient] expected each dimension size to be at least edge_order+1", [&] { gradient(ones({1})); }},
      {"[vdot] expected a 1-d and a 1-d tensor", [&] { vdot(x, v); }},
      {"[inner] the last dimension must match on both input tensors", [&] { inner(x, ones({2})); }},
      {"[addmm] f32[2] cannot be broadcast to the shape of the product, f32[2,3]",
       [&] {
         addmm(ones({2}), ones({2, 1}), ones({1, 3}));
       }},
      {"[addmm] For integral input tensors, beta and alpha must not be floating",
       [&] {
         addmm(n, n.expand({1, 3}), ones({3, 3}, i64), 0.5);
       }},
      {"[addmv] expected a 2-d and a 1-d tensor", [&] { addmv(v, v, v); }},
      {"[addr] expected the first operand to have the dtype of the product", [&] { addr(n, v, v); }},
      {"[baddbmm] expected a 3-d and a 3-d tensor", [&] { baddbmm(x, x, x); }},
      {"[addbmm] expected a 3-d and a 3-d tensor", [&] { addbmm(x, x, x); }},
      {"[chain_matmul] expected 2-d tensors, got f32[3]",
       [&] {
         chain_matmul({x, v});
       }},
      {"[tensordot] contracted dimensions need to match, but first has size 3 in dim 1 and second has size 2 in dim 0",
       [&] { tensordot(x, x, 1); }},
      {"[tensordot] both dimension lists should have same length, got 1 and 2",
       [&] {
         tensordot(x, x, Axes{0}, Axes{0, 1});
       }},
      {"[einsum] must provide at least one operand", [] { einsum("", {}); }},
      {"[einsum] the equation \"i,j\" has 2 operands, 1 were given", [&] { einsum("i,j", {v}); }},
      {"[einsum] the number of subscripts in \"i\" does not match the number of dims of operand 0, f32[2,3]",
       [&] { einsum("i", {x}); }},
      {"[einsum] invalid subscript '1'", [&] { einsum("i1", {x}); }},
      {"[einsum] output subscript k does not appear in the equation", [&] { einsum("ij->k", {x}); }},
      {"[einsum] output subscript i appears more than once", [&] { einsum("ij->ii", {x}); }},
      {"[einsum] subscript i is repeated for operand 0 but the sizes don't match, 2 != 3", [&] { einsum("ii", {x}); }},
      {"[einsum] operands do not broadcast: subscript j has extent 3 and, in operand 1, 2",
       [&] {
         einsum("ij,jk", {x, x});
       }},
  });
}

TEST_CASE("composed: errors of places and searches") {
  Tensor x = ones({2, 3}), v = ones({3}), i = zeros({2, 3}, i64), lanes = ones({2, 3}, i64);
  check_errors({
      {"[index_select] Index to scalar can have only 1 value, got i64[2]",
       [&] {
         index_select(tensor(1), 0, tensor({0, 0}));
       }},
      {"[take_along_dim] input and indices should have the same number of dimensions",
       [&] { take_along_dim(x, i[0], 0); }},
      {"[take] the indices must be i32 or i64, got f32[3]", [&] { take(x, v); }},
      {"[put] Expected source and index to have the same number of elements", [&] { put(x, i, v); }},
      {"[scatter_reduce] expected index i64[2,3] to be no larger than src f32[3]",
       [&] { scatter_reduce(x, 0, i, v, Reduce::sum); }},
      {"[scatter_reduce] index 5 is out of bounds for dimension 0 with size 3",
       [&] { scatter_reduce(v, 0, tensor({5}), ones({1}), Reduce::amax).eval(); }},
      {"[index_reduce] expected a source of shape [2,2]",
       [&] {
         index_reduce(x, 1, tensor({0, 1}), x, Reduce::prod);
       }},
      {"[one_hot] expected integers, got f32[3]", [&] { one_hot(v); }},
      {"[one_hot] vmap: We do not support batching operators that can output dynamic shape",
       [&] { vmap([](const Tensor& t) { return one_hot(t); })(lanes); }},
      {"[searchsorted] the sorted tensor should be 1 dimension or the first N-1", [&] { searchsorted(x, v); }},
      {"[bucketize] boundaries tensor must be 1 dimension", [&] { bucketize(v, x); }},
      {"[isin] ", [&] { isin(x, Tensor()); }},
      {"[histc] bins must be > 0, got 0", [&] { histc(v, 0); }},
      {"[histc] max must be larger than min", [&] { histc(v, 1, 2, 1); }},
      {"[bincount] only supports 1-d non-negative integral inputs", [&] { bincount(i); }},
      {"[bincount] expected numbers that are not negative, got -1", [&] { bincount(tensor({-1})); }},
      {"[bincount] vmap: We do not support batching operators that can output dynamic shape",
       [&] { vmap([](const Tensor& t) { return bincount(t); })(lanes); }},
      {"[unique] vmap: We do not support batching operators that can output dynamic shape",
       [&] { vmap([](const Tensor& t) { return unique(t).values; })(lanes); }},
      {"[nonzero] vmap: We do not support batching operators that can output dynamic shape",
       [&] { vmap([](const Tensor& t) { return nonzero(t); })(lanes); }},
      {"[masked_select] the mask must be boolean, got f32[2,3]", [&] { masked_select(x, x); }},
      {"[masked_select] vmap: We do not support batching operators that can output dynamic shape: a mask with lanes",
       [&] { vmap([](const Tensor& t) { return masked_select(t, t > 0); })(lanes); }},
  });
}

}  // namespace jot::test
