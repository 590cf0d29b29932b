#include "backends/cpu/executable.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <mutex>
#include <vector>

#include "backends/cpu/loops/loop_kernel.h"
#include "backends/cpu/runtime/pool.h"
#include "backends/cpu/store.h"
#include "backends/reference/interpret.h"
#include "ir/env.h"
#include "ir/fork.h"
#include "ir/ops/total.h"
#include "ir/rules.h"
#include "ir/seen.h"

namespace jot::cpu {
namespace {

// What one call needs; reused by later ones.
struct Context {
  Context(const Program& program, int64_t scratch_args)
      : arena(Buffer::allocate(program.arena_bytes)), args(program.args), scratch(static_cast<size_t>(scratch_args)) {
    size_t most = 0, most_results = 0;
    for (const Step& s : program.steps) {
      errors.push_back(std::make_unique<KernelError>());
      if (auto* r = std::get_if<RoutineStep>(&s.what)) {
        most = std::max(most, r->operands.size());
        most_results = std::max(most_results, r->outs.size());
      }
    }
    operands.resize(most);
    pointers.resize(program.pointers);
    outs.resize(most_results);
  }
  Buffer arena;
  std::vector<int64_t> args;
  std::vector<int64_t> scratch;                      // argument tables of the chunks that run at the same time
  std::vector<std::unique_ptr<KernelError>> errors;  // by step
  std::vector<const void*> operands;                 // of the routine that runs
  std::vector<std::byte*> pointers;                  // of pointer steps that have run
  std::vector<void*> outs;
};

struct Call {
  std::span<const void* const> inputs;
  std::span<void* const> outputs;
  std::byte* arena;
  std::byte* constants;
  std::span<std::byte*> pointers;
  const Group* group = nullptr;  // of which one slice runs, in this memory
  std::byte* slice_memory = nullptr;
  int64_t slice = 0;

  std::byte* at(const Place& p) const {
    switch (p.space) {
      case Space::input:
        return static_cast<std::byte*>(const_cast<void*>(inputs[p.index])) + p.offset;
      case Space::output:
        return static_cast<std::byte*>(outputs[p.index]) + p.offset;
      case Space::arena:
        return arena + p.offset;
      case Space::constant:
        return constants + p.offset;
      case Space::pointer:
        return pointers[p.index] + p.offset;
      case Space::slice:  // where all slices would begin, if they lay one after the other
        return slice_memory + group->parts[p.index].offset - slice * group->parts[p.index].step + p.offset;
    }
    return nullptr;
  }
};

void combine(const Partial& p, int64_t chunks, const std::byte* from, std::byte* to) {
  if (p.columns) {
    const StridedCopy::Axis rows{chunks, p.count, 0};
    return (*p.columns)(from, nullptr, {&rows, 1}, to, p.count);
  }
  ir::visit_reduction(p.op, [&](auto reduction) {
    visit_computing(p.dtype, [&](auto zero) {
      using T = decltype(zero);
      auto* x = reinterpret_cast<const T*>(from);
      for (int64_t j = 0; j < p.count; ++j) {
        typename decltype(reduction)::template Fold<T> fold;
        for (int64_t c = 0; c < chunks; ++c) fold.add(x[c * p.count + j]);
        reinterpret_cast<T*>(to)[j] = fold.value();
      }
    });
  });
}

std::string disassembly_of(const Routine& r) {
  std::string text;
  for (const auto& kernel : r.kernels) text += kernel->disassembly();
  for (const auto& region : r.regions) text += region->disassembly();
  return text;
}

class Executable : public Engine {
 public:
  explicit Executable(Compiled compiled) : compiled_(std::move(compiled)) {
    if (seen::on()) see();
    for (const Address& a : program().addresses)
      if (a.place.space != Space::pointer)
        (a.place.space == Space::input || a.place.space == Space::output ? per_call_ : fixed_).push_back(a);
    for (const Step& s : program().steps)
      if (auto* k = std::get_if<KernelStep>(&s.what); k && (k->args_differ() || !program().groups.empty()))
        scratch_args_ = std::max<int64_t>(scratch_args_, k->num_args);
  }

