// Strong zeros: a zero tangent or cotangent times an infinite or NaN partial derivative is zero.
#include <functional>

#include "check.h"

using namespace jot;
using namespace jot::test;

namespace {

// Twice the root where it has a derivative, else 0. At 0 the first term makes NaN in reverse mode, the second in
// forward mode.
Tensor roots(const Tensor& x) { return where(x > 0, sqrt(x), 0) + sqrt(relu(x)); }
auto total = [](const Tensor& x) { return sum(roots(x)); };
const Tensor& at() {
  static const Tensor x = doubles({0, 4});
  return x;
}
const Tensor& ieee() {
  static const Tensor x = doubles({NAN, 0.5});
  return x;
}
const Tensor& strong() {
  static const Tensor x = doubles({0, 0.5});
  return x;
}

int64_t count(const std::string& text, std::string_view what) {
  int64_t n = 0;
  for (size_t i = text.find(what); i != std::string::npos; i = text.find(what, i + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("StrongZeros: of every derivative transform that is called while the guard is alive") {
  auto derivatives = [] {
    Tensor ones = ones_like(at());
    auto pullback = vjp(roots, at()).second;
    auto pushforward = linearize(roots, at()).second;
    return std::vector<Tensor>{grad(total)(at()),
                               grad_and_value(total)(at()).first,
                               std::get<0>(pullback(ones)),
                               jvp(roots, primals(at()), tangents(ones)).second,
                               pushforward(ones),
                               jacrev(roots)(at()).diagonal(),
                               jacfwd(roots)(at()).diagonal(),
                               jacobian(roots)(at()).diagonal(),
                               vmap(grad(roots))(at()),
                               jit(grad(total))(at())};
  };
  for (const Tensor& d : derivatives()) CHECK_SAME(d, ieee());
  {
    StrongZeros guard;
    for (const Tensor& d : derivatives()) CHECK_SAME(d, strong());
  }
  for (const Tensor& d : derivatives()) CHECK_SAME(d, ieee());
}

TEST_CASE("StrongZeros: the state when the transform is called counts") {
  auto gradient = grad(total);
  auto made = [] {
    StrongZeros guard;
    return std::tuple{grad(total), vjp(roots, at()).second, linearize(roots, at()).second};
  }();
  Tensor ones = ones_like(at());
  CHECK_SAME(std::get<0>(made)(at()), ieee());  // made under a guard, called without
  CHECK_SAME(std::get<0>(std::get<1>(made)(ones)), strong());
  CHECK_SAME(std::get<2>(made)(ones), strong());
  auto pullback = vjp(roots, at()).second;
  StrongZeros guard;
  CHECK_SAME(gradient(at()), strong());
  CHECK_SAME(std::get<0>(pullback(ones)), ieee());
  { StrongZeros inner; }
  CHECK_SAME(gradient(at()), strong());
}

TEST_CASE("StrongZeros: inside a function it holds for the transforms called there") {
  auto inner = [](const Tensor& x) {
    Tensor outside = grad(total)(x);
    StrongZeros guard;
    return stack({outside, grad(total)(x)});
  };
  for (const Tensor& both : {inner(at()), jit(inner)(at()), vmap(inner)(at().unsqueeze(0))[0]}) {
    CHECK_SAME(both[0], ieee());
    CHECK_SAME(both[1], strong());
  }
}

TEST_CASE("strong_zeros is an option of jvp and the jacobians") {
  Tensor ones = ones_like(at());
  CHECK_SAME(jvp(roots, primals(at()), tangents(ones), {.strong_zeros = true}).second, strong());
  CHECK_SAME(jvp(roots, primals(at()), tangents(ones), {.strict = true, .strong_zeros = true}).second, strong());
  JacobianOptions options{.chunk_size = 1, .randomness = Randomness::same, .strong_zeros = true};
  Tensor J = doubles({0, 0, 0, 0.5}, {2, 2});
  CHECK_SAME(jacrev(roots, options)(at()), J);
  CHECK_SAME(jacfwd(roots, options)(at()), J);
  CHECK_SAME(jacobian(roots, {.strong_zeros = true})(at()), J);
  CHECK_SAME(hessian(total, {.strong_zeros = true})(at()), doubles({0, 0, 0, -1.0 / 16}, {2, 2}));
  CHECK(std::isnan(hessian(total)(at())[0][0].item<double>()));
}

TEST_CASE("Strong zeros make forward and reverse mode agree: sqrt(relu(x))") {
  auto f = [](const Tensor& x) { return sqrt(relu(x)); };
  Tensor x = tensor(-10.0, f64);
  CHECK(std::isnan(jacfwd(f)(x).item<double>()));
  StrongZeros guard;
  CHECK_SAME(jacfwd(f)(x), tensor(0.0, f64));
  CHECK_SAME(jacrev(f)(x), tensor(0.0, f64));
  CHECK_SAME(grad(f)(x), tensor(0.0, f64));
}

TEST_CASE("Strong zeros: the branch that where() does not take leaves nothing, whatever its function") {
  const double infinity = std::numeric_limits<double>::infinity();
  struct Case {
    std::function<Tensor(const Tensor&)> f;
    double bad, good;
  };
  const Case cases[] = {
      {[](const Tensor& x) { return sqrt(x); }, 0, 4},
      {[](const Tensor& x) { return sqrt(x); }, -1, 4},
      {[](const Tensor& x) { return rsqrt(x); }, 0, 4},
      {[](const Tensor& x) { return log(x); }, 0, 4},
      {[](const Tensor& x) { return x * log(x); }, 0, 4},
      {[](const Tensor& x) { return log(x) * x; }, 0, 4},
      {[](const Tensor& x) { return 1 / x; }, 0, 4},
      {[](const Tensor& x) { return sin(x) / x; }, 0, 4},
      {[](const Tensor& x) { return pow(x, -2); }, 0, 4},
      {[](const Tensor& x) { return exp(x); }, 1000, 2},
      {[](const Tensor& x) { return sin(x) + cos(x); }, infinity, 2},
      {[](const Tensor& x) { return tanh(1 / x) * sigmoid(log(x)); }, 0, 2},
      {[](const Tensor& x) { return pow(exp(x), 3) * x; }, 800, 2},
      {[](const Tensor& x) {
         return sqrt(sum(stack({x, x}) * stack({x, x})));
       },
       0, 2},
      {[](const Tensor& x) { return maximum(log(x), 1 / x); }, 0, 2},
  };
  for (size_t i = 0; i < std::size(cases); ++i) {
    CAPTURE(i);
    const Case& c = cases[i];
    Tensor bad = tensor(c.bad, f64), good = tensor(c.good, f64), nothing = tensor(0.0, f64);
    auto guarded = [&](const Tensor& x) { return where(x != c.bad, c.f(x), 0); };
    auto derivatives = [&](const Tensor& x) {
      return std::vector<Tensor>{grad(guarded)(x), jacfwd(guarded)(x), hessian(guarded)(x), grad(grad(guarded))(x),
                                 jacfwd(jacfwd(guarded))(x)};
    };
    std::vector<Tensor> plain = derivatives(good);
    CHECK(std::isnan(derivatives(bad)[0].item<double>()));
    StrongZeros guard;
    for (const Tensor& d : derivatives(bad)) CHECK_SAME(d, nothing);
    std::vector<Tensor> strong = derivatives(good);
    for (size_t k = 0; k < plain.size(); ++k) CHECK_SAME(strong[k], plain[k]);
  }
}

TEST_CASE("Strong zeros: what is infinite stays so where the cotangent is not zero; structural zeros stay") {
  StrongZeros guard;
  Tensor J = doubles({INFINITY, 0, 0, 0.5}, {2, 2});
  auto root = [](const Tensor& x) { return sqrt(x); };
  CHECK_SAME(jacrev(root)(doubles({0, 1})), J);
  CHECK_SAME(jacfwd(root)(doubles({0, 1})), J);
  CHECK_SAME(grad([](const Tensor& x) { return sum(sqrt(x)); })(doubles({0, 1})), doubles({INFINITY, 0.5}));
}

TEST_CASE("Strong zeros cost one product for each partial that may be infinite, none for constants and sums") {
  auto masks = [](auto f, const Tensor& x) { return count(to_text(optimize(trace(f, x))), "mul_no_nan("); };
  auto affine = [](const Tensor& x) { return sum(2 * x + 1 - x / 4); };
  auto singular = [](const Tensor& x) { return sum(sqrt(log(x))); };
  Tensor x = doubles({2, 3});
  CHECK_EQ(masks(grad(singular), x), 0);
  StrongZeros guard;
  CHECK_EQ(masks(grad(affine), x), 0);
  CHECK_EQ(masks(grad(singular), x), 1);  // the cotangent of sqrt is 1
  Tensor column = ones({500}, f64);
  CHECK_EQ(count(to_text(trace(jacrev([](const Tensor& v) { return sqrt(v) * v; }), column)), "f64[500,500] = mul"), 0);
}

TEST_CASE("Strong zeros are part of jit's key, and of that of expanded graphs") {
  auto gradient = jit([](const Tensor& x) { return grad(total)(x); });
  for (int i = 0; i < 2; ++i) {
    CHECK_SAME(gradient(at()), ieee());
    CHECK_SAME(grad(total)(at()), ieee());
    StrongZeros guard;
    CHECK_SAME(gradient(at()), strong());
    CHECK_SAME(grad(total)(at()), strong());
  }
  CHECK_EQ(gradient.cache_info().misses, 2);
  CHECK_EQ(gradient.cache_info().hits, 2);
}
