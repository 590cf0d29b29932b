// A training loop inside fori_loop: all steps are one call of compiled code, and what comes out of the training can be
// differentiated by what went in, here the loss by the learning rate.
#include <jot/jot.h>

#include <cmath>
#include <cstdio>

using namespace jot;

namespace {

struct Network {
  Tensor w1, b1, w2, b2;  // f64[8,1], f64[8], f64[8], f64[]
};
JOT_TREE(Network, w1, b1, w2, b2);

Tensor predicted(const Network& n, const Tensor& x) { return matmul(tanh(matmul(x, n.w1.t()) + n.b1), n.w2) + n.b2; }

Tensor loss(const Network& n, const Tensor& x, const Tensor& y) { return mean(square(predicted(n, x) - y)); }

Network moved(const Network& n, const Network& by, const Tensor& rate) {
  return {n.w1 - rate * by.w1, n.b1 - rate * by.b1, n.w2 - rate * by.w2, n.b2 - rate * by.b2};
}

// Each step takes a fourth of the data in turn.
Network trained(const Network& start, const Tensor& x, const Tensor& y, const Tensor& rate, const Tensor& steps) {
  Tensor xs = x.reshape({4, -1, 1}), ys = y.reshape({4, -1});
  auto step = [&](const Tensor& i, const Network& n) {
    Tensor part = i & 3;
    return moved(n, grad(loss)(n, xs.index({part}), ys.index({part})), rate);
  };
  return fori_loop(0, steps, step, start);
}

}  // namespace

int main() {
  manual_seed(3);
  const Tensor x = rand({64, 1}, f64) * 4 - 2, y = sin(2 * x.flatten()), rate = tensor(0.1, f64);
  const Network start{randn({8, 1}, f64), randn({8}, f64), 0.3 * randn({8}, f64), zeros({}, f64)};
  auto train = jit(trained);
  for (int64_t steps : {0, 100, 1000, 20'000})  // one recording: their number is data
    std::printf("loss after %5lld steps: %.6f\n", static_cast<long long>(steps),
                loss(train(start, x, y, rate, tensor(steps)), x, y).item<double>());
  bool good = loss(train(start, x, y, rate, tensor(int64_t{20'000})), x, y).item<double>() < 2e-3;
  good &= train.cache_info().misses == 1;

  Network by_hand = start;
  Tensor xs = x.reshape({4, -1, 1}), ys = y.reshape({4, -1});
  for (int64_t i = 0; i < 10; ++i) by_hand = moved(by_hand, grad(loss)(by_hand, xs[i % 4], ys[i % 4]), rate);
  double difference = max(abs(train(start, x, y, rate, tensor(int64_t{10})).w1 - by_hand.w1)).item<double>();

  auto outcome = jit([&](const Tensor& r) { return loss(trained(start, x, y, r, tensor(int64_t{50})), x, y); });
  double slope = grad(outcome)(rate).item<double>(), h = 1e-6;
  double numeric = (outcome(rate + h).item<double>() - outcome(rate - h).item<double>()) / (2 * h);
  std::printf("ten steps by hand differ by %.2g; d loss / d rate after 50 steps: %.8f, by differences %.8f\n",
              difference, slope, numeric);
  return good && difference < 1e-14 && std::abs(slope - numeric) < 1e-6 * (1 + std::abs(slope)) ? 0 : 1;
}
