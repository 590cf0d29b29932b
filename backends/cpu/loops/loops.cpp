// Loops. Where the step allows it (loop_kernel.h) one kernel has the loop inside. Else a step is an engine of its own,
// whose context and argument table are set up once for all steps. What passes from step to step stays where it is if
// the engine can update it in place; else it changes between two buffers.
#include <algorithm>
#include <optional>

#include "backends/buffer.h"
#include "backends/cpu/loops/checkpoint_schedule.h"
#include "backends/cpu/loops/loop_kernel.h"
#include "backends/cpu/routines/routine_parts.h"
#include "backends/cpu/runtime/plan.h"
#include "ir/ops/regions.h"
#include "passes/inline.h"
#include "passes/pipeline.h"

namespace jot::cpu {
namespace {

using ir::bytes_of;
using ir::Key;
using ir::Value;

// The engine of a step, optimised, whose first `states` outputs become inputs from `first_input` on.
std::shared_ptr<const Engine> step_engine(const ir::Graph& step, size_t first_input, size_t states) {
  std::vector<int32_t> replaces(step.data().outputs().size(), -1);
  for (size_t k = 0; k < states; ++k) replaces[k] = static_cast<int32_t>(first_input + k);
  return make_engine(step, replaces);
}

// What passes from step to step.
class States {
 public:
  States(const Engine& engine, std::span<const int64_t> bytes) : bytes_(bytes.begin(), bytes.end()) {
    std::span<const int32_t> in_place = engine.in_place();
    for (size_t k = 0; k < bytes_.size(); ++k) {
      stays_.push_back(!in_place.empty() && in_place[k] >= 0);
      scratch_bytes_ += aligned(bytes_[k]);
    }
  }
  size_t size() const { return bytes_.size(); }
  int64_t bytes(size_t k) const { return bytes_[k]; }
  int64_t scratch_bytes() const { return scratch_bytes_; }

  // Of one run: where each state is now. They start in `outs`.
  void start(std::span<const void* const> from, std::span<void* const> outs) const {
    for (size_t k = 0; k < size(); ++k) ir::copy_bytes(outs[k], from[k], static_cast<size_t>(bytes_[k]));
  }
  // Buffers of the next step: states from where the last one left them.
  void turn(bool first, std::span<const void*> inputs, std::span<void*> outputs, std::span<void* const> outs,
            std::byte* scratch) const {
    for (size_t k = 0; k < size(); scratch += aligned(bytes_[k]), ++k) {
      inputs[k] = first ? outs[k] : outputs[k];
      outputs[k] = stays_[k] || inputs[k] != outs[k] ? outs[k] : scratch;
    }
  }
  // After the last step.
  void settle(bool any, std::span<void*> outputs, std::span<void* const> outs) const {
    for (size_t k = 0; any && k < size(); ++k)
      if (outputs[k] != outs[k]) ir::copy_bytes(outs[k], outputs[k], static_cast<size_t>(bytes_[k]));
  }

 private:
  std::vector<int64_t> bytes_;
  std::vector<uint8_t> stays_;
  int64_t scratch_bytes_ = 0;
};

std::vector<int64_t> bytes_of(const ir::GraphData& g, std::span<const Value> values) {
  std::vector<int64_t> bytes;
  for (Value v : values) bytes.push_back(bytes_of(g.type(v)));
  return bytes;
}

// Room for the pointers of a step, in a routine's scratch.
struct Pointers {
  Pointers(std::byte* at, size_t num_inputs, size_t num_outputs)
      : inputs(reinterpret_cast<const void**>(at), num_inputs),
        outputs(reinterpret_cast<void**>(at + sizeof(void*) * num_inputs), num_outputs) {}
  static int64_t bytes(size_t num_inputs, size_t num_outputs) {
    return aligned(static_cast<int64_t>(sizeof(void*) * (num_inputs + num_outputs)));
  }
  std::span<const void*> inputs;
  std::span<void*> outputs;
};

// ---- scan

class Scan final : public Routine {
 public:
  Scan(std::shared_ptr<const Engine> engine, const ir::Graph& body, ir::AttrView a)
      : consts_(static_cast<size_t>(a.integer(Key::consts))),
        length_(a.integer(Key::length)),
        reverse_(a.integer(Key::reverse) != 0),
        states_(*engine,
                bytes_of(body.data(), body.data().outputs().first(static_cast<size_t>(a.integer(Key::carries))))) {
    const ir::GraphData& g = body.data();
    inputs_ = bytes_of(g, g.inputs());
    outputs_ = bytes_of(g, g.outputs());
    scratch_bytes = states_.scratch_bytes() + Pointers::bytes(inputs_.size(), outputs_.size());
    regions.push_back(std::move(engine));
  }

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                   KernelError&) const override {
    states_.start(operands.subspan(consts_, states_.size()), outs);
    Pointers p(scratch + states_.scratch_bytes(), inputs_.size(), outputs_.size());
    std::ranges::copy(operands, p.inputs.begin());
    OverLength steps(*this, operands, outs, scratch);
    regions[0]->run_steps(steps, p.inputs, p.outputs);
    states_.settle(length_ > 0, p.outputs, outs);
  }

