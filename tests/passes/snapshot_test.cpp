// Each pass on a small graph: what it makes of it, as text.
#include <doctest/doctest.h>

#include <string>

#include "ir/build.h"
#include "passes/cse.h"
#include "passes/dce.h"
#include "passes/fold.h"
#include "passes/functionalize.h"
#include "passes/pipeline.h"
#include "passes/registry.h"
#include "passes/simplify.h"

using namespace jot;

namespace {

struct Row {
  std::string name, before, after;
};

std::string graph(const std::string& parameters, const std::string& results, const std::string& body) {
  return "func @main(" + parameters + ") -> (" + results + ") {\n" + body + "}\n";
}

// `before` and `after` are bodies of functions of these parameters and results.
void check(ir::Graph (*pass)(const ir::Graph&), const std::string& parameters, const std::string& results,
           const Row& row) {
  CAPTURE(row.name);
  ir::Graph g = pass(ir::parse(graph(parameters, results, row.before)));
  ir::verify(g);
  CHECK(to_text(g) == graph(parameters, results, row.after));
}

std::string splat(const std::string& name, const std::string& value, const std::string& type = "f64[2]") {
  std::string shape = type.substr(type.find('[')), dtype = type.substr(0, type.find('['));
  return "  " + name + ": " + type + " = const() {shape=" + shape + ", dtype=" + dtype + ", data=[" + value + "]}\n";
}

std::string binary(const std::string& op, const std::string& x, const std::string& y,
                   const std::string& type = "f64[2]") {
  return "  %1: " + type + " = " + op + "(" + x + ", " + y + ")\n  return %1\n";
}

}  // namespace

TEST_CASE("simplify: identities of IEEE 754") {
  const char* x = "  return %x\n";
  const Row rows[] = {
      {"x * 1", splat("%0", "1") + binary("mul", "%x", "%0"), x},
      {"1 * x", splat("%0", "1") + binary("mul", "%0", "%x"), x},
      {"x / 1", splat("%0", "1") + binary("div", "%x", "%0"), x},
      {"x + -0", splat("%0", "-0") + binary("add", "%x", "%0"), x},
      {"-0 + x", splat("%0", "-0") + binary("add", "%0", "%x"), x},
      {"x - 0", splat("%0", "0") + binary("sub", "%x", "%0"), x},
      {"--x", "  %0: f64[2] = neg(%x)\n  %1: f64[2] = neg(%0)\n  return %1\n", x},
      {"where(p, x, x)", "  %0: f64[2] = where(%p, %x, %x)\n  return %0\n", x},
      {"where(true, x, y)", splat("%0", "1", "bool[2]") + "  %1: f64[2] = where(%0, %x, %y)\n  return %1\n", x},
      {"where(false, y, x)", splat("%0", "0", "bool[2]") + "  %1: f64[2] = where(%0, %y, %x)\n  return %1\n", x},
      {"through broadcasts",
       splat("%0", "1", "f64[]") + "  %2: f64[2] = broadcast(%0) {shape=[2], dims=[]}\n" + binary("mul", "%x", "%2"),
       x},
      {"reshape of reshape",
       "  %0: f64[2,1] = reshape(%x) {shape=[2,1]}\n  %1: f64[2] = reshape(%0) {shape=[2]}\n  return %1\n", x},
      {"a broadcast that repeats nothing",
       "  %0: f64[2,1] = broadcast(%x) {shape=[2,1], dims=[0]}\n  %1: f64[2] = reshape(%0) {shape=[2]}\n  return %1\n",
       x},
      {"permute of permute", "  %0: f64[2] = permute(%x) {perm=[0]}\n  return %0\n", x},
      {"whole slice", "  %0: f64[2] = slice(%x) {start=[0], limit=[2], stride=[1]}\n  return %0\n", x},
      {"convert to the same", "  %0: f64[2] = convert(%x) {dtype=f64}\n  return %0\n", x},
  };
  auto pass = [](const ir::Graph& g) { return passes::dce(passes::simplify(g)); };
  for (const Row& row : rows) check(pass, "%x: f64[2], %y: f64[2], %p: bool[2]", "f64[2]", row);
}

