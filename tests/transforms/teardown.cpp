// Static and thread_local objects whose destructors use the library after main, and after the thread's work, has ended.
// Either was made before the library's first use, or after it. Its exit code is 0 where every destructor had its
// result.
#include <jot/jot.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <optional>
#include <thread>

using namespace jot;

namespace {

std::atomic<int> wrong{0}, ended{0};

// One of each road: elementwise code and its routines, transposition, products by library, reductions, random numbers,
// transforms, jit, errors.
double use() {
  Tensor x = reshape(arange(64 * 64, f32), {64, 64}) / 4096;
  Tensor y = sum(sin(x) + matmul(x, x.t()) + matmul(x.to(f64), x.t().contiguous().to(f64)).to(f32));
  Tensor g = grad([](const Tensor& t) { return sum(t * t); })(x);
  auto doubled = jit(vmap([](const Tensor& t) { return t + t; }));
  (void)rand({3}).to_vector<float>();
  try {
    (void)(x + ones({3}));
    return -1;
  } catch (const ShapeError&) {
  }
  return y.item<double>() + sum(g).item<double>() + sum(doubled(x)).item<double>();
}

const double& expected() {
  static const double value = use();
  return value;
}

struct User {
  std::optional<Tensor> held = {};
  ~User() {
    ++ended;
    if (!(std::abs(use() / expected() - 1) < 1e-5)) ++wrong;  // perhaps by another library
    if (held && sum(*held * 2).item<double>() != 6) ++wrong;
  }
};

// The last static object that is destroyed, as the first that is made: judges the others.
struct Judge {
  ~Judge() {
    if (ended == 6 && wrong == 0) return;
    std::printf("%d of 6 destructors ran, %d with another result\n", ended.load(), wrong.load());
    std::fflush(stdout);
    _exit(1);
  }
} judge;
User before;
thread_local User of_thread;

User& after() {
  static User user{ones({3})};  // evaluated, or pending
  return user;
}

}  // namespace

int main(int argc, char**) {
  bool library_first = argc > 1;  // of each thread
  auto work = [&] {
    if (library_first) (void)expected();
    of_thread.held = ones({3});
    if (library_first) (void)use();
    of_thread.held = *of_thread.held + 0;  // pending when the thread ends
  };
  std::thread(work).join();
  std::thread([&] {
    thread_local User second;  // used after the thread's first object is gone
    second.held = ones({3});
    work();
  }).join();
  work();
  before.held = ones({3}) + 0;
  after().held = *after().held + 0;
}
