// Writes by indices, outputs that are given, copies with a part replaced: against loops over plain arrays, and their
// derivatives against differences.
#include <functional>
#include <random>

#include "check.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;

namespace {

// A 3-d array of doubles, and the loops that the functions stand for.
struct Array {
  int64_t n[3];
  std::vector<double> v;
  explicit Array(const Tensor& t) : n{t.size(0), t.size(1), t.size(2)}, v(t.to_vector<double>()) {}
  double& at(const int64_t (&i)[3]) { return v[static_cast<size_t>((i[0] * n[1] + i[1]) * n[2] + i[2])]; }
  Tensor tensor() const { return doubles(v, {n[0], n[1], n[2]}); }
  template <class F>
  void each(F f) {
    for (int64_t i = 0; i < n[0]; ++i)
      for (int64_t j = 0; j < n[1]; ++j)
        for (int64_t k = 0; k < n[2]; ++k) f({i, j, k});
  }
};

Tensor random_values(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> value(-2, 2);
  std::vector<double> v(static_cast<size_t>(shape.numel()));
  for (double& x : v) x = value(random);
  return doubles(v, shape);
}
Tensor random_indices(const Shape& shape, int64_t extent, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<int64_t> v(static_cast<size_t>(shape.numel()));
  for (int64_t& x : v) x = static_cast<int64_t>(random() % static_cast<unsigned>(extent));
  return Tensor::from(v, shape);
}

// f and its derivatives agree in both modes with differences, and lanes with a loop.
void check_derivatives(const std::function<Tensor(const Tensor&, const Tensor&)>& f, const Tensor& x, const Tensor& y) {
  auto [jx, jy] = jacrev<argnums(0, 1)>(f)(x, y);
  auto [fx, fy] = jacfwd<argnums(0, 1)>(f)(x, y);
  CHECK_SAME(fx, jx);
  CHECK_SAME(fy, jy);
  Tensor dx = random_values(x.shape(), 91), dy = random_values(y.shape(), 92);
  double h = 1e-6;
  Tensor slope = (f(x + h * dx, y + h * dy) - f(x - h * dx, y - h * dy)) / (2 * h);
  CHECK_NEAR_TO(jvp(f, primals(x, y), tangents(dx, dy)).second, slope, 1e-7);
  Tensor xs = stack({x, 2 * x, -x}, 1), ys = stack({y, y, 3 * y}, -1);
  Tensor lanes = vmap(f, {.in_dims = {1, -1}})(xs, ys);
  for (int64_t i = 0; i < 3; ++i) CHECK_SAME(lanes[i], f(xs.select(1, i), ys.select(-1, i)));
  auto total = [&](const Tensor& a, const Tensor& b) { return sum(square(f(a, b))); };
  CHECK_SAME(vmap(grad(total), {.in_dims = {1, -1}})(xs, ys)[2], grad(total)(xs.select(1, 2), ys.select(-1, 2)));
  CHECK_SAME(jit(f)(x, y), f(x, y));
}

}  // namespace

