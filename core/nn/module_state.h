#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jot/nn.h"

namespace jot::detail {

struct Slot {
  Tensor value;
};

struct ModuleState {
  using Slots = std::vector<std::pair<std::string, std::shared_ptr<Slot>>>;
  Slots parameters, buffers;
  std::vector<std::pair<std::string, std::shared_ptr<ModuleState>>> children;
  std::shared_ptr<std::atomic<bool>> training = std::make_shared<std::atomic<bool>>(true);
};

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
std::vector<NamedModule> modules_of(const ModuleState& root);
// All names, also of what is the same tensor under another one.
std::vector<NamedSlot> slots_of(const ModuleState& root);

}  // namespace jot::detail
