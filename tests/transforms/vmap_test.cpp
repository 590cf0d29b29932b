// vmap; acceptance cases by id.
#include <algorithm>

#include "check.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

namespace {
const Tensor& t1() {
  static const Tensor t = floats({1, 2, 3});
  return t;
}
auto identity = [](const Tensor& x) { return x; };
}  // namespace

TEST_CASE("D12 per-sample gradients equal a loop's: a linear model, an embedding") {
  manual_seed(1);
  constexpr int64_t kBatch = 64;
  auto check = [](auto loss, const std::pair<Tensor, Tensor>& params, const Tensor& x, const Tensor& y) {
    auto [first, second] = vmap(grad(loss), {.in_dims = {none, 0, 0}})(params, x, y);
    std::vector<Tensor> firsts, seconds;
    for (int64_t i = 0; i < kBatch; ++i) {
      auto [one, two] = grad(loss)(params, x[i], y[i]);
      firsts.push_back(one);
      seconds.push_back(two);
    }
    CHECK_NEAR_TO(first, stack(firsts), 5e-4);
    CHECK_NEAR_TO(second, stack(seconds), 5e-4);
  };
  auto squared = [](const Tensor& got, const Tensor& want) { return mean((got - want) * (got - want)); };
  auto linear = [&](const std::pair<Tensor, Tensor>& p, const Tensor& x, const Tensor& y) {
    return squared(matmul(p.first, x) + p.second, y);
  };
  check(linear, {randn({2, 16}), randn({2})}, randn({kBatch, 16}), randn({kBatch, 2}));
  // Words of a vocabulary of 50, four a sample, some of them equal.
  auto embedding = [&](const std::pair<Tensor, Tensor>& p, const Tensor& words, const Tensor& y) {
    return squared(matmul(p.second, sum(p.first.index_select(0, words), {0})), y);
  };
  check(embedding, {randn({50, 8}), randn({3, 8})}, randint(0, 50, {kBatch, 4}), randn({kBatch, 3}));
}

TEST_CASE("D13 the gradient of a mean over lanes") {
  Tensor w = t1(), x = floats({1, 2, 3, 4, 5, 6}, {2, 3});
  auto batch = [&](const Tensor& w) { return mean(vmap([&](const Tensor& x) { return sum(w * w * x); })(x)); };
  CHECK_SAME(grad(batch)(w), 2 * w * mean(x, {0}));
  auto constant = [&](const Tensor& w) { return sum(vmap([&](const Tensor&) { return sum(w); })(x)); };
  CHECK_SAME(grad(constant)(w), 2 * ones({3}));
}

TEST_CASE("D14 nested vmaps") {
  Tensor x = floats({1, 2, 3}), y = floats({10, 20, 30, 40, 50});
  Tensor outer = vmap([&](const Tensor& a) { return vmap([&](const Tensor&) { return a; })(y); })(x);
  CHECK_SAME(outer, x.unsqueeze(1).expand({3, 5}).clone());
  Tensor p = randn({2, 3}), q = randn({5, 3}), r = randn({7, 3});
  Tensor got = vmap([&](const Tensor& a) {
    return vmap([&](const Tensor& b) { return vmap([&](const Tensor& c) { return a * b * c; })(r); })(q);
  })(p);
  CHECK_SAME(got, p.reshape({2, 1, 1, 3}) * q.reshape({1, 5, 1, 3}) * r.reshape({1, 1, 7, 3}));
}