TEST_CASE("gather, scatter_, scatter_add_ along every dim, with shorter indices") {
  for (int64_t dim = 0; dim < 3; ++dim)
    for (bool shorter : {false, true}) {
      CAPTURE(dim);
      CAPTURE(shorter);
      Shape shape{3, 4, 2}, index_shape = shorter ? Shape{2, 3, 1} : Shape{3, 4, 2};
      index_shape[static_cast<size_t>(dim)] = 5;
      Tensor x = random_values(shape, 1), index = random_indices(index_shape, shape[static_cast<size_t>(dim)], 2);
      Tensor src = random_values(index_shape, 3);
      Array from(x), where(index), set(x), sum_of(x), updates(src), constant(x), got(src);
      where.each([&](const int64_t(&i)[3]) {
        int64_t to[3] = {i[0], i[1], i[2]};
        to[dim] = static_cast<int64_t>(where.at(i));
        got.at(i) = from.at(to);
        set.at(to) = updates.at(i);
        sum_of.at(to) += updates.at(i);
        constant.at(to) = 7;
      });
      CHECK_SAME(gather(x, dim, index), got.tensor());
      CHECK_SAME(x.gather(dim - 3, index.to(i32)), got.tensor());
      CHECK_SAME(scatter(x, dim, index, src), set.tensor());
      CHECK_SAME(scatter_add(x, dim, index, src), sum_of.tensor());
      CHECK_SAME(x.scatter(dim, index, 7), constant.tensor());
      Tensor y = x.clone(), whole = zeros({4, 3, 4, 2}, f64);
      CHECK_SAME(y.scatter_(dim, index, src), set.tensor());
      CHECK_SAME(y, set.tensor());
      whole[2].copy_(x);
      whole[2].scatter_add_(dim, index, src);  // through a view
      CHECK_SAME(whole[2], sum_of.tensor());
      CHECK_SAME(whole[1], zeros(shape, f64));
      Tensor turned = x.permute({2, 0, 1}).clone().permute({1, 2, 0});  // not contiguous
      turned.scatter_(dim, index, src);
      CHECK_SAME(turned, set.tensor());
      // A source that is larger than the index.
      Tensor larger = cat({src, src}, dim);
      CHECK_SAME(scatter(x, dim, index, larger), set.tensor());
      check_derivatives([&](const Tensor& a, const Tensor& b) { return scatter_add(a, dim, index, b); }, x, src);
      check_derivatives([&](const Tensor& a, const Tensor& b) { return a.clone().scatter_(dim, index, b) * a; }, x,
                        src);
      check_derivatives([&](const Tensor& a, const Tensor& b) { return gather(a, dim, index) * b; }, x, src);
    }
  CHECK_SAME(gather(tensor(3.0), 0, tensor(0)), tensor(3.0));
  CHECK_SAME(scatter(tensor(3.0), 0, tensor({0}), 5), tensor(5.0));
  CHECK_SAME(gather(zeros({0, 2}), 0, tensor(std::vector<int>{}).reshape({0, 1})), zeros({0, 1}));
}

TEST_CASE("D59 scatter_add with lanes of indices") {
  auto f = [](const Tensor& index, const Tensor& v) { return zeros({3}).scatter_add(0, index, v); };
  CHECK_SAME(vmap(f)(tensor({{0, 0}, {1, 2}}), floats({1, 2, 3, 4}, {2, 2})), floats({3, 0, 0, 0, 3, 4}, {2, 3}));
}

