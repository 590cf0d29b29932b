// grad, vjp, jvp, linearize; acceptance cases by id.
#include <set>

#include "check.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

namespace {
const Tensor& t1() {
  static const Tensor t = floats({1, 2, 3});
  return t;
}
auto total = [](const Tensor& x) { return sum(x); };
}  // namespace

TEST_CASE("D01 derivatives of scalar functions, up to the third") {
  auto f = [](const Tensor& x) { return sin(x); };
  for (float v : {-1.5f, 0.0f, 2.0f}) {
    Tensor x = scalar(v);
    CHECK_SAME(grad(f)(x), scalar(std::cos(v)));
    CHECK_SAME(grad(grad(f))(x), scalar(-std::sin(v)));
  }
  auto h = [](const Tensor& x) { return tanh(x); };
  CHECK_SAME(grad(grad(grad(h)))(scalar(0)), scalar(-2));
}

TEST_CASE("atan2: quadrants, dtypes, derivatives") {
  Tensor y = tensor({1.0, 1.0, -1.0, -1.0, 0.0, -0.0}, f64), x = tensor({1.0, -1.0, -1.0, 1.0, -1.0, -1.0}, f64);
  std::vector<double> want = {0.25 * M_PI, 0.75 * M_PI, -0.75 * M_PI, -0.25 * M_PI, M_PI, -M_PI};
  CHECK_SAME(atan2(y, x), tensor(want));
  CHECK_SAME(arctan2(y, x), atan2(y, x));
  CHECK(std::signbit(atan2(-0.0, tensor(1.0, f64)).item<double>()));
  CHECK(atan2(tensor({1, 2}), 2).dtype() == f32);
  CHECK(y.atan2(tensor({{1.0}, {2.0}}, f64)).shape() == Shape{2, 6});
  auto angle = [](const Tensor& v) { return atan2(v[0], v[1]); };
  Tensor p = tensor({3.0, -4.0}, f64);
  CHECK_SAME(grad(angle)(p), tensor({-4.0 / 25, -3.0 / 25}, f64));
  CHECK_SAME(hessian(angle)(p), tensor({{24.0 / 625, -7.0 / 625}, {-7.0 / 625, -24.0 / 625}}, f64));
  CHECK_SAME(grad(angle)(zeros({2}, f64)), zeros({2}, f64));
}

TEST_CASE("prod: derivatives of every order, with factors that are zero") {
  auto f = [](const Tensor& x) { return prod(x); };
  for (const std::vector<double>& x :
       {std::vector<double>{2, 3, 4, 5, 7}, {2, 0, 4, 5, 7}, {2, 0, 4, 5, 0}, {0, 0, 0, 5, 7}, {3}, {0, 2}}) {
    // The product of all factors but some.
    auto rest = [&](std::set<size_t> without, size_t distinct) {
      double p = without.size() == distinct;
      for (size_t i = 0; i < x.size(); ++i) p *= without.contains(i) ? 1 : x[i];
      return p;
    };
    std::vector<double> first, second, third;
    for (size_t i = 0; i < x.size(); ++i) {
      first.push_back(rest({i}, 1));
      for (size_t j = 0; j < x.size(); ++j) {
        second.push_back(rest({i, j}, 2));
        for (size_t k = 0; k < x.size(); ++k) third.push_back(rest({i, j, k}, 3));
      }
    }
    Tensor t = tensor(x);
    CHECK(prod(t).item<double>() == rest({}, 0));
    CHECK(grad(f)(t).to_vector<double>() == first);
    CHECK(jit(grad(f))(t).to_vector<double>() == first);
    CHECK(hessian(f)(t).to_vector<double>() == second);
    CHECK(jacrev(jacrev(f))(t).to_vector<double>() == second);
    CHECK(jacfwd(hessian(f))(t).to_vector<double>() == third);
    CHECK(jacrev(hessian(f))(t).to_vector<double>() == third);
  }
}

