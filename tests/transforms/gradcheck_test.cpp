// gradcheck, gradgradcheck.
#include "check.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

namespace {

struct State {
  Tensor position, velocity;
};
JOT_TREE(State, position, velocity);

// x^2, whose derivative is wrong by `error` at the second element.
auto square_with(double error) {
  return custom_jvp([](const Tensor& x) { return x * x; },
                    [error](const auto& primals, const auto& tangents) {
                      const Tensor& x = std::get<0>(primals);
                      Tensor wrong = doubles({0, error, 0});
                      return std::pair{x * x, (2 * x + wrong) * std::get<0>(tangents)};
                    });
}

}  // namespace

TEST_CASE("gradcheck: right derivatives") {
  Tensor x = doubles({0.3, -1.2, 2}), A = doubles({1, 2, 3, 4, 5, 7}, {2, 3});
  CHECK(gradcheck([](const Tensor& v) { return sin(v) * v; }, args(x)));
  CHECK(gradcheck([](const Tensor& m, const Tensor& v) { return std::pair{matmul(m, v), sum(exp(v))}; }, args(A, x)));
  CHECK(gradgradcheck(
      [](const Tensor& m, const Tensor& v) {
        return std::pair{matmul(m, v), sum(exp(v))};
      },
      args(A, x)));
  // Integers are neither differentiated nor compared; scalars, empty tensors and numbers pass.
  auto mixed = [](const Tensor& i, const Tensor& v, const Tensor& s, const Tensor& none_at_all, double k) {
    return std::tuple{i * 2, sum(v.index({i}) * s) * k + sum(none_at_all), none_at_all * s};
  };
  Tensor i = tensor({2, 0}), s = tensor(1.5, f64), empty = zeros({0, 3}, f64);
  CHECK(gradcheck(mixed, args(i, x, s, empty, 3.0)));
  CHECK(gradgradcheck(mixed, args(i, x, s, empty, 3.0)));
  // What f writes to its argument reaches nobody.
  CHECK(gradcheck([](const Tensor& v) { return v.mul_(v) + 1; }, args(x)));
  CHECK_SAME(x, doubles({0.3, -1.2, 2}));
  State state{x, s};
  CHECK(gradcheck([](const State& a) { return State{a.position * a.velocity, sum(a.position)}; }, args(state)));
  // f32, with what fits it.
  CHECK(gradcheck([](const Tensor& v) { return tanh(v); }, args(floats({0.5, -0.25})),
                  {.eps = 1e-2, .atol = 1e-2, .rtol = 1e-2}));
}

TEST_CASE("gradcheck: the worst entry by path and index") {
  Tensor x = doubles({0.5, 1, 2});
  CHECK_THROWS_WITH_AS(
      gradcheck(square_with(0.25), args(x)),
      Contains("[gradcheck] the derivative of output[1] by argument 0[1]: analytic 2.25 (forward mode), "
               "numeric 2"),
      Error);
  CHECK_THROWS_WITH_AS(gradcheck(square_with(0.25), args(x)),
                       Contains("expected them within 1e-05 + 0.001 |numeric|; 2 of 18 entries of both modes are off"),
                       Error);
  CHECK_THROWS_WITH_AS(gradcheck(square_with(0.25), args(x)), Contains("gradcheck_test.cpp:"), Error);
  CHECK(gradcheck(square_with(1e-7), args(x)));
  CHECK_THROWS_AS(gradcheck(square_with(1e-7), args(x), {.atol = 0, .rtol = 1e-9}), Error);
  auto f = [](const TensorDict& p, const State& s) {
    return TensorDict{{"energy", s.position * 2}, {"rate", square_with(3)(s.velocity) + 0 * sum(p.at("k"))}};
  };
  TensorDict p = {{"k", ones({2, 2}, f64)}};
  State s{x, x};
  CHECK_THROWS_WITH_AS(gradcheck(f, args(p, s)),
                       Contains("the derivative of output[\"rate\"][1] by argument 1.velocity[1]: analytic 5"), Error);
  // Values that are no numbers never agree.
  CHECK_THROWS_WITH_AS(gradcheck([](const Tensor& v) { return sqrt(v); }, args(doubles({-1}))),
                       Contains("analytic nan"), Error);
}

TEST_CASE("gradgradcheck finds a second derivative that is wrong where the first is right") {
  auto stopped = custom_vjp([](const Tensor& x) { return x * x; },
                            [](const Tensor& x) {
                              return std::pair{x * x, std::tuple{x}};
                            },
                            [](const auto& residuals, const Tensor& ct) {
                              return std::tuple{2 * stop_gradient(std::get<0>(residuals)) * ct};
                            });
  Tensor x = doubles({0.5, 3});
  CHECK(gradcheck(stopped, args(x)));
  CHECK_THROWS_WITH_AS(gradgradcheck(stopped, args(x)),
                       Contains("[gradgradcheck] the derivative of the gradient by argument 0[0] by argument 0[0]: "
                                "analytic 0 (forward mode), numeric 2.2"),
                       Error);
}

TEST_CASE("gradcheck: what it cannot check") {
  Tensor i = tensor({1, 2}), x = floats({1, 2});
  CHECK_THROWS_WITH_AS(gradcheck([](const Tensor& v) { return v * 2; }, args(i)),
                       Contains("[gradcheck] expects at least one argument that is a Tensor of floating point dtype"),
                       TransformError);
  CHECK_THROWS_WITH_AS(gradcheck([](const Tensor& v) { return v > 0; }, args(x)),
                       Contains("[gradcheck] f gives no Tensor of floating point dtype"), TransformError);
  CHECK_THROWS_WITH_AS(gradcheck([](const Tensor& v) { return v; }, args(Tensor())),
                       Contains("[gradcheck] argument 0 is an undefined Tensor"), TransformError);
  CHECK_THROWS_WITH_AS(gradcheck([](const Tensor& v) { return exp(v); }, args(x)),
                       Contains("not all arguments are f64: make them f64, or give a larger eps"), Error);
  CHECK_THROWS_WITH_AS(gradcheck(
                           [](const Tensor& v) {
                             return v.item<double>() > 1 ? cat({v, v}, 0) : v;
                           },
                           args(doubles({1}))),
                       Contains("the shape of an output of f changes within eps: [1], [2]"), TransformError);
  CHECK_THROWS_AS(jit([](const Tensor& v) {
                    gradcheck([](const Tensor& w) { return w * 2; }, args(v));
                    return v;
                  })(doubles({1})),
                  TraceError);
}
