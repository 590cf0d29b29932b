// Conditions on data: an element that does not meet one is an error when it is evaluated, in the name of the user's
// call, with the lane and the line. What is told of is x itself (Op::demand_op), in the kernel that makes or reads it;
// what is made of x is to be made of the result.
#pragma once
#include <string>
#include <string_view>

#include "core/functions/operands.h"

namespace jot::detail {

// x where `fine` is true; else an error "what", in which {} stands for the element of `found`: an IndexError of
// integers, an Error of floats. `fine` and `found` are 0-d or of x's shape.
Tensor demanded(std::string_view op, const Tensor& x, const Tensor& fine, const Tensor& found, const std::string& what,
                Location at);
struct Range {
  double least, most;
  bool without_least = false;
};
// x, whose elements are to be in the range, none of them NaN; {} stands for one that is not. Truth values are from 0
// to 1.
Tensor demanded(std::string_view op, const Tensor& x, Range range, const std::string& what, Location at);

}  // namespace jot::detail
