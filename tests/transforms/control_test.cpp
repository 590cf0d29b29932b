// cond and switch_case: outside transforms, under each of them, and nested.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <array>
#include <cmath>
#include <functional>
#include <set>

#include "check.h"
#include "ir/ops/philox.h"

using namespace jot;

namespace {
struct State {
  Tensor position, speed;
};
JOT_TREE(State, position, speed);

Tensor chosen(const Tensor& x) {
  return cond(
      x > 0, [](const Tensor& y) { return sin(y) * y; }, [](const Tensor& y) { return y * y * y; }, x);
}
Tensor by_where(const Tensor& x) { return where(x > 0, sin(x) * x, x * x * x); }
}  // namespace

TEST_CASE("cond: outside transforms one branch is called") {
  int calls = 0;
  auto count = [&](const Tensor& x) { return ++calls, x + 1; };
  CHECK_SAME(cond(
                 tensor(true), count, [](const Tensor& x) { return x; }, tensor(1.0)),
             tensor(2.0));
  CHECK(calls == 1);
  CHECK_SAME(cond(
                 false, count, [](const Tensor& x) { return x * 3; }, tensor(1.0)),
             tensor(3.0));
  CHECK(calls == 1);
  CHECK_SAME(cond(
                 0.5, count, [](const Tensor& x) { return x; }, tensor(1.0)),
             tensor(2.0));
  auto pick = [](int64_t i) {
    return switch_case(tensor(i),
                       std::tuple{[] { return tensor(10); }, [] { return tensor(20); }, [] { return tensor(30); }});
  };
  for (auto [index, value] : {std::pair{-5, 10}, {0, 10}, {1, 20}, {2, 30}, {9, 30}})
    CHECK_SAME(pick(index), tensor(value));
}

TEST_CASE("cond: every pair of transforms agrees with where") {
  for (double at : {-1.3, 0.7}) {
    Tensor x = tensor(at, f64);
    CHECK_SAME(jit(chosen)(x), by_where(x));
    CHECK_SAME(grad(chosen)(x), grad(by_where)(x));
    CHECK_SAME(grad(grad(chosen))(x), grad(grad(by_where))(x));
    CHECK_SAME(jit(grad(chosen))(x), grad(by_where)(x));
    CHECK_SAME(grad(jit(chosen))(x), grad(by_where)(x));
    CHECK_SAME(jacfwd(grad(chosen))(x), grad(grad(by_where))(x));
    CHECK_SAME(jacfwd(jacfwd(chosen))(x), grad(grad(by_where))(x));
    CHECK_SAME(grad(jacfwd(chosen))(x), grad(grad(by_where))(x));
    auto [value, pushed] = linearize(chosen, x);
    CHECK_SAME(pushed(tensor(2.0, f64)), grad(by_where)(x) * 2);
  }
  Tensor lanes = tensor({-2.0, -0.5, 0.5, 2.0}, f64);
  CHECK_SAME(vmap(chosen)(lanes), by_where(lanes));
  CHECK_SAME(vmap(grad(chosen))(lanes), vmap(grad(by_where))(lanes));
  CHECK_SAME(grad([](const Tensor& v) { return sum(vmap(chosen)(v)); })(lanes), vmap(grad(by_where))(lanes));
  CHECK_SAME(vmap(vmap(chosen))(lanes.view({2, 2})), by_where(lanes).view({2, 2}));
  CHECK_SAME(jit(vmap(jacrev(jacfwd(chosen))))(lanes), vmap(grad(grad(by_where)))(lanes));
  CHECK_SAME(vmap(jit(chosen))(lanes), by_where(lanes));
}

TEST_CASE("cond: captures of every kind, trees, integers, several results") {
  Tensor outer = tensor({1.0, 2.0}, f64), flag = tensor(1);
  auto f = [&](const Tensor& x) {
    Tensor twice = x * 2;  // of the trace
    auto [s, n] = cond(
        flag == 1,
        [&](const State& s) {
          return std::pair{State{s.position + twice * outer, s.speed * x}, flag + 1};
        },
        [&](const State& s) {
          return std::pair{State{s.speed, s.position}, flag * 7};
        },
        State{x, x + 1});
    return sum(s.position * s.speed) + n * 1.0;
  };
  auto g = [&](const Tensor& x) { return sum((x + x * 2 * outer) * ((x + 1) * x)) + 2.0; };
  Tensor x = tensor({0.3, -0.4}, f64);
  CHECK_SAME(jit(f)(x), g(x));
  CHECK_SAME(grad(f)(x), grad(g)(x));
  CHECK_SAME(hessian(f)(x), hessian(g)(x));
  CHECK_SAME(vmap(f)(stack({x, x + 1})), vmap(g)(stack({x, x + 1})));
  // Lanes of an outer vmap, batched captures of an inner one.
  auto rows = [](const Tensor& p, const Tensor& v) {
    return vmap([&](const Tensor& e) {
      return cond(
          p > 0, [&](const Tensor& y) { return y * v[0]; }, [&](const Tensor& y) { return y - p; }, e);
    })(v);
  };
  Tensor p = tensor({1.0, -1.0}, f64), v = tensor({{1.0, 2.0}, {3.0, 4.0}}, f64);
  CHECK_SAME(vmap(rows)(p, v), tensor({{1.0, 2.0}, {4.0, 5.0}}, f64));
}

