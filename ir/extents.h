// The one check of extents and their products, for whoever takes a shape.
#pragma once
#include <string>

#include "jot/shape.h"

namespace jot::ir {

// What is wrong with a shape, as in "[2,-1] has a negative extent: ..."; empty: nothing. There are at most kMaxNumel
// elements, extents of 0 counted as 1, so that products of extents and strides do not overflow.
std::string fault_of(const Shape& shape);

}  // namespace jot::ir
