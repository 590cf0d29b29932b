// State: loading, conversion, modes, order; batch norm without running statistics; stacked states inside transforms.
#include "tests/functions/failures.h"
#include "tests/transforms/check.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

namespace {

struct Net : nn::Module {
  nn::Linear l1 = register_module("l1", nn::Linear(4, 8));
  nn::BatchNorm1d norm = register_module("norm", nn::BatchNorm1d(8));
  nn::Parameter scale = register_parameter("scale", ones({8}));
  nn::Buffer scratch = register_buffer("scratch", zeros({2}), false);
  Tensor forward(const Tensor& x) const override { return norm(l1(x)) * scale; }
};

struct Tied : nn::Module {
  nn::Linear a = register_module("a", nn::Linear(3, 3));
  nn::Linear b = register_module("b", nn::Linear(3, 3));
  Tied() { b.weight = a.weight.tensor(); }
  Tensor forward(const Tensor& x) const override { return b(a(x)); }
};

TensorDict copied(const TensorDict& d) {
  TensorDict result;
  for (const auto& [name, value] : d) result[name] = value.clone();
  return result;
}
std::vector<std::string> names(const TensorDict& d) {
  std::vector<std::string> result;
  for (const auto& [name, value] : d) result.push_back(name);
  return result;
}

}  // namespace

TEST_CASE("state_dict: parameters and persistent buffers; parameters() in the order of registration") {
  const Net net;
  CHECK_EQ(names(net.state_dict()),
           std::vector<std::string>{"l1.bias", "l1.weight", "norm.bias", "norm.num_batches_tracked",
                                    "norm.running_mean", "norm.running_var", "norm.weight", "scale"});
  CHECK_EQ(net.named_buffers().count("scratch"), 1);
  std::vector<Shape> shapes;
  for (const Tensor& p : net.parameters()) shapes.push_back(p.shape());
  CHECK_EQ(shapes, std::vector<Shape>{{8}, {8, 4}, {8}, {8}, {8}});
  CHECK_EQ(net.norm.num_batches_tracked->tensor().dtype(), i64);
}

TEST_CASE("parameters and buffers have the members of a Tensor: of what functional_call gives inside it") {
  struct Affine : nn::Module {
    nn::Parameter w = register_parameter("w", floats({1, 2, 3, 4}, {2, 2}));
    nn::Buffer n = register_buffer("n", zeros({}));
    Tensor forward(const Tensor& x) const override {
      n += 1;
      return matmul(w.t(), x) * w.size(0) + w[0] + w.index({Slice(), 1}) + w.sum() + w.max(0).values;
    }
  };
  const Affine net;
  Tensor x = floats({1, 1});
  CHECK_SAME(net(x), floats({8 + 1 + 2 + 10 + 3, 12 + 2 + 4 + 10 + 4}));
  CHECK(net.n.item<int>() == 1);
  TensorDict given{{"w", zeros({2, 2})}};
  CHECK_SAME(functional_call(net, given, x), zeros({2}));
  CHECK(net.w.shape() == Shape{2, 2});
  CHECK(net.w.to(f64).dtype() == f64);
  CHECK(net.w.data<float>()[3] == 4);
  net.w.mul_(2);
  net.w[0] = x;
  CHECK_SAME(net.w, floats({1, 1, 6, 8}, {2, 2}));
}

TEST_CASE("what one module saves another loads, by value") {
  const Net a, b;
  a(randn({5, 4}));
  const TensorDict saved = copied(a.state_dict()), held = b.state_dict();
  const nn::IncompatibleKeys keys = b.load_state_dict(saved);
  CHECK(keys.missing_keys.empty());
  CHECK(keys.unexpected_keys.empty());
  for (const auto& [name, value] : saved) {
    CAPTURE(name);
    CHECK_SAME(b.state_dict().at(name), value);
    CHECK_SAME(held.at(name), value);  // the same tensors as before
  }
  a.scale->fill_(7);
  CHECK_FALSE(equal(b.scale, a.scale));
  auto f = jit([&](const Tensor& x) { return b.scale * x; });
  CHECK_SAME(f(ones({8})), ones({8}));
  b.load_state_dict(a.state_dict());  // what is compiled sees it
  CHECK_SAME(f(ones({8})), 7 * ones({8}));
  b.load_state_dict(saved);
  CHECK_EQ(b.norm.num_batches_tracked->tensor().item<int64_t>(), 1);
  a.load_state_dict(a.state_dict());
  // Values are converted.
  TensorDict wide = copied(saved);
  for (auto& [name, value] : wide) value = value.to(f64) + 1;
  b.load_state_dict(wide);
  CHECK_EQ(b.scale->dtype(), f32);
  CHECK_EQ(b.norm.num_batches_tracked->tensor().item<int64_t>(), 2);
}

