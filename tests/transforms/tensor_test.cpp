// Tensors outside transforms: creation, promotion, ops, reading, text.
#include <jot/fmt.h>

#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <sstream>

#include "check.h"

using namespace jot;
using namespace jot::test;

namespace {
const double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();
Tensor longs(const std::vector<int64_t>& v) { return Tensor::from(v, {static_cast<int64_t>(v.size())}); }
Tensor bools(const std::vector<bool>& v) { return Tensor::from(v, {static_cast<int64_t>(v.size())}); }
}  // namespace

TEST_CASE("vectors, arrays and spans keep the type of their elements, numbers in braces have none") {
  std::vector<double> v = {0.1, 0.2};
  std::array<float, 2> a = {1, 2};
  double c[] = {0.1, 0.2};
  CHECK_SAME(tensor(v), doubles({0.1, 0.2}));
  CHECK_SAME(tensor(v, f32), floats({0.1f, 0.2f}));
  CHECK_SAME(tensor(std::span(v)), doubles({0.1, 0.2}));
  CHECK_SAME(tensor(std::span<const double>(v)), doubles({0.1, 0.2}));
  CHECK_SAME(tensor(c), doubles({0.1, 0.2}));
  CHECK_SAME(tensor(a), floats({1, 2}));
  CHECK_SAME(tensor(std::array<std::array<double, 2>, 2>{{{1, 2}, {3, 4}}}), doubles({1, 2, 3, 4}, {2, 2}));
  CHECK_SAME(tensor({v, v}), doubles({0.1, 0.2, 0.1, 0.2}, {2, 2}));
  CHECK_SAME(tensor(std::vector<std::vector<double>>{{1}, {2}}), doubles({1, 2}, {2, 1}));
  CHECK_SAME(tensor(std::vector<bool>{true, false}), bools({true, false}));
  CHECK_SAME(tensor(std::vector<int>{1, 2}), tensor({1, 2}, i32));
  CHECK_SAME(tensor(std::vector<int64_t>{1, 2}), longs({1, 2}));
  CHECK_SAME(tensor(std::vector<size_t>{1, 2}), longs({1, 2}));
  CHECK_EQ(tensor(std::vector<double>{}).dtype(), f64);
  CHECK_EQ(tensor(std::vector<std::vector<double>>{}).dtype(), f32);  // no vector of numbers in it
  // Beside typed numbers those in braces count as numbers do beside tensors.
  CHECK_SAME(tensor({Nested(v), {1.0, 2.0}}), doubles({0.1, 0.2, 1, 2}, {2, 2}));
  CHECK_SAME(tensor({Nested(a), Nested(v)}), doubles({1, 2, 0.1, 0.2}, {2, 2}));
  CHECK_SAME(tensor({Nested(std::vector<int>{1}), {2.5}}), floats({1, 2.5f}, {2, 1}));
  CHECK_SAME(tensor({Nested(std::vector<int>{1}), {2}}), tensor({1, 2}, i32).reshape({2, 1}));
  // A number alone is as torch's; beside elements of f64 it has f32's digits.
  CHECK_EQ(tensor(0.1).dtype(), f32);
  CHECK_EQ((tensor(0.1) * tensor(v)).dtype(), f64);
  CHECK_EQ((tensor(0.1) * ones({1}, f64)).item<double>(), static_cast<double>(0.1f));
  CHECK_EQ((0.1 * ones({1}, f64)).item<double>(), 0.1);
}

TEST_CASE("shapes and axes from vectors; Tensor::from finds an extent") {
  std::vector<int> extents = {2, 3};
  CHECK_EQ(zeros(extents).shape(), Shape{2, 3});
  CHECK_EQ(ones({6}).view(extents).shape(), Shape{2, 3});
  CHECK_EQ(sum(ones({2, 3, 4}), std::vector<size_t>{0, 2}).shape(), Shape{3});
  CHECK_EQ(zeros(std::vector<int64_t>{}).shape(), Shape{});
  // A truth value is none of them: sum(x, true) is no dim, a.index({true}) no row.
  static_assert(!std::is_convertible_v<bool, Axes> && !std::is_convertible_v<bool, Index>);
  static_assert(!std::is_convertible_v<bool, Dim> && !std::is_convertible_v<bool, Extent>);
  std::vector<double> v = {1, 2, 3, 4, 5, 6};
  CHECK_SAME(Tensor::from(v), doubles({1, 2, 3, 4, 5, 6}));
  CHECK_SAME(Tensor::from(v, {-1, 2}), doubles({1, 2, 3, 4, 5, 6}, {3, 2}));
  CHECK_SAME(Tensor::from(std::vector<bool>{true}), bools({true}));
  CHECK_EQ(Tensor::from(std::vector<float>{}).shape(), Shape{0});
  CHECK_THROWS_WITH_AS(Tensor::from(v, {-1, 4}),
                       doctest::Contains("[Tensor::from] shape [-1,4] is invalid for input of size 6"), ShapeError);
  CHECK_THROWS_WITH_AS(Tensor::from(v, {-2}), doctest::Contains("[Tensor::from] shape [-2] has a negative extent"),
                       ShapeError);
}

