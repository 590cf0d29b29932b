// What writes cost: memory and programs, by counters.
#include "backends/buffer.h"
#include "backends/target.h"
#include "check.h"
#include "core/engine_cache.h"
#include "core/recorder.h"

using namespace jot;
using namespace jot::test;

namespace {

// The reference backend updates nothing in place.
const bool compiled = target() != Target::reference;

int64_t compilations() { return engine_cache_info().misses; }

// The most memory that a warm call of f holds beyond what is held before it.
template <class F>
int64_t growth(F f) {
  for (int i = 0; i < 3; ++i) f();
  Buffer::reset_peak();
  int64_t before = Buffer::stats().live;
  f();
  return Buffer::stats().peak - before;
}

constexpr int64_t kColumns = 1024;
constexpr int64_t kRow = kColumns * 8;
const Shape kShape = {512, kColumns};  // 4 MiB

void check_in_place(int64_t grown) {
  if (compiled) CHECK(grown <= 2 * kRow + 4096);
}

// f is compiled first, g must need nothing new.
void check_same_program(auto f, auto g, const Tensor& x) {
  ExecutableStats a = compile(f, x).stats(), b = compile(g, x).stats();
  CHECK_EQ(a.kernels, b.kernels);
  CHECK_EQ(a.routines, b.routines);
  CHECK_EQ(a.library_calls, b.library_calls);
  CHECK_EQ(a.code_bytes, b.code_bytes);
  CHECK_EQ(a.arena_bytes, b.arena_bytes);
  CHECK_EQ(b.kernels_compiled, 0);
}

}  // namespace

TEST_CASE("a row of an argument or a capture is updated in place by a jitted call") {
  Tensor x = zeros(kShape, f64), row = ones({kColumns}, f64);
  auto copied = jit([](const Tensor& x, const Tensor& row) {
    x[3].copy_(row);
    return row[0];
  });
  auto added = jit([](const Tensor& x, const Tensor& row) {
    x[3] += row;
    x[5] = x[3];
    return row[0];
  });
  auto captured = jit([&](const Tensor& row) {
    x.slice(0, 4, 5).mul_(2).add_(row);
    return row[0];
  });
  Tensor where = Tensor::from(std::vector<int64_t>{7}, {1});
  auto scattered = jit([](const Tensor& x, const Tensor& row, const Tensor& where) {
    x.index_put_({where}, row, true);
    return row[0];
  });
  const double* p = x.data<double>();
  check_in_place(growth([&] { copied(x, row); }));
  check_in_place(growth([&] { added(x, row); }));
  check_in_place(growth([&] { captured(row); }));
  check_in_place(growth([&] { scattered(x, row, where); }));
  if (compiled) CHECK_EQ(x.data<double>(), p);
  CHECK_EQ(x[3][1].item<double>(), 5);
  CHECK_EQ(x[5][1].item<double>(), 5);
  CHECK_EQ(x[4][1].item<double>(), 15);  // 0, 1, 3, 7, 15
  CHECK_EQ(x[7][1].item<double>(), 4);
  CHECK_EQ(x.sum().item<double>(), kColumns * 29.0);
}

TEST_CASE("a row is updated in place outside transforms") {
  Tensor x = zeros(kShape, f64), row = ones({kColumns}, f64);
  int i = 0;
  check_in_place(growth([&] {
    x[i++ % 4] += row;
    x.eval();
  }));
  CHECK_EQ(x.sum().item<double>(), kColumns * 4.0);
}

