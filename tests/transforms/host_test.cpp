// The host's own code in traced functions: calls in order, everywhere, and what it throws.
#include <doctest/doctest.h>
#include <jot/jot.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "check.h"

using namespace jot;

namespace {

// What is printed while it is alive.
class Printed {
 public:
  Printed() : file_(std::tmpfile(), &std::fclose) {
    std::fflush(stdout);
    before_ = dup(STDOUT_FILENO);
    REQUIRE(dup2(fileno(file_.get()), STDOUT_FILENO) >= 0);
  }
  ~Printed() {
    std::fflush(stdout);
    dup2(before_, STDOUT_FILENO);
    close(before_);
  }
  Printed(const Printed&) = delete;
  Printed& operator=(const Printed&) = delete;
  std::string take() {
    std::fflush(stdout);
    std::string text;
    char piece[256];
    ssize_t n = 0;
    for (; (n = pread(fileno(file_.get()), piece, sizeof piece, taken_)) > 0; taken_ += n)
      text.append(piece, static_cast<size_t>(n));
    return text;
  }

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  int before_ = -1;
  off_t taken_ = 0;
};

Tensor squares(const Tensor& x) {
  std::vector<double> v = x.to_vector<double>();
  for (double& e : v) e *= e;
  return Tensor::from(v, x.shape());
}
Tensor squared(const Tensor& x) { return host_call(squares, spec(x.shape(), f64), x); }
// With the derivative that the host's code does not have.
const auto squared_by_jvp = custom_jvp(squared, [](const std::tuple<Tensor>& x, const std::tuple<Tensor>& t) {
  return std::pair{squared(std::get<0>(x)), 2 * std::get<0>(x) * std::get<0>(t)};
});
const auto squared_by_vjp = custom_vjp(
    squared,
    [](const Tensor& x) {
      return std::pair{squared(x), x};
    },
    [](const Tensor& x, const Tensor& ct) { return std::tuple{2 * x * ct}; });

const Tensor x3 = tensor({1.0, 2.0, 3.0}, f64);

}  // namespace

TEST_CASE("host_call is an op: under jit, vmap, loops, branches, custom derivatives") {
  Tensor nine = tensor({1.0, 4.0, 9.0}, f64);
  CHECK_SAME(squared(x3), nine);
  CHECK_SAME(jit(squared)(x3), nine);
  CHECK_SAME(vmap(squared)(stack({x3, x3 * 2})), stack({nine, nine * 4}));
  CHECK_SAME(jit(vmap(vmap(squared)))(stack({x3, x3 * 2}).unsqueeze(0)), stack({nine, nine * 4}).unsqueeze(0));
  auto looped = [](const Tensor& x) {
    return fori_loop(
        0, 3, [](const Tensor&, const Tensor& c) { return squared(c); }, x);
  };
  CHECK_SAME(jit(looped)(x3), pow(x3, 8));
  auto chosen = [](const Tensor& p, const Tensor& x) {
    return cond(
        p, [](const Tensor& v) { return squared(v); }, [](const Tensor& v) { return v + 1; }, x);
  };
  CHECK_SAME(jit(chosen)(tensor(true), x3), nine);
  CHECK_SAME(vmap(chosen)(tensor({true, false}), stack({x3, x3})), stack({nine, x3 + 1}));
  for (int by_vjp : {0, 1}) {
    auto f = [&](const Tensor& x) { return sum(by_vjp ? squared_by_vjp(x) : squared_by_jvp(x)); };
    CHECK_SAME(grad(f)(x3), 2 * x3);
    CHECK_SAME(jit(grad(f))(x3), 2 * x3);
    CHECK_SAME(vmap(grad(f))(stack({x3, x3 * 3})), stack({2 * x3, 6 * x3}));
    CHECK_SAME(hessian(f)(x3), 2 * eye(3, f64));
  }
  // Trees, several results, integers.
  auto parts = [](const std::pair<Tensor, std::vector<Tensor>>& t) {
    return std::pair{t.first + t.second[0], t.second[1].to(i64)};
  };
  auto split = [&](const Tensor& x) {
    return host_call(parts, std::pair{spec({3}, f64), spec({3}, i64)}, std::pair{x, std::vector<Tensor>{x * 2, x * 3}});
  };
  auto [a, b] = jit(split)(x3);
  CHECK_SAME(a, x3 * 3);
  CHECK_SAME(b, tensor({3, 6, 9}));
}

