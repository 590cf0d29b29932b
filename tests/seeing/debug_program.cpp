// What debuggers_test.py looks at: a kernel that runs for a while, and one that reads memory that is not there.
#include <jot/jot.h>

#include <chrono>
#include <cstring>
#include <vector>

using namespace jot;

int main(int argc, char** argv) {
  auto f = compile(
      [](const Tensor& x) {
        Tensor y = x * 2 + 1;
        return sqrt(y) * y;
      },
      ones({4096}, f64));
  std::vector<double> in(4096, 1.0), out(4096);
  const void* inputs[] = {in.data()};
  void* outputs[] = {out.data()};
  if (argc > 1 && std::strcmp(argv[1], "crash") == 0) {
    inputs[0] = reinterpret_cast<const void*>(16);
    f.run_into(inputs, outputs);
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (std::chrono::steady_clock::now() < end) f.run_into(inputs, outputs);
  return out[0] > 0 ? 0 : 1;
}
