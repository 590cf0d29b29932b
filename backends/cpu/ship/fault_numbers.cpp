#include "backends/cpu/ship/fault_numbers.h"

#include "backends/cpu/ship/c_parts.h"

namespace jot::cpu {

std::vector<int64_t> FaultNumbers::of(const Program& program, const Step& step) {
  const auto* k = std::get_if<KernelStep>(&step.what);
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < step.faults.size(); ++i) {
    const Fault& fault = step.faults[i];
    const bool of_loop = k && k->loop && i < k->loop_faults, endless = k && k->loop && !of_loop;
    const auto next = static_cast<int64_t>(kFirstFault + texts_.size());
    const auto [at, fresh] = known_.try_emplace({of_loop, fault.node, fault.code}, next);
    numbers.push_back(at->second);
    if (!fresh) continue;
    const ir::GraphData& g = of_loop ? k->loop->data() : program.graph.get().data();
    const Location line = g.location(fault.node);
    const ir::Call& call = g.call(fault.node);
    std::string function = call.function.empty() ? std::string(name_of(g.op(fault.node))) : c_comment(call.function);
    if (!call.demand.empty()) function += ": " + c_comment(call.told("another number"));
    texts_.push_back(std::to_string(next) + ": " +
                     (endless ? "more steps than max_steps in " : "the data is at fault in ") + function +
                     (*line.file ? " (" + c_comment(line.file) + ":" + std::to_string(line.line) + ")" : ""));
  }
  return numbers;
}

}  // namespace jot::cpu
