// jit: keys, counters, captures, writes, threads.
#include <thread>

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

TEST_CASE("A NoGrad guard around the call of a jitted function is in its key and changes no value") {
  auto f = jit([](const Tensor& x) { return grad([](const Tensor& v) { return sum(v * v); })(x); });
  Tensor x = floats({1, 2});
  CHECK_SAME(f(x), 2 * x);
  NoGrad guard;
  for (int i = 0; i < 2; ++i) CHECK_SAME(f(x), 2 * x);
  CHECK_EQ(f.cache_info().misses, 2);
  auto g = jit([](const Tensor& v) { return v * v; });  // recorded under the guard
  CHECK_SAME(g(x), x * x);
  CHECK_SAME(grad([&](const Tensor& v) { return sum(g(v)); })(x), 2 * x);
}

TEST_CASE("a kind of arguments is recorded once") {
  int calls = 0;
  auto f = jit([&](const Tensor& x) {
    ++calls;
    return sin(x) * 2;
  });
  for (int i = 0; i < 3; ++i) CHECK_SAME(f(t1() + i), sin(t1() + i) * 2);
  CHECK_EQ(calls, 1);
  CHECK_EQ(f.cache_info().hits, 2);
  CHECK_EQ(f.cache_info().misses, 1);
  CHECK_EQ(f.cache_info().entries, 1);
  CHECK_SAME(f(ones({2, 2})), sin(ones({2, 2})) * 2);
  CHECK_SAME(f(ones({3}, f64)), sin(ones({3}, f64)) * 2);
  CHECK_EQ(calls, 3);
  auto copy = f;
  CHECK_SAME(copy(t1()), sin(t1()) * 2);
  CHECK_EQ(calls, 3);
  f.clear_cache();
  CHECK_EQ(f.cache_info().entries, 0);
  CHECK_EQ(f.cache_info().misses, 0);
  CHECK_SAME(f(t1()), sin(t1()) * 2);
  CHECK_EQ(calls, 4);
}

TEST_CASE("trees, numbers and other values are in the key") {
  int calls = 0;
  auto f = jit([&](const TensorDict& d, double k, const std::string& s) {
    ++calls;
    Tensor out = ones({3});
    for (const auto& [name, t] : d) out = out * t * k;
    return std::pair{out, TensorDict{{s, out + 1}}};
  });
  TensorDict a{{"a", t1()}}, b{{"b", t1()}}, both{{"a", t1()}, {"b", t1()}};
  auto [x, named] = f(a, 2.0, "k");
  CHECK_SAME(x, t1() * 2);
  CHECK_SAME(named.at("k"), t1() * 2 + 1);
  CHECK_SAME(f(a, 2.0, "k").second.at("k"), t1() * 2 + 1);
  CHECK_EQ(calls, 1);
  CHECK_SAME(f(a, 3.0, "k").first, t1() * 3);
  CHECK_SAME(f(b, 2.0, "k").first, t1() * 2);
  CHECK_SAME(f(both, 2.0, "k").first, t1() * t1() * 4);
  CHECK_EQ(f(a, 2.0, "other").second.count("other"), 1);
  CHECK_EQ(calls, 5);
  auto g = jit([&](const Tensor& x, std::optional<Tensor> y) { return y ? x + *y : x * 1; });
  CHECK_SAME(g(t1(), std::nullopt), t1());
  CHECK_SAME(g(t1(), t1()), t1() * 2);
  CHECK_EQ(g.cache_info().entries, 2);
}

TEST_CASE("captures are inputs: updates in place are seen") {
  Tensor w = floats({1, 1, 1});
  auto f = jit([&](const Tensor& x) { return x * w; });
  CHECK_SAME(f(t1()), t1());
  w.mul_(2);
  CHECK_SAME(f(t1()), t1() * 2);
  w.mutable_data<float>()[0] = 10;
  CHECK_SAME(f(t1()), floats({10, 4, 6}));
  CHECK_EQ(f.cache_info().misses, 1);
}

TEST_CASE("writes to captures and arguments are done by every call") {
  Tensor count = zeros({});
  auto f = jit([&](const Tensor& x, const Tensor& state) {
    count.add_(1);
    state.slice(0, 0, 1).add_(x.slice(0, 0, 1));
    return x + count;
  });
  Tensor state = zeros({3});
  for (int i = 1; i <= 3; ++i) {
    CHECK_SAME(f(t1(), state), t1() + i);
    CHECK_SAME(count, scalar(static_cast<float>(i)));
  }
  CHECK_SAME(state, floats({3, 0, 0}));
  Tensor base = zeros({2, 3});
  f(t1(), base[1]);
  CHECK_SAME(base, floats({0, 0, 0, 1, 0, 0}, {2, 3}));
}

TEST_CASE("overlap of arguments is in the key") {
  auto f = jit([](const Tensor& a, const Tensor& b) {
    a.add_(1);
    return b * 1;
  });
  Tensor z = zeros({2}), y = zeros({2});
  CHECK_SAME(f(z, y), zeros({2}));
  CHECK_SAME(f(z, z), floats({2, 2}));
  CHECK_SAME(z, floats({2, 2}));
  CHECK_EQ(f.cache_info().entries, 2);
}

