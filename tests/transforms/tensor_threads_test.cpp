// Tensors recorded on one thread and used on others.
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "check.h"

using namespace jot;
using namespace jot::test;

TEST_CASE("recorded on one thread, read on four") {
  for (int round = 0; round < 20; ++round) {
    Tensor x = arange(8, f64), y = x * 2 + round, view = y.slice(0, 1, none, 2);
    std::vector<std::thread> threads;
    std::vector<double> sums(4), parts(4);
    for (size_t i = 0; i < 4; ++i)
      threads.emplace_back([&, i] {
        sums[i] = sum(y).item<double>();
        parts[i] = view.data<double>()[0] + view.to_vector<double>()[3];
      });
    for (std::thread& t : threads) t.join();
    for (size_t i = 0; i < 4; ++i) {
      CHECK_EQ(sums[i], 56 + 8 * round);
      CHECK_EQ(parts[i], 16 + 2 * round);
    }
  }
}

TEST_CASE("what a thread recorded outlives it") {
  Tensor y, written = ones({3}, f64);
  std::thread([&] {
    y = ones({3}, f64) * 5;
    written.add_(1);
  }).join();
  CHECK_SAME(y, full({3}, 5.0, f64));
  CHECK_SAME(written, full({3}, 2.0, f64));
}

TEST_CASE("a tensor handed from thread to thread is written by each") {
  Tensor x = zeros({2}, f64);
  for (int i = 0; i < 8; ++i) std::thread([&] { x.add_(1); }).join();
  x.mul_(2);
  CHECK_SAME(x, full({2}, 16.0, f64));
}

TEST_CASE("views of a pending tensor are written by one thread and read by another, in turn") {
  Tensor x = zeros({4, 3}, f64) + 1, row = x[1], column = x.t()[2], all = x.view({12});
  std::vector<std::function<void()>> steps = {
      [&] { row.add_(1); },
      [&] { column.mul_(3); },
      [&] { all.slice(0, 0, 12, 5).copy_(row[0]); },
      [&] {
        row = row.view({1, 3}).t().squeeze(1);
      },
      [&] {
        jit([](const Tensor& t) {
          t.add_(1);
          return t;
        })(column);
      },
      [&] { x.index_put_({Tensor::from(std::vector<int64_t>{0}, {1})}, column[1]); },
      [&] { CHECK_EQ(row[2].item<double>(), 3); },
      [&] { grad([&](const Tensor& y) { return sum(y * row); })(row.clone()); },
      [&] { row.zero_(); },
  };
  for (const auto& step : steps) std::thread(step).join();
  CHECK_SAME(x, doubles({3, 3, 3, 0, 0, 0, 1, 1, 4, 1, 2, 4}, {4, 3}));
}

TEST_CASE("threads that use each other's pending tensors do not wait for each other") {
  for (int round = 0; round < 50; ++round) {
    Tensor from_a, from_b;
    std::atomic<int> ready = 0;
    auto meet = [&] {
      ++ready;
      while (ready < 2) std::this_thread::yield();
    };
    double a = 0, b = 0;
    std::thread first([&] {
      from_a = ones({4}, f64) + 1;
      meet();
      a = sum(from_a * from_b).item<double>();
    });
    std::thread second([&] {
      from_b = ones({4}, f64) + 2;
      meet();
      b = sum(from_b - from_a).item<double>();
    });
    first.join();
    second.join();
    CHECK_EQ(a, 24);
    CHECK_EQ(b, 4);
  }
}

TEST_CASE("captured in a transform on another thread") {
  Tensor w = ones({3}, f64) * 2;  // pending here
  Tensor g;
  std::thread([&] { g = grad([&](const Tensor& x) { return sum(x * w); })(ones({3}, f64)).eval(); }).join();
  CHECK_SAME(g, full({3}, 2.0, f64));
}

TEST_CASE("a tensor of a function that another thread is transforming") {
  std::string read, used;
  auto f = [&](const Tensor& x) {
    Tensor y = x * 2;
    std::thread([&] {
      try {
        y.item<double>();
      } catch (const TraceError& e) {
        read = e.what();
      }
      try {
        y + 1;
      } catch (const TraceError& e) {
        used = e.what();
      }
    }).join();
    return sum(y);
  };
  Tensor one = ones({}, f64);
  for (int way = 0; way < 3; ++way) {
    way == 0 ? grad(f)(one) : way == 1 ? jit(f)(one) : vmap(f)(ones({2}, f64));
    CHECK(read.starts_with("[item] the tensor was read in another thread than the one that runs the function"));
    CHECK(read.find("tensor_threads_test.cpp:") != std::string::npos);
    CHECK(used.starts_with("[add] a tensor was used in another thread than the one that runs the function"));
    CHECK(used.find("tensor_threads_test.cpp:") != std::string::npos);
  }
}

TEST_CASE("one executable called from four threads, with tensors and with raw memory") {
  auto f = [](const Tensor& x, const Tensor& w) { return tanh(matmul(x, w)) * sum(x); };
  Tensor w = linspace(-1, 1, 12, f64).reshape({3, 4}), x = linspace(0, 1, 300, f64).reshape({100, 3});
  auto exe = compile(jacrev(f), x.slice(0, 0, 10).clone(), w);
  std::vector<std::string> differences(4);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      const auto first = static_cast<int64_t>(i) * 20;
      Tensor mine = x.slice(0, first, first + 10).clone(), want = exe(mine, w);
      const void* inputs[] = {mine.data<double>(), w.data<double>()};
      for (int k = 0; k < 20 && differences[i].empty(); ++k) {
        differences[i] = difference(exe(mine, w), want);
        std::vector<double> raw(static_cast<size_t>(want.numel()));
        void* outputs[] = {raw.data()};
        exe.run_into(inputs, outputs);
        if (raw != want.to_vector<double>()) differences[i] = "raw memory differs";
      }
      if (differences[i].empty()) differences[i] = difference(want, jacfwd(f)(mine, w));
    });
  for (std::thread& t : threads) t.join();
  for (const std::string& d : differences) CHECK_EQ(d, "");
}

TEST_CASE("every thread draws its own numbers") {
  Tensor a, b;
  manual_seed(1);
  std::thread([&] { a = rand({4}); }).join();
  std::thread([&] {
    manual_seed(1);
    b = rand({4});
  }).join();
  CHECK_SAME(rand({4}), b);
  CHECK_FALSE(equal(a, b));
}
