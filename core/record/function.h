// Recording a function: it is called once, with symbolic arguments.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/record/trace.h"

namespace jot {

// What recording a function gave.
struct Recording {
  ir::Graph graph;                // with effects; outputs: values, then aux
  std::vector<Binding> bindings;  // one for each input of the graph
  detail::Outputs outputs;        // the symbolic tensors; dead after the recording, their shapes and dtypes are not
  int64_t random_draws = 0;       // by one run of it
};

namespace detail {

// Runs fn with symbolic arguments shaped like `args` (or like `types`, where given) in a new trace, with strides like
// theirs. Those that are flagged in `copied` are copies of what they stand for: writes to them end with the function.
Recording record_function(Fn fn, std::span<const Tensor> args, TraceOptions options,
                          std::span<const std::optional<int64_t>> in_dims = {}, std::span<const ir::Type> types = {},
                          std::span<const uint8_t> copied = {});

}  // namespace detail
}  // namespace jot
