#pragma once
#include <span>
#include <vector>

#include "passes/linearize.h"

namespace jot::passes {

// Emits into b the transpose of the linear part of `l` at `args` (values of its primal inputs): given cotangents of the
// outputs of the primal graph (one each, kNoValue: zero), returns those of the active inputs, in order (kNoValue:
// zero). `values`, if given, receives the outputs of the primal graph. The nodes of l that no tangent reaches are
// emitted first and serve as residuals. Reverse mode; O(nodes).
std::vector<ir::Value> transpose_into(ir::Builder& b, const Linearized& l, std::span<const ir::Value> args,
                                      std::span<const ir::Value> cotangents, std::vector<ir::Value>* values = nullptr);

// Emits into b the transpose of g, which is linear in the inputs where `linear`; `known` are values of the others, in
// order. Given cotangents of the outputs (kNoValue: zero), returns those of the linear inputs, in order.
std::vector<ir::Value> transpose_linear(ir::Builder& b, const ir::GraphData& g, std::span<const uint8_t> linear,
                                        std::span<const ir::Value> known, std::span<const ir::Value> cotangents);

}  // namespace jot::passes