TEST_CASE("index_add_, index_copy_, index_fill_, index_put_, masked_scatter_") {
  for (int64_t dim = 0; dim < 3; ++dim) {
    CAPTURE(dim);
    Shape shape{3, 4, 2}, rows = shape;
    Tensor index = tensor({1, 0, 1}), distinct = tensor({1, 0});
    rows[static_cast<size_t>(dim)] = 3;
    Tensor x = random_values(shape, 4), src = random_values(rows, 5);
    Array added(x), copied(x), filled(x), updates(src);
    std::vector<int64_t> to_rows = index.to_vector<int64_t>();
    updates.each([&](const int64_t(&i)[3]) {
      int64_t to[3] = {i[0], i[1], i[2]};
      to[dim] = to_rows[static_cast<size_t>(i[dim])];
      added.at(to) += -2 * updates.at(i);
      copied.at(to) = updates.at(i);
      filled.at(to) = 0.5;
    });
    CHECK_SAME(index_add(x, dim, index, src, -2), added.tensor());
    CHECK_SAME(x.index_copy(dim - 3, index, src), copied.tensor());
    CHECK_SAME(index_fill(x, dim, index, 0.5), filled.tensor());
    CHECK_SAME(index_fill(x, dim, index, tensor(0.5)), filled.tensor());
    Tensor y = x.clone();
    y.index_add_(dim, index, src).index_add_(dim, index, src, -3);
    CHECK_SAME(y, added.tensor());
    Tensor base = zeros({2, 3, 4, 2}, f64), view = base[1];
    view.copy_(x).index_fill_(dim, index, 0.5);
    CHECK_SAME(base[1], filled.tensor());
    CHECK_SAME(base[0], zeros(shape, f64));
    check_derivatives([&](const Tensor& a, const Tensor& b) { return index_add(a, dim, index, b, 3); }, x, src);
    // Of two writes to one row the last has the derivative.
    check_derivatives([&](const Tensor& a, const Tensor& b) { return index_copy(a, dim, index, b) * a; }, x, src);
    check_derivatives([&](const Tensor& a, const Tensor& b) { return index_fill(a, dim, distinct, sum(b)); }, x, src);
  }
  Tensor x = doubles({1, 2, 3, 4, 5, 6}, {2, 3}), mask = tensor({{true, false, true}, {false, false, true}});
  CHECK_SAME(masked_scatter(x, mask, doubles({10, 20, 30, 40})), doubles({10, 2, 20, 4, 5, 30}, {2, 3}));
  CHECK_SAME(x.masked_scatter(mask[0], doubles({10, 20, 30, 40})), doubles({10, 2, 20, 30, 5, 40}, {2, 3}));
  Tensor y = x.clone(), source = doubles({7, 8, 9}, {3, 1});
  y.t().masked_scatter_(mask.t(), source);
  CHECK_SAME(y, doubles({7, 2, 8, 4, 5, 9}, {2, 3}));
  check_derivatives([&](const Tensor& a, const Tensor& b) { return a.masked_scatter(mask, b) * a; }, x, source);
  CHECK_SAME(x.index_put({tensor({0, 1}), tensor({2, 2})}, 0), doubles({1, 2, 0, 4, 5, 0}, {2, 3}));
  Tensor one = tensor(3.0, f64);
  CHECK_SAME(one.index_add_(0, tensor({0}), tensor({4.0}, f64)), tensor(7.0, f64));
}

TEST_CASE("select_scatter, slice_scatter, diagonal_scatter, as_strided_scatter") {
  Tensor x = arange(12, f64).reshape({3, 4}), row = doubles({-1, -2, -3, -4}), part = doubles({-1, -2, -3}, {3, 1});
  CHECK_SAME(select_scatter(x, row, 0, -1), cat({x.slice(0, 0, 2), row.unsqueeze(0)}));
  CHECK_SAME(x.slice_scatter(part, 1, 1, 2), cat({x.slice(1, 0, 1), part, x.slice(1, 2)}, 1));
  Tensor stepped = slice_scatter(x, cat({part, part}, 1), 1, 0, 4, 2);
  CHECK_SAME(stepped.slice(1, 0, 4, 2), cat({part, part}, 1));
  CHECK_SAME(stepped.slice(1, 1, 4, 2), x.slice(1, 1, 4, 2));
  CHECK_SAME(diagonal_scatter(x, part.squeeze(1), 1).diagonal(1), part.squeeze(1));
  CHECK_SAME(sum(diagonal_scatter(x, zeros({3}, f64), 1)), sum(x) - sum(x.diagonal(1)));
  CHECK_SAME(as_strided_scatter(x, row.view({2, 2}), {2, 2}, {5, 2}, 1).ravel(),
             doubles({0, -1, 2, -2, 4, 5, -3, 7, -4, 9, 10, 11}));
  CHECK_SAME(x, arange(12, f64).reshape({3, 4}));
  auto all = [](const Tensor& a, const Tensor& b) {
    Tensor r = select_scatter(a, b * b, 0, 1) * a;
    r = r.slice_scatter(b.unsqueeze(0), 0, 2, 3);
    r = r.diagonal_scatter(b.slice(0, 0, 3));
    return r.as_strided_scatter(b.slice(0, 0, 2), {2}, {7}, 2);
  };
  check_derivatives(all, x, row);
}

