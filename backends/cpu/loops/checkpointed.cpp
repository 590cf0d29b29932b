// Reverse mode of a loop of known length that keeps few states, all of it in kernels: forward to the next state that is
// kept, forward with all states kept that there is room for, and back over those.
#include "backends/cpu/loops/checkpoint_schedule.h"
#include "backends/cpu/loops/loop_kernel.h"
#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/runtime/plan.h"
#include "ir/ops/regions.h"
#include "passes/inline.h"
#include "passes/pipeline.h"

namespace jot::cpu {
namespace {

using ir::Key;
using ir::Value;

// A step that also gives the states with which it begins.
ir::Graph with_entry(const ir::Graph& step, size_t consts) {
  const ir::GraphData& g = step.data();
  ir::Builder b(g.name());
  std::vector<Value> params = passes::params_like(b, g), outputs = passes::inline_graph(b, g, params);
  outputs.insert(outputs.end(), params.begin() + static_cast<std::ptrdiff_t>(consts), params.end());
  return b.finish(outputs);
}

// The second stage, of constants, its own states and, as slices, those of the first.
ir::Graph over_slices(const ir::Graph& stage, size_t consts, size_t first, size_t second) {
  const ir::GraphData& g = stage.data();
  ir::Builder b(g.name());
  std::vector<Value> args(g.inputs().size());
  auto take = [&](size_t from, size_t count) {
    for (size_t i = from; i < from + count; ++i) args[i] = b.param(g.type(g.inputs()[i]), g.input_name(i));
  };
  take(0, consts);
  take(consts + first, second);
  take(consts, first);
  return b.finish(passes::inline_graph(b, g, args));
}

class Checkpointed final : public Routine {
 public:
  Checkpointed(ir::AttrView a, size_t consts, size_t first, size_t second)
      : consts_(consts),
        first_(first),
        second_(second),
        length_(a.integer(Key::length)),
        slots_(a.integer(Key::checkpoints)),
        schedules_([slots = slots_] { return std::make_unique<CheckpointSchedule>(slots); }) {
    const int64_t likely = std::min<int64_t>(length_, 64);  // steps of a launch
    const ir::Graph &step = a.region(Key::stages, 0), &back = a.region(Key::stages, 1);
    advance_ = LoopKernel::make(passes::optimize(step), {.consts = consts, .carries = first}, likely);
    record_ =
        LoopKernel::make(passes::optimize(with_entry(step, consts)), {.consts = consts, .carries = first}, likely);
    back_ = LoopKernel::make(passes::optimize(over_slices(back, consts, first, second)),
                             {.consts = consts, .carries = second, .reverse = true}, likely);
    if (!runs()) return;
    const ir::GraphData& g = back.data();
    for (Value v : g.inputs().subspan(consts)) bytes_.push_back(bytes_of(g.type(v)));
    for (size_t k = 0; k < first; ++k) frames_.push_back(take((slots_ + 1) * bytes_[k]));
    for (size_t k = first; k < bytes_.size(); ++k) frames_.push_back(take(bytes_[k]));
    pointers_ = take(static_cast<int64_t>(sizeof(void*) * 2 * (consts + 2 * first + second)));
    kernel_scratch_ = scratch_bytes;
    scratch_bytes += std::max({advance_->scratch_bytes(), record_->scratch_bytes(), back_->scratch_bytes()});
    kernels = {advance_, record_, back_};
  }
  bool runs() const { return advance_ && record_ && back_; }

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                   KernelError&) const override {
    Reused<CheckpointSchedule>::Borrowed schedule(schedules_);
    Sweeps sweeps(*this, *schedule, operands, scratch);
    for (size_t k = 0; k < first_; ++k) copy(sweeps.slot(k, 0), operands[consts_ + k], k);
    for (size_t k = first_; k < bytes_.size(); ++k) copy(outs[k], operands[consts_ + k], k);
    sweeps.forward();
    for (size_t k = 0; k < first_; ++k) copy(outs[k], sweeps.slot(k, sweeps.last_slot()), k);
    sweeps.backward(outs.subspan(first_));
  }

 private:
  int64_t take(int64_t bytes) {
    int64_t at = scratch_bytes;
    scratch_bytes += aligned(bytes);
    return at;
  }
  void copy(void* to, const void* from, size_t k) const { ir::copy_bytes(to, from, static_cast<size_t>(bytes_[k])); }

