// trace, run, interpret, compile.
#include <array>

#include "check.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

namespace {
const Tensor& t1() {
  static const Tensor t = floats({1, 2, 3});
  return t;
}
}  // namespace

TEST_CASE("trace records and runs nothing") {
  Tensor w = floats({4, 5, 6});
  auto f = [&](const Tensor& x) { return sum(sin(x) * w); };
  ir::Graph g = trace(f, t1());
  CHECK_EQ(g.num_inputs(), 2);
  CHECK_EQ(g.num_outputs(), 1);
  REQUIRE_EQ(g.captures().size(), 1);
  CHECK_SAME(g.captures()[0], w);
  ir::verify(g);
  std::string text = to_text(g);
  CHECK(text.find("sin") != std::string::npos);
  CHECK(text.find("graphs_test.cpp") != std::string::npos);
  CHECK(ir::parse(text) == g);
  CHECK(to_dot(g).find("digraph") != std::string::npos);
  std::vector<Tensor> out = run(g, {t1()});
  REQUIRE_EQ(out.size(), 1);
  CHECK_SAME(out[0], f(t1()));
  CHECK_SAME(interpret(g, {t1()})[0], f(t1()));
  CHECK_SAME(run(g, {t1(), ones({3})})[0], sum(sin(t1())));
  ir::Graph fast = optimize(g);
  CHECK(fast.pure());
  CHECK_SAME(run(fast, {t1()})[0], f(t1()));
  CHECK(trace(f, t1()) == g);
  CHECK_EQ(trace(f, t1()).hash(), g.hash());
}

TEST_CASE("trace of transforms") {
  auto f = [](const Tensor& x) { return x * x; };
  ir::Graph g = trace(jacrev(f), t1());
  CHECK_EQ(g.num_inputs(), 1);
  CHECK_SAME(run(g, {t1()})[0], diag(2 * t1()));
  CHECK_SAME(interpret(g, {t1()})[0], diag(2 * t1()));
  ir::Graph many = trace(vmap(grad([](const Tensor& x) { return sum(x * x * x); })), ones({4, 3}));
  CHECK_SAME(run(many, {ones({4, 3})})[0], 3 * ones({4, 3}));
  CHECK_SAME(trace(eye(3)), scalar(3));  // torch.trace
}

TEST_CASE("D47 functionalize leaves no write but one copy an input") {
  auto f = [](const Tensor& x) {
    x.slice(0, 0, 1).mul_(3);
    x.add_(1);
    return x * 2;
  };
  ir::Graph g = trace(f, t1());
  CHECK_FALSE(g.pure());
  CHECK(to_text(g).find("mul_") != std::string::npos);
  ir::Graph pure = trace(functionalize(f), t1());
  std::string text = to_text(pure);
  CHECK(pure.pure());
  CHECK(text.find("_(") == std::string::npos);
  size_t first = text.find("writeback %");
  REQUIRE(first != std::string::npos);
  CHECK(text.find("writeback %", first + 1) == std::string::npos);
  CHECK(ir::parse(text) == pure);
  CHECK(ir::parse(to_text(g)) == g);
  Tensor a = floats({1, 2, 3}), b = floats({1, 2, 3});
  CHECK_SAME(functionalize(f)(a), f(b));
  CHECK_SAME(a, b);
  auto cloned = [](const Tensor& x) {
    Tensor y = x.clone();
    y.slice(0, 0, 1).mul_(3);
    return sum(y);
  };
  CHECK_SAME(grad(functionalize(cloned))(t1()), floats({3, 1, 1}));
  CHECK_SAME(functionalize(grad(cloned))(t1()), floats({3, 1, 1}));
  auto halves = [](const Tensor& x) {
    Tensor y = x.clone();
    std::vector<Tensor> parts = y.split(2);
    parts.back().add_(10);
    return y;
  };
  CHECK_SAME(functionalize(halves)(floats({1, 2, 3, 4, 5})), floats({1, 2, 3, 4, 15}));
  // Arguments that are one tensor, or overlap.
  auto writes = [](const Tensor& a, const Tensor& b) {
    a.add_(1);
    return b * 1;
  };
  Tensor z = zeros({2});
  CHECK_SAME(functionalize(writes)(z, z), ones({2}));
  CHECK_SAME(functionalize(writes)(z, z.slice(0, 0, 1)), floats({2}));
}

TEST_CASE("A9 results of functionalize alias arguments, unless views are removed") {
  auto f = [](const Tensor& x) {
    x.add_(1);
    return x.slice(0, 0, 2);
  };
  Tensor x = floats({1, 2, 3});
  Tensor view = functionalize(f)(x);
  CHECK_SAME(view, floats({2, 3}));
  view.fill_(0);
  CHECK_SAME(x, floats({0, 0, 4}));
  Tensor copy = functionalize(f, {.remove = Remove::mutations_and_views})(x);
  CHECK_SAME(copy, floats({1, 1}));
  copy.fill_(9);
  CHECK_SAME(x, floats({1, 1, 5}));
}

