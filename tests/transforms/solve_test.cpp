// Solutions that are differentiated by their equations: known derivatives, every stack of two transforms, trees.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <functional>
#include <map>

#include "check.h"

using namespace jot;

namespace {

using F = std::function<Tensor(const Tensor&)>;  // of four numbers, to four numbers

const Tensor weights = tensor({0.3, -0.8, 0.5, 1.1}, f64);
const Tensor start = tensor({0.9, -0.6, 1.3, 0.2}, f64);

// Conjugate gradients, until nothing is left.
template <class Matvec>
Tensor conjugate_gradients(const Matvec& matvec, const Tensor& b) {
  using State = std::tuple<Tensor, Tensor, Tensor, Tensor>;  // x, residual, direction, its square
  State first{zeros_like(b), b, b, sum(b * b)};
  State last = while_loop([](const State& s) { return std::get<3>(s) > 1e-28; },
                          [&](const State& s) {
                            const auto& [x, r, p, square] = s;
                            Tensor ap = matvec(p), alpha = square / sum(p * ap);
                            Tensor next = r - alpha * ap, now = sum(next * next);
                            return State{x + alpha * p, next, next + now / square * p, now};
                          },
                          first, {.max_steps = 100});
  return std::get<0>(last);
}

// Newton's iteration, each component for itself.
template <class G>
Tensor newton(const G& f, const Tensor& x0) {
  return while_loop([&](const Tensor& x) { return max(abs(f(x))) > 1e-14; },
                    [&](const Tensor& x) {
                      auto [y, slope] = jvp(f, primals(x), tangents(ones_like(x)));
                      return x - y / slope;
                    },
                    x0);
}

// A symmetric, positive definite matrix of four numbers, and a matrix that is not symmetric.
Tensor definite(const Tensor& p) {
  Tensor outer = p.unsqueeze(1) * p.unsqueeze(0);
  return outer * 0.3 + eye(4, f64) * 2 + diag_embed(cos(p));
}
Tensor skew(const Tensor& p) { return definite(p) + p.unsqueeze(1) * weights.unsqueeze(0) * 0.4; }

// x of a x = b in plain operations: elimination.
Tensor eliminated(const Tensor& a, const Tensor& b) {
  Tensor m = a.clone(), x = b.clone();
  for (int k = 0; k < 4; ++k) {
    Tensor pivot = m[k] / m[k][k], value = x[k] / m[k][k];
    Tensor column = m.select(1, k) * (1 - eye(4, f64)[k]);
    m = m - column.unsqueeze(1) * pivot.unsqueeze(0);
    m = m + eye(4, f64)[k].unsqueeze(1) * (pivot - m[k]).unsqueeze(0);
    x = x - column * value;
    x = x + eye(4, f64)[k] * (value - x[k]);
  }
  return x;
}

struct Problem {
  F solved, plain;
};
const std::map<std::string, Problem>& problems() {
  static const auto* all = [] {
    auto& p = *new std::map<std::string, Problem>;
    // x^2 = p^2 + 1, componentwise: x = sqrt(p^2 + 1).
    p["a root, with Newton in it"] = {
        [](const Tensor& v) {
          auto f = [&](const Tensor& x) { return x * x - v * v - 1; };
          return custom_root(
              f, ones({4}, f64) * 2, [](const auto& g, const Tensor& x0) { return newton(g, x0); },
              [](const auto& matvec, const Tensor& b) { return b / matvec(ones({4}, f64)); });
        },
        [](const Tensor& v) { return sqrt(v * v + 1); }};
    // A matrix that is not symmetric, which v makes: the tangent's solution is asked for its transpose.
    p["a root of a system"] = {[](const Tensor& v) {
                                 auto f = [&](const Tensor& x) { return matmul(skew(v), x) - v; };
                                 auto solve = [&](const auto&, const Tensor&) {
                                   return eliminated(stop_gradient(skew(v)), stop_gradient(v));
                                 };
                                 auto tangent = [](const auto& matvec, const Tensor& b) {
                                   return eliminated(jacfwd(matvec)(zeros({4}, f64)), b);
                                 };
                                 return custom_root(f, zeros({4}, f64), solve, tangent);
                               },
                               [](const Tensor& v) { return eliminated(skew(v), v); }};
    p["conjugate gradients"] = {[](const Tensor& v) {
                                  auto matvec = [&](const Tensor& x) { return matmul(definite(v), x); };
                                  auto cg = [](const auto& a, const Tensor& b) { return conjugate_gradients(a, b); };
                                  return custom_linear_solve(matvec, v * weights, cg, cg);
                                },
                                [](const Tensor& v) { return eliminated(definite(v), v * weights); }};
    p["a matrix that is not symmetric, its solve transposed"] = {
        [](const Tensor& v) {
          Tensor a = skew(v);
          auto matvec = [&](const Tensor& x) { return matmul(a, x); };
          auto solve = [&](const auto&, const Tensor& b) { return eliminated(a, b); };
          return custom_linear_solve(matvec, sin(v), solve);
        },
        [](const Tensor& v) { return eliminated(skew(v), sin(v)); }};
    p["a transposed solve that is given"] = {[](const Tensor& v) {
                                               auto matvec = [&](const Tensor& x) { return matmul(skew(v), x); };
                                               auto solve = [](const auto& a, const Tensor& b) {
                                                 return eliminated(jacfwd(a)(b), b);
                                               };
                                               return custom_linear_solve(matvec, sin(v), solve, solve);
                                             },
                                             [](const Tensor& v) { return eliminated(skew(v), sin(v)); }};
    return &p;
  }();
  return *all;
}

const std::map<std::string, std::function<F(F)>>& transforms() {
  static const auto* all = new std::map<std::string, std::function<F(F)>>{
      {"jvp",
       [](F f) -> F { return [f](const Tensor& x) { return jvp(f, primals(x), tangents(cos(x * 3))).second; }; }},
      {"grad",
       [](F f) -> F {
         return [f](const Tensor& x) { return grad([&](const Tensor& y) { return sum(f(y) * weights); })(x); };
       }},
      {"vmap", [](F f) -> F { return [f](const Tensor& x) {
                                return sum(vmap(f)(stack({x, x * 0.5, x - 0.4})), 0);
                              }; }},
      {"jit", [](F f) -> F { return [f](const Tensor& x) { return jit(f)(x); }; }}};
  return *all;
}

double difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  return max(abs(a - b) / (abs(b) + 1)).item<double>();
}

}  // namespace

