// LBFGS: torch's trajectories, line searches, what it refuses.
#include "problem.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

namespace {

std::function<Numbers()> steps_of(const optim::LBFGSOptions& options, int steps = 4) {
  return [=] {
    optim::LBFGS optimizer(options);
    TensorDict p = parameters();
    Numbers found;
    for (int i = 0; i < steps; ++i) {
      found.push_back(optimizer.step(p, convex_loss()).item<double>());
      append(found, p);
      found.push_back(static_cast<double>(optimizer.evaluations()));
    }
    return found;
  };
}

constexpr auto kWolfe = optim::LineSearch::strong_wolfe;

}  // namespace

TEST_CASE("LBFGS follows torch's trajectories") {
  check_golden({{"lbfgs", steps_of({.max_iter = 4})},
                {"lbfgs lr", steps_of({.lr = 0.5, .max_iter = 3})},
                {"lbfgs history", steps_of({.max_iter = 6, .history_size = 2}, 2)},
                {"lbfgs max_eval", steps_of({.max_iter = 10, .max_eval = 4})},
                {"lbfgs strong_wolfe", steps_of({.max_iter = 4, .line_search = kWolfe})},
                {"lbfgs strong_wolfe far", steps_of({.lr = 30, .max_iter = 4, .line_search = kWolfe}, 2)},
                {"lbfgs strong_wolfe near", steps_of({.lr = 0.01, .max_iter = 3, .line_search = kWolfe}, 2)}},
               1e-9);
}

TEST_CASE("LBFGS finds the minimum of Rosenbrock's function, in f64 and in f32") {
  auto rosenbrock = [](const TensorDict& p) {
    const Tensor& x = p.at("x");
    return sum(100 * square(x.slice(0, 1) - square(x.slice(0, 0, -1))) + square(1 - x.slice(0, 0, -1)));
  };
  for (DType dtype : {f64, f32}) {
    TensorDict p = {{"x", full({6}, -1.2, dtype)}};
    Tensor view = p.at("x");
    optim::LBFGS optimizer({.max_iter = 200, .line_search = kWolfe});
    auto both = jit(grad_and_value(rosenbrock));
    optimizer.step(p, both);
    CHECK_NEAR_TO(view, ones({6}, dtype), dtype == f64 ? 1e-6 : 1e-2);
    CHECK_EQ(both.cache_info().misses, 1);
    CHECK_EQ(both.cache_info().hits + 1, optimizer.evaluations());
    // At the minimum there is nothing to do.
    const int64_t before = optimizer.evaluations();
    if (dtype == f64) {
      optimizer.step(p, both);
      CHECK(optimizer.evaluations() - before < 10);
    }
  }
}

TEST_CASE("LBFGS: what it refuses") {
  TensorDict p = {{"x", ones({2})}};
  auto sum_of = [](const TensorDict& q) { return sum(q.at("x")); };
  CHECK_THROWS_WITH_AS(optim::LBFGS({.max_iter = 0}), Contains("[LBFGS] invalid max_iter: expected at least 1"), Error);
  CHECK_THROWS_WITH_AS(optim::LBFGS({.history_size = 0}), Contains("lbfgs_test.cpp:"), Error);
  CHECK_THROWS_WITH_AS(optim::LBFGS().step({},
                                           [](const TensorDict&) {
                                             return std::pair{TensorDict(), ones({})};
                                           }),
                       Contains("[LBFGS] there are no parameters"), TransformError);
  CHECK_THROWS_WITH_AS(optim::LBFGS().step({{"x", ones({2}, i64)}}, sum_of),
                       Contains("[LBFGS] expected parameters of floating point dtype, got i64"), DTypeError);
  CHECK_THROWS_WITH_AS(optim::LBFGS().step(p,
                                           [](const TensorDict& q) {
                                             return std::pair{q, ones({1})};
                                           }),
                       Contains("[LBFGS] the loss must be a tensor without dims"), TransformError);
  CHECK_THROWS_WITH_AS(optim::LBFGS().step(p,
                                           [](const TensorDict&) {
                                             return std::pair{TensorDict{{"x", ones({3})}}, ones({})};
                                           }),
                       Contains("[LBFGS] gradient 0 has another shape than its parameter, [2]"), TransformError);
  optim::LBFGS used({.max_iter = 2});
  used.step(p, [](const TensorDict& q) { return sum(square(q.at("x") - 3)); });
  TensorDict other = {{"x", ones({5})}};
  CHECK_THROWS_WITH_AS(used.step(other, sum_of), Contains("the parameters have 5 elements, in the steps before 2"),
                       TransformError);
}
