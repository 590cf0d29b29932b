#include "ir/ops/regions.h"

#include <algorithm>
#include <numeric>

#include "ir/dependence.h"

namespace jot::ir {

namespace {

std::string types_text(std::span<const Type* const> types) {
  std::string text = "(";
  for (size_t i = 0; i < types.size(); ++i) text += (i ? ", " : "") + to_string(*types[i]);
  return text + ")";
}

}  // namespace

std::vector<const Type*> types_of(const GraphData& g, std::span<const Value> values) {
  std::vector<const Type*> types;
  for (Value v : values) types.push_back(&g.type(v));
  return types;
}

void expect_types(const InferContext& c, const std::string& what, std::span<const Type* const> expected,
                  std::span<const Type* const> got) {
  if (!std::ranges::equal(expected, got, [](const Type* x, const Type* y) { return *x == *y; }))
    c.shape_error(what + ": expected " + types_text(expected) + ", got " + types_text(got));
}

void expect_pure(const InferContext& c, const std::string& what, const Graph& region) {
  if (!region.pure() || !region.data().writebacks().empty()) c.shape_error(what + " has effects; functionalize it");
}

void infer_body(const InferContext& c, std::vector<Type>& results) {
  const GraphData& g = body_of(c.attrs).data();
  expect_pure(c, "the body", body_of(c.attrs));
  expect_types(c, "parameters of the body", c.operands, types_of(g, g.inputs()));
  if (g.outputs().empty()) c.shape_error("expected at least one result");
  for (Value o : g.outputs()) results.push_back(g.type(o));
}

void evaluate_body(const EvalContext& c) {
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (const Array& a : c.operands) inputs.push_back(a.data);
  for (std::byte* out : c.outs) outputs.push_back(out);
  c.evaluate(rules(c.attrs.op()).body(c.attrs, *c.regions), inputs, outputs);
}

std::vector<Value> joined(std::span<const Value> a, std::span<const Value> b) {
  std::vector<Value> all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

std::vector<Value> params(Builder& b, std::span<const Type> types) {
  std::vector<Value> result;
  for (const Type& t : types) result.push_back(b.param(t));
  return result;
}

Value any_of(Builder& b, Value holds) {
  std::vector<int64_t> dims(b.shape(holds).size());
  std::iota(dims.begin(), dims.end(), 0);
  return build::reduce(b, Op::reduce_or_op, holds, dims);
}

std::optional<size_t> any_of_input(const Graph& region) {
  const GraphData& g = region.data();
  if (g.outputs().size() != 1) return {};
  Value x = g.outputs()[0];
  while (!g.operands(x).empty()) x = g.operand(x, 0);
  if (g.op(x) != Op::param_op || g.dtype(x) != DType::boolean) return {};
  Builder b(std::string(g.name()));
  std::vector<Value> all;
  for (Value p : g.inputs()) all.push_back(b.param(g.type(p)));
  const auto i = static_cast<size_t>(g.attrs(x).integer(Key::index));
  return b.finish({any_of(b, all[i])}) == region ? std::optional(i) : std::nullopt;
}

std::vector<uint8_t> dependent_outputs(const Graph& region, std::span<const uint8_t> inputs) {
  const std::vector<uint8_t> depends = dependents(region.data(), inputs);
  std::vector<uint8_t> result;
  for (Value o : region.data().outputs()) result.push_back(depends[o]);
  return result;
}

std::vector<uint8_t> needed_inputs(const Graph& region, std::span<const uint8_t> outputs) {
  const GraphData& g = region.data();
  std::vector<uint8_t> needed(g.size(), 0), result;
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i]) needed[g.outputs()[i]] = 1;
  for (Value v = g.size(); v-- > 0;)
    if (needed[v])
      for (Value o : g.operands(v)) needed[o] = 1;
  for (Value v : g.inputs()) result.push_back(needed[v]);
  return result;
}

}  // namespace jot::ir
