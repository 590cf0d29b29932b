#pragma once
#include <cstdint>

#include "backends/engine.h"

namespace jot::cli {

// Runs a pure graph on inputs made up from the seed; prints inputs and results. engine: null: the interpreter.
void run_on_made_up_inputs(const ir::Graph& graph, int64_t seed, const Engine* engine);

}  // namespace jot::cli
