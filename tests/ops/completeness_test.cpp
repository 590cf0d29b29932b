#include <doctest/doctest.h>

#include <set>

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
    CHECK(info(op).is(Trait::alias) == (moves(op) == Moves::regroup));
    CHECK((r.movement.fn.map == nullptr) == (moves(op) == Moves::nothing_known || moves(op) == Moves::regroup));
    bool effect = info(op).op_class == OpClass::effect;
    bool made_with_another = op == Op::param_op || op == Op::result_op;
    CHECK(static_cast<bool>(r.eval) == (!effect && !made_with_another));
    CHECK(static_cast<bool>(r.batch) ==
          (!effect && (op == Op::random_bits_op || op == Op::fold_in_op || info(op).op_class != OpClass::source)));
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
