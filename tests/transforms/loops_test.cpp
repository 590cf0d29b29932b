// Loops under every stack of two transforms, against the same steps written one after the other.
#include <doctest/doctest.h>
#include <jot/jot.h>

#include <cmath>

#include "check.h"
#include "stacks.h"

using namespace jot;
using jot::test::F;
using jot::test::Problems;

namespace {

const Tensor weights = test::weights();

const Problems& problems() {
  static const auto* all = [] {
    auto& p = *new Problems;
    auto step = [](const Tensor& c, const Tensor& x, const Tensor& a) { return c * 0.7 + sin(x * c + a); };
    p["scan with captures of two levels"] = {[=](const Tensor& x) {
                                               auto one = [&](const Tensor& c, const Tensor& v) {
                                                 Tensor n = step(c, v, x) * weights;
                                                 return std::pair{n, n * v};
                                               };
                                               auto [last, ys] = scan(one, ones({4}, f64), x);
                                               return last + sum(ys, 0);
                                             },
                                             [=](const Tensor& x) {
                                               Tensor c = ones({4}, f64), total = zeros({4}, f64);
                                               for (int i = 0; i < 4; ++i) {
                                                 c = step(c, x[i], x) * weights;
                                                 total = total + c * x[i];
                                               }
                                               return c + total;
                                             }};
    p["scan in reverse, an integer and an unused carry"] = {
        [=](const Tensor& x) {
          using Carry = std::tuple<Tensor, Tensor, Tensor>;
          auto one = [&](const Carry& c, const Tensor& v) {
            auto [number, value, unused] = c;
            Tensor n = value * v + weights.index({number});
            return std::pair{Carry{number + 1, n, unused}, n.clone()};
          };
          auto [last, ys] = scan(one, Carry{tensor(int64_t{0}), x[0], x}, x, {.reverse = true});
          return ys * std::get<1>(last) + std::get<2>(last);
        },
        [=](const Tensor& x) {
          Tensor value = x[0];
          std::vector<Tensor> ys(4);
          for (int i = 3; i >= 0; --i) ys[static_cast<size_t>(i)] = value = value * x[i] + weights[3 - i];
          return stack(ys) * value + x;
        }};
    p["scan of nothing"] = {[](const Tensor& x) {
                              auto one = [](const Tensor& c, const Tensor& v) { return std::pair{c * v, sum(c)}; };
                              auto [last, ys] = scan(one, sin(x), x.slice(0, 0, 0));
                              return last * exp(x) + sum(ys);
                            },
                            [](const Tensor& x) { return sin(x) * exp(x); }};
    p["fori with an indexed read and an indexed write"] = {[](const Tensor& x) {
                                                             auto body = [&](const Tensor& i, const Tensor& ys) {
                                                               Tensor result = ys.clone();
                                                               result.index({i}) = sin(x.index({i})) * x.index({i}) +
                                                                                   ys.index({(i + 1) & 3});
                                                               return result;
                                                             };
                                                             return fori_loop(0, 4, body, x * 2);
                                                           },
                                                           [](const Tensor& x) {
                                                             Tensor ys = x * 2;
                                                             for (int i = 0; i < 4; ++i) {
                                                               Tensor next = ys.clone();
                                                               next[i] = sin(x[i]) * x[i] + ys[(i + 1) % 4];
                                                               ys = next;
                                                             }
                                                             return ys;
                                                           }};
    p["fori in fori, from a number on"] = {
        [](const Tensor& x) {
          return fori_loop(
              2, 5,
              [&](const Tensor& i, const Tensor& c) {
                return fori_loop(
                    0, 2, [&](const Tensor& j, const Tensor& d) { return sin(d) * x + (i * 2 + j).to(f64) * 0.1; }, c);
              },
              x);
        },
        [](const Tensor& x) {
          Tensor c = x;
          for (int i = 2; i < 5; ++i)
            for (int j = 0; j < 2; ++j) c = sin(c) * x + (i * 2 + j) * 0.1;
          return c;
        }};
    p["fori of no steps"] = {[](const Tensor& x) {
                               return fori_loop(
                                          3, 1, [](const Tensor&, const Tensor& c) { return c * c; }, x) *
                                      x;
                             },
                             [](const Tensor& x) { return x * x; }};
    p["fori that writes in place, to the carry and to a tensor of f"] = {[](const Tensor& x) {
                                                                           Tensor sums = zeros({4}, f64);
                                                                           Tensor last = fori_loop(
                                                                               0, 3,
                                                                               [&](const Tensor&, const Tensor& c) {
                                                                                 Tensor mine = c * 1;
                                                                                 mine[1] = mine[0] * mine[2];
                                                                                 sums.add_(mine * x);
                                                                                 return mine;
                                                                               },
                                                                               sin(x));
                                                                           return sums + last;
                                                                         },
                                                                         [](const Tensor& x) {
                                                                           Tensor sums = zeros({4}, f64), c = sin(x);
                                                                           for (int i = 0; i < 3; ++i) {
                                                                             c = stack({c[0], c[0] * c[2], c[2], c[3]});
                                                                             sums = sums + c * x;
                                                                           }
                                                                           return sums + c;
                                                                         }};
    // Lanes, and elements of x, need different numbers of steps.
    auto grow = [](const Tensor& c, const Tensor& x) { return c * c * 0.5 + c + x * x * 0.1; };
    p["while"] = {[=](const Tensor& x) {
                    Tensor start = abs(x) + 0.5;
                    return while_loop([](const Tensor& c) { return sum(c) < 40.0; },
                                      [&](const Tensor& c) { return grow(c, x); }, start);
                  },
                  [=](const Tensor& x) {
                    Tensor c = abs(x) + 0.5;
                    for (int i = 0; i < 8; ++i) c = where(sum(c) < 40.0, grow(c, x), c);
                    return c;
                  }};
    p["while with a counter, and a while in it"] = {
        [=](const Tensor& x) {
          using Carry = std::pair<Tensor, Tensor>;
          auto outer = [&](const Carry& c) {
            Tensor inner = while_loop([](const Tensor& d) { return sum(d * d) < 9.0; },
                                      [&](const Tensor& d) { return d * 1.5 + 0.1; }, c.second);
            return Carry{c.first + 1, sin(inner) * x};
          };
          return while_loop([](const Carry& c) { return c.first < 2; }, outer, Carry{tensor(int64_t{0}), x}).second;
        },
        [=](const Tensor& x) {
          Tensor c = x;
          for (int i = 0; i < 2; ++i) {
            for (int k = 0; k < 12; ++k) c = where(sum(c * c) < 9.0, c * 1.5 + 0.1, c);
            c = sin(c) * x;
          }
          return c;
        }};
    p["while of no steps"] = {
        [](const Tensor& x) {
          return while_loop([](const Tensor&) { return tensor(false); }, [](const Tensor& c) { return c * c; }, x) * x;
        },
        [](const Tensor& x) { return x * x; }};
    p["cond and scan in a while"] = {[](const Tensor& x) {
                                       auto body = [&](const Tensor& c) {
                                         auto one = [&](const Tensor& d, const Tensor& v) {
                                           return std::pair{d * 0.9 + v * v, d};
                                         };
                                         auto [last, ys] = scan(one, sum(c), x);
                                         return cond(
                                             last > 3, [&](const Tensor& d) { return d + x * x + 2; },
                                             [&](const Tensor& d) { return d * 2 + last + 1; }, c);
                                       };
                                       return while_loop([](const Tensor& c) { return sum(c) < 60.0; }, body, x * x);
                                     },
                                     [](const Tensor& x) {
                                       Tensor c = x * x;
                                       for (int i = 0; i < 12; ++i) {
                                         Tensor last = sum(c);
                                         for (int k = 0; k < 4; ++k) last = last * 0.9 + x[k] * x[k];
                                         Tensor next = where(last > 3, c + x * x + 2, c * 2 + last + 1);
                                         c = where(sum(c) < 60.0, next, c);
                                       }
                                       return c;
                                     }};
    p["map_over"] = {[](const Tensor& x) { return map_over([&](const Tensor& v) { return sin(v) * sum(x); }, x); },
                     [](const Tensor& x) { return sin(x) * sum(x); }};
    p["map_over in batches, with a rest"] = {[](const Tensor& x) {
                                               return map_over([&](const Tensor& v) { return sin(v) * sum(x); }, x,
                                                               {.batch_size = 3});
                                             },
                                             [](const Tensor& x) { return sin(x) * sum(x); }};
    p["associative_scan"] = {[](const Tensor& x) {
                               using Line = std::pair<Tensor, Tensor>;  // v -> first * v + second
                               auto both = [](const Line& a, const Line& b) {
                                 return Line{b.first * a.first, b.first * a.second + b.second};
                               };
                               auto [slope, offset] = associative_scan(both, Line{sin(x), x * x});
                               return slope + offset;
                             },
                             [](const Tensor& x) {
                               Tensor slope = sin(x[0]), offset = x[0] * x[0];
                               std::vector<Tensor> all = {slope + offset};
                               for (int i = 1; i < 4; ++i) {
                                 slope = sin(x[i]) * slope;
                                 offset = sin(x[i]) * offset + x[i] * x[i];
                                 all.push_back(slope + offset);
                               }
                               return stack(all);
                             }};
    return &p;
  }();
  return *all;
}

}  // namespace