TEST_CASE("a dictionary of the module's own tensors under other names is read before it is written") {
  const nn::ParameterList list({ones({2}), 2 * ones({2})});
  list.load_state_dict({{"0", list[1]}, {"1", list[0]}});
  CHECK_SAME(list[0].tensor(), 2 * ones({2}));
  CHECK_SAME(list[1].tensor(), ones({2}));
}

TEST_CASE("errors of load_state_dict list all and change nothing") {
  const Net net;
  const TensorDict before = copied(net.state_dict());
  TensorDict dict = copied(before);
  for (auto& [name, value] : dict) value = value + 1;
  dict.erase("scale");
  dict.erase("norm.bias");
  dict["zzz"] = ones({1});
  dict["l1.weight"] = ones({8, 5});
  dict["norm.weight"] = ones({});
  check_error<Error>(
      "[load_state_dict] Error(s) in loading state_dict for Net:\n"
      "\tMissing key(s) in state_dict: \"norm.bias\", \"scale\".\n"
      "\tUnexpected key(s) in state_dict: \"zzz\".\n"
      "\tsize mismatch for l1.weight: copying a param with shape [8,5] from checkpoint, the shape in current model is "
      "[8,4].\n"
      "\tsize mismatch for norm.weight: copying a param with shape [] from checkpoint, the shape in current model is "
      "[8].",
      [&] { net.load_state_dict(dict); }, "state_test.cpp");
  CHECK_THROWS_WITH_AS(net.load_state_dict(dict, {.strict = false}),
                       Contains("Net:\n\tsize mismatch for l1.weight: copying"), ShapeError);
  TensorDict undefined = copied(before);
  undefined["scale"] = Tensor();
  check_error<Error>(
      "[load_state_dict] the value of 'scale' is an undefined Tensor", [&] { net.load_state_dict(undefined); },
      "state_test.cpp");
  // One that cannot be computed.
  TensorDict failing = copied(before);
  for (auto& [name, value] : failing) value = value + 1;
  failing["scale"] = ones({8}).index_select(0, tensor({0, 1, 2, 3, 4, 5, 6, 9}));
  CHECK_THROWS_AS(net.load_state_dict(failing), IndexError);
  for (const auto& [name, value] : before) CHECK_SAME(net.state_dict().at(name), value);

  dict.erase("l1.weight");
  dict.erase("norm.weight");
  const nn::IncompatibleKeys keys = net.load_state_dict(dict, {.strict = false});
  CHECK_EQ(keys.missing_keys, std::vector<std::string>{"l1.weight", "norm.bias", "norm.weight", "scale"});
  CHECK_EQ(keys.unexpected_keys, std::vector<std::string>{"zzz"});
  CHECK_SAME(net.state_dict().at("l1.bias"), before.at("l1.bias") + 1);
  CHECK_SAME(net.state_dict().at("l1.weight"), before.at("l1.weight"));
}

TEST_CASE("to: floating tensors, ties stay; errors") {
  const Tied net;
  CHECK_EQ(net.named_parameters().size(), 3);
  CHECK_EQ(net.state_dict().size(), 4);
  const Tensor x = randn({2, 3}), y = net(x);
  net.to(f64);
  CHECK_EQ(net.named_parameters().size(), 3);
  CHECK(allclose(net(x.to(f64)), y.to(f64), 1e-5));
  const nn::BatchNorm1d norm(2);
  norm.to(f64);
  CHECK_EQ(norm.running_mean->tensor().dtype(), f64);
  CHECK_EQ(norm.num_batches_tracked->tensor().dtype(), i64);
  check_error<DTypeError>(
      "[Module::to] expected a floating dtype, got i64", [&] { norm.to(i64); }, "state_test.cpp");
  auto inside = [&] {
    vmap([&](const Tensor& v) {
      norm.to(f32);
      return v;
    })(x);
  };
  check_error<TransformError>("[Module::to] inside a transform", inside, "state_test.cpp");
}

