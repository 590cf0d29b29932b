// Evaluation of lazy traces, and reading.
#pragma once
#include <memory>
#include <string_view>

#include "core/record/trace.h"

namespace jot::detail {

// Contents of t, contiguous: evaluates what is pending, forces what a derivative transform made (design: host reads).
// Throws TraceError where there is no value: batched, or under jit, trace and compile; `what` names the caller
// ("item").
Buffer read(const Tensor& t, std::string_view what, Location at);
// Makes t's storage concrete; null, or if a trace of a transform owns it: what t shows, contiguous.
Buffer evaluate(const Tensor& t, std::string_view what, Location at);

// Evaluates a lazy trace: its live storages become concrete, or keep why they could not. The caller holds its mutex.
void flush(Trace& trace) noexcept;

// Evaluates what this thread has recorded outside transforms.
void evaluate_pending();

// Makes t's storage concrete: evaluates the lazy trace that owns it, whichever thread's it is.
void hand_over(Storage& storage);

// The trace that owns a storage, null if none: safe from any thread.
std::shared_ptr<Trace> trace_of(const Storage& storage);

}  // namespace jot::detail
