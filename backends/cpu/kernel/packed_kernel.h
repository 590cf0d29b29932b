// Kernels in few bytes, for what is kept of compiled graphs: whoever runs the code does not look at its kernels.
#pragma once
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "backends/cpu/kernel/kernel_ir.h"

namespace jot::cpu {

// Without origins. A quarter of the bytes, about.
std::vector<std::byte> pack(const Kernel& kernel);
// Throws CacheError where the bytes are not what pack() made.
Kernel unpack(std::span<const std::byte> packed);

// A kernel, or its bytes, which are unpacked when it is looked at first. A handle: copies share it. Thread-safe.
class LazyKernel {
 public:
  LazyKernel() = default;  // none
  explicit LazyKernel(Kernel kernel) : state_(std::make_shared<State>()) {
    std::call_once(state_->once, [&] { state_->kernel = std::move(kernel); });
  }
  explicit LazyKernel(std::vector<std::byte> packed) : state_(std::make_shared<State>()) {
    state_->packed = std::move(packed);
  }
  const Kernel& operator*() const {
    std::call_once(state_->once, [this] { state_->kernel = unpack(std::exchange(state_->packed, {})); });
    return state_->kernel;
  }
  const Kernel* operator->() const { return &**this; }

 private:
  struct State {
    std::once_flag once;
    std::vector<std::byte> packed;
    Kernel kernel;
  };
  std::shared_ptr<State> state_;
};

}  // namespace jot::cpu
