// What log_test.py runs: one event of each kind.
#include <jot/jot.h>

using namespace jot;

int main() {
  Tensor x = ones({3}, f64), w = full({3}, 2.0, f64), held = full({3}, 3.0, f64);
  w.eval();
  held.eval();
  auto f = jit([&](const Tensor& x) {
    Tensor table = arange(10000).slice(0, 0, 3);  // made for the recording: held by nothing else from the start
    return x * w + held + table;
  });
  f(x);
  f(x);
  w.mul_(2).eval();  // seen
  held = held * 1;
  f(x);
  w = w * 10;
  f(x);
  grad([](const Tensor& x) { return sum(x > 0); })(x).eval();

  auto advised = jit([](const Tensor& x, double k) { return x * k; });
  for (int i = 0; i < 10; ++i) advised(x, i + 0.25);

  auto gradient = jit(grad([](const Tensor& x) { return sum(sin(x) * x); }));
  gradient(x);
}
