#include "ir/rules.h"

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

Value BatchContext::materialised(size_t i) const {
  if (batched[i]) return operands[i];
  std::vector<int64_t> dims(b.shape(operands[i]).size());
  std::iota(dims.begin(), dims.end(), 1);
  Shape shape = Shape{size} + b.shape(operands[i]);
  return build::broadcast(b, operands[i], shape, dims);
}

RuleTable::RuleTable() : rules_(static_cast<size_t>(num_ops())) {
  define_sources(*this);
  define_random(*this);
  define_structural(*this);
  define_indexing(*this);
  define_elementwise(*this);
  define_pointwise(*this);
  define_logical(*this);
  define_reductions(*this);
  define_dot(*this);
  define_order(*this);
  define_control(*this);
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
