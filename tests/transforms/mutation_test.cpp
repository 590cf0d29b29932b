// Writes and views under transforms; acceptance cases by id.
#include <functional>
#include <string>
#include <utility>
#include <vector>

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

namespace {

// Every way to alias a 2 x 2 tensor: each view as a member and as a function, and chains of two.
const std::vector<std::pair<const char*, Tensor (*)(const Tensor&)>> kAliases = {
    {"itself", [](const Tensor& t) { return t; }},
    {"[]", [](const Tensor& t) { return t[0]; }},
    {"select", [](const Tensor& t) { return t.select(1, 0); }},
    {"select()", [](const Tensor& t) { return select(t, 0, 1); }},
    {"slice", [](const Tensor& t) { return t.slice(0, 0, 1); }},
    {"slice()", [](const Tensor& t) { return slice(t, 0, 0, 1); }},
    {"slice with a step", [](const Tensor& t) { return t.slice(1, 0, 2, 2); }},
    {"narrow", [](const Tensor& t) { return t.narrow(0, 1, 1); }},
    {"narrow()", [](const Tensor& t) { return narrow(t, 0, 1, 1); }},
    {"index",
     [](const Tensor& t) {
       return t.index({Slice(), 0});
     }},
    {"index()",
     [](const Tensor& t) {
       return index(t, {None, Ellipsis});
     }},
    {"transpose", [](const Tensor& t) { return t.transpose(0, 1); }},
    {"transpose()", [](const Tensor& t) { return transpose(t, 0, 1); }},
    {"swapaxes", [](const Tensor& t) { return t.swapaxes(0, 1); }},
    {"swapaxes()", [](const Tensor& t) { return swapaxes(t, 0, 1); }},
    {"swapdims", [](const Tensor& t) { return t.swapdims(0, 1); }},
    {"swapdims()", [](const Tensor& t) { return swapdims(t, 0, 1); }},
    {"t", [](const Tensor& t) { return t.t(); }},
    {"t()", [](const Tensor& x) { return t(x); }},
    {"mT", [](const Tensor& t) { return t.mT(); }},
    {"mT()", [](const Tensor& t) { return mT(t); }},
    {"permute",
     [](const Tensor& t) {
       return t.permute({1, 0});
     }},
    {"permute()",
     [](const Tensor& t) {
       return permute(t, {1, 0});
     }},
    {"movedim", [](const Tensor& t) { return t.movedim(0, 1); }},
    {"movedim()", [](const Tensor& t) { return movedim(t, 0, 1); }},
    {"moveaxis", [](const Tensor& t) { return t.moveaxis(0, 1); }},
    {"moveaxis()", [](const Tensor& t) { return moveaxis(t, 0, 1); }},
    {"view", [](const Tensor& t) { return t.view({4}); }},
    {"view()", [](const Tensor& t) { return view(t, {4}); }},
    {"view_as",
     [](const Tensor& t) {
       return t.view_as(zeros({4, 1}));
     }},
    {"view_as()",
     [](const Tensor& t) {
       return view_as(t, zeros({4, 1}));
     }},
    {"reshape",
     [](const Tensor& t) {
       return t.reshape({4, 1});
     }},
    {"reshape()", [](const Tensor& t) { return reshape(t, {4}); }},
    {"reshape_as", [](const Tensor& t) { return t.reshape_as(zeros({4})); }},
    {"reshape_as()", [](const Tensor& t) { return reshape_as(t, zeros({4})); }},
    {"flatten", [](const Tensor& t) { return t.flatten(); }},
    {"flatten()", [](const Tensor& t) { return flatten(t); }},
    {"ravel", [](const Tensor& t) { return t.ravel(); }},
    {"ravel()", [](const Tensor& t) { return ravel(t); }},
    {"unflatten",
     [](const Tensor& t) {
       return t.unflatten(1, {2, 1});
     }},
    {"unflatten()",
     [](const Tensor& t) {
       return unflatten(t, 1, {2, 1});
     }},
    {"squeeze", [](const Tensor& t) { return t.slice(0, 0, 1).squeeze(0); }},
    {"squeeze()", [](const Tensor& t) { return squeeze(t); }},
    {"unsqueeze", [](const Tensor& t) { return t.unsqueeze(0); }},
    {"unsqueeze()", [](const Tensor& t) { return unsqueeze(t, 1); }},
    {"expand",
     [](const Tensor& t) {
       return t.expand({1, 2, 2});
     }},
    {"expand()",
     [](const Tensor& t) {
       return expand(t, {2, 2});
     }},
    {"expand_as",
     [](const Tensor& t) {
       return t.expand_as(zeros({1, 2, 2}));
     }},
    {"expand_as()",
     [](const Tensor& t) {
       return expand_as(t, zeros({2, 2}));
     }},
    {"broadcast_to",
     [](const Tensor& t) {
       return t.broadcast_to({1, 2, 2});
     }},
    {"broadcast_to()",
     [](const Tensor& t) {
       return broadcast_to(t, {2, 2});
     }},
    {"diagonal", [](const Tensor& t) { return t.diagonal(); }},
    {"diagonal()", [](const Tensor& t) { return diagonal(t, 1); }},
    {"split", [](const Tensor& t) { return t.split(1)[0]; }},
    {"split()", [](const Tensor& t) { return split(t, 1)[1]; }},
    {"split sizes",
     [](const Tensor& t) {
       return t.split({1, 1}, 1)[1];
     }},
    {"split() sizes", [](const Tensor& t) { return split(t, Shape{2})[0]; }},
    {"tensor_split", [](const Tensor& t) { return t.tensor_split(2)[1]; }},
    {"tensor_split()", [](const Tensor& t) { return tensor_split(t, Shape{1}, 1)[0]; }},
    {"chunk", [](const Tensor& t) { return t.chunk(2, 1)[1]; }},
    {"chunk()", [](const Tensor& t) { return chunk(t, 2)[0]; }},
    {"unbind", [](const Tensor& t) { return t.unbind()[1]; }},
    {"unbind()", [](const Tensor& t) { return unbind(t, 1)[0]; }},
    {"unfold", [](const Tensor& t) { return t.unfold(0, 1, 1); }},
    {"unfold()", [](const Tensor& t) { return unfold(t, 1, 2, 1); }},
    {"as_strided", [](const Tensor& t) { return t.as_strided({2}, {2}, 1); }},
    {"as_strided()",
     [](const Tensor& t) {
       return as_strided(t, {2, 2}, {1, 2});
     }},
    {"detach", [](const Tensor& t) { return t.detach(); }},
    {"detach()", [](const Tensor& t) { return detach(t); }},
    {"stop_gradient()", [](const Tensor& t) { return stop_gradient(t); }},
    {"contiguous", [](const Tensor& t) { return t.contiguous(); }},
    {"to its own dtype", [](const Tensor& t) { return t.to(t.dtype()); }},
    {"select of t", [](const Tensor& t) { return t.t()[0]; }},
    {"slice of transpose", [](const Tensor& t) { return t.transpose(0, 1).slice(1, 0, 1); }},
    {"view of slice",
     [](const Tensor& t) {
       return t.slice(0, 0, 1).view({2, 1});
     }},
    {"diagonal of unsqueeze", [](const Tensor& t) { return t.unsqueeze(0).diagonal(0, 1, 2); }},
    {"select of expand",
     [](const Tensor& t) {
       return t.expand({3, 2, 2})[2];
     }},
    {"select of unfold", [](const Tensor& t) { return t.view({4}).unfold(0, 3, 1)[1]; }},
    {"as_strided of select",
     [](const Tensor& t) {
       return t[1].as_strided({1, 2}, {2, 1});
     }},
    {"permute of unflatten",
     [](const Tensor& t) {
       return t.ravel().unflatten(0, {2, 2}).permute({1, 0});
     }},
    {"unsqueeze of detach", [](const Tensor& t) { return t.detach().unsqueeze(-1); }},
};

const Tensor kTrue = tensor(true);  // masks that select are read: not inside jit

const std::vector<std::pair<const char*, void (*)(const Tensor&)>> kWrites = {
    {"copy_", [](const Tensor& t) { t.copy_(scalar(1)); }},
    {"add_", [](const Tensor& t) { t.add_(1); }},
    {"mul_", [](const Tensor& t) { t.mul_(2); }},
    {"fill_", [](const Tensor& t) { t.fill_(1); }},
    {"zero_", [](const Tensor& t) { t.zero_(); }},
    {"sin_", [](const Tensor& t) { t.sin_(); }},
    {"relu_", [](const Tensor& t) { t.relu_(); }},
    {"pow_", [](const Tensor& t) { t.pow_(2); }},
    {"clamp_", [](const Tensor& t) { t.clamp_(0, 1); }},
    {"lt_", [](const Tensor& t) { t.lt_(1); }},
    {"logical_not_", [](const Tensor& t) { t.logical_not_(); }},
    {"masked_fill_", [](const Tensor& t) { t.masked_fill_(tensor(true), 1); }},
    {"masked_scatter_", [](const Tensor& t) { t.masked_scatter_(kTrue, ones({4})); }},
    {"index_put_", [](const Tensor& t) { t.index_put_({tensor({0})}, 1); }},
    {"index_add_", [](const Tensor& t) { t.index_add_(0, tensor({0}), ones_like(t.slice(0, 0, 1))); }},
    {"index_copy_", [](const Tensor& t) { t.index_copy_(0, tensor({0}), ones_like(t.slice(0, 0, 1))); }},
    {"index_fill_", [](const Tensor& t) { t.index_fill_(0, tensor({0}), 1); }},
    {"scatter_", [](const Tensor& t) { t.scatter_(0, zeros_like(t).to(i64), 1); }},
    {"scatter_add_", [](const Tensor& t) { t.scatter_add_(0, zeros_like(t).to(i64), t * 1); }},
    {"+=", [](const Tensor& t) { t += 1; }},
    {"assignment", [](const Tensor& t) { t[0] = 1; }},
    {"assignment by a mask", [](const Tensor& t) { t.index({kTrue.expand(t.shape())}) = 1; }},
    {"add_out", [](const Tensor& t) { add_out(t, t, 1); }},
    {"under NoGrad",
     [](const Tensor& t) {
       NoGrad guard;
       t.add_(1);
     }},
};

// f(x) runs this on a tensor that is captured.
using Effect = std::function<void()>;

// Each derivative of such an f, also inside or around other transforms, refuses.
void check_refused(const Effect& effect, bool all) {
  constexpr const char* text = "that would mutate a captured Tensor";
  Tensor value = ones({2, 2});
  auto f = [&](const Tensor& x) {
    effect();
    return sum(x * 2);
  };
  CHECK_THROWS_WITH_AS(grad(f)(value), Contains(text), TransformError);
  CHECK_THROWS_WITH_AS(jvp(f, primals(value), tangents(value)), Contains(text), TransformError);
  if (!all) return;
  CHECK_THROWS_WITH_AS(vjp(f, value), Contains(text), TransformError);
  CHECK_THROWS_WITH_AS(linearize(f, value), Contains(text), TransformError);
  CHECK_THROWS_WITH_AS(jacrev(f)(value), Contains(text), TransformError);
  CHECK_THROWS_WITH_AS(jacfwd(f)(value), Contains(text), TransformError);
  CHECK_THROWS_WITH_AS(hessian(f)(value), Contains(text), TransformError);
  CHECK_THROWS_WITH_AS(vmap(grad(f))(value), Contains(text), TransformError);
  CHECK_THROWS_WITH_AS(grad([&](const Tensor& x) { return sum(vmap(f)(x)); })(value), Contains(text), TransformError);
  CHECK_THROWS_WITH_AS(jit(grad(f))(value), Contains(text), TransformError);
  CHECK_THROWS_WITH_AS(functionalize(grad(f))(value), Contains(text), TransformError);
  CHECK_THROWS_WITH_AS(grad(functionalize(f))(value), Contains(text), TransformError);
}

}  // namespace