TEST_CASE("D17 outputs without lanes, out_dims") {
  Tensor x = floats({1, 2, 3, 4, 5, 6}, {2, 3}), c = floats({7, 8, 9, 10, 11});
  auto constant = [&](const Tensor&) { return c; };
  CHECK_SAME(vmap(constant)(x), stack({c, c}));
  CHECK_SAME(vmap(constant, {.out_dims = none})(x), c);
  CHECK_SAME(vmap(constant, {.out_dims = 1})(x), stack({c, c}, 1));
  CHECK_SAME(vmap(constant, {.out_dims = -1})(x), stack({c, c}, 1));
  CHECK_SAME(vmap(identity, {.out_dims = 1})(x), x.t().clone());
  CHECK_SAME(vmap(identity, {.out_dims = {1}})(x), x.t().clone());
  CHECK_SAME(vmap(identity, {.in_dims = 1, .out_dims = -1})(x), x);
  auto [text, y] = vmap(
      [](const std::string& s, const Tensor& x) {
        return std::pair{s, x * 2};
      },
      {.in_dims = {none, 0}, .out_dims = {none, 0}})(std::string("hello world"), x);
  CHECK_EQ(text, "hello world");
  CHECK_SAME(y, x * 2);
  CHECK_SAME(vmap([](const char* s, const Tensor& x) { return x * (s[0] == 'h' ? 2 : 3); }, {.in_dims = {none, 0}})(
                 "hello world", x),
             x * 2);
  CHECK_THROWS_WITH_AS(vmap(identity, {.out_dims = none})(x),
                       Contains("`f` can not return a BatchedTensor when out_dim is None"), TransformError);
  CHECK_THROWS_WITH_AS(vmap([](const Tensor&) { return 5; })(x),
                       Contains("`f` must only return Tensors, got type double. Did you mean to set out_dims= to none"),
                       TransformError);
  CHECK_THROWS_WITH_AS(vmap(identity, {.out_dims = 2})(x),
                       Contains("Dimension out of range (expected to be in range of [-2, 1], but got 2)"), IndexError);
  CHECK_THROWS_WITH_AS(
      vmap(identity, {.out_dims = {0, 0}})(x),
      Contains("out_dims is not compatible with the structure of `outputs`. out_dims has structure (0, 0) "
               "but outputs has structure *"),
      TransformError);
  // A value with lanes of an outer vmap has none of the inner one.
  Tensor inner =
      vmap([&](const Tensor& a) { return vmap([&](const Tensor&) { return a; }, {.out_dims = none})(c); })(x);
  CHECK_SAME(inner, x);
}

TEST_CASE("D19 in_dims errors") {
  Tensor x = ones({2, 3});
  auto two = [](const Tensor& a, const Tensor& b) { return a + b; };
  CHECK_THROWS_WITH_AS(
      vmap(two, {.in_dims = {0}})(x, x),
      Contains("in_dims is not compatible with the structure of `inputs`. in_dims has structure (0) but "
               "inputs has structure (*, *)"),
      TransformError);
  CHECK_THROWS_WITH_AS(
      vmap(identity)(scalar(1)),
      Contains(
          "Got in_dim=0 for some input (argument 0), but that input is a Tensor of dimensionality 0: it has no dim "
          "for lanes; where it is the same in all, write {.in_dims = {none}}"),
      TransformError);
  CHECK_THROWS_WITH_AS(vmap(two)(x, scalar(1)), Contains("write {.in_dims = {0, none}}"), TransformError);
  CHECK_THROWS_WITH_AS(vmap(two, {.in_dims = {0, 1}})(scalar(1), x), Contains("{.in_dims = {none, 1}}"),
                       TransformError);
  using Pair = std::pair<Tensor, Tensor>;
  auto trees = [](const Tensor&, const std::map<std::string, Pair>&, const Pair& p, double) { return p.first; };
  CHECK_THROWS_WITH_AS(
      vmap(trees)(x, std::map<std::string, Pair>{{"b", {x, x}}, {"a", {x, scalar(1)}}}, Pair(x, x), 1.0),
      Contains("Got in_dim=0 for an input but the input is of type double"), TransformError);
  CHECK_THROWS_WITH_AS(vmap(trees, {.in_dims = {0, 0, 0, none}})(
                           x, std::map<std::string, Pair>{{"b", {x, x}}, {"a", {x, scalar(1)}}}, Pair(x, x), 1.0),
                       Contains("{.in_dims = {0, {{\"a\", {0, none}}, {\"b\", 0}}, 0, none}}"), TransformError);
  CHECK_THROWS_WITH_AS(vmap(identity, {.in_dims = -3})(x),
                       Contains("dimensionality 2 so expected in_dim to satisfy -2 <= in_dim < 2."), TransformError);
  CHECK_THROWS_WITH_AS(vmap(two)(ones({2}), ones({3})),
                       Contains("Expected all tensors to have the same size in the mapped dimension, got sizes [2, 3]"),
                       TransformError);
  CHECK_THROWS_WITH_AS(vmap([] { return ones({2}); })(), Contains("got no inputs"), TransformError);
  CHECK_THROWS_WITH_AS(vmap(two, {.in_dims = none})(x, x), Contains("Expected at least one Tensor to vmap over"),
                       TransformError);
  CHECK_THROWS_WITH_AS(vmap([](const Tensor& a, double b) { return a * b; })(x, 2.0),
                       Contains("Got in_dim=0 for an input but the input is of type double. We cannot vmap over "
                                "non-Tensor arguments"),
                       TransformError);
  CHECK_THROWS_WITH(vmap(identity)(scalar(1)), Contains("vmap_test.cpp:"));
  CHECK_THROWS_WITH_AS(vmap(identity)(Tensor()), Contains("[vmap] argument 0 is an undefined Tensor"), TransformError);
  CHECK_SAME(vmap([](const Tensor& a, double b) { return a * b; }, {.in_dims = {0, none}})(x, 2.0), x * 2);
  CHECK_SAME(vmap(two, {.in_dims = {-1, 1}})(x, x), (x + x).t().clone());
}