TEST_CASE("cond: a branch that is not taken puts no NaN into a derivative") {
  auto root = [](const Tensor& x) {
    return cond(
        x > 0, [](const Tensor& y) { return sqrt(y); }, [](const Tensor& y) { return y * 0; }, x);
  };
  CHECK_SAME(grad(root)(tensor(-1.0, f64)), tensor(0.0, f64));
  CHECK_SAME(vmap(grad(root))(tensor({-1.0, 0.0, 4.0}, f64)), tensor({0.0, 0.0, 0.25}, f64));
  CHECK_SAME(vmap(jacfwd(root))(tensor({-1.0, 0.0, 4.0}, f64)), tensor({0.0, 0.0, 0.25}, f64));
}

TEST_CASE("cond: writes in branches") {
  Tensor log = zeros({2}, f64);
  auto f = jit([&](const Tensor& x) {
    return cond(
        x > 0, [&](const Tensor& y) { return log[0] = y, log.sum() + 0; },
        [&](const Tensor& y) {
          Tensor own = y.clone();
          own.mul_(3);
          return own;
        },
        x);
  });
  CHECK_SAME(f(tensor(2.0, f64)), tensor(2.0, f64));
  CHECK_SAME(log, tensor({2.0, 0.0}, f64));
  CHECK_SAME(f(tensor(-2.0, f64)), tensor(-6.0, f64));
  CHECK_SAME(log, tensor({2.0, 0.0}, f64));
  // An operand that a branch writes.
  Tensor a = tensor({1.0, 2.0}, f64);
  jit([](const Tensor& p, const Tensor& y) {
    return cond(
        p,
        [](const Tensor& z) {
          z.add_(1);
          return z.sum();
        },
        [](const Tensor& z) { return z.sum(); }, y);
  })(tensor(true), a);
  CHECK_SAME(a, tensor({2.0, 3.0}, f64));
}

TEST_CASE("cond: draws are those of the chosen branch, and reproducible") {
  auto f = jit([](const Tensor& p) {
    return cond(
        p, [] { return rand({3}, f64); }, [] { return rand({3}, f64) + 1; });
  });
  manual_seed(3);
  Tensor a = f(tensor(true)), b = f(tensor(false));
  manual_seed(3);
  CHECK_SAME(f(tensor(true)), a);
  CHECK_SAME(f(tensor(false)), b);
  CHECK(all(a < 1).item<bool>());
  CHECK(all(b >= 1).item<bool>());
}

TEST_CASE("cond: a branch draws from a stream of its own, called or recorded; that takes one place") {
  auto f = [](const Tensor& p) {
    Tensor first = rand({2}, f64);
    Tensor chosen = cond(
        p,
        [] {
          Tensor outer = rand({3}, f64);
          return cat({outer, cond(
                                 outer[0] < 2, [] { return rand({2}, f64); }, [] { return zeros({2}, f64); })},
                     0);
        },
        [] { return rand({5}, f64); });
    return cat({first, chosen, rand({2}, f64)}, 0);
  };
  for (bool p : {true, false}) {
    manual_seed(3);
    Tensor called = cat({f(tensor(p)), f(tensor(p))}, 0), after = rand({2}, f64);
    manual_seed(3);
    auto g = jit(f);
    CHECK_SAME(cat({g(tensor(p)), g(tensor(p))}, 0), called);
    CHECK_SAME(rand({2}, f64), after);
    manual_seed(3);
    CHECK_SAME(cat({functionalize(f)(tensor(p)), vmap(f, {.randomness = Randomness::different})(tensor({p}))[0]}, 0),
               called);
    std::vector<double> drawn = called.to_vector<double>();
    CHECK(std::set<double>(drawn.begin(), drawn.end()).size() == drawn.size());
    std::array<uint64_t, 2> key = ir::folded_key(3, 0, 2);
    for (size_t i = 0; i < 3; ++i)
      CHECK(drawn[2 + i] == static_cast<double>(ir::random_draw(key[0], key[1], i, 64) >> 11) * 0x1p-53);
    CHECK(drawn[7] == static_cast<double>(ir::random_draw(3, 0, 3, 64) >> 11) * 0x1p-53);
  }
  // A branch that seeds goes on with what it seeded, one that draws nothing takes no place.
  manual_seed(3);
  cond(
      true, [] { return manual_seed(8), ones({}); }, [] { return ones({}); })
      .eval();
  Tensor seeded = rand({2}, f64);
  manual_seed(8);
  cond(
      true, [] { return ones({}); }, [] { return rand({}); })
      .eval();
  CHECK_SAME(rand({2}, f64), seeded);
}

