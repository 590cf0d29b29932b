// Reference evaluation of one op.
#pragma once
#include "ir/rules.h"

namespace jot::ir {

// By the op's rule. Ops that compute see operands of storage dtypes widened to what these are computed in, and their
// results are rounded back; throws IrError where there is no rule.
void evaluate(const EvalContext& c);

}  // namespace jot::ir
