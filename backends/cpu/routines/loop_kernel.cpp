#include "backends/cpu/routines/loop_kernel.h"

#include "backends/cpu/cluster/prepare.h"
#include "backends/cpu/cluster/widen.h"
#include "backends/cpu/runtime/pool.h"
#include "backends/target.h"
#include "ir/env.h"
#include "ir/rules.h"
#include "passes/inline_bodies.h"

namespace jot::cpu {

using ir::Key;

std::shared_ptr<const LoopKernel> LoopKernel::make(const ir::Graph& step, const LoopPlan& plan, int64_t steps) {
  std::shared_ptr<LoopKernel> loop(new LoopKernel);
  loop->step_ = prepare(widen(passes::inline_bodies(step)));
  const ir::GraphData& g = loop->step_.data();
  const bool avx512 = target() == Target::avx512;
  std::optional<LoweredLoop> lowered = lower_loop(g, plan, steps, avx512 ? 64 : 32);
  if (!lowered) return nullptr;
  LoweredKernel& k = lowered->kernel;
  if (env().verify) verify(k.kernel);
  loop->args_ = std::move(k.args);
  for (KernelArg& a : loop->args_)
    if (a.kind == KernelArg::Kind::memory)  // of an input
      a = {KernelArg::Kind::operand, static_cast<ir::Value>(g.attrs(a.value).integer(Key::index)), a.number};
  loop->faults_ = std::move(k.faults);
  loop->exceeded_ = lowered->exceeded;
  loop->steps_arg_ = lowered->steps_arg;
  if (k.parallel) {
    loop->extent_ = k.extent;
    std::tie(loop->chunks_, loop->chunk_) = chunks_of(k.extent, k.nanoseconds, k.kernel.lanes);
  }
  loop->kernel_ = std::make_shared<const Kernel>(std::move(k.kernel));
  loop->code_ = kernel_code(*loop->kernel_, &loop->compiled_);
  return loop;
}

int64_t LoopKernel::scratch_bytes() const {
  int64_t workers = chunks_ > 1 ? num_threads() : 1;
  return table_bytes() + (code_->spill_bytes + 63) / 64 * 64 * workers;
}

void LoopKernel::add_to(ExecutableStats& stats) const {
  stats.code_bytes += code_->code_bytes;
  stats.kernels_compiled += compiled_;
}

bool LoopKernel::run(std::span<const void* const> operands, std::span<void* const> results, std::byte* scratch,
                     KernelError& error, int64_t steps) const {
  auto* table = reinterpret_cast<int64_t*>(scratch);
  KernelError found;
  table[0] = reinterpret_cast<int64_t>(&found);
  for (size_t i = 0; i < args_.size(); ++i) {
    const KernelArg& a = args_[i];
    const void* base = a.kind == KernelArg::Kind::operand  ? operands[a.value]
                       : a.kind == KernelArg::Kind::result ? results[a.value]
                                                           : nullptr;
    table[i + 1] = reinterpret_cast<int64_t>(base) + a.number;
  }
  if (steps >= 0) table[steps_arg_] = steps;
  std::byte* spill = scratch + table_bytes();
  const int64_t spill_bytes = (code_->spill_bytes + 63) / 64 * 64;
  if (chunks_ == 1) {
    code_->fn(table, 0, extent_, spill);
  } else {
    auto chunk = [&](int64_t i, int worker) {
      code_->fn(table, i * chunk_, std::min((i + 1) * chunk_, extent_), spill + worker * spill_bytes);
    };
    parallel_for(chunks_, chunk);
  }
  const int64_t code = found.code.load(std::memory_order_relaxed);
  if (code == 0) return true;
  error.value = found.value;
  error.index = found.index;
  if (code == exceeded_) return false;
  const Fault& fault = faults_[static_cast<size_t>(code - 1)];
  ir::raise_fault(step_.data(), fault.node, fault.code, found.value, found.index);
}

}  // namespace jot::cpu
