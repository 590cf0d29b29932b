// Conditions on data: an element that does not meet one is an error when it is evaluated, in the name of the user's
// call, with the lane and the line. Each is a look into a table of one element by an index that is wrong there, which
// reaches the results.
#pragma once
#include <string>
#include <string_view>

#include "core/functions/operands.h"

namespace jot::detail {

// r where `fine` is true; else an IndexError "what", in which {} stands for the element of x, integers. In the kernel
// that makes r.
Tensor demanded(std::string_view op, const Tensor& r, const Tensor& fine, const Tensor& x, const std::string& what,
                Location at);
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