TEST_CASE("prod: dims, dtypes, nothing") {
  Tensor x = tensor({{1.0, 2.0, 3.0}, {4.0, 0.5, -2.0}}, f64);
  CHECK(prod(x, 0).to_vector<double>() == std::vector<double>{4, 1, -6});
  CHECK(x.prod(-1, true).shape() == Shape{2, 1});
  CHECK(x.prod({0, 1}).item<double>() == -24);
  CHECK(prod(tensor({3, 4})).dtype() == i64);
  CHECK(prod(tensor({true, false})).item<int64_t>() == 0);
  CHECK(prod(zeros({0, 2}, f64), 0).to_vector<double>() == std::vector<double>{1, 1});
  CHECK(grad([](const Tensor& t) { return prod(t); })(zeros({0}, f64)).shape() == Shape{0});
  // Along columns and rows of many elements, and of all: in pieces.
  Tensor ones_and_twos = tensor(std::vector<double>(3 * 1024 * 2, 1.0)).reshape({2048, 3});
  ones_and_twos.slice(0, 5, 2048, 512).fill_(2);
  CHECK(prod(ones_and_twos, 0).to_vector<double>() == std::vector<double>{16, 16, 16});
  CHECK(prod(ones_and_twos).item<double>() == 4096);
  CHECK(prod(ones_and_twos.t(), 1).to_vector<double>() == std::vector<double>{16, 16, 16});
  Tensor lanes = tensor({{0.0, 2.0, 3.0}, {4.0, 0.0, 0.0}}, f64);
  CHECK(vmap(grad([](const Tensor& t) { return prod(t); }))(lanes).to_vector<double>() ==
        std::vector<double>{6, 0, 0, 0, 0, 0});
}

TEST_CASE("Derivatives of sigmoid and tanh keep their digits where the functions are saturated") {
  auto slope = [](long double x) {  // of sigmoid
    long double e = std::exp(-std::abs(x));
    return e / ((1 + e) * (1 + e));
  };
  const double infinity = std::numeric_limits<double>::infinity();
  for (DType dtype : {f64, f32}) {
    const double limit = dtype == f64 ? 340 : 40, rtol = dtype == f64 ? 2e-15 : 1e-6;
    std::vector<double> x = {0, infinity, -infinity, NAN};
    for (double v : {1e-9, 1e-3, 0.3, 0.49, 0.51, 1.0, 5.0, 9.0, 17.0, 18.0, 30.0, 37.43, 80.0, 340.0})
      if (v <= limit) x.insert(x.end(), {v, -v});
    std::vector<double> of_sigmoid, of_tanh, second_of_sigmoid, second_of_tanh;
    for (double v : x) {
      const long double rounded = dtype == f64 ? v : static_cast<float>(v), s = slope(rounded),
                        t = 4 * slope(2 * rounded);
      of_sigmoid.push_back(static_cast<double>(s));
      of_tanh.push_back(static_cast<double>(t));
      second_of_sigmoid.push_back(static_cast<double>(-std::tanh(rounded / 2) * s));
      second_of_tanh.push_back(static_cast<double>(-2 * std::tanh(rounded) * t));
    }
    CAPTURE(dtype);
    Tensor at = doubles(x).to(dtype);
    auto s = [](const Tensor& v) { return sum(sigmoid(v)); };
    auto t = [](const Tensor& v) { return sum(tanh(v)); };
    auto same = [&](const Tensor& got, const std::vector<double>& want, double relative, double absolute) {
      CHECK_EQ(difference(got, doubles(want).to(dtype), relative, absolute), "");
    };
    const double denormal = 1e-300, digits = 1e-16 * (dtype == f64 ? 1 : 1e9);
    same(grad(s)(at), of_sigmoid, rtol, denormal);
    same(grad(t)(at), of_tanh, rtol, denormal);
    same(vmap([&](const Tensor& v) { return jvp(s, primals(v), tangents(ones_like(v))).second; })(at), of_sigmoid, rtol,
         denormal);
    same(vmap([&](const Tensor& v) { return jvp(t, primals(v), tangents(ones_like(v))).second; })(at), of_tanh, rtol,
         denormal);
    same(grad([&](const Tensor& v) { return sum(grad(s)(v)); })(at), second_of_sigmoid, 4 * rtol, digits);
    same(grad([&](const Tensor& v) { return sum(grad(t)(v)); })(at), second_of_tanh, 4 * rtol, denormal);
  }
}

