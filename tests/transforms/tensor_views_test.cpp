// Views share elements, writes through one are seen through all; outside and inside transforms.
#include <functional>

#include "check.h"

using namespace jot;
using namespace jot::test;

namespace {

struct View {
  const char* name;
  Tensor (*make)(const Tensor&);  // of a 3 x 4 matrix
};
const View kViews[] = {
    {"itself", [](const Tensor& x) { return x; }},
    {"select 0", [](const Tensor& x) { return x.select(0, 1); }},
    {"select -1", [](const Tensor& x) { return x.select(-1, -2); }},
    {"[]", [](const Tensor& x) { return x[2]; }},
    {"[][]", [](const Tensor& x) { return x[2][1]; }},
    {"slice", [](const Tensor& x) { return x.slice(1, 1, 3); }},
    {"slice step", [](const Tensor& x) { return x.slice(1, 0, none, 2); }},
    {"slice both", [](const Tensor& x) { return x.slice(0, 1).slice(1, -3, -1); }},
    {"empty slice", [](const Tensor& x) { return x.slice(1, 3, 1); }},
    {"narrow", [](const Tensor& x) { return x.narrow(0, 1, 2); }},
    {"transpose", [](const Tensor& x) { return x.transpose(0, 1); }},
    {"t", [](const Tensor& x) { return x.t(); }},
    {"permute",
     [](const Tensor& x) {
       return x.permute({1, 0});
     }},
    {"movedim", [](const Tensor& x) { return x.movedim(0, -1); }},
    {"view",
     [](const Tensor& x) {
       return x.view({2, 6});
     }},
    {"reshape", [](const Tensor& x) { return x.reshape({-1}); }},
    {"flatten", [](const Tensor& x) { return x.flatten(); }},
    {"unsqueeze", [](const Tensor& x) { return x.unsqueeze(1); }},
    {"squeeze", [](const Tensor& x) { return x.slice(0, 1, 2).squeeze(0); }},
    {"expand of 1",
     [](const Tensor& x) {
       return x.expand({1, 3, 4});
     }},
    {"diagonal", [](const Tensor& x) { return x.diagonal(); }},
    {"diagonal 1", [](const Tensor& x) { return x.diagonal(1); }},
    {"diagonal -2", [](const Tensor& x) { return x.diagonal(-2); }},
    {"diagonal of t", [](const Tensor& x) { return x.t().diagonal(-1); }},
    {"diagonal past", [](const Tensor& x) { return x.diagonal(7); }},
    {"detach", [](const Tensor& x) { return x.detach(); }},
    {"split", [](const Tensor& x) { return x.split(2)[1]; }},
    {"chunk", [](const Tensor& x) { return x.chunk(2, 1)[0]; }},
    {"unbind", [](const Tensor& x) { return x.unbind(1)[3]; }},
    {"index",
     [](const Tensor& x) {
       return x.index({Slice(0, 2), None, Slice(None, None, 3)});
     }},
    {"index int",
     [](const Tensor& x) {
       return x.index({Ellipsis, -1});
     }},
    {"t of slice of t", [](const Tensor& x) { return x.t().slice(0, 1, 4, 2).t(); }},
    {"swapaxes", [](const Tensor& x) { return x.swapaxes(0, 1); }},
    {"swapdims", [](const Tensor& x) { return swapdims(x, 1, 0); }},
    {"moveaxis", [](const Tensor& x) { return moveaxis(x, 0, 1); }},
    {"mT", [](const Tensor& x) { return x.mT(); }},
    {"ravel", [](const Tensor& x) { return x.ravel(); }},
    {"unflatten",
     [](const Tensor& x) {
       return x.unflatten(1, {2, -1});
     }},
    {"unflatten of t",
     [](const Tensor& x) {
       return x.t().unflatten(0, {2, 2});
     }},
    {"view_as",
     [](const Tensor& x) {
       return x.view_as(zeros({4, 3}));
     }},
    {"split sizes",
     [](const Tensor& x) {
       return x.split({1, 0, 3}, 1)[2];
     }},
    {"tensor_split", [](const Tensor& x) { return x.tensor_split(3, 1)[0]; }},
    {"tensor_split at",
     [](const Tensor& x) {
       return x.tensor_split({1, 2}, 1)[1];
     }},
    {"unfold", [](const Tensor& x) { return x.unfold(1, 2, 2); }},
    {"unfold rows", [](const Tensor& x) { return x.unfold(0, 1, 2); }},
    {"unfold of t", [](const Tensor& x) { return x.t().slice(0, 0, none, 3).unfold(-2, 1, 1); }},
    {"one window", [](const Tensor& x) { return x.unfold(1, 3, 1).select(1, 1); }},
    {"every other window", [](const Tensor& x) { return x.unfold(1, 2, 1).slice(1, 0, none, 2); }},
    {"no window", [](const Tensor& x) { return x.unfold(1, 0, 3); }},
    {"as_strided",
     [](const Tensor& x) {
       return x.as_strided({2, 2}, {5, 2}, 1);
     }},
    {"as_strided dense",
     [](const Tensor& x) {
       return x.as_strided({3, 2}, {2, 1}, 4);
     }},
    {"as_strided of 0-d", [](const Tensor& x) { return x.as_strided({}, {}, 7); }},
    {"as_strided of a view",
     [](const Tensor& x) {
       return x[1].as_strided({2, 3}, {4, 1});
     }},
    {"as_strided detached",
     [](const Tensor& x) {
       return x.detach().as_strided({2, 2}, {1, 6});
     }},
    {"one of expand",
     [](const Tensor& x) {
       return x.expand({2, 3, 4})[1];
     }},
    {"row of expanded column",
     [](const Tensor& x) {
       return x.slice(1, 1, 2).expand({3, 5}).select(1, 4);
     }},
    {"view of transposed unsqueeze",
     [](const Tensor& x) {
       return x.unsqueeze(0).transpose(0, 1).view({3, 4});
     }},
};

Tensor base() { return arange(12, f64).reshape({3, 4}).clone().eval(); }

// Which elements of the base a view shows, found by reading it as a view of the positions.
std::vector<int64_t> positions(const View& v) { return v.make(arange(12).reshape({3, 4})).to_vector<int64_t>(); }

// The model: the elements of an array.
std::vector<double> with_written(const View& v, const std::function<double(double, size_t)>& f) {
  std::vector<double> expected(12);
  for (size_t i = 0; i < 12; ++i) expected[i] = static_cast<double>(i);
  size_t k = 0;
  for (int64_t p : positions(v)) expected[static_cast<size_t>(p)] = f(static_cast<double>(p), k++);
  return expected;
}

}  // namespace