TEST_CASE("solutions agree with closed forms, alone and under every stack of two transforms") {
  for (const auto& [name, problem] : problems()) {
    CAPTURE(name);
    CHECK(difference(problem.solved(start), problem.plain(start)) < 1e-11);
    for (const auto& [inner, in] : transforms())
      for (const auto& [outer, out] : transforms()) {
        CAPTURE(inner);
        CAPTURE(outer);
        CHECK(difference(out(in(problem.solved))(start), out(in(problem.plain))(start)) < 1e-10);
      }
  }
}

TEST_CASE("third derivatives of a root") {
  auto root = [](const Tensor& p) {
    return custom_root([&](const Tensor& x) { return x * x * x - p; }, ones({}, f64),
                       [](const auto& f, const Tensor& x0) { return newton(f, x0); },
                       [](const auto& matvec, const Tensor& b) { return b / matvec(ones({}, f64)); });
  };
  Tensor p = tensor(8.0, f64);
  CHECK_NEAR_TO(root(p), tensor(2.0, f64), 1e-12);
  CHECK_NEAR_TO(grad(root)(p), tensor(1.0 / 12, f64), 1e-12);
  CHECK_NEAR_TO(grad(grad(root))(p), tensor(-1.0 / 144, f64), 1e-12);
  CHECK_NEAR_TO(grad(grad(grad(root)))(p), tensor(10.0 / 27 / 256, f64), 1e-11);
  CHECK_NEAR_TO(jacfwd(jacfwd(jacfwd(root)))(p), grad(grad(grad(root)))(p), 1e-11);
}

TEST_CASE("the search is not differentiated, and where it begins does not matter") {
  // Steps of bisection have no derivative.
  auto root = [](const Tensor& p, const Tensor& x0) {
    auto bisect = [&](const auto& f, const Tensor& from) {
      using Ends = std::pair<Tensor, Tensor>;
      Ends ends = fori_loop(
          0, 60,
          [&](const Tensor&, const Ends& e) {
            Tensor middle = (e.first + e.second) / 2, low = f(middle) < 0;
            return Ends{where(low, middle, e.first), where(low, e.second, middle)};
          },
          Ends{from * 0, from * 0 + 10});
      return ends.first;
    };
    return custom_root([&](const Tensor& x) { return x * x - p; }, x0, bisect,
                       [](const auto& matvec, const Tensor& b) { return b / matvec(ones({}, f64)); });
  };
  auto [by_p, by_start] = grad<argnums(0, 1)>(root)(tensor(4.0, f64), tensor(1.0, f64));
  CHECK_NEAR_TO(by_p, tensor(0.25, f64), 1e-12);
  CHECK_SAME(by_start, tensor(0.0, f64));
  Tensor ps = tensor({4.0, 9.0, 25.0}, f64);
  CHECK_NEAR_TO(vmap(grad(root), {.in_dims = {0, none}})(ps, tensor(1.0, f64)), 0.5 / sqrt(ps), 1e-12);
}

