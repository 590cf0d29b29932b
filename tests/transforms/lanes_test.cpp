// Loops whose lanes end at different steps: what a finished lane computes is not at fault, is no NaN, and is nobody's.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>
#include <limits>

#include "check.h"

using namespace jot;

namespace {

using State = std::pair<Tensor, Tensor>;

const Tensor values = tensor({2.0, 3.0, 5.0, 7.0}, f64);

// The product of the first n values: in a lane that is done the next index is out of range.
Tensor product(const Tensor& n) {
  return while_loop([&](const State& s) { return s.first < n; },
                    [](const State& s) {
                      return State{s.first + 1, s.second * values.index({s.first})};
                    },
                    State{zeros_like(n), ones({}, f64)})
      .second;
}

}  // namespace

TEST_CASE("a finished lane reads no element that is not there") {
  Tensor n = tensor({0, 4, 2, 1}), want = tensor({1.0, 210.0, 6.0, 2.0}, f64);
  CHECK_SAME(vmap(product)(n), want);
  CHECK_SAME(jit(vmap(product))(n), want);
  CHECK_SAME(vmap(vmap(product))(stack({n, flip(n, 0)})), stack({want, flip(want, 0)}));
  CHECK_SAME(interpret(trace(vmap(product), n), {n})[0], want);
  // One that is not finished is told.
  CHECK_THROWS_WITH_AS(vmap(product)(tensor({1, 6, 2})).eval(), doctest::Contains("index 4"), IndexError);
  CHECK_THROWS_WITH_AS(vmap(product)(tensor({1, 6, 2})).eval(), doctest::Contains("lane 1 of vmap"), IndexError);
}

TEST_CASE("a finished lane brings no NaN into the derivative by what the loop captures, and ends what it has inside") {
  Tensor x = tensor({0.5, 1.5, 10.0, 1.0}, f64);
  auto root = [&](const Tensor& a) {
    auto each = [&](const Tensor& v) {
      return while_loop([](const Tensor& c) { return c > 1; }, [&](const Tensor& c) { return sqrt(c - a) * 0.9; }, v);
    };
    return sum(vmap(each)(x));
  };
  Tensor a = tensor(0.7, f64);
  // 1.5: one step; 10: sqrt(9.3) 0.9 = 2.744..., sqrt(2.04...) 0.9 = 1.286..., sqrt(0.58...) 0.9.
  double expected = 0, derivative = 0;
  for (double start : {1.5, 10.0}) {
    double c = start, d = 0;
    while (c > 1) d = 0.45 / std::sqrt(c - 0.7) * (d - 1), c = 0.9 * std::sqrt(c - 0.7);
    expected += c, derivative += d;
  }
  CHECK(std::abs(root(a).item<double>() - (expected + 1.5)) < 1e-12);
  CHECK(std::abs(grad(root)(a).item<double>() - derivative) < 1e-12);
  CHECK(std::abs(std::get<1>(jvp(root, primals(a), tangents(ones({}, f64)))).item<double>() - derivative) < 1e-12);
  auto halves = [](const Tensor& v) {  // doubles to 1 and goes down by 1; of 0 the doubling would not end
    return while_loop(
        [](const Tensor& c) { return c > 0; },
        [](const Tensor& c) {
          return while_loop([](const Tensor& d) { return d < 1; }, [](const Tensor& d) { return d * 2; }, c) - 1;
        },
        v);
  };
  Tensor starts = tensor({0.25, 3.0, 1.0}, f64);
  CHECK_SAME(vmap(halves)(starts), zeros({3}, f64));
  CHECK_SAME(interpret(trace(vmap(halves), starts), {starts})[0], zeros({3}, f64));
}

TEST_CASE("a branch that a lane does not take is not at fault there") {
  auto f = [](const Tensor& i, const Tensor& x) {
    return cond(
        i < 4, [&](const Tensor& j) { return x.index({j}) * 2; }, [](const Tensor& j) { return j.to(f64); }, i);
  };
  Tensor i = tensor({1, 7, 3}), x = values * 1.0, want = tensor({6.0, 7.0, 14.0}, f64);
  auto lanes = [&](const Tensor& y) { return vmap(f, {.in_dims = {0, none}})(i, y); };
  CHECK_SAME(lanes(x), want);
  CHECK_SAME(jit(lanes)(x), want);
  CHECK_SAME(interpret(trace(lanes, x), {x, i})[0], want);
  CHECK_SAME(grad([&](const Tensor& y) { return sum(lanes(y)); })(x), tensor({0.0, 2.0, 0.0, 2.0}, f64));
  CHECK_THROWS_WITH_AS(vmap(f, {.in_dims = {0, none}})(tensor({1, -7, 3}), x).eval(), doctest::Contains("index -7"),
                       IndexError);
  CHECK_THROWS_AS(f(tensor(-5), x).eval(), IndexError);
}

