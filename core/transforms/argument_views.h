// Results of a recorded function that are views of its arguments.
#pragma once
#include <optional>
#include <vector>

#include "core/storage/storage.h"
#include "jot/detail.h"

namespace jot::detail {

// Calls fn and remembers which tensors its arguments were.
class WatchedArguments {
 public:
  explicit WatchedArguments(Fn fn) : fn_(fn) {}
  WatchedArguments(const WatchedArguments&) = delete;
  WatchedArguments& operator=(const WatchedArguments&) = delete;
  Fn fn() { return {&invoke, this, &path}; }
  // The argument whose elements a result of fn shows.
  std::optional<size_t> shown_by(const Tensor& result) const;

 private:
  static void invoke(void* self, std::span<const Tensor> args, Outputs& out);
  static std::string path(const void* self, Role role, size_t leaf);
  Fn fn_;
  std::vector<const Storage*> storages_;
};

// The view of `argument` that `result` is of the function's argument; with lanes, `argument` has them at dim 0, and so
// has the view. None where the elements would have to be copied.
std::optional<Tensor> view_of_argument(const Tensor& result, const Tensor& argument, bool lanes);

}  // namespace jot::detail