TEST_CASE("D02 trees and argnums") {
  auto f = [](const std::pair<Tensor, Tensor>& a, const TensorDict& b) {
    return a.first + 2 * a.second + 3 * b.at("foo");
  };
  std::pair<Tensor, Tensor> a{scalar(5), scalar(6)};
  TensorDict b{{"foo", scalar(7)}};
  auto [x, y] = grad(f)(a, b);
  CHECK_SAME(x, scalar(1));
  CHECK_SAME(y, scalar(2));
  auto [one] = grad<argnums(0)>(f)(a, b);
  CHECK_SAME(one.first, scalar(1));
  CHECK_SAME(one.second, scalar(2));
  auto [ga, gb] = grad<argnums(0, 1)>(f)(a, b);
  CHECK_SAME(ga.second, scalar(2));
  CHECK_SAME(gb.at("foo"), scalar(3));
  CHECK_EQ(gb.size(), 1);
}

TEST_CASE("D03 what does not depend is zeros of the right type") {
  Tensor x = doubles({1, 2, 3, 4, 5, 6}, {2, 3});
  Tensor zeros23 = zeros({2, 3}, f64);
  auto [gx, gy] = grad([](const std::pair<Tensor, Tensor>& p) { return sum(p.first); })(std::pair{x, x * 2});
  CHECK_SAME(gx, ones({2, 3}, f64));
  CHECK_SAME(gy, zeros23);
  auto constant = [](const Tensor&) { return ones({2, 3}, f64); };
  CHECK_SAME(grad([](const Tensor&) { return tensor(2.0, f64); })(x), zeros23);
  auto [out, pullback] = vjp(constant, x);
  CHECK_SAME(std::get<0>(pullback(ones({2, 3}, f64))), zeros23);
  auto [value, tangent] = jvp(constant, primals(x), tangents(x));
  CHECK_SAME(tangent, zeros23);
  CHECK_SAME(jacrev(constant)(x), zeros({2, 3, 2, 3}, f64));
  CHECK_SAME(jacfwd(constant)(x), zeros({2, 3, 2, 3}, f64));
  CHECK_SAME(linearize(constant, x).second(x), zeros23);
}

TEST_CASE("D04 argnums: order, negatives") {
  auto f = [](const Tensor& x, const Tensor& y) { return sum(x * y * y); };
  Tensor x = t1(), y = floats({4, 5, 6});
  auto [gy, gx] = grad<argnums(1, 0)>(f)(x, y);
  CHECK_SAME(gx, y * y);
  CHECK_SAME(gy, 2 * x * y);
  CHECK_SAME(grad<argnum(-1)>(f)(x, y), 2 * x * y);
  CHECK_SAME(grad<argnum(1)>(f)(x, y), 2 * x * y);
  auto [g0, g1] = grad<argnums(-2, -1)>(f)(x, y);
  CHECK_SAME(g0, y * y);
}

TEST_CASE("D05 grad wants a scalar") {
  CHECK_THROWS_WITH_AS(grad([](const Tensor& x) { return x.slice(0, 0, 1); })(t1()),
                       Contains("Expected f(*args) to return a scalar Tensor, got tensor with 1 dims"), TransformError);
  CHECK_THROWS_WITH(grad([](const Tensor& x) { return x * 2; })(t1()),
                    Contains("Maybe you wanted to use the vjp or jacrev APIs instead?"));
  CHECK_THROWS_WITH(grad([](const Tensor& x) { return x * 2; })(t1()), Contains("derivative_test.cpp:"));
  Tensor zero = grad([](const Tensor& x) { return sum(x).to(i64); })(t1());
  CHECK_SAME(zero, zeros({3}, f32));
  CHECK_THROWS_WITH_AS(grad(total)(tensor({1, 2, 3})),
                       Contains("only Tensors of floating point dtype can require gradients: argument 0 is i64[3]"),
                       DTypeError);
  CHECK_THROWS_WITH_AS(grad(total)(Tensor()), Contains("[grad] argument 0 is an undefined Tensor"), TransformError);
}

