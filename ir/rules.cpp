#include "ir/rules.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "ir/build.h"

namespace jot::ir {

namespace {
std::string message(const InferContext& c, const std::string& what) {
  std::string text = "[" + std::string(name_of(c.op)) + "] " + what;
  if (!c.operands.empty()) text += "; operands: ";
  constexpr size_t kShown = 6;
  for (size_t i = 0; i < c.operands.size() && i <= kShown; ++i)
    text += (i ? ", " : "") + (i < kShown ? to_string(*c.operands[i]) : std::string("..."));
  return text + at(c.location);
}
}  // namespace

void InferContext::shape_error(const std::string& what) const { throw ShapeError(message(*this, what)); }
void InferContext::dtype_error(const std::string& what) const { throw DTypeError(message(*this, what)); }
void InferContext::index_error(const std::string& what) const { throw IndexError(message(*this, what)); }

int64_t FaultContext::dim(int64_t own) const {
  auto i = static_cast<size_t>(code);
  return i < call.dims.size() ? call.dims[i] : own;
}

std::string FaultContext::text(const std::string& what, Ints lanes) const {
  std::string text = "[" + (call.function.empty() ? std::string(name_of(op)) : call.function) + "] " + what, where;
  size_t vmaps = 0;
  bool known = false;
  for (size_t i = 0; i < std::min(call.lanes.size(), lanes.size()); ++i) {
    if (call.lanes[i] < 0) continue;
    known |= lanes[i] >= 0;
    where += (vmaps++ ? ", " : "") + (lanes[i] < 0 ? "all" : std::to_string(call.lanes[i] + lanes[i]));
  }
  if (known && vmaps == 1) text += ", in lane " + where + " of vmap";
  if (known && vmaps > 1) text += ", in lane [" + where + "] of nested vmaps, the outermost first";
  return text + at(location);
}

int64_t fault_kinds(const GraphData& g, Value v) {
  const FaultRules& faults = rules(g.op(v)).faults;
  return faults.kinds ? faults.kinds(g.attrs(v)) : 0;
}

void raise_fault(const GraphData& g, Value v, int64_t code, int64_t value, int64_t element) {
  std::vector<const Type*> operands;
  for (Value o : g.operands(v)) operands.push_back(&g.type(o));
  rules(g.op(v)).faults.raise({g.op(v), g.attrs(v), operands, g.location(v), g.call(v), code, value, element});
  internal_error("a fault's rule throws", name_of(g.op(v)));
}

void EvalContext::fault(int64_t code, int64_t value, int64_t element) const {
  std::vector<const Type*> of_operands;
  for (const Array& a : operands) of_operands.push_back(a.type);
  rules(attrs.op()).faults.raise({attrs.op(), attrs, of_operands, location, call, code, value, element});
  internal_error("a fault's rule throws", name_of(attrs.op()));
}

Value BatchContext::materialised(size_t i) const {
  if (batched[i]) return operands[i];
  std::vector<int64_t> dims(b.shape(operands[i]).size());
  std::iota(dims.begin(), dims.end(), 1);
  Shape shape = Shape{size} + b.shape(operands[i]);
  return build::broadcast(b, operands[i], shape, dims);
}

RuleTable::RuleTable() : rules_(static_cast<size_t>(num_ops())) {
#define OP(name, family, ...) \
  if (!rules_[static_cast<size_t>(Op::name##_op)].infer) define_##family(*this);
#include "ir/ops.def"
#undef OP
}

void RuleTable::define(Op op, const Rules& rules) {
  Rules& slot = rules_[static_cast<size_t>(op)];
  if (slot.infer) internal_error("an op is defined once", name_of(op));
  slot = rules;
}

const Rules& rules(Op op) {
  static const auto* table = new RuleTable;
  return (*table)[op];
}

}  // namespace jot::ir