TEST_CASE("what is stored is converted, what is computed keeps its category") {
  Tensor k = tensor({1, 2, 3});
  k[0] = 2.9;
  k[1] = tensor(-2.9);
  k.slice(0, 2, 3).copy_(tensor({7.5}, f64));
  CHECK_SAME(k, longs({2, -2, 7}));
  CHECK_SAME(k.clone().fill_(1.5), longs({1, 1, 1}));
  CHECK_SAME(k.index_put({tensor({0})}, 9.5), longs({9, -2, 7}));
  CHECK_SAME(k.masked_fill(k > 0, 1.5), longs({1, -2, 1}));
  CHECK_SAME(k.index_fill(0, tensor({0}), 1.5), longs({1, -2, 7}));
  CHECK_SAME(k.scatter(0, tensor({0}), 3.5), longs({3, -2, 7}));
  Tensor b = zeros({2}, boolean);
  b[0] = 0.5;
  CHECK_SAME(b, bools({true, false}));
  for (auto computes : std::vector<void (*)(const Tensor&)>{
           [](const Tensor& x) { x.add_(0.5); }, [](const Tensor& x) { x += tensor({0.5}); },
           [](const Tensor& x) { x.index_put_({tensor({0})}, 0.5, true); },
           [](const Tensor& x) { x.index_put_({0}, 0.5, true); },
           [](const Tensor& x) { x.index_put_({tensor({0})}, tensor({0.5}), true); },
           [](const Tensor& x) { x.scatter_add_(0, tensor({0}), 0.5); }, [](const Tensor& x) { add_out(x, x, 0.5); }})
    CHECK_THROWS_WITH_AS(computes(k), doctest::Contains("result type f32 can't be cast to the desired output type i64"),
                         DTypeError);
  CHECK_SAME(k, longs({2, -2, 7}));
}

TEST_CASE("what reads or writes borrowed memory is evaluated at once") {
  std::vector<double> memory = {1, 2, 3, 4};
  const std::vector<double> constant = {5, 6};
  Tensor b = borrow(memory.data(), {2, 2}, f64), c = borrow(constant.data(), {2}, f64);
  auto square = [](const Tensor& x) { return sum(x * x); };
  CHECK_THROWS_AS(b * Tensor(), TraceError);  // what fails changes nothing of that
  Tensor twice = b * 2, row = b[1] + c, gradient = grad(square)(b), kept = b.clone(), joined = stack({b[0], c});
  auto [value, pullback] = vjp(square, b);
  auto jitted = jit([&](const Tensor& x) { return x + b; });
  Tensor called = jitted(b);
  memory = {10, 20, 30, 40};
  CHECK_SAME(twice, doubles({2, 4, 6, 8}, {2, 2}));
  CHECK_SAME(row, doubles({8, 10}));
  CHECK_SAME(gradient, doubles({2, 4, 6, 8}, {2, 2}));
  CHECK_SAME(kept, doubles({1, 2, 3, 4}, {2, 2}));
  CHECK_SAME(joined, doubles({1, 2, 5, 6}, {2, 2}));
  CHECK_SAME(std::get<0>(pullback(tensor(1.0, f64))), doubles({2, 4, 6, 8}, {2, 2}));
  CHECK_SAME(called, doubles({2, 4, 6, 8}, {2, 2}));
  CHECK_SAME(jitted(b), doubles({20, 40, 60, 80}, {2, 2}));  // a call reads what is there
  b.add_(1);
  b[0] = 7;
  CHECK_EQ(memory, std::vector<double>{7, 7, 31, 41});
  b.fill_(9);
  CHECK_EQ(memory, std::vector<double>(4, 9));
  b.copy_(twice);
  CHECK_EQ(memory, std::vector<double>{2, 4, 6, 8});
  b[1].zero_();
  CHECK_EQ(memory, std::vector<double>{2, 4, 0, 0});
  c.mul_(2);
  CHECK_EQ(constant, std::vector<double>{5, 6});
  CHECK_SAME(c, doubles({10, 12}));
}

