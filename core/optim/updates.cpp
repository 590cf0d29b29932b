// The rules of the optimisers, each a function of one parameter.
#include <cmath>

#include "core/functions/operands.h"
#include "core/record/scope.h"
#include "jot/creation.h"
#include "jot/linalg.h"
#include "jot/ops.h"
#include "jot/optim.h"

namespace jot::detail {

using optim::Hyperparameter;

namespace {

// Numbers stay numbers, in f64: of two of them a tensor would be of the default dtype.
Hyperparameter product(const Hyperparameter& a, const Hyperparameter& b) {
  if (a.is_number() && b.is_number()) return a.number() * b.number();
  return Arg(a) * Arg(b);
}
Hyperparameter one_minus(const Hyperparameter& a) {
  if (a.is_number()) return 1 - a.number();
  return 1 - a.tensor();
}
// 1 - beta^step, in f64.
Tensor bias_correction(const Hyperparameter& beta, const Tensor& step) { return 1 - pow(beta, step); }

// torch's ranges; of tensors unchecked.
class Checked {
 public:
  Checked(std::string_view name, Location at) : name_(name), at_(at) {}
  const Checked& at_least_0(std::string_view option, const Hyperparameter& x) const {
    if (x.is_number() && !(x.number() >= 0)) fail("invalid " + std::string(option), x, "at least 0");
    return *this;
  }
  const Checked& below_1(std::string_view option, const Hyperparameter& x) const {
    if (x.is_number() && !(x.number() >= 0 && x.number() < 1)) fail("invalid " + std::string(option), x, "in [0, 1)");
    return *this;
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error("[" + std::string(name_) + "] " + what + jot::at(at_));
  }