TEST_CASE("windows and strides: values and derivatives, also where windows overlap") {
  Tensor x = arange(12, f64).reshape({3, 4});
  CHECK_SAME(x.unfold(1, 3, 1)[0], doubles({0, 1, 2, 1, 2, 3}, {2, 3}));
  CHECK_EQ(x.unfold(0, 2, 1).shape(), Shape{2, 4, 2});
  CHECK_SAME(unfold(x, 0, 2, 1)[1], stack({x[1], x[2]}, 1));
  CHECK_SAME(x.as_strided({3, 3}, {1, 1}), doubles({0, 1, 2, 1, 2, 3, 2, 3, 4}, {3, 3}));
  CHECK_SAME(as_strided(x.t(), {2, 2}, {3, 0}, 2), doubles({2, 2, 5, 5}, {2, 2}));
  CHECK_EQ(tensor(1.0).unfold(0, 1, 1).shape(), Shape{1});
  auto f = [](const Tensor& a, const Tensor& b) {
    Tensor y = (a * a).clone(), windows = y.unfold(1, 2, 1), strided = y.as_strided({4, 2}, {2, 3}, 1);
    y[1].mul_(b);  // seen through both
    return cat({(windows * b[0]).ravel(), (strided * strided).ravel()});
  };
  check_derivatives(f, x / 5, doubles({1, 2, 3, 4}));
}

TEST_CASE("out=: the result is written to the tensor that is given, and through views to its base") {
  Tensor a = doubles({1, -2, 3}), b = doubles({4, 5, 6}), out = zeros({2, 3}, f64), i = zeros({3}, i64);
  Tensor same = add_out(out[0], a, b);
  CHECK_SAME(same, a + b);
  CHECK_SAME(out, stack({a + b, zeros({3}, f64)}));
  CHECK_SAME(sin_out(out[1], a), sin(a));
  CHECK_SAME(mul_out(a.clone(), 2, a), a * 2);
  CHECK_SAME(maximum_out(out[1], a, 2), maximum(a, 2));
  CHECK_SAME(gt_out(i, a, 0), tensor({1, 0, 1}));
  CHECK_SAME(logical_not_out(out[1], a), doubles({0, 0, 0}));
  CHECK_SAME(bitwise_xor_out(i, i, 3), tensor({2, 3, 2}));
  CHECK_SAME(matmul_out(zeros({}, f64), a, b), doubles({12}).view({}));
  CHECK_SAME(outer_out(zeros({3, 3}, f64), a, b), outer(a, b));
  CHECK_SAME(sum_out(zeros({}, f64), a), sum(a));
  CHECK_SAME(amax_out(zeros({1}, f64), a, {0}, true), doubles({3}));
  CHECK_SAME(softmax_out(out[0], a, 0), softmax(a, 0));
  CHECK_SAME(clamp_out(out[0], a, 0, none), clamp(a, 0, none));
  CHECK_SAME(where_out(out[0], a > 0, a, b), where(a > 0, a, b));
  CHECK_SAME(cat_out(zeros({6}, f64), {a, b}), cat({a, b}));
  CHECK_SAME(stack_out(out.t(), {a, b}, 1), stack({a, b}, 1));
  CHECK_SAME(out, stack({a, b}));
  CHECK_SAME(index_select_out(zeros({2}, f64), a, 0, tensor({2, 0})), doubles({3, 1}));
  CHECK_SAME(gather_out(zeros({2}, f64), a, 0, tensor({2, 0})), doubles({3, 1}));
  auto f = [](const Tensor& x) {
    Tensor y = zeros({2, 3}, f64);
    mul_out(y[1], x, x);
    return sum(y * y);
  };
  CHECK_SAME(grad(f)(a), 4 * a * a * a);
  CHECK_SAME(functionalize(grad(f))(a), 4 * a * a * a);
  CHECK_THROWS_WITH_AS(vmap(f)(stack({a, b})),
                       Contains("[mul_out] vmap: Batching rule not implemented for aten::mul.out; the fallback path "
                                "doesn't work on out= or view ops"),
                       TransformError);
}

