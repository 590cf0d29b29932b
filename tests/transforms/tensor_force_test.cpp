// Host reads of values inside transforms.

#include "check.h"

using namespace jot;
using namespace jot::test;

TEST_CASE("branching on a value inside a derivative") {
  auto f = [](const Tensor& x) { return x.item<double>() > 0 ? x * x : -x; };
  CHECK_SAME(grad(f)(tensor(3.0, f64)), tensor(6.0, f64));
  CHECK_SAME(grad(f)(tensor(-3.0, f64)), tensor(-1.0, f64));
  CHECK_SAME(grad(grad(f))(tensor(3.0, f64)), tensor(2.0, f64));
  CHECK_SAME(jacfwd(f)(tensor(3.0, f64)), tensor(6.0, f64));
  CHECK_SAME(hessian(f)(tensor(3.0, f64)), tensor(2.0, f64));
  auto [out, tangent] = jvp(f, primals(tensor(3.0, f64)), tangents(tensor(1.0, f64)));
  CHECK_SAME(tangent, tensor(6.0, f64));
}

TEST_CASE("a loop whose length depends on values") {
  // Newton's method for the square root; its derivative is that of the square root.
  auto f = [](const Tensor& a) {
    Tensor x = a * 1.0;
    int steps = 0;
    while (std::abs((x * x - a).item<double>()) > 1e-14 && ++steps < 50) x = (x + a / x) / 2;
    return x;
  };
  CHECK_NEAR_TO(grad(f)(tensor(2.0, f64)), tensor(0.5 / std::sqrt(2.0), f64), 1e-10);
}

TEST_CASE("reads between writes see the present contents, those of views too") {
  std::vector<double> seen;
  auto look = [&](const Tensor& t) { seen.push_back(t.item<double>()); };
  auto f = [&](const Tensor& x) {
    Tensor y = x * 1.0, part = y.slice(0, 1);
    look(y[0]);
    part.add_(10);
    look(part[0]);
    y[0] = y[1] * 2;
    look(y[0]);
    look(part[1]);
    part.mul_(x[0]);
    look(y[2]);
    Tensor z = y + 1, w = z.clone();
    look(z[2]);
    z.mul_(2);
    look(w[2]);
    look(z[2]);
    return sum(y) + sum(z);
  };
  Tensor x = doubles({2, 3, 4});
  Tensor g = grad(f)(x);
  CHECK_EQ(seen, std::vector<double>{2, 13, 26, 14, 28, 29, 29, 58});
  seen.clear();
  auto pure = [](const Tensor& x) {  // what f computes
    Tensor a = x[1] + 10, b = x[2] + 10, y = stack({2 * a, a * x[0], b * x[0]});
    return sum(y) + sum((y + 1) * 2);
  };
  CHECK_SAME(g, grad(pure)(x));
}

TEST_CASE("reads in nested transforms walk out") {
  double inner = 0, outer = 0;
  Tensor r = grad([&](const Tensor& x) {
    Tensor y = x * 2;
    Tensor g = grad([&](const Tensor& z) {
      Tensor w = z * y;
      inner = w.item<double>();
      return w * z;
    })(x);
    outer = g.item<double>();
    return g * 1.0;
  })(tensor(3.0, f64));
  CHECK_EQ(inner, 18);
  CHECK_EQ(outer, 36);  // 2 z y
  CHECK_SAME(r, tensor(24.0, f64));
}

TEST_CASE("vmap: what has no lanes can be read") {
  Tensor w = tensor({1.0, 2.0}, f64);
  double seen = 0;
  Tensor r = vmap([&](const Tensor& x) {
    Tensor lanes = x * 1.0;
    lanes.add_(1);
    seen = sum(w * 2).item<double>();
    return lanes * seen;
  })(doubles({1, 2, 3}));
  CHECK_EQ(seen, 6);
  CHECK_SAME(r, doubles({12, 18, 24}));
  CHECK_THROWS_AS(vmap([](const Tensor& x) { return (x * 2).item<double>() > 0 ? x : -x; })(doubles({1})), TraceError);
  CHECK_THROWS_AS(vmap(grad([](const Tensor& x) { return (x * 2).item<double>() > 0 ? x * 1.0 : -x; }))(doubles({1})),
                  TraceError);
}

TEST_CASE("random numbers that were read are those of the result") {
  manual_seed(5);
  double seen = 0;
  auto [g, value] = grad_and_value([&](const Tensor& x) {
    Tensor r = rand({}, f64), s = rand({}, f64);
    seen = s.item<double>();
    return x * s + 0 * r;
  })(tensor(1.0, f64));
  CHECK_EQ(value.item<double>(), seen);
  CHECK_EQ(g.item<double>(), seen);
  manual_seed(5);
  rand({}, f64);
  CHECK_EQ(rand({}, f64).item<double>(), seen);
}