TEST_CASE("run writes what the graph writes") {
  ir::Graph g = trace(
      [](const Tensor& x) {
        x.add_(1);
        return x * 2;
      },
      t1());
  for (auto* evaluate : {&run, &interpret}) {
    Tensor x = floats({1, 2, 3});
    CHECK_SAME((*evaluate)(g, {x}, JOT_HERE)[0], floats({4, 6, 8}));
    CHECK_SAME(x, floats({2, 3, 4}));
  }
}

TEST_CASE("run: errors") {
  ir::Graph g = trace([](const Tensor& x) { return x * 2; }, t1());
  CHECK_THROWS_WITH_AS(run(g, {}), Contains("[run] expected 1 inputs, got 0"), TransformError);
  CHECK_THROWS_WITH_AS(run(g, {ones({4})}), Contains("[run] argument 0: expected f32[3], got f32[4]"), ShapeError);
  CHECK_THROWS_WITH_AS(interpret(g, {ones({3}, f64)}), Contains("[interpret] argument 0: expected f32[3], got f64[3]"),
                       DTypeError);
  CHECK_THROWS_WITH(run(g, {}), Contains("graphs_test.cpp:"));
}

TEST_CASE("random draws in a graph") {
  manual_seed(4);
  ir::Graph g = trace([](const Tensor& x) { return x + randn({3}); }, t1());
  manual_seed(4);
  Tensor want = t1() + randn({3});
  CHECK_SAME(run(g, {t1()})[0], want);
  CHECK_SAME(interpret(g, {t1()})[0], want);
}

TEST_CASE("compile: results of the function's type") {
  auto f = [](const Tensor& x, const TensorDict& d) { return TensorDict{{"y", x * d.at("w")}}; };
  TensorDict d{{"w", floats({4, 5, 6})}};
  auto exe = compile(jacrev(f), t1(), d);
  static_assert(std::is_same_v<decltype(exe(t1(), d)), TensorDict>);
  CHECK_SAME(exe(t1(), d).at("y"), diag(d.at("w")));
  TensorDict other{{"w", floats({7, 8, 9})}};
  CHECK_SAME(exe(t1(), other).at("y"), diag(other.at("w")));
  CHECK_THROWS_WITH_AS(exe(ones({4}), d), Contains("[compile] argument 0: expected f32[3], got f32[4]"), ShapeError);
  CHECK_THROWS_WITH_AS(exe(t1(), TensorDict{{"v", t1()}}), Contains("differ in structure"), TransformError);
  std::vector<Tensor> out = exe.run({t1(), t1()});
  REQUIRE_EQ(out.size(), 1);
  CHECK_SAME(out[0], diag(t1()));
  CHECK_THROWS_WITH_AS(exe.run({t1()}), Contains("[run] expected 2 inputs, got 1"), TransformError);
  CHECK(exe.stats().compile_seconds.size() > 0);
}

TEST_CASE("compile: captures are copied") {
  Tensor w = floats({4, 5, 6});
  auto exe = compile([&](const Tensor& x) { return x * w; }, t1());
  w.fill_(0);
  CHECK_SAME(exe(t1()), floats({4, 10, 18}));
  CHECK_THROWS_WITH_AS(compile(
                           [&](const Tensor& x) {
                             w.add_(1);
                             return x * w;
                           },
                           t1()),
                       Contains("f writes to a tensor that it captures"), TransformError);
}

TEST_CASE("compile: raw memory") {
  auto exe = compile([](const Tensor& x) { return std::pair{x * 2, sum(x)}; }, t1());
  std::array<float, 3> in = {1, 2, 3}, twice{};
  float total = 0;
  const void* inputs[] = {in.data()};
  void* outputs[] = {twice.data(), &total};
  exe.run_into(inputs, outputs);
  CHECK_EQ(twice, std::array<float, 3>{2, 4, 6});
  CHECK_EQ(total, 6);
  auto fewer = [&](size_t in, size_t out) { exe.run_into({inputs, in}, {outputs, out}); };
  CHECK_THROWS_WITH_AS(
      fewer(0, 2), Contains("[run_into] expected 1 pointers to inputs, one for each tensor of the arguments, got 0"),
      TransformError);
  CHECK_THROWS_WITH_AS(fewer(1, 1),
                       Contains("[run_into] expected 2 pointers to outputs, one for each tensor of the result, got 1"),
                       TransformError);
  auto writes = compile([](const Tensor& x) { return x.add_(1) * 2; }, t1());
  CHECK_THROWS_WITH_AS(writes.run_into({inputs, 1}, {outputs, 1}),
                       Contains("expected 2 pointers to outputs, one for each tensor of the result, then one for each "
                                "argument that is written, got 1"),
                       TransformError);
}

TEST_CASE("a compiled function is not part of a transform") {
  auto exe = compile([](const Tensor& x) { return sum(x * x); }, t1());
  CHECK_THROWS_WITH_AS(grad([&](const Tensor& x) { return exe(x); })(t1()), Contains("use jit"), TraceError);
}
