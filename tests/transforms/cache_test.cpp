// What is recorded again is found again: expansions and executables.
#include "check.h"
#include "core/cache/engine_cache.h"
#include "core/cache/lru.h"
#include "core/transforms/expand.h"
#include "passes/dump.h"

using namespace jot;
using namespace jot::test;

namespace {

struct Misses {
  int64_t expansions = expansion_cache_info().misses, executables = engine_cache_info().misses;
  Misses since(const Misses& before) const {
    return {expansions - before.expansions, executables - before.executables};
  }
};

}  // namespace

TEST_CASE("a loop of gradient steps is expanded and compiled once") {
  Tensor x = doubles({1, 2, 3});
  auto f = [](const Tensor& x) { return sum(sin(x) * x); };
  Tensor expected = x.clone();
  auto step = [&](const Tensor& x, double lr, int i) { return x - lr / (1 + i) * grad(f)(x); };
  x = step(x, 0.3, 0).eval();
  Misses start;
  for (int i = 1; i < 20; ++i) x = step(x, 0.31 / i, i).eval();
  Misses during = Misses().since(start);
  CHECK_EQ(during.expansions, 0);
  CHECK(during.executables <= 1);
}

TEST_CASE("no pass runs where a transformed function is recorded again, whatever the transforms") {
  const Tensor x = doubles({1, 2, 3}).eval(), rows = stack({x, 2 * x}).eval();
  auto scalar = [](const Tensor& t) { return sum(sin(t) * t); };
  auto vector = [](const Tensor& t) { return sin(t) * cumsum(t, 0); };
  auto loop = [](const Tensor& t) {
    return sum(fori_loop(
        0, 4, [](const Tensor&, const Tensor& c) { return 0.5 * c + sin(c); }, t));
  };
  auto counted = [&](const std::string& name, auto call) {
    CAPTURE(name);
    call();
    const int64_t before = passes::passes_run();
    call();
    CHECK_EQ(passes::passes_run() - before, 0);
  };
  counted("grad", [&] { grad(scalar)(x).eval(); });
  counted("grad_and_value", [&] { grad_and_value(scalar)(x).first.eval(); });
  counted("grad of a loop", [&] { grad(loop)(x).eval(); });
  counted("vmap", [&] { vmap(vector)(rows).eval(); });
  counted("vmap in chunks", [&] { vmap(vector, {.chunk_size = 1})(rows).eval(); });
  counted("vmap of grad", [&] { vmap(grad(scalar))(rows).eval(); });
  counted("grad of vmap", [&] { grad([&](const Tensor& t) { return sum(vmap(vector)(t)); })(rows).eval(); });
  counted("jacrev", [&] { jacrev(vector)(x).eval(); });
  counted("jacfwd of jacrev", [&] { jacfwd(jacrev(vector))(x).eval(); });
  counted("hessian", [&] { hessian(scalar)(x).eval(); });
  counted("jvp", [&] { jvp(vector, primals(x), tangents(x)).second.eval(); });
  counted("vjp", [&] { std::get<0>(vjp(vector, x).second(x)).eval(); });
  counted("linearize", [&] { linearize(vector, x).second(x).eval(); });
  counted("functionalize", [&] { functionalize(vector)(x).eval(); });
  counted("three levels of grad", [&] {
    auto once = [&](auto f) { return [f](const Tensor& t) { return sum(grad(f)(t)); }; };
    grad(once(once(scalar)))(x).eval();
  });
  counted("jit of vmap of hessian", [&] { jit(vmap(hessian(scalar)))(rows).eval(); });
}

TEST_CASE("numbers inside a differentiated function are data") {
  auto f = [](double k) { return grad([k](const Tensor& x) { return sum(x * x * k); })(doubles({1, 2, 3})); };
  CHECK_SAME(f(0.7), doubles({1.4, 2.8, 4.2}));
  Misses start;
  for (double k : {0.3, 0.9, 1.7}) CHECK_SAME(f(k), 2 * k * doubles({1, 2, 3}));
  CHECK_EQ(Misses().since(start).expansions, 0);
  // Of exact values the class is structure.
  f(1.0);
  CHECK_EQ(Misses().since(start).expansions, 1);
}