TEST_CASE("D51 every way to write to a captured tensor is refused, and writes nothing") {
  Tensor captured = floats({1, 2, 3, 4}, {2, 2});
  CHECK(kAliases.size() >= 30);
  for (const auto& [alias_name, alias] : kAliases) {
    CAPTURE(alias_name);
    for (const auto& [write_name, write] : kWrites) {
      CAPTURE(write_name);
      bool all = std::string(write_name) == "add_" || std::string(alias_name) == "itself";
      if (std::string(write_name) == "add_out" && all) continue;  // refused by vmap as such
      if (alias(captured).dim() == 0) continue;
      check_refused([&] { write(alias(captured)); }, all);
      // A view taken before the transform.
      Tensor view = alias(captured);
      if (all) check_refused([&] { write(view); }, false);
    }
  }
  CHECK_SAME(captured, floats({1, 2, 3, 4}, {2, 2}));
}

TEST_CASE("D51 temporaries of an outer function are captured too") {
  constexpr const char* text = "that would mutate a captured Tensor";
  Tensor x = ones({2, 2});
  for (const auto& [alias_name, alias] : kAliases) {
    CAPTURE(alias_name);
    auto outer = [&](const Tensor& x) {
      Tensor temporary = x * 3;
      auto inner = [&](const Tensor& y) {
        alias(temporary).add_(1);
        return sum(y * temporary);
      };
      return sum(grad(inner)(x));
    };
    CHECK_THROWS_WITH_AS(outer(x), Contains(text), TransformError);
    CHECK_THROWS_WITH_AS(grad(outer)(x), Contains(text), TransformError);
    CHECK_THROWS_WITH_AS(vmap(outer)(stack({x, x})), Contains(text), TransformError);
    CHECK_THROWS_WITH_AS(jit(outer)(x), Contains(text), TransformError);
    CHECK_THROWS_WITH_AS(functionalize(outer)(x), Contains(text), TransformError);
    // The outer function may write it itself, also between inner derivatives.
    auto allowed = [&](const Tensor& x) {
      Tensor temporary = x * 3;
      auto inner = [&](const Tensor& y) { return sum(y * temporary); };
      Tensor before = grad(inner)(x);
      alias(temporary).mul_(2);
      return sum(grad(inner)(x) - before);  // 3 of each element that the alias shows
    };
    auto numbers = static_cast<float>(alias(ones({2, 2})).numel());
    CHECK_SAME(allowed(x), scalar(3 * numbers));
    CHECK_SAME(vmap(allowed)(stack({x, 2 * x}))[1], scalar(6 * numbers));
    CHECK_SAME(functionalize(allowed)(x), scalar(3 * numbers));
  }
}

