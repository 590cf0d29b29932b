// What is recorded outside transforms: how often loops compile, what stays pending, what is kept alive.
#include "backends/buffer.h"
#include "check.h"
#include "core/cache/engine_cache.h"
#include "core/record/evaluate.h"
#include "core/record/thread.h"

using namespace jot;
using namespace jot::test;

namespace {

int64_t compilations() { return engine_cache_info().misses; }

}  // namespace

TEST_CASE("10^5 updates of a tensor compile at most four times") {
  Tensor x = zeros({3}, f64);
  int64_t before = compilations();
  double expected = 0;
  for (int i = 0; i < 100000; ++i) {
    x.add_(0.1 * i);
    expected += 0.1 * i;
  }
  CHECK_EQ(x[1].item<double>(), expected);
  CHECK(compilations() - before <= 4);
}

TEST_CASE("10^5 writes of elements compile at most four times") {
  constexpr int n = 7;
  Tensor a = zeros({n}, f64), v = doubles({2.5})[0];
  int64_t before = compilations();
  for (int i = 0; i < 100000; ++i) a[i % n] = v;
  CHECK_SAME(a, full({n}, 2.5, f64));
  CHECK(compilations() - before <= 4);
}

TEST_CASE("a loop of small steps compiles once, whatever its numbers") {
  Tensor x = ones({2}, f64), g = full({2}, 0.5, f64);
  auto step = [&](int i) { x -= 0.3 / (3 + i) * g; };
  step(0);
  x.eval();
  int64_t before = compilations();
  for (int i = 1; i < 100; ++i) {
    step(i);
    x.eval();
  }
  CHECK_EQ(compilations() - before, 0);
  double expected = 1;
  for (int i = 0; i < 100; ++i) expected -= 0.3 / (3 + i) * 0.5;
  CHECK(std::abs(x[0].item<double>() - expected) < 1e-12);
}

TEST_CASE("where a slice or a select starts is data") {
  Tensor x = arange(20, f64), sums = zeros({}, f64);
  auto read = [&](int i) { return sum(x.slice(0, i, i + 3)) + x[i]; };
  read(1).eval();
  int64_t before = compilations();
  for (int i = 2; i < 17; ++i) CHECK_EQ(read(i).item<double>(), 4 * i + 3);
  CHECK_EQ(compilations() - before, 0);
  CHECK_EQ(read(0).item<double>(), 3);  // the same graph or another: the value is right
}

TEST_CASE("a bounded number of nodes is pending") {
  Tensor x = ones({2}, f64);
  for (int i = 0; i < 30000; ++i) {
    x = x * 1.0001;
    REQUIRE(detail::current_trace().builder().graph().size() < 5000);
  }
  CHECK(std::abs(x[0].item<double>() - std::pow(1.0001, 30000)) < 1e-8);
}

TEST_CASE("what nobody can read is not computed, and keeps nothing") {
  Tensor big = ones({1 << 16}, f64);
  int64_t live = Buffer::stats().live;
  {
    Tensor a = big * 2, b = a + 1;
    Tensor written = ones({1 << 16}, f64);
    written.add_(1);
  }
  CHECK_EQ(Buffer::stats().live, live);
  Tensor c = ones({}) * 2;
  int64_t before = compilations();
  c.eval();
  CHECK(compilations() - before <= 1);
  CHECK(Buffer::stats().live - live < 4096);
}

TEST_CASE("long chains of views need no stack") {
  Tensor x = arange(6, f64).reshape({2, 3}), view = x;
  for (int i = 0; i < 20000; ++i) view = view.unsqueeze(0).transpose(1, 2).squeeze(0);
  CHECK_EQ(view.data<double>()[1], 1);
  view[0].add_(1);
  CHECK_SAME(x, doubles({1, 2, 3, 3, 4, 5}, {2, 3}));
}

TEST_CASE("bounded memory is kept for what is pending") {
  constexpr int64_t n = 1 << 20;
  int64_t before = Buffer::stats().live;
  Tensor total = zeros({}, f64);
  for (int i = 0; i < 100; ++i) {
    total = total + sum(ones({n}, f64));
    REQUIRE(Buffer::stats().live - before < int64_t{400} << 20);
  }
  CHECK_EQ(total.item<double>(), 100.0 * n);
}

TEST_CASE("captured tensors that are pending are part of the transform's graph") {
  Tensor w = full({3}, 2.0, f64) * 3;
  Tensor g = grad([&](const Tensor& x) { return sum(x * w); })(ones({3}, f64));
  int64_t before = compilations();
  CHECK_SAME(g, full({3}, 6.0, f64));
  CHECK(compilations() - before <= 1);
}
