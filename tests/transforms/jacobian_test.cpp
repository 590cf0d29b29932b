// jacrev, jacfwd, jacobian, hessian; acceptance cases by id.
#include "check.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

namespace {
const Tensor& t1() {
  static const Tensor t = floats({1, 2, 3});
  return t;
}
}  // namespace

TEST_CASE("D29 jacobian of a view") {
  auto f = [](const Tensor& x) { return x.index({0, Slice(1)}).unsqueeze(-1); };
  Tensor x = floats({1, 2, 3, 4, 5, 6, 7, 8}, {2, 4}), want = zeros({3, 1, 2, 4});
  for (int64_t i = 0; i < 3; ++i) want.index({i, 0, 0, i + 1}).fill_(1);
  CHECK_SAME(jacrev(f)(x), want);
  CHECK_SAME(jacfwd(f)(x), want);
  CHECK_SAME(jacobian(f)(x), want);
}

TEST_CASE("D30 argnums") {
  auto f = [](const Tensor& x, const Tensor& y) { return std::pair{2 * x + 3 * y, 4 * x + 5 * y}; };
  Tensor I = eye(3);
  for (auto jac : {0, 1}) {
    auto check = [&](const auto& both, const auto& first) {
      auto& [a, b] = both;
      CHECK_SAME(std::get<0>(a), 2 * I);
      CHECK_SAME(std::get<1>(a), 3 * I);
      CHECK_SAME(std::get<0>(b), 4 * I);
      CHECK_SAME(std::get<1>(b), 5 * I);
      CHECK_SAME(std::get<0>(first.first), 2 * I);
      CHECK_SAME(std::get<0>(first.second), 4 * I);
    };
    if (jac == 0)
      check(jacrev<argnums(0, 1)>(f)(t1(), t1()), jacrev<argnums(0)>(f)(t1(), t1()));
    else
      check(jacfwd<argnums(0, 1)>(f)(t1(), t1()), jacfwd<argnums(0)>(f)(t1(), t1()));
  }
  auto named = [](const Tensor& x, const Tensor& y) { return TensorDict{{"a", x * y}}; };
  TensorDict J = jacrev<argnum(1)>(named)(t1(), t1());
  CHECK_SAME(J.at("a"), diag(t1()));
}

TEST_CASE("D31 trees in and out") {
  auto f = [](const std::pair<Tensor, Tensor>& a, const Tensor& b, const Tensor& c) {
    return std::pair{a.first + 2 * a.second, TensorDict{{"foo", 3 * b + 4 * c}}};
  };
  std::pair<Tensor, Tensor> a{scalar(1), scalar(2)};
  auto J = jacrev<argnums(0, 1)>(f)(a, scalar(3), scalar(4));
  auto& [first, second] = J;
  CHECK_SAME(std::get<0>(first).first, scalar(1));
  CHECK_SAME(std::get<0>(first).second, scalar(2));
  CHECK_SAME(std::get<1>(first), scalar(0));
  CHECK_SAME(std::get<0>(second.at("foo")).first, scalar(0));
  CHECK_SAME(std::get<0>(second.at("foo")).second, scalar(0));
  CHECK_SAME(std::get<1>(second.at("foo")), scalar(3));
}

TEST_CASE("D32 shapes without and with empty dims") {
  auto square = [](const Tensor& x) { return x * x; };
  CHECK_SAME(jacrev(square)(scalar(3)), scalar(6));
  CHECK_SAME(jacfwd(square)(scalar(3)), scalar(6));
  CHECK_SAME(jacrev(square)(floats({3})), floats({6}, {1, 1}));
  CHECK_SAME(jacfwd(square)(floats({3})), floats({6}, {1, 1}));
  CHECK_SAME(jacrev(square)(zeros({0})), zeros({0, 0}));
  CHECK_SAME(jacfwd(square)(zeros({0})), zeros({0, 0}));
  auto nothing = [](const Tensor& x) { return x.slice(0, 0, 0); };
  CHECK_SAME(jacrev(nothing)(t1()), zeros({0, 3}));
  CHECK_SAME(jacfwd(nothing)(t1()), zeros({0, 3}));
  auto indexed = [](const Tensor& x, const Tensor& i) { return x.index_select(0, i); };
  CHECK_SAME(jacrev(indexed)(t1(), tensor({2, 0})), floats({0, 0, 1, 1, 0, 0}, {2, 3}));
  auto number = [](const Tensor& x, int k) { return x * k; };
  CHECK_SAME(jacrev(number)(t1(), 3), 3 * eye(3));
}

