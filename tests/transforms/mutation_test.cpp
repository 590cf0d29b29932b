// Writes and views under transforms; acceptance cases by id.
#include <functional>

#include "check.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

TEST_CASE("D50 tangents through views and writes") {
  Tensor x = doubles({1, 2, 3, 4, 5, 6, 7, 8}, {2, 4}), y = doubles({10, 20, 30, 40}, {2, 2});
  Tensor dx = doubles({1, 2, 3, 4, 5, 6, 7, 8}, {2, 4}), dy = doubles({-1, -2, -3, -4}, {2, 2});
  auto even = [](const Tensor& x, const Tensor& y) {
    Tensor base = x.clone(), view = base.slice(1, 0, 4, 2);
    view.copy_(y);
    return std::pair{view.clone(), base};
  };
  auto [out, tangent] = jvp(even, primals(x, y), tangents(dx, dy));
  CHECK_SAME(out.second, doubles({10, 2, 20, 4, 30, 6, 40, 8}, {2, 4}));
  CHECK_SAME(tangent.first, dy);
  CHECK_SAME(tangent.second, doubles({-1, 2, -2, 4, -3, 6, -4, 8}, {2, 4}));
  // The base is written after the view was taken.
  auto base_written = [](const Tensor& x, const Tensor& y) {
    Tensor base = x.clone(), view = base[0].slice(0, 0, 4, 2);
    base.copy_(y);
    return view * 1;
  };
  auto [view, dview] = jvp(base_written, primals(x, 2 * x), tangents(dx, 3 * dx));
  CHECK_SAME(view, doubles({2, 6}));
  CHECK_SAME(dview, doubles({3, 9}));
  // Only the written value carries a tangent; only the base does.
  auto constant = doubles({0, 0, 0, 0}, {2, 2});
  auto by_value = [&](const Tensor& y) { return even(x, y).second; };
  CHECK_SAME(jvp(by_value, primals(y), tangents(dy)).second, doubles({-1, 0, -2, 0, -3, 0, -4, 0}, {2, 4}));
  auto by_base = [&](const Tensor& x) { return even(x, constant).second; };
  CHECK_SAME(jvp(by_base, primals(x), tangents(dx)).second, doubles({0, 2, 0, 4, 0, 6, 0, 8}, {2, 4}));
  // Reverse mode is the transpose.
  auto [both, pullback] = vjp(even, x, y);
  Tensor ct = doubles({1, 2, 3, 4, 5, 6, 7, 8}, {2, 4});
  auto [cx, cy] = pullback({zeros({2, 2}, f64), ct});
  CHECK_SAME(cx, doubles({0, 2, 0, 4, 0, 6, 0, 8}, {2, 4}));
  CHECK_SAME(cy, doubles({1, 3, 5, 7}, {2, 2}));
  // Lanes anywhere.
  Tensor xs = stack({x, 2 * x, 3 * x}, 1), ys = stack({y, y, 2 * y}, 2);
  auto lanes = [&](const Tensor& x, const Tensor& y) { return jvp(even, primals(x, y), tangents(x, y)).second.second; };
  Tensor got = vmap(lanes, {.in_dims = {1, 2}})(xs, ys);
  for (int64_t i = 0; i < 3; ++i) CHECK_SAME(got[i], lanes(xs.select(1, i), ys.select(2, i)));
}

TEST_CASE("a value that was saved for a derivative may be written") {
  auto f = [](const Tensor& x) {
    Tensor y = x * 1, s = sin(y);
    y.add_(100);
    return sum(s) + sum(y) * 0;
  };
  Tensor x = doubles({1, 2, 3});
  CHECK_SAME(grad(f)(x), cos(x));
  CHECK_SAME(jvp(f, primals(x), tangents(ones({3}, f64))).second, sum(cos(x)));
}

