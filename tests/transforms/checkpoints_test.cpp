// Loops of which reverse mode keeps few carries, against those of which it keeps all.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <functional>
#include <map>

#include "check.h"

using namespace jot;

namespace {

using F = std::function<Tensor(const Tensor&)>;  // of three numbers, to a number
using Few = std::optional<int64_t>;

const Tensor start = tensor({0.3, 0.7, 0.2}, f64);

Tensor step(const Tensor& c, const Tensor& by) { return c + 0.01 * stack({c[1] * by[0], -sin(c[0]), c[2] * by[1]}); }

// Loops of n steps that keep so many carries.
const std::map<std::string, std::function<F(int64_t n, Few)>>& loops() {
  static const auto*
      all =
          new std::map<std::string, std::function<F(int64_t, Few)>>{{"fori with a capture",
                                                                     [](int64_t n, Few k) -> F {
                                                                       return [=](const Tensor& x) {
                                                                         return sum(fori_loop(
                                                                             0, n,
                                                                             [&](const Tensor&, const Tensor& c) {
                                                                               return step(c, x);
                                                                             },
                                                                             x * 2, {.checkpoints = k}));
                                                                       };
                                                                     }},
                                                                    {"fori with tensors for bounds",
                                                                     [](int64_t n, Few k) -> F {
                                                                       return [=](const Tensor& x) {
                                                                         Tensor to = tensor(n) + (x[0] > 100).to(i64);
                                                                         return sum(fori_loop(
                                                                             0, to,
                                                                             [&](const Tensor& i, const Tensor& c) {
                                                                               return step(c, x) + i.to(f64) * 1e-3;
                                                                             },
                                                                             x, {.checkpoints = k}));
                                                                       };
                                                                     }},
                                                                    {"while with an integer",
                                                                     [](int64_t n, Few k) -> F {
                                                                       return [=](const Tensor& x) {
                                                                         using State = std::pair<Tensor, Tensor>;
                                                                         return sum(while_loop(
                                                                                        [&](const State& s) {
                                                                                          return s.first < n;
                                                                                        },
                                                                                        [&](const State& s) {
                                                                                          return State{
                                                                                              s.first + 1,
                                                                                              step(s.second, x)};
                                                                                        },
                                                                                        State{tensor(int64_t{0}), x},
                                                                                        {.checkpoints = k})
                                                                                        .second);
                                                                       };
                                                                     }},
                                                                    {"scan with slices and results",
                                                                     [](int64_t n, Few k) -> F {
                                                                       return [=](const Tensor& x) {
                                                                         Tensor xs =
                                                                             sin(arange(n, f64).unsqueeze(1) * x);
                                                                         auto one = [&](const Tensor& c,
                                                                                        const Tensor& v) {
                                                                           Tensor next = step(c, x) + v * 0.1;
                                                                           return std::pair{next, next[0] * v[1]};
                                                                         };
                                                                         auto [last, ys] =
                                                                             scan(one, x, xs, {.checkpoints = k});
                                                                         return sum(last) + sum(ys * ys);
                                                                       };
                                                                     }},
                                                                    {"scan in reverse, writing in place",
                                                                     [](int64_t n, Few k) -> F {
                                                                       return [=](const Tensor& x) {
                                                                         Tensor xs = cos(arange(n, f64).unsqueeze(1) *
                                                                                         x),
                                                                                total = zeros({3}, f64) * x;
                                                                         auto one = [&](const Tensor& c,
                                                                                        const Tensor& v) {
                                                                           Tensor next = c.clone();
                                                                           next[0] = c[1] * v[2];
                                                                           total.add_(next * v);
                                                                           return std::pair{next * 0.9 + 0.1, next[1]};
                                                                         };
                                                                         auto [last, ys] =
                                                                             scan(one, x, xs,
                                                                                  {.reverse = true, .checkpoints = k});
                                                                         return sum(last * total) + sum(ys);
                                                                       };
                                                                     }}};
  return *all;
}

}  // namespace

TEST_CASE("gradients with few carries kept are those with all kept, for any number of steps") {
  for (const auto& [name, make] : loops())
    for (int64_t n : {0, 1, 2, 3, 10, 57})
      for (int64_t k : {1, 2, 3, 8, 100}) {
        CAPTURE(name);
        CAPTURE(n);
        CAPTURE(k);
        F few = make(n, k), all = make(n, {});
        CHECK_NEAR_TO(few(start), all(start), 1e-12);
        CHECK_NEAR_TO(grad(few)(start), grad(all)(start), 1e-11);
      }
}

TEST_CASE("and so under jit, vmap, forward mode and to second order") {
  Tensor lanes = stack({start, start * 2, start - 0.1});
  for (const auto& [name, make] : loops()) {
    CAPTURE(name);
    F few = make(23, 3), all = make(23, {});
    CHECK_NEAR_TO(jit(grad(few))(start), grad(all)(start), 1e-11);
    CHECK_NEAR_TO(vmap(grad(few))(lanes), vmap(grad(all))(lanes), 1e-11);
    CHECK_NEAR_TO(jacfwd(few)(start), grad(all)(start), 1e-11);
    CHECK_NEAR_TO(hessian(few)(start), hessian(all)(start), 1e-10);
    CHECK_NEAR_TO(jacrev(grad(few))(start), hessian(all)(start), 1e-10);
    CHECK_NEAR_TO(grad([&](const Tensor& x) {
                    return sum(vmap(few)(stack({x, x * 2})));
                  })(start),
                  grad([&](const Tensor& x) {
                    return sum(vmap(all)(stack({x, x * 2})));
                  })(start),
                  1e-11);
  }
}

TEST_CASE("lanes that end at different steps, with few carries kept") {
  auto make = [](Few k) {
    return [=](const Tensor& x) {
      return while_loop([](const Tensor& c) { return c < 10; }, [&](const Tensor& c) { return c * 1.1 + x * x * 0.01; },
                        x, {.checkpoints = k});
    };
  };
  Tensor x = tensor({0.5, 20.0, 3.0, 1.0}, f64);
  CHECK_NEAR_TO(vmap(grad(make(4)))(x), vmap(grad(make({})))(x), 1e-11);
}

TEST_CASE("the memory of a long loop is that of the carries that are kept") {
  auto make = [](int64_t n, Few k) {
    return [=](const Tensor& x) {
      return sum(
          fori_loop(0, n, [&](const Tensor&, const Tensor& c) { return step(c, start); }, x, {.checkpoints = k}));
    };
  };
  auto bytes = [&](int64_t n, Few k) { return compile(grad(make(n, k)), start).stats().arena_bytes; };
  CHECK(bytes(1000000, 100) <= 64 * 1024);
  CHECK(bytes(1000000, 100) == bytes(1000, 100));
  CHECK(bytes(1000, 10) <= bytes(1000, 100));
  CHECK_NEAR_TO(compile(grad(make(20000, 20)), start)(start), grad(make(20000, {}))(start), 1e-9);
}

TEST_CASE("a wrong number of checkpoints is told at the call") {
  auto c = [](const Tensor& x) { return x; };
  CHECK_THROWS_WITH_AS(while_loop([](const Tensor& x) { return x[0] > 1; }, c, start, {.checkpoints = 0}),
                       doctest::Contains("[while_loop] expected a positive number of checkpoints, got 0"), Error);
  CHECK_THROWS_WITH_AS(fori_loop(0, 3, [](const Tensor&, const Tensor& x) { return x; }, start, {.checkpoints = -2}),
                       doctest::Contains("[fori_loop] expected a positive number of checkpoints, got -2"), Error);
}