  void run(std::span<const void* const> inputs, std::span<void* const> outputs) const override {
    NoFork section;
    Borrowed context(*this);
    run_once(inputs, outputs, *context);
  }

  void run_steps(Steps& steps, std::span<const void*> inputs, std::span<void*> outputs) const override {
    NoFork section;
    Borrowed context(*this);
    while (steps.next(inputs, outputs)) run_once(inputs, outputs, *context);
  }

  // None where inputs are looked at again.
  std::span<const int32_t> in_place() const override {
    return env().check_nan ? std::span<const int32_t>() : program().in_place;
  }

  const ir::Graph& graph() const override { return program().graph.get(); }
  void store(ByteWriter& out) const override { cpu::store(compiled_, out); }

  ExecutableStats stats() const override { return compiled_.stats; }
  std::string page_json(PageGraphs& graphs) const override {
    return compiled_.seen ? cpu::page_json(program(), *compiled_.seen, graphs) : "null";
  }

  std::string disassembly() const override {
    NoFork section;
    std::string text;
    for (const Step& s : program().steps)
      if (auto* k = std::get_if<KernelStep>(&s.what))
        text += k->code ? cpu::disassembly(*k->kernel) : to_text(*k->kernel);
      else if (auto* r = std::get_if<RoutineStep>(&s.what))
        text += disassembly_of(*r->routine);
    return text;
  }

 private:
  const Program& program() const { return compiled_.program; }

  void see() {
    if (!compiled_.seen) compiled_.seen = std::make_shared<ProgramSeen>();
    compiled_.seen->times = time_steps(program());
    page_limits();
  }

  void run_once(std::span<const void* const> inputs, std::span<void* const> outputs, Context& context) const {
    Call call{inputs, outputs, static_cast<std::byte*>(context.arena.data()), constants(), context.pointers};
    for (const Address& a : per_call_) context.args[a.arg] = reinterpret_cast<int64_t>(call.at(a.place));
    compiled_.seen ? run_all<true>(call, context) : run_all<false>(call, context);
  }

  template <bool timed>
  void run_all(const Call& call, Context& context) const {
    auto group = program().groups.begin();
    for (size_t i = 0; i < program().steps.size(); ++i) {
      const size_t first = i;
      std::chrono::steady_clock::time_point begin;
      if constexpr (timed) begin = std::chrono::steady_clock::now();
      if (group == program().groups.end() || group->first != i) {
        run_step(program().steps[i], *context.errors[i], call, context);
        if (!program().steps[i].checked.empty()) check(program().steps[i], call);
      } else {
        run_group(*group, call, context);
        for (size_t s = i; s < i + group->count; ++s)
          if (!program().steps[s].checked.empty()) check(program().steps[s], call);
        i += group->count - 1;
        ++group;
      }
      if constexpr (timed) compiled_.seen->times->add(compiled_.seen->times, first, begin);
    }
  }

  // What it has made is finite, or inputs are not.
  void check(const Step& step, const Call& call) const {
    const ir::Graph& graph = program().graph.get();
    for (const auto& [v, place] : step.checked)
      if (reference::first_not_finite(graph.data().type(v), call.at(place)) >= 0)
        reference::check_finite(graph, call.inputs, v);
  }

