// Conditions on data: an element that does not meet one is an error when it is evaluated, in the name of the user's
// call, with the lane and the line. Each is a look into a table of one element by an index that is wrong there, which
// reaches the results.
#pragma once
#include <string>
#include <string_view>

#include "core/functions/operands.h"

namespace jot::detail {

// r where `fine` is true; else an error "what", in which {} stands for the element of x: an IndexError of integers, an
// Error of floats, as f32. In the kernel that makes r.
Tensor demanded(std::string_view op, const Tensor& r, const Tensor& fine, const Tensor& x, const std::string& what,
                Location at);
// Indices, i64, of n > 0 places of which none counts from the end, as a gather or scatter takes them whose call demands
// that: those out of range farther from zero by n.
ir::Value from_front(Emitter& e, ir::Value index, int64_t n);
// Each of integers x is to be from `least` to `most`; {} is the greatest of the others, negative differences being
// greater than all. A pass over x, an integer maximum.
Tensor demanded(std::string_view op, const Tensor& x, int64_t least, int64_t most, const std::string& what,
                Location at);
struct UpTo {
  double most;              // of f32 that of f32
  bool above_zero = false;  // without 0
};
// Results r of x where all of x is from 0 to `most`, and no NaN; else an Error "what", in which {} stands for one of
// the others, as f32. A pass over x, an integer maximum: of floats as their bits order them, negative ones above all.
Tensor demanded_of(std::string_view op, const Tensor& x, UpTo range, const Tensor& r, const std::string& what,
                   Location at);

}  // namespace jot::detail
