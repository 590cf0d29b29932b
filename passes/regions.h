#pragma once
#include "ir/rules.h"

namespace jot::passes {

// The passes as rules of ops with regions call them.
const ir::RuleContext& region_passes();

}  // namespace jot::passes
