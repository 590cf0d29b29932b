// What the rules of ops with regions share.
#pragma once
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ir/build.h"
#include "ir/rules.h"

namespace jot::ir {

std::vector<const Type*> types_of(const GraphData& g, std::span<const Value> values);

// ---- inference
void expect_types(const InferContext& c, const std::string& what, std::span<const Type* const> expected,
                  std::span<const Type* const> got);
void expect_pure(const InferContext& c, const std::string& what, const Graph& region);

// ---- evaluation: memory of no bytes may have no address
inline void copy_bytes(void* to, const void* from, size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

// ---- ops that run as their body
inline const Graph& body_of(AttrView a) { return a.region(Key::body); }
inline Graph own_body(AttrView a, const RuleContext&) { return body_of(a); }
void infer_body(const InferContext& c, std::vector<Type>& results);
void evaluate_body(const EvalContext& c);

// ---- building regions
std::vector<Value> params(Builder& b, std::span<const Type> types);
std::vector<Value> joined(std::span<const Value> a, std::span<const Value> b);

// Sets a flag; whether it was not yet.
inline bool raised(uint8_t& flag) { return std::exchange(flag, 1) == 0; }

// Which inputs the outputs of a region need, whatever other nodes it has. O(nodes).
std::vector<uint8_t> needed_inputs(const Graph& region, std::span<const uint8_t> outputs);

// Whether any element of a boolean holds, and of a region that is nothing else: the input that it is about.
Value any_of(Builder& b, Value holds);
std::optional<size_t> any_of_input(const Graph& region);

// Which outputs of a region depend on the inputs that are flagged. O(nodes).
std::vector<uint8_t> dependent_outputs(const Graph& region, std::span<const uint8_t> inputs);

}  // namespace jot::ir
