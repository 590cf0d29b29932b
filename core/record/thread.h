// What a thread records into, and how.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/record/precedents.h"
#include "core/record/trace.h"
#include "jot/location.h"

namespace jot::detail {

struct ThreadState {
  std::vector<ir::Builder> spare_builders;  // fresh ones, of traces that have ended; outlives what follows
  std::shared_ptr<Trace> lazy;
  Precedents precedents;       // of functions
  Precedents lazy_precedents;  // of what is recorded outside them
  // Depth of NoGrad guards inside the innermost traced function: while positive, what is recorded there is constant to
  // every derivative.
  int no_grad_depth = 0;
  // Number of StrongZeros guards: transforms that are called meanwhile have strong zeros.
  int strong_zeros_depth = 0;
  std::string scope;          // of what is recorded now (core/record/scope.h) ...
  Location scope_location{};  // ... and its line, if a scope has one
  Location call_site{};
  std::string_view composite;  // the function whose work is recorded (core/record/scope.h), if it is made of others ...
  Location composite_line{};   // ... and the line that calls it
  Tensor order;                // what calls of the host write to, one after the other

  ThreadState();
  ~ThreadState();
  ThreadState(const ThreadState&) = delete;
  ThreadState& operator=(const ThreadState&) = delete;
};
ThreadState& thread_state();

// A fresh builder that shares no nodes, for a trace of this thread, which gives it back if it still is fresh.
ir::Builder take_builder();
void give_builder(ir::Builder builder) noexcept;

// The innermost trace of this thread; its lazy trace if none runs.
Trace& current_trace();
Trace* innermost_trace();  // null while the thread has none

// The tensor that each call of the host's code writes to. Any transform may.
const Tensor& call_order();
// One that a recording keeps for itself.
Tensor new_call_order();

// While alive, the innermost trace is `trace`.
class EnterTrace {
 public:
  explicit EnterTrace(Trace& trace);
  ~EnterTrace();
  EnterTrace(const EnterTrace&) = delete;
  EnterTrace& operator=(const EnterTrace&) = delete;

 private:
  Trace* outer_;
};

// The calling thread's random generator.
inline Generator& generator() { return thread_state().lazy->draws().generator(); }

}  // namespace jot::detail
