#include "jot/nn.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "core/nn/module_state.h"
#include "core/record/emitter.h"
#include "core/record/flags.h"
#include "core/record/scope.h"
#include "core/storage/views.h"
#include "jot/creation.h"
#include "jot/ops.h"
#include "jot/random.h"

namespace jot {

namespace detail {

std::vector<NamedModule> modules_of(const ModuleState& root) {
  std::vector<NamedModule> result, pending = {{"", &root}};
  while (!pending.empty()) {
    NamedModule m = std::move(pending.back());
    pending.pop_back();
    for (size_t i = m.state->children.size(); i-- > 0;)
      pending.push_back({m.prefix + m.state->children[i].first + ".", m.state->children[i].second.get()});
    result.push_back(std::move(m));
  }
  return result;
}

std::vector<NamedSlot> slots_of(const ModuleState& root) {
  std::vector<NamedSlot> result;
  for (const NamedModule& m : modules_of(root)) {
    for (const auto& [name, slot] : m.state->parameters) result.push_back({m.prefix + name, slot, true});
    for (const auto& [name, slot] : m.state->buffers) result.push_back({m.prefix + name, slot, false});
  }
  return result;
}

namespace {

TensorDict dictionary(const ModuleState& root, bool parameters) {
  TensorDict result;
  std::unordered_set<const TensorImpl*> seen;
  for (const NamedSlot& s : slots_of(root)) {
    const Tensor& t = s.slot->value;
    if (s.parameter == parameters && seen.insert(t.impl().get()).second) result.emplace(s.name, t);
  }
  return result;
}

}  // namespace
}  // namespace detail

namespace nn {

Module::Module() : state_(std::make_shared<detail::ModuleState>()) {}

Tensor Module::forward(const Tensor&) const {
  throw TransformError("[Module] this module has no forward(const Tensor&): override it, or call its operator()" +
                       jot::at(detail::CallSite::current()));
}
Tensor Module::operator()(const Tensor& x, Location at) const {
  detail::CallSite site(at);
  return forward(x);
}

TensorDict Module::named_parameters() const { return detail::dictionary(*state_, true); }
TensorDict Module::named_buffers() const { return detail::dictionary(*state_, false); }

void Module::train(bool on) const {
  for (const detail::NamedModule& m : detail::modules_of(*state_)) m.state->training->store(on);
}
bool Module::is_training() const { return detail::observe(state_->training); }

namespace {

void check_name(const detail::ModuleState& module, std::string_view what, const std::string& name, Location at) {
  auto fail = [&](const std::string& text) {
    throw TransformError("[" + std::string(what) + "] name '" + name + "' " + text + jot::at(at));
  };
  if (name.empty()) fail("is empty: expected the name of a member");
  if (name.find('.') != std::string::npos) fail("contains '.', which separates modules: expected the name of a member");
  auto taken = [&](const auto& list) {
    return std::ranges::find(list, name, [](auto& m) { return m.first; }) != list.end();
  };
  if (taken(module.parameters)) fail("is that of a parameter of this module already: expected another one");
  if (taken(module.buffers)) fail("is that of a buffer of this module already: expected another one");
  if (taken(module.children)) fail("is that of a module in this one already: expected another one");
}

void check_value(std::string_view what, const std::string& name, const Tensor& value, Location at) {
  if (!value.defined())
    throw TransformError("[" + std::string(what) + "] the value of '" + name + "' is an undefined Tensor" +
                         jot::at(at));
}

// Whether a module is `sought` or has it below it.
bool contains(const detail::ModuleState& root, const detail::ModuleState& sought) {
  std::vector<const detail::ModuleState*> pending = {&root};
  std::unordered_set<const detail::ModuleState*> seen;
  while (!pending.empty()) {
    const detail::ModuleState* m = pending.back();
    pending.pop_back();
    if (m == &sought) return true;
    if (seen.insert(m).second)
      for (const auto& [name, child] : m->children) pending.push_back(child.get());
  }
  return false;
}

}  // namespace

Parameter Module::register_parameter(std::string name, const Tensor& value, Location at) const {
  check_name(*state_, "register_parameter", name, at);
  check_value("register_parameter", name, value, at);
  auto slot = std::make_shared<detail::Slot>(detail::Slot{value});
  state_->parameters.emplace_back(std::move(name), slot);
  return Parameter(std::move(slot));
}
Buffer Module::register_buffer(std::string name, const Tensor& value, Location at) const {
  check_name(*state_, "register_buffer", name, at);
  check_value("register_buffer", name, value, at);
  auto slot = std::make_shared<detail::Slot>(detail::Slot{value});
  state_->buffers.emplace_back(std::move(name), slot);
  return Buffer(std::move(slot));
}
void Module::add_child(std::string name, const Module& child, Location at) const {
  check_name(*state_, "register_module", name, at);
  if (contains(*child.state_, *state_))
    throw TransformError("[register_module] '" + name + "': a module cannot be registered in itself or below itself" +
                         jot::at(at));
  state_->children.emplace_back(std::move(name), child.state_);
}

namespace {
Tensor uniform(const Shape& shape, double bound, std::optional<DType> dtype, Location at) {
  detail::check_shape("Linear", "a parameter of shape", shape, at);
  return rand(shape, dtype, at) * Arg(2 * bound, at) - Arg(bound, at);
}
}  // namespace

Linear::Linear(int64_t in, int64_t out, bool with_bias, std::optional<DType> dtype, Location at)
    : weight(register_parameter("weight", uniform({out, in}, 1 / std::sqrt(static_cast<double>(in)), dtype, at))) {
  if (with_bias) bias = register_parameter("bias", uniform({out}, 1 / std::sqrt(static_cast<double>(in)), dtype, at));
}
Tensor Linear::forward(const Tensor& x) const {
  return functional::linear(x, weight, bias ? bias->tensor() : Tensor(), detail::CallSite::current());
}

Tensor Tanh::forward(const Tensor& x) const { return x.tanh(detail::CallSite::current()); }
Tensor ReLU::forward(const Tensor& x) const { return x.relu(detail::CallSite::current()); }
Tensor Sigmoid::forward(const Tensor& x) const { return x.sigmoid(detail::CallSite::current()); }

Tensor Sequential::forward(const Tensor& x) const {
  Tensor y = x;
  for (const auto& m : modules_) y = m->forward(y);
  return y;
}

}  // namespace nn

std::pair<TensorDict, TensorDict> detail::stack_states(const std::vector<const nn::Module*>& models, Location at) {
  auto fail = [&](const std::string& text) { throw TransformError("[stack_module_state] " + text + jot::at(at)); };
  if (models.empty()) fail("stack_module_state: Expected at least one model, got 0.");
  const nn::Module& first = *models[0];
  for (const nn::Module* m : models) {
    if (typeid(*m) != typeid(first)) fail("stack_module_state: Expected all models to be of the same class.");
    if (m->is_training() != first.is_training())
      fail("stack_module_state: Expected all models to have the same training/eval mode.");
  }
  std::pair<TensorDict, TensorDict> result;
  for (bool parameters : {true, false}) {
    std::vector<TensorDict> states;
    for (const nn::Module* m : models) states.push_back(dictionary(m->state(), parameters));
    for (const auto& [name, value] : states[0]) {
      std::vector<Tensor> parts;
      for (const TensorDict& s : states) {
        if (s.size() != states[0].size() || !s.contains(name)) fail("the models differ in their keys: '" + name + "'");
        const Tensor& t = s.at(name);
        if (t.shape() != value.shape())
          throw ShapeError("[stack_module_state] stack expects each tensor to be equal size: '" + name + "' is " +
                           to_string(value.shape()) + " and " + to_string(t.shape()) + jot::at(at));
        parts.push_back(t);
      }
      (parameters ? result.first : result.second).emplace(name, stack(parts, 0, at));
    }
  }
  return result;
}

}  // namespace jot