 private:
  struct OverLength final : Steps {
    OverLength(const Scan& s, std::span<const void* const> from, std::span<void* const> to, std::byte* memory)
        : scan(s), operands(from), outs(to), scratch(memory) {}
    bool next(std::span<const void*> inputs, std::span<void*> outputs) override {
      if (step == scan.length_) return false;
      int64_t at = scan.reverse_ ? scan.length_ - 1 - step : step;
      size_t first_x = scan.consts_ + scan.states_.size();
      scan.states_.turn(step == 0, inputs.subspan(scan.consts_), outputs, outs, scratch);
      for (size_t i = first_x; i < inputs.size(); ++i)
        inputs[i] = static_cast<const std::byte*>(operands[i]) + at * scan.inputs_[i];
      for (size_t i = scan.states_.size(); i < outputs.size(); ++i)
        outputs[i] = static_cast<std::byte*>(outs[i]) + at * scan.outputs_[i];
      ++step;
      return true;
    }
    const Scan& scan;
    std::span<const void* const> operands;
    std::span<void* const> outs;
    std::byte* scratch;
    int64_t step = 0;
  };

  size_t consts_;
  int64_t length_;
  bool reverse_;
  States states_;
  std::vector<int64_t> inputs_, outputs_;  // bytes of a step's
};

class ScanKernel final : public Routine {
 public:
  explicit ScanKernel(std::shared_ptr<const LoopKernel> loop) {
    scratch_bytes = loop->scratch_bytes();
    kernels.push_back(std::move(loop));
  }
  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                   KernelError&) const override {
    kernels[0]->run(operands, outs, scratch);
  }
};

// ---- while

// states -> states, whether the condition holds for them
ir::Graph with_condition(const ir::Graph& body, const ir::Graph& condition, size_t consts) {
  const ir::GraphData& g = body.data();
  ir::Builder b(g.name());
  std::vector<Value> params = passes::params_like(b, g), outputs = passes::inline_graph(b, g, params);
  std::vector<Value> args(params.begin(), params.begin() + static_cast<std::ptrdiff_t>(consts));
  args.insert(args.end(), outputs.begin(), outputs.end());
  outputs.push_back(passes::inline_graph(b, condition.data(), args)[0]);
  return b.finish(outputs);
}

// Of the first state, where it tells which lanes go on; else 0.
int64_t live_bytes(ir::AttrView a) {
  const ir::GraphData& g = a.region(Key::stages, 0).data();
  bool lanes = std::ranges::count(a.ints(Key::lanes), 1) > 0;
  return lanes ? bytes_of(g.type(g.inputs()[static_cast<size_t>(a.integer(Key::consts))])) : 0;
}
// The first of these lanes.
int64_t first_live(std::span<void* const> states, int64_t lanes) {
  if (lanes == 0) return 0;
  auto* live = static_cast<const uint8_t*>(states[0]);
  return std::find(live, live + lanes, 1) - live;
}

