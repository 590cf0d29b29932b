// Passes and transforms by name, for tools.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jot/choices.h"
#include "jot/ir.h"

namespace jot::passes {

// Arguments of passes. Without any, transforms act on everything: every floating input is differentiated, every result
// is a value, every input is mapped at dim 0.
struct PassOptions {
  int64_t lanes = 4;                                                // of vmap
  std::optional<std::vector<int64_t>> inputs = {};                  // by which is differentiated
  std::optional<int64_t> values = {};                               // the first so many results are differentiated
  std::vector<std::optional<int64_t>> in_dims = {}, out_dims = {};  // of vmap; none given: 0
  Randomness randomness = Randomness::different;                    // of vmap
  std::optional<int64_t> chunk = {};                                // of jacobians: rows or columns at a time
  bool strong_zeros = false;                                        // of derivatives
  std::vector<int64_t> outputs = {};                                // of part: that stay
};

struct NamedPass {
  std::string_view name, arguments, summary;  // arguments: names of PassOptions, with spaces between them
  ir::Graph (*run)(const ir::Graph& g, const PassOptions& options);
};
std::span<const NamedPass> all_passes();

// Throws Error that lists the names if there is none of this one.
const NamedPass& pass_named(std::string_view name);

// A pass with its arguments.
struct PassCall {
  const NamedPass* pass;
  PassOptions options;
};
// "functionalize,vmap(lanes=8,in_dims=0:none),jacrev(inputs=1)": lists have colons. Options that are not given are
// those of `unset`. Throws Error.
std::vector<PassCall> parse_passes(std::string_view text, const PassOptions& unset = {});

}  // namespace jot::passes
