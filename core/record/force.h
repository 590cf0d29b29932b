#pragma once
#include <initializer_list>
#include <string_view>

#include "core/record/trace.h"

namespace jot::detail {

// The contents of a tensor as the running transform `trace` sees it, which owns it or has written to it: evaluates the
// live values of the trace, with its inputs bound to what they stand for, outwards until all is concrete. Results are
// kept, so n reads cost O(n). Throws TraceError where the value has lanes, under jit, trace and compile, and after the
// transform has ended.
Buffer force(Trace& trace, const Tensor& t, std::string_view what, Location at);

// A draw whose parameters these are: TransformError where a vmap with Randomness::same gives one of them lanes, for
// lanes that share the numbers drawn would not share the draw. O(nodes) inside such a vmap.
void check_drawn_alike(std::string_view op, std::initializer_list<const Tensor*> parameters, Location at);

// The base of the storage that an address lies in.
ir::Value root_of(const ir::GraphData& g, ir::Value address);

}  // namespace jot::detail
