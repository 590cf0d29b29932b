// Checks of derivatives that several tests share.
#pragma once
#include <optional>
#include <vector>

#include "passes/jacobian.h"
#include "tests/support/host.h"

namespace jot::test {

std::vector<uint8_t> floating_inputs(const ir::Graph& g);

// The largest difference of the jacobian by all floating inputs to the pushforwards of basis vectors, one at a time.
double jacobian_error(const ir::Graph& g, const std::vector<HostTensor>& x, passes::JacobianMode mode,
                      std::optional<int64_t> chunk = {});

// The graph with another op at node `at`, as a wrong rule might make; none if the op has no like.
std::optional<ir::Graph> mutant(const ir::GraphData& g, ir::Value at);

}  // namespace jot::test
