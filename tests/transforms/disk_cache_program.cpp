// A program that a cache on disk may have seen before: prints what it computes, to the bit, and whether it compiled.
#include <jot/jot.h>

#include <cstdio>

using namespace jot;

namespace {

void show(const char* name, const Tensor& t, bool loaded) {
  std::printf("%s %s", name, loaded ? "loaded" : "compiled");
  for (double x : t.to_vector<double>()) std::printf(" %a", x);
  std::printf("\n");
}

template <class F, class... A>
void run(const char* name, F f, const A&... a) {
  auto exe = compile(f, a...);
  show(name, exe(a...), exe.stats().loaded);
}

}  // namespace

int main() {
  const Tensor A = tensor({{4., 1., 0.}, {1., 5., 2.}, {0., 2., 6.}}, f64), b = tensor({1., 2., 3.}, f64);
  const Tensor i = tensor({2, 0}, i64);
  run(
      "elementwise", [](const Tensor& x) { return sin(x) * exp(-x) + 1; }, b);
  run("jacobian", jacrev([](const Tensor& x) { return x * sum(tanh(x)); }), b);
  run("solve", grad([](const Tensor& M, const Tensor& v) { return sum(linalg::solve(M, v)); }), A, b);
  run(
      "loop",
      [](const Tensor& x) {
        return fori_loop(
            0, 20, [](const Tensor&, const Tensor& c) { return cos(c); }, x);
      },
      b);
  run(
      "while",
      [](const Tensor& x) {
        auto more = [](const Tensor& c) { return sum(c * c) > 1; };
        return while_loop(
            more, [](const Tensor& c) { return sort(c).values * 0.5; }, x);
      },
      b);
  run(
      "gather", [](const Tensor& x, const Tensor& at) { return x.index({at}); }, b, i);
  run(
      "branches",
      [](const Tensor& x) {
        return cond(
            x[0] > 0, [](const Tensor& v) { return sin(v); }, [](const Tensor& v) { return cos(v); }, x);
      },
      b);
  try {  // the error of a stored program names the line of this one
    run(
        "fault", [](const Tensor& x, const Tensor& at) { return x.index({at}); }, b, tensor({7}, i64));
  } catch (const IndexError& e) {
    std::printf("fault %s\n", e.what());
  }
}