TEST_CASE("loops agree with their steps, alone and under every stack of two transforms") {
  test::check_stacks(problems());
}

TEST_CASE("third derivatives of loops") {
  const Tensor x = tensor({0.9, -0.6, 1.3, 0.2}, f64);
  for (const char* name : {"while", "scan with captures of two levels", "fori in fori, from a number on"}) {
    CAPTURE(name);
    auto third = [&](const F& f) {
      auto value = [&](const Tensor& t) { return sum(f(x * t)); };
      return grad(grad(grad(value)))(tensor(0.8, f64));
    };
    CHECK(test::difference_of(third(problems().at(name).loop), third(problems().at(name).steps)) < 1e-11);
  }
}

TEST_CASE("loops with known answers") {
  // Doubling until a bound.
  auto doubled = [](const Tensor& x) {
    return while_loop([](const Tensor& c) { return c < 100; }, [](const Tensor& c) { return c * 2; }, x);
  };
  CHECK(doubled(tensor(3.0, f64)).item<double>() == 192);
  CHECK(grad(doubled)(tensor(3.0, f64)).item<double>() == 64);
  CHECK_SAME(vmap(grad(doubled))(tensor({3.0, 50.0, 100.0}, f64)), tensor({64.0, 2.0, 1.0}, f64));
  // Newton's iteration to a root of y * y = x.
  auto root = [](const Tensor& x) {
    return while_loop([&](const Tensor& y) { return abs(y * y - x) > 1e-13; },
                      [&](const Tensor& y) { return (y + x / y) * 0.5; }, x);
  };
  CHECK(std::abs(root(tensor(2.0, f64)).item<double>() - std::sqrt(2.0)) < 1e-14);
  CHECK(std::abs(grad(root)(tensor(2.0, f64)).item<double>() - 0.5 / std::sqrt(2.0)) < 1e-12);
  auto second = [&](const Tensor& x) { return grad(grad(root))(x); };  // -x^-1.5 / 4
  CHECK_NEAR_TO(vmap(second)(tensor({2.25, 4.0, 9.0}, f64)), tensor({-2.0 / 27, -0.25 / 8, -0.25 / 27}, f64), 1e-10);
  CHECK_NEAR_TO(vmap(root)(tensor({1.0, 4.0, 9.0}, f64)), tensor({1.0, 2.0, 3.0}, f64), 1e-14);
  // Powers by fori, of a count that is data.
  auto power = jit([](const Tensor& x, const Tensor& n) {
    return fori_loop(
        0, n, [&](const Tensor&, const Tensor& c) { return c * x; }, ones({}, f64));
  });
  for (int64_t n : {0, 1, 7})
    CHECK(power(tensor(1.5, f64), tensor(n)).item<double>() == doctest::Approx(std::pow(1.5, static_cast<double>(n))));
  CHECK(power.cache_info().misses == 1);
  auto slope = [&](const Tensor& x, const Tensor& n) { return grad(power)(x, n); };
  CHECK_NEAR_TO(vmap(slope)(tensor({1.5, 2.0, 3.0}, f64), tensor({0, 1, 3})), tensor({0.0, 1.0, 27.0}, f64), 1e-14);
  // Sums of the first numbers.
  auto sums = scan(
      [](const Tensor& c, const Tensor& x) {
        return std::pair{c + x, c + x};
      },
      tensor(int64_t{0}), arange(1, 6));
  CHECK_SAME(sums.second, tensor({1, 3, 6, 10, 15}));
  // Their derivative counts the sums that an element is part of.
  auto total = [](const Tensor& x) {
    auto add = [](const Tensor& c, const Tensor& v) { return std::pair{c + v, c + v}; };
    return sum(scan(add, zeros({}, f64), x).second * arange(1, 5).to(f64));
  };
  CHECK_SAME(grad(total)(ones({4}, f64)), tensor({10.0, 9.0, 7.0, 4.0}, f64));
  CHECK_SAME(associative_scan([](const Tensor& a, const Tensor& b) { return maximum(a, b); }, tensor({1, 5, 2, 7, 3}),
                              {.reverse = true}),
             tensor({7, 7, 7, 7, 3}));
}