TEST_CASE("creation: values, dtype, shape") {
  CHECK_SAME(tensor({{1.0, 2.0}, {3.0, 4.0}}), floats({1, 2, 3, 4}, {2, 2}));
  CHECK_SAME(tensor({1.0, 2.0}, f64), doubles({1, 2}));
  CHECK_SAME(tensor(std::vector<std::vector<float>>{{1, 2}, {3, 4}}, f64), doubles({1, 2, 3, 4}, {2, 2}));
  CHECK_SAME(tensor({1, 2, 3}), longs({1, 2, 3}));
  CHECK_SAME(tensor({true, false}), bools({true, false}));
  CHECK_SAME(tensor({1, 2.5}), floats({1, 2.5f}));
  CHECK_EQ(tensor({}).shape(), Shape{0});
  CHECK_EQ(tensor({}).dtype(), f32);
  CHECK_EQ(tensor(3).dtype(), i64);
  CHECK_EQ(tensor(true).dtype(), boolean);
  CHECK_EQ(tensor(int64_t{9007199254740993}).item<int64_t>(), 9007199254740993);
  CHECK_SAME(zeros({2}), floats({0, 0}));
  CHECK_SAME(ones({2}, i64), longs({1, 1}));
  CHECK_SAME(full({2}, 0.5), floats({0.5f, 0.5f}));
  CHECK_SAME(full({2}, 7), longs({7, 7}));
  CHECK_SAME(full({2}, tensor(7.0, f64)), doubles({7, 7}));
  CHECK_SAME(eye(2, 3), floats({1, 0, 0, 0, 1, 0}, {2, 3}));
  CHECK_SAME(arange(3), longs({0, 1, 2}));
  CHECK_SAME(arange(1, 2, 0.5), floats({1, 1.5f}));
  CHECK_SAME(arange(3, 0, -1), longs({3, 2, 1}));
  CHECK_EQ(arange(0).shape(), Shape{0});
  CHECK_SAME(linspace(0, 1, 5, f64), doubles({0, 0.25, 0.5, 0.75, 1}));
  CHECK_EQ(linspace(0.1, 0.7, 13, f64).to_vector<double>().back(), 0.7);
  CHECK_SAME(zeros_like(ones({2}, f64)), doubles({0, 0}));
  Tensor d = ones({2}, f64);
  CHECK_SAME(d.new_zeros({1, 2}), doubles({0, 0}, {1, 2}));
  CHECK_SAME(d.new_ones({2}), doubles({1, 1}));
  CHECK_SAME(d.new_ones({2}, f32), ones({2}));
  CHECK_SAME(d.new_full({2}, 3), doubles({3, 3}));
  CHECK_SAME(ones({2}, i64).new_full({2}, d[0] * 4), full({2}, 4, i64));
  CHECK_EQ(d.new_empty({3, 0}).shape(), Shape{3, 0});
  CHECK_EQ(d.new_empty({2}).dtype(), f64);
  CHECK_SAME(full_like(ones({2}, f64), 3), doubles({3, 3}));
  CHECK_SAME(Tensor::from(std::vector<int32_t>{1, 2}, {2}), tensor({1, 2}, i32));
  double memory[] = {1, 2, 3, 4};
  Tensor copied = from_blob(memory, {2, 2}), borrowed = borrow(memory, {2, 2}, f64);
  memory[0] = 10;
  CHECK_EQ(copied[0][0].item<double>(), 1);
  CHECK_EQ(borrowed[0][0].item<double>(), 10);
  borrowed.add_(1).eval();
  CHECK_EQ(memory[3], 5);  // writes reach what was borrowed
  const double constant[] = {1, 2};
  Tensor view_of_constant = borrow(constant, {2}, f64);
  view_of_constant.fill_(9).eval();
  CHECK_EQ(constant[0], 1);
  CHECK_SAME(view_of_constant, doubles({9, 9}));
}

TEST_CASE("default dtype") {
  set_default_dtype(f64);
  Tensor t = tensor(1.5), division = tensor({1, 2}) / 2, sine = sin(tensor(1));
  set_default_dtype(f32);
  CHECK_EQ(t.dtype(), f64);
  CHECK_EQ(division.dtype(), f64);
  CHECK_EQ(sine.dtype(), f64);
  CHECK_EQ(tensor(1.5).dtype(), f32);
}

TEST_CASE("promotion: a number never widens within its category, a 0-d tensor neither") {
  DType dtypes[] = {boolean, i32, i64, f32, f64};
  for (DType a : dtypes)
    for (DType b : dtypes) {
      CAPTURE(to_string(a));
      CAPTURE(to_string(b));
      Tensor x = ones({2}, a), y = ones({2}, b), y0 = ones({}, b);
      CHECK_EQ((x * y).dtype(), promote(a, b));
      CHECK_EQ((x * y0).dtype(), category_of(b) > category_of(a) ? promote(a, b) : a);
      CHECK_EQ((y0 * x).dtype(), (x * y0).dtype());
      CHECK_EQ((ones({}, a) * y0).dtype(), promote(a, b));
      CHECK_EQ((x < y).dtype(), boolean);
    }
  struct Row {
    DType tensor, with_int, with_double, with_bool, divided;
  };
  for (auto [d, i, f, b, q] :
       {Row{boolean, i64, f32, boolean, f32}, Row{i32, i32, f32, i32, f32}, Row{i64, i64, f32, i64, f32},
        Row{f32, f32, f32, f32, f32}, Row{f64, f64, f64, f64, f64}}) {
    CAPTURE(to_string(d));
    Tensor x = ones({2}, d);
    CHECK_EQ((x * 2).dtype(), i);
    CHECK_EQ((2 * x).dtype(), i);
    CHECK_EQ((x * 2.5).dtype(), f);
    CHECK_EQ((x * true).dtype(), b);
    CHECK_EQ((x / x).dtype(), q);
    CHECK_EQ(sin(x).dtype(), q);
    CHECK_EQ(where(x > 0, x, 2.5).dtype(), f);
    CHECK_EQ(stack({x, ones({2}, i32)}).dtype(), promote(d, i32));
  }
  CHECK_EQ(sum(tensor({true, true})).dtype(), i64);
  CHECK_EQ(sum(ones({2}, i32)).dtype(), i64);
  CHECK_SAME(tensor({1, 2}) == 1.5, bools({false, false}));
}

