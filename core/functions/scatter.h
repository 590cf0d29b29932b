// Writes of booleans that add.
#pragma once
#include "core/record/emitter.h"
#include "ir/build.h"

namespace jot::detail {

// Indices are checked. scatter_add of booleans: whether one is true.
inline ir::Value scatter_checked(Emitter& e, ir::Op op, ir::Value x, ir::Value indices, ir::Value updates,
                                 const ir::build::GatherDims& dims, bool unique) {
  const DType dtype = e.b.dtype(x);
  if (dtype == DType::boolean && op == ir::Op::scatter_add_op)
    x = ir::build::convert(e.b, x, DType::i32), updates = ir::build::convert(e.b, updates, DType::i32);
  return ir::build::convert(e.b, ir::build::scatter(e.b, op, x, indices, updates, dims, ir::IndexMode::check, unique),
                            dtype);
}

}  // namespace jot::detail
