#include "tests/backends/run.h"

#include <cmath>
#include <cstring>

#include "backends/buffer.h"
#include "jot/error.h"

namespace jot::test {

std::vector<HostTensor> run_on(const Engine& engine, const ir::Graph& graph, const std::vector<HostTensor>& inputs) {
  const ir::GraphData& g = graph.data();
  std::vector<Buffer> in, out;
  std::vector<const void*> in_pointers;
  std::vector<void*> out_pointers;
  for (const HostTensor& x : inputs) {
    in.push_back(Buffer::allocate(static_cast<int64_t>(x.bytes.size()), size_of(x.type.dtype)));
    if (!x.bytes.empty()) std::memcpy(in.back().data(), x.bytes.data(), x.bytes.size());
    in_pointers.push_back(in.back().data());
  }
  std::vector<HostTensor> results;
  for (ir::Value v : g.outputs()) {
    results.emplace_back(g.type(v));
    out.push_back(Buffer::allocate(static_cast<int64_t>(results.back().bytes.size()), size_of(g.dtype(v))));
    if (!results.back().bytes.empty()) std::memset(out.back().data(), 0x5a, results.back().bytes.size());
    out_pointers.push_back(out.back().data());
  }
  engine.run(in_pointers, out_pointers);
  for (size_t i = 0; i < results.size(); ++i)
    if (!results[i].bytes.empty()) std::memcpy(results[i].bytes.data(), out[i].data(), results[i].bytes.size());
  return results;
}

std::vector<HostTensor> run_cpu(const ir::Graph& graph, const std::vector<HostTensor>& inputs,
                                const cpu::CompileOptions& options) {
  return run_on(*cpu::make_executable(cpu::compile(graph, options)), graph, inputs);
}

std::string disagreement(const ir::Graph& graph, const std::vector<HostTensor>& inputs,
                         const cpu::CompileOptions& options, double tolerance) {
  std::vector<HostTensor> wanted, got;
  std::string wanted_error, got_error;
  try {
    wanted = interpret(graph, inputs);
  } catch (const Error& e) {
    wanted_error = e.what();
  }
  try {
    got = run_cpu(graph, inputs, options);
  } catch (const InternalError&) {
    throw;
  } catch (const Error& e) {
    got_error = e.what();
  }
  if (!wanted_error.empty() || !got_error.empty())
    return wanted_error == got_error ? "" : "expected error \"" + wanted_error + "\", got \"" + got_error + "\"";
  for (size_t i = 0; i < wanted.size(); ++i) {
    const HostTensor &x = wanted[i], &y = got[i];
    if (!x.floating() && x == y) continue;
    double bound = tolerance + (x.type.dtype == f32 ? 2e-6 : 2e-15);
    for (int64_t j = 0; j < x.numel(); ++j) {
      double a = x.number(j), b = y.number(j);
      if (a == b || (std::isnan(a) && std::isnan(b))) continue;
      if (x.floating() && std::abs(a - b) <= bound * (1 + std::abs(a))) continue;
      return "output " + std::to_string(i) + " " + to_string(x.type) + " element " + std::to_string(j) + ": expected " +
             std::to_string(a) + ", got " + std::to_string(b);
    }
  }
  return "";
}

}  // namespace jot::test
