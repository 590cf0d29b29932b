// What torch's own tests of these transforms check and no other file here does; docs/torch_func.md says which is where.
#include "check.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

namespace {

namespace F = nn::functional;

// vmap(f)(x) by a loop over dim 0.
template <class Fn>
Tensor looped(Fn f, const Tensor& x) {
  std::vector<Tensor> results;
  for (int64_t i = 0; i < x.size(0); ++i) results.push_back(f(x[i]));
  return stack(results);
}
template <class Fn>
Tensor looped(Fn f, const Tensor& x, const Tensor& y) {
  std::vector<Tensor> results;
  for (int64_t i = 0; i < x.size(0); ++i) results.push_back(f(x[i], y[i]));
  return stack(results);
}

auto mul2() {
  return [](const Tensor& a, const Tensor& b) { return a * b; };
}

// The k-th of grad of grad ... of the product of n scalars, by each of them once.
template <size_t k, size_t n>
Tensor nested_gradient(const std::array<Tensor, n>& x) {
  if constexpr (k == 0) {
    Tensor product = x[0];
    for (size_t i = 1; i < n; ++i) product = product * x[i];
    return product;
  } else {
    return grad([&](const Tensor& v) {
      std::array<Tensor, n> moved = x;
      moved[k - 1] = v;
      return nested_gradient<k - 1>(moved);
    })(x[k - 1]);
  }
}

}  // namespace

TEST_CASE("vmap in vmap: one dim or several, first, last or counted from the end, in and out") {
  Tensor x = randn({2, 3, 5}), y = randn({2, 3, 5});
  auto mul = mul2();
  CHECK_SAME(vmap(vmap(mul))(x, y), x * y);
  CHECK_SAME(vmap(vmap(vmap(mul)))(x, y), x * y);
  Tensor p = randn({5, 2, 3}), q = randn({3, 5, 2});
  CHECK_SAME(vmap(vmap(vmap(mul), {.in_dims = {1, 0}}), {.in_dims = {1, 2}})(p, q),
             p.permute({1, 2, 0}) * q.permute({2, 0, 1}));
  CHECK_SAME(vmap(mul, {.in_dims = {0, none}})(x, y[0]), x * y[0]);
  CHECK_SAME(vmap(mul, {.in_dims = {-1, 0}})(x[0], y[0].t().clone()), (x[0] * y[0]).t().clone());
  auto id = [](const Tensor& a) { return a; };
  Tensor z = randn({2, 3, 5, 7});
  CHECK_SAME(vmap(id, {.out_dims = 2})(z), z.permute({1, 2, 0, 3}));
  CHECK_SAME(vmap(id, {.in_dims = 2, .out_dims = 1})(x), x.transpose(1, 2));
  CHECK_SAME(vmap(vmap(id, {.in_dims = 1, .out_dims = 1}), {.in_dims = 1, .out_dims = 1})(x), x);
  CHECK_SAME(vmap([&](const Tensor& a) { return vmap(id, {.out_dims = 1})(a); }, {.out_dims = 1})(z),
             z.permute({2, 0, 1, 3}));
  CHECK_SAME(vmap([&](const Tensor& a) { return vmap(id, {.out_dims = -1})(a); }, {.out_dims = -1})(z),
             z.permute({2, 3, 1, 0}));
  auto [a, b, c] = vmap(
      [](const Tensor& u, const Tensor& v) {
        return std::tuple{u, v, u * v};
      },
      {.out_dims = {-1, 0, 1}})(x, y);
  CHECK_SAME(a, x.permute({1, 2, 0}));
  CHECK_SAME(b, y);
  CHECK_SAME(c, (x * y).permute({1, 0, 2}));
  // A product without lanes of the inner vmap.
  Tensor w = randn({7, 5}), v = randn({3, 2});
  Tensor sums =
      vmap(vmap([](const Tensor& s, const Tensor& t) { return s + dot(t, ones({2})); }, {.in_dims = {0, none}}),
           {.in_dims = {none, 0}})(w, v);
  CHECK_NEAR_TO(sums, sum(v, {1}).reshape({3, 1, 1}) + w, 1e-5);
}

