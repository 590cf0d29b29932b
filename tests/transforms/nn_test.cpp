// Modules, functional_call, stack_module_state; acceptance cases by id.
#include "check.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

namespace {

struct Net : nn::Module {
  nn::Linear l1 = register_module("l1", nn::Linear(4, 8));
  nn::Parameter scale = register_parameter("scale", ones({8}));
  nn::Buffer count = register_buffer("count", zeros({}));
  Tensor forward(const Tensor& x) const override {
    count = count + 1;
    return tanh(l1(x)) * scale;
  }
};

struct Foo : nn::Module {
  nn::Parameter foo = register_parameter("foo", ones({1}));
  nn::Parameter tied = register_parameter("foo_tied", foo);
  Tensor forward(const Tensor& x) const override { return x + foo + tied; }
};

struct Counter : nn::Module {
  nn::Buffer n = register_buffer("n", zeros({}));
  Tensor forward(const Tensor& x) const override {
    n = n + 1;
    return x + n;
  }
};

}  // namespace

TEST_CASE("names, copies share state") {
  Net net;
  TensorDict p = net.named_parameters();
  CHECK_EQ(p.size(), 3);
  CHECK(p.count("l1.weight") + p.count("l1.bias") + p.count("scale") == 3);
  CHECK_EQ(net.named_buffers().size(), 1);
  Net copy = net;
  p.at("scale").fill_(2);
  CHECK_SAME(copy.scale.tensor(), 2 * ones({8}));
  CHECK_EQ(net(ones({5, 4})).shape(), Shape{5, 8});
  CHECK_SAME(copy.count.tensor(), scalar(1));
  CHECK(net.l1.is_training());
  net.eval();
  CHECK_FALSE(copy.l1.is_training());
  CHECK_THROWS_WITH_AS(nn::Module()(ones({1})), Contains("[Module] this module has no forward"), TransformError);
}

TEST_CASE("the two examples of the reference") {
  auto model = nn::Linear(3, 3);
  Tensor x = randn({3});
  CHECK_SAME(jacrev([&](const Tensor& x) { return model(x); })(x), model.weight.tensor());
  CHECK_SAME(jacrev(model)(x), model.weight.tensor());
  TensorDict J = jacrev([&](const TensorDict& p, const Tensor& x) { return functional_call(model, p, x); })(
      model.named_parameters(), x);
  CHECK_SAME(J.at("bias"), eye(3));
  Tensor W = J.at("weight");
  CHECK_EQ(W.shape(), Shape{3, 3, 3});
  for (int64_t i = 0; i < 3; ++i) {
    CHECK_SAME(W.index({i, i}), x);
    CHECK_SAME(W.index({i, (i + 1) % 3}), zeros({3}));
  }
}