  void run_group(const Group& g, const Call& call, Context& context) const {
    const std::span<const Step> steps = std::span(program().steps).subspan(g.first, g.count);
    for (uint32_t s = g.first; s < g.first + g.count; ++s)
      if (!program().steps[s].faults.empty()) context.errors[s]->code.store(0, std::memory_order_relaxed);
    auto body = [&](int64_t chunk, int worker) {
      Call own = call;
      own.group = &g;
      own.slice_memory = call.at(g.memory) + worker * g.bytes;
      const int64_t each = (g.slices() + g.chunks - 1) / g.chunks, last = std::min((chunk + 1) * each, g.slices());
      for (own.slice = chunk * each; own.slice < last; ++own.slice)
        for (uint32_t s = 0; s < g.count; ++s)
          if (auto* k = std::get_if<KernelStep>(&steps[s].what))
            run_kernel_slice(*k, own, context, worker);
          else
            run_routine_slice(std::get<RoutineStep>(steps[s].what), own, *context.errors[g.first + s], worker);
    };
    parallel_for(g.chunks, body);
    for (uint32_t s = 0; s < g.count; ++s) raise_fault_of(steps[s], *context.errors[g.first + s]);
  }
  void run_kernel_slice(const KernelStep& k, const Call& call, Context& context, int worker) const {
    const int64_t *args = &context.args[k.first_arg], each = k.extent / call.group->items * call.group->each;
    int64_t* own = &context.scratch[static_cast<size_t>(worker * scratch_args_)];
    std::copy(args, args + k.num_args, own);
    for (const WorkerMemory& m : k.scratch) own[m.arg] += worker * m.bytes;
    for (const Address& a : k.of_slice) own[a.arg - k.first_arg] = reinterpret_cast<int64_t>(call.at(a.place));
    const int64_t spill = k.code ? aligned(k.code->spill_bytes) : 0;
    run_range(k, own, call.slice * each, std::min((call.slice + 1) * each, k.extent),
              call.at(k.spill) + worker * spill);
  }
  static void run_routine_slice(const RoutineStep& r, const Call& call, KernelError& error, int worker) {
    constexpr size_t kMost = 8;
    const void* operands[kMost];
    void* outs[kMost];
    Call whole = call;
    if (call.group->tiles) whole.slice = 0;  // what lies in a tile begins there
    for (size_t i = 0; i < r.operands.size(); ++i) operands[i] = whole.at(r.operands[i]);
    for (size_t i = 0; i < r.outs.size(); ++i) outs[i] = whole.at(r.outs[i]);
    const std::span<const void* const> from(operands, r.operands.size());
    std::byte* scratch = call.at(r.scratch);
    if (!call.group->tiles)
      return r.routine->run_slice(from, outs[0], {call.slice, call.group->split}, scratch, worker);
    const int64_t first = call.slice * call.group->each, count = std::min(call.group->each, call.group->items - first);
    r.routine->run_tile(
        {from, {outs, r.outs.size()}, r.in_lanes, first, count, scratch + worker * r.routine->tile_bytes, error});
  }
  std::byte* constants() const { return static_cast<std::byte*>(program().constants.data()); }

  void run_step(const Step& step, KernelError& error, const Call& call, Context& context) const {
    if (!step.faults.empty()) error.code.store(0, std::memory_order_relaxed);
    if (auto* k = std::get_if<KernelStep>(&step.what)) {
      run_kernel(*k, call, context);
    } else if (auto* r = std::get_if<RoutineStep>(&step.what)) {
      run_routine(*r, error, call, context);
    } else if (auto* p = std::get_if<PointerStep>(&step.what)) {
      point(*p, call, context);
    } else {
      const CopyStep& c = std::get<CopyStep>(step.what);
      std::byte *from = call.at(c.from), *to = call.at(c.to);
      if (c.bytes > 0 && from != to) std::memcpy(to, from, static_cast<size_t>(c.bytes));
    }
    raise_fault_of(step, error);
  }

  void raise_fault_of(const Step& step, const KernelError& error) const {
    if (step.faults.empty()) return;
    if (int64_t code = error.code.load(std::memory_order_relaxed)) {
      const auto nth = static_cast<size_t>(code - 1);
      const Fault& fault = step.faults[nth];
      auto* k = std::get_if<KernelStep>(&step.what);
      const ir::Graph& graph = k && nth < k->loop_faults ? *k->loop : program().graph.get();
      ir::raise_fault(graph.data(), fault.node, fault.code, error.value, error.index);
    }
  }

  static void run_range(const KernelStep& k, const int64_t* args, int64_t begin, int64_t end, std::byte* spill) {
    k.code ? k.code->fn(args, begin, end, spill) : interpret(*k.kernel, args, begin, end);
  }