TEST_CASE(
    "D60 convolutions with lanes of images and weights, their second derivatives; the Hessian of a pooled square") {
  Tensor x = randn({1, 3, 4, 4}, f64), w = randn({3, 5, 3, 3, 3}, f64);
  auto conv = [](const Tensor& a, const Tensor& k) { return F::conv2d(a, k); };
  Tensor weights = vmap(conv, {.in_dims = {none, 0}})(x, w);
  CHECK_EQ(weights.shape(), Shape{3, 1, 5, 2, 2});
  CHECK_SAME(weights, looped([&](const Tensor& k) { return conv(x, k); }, w));
  Tensor xs = randn({3, 2, 4, 5, 5}, f64), ws = randn({3, 6, 2, 2, 2}, f64);
  auto grouped = [](const Tensor& a, const Tensor& k) { return F::conv2d(a, k, {}, {.groups = 2}); };
  CHECK_SAME(vmap(grouped)(xs, ws), looped(grouped, xs, ws));
  CHECK(gradgradcheck(grouped, args(xs[0].slice(2, 0, 3).slice(3, 0, 3), ws[0]), {.rtol = 1e-4}));
  Tensor image = doubles({1, 4, 2, 3, 5, 0, 8, 1, 2, 9, 3, 4, 7, 6, 1, 2}, {1, 1, 4, 4});
  Tensor H = hessian([](const Tensor& a) { return sum(square(F::max_pool2d(a, 2))); })(image).reshape({16, 16});
  Tensor greatest = zeros({16}, f64);
  for (int64_t i : {4, 6, 9, 11}) greatest[i] = 2;
  CHECK_SAME(H, diag(greatest));
}

TEST_CASE("D55 batch norm with lanes: refused while it trains, a loop's values when it keeps no statistics") {
  auto net = nn::Sequential(nn::BatchNorm1d(3), nn::InstanceNorm1d(3, {.affine = true, .track_running_stats = true}));
  nn::BatchNorm1d alone(3);
  Tensor xs = randn({4, 5, 3, 6}), rows = randn({4, 5, 3});
  auto run = [&](const Tensor& x) { return alone(x); };
  CHECK_THROWS_WITH_AS(vmap(run)(rows), Contains("Batch norm got a batched tensor as input while the running_mean"),
                       TransformError);
  alone.eval();
  CHECK_NEAR_TO(vmap(run)(rows), looped(run, rows), 1e-5);
  alone.train();
  CHECK_EQ(alone.state_dict().size(), 5);
  replace_all_batch_norm_modules_(alone);
  CHECK_EQ(alone.state_dict().size(), 2);
  CHECK_NEAR_TO(vmap(run)(rows), looped(run, rows), 1e-5);
  alone.eval();  // still the batch's statistics
  CHECK_NEAR_TO(vmap(run)(rows), looped(run, rows), 1e-5);
  const size_t before = net.state_dict().size();
  replace_all_batch_norm_modules_(net);
  CHECK_EQ(net.state_dict().size(), before - 3);  // instance norm is left as it was
  CHECK_EQ(net.state_dict().count("1.running_mean"), 1);
  CHECK_EQ(net(xs[0]).shape(), Shape{5, 3, 6});
}

TEST_CASE("NoGrad around gradients within functions whose gradient is taken") {
  Tensor x = tensor(1.5, f64);
  auto with_shift = [](auto f, auto shift) {
    return [=](const Tensor& v) {
      Tensor s;
      {
        NoGrad guard;
        s = shift(v);
      }
      return f(v) - s;
    };
  };
  auto cube = [](const Tensor& v) { return v * v * v; };
  auto quartic = [](const Tensor& v) { return 0.25 * v * v * v * v; };
  auto h = with_shift(cube, [&](const Tensor& v) { return grad(quartic)(v); });
  CHECK_SAME(grad(h)(x), 3 * x * x);
  CHECK_SAME(grad(grad(h))(x), 6 * x);
  auto f = with_shift(cube, cube);
  auto g = with_shift([&](const Tensor& v) { return grad(f)(v); }, [&](const Tensor& v) { return grad(f)(v); });
  CHECK_SAME(grad(g)(x), 6 * x);
  CHECK_SAME(grad(grad(g))(x), tensor(6.0, f64));
  CHECK_SAME(grad(with_shift(cube, [&](const Tensor& v) { return grad_and_value(cube)(v).second; }))(x), 3 * x * x);
  auto square_of = [](const Tensor& v) { return v * v; };
  NoGrad outside;
  auto [out, pullback] = vjp(square_of, x);
  CHECK_SAME(std::get<0>(pullback(ones({}, f64))), 2 * x);
  CHECK_SAME(jacrev(square_of)(doubles({1, 2})), diag(doubles({2, 4})));
  CHECK_SAME(vmap(grad(square_of))(doubles({1, 2})), doubles({2, 4}));
}