TEST_CASE("elementwise functions") {
  Tensor x = doubles({-1.5, -0.5, 0, 0.5, 2.5});
  CHECK_SAME(abs(x), doubles({1.5, 0.5, 0, 0.5, 2.5}));
  CHECK_SAME(-x, doubles({1.5, 0.5, 0, -0.5, -2.5}));
  CHECK_SAME(sign(x), doubles({-1, -1, 0, 1, 1}));
  CHECK_SAME(floor(x), doubles({-2, -1, 0, 0, 2}));
  CHECK_SAME(ceil(x), doubles({-1, 0, 0, 1, 3}));
  CHECK_SAME(round(x), doubles({-2, 0, 0, 0, 2}));
  CHECK_SAME(trunc(x), doubles({-1, 0, 0, 0, 2}));
  CHECK_SAME(square(x), doubles({2.25, 0.25, 0, 0.25, 6.25}));
  CHECK_SAME(reciprocal(x), doubles({1 / -1.5, -2, kInf, 2, 0.4}));
  CHECK_SAME(relu(x), doubles({0, 0, 0, 0.5, 2.5}));
  CHECK_SAME(sigmoid(doubles({0})), doubles({0.5}));
  CHECK_SAME(exp(log(doubles({1, 2}))), doubles({1, 2}));
  CHECK_SAME(sqrt(doubles({4})) * rsqrt(doubles({4})), doubles({1}));
  CHECK_SAME(sin(x) * sin(x) + cos(x) * cos(x), ones({5}, f64));
  CHECK_SAME(floor(tensor({1, 2})), longs({1, 2}));
  for (double v : {kNan}) {
    Tensor n = doubles({v});
    for (const Tensor& r : {relu(n), clamp(n, 0, 1), maximum(n, 0), minimum(0, n), abs(n)})
      CHECK(std::isnan(r.item<double>()));
    CHECK_FALSE((n == n).item<bool>());
    CHECK((n != n).item<bool>());
  }
}

TEST_CASE("functions of two, comparisons, logic") {
  Tensor a = doubles({1, 2, 3}), b = doubles({3, 2, 1});
  CHECK_SAME(a + b, doubles({4, 4, 4}));
  CHECK_SAME(1 - a, doubles({0, -1, -2}));
  CHECK_SAME(a / b, doubles({1 / 3.0, 1, 3}));
  CHECK_SAME(maximum(a, 2), doubles({2, 2, 3}));
  CHECK_SAME(minimum(2, a), doubles({1, 2, 2}));
  CHECK_SAME(max(a, b), doubles({3, 2, 3}));
  CHECK_SAME(pow(a, 2), doubles({1, 4, 9}));
  CHECK_SAME(pow(a, -1), doubles({1, 0.5, 1 / 3.0}));
  CHECK_SAME(pow(a, 0.5), sqrt(a));
  CHECK_SAME(pow(tensor({2, 3}), 3), longs({8, 27}));
  CHECK_SAME(tensor({7, -7}) / tensor({2, 2}), floats({3.5, -3.5}));
  CHECK_SAME(a > b, bools({false, false, true}));
  CHECK_SAME(a >= 2, bools({false, true, true}));
  CHECK_SAME(2 > a, bools({true, false, false}));
  CHECK_SAME(a == b, bools({false, true, false}));
  CHECK_SAME((a > 1) & (a < 3), bools({false, true, false}));
  CHECK_SAME((a > 1) | (a < 1), bools({false, true, true}));
  CHECK_SAME((a > 1) ^ true, bools({true, false, false}));
  CHECK_SAME(~(a > 1), bools({true, false, false}));
  CHECK_SAME(tensor({6, 5}) & 3, longs({2, 1}));
  CHECK_SAME(logical_and(a, tensor({0, 1, 1})), bools({false, true, true}));
  CHECK_SAME(logical_not(tensor({0, 2})), bools({true, false}));
  CHECK_SAME(tensor({true, false}) + true, bools({true, true}));
  CHECK_SAME(where(a > 1, a, 0), doubles({0, 2, 3}));
  CHECK_SAME(where(tensor(true), a, b), a);
  CHECK_SAME(where(tensor({{true}, {false}}), a, b), doubles({1, 2, 3, 3, 2, 1}, {2, 3}));
  CHECK_SAME(clamp(a, 1.5, 2.5), doubles({1.5, 2, 2.5}));
  CHECK_SAME(clamp(a, none, 2), doubles({1, 2, 2}));
  CHECK_SAME(clamp(a, b), doubles({3, 2, 3}));
  CHECK_SAME(clamp(a, 3, 1), doubles({1, 1, 1}));  // the upper bound wins
  CHECK_EQ(clamp(tensor({1, 2}), 0.5).dtype(), f32);
  CHECK_SAME(masked_fill(a, a > 1, -1), doubles({1, -1, -1}));
  CHECK_SAME(ones({2, 1}) + ones({3}), full({2, 3}, 2.0));
}

