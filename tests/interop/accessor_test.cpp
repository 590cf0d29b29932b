// Elements by their indices: values and places, views, writing, what is refused.
#include <doctest/doctest.h>

#include <numeric>

#include "jot/jot.h"

using namespace jot;
using doctest::Contains;

TEST_CASE("accessor: elements of bases and of views, where they lie") {
  Tensor x = arange(24).to(f64).reshape({2, 3, 4}).eval();
  auto a = x.accessor<double, 3>();
  static_assert(std::is_same_v<decltype(a)::element_type, const double> && decltype(a)::rank() == 3);
  CHECK_EQ(a(1, 2, 3), 23);
  CHECK_EQ(a[1][0][2], 14);
  CHECK_EQ(a.at(0, 1, 1), 5);
  CHECK_EQ(a.extent(1), 3);
  CHECK_EQ(a.stride(0), 12);
  CHECK_EQ(a.data(), x.data<double>());

  Tensor t = x.permute({2, 0, 1}), s = x.slice(2, 1, 4, 2)[1], e = x.select(0, 0).select(0, 1).expand({5, 4});
  auto permuted = t.accessor<double, 3>();
  CHECK_EQ(permuted.data(), x.data<double>());  // no copy
  CHECK_EQ(permuted(3, 1, 2), 23);
  auto strided = s.accessor<double, 2>();
  CHECK_EQ(strided.data(), x.data<double>() + 13);
  CHECK_EQ(strided(2, 1), 23);
  auto repeated = e.accessor<double, 2>();
  CHECK_EQ(repeated.stride(0), 0);
  CHECK_EQ(repeated(4, 3), 7);
  CHECK_EQ(tensor(2.5, f64).accessor<double, 0>()(), 2.5);
}

TEST_CASE("accessor: every dtype, and bits of 16-bit floats") {
  CHECK_EQ(tensor({true, false}).accessor<bool, 1>()(0), true);
  CHECK_EQ(tensor({1, 2}, u8).accessor<uint8_t, 1>()(1), 2);
  CHECK_EQ(tensor({1, 2}, i32).accessor<int32_t, 1>()(1), 2);
  CHECK_EQ(tensor({1, 2}).accessor<int64_t, 1>()(1), 2);
  CHECK_EQ(static_cast<float>(tensor({1, 2}, bf16).accessor<bfloat16, 1>()(1)), 2);
  CHECK_EQ(static_cast<float>(tensor({1, 2}, f16).accessor<float16, 1>()(1)), 2);
  CHECK_EQ((tensor({1, 2}, f16).accessor<uint16_t, 1>()(1)), 0x4000);
}

TEST_CASE("accessor: writes through views reach the base, snapshots keep what they saw") {
  Tensor x = zeros({3, 4}, f64), before = x + 1;
  auto a = x.t().slice(0, 1, 4, 2).mutable_accessor<double, 2>();
  a(1, 2) = 7;  // x[2][3]
  a[0][0] = 5;  // x[0][1]
  CHECK(equal(x, tensor({{0, 5, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 7}}, f64)));
  CHECK(equal(before, ones({3, 4}, f64)));
  double memory[] = {1, 2, 3};
  borrow(memory, {3}, f64).mutable_accessor<double, 1>()(1) = 9;
  CHECK_EQ(memory[1], 9);
  const double* fixed = memory;
  Tensor own = borrow(fixed, {3}, f64);
  own.mutable_accessor<double, 1>()(1) = 4;
  CHECK_EQ(memory[1], 9);
  CHECK_EQ(own[1].item<double>(), 4);
}

