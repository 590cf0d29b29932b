// Derivatives of the user's own, and what is computed again.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>

#include "check.h"

using namespace jot;

namespace {

const Tensor points = tensor({0.3, -1.2, 2.0}, f64);

// x^4 with its own rules, each written with other operations than the function.
auto fourth_by_jvp() {
  return custom_jvp([](const Tensor& x) { return x * x * x * x; },
                    [](const std::tuple<Tensor>& x, const std::tuple<Tensor>& t) {
                      const Tensor& v = std::get<0>(x);
                      return std::pair{pow(v, 4), 4 * pow(v, 3) * std::get<0>(t)};
                    });
}
auto fourth_by_vjp() {
  return custom_vjp([](const Tensor& x) { return x * x * x * x; },
                    [](const Tensor& x) {
                      return std::pair{pow(x, 4), x};
                    },
                    [](const Tensor& x, const Tensor& ct) { return std::tuple{4 * pow(x, 3) * ct}; });
}
Tensor fourth(const Tensor& x) { return x * x * x * x; }

template <class F, class G>
void agree(const F& f, const G& g) {
  Tensor x = tensor(1.3, f64);
  CHECK_NEAR_TO(f(x), g(x), 1e-12);
  CHECK_NEAR_TO(grad(f)(x), grad(g)(x), 1e-12);
  CHECK_NEAR_TO(jacfwd(f)(x), jacfwd(g)(x), 1e-12);
  CHECK_NEAR_TO(jacfwd(jacfwd(f))(x), jacfwd(jacfwd(g))(x), 1e-12);
  CHECK_NEAR_TO(grad(grad(f))(x), grad(grad(g))(x), 1e-12);
  CHECK_NEAR_TO(hessian(f)(x), hessian(g)(x), 1e-12);
  CHECK_NEAR_TO(grad(grad(grad(f)))(x), grad(grad(grad(g)))(x), 1e-11);
  CHECK_NEAR_TO(vmap(f)(points), vmap(g)(points), 1e-12);
  CHECK_NEAR_TO(vmap(grad(f))(points), vmap(grad(g))(points), 1e-12);
  CHECK_NEAR_TO(vmap(jacfwd(grad(f)))(points), vmap(jacfwd(grad(g)))(points), 1e-12);
  CHECK_NEAR_TO(grad([&](const Tensor& v) { return sum(vmap(f)(v)); })(points), vmap(grad(g))(points), 1e-12);
  CHECK_NEAR_TO(jit(f)(x), g(x), 1e-12);
  CHECK_NEAR_TO(jit(grad(f))(x), grad(g)(x), 1e-12);
  CHECK_NEAR_TO(grad(jit(f))(x), grad(g)(x), 1e-12);
}

}  // namespace

TEST_CASE("custom rules and checkpoints agree with the functions they stand for, to third order") {
  agree(fourth_by_jvp(), fourth);
  agree(fourth_by_vjp(), fourth);
  agree(checkpoint([](const Tensor& x) { return sin(x) * exp(x) * x; }),
        [](const Tensor& x) { return sin(x) * exp(x) * x; });
  agree(checkpoint([](const Tensor& x) { return checkpoint([](const Tensor& y) { return sin(y) * y; })(x) * x; }),
        [](const Tensor& x) { return sin(x) * x * x; });
}

TEST_CASE("custom rules are used, and not the function's derivative") {
  auto through = custom_jvp([](const Tensor& x) { return round(x); },
                            [](const std::tuple<Tensor>& x, const std::tuple<Tensor>& t) {
                              return std::pair{round(std::get<0>(x)), std::get<0>(t)};
                            });
  CHECK_SAME(grad([&](const Tensor& x) { return sum(through(x) * x); })(tensor({1.2, 2.7}, f64)),
             tensor({1.0 + 1.2, 3.0 + 2.7}, f64));
  // A cotangent that is clipped is not linear in it: reverse mode takes the rule as it is.
  auto clipped = custom_vjp([](const Tensor& x) { return x * 1; },
                            [](const Tensor& x) {
                              return std::pair{x * 1, std::tuple<>()};
                            },
                            [](const std::tuple<>&, const Tensor& ct) { return std::tuple{clamp(ct, -1, 1)}; });
  auto f = [&](const Tensor& x) { return sum(clipped(x) * tensor({0.5, 3.0, -7.0}, f64)); };
  CHECK_SAME(grad(f)(points), tensor({0.5, 1.0, -1.0}, f64));
  CHECK_SAME(vmap(grad(f))(stack({points, points})), stack({grad(f)(points), grad(f)(points)}));
  CHECK_THROWS_WITH_AS(jacfwd(f)(points).eval(), doctest::Contains("write custom_jvp for that"), TransformError);
}

