// What is measured, written with jot. The peers' side of each workload is in peers/worker.py under the same name.
#include "chain.h"
#include "docs/examples/bundle_adjustment.h"
#include "docs/examples/mixture.h"
#include "hand.h"
#include "jot_job.h"

namespace bench {
namespace {

using namespace jot;

// ---- call overhead

Job lin33(Size) {
  Tensor W = uniform_tensor(1, {3, 3}), b = uniform_tensor(2, {3}), x = uniform_tensor(3, {3});
  return job(jacrev([=](const Tensor& v) { return matmul(W, v) + b; }), x);
}

Job lin33t(Size) {
  Tensor W = uniform_tensor(1, {3, 3}), b = uniform_tensor(2, {3}), x = uniform_tensor(3, {3});
  return job(jacrev([=](const Tensor& v) { return tanh(matmul(W, v) + b); }), x);
}

// ---- elementwise

Job elem(Size size) {
  Tensor x = uniform_tensor(1, {size == Size::toy ? 1000 : 10'000'000});
  auto f = [](const Tensor& v) { return sin(v) * exp(-v * v) + tanh(v); };
  return job(vmap(grad(f)), x);
}

Job elemchain(Size size) {
  Tensor x = uniform_tensor(1, {size == Size::toy ? 1000 : 10'000'000});
  auto f = [](const Tensor& v) {
    Tensor y = v;
    for (int i = 0; i < 8; ++i) y = y * v + 0.5;
    return y;
  };
  return job(f, x);
}

Job stream(Size size) {
  int64_t n = size == Size::toy ? 1000 : 20'000'000;
  Tensor a = uniform_tensor(1, {n}, f64), b = uniform_tensor(2, {n}, f64);
  return job([](const Tensor& x, const Tensor& y) { return x + 3.0 * y; }, a, b);
}

Job jacsin4000(Size size) {
  Tensor x = uniform_tensor(1, {size == Size::toy ? 40 : 4000});
  return job(jacrev([](const Tensor& v) { return sin(v) * v; }), x);
}

// ---- networks

using Layer = std::pair<Tensor, Tensor>;
using Layers = std::vector<Layer>;

Layers layers(std::initializer_list<int64_t> widths) {
  Layers list;
  std::vector<int64_t> w(widths);
  for (size_t i = 0; i + 1 < w.size(); ++i)
    list.emplace_back(uniform_tensor(10 + 2 * i, {w[i + 1], w[i]}), uniform_tensor(11 + 2 * i, {w[i + 1]}));
  return list;
}

Tensor mlp(const Layers& layers, const Tensor& x) {
  Tensor y = x;
  for (size_t i = 0; i < layers.size(); ++i) {
    y = matmul(layers[i].first, y) + layers[i].second;
    if (i + 1 < layers.size()) y = tanh(y);
  }
  return y;
}

Job mlpjac(Size size) {
  bool toy = size == Size::toy;
  Layers net = toy ? layers({4, 5, 5, 3}) : layers({64, 256, 256, 32});
  Tensor x = uniform_tensor(1, {toy ? 3 : 256, toy ? 4 : 64});
  return job(vmap(jacrev([=](const Tensor& v) { return mlp(net, v); })), x);
}

Job psgrad(Size size) {
  bool toy = size == Size::toy;
  Layers net = toy ? layers({4, 5, 5, 3}) : layers({64, 128, 128, 10});
  int64_t batch = toy ? 3 : 512;
  Tensor x = uniform_tensor(1, {batch, toy ? 4 : 64}), y = uniform_tensor(2, {batch, toy ? 3 : 10});
  auto loss = [](const Layers& net, const Tensor& x, const Tensor& y) {
    Tensor difference = mlp(net, x) - y;
    return sum(difference * difference);
  };
  return job(vmap(grad(loss), {.in_dims = {none, 0, 0}}), net, x, y);
}

Job mlphess(Size size) {
  bool toy = size == Size::toy;
  Layers net = toy ? layers({4, 5, 5, 1}) : layers({32, 64, 64, 1});
  Tensor x = uniform_tensor(1, {toy ? 3 : 256, toy ? 4 : 32});
  return job(vmap(hessian([=](const Tensor& v) { return mlp(net, v)[0]; })), x);
}

Job hesslog(Size size) {
  int64_t n = size == Size::toy ? 8 : 512, d = size == Size::toy ? 4 : 64;
  Tensor A = uniform_tensor(1, {n, d}), y = uniform_tensor(2, {n}), w = uniform_tensor(3, {d});
  auto loss = [=](const Tensor& w) { return mean(log(1 + exp(-matmul(A, w) * y))); };
  return job(hessian(loss), w);
}

Job softattn(Size size) {
  Shape shape = size == Size::toy ? Shape{2, 5, 4} : Shape{8, 128, 64};
  Tensor q = uniform_tensor(1, shape), k = uniform_tensor(2, shape), v = uniform_tensor(3, shape);
  auto loss = [](const Tensor& q, const Tensor& k, const Tensor& v) {
    Tensor out = matmul(softmax(matmul(q, k.transpose(-1, -2)) / 8, -1), v);
    return sum(out * out);
  };
  return job(grad<argnums(0, 1, 2)>(loss), q, k, v);
}

// ---- estimation and simulation

Tensor lorenz_rate(const Tensor& u) {
  return stack({10.0 * (u[1] - u[0]), u[0] * (28.0 - u[2]) - u[1], u[0] * u[1] - 8.0 / 3 * u[2]});
}

Job lorenz(Size size) {
  Tensor x = uniform_tensor(1, {size == Size::toy ? 10 : 10'000, 3}, f64, 2.0);
  auto four_steps = [](const Tensor& start) {
    const double h = 0.01;
    Tensor u = start;
    for (int i = 0; i < 4; ++i) {
      Tensor k1 = lorenz_rate(u), k2 = lorenz_rate(u + h / 2 * k1), k3 = lorenz_rate(u + h / 2 * k2);
      Tensor k4 = lorenz_rate(u + h * k3);
      u = u + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
    }
    return u;
  };
  return job(vmap(jacfwd(four_steps)), x);
}

Job ba(Size size) {
  namespace ba = bundle_adjustment;
  ba::Problem p = ba::read_problem(kBaFile);
  if (size == Size::toy) p = ba::head(p, 20);
  auto f = [](const auto&... inputs) { return ba::jacobian(inputs...); };
  return job(f, p.cameras, p.points, p.weights, p.features, p.camera_index, p.point_index);
}

// ---- gaussian mixtures

Job gmm(const std::string& name, Size size) {
  mixture::Mixture p = mixture::read_mixture(kData + "/" + name, size == Size::toy ? 5 : 0);
  auto objective = [=](const auto&... parameters) { return mixture::log_posterior(parameters..., p); };
  return job(grad<argnums(0, 1, 2)>(objective), p.alphas, p.means, p.factors);
}

// ---- a hand

Job hand1(Size) {
  hand::Hand p = hand::read_hand(kData + "/hand1_t26_c100.txt", kData + "/hand");
  return job(jacfwd([=](const Tensor& theta) { return hand::residuals(theta, p); }), p.theta);
}

// ---- matrix products

Job gemm(int64_t n, DType dtype) {
  Tensor a = uniform_tensor(1, {n, n}, dtype), b = uniform_tensor(2, {n, n}, dtype);
  return job([](const Tensor& x, const Tensor& y) { return matmul(x, y); }, a, b);
}

// ---- compilation against graph size: the gradient of a scalar chain

Job chain(int64_t steps) {
  auto f = [=](const Tensor& v) { return chain_sum(v, steps); };
  return job(grad(f), tensor({0.3, 0.4}, f64));
}

}  // namespace

std::vector<Contender> contenders() {
  std::vector<Contender> all;
  auto add = [&](const std::string& workload, std::function<Job(Size)> make) {
    all.push_back(jot_on(workload, std::move(make)));
  };
  add("lin33", lin33);
  add("lin33t", lin33t);
  add("elem", elem);
  add("elemchain", elemchain);
  add("stream", stream);
  add("mlpjac", mlpjac);
  add("psgrad", psgrad);
  add("mlphess", mlphess);
  add("softattn", softattn);
  add("lorenz", lorenz);
  add("ba", ba);
  add("gmm10", [](Size size) { return gmm("gmm_d10_K25.txt", size); });
  add("gmm64", [](Size size) { return gmm("gmm_d64_K25.txt", size); });
  add("hand1", hand1);
  add("jacsin4000", jacsin4000);
  add("hesslog", hesslog);
  for (int64_t n : {32, 64, 128, 256, 512, 1024, 2048})
    for (DType dtype : {f32, f64})
      add("gemm-" + std::string(to_string(dtype)) + "-" + std::to_string(n),
          [=](Size size) { return gemm(size == Size::toy ? 8 : n, dtype); });
  for (int64_t n : {100, 1000, 10'000, 100'000})
    add("chain-" + std::to_string(n), [=](Size size) { return chain(size == Size::toy ? 10 : n); });
  add_jot_loops(all);
  add_jot_programs(all);
  add_direct(all);
  add_cpp_peers(all);
  return all;
}

}  // namespace bench
