// Which elements of a function's results may depend on which of its inputs.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "jot/ir.h"

namespace jot::cpu {

// Of results (all outputs) and inputs that are floating, element by element, row-major: dependence[i] has for each
// element of the inputs, one after the other, the results that it is used for. None where ops stand between whose
// elements are chosen by data. By what ops there are, not by values: 0 * x depends on x. One run a flagged input
// element.
struct Dependence {
  std::vector<std::vector<uint8_t>> uses;  // of element i of the flagged inputs: a flag for each element of the outputs
};
std::optional<Dependence> dependence(const ir::Graph& g, size_t inputs);  // of the first so many inputs

}  // namespace jot::cpu