TEST_CASE("reductions") {
  Tensor x = doubles({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK_SAME(sum(x), tensor(21.0, f64));
  CHECK_SAME(sum(x, {}), tensor(21.0, f64));
  CHECK_SAME(sum(x, 0), doubles({5, 7, 9}));
  CHECK_SAME(sum(x, {-1}, true), doubles({6, 15}, {2, 1}));
  CHECK_SAME(mean(x, {0, 1}), tensor(3.5, f64));
  CHECK_SAME(amax(x, 1), doubles({3, 6}));
  CHECK_SAME(amin(x), tensor(1.0, f64));
  CHECK_SAME(max(x), tensor(6.0, f64));
  CHECK_SAME(var(x, 1), doubles({1, 1}));
  CHECK_SAME(var(x, 1, 0), doubles({2 / 3.0, 2 / 3.0}));
  CHECK_SAME(jot::std(x, 0), doubles({std::sqrt(4.5), std::sqrt(4.5), std::sqrt(4.5)}));
  CHECK(std::isnan(var(doubles({1})).item<double>()));
  CHECK_EQ(jot::std(doubles({2, 2})).item<double>(), 0);
  CHECK_SAME(all(x > 1, 1), bools({false, true}));
  CHECK_SAME(any(x > 5, 1), bools({false, true}));
  CHECK(all(zeros({0})).item<bool>());
  CHECK_FALSE(any(zeros({0})).item<bool>());
  CHECK_EQ(sum(zeros({0, 3})).item<double>(), 0);
  CHECK_SAME(amax(tensor({true, false})), tensor(true));
  CHECK_NEAR_TO(logsumexp(x, 1), log(sum(exp(x), 1)), 1e-12);
  CHECK_SAME(logsumexp(doubles({-kInf, -kInf}), 0), tensor(-kInf, f64));
  CHECK_SAME(logsumexp(doubles({kInf, 1}), 0), tensor(kInf, f64));
  CHECK_SAME(logsumexp(doubles({1e4, 1e4}), 0), tensor(1e4 + std::log(2.0), f64));
  CHECK_NEAR_TO(softmax(x, 0), exp(x) / sum(exp(x), 0, true), 1e-12);
  CHECK_NEAR_TO(log_softmax(x * 1e3, 1), doubles({-2000, -1000, 0, -2000, -1000, 0}, {2, 3}), 1e-12);
  CHECK_SAME(sum(tensor(3.0)), tensor(3.0));
}

TEST_CASE("products in all combinations of ranks") {
  auto make = [](const Shape& s) { return arange(s.numel(), f64).reshape(s) - 2; };
  // Against the definition, by broadcasting.
  auto by_definition = [](Tensor a, Tensor b) {
    bool row = a.dim() == 1, column = b.dim() == 1;
    if (row) a = a.unsqueeze(0);
    if (column) b = b.unsqueeze(-1);
    Tensor r = sum(a.unsqueeze(-1) * b.unsqueeze(-3), -2);
    if (row) r = r.squeeze(-2);
    if (column) r = r.squeeze(-1);
    return r;
  };
  Shape left[] = {{3}, {2, 3}, {4, 2, 3}, {5, 1, 2, 3}, {1, 2, 3}};
  Shape right[] = {{3}, {3, 2}, {4, 3, 2}, {1, 3, 2}, {5, 4, 3, 2}};
  for (const Shape& s : left)
    for (const Shape& t : right) {
      CAPTURE(to_string(s));
      CAPTURE(to_string(t));
      CHECK_SAME(matmul(make(s), make(t)), by_definition(make(s), make(t)));
    }
  CHECK_EQ(matmul(zeros({0, 3}), zeros({3, 2})).shape(), Shape{0, 2});
  CHECK_SAME(matmul(zeros({2, 0}), zeros({0, 2})), zeros({2, 2}));
  CHECK_SAME(dot(doubles({1, 2}), doubles({3, 4})), tensor(11.0, f64));
  CHECK_SAME(mv(eye(2, f64), doubles({3, 4})), doubles({3, 4}));
  CHECK_SAME(outer(doubles({1, 2}), doubles({3, 4})), doubles({3, 4, 6, 8}, {2, 2}));
  CHECK_SAME(cross(doubles({1, 0, 0}), doubles({0, 1, 0})), doubles({0, 0, 1}));
  CHECK_SAME(cross(doubles({1, 2, 3}), doubles({4, 5, 6})), doubles({-3, 6, -3}));
  CHECK_SAME(trace(make({3, 3})), tensor(6.0, f64));
}

TEST_CASE("joining and masking") {
  Tensor a = doubles({1, 2}), b = doubles({3, 4});
  CHECK_SAME(stack({a, b}), doubles({1, 2, 3, 4}, {2, 2}));
  CHECK_SAME(stack({a, b}, -1), doubles({1, 3, 2, 4}, {2, 2}));
  CHECK_SAME(cat({a, b}), doubles({1, 2, 3, 4}));
  CHECK_SAME(cat({a, zeros({0}, f64), b}), doubles({1, 2, 3, 4}));
  CHECK_SAME(cat({ones({1, 2}), zeros({2, 2})}, 0), floats({1, 1, 0, 0, 0, 0}, {3, 2}));
  CHECK_SAME(flip(a, 0), doubles({2, 1}));
  Tensor m = arange(9, f64).reshape({3, 3});
  CHECK_SAME(tril(m), doubles({0, 0, 0, 3, 4, 0, 6, 7, 8}, {3, 3}));
  CHECK_SAME(triu(m, 1), doubles({0, 1, 2, 0, 0, 5, 0, 0, 0}, {3, 3}));
  CHECK_SAME(diag(m), doubles({0, 4, 8}));
  CHECK_SAME(diag(a, 1), doubles({0, 1, 0, 0, 0, 2, 0, 0, 0}, {3, 3}));
  CHECK_SAME(diag(a, -1), diag(a, 1).t());
  CHECK_SAME(diag_embed(stack({a, b})), doubles({1, 0, 0, 2, 3, 0, 0, 4}, {2, 2, 2}));
  CHECK(equal(a, a.clone()));
  CHECK_FALSE(equal(a, b));
  CHECK(allclose(a, a + 1e-9));
  CHECK_FALSE(allclose(doubles({kInf}), doubles({1})));
  CHECK(allclose(doubles({kInf}), doubles({kInf})));
}

TEST_CASE("reading") {
  Tensor x = doubles({1.5, -2});
  CHECK_EQ(x.to_vector<int>(), std::vector<int>{1, -2});
  CHECK_EQ((x > 0).to_vector<bool>(), std::vector<bool>{true, false});
  CHECK_EQ(x[0].item<float>(), 1.5f);
  CHECK_EQ(x.data<double>()[1], -2);
  const double* same = x.data<double>();
  CHECK_EQ(x.data<double>(), same);  // no copy of what is concrete and contiguous
  CHECK_EQ(x[1].data<double>(), same + 1);
  Tensor snapshot = x + 0, pending = x * 1;
  x.mutable_data<double>()[0] = 7;
  CHECK_SAME(x, doubles({7, -2}));
  CHECK_SAME(pending, doubles({1.5, -2}));  // recorded before
  CHECK_SAME(snapshot, doubles({1.5, -2}));
  CHECK(bool(tensor(2.0)));
  CHECK_FALSE(Tensor().defined());
  Tensor t = arange(6, f64).reshape({2, 3}).t();
  CHECK_EQ(t.data<double>()[1], 3);
  CHECK_EQ(t.to_vector<double>(), std::vector<double>{0, 3, 1, 4, 2, 5});
  CHECK_EQ(&x.eval(), &x);
}

TEST_CASE("text") {
  CHECK_EQ(to_string(tensor({{1.0, 2.5}, {3.0, -4.0}})), "[[ 1.0000,  2.5000],\n [ 3.0000, -4.0000]] f32[2,2]");
  CHECK_EQ(to_string(tensor({1.0, 2.0}, f64)), "[1., 2.] f64[2]");
  CHECK_EQ(to_string(tensor({1, 20})), "[ 1, 20] i64[2]");
  CHECK_EQ(to_string(tensor(true)), "true bool[]");
  CHECK_EQ(to_string(tensor({})), "[] f32[0]");
  CHECK_EQ(to_string(tensor({1e-10, kInf, kNan}, f64)), "[1.0000e-10,        inf,        nan] f64[3]");
  CHECK_EQ(to_string(arange(2000)), "[   0,    1,    2, ..., 1997, 1998, 1999] i64[2000]");
  CHECK_EQ(to_string(Tensor()), "Tensor()");
  std::ostringstream out;
  out << tensor(3);
  CHECK_EQ(out.str(), "3 i64[]");
  CHECK_EQ(fmt::format("{}", tensor({1, 2})), "[1, 2] i64[2]");
  CHECK_EQ(fmt::format("{:>16}", tensor({1, 2})), "   [1, 2] i64[2]");
  std::string inside;
  grad([&](const Tensor& x) {
    inside = to_string(x);
    return sum(x);
  })(ones({2}));
  CHECK_EQ(inside, "[1., 1.] f32[2]");  // a host read of a derivative's value
  jit([&](const Tensor& x) {
    inside = to_string(x);
    return x;
  })(ones({2}));
  CHECK_EQ(inside, "Tensor(f32[2])");

  out.str("");
  out << f64 << " " << boolean << " " << Shape{2, 3} << Shape{};
  CHECK_EQ(out.str(), "f64 bool [2,3][]");
  CHECK_EQ(fmt::format("{} {:>5} {}", i32, Shape{4}, Shape{2, 3}), "i32   [4] [2,3]");
}

TEST_CASE("text of a tensor that has escaped from its function") {
  Tensor escaped;
  auto keep = [&](const Tensor& x) {
    escaped = x * 2;
    return sum(x);
  };
  auto text = [](const std::string& of, int line) {
    return "Tensor(" + of + " at " + __FILE__ + ":" + std::to_string(line) +
           ", which has ended: return it from the function instead)";
  };
  grad(keep)(ones({2}));
  CHECK_EQ(to_string(escaped), text("f32[2], escaped from grad", __LINE__ - 1));
  vmap(keep)(ones({2, 3}));
  CHECK_EQ(to_string(escaped), text("f32[3], escaped from vmap", __LINE__ - 1));
  jit(keep)(ones({2}));
  CHECK_EQ(to_string(escaped), text("f32[2], escaped from jit", __LINE__ - 1));
}

TEST_CASE("random numbers: range, moments, seeds, program order") {
  manual_seed(7);
  Tensor u = rand({20000}, f64), n = randn({20000}, f64), k = randint(-2, 3, {1000}),
         p = bernoulli(full({20000}, 0.25));
  CHECK(min(u).item<double>() >= 0);
  CHECK(max(u).item<double>() < 1);
  CHECK(std::abs(mean(u).item<double>() - 0.5) < 0.01);
  CHECK(std::abs(mean(n).item<double>()) < 0.03);
  CHECK(std::abs(var(n).item<double>() - 1) < 0.05);
  CHECK_EQ(min(k).item<int>(), -2);
  CHECK_EQ(max(k).item<int>(), 2);
  CHECK(std::abs(mean(p).item<double>() - 0.25) < 0.02);
  CHECK_FALSE(equal(rand({4}), rand({4})));

  manual_seed(3);
  Tensor a = rand({3}), b = randn({2});
  manual_seed(3);
  Tensor c = rand({3}), d = randn({2});  // a and b are still pending
  CHECK_SAME(a, c);
  CHECK_SAME(b, d);
  manual_seed(3);
  rand({3}).eval();  // the order is that of the program, whatever is evaluated when
  CHECK_SAME(randn({2}), b);
  manual_seed(3);
  CHECK_SAME(jit([] { return rand({3}); })(), a);
  CHECK_SAME(randn({2}), b);
}

TEST_CASE("loops outside transforms compile once and keep nothing") {
  Tensor x = ones({3}, f64);
  for (int i = 0; i < 20000; ++i) x = x * 0.999 + 0.001 * i;
  double expected = 1;
  for (int i = 0; i < 20000; ++i) expected = expected * 0.999 + 0.001 * i;
  CHECK(std::abs(x[0].item<double>() / expected - 1) < 1e-9);
  Tensor sums = zeros({4}, f64);
  for (int i = 0; i < 10000; ++i) sums[i % 4].add_(0.5 * i);
  double total = 0;
  for (int i = 0; i < 10000; ++i) total += 0.5 * i;
  CHECK_EQ(sum(sums).item<double>(), total);
}

double epsilon_of(DType d) { return d == f32 ? 0x1p-23 : 0x1p-52; }

// The worst error of the elements of t, all of which should be `expected`, as a part of it.
double worst_error(const Tensor& t, long double expected) {
  long double worst = 0;
  for (double x : t.to(f64).ravel().to_vector<double>()) worst = std::max(worst, std::abs(x - expected) / expected);
  return static_cast<double>(worst);
}

TEST_CASE("sums of many terms and products with vectors are as accurate as those of few, along any axes") {
  for (DType d : {f32, f64}) {
    const double tolerance = 8 * epsilon_of(d);
    for (double c : {0.1, 0.3, 1.7}) {
      const long double term = d == f32 ? static_cast<double>(static_cast<float>(c)) : c;
      for (int64_t n : {100, 513, 4096, 65'536, 1'048'576}) {
        CAPTURE(n);
        Tensor x = full({n}, c, d).eval(), rows = full({3, n}, c, d).eval(), columns = full({n, 33}, c, d).eval();
        const long double whole = static_cast<long double>(n) * term;
        CHECK(worst_error(sum(x), whole) <= tolerance);             // alone
        CHECK(worst_error(sum(x * x), whole * term) <= tolerance);  // fused with what makes its terms
        CHECK(worst_error(sum(rows, {1}), whole) <= tolerance);
        CHECK(worst_error(sum(rows * 2, {1}), 2 * whole) <= tolerance);
        CHECK(worst_error(sum(columns, {0}), whole) <= tolerance);
        CHECK(worst_error(sum(columns + columns), 66 * whole) <= tolerance);
        CHECK(worst_error(mean(columns * 1, {0}), term) <= tolerance);
        CHECK(worst_error(matmul(x, x), whole * term) <= tolerance);
        CHECK(worst_error(matmul(rows, x), whole * term) <= tolerance);
        CHECK(worst_error(matmul(x, columns), whole * term) <= tolerance);
        CHECK(worst_error(matmul(rows * 2, x + x), 4 * whole * term) <= tolerance);
      }
      Tensor nest = full({700, 5, 40}, c, d).eval();
      CHECK(worst_error(sum(nest.transpose(0, 1) * 1, {0, 2}), 200 * term) <= tolerance);
      CHECK(worst_error(sum(nest.slice(2, 0, 7) * 1), 24'500 * term) <= tolerance);
      CHECK(worst_error(matmul(nest.permute({1, 2, 0}), full({700}, c, d)), 700 * term * term) <= tolerance);
      CHECK(worst_error(matmul(full({5}, c, d), nest), 5 * term * term) <= tolerance);
      CHECK(worst_error(matmul(nest.permute({1, 0, 2}), full({5, 40, 1}, c, d)), 40 * term * term) <= tolerance);
    }
    // Infinities and NaN stay what they are.
    Tensor x = full({100'000}, 1, d).eval();
    x[70'000] = kInf;
    CHECK_EQ(sum(x * 1).item<double>(), kInf);
    CHECK_EQ(sum(x).item<double>(), kInf);
    CHECK_EQ(sum(x.reshape({50'000, 2}), {0})[0].item<double>(), kInf);
    x[3] = -kInf;
    CHECK(std::isnan(sum(x * 1).item<double>()));
    CHECK(std::isnan(sum(x.reshape({50'000, 2}).slice(1, 0, 2), {0, 1}).item<double>()));
  }
}

// Of terms of random signs in [-1, 1]; products by a library relative to the size of the results.
TEST_CASE("sums and products of random terms are within 4 epsilon sqrt(n)") {
  // The worst error of a product, and the size of its elements.
  struct Found {
    double error, size;
  };
  auto compare = [](const Tensor& a, const Tensor& b, const std::vector<double>& found) {
    const int64_t m = a.size(0), n = a.size(1), p = b.size(1);
    std::vector<double> x = a.to(f64).ravel().to_vector<double>(), y = b.to(f64).ravel().to_vector<double>();
    long double worst = 0, squares = 0;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < p; ++j) {
        long double sum = 0;
        for (int64_t k = 0; k < n; ++k)
          sum += static_cast<long double>(x[static_cast<size_t>(i * n + k)]) * y[static_cast<size_t>(k * p + j)];
        worst = std::max(worst, std::abs(sum - found[static_cast<size_t>(i * p + j)]));
        squares += sum * sum;
      }
    return Found{static_cast<double>(worst), std::sqrt(static_cast<double>(squares) / static_cast<double>(m * p))};
  };
  for (DType d : {f32, f64})
    for (int64_t n : {10, 300, 4096, 100'000}) {
      CAPTURE(n);
      const double tolerance = 4 * epsilon_of(d) * std::sqrt(static_cast<double>(n));
      Tensor a = (2 * rand({5, n}, d) - 1).eval(), b = (2 * rand({n, 7}, d) - 1).eval();
      Tensor x = (2 * rand({n, 1}, d) - 1).eval(), y = (2 * rand({n, 1}, d) - 1).eval();
      Tensor one = ones({n, 1}, d).eval();
      auto values = [](const Tensor& t) { return t.to(f64).ravel().to_vector<double>(); };
      const Found product = compare(a, b, values(matmul(a, b)));  // a library's
      CHECK(product.error <= tolerance * product.size);
      CHECK(compare(a, x, values(matmul(a, x.squeeze(1)))).error <= tolerance);
      CHECK(compare(x.t(), b, values(matmul(x.squeeze(1), b))).error <= tolerance);
      CHECK(compare(x.t(), y, values(matmul(x.squeeze(1), y.squeeze(1)))).error <= tolerance);
      CHECK(compare(a, one, values(sum(a, {1}))).error <= tolerance);
      CHECK(compare(one.t(), b, values(sum(b, {0}))).error <= tolerance);
    }
}
