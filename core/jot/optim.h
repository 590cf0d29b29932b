// Optimisers, as pure functions, which transforms and jit take like any others, and as objects that update parameters
// in place. Formulas, names and defaults are torch.optim's.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "jot/call.h"
#include "jot/creation.h"
#include "jot/jit.h"
#include "jot/operand.h"
#include "jot/transforms.h"
#include "jot/tree.h"

namespace jot::optim {

// A number, or a tensor without dims: what is differentiated, has lanes, or changes between calls of a jitted function.
class Hyperparameter {
 public:
  template <class T>
    requires std::is_arithmetic_v<T>
  Hyperparameter(T x) : number_(static_cast<double>(x)) {}  // NOLINT: implicit by design
  Hyperparameter(const Tensor& x) : tensor_(x) {}           // NOLINT: implicit by design
  bool is_number() const { return !tensor_.defined(); }
  bool is(double x) const { return is_number() && number_ == x; }
  double number() const { return number_; }
  const Tensor& tensor() const { return tensor_; }
  operator Arg() const { return is_number() ? Arg(number_) : Arg(tensor_); }  // NOLINT: implicit by design

 private:
  double number_ = 0;
  Tensor tensor_;
};

// maximize: the gradients' sign is turned. weight_decay adds weight_decay * parameter to the gradient.

// nesterov needs a momentum and no dampening. The first step's momentum is the gradient, undampened.
struct SGDOptions {
  Hyperparameter lr = 1e-3, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false, maximize = false;
};
// amsgrad divides by the largest second moment so far. decoupled_weight_decay: as AdamW.
struct AdamOptions {
  Hyperparameter lr = 1e-3;
  std::pair<Hyperparameter, Hyperparameter> betas = {0.9, 0.999};
  Hyperparameter eps = 1e-8, weight_decay = 0;
  bool amsgrad = false, maximize = false, decoupled_weight_decay = false;
};
// weight_decay shrinks the parameters by the factor 1 - lr weight_decay instead of going through the moments.
struct AdamWOptions {
  Hyperparameter lr = 1e-3;
  std::pair<Hyperparameter, Hyperparameter> betas = {0.9, 0.999};
  Hyperparameter eps = 1e-8, weight_decay = 1e-2;
  bool amsgrad = false, maximize = false;
};
// centered: divides by the standard deviation of the gradient instead of its root mean square.
struct RMSpropOptions {
  Hyperparameter lr = 1e-2, alpha = 0.99, eps = 1e-8, weight_decay = 0, momentum = 0;
  bool centered = false, maximize = false;
};
struct AdagradOptions {
  Hyperparameter lr = 1e-2, lr_decay = 0, weight_decay = 0;
  double initial_accumulator_value = 0;
  Hyperparameter eps = 1e-10;
  bool maximize = false;
};

// What an optimiser knows of its parameters, a tree: the steps done (0-d, i64), and by name trees like the parameters:
// "momentum_buffer" (SGD, RMSprop), "exp_avg", "exp_avg_sq", "max_exp_avg_sq" (Adam), "square_avg", "grad_avg"
// (RMSprop), "sum" (Adagrad). Which there are depends on the options.
template <class P>
struct State {
  Tensor step;
  std::map<std::string, P> slots;
};
template <class P, class Fn>
decltype(auto) jot_tree_members(State<P>& s, Fn&& fn) {
  return fn(s.step, s.slots);
}
template <class P, class Fn>
decltype(auto) jot_tree_members(const State<P>& s, Fn&& fn) {
  return fn(s.step, s.slots);
}
template <class P>
constexpr std::string_view jot_tree_names(const State<P>*) {
  return "step, slots";
}

}  // namespace jot::optim