TEST_CASE("in_dims of trees") {
  Tensor x = floats({1, 2, 3, 4, 5, 6}, {2, 3}), c = floats({10, 20, 30});
  auto by_name = [](const TensorDict& d) { return d.at("w") * d.at("b"); };
  TensorDict d{{"w", x}, {"b", c}};
  CHECK_SAME(vmap(by_name, {.in_dims = {{{"w", 0}, {"b", none}}}})(d), x * c);
  auto and_more = [](const TensorDict& d, const Tensor& y) { return d.at("w") * d.at("b") + y; };
  CHECK_SAME(vmap(and_more, {.in_dims = {{{"w", 0}, {"b", none}}, 0}})(d, x), x * c + x);
  auto product = [](const std::tuple<Tensor, Tensor>& t) { return std::get<0>(t) * std::get<1>(t); };
  CHECK_SAME(vmap(product, {.in_dims = {{0, none}}})(std::tuple{x, c}), x * c);
  auto list = [](const std::vector<Tensor>& v) { return v[0] * v[1]; };
  CHECK_SAME(vmap(list, {.in_dims = {{1, none}}})(std::vector<Tensor>{x, scalar(2)}), (x * 2).t().clone());
  CHECK_THROWS_WITH_AS(vmap(by_name, {.in_dims = {{{"w", 0}, {"c", none}}}})(d),
                       Contains("in_dims has structure ({w: 0, c: none}) but inputs has structure ({b: *, w: *})"),
                       TransformError);
  TensorDict out = vmap(
      [](const Tensor& x) {
        return TensorDict{{"a", x}, {"b", sum(x)}};
      },
      {.out_dims = {{"a", 1}, {"b", 0}}})(x);
  CHECK_SAME(out.at("a"), x.t().clone());
  CHECK_SAME(out.at("b"), sum(x, {1}));
}

TEST_CASE("D20 logical shapes") {
  Tensor x = ones({1, 3, 1});
  CHECK_SAME(vmap([](const Tensor& x) { return x.squeeze(); })(x), ones({1, 3}));
  CHECK_SAME(vmap([](const Tensor& x) { return sum(x); })(t1()), t1());
  Tensor a = randn({3, 2, 3}), b = randn({3, 2, 3});
  CHECK_SAME(vmap([](const Tensor& a, const Tensor& b) { return cross(a, b); })(a, b), cross(a, b, -1));
  vmap([](const Tensor& x) {
    CHECK_EQ(x.dim(), 2);
    CHECK_EQ(x.shape(), Shape{3, 1});
    return x;
  })(x);
}