TEST_CASE("D06 has_aux and grad_and_value") {
  auto f = [](const Tensor& x) { return std::pair{sum(x * x), std::tuple{x * 3, TensorDict{{"k", x + 1}}}}; };
  auto [g, aux] = grad<has_aux>(f)(t1());
  CHECK_SAME(g, t1() * 2);
  CHECK_SAME(std::get<0>(aux), t1() * 3);
  CHECK_SAME(std::get<1>(aux).at("k"), t1() + 1);
  auto [g2, both] = grad_and_value<has_aux>(f)(t1());
  CHECK_SAME(g2, g);
  CHECK_SAME(both.first, scalar(14));
  CHECK_SAME(std::get<0>(both.second), t1() * 3);
  auto [g3, value] = grad_and_value([](const Tensor& x) { return sum(x * x); })(t1());
  CHECK_SAME(g3, g);
  CHECK_SAME(value, scalar(14));
  // Numbers may be aux.
  auto [g4, name] = grad<has_aux>([](const Tensor& x) { return std::pair{sum(x), std::string("sum")}; })(t1());
  CHECK_SAME(g4, ones({3}));
  CHECK_EQ(name, "sum");
}

TEST_CASE("D07 NoGrad is constant to the derivatives around it, in both modes") {
  auto f = [](const Tensor& x) {
    Tensor constant;
    {
      NoGrad guard;
      constant = x * x;
    }
    return x * x - constant;
  };
  Tensor x = scalar(3);
  CHECK_SAME(grad(f)(x), scalar(6));
  CHECK_SAME(grad(grad(f))(x), scalar(2));
  CHECK_SAME(f(x), scalar(0));
  CHECK_SAME(jvp(f, primals(x), tangents(scalar(1))).second, scalar(6));
  NoGrad outer;
  CHECK_SAME(grad(f)(x), scalar(6));
}

TEST_CASE("D09 perturbations are not confused") {
  Tensor one = scalar(1), three = scalar(3), five = scalar(5);
  auto inner = [](const Tensor& x) { return grad([&](const Tensor& y) { return y * (x - y); })(x); };
  CHECK_SAME(grad(inner)(one), scalar(-1));
  auto product = [](const Tensor& x) { return x * grad([&](const Tensor& y) { return x + y; })(scalar(1)); };
  CHECK_SAME(grad(product)(one), scalar(1));
  auto forward = [](const Tensor& x) {
    return x * jvp([&](const Tensor& y) { return x + y; }, primals(scalar(1)), tangents(scalar(1))).second;
  };
  CHECK_SAME(jvp(forward, primals(one), tangents(one)).second, scalar(1));
  CHECK_SAME(grad(forward)(one), scalar(1));
  CHECK_SAME(jvp(product, primals(one), tangents(one)).second, scalar(1));
  auto jvp_in_grad = [](const Tensor& a) {
    return a * jvp([&](const Tensor& b) { return a * b; }, primals(a), tangents(ones({}))).second;
  };
  CHECK_SAME(grad(jvp_in_grad)(three), scalar(6));
  auto columns = [](const Tensor& a) { return a * jacfwd([&](const Tensor& b) { return a * b; })(a); };
  CHECK_SAME(jacfwd(columns)(three), scalar(6));
  auto pulled = [](const Tensor& a) {
    return std::get<0>(vjp([&](const Tensor& b) { return a * b; }, scalar(2)).second(ones({})));
  };
  CHECK_SAME(grad(pulled)(five), scalar(1));
}