TEST_CASE("simplify: what IEEE 754 does not allow stays") {
  const Row rows[] = {
      {"x * 0", splat("%0", "0") + binary("mul", "%x", "%0"), ""},
      {"0 * x", splat("%0", "0") + binary("mul", "%0", "%x"), ""},
      {"x * -1", splat("%0", "-1") + binary("mul", "%x", "%0"), ""},
      {"0 / x", splat("%0", "0") + binary("div", "%0", "%x"), ""},
      {"1 / x", splat("%0", "1") + binary("div", "%0", "%x"), ""},
      {"x + 0", splat("%0", "0") + binary("add", "%x", "%0"), ""},
      {"add_any with 0, a value", splat("%0", "0") + binary("add_any", "%x", "%0"), ""},
      {"x - -0", splat("%0", "-0") + binary("sub", "%x", "%0"), ""},
      {"0 - x", splat("%0", "0") + binary("sub", "%0", "%x"), ""},
      {"-0 - x", splat("%0", "-0") + binary("sub", "%0", "%x"), ""},
  };
  for (Row row : rows) {
    row.after = row.before;
    check(passes::simplify, "%x: f64[2], %y: f64[2], %p: bool[2]", "f64[2]", row);
  }
  for (std::string op : {"sub", "div", "max"})
    check(passes::simplify, "%x: f64[2]", "f64[2]",
          {"x " + op + " x", "  %0: f64[2] = " + op + "(%x, %x)\n  return %0\n",
           "  %0: f64[2] = " + op + "(%x, %x)\n  return %0\n"});
  check(passes::simplify, "%x: f64[2]", "f64[2]",
        {"stop_gradient", "  %0: f64[2] = stop_gradient(%x)\n  return %0\n",
         "  %0: f64[2] = stop_gradient(%x)\n  return %0\n"});
}

TEST_CASE("simplify: a diagonal is symmetric, its batch dims are not part of it") {
  auto pass = [](const ir::Graph& g) { return passes::dce(passes::simplify(g)); };
  const std::string one = "  %0: f64[2,3,2,3] = diag_embed(%x) {batch_dims=0}\n",
                    batched = "  %0: f64[2,3,3] = diag_embed(%x) {batch_dims=1}\n";
  auto permuted = [](const std::string& type, const std::string& perm) {
    return "  %1: " + type + " = permute(%0) {perm=" + perm + "}\n  return %1\n";
  };
  check(pass, "%x: f64[2,3]", "f64[2,3,2,3]",
        {"halves", one + permuted("f64[2,3,2,3]", "[2,3,0,1]"), one + "  return %0\n"});
  check(pass, "%x: f64[2,3]", "f64[2,3,3]",
        {"batch", batched + permuted("f64[2,3,3]", "[0,2,1]"), batched + "  return %0\n"});
  check(pass, "%x: f64[2,3]", "f64[3,2,3,2]",
        {"axes", one + permuted("f64[3,2,3,2]", "[1,0,3,2]"), one + permuted("f64[3,2,3,2]", "[1,0,3,2]")});
  check(pass, "%x: f64[2,3]", "f64[3,2,3]",
        {"with a batch dim", batched + permuted("f64[3,2,3]", "[1,0,2]"), batched + permuted("f64[3,2,3]", "[1,0,2]")});
}

TEST_CASE("simplify: integers have one zero") {
  auto pass = [](const ir::Graph& g) { return passes::dce(passes::simplify(g)); };
  check(pass, "%x: i64[2]", "i64[2]",
        {"x + 0", splat("%0", "0", "i64[2]") + binary("add", "%x", "%0", "i64[2]"), "  return %x\n"});
  check(pass, "%x: i64[2]", "i64[2]",
        {"x * 1", splat("%0", "1", "i64[2]") + binary("mul", "%x", "%0", "i64[2]"), "  return %x\n"});
}