TEST_CASE("D22 writes to arguments reach the caller") {
  Tensor z = ones({2, 2}), b = floats({2, 3});
  Tensor out = vmap([](const Tensor& a, const Tensor& b) { return a.mul_(b); }, {.in_dims = {1, 0}})(z, b);
  CHECK_SAME(z, floats({2, 3, 2, 3}, {2, 2}));
  CHECK_SAME(out, floats({2, 2, 3, 3}, {2, 2}));
  out[0] = 7;  // it is the transpose of z
  CHECK_SAME(z, floats({7, 3, 7, 3}, {2, 2}));
}

TEST_CASE("D23 destinations of batched writes") {
  Tensor x = floats({1, 2, 3, 4, 5, 6}, {2, 3}), captured = zeros({3});
  auto to_captured = [&](const Tensor& x) {
    captured.add_(1);
    captured += x;
    captured.mul_(1);
    return x;
  };
  int line = __LINE__ - 4;
  CHECK_THROWS_WITH_AS(
      vmap(to_captured)(x),
      ("[vmap] in-place add_ is not possible: it writes a value with lanes to a captured tensor, "
       "f32[3], and all lanes would write to the same elements; pass it as an argument with an in_dim, "
       "or write to a clone() that f makes\n  at " +
       std::string(__FILE__) + ":" + std::to_string(line))
          .c_str(),
      TransformError);
  CHECK_THROWS_WITH_AS(vmap(
                           [](const Tensor& x, const Tensor& y) {
                             y.add_(x);
                             return x;
                           },
                           {.in_dims = {0, none}})(x, captured),
                       Contains("[vmap] in-place add_ is not possible: it writes a value with lanes to argument 1, "
                                "whose in_dim is none, f32[3]"),
                       TransformError);
  CHECK_SAME(captured, zeros({3}));
  // An unbatched value is written once.
  vmap([&](const Tensor& x) {
    captured.add_(1);
    return x;
  })(x);
  CHECK_SAME(captured, ones({3}));
  // What is made inside takes lanes.
  auto made = [](const Tensor& v) {
    Tensor z = zeros({3});
    z.copy_(v);
    return z;
  };
  CHECK_SAME(vmap(made)(x), x);
  auto made_new = [](const Tensor& v) {
    Tensor z = v.new_zeros({3});
    z.copy_(v);
    return z;
  };
  CHECK_SAME(vmap(made_new)(x), x);
  auto unwritten = [](const Tensor& v) { return v.new_zeros({3}) + v.new_full({3}, 2); };
  CHECK_SAME(vmap(unwritten, {.out_dims = none})(x), full({3}, 2.f));  // without lanes
  auto squares = [&](const Tensor& v) {
    Tensor z = made(v);
    return sum(z * z);
  };
  CHECK_SAME(vmap(grad(squares))(x), 2 * x);
}