TEST_CASE("D39 vjp: trees, reuse, errors") {
  Tensor x = scalar(5);
  auto [out, pullback] = vjp([](const Tensor& x) { return std::pair{x, std::pair{x, x}}; }, x);
  CHECK_SAME(out.second.second, x);
  auto cotangents = std::pair{scalar(2), std::pair{scalar(3), scalar(4)}};
  std::tuple<Tensor> in = pullback(cotangents);
  CHECK_SAME(std::get<0>(in), scalar(9));
  CHECK_SAME(std::get<0>(pullback(cotangents)), scalar(9));

  auto [squares, pull] = vjp([](const Tensor& a) { return a * a; }, t1());
  Tensor rows = vmap([&, pull = pull](const Tensor& ct) { return std::get<0>(pull(ct)); })(eye(3));
  CHECK_SAME(rows, floats({2, 0, 0, 0, 4, 0, 0, 0, 6}, {3, 3}));
  CHECK_THROWS_WITH_AS(
      pull(ones({2})),
      Contains("Mismatch in shape: grad_output[0] has a shape of [2] and output[0] has a shape of [3]"), ShapeError);
  CHECK_SAME(std::get<0>(pull(ones({3}, f64))), 2 * t1());  // converted
  CHECK_THROWS_WITH_AS(pull(ones({3}, i64)), Contains("[vjp] cotangent is i64[3]: expected f32"), DTypeError);

  auto by_name = [](const Tensor& a) { return TensorDict{{"a", a}, {"b", a * 2}}; };
  auto [dict, pull_dict] = vjp(by_name, x);
  CHECK_SAME(std::get<0>(pull_dict({{"a", scalar(1)}, {"b", scalar(10)}})), scalar(21));
  CHECK_THROWS_WITH_AS(pull_dict({{"a", scalar(1)}, {"c", scalar(1)}}),
                       Contains("Expected pytree structure of cotangents to be the same as pytree structure of outputs "
                                "to the function. cotangents: {a: *, c: *}, primal output: {a: *, b: *}"),
                       TransformError);
}

TEST_CASE("A3 later writes to the primals do not reach the pullback") {
  Tensor x = scalar(0);
  auto [out, pullback] = vjp([](const Tensor& x) { return sin(x); }, x);
  auto [value, pushforward] = linearize([](const Tensor& x) { return sin(x); }, x);
  x.fill_(1);
  CHECK_SAME(std::get<0>(pullback(scalar(1))), scalar(1));
  CHECK_SAME(pushforward(scalar(1)), scalar(1));
  CHECK_SAME(out, scalar(0));
}

TEST_CASE("vjp has_aux, several primals, nested") {
  auto f = [](const Tensor& x, const Tensor& y) { return std::pair{x * y, x + y}; };
  Tensor x = t1(), y = floats({4, 5, 6});
  auto [out, pullback, aux] = vjp<has_aux>(f, x, y);
  CHECK_SAME(aux, x + y);
  auto [cx, cy] = pullback(ones({3}));
  CHECK_SAME(cx, y);
  CHECK_SAME(cy, x);
  // Differentiated through the pullback: d/dx sum(pullback(ct)) of x^3 is 6 x ct.
  auto second = [](const Tensor& x) {
    return sum(std::get<0>(vjp([](const Tensor& a) { return a * a * a; }, x).second(ones({3}))));
  };
  CHECK_SAME(grad(second)(x), 6 * x);
}

TEST_CASE("D40 outputs that are not floating") {
  auto f = [](const Tensor& x) { return std::pair{x, x.to(i64)}; };
  CHECK_THROWS_WITH_AS(vjp(f, t1()), Contains("all outputs of f must be floating-point"), TransformError);
  auto [out, tangent] = jvp(f, primals(t1()), tangents(t1()));
  CHECK_SAME(out.second, tensor({1, 2, 3}));
  CHECK_SAME(tangent.second, zeros({3}, i64));
  auto g = [](const Tensor& x, const Tensor&) { return std::pair{x * 2, ones({2})}; };
  CHECK_NOTHROW(jvp(g, primals(t1(), t1()), tangents(t1(), t1())));
  CHECK_THROWS_WITH_AS(jvp(g, primals(t1(), t1()), tangents(t1(), t1()), {.strict = true}),
                       Contains("The output of f is independent of the inputs (output[1]). This is not allowed with "
                                "strict=True."),
                       TransformError);
  auto h = [](const Tensor& x, const Tensor&) { return x * 2; };
  CHECK_NOTHROW(jvp(h, primals(t1(), t1()), tangents(t1(), t1()), {.strict = true}));
}