TEST_CASE("what views show does not depend on how they are read") {
  for (const View& v : kViews) {
    CAPTURE(v.name);
    Tensor concrete = v.make(base());        // strides
    Tensor pending = v.make(base() + 0);     // of what is not evaluated
    Tensor recorded = v.make(base()) * 1.0;  // the op
    Tensor traced = jit([&](const Tensor& x) { return v.make(x).clone(); })(base());
    std::vector<double> expected;
    for (int64_t p : positions(v)) expected.push_back(static_cast<double>(p));
    for (const Tensor& t : {concrete, pending, recorded, traced}) {
      CHECK_EQ(t.shape(), concrete.shape());
      CHECK_EQ(t.to_vector<double>(), expected);
    }
  }
}

TEST_CASE("a write through a view reaches the base and every alias") {
  struct Write {
    const char* name;
    void (*run)(const Tensor&);
    double (*model)(double, size_t);
  };
  const Write writes[] = {
      {"add_", [](const Tensor& x) { x.add_(100); }, [](double v, size_t) { return v + 100; }},
      {"*=", [](const Tensor& x) { x *= 2.5; }, [](double v, size_t) { return v * 2.5; }},
      {"-=", [](const Tensor& x) { x -= ones({}, f32); }, [](double v, size_t) { return v - 1; }},
      {"/=", [](const Tensor& x) { x /= 4; }, [](double v, size_t) { return v / 4; }},
      {"fill_", [](const Tensor& x) { x.fill_(7); }, [](double, size_t) { return 7.0; }},
      {"zero_", [](const Tensor& x) { x.zero_(); }, [](double, size_t) { return 0.0; }},
      {"square_", [](const Tensor& x) { x.square_(); }, [](double v, size_t) { return v * v; }},
      {"neg_", [](const Tensor& x) { x.neg_(); }, [](double v, size_t) { return -v; }},
      {"clamp_", [](const Tensor& x) { x.clamp_(3, 8); },
       [](double v, size_t) { return std::min(8.0, std::max(3.0, v)); }},
      {"pow_", [](const Tensor& x) { x.pow_(3); }, [](double v, size_t) { return v * v * v; }},
      {"masked_fill_", [](const Tensor& x) { x.masked_fill_(x > 5, -1); },
       [](double v, size_t) { return v > 5 ? -1.0 : v; }},
      {"copy_", [](const Tensor& x) { x.copy_(arange(x.numel(), f32).reshape(x.shape())); },
       [](double, size_t k) { return static_cast<double>(k); }},
      {"logical_not_", [](const Tensor& x) { x.logical_not_(); }, [](double v, size_t) { return v == 0 ? 1.0 : 0.0; }},
      {"lt_", [](const Tensor& x) { x.lt_(5); }, [](double v, size_t) { return v < 5 ? 1.0 : 0.0; }},
      {"logical_and_", [](const Tensor& x) { x.logical_and_(x > 6); },
       [](double v, size_t) { return v > 6 ? 1.0 : 0.0; }},
      {"resize_ to itself", [](const Tensor& x) { x.resize_(x.shape()); }, [](double v, size_t) { return v; }},
      {"add_out", [](const Tensor& x) { add_out(x, x, 2); }, [](double v, size_t) { return v + 2; }},
      {"twice", [](const Tensor& x) { x.add_(1).mul_(2); }, [](double v, size_t) { return (v + 1) * 2; }},
      {"of itself", [](const Tensor& x) { x.add_(x * x); }, [](double v, size_t) { return v + v * v; }},
  };
  for (const View& v : kViews)
    for (const Write& w : writes) {
      CAPTURE(v.name);
      CAPTURE(w.name);
      Tensor expected = doubles(with_written(v, w.model), {3, 4});
      Tensor x = base(), alias = x.t(), before = x + 0;
      w.run(v.make(x));
      CHECK_SAME(x, expected);
      CHECK_SAME(alias, expected.t());
      CHECK_SAME(before, base());   // values are snapshots
      Tensor pending = base() + 0;  // written before it is evaluated
      w.run(v.make(pending));
      CHECK_SAME(pending, expected);
      auto f = [&](const Tensor& y) {
        Tensor z = y.clone(), other = z.view({12});
        w.run(v.make(z));
        return std::pair{z, other * 1.0};
      };
      auto [direct, through_alias] = jit(f)(base());
      CHECK_SAME(direct, expected);
      CHECK_SAME(through_alias, expected.view({12}));
      if (std::string(w.name) == "add_out") continue;  // not inside vmap
      auto lanes = vmap(f)(stack({base(), base()}));
      CHECK_SAME(lanes.first[1], expected);
    }
}

