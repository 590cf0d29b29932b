#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "ir/build.h"
#include "ir/print.h"
#include "tests/support/random_graph.h"

using namespace jot;
using namespace jot::ir;

namespace {

// Everything that the text holds, that == of graphs does not look at.
void check_names_and_origins(const GraphData& a, const GraphData& b) {
  CHECK(a.name() == b.name());
  for (size_t i = 0; i < a.inputs().size(); ++i) CHECK(a.input_name(i) == b.input_name(i));
  for (Value v = 0; v < a.size(); ++v) {
    CHECK(std::string(a.location(v).file) == b.location(v).file);
    CHECK(a.location(v).line == b.location(v).line);
    CHECK(a.scope(v) == b.scope(v));
    CHECK(a.call(v) == b.call(v));
  }
}

void check_round_trip(const Graph& g) {
  std::string text = to_text(g);
  CAPTURE(text);
  Graph again = parse(text);
  CHECK(again == g);
  CHECK(again.hash() == g.hash());
  CHECK(again.pure() == g.pure());
  CHECK(to_text(again) == text);
  check_names_and_origins(g.data(), again.data());
}

std::string parse_error(const std::string& text) {
  try {
    parse(text);
  } catch (const IrError& e) {
    return e.what();
  }
  return "no error";
}

std::string with_body(const std::string& body) {
  return "func @main(%x: f32[3], %n: i64[]) -> (f32[3]) {\n" + body + "\n}\n";
}

}  // namespace

TEST_CASE("the text form") {
  Builder b("layer");
  Value x = b.param({f32, false, {3}}, "x"), w = b.param({f32, false, {3, 3}}, "w");
  b.set_origin({"demo.cpp", 12}, "net/l1");
  Value y = build::dot(b, w, x, Attrs().add(1).words(), Attrs().add(0).words(), {}, {});
  b.set_origin(jot::Location(), "");
  Value storage = b.emit(Op::copy_op, {y});
  Value token = b.emit(Op::add_op, {storage, x}, {}, true);
  Value last = b.emit(Op::read_op, {storage, token});
  Value half = build::constant(b, f32, {3}, 0.1);
  uint32_t written[] = {0};
  Value outputs[] = {last, half, y};
  Graph g = b.finish(outputs, written);
  CHECK(to_text(g) ==
        "func @layer(%x: f32[3], %w: f32[3,3]) -> (f32[3], f32[3]) {\n"
        "  %0: f32[3] = dot(%w, %x) {contract=[[1],[0]], batch=[[],[]]} loc(\"demo.cpp\":12) scope(\"net/l1\")\n"
        "  %1: f32[3] = copy(%0)\n"
        "  %2: token = add_(%1, %x)\n"
        "  %3: f32[3] = read(%1, %2)\n"
        "  %4: f32[3] = const() {shape=[3], dtype=f32, data=[0.1]}\n"
        "  writeback %x = %0\n"
        "  return %3, %4\n"
        "}\n");
  CHECK_FALSE(g.pure());
  check_round_trip(g);
}

TEST_CASE("an empty graph, names that need quotes, names given twice") {
  check_round_trip(Graph());
  Builder b("my function");
  for (const char* name : {"", "x", "x", "x_2", "x", "0", "", "a b", "q\"\\\n\x7f", "\xc3\xa4"})
    b.param({f64, false, {}}, name);
  Graph g = b.finish({5});
  CHECK(g.data().input_name(2) == "x_2");
  CHECK(g.data().input_name(3) == "x_2_2");
  CHECK(g.data().input_name(4) == "x_3");
  check_round_trip(g);
}

TEST_CASE("random graphs are printed and parsed without loss") {
  std::set<Op> seen;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    Graph g = test::random_graph(seed, {.effects = seed % 2 == 0});
    check_round_trip(g);
    for (Value v = 0; v < g.data().size(); ++v) seen.insert(g.data().op(v));
  }
  CHECK(seen.size() >= 30);
}

