#pragma once
#include "ir/rules.h"

namespace jot::ir {

// The batching of a linear op that keeps the structural zeros of its batched operands (ir/ops/selection.h): arithmetic
// is done on the nonzeros only. kNoValue where the zeros become ordinary ones: the op's own rule materialises them.
Value batch_structure(const BatchContext& c);

template <Value (*kRule)(const BatchContext&)>
Value structured(const BatchContext& c) {
  Value v = batch_structure(c);
  return v == kNoValue ? kRule(c) : v;
}

}  // namespace jot::ir
