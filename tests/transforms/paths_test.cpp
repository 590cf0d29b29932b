// Errors name a leaf of a tree as the user writes it.
#include "check.h"

#include <map>
#include <utility>
#include <vector>

using namespace jot;

namespace {

struct State {
  Tensor pos, vel;
};
JOT_TREE(State, pos, vel);
struct World {
  std::vector<State> bodies;
  TensorDict weights;
  std::optional<Tensor> extra;
};
JOT_TREE(World, bodies, weights, extra)  // the semicolon may be left out

World world() {
  auto x = [] { return ones({2}); };
  return {{{x(), x()}, {x(), x()}}, {{"b", x()}, {"w", x()}}, {}};
}
Tensor total(const World& w) {
  Tensor sum = w.weights.at("w").sum() + w.weights.at("b").sum();
  for (const State& s : w.bodies) sum = sum + s.pos.sum() * s.vel.sum();
  return sum;
}

// The call must throw this text, and a line of this file.
template <class E, class F>
void check_text(F f, const std::string& text, bool line = true) {
  try {
    f();
  } catch (const E& e) {
    std::string what = e.what();
    CHECK_MESSAGE(what.find(text) != std::string::npos, what);
    if (line) CHECK_MESSAGE(what.find("paths_test.cpp:") != std::string::npos, what);
    return;
  }
  FAIL_CHECK("no error: " << text);
}

}  // namespace

TEST_CASE("an undefined leaf of an argument") {
  World w = world();
  w.bodies[1].vel = Tensor();
  const Tensor x = ones({2});
  auto f = [](const Tensor& x, const World& w) { return total(w) + sum(x); };
  const std::string text = "argument 1.bodies[1].vel is an undefined Tensor";
  check_text<TransformError>([&] { grad(f)(x, w); }, "[grad] " + text);
  check_text<TransformError>([&] { grad<argnum(1)>(f)(x, w); }, "[grad] " + text);
  check_text<TransformError>([&] { jacrev(f)(x, w); }, "[jacrev] " + text);
  check_text<TransformError>([&] { vmap(f)(x, w); }, "[vmap] " + text);
  check_text<TransformError>([&] { jit(f)(x, w); }, "[jit] " + text);
  check_text<TransformError>([&] { functionalize(f)(x, w); }, "[functionalize] " + text);
  check_text<TransformError>([&] { vjp(f, x, w); }, "[vjp] " + text, false);
  check_text<TransformError>([&] { linearize(f, x, w); }, "[linearize] " + text, false);
  check_text<TransformError>([&] { trace(f, x, w); }, "[trace] " + text, false);
  check_text<TransformError>([&] { compile(f, x, w); }, "[compile] " + text, false);
  check_text<TransformError>([&] { jvp(f, primals(x, w), tangents(x, world())); }, "[jvp] " + text);
  check_text<TransformError>([&] { jvp(f, primals(x, world()), tangents(x, w)); },
                             "[jvp] tangent 1.bodies[1].vel is an undefined Tensor");
  w = world();
  w.weights["w"] = Tensor();
  check_text<TransformError>([&] { grad(f)(x, w); }, "[grad] argument 1.weights[\"w\"] is an undefined Tensor");
  auto tuple = [](const std::tuple<Tensor, std::array<Tensor, 2>>& t) { return sum(std::get<0>(t)); };
  check_text<TransformError>(
      [&] {
        grad(tuple)(std::tuple<Tensor, std::array<Tensor, 2>>{x, {x, {}}});
      },
      "[grad] argument 0[1][1] is an undefined Tensor");
}

TEST_CASE("a leaf of another dtype or shape") {
  World w = world();
  w.bodies[1].pos = ones({2}, i64);
  auto f = [](const World& w) { return total(w); };
  check_text<DTypeError>([&] { grad(f)(w); }, "can require gradients: argument 0.bodies[1].pos is i64[2]");
  check_text<DTypeError>([&] { jacfwd(f)(w); }, "but got: argument 0.bodies[1].pos is i64[2]");
  check_text<ShapeError>(
      [&] {
        jvp(f, primals(world()),
            tangents(World{{{ones({2}), ones({2})}, {ones({2}), ones({3})}}, world().weights, {}}));
      },
      "tangent 0.bodies[1].vel is f32[3], the primal f32[2]");
  check_text<ShapeError>(
      [&] {
        compile(f, world())(World{{{ones({2}), ones({2})}, {ones({2}), ones({3})}}, world().weights, {}});
      },
      "[compile] argument 0.bodies[1].vel: expected f32[2], got f32[3]");
  w = world();
  w.weights["b"] = ones({});
  check_text<TransformError>(
      [&] { vmap(f)(w); },
      "Got in_dim=0 for some input (argument 0.weights[\"b\"]), but that input is a Tensor of "
      "dimensionality 0: it has no dim for lanes; where it is the same in all, write {.in_dims = "
      "{{0, {{\"b\", none}, {\"w\", 0}}, none}}}");
}

