// Loops that run as one kernel: what they compute, against the interpreter; that they are one.
#include <doctest/doctest.h>

#include <functional>
#include <map>

#include "backends/engine.h"
#include "backends/target.h"
#include "check.h"
#include "ir/graph.h"

namespace {

using namespace jot;
using F = std::function<Tensor(const Tensor&)>;

// The results compiled, which agree with those interpreted.
std::vector<Tensor> ran(const ir::Graph& g, const Tensor& x) {
  std::vector<Tensor> got = run(g, {x}), want = interpret(g, {x});
  REQUIRE(got.size() == want.size());
  for (size_t i = 0; i < got.size(); ++i) CHECK_SAME(got[i], want[i]);
  return got;
}

// What is not a kernel: 0 where there are kernels.
int64_t routines(const ir::Graph& g) {
  if (target() == Target::reference) return 0;
  ExecutableStats s = make_engine(optimize(g))->stats();
  return s.routines + s.library_calls;
}

// Functions of one element, or of a few: with lanes, elements of theirs.
const std::map<std::string, F>& loops() {
  static const std::map<std::string, F> all = {
      {"carries that change places",
       [](const Tensor& x) {
         using Carry = std::tuple<Tensor, Tensor, Tensor>;
         auto step = [](const Carry& c, none_t) {
           auto& [a, b, d] = c;
           return std::pair{Carry{b, d, a + b * 0.5}, a};
         };
         auto [last, ys] = scan(step, Carry{x, x * 2, sin(x)}, none, {.length = 5});
         auto& [a, b, d] = last;
         return a + b * 10 + d * 100 + ys[0] + ys[4] * 0.01;
       }},
      {"reverse, of slices, with what does not change",
       [](const Tensor& x) {
         Tensor w = cos(x) + 2, xs = stack({x, x * x, x + 1, exp(-x)});
         auto step = [&](const Tensor& c, const Tensor& v) { return std::pair{c / w + v * w, c * v}; };
         auto [last, ys] = scan(step, x, xs, {.reverse = true});
         return last + ys[0] * 3 + ys[3];
       }},
      {"integers and truth values",
       [](const Tensor& x) {
         using Carry = std::tuple<Tensor, Tensor, Tensor>;
         auto step = [&](const Tensor& i, const Carry& c) {
           auto& [n, on, v] = c;
           return Carry{n * 3 + i.to(i32), on ^ (v > 0.5), where(on, v * 0.5, v + 0.25)};
         };
         auto [n, on, v] = fori_loop(2, 9, step, Carry{zeros_like(x).to(i32), x > 0, x});
         return n.to(x.dtype()) + where(on, v, -v);
       }},
      {"as long as a condition holds",
       [](const Tensor& x) {
         auto body = [&](const Tensor& v) { return v * 0.5 + 0.1 * x / (v + 1); };
         return while_loop([](const Tensor& v) { return v > 0.45; }, body, abs(x) * 4);
       }},
      {"never, or with a counter that has no lanes",
       [](const Tensor& x) {
         using Carry = std::pair<Tensor, Tensor>;
         auto body = [&](const Carry& c) { return Carry{c.first + 1, c.second * x + c.first.to(x.dtype())}; };
         Tensor none_done =
             while_loop([](const Carry& c) { return c.first > 8; }, body, Carry{tensor(int64_t{0}), x}).second;
         return none_done +
                while_loop([](const Carry& c) { return c.first < 4; }, body, Carry{tensor(int64_t{0}), x}).second;
       }},
      {"reads by index",
       [](const Tensor& x) {
         Tensor table = arange(7, x.dtype()) * 0.25;
         auto step = [&](const Tensor& i, const Tensor& c) { return c * 0.5 + table.index({i}) * x; };
         return fori_loop(0, 7, step, x);
       }},
      {"more than registers hold",
       [](const Tensor& x) {
         std::vector<Tensor> c;
         for (int i = 0; i < 40; ++i) c.push_back(x * (0.1 * i) + 0.5);
         auto step = [](const std::vector<Tensor>& v, none_t) {
           std::vector<Tensor> next;
           for (size_t i = 0; i < v.size(); ++i)
             next.push_back(v[i] * 0.75 + v[(i + 7) % v.size()] * v[(i + 1) % v.size()] * 0.125);
           return std::pair{next, std::tuple<>{}};
         };
         auto [last, ys] = scan(step, c, none, {.length = 6});
         Tensor total = last[0];
         for (size_t i = 1; i < last.size(); ++i) total = total + last[i] * (1.0 / static_cast<double>(i));
         return total;
       }},
  };
  return all;
}

}  // namespace

