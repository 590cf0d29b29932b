// Optimisers: torch's trajectories, as pure functions and as objects; under transforms; state; errors; clipping.
#include "problem.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

namespace {

// Ten steps, the parameters after steps 1, 3 and 10; `step` changes p.
template <class Step>
Numbers trajectory(TensorDict p, Step step) {
  Numbers found;
  for (int i = 1; i <= 10; ++i) {
    step(p, grad(loss())(p));
    if (i == 1 || i == 3 || i == 10) append(found, p);
  }
  return found;
}

// An optimiser with options as pure functions, with the learning rate a number or a tensor, and as an object.
struct Row {
  std::function<Numbers()> pure, with_tensor, object;
};
template <class Object, class Init, class Update, class Options>
Row row(Init init, Update update, Options options) {
  auto pure = [=](const Options& o) {
    auto state = init(parameters(), o);
    return trajectory(parameters(), [&](TensorDict& p, const TensorDict& g) {
      auto [next, after] = update(p, g, state, o);
      p = next;
      state = after;
    });
  };
  return {[=] { return pure(options); },
          [=] {
            Options o = options;
            o.lr = tensor(options.lr.number(), f64);
            return pure(o);
          },
          [=] {
            Object optimizer(options);
            return trajectory(parameters(), [&](TensorDict& p, const TensorDict& g) { optimizer.step(p, g); });
          }};
}
#define ROW(Object, name, ...)                                                                                     \
  row<optim::Object>(                                                                                              \
      [](const auto& p, const auto& o) { return optim::name##_init(p, o); },                                       \
      [](const auto& p, const auto& g, const auto& s, const auto& o) { return optim::name##_update(p, g, s, o); }, \
      optim::Object##Options __VA_ARGS__)

const std::map<std::string, Row>& rows() {
  static const std::map<std::string, Row> table = {
      {"sgd", ROW(SGD, sgd, {.lr = 0.1})},
      {"sgd momentum", ROW(SGD, sgd, {.lr = 0.1, .momentum = 0.9})},
      {"sgd dampening", ROW(SGD, sgd, {.lr = 0.1, .momentum = 0.9, .dampening = 0.3})},
      {"sgd nesterov", ROW(SGD, sgd, {.lr = 0.1, .momentum = 0.9, .nesterov = true})},
      {"sgd weight_decay", ROW(SGD, sgd, {.lr = 0.1, .weight_decay = 0.1})},
      {"sgd all",
       ROW(SGD, sgd, {.lr = 0.1, .momentum = 0.8, .weight_decay = 0.05, .nesterov = true, .maximize = true})},
      {"adam", ROW(Adam, adam, {})},
      {"adam lr betas eps", ROW(Adam, adam, {.lr = 0.05, .betas = {0.8, 0.95}, .eps = 1e-3})},
      {"adam weight_decay", ROW(Adam, adam, {.lr = 0.05, .weight_decay = 0.1})},
      {"adam amsgrad", ROW(Adam, adam, {.lr = 0.2, .betas = {0.5, 0.6}, .amsgrad = true})},
      {"adam maximize", ROW(Adam, adam, {.lr = 0.05, .maximize = true})},
      {"adam decoupled_weight_decay",
       ROW(Adam, adam, {.lr = 0.05, .weight_decay = 0.1, .decoupled_weight_decay = true})},
      {"adamw", ROW(AdamW, adamw, {.lr = 0.05})},
      {"adamw all",
       ROW(AdamW, adamw,
           {.lr = 0.2, .betas = {0.5, 0.6}, .eps = 1e-4, .weight_decay = 0.2, .amsgrad = true, .maximize = true})},
      {"rmsprop", ROW(RMSprop, rmsprop, {})},
      {"rmsprop alpha eps", ROW(RMSprop, rmsprop, {.lr = 0.02, .alpha = 0.9, .eps = 1e-3})},
      {"rmsprop momentum", ROW(RMSprop, rmsprop, {.lr = 0.02, .momentum = 0.7})},
      {"rmsprop centered", ROW(RMSprop, rmsprop, {.lr = 0.02, .alpha = 0.9, .centered = true})},
      {"rmsprop all",
       ROW(RMSprop, rmsprop,
           {.lr = 0.02, .alpha = 0.8, .weight_decay = 0.1, .momentum = 0.5, .centered = true, .maximize = true})},
      {"adagrad", ROW(Adagrad, adagrad, {.lr = 0.1})},
      {"adagrad all",
       ROW(Adagrad, adagrad,
           {.lr = 0.1, .lr_decay = 0.2, .weight_decay = 0.1, .initial_accumulator_value = 0.3, .eps = 1e-3})},
      {"adagrad maximize", ROW(Adagrad, adagrad, {.lr = 0.1, .maximize = true})},
  };
  return table;
}

void check_rows(std::function<Numbers()> Row::*form) {
  std::map<std::string, std::function<Numbers()>> table;
  for (const auto& [name, r] : rows()) table.emplace(name, r.*form);
  check_golden(table, 1e-11);
}

}  // namespace

TEST_CASE("Pure updates follow torch's trajectories, every option") { check_rows(&Row::pure); }
TEST_CASE("Pure updates with a tensor for the learning rate do so too") { check_rows(&Row::with_tensor); }
TEST_CASE("Objects follow torch's trajectories, every option") { check_rows(&Row::object); }

TEST_CASE("vmap of an update is a loop of updates") {
  const optim::AdamOptions options{.lr = 0.1, .weight_decay = 0.01, .amsgrad = true};
  TensorDict p = {{"w", sequence(12, {4, 3}, [](int64_t i) { return std::sin(static_cast<double>(i)); })},
                  {"b", sequence(4, {4}, [](int64_t i) { return static_cast<double>(i); })}};
  TensorDict g = {{"w", p.at("w") * 2}, {"b", p.at("b") - 1}};
  auto two_steps = [&](const TensorDict& q, const TensorDict& h) {
    auto [next, state] = optim::adam_update(q, h, optim::adam_init(q, options), options);
    return optim::adam_update(next, h, state, options);
  };
  auto [next, state] = vmap(two_steps)(p, g);
  CHECK_EQ(state.step.shape(), Shape{4});
  for (int64_t i = 0; i < 4; ++i) {
    auto lane = [&](const TensorDict& d) { return TensorDict{{"w", d.at("w")[i]}, {"b", d.at("b")[i]}}; };
    auto [want, after] = two_steps(lane(p), lane(g));
    CHECK_SAME(next.at("w")[i], want.at("w"));
    CHECK_SAME(next.at("b")[i], want.at("b"));
    CHECK_SAME(state.slots.at("max_exp_avg_sq").at("w")[i], after.slots.at("max_exp_avg_sq").at("w"));
  }
  // A learning rate in each lane.
  Tensor rates = doubles({0.1, 0.2});
  Tensor moved = vmap([&](const Tensor& lr) {
    return optim::sgd_update(p.at("b"), g.at("b"), optim::sgd_init(p.at("b")), {.lr = lr}).first;
  })(rates);
  CHECK_SAME(moved[1], p.at("b") - 0.2 * g.at("b"));
}

TEST_CASE("Derivatives go through updates: of the loss after some steps by the learning rate and by the start") {
  auto after_steps = [](const Tensor& lr, const Tensor& w) {
    const optim::AdamOptions options{.lr = lr};
    TensorDict p = parameters();
    p.at("w") = w;
    auto state = optim::adam_init(p, options);
    for (int i = 0; i < 3; ++i) std::tie(p, state) = optim::adam_update(p, grad(loss())(p), state, options);
    return loss()(p);
  };
  CHECK(gradcheck(after_steps, args(tensor(0.05, f64), parameters().at("w"))));
  auto momentum = [](const Tensor& beta, const Tensor& decay) {
    const optim::SGDOptions options{.lr = 0.1, .momentum = beta, .weight_decay = decay};
    TensorDict p = parameters();
    auto state = optim::sgd_init(p, options);
    for (int i = 0; i < 3; ++i) std::tie(p, state) = optim::sgd_update(p, grad(loss())(p), state, options);
    return loss()(p);
  };
  CHECK(gradcheck(momentum, args(tensor(0.5, f64), tensor(0.1, f64))));
}

TEST_CASE("A whole training is one scan, and one recording of jit") {
  const optim::AdamOptions options{.lr = 0.05};
  using Carry = std::tuple<TensorDict, optim::State<TensorDict>>;
  auto train = jit([&](const TensorDict& p) {
    return scan(
        [&](const Carry& carry, const none_t&) {
          const auto& [q, state] = carry;
          auto [g, value] = grad_and_value(loss())(q);
          auto [next, after] = optim::adam_update(q, g, state, options);
          return std::pair{Carry{next, after}, value};
        },
        Carry{p, optim::adam_init(p, options)}, none, {.length = 10});
  });
  auto [carry, losses] = train(parameters());
  optim::Adam object(options);
  TensorDict p = parameters();
  for (int i = 0; i < 10; ++i) {
    auto [g, value] = grad_and_value(loss())(p);
    CHECK_SAME(losses[i], value);
    object.step(p, g);
  }
  CHECK_SAME(std::get<0>(carry).at("w"), p.at("w"));
  CHECK_EQ(std::get<1>(carry).step.item<int>(), 10);
}

TEST_CASE("Trees of any kind, and dtypes") {
  std::pair<Tensor, std::vector<Tensor>> p{floats({1, 2}), {tensor(3.0), ones({2}).to(bf16)}};
  auto [next, state] = optim::adamw_update(p, p, optim::adamw_init(p), {.lr = 0.1});
  CHECK_EQ(next.first.dtype(), f32);
  CHECK_EQ(next.second[0].dtype(), f32);
  CHECK_EQ(next.second[1].dtype(), bf16);
  CHECK_EQ(state.slots.at("exp_avg").second[1].dtype(), bf16);
  CHECK_NEAR_TO(next.second[0], tensor(3 * (1 - 0.1 * 0.01) - 0.1), 1e-6);
  optim::SGD sgd({.lr = 0.5});
  TensorDict halves = {{"x", floats({1, 2}).to(f16)}};
  sgd.step(halves, {{"x", floats({1, 1}).to(f16)}});
  CHECK_SAME(halves.at("x"), floats({0.5, 1.5}).to(f16));
}

TEST_CASE("Objects update the tensors that they are given, in one call of a jitted function") {
  nn::Linear model(3, 2);
  TensorDict p = model.named_parameters();
  Tensor before = model.weight.tensor().clone();
  optim::SGD optimizer({.lr = 0.25});
  optimizer.step(p, {{"weight", ones({2, 3})}, {"bias", zeros({2})}});
  CHECK_SAME(model.weight.tensor(), before - 0.25);
  // Copies share the rate and the state.
  optim::Optimizer same = optimizer;
  same.set_lr(0.5);
  CHECK_EQ(optimizer.lr(), 0.5);
  optimizer.step(p, {{"weight", ones({2, 3})}, {"bias", zeros({2})}});
  CHECK_SAME(model.weight.tensor(), before - 0.75);
  CHECK_EQ(same.state_dict().at("step").item<int>(), 2);
  CHECK_THROWS_WITH_AS(same.set_lr(-1), Contains("[SGD] invalid lr: expected at least 0, got -1"), Error);
}

TEST_CASE("A state that is saved and loaded goes on as if nothing had happened") {
  const optim::RMSpropOptions options{.lr = 0.02, .momentum = 0.5, .centered = true};
  auto step = [](const optim::Optimizer& o, const TensorDict& p) { o.step(p, grad(loss())(p)); };
  TensorDict p = parameters(), q = parameters();
  optim::RMSprop whole(options), first(options), second(options);
  for (int i = 0; i < 4; ++i) step(whole, p);
  for (int i = 0; i < 2; ++i) step(first, q);
  TensorDict state = first.state_dict();
  CHECK_EQ(state.size(), 7);
  CHECK_EQ(state.count("momentum_buffer.w") + state.count("square_avg.b") + state.count("grad_avg.w"), 3);
  second.load_state_dict(state);
  step(first, parameters());  // does not reach the copies
  for (int i = 0; i < 2; ++i) step(second, q);
  CHECK_SAME(q.at("w"), p.at("w"));
  CHECK_SAME(second.state_dict().at("square_avg.b"), whole.state_dict().at("square_avg.b"));
  optim::RMSprop fresh(options);
  fresh.load_state_dict(optim::RMSprop(options).state_dict());
  step(fresh, parameters());

  auto refused = [&](const TensorDict& bad, const char* text) {
    CHECK_THROWS_WITH_AS(second.load_state_dict(bad), Contains(text), TransformError);
  };
  refused({}, "[RMSprop] the state has no 'step'");
  refused({{"step", ones({}, i64)}}, "the state has steps, but no square_avg");
  refused({{"step", ones({})}}, "the state's 'step': expected an integer without dims, got f32[]");
  refused({{"step", ones({}, i64)}, {"exp_avg.w", ones({2})}}, "the state has the unexpected key 'exp_avg.w'");
  TensorDict missing = state;
  missing.erase("grad_avg.w");
  refused(missing, "the state's grad_avg has nothing for the parameter 'w'");
  TensorDict shapes = state;
  shapes.at("grad_avg.w") = ones({7}, f64);
  second.load_state_dict(shapes);
  CHECK_THROWS_WITH_AS(step(second, q),
                       Contains("the state's grad_avg of the parameter 'w': expected f64[3,2], got f64[7]"),
                       TransformError);
}

TEST_CASE("What optimisers refuse") {
  CHECK_THROWS_WITH_AS(optim::SGD({.lr = -1}), Contains("[SGD] invalid lr: expected at least 0, got -1"), Error);
  CHECK_THROWS_WITH_AS(optim::SGD({.nesterov = true}),
                       Contains("[SGD] Nesterov momentum requires a momentum and zero dampening"), Error);
  CHECK_THROWS_WITH_AS(optim::Adam({.betas = {0.9, 1.0}}),
                       Contains("[Adam] invalid betas[1]: expected in [0, 1), got 1"), Error);
  CHECK_THROWS_WITH_AS(optim::AdamW({.weight_decay = -2}), Contains("[AdamW] invalid weight_decay"), Error);
  CHECK_THROWS_WITH_AS(optim::RMSprop({.momentum = std::nan("")}), Contains("[RMSprop] invalid momentum"), Error);
  CHECK_THROWS_WITH_AS(optim::Adagrad({.lr_decay = -2}), Contains("[Adagrad] invalid lr_decay"), Error);
  CHECK_THROWS_WITH_AS(optim::Adagrad({.lr = -2}), Contains("optim_test.cpp:"), Error);
  TensorDict p = {{"w", ones({2})}, {"b", ones({})}}, g = {{"w", ones({2})}, {"b", ones({})}};
  auto refused = [&](const TensorDict& params, const TensorDict& grads, const char* text) {
    CHECK_THROWS_WITH_AS(optim::Adam().step(params, grads), Contains(text), TransformError);
  };
  refused(p, {{"w", ones({2})}}, "[Adam] the gradient has nothing for the parameter 'b'");
  refused({{"w", ones({2})}}, g, "[Adam] the gradient has 'b', which is no parameter");
  refused(p, {{"w", ones({3})}, {"b", ones({})}}, "the gradient of the parameter 'w': expected f32[2], got f32[3]");
  refused(p, {{"w", ones({2}, f64)}, {"b", ones({})}}, "expected f32[2], got f64[2]");
  refused(p, {{"w", Tensor()}, {"b", ones({})}}, "expected f32[2], got an undefined Tensor");
  optim::Adam used;
  used.step(p, g);
  CHECK_THROWS_WITH_AS(used.step({{"w", ones({2})}}, {{"w", ones({2})}}),
                       Contains("the state's exp_avg has 'b', which is no parameter"), TransformError);
  auto state = optim::adam_init(p);
  CHECK_THROWS_WITH_AS(optim::adam_update(p, g, state, {.amsgrad = true}),
                       Contains("[Adam] the state was made for other options: expected the slots exp_avg, exp_avg_sq, "
                                "max_exp_avg_sq, got exp_avg, exp_avg_sq; pass the same options to init and to update"),
                       TransformError);
  CHECK_THROWS_WITH_AS(
      optim::sgd_update(p, {{"w", ones({2})}}, optim::sgd_init(p)),
      Contains("[SGD] the gradients are no tree like the parameters: expected {b: *, w: *}, got {w: *}"),
      TransformError);
  CHECK_THROWS_WITH_AS(optim::sgd_update(p, {{"w", ones({5})}, {"b", ones({})}}, optim::sgd_init(p)),
                       Contains("[SGD] parameter[\"w\"]: its gradient must be like it: expected f32[2], got f32[5]"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(optim::sgd_update(ones({2}, i64), ones({2}, i64), optim::sgd_init(ones({2}, i64))),
                       Contains("expected a Tensor of floating point dtype, got i64[2]"), DTypeError);
}

TEST_CASE("Clipped gradients are torch's, in place and pure") {
  TensorDict gradients = grad([](const TensorDict& p) { return 100 * loss()(p); })(parameters());
  auto norms = [&](double max_norm, const optim::ClipGradNormOptions& options) {
    return [=] {
      auto [clipped, norm] = optim::clip_grad_norm(gradients, max_norm, options);
      TensorDict in_place = {{"b", gradients.at("b").clone()}, {"w", gradients.at("w").clone()}};
      CHECK_SAME(optim::clip_grad_norm_(in_place, tensor(max_norm, f64), options), norm);
      CHECK_SAME(in_place.at("w"), clipped.at("w"));
      Numbers found = {norm.item<double>()};
      append(found, clipped);
      return found;
    };
  };
  check_golden({{"clip_grad_norm", norms(1.5, {})},
                {"clip_grad_norm inf", norms(1.5, {.norm_type = std::numeric_limits<double>::infinity()})},
                {"clip_grad_norm 1", norms(2.5, {.norm_type = 1})},
                {"clip_grad_norm within", norms(1e4, {})},
                {"clip_grad_value",
                 [&] {
                   TensorDict in_place = {{"b", gradients.at("b").clone()}, {"w", gradients.at("w").clone()}};
                   optim::clip_grad_value_(in_place, 0.5);
                   CHECK_SAME(optim::clip_grad_value(gradients, tensor(0.5, f64)).at("w"), in_place.at("w"));
                   Numbers found;
                   append(found, in_place);
                   return found;
                 }}},
               1e-12);
  // Of each sample, as differential privacy has it.
  Tensor samples = doubles({3, 4, 0.3, 0.4}, {2, 2});
  auto [clipped, norm] = vmap([](const Tensor& g) { return optim::clip_grad_norm(g, 1.0); })(samples);
  CHECK_SAME(norm, doubles({5, 0.5}));
  CHECK_NEAR_TO(clipped, doubles({0.6, 0.8, 0.3, 0.4}, {2, 2}), 1e-6);
  Tensor infinite = doubles({1, std::numeric_limits<double>::infinity()});
  CHECK_THROWS_WITH_AS(optim::clip_grad_norm_(infinite, 1, {.error_if_nonfinite = true}),
                       Contains("[clip_grad_norm_] the norm of the gradients is "), Error);
  CHECK_SAME(infinite[0], tensor(1.0, f64));
}