TEST_CASE("steps that read nothing") {
  const Tensor x = ones({3}, f64);
  auto constant = [](const Tensor&) { return tensor(2.0, f64) * 3; };
  auto steps = [](const Tensor& v) {
    return scan([](const Tensor& c, const Tensor&) { return std::pair{c * 2, tensor(2.0, f64) * 3}; }, v, v);
  };
  const Tensor six = full({3}, 6.0, f64);
  CHECK_SAME(map_over(constant, x), six);
  CHECK_SAME(jit([&](const Tensor& v) { return map_over(constant, v); })(x), six);
  CHECK_SAME(jit([&](const Tensor& v) { return steps(v).second; })(x), six);
  CHECK_SAME(grad([&](const Tensor& v) { return sum(steps(v).second); })(x), zeros({3}, f64));
  CHECK_SAME(vmap([&](const Tensor& v) { return steps(v).second; })(ones({2, 3}, f64)), full({2, 3}, 6.0, f64));
  CHECK_SAME(jit([&](const Tensor& v) { return checkpoint(constant)(v); })(x), tensor(6.0, f64));
}

TEST_CASE("loops draw anew in every step, and the same again for the same seed") {
  auto walk = [] {
    return scan(
               [](const Tensor& c, none_t) {
                 Tensor next = c + rand({}, f64);
                 return std::pair{next, next};
               },
               zeros({}, f64), none, {.length = 5})
        .second;
  };
  manual_seed(3);
  std::vector<double> first = walk().to_vector<double>(), second = walk().to_vector<double>();
  manual_seed(3);
  CHECK(jit(walk)().to_vector<double>() == first);
  CHECK(first != second);
  for (size_t i = 1; i < 5; ++i) CHECK(first[i] - first[i - 1] != first[0]);
}