TEST_CASE("B7 five cases of tangents through views and writes, forward and reverse, with lanes anywhere") {
  // The functions write to their arguments: of differentiated ones to copies.
  using F = std::function<Tensor(const Tensor&, const Tensor&)>;
  struct Case {
    const char* name;
    F f;
    Tensor (*pure)(const Tensor&, const Tensor&);
    bool by_x;  // the base is differentiated too, not only the written value
  };
  auto even = [](const Tensor& x) { return x.slice(1, 0, 4, 2); };
  const Case cases[] = {
      {"no view", [](const Tensor& x, const Tensor& y) { return x.copy_(y) * x; },
       [](const Tensor&, const Tensor& y) { return y * y; }, true},
      {"both, written through the view",
       [&](const Tensor& x, const Tensor& y) {
         Tensor view = even(x);
         view.copy_(even(y));
         return view.sum() * x;
       },
       [](const Tensor& x, const Tensor& y) {
         Tensor e = y.slice(1, 0, 4, 2), o = x.slice(1, 1, 4, 2);
         return sum(e) * stack({e, o}, 2).reshape({2, 4});
       },
       true},
      {"both, the base written after the view was taken",
       [](const Tensor& x, const Tensor& y) {
         Tensor view = x[0].slice(0, 0, 4, 2);
         x.copy_(y);
         return view * view;
       },
       [](const Tensor&, const Tensor& y) { return square(y[0].slice(0, 0, 4, 2)); }, true},
      {"only the value, the base written",
       [](const Tensor& x, const Tensor& y) {
         Tensor view = x[0].slice(0, 0, 4, 2);
         x.copy_(y);
         return view * 3;
       },
       [](const Tensor&, const Tensor& y) { return y[0].slice(0, 0, 4, 2) * 3; }, false},
      {"only the value, the view written",
       [](const Tensor& x, const Tensor& y) {
         Tensor view = x[0].slice(0, 0, 4, 2);
         view.copy_(y[1].slice(0, 0, 2));
         return x * x;
       },
       [](const Tensor& x, const Tensor& y) {
         Tensor first = stack({y[1].slice(0, 0, 2), x[0].slice(0, 1, 4, 2)}, 1).reshape({1, 4});
         return square(cat({first, x.slice(0, 1)}));
       },
       false},
  };
  Tensor x = doubles({1, 2, 3, 4, 5, 6, 7, 8}, {2, 4}), y = doubles({3, -1, 4, -1, 5, -9, 2, -6}, {2, 4});
  Tensor dx = doubles({1, 0, -1, 2, 3, 1, 0, 5}, {2, 4}), dy = doubles({2, 7, 1, -8, 2, 8, 1, 8}, {2, 4});
  Tensor xs = stack({x, 2 * x, -x}, 1), ys = stack({y, y + 1, 3 * y}, 2);
  for (const Case& c : cases) {
    CAPTURE(c.name);
    Tensor a = x.clone(), b = y.clone();
    if (c.by_x) {
      auto [out, tangent] = jvp(c.f, primals(a, b), tangents(dx, dy));
      auto [want, slope] = jvp(c.pure, primals(a, b), tangents(dx, dy));
      CHECK_SAME(out, want);
      CHECK_SAME(tangent, slope);
      auto [jx, jy] = jacrev<argnums(0, 1)>(c.f)(a, b);
      auto [px, py] = jacfwd<argnums(0, 1)>(c.pure)(a, b);
      CHECK_SAME(jx, px);
      CHECK_SAME(jy, py);
      CHECK_SAME(a, x);  // the caller's primals are never written
      auto lanes = [&](const Tensor& x, const Tensor& y) { return jvp(c.f, primals(x, y), tangents(x, y)).second; };
      Tensor got = vmap(lanes, {.in_dims = {1, 2}})(xs, ys);
      for (int64_t i = 0; i < 3; ++i) CHECK_SAME(got[i], lanes(xs.select(1, i), ys.select(2, i)));
    } else {
      auto by_y = [&](const Tensor& y) { return c.f(a.clone(), y); };
      auto pure = [&](const Tensor& y) { return c.pure(a, y); };
      CHECK_SAME(jvp(by_y, primals(b), tangents(dy)).second, jvp(pure, primals(b), tangents(dy)).second);
      CHECK_SAME(jacrev(by_y)(b), jacfwd(pure)(b));
    }
    // The base as an argument that is not differentiated: written back once, after the call.
    Tensor base = x.clone(), written = x.clone();
    c.f(written, y);
    auto loss = [&](const Tensor& x, const Tensor& y) { return sum(c.f(x, y)); };
    auto pure_loss = [&](const Tensor& x, const Tensor& y) { return sum(c.pure(x, y)); };
    CHECK_SAME(grad<argnum(1)>(loss)(base, y), grad<argnum(1)>(pure_loss)(x, y));
    CHECK_SAME(base, written);
    Tensor bases = xs.clone();
    Tensor got = vmap(grad<argnum(1)>(loss), {.in_dims = {1, 2}, .out_dims = 2})(bases, ys);
    for (int64_t i = 0; i < 3; ++i) {
      Tensor lane = xs.select(1, i).clone();
      CHECK_SAME(got.select(2, i), grad<argnum(1)>(pure_loss)(xs.select(1, i), ys.select(2, i)));
      c.f(lane, ys.select(2, i));
      CHECK_SAME(bases.select(1, i), lane);
    }
  }
}