namespace jot::detail {

struct OptimSlot {
  std::string name;
  double initial = 0;
};
// One optimiser with its options: the next value of a parameter from it, its gradient, the number of this step (0-d,
// f64, from 1) and its slots, which are replaced with the next ones.
struct OptimRule {
  std::string name;
  optim::Hyperparameter lr;
  bool maximize;
  std::vector<OptimSlot> slots;
  std::function<Tensor(const Tensor& p, const Tensor& g, const Tensor& step, const optim::Hyperparameter& lr,
                       Leaves& kept)>
      next;
};
// Check the options; Error.
OptimRule optim_rule(const optim::SGDOptions& options, Location at);
OptimRule optim_rule(const optim::AdamOptions& options, Location at);
OptimRule optim_rule(const optim::AdamWOptions& options, Location at);
OptimRule optim_rule(const optim::RMSpropOptions& options, Location at);
OptimRule optim_rule(const optim::AdagradOptions& options, Location at);

Leaves optim_slot(const OptimSlot& slot, std::span<const Tensor> params);
// Replaces the parameters, the step and the slots. path: what the user calls a parameter.
void optim_update(const OptimRule& rule, Leaves& params, std::span<const Tensor> grads, Tensor& step,
                  std::vector<Leaves>& slots, LeafNames path, Location at);
void check_like_params(const OptimRule& rule, const TreeSpec& params, const TreeSpec& given, const std::string& what,
                       Location at);
[[noreturn]] void fail_slots(const OptimRule& rule, const std::string& given, Location at);

template <class T>
T with_leaves(const T& tree, const Leaves& leaves) {
  T copy = tree;
  LeafCursor cursor{leaves.data()};
  replace_leaves(copy, cursor);
  return copy;
}
template <class T>
TreeSpec spec_of(const T& tree) {
  TreeSpec spec;
  walk(tree, spec);
  return spec;
}
template <class T>
std::string param_path(const void* tree, size_t leaf) {
  return "parameter" + leaf_path(*static_cast<const T*>(tree), leaf);
}

template <class P>
optim::State<P> optim_init(const OptimRule& rule, const P& params, Location at) {
  const Leaves leaves = leaves_in(params);
  optim::State<P> state{zeros({}, i64, at), {}};
  for (const OptimSlot& slot : rule.slots)
    state.slots.emplace(slot.name, with_leaves(params, optim_slot(slot, leaves)));
  return state;
}

template <class P>
std::pair<P, optim::State<P>> optim_next(const OptimRule& rule, const P& params, const P& grads,
                                         const optim::State<P>& state, Location at) {
  const TreeSpec spec = spec_of(params);
  check_like_params(rule, spec, spec_of(grads), "the gradients", at);
  std::vector<Leaves> slots;
  for (const OptimSlot& slot : rule.slots) {
    auto here = state.slots.find(slot.name);
    if (here == state.slots.end()) break;
    check_like_params(rule, spec, spec_of(here->second), "\"" + slot.name + "\" of the state", at);
    slots.push_back(leaves_in(here->second));
  }
  if (slots.size() != rule.slots.size() || state.slots.size() != slots.size()) {
    std::string given;
    for (const auto& [name, tree] : state.slots) given += (given.empty() ? "" : ", ") + name;
    fail_slots(rule, given, at);
  }
  Leaves leaves = leaves_in(params);
  Tensor step = state.step;
  optim_update(rule, leaves, leaves_in(grads), step, slots, {&param_path<P>, &params}, at);
  optim::State<P> next{step, {}};
  for (size_t i = 0; i < slots.size(); ++i) next.slots.emplace(rule.slots[i].name, with_leaves(params, slots[i]));
  return {with_leaves(params, leaves), std::move(next)};
}

}  // namespace jot::detail