TEST_CASE("linear") {
  nn::Linear l(3, 2), no_bias(3, 2, false);
  Tensor x = randn({4, 5, 3});
  CHECK_NEAR_TO(l(x), matmul(x, l.weight.tensor().t()) + *l.bias, 1e-5);
  CHECK_EQ(no_bias.named_parameters().size(), 1);
  CHECK_EQ(l.weight->shape(), Shape{2, 3});
  CHECK_THROWS_WITH_AS(l(ones({4})), Contains("[linear] the last dim of the input must be the weight's 3: input [4]"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(l(ones({3}, f64)), Contains("expected the input to have the weight's dtype f32, got f64"),
                       DTypeError);
  auto seq = nn::Sequential(nn::Linear(3, 4), nn::Tanh(), nn::Linear(4, 1));
  CHECK_EQ(seq.named_parameters().count("2.bias"), 1);
  CHECK_EQ(seq(x).shape(), Shape{4, 5, 1});
}

TEST_CASE("D52 tied weights") {
  Foo m;
  Tensor x = zeros({1}), zero = zeros({1});
  CHECK_EQ(m.named_parameters().size(), 1);
  CHECK_SAME(functional_call(m, TensorDict{{"foo", zero}}, x), zero);
  CHECK_SAME(functional_call(m, TensorDict{{"foo_tied", zero}}, x), zero);
  CHECK_SAME(functional_call(m, TensorDict{{"foo", zero}}, x, {.tie_weights = false}), ones({1}));
  CHECK_SAME(functional_call(m, TensorDict{{"foo", zero}, {"foo_tied", zero}}, x), zero);
  CHECK_THROWS_WITH_AS(
      functional_call(m, TensorDict{{"foo", zero}, {"foo_tied", zeros({1})}}, x),
      Contains("functional_call got multiple values for keys ['foo', 'foo_tied'], which are tied. Consider "
               "using tie_weights=False"),
      TransformError);
  CHECK_SAME(functional_call(m, TensorDict{{"foo", zero}, {"foo_tied", 3 * ones({1})}}, x, {.tie_weights = false}),
             3 * ones({1}));
  CHECK_SAME(m(x), 2 * ones({1}));
  // One name of a tie stands for all of them.
  CHECK_SAME(functional_call(m, TensorDict{{"foo_tied", zero}}, x, {.strict = true}), zero);
  CHECK_THROWS_WITH_AS(functional_call(m, TensorDict{{"foo_tied", zero}}, x, {.tie_weights = false, .strict = true}),
                       Contains("Missing key(s): 'foo'."), TransformError);
}

TEST_CASE("D53 strict, restoration, reassigned buffers") {
  Net net;
  TensorDict p = net.named_parameters(), extra = p;
  extra["zzz"] = ones({1});
  Tensor x = ones({4});
  CHECK_NOTHROW(functional_call(net, extra, x));
  CHECK_THROWS_WITH_AS(
      functional_call(net, extra, x, {.strict = true}),
      Contains(
          "Error(s) in reparametrizing for Net:\n\tUnexpected key(s): 'zzz'.\n\tMissing key(s): 'count'.\n\tNet has '"),
      TransformError);
  CHECK_THROWS_WITH_AS(functional_call(net, TensorDict{{"z.weight", x}}, x),
                       Contains("Net has no attribute `z`, of which the key 'z.weight' names a tensor: Net has '"),
                       TransformError);
  TensorDict buffers{{"count", zeros({})}}, wrong = p;
  wrong["scale"] = ones({7});
  CHECK_THROWS_WITH_AS(functional_call(net, {wrong, buffers}, x, {.strict = true}),
                       Contains("'scale' of Net: expected shape [8], got [7]"), ShapeError);
  CHECK_NOTHROW(functional_call(net, {p, buffers}, x, {.strict = true}));
  CHECK_THROWS_WITH_AS(functional_call(net, {p, p}, x), Contains("appeared in multiple dictionaries"), TransformError);

  Counter c;
  TensorDict state{{"n", scalar(10)}};
  CHECK_SAME(functional_call(c, state, zeros({})), scalar(11));
  CHECK_SAME(state.at("n"), scalar(11));
  CHECK_SAME(c.n.tensor(), zeros({}));
  const TensorDict fixed{{"n", scalar(10)}};
  CHECK_SAME(functional_call(c, fixed, zeros({})), scalar(11));
  CHECK_SAME(fixed.at("n"), scalar(10));
  TensorDict none;
  functional_call(c, {none, state}, zeros({}));
  CHECK_SAME(state.at("n"), scalar(12));

  struct Throws : nn::Module {
    nn::Parameter w = register_parameter("w", ones({}));
    Tensor forward(const Tensor&) const override { throw std::runtime_error("forward"); }
  };
  Throws t;
  CHECK_THROWS_WITH(functional_call(t, TensorDict{{"w", zeros({})}}, x), "forward");
  CHECK_SAME(t.w.tensor(), ones({}));
}

TEST_CASE("several arguments, Module&") {
  struct Both : nn::Module {
    nn::Parameter w = register_parameter("w", ones({3}));
    Tensor operator()(const Tensor& x, const Tensor& y) const { return (x + y) * w; }
  };
  Both m;
  Tensor x = ones({3});
  CHECK_SAME(functional_call(m, TensorDict{{"w", 2 * x}}, args(x, x)), 4 * x);
  std::vector<std::shared_ptr<nn::Module>> models{std::make_shared<nn::Linear>(2, 3)};
  auto [p, b] = stack_module_state(models);
  CHECK_EQ(p.at("weight").shape(), Shape{1, 3, 2});
  CHECK_EQ(functional_call(*models[0], models[0]->named_parameters(), ones({2})).shape(), Shape{3});
}

TEST_CASE("D54 ensembles") {
  std::vector<nn::Linear> models;
  for (int i = 0; i < 5; ++i) models.emplace_back(2, 3);
  auto [params, buffers] = stack_module_state(models);
  Tensor x = randn({4, 2});
  auto call = [&](const TensorDict& p, const TensorDict& b, const Tensor& x) {
    return functional_call(models[0], {p, b}, x);
  };
  Tensor y = vmap(call, {.in_dims = {0, 0, none}})(params, buffers, x);
  CHECK_EQ(y.shape(), Shape{5, 4, 3});
  for (size_t i = 0; i < 5; ++i) CHECK_NEAR_TO(y[i], models[i](x), 1e-5);
  params.at("weight").fill_(0);
  CHECK_FALSE(equal(models[0].weight, zeros({3, 2})));
  CHECK_THROWS_WITH_AS(stack_module_state(std::vector<nn::Linear>{}), Contains("Expected at least one model, got 0."),
                       TransformError);
  models[1].eval();
  CHECK_THROWS_WITH_AS(stack_module_state(models), Contains("Expected all models to have the same training/eval mode."),
                       TransformError);
  std::vector<std::shared_ptr<nn::Module>> mixed{std::make_shared<nn::Linear>(2, 3), std::make_shared<Net>()};
  CHECK_THROWS_WITH_AS(stack_module_state(mixed), Contains("Expected all models to be of the same class."),
                       TransformError);
  std::vector<nn::Linear> sizes{nn::Linear(2, 3), nn::Linear(3, 3)};
  CHECK_THROWS_WITH_AS(stack_module_state(sizes), Contains("stack expects each tensor to be equal size: 'weight'"),
                       ShapeError);
}

TEST_CASE("per-sample gradients by the parameters") {
  Net net;
  TensorDict p = net.named_parameters();
  Tensor x = randn({6, 4});
  auto loss = [&](const TensorDict& p, const Tensor& x) {
    TensorDict buffers{{"count", zeros({})}};
    return sum(functional_call(net, {p, buffers}, x));
  };
  TensorDict g = vmap(grad(loss), {.in_dims = {none, 0}})(p, x);
  CHECK_EQ(g.at("l1.weight").shape(), Shape{6, 8, 4});
  for (int64_t i = 0; i < 6; ++i) CHECK_NEAR_TO(g.at("l1.weight")[i], grad(loss)(p, x[i]).at("l1.weight"), 1e-4);
}

TEST_CASE("a module under jit: parameters updated in place are seen, reassigned buffers kept") {
  Net net;
  auto f = jit([&](const Tensor& x) { return net(x); });
  Tensor x = randn({4});
  Tensor before = f(x);
  net.scale->fill_(3);
  CHECK_NEAR_TO(f(x), 3 * before, 1e-5);
  CHECK_SAME(net.count.tensor(), scalar(2));
  CHECK_EQ(f.cache_info().misses, 1);
}