TEST_CASE("B17 who may write what") {
  Tensor x = doubles({1, 2, 3}), v = doubles({10, 20, 30});
  auto total = [](const Tensor& t) { return sum(t * t); };
  {  // made inside: everywhere; takes lanes
    auto f = [&](const Tensor& x) {
      Tensor made = zeros({3}, f64);
      made.add_(x);
      return total(made);
    };
    CHECK_SAME(grad(f)(x), 2 * x);
    CHECK_SAME(jvp(f, primals(x), tangents(v)).second, sum(2 * x * v));
    CHECK_SAME(vmap(f)(stack({x, v})), stack({total(x), total(v)}));
    CHECK_SAME(vmap(grad(f))(stack({x, v})), 2 * stack({x, v}));
    CHECK_SAME(grad([&](const Tensor& x) { return sum(vmap(f)(x)); })(stack({x, v})), 2 * stack({x, v}));
    CHECK_SAME(functionalize(f)(x), total(x));
    CHECK_SAME(jit(f)(x), total(x));
  }
  {  // captured: once where there is no derivative and no lane in the value
    Tensor captured = zeros({3}, f64);
    auto f = [&](const Tensor& x) {
      captured.add_(v);
      return x * 2;
    };
    vmap(f)(stack({x, x, x}));
    CHECK_SAME(captured, v);
    functionalize(f)(x);
    CHECK_SAME(captured, 2 * v);
    auto compiled = jit(f);
    compiled(x);
    compiled(x);
    CHECK_SAME(captured, 4 * v);
    vmap(vmap(f))(ones({2, 2, 3}, f64));
    CHECK_SAME(captured, 5 * v);
    auto lanes = [&](const Tensor& x) {
      captured.add_(x);
      return x * 2;
    };
    constexpr const char* text = "in-place add_ is not possible: it writes a value with lanes to a captured tensor";
    CHECK_THROWS_WITH_AS(vmap(lanes)(stack({x, x})), Contains(text), TransformError);
    CHECK_THROWS_WITH_AS(jit(vmap(lanes))(stack({x, x})), Contains(text), TransformError);
    CHECK_THROWS_AS(grad([&](const Tensor& x) { return sum(f(x)); })(x), TransformError);
    CHECK_SAME(captured, 5 * v);
  }
  {  // a differentiated argument: a copy; any other: once, after the call
    auto f = [&](const Tensor& a, const Tensor& b) {
      a.mul_(3);
      b.add_(a);
      b[0] = 7;
      return total(a) + sum(b);
    };
    Tensor a = x.clone(), b = v.clone(), after = v + 3 * x;
    after[0] = 7;
    CHECK_SAME(grad(f)(a, b), 18 * x + doubles({0, 3, 3}));
    CHECK_SAME(a, x);
    CHECK_SAME(b, after);
    auto [ga, gb] = grad<argnums(0, 1)>(f)(a, b);
    CHECK_SAME(gb, doubles({0, 1, 1}));
    CHECK_SAME(a, x);
    CHECK_SAME(b, after);
    jvp(f, primals(a, b), tangents(a, b));
    vjp(f, a, b);
    CHECK_SAME(a, x);
    CHECK_SAME(b, after);
    Tensor as = stack({x, 2 * x}), bs = stack({v, v}, 1);
    vmap(f, {.in_dims = {0, 1}})(as, bs);
    CHECK_SAME(as, 3 * stack({x, 2 * x}));
    CHECK_SAME(bs.select(1, 0), after);
    Tensor kept = stack({x, 2 * x});
    CHECK_THROWS_WITH_AS(vmap(f, {.in_dims = {0, none}})(kept, b),
                         Contains("in-place add_ is not possible: it writes a value with lanes to argument 1"),
                         TransformError);
    CHECK_SAME(kept, stack({x, 2 * x}));
    CHECK_SAME(b, after);
    for (int way = 0; way < 3; ++way) {
      Tensor p = x.clone(), q = v.clone();
      way == 0 ? (void)f(p, q) : way == 1 ? (void)jit(f)(p, q) : (void)functionalize(f)(p, q);
      CHECK_SAME(p, 3 * x);
      CHECK_SAME(q, after);
    }
  }
}