TEST_CASE("D24 values of lanes cannot be read") {
  Tensor x = t1(), c = scalar(2), mask = x > 2;
  auto read = [](const Tensor& x) { return x * x.item<float>(); };
  CHECK_THROWS_WITH_AS(
      vmap(read)(x),
      Contains("It looks like you're calling .item() on a Tensor. We don't support vmap over calling it"), TraceError);
  CHECK_THROWS_WITH(vmap(read)(x), Contains("vmap_test.cpp:"));
  CHECK_THROWS_WITH_AS(vmap(jacrev(read))(x), Contains("calling .item() on a Tensor"), TraceError);
  CHECK_THROWS_WITH_AS(vmap([](const Tensor& x) { return x > 0 ? x : -x; })(x),
                       Contains("attempting to use a Tensor in some data-dependent control flow"), TraceError);
  CHECK_THROWS_WITH_AS(vmap([&](const Tensor& x) { return equal(x, c) ? x : -x; })(x),
                       Contains("We don't support vmap over calling it"), TraceError);
  Tensor rows = floats({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK_THROWS_WITH_AS(vmap([](const Tensor& r) { return r.index({r > 2}); })(rows),
                       Contains("We do not support batching operators that can output dynamic shape"), TraceError);
  // What has no lanes can be read; a mask without lanes takes the same elements of each.
  CHECK_SAME(vmap([&](const Tensor& x) { return x * c.item<float>(); })(x), 2 * x);
  Tensor ends = tensor({true, false, true});
  CHECK_SAME(vmap([&](const Tensor& r) { return r.index({ends}); })(rows), floats({1, 3, 4, 6}, {2, 2}));
}

TEST_CASE("D27 randomness") {
  Tensor x = zeros({4, 3});
  auto noisy = [](const Tensor& x) { return x + randn({3}); };
  CHECK_THROWS_WITH_AS(vmap(noisy)(x), Contains("called random operation while in randomness error mode"),
                       TransformError);
  CHECK_THROWS_WITH(vmap(noisy)(x), Contains("vmap_test.cpp:"));
  manual_seed(3);
  Tensor want = randn({3}), next = randn({3});
  manual_seed(3);
  Tensor same = vmap(noisy, {.randomness = Randomness::same})(x);
  CHECK_SAME(same, stack({want, want, want, want}));
  manual_seed(3);
  Tensor all = randn({4, 3}), second = randn({4, 3});
  manual_seed(3);
  auto twice = [](const Tensor& x) { return std::pair{x + randn({3}), x + randn({3})}; };
  auto [a, b] = vmap(twice, {.randomness = Randomness::different})(x);
  CHECK_SAME(a, all);
  CHECK_SAME(b, second);
  // Nested: rows are equal where the inner one is different and the outer the same.
  auto inner = [&](const Tensor& row) {
    return vmap([](const Tensor& e) { return e + randn({}); }, {.randomness = Randomness::different})(row);
  };
  Tensor nested = vmap(inner, {.randomness = Randomness::same})(x);
  CHECK_SAME(nested[0], nested[1]);
  CHECK_FALSE(equal(nested.select(1, 0), nested.select(1, 1)));
  manual_seed(3);
  Tensor both = vmap(inner, {.randomness = Randomness::different})(x);
  CHECK_SAME(both, all);
  CHECK_THROWS_WITH_AS(vmap(inner, {.randomness = Randomness::error})(x), Contains("randomness error mode"),
                       TransformError);
  // The columns of a jacobian follow the same rule.
  auto dropped = [](const Tensor& x) { return x * (rand({3}) > 0.5); };
  CHECK_THROWS_WITH_AS(jacfwd(dropped)(t1()), Contains("randomness error mode"), TransformError);
  CHECK_NOTHROW(jacfwd(dropped, {.randomness = Randomness::same})(t1()));
  CHECK_NOTHROW(jacrev(dropped)(t1()));
  // Lanes cannot share a draw whose parameters differ by lanes, whatever lies between; what only has their shape is
  // shared.
  auto refused = [](auto f) {
    Tensor p = full({4, 3}, 0.5);
    CHECK_THROWS_WITH_AS(vmap(f, {.randomness = Randomness::same})(p),
                         Contains("Vmap does not currently support same randomness with a batched tensor input"),
                         TransformError);
    CHECK_NOTHROW(vmap(f, {.randomness = Randomness::different})(p));
  };
  refused([](const Tensor& p) { return bernoulli(p); });
  refused([](const Tensor& p) { return normal(p, 1); });
  refused([](const Tensor& p) { return normal(0, p * 2); });
  refused([](const Tensor& p) { return poisson(p); });
  refused([](const Tensor& p) { return binomial(full({3}, 9.0), p); });
  refused([](const Tensor& p) { return multinomial(p, 2); });
  refused([](const Tensor& p) { return zeros({3}).bernoulli_(p) * 1; });
  refused([](const Tensor& p) { return grad([&](const Tensor& v) { return sum(v * bernoulli(p)); })(ones({3})); });
  refused([](const Tensor& p) { return grad([](const Tensor& v) { return sum(v * bernoulli(v.detach())); })(p); });
  refused([](const Tensor& p) {
    return vmap([](const Tensor& q) { return bernoulli(q); }, {.randomness = Randomness::different})(p);
  });
  Tensor shared = full({3}, 0.5);
  auto alike = [&](const Tensor& v) { return bernoulli(shared) + bernoulli(full_like(v, 0.5)) + rand_like(v) + v * 0; };
  Tensor lanes = vmap(alike, {.randomness = Randomness::same})(x);
  CHECK_SAME(lanes[0], lanes[3]);
}

TEST_CASE("dim_size: as many lanes, with and without arguments that are mapped") {
  auto scaled = [](const Tensor& a, const Tensor& b) { return a * b; };
  Tensor x = tensor({1.0, 2.0}), rows = tensor({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}});
  CHECK_SAME(vmap(scaled, {.in_dims = {0, none}, .dim_size = 3})(rows, x), rows * x);
  CHECK_SAME(vmap(scaled, {.in_dims = {0, none}, .dim_size = none})(rows, x), rows * x);
  auto twice = [](const Tensor& a) { return a * 2; };
  for (std::optional<int64_t> chunk : {std::optional<int64_t>(), std::optional<int64_t>(2)}) {
    CHECK_SAME(vmap(twice, {.in_dims = none, .chunk_size = chunk, .dim_size = 3})(x), stack({x * 2, x * 2, x * 2}));
    CHECK_SAME(vmap(twice, {.in_dims = none, .out_dims = -1, .chunk_size = chunk, .dim_size = 3})(x),
               stack({x * 2, x * 2, x * 2}, 1));
    CHECK_SAME(vmap(twice, {.in_dims = none, .out_dims = none, .chunk_size = chunk, .dim_size = 3})(x), x * 2);
    CHECK_SAME(vmap(twice, {.in_dims = none, .chunk_size = chunk, .dim_size = 0})(x), zeros({0, 2}));
    auto noise =
        vmap([] { return rand({2}); }, {.randomness = Randomness::different, .chunk_size = chunk, .dim_size = 3});
    manual_seed(3);
    Tensor drawn = rand({3, 2});
    manual_seed(3);
    CHECK_SAME(noise(), drawn);
    manual_seed(3);
    CHECK_SAME(jit(noise)(), drawn);
  }
  CHECK_SAME(grad([&](const Tensor& a) { return sum(vmap(twice, {.in_dims = none, .dim_size = 3})(a)); })(x),
             full({2}, 6.0));
  CHECK_THROWS_WITH_AS(vmap(scaled, {.in_dims = {0, none}, .dim_size = 2})(rows, x),
                       Contains("got sizes [3] for the mapped dimension, where dim_size is 2"), TransformError);
  CHECK_THROWS_WITH_AS(vmap(twice, {.dim_size = -1}), Contains("dim_size should be None or at least 0. (got -1)"),
                       TransformError);
}

TEST_CASE("D28 chunk_size changes nothing") {
  Tensor x = randn({4, 5, 6}), y = randn({4, 5, 6});
  auto f = [](const Tensor& x, const Tensor& y) {
    return std::pair{sin(x) * y, std::tuple{sum(x), TensorDict{{"m", matmul(x, y.t())}}}};
  };
  for (int64_t in : {0, 1, 2})
    for (int64_t out : {0, -1}) {
      auto want = vmap(f, {.in_dims = in, .out_dims = {out, {0, out}}})(x, y);
      for (int64_t chunk : {1, 2, 3, 4, 7, 10, 16, 100}) {
        CAPTURE(chunk);
        auto got = vmap(f, {.in_dims = in, .out_dims = {out, {0, out}}, .chunk_size = chunk})(x, y);
        CHECK_SAME(got.first, want.first);
        CHECK_NEAR_TO(std::get<0>(got.second), std::get<0>(want.second), 1e-4);
        CHECK_NEAR_TO(std::get<1>(got.second).at("m"), std::get<1>(want.second).at("m"), 1e-4);
      }
    }
  auto nested = [](std::optional<int64_t> chunk) {
    return vmap(vmap([](const Tensor& x) { return sum(x * x); }, {.chunk_size = chunk}), {.chunk_size = chunk});
  };
  CHECK_SAME(nested(2)(x), nested({})(x));
  CHECK_THROWS_WITH_AS(vmap(identity, {.chunk_size = 0}),
                       Contains("vmap: chunk_size should be None or greater than 0. (got 0)"), TransformError);
  CHECK_THROWS_WITH_AS(vmap(identity, {.chunk_size = -1}), Contains("(got -1)"), TransformError);
  CHECK_SAME(vmap(identity, {.chunk_size = 3})(zeros({0, 2})), zeros({0, 2}));
  CHECK_SAME(vmap([](const Tensor&) { return ones({2}); }, {.out_dims = none, .chunk_size = 3})(x), ones({2}));
  CHECK_SAME(vmap(identity, {.out_dims = {1}, .chunk_size = 3})(x), x.movedim(0, 1).clone());
  // 'same' draws alike in every chunk, 'different' goes on.
  auto noisy = [](const Tensor& x) { return sum(x) * 0 + randn({4}); };
  manual_seed(5);
  Tensor want = vmap(noisy, {.randomness = Randomness::same})(x);
  manual_seed(5);
  CHECK_SAME(vmap(noisy, {.randomness = Randomness::same, .chunk_size = 3})(x), want);
  manual_seed(5);
  Tensor stream = vmap(noisy, {.randomness = Randomness::different, .chunk_size = 2})(x);
  manual_seed(5);
  CHECK_SAME(stream, cat({randn({2, 4}), randn({2, 4})}));
  manual_seed(5);
  vmap(noisy, {.randomness = Randomness::different, .chunk_size = 2})(x);
  Tensor after = randn({4});
  manual_seed(5);
  randn({4, 4});
  CHECK_SAME(after, randn({4}));
  // The last chunk has fewer lanes: it draws for these alone, without gaps.
  for (int64_t chunk : {1, 2, 3, 4, 5}) {
    CAPTURE(chunk);
    manual_seed(5);
    Tensor one = vmap([](const Tensor&) { return rand({}); },
                      {.randomness = Randomness::different, .chunk_size = chunk})(zeros({4}));
    Tensor next = rand({2});
    manual_seed(5);
    Tensor all = rand({4});
    CHECK_SAME(one, all);
    CHECK_SAME(next, rand({2}));
    // Two draws, and those of a vmap inside.
    auto draws = [](const Tensor& v) {
      Tensor a = rand({2}, f64), b = vmap([](const Tensor& w) { return w * 0 + rand({}, f64); },
                                          {.randomness = Randomness::different, .chunk_size = 2})(v);
      return cat({a, b});
    };
    manual_seed(5);
    Tensor drawn = vmap(draws, {.randomness = Randomness::different, .chunk_size = chunk})(zeros({4, 3}, f64));
    next = rand({2}, f64);
    manual_seed(5);
    all = rand({20}, f64);
    std::vector<double> got = drawn.to_vector<double>(), want_numbers = all.to_vector<double>();
    std::ranges::sort(got);
    std::ranges::sort(want_numbers);
    CHECK_EQ(got, want_numbers);
    CHECK_SAME(next, rand({2}, f64));
  }
}

TEST_CASE("D59 indices: adding up, lanes of their own, an outer lane") {
  Tensor index = tensor({0, 0, 2}), weights = t1();
  auto scattered = [&](const Tensor& v) {
    return sum(index_put(zeros({3}), {index}, v, /*accumulate=*/true) * weights);
  };
  CHECK_SAME(grad(scattered)(t1()), floats({1, 1, 3}));
  auto added = [](const Tensor& i, const Tensor& v) { return index_put(zeros({3}), {i}, v, true); };
  Tensor i = tensor({{0, 0}, {1, 2}}), v = floats({1, 2, 3, 4}, {2, 2});
  CHECK_SAME(vmap(added)(i, v), floats({3, 0, 0, 0, 3, 4}, {2, 3}));
  auto each = [&](const Tensor& i, const Tensor& v) {
    return grad([&](const Tensor& v) { return sum(added(i, v) * weights); })(v);
  };
  CHECK_SAME(vmap(each)(i, v), floats({1, 1, 2, 3}, {2, 2}));
  Tensor rows = floats({1, 2, 3, 4, 5, 6}, {2, 3});
  auto picked = [&](const Tensor& i) { return vmap([&](const Tensor& row) { return row.index({i}); })(rows); };
  CHECK_SAME(vmap(picked)(tensor({2, 0})), floats({3, 6, 1, 4}, {2, 2}));
}

TEST_CASE("zero lanes") {
  CHECK_SAME(vmap([](const Tensor& x) { return matmul(x, x.t()); })(zeros({0, 2, 3})), zeros({0, 2, 2}));
  CHECK_SAME(vmap(grad([](const Tensor& x) { return sum(sin(x)); }))(zeros({0, 3})), zeros({0, 3}));
}

TEST_CASE("B12 promotion counts logical ranks") {
  Tensor n = ones({2, 3}), s = ones({2}, f64);
  auto mul = [](const Tensor& a, const Tensor& b) { return a * b; };
  CHECK_EQ(vmap(mul)(n, s).dtype(), f32);
  CHECK_EQ(vmap(mul)(ones({2}), s).dtype(), f64);
}

TEST_CASE("jacobians under vmap, vmap under jacobians") {
  Tensor x = randn({4, 3});
  auto f = [](const Tensor& x) { return tanh(x) * sum(x); };
  Tensor rows = vmap(jacrev(f))(x);
  for (int64_t i = 0; i < 4; ++i) CHECK_NEAR_TO(rows[i], jacfwd(f)(x[i]), 1e-4);
  Tensor whole = jacrev(vmap(f))(x);
  CHECK_EQ(whole.shape(), Shape{4, 3, 4, 3});
  for (int64_t i = 0; i < 4; ++i) CHECK_NEAR_TO(whole.index({i, Slice(), i}), rows[i], 1e-4);
  CHECK_SAME(whole.index({0, Slice(), 1}), zeros({3, 3}));
}

TEST_CASE("results that only show elements of an argument share its memory") {
  Tensor x = floats({1, 2, 3, 4, 5, 6}, {2, 3});
  Tensor turned = vmap(identity, {.out_dims = 1})(x);
  CHECK_EQ(turned.shape(), Shape{3, 2});
  turned.select(0, 1).fill_(9);
  CHECK_SAME(x, floats({1, 9, 3, 4, 9, 6}, {2, 3}));
  Tensor part = vmap([](const Tensor& row) { return row.slice(0, 0, 3, 2).unsqueeze(0); })(x);
  CHECK_SAME(part, floats({1, 3, 4, 6}, {2, 1, 2}));
  part.fill_(0);
  CHECK_SAME(x, floats({0, 9, 0, 0, 9, 0}, {2, 3}));
  Tensor columns = vmap([](const Tensor& c) { return c[1]; }, {.in_dims = 1})(x);
  columns.fill_(7);
  CHECK_SAME(x, floats({0, 9, 0, 7, 7, 7}, {2, 3}));
  Tensor wide = vmap([](const Tensor& c) { return c.expand({4, 2}); }, {.in_dims = 1})(x);
  CHECK_SAME(wide, x.t().unsqueeze(1).expand({3, 4, 2}).clone());
  // What is computed does not.
  vmap([](const Tensor& row) { return row * 1; })(x).fill_(5);
  CHECK_SAME(x, floats({0, 9, 0, 7, 7, 7}, {2, 3}));
  // Written and then shown: the writes are there.
  Tensor written = vmap([](const Tensor& row) {
    row.add_(1);
    return row.slice(0, 0, 1);
  })(x);
  CHECK_SAME(written, floats({1, 8}, {2, 1}));
  CHECK_SAME(x, floats({1, 10, 1, 8, 8, 8}, {2, 3}));
  // Under a derivative the view is part of it.
  CHECK_SAME(grad([](const Tensor& x) { return sum(vmap([](const Tensor& r) { return r[0]; })(x) * 3); })(x),
             floats({3, 0, 0, 3, 0, 0}, {2, 3}));
}