TEST_CASE("derivatives through every view that is written, in every composition") {
  Tensor weights = doubles({3, 1, -4, 1, 5, -9, 2, 6, 5, 3, -5, 8}),
         dx = doubles({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  for (const View& v : kViews) {
    CAPTURE(v.name);
    auto f = [&](const Tensor& x) {
      Tensor y = x.clone(), alias = y.view({12});
      Tensor part = v.make(y);
      part.mul_(3);
      return sum(alias * alias * weights) / 2;
    };
    Tensor x = base(), scale = doubles(with_written(v, [](double, size_t) { return -1; }), {12});
    // Elements that the view shows count 3 * 3, or not at all where it is constant.
    double shown = std::string(v.name).find("detach") == std::string::npos ? 9 : 0;
    Tensor want = (x.view({12}) * weights * where(scale == -1, tensor(shown, f64), 1)).view({3, 4});
    if (positions(v).size() == 0) want = (x.view({12}) * weights).view({3, 4});
    CHECK_SAME(grad(f)(x), want);
    CHECK_SAME(jvp(f, primals(x), tangents(dx.view({3, 4}))).second, sum(want * dx.view({3, 4})));
    CHECK_SAME(functionalize(grad(f))(x), want);
    CHECK_SAME(grad(functionalize(f))(x), want);
    CHECK_SAME(jit(vmap(functionalize(grad(f)), {.in_dims = 1}))(stack({2 * x, x}, 1))[1], want);
  }
}

TEST_CASE("assignment: named tensors are rebound, indexed expressions written") {
  Tensor x = base();
  x[0] = 5;
  CHECK_SAME(x[0], full({4}, 5.0, f64));
  x[1] = doubles({9, 8, 7, 6});
  CHECK_SAME(x[1], doubles({9, 8, 7, 6}));
  x[2][3] = x[1][0];
  CHECK_EQ(x[2][3].item<double>(), 9);
  x.slice(0, 0, 1) = -1;
  CHECK_SAME(x[0], full({4}, -1.0, f64));
  Tensor row = x[1];
  row = zeros({4}, f64);  // rebinds
  CHECK_SAME(x[1], doubles({9, 8, 7, 6}));
  x.index({x > 7}) = 0.5;  // a mask
  CHECK_SAME(x[1], doubles({0.5, 0.5, 7, 6}));
  x.index({tensor({0, 2}), tensor({1, -1})}) = doubles({10, 20});
  CHECK_EQ(x[0][1].item<double>(), 10);
  CHECK_EQ(x[2][3].item<double>(), 20);
  x[0].index({tensor({true, false, false, true})}) = 3;  // through a view
  CHECK_SAME(x[0], doubles({3, 10, -1, 3}));
  Tensor gathered = x.index({tensor({1})});
  gathered = zeros({1});  // rebinds
  CHECK_SAME(x[1], doubles({0.5, 0.5, 7, 6}));
}

TEST_CASE("index: where the dims of tensors go") {
  Tensor x = arange(24, f64).reshape({2, 3, 4}), i = tensor({1, 0}), j = tensor({{2}, {0}});
  CHECK_SAME(x.index({i}), stack({x[1], x[0]}));
  CHECK_SAME(x.index({Slice(), i}), stack({x.select(1, 1), x.select(1, 0)}, 1));
  CHECK_SAME(x.index({Ellipsis, i}), stack({x.select(2, 1), x.select(2, 0)}, 2));
  CHECK_EQ(x.index({i, j}).shape(), Shape{2, 2, 4});
  CHECK_EQ(x.index({i, Slice(), j}).shape(), Shape{2, 2, 3});  // not side by side: in front
  CHECK_EQ(x.index({Slice(), j, i}).shape(), Shape{2, 2, 2});
  CHECK_EQ(x.index({0, Slice(), i}).shape(), Shape{3, 2});
  CHECK_EQ(x.index({None, i}).shape(), Shape{1, 2, 3, 4});
  CHECK_EQ(x.index({i, j})[1][0][3].item<double>(), 15);
  CHECK_SAME(x.index({tensor({-1})}), x.slice(0, 1));
  CHECK_SAME(x.index({x > 20}), doubles({21, 22, 23}));
  CHECK_EQ(x.index({tensor({true, false})}).shape(), Shape{1, 3, 4});
  CHECK_EQ(x.index({tensor(std::vector<int>{})}).shape(), Shape{0, 3, 4});
  CHECK_SAME(x.index_select(2, tensor({3, 3})), x.index({Ellipsis, tensor({3, 3})}));
  Tensor a = zeros({3}, f64);
  a.index_put_({tensor({0, 0, 2})}, doubles({1, 2, 3}), true);
  CHECK_SAME(a, doubles({3, 0, 3}));
  a.index_put_({tensor({1})}, 9);
  CHECK_SAME(a, doubles({3, 9, 3}));
  CHECK_SAME(index_put(a, {tensor({1})}, 0), doubles({3, 0, 3}));
  CHECK_SAME(a, doubles({3, 9, 3}));
}

TEST_CASE("derivatives through views and writes") {
  auto f = [](const Tensor& x) {
    Tensor y = x * x;
    Tensor first = y.slice(0, 0, 2);
    first.mul_(x[2]);
    y[2] = first[0] + y[1];
    y.index_put_({tensor({3})}, x[0] * 10);
    return y;
  };
  auto pure = [](const Tensor& x) {
    Tensor a = x[0] * x[0] * x[2], b = x[1] * x[1] * x[2];
    return stack({a, b, a + b, x[0] * 10});
  };
  Tensor x = doubles({1, 2, 3, 4});
  CHECK_SAME(f(x), pure(x));
  CHECK_SAME(jacrev(f)(x), jacrev(pure)(x));
  CHECK_SAME(jacfwd(f)(x), jacfwd(pure)(x));
  CHECK_SAME(jit(jacrev(f))(x), jacrev(pure)(x));
  CHECK_SAME(vmap(jacrev(f))(stack({x, x + 1}))[1], jacrev(pure)(x + 1));
}

TEST_CASE("arguments are written back once, results are their own") {
  Tensor x = base();
  Tensor r = jit([](const Tensor& y) {
    y[0].fill_(1);
    return y;
  })(x);
  CHECK_SAME(x[0], ones({4}, f64));
  r.zero_();
  CHECK_SAME(x[0], ones({4}, f64));
  Tensor z = base(), lanes = vmap([](const Tensor& y) { return y.mul_(2) + 0; }, {.in_dims = 1})(z);
  CHECK_SAME(z, base() * 2);
  CHECK_SAME(lanes, base().t() * 2);
  Tensor kept = base();
  CHECK_SAME(grad([](const Tensor& y) { return sum(y.mul_(3)); })(kept), full({3, 4}, 3.0, f64));
  CHECK_SAME(kept, base());  // a differentiated argument is not
}
