// A recorded and compiled function.
#pragma once
#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/cpu/ship/export.h"
#include "core/cache/engine_cache.h"
#include "core/cache/seen.h"
#include "core/record/function.h"
#include "core/transforms/merged_arguments.h"
#include "jot/detail.h"
#include "jot/jit.h"

namespace jot::detail {

class Program {
 public:
  // sources: which arguments of the call the recording's are.
  Program(Recording recording, std::vector<MergedArguments::Source> sources, Captures captures, std::string_view api,
          Location at);

  // What save() of another one wrote. Throws CacheError.
  explicit Program(const std::string& path);
  void save(const std::string& path) const;

  std::string c_source(const std::string& name, std::vector<std::string> inputs,
                       std::vector<std::string> outputs) const;

  size_t num_arguments() const { return sources_.size(); }  // where none were merged
  size_t num_results() const { return compiled_->interface.num_results(); }
  size_t num_outputs() const { return num_all_outputs() - num_call_orders_; }  // results, then written arguments
  const ir::Type& argument_type(size_t i) const;
  const ir::Type& output_type(size_t i) const { return compiled_->interface.outputs[i]; }
  const Engine& engine() const { return *compiled_->engine; }
  // For a file of code. Throws Error where the function draws random numbers: `api` and `at` are who asks.
  cpu::ExportedFunction exported(std::string_view api, Location at, std::string name, std::vector<std::string> inputs,
                                 std::vector<std::string> outputs) const;
  // Tells the page of the run.
  void see(SeenRecording& recording, std::vector<Change> why) const;
  double pass_seconds() const { return compiled_->pass_seconds; }

  // Which arguments lie in the memory of captured tensors, and where; empty where nothing is written. A recording holds
  // for calls that overlap like its own.
  std::vector<int64_t> overlap_with_captures(std::span<const Tensor* const> args) const;

  void run(std::span<const Tensor* const> args, std::span<Tensor> results) const;
  // Outputs: the results, then the new contents of each written argument.
  void run_into(std::span<const void* const> args, std::span<void* const> outputs) const;

 private:
  using Pointers = SmallArray<const void*, 128>;
  size_t num_all_outputs() const { return compiled_->interface.outputs.size(); }
  void watch(std::span<const uint32_t> written);
  void check_held(size_t binding) const;
  Tensor argument(std::span<const Tensor* const> args, size_t i) const;
  Tensor written(std::span<const Tensor* const> args, size_t output) const;
  Buffer updated_in_place(std::span<const Tensor* const> args, size_t output,
                          std::span<const void* const> inputs) const;
  void write_back(std::span<const Tensor* const> args, std::span<const Buffer> contents) const;
  ir::Graph recorded_;
  std::vector<Binding> bindings_;
  std::vector<MergedArguments::Source> sources_;
  std::string api_;                      // that made it
  Location at_;                          // of the call of jit or compile, where known
  std::vector<const Storage*> watched_;  // of captures that are written, or read beside arguments that are
  std::vector<uint8_t> held_;            // captures that the program holds too, by binding
  mutable std::atomic<bool> told_{false};
  std::vector<Buffer> copied_;  // contents of the captures, by binding; empty where they are shared
  std::shared_ptr<const CompiledGraph> compiled_;
  size_t num_call_orders_ = 0;  // the last of the writebacks
  int64_t random_draws_ = 0;
};

// record_program of a function that was recorded before: and why it is again.
std::shared_ptr<const Program> record_program(Fn fn, std::span<const Tensor> args, Captures captures,
                                              std::string_view api, Location at, std::vector<Change> why);

}  // namespace jot::detail