TEST_CASE("custom rules of trees, several arguments, integers and captured tensors") {
  Tensor scale = tensor(3.0, f64);
  auto product = custom_vjp(
      [&](const Tensor& x, const Tensor& n, const Tensor& y) {
        return std::pair{x * y * scale, n + 1};
      },
      [&](const Tensor& x, const Tensor& n, const Tensor& y) {
        return std::pair{std::pair{x * y * scale, n + 1}, std::tuple{x, y}};
      },
      [&](const std::tuple<Tensor, Tensor>& r, const std::pair<Tensor, Tensor>& ct) {
        return std::tuple{ct.first * std::get<1>(r) * scale, 0, ct.first * std::get<0>(r) * scale * 2};  // not twice
      });
  auto f = [&](const Tensor& x, const Tensor& y) {
    auto [value, count] = product(x, tensor(int64_t{1}), y);
    return value * count.to(f64);
  };
  Tensor x = tensor(2.0, f64), y = tensor(5.0, f64);
  CHECK_SAME(f(x, y), tensor(60.0, f64));
  auto [gx, gy] = grad<argnums(0, 1)>(f)(x, y);
  CHECK_SAME(gx, tensor(30.0, f64));
  CHECK_SAME(gy, tensor(24.0, f64));
  scale.fill_(1);
  CHECK_SAME(grad(f)(x, y), tensor(10.0, f64));
}

TEST_CASE("a fixed point is differentiated by its equation, not through its iteration") {
  // x = cos(a x): the derivative solves t = -sin(a x) (a t + x).
  auto solve = [](const Tensor& a) {
    return while_loop([&](const Tensor& x) { return abs(x - cos(a * x)) > 1e-14; },
                      [&](const Tensor& x) { return x - (x - cos(a * x)) / (1 + a * sin(a * x)); }, ones({}, f64));
  };
  auto fixed = custom_jvp(solve, [&](const std::tuple<Tensor>& a, const std::tuple<Tensor>& t) {
    Tensor x = solve(stop_gradient(std::get<0>(a))), s = sin(std::get<0>(a) * x);
    return std::pair{x, -s * x / (1 + std::get<0>(a) * s) * std::get<0>(t)};
  });
  Tensor a = tensor(0.8, f64);
  CHECK_NEAR_TO(grad(fixed)(a), grad(solve)(a), 1e-12);
  CHECK_NEAR_TO(vmap(grad(fixed))(tensor({0.5, 0.8, 1.1}, f64)), vmap(grad(solve))(tensor({0.5, 0.8, 1.1}, f64)),
                1e-12);
}

TEST_CASE("a checkpoint keeps its arguments and computes the rest again") {
  Tensor w = randn({32, 32}, f64) * 0.2;
  auto layer = [&](const Tensor& x) {
    Tensor h = tanh(matmul(x, w));
    return x + h * sin(matmul(h, w));
  };
  auto stack_of = [&](bool checkpoints) {
    return [=](const Tensor& x) {
      Tensor y = x;
      for (int i = 0; i < 16; ++i) y = checkpoints ? checkpoint(layer)(y) : layer(y);
      return sum(y);
    };
  };
  Tensor x = randn({512, 32}, f64);
  CHECK_NEAR_TO(grad(stack_of(true))(x), grad(stack_of(false))(x), 1e-12);
  // It is computed when its cotangent is there, and not before: its values do not wait for that in memory.
  auto arena = [&](bool checkpoints) { return compile(grad(stack_of(checkpoints)), x).stats().arena_bytes; };
  CHECK(2 * arena(true) <= arena(false));
  // What is computed again stays apart in the graph.
  auto products = [&](bool checkpoints) {
    std::string text = to_text(optimize(trace(grad(stack_of(checkpoints)), x)));
    size_t n = 0;
    for (size_t at = text.find(" dot("); at != std::string::npos; at = text.find(" dot(", at + 1)) ++n;
    return n;
  };
  CHECK(products(false) == 16 * 4);
  CHECK(products(true) > products(false) + 16);
}

