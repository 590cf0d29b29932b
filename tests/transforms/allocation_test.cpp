// What a call allocates.
#include <array>
#include <atomic>
#include <cstdlib>
#include <new>

#include "backends/target.h"
#include "check.h"
#include "ir/env.h"

namespace {
std::atomic<int64_t> allocations{0};
}

[[gnu::noinline]] void* operator new(std::size_t n) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(n)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(n);
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }

using namespace jot;
using namespace jot::test;

namespace {

template <class F>
int64_t allocations_of(F f) {
  for (int i = 0; i < 3; ++i) f();  // warm
  int64_t before = allocations.load();
  f();
  return allocations.load() - before;
}

}  // namespace

// The interpreter allocates as it goes: there only the results are checked.
const bool compiled = target() != Target::reference;

TEST_CASE("a cached call of jit allocates its results and nothing else") {
  Tensor x = floats({1, 2, 3}), w = floats({4, 5, 6});
  auto one = jit(jacrev([&](const Tensor& x) { return tanh(x) * w; }));
  auto three = jit([&](const Tensor& x, const Tensor& y, double k) { return std::tuple{x + y, x * k, w * y}; });
  Tensor result;
  std::tuple<Tensor, Tensor, Tensor> results;
  // A tensor is one object; its elements come from the free list of buffers.
  int64_t of_one = allocations_of([&] { result = one(x); });
  int64_t of_three = allocations_of([&] { results = three(x, w, 2.0); });
  if (compiled) CHECK(of_one <= 1);
  if (compiled) CHECK(of_three <= 3 + 1);  // and the list of them
  CHECK_SAME(std::get<1>(results), x * 2);
}

TEST_CASE("a cached call with many tensors allocates a few lists, not an entry a tensor") {
  std::vector<Tensor> many;
  for (int i = 0; i < 600; ++i) many.push_back(floats({1, 2, 3}));
  auto f = jit([](const std::vector<Tensor>& all) { return all.front() + all.back(); });
  Tensor result;
  int64_t allocated = allocations_of([&] { result = f(many); });
  if (compiled) CHECK(allocated <= 32);
  CHECK_SAME(result, floats({2, 4, 6}));
  many.back() = many.front();  // one memory is another key
  CHECK_SAME(f(many), floats({2, 4, 6}));
  CHECK_EQ(f.cache_info().entries, 2);
}

TEST_CASE("run_into allocates nothing") {
  Tensor x = randn({64, 32}), w = randn({32, 16});
  auto exe = compile([&](const Tensor& x) { return std::pair{tanh(matmul(x, w)), sum(x)}; }, x);
  std::array<const void*, 1> in = {x.data<float>()};
  std::vector<float> y(64 * 16);
  float total = 0;
  std::array<void*, 2> out = {y.data(), &total};
  int64_t allocated = allocations_of([&] { exe.run_into(in, out); });
  if (compiled) CHECK_EQ(allocated, 0);
  CHECK_NEAR_TO(Tensor::from(y, {64, 16}), tanh(matmul(x, w)), 1e-4);
}

// The second call finds stacks as long as the first one made them.
TEST_CASE("a loop and its gradient allocate nothing once warm") {
  auto grown = [](const Tensor& x) {
    return while_loop([](const Tensor& c) { return sum(c) < 100; }, [&](const Tensor& c) { return c * 1.5 + x; }, x);
  };
  auto summed = [](const Tensor& x) {
    return scan([](const Tensor& c, const Tensor& v) { return std::pair{sin(c) + v, c}; }, zeros({}), x).second;
  };
  Tensor x = floats({1, 2, 3}).eval();
  auto check = [&](auto f) {
    auto exe = compile(grad([f](const Tensor& t) { return sum(f(t)); }), x);
    std::array<const void*, 1> in = {x.data<float>()};
    std::array<float, 3> y;
    std::array<void*, 1> out = {y.data()};
    exe.run_into(in, out);
    int64_t allocated = allocations_of([&] { exe.run_into(in, out); });
    if (compiled) CHECK_EQ(allocated, 0);
  };
  check(grown);
  check(summed);
}

// Tensors, views, traces and their builders come from where those of the last time went; nodes are those of last time.
TEST_CASE("what is recorded as it was before allocates nothing for an operation, short lists for a transform") {
  Tensor a = floats({1, 2, 3, 4}).view({2, 2}).clone().eval(), x = floats({1, 2}).eval(), result;
  auto steps = [&](int n) {
    return allocations_of([&] {
      Tensor y = x;
      for (int i = 0; i < n; ++i) y = matmul(a, y) * 0.125 + y[1];
      result = y.eval();
    });
  };
  auto transforms = [&](int n) {
    return allocations_of([&] {
      Tensor y = x;
      for (int i = 0; i < n; ++i) y = matmul(jacfwd([&](const Tensor& v) { return sin(v * v[0]) + v; })(y), y);
      result = y.eval();
    });
  };
  int64_t few = steps(4), more = steps(8);
  const bool once = compiled && !env().verify;  // else what is recorded is recorded again to be compared
  if (once) CHECK(more <= few);
  int64_t one = transforms(4), two = transforms(8);
  constexpr int64_t kOfTransform = 24;
  if (once) CHECK(two - one <= 4 * kOfTransform);
}