TEST_CASE("D34 chunk_size") {
  auto f = [](const Tensor& x, const Tensor& y) {
    return std::pair{std::pair{sin(x), x + y}, std::pair{x + 2, sum(x)}};
  };
  Tensor x = floats({1, 2, 3, 4, 5, 6}, {2, 3}), y = x * 2;
  auto want = jacrev<argnums(0, 1)>(f)(x, y);
  for (int64_t chunk : {1, 2, 3, 4, 7, 10, 1000}) {
    CAPTURE(chunk);
    auto rows = jacrev<argnums(0, 1)>(f, {.chunk_size = chunk})(x, y);
    auto columns = jacfwd<argnums(0, 1)>(f, {.chunk_size = chunk})(x, y);
    for (const auto& got : {rows, columns}) {
      CHECK_SAME(std::get<0>(got.first.first), std::get<0>(want.first.first));
      CHECK_SAME(std::get<1>(got.first.second), std::get<1>(want.first.second));
      CHECK_SAME(std::get<0>(got.second.second), std::get<0>(want.second.second));
      CHECK_SAME(std::get<1>(got.second.second), std::get<1>(want.second.second));
    }
  }
  auto g = [](const Tensor& x) { return sin(x); };
  auto once = [&](std::optional<int64_t> c) {
    return vmap(jacrev(jacrev(g, {.chunk_size = c}), {.chunk_size = c}))(x);
  };
  for (int64_t chunk : {1, 2, 5}) CHECK_SAME(once(chunk), once({}));
  CHECK_THROWS_WITH_AS(jacrev(g, {.chunk_size = 0}), Contains("`chunk_size` should be greater than 0"), TransformError);
  CHECK_THROWS_WITH_AS(jacfwd(g, {.chunk_size = -1}), Contains("`chunk_size` should be greater than 0"),
                       TransformError);
}

TEST_CASE("D35 dtypes: jacrev has the input's, jacfwd the output's") {
  auto f = [](const Tensor& x) { return x.to(f64); };
  CHECK_SAME(jacrev(f)(t1()), eye(3, f32));
  CHECK_SAME(jacfwd(f)(t1()), eye(3, f64));
  CHECK_SAME(jacobian(f)(t1()), eye(3, f32));
}

TEST_CASE("D36 hessians") {
  auto f = [](const Tensor& a, const Tensor& b) { return sum(a * a * b); };
  Tensor a = t1(), b = floats({4, 5, 6});
  auto H = hessian<argnums(0, 1)>(f)(a, b);
  CHECK_SAME(std::get<0>(std::get<0>(H)), diag(2 * b));
  CHECK_SAME(std::get<1>(std::get<0>(H)), diag(2 * a));
  CHECK_SAME(std::get<0>(std::get<1>(H)), diag(2 * a));
  CHECK_SAME(std::get<1>(std::get<1>(H)), zeros({3, 3}));
  auto product = [](const Tensor& a, const Tensor& b) { return sum(a * b); };
  CHECK_SAME(std::get<1>(std::get<0>(hessian<argnums(0, 1)>(product)(a, b))), eye(3));
  auto named = [](const TensorDict& d) { return sum(d.at("x") * d.at("y")); };
  auto D = hessian(named)(TensorDict{{"x", a}, {"y", b}});
  static_assert(std::is_same_v<decltype(D), std::map<std::string, TensorDict>>);
  CHECK_SAME(D.at("x").at("y"), eye(3));
  CHECK_SAME(D.at("x").at("x"), zeros({3, 3}));
  Tensor x = floats({1, 2, 3, 4, 5, 6}, {2, 3});
  Tensor S = hessian([](const Tensor& x) { return sin(x); })(x);
  CHECK_EQ(S.shape(), Shape{2, 3, 2, 3, 2, 3});
  CHECK_SAME(S.reshape({6, 6, 6}).index({2, 2, 2}), -sin(x).reshape({6})[2]);
  CHECK_SAME(sum(S), sum(-sin(x)));
}

TEST_CASE("D37 nested jacobians") {
  Tensor W = randn({5, 3});
  CHECK_SAME(jacrev(jacrev([&](const Tensor& x) { return matmul(W, x); }))(t1()), zeros({5, 3, 3}));
  auto quadratic = [](const Tensor& A, const Tensor& x1, const Tensor& x2) {
    Tensor d = x2 - matmul(A, x1.t()).t();
    return sum(d * d);
  };
  Tensor A = randn({8, 2, 2}), x1 = randn({8, 100, 2}), x2 = randn({8, 100, 2});
  Tensor h = vmap(hessian(quadratic))(A, x1, x2), r = vmap(jacrev(jacrev(quadratic)))(A, x1, x2);
  CHECK_EQ(h.shape(), Shape{8, 2, 2, 2, 2});
  CHECK_NEAR_TO(h, r, 1e-4);
  auto traces = [](const Tensor& x) { return sum(grad([](const Tensor& x) { return trace(x); })(x)); };
  CHECK_SAME(vmap(grad(traces))(randn({4, 3, 3})), zeros({4, 3, 3}));
}