TEST_CASE("vjp, grad and vmap in one another") {
  Tensor x = tensor(0.7, f64), y = tensor(0.3, f64), v = doubles({1, 2, 3});
  auto sine = [](const Tensor& a) { return sin(a); };
  auto cosine = [](const Tensor& a) { return -cos(a); };
  CHECK_SAME(grad([&](const Tensor& c) {
               auto pullback = vjp(sine, x).second;
               return std::get<0>(pullback(c));
             })(y),
             cos(x));
  CHECK_SAME(std::get<0>(vjp(grad(sine), x).second(y)), -y * sin(x));
  auto pull = vjp(grad(cosine), x).second;
  CHECK_SAME(grad([&](const Tensor& c) { return std::get<0>(pull(c)); })(y), cos(x));
  auto pull_v = vjp(sine, v).second;
  auto [again, pull_again] = vjp([&](const Tensor& c) { return std::get<0>(pull_v(c)); }, v);
  CHECK_SAME(again, v * cos(v));
  CHECK_SAME(std::get<0>(pull_again(v)), v * cos(v));
  CHECK_SAME(grad([&](const Tensor& a) { return sum(std::get<0>(vjp(sine, a).second(a))); })(v), cos(v) - v * sin(v));
  CHECK_SAME(std::get<0>(vjp(vmap(sine), v).second(v)), v * cos(v));
  Tensor rows = stack({v, 2 * v});
  CHECK_SAME(vmap([&](const Tensor& c) { return std::get<0>(pull_v(c)); })(rows), rows * cos(v));
  CHECK_SAME(vmap([&](const Tensor& a) { return std::get<0>(vjp(sine, a).second(a)); })(v), v * cos(v));
  CHECK_SAME(grad([&](const Tensor& a) { return sum(vmap(sine)(a)); })(v), cos(v));
}

TEST_CASE("values read as vectors inside nested gradients") {
  Tensor x = doubles({1, 2, 3}), m = doubles({1, 2, 3, 4, 5, 6}, {2, 3});
  std::vector<double> seen, inner;
  Tensor g = grad([&](const Tensor& a) {
    seen = a.to_vector<double>();
    return sum(grad([&](const Tensor& b) {
      inner = b.to_vector<double>();
      return sum(b * b);
    })(a));
  })(x);
  CHECK_EQ(seen, std::vector<double>{1, 2, 3});
  CHECK_EQ(inner, seen);
  CHECK_SAME(g, full({3}, 2, f64));
  CHECK_SAME(grad([&](const Tensor& a) {
               seen = a.to_vector<double>();
               return sum(a);
             })(m),
             ones({2, 3}, f64));
  CHECK_EQ(seen, m.to_vector<double>());
}

TEST_CASE("jacobians of functions that write to their arguments") {
  for (bool forward : {false, true}) {
    auto f = [](const Tensor& x, const Tensor& y) {
      y.copy_(x);
      return y * 1;
    };
    Tensor x = doubles({1, 2}), y = doubles({3, 4});
    CHECK_SAME(forward ? jacfwd(f)(x, y) : jacrev(f)(x, y), eye(2, f64));
    auto g = [](const Tensor& a, const Tensor& b, const Tensor& c) {
      a.slice(0, 0, 2).copy_(b);
      return stack({sum(a * a), sum(c * c * c)});
    };
    Tensor a = doubles({1, 2, 3}), b = doubles({4, 5}), c = doubles({6, 7});
    auto [by_b, by_c] = forward ? jacfwd<argnums(1, 2)>(g)(a, b, c) : jacrev<argnums(1, 2)>(g)(a, b, c);
    CHECK_SAME(by_b, stack({2 * b, zeros({2}, f64)}));
    CHECK_SAME(by_c, stack({zeros({2}, f64), 3 * c * c}));
  }
}

