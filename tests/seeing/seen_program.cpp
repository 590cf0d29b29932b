// What page_test.py looks at: seen_program [NODES]. With a number of nodes it prints the milliseconds that the
// calling thread works in a first call.
#include <jot/jot.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <string>

using namespace jot;

namespace {

Tensor energy(const Tensor& x, double scale) {
  Tensor a = sin(x) * scale;
  Tensor b = sin(x) + 1;  // sin(x) is the one above
  return sum(a * b);
}

// A scalar program of about n operations.
Tensor chain(const Tensor& x, int n) {
  Tensor y = x, z = x * 0.5;
  for (int i = 0; i < n / 4; ++i) {
    Tensor next = y * z + 0.25;
    z = z - y * 0.125;
    y = next;
  }
  return y + z;
}

double milliseconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    const int n = std::atoi(argv[1]);
    auto f = jit([n](const Tensor& x) { return chain(x, n); });
    Tensor x = tensor(0.5, f64);
    x.eval();
    const double begin = milliseconds();
    f(x).eval();
    std::printf("%.3f\n", milliseconds() - begin);
    return 0;
  }
  auto g = jit(grad([](const Tensor& x, double scale) { return energy(x, scale); }));
  g(randn({1000}, f64), 2.0).eval();
  g(randn({1000}, f64), 2.0).eval();
  g(randn({2000}, f64), 2.0).eval();  // another shape
  g(randn({1000}, f64), 3.0).eval();  // another number
  auto steps = jit([](const Tensor& x) {
    return scan([](const Tensor& c, const Tensor& s) { return std::pair(tanh(c + s), c * 2); }, zeros({8}, f64), x)
        .second;
  });
  steps(randn({16, 8}, f64)).eval();
  auto products = jit([](const Tensor& a, const Tensor& b) { return relu(matmul(a, b)) + 1; });
  products(randn({128, 128}), randn({128, 128})).eval();
  Tensor lazy = exp(randn({50})) * 2;
  lazy.eval();
}