TEST_CASE("cond: lanes and chunks draw for themselves") {
  Tensor captured = tensor(1.0, f64);
  auto draw = [](const Tensor& p) {
    return cond(
        p, [] { return rand({3}, f64); }, [] { return rand({3}, f64) + 1; });
  };
  auto f = [&](const Tensor& x) {
    return cat({draw(x.sum() > -1), draw(captured > 0), draw(ones({}) > 0), rand({2}, f64)}, 0);
  };
  Tensor lanes = ones({5, 2}, f64);
  auto draws = [&](Randomness randomness, std::optional<int64_t> chunk, Tensor x) {
    manual_seed(4);
    Tensor all = vmap(f, {.randomness = randomness, .chunk_size = chunk})(x);
    std::vector<double> values = all.to_vector<double>();
    std::set<double> distinct(values.begin(), values.end());
    Tensor next = rand({1}, f64);
    if (distinct.contains(next.item<double>())) distinct.clear();
    return distinct.size();
  };
  for (std::optional<int64_t> chunk :
       {std::optional<int64_t>(), std::optional<int64_t>(2), std::optional<int64_t>(1)}) {
    CHECK(draws(Randomness::different, chunk, lanes) == 55);
    CHECK(draws(Randomness::same, chunk, lanes) == 11);
    CHECK(draws(Randomness::different, chunk, arange(10, f64).reshape({5, 2}) - 5) == 55);
  }
  CHECK_THROWS_WITH_AS(vmap(f)(lanes), doctest::Contains("randomness error mode"), TransformError);
}

TEST_CASE("cond: the graph keeps regions; a known choice is no op; compiled, saved as text") {
  ir::Graph g = trace(chosen, tensor(1.0, f64));
  std::string text = to_text(g);
  CHECK(text.find("cond(") != std::string::npos);
  CHECK(ir::parse(text) == g);
  CHECK_SAME(run(g, {tensor(-2.0, f64)})[0], tensor(-8.0, f64));
  CHECK_SAME(interpret(g, {tensor(-2.0, f64)})[0], tensor(-8.0, f64));
  auto known = [](const Tensor& x) {
    return cond(
        ones({}, i64), [](const Tensor& y) { return y + 1; }, [](const Tensor& y) { return y - 1; }, x);
  };
  CHECK(to_text(optimize(trace(known, tensor(1.0, f64)))).find("cond(") == std::string::npos);
}

TEST_CASE("cond: errors") {
  auto same = [](const Tensor& x) { return x; };
  CHECK_THROWS_WITH_AS(
      cond(ones({2}) > 0, same, same, ones({2})),
      doctest::Contains("[cond] expected a condition of one element, got bool[2]; for a choice by element use where"),
      ShapeError);
  CHECK_THROWS_WITH_AS(switch_case(1.5, std::tuple{same, same}, ones({2})),
                       doctest::Contains("[switch_case] expected an integer index, got a float"), DTypeError);
  CHECK_THROWS_WITH_AS(switch_case(ones({}), std::tuple{same, same}, ones({2})),
                       doctest::Contains("[switch_case] expected an integer index, got f32[]"), DTypeError);
  auto differ = [&](const Tensor& x) {
    return cond(
        x.sum() > 0, same, [](const Tensor& y) { return y.sum(); }, x);
  };
  CHECK_THROWS_WITH_AS(jit(differ)(ones({2})),
                       doctest::Contains("[cond] all branches must return tensors of the same shapes and dtypes: "
                                         "output of branch 0 is f32[], of branch 1 f32[2]"),
                       TransformError);
  auto count = [](const Tensor& x) {
    return cond(
        x.sum() > 0, [](const Tensor& y) { return std::vector<Tensor>{y}; },
        [](const Tensor& y) {
          return std::vector<Tensor>{y, y};
        },
        x);
  };
  CHECK_THROWS_WITH_AS(jit(count)(ones({2})), doctest::Contains("branch 0 returns 2 tensors, branch 1 1"),
                       TransformError);
  CHECK_SAME(jit(chosen)(tensor(2.0)), by_where(tensor(2.0)));  // state survives
}

TEST_CASE("cond: choices within choices, forty deep, take time that is linear in their number") {
  std::function<Tensor(const Tensor&, int)> nested = [&](const Tensor& a, int depth) -> Tensor {
    if (depth == 0) return sin(a);
    return cond(
        sum(a) > 0, [&] { return nested(a * 0.99, depth - 1); }, [&] { return a * depth; });
  };
  auto f = [&](const Tensor& a) { return sum(nested(a, 40)); };
  const Tensor x = tensor({0.3, 0.5}, f64);
  const double scale = std::pow(0.99, 40);
  CHECK_NEAR_TO(jit(grad(f))(x), cos(x * scale) * scale, 1e-12);
  CHECK_NEAR_TO(jit(f)(-x), sum(-x * 40), 1e-12);
}
