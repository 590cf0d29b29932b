// What JOT_LOG=cache and JOT_LOG=record tell. Each event is a line on stderr; without them nothing is made.
#pragma once
#include <string>
#include <string_view>

#include "core/trace.h"
#include "ir/env.h"

namespace jot::detail {

// " at file:line", empty without a file: within a line, where jot::at() starts one.
std::string on_line(Location where);

// A look-up by the recorded graph g in the table `name`.
void log_lookup(std::string_view name, bool found, const ir::Graph& g);

// A function that was recorded: its graph, and each tensor that it captures, by the address of its elements and the
// line that used it first.
void log_recording(const TraceOptions& options, const Recording& recording);

}  // namespace jot::detail
