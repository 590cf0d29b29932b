#include "jot/nn.h"

#include <cxxabi.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <unordered_map>

#include "core/flags.h"
#include "core/recorder.h"
#include "jot/creation.h"
#include "jot/jit.h"
#include "jot/ops.h"
#include "jot/random.h"

namespace jot {

namespace detail {

struct Slot {
  Tensor value;
};

struct ModuleState {
  using Slots = std::vector<std::pair<std::string, std::shared_ptr<Slot>>>;
  Slots parameters, buffers;
  std::vector<std::pair<std::string, std::shared_ptr<ModuleState>>> children;
  std::shared_ptr<std::atomic<bool>> training = std::make_shared<std::atomic<bool>>(true);
};

namespace {

struct NamedSlot {
  std::string name;
  std::shared_ptr<Slot> slot;
  bool parameter;
};
struct NamedModule {
  std::string prefix;  // "", "l1."
  const ModuleState* state;
};

// The module and all below it, in registration order.
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

// All names, also of what is the same tensor under another one.
std::vector<NamedSlot> slots_of(const ModuleState& root) {
  std::vector<NamedSlot> result;
  for (const NamedModule& m : modules_of(root)) {
    for (const auto& [name, slot] : m.state->parameters) result.push_back({m.prefix + name, slot, true});
    for (const auto& [name, slot] : m.state->buffers) result.push_back({m.prefix + name, slot, false});
  }
  return result;
}

TensorDict dictionary(const ModuleState& root, bool parameters) {
  TensorDict result;
  std::vector<const TensorImpl*> seen;
  for (const NamedSlot& s : slots_of(root)) {
    const Tensor& t = s.slot->value;
    if (s.parameter != parameters || std::ranges::find(seen, t.impl().get()) != seen.end()) continue;
    seen.push_back(t.impl().get());
    result.emplace(s.name, t);
  }
  return result;
}

std::string class_name(const std::type_info& type) {
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  std::string full = name ? name.get() : type.name();
  size_t colon = full.rfind("::");
  return colon == std::string::npos ? full : full.substr(colon + 2);
}

thread_local FunctionalFrame* innermost = nullptr;

}  // namespace

// ---- functional_call

struct FunctionalFrame::State {
  struct Given {
    Tensor value;
    bool reassigned = false;
    std::string key;             // its key in ...
    TensorDict* dict = nullptr;  // ... the dictionary to write back to, if any
  };
  std::unordered_map<const Slot*, Given> given;
  std::vector<NamedSlot> slots;

  std::string module;  // its class, for errors
  Location at;

  [[noreturn]] void fail(const std::string& text) const {
    throw TransformError("[functional_call] " + text + jot::at(at));
  }
  void check_keys(const StateDicts& dicts) const;
  void check_strict(const StateDicts& dicts, bool tied) const;
  void check_paths(const ModuleState& root, const StateDicts& dicts) const;
  void give(const NamedSlot& slot, const std::string& key, const StateDict& dict, bool tied);
};

namespace {

std::string quoted(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& n : names) out += (out.empty() ? "'" : ", '") + n + "'";
  return out;
}

bool same_tensor(const Slot& a, const Slot& b) { return &a == &b || a.value.impl() == b.value.impl(); }

bool has_key(const StateDicts& dicts, const std::string& key) {
  return std::ranges::any_of(dicts.all, [&](const StateDict& d) { return d.dict->contains(key); });
}

}  // namespace

void FunctionalFrame::State::check_keys(const StateDicts& dicts) const {
  std::vector<std::string> seen;
  for (const StateDict& d : dicts.all)
    for (const auto& [key, value] : *d.dict) {
      if (std::ranges::find(seen, key) != seen.end())
        fail("['" + key + "'] appeared in multiple dictionaries; behavior of functional call is ambiguous");
      if (!value.defined()) fail("the value of '" + key + "' is an undefined Tensor");
      if (dicts.all.size() > 1) seen.push_back(key);
    }
}

void FunctionalFrame::State::check_strict(const StateDicts& dicts, bool tied) const {
  std::vector<std::string> unexpected, missing;
  for (const StateDict& d : dicts.all)
    for (const auto& [key, value] : *d.dict) {
      auto named = std::ranges::find(slots, key, &NamedSlot::name);
      if (named == slots.end())
        unexpected.push_back(key);
      else if (value.shape() != named->slot->value.shape())
        throw ShapeError("[functional_call] '" + key + "' of " + module + ": expected shape " +
                         to_string(named->slot->value.shape()) + ", got " + to_string(value.shape()) + jot::at(at));
    }
  for (const NamedSlot& s : slots) {
    bool here = has_key(dicts, s.name);
    for (const NamedSlot& other : slots)
      here = here || (tied && same_tensor(*s.slot, *other.slot) && has_key(dicts, other.name));
    if (!here) missing.push_back(s.name);
  }
  if (unexpected.empty() && missing.empty()) return;
  std::string text = "Error(s) in reparametrizing for " + module + ":";
  if (!unexpected.empty()) text += "\n\tUnexpected key(s): " + quoted(unexpected) + ".";
  if (!missing.empty()) text += "\n\tMissing key(s): " + quoted(missing) + ".";
  fail(text);
}

// A key below a module that does not exist is an error; another that the module does not have is ignored.
void FunctionalFrame::State::check_paths(const ModuleState& root, const StateDicts& dicts) const {
  std::vector<NamedModule> modules = modules_of(root);
  for (const StateDict& d : dicts.all)
    for (const auto& [key, value] : *d.dict) {
      size_t dot = key.rfind('.');
      if (dot == std::string::npos) continue;
      std::string prefix = key.substr(0, dot + 1);
      if (std::ranges::find(modules, prefix, &NamedModule::prefix) == modules.end())
        fail(module + " has no attribute `" + key.substr(0, dot) + "`");
    }
}

void FunctionalFrame::State::give(const NamedSlot& named, const std::string& key, const StateDict& dict, bool tied) {
  const Tensor& value = dict.dict->at(key);
  for (const NamedSlot& s : slots) {
    bool here = s.slot == named.slot || (tied && same_tensor(*s.slot, *named.slot));
    if (!here) continue;
    auto [where, fresh] = given.try_emplace(s.slot.get(), Given{value, false, key, dict.writable});
    if (!fresh && where->second.value.impl() != value.impl())
      fail("functional_call got multiple values for keys [" + quoted({where->second.key, key}) +
           "], which are tied. Consider using tie_weights=False");
  }
}

FunctionalFrame::FunctionalFrame(const nn::Module& module, const std::type_info& type, const StateDicts& dicts,
                                 FunctionalCallOptions options, Location at)
    : state_(std::make_unique<State>()), outer_(innermost) {
  State& s = *state_;
  s.slots = slots_of(module.state());
  s.module = class_name(type);
  s.at = at;
  s.check_keys(dicts);
  if (options.strict) s.check_strict(dicts, options.tie_weights);
  s.check_paths(module.state(), dicts);
  for (const StateDict& d : dicts.all) {
    for (const auto& [key, value] : *d.dict) {
      auto named = std::ranges::find(s.slots, key, &NamedSlot::name);
      if (named != s.slots.end()) s.give(*named, key, d, options.tie_weights);
    }
  }
  innermost = this;
}

FunctionalFrame::~FunctionalFrame() { innermost = outer_; }

void FunctionalFrame::write_back() {
  for (auto& [slot, given] : state_->given)
    if (given.reassigned && given.dict) given.dict->insert_or_assign(given.key, given.value);
}

}  // namespace detail