  // Of one run. The state with which the current sweep has arrived lies in the slot behind those that are kept.
  class Sweeps {
   public:
    Sweeps(const Checkpointed& loop, CheckpointSchedule& schedule, std::span<const void* const> operands,
           std::byte* scratch)
        : l_(loop), s_(schedule), scratch_(scratch) {
      size_t most = l_.consts_ + 2 * l_.first_ + l_.second_;
      std::byte* at = scratch + l_.pointers_;
      operands_ = std::span(reinterpret_cast<const void**>(at), most);
      results_ = std::span(reinterpret_cast<void**>(at + sizeof(void*) * most), most);
      std::ranges::copy(operands.first(l_.consts_), operands_.begin());
    }
    std::byte* slot(size_t k, int64_t i) const { return scratch_ + l_.frames_[k] + i * l_.bytes_[k]; }
    int64_t last_slot() const { return l_.length_ == 0 ? 0 : s_.kept(); }

    void forward() {
      s_.start(l_.length_);
      s_.keep(0);
      if (l_.length_ > 0) go(0, l_.length_);
    }

    void backward(std::span<void* const> states) {
      for (int64_t t = l_.length_ - 1; t >= 0;) {
        CheckpointSchedule::Kept from = s_.back_to(t);
        if (from.step < t) go(from.step, t);
        int64_t behind = s_.last_kept() < t, count = behind;
        if (s_.last_kept() + behind == t) count += s_.in_sequence();
        for (size_t k = 0; k < l_.second_; ++k) {
          operands_[l_.consts_ + k] = states[k];
          results_[k] = scratch_ + l_.frames_[l_.first_ + k];
        }
        for (size_t k = 0; k < l_.first_; ++k)
          operands_[l_.consts_ + l_.second_ + k] = slot(k, s_.kept() + behind - count);
        launch(*l_.back_, l_.consts_ + l_.second_ + l_.first_, l_.second_, count);
        for (size_t k = 0; k < l_.second_; ++k) l_.copy(states[k], results_[k], l_.first_ + k);
        t -= count;
      }
    }

   private:
    // From the state before step `from`, the last that is kept, to that before step `to`.
    void go(int64_t from, int64_t to) {
      while (from < to) {
        int64_t at = s_.kept() - 1, steps = std::min(to, s_.next_after(from)) - from, all = to - from;
        bool record = all > 1 && all - 1 <= s_.free();
        if (record) steps = all;
        for (size_t k = 0; k < l_.first_; ++k) {
          operands_[l_.consts_ + k] = slot(k, at);
          results_[k] = slot(k, at + steps * record + !record);
          results_[l_.first_ + k] = slot(k, at);
        }
        launch(record ? *l_.record_ : *l_.advance_, l_.consts_ + l_.first_, l_.first_ * (1 + record), steps);
        for (int64_t i = record ? 1 : steps; i <= steps && from + i < to; ++i) s_.keep(from + i);
        from += steps;
      }
    }
    void launch(const LoopKernel& kernel, size_t operands, size_t results, int64_t steps) {
      kernel.run(operands_.first(operands), results_.first(results), scratch_ + l_.kernel_scratch_, steps);
    }

    const Checkpointed& l_;
    CheckpointSchedule& s_;
    std::byte* scratch_;
    std::span<const void*> operands_;
    std::span<void*> results_;
  };

  size_t consts_, first_, second_;  // states of the stages
  int64_t length_, slots_;
  std::shared_ptr<const LoopKernel> advance_, record_, back_;
  std::vector<int64_t> bytes_;   // of the states of both stages
  std::vector<int64_t> frames_;  // where they are in the scratch memory: of the first stage slots_ + 1 each
  int64_t pointers_ = 0, kernel_scratch_ = 0;
  mutable Reused<CheckpointSchedule> schedules_;
};

}  // namespace

std::unique_ptr<const Routine> make_checkpointed(const RoutineContext& c) {
  ir::AttrView a = c.g.attrs(c.v);
  if (a.num_regions(Key::stages) != 2 || a.integer(Key::checkpoints) <= 0 || a.integer(Key::length) < 0) return nullptr;
  if (a.ints(Key::backward)[1] == 0) return nullptr;
  auto r = std::make_unique<Checkpointed>(a, static_cast<size_t>(a.integer(Key::consts)),
                                          static_cast<size_t>(a.ints(Key::states)[0]),
                                          static_cast<size_t>(a.ints(Key::states)[1]));
  if (!r->runs()) return nullptr;
  return r;
}

}  // namespace jot::cpu