  void run_kernel(const KernelStep& k, const Call& call, Context& context) const {
    int64_t* args = &context.args[k.first_arg];
    std::byte* spill = call.at(k.spill);
    if (k.chunks == 1) return run_range(k, args, 0, k.extent, spill);
    int64_t spill_bytes = k.code ? k.code->spill_bytes : 0, num_args = k.num_args;
    auto chunk = [&](int64_t i, int worker) {
      int64_t begin = i * k.chunk, end = std::min(begin + k.chunk, k.extent);
      std::byte* own_spill = spill + worker * spill_bytes;
      if (!k.args_differ()) return run_range(k, args, begin, end, own_spill);
      int64_t* own = &context.scratch[static_cast<size_t>(worker * scratch_args_)];
      std::copy(args, args + num_args, own);
      for (const Partial& p : k.partials) own[p.arg] += i * p.bytes();
      for (const WorkerMemory& m : k.scratch) own[m.arg] += worker * m.bytes;
      run_range(k, own, begin, end, own_spill);
    };
    parallel_for(k.chunks, chunk);
    for (const Partial& p : k.partials) combine(p, k.chunks, call.at(p.chunks), call.at(p.result));
  }

  static void point(const PointerStep& p, const Call& call, Context& context) {
    std::byte* to = call.at(p.whole);
    for (const PointerStep::Start& s : p.starts) {
      int64_t start;
      std::memcpy(&start, call.at(s.place), sizeof start);
      to += std::clamp<int64_t>(start, 0, s.limit) * s.stride;
    }
    call.pointers[p.index] = to;
    for (const Address& a : p.uses) context.args[a.arg] = reinterpret_cast<int64_t>(to + a.place.offset);
  }

  static void run_routine(const RoutineStep& r, KernelError& error, const Call& call, Context& context) {
    for (size_t i = 0; i < r.operands.size(); ++i) context.operands[i] = call.at(r.operands[i]);
    for (size_t i = 0; i < r.outs.size(); ++i) context.outs[i] = call.at(r.outs[i]);
    r.routine->run_results({context.operands.data(), r.operands.size()}, {context.outs.data(), r.outs.size()},
                           call.at(r.scratch), error);
  }

  // ---- contexts: one that is free is kept where no lock is needed

  class Borrowed {
   public:
    explicit Borrowed(const Executable& of) : of_(of), context_(of.take()) {}
    ~Borrowed() { of_.give(std::move(context_)); }
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    Context& operator*() const { return *context_; }

   private:
    const Executable& of_;
    std::unique_ptr<Context> context_;
  };

  std::unique_ptr<Context> take() const {
    if (Context* c = free_.exchange(nullptr, std::memory_order_acquire)) return std::unique_ptr<Context>(c);
    {
      std::lock_guard lock(mutex_);
      if (!contexts_.empty()) {
        std::unique_ptr<Context> c = std::move(contexts_.back());
        contexts_.pop_back();
        return c;
      }
    }
    auto c = std::make_unique<Context>(program(), scratch_args_ * num_threads());
    Call call{{}, {}, static_cast<std::byte*>(c->arena.data()), constants(), {}};
    for (const Address& a : fixed_) c->args[a.arg] = reinterpret_cast<int64_t>(call.at(a.place));
    for (size_t i = 0; i < program().steps.size(); ++i)
      if (auto* k = std::get_if<KernelStep>(&program().steps[i].what))
        c->args[k->first_arg] = reinterpret_cast<int64_t>(c->errors[i].get());
    return c;
  }
  void give(std::unique_ptr<Context> c) const {
    Context* none = nullptr;
    if (free_.compare_exchange_strong(none, c.get(), std::memory_order_release, std::memory_order_relaxed)) {
      static_cast<void>(c.release());
      return;
    }
    std::lock_guard lock(mutex_);
    contexts_.push_back(std::move(c));
  }

 public:
  ~Executable() override { delete free_.load(); }

 private:
  Compiled compiled_;
  std::vector<Address> per_call_, fixed_;
  int64_t scratch_args_ = 0;
  mutable std::atomic<Context*> free_{nullptr};
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Context>> contexts_;
};

}  // namespace

std::shared_ptr<const Engine> make_executable(Compiled compiled) {
  return std::make_shared<const Executable>(std::move(compiled));
}

}  // namespace jot::cpu
