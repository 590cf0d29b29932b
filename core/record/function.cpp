#include "core/record/function.h"

#include <utility>

#include "core/record/emitter.h"
#include "core/record/log.h"
#include "core/record/scope.h"
#include "core/record/thread.h"
#include "core/storage/views.h"
#include "ir/env.h"
#include "ir/hash.h"

namespace jot::detail {

using ir::Value;

namespace {

// Where recordings of it begin.
uint64_t key_of(Fn fn, const Trace& trace) {
  const TraceOptions& o = trace.options();
  uint64_t h = hash_mix(static_cast<uint64_t>(o.kind) * 2 + trace.bakes_literals(), static_cast<uint64_t>(o.at.line));
  h = hash_mix(h, reinterpret_cast<uintptr_t>(o.at.file));
  return hash_mix(h, reinterpret_cast<uintptr_t>(fn.call));
}

// An argument as f sees it: its elements are row-major, its strides the caller's (where it is mapped: of a lane), as
// what reshape, view and contiguous do depends on them.
Tensor with_layout_of(Tensor symbolic, const TensorImpl& caller, std::optional<int64_t> in_dim) {
  std::unique_ptr<const Shape>& kept = symbolic.impl()->storage->caller_strides;
  if (!caller.parent && !in_dim) {  // perhaps a base whose views are arguments
    if (caller.storage->caller_strides) kept = std::make_unique<const Shape>(*caller.storage->caller_strides);
    return symbolic;
  }
  Shape strides = caller.layout();
  if (in_dim) strides.erase(static_cast<size_t>(*in_dim));
  const Shape shape = symbolic.impl()->shape;
  if (is_row_major(shape, strides)) return symbolic;
  kept = std::make_unique<const Shape>(strides);
  return reshaped_view(symbolic, shape, strides);
}

class TraceGuard {
 public:
  explicit TraceGuard(TraceOptions options)
      : trace(make_pooled<Trace>(std::move(options), &current_trace())),
        enter_(*trace),
        outer_depth_(std::exchange(thread_state().no_grad_depth, 0)) {}
  ~TraceGuard() {
    trace->end();
    thread_state().no_grad_depth = outer_depth_;
  }
  TraceGuard(const TraceGuard&) = delete;
  TraceGuard& operator=(const TraceGuard&) = delete;
  std::shared_ptr<Trace> trace;

 private:
  EnterTrace enter_;
  int outer_depth_;
};

}  // namespace

Recording record_function(Fn fn, std::span<const Tensor> args, TraceOptions options,
                          std::span<const std::optional<int64_t>> in_dims, std::span<const ir::Type> types,
                          std::span<const uint8_t> copied) {
  Scope scope(options.scope);
  CallSite site(options.at);
  TraceGuard guard(std::move(options));
  Trace& trace = *guard.trace;
  if (trace.options().kind != TraceKind::jit) trace.follow(thread_state().precedents, key_of(fn, trace));
  trace.begin({fn, {args.begin(), args.end()}, {in_dims.begin(), in_dims.end()}});
  std::vector<Tensor> symbolic;
  symbolic.reserve(args.size());
  for (size_t i = 0; i < args.size(); ++i) {
    Tensor t = trace.argument(types.empty() ? ir::Type{args[i].dtype(), false, args[i].impl()->shape} : types[i]);
    if (!trace.options().row_major)
      t = with_layout_of(std::move(t), *args[i].impl(), in_dims.empty() ? std::nullopt : in_dims[i]);
    symbolic.push_back(std::move(t));
  }
  for (size_t i = 0; i < args.size(); ++i)
    if (copied.empty() || !copied[i]) trace.alias(symbolic[i], i);
  Recording recording;
  fn.call(fn.self, symbolic, recording.outputs);
  std::vector<Value> outputs;
  for (const std::vector<Tensor>* list : {&recording.outputs.values, &recording.outputs.aux})
    for (size_t i = 0; i < list->size(); ++i) {
      const Tensor& t = (*list)[i];
      if (!t.defined())
        throw TransformError("[" + trace.options().scope + "] f returned an undefined Tensor: " +
                             fn.name(list == &recording.outputs.aux ? Role::aux : Role::output, i) +
                             jot::at(trace.options().at));
      Emitter e("return", Location(), t);
      outputs.push_back(e(t));
    }
  trace.returned();
  recording.random_draws = trace.draws().total();
  Trace::Taken taken = trace.take(outputs);
  recording.graph = std::move(taken.graph);
  recording.bindings = std::move(taken.bindings);
  if (env().log_record) log_recording(trace.options(), recording);
  return recording;
}

}  // namespace jot::detail