TEST_CASE("graphs that differ anywhere are expanded anew") {
  auto expanded = [](auto f, const Tensor& x) {
    Misses start;
    f(x).eval();
    return Misses().since(start).expansions;
  };
  auto one = [](auto inner) { return [inner](const Tensor& x) { return grad(inner)(x); }; };
  auto sines = [](const Tensor& x) { return sum(sin(x)); };
  auto cosines = [](const Tensor& x) { return sum(cos(x)); };
  Tensor x3 = doubles({1, 2, 3}), x4 = doubles({1, 2, 3, 4});
  CHECK_EQ(expanded(one(sines), x3), 1);
  CHECK_EQ(expanded(one(sines), x3), 0);
  CHECK_EQ(expanded(one(cosines), x3), 1);
  CHECK_EQ(expanded(one(sines), x4), 1);
  CHECK_EQ(expanded(one(sines), x3.to(f32)), 1);
  auto rows = [&](std::optional<int64_t> chunk) {
    return [=](const Tensor& x) { return jacrev([](const Tensor& x) { return sin(x); }, {.chunk_size = chunk})(x); };
  };
  CHECK_EQ(expanded(rows({}), x3), 1);
  CHECK_EQ(expanded(rows(2), x3), 1);
  CHECK_EQ(expanded(rows({}), x3), 0);
  auto lanes = [](int64_t dim) {
    return [=](const Tensor& x) { return vmap([](const Tensor& x) { return sin(x); }, {.in_dims = dim})(x); };
  };
  Tensor square = ones({3, 3}, f64);
  CHECK_EQ(expanded(lanes(0), square), 1);
  CHECK_EQ(expanded(lanes(1), square), 1);
  CHECK_EQ(expanded(lanes(0), square), 0);
}

TEST_CASE("which arguments are differentiated is in the key") {
  auto f = [](const Tensor& x, const Tensor& y) { return sum(x * x * y); };
  Tensor x = doubles({1, 2, 3}), y = doubles({4, 5, 6});
  CHECK_SAME(grad<argnum(0)>(f)(x, y), 2 * x * y);
  CHECK_SAME(grad<argnum(1)>(f)(x, y), x * x);
  CHECK_SAME(grad<argnum(0)>(f)(x, y), 2 * x * y);
}

TEST_CASE("data errors name the line of the recording that failed") {
  Tensor x = doubles({1, 2, 3});
  auto read = [](auto f) -> std::string {
    try {
      f().eval();
    } catch (const IndexError& e) {
      return e.what();
    }
    return "no error";
  };
  // clang-format off
  std::string first = read([&] { return x.index_select(0, tensor({7})); });  int line = __LINE__;
  std::string second = read([&] { return x.index_select(0, tensor({7})); });
  std::string third = read([&] { return grad([](const Tensor& x) { return sum(x.index_select(0, tensor({7}))); })(x); });
  std::string fourth = read([&] { return grad([](const Tensor& x) { return sum(x.index_select(0, tensor({7}))); })(x); });
  // clang-format on
  auto names = [&](const std::string& text, int offset) {
    return text.find("cache_test.cpp:" + std::to_string(line + offset)) != std::string::npos;
  };
  CHECK(names(first, 0));
  CHECK(names(second, 1));
  CHECK(names(third, 2));
  CHECK(names(fourth, 3));
}

// Each read evaluates what is new since the last one: the same small graphs every time.
TEST_CASE("n reads of values inside a derivative compile a bounded number of graphs") {
  Misses start;
  Tensor slope = grad([](const Tensor& x) {
    Tensor y = x * 1.0;
    for (int i = 0; i < 400; ++i) {
      y = y * 1.5 + x;
      if (y.item<double>() > 10) y = y * 0.01;
    }
    return y;
  })(tensor(1.0, f64));
  CHECK(slope.item<double>() > 0);
  CHECK(Misses().since(start).executables <= 16);
}

TEST_CASE("a table forgets what was not used for longest, by number and by weight") {
  struct Key {
    int k;
    uint64_t hash() const { return static_cast<uint64_t>(k % 2); }  // collisions
    bool operator==(const Key&) const = default;
  };
  auto value = [](int v) { return std::make_shared<const int>(v); };
  LruTable<Key, int> few(2, 1000);
  for (int k : {1, 2}) few.insert({k}, value(k), 1);
  CHECK_EQ(*few.find({1}), 1);
  few.insert({3}, value(3), 1);
  CHECK_EQ(few.find({2}), nullptr);
  CHECK_EQ(*few.find({1}), 1);
  CHECK_EQ(*few.find({3}), 3);
  few.insert({3}, value(4), 1);  // the first stays
  CHECK_EQ(*few.find({3}), 3);
  CHECK_EQ(few.info().entries, 2);
  CHECK_EQ(few.info().misses, 1);
  LruTable<Key, int> light(100, 10);
  for (int k : {1, 2, 3}) light.insert({k}, value(k), 4);
  CHECK_EQ(light.find({1}), nullptr);
  CHECK_EQ(*light.find({3}), 3);
  light.insert({4}, value(4), 50);
  CHECK_EQ(light.info().entries, 1);
  CHECK_EQ(*light.find({4}), 4);
  light.insert({5}, value(5), 1);
  CHECK_EQ(light.find({4}), nullptr);
}

TEST_CASE("the cache of executables keeps no captured tensors alive") {
  Tensor captured = ones({1 << 16});
  captured.eval();
  std::weak_ptr<detail::TensorImpl> alive = captured.impl();
  {
    ir::Graph g = trace([&](const Tensor& x) { return x * captured; }, scalar(2));
    run(g, {scalar(3)})[0].eval();
    optimize(g);
  }
  captured = Tensor();
  CHECK(alive.expired());
}
