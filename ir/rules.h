// What an op means. One table, filled by the families (ir/ops/<family>.cpp), where all rules of an op stand side by
// side. Rules of ops with several results write spans; the common op has one, and a rule that returns it.
#pragma once
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/builder.h"
#include "ir/graph.h"
#include "ir/movement.h"
#include "jot/choices.h"

namespace jot::ir {

// A rule for one result, or for any number of them.
template <class One, class Many>
struct EitherRule {
  One one = nullptr;
  Many many = nullptr;
  EitherRule() = default;
  template <std::convertible_to<One> Rule>
  EitherRule(Rule rule) : one(rule) {}  // NOLINT: implicit by design
  template <std::convertible_to<Many> Rule>
  EitherRule(Rule rule) : many(rule) {}  // NOLINT: implicit by design
  explicit operator bool() const { return one != nullptr || many != nullptr; }
};

class RuleContext;

// ---- type inference: the results' types, or an error that names the op and the line.
struct InferContext {
  Op op;
  std::span<const Type* const> operands;
  AttrView attrs;
  Location location{};
  const Shape& shape(size_t i) const { return operands[i]->shape; }
  DType dtype(size_t i) const { return operands[i]->dtype; }
  [[noreturn]] void shape_error(const std::string& what) const;
  [[noreturn]] void dtype_error(const std::string& what) const;
  [[noreturn]] void index_error(const std::string& what) const;
};
using InferRule = EitherRule<Type (*)(const InferContext&), void (*)(const InferContext&, std::vector<Type>& results)>;
// The types of an op's results: checks number and kind of its operands, then asks the op's rule. In place: the token.
void infer_types(const InferContext& c, bool in_place, std::vector<Type>& results);

// ---- reference evaluation of one op on dense row-major arrays.
struct Array {
  const Type* type;
  const std::byte* data;
  template <class T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(data), static_cast<size_t>(type->shape.numel())};
  }
};
// ---- faults of data, found when an op is evaluated. Kernels, routines and the reference evaluation report one as
// {code, value, element}; the op's rule throws the error, in the terms of the user's call.
struct FaultContext {
  Op op;
  AttrView attrs;
  std::span<const Type* const> operands;
  Location location{};
  const Call& call;
  int64_t code;     // the kind of fault, from 0
  int64_t value;    // what was found
  int64_t element;  // where: of the op's batch, row-major
  const Shape& shape(size_t i) const { return operands[i]->shape; }
  // The dim of the user's tensor that this kind of fault is about, `own` where no call tells.
  int64_t dim(int64_t own) const;
  // "[function] what, in lane 3 of vmap", and the line. lanes: of each dim that vmaps put in front the place along it,
  // -1 where the fault is in all lanes.
  std::string text(const std::string& what, Ints lanes) const;
};
// Where `live`, a bool[], is false the operands are to be such that nothing is at fault.
struct GuardContext {
  Builder& b;
  AttrView attrs;
  std::span<Value> operands;
  Value live;
};
struct FaultRules {
  int64_t (*kinds)(AttrView) = nullptr;          // of fault; null: none
  void (*raise)(const FaultContext&) = nullptr;  // always throws
  void (*guard)(const GuardContext&) = nullptr;
};
// How many kinds of fault the data of node v may have.
int64_t fault_kinds(const GraphData& g, Value v);
// Throws the error.
[[noreturn]] void raise_fault(const GraphData& g, Value v, int64_t code, int64_t value, int64_t element);

// Evaluates a region: dense arrays, one an input and one an output.
using RegionEvaluator = void (*)(const Graph& region, std::span<const void* const> inputs,
                                 std::span<void* const> outputs);
struct EvalContext {
  AttrView attrs;
  std::span<const Type* const> types;  // of the results
  std::span<const Array> operands;
  std::span<std::byte* const> outs;
  Location location{};
  const Call& call;
  RegionEvaluator evaluate = nullptr;
  const RuleContext* regions = nullptr;
  const Type& type = *types[0];
  std::byte* out = outs[0];
  template <class T>
  std::span<T> result(size_t i = 0) const {
    return {reinterpret_cast<T*>(outs[i]), static_cast<size_t>(types[i]->shape.numel())};
  }
  [[noreturn]] void fault(int64_t code, int64_t value, int64_t element) const;
};
using EvalRule = void (*)(const EvalContext&);
// One element of a special function, of one operand or two, for all who have no instructions of their own for it.
using ScalarRule = long double (*)(double x, double y);

// What a zero tangent times an infinite or NaN partial derivative is: NaN, or zero (so in transposes for cotangents).
enum class Zeros : uint8_t { ieee, strong };

// ---- forward derivative: emits the tangents of the results. kNoValue stands for a symbolic zero, in and out.
struct JvpContext {
  Builder& b;
  Op op;
  AttrView attrs;
  std::span<const Value> primals;
  Value out;  // the first primal result
  std::span<const Value> tangents;
  std::span<Value> outs;  // all primal results: an op with regions may put others in their place
  const RuleContext& regions;
  Zeros zeros = Zeros::ieee;
  bool has(size_t i) const { return tangents[i] != kNoValue; }
  // tangent * partial, tangent / divisor.
  Value times(Value tangent, Value partial) const;
  Value over(Value tangent, Value divisor) const;
};
using JvpRule = EitherRule<Value (*)(const JvpContext&), void (*)(const JvpContext&, std::span<Value> tangents)>;