TEST_CASE("a view that is constant to derivatives: what is written through it is constant") {
  auto f = [](const Tensor& x) {
    Tensor y = x * 2;
    y.slice(0, 0, 1).detach().mul_(x[1]);
    return sum(y * y);
  };
  Tensor x = doubles({1, 2, 3});
  CHECK_SAME(f(x), tensor(16.0 + 16 + 36, f64));
  CHECK_SAME(grad(f)(x), doubles({0, 16, 24}));
  CHECK_SAME(jvp(f, primals(x), tangents(ones({3}, f64))).second, tensor(40.0, f64));
  // Under NoGrad the value that is written is constant; what it is added to is not.
  auto g = [](const Tensor& x) {
    Tensor y = x * 2;
    {
      NoGrad guard;
      y.add_(x);
    }
    return sum(y * y);
  };
  CHECK_SAME(grad(g)(x), 12 * x);
}

TEST_CASE("arguments and captured tensors that share memory") {
  Tensor x = doubles({1, 2});
  auto f = [](const Tensor& x, const Tensor& a, const Tensor& b) {
    a.add_(1);
    b.mul_(10);
    return sum(x * a[0]) + sum(b) * 0;
  };
  // Not differentiated: one storage, as outside.
  Tensor z = doubles({1, 2}), same = doubles({1, 2});
  CHECK_SAME(grad(f)(x, z, z.slice(0, 0, 1)), doubles({20, 20}));
  CHECK_SAME(z, doubles({20, 3}));
  grad(f)(x, same, same);
  CHECK_SAME(same, doubles({20, 30}));
  jvp([&](const Tensor& x) { return functionalize(f)(x, same.clone(), same.clone()); }, primals(x), tangents(x));
  // Differentiated ones are copies, each of its own.
  auto g = [](const Tensor& a, const Tensor& b) {
    a.mul_(2);
    return sum(a * b);
  };
  auto [ga, gb] = grad<argnums(0, 1)>(g)(x, x);
  CHECK_SAME(ga, 2 * x);
  CHECK_SAME(gb, 2 * x);
  // Overlap in part, three ways.
  auto h = [](const Tensor& a, const Tensor& b, const Tensor& c) {
    a.add_(1);
    b.mul_(2);
    c.copy_(a.slice(0, 0, 2) * 1);
    return cat({a, b, c});
  };
  for (bool pure : {false, true}) {
    Tensor base = doubles({1, 2, 3, 4, 5, 6});
    auto run = [&](const Tensor& a, const Tensor& b, const Tensor& c) {
      return pure ? functionalize(h, {.remove = Remove::mutations_and_views})(a, b, c) : h(a, b, c);
    };
    Tensor out = run(base.slice(0, 0, 4), base.slice(0, 2, 6, 2), base.slice(0, 4));
    CHECK_SAME(base, doubles({2, 3, 8, 5, 2, 3}));
    CHECK_SAME(out, doubles({2, 3, 8, 5, 8, 2, 2, 3}));
  }
  // Lanes of one view; lanes of two views that overlap; lanes apart.
  auto m = [](const Tensor& a, const Tensor& b) {
    a.add_(1);
    return b * 1;
  };
  Tensor w = doubles({1, 2, 3, 4}, {2, 2});
  CHECK_SAME(vmap(m)(w, w), doubles({2, 3, 4, 5}, {2, 2}));
  CHECK_SAME(w, doubles({2, 3, 4, 5}, {2, 2}));
  CHECK_THROWS_WITH_AS(vmap(m, {.in_dims = {0, 1}})(w, w), Contains("shares memory with another"), TransformError);
  CHECK_THROWS_WITH_AS(vmap(m)(w, w.slice(1, 1)), Contains("shares memory with another"), TransformError);
  CHECK_SAME(w, doubles({2, 3, 4, 5}, {2, 2}));
  CHECK_SAME(vmap(m)(w.select(1, 0), w.select(1, 1)), doubles({3, 5}));
  CHECK_SAME(w, doubles({3, 3, 5, 5}, {2, 2}));
  // A captured tensor that is an argument too.
  auto reads = [&](const Tensor& a) {
    Tensor before = w[0][0] * 1;
    a.add_(1);
    return before + w[0][0];
  };
  auto writes = [&](const Tensor& a) {
    w[0].add_(1);
    return a * 1;
  };
  constexpr const char* text = "that shares memory with argument 0";
  CHECK_THROWS_WITH_AS(functionalize(reads)(w), Contains(text), TransformError);
  CHECK_THROWS_WITH_AS(vmap(reads)(w), Contains(text), TransformError);
  auto compiled = jit(reads);
  CHECK_SAME(compiled(w.clone()), 2 * w[0][0]);
  CHECK_THROWS_WITH_AS(compiled(w), Contains(text), TransformError);  // not what was recorded for two tensors
  CHECK_SAME(compiled(w.clone()), 2 * w[0][0]);
  CHECK_EQ(compiled.cache_info().hits, 1);
  CHECK_THROWS_WITH_AS(functionalize(writes)(w), Contains(text), TransformError);
  CHECK_SAME(functionalize(writes)(w[1]), doubles({5, 5}));  // another part
  CHECK_SAME(w, doubles({4, 4, 5, 5}, {2, 2}));
  auto differentiated = [&](const Tensor& a) {
    a.add_(1);
    return sum(a * w);
  };
  CHECK_SAME(grad(differentiated)(w), w);
}