TEST_CASE("small loops are kernels: without lanes, with few and with many") {
  for (DType dtype : {f64, f32})
    for (const auto& [name, f] : loops()) {
      CAPTURE(name);
      CAPTURE(to_string(dtype));
      ir::Graph one = trace(f, tensor(0.8, dtype));
      ran(one, tensor(0.8, dtype));
      CHECK(routines(one) == 0);
      for (int64_t lanes : {1, 3, 33, 70, 1000}) {
        CAPTURE(lanes);
        Tensor x = linspace(-1, 2, lanes, dtype);
        Tensor y = ran(trace(vmap(f), x), x)[0];
        CHECK_NEAR_TO(y[lanes / 2], f(x[lanes / 2]), dtype == f64 ? 1e-12 : 1e-4);
        ran(trace(jacfwd(f), x[0]), x[0]);
        if (lanes < 100) ran(trace(vmap(grad([&](const Tensor& v) { return sum(f(v)); })), x), x);
      }
      CHECK(routines(trace(vmap(f), linspace(-1, 2, 200, dtype))) == 0);
    }
}

TEST_CASE("loops over small matrices, and their gradients, are kernels") {
  auto f = [](const Tensor& a) {
    auto step = [&](const Tensor& c, none_t) {
      Tensor d = tanh(matmul(a, c) + 0.1);
      return std::pair{d, d};
    };
    auto [last, ys] = scan(step, eye(3, f64), none, {.length = 9});
    return sum(last * last) + sum(ys);
  };
  Tensor a = tensor({{0.3, -0.2, 0.5}, {0.1, 0.4, -0.6}, {0.7, 0.2, -0.1}}, f64);
  for (const ir::Graph& g : {trace(f, a), trace(grad(f), a)}) {
    ran(g, a);
    CHECK(routines(g) == 0);
  }
  Tensor many = rand({37, 3, 3}, f64);
  ir::Graph g = trace(vmap(grad(f)), many);
  ran(g, many);
  CHECK(routines(g) == 0);
}

TEST_CASE("the length of a loop is an argument of its kernel, which any length may have") {
  if (target() == Target::reference) return;
  auto of_length = [](int64_t n) {
    auto f = [n](const Tensor& x) {
      auto step = [&](const Tensor& c, none_t) { return std::pair{c * 1.25 - x * 0.375, c}; };
      auto [last, ys] = scan(step, x, none, {.length = n});
      return last + sum(ys, 0);
    };
    return trace(f, tensor(0.5, f64));
  };
  ran(of_length(7), tensor(0.5, f64));
  ran(of_length(0), tensor(0.5, f64));
  ran(of_length(1), tensor(0.5, f64));
  auto step = [](const Tensor& c, none_t) { return std::pair{c * 1.5 - 0.8125, std::tuple<>{}}; };
  auto kernels_compiled = [&](int64_t n) {
    auto f = [&](const Tensor& x) { return scan(step, x, none, {.length = n}).first; };
    return compile(f, tensor(0.5, f64)).stats().kernels_compiled;
  };
  CHECK(kernels_compiled(1000) == 1);
  CHECK(kernels_compiled(1000000) == 0);
}

TEST_CASE("faults in kernels with loops name what was found, and where") {
  auto reads = [](const Tensor& n) {
    Tensor table = arange(5, f64);
    auto body = [&](const Tensor& i, const Tensor& c) { return c + table.index({i + n}); };
    return fori_loop(0, 3, body, tensor(0.0, f64));
  };
  CHECK_THROWS_WITH_AS(compile(reads, tensor(int64_t{3}))(tensor(int64_t{3})).eval(),
                       doctest::Contains("index 5 is out of bounds for dimension 0 with size 5"), IndexError);
  Tensor n = tensor(std::vector<int64_t>{0, 1, 2, 4});
  CHECK_THROWS_WITH_AS(compile(vmap(reads), n)(n).eval(), doctest::Contains("lane 3"), IndexError);
  auto halves = [](const Tensor& x) {
    return while_loop([](const Tensor& v) { return v > 1; }, [](const Tensor& v) { return v * 0.5; }, x,
                      {.max_steps = 6});
  };
  Tensor x = full({40}, 3.0, f64);
  CHECK_SAME(vmap(halves)(x), full({40}, 0.75, f64));
  x[38] = 64.0;
  CHECK_SAME(vmap(halves)(x)[38], tensor(1.0, f64));
  x[38] = 65.0;
  CHECK_THROWS_WITH_AS(compile(vmap(halves), x)(x).eval(), doctest::Contains("max_steps = 6"), Error);
  CHECK_THROWS_WITH_AS(compile(halves, x[38])(x[38]).eval(), doctest::Contains("max_steps = 6"), Error);
}

TEST_CASE("loops that read slices by index, which kernels with loops do not") {
  auto f = [](const Tensor& xs) {
    auto step = [&](const Tensor& i, const Tensor& x) {
      Tensor found = x.index({i & 1});
      return std::pair{i + 1, found * found};
    };
    return scan(step, tensor(int64_t{1}), xs).second;
  };
  Tensor xs = rand({5, 3}, f64);
  Tensor ys = ran(trace(f, xs), xs)[0];
  for (int64_t i = 0; i < 5; ++i) CHECK_SAME(ys[i], square(xs[i][(i + 1) % 2]));
}

