#include "backends/cpu/loops/loop_kernel.h"

#include "backends/cpu/cluster/prepare.h"
#include "backends/cpu/cluster/widen.h"
#include "backends/cpu/runtime/debug_info.h"
#include "backends/cpu/runtime/pool.h"
#include "backends/target.h"
#include "ir/env.h"
#include "ir/rules.h"
#include "ir/seen.h"
#include "passes/inline_bodies.h"

namespace jot::cpu {

using ir::Key;

std::shared_ptr<const LoopKernel> LoopKernel::make(const ir::Graph& step, const LoopPlan& plan, int64_t steps) {
  std::shared_ptr<LoopKernel> loop(new LoopKernel);
  loop->step_ = prepare(widen(passes::inline_bodies(step)));
  const ir::GraphData& g = loop->step_.data();
  const bool avx512 = target() == Target::avx512;
  std::optional<LoweredLoop> lowered = lower_loop(g, plan, steps, avx512 ? 64 : 32, Ways::all, seen::lines());
  if (!lowered) return nullptr;
  LoweredKernel& all = lowered->kernel;
  loop->args_ = std::move(all.args);
  for (KernelArg& a : loop->args_)
    if (a.kind == KernelArg::Kind::memory)  // of an input
      a = {KernelArg::Kind::operand, static_cast<ir::Value>(g.attrs(a.value).integer(Key::index)), a.number};
  loop->faults_ = std::move(all.faults);
  loop->exceeded_ = lowered->exceeded;
  loop->steps_arg_ = lowered->steps_arg;
  const int64_t groups = lowered->groups ? lowered->groups->extent : 0;
  if (groups > 0) loop->parts_.push_back(make_part(loop->step_, *lowered->groups, 0, groups, 1));
  if (int64_t begin = groups * lowered->lanes; begin < all.extent)
    loop->parts_.push_back(make_part(loop->step_, all, begin, all.extent, all.kernel.lanes));
  return loop;
}

LoopKernel::Part LoopKernel::make_part(const ir::Graph& step, LoweredKernel& lowered, int64_t begin, int64_t end,
                                       int64_t unit) {
  if (env().verify) verify(lowered.kernel);
  Part part;
  part.begin = begin;
  part.end = end;
  part.chunk = end - begin;
  if (lowered.parallel) std::tie(part.chunks, part.chunk) = chunks_of(end - begin, lowered.nanoseconds, unit);
  part.kernel = std::make_shared<const Kernel>(std::move(lowered.kernel));
  part.code = kernel_code(*part.kernel, &part.compiled);
  if (part.compiled && debugging()) tell_debuggers(*part.kernel, part.code, step.data());
  return part;
}

int64_t LoopKernel::scratch_bytes() const {
  int64_t spill = 0;
  for (const Part& p : parts_) spill = std::max(spill, spill_bytes(p) * (p.chunks > 1 ? num_threads() : 1));
  return table_bytes() + spill;
}

void LoopKernel::add_to(ExecutableStats& stats) const {
  for (const Part& p : parts_) {
    ++stats.kernels;
    stats.code_bytes += p.code->code_bytes;
    stats.kernels_compiled += p.compiled;
  }
}

std::string LoopKernel::disassembly() const {
  std::string text;
  for (const Part& p : parts_) text += cpu::disassembly(*p.kernel);
  return text;
}
std::string LoopKernel::text() const {
  std::string text;
  for (const Part& p : parts_) text += to_text(*p.kernel);
  return text;
}

void LoopKernel::run_part(const Part& p, const int64_t* table, std::byte* spill) {
  if (p.chunks == 1) return p.code->fn(table, p.begin, p.end, spill);
  auto chunk = [&](int64_t i, int worker) {
    const int64_t begin = p.begin + i * p.chunk;
    p.code->fn(table, begin, std::min(begin + p.chunk, p.end), spill + worker * spill_bytes(p));
  };
  parallel_for(p.chunks, chunk);
}

bool LoopKernel::run(std::span<const void* const> operands, std::span<void* const> results, std::byte* scratch,
                     int64_t steps) const {
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
  for (const Part& p : parts_) run_part(p, table, scratch + table_bytes());
  const int64_t code = found.code.load(std::memory_order_relaxed);
  if (code == 0) return true;
  if (code == exceeded_) return false;
  const Fault& fault = faults_[static_cast<size_t>(code - 1)];
  ir::raise_fault(step_.data(), fault.node, fault.code, found.value, found.index);
}

}  // namespace jot::cpu
