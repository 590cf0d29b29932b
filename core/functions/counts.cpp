// Draws of how often something happens: few by walking up the distribution function, many by transformed rejection
// (Hoermann, "The transformed rejection method for generating Poisson random variables", 1993; "The generation of
// binomial random variates", 1993). A loop runs until all elements are accepted. All in f64.
#include <cmath>

#include "core/functions/demands.h"
#include "core/functions/operands.h"
#include "core/record/force.h"
#include "jot/creation.h"
#include "jot/loops.h"
#include "jot/ops.h"
#include "jot/random.h"

namespace jot {

using namespace detail;

namespace {

constexpr double kFew = 10;      // a mean below it
constexpr int kMostOfFew = 200;  // which such a count never reaches

// The least k whose distribution function exceeds a uniform draw, by p(0) and p(k) / p(k - 1).
template <class F>
Tensor walked(const Tensor& first, const Shape& shape, F ratio) {
  Tensor u = rand(shape, DType::f64);
  using State = std::tuple<Tensor, Tensor, Tensor>;  // k, p(k), sum to p(k)
  auto below = [&](const Tensor& k, const Tensor& sum) { return logical_and(u >= sum, k < kMostOfFew); };
  State init{zeros(shape, DType::f64), first, first};
  auto [k, p, sum] = while_loop([&](const State& s) { return any(below(std::get<0>(s), std::get<2>(s))); },
                                [&](const State& s) {
                                  const auto& [count, chance, total] = s;
                                  Tensor up = below(count, total), next = where(up, count + 1, count);
                                  Tensor then = where(up, chance * ratio(next), chance);
                                  return State{next, then, where(up, total + then, total)};
                                },
                                init);
  return k;
}

// Candidates until each is accepted: once(u, v) -> (k, whether it is) of draws u in [-1/2, 1/2), v in (0, 1].
template <class F>
Tensor rejected(const Tensor& done, F once) {
  const Shape shape = done.shape();
  using State = std::pair<Tensor, Tensor>;  // k, accepted
  auto step = [&](const State& s) {
    Tensor u = rand(shape, DType::f64) - 0.5, v = 1 - rand(shape, DType::f64);
    auto [k, good] = once(u, v);
    return State{where(s.second, s.first, k), logical_or(s.second, good)};
  };
  return while_loop([](const State& s) { return logical_not(all(s.second)); }, step,
                    State{zeros(shape, DType::f64), done})
      .first;
}

void check_floating(std::string_view op, const Tensor& x, Location at) {
  if (!is_floating(impl_of(x, op, at).dtype()))
    fail<DTypeError>(op, "expected a floating dtype, got " + type_name(x) + ": convert with to(f32)", at);
}

}  // namespace

Tensor poisson(const Tensor& rate, Location at) {
  Composite call("poisson", at);
  check_floating("poisson", rate, at);
  check_drawn_alike("poisson", {&rate}, at);
  Tensor known = demanded("poisson", rate.detach(at), {0, inf}, "expected rates that are not negative, got {}", at);
  Tensor r = known.to(DType::f64, at), valid = r < inf, few = r < kFew;
  few = logical_or(few, logical_not(valid));
  Tensor small = where(logical_and(few, valid), r, 0.0), large = where(few, kFew, r);
  Tensor k = walked(exp(-small), shape_of(rate), [&](const Tensor& next) { return small / next; });
  Tensor root = sqrt(large), log_rate = log(large);
  Tensor b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b, scale = 1.1239 + 1.1328 / (b - 3.4);
  Tensor sure = 0.9277 - 3.6224 / (b - 2);
  Tensor many = rejected(few, [&](const Tensor& u, const Tensor& v) {
    Tensor s = 0.5 - abs(u), count = floor((2 * a / s + b) * u + large + 0.43);
    Tensor quick = logical_and(s >= 0.07, v <= sure);
    Tensor never = logical_or(count < 0, logical_and(s<0.013, v> s));
    Tensor bound = count * log_rate - large - lgamma(where(never, 0.0, count) + 1);
    Tensor inside = log(v * scale / (a / (s * s) + b)) <= bound;
    return std::pair{count, logical_or(quick, logical_and(logical_not(never), inside))};
  });
  return where(valid, where(few, k, many), std::nan("")).to(rate.dtype(), at);
}

Tensor binomial(const Tensor& count, const Tensor& p, Location at) {
  Composite call("binomial", at);
  check_floating("binomial", count, at), check_floating("binomial", p, at);
  check_drawn_alike("binomial", {&count, &p}, at);
  const DType dtype = promote(count.dtype(), p.dtype());
  std::vector<Tensor> both =
      broadcast_tensors({count.detach(at).to(DType::f64, at), p.detach(at).to(DType::f64, at)}, at);
  Tensor n = both[0], chance = both[1];
  Tensor valid = logical_and(logical_and(n >= 0, n < inf), logical_and(chance >= 0, chance <= 1));
  n = where(valid, floor(n), 0.0), chance = where(valid, chance, 0.0);
  Tensor turned = chance > 0.5, q = where(turned, 1 - chance, chance), few = n * q < kFew;
  Tensor m = where(few, n, 0.0), odds = q / (1 - q);
  Tensor k = walked(exp(m * log1p(-q)), shape_of(n), [&](const Tensor& next) { return odds * (m - next + 1) / next; });
  k = minimum(k, m);
  // What is few is accepted from the start: any numbers will do for it.
  Tensor big = where(few, 40.0, n), share = where(few, 0.5, q), r = share / (1 - share);
  Tensor spread = sqrt(big * share * (1 - share)), b = 1.15 + 2.53 * spread;
  Tensor a = -0.0873 + 0.0248 * b + 0.01 * share, center = big * share + 0.5, sure = 0.92 - 4.2 / b;
  Tensor alpha = (2.83 + 5.1 / b) * spread, top = floor((big + 1) * share);
  Tensor peak = lgamma(top + 1) + lgamma(big - top + 1);
  Tensor many = rejected(few, [&](const Tensor& u, const Tensor& v) {
    Tensor s = 0.5 - abs(u), found = floor((2 * a / s + b) * u + center);
    Tensor never = logical_or(found<0, found> big), safe = where(never, 0.0, found);
    Tensor quick = logical_and(s >= 0.07, v <= sure);
    Tensor bound = peak - lgamma(safe + 1) - lgamma(big - safe + 1) + (safe - top) * log(r);
    Tensor inside = log(v * alpha / (a / (s * s) + b)) <= bound;
    return std::pair{found, logical_and(logical_not(never), logical_or(quick, inside))};
  });
  Tensor drawn = where(few, k, many);
  return where(valid, where(turned, n - drawn, drawn), std::nan("")).to(dtype, at);
}

}  // namespace jot