// Of one stage, in one kernel.
class WhileKernel final : public Routine {
 public:
  static std::unique_ptr<const Routine> make(ir::AttrView a, int64_t error_code) {
    const ir::Graph &condition = a.region(Key::condition), &body = a.region(Key::stages, 0);
    auto w = std::make_unique<WhileKernel>();
    size_t consts = static_cast<size_t>(a.integer(Key::consts)), carries = static_cast<size_t>(a.ints(Key::states)[0]);
    std::optional<size_t> about = ir::any_of_input(condition);
    bool carried = about && *about >= consts;
    LoopPlan plan{.consts = consts, .carries = carries, .condition = carried ? *about - consts : carries};
    int64_t most = a.integer(Key::max_steps);
    ir::Graph step = carried ? body : with_condition(body, condition, consts);
    auto kernel = LoopKernel::make(passes::optimize(step), plan, most >= 0 ? most : INT64_MAX);
    if (!kernel) return nullptr;
    w->error_code_ = error_code;
    w->max_steps_ = most;
    w->live_bytes_ = live_bytes(a);
    w->scratch_bytes = kernel->scratch_bytes();
    w->kernels.push_back(std::move(kernel));
    if (carried) return w;
    w->regions.push_back(make_engine(passes::optimize(condition), {}));
    w->first_scratch_ = aligned(static_cast<int64_t>(sizeof(void*) * (consts + carries + 1)) + 1);
    w->scratch_bytes += w->first_scratch_;
    return w;
  }

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                   KernelError& error) const override {
    if (!regions.empty()) {  // whether there is a first step comes behind the operands
      std::span all(reinterpret_cast<const void**>(scratch), operands.size() + 1);
      std::ranges::copy(operands, all.begin());
      void* holds = scratch + sizeof(void*) * all.size();
      regions[0]->run(operands, {&holds, 1});
      all.back() = holds;
      operands = all;
    }
    if (kernels[0]->run(operands, outs, scratch + first_scratch_)) return;
    error.value = max_steps_;
    error.index = first_live(outs, live_bytes_);
    error.code.store(error_code_, std::memory_order_relaxed);
  }

 private:
  int64_t live_bytes_ = 0, error_code_ = 1, max_steps_ = -1, first_scratch_ = 0;
};

// A stack for each stage but the last: memory that grows, of one run at a time, kept for the next. Where few states of
// the first stage are kept its own is empty.
struct Stacks {
  Stacks(size_t stages, int64_t checkpoints) : of_stage(stages), schedule(checkpoints) {}
  std::vector<std::vector<std::byte>> of_stage;
  CheckpointSchedule schedule;
};

class While final : public Routine {
 public:
  While(ir::AttrView a, int64_t error_code)
      : error_code_(error_code),
        length_(a.integer(Key::length)),
        checkpoints_(a.num_regions(Key::stages) > 1 ? a.integer(Key::checkpoints) : 0),
        stacks_([stages = a.num_regions(Key::stages) - 1, kept = checkpoints_] {
          return std::make_unique<Stacks>(stages, kept);
        }) {
    consts_ = static_cast<size_t>(a.integer(Key::consts));
    live_bytes_ = live_bytes(a);
    max_steps_ = a.integer(Key::max_steps);
    regions.push_back(make_engine(passes::optimize(a.region(Key::condition)), {}));
    size_t first = consts_;
    int64_t most = 0;
    for (size_t j = 0; j < a.num_regions(Key::stages); ++j) {
      const ir::Graph& body = a.region(Key::stages, j);
      ir::Graph step = j == 0 ? with_condition(body, a.region(Key::condition), consts_) : body;
      auto count = static_cast<size_t>(a.ints(Key::states)[j]);
      std::shared_ptr<const Engine> engine = step_engine(passes::optimize(step), first, count);
      stages_.push_back(
          {first, a.ints(Key::backward)[j] != 0, States(*engine, bytes_of(body.data(), body.data().outputs())), 0});
      regions.push_back(std::move(engine));
      first += count;
      Stage& s = stages_.back();
      for (size_t k = 0; k < count; ++k) s.frame += aligned(s.states.bytes(k));
      most = std::max(most, s.states.scratch_bytes());
    }
    state_scratch_ = most;
    scratch_bytes = most + 64 + Pointers::bytes(first, first + 1);
    if (checkpoints_ == 0) return;
    kept_at_ = scratch_bytes;
    scratch_bytes += Kept::bytes(stages_[0].states, consts_, checkpoints_);
  }

  void run_results(std::span<const void* const> operands, std::span<void* const> outs, std::byte* scratch,
                   KernelError& error) const override {
    Reused<Stacks>::Borrowed stacks(stacks_);
    std::optional<Kept> kept;
    if (checkpoints_ > 0) kept.emplace(*this, (*stacks).schedule, operands, scratch + kept_at_);
    int64_t steps = 0;
    for (size_t j = 0; j < stages_.size(); ++j) {
      const Stage& s = stages_[j];
      std::span<void* const> own = outs.subspan(s.first - consts_, s.states.size());
      s.states.start(operands.subspan(s.first, s.states.size()), own);
      auto* holds = reinterpret_cast<uint8_t*>(scratch + state_scratch_);
      Pointers p(scratch + state_scratch_ + 64, s.first + s.states.size(), s.states.size() + (j == 0));
      std::ranges::copy(operands.first(consts_), p.inputs.begin());
      if (j == 0) {
        for (size_t k = 0; k < own.size(); ++k) p.inputs[consts_ + k] = own[k];
        void* out = holds;
        regions[0]->run(p.inputs, {&out, 1});
        p.outputs[own.size()] = holds;
      }
      StageSteps run(*this, j, *stacks, kept ? &*kept : nullptr, own, scratch, holds, steps);
      regions[j + 1]->run_steps(run, p.inputs, p.outputs);
      s.states.settle(run.step > 0, p.outputs.first(own.size()), own);
      if (run.exceeded) {
        error.value = max_steps_;
        error.index = first_live(own, live_bytes_);
        error.code.store(error_code_, std::memory_order_relaxed);
        return;
      }
      if (j == 0) steps = run.step;
    }
  }