 private:
  [[noreturn]] void fail(const std::string& what, const Hyperparameter& x, const char* expected) const {
    fail(what + ": expected " + expected + ", got " + std::to_string(x.number()));
  }
  std::string_view name_;
  Location at_;
};

Tensor with_decay(const Tensor& g, const Tensor& p, const Hyperparameter& weight_decay) {
  return weight_decay.is(0) ? g : g + weight_decay * p;
}
// b x + (1 - b) y
Tensor averaged(const Tensor& x, const Tensor& y, const Hyperparameter& b) { return b * x + one_minus(b) * y; }

Tensor sgd(const optim::SGDOptions& o, const Tensor& p, const Tensor& grad, const Tensor& step,
           const Hyperparameter& lr, Leaves& kept) {
  Tensor g = with_decay(grad, p, o.weight_decay);
  if (kept.empty()) return p - lr * g;
  Tensor& buffer = kept[0];
  Tensor later = o.momentum * buffer + one_minus(o.dampening) * g;
  buffer = o.dampening.is(0) ? later : where(step == 1, g, later);
  return p - lr * (o.nesterov ? g + o.momentum * buffer : buffer);
}

Tensor adam(const optim::AdamOptions& o, const Tensor& p, const Tensor& grad, const Tensor& step,
            const Hyperparameter& lr, Leaves& kept) {
  const bool shrinks = o.decoupled_weight_decay && !o.weight_decay.is(0);
  Tensor shrunk = shrinks ? p * one_minus(product(lr, o.weight_decay)) : p;
  Tensor g = o.decoupled_weight_decay ? grad : with_decay(grad, p, o.weight_decay);
  kept[0] = averaged(kept[0], g, o.betas.first);
  kept[1] = averaged(kept[1], square(g), o.betas.second);
  if (o.amsgrad) kept[2] = maximum(kept[2], kept[1]);
  Tensor size = lr / bias_correction(o.betas.first, step), root = sqrt(bias_correction(o.betas.second, step));
  return shrunk - size * (kept[0] / (sqrt(kept[o.amsgrad ? 2 : 1]) / root + o.eps));
}

Tensor rmsprop(const optim::RMSpropOptions& o, const Tensor& p, const Tensor& grad, const Tensor&,
               const Hyperparameter& lr, Leaves& kept) {
  Tensor g = with_decay(grad, p, o.weight_decay);
  kept[0] = averaged(kept[0], square(g), o.alpha);
  Tensor moment = kept[0];
  if (o.centered) {
    kept[1] = averaged(kept[1], g, o.alpha);
    moment = moment - square(kept[1]);
  }
  Tensor direction = g / (sqrt(moment) + o.eps);
  if (!o.momentum.is(0)) direction = kept.back() = o.momentum * kept.back() + direction;
  return p - lr * direction;
}

Tensor adagrad(const optim::AdagradOptions& o, const Tensor& p, const Tensor& grad, const Tensor& step,
               const Hyperparameter& lr, Leaves& kept) {
  Tensor g = with_decay(grad, p, o.weight_decay);
  kept[0] = kept[0] + square(g);
  Tensor direction = g / (sqrt(kept[0]) + o.eps);
  return p - (o.lr_decay.is(0) ? lr * direction : lr / (1 + (step - 1) * o.lr_decay) * direction);
}

OptimRule adam_rule(const char* name, const optim::AdamOptions& o, Location at) {
  Checked(name, at)
      .at_least_0("lr", o.lr)
      .below_1("betas[0]", o.betas.first)
      .below_1("betas[1]", o.betas.second)
      .at_least_0("eps", o.eps)
      .at_least_0("weight_decay", o.weight_decay);
  std::vector<OptimSlot> slots = {{"exp_avg"}, {"exp_avg_sq"}};
  if (o.amsgrad) slots.push_back({"max_exp_avg_sq"});
  return {name, o.lr, o.maximize, std::move(slots), [o](auto&&... a) { return adam(o, a...); }};
}

}  // namespace

OptimRule optim_rule(const optim::SGDOptions& o, Location at) {
  Checked check("SGD", at);
  check.at_least_0("lr", o.lr).at_least_0("momentum", o.momentum).at_least_0("weight_decay", o.weight_decay);
  if (o.nesterov && (o.momentum.is(0) || !o.dampening.is(0)))
    check.fail("Nesterov momentum requires a momentum and zero dampening");
  std::vector<OptimSlot> slots;
  if (!o.momentum.is(0)) slots.push_back({"momentum_buffer"});
  return {"SGD", o.lr, o.maximize, std::move(slots), [o](auto&&... a) { return sgd(o, a...); }};
}

OptimRule optim_rule(const optim::AdamOptions& o, Location at) { return adam_rule("Adam", o, at); }

OptimRule optim_rule(const optim::AdamWOptions& o, Location at) {
  return adam_rule("AdamW", {o.lr, o.betas, o.eps, o.weight_decay, o.amsgrad, o.maximize, true}, at);
}

OptimRule optim_rule(const optim::RMSpropOptions& o, Location at) {
  Checked("RMSprop", at)
      .at_least_0("lr", o.lr)
      .at_least_0("alpha", o.alpha)
      .at_least_0("eps", o.eps)
      .at_least_0("weight_decay", o.weight_decay)
      .at_least_0("momentum", o.momentum);
  std::vector<OptimSlot> slots = {{"square_avg"}};
  if (o.centered) slots.push_back({"grad_avg"});
  if (!o.momentum.is(0)) slots.push_back({"momentum_buffer"});
  return {"RMSprop", o.lr, o.maximize, std::move(slots), [o](auto&&... a) { return rmsprop(o, a...); }};
}

OptimRule optim_rule(const optim::AdagradOptions& o, Location at) {
  Checked("Adagrad", at)
      .at_least_0("lr", o.lr)
      .at_least_0("lr_decay", o.lr_decay)
      .at_least_0("weight_decay", o.weight_decay)
      .at_least_0("initial_accumulator_value", o.initial_accumulator_value)
      .at_least_0("eps", o.eps);
  return {"Adagrad", o.lr, o.maximize, {{"sum", o.initial_accumulator_value}}, [o](auto&&... a) {
            return adagrad(o, a...);
          }};
}

Leaves optim_slot(const OptimSlot& slot, std::span<const Tensor> params) {
  Leaves leaves;
  for (const Tensor& p : params) leaves.push_back(full_like(p, slot.initial));
  return leaves;
}

void check_like_params(const OptimRule& rule, const TreeSpec& params, const TreeSpec& given, const std::string& what,
                       Location at) {
  if (!given.same_structure(params))
    throw TransformError("[" + rule.name + "] " + what + " are no tree like the parameters: expected " + params.text() +
                         ", got " + given.text() + jot::at(at));
}

void fail_slots(const OptimRule& rule, const std::string& given, Location at) {
  std::string wanted;
  for (const OptimSlot& slot : rule.slots) wanted += (wanted.empty() ? "" : ", ") + slot.name;
  throw TransformError("[" + rule.name + "] the state was made for other options: expected the slots " +
                       (wanted.empty() ? "(none)" : wanted) + ", got " + (given.empty() ? "(none)" : given) +
                       "; pass the same options to init and to update" + jot::at(at));
}

void optim_update(const OptimRule& rule, Leaves& params, std::span<const Tensor> grads, Tensor& step,
                  std::vector<Leaves>& slots, LeafNames path, Location at) {
  Composite call(rule.name, at);
  auto check = [&](size_t i, const Tensor& t, const char* what) {
    if (!params[i].defined() || !is_floating(params[i].dtype()))
      throw DTypeError("[" + rule.name + "] " + path(i) + ": expected a Tensor of floating point dtype, got " +
                       (params[i].defined() ? type_name(params[i]) : "an undefined Tensor") + jot::at(at));
    if (!t.defined() || t.shape() != params[i].shape() || t.dtype() != params[i].dtype())
      throw ShapeError("[" + rule.name + "] " + path(i) + ": its " + what + " must be like it: expected " +
                       type_name(params[i]) + ", got " + (t.defined() ? type_name(t) : "an undefined Tensor") +
                       jot::at(at));
  };
  step = step + 1;
  const Tensor number = step.to(f64);
  for (size_t i = 0; i < params.size(); ++i) {
    check(i, grads[i], "gradient");
    Leaves kept;
    for (size_t s = 0; s < slots.size(); ++s) {
      check(i, slots[s][i], rule.slots[s].name.c_str());
      kept.push_back(slots[s][i]);
    }
    const DType dtype = params[i].dtype();
    params[i] = rule.next(params[i], rule.maximize ? -grads[i] : grads[i], number, rule.lr, kept).to(dtype);
    for (size_t s = 0; s < slots.size(); ++s) slots[s][i] = kept[s].to(dtype);
  }
}

std::pair<Leaves, Tensor> clip_norm(std::span<const Tensor> grads, const Hyperparameter& max_norm,
                                    const optim::ClipGradNormOptions& options, Location at) {
  Composite call("clip_grad_norm_", at);
  if (grads.empty()) return {{}, zeros({}, none, at)};
  std::vector<Tensor> norms;
  for (const Tensor& g : grads) norms.push_back(linalg::vector_norm(g, options.norm_type));
  Tensor norm = linalg::vector_norm(stack(norms), options.norm_type);
  if (options.error_if_nonfinite && !std::isfinite(norm.item<double>(at)))
    throw Error("[clip_grad_norm_] the norm of the gradients is " + to_string(norm) +
                "; leave out error_if_nonfinite to scale them anyway" + jot::at(at));
  Tensor factor = clamp_max(max_norm / (norm + 1e-6), 1);
  Leaves clipped;
  for (const Tensor& g : grads) clipped.push_back((g * factor).to(g.dtype()));
  return {std::move(clipped), norm};
}

Leaves clip_value(std::span<const Tensor> grads, const Hyperparameter& value, Location at) {
  Composite call("clip_grad_value_", at);
  Leaves clipped;
  for (const Tensor& g : grads)
    clipped.push_back(value.is_number() ? clamp(g, -value.number(), value.number())
                                        : clamp(g, -value.tensor(), value.tensor()).to(g.dtype()));
  return clipped;
}

void copy_into(std::span<const Tensor> to, std::span<const Tensor> from) {
  for (size_t i = 0; i < to.size(); ++i) to[i].copy_(from[i]);
}

}  // namespace jot::detail