TEST_CASE("a leaf of the output, a cotangent and a tangent") {
  auto f = [](const Tensor& x) { return std::pair(x * 2, TensorDict{{"w", x * 3}, {"z", Tensor()}}); };
  Tensor x = ones({2});
  check_text<TransformError>([&] { jit(f)(x); }, "[jit] f returned an undefined Tensor: output[1][\"z\"]");
  check_text<TransformError>([&] { grad<has_aux>([](const Tensor& x) {
                                     return std::pair(sum(x), State{x, {}});
                                   })(x); },
                             "[grad] f returned an undefined Tensor: aux.vel");
  auto g = [](const Tensor& x) { return State{x * 2, x * 3}; };
  auto [out, pullback] = vjp(g, x);
  check_text<TransformError>([&] { pullback(State{x, {}}); }, "[vjp] cotangent.vel is an undefined Tensor");
  check_text<ShapeError>(
      [&] {
        pullback(State{x, ones({3})});
      },
      "Mismatch in shape: grad_output[1] has a shape of [3] and output[1] has a shape of [2]: "
      "cotangent.vel");
  check_text<DTypeError>([&] { pullback(State{x, ones({2}, i64)}); }, "[vjp] cotangent.vel is i64[2]");
  auto [value, pushforward] = linearize([](const State& s) { return s.pos * s.vel; }, State{x, x});
  check_text<TransformError>([&] { pushforward(State{x, {}}); }, "[linearize] tangent 0.vel is an undefined Tensor");
  check_text<DTypeError>([&] { pushforward(State{x, ones({2}, f64)}); }, "[linearize] tangent 0.vel is f64[2]");
}

TEST_CASE("errors of pullbacks and pushforwards have the line of the call") {
  TensorDict d{{"w", ones({2})}};
  auto twice = [](const TensorDict& d) { return TensorDict{{"y", d.at("w") * 2}}; };
  auto [out, pullback] = vjp(twice, d);
  check_text<TransformError>(
      [&] {
        pullback(TensorDict{{"x", ones({2})}});
      },
      "cotangents: {x: *}, primal output: {y: *}");
  auto [value, pushforward] = linearize(twice, d);
  check_text<TransformError>([&] { pushforward(TensorDict{{"x", ones({2})}}); }, "Expected the tangents ({x: *})");
  check_text<TransformError>(
      [&] {
        jvp(twice, primals(d), tangents(TensorDict{{"x", ones({2})}}));
      },
      "Expected primals and tangents to have the same python structure");
}

TEST_CASE("writes to leaves that are not mapped, and captured leaves") {
  World w = world();
  auto f = [](const Tensor& x, const World& w) {
    w.bodies[1].pos.add_(x);
    return x;
  };
  check_text<TransformError>(
      [&] {
        vmap(f, {.in_dims = {0, none}})(ones({3, 2}), w);
      },
      "writes a value with lanes to argument 1.bodies[1].pos, whose in_dim is none");
  Tensor shown = w.bodies[0].vel;
  auto captures = [&](const World& w) {
    w.bodies[0].vel.add_(1);
    return shown * 2;
  };
  World apart = world();
  apart.bodies[0].vel = shown;
  check_text<TransformError>([&] { jit(captures)(apart); },
                             "shares memory with argument 0.bodies[0].vel, which has been written");
}

TEST_CASE("dictionaries are maps, and results by name are maps of maps") {
  static_assert(std::is_same_v<TensorDict, std::map<std::string, Tensor>>);
  using Nested = std::map<std::string, std::map<std::string, Tensor>>;
  std::map<std::string, Tensor> d{{"b", ones({2})}, {"w", ones({2})}};
  auto f = [](const std::map<std::string, Tensor>& m) { return sum(m.at("w") * m.at("b")); };
  std::map<std::string, Tensor> g = grad(f)(d);
  CHECK_SAME(g.at("w"), d.at("b"));
  Nested h = hessian([](const TensorDict& m) { return sum(m.at("w") * m.at("b")); })(d);
  CHECK_SAME(h.at("w").at("b"), eye(2));
  Nested j = jacrev([](const std::map<std::string, Tensor>& m) { return TensorDict{{"y", m.at("w") * 2}}; })(d);
  CHECK_SAME(j.at("y").at("w"), 2 * eye(2));
  auto model = nn::Linear(2, 2);
  std::map<std::string, Tensor> parameters = model.named_parameters();
  CHECK_SAME(functional_call(model, parameters, ones({2})), model(ones({2})));
}