// Rows 0 to 2 of the even columns; rows 1 to 3 of the odd, and of the even ones: of the range of the first in memory
// both lie inside, but only the last shares elements with it.
TEST_CASE("Of strided views of one tensor what counts is whether elements are shared") {
  auto matrix = [] {
    std::vector<double> v(24);
    for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i);
    return doubles(v, {4, 6});
  };
  auto part = [](const Tensor& w, int64_t row, int64_t column) {
    return w.slice(0, row, row + 3).slice(1, column, 6, 2);
  };
  auto write = [](const Tensor& a, const Tensor& b) {
    a.add_(100);
    return b * 1;
  };
  for (int64_t column : {1, 0}) {
    CAPTURE(column);
    const bool shared = column == 0;
    Tensor plain = matrix();
    Tensor seen = write(part(plain, 0, 0), part(plain, 1, column));
    CHECK_EQ(seen[0][0].item<double>(), shared ? 106 : 7);

    Tensor w = matrix();
    Tensor a = part(w, 0, 0), b = part(w, 1, column);
    auto jitted = jit(write);
    for (int call = 0; call < 2; ++call) {  // the other pair of the same shapes and strides first
      Tensor v = matrix();
      jitted(part(v, 0, 0), part(v, 1, 1 - column));
      Tensor u = matrix();
      CHECK_SAME(jitted(part(u, 0, 0), part(u, 1, column)), seen);
      CHECK_SAME(u, plain);
    }
    CHECK_EQ(jitted.cache_info().misses, 2);
    CHECK_SAME(functionalize(write)(a, b), seen);
    CHECK_SAME(w, plain);

    Tensor given = matrix(), expected = matrix();
    add_out(part(given, 0, 0), part(given, 1, column), 1);
    part(expected, 0, 0).copy_((part(expected, 1, column) + 1).clone());
    CHECK_SAME(given, expected);

    auto reads = [&](const Tensor& x) {
      x.add_(100);
      return x + b;
    };
    auto writes = [&](const Tensor& x) {
      b.add_(100);
      return x + b;
    };
    const std::vector<std::function<Tensor(const Tensor&)>> all = {functionalize(reads),  jit(reads),  vmap(reads),
                                                                   functionalize(writes), jit(writes), vmap(writes)};
    for (const auto& transformed : all) {
      if (shared)
        CHECK_THROWS_WITH_AS(transformed(a), Contains("that shares memory with argument 0"), TransformError);
      else
        CHECK_NOTHROW(transformed(a).eval());
    }
    if (shared)
      CHECK_THROWS_WITH_AS(vmap(write)(a, b), Contains("shares memory with another"), TransformError);
    else
      CHECK_SAME(vmap(write)(a, b), b);
  }
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

