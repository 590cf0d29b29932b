// Passes and transforms by name, for tools.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "jot/ir.h"

namespace jot::passes {

struct PassOptions {
  int64_t lanes = 4;  // of vmap
};

// Transforms act on everything: every floating input is differentiated, every result is a value, every input is mapped
// at dim 0.
struct NamedPass {
  std::string_view name, summary;
  ir::Graph (*run)(const ir::Graph& g, const PassOptions& options);
};
std::span<const NamedPass> all_passes();

// Throws Error that lists the names if there is none of this one.
const NamedPass& pass_named(std::string_view name);

}  // namespace jot::passes