TEST_CASE("D51 every way to write to a captured tensor is refused, and writes nothing") {
  Tensor captured = floats({1, 2, 3, 4}, {2, 2}), value = ones({2, 2});
  using Views = std::vector<std::pair<const char*, std::function<Tensor(const Tensor&)>>>;
  const Views views = {
      {"itself", [](const Tensor& t) { return t; }},
      {"[]", [](const Tensor& t) { return t[0]; }},
      {"select", [](const Tensor& t) { return t.select(1, 0); }},
      {"slice", [](const Tensor& t) { return t.slice(0, 0, 1); }},
      {"slice with a step", [](const Tensor& t) { return t.slice(1, 0, 2, 2); }},
      {"narrow", [](const Tensor& t) { return t.narrow(0, 1, 1); }},
      {"index",
       [](const Tensor& t) {
         return t.index({Slice(), 0});
       }},
      {"index None",
       [](const Tensor& t) {
         return t.index({None, Ellipsis});
       }},
      {"transpose", [](const Tensor& t) { return t.transpose(0, 1); }},
      {"t", [](const Tensor& t) { return t.t(); }},
      {"permute",
       [](const Tensor& t) {
         return t.permute({1, 0});
       }},
      {"movedim", [](const Tensor& t) { return t.movedim(0, 1); }},
      {"view", [](const Tensor& t) { return t.view({4}); }},
      {"reshape",
       [](const Tensor& t) {
         return t.reshape({4, 1});
       }},
      {"flatten", [](const Tensor& t) { return t.flatten(); }},
      {"squeeze", [](const Tensor& t) { return t.slice(0, 0, 1).squeeze(0); }},
      {"unsqueeze", [](const Tensor& t) { return t.unsqueeze(0); }},
      {"diagonal", [](const Tensor& t) { return t.diagonal(); }},
      {"split", [](const Tensor& t) { return t.split(1)[0]; }},
      {"chunk", [](const Tensor& t) { return t.chunk(2, 1)[1]; }},
      {"unbind", [](const Tensor& t) { return t.unbind()[1]; }},
      {"detach", [](const Tensor& t) { return t.detach(); }},
      {"select function", [](const Tensor& t) { return select(t, 0, 1); }},
      {"slice function", [](const Tensor& t) { return slice(t, 0, 0, 1); }},
      {"transpose function", [](const Tensor& t) { return transpose(t, 0, 1); }},
      {"reshape function", [](const Tensor& t) { return reshape(t, {4}); }},
      {"unsqueeze function", [](const Tensor& t) { return unsqueeze(t, 1); }},
      {"diagonal function", [](const Tensor& t) { return diagonal(t); }},
      {"split function", [](const Tensor& t) { return split(t, 1)[1]; }},
      {"view of a view", [](const Tensor& t) { return t.t()[0]; }},
      {"slice of a transpose", [](const Tensor& t) { return t.transpose(0, 1).slice(1, 0, 1); }},
      {"reshape of a slice",
       [](const Tensor& t) {
         return t.slice(0, 0, 1).view({2, 1});
       }},
      {"contiguous", [](const Tensor& t) { return t.contiguous(); }},
  };
  const std::vector<std::pair<const char*, std::function<void(const Tensor&)>>> writes = {
      {"add_", [](const Tensor& t) { t.add_(1); }},
      {"mul_", [](const Tensor& t) { t.mul_(2); }},
      {"copy_", [](const Tensor& t) { t.copy_(scalar(1)); }},
      {"fill_", [](const Tensor& t) { t.fill_(1); }},
      {"zero_", [](const Tensor& t) { t.zero_(); }},
      {"+=", [](const Tensor& t) { t += 1; }},
      {"under NoGrad",
       [](const Tensor& t) {
         NoGrad guard;
         t.add_(1);
       }},
  };
  CHECK(views.size() >= 30);
  for (const auto& [view_name, view] : views)
    for (const auto& [write_name, write] : writes) {
      CAPTURE(view_name);
      CAPTURE(write_name);
      auto f = [&](const Tensor& x) {
        write(view(captured));
        return sum(x * 2);
      };
      constexpr const char* text = "that would mutate a captured Tensor";
      CHECK_THROWS_WITH_AS(grad(f)(value), Contains(text), TransformError);
      CHECK_THROWS_WITH_AS(jvp(f, primals(value), tangents(value)), Contains(text), TransformError);
      CHECK_THROWS_WITH_AS(vjp(f, value), Contains(text), TransformError);
      CHECK_THROWS_WITH_AS(vmap(grad(f))(value), Contains(text), TransformError);
      CHECK_THROWS_WITH_AS(jit(grad(f))(value), Contains(text), TransformError);
    }
  CHECK_SAME(captured, floats({1, 2, 3, 4}, {2, 2}));
}

TEST_CASE("writes inside jit, vmap and grad reach what they should") {
  Tensor log = zeros({2});
  auto f = [&](const Tensor& x) {
    log[0] += 1;  // captured, without lanes
    return sum(x * x);
  };
  vmap(f)(ones({3, 2}));
  CHECK_SAME(log, floats({1, 0}));
  jit(vmap(f))(ones({3, 2}));
  CHECK_SAME(log, floats({2, 0}));
  functionalize(f)(ones({2}));
  CHECK_SAME(log, floats({3, 0}));
  // An argument that is not differentiated is written back once, after the call.
  auto g = [](const Tensor& x, const Tensor& cache) {
    cache.slice(0, 0, 1).copy_(sum(x).reshape({1}));
    return sum(x * cache[0]);
  };
  Tensor cache = zeros({2}), x = floats({1, 2});
  CHECK_SAME(grad(g)(x, cache), floats({6, 6}));
  CHECK_SAME(cache, floats({3, 0}));
  Tensor caches = zeros({3, 2});
  vmap(grad(g), {.in_dims = {none, 0}})(x, caches);
  CHECK_SAME(caches, floats({3, 0, 3, 0, 3, 0}, {3, 2}));
}

TEST_CASE("writes where one element would be written twice") {
  Tensor x = ones({3});
  CHECK_THROWS_WITH_AS(x.expand({2, 3}).add_(1), Contains("more than one element of the written-to tensor"),
                       ShapeError);
  auto f = [](const Tensor& x) {
    Tensor y = x * 1;
    y.expand({2, 3}).add_(1);
    return sum(y);
  };
  CHECK_THROWS_WITH_AS(grad(f)(x), Contains("more than one element of the written-to tensor"), ShapeError);
  CHECK_THROWS_WITH_AS(functionalize(f)(x), Contains("more than one element of the written-to tensor"), ShapeError);
  CHECK_SAME(x, ones({3}));
}
