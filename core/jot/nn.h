// Modules: functions with parameters and buffers. A module is a handle: copies share its state.
#pragma once
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <typeinfo>
#include <utility>
#include <vector>

#include "jot/args.h"
#include "jot/call.h"
#include "jot/nn_functional.h"
#include "jot/nn_init.h"

namespace jot {

namespace detail {
struct Slot;         // one tensor of a module
struct ModuleState;  // slots, children, training flag
class FunctionalFrame;
}  // namespace detail

// A tensor of a module; reads as a Tensor. Inside functional_call it is the one that was given instead.
class ModuleTensor {
 public:
  explicit ModuleTensor(std::shared_ptr<detail::Slot> slot) : slot_(std::move(slot)) {}
  const Tensor& tensor() const;
  operator const Tensor&() const { return tensor(); }
  const Tensor* operator->() const { return &tensor(); }

 protected:
  ~ModuleTensor() = default;
  ModuleTensor(const ModuleTensor&) = default;
  ModuleTensor& operator=(const ModuleTensor&) = default;
  // Inside functional_call only that call sees it; inside another transform it is a write to the tensor.
  void assign(const Tensor& value) const;

 private:
  std::shared_ptr<detail::Slot> slot_;
};

namespace nn {

class Parameter : public ModuleTensor {
 public:
  using ModuleTensor::ModuleTensor;
  const Parameter& operator=(const Tensor& value) const {
    assign(value);
    return *this;
  }
};
class Buffer : public ModuleTensor {
 public:
  using ModuleTensor::ModuleTensor;
  const Buffer& operator=(const Tensor& value) const {
    assign(value);
    return *this;
  }
};

class Module {
 public:
  Module();
  Module(const Module&) = default;
  Module(Module&&) noexcept = default;
  Module& operator=(const Module&) = default;
  Module& operator=(Module&&) noexcept = default;
  virtual ~Module() = default;

  // One tensor in, one out. Modules of another signature define their own operator() const.
  virtual Tensor forward(const Tensor& x) const;
  using takes_location = void;
  Tensor operator()(const Tensor& x, Location at = JOT_HERE) const;

  // By name ("l1.weight"), each tensor once.
  TensorDict named_parameters() const;
  TensorDict named_buffers() const;

  void train(bool on = true) const;
  void eval() const { train(false); }
  bool is_training() const;

  // Names are not empty, have no '.' and differ within a module; values are defined; a module is not below itself.
  // Throws TransformError.
  Parameter register_parameter(std::string name, const Tensor& value, Location at = JOT_HERE) const;
  Buffer register_buffer(std::string name, const Tensor& value, Location at = JOT_HERE) const;
  template <std::derived_from<Module> M>
  M register_module(std::string name, M module, Location at = JOT_HERE) const {
    add_child(std::move(name), module, at);
    return module;
  }

  const detail::ModuleState& state() const { return *state_; }

 private:
  void add_child(std::string name, const Module& child, Location at) const;
  std::shared_ptr<detail::ModuleState> state_;
};

// Weight [out, in] and bias [out], uniform in +-1/sqrt(in).
class Linear : public Module {
 public:
  Linear(int64_t in, int64_t out, bool bias = true, std::optional<DType> dtype = {}, Location at = JOT_HERE);
  Tensor forward(const Tensor& x) const override;
  Parameter weight;
  std::optional<Parameter> bias;
};

class Tanh : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
class ReLU : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};
class Sigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
};

// One module after the other; named "0", "1", ...
class Sequential : public Module {
 public:
  template <std::derived_from<Module>... M>
  explicit Sequential(M... modules) {
    (append(std::move(modules)), ...);
  }
  Tensor forward(const Tensor& x) const override;

 private:
  template <class M>
  void append(M module) {
    modules_.push_back(std::make_shared<const M>(register_module(std::to_string(modules_.size()), std::move(module))));
  }
  std::vector<std::shared_ptr<const Module>> modules_;
};

}  // namespace nn

// ---- functional_call

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
