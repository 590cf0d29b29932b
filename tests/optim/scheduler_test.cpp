// Learning rates beside torch's.
#include "problem.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

namespace {

// The rates of 13 epochs, by steps and by the formula.
template <class Scheduler, class... A>
std::function<Numbers()> rates(const A&... a) {
  return [=] {
    optim::SGD optimizer({.lr = 0.5});
    Scheduler scheduler(optimizer, a...);
    Numbers found;
    for (int64_t epoch = 0; epoch < 13; ++epoch) {
      CHECK_EQ(scheduler.epoch(), epoch);
      CHECK_EQ(scheduler.lr_at(epoch), optimizer.lr());
      found.push_back(optimizer.lr());
      scheduler.step();
    }
    scheduler.set(4);
    CHECK_EQ(optimizer.lr(), found[4]);
    return found;
  };
}

std::function<Numbers()> plateau(optim::ReduceLROnPlateauOptions options) {
  return [=] {
    optim::SGD optimizer({.lr = 0.5});
    optim::ReduceLROnPlateau scheduler(optimizer, options);
    Numbers found;
    for (double metric : {1.0, 0.5, 0.5, 0.49999, 0.6, 0.5, 0.5, 0.4, 0.5, 0.5, 0.5, 0.5}) {
      scheduler.step(options.maximize ? -metric : metric);
      found.push_back(optimizer.lr());
    }
    return found;
  };
}

}  // namespace

TEST_CASE("Schedulers give torch's learning rates") {
  using namespace optim;
  check_golden(
      {{"step_lr", rates<StepLR>(3, 0.5)},
       {"multi_step_lr", rates<MultiStepLR>(std::vector<int64_t>{2, 7, 7}, 0.1)},
       {"exponential_lr", rates<ExponentialLR>(0.9)},
       {"cosine_annealing_lr", rates<CosineAnnealingLR>(5, 0.1)},
       {"linear_lr", rates<LinearLR>(LinearLROptions{.start_factor = 0.2, .end_factor = 0.8, .total_iters = 4})},
       {"linear_lr default", rates<LinearLR>()},
       {"lambda_lr", rates<LambdaLR>([](int64_t epoch) { return 1.0 / static_cast<double>(1 + epoch); })},
       {"one_cycle_lr", rates<OneCycleLR>(2.0, 13)},
       {"one_cycle_lr linear",
        rates<OneCycleLR>(
            2.0, 13, OneCycleLROptions{.pct_start = 0.5, .cosine = false, .div_factor = 10, .final_div_factor = 100})},
       {"plateau", plateau({.factor = 0.5, .patience = 1})},
       {"plateau cooldown", plateau({.factor = 0.5, .patience = 0, .cooldown = 2, .min_lr = 0.1})},
       {"plateau abs", plateau({.factor = 0.5, .patience = 1, .threshold = 0.2, .relative = false})},
       {"plateau max", plateau({.maximize = true, .factor = 0.5, .patience = 1})},
       {"plateau eps", plateau({.factor = 0.5, .patience = 0, .eps = 0.1})}},
      1e-12);
}

TEST_CASE("A new learning rate compiles nothing: steps stay one recording") {
  optim::SGD optimizer({.lr = 0.5});
  optim::ExponentialLR scheduler(optimizer, 0.5);
  TensorDict p = {{"x", zeros({2}, f64)}};
  for (int i = 0; i < 3; ++i) {
    optimizer.step(p, {{"x", ones({2}, f64)}});
    scheduler.step();
  }
  CHECK_SAME(p.at("x"), full({2}, -(0.5 + 0.25 + 0.125), f64));
  CHECK_EQ(optimizer.cache_info().misses, 1);
  CHECK_EQ(optimizer.cache_info().hits, 2);
}

TEST_CASE("What schedulers refuse") {
  optim::SGD o;
  CHECK_THROWS_WITH_AS(optim::StepLR(o, 0), Contains("[StepLR] expected a step_size of at least 1"), Error);
  CHECK_THROWS_WITH_AS(optim::CosineAnnealingLR(o, 0), Contains("[CosineAnnealingLR] expected a T_max of at least 1"),
                       Error);
  CHECK_THROWS_WITH_AS(optim::LinearLR(o, {.start_factor = 0}), Contains("[LinearLR] expected start_factor in (0, 1]"),
                       Error);
  CHECK_THROWS_WITH_AS(optim::OneCycleLR(o, 1, 10, {.pct_start = 2}), Contains("[OneCycleLR] expected pct_start"),
                       Error);
  CHECK_THROWS_WITH_AS(optim::ReduceLROnPlateau(o, {.factor = 1}), Contains("scheduler_test.cpp:"), Error);
  CHECK_THROWS_WITH_AS(optim::StepLR(o, 1).set(-1), Contains("expected an epoch of at least 0, got -1"), Error);
  CHECK_EQ(o.lr(), 1e-3);
}
