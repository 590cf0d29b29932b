// Modules: functions with parameters and buffers. A module is a handle: copies share its state.
#pragma once
#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jot/functions.h"
#include "jot/tree.h"

namespace jot {

namespace detail {
struct Slot;         // one tensor of a module
struct ModuleState;  // slots, modules in it, training flag
class FunctionalFrame;
}  // namespace detail

// A tensor of a module; reads as a Tensor. Inside functional_call it is the one that was given instead.
class ModuleTensor {
 public:
  explicit ModuleTensor(std::shared_ptr<detail::Slot> slot) : slot_(std::move(slot)) {}
  const Tensor& tensor() const;
  operator const Tensor&() const { return tensor(); }
  const Tensor* operator->() const { return &tensor(); }

  // As of a Tensor.
  Shape shape(Location at = JOT_HERE) const { return tensor().shape(at); }
  int64_t dim(Location at = JOT_HERE) const { return tensor().dim(at); }
  int64_t size(int64_t d, Location at = JOT_HERE) const { return tensor().size(d, at); }
  int64_t numel(Location at = JOT_HERE) const { return tensor().numel(at); }
  DType dtype(Location at = JOT_HERE) const { return tensor().dtype(at); }
  bool defined() const { return tensor().defined(); }
  template <class T>
  T item(Location at = JOT_HERE) const {
    return tensor().item<T>(at);
  }
  template <class T>
  std::vector<T> to_vector(Location at = JOT_HERE) const {
    return tensor().to_vector<T>(at);
  }
  template <class T>
  const T* data(Location at = JOT_HERE) const {
    return tensor().data<T>(at);
  }
  template <class T>
  T* mutable_data(Location at = JOT_HERE) const {
    return tensor().mutable_data<T>(at);
  }
  const Tensor& eval(Location at = JOT_HERE) const { return tensor().eval(at); }
  explicit operator bool() const { return static_cast<bool>(tensor()); }
  Tensor operator[](const Index& index) const { return tensor()[index]; }
  Tensor contiguous(Location at = JOT_HERE) const { return tensor().contiguous(at); }
  Tensor to(DType dtype, Location at = JOT_HERE) const { return tensor().to(dtype, at); }
  const Tensor& copy_(const Arg& source) const { return tensor().copy_(source); }
  const Tensor& fill_(const Arg& value) const { return tensor().fill_(value); }
  const Tensor& zero_(Location at = JOT_HERE) const { return tensor().zero_(at); }
  const Tensor& index_put_(const Indices& indices, const Arg& values, bool accumulate = false) const {
    return tensor().index_put_(indices, values, accumulate);
  }
  const Tensor& operator+=(const Arg& other) const { return tensor() += other; }
  const Tensor& operator-=(const Arg& other) const { return tensor() -= other; }
  const Tensor& operator*=(const Arg& other) const { return tensor() *= other; }
  const Tensor& operator/=(const Arg& other) const { return tensor() /= other; }
#include "jot/forwarding_members.inc"

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

struct LoadOptions {
  bool strict = true;
};
// What load_state_dict found beside what it loaded.
struct IncompatibleKeys {
  std::vector<std::string> missing_keys, unexpected_keys;
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
  // Each once, in the order in which they were registered: a module's own before those of the modules in it.
  std::vector<Tensor> parameters() const;

  // Parameters and persistent buffers under all their names. The tensors are the module's: writes to them reach it.
  TensorDict state_dict() const;
  // Writes the values of the dictionary to the module's tensors, converted to their dtypes. Keys that are missing or
  // unexpected are an Error if strict, other shapes always a ShapeError: the text lists all, and nothing has changed.
  IncompatibleKeys load_state_dict(const TensorDict& dict, LoadOptions options = {}, Location at = JOT_HERE) const;
  // Floating parameters and buffers become tensors of this floating dtype. DTypeError; TransformError inside a
  // transform.
  void to(DType dtype, Location at = JOT_HERE) const;

  void train(bool on = true) const;
  void eval() const { train(false); }
  bool is_training() const;

  // Names are not empty, have no '.' and differ within a module; values are defined; a module is not below itself.
  // Throws TransformError.
  Parameter register_parameter(std::string name, const Tensor& value, Location at = JOT_HERE) const;
  // A buffer that is not persistent is not part of state_dict.
  Buffer register_buffer(std::string name, const Tensor& value, bool persistent = true, Location at = JOT_HERE) const;
  template <std::derived_from<Module> M>
  M register_module(std::string name, M module, Location at = JOT_HERE) const {
    add_module(std::move(name), std::make_shared<const M>(module), at);
    return module;
  }

  const detail::ModuleState& state() const { return *state_; }

 protected:
  void add_module(std::string name, std::shared_ptr<const Module> module, Location at) const;
  void remove_buffer(const std::string& name) const;

 private:
  std::shared_ptr<detail::ModuleState> state_;
};

}  // namespace nn
}  // namespace jot