TEST_CASE("writes through chains of views: pullbacks, pullbacks of gradients, lanes") {
  auto chain = [](const Tensor& leaf) {
    Tensor base = leaf * leaf;
    Tensor view = base.transpose(0, 1);
    view.slice(0, 2, 4).slice(1, 2, 4).mul_(2);
    view.slice(0, 0, 2).slice(1, 0, 2).diagonal().sin_();
    Tensor part = view.slice(0, 1, 3).slice(1, 1, 3);
    part.cos_();
    return part * 1;
  };
  auto many = [](const Tensor& leaf) {
    Tensor view = (leaf * leaf).transpose(0, 2)[1].diagonal().slice(0, 0, none, 2);
    view.cos_();
    return view * 1;
  };
  Tensor leaf = randn({4, 4}, f64), ct = randn({2, 2}, f64);
  CHECK(gradcheck(chain, args(leaf)));
  CHECK(gradgradcheck(chain, args(leaf)));
  CHECK(gradgradcheck(many, args(randn({4, 4, 3}, f64))));
  auto pulled = [&](const Tensor& l, const Tensor& c) { return std::get<0>(vjp(chain, l).second(c)); };
  Tensor leaves = randn({3, 4, 4}, f64), cts = randn({3, 2, 2}, f64);
  CHECK_SAME(vmap(pulled)(leaves, cts), looped(pulled, leaves, cts));
  CHECK_SAME(vmap(pulled, {.in_dims = {none, 0}})(leaf, cts),
             looped([&](const Tensor& c) { return pulled(leaf, c); }, cts));
  CHECK_SAME(vmap(pulled, {.in_dims = {2, none}})(leaves.movedim(0, 2), ct),
             looped([&](const Tensor& l) { return pulled(l, ct); }, leaves));
}

TEST_CASE("a tangent without lanes in a jvp with lanes") {
  Tensor dummy = ones({4, 1}), x = randn({4, 2}, f64), t = randn({2}, f64);
  auto push = [&](const Tensor&, const Tensor& a) { return jvp(JOT_FN(cov), primals(a), tangents(t)).second; };
  Tensor got = vmap(vmap(push, {.in_dims = {0, none}}))(dummy, x);
  CHECK_SAME(got.select(1, 0), looped([&](const Tensor& a) { return push(a, a); }, x));
}

TEST_CASE("every function that draws: an error, one draw for all lanes, or a draw for each") {
  const std::vector<std::function<Tensor()>> draws = {
      [] {
        return rand({3, 3});
      },
      [] {
        return randn({3, 3});
      },
      [] {
        return randint(5, 100000, {3, 3});
      },
      [] { return randperm(20); },
      [] { return normal(zeros({3}), 1); },
      [] { return poisson(full({9}, 50.0)); },
      [] { return binomial(full({9}, 90.0), full({9}, 0.5)); },
      [] { return normal(1, 2, {9}); },
      [] { return bernoulli(full({40}, 0.5)); },
      [] { return zeros({40}).bernoulli(0.5); },
      [] { return multinomial(ones({40}), 12); },
      [] {
        return rand_like(zeros({3, 3}));
      },
      [] { return F::dropout(ones({60})); },
      [] { return F::alpha_dropout(ones({60}), 0.5, true); },
      [] {
        return F::dropout2d(ones({1, 60, 2, 2}));
      },
      [] {
        return F::feature_alpha_dropout(ones({1, 60, 2, 2}), 0.5, true);
      },
      [] {
        return while_loop([](const Tensor& c) { return sum(c) < 3; }, [](const Tensor& c) { return c + rand({2}); },
                          zeros({2}));
      },
      [] {
        return fori_loop(
            0, 3, [](const Tensor&, const Tensor& c) { return c + rand({2}); }, zeros({2}));
      },
      [] { return zeros({9}).uniform_(0, 1) * 1; },
      [] { return zeros({9}).normal_(0, 1) * 1; },
      [] { return zeros({9}).exponential_(1) * 1; },
      [] { return zeros({9}).cauchy_(0, 1) * 1; },
      [] { return zeros({40}).bernoulli_(0.5) * 1; },
  };
  Tensor lanes = zeros({4});
  for (size_t i = 0; i < draws.size(); ++i) {
    CAPTURE(i);
    auto f = [&](const Tensor& x) { return draws[i]() + x.to(i64); };
    CHECK_THROWS_WITH_AS(vmap(f)(lanes), Contains("called random operation while in randomness error mode"),
                         TransformError);
    manual_seed(7);
    Tensor want = draws[i]();
    manual_seed(7);
    Tensor same = vmap(f, {.randomness = Randomness::same})(lanes);
    for (int64_t b = 0; b < 4; ++b) CHECK_SAME(same[b], want);
    Tensor different = vmap(f, {.randomness = Randomness::different})(lanes);
    for (int64_t b = 0; b < 4; ++b)
      for (int64_t c = 0; c < b; ++c) CHECK_FALSE(equal(different[b], different[c]));
  }
}

