// A loop as one kernel, where its step allows that (lower/lower_loop.h).
#pragma once
#include <memory>
#include <span>
#include <string>

#include "backends/cpu/lower/lower_loop.h"
#include "backends/cpu/routines/routines.h"
#include "backends/cpu/runtime/kernel_code.h"

namespace jot::cpu {

// Immutable and thread-safe.
class LoopKernel {
 public:
  // Null where the step, optimised, has to be a program of its own. steps: the length, or how many there may be.
  static std::shared_ptr<const LoopKernel> make(const ir::Graph& step, const LoopPlan& plan, int64_t steps);

  // Operands as the inputs of a step, but slices as what they are slices of; results likewise. False: there would be
  // more steps. Throws the errors of the step's ops. steps: another number of them.
  bool run(std::span<const void* const> operands, std::span<void* const> results, std::byte* scratch,
           KernelError& error, int64_t steps = -1) const;

  int64_t scratch_bytes() const;
  void add_to(ExecutableStats& stats) const;
  const Kernel& kernel() const { return *kernel_; }

 private:
  LoopKernel() = default;
  int64_t table_bytes() const { return (kernel_->num_args * 8 + 63) / 64 * 64; }

  ir::Graph step_;  // for errors
  std::vector<KernelArg> args_;
  std::vector<Fault> faults_;
  size_t steps_arg_ = 0;
  int64_t exceeded_ = 0, extent_ = 1, chunks_ = 1, chunk_ = 1;
  std::shared_ptr<const Kernel> kernel_;
  std::shared_ptr<const KernelCode> code_;
  bool compiled_ = false;
};

}  // namespace jot::cpu