 private:
  struct Stage {
    size_t first;  // of its states among the operands
    bool backward;
    States states;
    int64_t frame;  // bytes of its states
  };

  // The states with which the first stage enters its steps where few of them are kept: the others are computed again.
  class Kept {
   public:
    Kept(const While& loop, CheckpointSchedule& schedule, std::span<const void* const> operands, std::byte* memory)
        : loop_(loop),
          schedule_(schedule),
          frames_(memory),
          work_(memory + loop.checkpoints_ * frame_bytes(states())),
          scratch_(memory + aligned((loop.checkpoints_ + 1) * frame_bytes(states()))),
          pointers_(scratch_ + states().scratch_bytes() + 64, loop.consts_ + states().size(), 2 * states().size() + 1),
          outs_(pointers_.outputs.last(states().size())) {
      std::ranges::copy(operands.first(loop.consts_), pointers_.inputs.begin());
      std::byte* at = work_;
      for (size_t k = 0; k < states().size(); at += packed(states().bytes(k)), ++k) outs_[k] = at;
      schedule_.start(loop.length_);
    }
    static int64_t bytes(const States& states, size_t consts, int64_t checkpoints) {
      return aligned((checkpoints + 1) * frame_bytes(states)) + states.scratch_bytes() + 64 +
             Pointers::bytes(consts + states.size(), 2 * states.size() + 1);
    }

    // Before a step of the first stage: its states.
    void enter(int64_t step, std::span<const void* const> states) {
      int64_t slot = schedule_.keep(step);
      if (slot >= 0) copy(states, frames_ + slot * frame_bytes(this->states()));
    }
    // Those before a step, into `inputs`: they stay there until others are asked for.
    void show(int64_t step, std::span<const void*> inputs) {
      const std::byte* at = find(step);
      for (size_t k = 0; k < states().size(); at += packed(states().bytes(k)), ++k) inputs[k] = at;
    }

   private:
    // States lie side by side: they may be many and small.
    static int64_t packed(int64_t bytes) { return (bytes + 7) / 8 * 8; }
    static int64_t frame_bytes(const States& states) {
      int64_t bytes = 0;
      for (size_t k = 0; k < states.size(); ++k) bytes += packed(states.bytes(k));
      return bytes;
    }
    const States& states() const { return loop_.stages_[0].states; }
    void copy(std::span<const void* const> from, std::byte* to) const {
      for (size_t k = 0; k < states().size(); to += packed(states().bytes(k)), ++k)
        ir::copy_bytes(to, from[k], static_cast<size_t>(states().bytes(k)));
    }

    const std::byte* find(int64_t step) {
      if (work_step_ < 0 || work_step_ > step) {
        CheckpointSchedule::Kept from = schedule_.back_to(step);
        const std::byte* frame = frames_ + from.slot * frame_bytes(states());
        if (from.step == step) return frame;
        ir::copy_bytes(work_, frame, static_cast<size_t>(frame_bytes(states())));
        work_step_ = from.step;
      }
      if (work_step_ < step) {
        Advance steps(*this, step);
        std::span<void*> outputs = pointers_.outputs.first(states().size() + 1);
        outputs.back() = scratch_ + states().scratch_bytes();  // whether it goes on, which is known
        loop_.regions[1]->run_steps(steps, pointers_.inputs, outputs);
        states().settle(true, outputs.first(states().size()), outs_);
        work_step_ = step;
      }
      return work_;
    }