// Each transform of f does to the tensor behind a view, and returns, what f does.
TEST_CASE("arguments that are not contiguous: what copies and what aliases depends on the layout as outside") {
  using F = std::function<Tensor(const Tensor&)>;
  const std::vector<std::pair<const char*, F>> functions = {
      {"reshape",
       [](const Tensor& b) {
         b.reshape({-1}).add_(1);
         return b * 1;
       }},
      {"contiguous",
       [](const Tensor& b) {
         b.contiguous().add_(1);
         return b * 1;
       }},
      {"flatten of a transpose",
       [](const Tensor& b) {
         b.transpose(0, -1).flatten().mul_(2).add_(1);
         return b * 1;
       }},
      {"of a part",
       [](const Tensor& b) {
         b[0].reshape({-1}).add_(3);
         b.select(-1, 1).contiguous().add_(5);
         return b * 1;
       }},
      {"through an alias",
       [](const Tensor& b) {
         Tensor r = b.reshape({-1});
         b.mul_(10);
         r.add_(1);
         return r + b.sum();
       }},
      {"part of a repeated view",
       [](const Tensor& b) {
         b.unfold(0, 2, 1).select(0, 0).add_(7);
         b.unsqueeze(0).expand({2, b.size(0), b.size(1)})[1].mul_(2);
         return b * 1;
       }},
      {"layout of a result", [](const Tensor& b) { return b.reshape({-1}); }},
  };
  const std::vector<std::pair<const char*, F>> views = {
      {"whole", [](const Tensor& t) { return t; }},
      {"t", [](const Tensor& t) { return t.t(); }},
      {"rows", [](const Tensor& t) { return t.slice(0, 1, 3); }},
      {"columns", [](const Tensor& t) { return t.slice(1, 1, 3); }},
      {"every second", [](const Tensor& t) { return t.slice(1, 0, 4, 2); }},
      {"every second row", [](const Tensor& t) { return t.slice(0, 0, 4, 2); }},
      {"columns, t", [](const Tensor& t) { return t.slice(1, 1, 3).t(); }},
  };
  const std::vector<std::pair<const char*, std::function<F(F)>>> transforms = {
      {"jit", [](F f) -> F { return jit(f); }},
      {"jit, twice", [](F f) -> F { return [j = jit(f)](const Tensor& x) { return j(x * 1), j(x); }; }},
      {"functionalize", [](F f) -> F { return functionalize(f); }},
      {"functionalize without views",
       [](F f) -> F { return functionalize(f, {.remove = Remove::mutations_and_views}); }},
      {"functionalize twice", [](F f) -> F { return functionalize(functionalize(f)); }},
      {"jit of functionalize", [](F f) -> F { return jit(functionalize(f)); }},
      {"one lane", [](F f) -> F { return [f](const Tensor& x) { return vmap(f)(x.unsqueeze(0)).squeeze(0); }; }},
  };
  auto values = [] { return arange(16, f64).reshape({4, 4}).clone(); };
  for (const auto& [what, f] : functions)
    for (const auto& [how, view] : views)
      for (const auto& [name, transform] : transforms) {
        CAPTURE(what);
        CAPTURE(how);
        CAPTURE(name);
        Tensor x = values(), y = values();
        Tensor want = f(view(x)), got = transform(f)(view(y));
        CHECK_SAME(got, want);
        CHECK_SAME(y, x);
        if (std::string(name) != "functionalize" && std::string(name) != "functionalize twice") continue;
        // A result shows the argument if it does outside.
        want.add_(1);
        got.add_(1);
        CHECK_SAME(y, x);
      }
  // Arguments of derivatives have the layout, too; these are not differentiated.
  for (const auto& [what, f] : functions)
    for (const auto& [how, view] : views) {
      CAPTURE(what);
      CAPTURE(how);
      Tensor x = values(), y = values(), one = tensor(1.0, f64);
      Tensor want = f(view(x)).sum();
      CHECK_SAME(grad([&f = f](const Tensor& s, const Tensor& b) { return (f(b) * s).sum(); })(one, view(y)), want);
      CHECK_SAME(y, x);
    }
  auto cube = [](const Tensor& b) {
    Tensor a = b;
    a.reshape({-1}).mul_(2);
    return (a * a * a).sum();
  };
  Tensor x = values();
  CHECK_SAME(grad(cube)(x), 24 * x * x);
  CHECK_SAME(grad(cube)(x.t()), 3 * x.t() * x.t());
  CHECK_SAME(jit(grad(cube))(x.t()), 3 * x.t() * x.t());
  CHECK_SAME(grad(jit(cube))(x.t()), 3 * x.t() * x.t());
  // Lanes as in a loop.
  auto flat = [](const Tensor& b) {
    b.reshape({-1}).add_(1);
    return b * 1;
  };
  for (int64_t dim : {0, 1, 2}) {
    Tensor a = arange(24, f64).reshape({2, 3, 4}).clone(), b = a.clone();
    Tensor got = vmap(flat, {.in_dims = {dim}})(a);
    for (int64_t i = 0; i < b.size(dim); ++i) CHECK_SAME(got[i], flat(b.select(dim, i)));
    CHECK_SAME(a, b);
    CHECK_EQ(bool((a == arange(24, f64).reshape({2, 3, 4})).all().item<bool>()), dim == 1);
  }
}