TEST_CASE("fold evaluates constants as the interpreter does") {
  auto pass = [](const ir::Graph& g) { return passes::dce(passes::fold(g)); };
  const Row rows[] = {
      {"0.1 + 0.2 in f64", splat("%0", "0.1") + splat("%2", "0.2") + binary("add", "%0", "%2"),
       "  %0: f64[2] = const() {shape=[2], dtype=f64, data=[0.30000000000000004]}\n  return %0\n"},
      {"0 * inf", splat("%0", "0") + splat("%2", "inf") + binary("mul", "%0", "%2"),
       "  %0: f64[2] = const() {shape=[2], dtype=f64, data=[-nan]}\n  return %0\n"},
      {"not a splat",
       "  %0: f64[2] = const() {shape=[2], dtype=f64, data=[1,-2]}\n  %1: f64[2] = neg(%0)\n  return %1\n",
       "  %0: f64[2] = const() {shape=[2], dtype=f64, data=[-1,2]}\n  return %0\n"},
      {"stop_gradient is for the user to drop", splat("%0", "1") + "  %1: f64[2] = stop_gradient(%0)\n  return %1\n",
       splat("%0", "1") + "  %1: f64[2] = stop_gradient(%0)\n  return %1\n"},
  };
  for (const Row& row : rows) check(pass, "%x: f64[2]", "f64[2]", row);
  check(pass, "", "f32[100000]",
        {"splats of any size", splat("%0", "1", "f32[100000]") + "  %1: f32[100000] = neg(%0)\n  return %1\n",
         splat("%0", "-1", "f32[100000]") + "  return %0\n"});
  check(pass, "", "f64[65]",
        {"large results stay",
         "  %0: f64[65] = iota() {shape=[65], dim=0, dtype=f64}\n  %1: f64[65] = neg(%0)\n  return %1\n",
         "  %0: f64[65] = iota() {shape=[65], dim=0, dtype=f64}\n  %1: f64[65] = neg(%0)\n  return %1\n"});
}

TEST_CASE("cse merges equal nodes, not reads across a write") {
  check(passes::cse, "%x: f64[2]", "f64[2]",
        {"equal", "  %0: f64[2] = sin(%x)\n  %1: f64[2] = sin(%x)\n  %2: f64[2] = add(%0, %1)\n  return %2\n",
         "  %0: f64[2] = sin(%x)\n  %1: f64[2] = add(%0, %0)\n  return %1\n"});
  // Two reads before and after a write give different values.
  check(passes::optimize, "%x: f64[2]", "f64[2]",
        {"reads",
         "  %0: f64[2] = copy(%x)\n  %1: token = add_(%0, %x)\n  %2: f64[2] = read(%0, %1)\n"
         "  %3: token = add_(%0, %x)\n  %4: f64[2] = read(%0, %3)\n  %5: f64[2] = sub(%2, %4)\n  return %5\n",
         "  %0: f64[2] = add(%x, %x)\n  %1: f64[2] = add(%0, %x)\n  %2: f64[2] = sub(%0, %1)\n  return %2\n"});
}

TEST_CASE("dce drops what no result needs; parameters stay") {
  check(
      passes::dce, "%x: f64[2], %y: f64[2]", "f64[2]",
      {"dead",
       "  %0: f64[2] = sin(%x)\n  %1: f64[2] = cos(%y)\n  %2: f64[2] = neg(%0)\n  %3: f64[2] = neg(%1)\n  return %2\n",
       "  %0: f64[2] = sin(%x)\n  %1: f64[2] = neg(%0)\n  return %1\n"});
}

