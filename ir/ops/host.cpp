// host_call(order, x...): what the user's own code makes of x. Its first operand and result have no elements: calls
// that come after one another hand it on.
#include "ir/host.h"

#include <algorithm>

#include "ir/ops/classes.h"
#include "ir/ops/evaluate.h"
#include "ir/ops/regions.h"

namespace jot::ir {
namespace {

const Type& order_type() {
  static const Type* type = new Type{DType::u8, false, Shape{0}};
  return *type;
}

void infer_host_call(const InferContext& c, std::vector<Type>& results) {
  if (c.operands.empty() || *c.operands[0] != order_type())
    c.shape_error("operand 0 must be " + to_string(order_type()) + ", its place among other calls");
  const GraphData& g = body_of(c.attrs).data();
  expect_types(c, "operands of the host's function", types_of(g, g.inputs()), c.operands.subspan(1));
  results.push_back(order_type());
  for (Value o : g.outputs()) results.push_back(g.type(o));
}

void evaluate_host_call(const EvalContext& c) {
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (const Array& a : c.operands.subspan(1)) inputs.push_back(a.data);
  for (std::byte* out : c.outs.subspan(1)) outputs.push_back(out);
  call_host(body_of(c.attrs), inputs, outputs, c.location);
}

void jvp_host_call(const JvpContext& c, std::span<Value> tangents) {
  const GraphData& g = body_of(c.attrs).data();
  bool any = false;
  for (size_t i = 1; i < c.primals.size(); ++i) any |= c.has(i);
  if (any && std::ranges::any_of(g.outputs(), [&](Value o) { return is_floating(g.dtype(o)); }))
    throw TransformError(
        "[host_call] the host's code has no derivative: give it one with custom_jvp or custom_vjp, or call it on "
        "stop_gradient(x)" +
        at(c.b.location()));
  std::ranges::fill(tangents, kNoValue);
}

// One lane after the other: a scan over them.
void batch_host_call(const BatchContext& c, std::span<Value> results, std::span<bool> batched) {
  const GraphData& g = body_of(c.attrs).data();
  Builder body(g.name());
  std::vector<Value> operands, args(c.operands.size());
  for (bool lanes : {false, true}) {
    for (size_t i = 1; i < c.operands.size(); ++i) {
      if (c.batched[i] != lanes) continue;
      operands.push_back(c.operands[i]);
      args[i] = body.param(g.type(g.inputs()[i - 1]));
    }
    if (lanes) continue;
    // Without elements, lanes do not differ.
    operands.push_back(c.batched[0] ? build::reshape(c.b, c.operands[0], order_type().shape) : c.operands[0]);
    args[0] = body.param(order_type());
  }
  bool any = std::any_of(c.batched.begin() + 1, c.batched.end(), [](bool b) { return b; });
  Value next = kNoValue;
  if (any) {
    body.set_location(c.b.location());
    Value first = body.emit(c.op, args, c.attrs);
    std::vector<Value> outputs;
    for (size_t k = 0; k < results.size(); ++k) outputs.push_back(first + static_cast<Value>(k));
    size_t consts = static_cast<size_t>(std::count(c.batched.begin() + 1, c.batched.end(), false));
    next = build::scan(c.b, body.finish(outputs), c.size, false, consts, 1, operands);
  } else {
    std::rotate(operands.begin(), operands.end() - 1, operands.end());
    next = c.b.emit(c.op, operands, c.attrs);
  }
  for (size_t k = 0; k < results.size(); ++k) {
    results[k] = next++;
    batched[k] = any && k > 0;
  }
}

}  // namespace

void call_host(const Graph& region, std::span<const void* const> inputs, std::span<void* const> outputs,
               Location location) {
  const HostFunction* f = region.data().host();
  if (!f)
    throw IrError("[host_call] the text form of a graph does not have the host's code: trace it again" + at(location));
  f->call(inputs, outputs);
}

void define_host(RuleTable& table) {
  table.define(Op::host_call_op, {.infer = infer_host_call,
                                  .eval = evaluate_host_call,
                                  .jvp = jvp_host_call,
                                  .transpose = none("the host's code has no derivative"),
                                  .batch = batch_host_call});
}

}  // namespace jot::ir
