// What an op means. One table, filled by the families (ir/ops/<family>.cpp), where all rules of an op stand side by
// side.
#pragma once
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/builder.h"
#include "ir/graph.h"

namespace jot::ir {

// ---- type inference: the result's type, or an error that names the op and the line.
struct InferContext {
  Op op;
  std::span<const Type* const> operands;
  AttrView attrs;
  Location location;
  const Shape& shape(size_t i) const { return operands[i]->shape; }
  DType dtype(size_t i) const { return operands[i]->dtype; }
  [[noreturn]] void shape_error(const std::string& what) const;
  [[noreturn]] void dtype_error(const std::string& what) const;
  [[noreturn]] void index_error(const std::string& what) const;
};
using InferRule = Type (*)(const InferContext&);
// The type of a node: checks number and kind of its operands, then asks the op's rule. In place it is the token.
Type infer_type(const InferContext& c, bool in_place);

// ---- reference evaluation of one node on dense row-major arrays.
struct Array {
  const Type* type;
  const std::byte* data;
  template <class T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(data), static_cast<size_t>(type->shape.numel())};
  }
};
struct EvalContext {
  AttrView attrs;
  const Type& type;  // of the result
  std::span<const Array> operands;
  std::byte* out;
  Location location;
  template <class T>
  std::span<T> result() const {
    return {reinterpret_cast<T*>(out), static_cast<size_t>(type.shape.numel())};
  }
};
using EvalRule = void (*)(const EvalContext&);

// What a zero tangent times an infinite or NaN partial derivative is: NaN, or zero (so in transposes for cotangents).
enum class Zeros : uint8_t { ieee, strong };

// ---- forward derivative: emits the tangent of the result. kNoValue stands for a symbolic zero, in and out.
struct JvpContext {
  Builder& b;
  Op op;
  AttrView attrs;
  std::span<const Value> primals;
  Value out;  // the primal result
  std::span<const Value> tangents;
  Zeros zeros = Zeros::ieee;
  bool has(size_t i) const { return tangents[i] != kNoValue; }
  // tangent * partial, tangent / divisor.
  Value times(Value tangent, Value partial) const;
  Value over(Value tangent, Value divisor) const;
};
using JvpRule = Value (*)(const JvpContext&);

// ---- transpose of an op that is linear in some operands: given the cotangent of the result, emits those of the linear
// operands into `cotangents`. The values of the others are known.
struct TransposeContext {
  Builder& b;
  Op op;
  AttrView attrs;
  std::span<const Value> operands;     // kNoValue where linear
  std::span<const Type* const> types;  // of all operands
  Value ct;
  std::span<Value> cotangents;  // to fill, where linear; kNoValue: zero
  bool linear(size_t i) const { return operands[i] == kNoValue; }
};
using TransposeRule = void (*)(const TransposeContext&);

// ---- batching: batched operands have the batch dim at 0; so has the result. Called when at least one is batched.
enum class RandomMode : uint8_t { error, different, same };
struct BatchContext {
  Builder& b;
  Op op;
  AttrView attrs;
  int64_t size;  // of the batch dim
  std::span<const Value> operands;
  std::span<const bool> batched;
  const Type& type;  // of the unbatched result
  RandomMode randomness;
  // Operand i with a batch dim at 0, broadcast if it has none.
  Value materialised(size_t i) const;
};
using BatchRule = Value (*)(const BatchContext&);

// A rule, or the reason why there is none. Empty slots fail a completeness test.
template <class Fn>
struct Slot {
  Fn fn = nullptr;
  std::string_view why = {};
  Slot() = default;
  template <std::convertible_to<Fn> Rule>
  Slot(Rule rule) : fn(rule) {}  // NOLINT: implicit by design
  explicit operator bool() const { return fn != nullptr; }
};
struct None {
  std::string_view why;
  template <class Fn>
  operator Slot<Fn>() const {
    Slot<Fn> slot;
    slot.why = why;
    return slot;
  }
};
constexpr None none(std::string_view why) { return {why}; }

struct Rules {
  Slot<InferRule> infer;
  Slot<EvalRule> eval;
  Slot<JvpRule> jvp;
  Slot<TransposeRule> transpose;
  Slot<BatchRule> batch;
};
const Rules& rules(Op op);

// Filled once, on first use, by the families.
class RuleTable {
 public:
  RuleTable();
  void define(Op op, const Rules& rules);
  const Rules& operator[](Op op) const { return rules_[static_cast<size_t>(op)]; }

 private:
  std::vector<Rules> rules_;
};
void define_sources(RuleTable& table);
void define_random(RuleTable& table);
void define_structural(RuleTable& table);
void define_indexing(RuleTable& table);
void define_elementwise(RuleTable& table);
void define_pointwise(RuleTable& table);
void define_logical(RuleTable& table);
void define_reductions(RuleTable& table);
void define_dot(RuleTable& table);

}  // namespace jot::ir