TEST_CASE("what somebody still sees is not overwritten") {
  Tensor x = zeros(kShape, f64), row = ones({kColumns}, f64);
  auto f = jit([](const Tensor& x, const Tensor& row) {
    Tensor old = x.sum();
    x[3].copy_(row);
    return std::pair{old + x.sum(), x};
  });
  Tensor pending = x * 2;  // has captured the contents
  auto [sums, result] = f(x, row);
  CHECK_EQ(sums.item<double>(), kColumns);
  CHECK_EQ(pending.sum().item<double>(), 0);
  CHECK_EQ(x.sum().item<double>(), kColumns);
  x.zero_();
  CHECK_EQ(result.sum().item<double>(), kColumns);  // a result shares nothing
  // One tensor is an argument and a capture, after a call with two.
  auto g = jit([&](const Tensor& y) {
    Tensor before = x[3] * 1;
    y[3].add_(1);
    return before;
  });
  g(x.clone());
  CHECK_EQ(g(x).sum().item<double>(), 0);
  // A view is written through.
  Tensor view = x.slice(0, 2, 4);
  auto h = jit([](const Tensor& v) {
    v[0].add_(2);
    return v.sum();
  });
  double before = x.sum().item<double>();
  h(view);
  CHECK_EQ(x.sum().item<double>() - before, 2 * kColumns);
}

TEST_CASE("an error leaves what it would have updated as it was") {
  Tensor x = zeros({4, 3}, f64);
  auto f = jit([](const Tensor& x, const Tensor& where) {
    x[0].add_(1);
    x.index_put_({where}, 5.0);
    return x[0];
  });
  Tensor good = Tensor::from(std::vector<int64_t>{1, 2}, {2}), bad = Tensor::from(std::vector<int64_t>{1, 9}, {2});
  f(x, good);
  Tensor before = x.clone().eval();
  CHECK_THROWS_WITH_AS(f(x, bad), doctest::Contains("index 9 is out of bounds"), IndexError);
  CHECK_SAME(x, before);
  auto g = jit([](const Tensor& x, const Tensor& where) {
    x[0].add_(1);
    return zeros({3}, f64).index({where});
  });
  CHECK_THROWS_WITH_AS(g(x, bad), doctest::Contains("out of bounds"), IndexError);
  CHECK_SAME(x, before);
}

TEST_CASE("a chain of writes compiles to the program of its pure form") {
  Tensor x = ones({5000});
  auto pure = [](const Tensor& x) { return ((x + 1) * 2 + 3) * x; };
  auto written = [](const Tensor& x) {
    Tensor y = x.clone();
    y.add_(1);
    y.mul_(2);
    y += 3;
    y.mul_(x);
    return y;
  };
  check_same_program(pure, written, x);
  // Through views of all of it.
  auto viewed = [](const Tensor& x) {
    Tensor y = x.clone(), rows = y.view({50, 100}).slice(0, 0, 50);
    rows += 1;
    rows *= 2;
    y.view({50, 100}).add_(3);
    y.mul_(x);
    return y;
  };
  auto pure_viewed = [](const Tensor& x) { return (((x.view({50, 100}) + 1) * 2 + 3).view({5000})) * x; };
  check_same_program(pure_viewed, viewed, x);
}

TEST_CASE("loops of updates compile at most four times, in bounded memory") {
  constexpr int kUpdates = 100000;
  for (int64_t n : {7, 100, 1000}) {
    CAPTURE(n);
    Tensor x = zeros({n}, f64), a = zeros({n}, f64), v = doubles({2.5})[0];
    int64_t before = compilations(), live = Buffer::stats().live;
    double expected = 0;
    uint32_t most = 0;
    auto watch = [&] { most = std::max(most, detail::current_trace().builder().graph().size()); };
    for (int i = 0; i < kUpdates; ++i) {
      x.add_(0.1 * i);
      expected += 0.1 * i;
      watch();
    }
    x.eval();
    CHECK(compilations() - before <= 4);
    CHECK_EQ(x[1].item<double>(), expected);
    before = compilations();
    for (int i = 0; i < kUpdates; ++i) {
      a[i % n] = v;
      watch();
    }
    a.eval();
    CHECK(compilations() - before <= 4);
    CHECK_SAME(a, full({n}, 2.5, f64));
    CHECK(most < 5000);
    CHECK(Buffer::stats().live - live < int64_t{4} << 20);
  }
}