TEST_CASE("linear algebra of vectors where matrices are wanted, with lanes too") {
  Tensor x = ones({3, 3});
  const std::vector<std::function<Tensor(const Tensor&)>> functions = {
      [](const Tensor& a) { return linalg::inv(a); },         [](const Tensor& a) { return linalg::det(a); },
      [](const Tensor& a) { return linalg::cholesky(a); },    [](const Tensor& a) { return linalg::qr(a).R; },
      [](const Tensor& a) { return linalg::svdvals(a); },     [](const Tensor& a) { return linalg::eigvalsh(a); },
      [](const Tensor& a) { return linalg::pinv(a); },        [](const Tensor& a) { return linalg::matrix_exp(a); },
      [](const Tensor& a) { return linalg::lu_factor(a).LU; }};
  for (size_t i = 0; i < functions.size(); ++i) {
    CAPTURE(i);
    CHECK_THROWS_AS(functions[i](x[0]), ShapeError);
    CHECK_THROWS_AS(vmap(functions[i])(x), ShapeError);
  }
}

TEST_CASE("forces of a learned potential: the jacobian of each lane, and a gradient through it") {
  manual_seed(2);
  auto model = nn::Sequential(nn::Linear(1, 8), nn::Tanh(), nn::Linear(8, 1));
  TensorDict weights;
  for (const auto& [name, w] : model.named_parameters()) weights.emplace(name, w.to(f64));
  Tensor r = linspace(0.5, 1, 6, f64).unsqueeze(1);
  auto loss = [&](const TensorDict& p, bool lanes) {
    auto energy = [&](const Tensor& d) { return functional_call(model, p, d); };
    Tensor slopes = lanes ? vmap(jacrev(energy))(r).squeeze(-1)
                          : looped([&](const Tensor& d) { return jacfwd(energy)(d).squeeze(-1); }, r);
    return mean(square(energy(r))) + 0.01 * mean(square(slopes + 1 / r));
  };
  TensorDict a = grad([&](const TensorDict& p) { return loss(p, true); })(weights);
  TensorDict b = grad([&](const TensorDict& p) { return loss(p, false); })(weights);
  for (const auto& [name, g] : a) CHECK_SAME(g, b.at(name));
}

TEST_CASE("MAML: the gradient of what inner steps achieve, tasks as lanes") {
  manual_seed(3);
  auto net = nn::Sequential(nn::Linear(1, 10), nn::ReLU(), nn::Linear(10, 1));
  TensorDict weights = net.named_parameters();
  Tensor x1 = randn({4, 5, 1}), x2 = randn({4, 5, 1}), phase = rand({4, 1, 1});
  Tensor y1 = sin(x1 + phase), y2 = sin(x2 + phase);
  auto task = [&](const TensorDict& p, const Tensor& a, const Tensor& b, const Tensor& c, const Tensor& d) {
    auto inner = [&](const TensorDict& q) { return mean(square(functional_call(net, q, a) - b)); };
    auto next = optim::sgd_update(p, grad(inner)(p), optim::sgd_init(p), {.lr = 0.1}).first;
    return mean(square(functional_call(net, next, c) - d));
  };
  TensorDict lanes = grad([&](const TensorDict& p) {
    return mean(vmap(task, {.in_dims = {none, 0, 0, 0, 0}})(p, x1, y1, x2, y2));
  })(weights);
  TensorDict loop = grad([&](const TensorDict& p) {
    Tensor total = zeros({});
    for (int64_t i = 0; i < 4; ++i) total = total + task(p, x1[i], y1[i], x2[i], y2[i]);
    return total / 4;
  })(weights);
  for (const auto& [name, g] : lanes) CHECK_NEAR_TO(g, loop.at(name), 1e-5);
}

