// A recorded and compiled function.
#pragma once
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/engine_cache.h"
#include "core/trace.h"
#include "jot/detail.h"
#include "jot/jit.h"

namespace jot::detail {

class Program {
 public:
  Program(Recording recording, Captures captures, std::string_view api, Location at);

  size_t num_arguments() const { return num_arguments_; }
  size_t num_results() const { return num_results_; }
  const ir::Type& argument_type(size_t i) const;
  const Engine& engine() const { return *compiled_->engine; }

  void run(std::span<const Tensor* const> args, std::span<Tensor> results) const;
  // Outputs: the results, then the new contents of each written argument.
  void run_into(std::span<const void* const> args, std::span<void* const> outputs) const;

 private:
  using Pointers = SmallArray<const void*, 32>;
  void write_back(std::span<const Tensor* const> args, std::span<const Buffer> contents) const;
  std::vector<Binding> bindings_;
  std::vector<Buffer> copied_;  // contents of the captures, by binding; empty where they are shared
  std::shared_ptr<const CompiledGraph> compiled_;
  std::vector<ir::Type> output_types_;  // results, then writebacks
  size_t num_arguments_ = 0, num_results_ = 0;
  int64_t random_draws_;
};

}  // namespace jot::detail
