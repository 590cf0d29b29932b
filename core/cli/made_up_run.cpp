#include "core/cli/made_up_run.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "backends/buffer.h"
#include "backends/reference/interpret.h"
#include "ir/hash.h"
#include "ir/print.h"

namespace jot::cli {

namespace {

// Made-up elements: floats in [-1, 1) with few digits, small integers.
template <class T>
void fill(std::byte* out, int64_t n, uint64_t& state) {
  for (int64_t i = 0; i < n; ++i) {
    state = hash_mix(state, static_cast<uint64_t>(i));
    T x;
    if constexpr (is_floating_element<T>)
      x = static_cast<T>(static_cast<double>(static_cast<int64_t>((state >> 33) % 2000) - 1000) / 1000);
    else
      x = static_cast<T>((state >> 33) % (sizeof(T) == 1 ? 2 : 8));
    std::memcpy(out + i * static_cast<int64_t>(sizeof(T)), &x, sizeof(T));
  }
}

template <class T>
void append_elements(std::string& out, DType dtype, const std::byte* data, int64_t n) {
  constexpr int64_t kPrinted = 100;
  for (int64_t i = 0; i < std::min(n, kPrinted); ++i) {
    T x;
    std::memcpy(&x, data + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    if (i) out += ',';
    if constexpr (is_floating_element<T>)
      ir::append_element(out, dtype, std::bit_cast<int64_t>(static_cast<double>(x)));
    else
      ir::append_element(out, dtype, static_cast<int64_t>(x));
  }
  if (n > kPrinted) out += ",...";
}

Buffer allocate(const ir::Type& t) { return Buffer::allocate(t.shape.numel() * size_of(t.dtype), size_of(t.dtype)); }

void print_tensor(const std::string& name, const ir::Type& t, const Buffer& buffer) {
  std::string text;
  visit_dtype(t.dtype, [&](auto zero) {
    append_elements<decltype(zero)>(text, t.dtype, static_cast<const std::byte*>(buffer.data()), t.shape.numel());
  });
  std::cout << name << ": " << to_string(t) << " = [" << text << "]\n";
}

}  // namespace

void run_on_made_up_inputs(const ir::Graph& graph, int64_t seed, const Engine* engine) {
  const ir::GraphData& g = graph.data();
  std::vector<Buffer> buffers;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  uint64_t state = static_cast<uint64_t>(seed);
  for (ir::Value v : g.inputs()) {
    const ir::Type& t = g.type(v);
    buffers.push_back(allocate(t));
    visit_dtype(t.dtype, [&](auto zero) {
      fill<decltype(zero)>(static_cast<std::byte*>(buffers.back().data()), t.shape.numel(), state);
    });
    inputs.push_back(buffers.back().data());
    print_tensor(ir::value_name(g, v), t, buffers.back());
  }
  size_t first = buffers.size();
  for (ir::Value v : g.outputs()) {
    buffers.push_back(allocate(g.type(v)));
    outputs.push_back(buffers.back().data());
  }
  engine ? engine->run(inputs, outputs) : reference::interpret(graph, inputs, outputs);
  for (size_t i = 0; i < outputs.size(); ++i) {
    bool result = i < g.num_results();
    std::string name = result ? "result " + std::to_string(i)
                              : "writeback " + ir::value_name(g, g.inputs()[g.writebacks()[i - g.num_results()]]);
    print_tensor(name, g.type(g.outputs()[i]), buffers[first + i]);
  }
}

}  // namespace jot::cli
