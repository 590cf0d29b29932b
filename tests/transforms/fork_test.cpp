// Processes made by fork(): of the parent's threads they have only the one that called it.
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "check.h"

using namespace jot;
using namespace jot::test;

namespace {

// A child that runs `body` and ends. One that hangs is ended by its alarm.
pid_t start_child(const std::function<bool()>& body) {
  pid_t child = fork();
  if (child != 0) return child;
  alarm(100);
  bool good = false;
  try {
    good = body();
  } catch (const std::exception&) {
  }
  _exit(good ? 0 : 1);
}

// "": the body was true. Else how the child ended.
std::string outcome(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child) return "no child";
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : "exit " + std::to_string(WEXITSTATUS(status));
}
std::string in_child(const std::function<bool()>& body) { return outcome(start_child(body)); }

// One of 2^20 functions, none of which was compiled before the other; at 1 its exact value.
struct Nth {
  int n;
  Tensor operator()(const Tensor& x) const {
    Tensor y = x;
    for (int bit = 0; bit < 20; ++bit) y = n >> bit & 1 ? y * 2 : maximum(y, x) + 1;
    return y;
  }
  double at_one() const {
    double y = 1;
    for (int bit = 0; bit < 20; ++bit) y = n >> bit & 1 ? y * 2 : std::max(y, 1.0) + 1;
    return y;
  }
  // Compiles it; whether it gives what it should.
  bool right() const { return equal(jit(*this)(ones({7}, f64)), full({7}, at_one(), f64)); }
};

bool all_right(int first, int count) {
  for (int n = first; n < first + count; ++n)
    if (!Nth{n}.right()) return false;
  return true;
}

int threads_of_this_process() {
  int n = 0;
  for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task")) ++n;
  return n;
}

}  // namespace

TEST_CASE("fork: parent and child compile at the same time, each runs its own code") {
  auto before = jit(Nth{7});
  Tensor x = ones({7}, f64), pending = x * 2 + 1;
  before(x);
  for (int round = 0; round < 20; ++round) {
    int first = 1000 + 100 * round;
    pid_t child = start_child([&] {
      return all_right(first, 20) && equal(before(x), full({7}, Nth{7}.at_one(), f64)) &&
             equal(pending, full({7}, 3.0, f64)) && all_right(first + 20, 5);
    });
    CHECK(all_right(first + 50, 20));
    CHECK_EQ(outcome(child), "");
  }
  CHECK_SAME(before(x), full({7}, Nth{7}.at_one(), f64));
}

TEST_CASE("fork: workers that are started first all compile") {
  CHECK(Nth{8}.right());
  std::vector<pid_t> workers;
  for (int w = 0; w < 4; ++w) workers.push_back(start_child([&] { return all_right(4000 + 10 * (w % 2), 25); }));
  CHECK(all_right(4005, 25));
  for (pid_t w : workers) CHECK_EQ(outcome(w), "");
}

TEST_CASE("fork: 200 times while threads record, compile, multiply and read each other's tensors") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  // A fork copies the locks of ASan's allocator as they are (libasan of g++ 12), so that a child may wait for ever in
  // operator new; TSan gives up where a child of several threads starts threads ("dup thread with used id").
  return;
#endif
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0}, next{10'000};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    while (!done) wrong += !Nth{next++}.right();
  });
  Tensor shared = zeros({7}, f64);
  threads.emplace_back([&] {
    Tensor a = ones({72, 72}), b = ones({72, 72}, f64), x = ones({3, 50000});
    while (!done) {
      wrong += matmul(a, a).data<float>()[71] != 72;
      wrong += matmul(b, b).data<double>()[71] != 72;
      wrong += sum(x * 2).item<float>() != 300000;
      wrong += sum(shared * 2 + 1).item<double>() != 7;
    }
  });
  for (int i = 0; i < 200; ++i) {
    std::string ended = in_child([&] {
      Tensor a = ones({72, 72}), b = ones({72, 72}, f64);
      return Nth{100'000 + i % 5}.right() && sum(shared + 1).item<double>() == 7 &&
             matmul(a, a).data<float>()[71] == 72 && matmul(b, b).data<double>()[71] == 72 &&
             sum(ones({3, 50000}) * 2).item<float>() == 300000;
    });
    CHECK_EQ(ended, "");
    if (!ended.empty()) break;
  }
  done = true;
  for (std::thread& t : threads) t.join();
  CHECK_EQ(wrong, 0);
}

