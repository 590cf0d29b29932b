// What writes cost: memory and programs, by counters.
#include <functional>

#include "backends/buffer.h"
#include "backends/target.h"
#include "check.h"
#include "core/cache/engine_cache.h"
#include "core/record/thread.h"

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

namespace {

// f writes to x: no copy of x is made, outside transforms and in a jitted call, whose results are the same.
void check_no_copy(const std::string& what, const std::function<Tensor(const Tensor&)>& f) {
  CAPTURE(what);
  Tensor x = arange(512 * kColumns).to(f64).view(kShape).clone().eval(), y = x.clone().eval(), pending, jitted;
  auto g = jit([&](const Tensor& x) { return f(x); });
  auto peak_of = [](auto call) {
    Buffer::reset_peak();
    int64_t before = Buffer::stats().live;
    call();
    return Buffer::stats().peak - before;
  };
  int64_t by_pending = peak_of([&] { x.eval(), pending = f(x).eval(), x.eval(); });
  int64_t by_jit = peak_of([&] { jitted = g(y); });
  if (compiled) CHECK(by_pending <= 16 * kRow);
  if (compiled) CHECK(by_jit <= 16 * kRow);
  CHECK_SAME(jitted, pending);
  CHECK_SAME(y, x);
}

}  // namespace

TEST_CASE("elementwise writes to all of a tensor happen in its memory") {
  check_no_copy("add, multiply", [](const Tensor& x) { return x.add_(1), x.mul_(0.5), x[3] * 1; });
  check_no_copy("a function", [](const Tensor& x) { return x.sin_(), x[3] * 1; });
  check_no_copy("a row, broadcast", [](const Tensor& x) {
    Tensor row = ones({kColumns}, f64);
    return x.mul_(row), x[0] * 1;
  });
  check_no_copy("through a view", [](const Tensor& x) { return x.view({-1}).add_(1), x[3] * 1; });
  check_no_copy("a mask of itself", [](const Tensor& x) { return x.masked_fill_(x > 99, 0.0), x[3] * 1; });
  check_no_copy("zeros", [](const Tensor& x) { return x.zero_(), x[3] * 1; });
  check_no_copy("after a sum", [](const Tensor& x) {
    Tensor before = x.sum();
    return x.sub_(before), before;
  });
  check_no_copy("then a row", [](const Tensor& x) { return x.add_(1), x[3].fill_(2.0), x[4] * 1; });
}

TEST_CASE("what elements are made of others of the same tensor is not made in its memory") {
  auto check = [](const std::function<void(const Tensor&)>& f, const Tensor& want) {
    Tensor x = arange(12).to(f64).view({3, 4}).clone().eval(), y = x.clone().eval();
    f(x);
    CHECK_SAME(x, want);
    jit([&](const Tensor& y) {
      f(y);
      return y[0][0];
    })(y);
    CHECK_SAME(y, want);
  };
  Tensor x = arange(12).to(f64).view({3, 4});
  check([](const Tensor& x) { x.add_(x[1]); }, x + x[1]);
  check([](const Tensor& x) { x.sub_(x.slice(1, 1, 2)); }, x - x.slice(1, 1, 2));
  check([](const Tensor& x) { x.copy_(x.t().reshape({3, 4})); }, x.t().reshape({3, 4}));
  check([](const Tensor& x) { x.mul_(x.sum()); }, x * x.sum());
  Tensor square = arange(4096).to(f64).view({64, 64}), a = square.clone().eval();
  a.add_(a.t());
  CHECK_SAME(a, square + square.t());
}

TEST_CASE("a pending write to a part is made in place though later indices may be wrong") {
  Tensor i = Tensor::from(std::vector<int64_t>{3, 1, 7}, {3}), j = Tensor::from(std::vector<int32_t>{3, -1, 7}, {3});
  check_no_copy("rows", [=](const Tensor& x) { return x.slice(0, 1, 3).fill_(2.0), x.index({i}); });
  check_no_copy("rows of a slice",
                [=](const Tensor& x) { return x.slice(0, 1, 3).fill_(2.0), x.slice(0, 1, 500).index({i}); });
  check_no_copy("elements", [=](const Tensor& x) { return x.slice(0, 1, 3).fill_(2.0), x.index({i, j}); });
  check_no_copy("between writes", [=](const Tensor& x) {
    x.slice(0, 1, 3).fill_(2.0);
    Tensor r = x.index({j});
    return x.slice(0, 5, 6).fill_(3.0), r;
  });
  check_no_copy("all of it", [=](const Tensor& x) { return x.add_(1), x.index({i}); });
  // A wrong index spoils nothing.
  Tensor x = ones(kShape, f64), bad = Tensor::from(std::vector<int64_t>{512}, {1});
  auto f = jit([](const Tensor& x, const Tensor& i) {
    x.slice(0, 1, 3).fill_(2.0);
    return x.index({i});
  });
  CHECK_THROWS_WITH_AS(f(x, bad), doctest::Contains("[index] index 512 is out of bounds for dimension 0 with size 512"),
                       IndexError);
  CHECK_EQ(x.sum().item<double>(), 512.0 * kColumns);
  CHECK_EQ(f(x, i).sum().item<double>(), 4.0 * kColumns);
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
