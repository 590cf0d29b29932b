#pragma once
#include <functional>
#include <span>
#include <string_view>

#include "jot/ir.h"

namespace jot::passes {

// A pass by name, as jot-opt and dumps know it.
struct Pass {
  std::string_view name;
  ir::Graph (*run)(const ir::Graph&);
};

// The passes between recording and the backend, in order.
std::span<const Pass> optimization_pipeline();

// Runs one pass with its hooks (passes/dump.h).
ir::Graph run_pass(const Pass& pass, const ir::Graph& g);

// Runs the pipeline.
ir::Graph optimize(const ir::Graph& g);
// The same; tells of each pass.
using PassObserver = std::function<void(std::string_view pass, const ir::Graph& after)>;
ir::Graph optimize(const ir::Graph& g, const PassObserver& observer);

}  // namespace jot::passes