TEST_CASE("functionalize: writes become updates, inputs that were written are written back once") {
  check(passes::functionalize, "%x: f64[4], %y: f64[2]", "f64[4]",
        {"a slice of an input",
         "  %0: f64[2] = slice(%x) {start=[1], limit=[3], stride=[1]}\n  %1: token = add_(%0, %y)\n"
         "  %2: f64[4] = read(%x, %1)\n  %3: token = neg_(%x)\n  return %2\n",
         "  %0: f64[2] = slice(%x) {start=[1], limit=[3], stride=[1]}\n  %1: f64[2] = add(%0, %y)\n"
         "  %2: i64[] = const() {shape=[], dtype=i64, data=[1]}\n  %3: f64[4] = dynamic_update_slice(%x, %1, %2)\n"
         "  %4: f64[4] = neg(%3)\n  writeback %x = %4\n  return %3\n"});
  check(passes::functionalize, "%x: f64[2,3], %y: f64[6]", "f64[3,2]",
        {"through reshape, read through permute",
         "  %0: f64[6] = reshape(%x) {shape=[6]}\n  %1: f64[3,2] = permute(%x) {perm=[1,0]}\n"
         "  %2: token = copy_(%0, %y)\n  %3: f64[3,2] = read(%1, %2)\n  return %3\n",
         "  %0: f64[2,3] = reshape(%y) {shape=[2,3]}\n  %1: f64[3,2] = permute(%0) {perm=[1,0]}\n"
         "  writeback %x = %0\n  return %1\n"});
  check(passes::functionalize, "%x: f64[2], %y: f64[1,2]", "f64[2]",
        {"through detach, and an expansion that repeats nothing",
         "  %0: f64[2] = stop_gradient(%x)\n  %1: f64[1,2] = broadcast(%0) {shape=[1,2], dims=[1]}\n"
         "  %2: token = copy_(%1, %y)\n  %3: f64[2] = read(%x, %2)\n  return %3\n",
         "  %0: f64[1,2] = stop_gradient(%y)\n  %1: f64[2] = reshape(%0) {shape=[2]}\n"
         "  writeback %x = %1\n  return %1\n"});
  // The example of docs/mutation.md.
  check(passes::functionalize, "%x: f32[3,4], %v: f32[4]", "f32[4,3]",
        {"a row, read through a transpose",
         "  %0: f32[1,4] = slice(%x) {start=[1,0], limit=[2,4], stride=[1,1]}\n"
         "  %1: f32[4] = reshape(%0) {shape=[4]}\n  %2: token = add_(%1, %v)\n  %3: token = sin_(%1)\n"
         "  %4: f32[4,3] = permute(%x) {perm=[1,0]}\n  %5: f32[4,3] = read(%4, %3)\n  %6: f32[4,3] = exp(%5)\n"
         "  return %6\n",
         "  %0: f32[1,4] = slice(%x) {start=[1,0], limit=[2,4], stride=[1,1]}\n"
         "  %1: f32[4] = reshape(%0) {shape=[4]}\n  %2: f32[4] = add(%1, %v)\n  %3: f32[4] = sin(%2)\n"
         "  %4: f32[1,4] = reshape(%3) {shape=[1,4]}\n  %5: i64[] = const() {shape=[], dtype=i64, data=[1]}\n"
         "  %6: i64[] = const() {shape=[], dtype=i64, data=[0]}\n"
         "  %7: f32[3,4] = dynamic_update_slice(%x, %4, %5, %6)\n  %8: f32[4,3] = permute(%7) {perm=[1,0]}\n"
         "  %9: f32[4,3] = exp(%8)\n  writeback %x = %7\n  return %9\n"});
  // Writes that follow each other through one view are put back once.
  check(passes::functionalize, "%x: f64[4]", "f64[4]",
        {"twice through a slice",
         "  %0: f64[2] = slice(%x) {start=[1], limit=[3], stride=[1]}\n  %1: token = exp_(%0)\n"
         "  %2: token = sin_(%0)\n  %3: f64[4] = read(%x, %2)\n  return %3\n",
         "  %0: f64[2] = slice(%x) {start=[1], limit=[3], stride=[1]}\n  %1: f64[2] = exp(%0)\n"
         "  %2: f64[2] = sin(%1)\n  %3: i64[] = const() {shape=[], dtype=i64, data=[1]}\n"
         "  %4: f64[4] = dynamic_update_slice(%x, %2, %3)\n  writeback %x = %4\n  return %4\n"});
  check(passes::functionalize, "%x: f64[4], %y: f64[2], %i: i64[2,1]", "f64[4]",
        {"through a gather",
         "  %0: f64[2] = gather(%x, %i) {offset_dims=[], collapsed=[0], index_map=[0], operand_batch=[], "
         "index_batch=[], sizes=[1], mode=clip}\n  %1: token = copy_(%0, %y)\n  %2: f64[4] = read(%x, %1)\n"
         "  return %2\n",
         "  %0: f64[4] = scatter_set(%x, %i, %y) {offset_dims=[], collapsed=[0], index_map=[0], operand_batch=[], "
         "index_batch=[], mode=clip, unique=0}\n  writeback %x = %0\n  return %0\n"});
  CHECK_THROWS_WITH_AS(
      passes::functionalize(ir::parse(graph("%x: f64[1], %y: f64[3]", "f64[1]",
                                            "  %0: f64[3] = broadcast(%x) {shape=[3], dims=[0]} loc(\"a.cpp\":1)\n"
                                            "  %1: token = copy_(%0, %y) loc(\"a.cpp\":2)\n  return %x\n"))),
      "[copy_] more than one element of the written-to tensor refers to a single memory location; write to a "
      "clone() of it\n"
      "  at a.cpp:2",
      ShapeError);
}