TEST_CASE("so in branches, loops, writes and functions with rules of their own inside the step") {
  auto each = [](auto read) {
    return [=](const Tensor& n) {
      return while_loop([&](const State& s) { return s.first < n; },
                        [&](const State& s) {
                          return State{s.first + 1, s.second * read(s.first)};
                        },
                        State{zeros_like(n), ones({}, f64)})
          .second;
    };
  };
  Tensor n = tensor({0, 4, 2, 1}), want = tensor({1.0, 210.0, 6.0, 2.0}, f64);
  auto element = [](const Tensor& i) { return values.index({i}); };
  auto check = [&](auto read) {
    CHECK_SAME(vmap(each(read))(n), want);
    CHECK_SAME(jit(vmap(each(read)))(n), want);
  };
  check([=](const Tensor& i) {
    return cond(
        i >= 0, element, [](const Tensor&) { return zeros({}, f64); }, i);
  });
  check([=](const Tensor& i) {
    return fori_loop(
        0, 1, [&](const Tensor& k, const Tensor& c) { return c * element(i + k); }, ones({}, f64));
  });
  check([=](const Tensor& i) {
    using Pair = std::pair<Tensor, Tensor>;
    return while_loop([&](const Pair& s) { return s.first <= i; },
                      [&](const Pair& s) {
                        return Pair{s.first + 1, element(i)};
                      },
                      Pair{i * 1, zeros({}, f64)}, {.max_steps = 3})
        .second;
  });
  check([=](const Tensor& i) { return checkpoint(element)(i); });
  check([=](const Tensor& i) {
    Tensor room = ones({4}, f64);
    room.index_put_({i.unsqueeze(0)}, element(i).unsqueeze(0));
    return prod(room);
  });
}

TEST_CASE("a finished lane factors no matrix, and brings no NaN into a derivative") {
  // Until the matrix is no longer positive definite.
  auto shrink = [](const Tensor& a) {
    return while_loop([](const Tensor& m) { return m[0][0] > 1; },
                      [](const Tensor& m) {
                        Tensor l = linalg::cholesky(m);
                        return matmul(l, l.t()) - eye(2, f64);
                      },
                      a);
  };
  Tensor unit = eye(2, f64), all = stack({unit * 1.5, unit * 4.5, unit * 0.5, unit * -3});
  CHECK_NEAR_TO(vmap(shrink)(all), stack({unit * 0.5, unit * 0.5, unit * 0.5, unit * -3}), 1e-12);
  // sqrt of what only finished lanes have.
  auto root = [](const Tensor& x) {
    return while_loop([](const Tensor& c) { return c > 0; }, [](const Tensor& c) { return sqrt(c) - 1; }, x);
  };
  Tensor x = tensor({-4.0, 0.25, 16.0}, f64);
  Tensor slopes = vmap(grad(root))(x), one_by_one = stack({grad(root)(x[0]), grad(root)(x[1]), grad(root)(x[2])});
  CHECK_NEAR_TO(slopes, one_by_one, 1e-12);
  CHECK_NEAR_TO(vmap(grad(grad(root)))(x),
                stack({grad(grad(root))(x[0]), grad(grad(root))(x[1]), grad(grad(root))(x[2])}), 1e-12);
  CHECK(sum((slopes != slopes).to(i64)).item<int64_t>() == 0);
}

TEST_CASE("max_steps names the bound, and the lane that reaches it") {
  auto halve = [](const Tensor& x) {
    return while_loop([](const Tensor& c) { return c > 1; }, [](const Tensor& c) { return c / 2; }, x,
                      {.max_steps = 3});
  };
  CHECK_SAME(halve(tensor(8.0, f64)), tensor(1.0, f64));
  CHECK_THROWS_WITH_AS(halve(tensor(9.0, f64)).eval(),
                       doctest::Contains("[while_loop] still true after max_steps = 3 steps"), Error);
  auto lane = [](int64_t i) {
    return doctest::Contains(("max_steps = 3 steps, in lane " + std::to_string(i) + " of vmap").c_str());
  };
  CHECK_THROWS_WITH_AS(vmap(halve)(tensor({1.0, 8.0, 9.0, 2.0}, f64)).eval(), lane(2), Error);
  CHECK_THROWS_WITH_AS(interpret(trace(vmap(halve), tensor({1.0, 2.0}, f64)), {tensor({1.0, 99.0}, f64)})[0].eval(),
                       lane(1), Error);
  CHECK_THROWS_WITH_AS(vmap(grad(halve))(tensor({1.0, 99.0}, f64)).eval(), lane(1), Error);
  Tensor grid = tensor({{1.0, 2.0, 4.0}, {1.0, 99.0, 4.0}}, f64);
  CHECK_THROWS_WITH_AS(vmap(vmap(halve))(grid).eval(),
                       doctest::Contains("max_steps = 3 steps, in lane [1, 1] of nested vmaps"), Error);
  // Where the outer one alone has lanes in the condition.
  auto shared = [&](const Tensor& x) { return vmap([&](const Tensor& y) { return halve(x) + y; })(values); };
  CHECK_THROWS_WITH_AS(vmap(shared)(tensor({1.0, 99.0}, f64)).eval(), lane(1), Error);
  CHECK_NEAR_TO(vmap(vmap(halve))(grid - stack({zeros({3}, f64), tensor({0.0, 95.0, 0.0}, f64)})), ones({2, 3}, f64),
                1e-12);
}
