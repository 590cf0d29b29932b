#include "jot/lr_scheduler.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace jot::optim {

namespace {

// For member initialisers: the value, where the condition holds.
template <class T>
T checked(T value, bool right, const char* scheduler, const char* expected, Location at) {
  if (!right) throw Error("[" + std::string(scheduler) + "] expected " + expected + jot::at(at));
  return value;
}

double power(double x, int64_t n) { return std::pow(x, static_cast<double>(n)); }

double part(int64_t i, int64_t n) { return static_cast<double>(i) / static_cast<double>(n); }

}  // namespace

LRScheduler::LRScheduler(const Optimizer& optimizer, std::function<double(int64_t)> rate)
    : optimizer_(optimizer), rate_(std::move(rate)) {
  optimizer_.set_lr(rate_(0));
}

void LRScheduler::set(int64_t epoch) {
  if (epoch < 0) throw Error("[LRScheduler] expected an epoch of at least 0, got " + std::to_string(epoch));
  epoch_ = epoch;
  optimizer_.set_lr(rate_(epoch));
}

StepLR::StepLR(const Optimizer& optimizer, int64_t step_size, double gamma, Location at)
    : LRScheduler(optimizer, [base = optimizer.lr(), gamma,
                              n = checked(step_size, step_size > 0, "StepLR", "a step_size of at least 1", at)](
                                 int64_t epoch) { return base * power(gamma, epoch / n); }) {}

MultiStepLR::MultiStepLR(const Optimizer& optimizer, std::vector<int64_t> milestones, double gamma)
    : LRScheduler(optimizer, [base = optimizer.lr(), milestones = std::move(milestones), gamma](int64_t epoch) {
        return base * power(gamma, std::ranges::count_if(milestones, [&](int64_t m) { return m <= epoch; }));
      }) {}

ExponentialLR::ExponentialLR(const Optimizer& optimizer, double gamma)
    : LRScheduler(optimizer, [base = optimizer.lr(), gamma](int64_t epoch) { return base * power(gamma, epoch); }) {}

CosineAnnealingLR::CosineAnnealingLR(const Optimizer& optimizer, int64_t T_max, double eta_min, Location at)
    : LRScheduler(optimizer,
                  [base = optimizer.lr(), eta_min,
                   n = checked(T_max, T_max > 0, "CosineAnnealingLR", "a T_max of at least 1", at)](int64_t epoch) {
                    return eta_min + (base - eta_min) * (1 + std::cos(std::numbers::pi * part(epoch, n))) / 2;
                  }) {}

LinearLR::LinearLR(const Optimizer& optimizer, const LinearLROptions& options, Location at)
    : LRScheduler(optimizer,
                  [base = optimizer.lr(),
                   o = checked(options,
                               options.start_factor > 0 && options.start_factor <= 1 && options.end_factor >= 0 &&
                                   options.end_factor <= 1 && options.total_iters > 0,
                               "LinearLR", "start_factor in (0, 1], end_factor in [0, 1], total_iters of at least 1",
                               at)](int64_t epoch) {
                    const double done = std::min(1.0, part(epoch, o.total_iters));
                    return base * (o.start_factor + (o.end_factor - o.start_factor) * done);
                  }) {}

LambdaLR::LambdaLR(const Optimizer& optimizer, std::function<double(int64_t)> factor)
    : LRScheduler(optimizer,
                  [base = optimizer.lr(), factor = std::move(factor)](int64_t epoch) { return base * factor(epoch); }) {
}

OneCycleLR::OneCycleLR(const Optimizer& optimizer, double max_lr, int64_t total_steps, const OneCycleLROptions& options,
                       Location at)
    : LRScheduler(optimizer, [max_lr,
                              n = checked(total_steps, total_steps > 0, "OneCycleLR", "total_steps of at least 1", at),
                              o = checked(options, options.pct_start >= 0 && options.pct_start <= 1, "OneCycleLR",
                                          "pct_start in [0, 1]", at)](int64_t epoch) {
        const double first = max_lr / o.div_factor, last = first / o.final_div_factor, end = static_cast<double>(n) - 1;
        const double peak = o.pct_start * static_cast<double>(n) - 1, step = std::min(static_cast<double>(epoch), end);
        auto between = [&](double from, double to, double done) {
          return o.cosine ? to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * done)) : from + (to - from) * done;
        };
        if (step <= peak) return between(first, max_lr, step / peak);
        return between(max_lr, last, (step - peak) / (end - peak));
      }) {}

ReduceLROnPlateau::ReduceLROnPlateau(const Optimizer& optimizer, const ReduceLROnPlateauOptions& options, Location at)
    : optimizer_(optimizer),
      options_(checked(options, options.factor < 1, "ReduceLROnPlateau", "a factor below 1", at)),
      best_(options.maximize ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity()) {}

void ReduceLROnPlateau::step(double metric) {
  const ReduceLROnPlateauOptions& o = options_;
  const double sign = o.maximize ? 1 : -1;
  const double bound = o.relative ? best_ * (1 + sign * o.threshold) : best_ + sign * o.threshold;
  if (o.maximize ? metric > bound : metric < bound) {
    best_ = metric;
    bad_ = 0;
  } else {
    ++bad_;
  }
  if (cooling_ > 0) {
    --cooling_;
    bad_ = 0;
  }
  if (bad_ <= o.patience) return;
  const double lr = std::max(optimizer_.lr() * o.factor, o.min_lr);
  if (optimizer_.lr() - lr > o.eps) optimizer_.set_lr(lr);
  cooling_ = o.cooldown;
  bad_ = 0;
}

}  // namespace jot::optim
