// Numbers made of random bits.
#pragma once
#include "core/functions/operands.h"

namespace jot::detail {

// Bits of the thread's generator, or of a key: one draw after the other.
struct Bits {
  Emitter& e;
  ir::Value key = ir::kNoValue;
  int64_t drawn = 0;
  ir::Value operator()(const Shape& shape, int width);
};

ir::Value uniform_bits(Bits& draw, const Shape& shape, DType dtype);  // [0, 1)
ir::Value above_zero(Bits& draw, const Shape& shape, DType dtype);    // (0, 1]
ir::Value normal_bits(Bits& draw, const Shape& shape, DType dtype);   // standard normal
// i64 in [low, high); low < high.
ir::Value integer_bits(Emitter& e, const Shape& shape, int64_t low, int64_t high);
// The least and the greatest integer that a dtype of integers holds without an error: of floats the integers that are
// exact, from 0.
std::pair<int64_t, int64_t> integer_range(DType dtype);

}  // namespace jot::detail