TEST_CASE("accessor: pending operations are evaluated; under grad values are read") {
  Tensor x = ones({2, 2}, f64);
  CHECK_EQ((x + x).accessor<double, 2>()(1, 1), 2);
  grad([](const Tensor& y) {
    Tensor z = y.t() * 3;
    CHECK_EQ(z.accessor<double, 2>()(0, 1), 3);
    CHECK_THROWS_WITH_AS((z.mutable_accessor<double, 2>()),
                         Contains("[mutable_accessor] a tensor of a running transform"), TraceError);
    return z.sum();
  })(x);
  CHECK_THROWS_AS(jit([](const Tensor& y) { return y * y.accessor<double, 2>()(0, 0); })(x), TraceError);
}

TEST_CASE("accessor: what is refused") {
  Tensor x = zeros({2, 3}, f64);
  CHECK_THROWS_WITH_AS((x.accessor<float, 2>()),
                       Contains("[accessor] the elements are f64, asked for f32: convert with to()"), DTypeError);
  CHECK_THROWS_WITH_AS((x.accessor<double, 1>()), Contains("the tensor has 2 dims, [2,3], asked for 1"), ShapeError);
  CHECK_THROWS_WITH_AS((x.accessor<double, 2>().at(1, 3)), Contains("[Accessor::at] index [1,3] of extents [2,3]"),
                       IndexError);
  CHECK_THROWS_WITH_AS((x.accessor<double, 2>().at(-1, 0)), Contains("index [-1,0]"), IndexError);
  CHECK_THROWS_WITH_AS((zeros({1}, f64).expand({3}).mutable_accessor<double, 1>()),
                       Contains("some elements of this view are one in memory: clone() it"), ShapeError);
  CHECK_THROWS_AS((Tensor().accessor<double, 1>()), TraceError);
  CHECK_THROWS_AS((spec({2}, f64).accessor<double, 1>()), TraceError);
}

TEST_CASE("borrow by strides: column-major, gaps, repeats; writes reach the elements alone") {
  std::vector<double> memory(12);
  std::iota(memory.begin(), memory.end(), 0.0);
  Tensor columns = borrow(memory.data(), {3, 4}, {1, 3}, f64);
  CHECK_EQ(columns[2][1].item<double>(), 5);
  CHECK_EQ(columns.accessor<double, 2>().data(), memory.data());
  Tensor gaps = borrow(memory.data(), {2, 2}, {8, 2}, f64);
  CHECK(equal(gaps, tensor({{0, 2}, {8, 10}}, f64)));
  CHECK(equal(gaps.t() * 2, tensor({{0, 16}, {4, 20}}, f64)));
  gaps.add_(100);
  CHECK_EQ(memory, std::vector<double>{100, 1, 102, 3, 4, 5, 6, 7, 108, 9, 110, 11});
  columns.mul_(0);
  CHECK_EQ(memory, std::vector<double>(12));
  const double one = 1;
  CHECK(equal(borrow(&one, {2, 3}, {0, 0}, f64), ones({2, 3}, f64)));
  CHECK_EQ(borrow(memory.data(), {3, 0}, {5, 7}, f64).shape(), Shape{3, 0});
  CHECK(equal(borrow(memory.data(), {2, 1, 3}, {3, -9, 1}, f64), zeros({2, 1, 3}, f64)));  // nothing is stepped over
  auto twice = jit([](const Tensor& x) { return x * 2; });
  memory[3] = 4;
  CHECK(equal(twice(columns)[0], tensor({0, 8, 0, 0}, f64)));
  memory[3] = 5;
  CHECK(equal(twice(columns)[0], tensor({0, 10, 0, 0}, f64)));

  CHECK_THROWS_WITH_AS(borrow(memory.data(), {2, 2}, {1}, f64),
                       Contains("[borrow] shape [2,2] and strides [1] differ in length"), ShapeError);
  CHECK_THROWS_WITH_AS(borrow(memory.data(), {2, 2}, {2, -1}, f64), Contains("stride -1 of dim 1 is negative"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(borrow(memory.data(), {2, 2}, {INT64_MAX, 1}, f64), Contains("reach over more memory"),
                       ShapeError);
}
