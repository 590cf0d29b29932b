// Passes on ops with regions: what dce leaves of them, and planted faults.
#include <doctest/doctest.h>

#include <string>

#include "ir/build.h"
#include "passes/dce.h"
#include "passes/dump.h"
#include "passes/pipeline.h"
#include "passes/rewrite.h"
#include "tests/support/host.h"

using namespace jot;
using namespace jot::test;

namespace {

ir::Graph two_branches(const std::string& results, const std::string& returned) {
  return ir::parse("func @main(%n: i64[], %x: f64[2], %y: f64[2], %z: f64[2]) -> (" + results +
                   ") {\n"
                   "  %0: f64[2], %1: f64[2], %2: f64[2] = cond(%n, %x, %y, %z) {branches=[\n"
                   "    @zero(%a: f64[2], %b: f64[2], %c: f64[2]) -> (f64[2], f64[2], f64[2]) {\n"
                   "      %0: f64[2] = sin(%a)\n"
                   "      %1: f64[2] = cos(%b)\n"
                   "      %2: f64[2] = mul(%1, %c)\n"
                   "      return %0, %1, %2\n"
                   "    },\n"
                   "    @one(%a: f64[2], %b: f64[2], %c: f64[2]) -> (f64[2], f64[2], f64[2]) {\n"
                   "      return %a, %a, %c\n"
                   "    }]} loc(\"a.cpp\":2)\n"
                   "  return " +
                   returned + "\n}\n");
}

std::vector<HostTensor> results(const ir::Graph& g, double n) {
  return interpret(g,
                   std::vector<HostTensor>{{i64, {}, {n}}, {f64, {2}, {1, 2}}, {f64, {2}, {3, 4}}, {f64, {2}, {5, 6}}});
}

// Whether the pass keeps what either branch gives.
bool keeps(ir::Graph (*pass)(const ir::Graph&), const ir::Graph& g) {
  return results(pass(g), 0) == results(g, 0) && results(pass(g), 1) == results(g, 1);
}

// Two results swapped: a planted fault.
ir::Graph swapped(const ir::Graph& graph) {
  ir::Builder b;
  passes::Rewriter rewriter(b, graph.data());
  rewriter.take_params();
  rewriter.for_each_op([&](ir::Value v) {
    rewriter.copy(v);
    if (graph.data().results(v) < 2) return;
    ir::Value first = rewriter[v];
    rewriter.set(v, rewriter[v + 1]);
    rewriter.set(v + 1, first);
  });
  return rewriter.finish();
}

// A region whose node reads a value of the graph around it: a planted fault.
ir::Graph reads_outside(const ir::Graph& region) {
  ir::Builder b("captures", ir::Builder::Sharing::off);
  passes::Rewriter rewriter(b, region.data());
  rewriter.take_params();
  rewriter.for_each_op([&](ir::Value v) {
    std::vector<ir::Value> operands(region.data().operands(v).size(), region.data().size() + 7);
    rewriter.copy(v, operands);
  });
  return rewriter.finish();
}

ir::Graph with_captures(const ir::Graph& graph) {
  ir::Builder b;
  passes::Rewriter rewriter(b, graph.data(), reads_outside);
  rewriter.take_params();
  rewriter.for_each_op([&](ir::Value v) { rewriter.copy(v); });
  return rewriter.finish();
}

}  // namespace

TEST_CASE("dce drops results of a choice that nobody uses, and operands that only these need") {
  auto text = [](const std::string& results, const std::string& returned) {
    return to_text(passes::dce(two_branches(results, returned)));
  };
  CHECK(text("f64[2]", "%0") ==
        "func @main(%n: i64[], %x: f64[2], %y: f64[2], %z: f64[2]) -> (f64[2]) {\n"
        "  %0: f64[2] = cond(%n, %x) {branches=[\n"
        "    @zero(%a: f64[2]) -> (f64[2]) {\n"
        "      %0: f64[2] = sin(%a)\n"
        "      return %0\n"
        "    },\n"
        "    @one(%a: f64[2]) -> (f64[2]) {\n"
        "      return %a\n"
        "    }]} loc(\"a.cpp\":2)\n"
        "  return %0\n}\n");
  CHECK(text("f64[2], f64[2]", "%2, %0").find("cond(%n, %x, %y, %z)") != std::string::npos);
  CHECK(text("f64[2]", "%2").find("= cond(%n, %y, %z) {branches=[\n    @zero(%b: f64[2], %c: f64[2])") !=
        std::string::npos);
  CHECK(text("f64[2]", "%x").find("cond") == std::string::npos);
  for (const char* returned : {"%0, %1, %2", "%2, %1, %0", "%2, %2, %0", "%1, %x, %1", "%x, %y, %z"}) {
    CAPTURE(returned);
    ir::Graph g = two_branches("f64[2], f64[2], f64[2]", returned);
    CHECK(keeps(passes::dce, g));
    CHECK(keeps(passes::optimize, g));
    ir::verify(passes::dce(g));
  }
  // What only an unused result of an inner choice needs goes too, and with it the outer operand.
  ir::Graph nested = ir::parse(
      "func @main(%n: i64[], %x: f64[2], %y: f64[2]) -> (f64[2]) {\n"
      "  %0: f64[2], %1: f64[2] = cond(%n, %n, %x, %y) {branches=[@outer(%m: i64[], %a: f64[2], %b: f64[2]) -> "
      "(f64[2], "
      "f64[2]) {\n"
      "    %0: f64[2], %1: f64[2] = cond(%m, %a, %b) {branches=[@inner(%c: f64[2], %d: f64[2]) -> (f64[2], f64[2]) {\n"
      "      return %c, %d\n    }, @other(%c: f64[2], %d: f64[2]) -> (f64[2], f64[2]) {\n"
      "      %0: f64[2] = exp(%c)\n      return %0, %d\n    }]}\n"
      "    return %0, %1\n  }]}\n  return %0\n}\n");
  std::string left = to_text(passes::dce(nested));
  CHECK(left.find("= cond(%n, %n, %x) {") != std::string::npos);
  CHECK(left.find("%d") == std::string::npos);
}

TEST_CASE("planted faults in regions are caught: an outer value, results swapped, a forgotten zero") {
  ir::Graph g = two_branches("f64[2], f64[2], f64[2]", "%0, %1, %2");
  CHECK_FALSE(keeps(swapped, g));
  CHECK_THROWS_WITH_AS(passes::verify_after("planted", with_captures(g)),
                       doctest::Contains("an operand does not precede its user"), IrError);
  // One branch has no cotangent for an operand, and a rule that gives none where the other does.
  ir::Builder both, one, b;
  ir::Value x = both.param({f64, false, {2}}), y = one.param({f64, false, {2}});
  std::vector<ir::Graph> branches = {both.finish({x, x}), one.finish({y})};
  b.set_origin({"rule.cpp", 3}, "");
  ir::Value n = b.param({i64, false, {}}), z = b.param({f64, false, {2}});
  CHECK_THROWS_WITH_AS(
      ir::build::cond(b, n, branches, std::vector<ir::Value>{z}),
      "[cond] results of branch 1: expected (f64[2], f64[2]), got (f64[2]); operands: i64[], f64[2]\n  at rule.cpp:3",
      ShapeError);
}
