// A loop as one kernel, where its step allows that (lower/lower_loop.h).
#pragma once
#include <memory>
#include <span>
#include <string>

#include "backends/cpu/lower/lower_loop.h"
#include "backends/cpu/routines/routines.h"
#include "backends/cpu/runtime/kernel_code.h"
#include "backends/cpu/runtime/plan.h"
#include "ir/page.h"

namespace jot::cpu {

// Immutable and thread-safe.
class LoopKernel {
 public:
  // Null where the step, optimised, has to be a program of its own. steps: the length, or how many there may be.
  static std::shared_ptr<const LoopKernel> make(const ir::Graph& step, const LoopPlan& plan, int64_t steps);

  // Operands as the inputs of a step, but slices as what they are slices of; results likewise. False: there would be
  // more steps. Throws the errors of the step's ops. steps: another number of them.
  bool run(std::span<const void* const> operands, std::span<void* const> results, std::byte* scratch,
           int64_t steps = -1) const;

  int64_t scratch_bytes() const;
  void add_to(ExecutableStats& stats) const;
  std::string disassembly() const;
  std::string text() const;
  std::string page_json(PageGraphs& graphs) const;

 private:
  LoopKernel() = default;
  int64_t table_bytes() const { return aligned(static_cast<int64_t>(args_.size() + 1) * 8); }

  // A kernel over a range.
  struct Part {
    std::shared_ptr<const Kernel> kernel;
    std::shared_ptr<const KernelCode> code;
    int64_t begin = 0, end = 1, chunks = 1, chunk = 1;
    bool compiled = false;
  };
  static Part make_part(const ir::Graph& step, LoweredKernel& lowered, int64_t begin, int64_t end, int64_t unit);
  static int64_t spill_bytes(const Part& part) { return aligned(part.code->spill_bytes); }
  static void run_part(const Part& part, const int64_t* table, std::byte* spill);

  ir::Graph step_;  // for errors
  std::vector<KernelArg> args_;
  std::vector<Fault> faults_;
  size_t steps_arg_ = 0;
  int64_t exceeded_ = 0;
  std::vector<Part> parts_;  // groups of lanes, then what is left of them; or all
};

}  // namespace jot::cpu