TEST_CASE("lanes of a kernel that have finished stay as they are") {
  auto f = [](const Tensor& x) {  // one step more would make infinities of them
    return while_loop([](const Tensor& v) { return v < 1; }, [](const Tensor& v) { return v / (1 - v) + 0.25; }, x);
  };
  Tensor x = linspace(-0.5, 0.9, 45, f64), y = ran(trace(vmap(f), x), x)[0];
  for (int64_t i = 0; i < 45; ++i) CHECK_SAME(y[i], f(x[i]));
}

TEST_CASE("loops that keep few states, in kernels, have the gradient of those that keep all") {
  for (int64_t length : {0, 1, 2, 3, 7, 20, 65})
    for (int64_t kept : {1, 2, 3, 10, 100}) {
      CAPTURE(length);
      CAPTURE(kept);
      auto f = [&](const Tensor& x, std::optional<int64_t> checkpoints) {
        auto step = [&](const std::pair<Tensor, Tensor>& c, none_t) {
          return std::pair{std::pair{sin(c.first) + c.second * 0.25, c.second * x}, std::tuple<>{}};
        };
        auto [last, ys] = scan(step, std::pair{x, x + 1}, none, {.length = length, .checkpoints = checkpoints});
        return sum(last.first * last.second);
      };
      auto few = [&](const Tensor& x) { return grad([&](const Tensor& y) { return f(y, kept); })(x); };
      auto all = [&](const Tensor& x) { return grad([&](const Tensor& y) { return f(y, {}); })(x); };
      Tensor x = tensor({0.7, -0.4, 0.9}, f64), lanes = linspace(-1, 1, 40 * 3, f64).reshape({40, 3});
      CHECK_SAME(few(x), all(x));
      CHECK_SAME(vmap(few)(lanes), vmap(all)(lanes));
      if (length > 0) CHECK(routines(trace(few, x)) == 0);
    }
}

TEST_CASE("a loop updates its carry in place where reads of it come first") {
  if (target() == Target::reference) return;
  auto f = [](const Tensor& xs) {
    auto body = [&](const Tensor& i, const Tensor& ys) {
      Tensor next = ys.clone();
      next.index_put_({i}, sin(xs.index({i})) * 2);
      return next;
    };
    return sum(square(fori_loop(0, 2000, body, zeros({2000}, f64))));
  };
  Tensor xs = rand({2000}, f64);
  CHECK_SAME(grad(f)(xs), 8 * sin(xs) * cos(xs));
}

namespace {

// Matrix products by the steps of the loops in a graph, and outside.
std::pair<int, int> products(const ir::GraphData& g) {
  std::pair<int, int> count;
  for (ir::Value v = 0; v < g.size(); ++v) {
    count.second += g.op(v) == ir::Op::dot_op;
    if (g.op(v) != ir::Op::scan_op) continue;
    auto [inner, outer] = products(g.attrs(v).region(ir::Key::body).data());
    count.first += inner + outer;
  }
  return count;
}

}  // namespace

TEST_CASE("products that no carry is in come before the loop, sums of products after it") {
  const int64_t inputs = 40, units = 64, steps = 12;
  auto layer = [&](const TensorDict& p, const Tensor& xs) {
    auto step = [&](const Tensor& h, const Tensor& x) {
      Tensor next = tanh(matmul(p.at("w"), x) + matmul(p.at("u"), h) + p.at("b"));
      return std::pair{next, sum(next * next)};
    };
    auto [last, ys] = scan(step, zeros({units}, f64), xs);
    return sum(ys) + sum(last);
  };
  TensorDict p = {{"w", randn({units, inputs}, f64) * 0.1},
                  {"u", randn({units, units}, f64) * 0.1},
                  {"b", randn({units}, f64) * 0.1}};
  Tensor xs = randn({steps, inputs}, f64);
  ir::Graph value = trace(layer, p, xs), gradient = trace(grad<argnums(0, 1)>(layer), p, xs);
  CHECK(products(value.data()) == std::pair{2, 0});
  CHECK(products(optimize(value).data()) == std::pair{1, 1});  // u h stays
  // u h and its transpose stay; w x, the gradients of w and u and, from the cotangents of all steps, of xs do not.
  CHECK(products(optimize(gradient).data()) == std::pair{2, 4});
  std::vector<Tensor> args = {p.at("b"), p.at("u"), p.at("w"), xs}, got = run(gradient, args),
                      want = interpret(gradient, args);
  for (size_t i = 0; i < want.size(); ++i) CHECK_NEAR_TO(got[i], want[i], 1e-12);
  auto lanes = [&](const TensorDict& q) {
    return vmap([&](const Tensor& x) { return layer(q, x); })(xs.expand({3, steps, inputs}) * 0.5);
  };
  auto total = [&](const TensorDict& q) { return sum(lanes(q)); };
  ir::Graph batched = trace(grad(total), p);
  CHECK_NEAR_TO(run(batched, {p.at("b"), p.at("u"), p.at("w")})[2],
                interpret(batched, {p.at("b"), p.at("u"), p.at("w")})[2], 1e-12);
}
