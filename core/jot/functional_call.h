// A module called with other parameters and buffers, and those of many modules as one tree.
#pragma once
#include <concepts>
#include <initializer_list>
#include <memory>
#include <tuple>
#include <typeinfo>
#include <utility>
#include <vector>

#include "jot/args.h"
#include "jot/call.h"
#include "jot/module.h"

namespace jot {

// A dictionary of parameters and buffers; one that is a named variable receives those of its tensors
// that forward reassigns.
struct StateDict {
  StateDict(TensorDict& d) : dict(&d), writable(&d) {}  // NOLINT: implicit by design
  StateDict(const TensorDict& d) : dict(&d) {}          // NOLINT: implicit by design
  const TensorDict* dict;
  TensorDict* writable = nullptr;
};
// One of them, or several without common keys. Refers to them: lives as long as the call it is made for.
class StateDicts {
 public:
  StateDicts(TensorDict& d) : all{d} {}        // NOLINT: implicit by design
  StateDicts(const TensorDict& d) : all{d} {}  // NOLINT: implicit by design
  StateDicts(std::initializer_list<StateDict> list) : all(list) {}
  template <class A, class B>
    requires(std::same_as<std::remove_const_t<A>, TensorDict> && std::same_as<std::remove_const_t<B>, TensorDict>)
  StateDicts(const std::pair<A, B>& p) : all{p.first, p.second} {}  // NOLINT: implicit by design
  template <std::same_as<TensorDict>... D>
  StateDicts(const std::tuple<D...>& t)  // NOLINT: implicit by design
      : all(std::apply([](const D&... d) { return std::vector<StateDict>{d...}; }, t)) {}
  std::vector<StateDict> all;
};

// tie_weights: a tensor that the module has under several names is replaced under all. strict: the keys must be the
// module's, and the shapes.
struct FunctionalCallOptions {
  bool tie_weights = true;
  bool strict = false;
};

namespace detail {

// While alive, the calling thread sees the given tensors in the module's place.
class FunctionalFrame {
 public:
  FunctionalFrame(const nn::Module& module, const std::type_info& type, const StateDicts& dicts,
                  FunctionalCallOptions options, Location at);
  ~FunctionalFrame();
  FunctionalFrame(const FunctionalFrame&) = delete;
  FunctionalFrame& operator=(const FunctionalFrame&) = delete;
  void write_back();  // reassigned tensors to the dictionaries

 private:
  friend class jot::ModuleTensor;
  struct State;
  std::unique_ptr<State> state_;
  FunctionalFrame* outer_;
};

std::pair<TensorDict, TensorDict> stack_states(const std::vector<const nn::Module*>& models, Location at);

}  // namespace detail

// The module called with other parameters and buffers. Leaves the module as it is; names that are not given keep the
// module's own tensors.
template <std::derived_from<nn::Module> M, class... A>
auto functional_call(const M& module, const StateDicts& dicts, const CallArgs<A...>& arguments,
                     FunctionalCallOptions options = {}, Location at = JOT_HERE) {
  detail::FunctionalFrame frame(module, typeid(module), dicts, options, at);
  auto result = std::apply([&](const A&... a) { return detail::call_with_lvalues(module, a...); }, arguments.values);
  frame.write_back();
  return result;
}
template <std::derived_from<nn::Module> M, class A>
auto functional_call(const M& module, const StateDicts& dicts, const A& argument, FunctionalCallOptions options = {},
                     Location at = JOT_HERE) {
  return functional_call(module, dicts, args(argument), options, at);
}

// The parameters and the buffers of modules of one class, stacked along a new dim 0.
template <std::derived_from<nn::Module> M>
std::pair<TensorDict, TensorDict> stack_module_state(const std::vector<M>& models, Location at = JOT_HERE) {
  std::vector<const nn::Module*> all;
  for (const M& m : models) all.push_back(&m);
  return detail::stack_states(all, at);
}
template <std::derived_from<nn::Module> M>
std::pair<TensorDict, TensorDict> stack_module_state(const std::vector<std::shared_ptr<M>>& models,
                                                     Location at = JOT_HERE) {
  std::vector<const nn::Module*> all;
  for (const auto& m : models) all.push_back(m.get());
  return detail::stack_states(all, at);
}

}  // namespace jot
