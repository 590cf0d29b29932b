// What is written past the caches.
#include <doctest/doctest.h>

#include <cstring>
#include <random>

#include "backends/buffer.h"
#include "backends/cpu/executable.h"
#include "backends/target.h"
#include "jot/ir.h"
#include "tests/support/host.h"

using namespace jot;
using namespace jot::test;

namespace {

// The results of a graph, each written `offset` bytes behind a line of a cache.
std::vector<HostTensor> results_at(const ir::Graph& graph, const cpu::CompileOptions& options,
                                   const std::vector<HostTensor>& inputs, int64_t offset) {
  const auto engine = cpu::make_executable(cpu::compile(graph, options));
  std::vector<const void*> in;
  std::vector<HostTensor> results;
  std::vector<Buffer> buffers;
  std::vector<void*> out;
  for (const HostTensor& x : inputs) in.push_back(x.bytes.data());
  for (ir::Value v : graph.data().outputs()) {
    results.emplace_back(graph.data().type(v));
    buffers.push_back(Buffer::allocate(static_cast<int64_t>(results.back().bytes.size()) + offset + 64));
    const auto begin = reinterpret_cast<uintptr_t>(buffers.back().data());
    out.push_back(reinterpret_cast<void*>((begin + 63) / 64 * 64 + static_cast<uintptr_t>(offset)));
  }
  engine->run(in, out);
  for (size_t i = 0; i < out.size(); ++i) std::memcpy(results[i].bytes.data(), out[i], results[i].bytes.size());
  return results;
}

}  // namespace

TEST_CASE("executable: what is written past the caches is, bit for bit, what plain stores write") {
  if (target() == Target::reference) return;
  std::mt19937 random(11);
  for (int64_t n : {1, 3, 8, 20, 4001}) {
    const std::string count = std::to_string(n), flat = "f64[" + count + "]", wide = "f64[" + count + ",36]",
                      odd = "f64[" + count + ",101]", of6 = "f64[" + count + ",6,6]", of3 = "f64[" + count + ",3,3]";
    const std::string graphs[] = {
        "func @main(%x: " + flat + ", %y: " + flat + ") -> (" + flat + ", " + flat + ") {\n  %0: " + flat +
            " = mul(%x, %y)\n  %1: " + flat + " = add(%0, %y)\n  return %0, %1\n}\n",
        "func @main(%x: " + wide + ") -> (" + wide + ") {\n  %0: " + wide + " = rev(%x) {dims=[1]}\n  %1: " + wide +
            " = mul(%0, %x)\n  return %1\n}\n",
        "func @main(%x: " + odd + ", %y: f64[101]) -> (" + odd + ") {\n  %0: " + odd + " = broadcast(%y) {shape=[" +
            count + ",101], dims=[1]}\n  %1: " + odd + " = mul(%0, %x)\n  return %1\n}\n",
        "func @main(%x: " + of6 + ") -> (" + of6 + ") {\n  %0: " + of6 + ", %1: i32[" + count +
            "] = cholesky(%x) {check=0}\n  return %0\n}\n",
        "func @main(%x: " + of3 + ") -> (" + of3 + ") {\n  %0: " + of3 + ", %1: i32[" + count +
            "] = cholesky(%x) {check=0}\n  return %0\n}\n"};
    for (const std::string& text : graphs) {
      CAPTURE(text);
      const ir::Graph graph = ir::parse(text);
      std::vector<HostTensor> inputs;
      for (ir::Value v : graph.data().inputs()) inputs.push_back(random_tensor(graph.data().type(v), 0.5, 2, random));
      cpu::CompileOptions options{.vector_bytes = target() == Target::avx512 ? 64 : 32, .code = cpu::kernel_code};
      const auto plain = results_at(graph, options, inputs, 0);
      options.stream = 0;
      for (int64_t offset : {0, 8, 16, 32}) CHECK(results_at(graph, options, inputs, offset) == plain);
    }
  }
}