TEST_CASE("operators that write") {
  Tensor m = tensor({true, true, false, false}), n = tensor({true, false, true, false}), i = tensor({12, 10});
  Tensor a = m.clone(), b = m.clone(), c = m.clone();
  a &= n;
  b |= n;
  c ^= n;
  CHECK_SAME(a, m & n);
  CHECK_SAME(b, m | n);
  CHECK_SAME(c, m ^ n);
  i.slice(0, 0, 1) &= 10;
  CHECK_SAME(i, tensor({8, 10}));
  CHECK_SAME(i.bitwise_not_(), tensor({-9, -11}));
  CHECK_SAME(i.bitwise_or_(1), tensor({-9, -11}));
  CHECK_SAME(i.eq_(-9), tensor({1, 0}));
  Tensor x = floats({1, 2, 3});
  CHECK_SAME(x.ne_(2), floats({1, 0, 1}));
  CHECK_SAME(x.ge_(1), floats({1, 0, 1}));
  CHECK_SAME(x.logical_xor_(floats({1, 1, 0})), floats({0, 1, 1}));
  CHECK_SAME(x.logical_or_(floats({1, 0, 0})), floats({1, 1, 1}));
}

TEST_CASE("what is refused writes nothing") {
  Tensor x = doubles({1, 2, 3, 4}, {2, 2}), before = x.clone(), i = tensor({0, 1}), indices = tensor({{0, 1}});
  struct Refused {
    const char* text;
    std::function<void()> run;
  };
  const Refused rows[] = {
      {"[add_] unsupported operation: more than one element of the written-to tensor refers to a single memory "
       "location",
       [&] {
         x.as_strided({2, 3}, {1, 1}).add_(1);
       }},
      {"[copy_] unsupported operation: more than one element",
       [&] {
         x.unfold(1, 1, 1).expand({2, 2, 3}).copy_(x[0][0]);
       }},
      {"[zero_] unsupported operation: more than one element", [&] { x.view({4}).unfold(0, 3, 1).zero_(); }},
      {"[mul_] unsupported operation: more than one element",
       [&] {
         x.as_strided({2, 2}, {2, 1}, 0).as_strided({2, 2}, {1, 1}).mul_(2);
       }},
      {"[index_put_] unsupported operation: more than one element",
       [&] {
         x.expand({3, 2, 2}).index_put_({i}, 1);
       }},
      {"[add_out] unsupported operation: more than one element",
       [&] {
         add_out(x.expand({3, 2, 2}), x.expand({3, 2, 2}), x);
       }},
      {"[add_] output with shape [2,2] doesn't match the broadcast shape [3,2,2]",
       [&] {
         x.add_(ones({3, 1, 1}));
       }},
      {"[add_out] the output is f64[2,2], the result has shape [3,2,2]: outputs are not resized",
       [&] {
         add_out(x, x, ones({3, 2, 2}));
       }},
      {"[sin_out] the output is f64[2], the result has shape [2,2]", [&] { sin_out(x[0], x); }},
      {"[sin_] result type f32 can't be cast to the desired output type i64", [&] { i.sin_(); }},
      {"[add_out] result type f64 can't be cast to the desired output type i64", [&] { add_out(i, x[0], 1); }},
      {"[bitwise_and_] defined for integers and booleans, got f64", [&] { x &= 1; }},
      {"[view] view size [4] is not compatible with input tensor's size and stride (at least one dimension spans "
       "across two contiguous subspaces)",
       [&] { x.t().view({4}).zero_(); }},
      {"[resize_] Attempted to resize a view tensor to a larger size", [&] { x[0].resize_({4}); }},
      {"[resize_] a tensor keeps its shape",
       [&] {
         x.resize_({3, 3});
       }},
      {"[resize_] a tensor keeps its shape", [&] { x[0].resize_({1}); }},
      {"[as_strided] size [2,2], stride [2,2] and storage offset 1 are out of bounds for the storage of 4",
       [&] {
         x.as_strided({2, 2}, {2, 2}, 1).zero_();
       }},
      {"[as_strided] size [3000000000,3], stride [4000000000,1] and storage offset 0 are out of bounds",
       [&] {
         x.as_strided({3000000000, 3}, {4000000000, 1}).zero_();
       }},
      {"[as_strided] Negative strides are not supported", [&] { x.as_strided({2}, {-1}); }},
      {"[as_strided] expected a storage offset >= 0", [&] { x.as_strided({2}, {1}, -1); }},
      {"[as_strided] mismatch in length of strides and shape",
       [&] {
         x.as_strided({2}, {1, 1});
       }},
      {"[unfold] maximum size for tensor at dimension 1 is 2 but size is 3", [&] { x.unfold(1, 3, 1); }},
      {"[unfold] step is 0 but must be > 0", [&] { x.unfold(0, 1, 0); }},
      {"[unfold] size is -1 but must be >= 0", [&] { x.unfold(0, -1, 1); }},
      {"[unflatten] Provided sizes [3,-1] don't multiply up to the size of dim 0 (2) in the input tensor",
       [&] {
         x.unflatten(0, {3, -1});
       }},
      {"[split] split_with_sizes expects sizes to sum exactly to 2",
       [&] {
         x.split({1, 2});
       }},
      {"[tensor_split] number of sections must be larger than 0", [&] { x.tensor_split(0); }},
      {"[mT] expects a tensor with at least 2 dimensions", [&] { x[0].mT(); }},
      {"[scatter_] Index tensor must have the same number of dimensions as input tensor", [&] { x.scatter_(0, i, x); }},
      {"[scatter_] Size does not match at dimension 1 expected index [1,3] to be no larger than self [2,2] apart from "
       "dimension 0",
       [&] {
         x.scatter_(0, tensor({{0, 1, 1}}), ones({1, 3}, f64));
       }},
      {"[scatter_] expected index [1,2] to be no larger than src [1,1]",
       [&] {
         x.scatter_(0, indices, ones({1, 1}, f64));
       }},
      {"[scatter_] Expected self.dtype to be equal to src.dtype: self is f64[2,2], src f32[1,2]",
       [&] {
         x.scatter_(0, indices, ones({1, 2}));
       }},
      {"[scatter_] Expected dtype int64 for index, got f64[2,2]", [&] { x.scatter_(0, x, x); }},
      {"[gather] Dimension out of range", [&] { x.gather(2, indices); }},
      {"[index_add_] source has shape [2,1], expected [2,2]",
       [&] {
         x.index_add_(0, i, ones({2, 1}, f64));
       }},
      {"[index_copy_] self and source expected to have the same dtype, but got (self) f64[2,2] and (source) f32[2,2]",
       [&] {
         x.index_copy_(0, i, ones({2, 2}));
       }},
      {"[index_fill_] only a number or a 0-d tensor can fill", [&] { x.index_fill_(0, i, x); }},
      {"[index_fill_] Index is supposed to be a vector, got i64[1,2]", [&] { x.index_fill_(0, indices, 1); }},
      {"[masked_scatter_] expected the source to have at least as many elements as the mask has ones: 1 < 3",
       [&] { x.masked_scatter_(x > 1, ones({1}, f64)); }},
      {"[masked_scatter_] the mask must be boolean, got f64[2,2]", [&] { x.masked_scatter_(x, x); }},
      {"[select_scatter] expected src to have a size equal to the slice of self. src size = [2,2], slice size = [2]",
       [&] { select_scatter(x, x, 0, 0); }},
  };
  for (const Refused& row : rows)
    for (bool pending : {false, true}) {
      CAPTURE(row.text);
      if (pending) x.add_(0);
      CHECK_THROWS_WITH_AS(row.run(), Contains(row.text), Error);
      CHECK_SAME(x, before);
      CHECK_SAME(i, tensor({0, 1}));
      auto inside = [&](const Tensor& y) {  // the same under jit: the recording fails as a whole
        row.run();
        return y * 1;
      };
      CHECK_THROWS_AS(jit(inside)(x), Error);
      CHECK_SAME(x, before);
    }
}