TEST_CASE("results share no memory with arguments, captures or each other") {
  Tensor w = floats({1, 2, 3});
  auto f = jit([&](const Tensor& x) { return std::tuple{x, x, w}; });
  Tensor x = floats({4, 5, 6});
  auto [a, b, c] = f(x);
  a.fill_(0);
  CHECK_SAME(b, floats({4, 5, 6}));
  CHECK_SAME(x, floats({4, 5, 6}));
  c.fill_(0);
  CHECK_SAME(w, floats({1, 2, 3}));
}

TEST_CASE("views as arguments") {
  Tensor m = floats({1, 2, 3, 4, 5, 6}, {2, 3});
  auto f = jit([](const Tensor& x) { return x * 10; });
  CHECK_SAME(f(m.t()), m.t() * 10);
  CHECK_SAME(f(m[1]), floats({40, 50, 60}));
  CHECK_SAME(f(m.slice(1, 0, 3, 2)), floats({10, 30, 40, 60}, {2, 2}));
}

TEST_CASE("random draws go on from call to call") {
  auto f = jit([](const Tensor& x) { return x + randn({3}); });
  manual_seed(9);
  Tensor first = f(zeros({3})), second = f(zeros({3}));
  manual_seed(9);
  CHECK_SAME(first, randn({3}));
  CHECK_SAME(second, randn({3}));
}

TEST_CASE("jit composes") {
  auto f = jit([](const Tensor& x) { return sum(sin(x)); });
  CHECK_SAME(grad(f)(t1()), cos(t1()));
  CHECK_SAME(jit(grad(f))(t1()), cos(t1()));
  CHECK_SAME(vmap(f)(floats({1, 2, 3, 4}, {2, 2})), sum(sin(floats({1, 2, 3, 4}, {2, 2})), {1}));
  auto h = jit(vmap(hessian(f)));
  Tensor x = floats({1, 2, 3, 4}, {2, 2});
  CHECK_SAME(h(x), diag_embed(-sin(x)));
  CHECK_SAME(h(x), diag_embed(-sin(x)));
  CHECK_EQ(h.cache_info().hits, 1);
}

TEST_CASE("values cannot be read while jit records") {
  auto f = jit([](const Tensor& x) { return x.item<float>() > 0 ? x : -x; });
  CHECK_THROWS_WITH_AS(f(scalar(1)), Contains("jit_test.cpp:"), TraceError);
  CHECK_THROWS_WITH(f(scalar(1)), Contains("where"));
  CHECK_EQ(f.cache_info().entries, 0);
  CHECK_THROWS_WITH_AS(f(Tensor()), Contains("[jit] argument 0 is an undefined Tensor"), TransformError);
}

TEST_CASE("training flags are in the key") {
  struct Dropout : nn::Module {
    Tensor forward(const Tensor& x) const override { return is_training() ? x * 2 : x * 1; }
  };
  Dropout d;
  auto f = jit([&](const Tensor& x) { return d(x); });
  CHECK_SAME(f(t1()), t1() * 2);
  d.eval();
  CHECK_SAME(f(t1()), t1());
  d.train();
  CHECK_SAME(f(t1()), t1() * 2);
  CHECK_EQ(f.cache_info().misses, 2);
}

TEST_CASE("the default dtype is in the key") {
  auto f = jit([](const Tensor& x) { return x.to(f64) * ones({3}).to(f64) + zeros({3}); });
  CHECK_EQ(f(t1()).dtype(), f64);
  auto g = jit([](const Tensor& x) { return ones({3}) + x.to(i64); });
  CHECK_EQ(g(t1()).dtype(), f32);
  set_default_dtype(f64);
  CHECK_EQ(g(t1()).dtype(), f64);
  set_default_dtype(f32);
  CHECK_EQ(g(t1()).dtype(), f32);
}

TEST_CASE("errors of the function leave the cache as it was") {
  bool fail = true;
  auto f = jit([&](const Tensor& x) {
    if (fail) throw std::runtime_error("no");
    return x * 2;
  });
  CHECK_THROWS_WITH(f(t1()), "no");
  fail = false;
  CHECK_SAME(f(t1()), t1() * 2);
}

TEST_CASE("the cache is bounded") {
  auto f = jit([](const Tensor& x, int k) { return x * k; });
  for (int i = 0; i < 300; ++i) f(scalar(1), i);
  CHECK_EQ(f.cache_info().misses, 300);
  CHECK(f.cache_info().entries <= 256);
  CHECK_SAME(f(scalar(1), 299), scalar(299));
  CHECK_EQ(f.cache_info().hits, 1);
}

TEST_CASE("one function called from four threads") {
  auto f = jit(jacrev([](const Tensor& x) { return tanh(x) * sum(x); }));
  Tensor want = jacrev([](const Tensor& x) { return tanh(x) * sum(x); })(t1());
  want.eval();
  std::vector<std::string> differences(4);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int k = 0; k < 50 && differences[i].empty(); ++k) differences[i] = difference(f(floats({1, 2, 3})), want);
    });
  for (auto& t : threads) t.join();
  for (const auto& d : differences) CHECK_EQ(d, "");
  CHECK_EQ(f.cache_info().hits + f.cache_info().misses, 200);
}