TEST_CASE("unknowns may be trees") {
  using Pair = std::pair<Tensor, std::vector<Tensor>>;
  // 2 x + y = a, x - y = b.
  auto solved = [](const Tensor& a, const Tensor& b) {
    auto matvec = [&](const Pair& u) { return Pair{2 * u.first + u.second[0], {u.first - u.second[0]}}; };
    auto solve = [](const auto&, const Pair& r) {
      Tensor x = (r.first + r.second[0]) / 3;
      return Pair{x, {x - r.second[0]}};
    };
    Pair u = custom_linear_solve(matvec, Pair{a, {b}}, solve);
    Pair v = custom_root(
        [&](const Pair& w) {
          return Pair{w.first - u.first, {w.second[0] * 2 - u.second[0]}};
        },
        u,
        [&](const auto&, const Pair&) {
          return Pair{u.first, {u.second[0] / 2}};
        },
        [](const auto&, const Pair& r) {
          return Pair{r.first, {r.second[0] / 2}};
        });
    return v.first * v.second[0];
  };
  auto closed = [](const Tensor& a, const Tensor& b) {
    Tensor x = (a + b) / 3;
    return x * (x - b) / 2;
  };
  Tensor a = tensor(1.3, f64), b = tensor(-0.4, f64);
  CHECK_NEAR_TO(jit(solved)(a, b), closed(a, b), 1e-12);
  auto [ga, gb] = grad<argnums(0, 1)>(solved)(a, b);
  auto [ca, cb] = grad<argnums(0, 1)>(closed)(a, b);
  CHECK_NEAR_TO(ga, ca, 1e-12);
  CHECK_NEAR_TO(gb, cb, 1e-12);
  CHECK_NEAR_TO(jvp(solved, primals(a, b), tangents(b, a)).second, jvp(closed, primals(a, b), tangents(b, a)).second,
                1e-12);
}

TEST_CASE("what is wrong with a solution is told") {
  Tensor b = ones({3}, f64);
  auto twice = [](const Tensor& x) { return 2 * x; };
  auto half = [](const auto&, const Tensor& r) { return r / 2; };
  auto iterate = [](const auto&, const Tensor& r) {
    return while_loop([](const Tensor& x) { return max(x) > 0.7; }, [](const Tensor& x) { return x / 2; }, r);
  };
  auto linear = [&](const auto& matvec, const auto& solve) {
    return [=](const Tensor& x) { return sum(custom_linear_solve(matvec, x, solve)); };
  };
  CHECK_NEAR_TO(jacfwd(linear(twice, iterate))(b), full({3}, 0.5, f64), 1e-12);
  CHECK_THROWS_WITH_AS(grad(linear(twice, iterate))(b).eval(),
                       doctest::Contains("[custom_linear_solve] reverse mode needs transpose_solve"), TransformError);
  CHECK_THROWS_WITH_AS(grad(linear([](const Tensor& x) { return x[0]; }, half))(b).eval(),
                       doctest::Contains("[custom_linear_solve] matvec: output is f64[], expected f64[3]"),
                       TransformError);
  CHECK_THROWS_WITH_AS(grad(linear(twice, [](const auto&, const Tensor& r) { return r[0]; }))(b).eval(),
                       doctest::Contains("[custom_linear_solve] solve: output is f64[], expected f64[3]"),
                       TransformError);
  auto root = [&](const auto& f, const auto& tangent) {
    return [=](const Tensor& x) { return sum(custom_root(f, x, half, tangent)); };
  };
  CHECK_THROWS_WITH_AS(grad(root([](const Tensor& x) { return x[0]; }, half))(b).eval(),
                       doctest::Contains("[custom_root] f: output is f64[], expected f64[3]"), TransformError);
  CHECK_THROWS_WITH_AS(grad(root(twice, [](const auto&, const Tensor& r) { return r.to(f32); }))(b).eval(),
                       doctest::Contains("[custom_root] tangent_solve: output is f32[3], expected f64[3]"),
                       TransformError);
  CHECK_THROWS_WITH_AS(jit([&](const Tensor& x) { return custom_linear_solve(twice, x, half); })(arange(3)),
                       doctest::Contains("[custom_linear_solve] expected floating unknowns, argument 0 is i64[3]"),
                       TransformError);
}
