// functional_call: a module with other tensors, for the calling thread and the time of a call. Models as one tree.
#include <unordered_map>
#include <unordered_set>

#include "core/nn/module_state.h"
#include "core/record/scope.h"
#include "jot/functional_call.h"
#include "jot/ops.h"

namespace jot {

namespace detail {

namespace {

std::string quoted(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& n : names) out += (out.empty() ? "'" : ", '") + n + "'";
  return out;
}

thread_local FunctionalFrame* innermost = nullptr;

}  // namespace

struct FunctionalFrame::State {
  explicit State(Location where) : at(where), site(where) {}

  struct Given {
    Tensor value;
    std::string key;             // its key in ...
    TensorDict* dict = nullptr;  // ... the dictionary to write back to, if any
    bool reassigned = false;
  };
  std::unordered_map<const Slot*, Given> given;

  std::vector<NamedSlot> slots;
  std::unordered_set<const Slot*> own;
  std::unordered_map<std::string, size_t> by_name;
  std::unordered_map<const TensorImpl*, std::vector<size_t>> by_tensor;

  bool tied;
  std::string module;  // its class, for errors
  Location at{};
  CallSite site;

  // What the module has, for errors about keys that it does not have.
  std::string names() const {
    constexpr size_t kShown = 16;
    std::vector<std::string> shown;
    for (size_t i = 0; i < slots.size() && i < kShown; ++i) shown.push_back(slots[i].name);
    if (slots.empty()) return module + " has no parameters or buffers";
    std::string more = slots.size() > kShown ? ", and " + std::to_string(slots.size() - kShown) + " more" : "";
    return module + " has " + quoted(shown) + more;
  }
  [[noreturn]] void fail(const std::string& text) const {
    throw TransformError("[functional_call] " + text + jot::at(at));
  }
  // The slots that are replaced with one of them.
  std::vector<size_t> replaced_with(size_t slot) const {
    return tied ? by_tensor.at(slots[slot].slot->value.impl().get()) : std::vector<size_t>{slot};
  }
  void check_keys(const StateDicts& dicts) const;
  void check_strict(const StateDicts& dicts) const;
  void check_paths(const nn::Module& root, const StateDicts& dicts) const;
  void give(size_t named, const std::string& key, const Tensor& value, TensorDict* writable);
};

void FunctionalFrame::State::check_keys(const StateDicts& dicts) const {
  std::unordered_set<std::string> seen;
  for (const StateDict& d : dicts.all)
    for (const auto& [key, value] : *d.dict) {
      if (!seen.insert(key).second)
        fail("['" + key + "'] appeared in multiple dictionaries; behavior of functional call is ambiguous");
      if (!value.defined()) fail("the value of '" + key + "' is an undefined Tensor");
    }
}

void FunctionalFrame::State::check_strict(const StateDicts& dicts) const {
  std::vector<std::string> unexpected, missing;
  std::vector<uint8_t> here(slots.size(), 0);
  for (const StateDict& d : dicts.all)
    for (const auto& [key, value] : *d.dict) {
      auto named = by_name.find(key);
      if (named == by_name.end()) {
        unexpected.push_back(key);
        continue;
      }
      for (size_t i : replaced_with(named->second)) here[i] = 1;
      const Shape expected = slots[named->second].slot->value.shape();
      if (value.shape() != expected)
        throw ShapeError("[functional_call] '" + key + "' of " + module + ": expected shape " + to_string(expected) +
                         ", got " + to_string(value.shape()) + jot::at(at));
    }
  for (size_t i = 0; i < slots.size(); ++i)
    if (!here[i]) missing.push_back(slots[i].name);
  if (unexpected.empty() && missing.empty()) return;
  std::string text = "Error(s) in reparametrizing for " + module + ":";
  if (!unexpected.empty()) text += "\n\tUnexpected key(s): " + quoted(unexpected) + ".";
  if (!missing.empty()) text += "\n\tMissing key(s): " + quoted(missing) + ".";
  if (!unexpected.empty()) text += "\n\t" + names() + ".";
  fail(text);
}

// A key below a module that does not exist is an error; another that the module does not have is ignored.
void FunctionalFrame::State::check_paths(const nn::Module& root, const StateDicts& dicts) const {
  std::unordered_set<std::string> prefixes;
  for (const StateDict& d : dicts.all)
    for (const auto& [key, value] : *d.dict) {
      size_t dot = key.rfind('.');
      if (dot == std::string::npos || by_name.contains(key)) continue;
      if (prefixes.empty())
        for (const NamedModule& m : modules_of(root)) prefixes.insert(m.prefix);
      if (!prefixes.contains(key.substr(0, dot + 1)))
        fail(module + " has no attribute `" + key.substr(0, dot) + "`, of which the key '" + key +
             "' names a tensor: " + names());
    }
}

void FunctionalFrame::State::give(size_t named, const std::string& key, const Tensor& value, TensorDict* writable) {
  for (size_t i : replaced_with(named)) {
    auto [where, fresh] = given.try_emplace(slots[i].slot.get(), Given{value, key, writable});
    if (!fresh && where->second.value.impl() != value.impl())
      fail("functional_call got multiple values for keys [" + quoted({where->second.key, key}) +
           "], which are tied. Consider using tie_weights=False");
  }
}

FunctionalFrame::FunctionalFrame(const nn::Module& module, const std::type_info& type, const StateDicts& dicts,
                                 FunctionalCallOptions options, Location at)
    : state_(std::make_unique<State>(at)), outer_(innermost) {
  State& s = *state_;
  s.slots = slots_of(module);
  for (size_t i = 0; i < s.slots.size(); ++i) {
    s.own.insert(s.slots[i].slot.get());
    s.by_name.emplace(s.slots[i].name, i);
    s.by_tensor[s.slots[i].slot->value.impl().get()].push_back(i);
  }
  s.tied = options.tie_weights;
  s.module = class_name(type);
  s.check_keys(dicts);
  if (options.strict) s.check_strict(dicts);
  s.check_paths(module, dicts);
  for (const StateDict& d : dicts.all)
    for (const auto& [key, value] : *d.dict)
      if (auto named = s.by_name.find(key); named != s.by_name.end()) s.give(named->second, key, value, d.writable);
  innermost = this;
}

FunctionalFrame::~FunctionalFrame() { innermost = outer_; }

void FunctionalFrame::write_back() {
  for (auto& [slot, given] : state_->given)
    if (given.reassigned && given.dict) given.dict->insert_or_assign(given.key, given.value);
}

namespace {

// By name, each tensor once.
TensorDict dictionary(const nn::Module& m, bool parameters) {
  return parameters ? m.named_parameters() : m.named_buffers();
}

}  // namespace

std::pair<TensorDict, TensorDict> stack_states(const std::vector<const nn::Module*>& models, Location at) {
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
    for (const nn::Module* m : models) states.push_back(dictionary(*m, parameters));
    for (size_t i = 1; i < states.size(); ++i) {
      auto check = [&](const TensorDict& has, const TensorDict& lacks, size_t model) {
        for (const auto& [name, value] : has)
          if (!lacks.contains(name))
            fail("the models differ in their keys: model " + std::to_string(model) + " has no '" + name + "'");
      };
      check(states[0], states[i], i);
      check(states[i], states[0], 0);
    }
    for (const auto& [name, value] : states[0]) {
      std::vector<Tensor> parts;
      for (const TensorDict& s : states) {
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

}  // namespace detail

const Tensor& ModuleTensor::tensor() const {
  for (detail::FunctionalFrame* f = detail::innermost; f; f = f->outer_)
    if (auto it = f->state_->given.find(slot_.get()); it != f->state_->given.end()) return it->second.value;
  return slot_->value;
}

void ModuleTensor::assign(const Tensor& value) const {
  for (detail::FunctionalFrame* f = detail::innermost; f; f = f->outer_) {
    if (!f->state_->own.contains(slot_.get())) continue;
    auto& given = f->state_->given[slot_.get()];
    given.value = value;
    given.reassigned = true;
    return;
  }
  if (detail::tracing())
    slot_->value.copy_(value);
  else
    slot_->value = value;
}

}  // namespace jot
