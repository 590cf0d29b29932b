// What JOT_LOG=record tells.
#pragma once
#include "core/record/function.h"

namespace jot::detail {

// A function that was recorded: its graph, and each tensor that it captures, by the address of its elements and the
// line that used it first.
void log_recording(const TraceOptions& options, const Recording& recording);

}  // namespace jot::detail