TEST_CASE("an ensemble is trained by a step with lanes; learning rates with one dropout") {
  manual_seed(4);
  auto make = [] { return nn::Sequential(nn::Linear(2, 8), nn::ReLU(), nn::Linear(8, 2)); };
  auto model = make();
  auto [stacked, buffers] = stack_module_state(std::vector{make(), make()});
  Tensor points = randn({20, 2}), labels = randint(0, 2, {20});
  auto loss = [&](const TensorDict& p) {
    return F::nll_loss(F::log_softmax(functional_call(model, p, points), -1), labels);
  };
  auto step = [&](const TensorDict& p) {
    auto [g, value] = grad_and_value(loss)(p);
    return std::pair{value, optim::sgd_update(p, g, optim::sgd_init(p), {.lr = 0.2}).first};
  };
  auto [values, next] = vmap(step)(stacked);
  for (int64_t i = 0; i < 2; ++i) {
    TensorDict one;
    for (const auto& [name, w] : stacked) one.emplace(name, w[i]);
    auto [value, after] = step(one);
    CHECK_NEAR_TO(values[i], value, 1e-5);
    for (const auto& [name, w] : after) CHECK_NEAR_TO(next.at(name)[i], w, 1e-5);
  }
  auto dropped = [&](const TensorDict& p, const Tensor& lr) {
    auto f = [&](const TensorDict& q) {
      return F::nll_loss(F::log_softmax(functional_call(model, q, F::dropout(points)), -1), labels);
    };
    auto [g, value] = grad_and_value(f)(p);
    return std::pair{value, optim::sgd_update(p, g, optim::sgd_init(p), {.lr = lr}).first};
  };
  auto [losses, weights] = vmap(dropped, {.in_dims = {none, 0}, .randomness = Randomness::same})(
      model.named_parameters(), floats({0.2, 0.4}));
  CHECK_SAME(losses[0], losses[1]);
  CHECK_FALSE(equal(weights.at("0.weight")[0], weights.at("0.weight")[1]));
}

TEST_CASE("jit of vmap of a Hessian by modes, with aux, of a module's output by its input") {
  auto model = nn::Sequential(nn::Linear(2, 2), nn::Tanh());
  TensorDict p = model.named_parameters();
  auto predict = [&](const TensorDict& q, const Tensor& x) {
    Tensor y = functional_call(model, q, x);
    return std::pair{y, y};
  };
  auto inner = [&](const TensorDict& q, const Tensor& x) { return jacrev<argnum(1), has_aux>(predict)(q, x); };
  auto f = vmap(jacfwd<argnum(1), has_aux>(inner), {.in_dims = {none, 0}});
  Tensor xs = randn({4, 2});
  auto [H, aux] = f(p, xs);
  auto [compiled, compiled_aux] = jit(f)(p, xs);
  CHECK_EQ(H.shape(), Shape{4, 2, 2, 2});
  CHECK_NEAR_TO(compiled, H, 1e-6);
  CHECK_NEAR_TO(compiled_aux, model(xs), 1e-6);
}

TEST_CASE("ten nested gradients of a product of ten scalars") {
  std::array<Tensor, 10> x;
  for (size_t i = 0; i < x.size(); ++i) x[i] = tensor(1.0 + 0.1 * static_cast<double>(i), f64);
  CHECK_SAME((nested_gradient<10>(x)), tensor(1.0, f64));
  CHECK_SAME((nested_gradient<9>(x)), x[9]);
  // Each level shares what the level below computed: the graph of ten is small.
  auto all = [](const std::array<Tensor, 10>& v) { return nested_gradient<9>(v); };
  CHECK(optimize(trace(all, x)).num_nodes() < 40);
}

// Of a function whose intermediates are batched: no more of them than lanes of a chunk, and a little for the results.
TEST_CASE("vmap in chunks: the memory of intermediates shrinks with the chunk") {
  const int64_t lanes = 512, n = 64;
  const Tensor w = randn({n, n}, f64), x = randn({lanes, n, n}, f64);
  auto product = [&](const Tensor& m) { return sum(matmul(w, tanh(matmul(w, m)))); };
  auto sorted = [&](const Tensor& m) { return sum(cumsum(sort(matmul(w, m), 0).values, 1)); };
  auto slope = [&](const Tensor& m) { return grad(product)(m).select(0, 0); };
  auto shrinks = [&](const std::string& name, auto f) {
    CAPTURE(name);
    auto bytes = [&](VmapOptions options) { return compile(vmap(f, options), x).stats().arena_bytes; };
    const double whole = static_cast<double>(bytes({}));
    for (int64_t chunk : {16, 32, 128}) {
      CAPTURE(chunk);
      const double part = static_cast<double>(bytes({.chunk_size = chunk}));
      CHECK(part <= 1.3 * whole * static_cast<double>(chunk) / static_cast<double>(lanes) + lanes * n * 8);
    }
  };
  shrinks("products", product);
  shrinks("routines", sorted);
  shrinks("a gradient", slope);
}
