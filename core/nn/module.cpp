#include "jot/module.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <unordered_map>
#include <unordered_set>

#include "core/functions/operands.h"
#include "core/nn/module_state.h"
#include "core/record/flags.h"
#include "core/record/scope.h"
#include "core/storage/views.h"
#include "jot/creation.h"

namespace jot {

namespace detail {

std::vector<NamedModule> modules_of(const nn::Module& root) {
  std::vector<NamedModule> result, pending = {{"", &root}};
  while (!pending.empty()) {
    NamedModule m = std::move(pending.back());
    pending.pop_back();
    const auto& children = m.module->state().children;
    for (size_t i = children.size(); i-- > 0;)
      pending.push_back({m.prefix + children[i].first + ".", children[i].second.get()});
    result.push_back(std::move(m));
  }
  return result;
}

std::vector<NamedSlot> slots_of(const nn::Module& root) {
  std::vector<NamedSlot> result;
  for (const NamedModule& m : modules_of(root)) {
    const ModuleState& state = m.module->state();
    for (const auto& [name, slot] : state.parameters) result.push_back({m.prefix + name, slot, true});
    for (const auto& [name, slot] : state.buffers) result.push_back({m.prefix + name, slot, false});
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

Tensor parameter_of(std::string_view layer, const Shape& shape, Location at) {
  check_shape(layer, "a parameter of shape", shape, at);
  return zeros(shape, {}, at);
}

std::optional<nn::Buffer> optional_buffer(const nn::Module& module, const char* name, const Tensor& value) {
  if (!value.defined()) return {};
  return module.register_buffer(name, value);
}

namespace {

// Those of one kind, each tensor once.
std::vector<NamedSlot> distinct(const nn::Module& root, bool parameters) {
  std::vector<NamedSlot> result;
  std::unordered_set<const TensorImpl*> seen;
  for (NamedSlot& s : slots_of(root))
    if (s.parameter == parameters && seen.insert(s.slot->value.impl().get()).second) result.push_back(std::move(s));
  return result;
}
TensorDict dictionary(const std::vector<NamedSlot>& slots) {
  TensorDict result;
  for (const NamedSlot& s : slots) result.emplace(s.name, s.slot->value);
  return result;
}

}  // namespace
}  // namespace detail

namespace nn {

using detail::fail;
using detail::NamedSlot;

Module::Module() : state_(std::make_shared<detail::ModuleState>()) {}

Tensor Module::forward(const Tensor&) const {
  throw TransformError("[Module] this module has no forward(const Tensor&): override it, or call its operator()" +
                       jot::at(detail::CallSite::current()));
}
Tensor Module::operator()(const Tensor& x, Location at) const {
  detail::CallSite site(at);
  return forward(x);
}

TensorDict Module::named_parameters() const { return detail::dictionary(detail::distinct(*this, true)); }
TensorDict Module::named_buffers() const { return detail::dictionary(detail::distinct(*this, false)); }
std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> result;
  for (const NamedSlot& s : detail::distinct(*this, true)) result.push_back(s.slot->value);
  return result;
}

TensorDict Module::state_dict() const {
  std::vector<NamedSlot> slots = detail::slots_of(*this);
  std::erase_if(slots, [](const NamedSlot& s) { return !s.slot->persistent; });
  return detail::dictionary(slots);
}

namespace {

std::string quoted(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& n : names) out += (out.empty() ? "\"" : ", \"") + n + "\"";
  return out;
}

}  // namespace

IncompatibleKeys Module::load_state_dict(const TensorDict& dict, LoadOptions options, Location at) const {
  const TensorDict own = state_dict();
  IncompatibleKeys keys;
  std::string mismatches;
  for (const auto& [name, mine] : own) {
    auto found = dict.find(name);
    if (found == dict.end()) {
      keys.missing_keys.push_back(name);
      continue;
    }
    if (!found->second.defined())
      fail<Error>("load_state_dict", "the value of '" + name + "' is an undefined Tensor", at);
    if (found->second.shape() != mine.shape())
      mismatches += "\n\tsize mismatch for " + name + ": copying a param with shape " +
                    to_string(found->second.shape()) + " from checkpoint, the shape in current model is " +
                    to_string(mine.shape()) + ".";
  }
  for (const auto& [name, value] : dict)
    if (!own.contains(name)) keys.unexpected_keys.push_back(name);
  std::string text;
  if (options.strict && !keys.missing_keys.empty())
    text += "\n\tMissing key(s) in state_dict: " + quoted(keys.missing_keys) + ".";
  if (options.strict && !keys.unexpected_keys.empty())
    text += "\n\tUnexpected key(s) in state_dict: " + quoted(keys.unexpected_keys) + ".";
  const std::string what = "Error(s) in loading state_dict for " + detail::class_name(typeid(*this)) + ":";
  if (!text.empty()) fail<Error>("load_state_dict", what + text + mismatches, at);
  if (!mismatches.empty()) fail<ShapeError>("load_state_dict", what + mismatches, at);

  // What cannot be computed fails before the first write; what lies in this module's memory is copied before it.
  std::unordered_set<const detail::Storage*> written;
  for (const auto& [name, mine] : own) written.insert(mine.impl()->storage);
  std::vector<std::pair<Tensor, Tensor>> copies;
  for (const auto& [name, mine] : own) {
    auto found = dict.find(name);
    if (found == dict.end() || found->second.impl() == mine.impl()) continue;
    Tensor value = found->second;
    if (written.contains(value.impl()->storage)) value = value.clone(at);
    if (!detail::tracing()) value.eval(at);
    copies.emplace_back(mine, value);
  }
  for (const auto& [mine, value] : copies) mine.copy_(Arg(value, at));
  return keys;
}

void Module::to(DType dtype, Location at) const {
  if (!is_floating(detail::checked_dtype(dtype, "Module::to", at)))
    fail<DTypeError>("Module::to",
                     "expected a floating dtype, got " + std::string(to_string(dtype)) +
                         ": parameters and buffers of integers and booleans stay as they are",
                     at);
  if (detail::tracing())
    fail<TransformError>("Module::to",
                         "inside a transform the tensors of a module cannot be replaced: convert it before, or the "
                         "tensors that functional_call is given",
                         at);
  std::unordered_map<const detail::TensorImpl*, Tensor> converted;  // what is tied stays tied
  const std::vector<NamedSlot> slots = detail::slots_of(*this);
  for (const NamedSlot& s : slots) {
    const Tensor& t = s.slot->value;
    if (is_floating(t.dtype())) converted.try_emplace(t.impl().get(), t.to(dtype, at));
  }
  for (const NamedSlot& s : slots)
    if (auto found = converted.find(s.slot->value.impl().get()); found != converted.end())
      s.slot->value = found->second;
}

void Module::train(bool on) const {
  for (const detail::NamedModule& m : detail::modules_of(*this)) m.module->state_->training->store(on);
}
bool Module::is_training() const { return detail::observe(state_->training); }

namespace {

void check_name(const detail::ModuleState& module, std::string_view what, const std::string& name, Location at) {
  auto wrong = [&](const std::string& text) { fail<TransformError>(what, "name '" + name + "' " + text, at); };
  if (name.empty()) wrong("is empty: expected the name of a member");
  if (name.find('.') != std::string::npos)
    wrong("contains '.', which separates modules: expected the name of a member");
  auto taken = [&](const auto& list) {
    return std::ranges::find(list, name, [](auto& m) { return m.first; }) != list.end();
  };
  if (taken(module.parameters)) wrong("is that of a parameter of this module already: expected another one");
  if (taken(module.buffers)) wrong("is that of a buffer of this module already: expected another one");
  if (taken(module.children)) wrong("is that of a module in this one already: expected another one");
}

std::shared_ptr<detail::Slot> slot_of(const detail::ModuleState& module, std::string_view what, const std::string& name,
                                      const Tensor& value, bool persistent, Location at) {
  check_name(module, what, name, at);
  if (!value.defined()) fail<TransformError>(what, "the value of '" + name + "' is an undefined Tensor", at);
  return std::make_shared<detail::Slot>(detail::Slot{value, persistent});
}

// Whether a module is `sought` or has it below it.
bool contains(const Module& root, const detail::ModuleState& sought) {
  std::vector<const detail::ModuleState*> pending = {&root.state()};
  std::unordered_set<const detail::ModuleState*> seen;
  while (!pending.empty()) {
    const detail::ModuleState* m = pending.back();
    pending.pop_back();
    if (m == &sought) return true;
    if (seen.insert(m).second)
      for (const auto& [name, child] : m->children) pending.push_back(&child->state());
  }
  return false;
}

}  // namespace

Parameter Module::register_parameter(std::string name, const Tensor& value, Location at) const {
  auto slot = slot_of(*state_, "register_parameter", name, value, true, at);
  state_->parameters.emplace_back(std::move(name), slot);
  return Parameter(std::move(slot));
}
Buffer Module::register_buffer(std::string name, const Tensor& value, bool persistent, Location at) const {
  auto slot = slot_of(*state_, "register_buffer", name, value, persistent, at);
  state_->buffers.emplace_back(std::move(name), slot);
  return Buffer(std::move(slot));
}
void Module::remove_buffer(const std::string& name) const {
  std::erase_if(state_->buffers, [&](const auto& b) { return b.first == name; });
}
void Module::add_module(std::string name, std::shared_ptr<const Module> module, Location at) const {
  check_name(*state_, "register_module", name, at);
  if (contains(*module, *state_))
    fail<TransformError>("register_module", "'" + name + "': a module cannot be registered in itself or below itself",
                         at);
  state_->children.emplace_back(std::move(name), std::move(module));
}

}  // namespace nn
}  // namespace jot
