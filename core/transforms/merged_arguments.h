#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/storage/storage.h"
#include "jot/detail.h"

namespace jot::detail {

// A function of tensors with memory of their own: of several arguments on one storage only the base is an argument, and
// fn gets its views. The others are as they were.
class MergedArguments {
 public:
  // Those of `apart` stay arguments of their own.
  MergedArguments(Fn fn, std::span<const Tensor> args, std::span<const size_t> apart = {});
  // Merges only those that are one view, mapped at one dim.
  MergedArguments(Fn fn, std::span<const Tensor> args, std::span<const std::optional<int64_t>> in_dims);
  MergedArguments(const MergedArguments&) = delete;
  MergedArguments& operator=(const MergedArguments&) = delete;

  Fn fn() { return {&invoke, this, &path}; }
  const std::vector<Tensor>& arguments() const { return arguments_; }
  size_t argument_of(size_t original) const { return argument_of_[original]; }
  // Of each argument: the original that it is, or is the base of.
  struct Source {
    size_t original;
    bool base;
  };
  const std::vector<Source>& sources() const { return sources_; }

 private:
  static void invoke(void* self, std::span<const Tensor> args, Outputs& out);
  static std::string path(const void* self, Role role, size_t leaf);
  Fn fn_;
  std::vector<Tensor> originals_, arguments_;
  std::vector<Source> sources_;
  std::vector<size_t> argument_of_;
};

}  // namespace jot::detail