TEST_CASE("elements of constants") {
  struct Row {
    DType dtype;
    int64_t word;
    std::string text;
  };
  auto bits = [](double x) { return std::bit_cast<int64_t>(x); };
  const Row rows[] = {
      {f64, bits(0.1), "0.1"},
      {f64, bits(-0.0), "-0"},
      {f64, bits(1e300), "1e+300"},
      {f64, bits(5e-324), "5e-324"},
      {f64, bits(HUGE_VAL), "inf"},
      {f64, bits(-HUGE_VAL), "-inf"},
      {f64, kNanBits, "nan"},
      {f64, kNanBits | INT64_MIN, "-nan"},
      {f64, kNanBits | 5, "0x7ff8000000000005"},
      {f32, bits(static_cast<double>(0.1f)), "0.1"},
      {f32, bits(static_cast<double>(1e-45f)), "1e-45"},
      {f32, bits(0.1), "0x3fb999999999999a"},  // not a float
      {i64, INT64_MIN, "-9223372036854775808"},
      {i32, -7, "-7"},
      {boolean, 1, "1"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    std::string text;
    append_element(text, row.dtype, row.word);
    CHECK(text == row.text);
    if (row.dtype == f32 && text.starts_with("0x")) continue;  // const takes floats only
    std::string type = std::string(to_string(row.dtype)) + "[1]";
    Graph g = parse("func @main() -> (" + type + ") {\n  %0: " + type + " = const() {shape=[1], dtype=" +
                    std::string(to_string(row.dtype)) + ", data=[" + text + "]}\n  return %0\n}\n");
    CHECK(g.data().attrs(0).ints(Key::data)[0] == row.word);
  }
}

TEST_CASE("freedom of the text: spaces, comments, order of attributes, names of values") {
  Graph g = parse(
      "// a "
      "comment\nfunc@main(%x:f32[2,3])->(f32[3],f32[2,3]){%row:f32[1,3]=slice(%x){stride=[1,1],limit=[1,3],start=[0,0]}"
      "\n"
      "  %flat: f32[3] = reshape(%row) {shape=[3]} // one\n\n\treturn %flat , %x}");
  CHECK(g.num_nodes() == 3);
  CHECK(to_text(g).find("%1: f32[3] = reshape(%0) {shape=[3]}") != std::string::npos);
}

TEST_CASE("errors of the text name line, column and what was expected") {
  struct Row {
    std::string body;
    std::string error;
  };
  const Row rows[] = {
      {"  %0: f32[3] = sin(%x\n  return %0",
       "line 3, column 3: expected ')' after the operands, got 'return'\n  return %0\n  ^"},
      {"  %0: f32[3] = sine(%x)\n  return %0", "line 2, column 16: expected an op, got 'sine'"},
      {"  %0: f32[3] = param(%x)\n  return %0", "line 2, column 16: expected an op, got 'param'"},
      {"  %0: f32[3] = sin(%y)\n  return %0", "line 2, column 20: no value %y is defined before its use"},
      {"  %0: f32[3] = sin(%0)\n  return %0", "line 2, column 20: no value %0 is defined before its use"},
      {"  %0: f33[3] = sin(%x)\n  return %0",
       "line 2, column 7: expected a type (bool, i32, i64, f32, f64, ...), got 'f33'"},
      {"  %0: f32[3 = sin(%x)\n  return %0", "line 2, column 13: expected ']' after a list, got '='"},
      {"  %0: f32[-3] = sin(%x)\n  return %0", "line 2, column 10: expected extents of at least 0, got -3"},
      {"  %0: f32[99999999,99999999] = sin(%x)\n  return %0", "line 2, column 10: the shape has too many elements"},
      {"  %0: f32[4] = sin(%x)\n  return %0", "line 2, column 16: the type of sin is f32[3], declared as f32[4]"},
      {"  %0: f32[3] = sin(%n)\n  return %0", "line 2, column 16: [sin]"},
      {"  %0: f32[3] = add(%x)\n  return %0", "line 2, column 16: [add] expected 2 operand(s), got 1"},
      {"  %0: f32[3] = concat() {dim=0}\n  return %0",
       "line 2, column 16: [concat] expected at least one operand(s), got 0"},
      {"  %0: f32[3] = dynamic_slice(%x) {sizes=[1]}\n  return %0",
       "[dynamic_slice] expected 2 operands, of which 1 are starts, one an axis; got 1"},
      {"  %0: f32[3] = dynamic_update_slice(%x)\n  return %0",
       "[dynamic_update_slice] expected 3 operands, of which 1 are starts, one an axis; got 1"},
      {"  %0: f32[] = reduce_sum(%x)\n  return %x", "line 3, column 3: expected attribute 'dims' of reduce_sum"},
      {"  %0: f32[] = reduce_sum(%x) {dim=[0]}\n  return %x",
       "line 2, column 31: expected an attribute of reduce_sum (dims), got 'dim'"},
      {"  %0: f32[] = reduce_sum(%x) {dims=[0], dims=[0]}\n  return %x",
       "line 2, column 41: the attribute 'dims' is given twice"},
      {"  %0: f32[] = reduce_sum(%x) {dims=0}\n  return %x", "line 2, column 36: expected '[' before a list, got '0'"},
      {"  %0: f32[] = reduce_sum(%x) {dims=[a]}\n  return %x", "line 2, column 37: expected an integer, got 'a'"},
      {"  %0: f32[] = reduce_sum(%x) {dims=[99999999999999999999]}\n  return %x",
       "line 2, column 37: an integer does not fit in 64 bits"},
      {"  %0: f32[] = reduce_sum(%x) {dims=[999999999999999]}\n  return %x",
       "line 2, column 37: the number is too large: at most 2^48"},
      {"  %0: bool[3] = compare(%x, %x) {direction=up}\n  return %x",
       "line 2, column 44: expected a direction (eq, ne, lt, le, gt, ge), got 'up'"},
      {"  %0: f32[] = const() {shape=[], dtype=f32, data=[1e99]}\n  return %x",
       "line 2, column 51: the number is out of range of its type: '1e99'"},
      {"  %0: f32[] = const() {shape=[], dtype=f32, data=[one]}\n  return %x",
       "line 2, column 51: expected a number, got 'one'"},
      {"  %0: f32[3] = sin(%x) loc(demo:1)\n  return %0",
       "line 2, column 28: expected a file name in quotes, got 'demo'"},
      {"  %0: f32[3] = sin(%x) loc(\"demo:1)\n  return %0",
       "line 2, column 28: the quoted text does not end on its line"},
      {"  %0: f32[3] = sin(%x) scope(\"\\y\")\n  return %0", "line 2, column 31: unknown escape"},
      {"  %0: f32[3] = sin(%x)\n  %0: f32[3] = cos(%x)\n  return %0", "line 3, column 3: value %0 is defined twice"},
      {"  %0: f32[3] = sin(%x)\n  return %n", "line 3, column 10: expected the type of result 0, f32[3], got i64[]"},
      {"  return %x, %x", "line 3, column 1: expected 1 result(s), got 2"},
      {"  return", "line 3, column 1: expected 1 result(s), got 0"},
      {"  %0: f32[3] = sin(%x)", "line 3, column 1: expected a node, 'writeback' or 'return', got '}'"},
      {"  sin(%x)", "line 2, column 3: expected a node, 'writeback' or 'return', got 'sin'"},
      {"  writeback %y = %x\n  return %x", "line 2, column 13: no value %y"},
      {"  writeback %n = %x\n  return %x", "line 2, column 18: expected the type of the parameter, i64[], got f32[3]"},
      {"  writeback %n = %n\n  writeback %x = %x\n  return %x",
       "line 3, column 13: writebacks must be in the order of the parameters, each once"},
      {"  %0: f32[3] = sin(%x)\n  writeback %0 = %x\n  return %x", "line 3, column 13: expected a parameter"},
      {"  %0: token = sin_(%x)\n  %1: f32[3] = cos(%0)\n  return %1",
       "line 3, column 16: [cos] operand 0 is a token, not a tensor"},
      {"  %0: token = reshape_(%x) {shape=[3]}\n  return %x", "[reshape] this op cannot be in place"},
      {"  %0: f32[3] = fill(%x, %x)\n  return %x", "[fill] this op is in place only"},
      {"  %0: f32[3] = read(%x, %x)\n  return %x", "[read] operand 1 is a tensor, not a token"},
      {"  %0: f32[3], %1: f32[3] = sin(%x)\n  return %0", "line 2, column 3: sin has 1 result(s), declared are 2"},
      {"  %0: f32[3] = result(%x)\n  return %0", "line 2, column 16: expected an op, got 'result'"},
      {"  %0: f32[3] = cond(%n, %x) {branches=[@b(%a: f32[3]) -> (f32[3]) {\n    return %x\n  }]}\n  return %0",
       "line 3, column 12: no value %x is defined before its use; a region sees only its own parameters and values"},
      {"  %0: f32[3] = cond(%n, %x) {branches=[@b(%a: f32[2]) -> (f32[2]) {\n    return %a\n  }]}\n  return %0",
       "line 2, column 16: [cond] parameters of branch 0: expected (f32[3]), got (f32[2])"},
      {"  %0: f32[3] = cond(%n, %x) {branches=[@b(%a: f32[3]) -> (f32[3]) {\n    return %a\n  },\n  @c(%a: f32[3]) -> "
       "(i64[]) {\n    %0: i64[] = const() {shape=[], dtype=i64, data=[1]}\n    return %0\n  }]}\n  return %0",
       "line 2, column 16: [cond] results of branch 1: expected (f32[3]), got (i64[])"},
      {"  %0: f32[3] = cond(%n, %x) {branches=[@b(%a: f32[3]) -> (f32[3]) {\n    %0: f32[3] = sine(%a)\n    return "
       "%0\n  }]}\n  return %0",
       "line 3, column 18: expected an op, got 'sine'"},
      {"  %0: f32[3] = cond(%n, %x) {branches=[@b(%a: f32[3]) -> (f32[3]) {\n    %0: token = sin_(%a)\n    return "
       "%a\n  }]}\n  return %0",
       "line 2, column 16: [cond] branch 0 has effects; functionalize it"},
      {"  %0: f32[3] = cond(%n, %x) {branches=[]}\n  return %0", "[cond] expected at least one branch"},
      {"  %0: f32[3] = cond(%x, %x) {branches=[@b(%a: f32[3]) -> (f32[3]) {\n    return %a\n  }]}\n  return %0",
       "[cond] the index must be i64[], got f32[3]"},
      {"  %0: f32[3], %1: f32[3] = cond(%n, %x) {branches=[@b(%a: f32[3]) -> (f32[3]) {\n    return %a\n  }]}\n  "
       "return %0",
       "line 2, column 3: cond has 1 result(s), declared are 2"},
      {"  %0: f32[3] = cond(%n, %x) {branches=[@b(%a: f32[3]) -> (f32[3]) {\n    return %a\n  }]}\n  return %1",
       "line 5, column 10: no value %1 is defined before its use"},
      {"  %0: f32[3] = cond(%n, %x) {branches=[@b(%a: f32[3]) -> (f32[3], f32[3]) {\n    return %a\n  }]}\n  return %0",
       "line 4, column 3: expected 2 result(s), got 1"},
      {"  %0: f32[3] = cond(%n, %x) {branches=[@b(%a: f32[3]) -> (i64[]) {\n    return %a\n  }]}\n  return %0",
       "line 3, column 12: expected the type of result 0, i64[], got f32[3]"},
      {"  %0: f32[3] = cond(%n, %x) {branches=[@b() -> (f32[3]) {\n    return %0\n  }]}\n  return %0",
       "line 3, column 12: no value %0 is defined before its use; a region sees only its own parameters and values"},
      {"  %0: f32[3] = cond(%n, %x) {branches=[%x]}\n  return %0",
       "line 2, column 40: expected '@' before the name of the function, got '%'"},
      {"  %0: f32[3] = fold_in(%n, %n)\n  return %x",
       "line 2, column 16: [fold_in] the key must be [2], two words for each number, got []"},
  };
  for (const Row& row : rows) {
    std::string error = parse_error(with_body(row.body));
    CAPTURE(error);
    CAPTURE(row.error);
    CHECK(error.starts_with("[parse] "));
    CHECK(error.find(row.error) != std::string::npos);
  }
  CHECK(parse_error("") == "[parse] line 1, column 1: expected 'func', got the end of the text\n\n^");
  CHECK(parse_error("func @f() -> () {\n  return\n}\nfunc")
            .starts_with("[parse] line 4, column 1: expected the end of the text, got 'func'"));
  std::string deep = "func @f(%n: i64[]) -> (i64[]) { ";
  for (int i = 0; i < 200; ++i) deep += "%0: i64[] = cond(%n, %n) {branches=[@b(%n: i64[]) -> (i64[]) { ";
  CHECK(parse_error(deep).find("regions are nested more than 100 deep") != std::string::npos);
  CHECK(parse_error("func @f(%x: token) -> () { return }")
            .starts_with("[parse] line 1, column 9: a parameter cannot be a token"));
}

TEST_CASE("regions and several results are printed in full, and read back") {
  const std::string text =
      "func @main(%n: i64[], %x: f32[3]) -> (f32[3], f32[3]) {\n"
      "  %0: f32[3], %1: f32[3] = cond(%n, %x) {branches=[\n"
      "    @zero(%a: f32[3]) -> (f32[3], f32[3]) {\n"
      "      %0: f32[3] = sin(%a) loc(\"a.cpp\":3) scope(\"s\")\n"
      "      return %0, %a\n"
      "    },\n"
      "    @one(%0: f32[3]) -> (f32[3], f32[3]) {\n"
      "      return %0, %0\n"
      "    }]} loc(\"a.cpp\":2)\n"
      "  return %1, %0\n"
      "}\n";
  Graph g = parse(text);
  CHECK(to_text(g) == text);
  CHECK(g.num_nodes() == 4);
  CHECK(g.data().results(2) == 2);
  CHECK(node_text(g.data(), 3) ==
        "%0: f32[3], %1: f32[3] = cond(%n, %x) {branches=[@zero(f32[3]) -> (f32[3], f32[3]), @one(f32[3]) -> (f32[3], "
        "f32[3])]}");
  // Another region is another graph.
  std::string other = text;
  other.replace(other.find("sin"), 3, "cos");
  CHECK(parse(other) != g);
  CHECK(parse(other).hash() != g.hash());
  for (const std::string& drawn : {to_dot(g), to_html(g), to_json(g)}) {
    CHECK(drawn.find("sin") != std::string::npos);
    CHECK(drawn.find("branches") != std::string::npos);
  }
}

TEST_CASE("further lines of a node are read back, and kept where equal nodes are merged") {
  const std::string text =
      "func @main(%x: f32[3]) -> (f32[3], f32[3]) {\n"
      "  %0: f32[3] = sin(%x) loc(\"a.cpp\":3, \"b.cpp\":4) scope(\"s\")\n"
      "  return %0, %0\n}\n";
  Graph g = parse(text);
  CHECK(to_text(g) == text);
  CHECK(g.data().location(1) == g.data().origin_at(g.data().node(1).origin).location);
  CHECK(to_html(g).find("\"origins\":[\"0,3,0,1,4,1\"]") != std::string::npos);
}

TEST_CASE("calls and what they demand of the data are read back") {
  const std::string text =
      "func @main(%x: f32[2], %fine: bool[2]) -> (f32[2]) {\n"
      "  %0: f32[2] = demand(%x, %fine, %x) loc(\"a.cpp\":3) call(\"f\", [0], [-1,4], \"a: \\\"b\\\", got {}\")\n"
      "  return %0\n}\n";
  Graph g = parse(text);
  CHECK(to_text(g) == text);
  const Call wanted{"f", {0}, {-1, 4}, "a: \"b\", got {}"};
  CHECK(g.data().call(2) == wanted);
  CHECK(wanted.told("7") == "a: \"b\", got 7");
  auto error = [](const std::string& call) {
    return parse_error(with_body("  %0: f32[3] = sin(%x) " + call + "\n  return %0"));
  };
  CHECK(error("call(\"f\", [], [], )").find("expected what is demanded of the data in quotes") != std::string::npos);
}

TEST_CASE("to_dot draws every node, operand and result") {
  Graph g =
      parse("func @main(%x: f32[3]) -> (f32[3]) {\n  %0: f32[3] = mul(%x, %x) loc(\"a.cpp\":3)\n  return %0\n}\n");
  std::string dot = to_dot(g);
  for (const char* part :
       {"digraph \"main\" {", "n0 [label=\"%x\\nf32[3]\"", "n1 [label=\"mul\\nf32[3]\", tooltip=\"at a.cpp:3\"]",
        "n0 -> n1 [label=\"0\"]", "n0 -> n1 [label=\"1\"]", "n1 -> o0"})
    CHECK_MESSAGE(dot.find(part) != std::string::npos, part, " is not in ", dot);
}

TEST_CASE("to_json has every node, in order; numbers that JSON lacks are strings") {
  Graph g = parse(
      "func @main(%x: f64[2]) -> (f64[2]) {\n"
      "  %0: f64[2] = const() {shape=[2], dtype=f64, data=[0.5,nan]} loc(\"a\\\"b.cpp\":3) scope(\"s\")\n"
      "  %1: token = add_(%x, %0)\n  %2: f64[2] = read(%x, %1)\n  writeback %x = %2\n  return %2\n}\n");
  CHECK(to_json(g) ==
        R"({"name": "main",
 "pure": false,
 "inputs": [0],
 "results": [3],
 "writebacks": [{"input": 0, "value": 3}],
 "nodes": [
  {"name": "x", "op": "param", "type": "f64[2]", "operands": []},
  {"name": "0", "op": "const", "type": "f64[2]", "operands": [], "attributes": {"shape": [2], "dtype": "f64", "data": [0.5, "nan"]}, "file": "a\"b.cpp", "line": 3, "scope": "s"},
  {"name": "1", "op": "add", "in_place": true, "type": "token", "operands": [0, 1]},
  {"name": "2", "op": "read", "type": "f64[2]", "operands": [0, 2]}
]}
)");
}

TEST_CASE("to_html is a page that stands alone, and escapes") {
  Graph g = parse(
      "func @main(%\"<x>\": f32[3]) -> (f32[3]) {\n  %0: f32[3] = neg(%\"<x>\") loc(\"a.cpp\":3)\n  return %0\n}\n");
  std::string html = to_html(g);
  for (const char* part : {"<!DOCTYPE html>", "\"inputs\":[\"\\u003cx>\"]", "\"ops\":[\"param\",\"neg\"]",
                           "\"files\":[\"a.cpp\"]", "\"nodes\":[0,0,0,0,2,0,0,1,0]", "\"results\":[1]"})
    CHECK_MESSAGE(html.find(part) != std::string::npos, part, " is not in ", html);
}