    struct Advance final : Steps {
      Advance(Kept& of, int64_t end) : kept(of), step(of.work_step_), to(end) {}
      bool next(std::span<const void*> inputs, std::span<void*> outputs) override {
        if (step == to) return false;
        bool first = step == kept.work_step_;
        std::span<const void*> own = inputs.subspan(kept.loop_.consts_);
        kept.states().turn(first, own, outputs, kept.outs_, kept.scratch_);
        if (!first) kept.enter(step, own);
        ++step;
        return true;
      }
      Kept& kept;
      int64_t step, to;
    };

    const While& loop_;
    CheckpointSchedule& schedule_;
    std::byte *frames_, *work_, *scratch_;
    Pointers pointers_;
    std::span<void*> outs_;
    int64_t work_step_ = -1;  // whose states lie in work_
  };

  // The steps of a stage. All but the last leave the states with which they enter each step on a stack.
  struct StageSteps final : Steps {
    StageSteps(const While& w, size_t number, Stacks& memory, Kept* few, std::span<void* const> to,
               std::byte* states_scratch, const uint8_t* condition, int64_t all)
        : loop(w),
          j(number),
          stacks(memory.of_stage),
          kept(few),
          outs(to),
          scratch(states_scratch),
          holds(condition),
          steps(all) {}

    bool next(std::span<const void*> inputs, std::span<void*> outputs) override {
      const Stage& s = loop.stages_[j];
      if (j == 0 ? *holds == 0 : step == steps) return false;
      if (j == 0 && loop.max_steps_ >= 0 && step == loop.max_steps_) {
        exceeded = true;
        return false;
      }
      int64_t at = s.backward ? steps - 1 - step : step;
      if (kept && j > 0) kept->show(at, inputs.subspan(loop.consts_));
      for (size_t i = kept ? 1 : 0; i < j; ++i) {
        const Stage& earlier = loop.stages_[i];
        const std::byte* frame = stacks[i].data() + at * earlier.frame;
        for (size_t k = 0; k < earlier.states.size(); frame += aligned(earlier.states.bytes(k)), ++k)
          inputs[earlier.first + k] = frame;
      }
      s.states.turn(step == 0, inputs.subspan(s.first), outputs, outs, scratch);
      if (kept && j == 0) {
        kept->enter(at, inputs.subspan(s.first));
      } else if (j + 1 < loop.stages_.size() && s.frame > 0) {
        std::vector<std::byte>& stack = stacks[j];
        auto end = static_cast<size_t>((at + 1) * s.frame);
        if (j > 0) end = static_cast<size_t>(steps * s.frame);
        if (stack.size() < end) stack.resize(std::max(end, 2 * stack.size()));
        std::byte* frame = stack.data() + at * s.frame;
        for (size_t k = 0; k < s.states.size(); frame += aligned(s.states.bytes(k)), ++k)
          ir::copy_bytes(frame, inputs[s.first + k], static_cast<size_t>(s.states.bytes(k)));
      }
      ++step;
      return true;
    }

    const While& loop;
    size_t j;
    std::vector<std::vector<std::byte>>& stacks;
    Kept* kept;
    std::span<void* const> outs;
    std::byte* scratch;
    const uint8_t* holds;
    int64_t steps, step = 0;
    bool exceeded = false;
  };

  int64_t error_code_, max_steps_ = -1, state_scratch_ = 0;
  int64_t length_, checkpoints_, kept_at_ = 0, live_bytes_ = 0;
  size_t consts_ = 0;
  std::vector<Stage> stages_;
  mutable Reused<Stacks> stacks_;
};

}  // namespace

std::unique_ptr<const Routine> make_scan(const RoutineContext& c) {
  ir::AttrView a = c.g.attrs(c.v);
  const ir::Graph& body = a.region(Key::body);
  auto consts = static_cast<size_t>(a.integer(Key::consts)), carries = static_cast<size_t>(a.integer(Key::carries));
  LoopPlan plan{.consts = consts, .carries = carries, .reverse = a.integer(Key::reverse) != 0};
  const ir::Graph step = passes::optimize(body);
  if (auto kernel = LoopKernel::make(step, plan, a.integer(Key::length)))
    return std::make_unique<ScanKernel>(std::move(kernel));
  return std::make_unique<Scan>(step_engine(step, consts, carries), body, a);
}

std::unique_ptr<const Routine> make_while(const RoutineContext& c) {
  if (c.g.attrs(c.v).num_regions(Key::stages) == 1)
    if (auto kernel = WhileKernel::make(c.g.attrs(c.v), c.error_code)) return kernel;
  if (auto kernels = make_checkpointed(c)) return kernels;
  return std::make_unique<While>(c.g.attrs(c.v), c.error_code);
}

}  // namespace jot::cpu
