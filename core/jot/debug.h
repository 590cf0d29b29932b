#pragma once
#include "jot/tensor.h"

namespace jot {

// recurse: through all transforms around the function, to a concrete tensor; else through the innermost one.
struct DebugUnwrapOptions {
  bool recurse = true;
};

// Inside a transform: the tensor under x. Of a tensor with lanes the one that holds them all (those of an intermediate
// value at dim 0). A concrete tensor is its own. For looking at values: what the function computes from it has no
// derivative and no lanes. Not under jit, trace and compile, which compute nothing.
Tensor debug_unwrap(const Tensor& x, DebugUnwrapOptions options = {}, Location at = JOT_HERE);

}  // namespace jot
