#include <string>

#include "ir/extents.h"
#include "ir/rules.h"

namespace jot::ir {
namespace {

void check_operands(const InferContext& c, bool in_place) {
  const OpInfo& op = info(c.op);
  size_t n = c.operands.size();
  int wanted = c.op == Op::copy_op ? 1 + in_place : op.operands;
  const bool may_have_none = has_regions(c.op) && c.op != Op::cond_op;  // steps of constants
  if (wanted >= 0 ? n != static_cast<size_t>(wanted) : n == 0 && !may_have_none)
    c.shape_error("expected " + (wanted >= 0 ? std::to_string(wanted) : std::string("at least one")) +
                  " operand(s), got " + std::to_string(n));
  for (size_t i = 0; i < n; ++i)
    if (c.operands[i]->token != (c.op == Op::read_op && i == 1))
      c.dtype_error("operand " + std::to_string(i) +
                    (c.operands[i]->token ? " is a token, not a tensor" : " is a tensor, not a token"));
  if (in_place && !can_be_in_place(c.op)) c.dtype_error("this op cannot be in place");
  if (!in_place && c.op == Op::fill_op) c.dtype_error("this op is in place only");
}

void check_size(const InferContext& c, const Type& type) {
  if (std::string fault = fault_of(type.shape); !fault.empty()) c.shape_error("the result " + fault);
}

}  // namespace

void infer_types(const InferContext& c, bool in_place, std::vector<Type>& results) {
  check_operands(c, in_place);
  results.clear();
  const InferRule& rule = rules(c.op).infer.fn;
  if (rule.one)
    results.push_back(rule.one(c));
  else
    rule.many(c, results);
  for (const Type& type : results) check_size(c, type);
  if (!in_place) return;
  const Type& destination = *c.operands[0];
  if (results[0] != destination)
    c.shape_error("in place: the result is " + to_string(results[0]) + ", the destination is " +
                  to_string(destination));
  results.assign(1, token_type());
}

}  // namespace jot::ir
