// gauss_newton, levenberg_marquardt: solutions, under transforms, derivatives by the implicit function theorem.
#include "problem.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

namespace {

// y = a exp(-b t) at six times.
Tensor times() { return doubles({0, 1, 2, 3, 4, 5}); }
Tensor decay(const Tensor& p) { return p[0] * exp(-p[1] * times()); }
// Measurements that no such curve meets.
Tensor noisy() { return decay(doubles({2, 0.5})) + doubles({0.1, -0.2, 0.05, 0.1, -0.05, 0.15}); }

}  // namespace

TEST_CASE("gauss_newton and levenberg_marquardt fit a curve") {
  Tensor exact = doubles({2, 0.5}), y = decay(exact);
  auto residual = [&](const Tensor& p) { return decay(p) - y; };
  auto g = optim::gauss_newton(residual, doubles({1.5, 0.4}));
  CHECK(bool(g.converged));
  CHECK_NEAR_TO(g.x, exact, 1e-8);
  CHECK(g.steps.item<int>() < 8);
  auto m = optim::levenberg_marquardt(residual, doubles({-4, 3}));  // from where Gauss-Newton diverges
  CHECK(bool(m.converged));
  CHECK_NEAR_TO(m.x, exact, 1e-6);
  CHECK(m.cost.item<double>() < 1e-12);
  // At the least squares of what cannot be met, J^T r is 0.
  auto least = optim::levenberg_marquardt([](const Tensor& p) { return decay(p) - noisy(); }, doubles({1, 1}));
  CHECK(bool(least.converged));
  Tensor gradient = grad([](const Tensor& p) { return 0.5 * sum(square(decay(p) - noisy())); })(least.x);
  CHECK(amax(abs(gradient)).item<double>() < 1e-7);
  CHECK_NEAR_TO(least.cost, 0.5 * sum(square(decay(least.x) - noisy())), 1e-12);
}

TEST_CASE("Few steps, no steps, a start that is a solution; Rosenbrock's valley") {
  auto residual = [](const Tensor& x) { return stack({10 * (x[1] - x[0] * x[0]), 1 - x[0]}); };
  Tensor start = doubles({-1.2, 1});
  auto none_done = optim::levenberg_marquardt(residual, start, {.max_steps = 0});
  CHECK_SAME(none_done.x, start);
  CHECK_FALSE(bool(none_done.converged));
  auto few = optim::levenberg_marquardt(residual, start, {.max_steps = 3});
  CHECK_EQ(few.steps.item<int>(), 3);
  CHECK_FALSE(bool(few.converged));
  auto all = optim::levenberg_marquardt(residual, start);
  CHECK(bool(all.converged));
  CHECK_NEAR_TO(all.x, ones({2}, f64), 1e-6);
  auto at_once = optim::gauss_newton(residual, ones({2}, f64));
  CHECK_EQ(at_once.steps.item<int>(), 0);
  CHECK(bool(at_once.converged));
  CHECK_THROWS_WITH_AS(optim::gauss_newton(residual, start, {.max_steps = -1}),
                       Contains("[gauss_newton] expected max_steps of at least 0, got -1"), Error);
  CHECK_THROWS_WITH_AS(optim::levenberg_marquardt(residual, tensor({1, 2})),
                       Contains("[levenberg_marquardt] expected tensors of floating point dtype"), DTypeError);
}

TEST_CASE("Trees of unknowns, and more unknowns than residuals") {
  using Unknowns = std::pair<Tensor, TensorDict>;
  auto residual = [](const Unknowns& u) {
    return std::pair{u.first - 3, stack({u.second.at("k") * u.first.sum(), u.second.at("k") - 1})};
  };
  Unknowns start{ones({2, 2}, f64), {{"k", tensor(2.0, f64)}}};
  auto found = optim::levenberg_marquardt(residual, start);
  CHECK(bool(found.converged));
  CHECK_EQ(found.x.first.shape(), Shape{2, 2});
  // The shortest step of the underdetermined x + y = 2.
  auto line = optim::gauss_newton([](const Tensor& x) { return x.sum() - 2; }, zeros({2}, f64));
  CHECK_NEAR_TO(line.x, ones({2}, f64), 1e-12);
  auto f32_too = optim::levenberg_marquardt([](const Tensor& x) { return x * x - 2; }, ones({3}),
                                            {.gradient_tolerance = 1e-5, .step_tolerance = 1e-6});
  CHECK_NEAR_TO(f32_too.x, full({3}, std::sqrt(2.0)), 1e-5);
}

TEST_CASE("Under jit and vmap, lanes converge each in its own time") {
  auto solve = [](const Tensor& y, const Tensor& start) {
    auto r = optim::levenberg_marquardt([&](const Tensor& p) { return decay(p) - y; }, start);
    return std::tuple{r.x, r.steps, r.converged};
  };
  Tensor ys = stack({decay(doubles({2, 0.5})), noisy(), decay(doubles({1, 1}))});
  Tensor starts = doubles({1.9, 0.5, 1, 3, 1, 1}, {3, 2});
  auto [x, steps, converged] = jit(vmap(solve))(ys, starts);
  for (int64_t i = 0; i < 3; ++i) {
    auto [alone, n, done] = solve(ys[i], starts[i]);
    CHECK_NEAR_TO(x[i], alone, 1e-7);
    CHECK_EQ(steps[i].item<int>(), n.item<int>());
    CHECK(converged[i].item<bool>());
  }
}

TEST_CASE("Derivatives of a least squares fit are those of its solution") {
  auto fitted = [](const Tensor& y) {
    return optim::levenberg_marquardt([&](const Tensor& p) { return decay(p) - y; }, doubles({1, 1}),
                                      {.gradient_tolerance = 1e-12, .step_tolerance = 1e-13})
        .x;
  };
  CHECK(gradcheck(fitted, args(noisy()), {.eps = 1e-4, .atol = 1e-4}));
  auto cost = [](const Tensor& y) {
    return optim::gauss_newton([&](const Tensor& p) { return decay(p) - y; }, doubles({2, 0.6}),
                               {.gradient_tolerance = 1e-12, .step_tolerance = 1e-13})
        .cost;
  };
  CHECK(gradcheck(cost, args(noisy()), {.eps = 1e-4, .atol = 1e-4}));
  // By where it started: nothing.
  Tensor by_start = grad([](const Tensor& start) {
    return sum(optim::gauss_newton([](const Tensor& p) { return decay(p) - noisy(); }, start).x);
  })(doubles({2, 0.6}));
  CHECK_SAME(by_start, zeros({2}, f64));
}
