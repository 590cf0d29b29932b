#include <doctest/doctest.h>

#include <set>

#include "backends/cpu/ops/cpu_ops.h"
#include "ir/ops/total.h"
#include "ir/rules.h"
#include "tests/ops/rows.h"

namespace jot::test {

using namespace ir;

TEST_CASE("Every op has a rule in each slot, or the reason why not") {
  for (int i = 0; i < num_ops(); ++i) {
    Op op = static_cast<Op>(i);
    CAPTURE(name_of(op));
    const Rules& r = rules(op);
    CHECK(r.infer);
    auto filled = [](const auto& slot) { return slot || !slot.why.empty(); };
    CHECK(filled(r.eval));
    CHECK(filled(r.jvp));
    CHECK(filled(r.transpose));
    CHECK(filled(r.batch));
    CHECK(filled(r.movement) == (info(op).op_class == OpClass::movement));
    CHECK((r.movement.fn.map == nullptr) == (moves(op) == Moves::nothing_known || moves(op) == Moves::regroup));
    if (r.faults.kinds && info(op).op_class != OpClass::control) CHECK((r.faults.guard != nullptr));
    bool effect = info(op).op_class == OpClass::effect;
    bool made_with_another = op == Op::param_op || op == Op::result_op;
    CHECK(static_cast<bool>(r.eval) == (!effect && !made_with_another));
    CHECK(static_cast<bool>(r.batch) ==
          (!effect && (op == Op::random_bits_op || op == Op::fold_in_op || info(op).op_class != OpClass::source)));
  }
}

TEST_CASE("Every op runs on the CPU in some way, or there is a reason why not") {
  using cpu::InKernel;
  for (int i = 0; i < num_ops(); ++i) {
    Op op = static_cast<Op>(i);
    CAPTURE(name_of(op));
    const cpu::CpuOp& way = cpu::cpu_op(op);
    const bool element = way.element != nullptr, routine = way.routine != nullptr, kernel = way.kernel != InKernel::no;
    CHECK((kernel || routine) == way.why.empty());
    CHECK(element == (way.kernel == InKernel::element));
    CHECK(element == is_elementwise(op));
    CHECK((way.matrix.make != nullptr) == (way.kernel == InKernel::matrix));
    CHECK((way.matrix.reads != nullptr) == (way.kernel == InKernel::matrix));
    CHECK((element || routine) == way.why.empty());  // of other ops kernels take some only
    if (way.function) CHECK(element);
    if (way.strided || way.updates) CHECK(routine);
    if (way.check) CHECK((rules(op).faults.kinds != nullptr));
    if (is_reduction(op)) CHECK(static_cast<bool>(cpu::cpu_op(combining(op)).element));
  }
}

TEST_CASE("Every pure op has a row that uses it") {
  std::set<Op> tested;
  for (const Row& row : op_rows()) {
    Graph g = graph_of(row);
    bool used = false;
    for (Value v = 0; v < g.data().size(); ++v) used |= g.data().op(v) == row.op;
    CAPTURE(title(row));
    CHECK(used);
    tested.insert(row.op);
  }
  for (int i = 0; i < num_ops(); ++i) {
    Op op = static_cast<Op>(i);
    CAPTURE(name_of(op));
    CHECK((tested.contains(op) || op == Op::result_op || info(op).op_class == OpClass::effect));
  }
}

}  // namespace jot::test
