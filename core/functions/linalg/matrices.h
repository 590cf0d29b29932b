// What the functions of jot::linalg share.
#pragma once
#include "core/functions/operands.h"
#include "ir/ops/matrices.h"
#include "jot/linalg.h"

namespace jot::linalg {

namespace build = ir::build;
using ir::Value;

inline Shape batch_of(const Tensor& t) { return ir::batch_of(detail::shape_of(t)); }
inline int64_t rows_of(const Tensor& t) { return ir::rows_of(detail::shape_of(t)); }
inline int64_t columns_of(const Tensor& t) { return ir::columns_of(detail::shape_of(t)); }

// Throws ShapeError, DTypeError: matrices of a floating dtype, perhaps square.
void check_matrices(const detail::Emitter& e, const Tensor& t, bool square);
void check_same_dtype(const detail::Emitter& e, const Tensor& a, const Tensor& b);

// v with each matrix broadcast to this batch.
Value with_batch(detail::Emitter& e, Value v, const Shape& batch);

// The results of the op lu, as the work of the user's call.
struct Lu {
  Value packed, pivots, order, info;
};
enum class SingularIs : uint8_t { no_error, solver, inverse, factor };  // what the error speaks of
Lu emit_lu(detail::Emitter& e, Value a, SingularIs singular);

// x of a x = y, differentiated by that equation.
Value emit_solve(ir::Builder& b, Value a, const Lu& lu, Value y);

}  // namespace jot::linalg