TEST_CASE("train and eval reach what is inside, and jit records both") {
  const nn::Sequential seq(nn::Dropout(1), nn::Sequential(nn::Dropout(0.5)));
  const Tensor x = ones({100});
  auto f = jit([&](const Tensor& v) { return seq(v); });
  CHECK_SAME(f(x), zeros({100}));
  seq.eval();
  CHECK_SAME(f(x), x);
  CHECK_SAME(seq(x), x);
  seq.train();
  CHECK_SAME(f(x), zeros({100}));
  const nn::Sequential half{nn::Dropout()};
  const double kept = mean(half(ones({10000}))).item<double>();
  CHECK(std::abs(kept - 1) < 0.05);
  const nn::RNN rnn(3, 4, {.num_layers = 2, .dropout = 1});
  const auto [y, h] = rnn(randn({2, 1, 3}));
  rnn.eval();
  CHECK_FALSE(allclose(rnn(zeros({2, 1, 3})).first, y));
}

TEST_CASE("replace_all_batch_norm_modules_: no statistics at any depth, in every copy, under jit and after eval") {
  const Net net;
  const nn::Sequential root(nn::Sequential(net), nn::InstanceNorm1d(8, {.track_running_stats = true}));
  const nn::BatchNorm1d alias = net.norm;
  const Tensor x = randn({6, 4});
  auto f = jit([&](const Tensor& v) { return net(v); });
  net.eval();
  const Tensor before = f(x);
  net.norm.weight->tensor().fill_(2);
  replace_all_batch_norm_modules_(root);
  CHECK_FALSE(alias.tracks_running_stats());
  CHECK_EQ(names(net.state_dict()),
           std::vector<std::string>{"l1.bias", "l1.weight", "norm.bias", "norm.weight", "scale"});
  CHECK_EQ(root.named_buffers().count("1.running_mean"), 1);  // instance norm keeps its own
  Tensor y = net(x);
  CHECK_NEAR_TO(mean(y, 0), zeros({8}), 1e-5);
  CHECK_NEAR_TO(var(y, 0, 0), 4 * ones({8}), 1e-3);
  CHECK_NEAR_TO(f(x), y, 1e-5);
  CHECK_FALSE(allclose(before, y));
  // So vmap takes it while training.
  net.train();
  Tensor lanes = vmap([&](const Tensor& v) { return net(v); })(randn({3, 6, 4}));
  CHECK_NEAR_TO(mean(lanes, 1), zeros({3, 8}), 1e-5);
  nn::BatchNorm2d alone(3);
  replace_all_batch_norm_modules_(alone);
  CHECK(alone.named_buffers().empty());
}

TEST_CASE("per-sample gradients through a network with batch norm") {
  const nn::Sequential net(nn::Conv2d(1, 4, 3), nn::BatchNorm2d(4), nn::ReLU(), nn::Flatten(), nn::Linear(36, 3));
  replace_all_batch_norm_modules_(net);
  net.to(f64);
  const Tensor images = randn({4, 2, 1, 5, 5}, f64), classes = tensor({{0, 1}, {2, 0}, {1, 1}, {0, 2}});
  const nn::CrossEntropyLoss loss({.label_smoothing = 0.1});
  auto objective = [&](const TensorDict& p, const Tensor& x, const Tensor& y) {
    return loss(functional_call(net, p, x), y);
  };
  const TensorDict p = net.named_parameters();
  const TensorDict each = vmap(grad(objective), {.in_dims = {none, 0, 0}})(p, images, classes);
  const TensorDict at_once = jit(vmap(grad(objective), {.in_dims = {none, 0, 0}}))(p, images, classes);
  for (int64_t i = 0; i < 4; ++i) {
    const TensorDict alone = grad(objective)(p, images[i], classes[i]);
    for (const auto& [name, g] : alone) {
      CHECK_NEAR_TO(each.at(name)[i], g, 1e-10);
      CHECK_NEAR_TO(at_once.at(name)[i], g, 1e-10);
    }
  }
}