// ---- transpose of an op that is linear in some operands: given the cotangents of the results, emits those of the
// linear operands into `cotangents`. The values of the others are known.
struct TransposeContext {
  Builder& b;
  Op op;
  AttrView attrs;
  std::span<const Value> operands;     // kNoValue where linear
  std::span<const Type* const> types;  // of all operands
  std::span<const Value> cts;          // of the results; kNoValue: zero, of at most all but one
  std::span<Value> cotangents;         // to fill, where linear; kNoValue: zero
  const RuleContext& regions;
  Value ct = cts[0];
  bool linear(size_t i) const { return operands[i] == kNoValue; }
};
using TransposeRule = void (*)(const TransposeContext&);

// ---- batching: batched operands have the batch dim at 0; so have the results. Called when at least one is batched.
struct BatchContext {
  Builder& b;
  Op op;
  AttrView attrs;
  int64_t size;  // of the batch dim
  std::span<const Value> operands;
  std::span<const bool> batched;
  std::span<const Type* const> types;  // of the unbatched results
  Randomness randomness;
  const RuleContext& regions;
  const Type& type = *types[0];
  // Operand i with a batch dim at 0, broadcast if it has none.
  Value materialised(size_t i) const;
};
// One whose results differ in what they depend on may clear `batched` of some.
using BatchRule = EitherRule<Value (*)(const BatchContext&),
                             void (*)(const BatchContext&, std::span<Value> results, std::span<bool> batched)>;

// ---- what rules of ops with regions ask the passes for. Regions are pure; the graphs they become are regions again.
class RuleContext {
 public:
  virtual ~RuleContext() = default;
  // Emits the region at args; its results.
  virtual std::vector<Value> inlined(Builder& b, const Graph& region, std::span<const Value> args) const = 0;

  // The derivative, apart from what it is linear in. Of the results those are active whose tangent is not zero.
  struct Split {
    Graph primal;  // x -> y, residuals
    Graph map;     // residuals, tangents of the active inputs -> tangents of the active results
    std::vector<uint8_t> active_results;
    size_t num_residuals = 0;
  };
  virtual Split split(const Graph& region, std::span<const uint8_t> active, Zeros zeros) const = 0;

  // Of a region that is linear in some inputs: the other inputs, cotangents of the results that have one -> cotangents
  // of the linear inputs that are connected.
  struct Transposed {
    Graph graph;
    std::vector<uint8_t> connected;  // one a linear input
  };
  virtual Transposed transposed(const Graph& region, std::span<const uint8_t> linear,
                                std::span<const uint8_t> has_ct) const = 0;

  // For `size` lanes, at dim 0 of the inputs where `batched` and of the results where results_batched says so; at least
  // of those where `with_lanes` does (empty: none).
  struct Batch {
    Graph graph;
    std::vector<uint8_t> results_batched;
  };
  virtual Batch batched(const Graph& region, std::span<const uint8_t> batched, int64_t size, Randomness randomness,
                        std::span<const uint8_t> with_lanes) const = 0;

  // The region with a further parameter at this position, a bool[]: while it is false nothing in the region is at
  // fault, and its results mean nothing.
  virtual Graph guarded(const Graph& region, size_t position) const = 0;

  // Equal, without what is not needed.
  virtual Graph simplified(const Graph& region) const = 0;
  // Only the outputs that are flagged, without what they do not need; and only the inputs that are flagged, of which
  // those are that they need.
  virtual Graph part(const Graph& region, std::span<const uint8_t> outputs, std::span<const uint8_t> inputs) const = 0;
};

// What is left of an op with regions of which only some results are used.
struct TrimContext {
  AttrView attrs;
  size_t num_operands;
  std::span<const uint8_t> used;  // one a result, at least one of them
  const RuleContext& regions;
};
struct Trimmed {
  Attrs attrs;
  std::vector<uint8_t> operands, results;  // those that stay; at least the used ones
};
using TrimRule = Trimmed (*)(const TrimContext&);

using BodyRule = Graph (*)(AttrView attrs, const RuleContext& regions);

// A rule, or the reason why there is none. Empty slots fail a completeness test.
template <class Fn>
struct Slot {
  Fn fn{};
  std::string_view why = {};
  Slot() = default;
  template <std::convertible_to<Fn> Rule>
  Slot(Rule rule) : fn(rule) {}  // NOLINT: implicit by design
  explicit operator bool() const { return static_cast<bool>(fn); }
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
  FaultRules faults = {};
  Slot<MovementRule> movement = {};  // of the class movement: which element goes where
  TrimRule trim = nullptr;           // of ops with several results and regions
  ScalarRule scalar = nullptr;       // of special functions
  BodyRule body = nullptr;           // of ops that mean something to derivatives alone: what they compute
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
// One function a family.
#define OP(name, family, ...) void define_##family(RuleTable& table);
#include "ir/ops.def"
#undef OP

}  // namespace jot::ir