const Tensor& ModuleTensor::tensor() const {
  for (detail::FunctionalFrame* f = detail::innermost; f; f = f->outer_)
    if (auto it = f->state_->given.find(slot_.get()); it != f->state_->given.end()) return it->second.value;
  return slot_->value;
}

void ModuleTensor::assign(const Tensor& value) const {
  for (detail::FunctionalFrame* f = detail::innermost; f; f = f->outer_) {
    detail::FunctionalFrame::State& s = *f->state_;
    auto named = std::ranges::find(s.slots, slot_, &detail::NamedSlot::slot);
    if (named == s.slots.end()) continue;
    auto& given =
        s.given.try_emplace(slot_.get(), detail::FunctionalFrame::State::Given{{}, false, {}, nullptr}).first->second;
    given.value = value;
    given.reassigned = true;
    return;
  }
  if (detail::tracing())
    slot_->value.copy_(value);
  else
    slot_->value = value;
}

namespace nn {

Module::Module() : state_(std::make_shared<detail::ModuleState>()) {}

Tensor Module::forward(const Tensor&) const {
  throw TransformError("[Module] this module has no forward(const Tensor&): override it, or call its operator()");
}

TensorDict Module::named_parameters() const { return detail::dictionary(*state_, true); }
TensorDict Module::named_buffers() const { return detail::dictionary(*state_, false); }

void Module::train(bool on) const {
  for (const detail::NamedModule& m : detail::modules_of(*state_)) m.state->training->store(on);
}
bool Module::is_training() const { return detail::observe(state_->training); }

Parameter Module::register_parameter(std::string name, const Tensor& value) const {
  auto slot = std::make_shared<detail::Slot>(detail::Slot{value});
  state_->parameters.emplace_back(std::move(name), slot);
  return Parameter(std::move(slot));
}
Buffer Module::register_buffer(std::string name, const Tensor& value) const {
  auto slot = std::make_shared<detail::Slot>(detail::Slot{value});
  state_->buffers.emplace_back(std::move(name), slot);
  return Buffer(std::move(slot));
}
void Module::add_child(std::string name, const Module& child) const {
  state_->children.emplace_back(std::move(name), child.state_);
}

Tensor functional::linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Location at) {
  detail::Scope scope("linear", at);
  int64_t rank = x.dim();
  if (rank == 0 || weight.dim() != 2 || x.size(-1) != weight.size(1))
    throw ShapeError("[linear] the last dim of the input must be the weight's " +
                     (weight.dim() == 2 ? std::to_string(weight.size(1)) : "in-features, of a matrix") + ": input " +
                     to_string(x.shape()) + ", weight " + to_string(weight.shape()) + jot::at(at));
  if (x.dtype() != weight.dtype())
    throw DTypeError("[linear] expected the input to have the weight's dtype " +
                     std::string(to_string(weight.dtype())) + ", got " + std::string(to_string(x.dtype())) +
                     "; convert with to()" + jot::at(at));
  std::vector<int64_t> of_x = {rank - 1}, of_weight = {1}, none;
  Tensor product = detail::record(ir::Op::dot_op, {x, weight}, ir::Attrs(of_x, of_weight, none, none), at);
  return bias.defined() ? product + Arg(bias, at) : product;
}

namespace {
Tensor uniform(const Shape& shape, double bound, std::optional<DType> dtype) {
  return rand(shape, dtype) * (2 * bound) - bound;
}
}  // namespace

Linear::Linear(int64_t in, int64_t out, bool with_bias, std::optional<DType> dtype)
    : weight(register_parameter("weight", uniform({out, in}, 1 / std::sqrt(static_cast<double>(in)), dtype))) {
  if (with_bias) bias = register_parameter("bias", uniform({out}, 1 / std::sqrt(static_cast<double>(in)), dtype));
}
Tensor Linear::forward(const Tensor& x) const {
  return functional::linear(x, weight, bias ? bias->tensor() : Tensor());
}

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
