#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "jot/functional_call.h"
#include "jot/module.h"

namespace jot::detail {

struct Slot {
  Tensor value;
  bool persistent = true;  // part of state_dict
};

struct ModuleState {
  using Slots = std::vector<std::pair<std::string, std::shared_ptr<Slot>>>;
  Slots parameters, buffers;
  std::vector<std::pair<std::string, std::shared_ptr<const nn::Module>>> children;
  std::shared_ptr<std::atomic<bool>> training = std::make_shared<std::atomic<bool>>(true);
};

struct NamedSlot {
  std::string name;
  std::shared_ptr<Slot> slot;
  bool parameter;
};
struct NamedModule {
  std::string prefix;  // "", "l1."
  const nn::Module* module;
};

// The module and all below it, in registration order.
std::vector<NamedModule> modules_of(const nn::Module& root);
// All names, also of what is the same tensor under another one.
std::vector<NamedSlot> slots_of(const nn::Module& root);

// "Net", of a module's class.
std::string class_name(const std::type_info& type);

// Zeros that a layer's constructor fills. ShapeError where these are no extents.
Tensor parameter_of(std::string_view layer, const Shape& shape, Location at);

// A tensor of a module that may not have it.
template <class T>
Tensor given(const std::optional<T>& t) {
  return t ? t->tensor() : Tensor();
}
std::optional<nn::Buffer> optional_buffer(const nn::Module& module, const char* name, const Tensor& value);

}  // namespace jot::detail
