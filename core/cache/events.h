// What JOT_LOG=cache tells. Each event is a line on stderr; without it nothing is made.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "ir/env.h"
#include "ir/graph.h"
#include "jot/location.h"

namespace jot::detail {

// " at file:line", empty without a file: within a line, where jot::at() starts one.
std::string on_line(Location where);

// "1 node", "2 nodes"
std::string count_of(size_t n, std::string_view what);

// A look-up by the recorded graph g in the table `name`.
void log_lookup(std::string_view name, bool found, const ir::Graph& g);

}  // namespace jot::detail