TEST_CASE("functionalize is linear: writes through views of one base, and through long chains of views") {
  // %0 = x[0:2], %1 = x[1:3], written in turn: each write is put back before the next.
  constexpr int64_t kWrites = 100'000;
  auto part = [](ir::Builder& b, ir::Value x, int64_t n, int64_t from) {
    return ir::build::slice_axis(b, x, 0, from, from + n - 1);
  };
  {
    ir::Builder b("main", ir::Builder::Sharing::off);
    ir::Value x = b.param({f64, false, {3}}), write = ir::kNoValue;
    for (int64_t i = 0; i < kWrites; ++i) write = b.emit(ir::Op::neg_op, {part(b, x, 3, i % 2)}, {}, true);
    ir::Graph pure = passes::functionalize(b.finish({b.emit(ir::Op::read_op, {x, write})}));
    CHECK(pure.pure());
    CHECK(pure.num_nodes() <= 3 * kWrites + 8);  // a slice, the negation, the update
  }
  // Through a chain of 1000 views, 1000 times: put back once, at the end.
  {
    constexpr int64_t kDepth = 1000;
    ir::Builder b("main", ir::Builder::Sharing::off);
    ir::Value x = b.param({f64, false, {kDepth + 1}}), v = x, write = ir::kNoValue;
    for (int64_t n = kDepth + 1; n > 1; --n) v = part(b, v, n, n % 2);
    for (int64_t i = 0; i < kDepth; ++i) write = b.emit(ir::Op::neg_op, {v}, {}, true);
    ir::Graph pure = passes::functionalize(b.finish({b.emit(ir::Op::read_op, {x, write})}));
    CHECK(pure.num_nodes() <= 3 * kDepth + 8);
  }
}

TEST_CASE("passes are found by name") {
  CHECK(passes::pass_named("simplify").name == "simplify");
  CHECK_THROWS_WITH_AS(passes::pass_named("simplifi"),
                       doctest::Contains("[pass] there is no pass 'simplifi': expected one of functionalize, simplify"),
                       Error);
  for (const passes::Pass& p : passes::optimization_pipeline()) CHECK(passes::pass_named(p.name).name == p.name);
}
