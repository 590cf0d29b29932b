// Learning rates that change from epoch to epoch: torch.optim.lr_scheduler's, as closed formulas.
#pragma once
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "jot/optim.h"

namespace jot::optim {

// Sets the learning rate of an optimiser, that of epoch 0 when it is made, the next one's with each step. Of what the
// optimiser has then as lr, the base, lr_at(epoch) is the rate of an epoch; it is a function of the epoch alone.
class LRScheduler {
 public:
  void step() { set(epoch_ + 1); }
  double lr_at(int64_t epoch) const { return rate_(epoch); }
  int64_t epoch() const { return epoch_; }
  void set(int64_t epoch);  // goes on from there; Error where it is negative

 protected:
  LRScheduler(const Optimizer& optimizer, std::function<double(int64_t epoch)> rate);

 private:
  Optimizer optimizer_;
  std::function<double(int64_t)> rate_;
  int64_t epoch_ = 0;
};

// base gamma^floor(epoch / step_size). Error unless step_size > 0.
class StepLR : public LRScheduler {
 public:
  StepLR(const Optimizer& optimizer, int64_t step_size, double gamma = 0.1, Location at = JOT_HERE);
};
// base gamma^k, where k of the milestones have been reached.
class MultiStepLR : public LRScheduler {
 public:
  MultiStepLR(const Optimizer& optimizer, std::vector<int64_t> milestones, double gamma = 0.1);
};
// base gamma^epoch.
class ExponentialLR : public LRScheduler {
 public:
  ExponentialLR(const Optimizer& optimizer, double gamma);
};
// eta_min + (base - eta_min) (1 + cos(pi epoch / T_max)) / 2. Error unless T_max > 0.
class CosineAnnealingLR : public LRScheduler {
 public:
  CosineAnnealingLR(const Optimizer& optimizer, int64_t T_max, double eta_min = 0, Location at = JOT_HERE);
};
struct LinearLROptions {
  double start_factor = 1.0 / 3, end_factor = 1;
  int64_t total_iters = 5;
};
// Warm-up: base times a factor that goes from start_factor to end_factor in total_iters epochs. Error unless
// start_factor is in (0, 1], end_factor in [0, 1], total_iters > 0.
class LinearLR : public LRScheduler {
 public:
  explicit LinearLR(const Optimizer& optimizer, const LinearLROptions& options = {}, Location at = JOT_HERE);
};
// base times factor(epoch).
class LambdaLR : public LRScheduler {
 public:
  LambdaLR(const Optimizer& optimizer, std::function<double(int64_t epoch)> factor);
};
// pct_start: the part of all steps in which the rate grows. cosine: by half waves of a cosine, else by lines.
struct OneCycleLROptions {
  double pct_start = 0.3;
  bool cosine = true;
  double div_factor = 25, final_div_factor = 1e4;
};
// From max_lr / div_factor up to max_lr, and down to max_lr / div_factor / final_div_factor at step total_steps - 1,
// where it stays. The optimiser's own lr and its momentum do not enter. Error unless total_steps > 0, pct_start in [0,
// 1]. Smith and Topin, "Super-convergence", 2018.
class OneCycleLR : public LRScheduler {
 public:
  OneCycleLR(const Optimizer& optimizer, double max_lr, int64_t total_steps, const OneCycleLROptions& options = {},
             Location at = JOT_HERE);
};

// relative: better means past best (1 - threshold), of a maximum best (1 + threshold); else by more than threshold.
struct ReduceLROnPlateauOptions {
  bool maximize = false;
  double factor = 0.1;
  int64_t patience = 10;
  double threshold = 1e-4;
  bool relative = true;
  int64_t cooldown = 0;
  double min_lr = 0, eps = 1e-8;
};
// Multiplies the rate by factor, down to min_lr, when more than `patience` epochs in a row have brought no better
// metric, then waits `cooldown` epochs; changes of at most eps are left out. Error unless factor < 1.
class ReduceLROnPlateau {
 public:
  explicit ReduceLROnPlateau(const Optimizer& optimizer, const ReduceLROnPlateauOptions& options = {},
                             Location at = JOT_HERE);
  void step(double metric);

 private:
  Optimizer optimizer_;
  ReduceLROnPlateauOptions options_;
  double best_;
  int64_t bad_ = 0, cooling_ = 0;
};

}  // namespace jot::optim
