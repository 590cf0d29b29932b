// The objects: a rule, its state, and the jitted function that applies both.
#include "jot/creation.h"
#include "jot/ops.h"
#include "jot/optim.h"

namespace jot::optim {

using detail::OptimRule;
using detail::OptimSlot;

namespace {

// In place; recorded once for each set of parameters.
struct Apply {
  OptimRule rule;
  std::tuple<> operator()(const TensorDict& params, const TensorDict& grads, const State<TensorDict>& state,
                          const Tensor& lr) const {
    OptimRule now = rule;
    now.lr = lr;
    auto [next, after] = detail::optim_next(now, params, grads, state, Location());
    detail::copy_into(detail::leaves_in(params), detail::leaves_in(next));
    detail::copy_into(detail::leaves_in(state), detail::leaves_in(after));
    return {};
  }
};

std::string in_quotes(const std::string& name) { return "'" + name + "'"; }

}  // namespace

struct Optimizer::Impl {
  explicit Impl(OptimRule r)
      : rule(std::move(r)),
        lr(rule.lr.is_number() ? rule.lr.number() : rule.lr.tensor().item<double>()),
        apply(jit(Apply{rule})) {}
  [[noreturn]] void fail(const std::string& what, Location at) const {
    throw TransformError("[" + rule.name + "] " + what + jot::at(at));
  }
  // The names of two dictionaries are one.
  void check_names(const TensorDict& params, const TensorDict& given, const std::string& what, Location at) const {
    for (const auto& [name, p] : params)
      if (!given.contains(name)) fail(what + " has nothing for the parameter " + in_quotes(name), at);
    for (const auto& [name, g] : given)
      if (!params.contains(name)) fail(what + " has " + in_quotes(name) + ", which is no parameter", at);
  }
  void check(const TensorDict& params, const TensorDict& given, const std::string& what, Location at) const {
    check_names(params, given, what, at);
    for (const auto& [name, p] : params) {
      const Tensor& t = given.at(name);
      auto type = [](const Tensor& x) {
        return x.defined() ? std::string(to_string(x.dtype())) + to_string(x.shape()) : "an undefined Tensor";
      };
      if (type(p) != type(t) || !p.defined())
        fail(what + " of the parameter " + in_quotes(name) + ": expected " + type(p) + ", got " + type(t), at);
    }
  }

  OptimRule rule;
  double lr;
  detail::Jit<Apply> apply;
  State<TensorDict> state{};
};

Optimizer::Optimizer(OptimRule rule) : impl_(std::make_shared<Impl>(std::move(rule))) {}

void Optimizer::step(const TensorDict& params, const TensorDict& grads, Location at) const {
  Impl& o = *impl_;
  o.check(params, grads, "the gradient", at);
  if (!o.state.step.defined()) {
    o.state = detail::optim_init(o.rule, params, at);
  } else {
    for (const auto& [slot, values] : o.state.slots) o.check(params, values, "the state's " + slot, at);
  }
  o.apply(params, grads, o.state, tensor(o.lr, f64));
}

double Optimizer::lr() const { return impl_->lr; }

void Optimizer::set_lr(double lr, Location at) const {
  if (!(lr >= 0))
    throw Error("[" + impl_->rule.name + "] invalid lr: expected at least 0, got " + std::to_string(lr) + jot::at(at));
  impl_->lr = lr;
}

CacheInfo Optimizer::cache_info() const { return impl_->apply.cache_info(); }

TensorDict Optimizer::state_dict() const {
  const State<TensorDict>& state = impl_->state;
  TensorDict all;
  if (!state.step.defined()) return {{"step", zeros({}, i64)}};
  all.emplace("step", state.step.clone());
  for (const auto& [slot, values] : state.slots)
    for (const auto& [name, t] : values) all.emplace(slot + "." + name, t.clone());
  return all;
}

void Optimizer::load_state_dict(const TensorDict& state, Location at) const {
  Impl& o = *impl_;
  State<TensorDict> loaded;
  for (const OptimSlot& slot : o.rule.slots) loaded.slots[slot.name];
  for (const auto& [key, t] : state) {
    if (!t.defined()) o.fail("the state's " + in_quotes(key) + " is an undefined Tensor", at);
    if (key == "step") {
      if (t.dim() != 0 || !is_integer(t.dtype()))
        o.fail("the state's 'step': expected an integer without dims, got " + std::string(to_string(t.dtype())) +
                   to_string(t.shape()),
               at);
      loaded.step = t.to(i64).clone();
      continue;
    }
    const size_t dot = key.find('.');
    auto slot = loaded.slots.find(key.substr(0, dot));
    if (dot == std::string::npos || slot == loaded.slots.end())
      o.fail("the state has the unexpected key " + in_quotes(key), at);
    slot->second.emplace(key.substr(dot + 1), t.clone());
  }
  if (!loaded.step.defined()) o.fail("the state has no 'step'", at);
  const bool fresh = state.size() == 1 && !loaded.slots.empty();
  TensorDict every;
  for (const auto& [slot, values] : loaded.slots) every.insert(values.begin(), values.end());
  for (const auto& [slot, values] : loaded.slots) o.check_names(every, values, "the state's " + slot, at);
  if (fresh && loaded.step.item<int64_t>() != 0) o.fail("the state has steps, but no " + o.rule.slots[0].name, at);
  if (fresh) loaded.step = Tensor();  // that of no step
  o.state = std::move(loaded);
}

}  // namespace jot::optim