TEST_CASE("a captured tensor that a loop writes is written, as often as there are steps") {
  Tensor count = zeros({3}, f64);
  fori_loop(
      0, 4,
      [&](const Tensor& i, const Tensor& c) {
        count.add_(1);
        count[0].add_(i.to(f64));
        return c;
      },
      zeros({}, f64));
  CHECK_SAME(count, tensor({10.0, 4.0, 4.0}, f64));
  while_loop([&](const Tensor& c) { return c < 3; }, [&](const Tensor& c) { return count.mul_(2), c + 1; },
             zeros({}, f64));
  CHECK_SAME(count, tensor({80.0, 32.0, 32.0}, f64));
}

TEST_CASE("what is wrong with a loop is told at its call") {
  Tensor x = ones({3}, f64);
  auto keep = [](const Tensor& c) { return c; };
  CHECK_THROWS_WITH_AS(
      while_loop([](const Tensor&) { return tensor(true); }, [](const Tensor& c) { return c.to(f32); }, x),
      doctest::Contains("[while_loop] a step must keep the shape and dtype of the carry: output is f32[3], the carry "
                        "was f64[3]"),
      TransformError);
  CHECK_THROWS_WITH_AS(while_loop([](const Tensor& c) { return c > 0; }, keep, x),
                       doctest::Contains("[while_loop] expected a condition of one element, got bool[3]"), ShapeError);
  CHECK_THROWS_WITH_AS(while_loop([](const Tensor& c) { return tensor(c.sum().item<double>() > 0); }, keep, x),
                       doctest::Contains("[item] a tensor has no value while the body of while_loop is recorded"),
                       TraceError);
  CHECK_THROWS_WITH_AS(scan(
                           [](const Tensor& c, none_t) {
                             return std::pair{c, c};
                           },
                           x, none, {.length = -1}),
                       doctest::Contains("[scan] expected a length that is not negative, got -1"), ShapeError);
  CHECK_THROWS_WITH_AS(scan(
                           [](const Tensor& c, none_t) {
                             return std::pair{c, c};
                           },
                           x, none),
                       doctest::Contains("[scan] without xs it needs a length"), ShapeError);
  CHECK_THROWS_WITH_AS(scan(
                           [](const Tensor& c, const std::pair<Tensor, Tensor>&) {
                             return std::pair{c, c};
                           },
                           x, std::pair{ones({3}), ones({4})}),
                       doctest::Contains("is f32[4]: expected 3 slices along dim 0, as the first of the xs has"),
                       ShapeError);
  Tensor seen = zeros({}, f64);
  CHECK_THROWS_WITH_AS(
      while_loop([&](const Tensor& c) { return seen.add_(1) + sum(c) < 9; }, [](const Tensor& c) { return c + 1; }, x),
      doctest::Contains("the condition writes to a tensor that it captures: write in the body"), TransformError);
  CHECK_THROWS_WITH_AS(scan(
                           [](const std::vector<Tensor>& c, none_t) {
                             return std::pair{std::vector<Tensor>{c[0], c[0]}, c[0]};
                           },
                           std::vector<Tensor>{x}, none, {.length = 2}),
                       doctest::Contains("a step must return the carry as it got it: it got 1 tensors and returned 2"),
                       TransformError);
  CHECK_THROWS_WITH_AS(
      associative_scan([](const std::pair<Tensor, Tensor>& a, const std::pair<Tensor, Tensor>&) { return a; },
                       std::pair{ones({3}), ones({4})}),
      doctest::Contains("expected tensors of one extent, got f32[3] and f32[4]"), ShapeError);
  // A leaf of a tree by its path.
  using Pair = std::pair<std::vector<Tensor>, Tensor>;
  CHECK_THROWS_WITH_AS(fori_loop(
                           0, 3,
                           [](const Tensor&, const Pair& c) {
                             return Pair{{c.first[0], sum(c.first[1])}, c.second};
                           },
                           Pair{{x, x}, x}),
                       doctest::Contains("[fori_loop] a step must keep the shape and dtype of the carry: output[0][1] "
                                         "is f64[], the carry was f64[3]"),
                       TransformError);
  CHECK_THROWS_WITH_AS(
      scan(
          [](const TensorDict& c, const Tensor&) {
            TensorDict next = c;
            next["b"] = c.at("b").to(i64);
            return std::pair{next, none};
          },
          TensorDict{{"a", x}, {"b", x}}, x),
      doctest::Contains("[scan] a step must keep the shape and dtype of the carry: output[0][\"b\"] is "
                        "i64[3], the carry was f64[3]"),
      TransformError);
  // Values of tensors are not known while a body is recorded.
  CHECK_THROWS_WITH_AS(fori_loop(
                           0, 3, [](const Tensor& i, const Tensor& c) { return bool(i == 1) ? c : c * 2; }, x),
                       doctest::Contains("[bool] a tensor has no value while the body of fori_loop is recorded: it is "
                                         "recorded once and runs for every step; use where or cond"),
                       TraceError);
  CHECK_THROWS_WITH_AS(scan(
                           [](const Tensor& c, const Tensor& v) {
                             return std::pair{c * v.item<double>(), v};
                           },
                           x, x),
                       doctest::Contains("[item] a tensor has no value while the body of scan is recorded"),
                       TraceError);
  CHECK_THROWS_WITH_AS(scan(
                           [](const Tensor& c, const Tensor& v) {
                             return std::pair{c, v};
                           },
                           x, x, {.length = 4}),
                       doctest::Contains("[scan] argument 1 is f64[3]: expected 4 slices along dim 0, as length says"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(while_loop([](const Tensor& c) { return c < 3; }, keep, zeros({}, f64), {.max_steps = -5}),
                       doctest::Contains("[while_loop] expected max_steps that is not negative, got -5"), Error);
  CHECK_THROWS_WITH_AS(fori_loop(
                           0, tensor(2.5), [](const Tensor&, const Tensor& c) { return c; }, x),
                       doctest::Contains("[fori_loop] expected an integer upper bound, got f32[]"), DTypeError);
  Tensor stuck = while_loop([](const Tensor&) { return tensor(true); }, keep, x, {.max_steps = 5});
  CHECK_THROWS_WITH_AS(stuck.eval(), doctest::Contains("still true after max_steps = 5 steps"), Error);
  CHECK_THROWS_WITH_AS(fori_loop(
                           0.5, 3, [](const Tensor&, const Tensor& c) { return c; }, x),
                       doctest::Contains("[fori_loop] expected an integer lower bound, got a float"), DTypeError);
  CHECK_THROWS_WITH_AS(map_over(keep, x, {.batch_size = 0}),
                       doctest::Contains("[map_over] expected a positive batch_size, got 0"), Error);
}

TEST_CASE("slices are values: what is written to them, or to results, the caller's tensors do not see") {
  const Tensor x = tensor({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}}, f64);
  auto doubled = [](const Tensor& v) { return sum(v.mul_(2)); };
  auto product = [](const Tensor& a, const Tensor& b) { return a.mul_(b); };
  auto check = [&](auto f, const Tensor& xs, const Tensor& want) {
    const Tensor kept = xs.clone();
    CHECK_SAME(f(xs), want);
    CHECK_SAME(jit(f)(xs), want);
    CHECK_SAME(jit([&] { return f(xs); })(), want);
    f(xs).add_(1);
    CHECK_SAME(xs, kept);
    CHECK_SAME(vjp([&](const Tensor& factor) { return f(xs) * factor; }, ones_like(want)).first, want);
  };
  for (std::optional<int64_t> size : {std::optional<int64_t>(), std::optional<int64_t>(2), std::optional<int64_t>(4)}) {
    check([&](const Tensor& t) { return map_over(doubled, t, {.batch_size = size}); }, x,
          tensor({6.0, 14.0, 22.0}, f64));
    check([&](const Tensor& t) { return map_over([](const Tensor& v) { return v; }, t, {.batch_size = size}); }, x, x);
  }
  for (bool reverse : {false, true}) {
    auto all = [&](const Tensor& t) { return associative_scan(product, t, {.reverse = reverse}); };
    check(all, x, reverse ? flip(cumprod(flip(x, 0), 0), 0) : cumprod(x, 0));
    check(all, x.slice(0, 0, 1), x.slice(0, 0, 1));
    check(all, x.slice(0, 0, 2),
          reverse ? flip(cumprod(flip(x.slice(0, 0, 2), 0), 0), 0) : cumprod(x.slice(0, 0, 2), 0));
  }
}
