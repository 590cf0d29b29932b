// Whether the forms of a function with an output and in place give what the plain one gives: also of views, in jit and
// with lanes.
#pragma once
#include <string>
#include <vector>

#include "call.h"

namespace jot::coverage {

// A few samples of each overload that has such forms, of those named where there are names. Prints what differs and
// "N passed, N failed"; true where nothing does.
bool check_forms(const std::vector<Operation>& operations, const std::vector<std::string>& names);

}  // namespace jot::coverage