TEST_CASE("running statistics without lanes are not written by lanes") {
  const nn::BatchNorm1d norm(4);
  const Tensor x = randn({3, 6, 4});
  check_error<TransformError>(
      "Batch norm got a batched tensor as input while the running_mean or running_var, which will be updated in place, "
      "were not batched",
      [&] { vmap([&](const Tensor& v) { return norm(v); })(x); }, "state_test.cpp");
  CHECK_SAME(norm.running_mean->tensor(), zeros({4}));
  CHECK_EQ(norm.num_batches_tracked->tensor().item<int64_t>(), 0);
  norm.eval();
  CHECK_EQ(vmap([&](const Tensor& v) { return norm(v); })(x).shape(), x.shape());
}

TEST_CASE("stack_module_state inside transforms, and models that differ") {
  const std::vector<nn::Linear> models{nn::Linear(2, 3), nn::Linear(2, 3)};
  const Tensor x = randn({4, 2});
  auto ensemble = [&](const Tensor& v) {
    auto [p, b] = stack_module_state(models);
    return vmap([&](const TensorDict& q, const TensorDict& c) { return functional_call(models[0], {q, c}, v); })(p, b);
  };
  const Tensor want = stack({models[0](x), models[1](x)});
  CHECK_NEAR_TO(ensemble(x), want, 1e-5);
  CHECK_NEAR_TO(jit(ensemble)(x), want, 1e-5);
  CHECK_NEAR_TO(grad([&](const Tensor& v) { return sum(ensemble(v)); })(x),
                (sum(models[0].weight, 0) + sum(models[1].weight, 0)).expand({4, 2}), 1e-5);
  auto [y, dy] = jvp(ensemble, primals(x), tangents(x));
  CHECK_NEAR_TO(dy[0], models[0](x) - *models[0].bias, 1e-5);
  // Models whose parameters depend on what is differentiated.
  auto scaled = [&](const Tensor& s) {
    const std::vector<nn::ParameterList> lists{nn::ParameterList({s * 2}), nn::ParameterList({s * s})};
    return sum(stack_module_state(lists).first.at("0"));
  };
  CHECK_SAME(grad(scaled)(scalar(3)), scalar(8));

  const std::vector<nn::ParameterList> differ{nn::ParameterList({x}), nn::ParameterList({x, x})};
  check_error<TransformError>(
      "[stack_module_state] the models differ in their keys: model 0 has no '1'",
      [&] {
        stack_module_state(std::vector{nn::ParameterList({x}), nn::ParameterList({x, x + 1})});
      },
      "state_test.cpp");
  CHECK_NOTHROW(stack_module_state(differ));  // the second is the first, tied
}

TEST_CASE("recurrent layers under jit, vmap of inputs, jacobians in both modes and the hessian") {
  const nn::LSTM lstm(2, 3, {.num_layers = 2, .bidirectional = true});
  lstm.to(f64);
  const Tensor x = randn({4, 1, 2}, f64);
  auto f = [&](const Tensor& v) { return lstm(v).first; };
  CHECK_NEAR_TO(jit(f)(x), f(x), 1e-12);
  const Tensor many = randn({3, 4, 1, 2}, f64);
  const Tensor lanes = vmap(f)(many);
  for (int64_t i = 0; i < 3; ++i) CHECK_NEAR_TO(lanes[i], f(many[i]), 1e-12);
  CHECK_NEAR_TO(jacrev(f)(x), jacfwd(f)(x), 1e-10);
  auto energy = [&](const Tensor& v) { return sum(f(v).pow(2)); };
  const Tensor h = hessian(energy)(x);
  CHECK_NEAR_TO(h.reshape({8, 8}), h.reshape({8, 8}).t(), 1e-9);
  CHECK_NEAR_TO(h, jacrev(jacfwd(energy))(x), 1e-9);
  // Per-sample gradients by the parameters.
  auto loss = [&](const TensorDict& p, const Tensor& v) { return sum(functional_call(lstm, p, v).first.pow(2)); };
  const TensorDict p = lstm.named_parameters();
  const TensorDict each = vmap(grad(loss), {.in_dims = {none, 0}})(p, many);
  const TensorDict second = grad(loss)(p, many[1]);
  for (const auto& [name, g] : second) CHECK_NEAR_TO(each.at(name)[1], g, 1e-10);
}
