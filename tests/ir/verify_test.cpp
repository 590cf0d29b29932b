#include <doctest/doctest.h>

#include <string>

#include "ir/build.h"
#include "tests/support/random_graph.h"

using namespace jot;
using namespace jot::ir;

namespace {

template <class Fn>
std::string ir_error(Fn fn) {
  try {
    fn();
  } catch (const IrError& e) {
    return e.what();
  }
  return "no error";
}

std::string verify_error(const Graph& g) {
  return ir_error([&] { verify(g); });
}

// A graph whose only node is `node` of `from`, on parameters of these types: what no rule has checked.
Graph corrupted(const Graph& from, std::initializer_list<Type> operands, Value node) {
  Builder b("bad");
  std::vector<Value> params;
  for (const Type& t : operands) params.push_back(b.param(t));
  Value v = b.copy_node(from.data(), node, params);
  return b.finish({v});
}

}  // namespace

TEST_CASE("what the builder makes verifies") {
  for (uint64_t seed = 1000; seed < 1200; ++seed) {
    CAPTURE(seed);
    CHECK(verify_error(test::random_graph(seed, {.effects = seed % 2 == 0})) == "no error");
  }
}

TEST_CASE("a wrong type is found by inferring again, and the node named") {
  Graph sum = parse(
      "func @main(%x: f32[2,3]) -> (f32[2]) {\n  %0: f32[2] = reduce_sum(%x) {dims=[1]} loc(\"a.cpp\":7)\n  return "
      "%0\n}");
  CHECK(verify_error(corrupted(sum, {{f32, false, {3, 3}}}, 1)) ==
        "[verify] %1: f32[2] = reduce_sum(%0) {dims=[1]}: its type is inferred as f32[3]\n  at a.cpp:7");
  CHECK(verify_error(corrupted(sum, {{f64, false, {2, 3}}}, 1)).find("its type is inferred as f64[2]") !=
        std::string::npos);
  std::string rank = verify_error(corrupted(sum, {{f32, false, {3}}}, 1));
  CHECK(rank.starts_with("[verify] %1: f32[2] = reduce_sum(%0) {dims=[1]}: [reduce_sum] "));
  CHECK(rank.ends_with("\n  at a.cpp:7"));
  CHECK(verify_error(corrupted(sum, {{f32, false, {2, 3}}, {f32, false, {2, 3}}}, 1))
            .find("expected 1 operand(s), got 2") != std::string::npos);
  CHECK(verify_error(corrupted(sum, {{boolean, false, {2, 3}}}, 1)).find("[reduce_sum]") != std::string::npos);
}

TEST_CASE("regions and results are verified with their op") {
  Graph choice = parse(
      "func @main(%n: i64[], %x: f32[3]) -> (f32[3], f32[3]) {\n"
      "  %0: f32[3], %1: f32[3] = cond(%n, %x) {branches=[@b(%a: f32[3]) -> (f32[3], f32[3]) {\n"
      "    return %a, %a\n  }]} loc(\"a.cpp\":7)\n  return %0, %1\n}");
  const Type index{i64, false, {}};
  std::string other = verify_error(corrupted(choice, {index, {f32, false, {4}}}, 2));
  CHECK(other.find("[cond] parameters of branch 0: expected (f32[4]), got (f32[3])") != std::string::npos);
  CHECK(other.ends_with("\n  at a.cpp:7"));
  CHECK(verify_error(corrupted(choice, {{f32, false, {3}}, {f32, false, {3}}}, 2))
            .find("[cond] the index must be i64[], got f32[3]") != std::string::npos);
  CHECK(verify_error(corrupted(choice, {index}, 2)).find("[cond] parameters of branch 0: expected (), got (f32[3])") !=
        std::string::npos);
  // A further result of an op that has one only.
  Builder b("bad");
  Value sine = build::unary(b, Op::sin_op, b.param({f32, false, {3}}));
  Value second = b.copy_node(choice.data(), 3, std::vector<Value>{sine});
  CHECK(verify_error(b.finish({second})) == "[verify] @bad: an output is not a node");
}

TEST_CASE("versions: a read's token is the last write to the storage it reads") {
  const std::string head =
      "func @main(%x: f32[4], %y: f32[4]) -> (f32[2,2]) {\n"
      "  %0: f32[4] = copy(%x)\n  %1: f32[2,2] = reshape(%0) {shape=[2,2]}\n  %2: f32[4] = copy(%y)\n"
      "  %3: token = add_(%0, %y)\n  %4: token = neg_(%2)\n  %5: token = mul_(%0, %0)\n";
  auto read = [&](const std::string& token) {
    return ir_error([&] { parse(head + "  %6: f32[2,2] = read(%1, " + token + ")\n  return %6\n}\n"); });
  };
  CHECK(read("%5") == "no error");
  CHECK(read("%3") == "[verify] %6: f32[2,2] = read(%1, %3): %3 is not the last version of the storage: expected %5");
  CHECK(read("%4") == "[verify] %6: f32[2,2] = read(%1, %4): %4 is a version of another storage than that of %1");
}

TEST_CASE("tokens are no results") {
  CHECK(ir_error([] { parse("func @main(%x: f32[4]) -> (token) {\n  %0: token = neg_(%x)\n  return %0\n}"); }) ==
        "[verify] @main: output %0 is a token, not a tensor");
}

TEST_CASE("writebacks name parameters of their type, in order") {
  auto graph = [](std::vector<uint32_t> writebacks) {
    Builder b;
    Value x = b.param({f32, false, {2}}, "x");
    b.param({f32, false, {3}}, "y");
    std::vector<Value> outputs(writebacks.size() + 1, x);
    return b.finish(outputs, writebacks);
  };
  CHECK(verify_error(graph({0})) == "no error");
  CHECK(verify_error(graph({1})) == "[verify] @main: writeback of f32[2] to %y, which is f32[3]");
  CHECK(verify_error(graph({0, 0})) == "[verify] @main: writebacks are not in ascending order");
  CHECK(verify_error(graph({2})) == "[verify] @main: a writeback names no parameter");
}