TEST_CASE("jvp: errors") {
  auto f = [](const Tensor& x) { return x * 2; };
  CHECK_THROWS_WITH_AS(
      jvp(f, primals(t1()), tangents(ones({2}))),
      Contains("different size than that of the original Tensor: tangent 0 is f32[2], the primal f32[3]"), ShapeError);
  CHECK_THROWS_WITH_AS(jvp(f, primals(t1()), tangents(ones({3}, f64))), Contains("tangent 0 is f64[3]: expected f32"),
                       DTypeError);
  CHECK_THROWS_WITH_AS(jvp(f, primals(tensor({1, 2})), tangents(tensor({1, 2}))),
                       Contains("Expected primal to be floating point"), DTypeError);
  auto g = [](const TensorDict& d) { return d.at("a"); };
  CHECK_THROWS_WITH_AS(jvp(g, primals(TensorDict{{"a", t1()}}), tangents(TensorDict{{"b", t1()}})),
                       Contains("Expected primals and tangents to have the same python structure"), TransformError);
}

TEST_CASE("D41 Hessian-vector products: forward over reverse, reverse over forward, reverse over reverse") {
  auto f = [](const Tensor& a) { return sum(a * a * a); };
  Tensor v = floats({1, 0, 0}), want = floats({6, 0, 0});
  CHECK_SAME(jvp(grad(f), primals(t1()), tangents(v)).second, want);
  CHECK_SAME(grad([&](const Tensor& x) { return jvp(f, primals(x), tangents(v)).second; })(t1()), want);
  CHECK_SAME(grad([&](const Tensor& x) { return sum(grad(f)(x) * v); })(t1()), want);
}