namespace jot::optim {

// ---- pure updates. params: a tree of floating tensors; grads: like them. Each gives {next params, next state}, of the
// dtypes that they had. Derivatives are those of the formulas, to any order, by params, grads, state and
// hyperparameters that are tensors; a second moment of 0 has none (its square root). Error where an option is out of
// its range, TransformError where grads, or the state, do not fit the params.

template <class P>
State<P> sgd_init(const P& params, const SGDOptions& options = {}, Location at = JOT_HERE) {
  return detail::optim_init(detail::optim_rule(options, at), params, at);
}
template <class P>
std::pair<P, State<P>> sgd_update(const P& params, const std::type_identity_t<P>& grads, const State<P>& state,
                                  const SGDOptions& options = {}, Location at = JOT_HERE) {
  return detail::optim_next(detail::optim_rule(options, at), params, grads, state, at);
}
// Kingma and Ba, "Adam: a method for stochastic optimization", 2015.
template <class P>
State<P> adam_init(const P& params, const AdamOptions& options = {}, Location at = JOT_HERE) {
  return detail::optim_init(detail::optim_rule(options, at), params, at);
}
template <class P>
std::pair<P, State<P>> adam_update(const P& params, const std::type_identity_t<P>& grads, const State<P>& state,
                                   const AdamOptions& options = {}, Location at = JOT_HERE) {
  return detail::optim_next(detail::optim_rule(options, at), params, grads, state, at);
}
// Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.
template <class P>
State<P> adamw_init(const P& params, const AdamWOptions& options = {}, Location at = JOT_HERE) {
  return detail::optim_init(detail::optim_rule(options, at), params, at);
}
template <class P>
std::pair<P, State<P>> adamw_update(const P& params, const std::type_identity_t<P>& grads, const State<P>& state,
                                    const AdamWOptions& options = {}, Location at = JOT_HERE) {
  return detail::optim_next(detail::optim_rule(options, at), params, grads, state, at);
}
// Hinton's; centered: Graves, "Generating sequences with recurrent neural networks", 2013.
template <class P>
State<P> rmsprop_init(const P& params, const RMSpropOptions& options = {}, Location at = JOT_HERE) {
  return detail::optim_init(detail::optim_rule(options, at), params, at);
}
template <class P>
std::pair<P, State<P>> rmsprop_update(const P& params, const std::type_identity_t<P>& grads, const State<P>& state,
                                      const RMSpropOptions& options = {}, Location at = JOT_HERE) {
  return detail::optim_next(detail::optim_rule(options, at), params, grads, state, at);
}
// Duchi, Hazan and Singer, "Adaptive subgradient methods", 2011.
template <class P>
State<P> adagrad_init(const P& params, const AdagradOptions& options = {}, Location at = JOT_HERE) {
  return detail::optim_init(detail::optim_rule(options, at), params, at);
}
template <class P>
std::pair<P, State<P>> adagrad_update(const P& params, const std::type_identity_t<P>& grads, const State<P>& state,
                                      const AdagradOptions& options = {}, Location at = JOT_HERE) {
  return detail::optim_next(detail::optim_rule(options, at), params, grads, state, at);
}

// ---- objects

// Updates parameters in place: one call of a jitted function a step. A handle: copies share state. Not to be used by
// two threads at the same time.
class Optimizer {
 public:
  // The first step fixes the parameters' names. TransformError where later ones have others, where grads are not the
  // params' by name, shape and dtype, or the state that was loaded does not fit.
  void step(const TensorDict& params, const TensorDict& grads, Location at = JOT_HERE) const;
  double lr() const;
  void set_lr(double lr, Location at = JOT_HERE) const;  // recompiles nothing
  // "step", and each slot by slot and name: "exp_avg.l1.weight". Copies.
  TensorDict state_dict() const;
  void load_state_dict(const TensorDict& state, Location at = JOT_HERE) const;
  CacheInfo cache_info() const;  // of the jitted function

 protected:
  explicit Optimizer(detail::OptimRule rule);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

class SGD : public Optimizer {
 public:
  explicit SGD(const SGDOptions& options = {}, Location at = JOT_HERE) : Optimizer(detail::optim_rule(options, at)) {}
};
class Adam : public Optimizer {
 public:
  explicit Adam(const AdamOptions& options = {}, Location at = JOT_HERE) : Optimizer(detail::optim_rule(options, at)) {}
};
class AdamW : public Optimizer {
 public:
  explicit AdamW(const AdamWOptions& options = {}, Location at = JOT_HERE)
      : Optimizer(detail::optim_rule(options, at)) {}
};
class RMSprop : public Optimizer {
 public:
  explicit RMSprop(const RMSpropOptions& options = {}, Location at = JOT_HERE)
      : Optimizer(detail::optim_rule(options, at)) {}
};
class Adagrad : public Optimizer {
 public:
  explicit Adagrad(const AdagradOptions& options = {}, Location at = JOT_HERE)
      : Optimizer(detail::optim_rule(options, at)) {}
};

enum class LineSearch : uint8_t { none, strong_wolfe };

// Of one step: at most max_iter directions and max_eval evaluations (none: 5/4 max_iter). It ends where no gradient
// exceeds tolerance_grad, where no parameter or not the loss changes by more than tolerance_change.
struct LBFGSOptions {
  double lr = 1;
  int64_t max_iter = 20;
  std::optional<int64_t> max_eval = {};
  double tolerance_grad = 1e-7, tolerance_change = 1e-9;
  int64_t history_size = 100;
  LineSearch line_search = LineSearch::none;
};

// The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno; Nocedal and Wright, "Numerical optimization",
// algorithms 7.4 (directions) and 3.5 (strong Wolfe conditions). A step costs one call of f an evaluation and, a
// direction, O(history_size * parameters). A handle: copies share state.
class LBFGS {
 public:
  explicit LBFGS(const LBFGSOptions& options = {}, Location at = JOT_HERE);