TEST_CASE("a host's function without state shares compiled code; one with state is its own") {
  auto shared = jit(squared);
  shared(x3);
  std::vector<double> seen;
  auto recorded = [&](const Tensor& x) {
    return host_call(
        [&](const Tensor& v) {
          seen.push_back(v.item<double>());
          return v;
        },
        spec({}, f64), x);
  };
  auto f = jit([&](const Tensor& x) {
    Tensor first = recorded(x);
    return first + recorded(x * 10);
  });
  f(tensor(1.0, f64));
  f(tensor(2.0, f64));
  CHECK(seen == std::vector<double>{1, 10, 2, 20});
  CHECK(f.cache_info().misses == 1);
  auto scaled = [](double factor) {
    return [factor](const Tensor& x) {
      return host_call([factor](const Tensor& v) { return v * factor; }, spec({}, f64), x);
    };
  };
  CHECK_SAME(jit(scaled(2))(tensor(3.0, f64)), tensor(6.0, f64));
  CHECK_SAME(jit(scaled(5))(tensor(3.0, f64)), tensor(15.0, f64));
}

TEST_CASE("what the host's code throws leaves the call that evaluates, and nothing is broken") {
  auto throws = [](const Tensor& x) {
    return host_call(
        [](const Tensor& v) -> Tensor {
          if (v.item<double>() > 2) throw std::out_of_range("too far");
          return v * 2;
        },
        spec({}, f64), x);
  };
  auto f = jit(throws);
  CHECK_THROWS_WITH_AS(f(tensor(3.0, f64)), "too far", std::out_of_range);
  CHECK_SAME(f(tensor(1.0, f64)), tensor(2.0, f64));
  auto loop = jit([&](const Tensor& x) {
    return while_loop([](const Tensor& c) { return c < 100; }, [&](const Tensor& c) { return throws(c); }, x);
  });
  CHECK_THROWS_WITH_AS(loop(tensor(0.5, f64)), "too far", std::out_of_range);
  CHECK_SAME(f(tensor(1.0, f64)), tensor(2.0, f64));
  auto lanes = [&](const Tensor& x) { return vmap(throws)(x); };
  CHECK_THROWS_WITH_AS(lanes(tensor({1.0, 5.0}, f64)).eval(), "too far", std::out_of_range);
  CHECK_SAME(lanes(tensor({1.0, 2.0}, f64)), tensor({2.0, 4.0}, f64));
  auto wrong = [](const Tensor& x) { return host_call([](const Tensor& v) { return v; }, spec({2}, f64), x); };
  CHECK_THROWS_WITH_AS(jit(wrong)(x3),
                       doctest::Contains("[host_call] the host's code returned output 0, f64[3], expected f64[2]"),
                       TransformError);
  CHECK_THROWS_WITH_AS(wrong(x3), doctest::Contains("expected f64[2]"), TransformError);
  auto number = [](const Tensor& x) { return host_call([](const Tensor&) -> Tensor { throw 3; }, spec({3}, f64), x); };
  CHECK_THROWS_WITH_AS(jit(number)(x3), doctest::Contains("threw something that is no std::exception"), Error);
}

TEST_CASE("the host's code has no derivative but the one it is given") {
  auto f = [](const Tensor& x) { return sum(squared(x)); };
  CHECK_THROWS_WITH_AS(grad(f)(x3).eval(), doctest::Contains("give it one with custom_jvp or custom_vjp"),
                       TransformError);
  CHECK_SAME(grad([](const Tensor& x) { return sum(squared(stop_gradient(x)) * x); })(x3),
             tensor({1.0, 4.0, 9.0}, f64));
}

TEST_CASE("the host's code may use tensors, transforms and random numbers") {
  auto f = jit([](const Tensor& x) {
    return host_call(
        [](const Tensor& v) {
          Tensor noise = randn({3}, f64) * 0;
          return grad([](const Tensor& u) { return sum(u * u * u); })(v) + noise;
        },
        spec({3}, f64), x);
  });
  CHECK_SAME(f(x3), 3 * x3 * x3);
  Tensor pending = x3 * 2;  // is evaluated before
  auto captured = [&](const Tensor& x) {
    return sum(host_call([&](const Tensor& v) { return v + pending; }, spec({3}, f64), stop_gradient(x)) * x);
  };
  CHECK_SAME(grad(captured)(x3), 3 * x3);
}