TEST_CASE("D38 all orders of modes agree") {
  auto f = [](const Tensor& a) {
    Tensor s = sin(a);
    return s[0] * s[1] * s[2];
  };
  Tensor x = doubles({0.3, 1.1, 2.0});
  Tensor want = jacfwd(jacrev(f))(x);
  CHECK_SAME(jacfwd(jacfwd(f))(x), want);
  CHECK_SAME(jacrev(jacfwd(f))(x), want);
  CHECK_SAME(jacrev(jacrev(f))(x), want);
  CHECK_SAME(hessian(f)(x), want);
  CHECK_SAME(want.select(0, 0)[0], -sin(x[0]) * sin(x[1]) * sin(x[2]));
  CHECK_SAME(want.select(0, 0)[1], cos(x[0]) * cos(x[1]) * sin(x[2]));
}

TEST_CASE("structural zeros") {
  CHECK_SAME(jacrev([](const Tensor& x) { return sqrt(x); })(floats({0, 1})), floats({INFINITY, 0, 0, 0.5f}, {2, 2}));
  CHECK_SAME(jacfwd([](const Tensor& x) { return sqrt(x); })(floats({0, 1})), floats({INFINITY, 0, 0, 0.5f}, {2, 2}));
}

TEST_CASE("has_aux") {
  auto f = [](const Tensor& x) { return std::pair{sin(x), std::pair{x * 2, 5}}; };
  auto [J, aux] = jacrev<has_aux>(f)(t1());
  CHECK_SAME(J, diag(cos(t1())));
  CHECK_SAME(aux.first, 2 * t1());
  CHECK_EQ(aux.second, 5);
  auto [F, aux2] = jacfwd<argnums(0), has_aux>(f)(t1());
  CHECK_SAME(std::get<0>(F), J);
  auto [H, aux3] = hessian<has_aux>(f)(t1());
  CHECK_EQ(H.shape(), Shape{3, 3, 3});
  CHECK_SAME(aux3.first, 2 * t1());
}

TEST_CASE("errors") {
  auto f = [](const Tensor& x) { return x.to(i64); };
  CHECK_THROWS_WITH_AS(jacrev(f)(t1()), Contains("all outputs of f must be floating-point"), TransformError);
  CHECK_SAME(jacfwd(f)(t1()), zeros({3, 3}, i64));
  CHECK_THROWS_WITH_AS(
      jacrev(f)(tensor({1, 2})),
      Contains("[jacrev] only Tensors of floating point dtype can require gradients: argument 0 is i64[2]"),
      DTypeError);
  CHECK_THROWS_WITH_AS(jacfwd(f)(tensor({1, 2})), Contains("[jacfwd] Expected primal to be floating point"),
                       DTypeError);
  CHECK_THROWS_WITH(jacrev(f)(tensor({1, 2})), Contains("jacobian_test.cpp:"));
}

namespace app {
struct Pose {
  Tensor rotation, translation;
};
JOT_TREE(Pose, rotation, translation);
}  // namespace app

TEST_CASE("announced structs are trees") {
  auto f = [](const app::Pose& p, const Tensor& x) { return p.rotation * x + p.translation; };
  app::Pose pose{t1(), floats({4, 5, 6})};
  app::Pose J = jacrev(f)(pose, t1());
  CHECK_SAME(J.rotation, diag(t1()));
  CHECK_SAME(J.translation, eye(3));
  // Leaves other than tensors: the struct comes back as the tuple of its members.
  auto g = [](const std::pair<Tensor, Tensor>& x) { return app::Pose{x.first * 2, x.second * 3}; };
  auto [rotation, translation] = jacrev(g)(std::pair{t1(), t1()});
  CHECK_SAME(rotation.first, 2 * eye(3));
  CHECK_SAME(rotation.second, zeros({3, 3}));
  CHECK_SAME(translation.second, 3 * eye(3));
  app::Pose moved = vmap(
      [](const app::Pose& p) {
        return app::Pose{p.rotation * 2, p.translation};
      },
      {.in_dims = {{0, none}}, .out_dims = {0, none}})(app::Pose{t1(), t1()});
  CHECK_SAME(moved.rotation, 2 * t1());
  CHECK_SAME(moved.translation, t1());
}