  // Changes the params in place; gives the loss before. f: params -> loss, a floating 0-d tensor, or -> pair{gradients,
  // loss}, such as jit(grad_and_value(loss)), which is recorded once.
  template <class F>
  Tensor step(const TensorDict& params, F&& f, Location at = JOT_HERE) const {
    Leaves leaves = detail::leaves_in(params);
    return run(
        leaves,
        [&]() -> std::pair<Leaves, Tensor> {
          if constexpr (std::is_same_v<std::remove_cvref_t<std::invoke_result_t<F&, const TensorDict&>>, Tensor>) {
            auto [gradients, value] = grad_and_value(f, at)(params);
            return {detail::leaves_in(gradients), value};
          } else {
            auto [gradients, value] = f(params);
            return {detail::leaves_in(gradients), value};
          }
        },
        at);
  }
  int64_t evaluations() const;  // of f, by all steps

 private:
  using Leaves = detail::Leaves;
  Tensor run(const Leaves& params, const std::function<std::pair<Leaves, Tensor>()>& evaluate, Location at) const;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// ---- gradients clipped

// error_if_nonfinite: an Error where the norm is infinite or NaN; reads it.
struct ClipGradNormOptions {
  double norm_type = 2;
  bool error_if_nonfinite = false;
};

}  // namespace jot::optim

namespace jot::detail {

// The norm of all elements together, and the gradients times min(1, max_norm / (norm + 1e-6)).
std::pair<Leaves, Tensor> clip_norm(std::span<const Tensor> grads, const optim::Hyperparameter& max_norm,
                                    const optim::ClipGradNormOptions& options, Location at);
Leaves clip_value(std::span<const Tensor> grads, const optim::Hyperparameter& value, Location at);
void copy_into(std::span<const Tensor> to, std::span<const Tensor> from);

}  // namespace jot::detail

namespace jot::optim {

// pair{clipped, norm}: all gradients of the tree scaled by one factor, so that the norm of all their elements together
// is at most max_norm; the norm is that before, 0-d.
template <class P>
std::pair<P, Tensor> clip_grad_norm(const P& grads, const Hyperparameter& max_norm,
                                    const ClipGradNormOptions& options = {}, Location at = JOT_HERE) {
  auto [clipped, norm] = detail::clip_norm(detail::leaves_in(grads), max_norm, options, at);
  return {detail::with_leaves(grads, clipped), norm};
}
// The same in place.
template <class P>
Tensor clip_grad_norm_(const P& grads, const Hyperparameter& max_norm, const ClipGradNormOptions& options = {},
                       Location at = JOT_HERE) {
  const detail::Leaves leaves = detail::leaves_in(grads);
  auto [clipped, norm] = detail::clip_norm(leaves, max_norm, options, at);
  detail::copy_into(leaves, clipped);
  return norm;
}
// Each element between -value and value.
template <class P>
P clip_grad_value(const P& grads, const Hyperparameter& value, Location at = JOT_HERE) {
  return detail::with_leaves(grads, detail::clip_value(detail::leaves_in(grads), value, at));
}
template <class P>
void clip_grad_value_(const P& grads, const Hyperparameter& value, Location at = JOT_HERE) {
  const detail::Leaves leaves = detail::leaves_in(grads);
  detail::copy_into(leaves, detail::clip_value(leaves, value, at));
}

}  // namespace jot::optim
