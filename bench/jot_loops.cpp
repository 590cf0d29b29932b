// Loops, written with jot. The peers' side of each workload is in peers/loops.py under the same name.
#include <array>
#include <cmath>

#include "jot_job.h"
#include "lstm.h"

namespace bench {
namespace {

using namespace jot;

// ---- many scalars in the carry: a chain of Gaussian filters, each of which observes the mean of the one before

struct Node {
  Tensor mean, precision, drift;
};
JOT_TREE(Node, mean, precision, drift);
using Nodes = std::array<Node, 20>;
using Volatilities = std::array<Tensor, 20>;

// The nodes after an observation, and how surprising it was.
std::pair<Nodes, Tensor> observe(const Nodes& before, const Tensor& observation, const Volatilities& volatility) {
  Nodes after;
  Tensor observed = observation, weight = tensor(4.0, f64), surprise;
  for (size_t k = 0; k < before.size(); ++k) {
    const auto& [mean, precision, drift] = before[k];
    Tensor predicted = mean + drift, error = observed - predicted;
    Tensor prior = 1 / (1 / precision + exp(volatility[k])), posterior = prior + weight, gain = weight / posterior;
    after[k] = {predicted + gain * error, posterior, 0.9 * drift + 0.05 * gain * error};
    Tensor cost = prior * gain * error * error;
    surprise = k == 0 ? cost - log(prior * gain) : surprise + cost;
    observed = after[k].mean;
    weight = 0.5 * posterior;
  }
  return {after, surprise};
}

Job scan60(Size size) {
  Tensor observations = uniform_tensor(1, {size == Size::toy ? 7 : 614}, f64, 4.0);
  auto loss = [=](const Volatilities& volatility) {
    Nodes start;
    for (Node& n : start) n = {tensor(0.0, f64), tensor(1.0, f64), tensor(0.0, f64)};
    auto step = [&](const Nodes& nodes, const Tensor& u) { return observe(nodes, u, volatility); };
    return sum(scan(step, start, observations).second);
  };
  Volatilities volatility;
  for (size_t k = 0; k < volatility.size(); ++k) volatility[k] = tensor(uniform(2, k) - 2, f64);
  return job(grad_and_value(loss), volatility);
}

// ---- a small matrix in the carry: the Cholesky factor of a quasi-separable matrix (Foreman-Mackey's tinygp)

Job scan33(Size size) {
  int64_t n = size == Size::toy ? 7 : 2000;
  Tensor diagonal = 4.0 + uniform_tensor(1, {n}, f64), p = uniform_tensor(2, {n, 3}, f64, 1.0);
  Tensor q = uniform_tensor(3, {n, 3}, f64, 1.0), a = 0.5 * eye(3, f64) + uniform_tensor(4, {n, 3, 3}, f64);
  auto factor = [](const auto&... inputs) {
    using Row = std::tuple<Tensor, Tensor, Tensor, Tensor>;
    auto step = [](const Tensor& f, const Row& row) {
      const auto& [d, p, q, a] = row;
      Tensor c = sqrt(d - dot(p, matmul(f, p))), along = matmul(f, a.t());
      Tensor w = (q - matmul(p, along)) / c;
      return std::pair{matmul(a, along) + outer(w, w), std::pair{c, w}};
    };
    return scan(step, zeros({3, 3}, f64), Row{inputs...}).second;
  };
  return job(factor, diagonal.eval(), p, q, a.eval());
}

// ---- lanes that need 3 to 50 steps

Job newton(Size size) {
  std::vector<double> cubes(size == Size::toy ? 20 : 10'000);
  for (size_t i = 0; i < cubes.size(); ++i) cubes[i] = std::exp2(79 * (uniform(1, i) - 0.5) - 39.5);
  auto root = [](const Tensor& a) {
    return while_loop([&](const Tensor& y) { return abs(y * y * y - a) > 1e-12 * a; },
                      [&](const Tensor& y) { return y - (y * y * y - a) / (3 * y * y); }, ones({}, f64));
  };
  return job(vmap(root), tensor(cubes));
}

// ---- an element read and an element written in each step

Job foridx(int64_t n, Size size) {
  if (size == Size::toy) n = 9;
  auto loss = [=](const Tensor& x) {
    using Carry = std::pair<Tensor, Tensor>;
    auto body = [&](const Tensor& i, const Carry& c) {
      auto [ys, last] = c;
      last = 0.5 * last + sin(x.index({i}));
      ys.index({i}) = last * last;
      return Carry{ys, last};
    };
    return sum(fori_loop(0, n, body, Carry{zeros({n}, f64), zeros({}, f64)}).first);
  };
  return job(grad_and_value(loss), uniform_tensor(1, {n}, f64, 2.0));
}

// ---- integrators

Tensor lorenz_rate(const Tensor& u) {
  return stack({10.0 * (u[1] - u[0]), u[0] * (28.0 - u[2]) - u[1], u[0] * u[1] - 8.0 / 3 * u[2]});
}

Job lorenzjac(Size size) {
  auto path = [=](const Tensor& start) {
    auto step = [](const Tensor& u, none_t) {
      const double h = 0.01;
      Tensor k1 = lorenz_rate(u), k2 = lorenz_rate(u + h / 2 * k1), k3 = lorenz_rate(u + h / 2 * k2);
      Tensor k4 = lorenz_rate(u + h * k3);
      return std::pair{u + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), none};
    };
    return scan(step, start, none, {.length = size == Size::toy ? 10 : 1000}).first;
  };
  return job(jacfwd(path), tensor({1.0, 2.0, 20.0}, f64));
}

// A million steps; for the gradient all states are kept, or so many.
Job ckpt(std::optional<int64_t> checkpoints, Size size) {
  auto loss = [=](const Tensor& goal) {
    auto step = [&](const Tensor& u, none_t) { return std::pair{u + 0.01 * (goal - u * sum(u * u)), none}; };
    ScanOptions options{.length = size == Size::toy ? 10 : 1'000'000, .checkpoints = checkpoints};
    Tensor last = scan(step, tensor({1.0, 0.5, 0.2}, f64), none, options).first;
    return sum(last * tensor({1.0, 2.0, 3.0}, f64));
  };
  return job(grad_and_value(loss), tensor({0.3, 0.5, 0.7}, f64));
}

// ---- a recurrent network

Job lstm(Size size) {
  recurrent::Problem p = recurrent::read_problem(kLstmFile);
  if (size == Size::toy) p.text = p.text.slice(0, 0, 12).clone();
  auto objective = [=](const Tensor& main, const Tensor& extra) {
    return recurrent::objective(main, extra, p.state, p.text);
  };
  return job(grad_and_value<argnums(0, 1)>(objective), p.main, p.extra);
}

}  // namespace

void add_jot_loops(std::vector<Contender>& all) {
  all.push_back(jot_on("scan60", scan60));
  all.push_back(jot_on("scan33", scan33));
  all.push_back(jot_on("newton", newton));
  for (int64_t n : {1000, 1'000'000})
    all.push_back(jot_on("foridx-" + std::to_string(n), [=](Size size) { return foridx(n, size); }));
  all.push_back(jot_on("lorenzjac", lorenzjac));
  all.push_back(jot_on("ckpt-0", [](Size size) { return ckpt({}, size); }));
  all.push_back(jot_on("ckpt-100", [](Size size) { return ckpt(size == Size::toy ? 3 : 100, size); }));
  all.push_back(jot_on("lstm", lstm));
}

}  // namespace bench