TEST_CASE("debug_print prints in order, whenever the function runs, once a lane") {
  Printed printed;
  debug_print("{{x}} = {}, {}", tensor(1.5, f64), 7);
  std::string one = printed.take();
  CHECK(one == "{x} = " + to_string(tensor(1.5, f64)) + ", 7\n");
  auto show = [](const Tensor& x) {
    debug_print("first {}", x);
    Tensor y = x * 2;
    debug_print("second {}", y);
    return y;
  };
  auto line = [](const char* name, double v) { return std::string(name) + to_string(tensor(v, f64)) + "\n"; };
  auto f = jit(show);
  f(tensor(1.0, f64));
  CHECK(printed.take() == line("first ", 1) + line("second ", 2));
  f(tensor(3.0, f64));
  CHECK(printed.take() == line("first ", 3) + line("second ", 6));
  // In the primal of derivatives, once; at the call, before its result is read.
  Tensor slope = grad(show)(tensor(4.0, f64));
  CHECK(printed.take() == line("first ", 4) + line("second ", 8));
  CHECK_SAME(slope, tensor(2.0, f64));
  jacfwd(grad([&](const Tensor& x) { return show(x) * x; }))(tensor(5.0, f64)).eval();
  CHECK(printed.take() == line("first ", 5) + line("second ", 10));
  jacrev(show)(tensor(5.0, f64)).eval();
  CHECK(printed.take() == line("first ", 5) + line("second ", 10));
  // Lane by lane.
  vmap([](const Tensor& x) {
    debug_print("lane {}", x);
    return x;
  })(tensor({1.0, 2.0, 3.0}, f64))
      .eval();
  CHECK(printed.take() == line("lane ", 1) + line("lane ", 2) + line("lane ", 3));
  // Of what has no lanes: once.
  vmap([](const Tensor& x) {
    debug_print("here");
    return x;
  })(x3)
      .eval();
  CHECK(printed.take() == "here\n");
}

TEST_CASE("debug_print in loops and branches, with lanes that end at different steps, and where no result is used") {
  Printed printed;
  auto line = [](const char* name, double v) { return std::string(name) + to_string(tensor(v, f64)) + "\n"; };
  auto halve = [](const Tensor& x) {
    return while_loop([](const Tensor& c) { return c > 1; },
                      [](const Tensor& c) {
                        debug_print("at {}", c);
                        return c / 2;
                      },
                      x);
  };
  jit(halve)(tensor(4.0, f64));
  CHECK(printed.take() == line("at ", 4) + line("at ", 2));
  CHECK_SAME(grad(halve)(tensor(4.0, f64)), tensor(0.25, f64));
  CHECK(printed.take() == line("at ", 4) + line("at ", 2));
  CHECK_SAME(vmap(halve)(tensor({4.0, 2.0}, f64)), tensor({1.0, 1.0}, f64));
  CHECK(printed.take().find(line("at ", 4)) == 0);
  auto counted = jit([](const Tensor& x) {
    scan(
        [](const Tensor& c, const Tensor& v) {
          cond(
              v > 0,
              [&](const Tensor& u) {
                debug_print("positive {}", u);
                return u;
              },
              [](const Tensor& u) { return u; }, v);
          return std::pair{c, c};
        },
        zeros({}, f64), x);
    return x + 1;
  });
  counted(tensor({1.0, -2.0, 3.0}, f64));
  CHECK(printed.take() == line("positive ", 1) + line("positive ", 3));
  // A checkpoint prints where its results are used, and again where they are computed again.
  auto inside = checkpoint([](const Tensor& x) {
    debug_print("checkpoint {}", x);
    return sin(x) * x;
  });
  jit(inside)(tensor(1.0, f64));
  CHECK(printed.take() == line("checkpoint ", 1));
}

TEST_CASE("a compiled function and other threads print too") {
  Printed printed;
  auto show = [](const Tensor& x) {
    debug_print("{}", x);
    return x * 2;
  };
  auto exe = compile(show, tensor(1.0, f64));
  exe(tensor(5.0, f64));
  CHECK(printed.take() == to_string(tensor(5.0, f64)) + "\n");
  double in = 7, out = 0;
  const void* inputs[] = {&in};
  void* outputs[] = {&out};
  exe.run_into(inputs, outputs);
  CHECK(out == 14);
  printed.take();
  auto f = jit(show);
  f(tensor(0.0, f64));
  printed.take();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) f(tensor(1.0, f64)).eval();
    });
  for (std::thread& t : threads) t.join();
  std::string expected;
  for (int i = 0; i < 80; ++i) expected += to_string(tensor(1.0, f64)) + "\n";
  CHECK(printed.take() == expected);
}

TEST_CASE("a wrong format is told at the call; the text of a graph has no code") {
  CHECK_THROWS_WITH_AS(debug_print("{} {}", x3), doctest::Contains("has 2 placeholders for 1 values"), Error);
  CHECK_THROWS_WITH_AS(debug_print("{:.3f}", x3), doctest::Contains("has a brace that is no {}"), Error);
  ir::Graph g = trace(squared, x3);
  CHECK(to_text(g).find("host_call") != std::string::npos);
  CHECK_SAME(run(g, {x3})[0], tensor({1.0, 4.0, 9.0}, f64));
  CHECK_SAME(interpret(g, {x3})[0], tensor({1.0, 4.0, 9.0}, f64));
  ir::Graph parsed = ir::parse(to_text(g));
  CHECK_THROWS_WITH_AS(run(parsed, {x3, zeros({0}, u8)}), doctest::Contains("does not have the host's code"), IrError);
}