TEST_CASE("D43 linearize") {
  int calls = 0;
  auto f = [&](const Tensor& x) {
    ++calls;
    return cos(x);
  };
  auto [out, pushforward] = linearize(f, t1());
  CHECK_SAME(out, cos(t1()));
  Tensor v = floats({1, -1, 2});
  for (int i = 0; i < 3; ++i) CHECK_SAME(pushforward(v), -sin(t1()) * v);
  CHECK_EQ(calls, 1);
  CHECK_SAME(pushforward(v), jvp(f, primals(t1()), tangents(v)).second);
  Tensor columns = vmap(pushforward)(eye(3));
  CHECK_SAME(columns, diag(-sin(t1())));

  auto tree = [](const TensorDict& d, const Tensor& y) { return std::pair{d.at("a") * y, TensorDict{{"s", sin(y)}}}; };
  Tensor y = floats({4, 5, 6});
  auto [value, push] = linearize(tree, TensorDict{{"a", t1()}}, y);
  auto [product, named] = push(TensorDict{{"a", v}}, v);
  CHECK_SAME(product, v * y + t1() * v);
  CHECK_SAME(named.at("s"), cos(y) * v);
  CHECK_THROWS_WITH_AS(push(TensorDict{{"b", v}}, v), Contains("to have the same argspec as the primals"),
                       TransformError);
  CHECK_THROWS_WITH_AS(pushforward(ones({2})),
                       Contains("tangent:0 with shape [2] in flattened pytree doesn't match the shape [3]"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(pushforward(ones({3}, f64)), Contains("[linearize] tangent 0 is f64[3]: expected f32"),
                       DTypeError);
}

TEST_CASE("D56 ties share the derivative, in both modes") {
  auto derivatives = [](auto f, const Tensor& x) {
    CHECK_SAME(jacfwd(f)(x), jacrev(f)(x));
    return jacrev(f)(x);
  };
  Tensor x = floats({1, 3, 3, 2}), half = floats({0, 0.5, 0.5, 0});
  CHECK_SAME(derivatives([](const Tensor& x) { return amax(x); }, x), half);
  CHECK_SAME(derivatives([](const Tensor& x) { return max(x); }, x), half);
  CHECK_SAME(derivatives([](const Tensor& x) { return -amin(-x); }, x), half);
  Tensor rows = stack({x, floats({1, 3, 3, 3})}), want = zeros({2, 2, 4});
  want[0][0] = half;
  want[1][1] = floats({0, 1, 1, 1}) / 3;
  CHECK_SAME(derivatives([](const Tensor& x) { return amax(x, {1}); }, rows), want);
  CHECK_SAME(derivatives([](const Tensor& x) { return maximum(x, 3); }, x), diag(half));
  // At the kink: relu 0, abs 0, clamp 1 at its bounds.
  CHECK_SAME(derivatives([](const Tensor& x) { return relu(x); }, scalar(0)), scalar(0));
  CHECK_SAME(derivatives([](const Tensor& x) { return abs(x); }, scalar(0)), scalar(0));
  CHECK_SAME(derivatives([](const Tensor& x) { return clamp(x, 1, 3); }, floats({0, 1, 3, 4})),
             diag(floats({0, 1, 1, 0})));
}

TEST_CASE("linearize under grad, jvp and vmap") {
  auto f = [](const Tensor& x) { return linearize([](const Tensor& a) { return cos(a); }, x).second(ones({})); };
  Tensor x = scalar(0.7f);
  CHECK_SAME(grad(f)(x), -cos(x));
  CHECK_SAME(jvp(f, primals(x), tangents(scalar(1))).second, -cos(x));
  CHECK_SAME(vmap(f)(t1()), -sin(t1()));
}

TEST_CASE("B10 values of primals may be read and branched on") {
  auto f = [](const Tensor& x) {
    Tensor y = x * x;
    if (y.item<float>() > 4) return y * 3;
    return y;
  };
  CHECK_SAME(grad(f)(scalar(3)), scalar(18));
  CHECK_SAME(grad(f)(scalar(1)), scalar(2));
  CHECK_SAME(grad(grad(f))(scalar(3)), scalar(6));
  CHECK_SAME(jvp(f, primals(scalar(3)), tangents(scalar(1))).second, scalar(18));
  CHECK_SAME(jacrev(f)(scalar(3)), scalar(18));
  CHECK_SAME(jacfwd(f)(scalar(3)), scalar(18));
  CHECK_SAME(hessian(f)(scalar(3)), scalar(6));
  CHECK_SAME(linearize(f, scalar(3)).second(scalar(1)), scalar(18));
  CHECK_SAME(std::get<0>(vjp(f, scalar(3)).second(scalar(1))), scalar(18));
}

TEST_CASE("D51 writes to captured tensors are refused") {
  Tensor captured = floats({1, 2, 3});
  auto writes = [&](const Tensor& x) {
    captured.add_(1);
    return sum(x);
  };
  auto view = [&](const Tensor& x) {
    captured.slice(0, 0, 1).copy_(x.slice(0, 0, 1));
    return sum(x);
  };
  constexpr const char* text = "that would mutate a captured Tensor";
  CHECK_THROWS_WITH_AS(grad(writes)(t1()), Contains(text), TransformError);
  CHECK_THROWS_WITH_AS(grad(view)(t1()), Contains(text), TransformError);
  CHECK_THROWS_WITH_AS(vjp(writes, t1()), Contains(text), TransformError);
  CHECK_THROWS_WITH_AS(jvp(writes, primals(t1()), tangents(t1())), Contains(text), TransformError);
  CHECK_THROWS_WITH_AS(vmap(grad(writes))(ones({2, 3})), Contains(text), TransformError);
  auto outer = [](const Tensor& x) {
    Tensor temporary = x * 2;
    return grad([&](const Tensor& y) {
             temporary.add_(1);
             return sum(y);
           })(x)
        .sum();
  };
  CHECK_THROWS_WITH_AS(grad(outer)(t1()), Contains(text), TransformError);
  CHECK_SAME(captured, floats({1, 2, 3}));
}

TEST_CASE("B17 writes to arguments of derivatives") {
  // The differentiated argument: a copy is written, the caller's tensor never.
  Tensor x = floats({1, 2, 3});
  auto doubled = [](const Tensor& a) {
    a.mul_(2);
    return sum(a * a);
  };
  CHECK_SAME(grad(doubled)(x), 8 * t1());
  CHECK_SAME(jvp(doubled, primals(x), tangents(ones({3}))).second, scalar(48));
  CHECK_SAME(x, t1());
  // Another argument is written back once, after the call, and may carry the derivative.
  Tensor y = zeros({3});
  auto copies = [](const Tensor& a, const Tensor& b) {
    b.copy_(a * a);
    return sum(b);
  };
  CHECK_SAME(grad(copies)(x, y), 2 * t1());
  CHECK_SAME(y, t1() * t1());
}

TEST_CASE("expansions are found again, and nested derivatives stay small") {
  auto f = [](const Tensor& x) { return sum(tanh(x) * sin(x)); };
  Tensor x = t1();
  Tensor first = grad(f)(x), second = grad(f)(x);
  CHECK_SAME(first, second);
  // d nested gradients of d arguments: the graph is polynomial in d.
  auto product = [](const Tensor& x) { return x * x * x * x * x * x; };
  auto g3 = grad(grad(grad(product)));
  auto g6 = grad(grad(grad(g3)));
  CHECK_SAME(g6(scalar(2)), scalar(720));
  CHECK(trace(g6, scalar(2)).num_nodes() < 64 * trace(g3, scalar(2)).num_nodes());
}

TEST_CASE("state survives an error inside a function") {
  auto bad = [](const Tensor& x) { return sum(matmul(x, ones({5, 5}))); };
  CHECK_THROWS_AS(grad(bad)(t1()), ShapeError);
  CHECK_THROWS_AS(vmap(grad(bad))(ones({2, 3})), ShapeError);
  CHECK_SAME(grad(total)(t1()), ones({3}));
}

TEST_CASE("B13 tensors that escape, undefined results") {
  Tensor leak;
  auto leaks = [&](const Tensor& x) {
    leak = x * 2;
    return sum(x);
  };
  constexpr const char* text = "may have escaped from inside a function being transformed";
  grad(leaks)(t1());
  CHECK_THROWS_WITH_AS(leak + 1, Contains(text), TraceError);
  CHECK_THROWS_WITH(leak + 1, Contains("derivative_test.cpp:"));
  CHECK_THROWS_WITH_AS(leak.to_vector<float>(), Contains(text), TraceError);
  CHECK_THROWS_WITH_AS(grad([&](const Tensor& x) { return sum(x * leak); })(t1()), Contains(text), TraceError);
  CHECK_THROWS_WITH_AS(grad(total)(leak), Contains(text), TraceError);
  CHECK_THROWS_WITH_AS(jit(total)(leak), Contains(text), TraceError);
  vmap(leaks)(ones({2, 3}));
  CHECK_THROWS_WITH_AS(leak + 1, Contains(text), TraceError);
  jit(leaks)(t1());
  CHECK_THROWS_WITH_AS(leak + 1, Contains(text), TraceError);

  auto nothing = [](const Tensor&) { return Tensor(); };
  CHECK_THROWS_WITH_AS(grad(nothing)(t1()), Contains("[grad] f returned an undefined Tensor: output"), TransformError);
  CHECK_THROWS_WITH_AS(vmap(nothing)(t1()), Contains("[vmap] f returned an undefined Tensor"), TransformError);
  CHECK_THROWS_WITH_AS(jit(nothing)(t1()), Contains("[jit] f returned an undefined Tensor"), TransformError);
  CHECK_THROWS_WITH_AS(vjp([](const Tensor&) { return TensorDict(); }, t1()),
                       Contains("Expected f to be a function that has non-empty output"), TransformError);
}

TEST_CASE("a function that calls its own gradient") {
  struct Recursive {
    Tensor operator()(const Tensor& x, int depth) const {
      return depth == 0 ? sum(x * x * x) : sum(grad(*this)(x, depth - 1));
    }
  };
  CHECK_SAME(Recursive()(t1(), 0), scalar(36));
  CHECK_SAME(Recursive()(t1(), 1), scalar(42));
  CHECK_SAME(Recursive()(t1(), 2), scalar(36));
  CHECK_SAME(Recursive()(t1(), 3), scalar(18));
}