TEST_CASE("arguments that are not contiguous: what is refused") {
  Tensor x = arange(12, f64).reshape({3, 4}).clone();
  auto viewed = [](const Tensor& b) { return b.view({12}); };
  auto strided = [](const Tensor& b) { return b.as_strided({2}, {1}); };
  CHECK_SAME(jit(viewed)(x), arange(12, f64));
  CHECK_THROWS_WITH_AS(viewed(x.t()), Contains("is not compatible with input tensor's size and stride"), ShapeError);
  CHECK_THROWS_WITH_AS(jit(viewed)(x.t()), Contains("is not compatible with input tensor's size and stride"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(functionalize(viewed)(x.t()), Contains("is not compatible with input tensor's size and stride"),
                       ShapeError);
  // What lies between the elements is not part of the argument.
  CHECK_SAME(jit(strided)(x[1]), doubles({4, 5}));
  CHECK_SAME(x[1].as_strided({2}, {1}, 0), doubles({0, 1}));
  CHECK_SAME(jit([](const Tensor& row) { return row.as_strided({2}, {1}, 0); })(x[1]), doubles({4, 5}));
  CHECK_SAME(compile(viewed, x.t())(x.t()), x.t().reshape({12}));
  CHECK_THROWS_WITH_AS(jit(strided)(x.t()),
                       Contains("[as_strided] of an argument of a transform that is not contiguous"), TransformError);
  CHECK_THROWS_WITH_AS(functionalize([&](const Tensor& b) { return functionalize(strided)(b); })(x.t()),
                       Contains("[as_strided] of an argument of a transform that is not contiguous"), TransformError);
  // Elements that are one in memory.
  auto add = [](const Tensor& b) { return b.add_(1); };
  Tensor row = x[0];
  for (const auto& f : {std::function<Tensor(const Tensor&)>(jit(add)), {functionalize(add)}})
    CHECK_THROWS_WITH_AS(f(row.expand({2, 4})), Contains("more than one element of the written-to tensor"), ShapeError);
  CHECK_SAME(x, arange(12, f64).reshape({3, 4}));
}

TEST_CASE("jit: one recording for each layout, whatever the offset, and for all that is contiguous") {
  auto f = jit([](const Tensor& b) { return b.contiguous() + 1; });
  Tensor x = arange(12, f64).reshape({3, 4}).clone(), wide = zeros({3, 6}, f64);
  for (int64_t i = 0; i < 3; ++i) CHECK_SAME(f(x[i].slice(0, 0, 3)), x[i].slice(0, 0, 3) + 1);
  CHECK_SAME(f(doubles({1, 2, 3})), doubles({2, 3, 4}));
  CHECK_EQ(f.cache_info().entries, 1);
  for (int64_t i = 0; i < 4; ++i) CHECK_SAME(f(x.select(1, i)), x.select(1, i) + 1);
  CHECK_EQ(f.cache_info().entries, 2);
  CHECK_SAME(f(wide.select(1, 5)), doubles({1, 1, 1}));
  CHECK_EQ(f.cache_info().entries, 3);
}

TEST_CASE("jit: arguments on one storage are told apart by its shape") {
  auto f = jit([](const Tensor& a, const Tensor& b) {
    a.add_(1);
    return a + b;
  });
  for (int64_t rows : {2, 5, 3, 2}) {
    Tensor x = zeros({rows, 3}, f64), want = zeros({rows, 3}, f64);
    want[0] = 1;
    CHECK_SAME(f(x[0], x[1]), ones({3}, f64));
    CHECK_SAME(x, want);
  }
  CHECK_EQ(f.cache_info().entries, 3);
}
