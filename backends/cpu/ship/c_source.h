// A program as portable C.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "jot/ir.h"

namespace jot::cpu {

struct CSource {
  std::string name = "f";  // of the function
  // Contents of the inputs behind the arguments.
  size_t num_arguments = 0;
  std::vector<std::span<const std::byte>> captured = {};
  std::vector<std::string> inputs = {}, outputs = {};  // names of the arguments and of outputs; empty: the graph's
};

// C99 that needs nothing but math.h of the C library: the same text for the same graph and target(), in whose lanes
// sums over loops are added up. An instruction of a kernel is a statement. Throws Error where the graph needs more than
// kernels, or the name is none.
std::string c_source(const ir::Graph& optimised, const CSource& options);

}  // namespace jot::cpu
