#include "backends/cpu/ops/cpu_ops.h"

#include "ir/movement.h"
#include "ir/rules.h"

namespace jot::cpu {

using ir::Op;
using ir::Value;

CpuTable::CpuTable() : ops_(static_cast<size_t>(ir::num_ops())) {
  define_clustered(*this);
  define_elements(*this);
  define_functions(*this);
  define_matrices(*this);
  define_routines(*this);
}

void define_clustered(CpuTable& table) {
  auto is_movement = [](Op op) { return ir::moves(op) != ir::Moves::nothing_known; };
  auto is_effect = [](Op op) { return ir::info(op).op_class == ir::OpClass::effect; };
  table.each(is_movement, [](CpuOp& op) { op.kernel = InKernel::moved; });
  table.each(ir::is_reduction, [](CpuOp& op) { op.kernel = InKernel::terms; });
  table[Op::dot_op].kernel = InKernel::terms;
  table[Op::gather_op].kernel = InKernel::gathered;
  table.each(is_effect, [](CpuOp& op) { op.why = "functionalize gives it meaning"; });
  table.each([](Op op) { return ir::rules(op).body != nullptr; }, [](CpuOp& op) { op.why = "its body is inlined"; });
  table[Op::param_op].why = "it is there when a call begins";
  table[Op::result_op].why = "made with the result before it";
}

const CpuOp& cpu_op(Op op) {
  static const auto* table = new CpuTable;
  return static_cast<const CpuTable&>(*table)[op];
}

namespace {

Value first_result(const ir::GraphData& g, Value v) { return g.op(v) == Op::result_op ? g.operand(v, 0) : v; }

}  // namespace

bool is_small_matrix_op(const ir::GraphData& g, Value v, int64_t most) {
  v = first_result(g, v);
  if (cpu_op(g.op(v)).kernel != InKernel::matrix) return false;
  const Shape& a = g.shape(g.operand(v, 0));
  auto small = [=](int64_t n) { return n > 0 && n <= most; };
  return small(a[a.size() - 2]) && small(a[a.size() - 1]);
}

size_t batch_rank(const ir::GraphData& g, Value v) { return g.shape(g.operand(first_result(g, v), 0)).size() - 2; }

}  // namespace jot::cpu