TEST_CASE("what is wrong with a rule is told") {
  auto wrong = custom_jvp([](const Tensor& x) { return x * 2; },
                          [](const std::tuple<Tensor>& x, const std::tuple<Tensor>& t) {
                            return std::pair{std::get<0>(x) * 2, sum(std::get<0>(t))};
                          });
  CHECK_THROWS_WITH_AS(jacfwd(wrong)(points),
                       doctest::Contains("[custom_jvp] the rule: output[1] is f64[], expected f64[3]"), TransformError);
  auto few = custom_vjp([](const Tensor& x) { return x * 2; },
                        [](const Tensor& x) {
                          return std::pair{x * 2, x};
                        },
                        [](const Tensor&, const Tensor& ct) { return std::tuple{sum(ct)}; });
  CHECK_THROWS_WITH_AS(grad([&](const Tensor& x) { return sum(few(x)); })(points), doctest::Contains("expected f64[3]"),
                       TransformError);
  auto writes = [](const Tensor& x) { return sum(checkpoint([](const Tensor& y) { return y.mul_(2); })(x)); };
  CHECK_THROWS_WITH_AS(grad(writes)(points), doctest::Contains("[checkpoint] the function writes to an argument"),
                       TransformError);
  Tensor kept = zeros({3}, f64);
  auto keeps = [&](const Tensor& x) { return sum(checkpoint([&](const Tensor& y) { return kept.add_(1) * y; })(x)); };
  CHECK_THROWS_AS(grad(keeps)(points), TransformError);
  CHECK_THROWS_WITH_AS(jit(keeps)(points), doctest::Contains("writes to a tensor that it captures"), TransformError);
  auto captures = [](const Tensor& w) {
    return sum(custom_jvp([&](const Tensor& x) { return x * w; },
                          [&](const std::tuple<Tensor>& x, const std::tuple<Tensor>& t) {
                            return std::pair{std::get<0>(x) * w, std::get<0>(t) * w};
                          })(w));
  };
  CHECK_THROWS_WITH_AS(grad(captures)(points), doctest::Contains("captures a tensor that is differentiated"),
                       TransformError);
}

TEST_CASE("draws of what has rules of its own are the same called and recorded") {
  const Tensor x = tensor({0.3, 0.5}, f64);
  auto drawn = [](const Tensor& a) { return a * rand({2}, f64) + rand({2}, f64); };
  auto check = [&](auto f) {
    auto twice = [&](const Tensor& a) { return cat({f(a), f(a), rand({2}, f64)}); };
    manual_seed(7);
    const Tensor called = twice(x).clone(), after = rand({2}, f64);
    auto same = [&](auto g) {
      manual_seed(7);
      CHECK_SAME(g(x), called);
      CHECK_SAME(rand({2}, f64), after);
    };
    same(jit(twice));
    same(functionalize(twice));
    same([&](const Tensor& a) { return vjp(twice, a).first; });
    same([&](const Tensor& a) { return jvp(twice, primals(a), tangents(a)).first; });
    same([&](const Tensor& a) {
      return vmap(twice, {.in_dims = none, .randomness = Randomness::different, .dim_size = 1})(a)[0];
    });
  };
  check(checkpoint(drawn));
  check(custom_jvp(drawn, [&](const std::tuple<Tensor>& p, const std::tuple<Tensor>& t) {
    return std::pair{drawn(std::get<0>(p)), std::get<0>(t)};
  }));
  check(custom_vjp(
      drawn,
      [&](const Tensor& a) {
        return std::pair{drawn(a), a};
      },
      [](const Tensor&, const Tensor& ct) { return std::tuple{ct}; }));
  auto as_given = [](const auto&, const Tensor& b) { return b; };
  check([&](const Tensor& a) {
    auto equation = [&](const Tensor& y) { return y - a; };
    return custom_root(
        equation, a, [&](const auto&, const Tensor& start) { return drawn(start); }, as_given);
  });
  check([&](const Tensor& a) {
    auto solve = [&](const auto&, const Tensor& b) { return drawn(b); };
    return custom_linear_solve([](const Tensor& y) { return y * 1; }, a, solve, as_given);
  });
}