TEST_CASE("fork: a child's child, and a fork by a thread that is not the first") {
  auto f = jit(Nth{9});
  f(ones({7}, f64));
  auto generation = [&](int first) {
    return all_right(first, 3) && equal(f(ones({7}, f64)), full({7}, Nth{9}.at_one(), f64));
  };
  auto family = [&] {
    return generation(5000) &&
           in_child([&] { return generation(5100) && in_child([&] { return generation(5200); }).empty(); }).empty() &&
           generation(5300);
  };
  CHECK_EQ(in_child(family), "");
  std::string ended = "not run";
  Tensor recorded_here = ones({2}, f64) * 3;
  std::thread([&] {
    Tensor mine = ones({2}, f64) * 2;
    ended = in_child([&] { return family() && equal(mine + recorded_here, full({2}, 5.0, f64)); });
  }).join();
  CHECK_EQ(ended, "");
}

TEST_CASE("fork: what another thread recorded is evaluated in the child") {
  Tensor y;
  std::atomic<int> step{0};
  std::thread other([&] {
    y = ones({3}, f64) * 5;
    step = 1;
    while (step != 2) std::this_thread::yield();
  });
  while (step != 1) std::this_thread::yield();
  CHECK_EQ(in_child([&] { return equal(y, full({3}, 5.0, f64)); }), "");
  step = 2;
  other.join();
}

TEST_CASE("fork: a child has a pool of its own") {
  const char* given = std::getenv("JOT_NUM_THREADS");
  cpu_set_t processors;
  REQUIRE(sched_getaffinity(0, sizeof processors, &processors) == 0);
  int expected = given ? std::atoi(given) : CPU_COUNT(&processors);
  const char* target = std::getenv("JOT_CPU");
  if (target && std::string(target) == "reference") expected = 1;
  Tensor x = ones({1000, 1000});
  (x * 2).eval();
  CHECK_EQ(in_child([&] {
             bool alone = threads_of_this_process() == 1;
             Tensor y = x * 3;
             return alone && y.data<float>()[999'999] == 3 && threads_of_this_process() == expected;
           }),
           "");
}

TEST_CASE("fork: a seeded stream goes on in parent and child, another begins anew in the child") {
  manual_seed(5);
  rand({7}).eval();
  std::vector<float> continued = rand({4}).to_vector<float>();
  manual_seed(5);
  Tensor pending = rand({7});
  CHECK_EQ(in_child([&] { return rand({4}).to_vector<float>() == continued; }), "");
  CHECK(rand({4}).to_vector<float>() == continued);

  // A thread that never seeded: three processes, three streams; what was drawn before is the same in all.
  std::string ended;
  std::thread([&] {
    Tensor before = rand({2});
    auto draw = jit([](const Tensor& x) { return rand({4}) + x; });
    draw(zeros({4})).eval();
    int ends[2];
    if (pipe(ends) != 0) return;
    for (int i = 0; i < 2; ++i)
      ended += in_child([&] {
        std::vector<float> numbers = draw(zeros({4})).to_vector<float>(), old = before.to_vector<float>();
        numbers.insert(numbers.end(), old.begin(), old.end());
        return write(ends[1], numbers.data(), 6 * sizeof(float)) == 6 * sizeof(float);
      });
    std::vector<float> a(6), b(6), own = draw(zeros({4})).to_vector<float>(), old = before.to_vector<float>();
    if (read(ends[0], a.data(), 24) != 24 || read(ends[0], b.data(), 24) != 24) return;
    auto drawn = [](const std::vector<float>& all) { return std::vector<float>(all.begin(), all.begin() + 4); };
    CHECK(drawn(a) != drawn(b));
    CHECK(drawn(a) != own);
    CHECK(drawn(b) != own);
    for (size_t i : {0, 1}) CHECK_EQ(a[4 + i], old[i]);
    for (size_t i : {0, 1}) CHECK_EQ(b[4 + i], old[i]);
    close(ends[0]);
    close(ends[1]);
  }).join();
  CHECK_EQ(ended, "");
}

TEST_CASE("fork: buffers of the parent are recycled in the child, the counts of live bytes stay") {
  std::vector<Tensor> kept;
  std::thread([&] {
    for (int i = 0; i < 100; ++i) kept.push_back((ones({100 + i}, f64) * 2).eval());
  }).join();
  CHECK_EQ(in_child([&] {
             kept.clear();
             for (int i = 0; i < 100; ++i)
               if (sum(ones({100 + i}, f64) * 2).item<double>() != 2 * (100 + i)) return false;
             std::string wrong;
             std::thread([&] { wrong = Nth{6000}.right() ? "" : "wrong"; }).join();
             return wrong.empty();
           }),
           "");
}
