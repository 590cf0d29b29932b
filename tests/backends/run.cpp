#include "tests/backends/run.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <optional>

#include "backends/buffer.h"
#include "ir/op.h"
#include "jot/error.h"
#include "passes/transforms.h"

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

std::string difference_of(const ir::Graph& graph, const std::vector<HostTensor>& wanted,
                          const std::vector<HostTensor>& got, double tolerance) {
  double rounding = 0;  // of half floats on the way
  const ir::GraphData& g = graph.data();
  for (ir::Value v = 0; v < g.size(); ++v)
    if (is_floating(g.dtype(v)) && is_storage(g.dtype(v)))
      rounding = std::max(rounding, std::ldexp(32, -significand_bits(g.dtype(v))));
  for (size_t i = 0; i < wanted.size(); ++i) {
    const HostTensor &x = wanted[i], &y = got[i];
    if (!x.floating() && x == y) continue;
    double bound = tolerance + std::max(rounding, x.type.dtype == f32 ? 2e-6 : 2e-15);
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
  return difference_of(graph, wanted, got, tolerance);
}

Rounding rounding_of(const ir::Graph& graph) {
  const ir::GraphData& g = graph.data();
  Rounding rounding = Rounding::exact;
  for (ir::Value v = 0; v < g.size(); ++v) {
    const ir::Op op = g.op(v);
    const ir::OpClass c = ir::info(op).op_class;
    if (op == ir::Op::identity_op) return Rounding::sums;
    if (c == ir::OpClass::source || c == ir::OpClass::movement) continue;
    if (c == ir::OpClass::indexing && op != ir::Op::scatter_add_op) continue;
    const bool sum = op == ir::Op::lgamma_op || op == ir::Op::digamma_op;  // beside its zeros
    const bool first = rounding == Rounding::exact && c == ir::OpClass::elementwise && !sum;
    rounding = first ? Rounding::elementwise : Rounding::sums;
  }
  return rounding;
}

ir::Graph mapped_row(const ir::Graph& g, Lanes lanes, int64_t n) {
  const ir::GraphData& d = g.data();
  auto place = [&](ir::Value v) { return lanes == Lanes::leading ? 0 : static_cast<int64_t>(d.shape(v).size()); };
  using Places = std::vector<std::optional<int64_t>>;
  Places in, out;
  for (ir::Value v : d.inputs())
    in.push_back(lanes == Lanes::some && !in.empty() ? std::nullopt : Places::value_type(place(v)));
  for (ir::Value v : d.outputs()) out.push_back(place(v));
  return passes::vmap(g, in, out, n, Randomness::different);
}

std::string beyond_yardstick(const HostTensor& got, const HostTensor& rounded, const HostTensor& exact,
                             Rounding rounding) {
  const DType d = got.type.dtype;
  const double eps = std::ldexp(2, -significand_bits(d));
  const double least = d == f64    ? std::numeric_limits<double>::denorm_min()
                       : d == f16  ? 0x1p-24
                       : d == bf16 ? 0x1p-133
                                   : std::numeric_limits<float>::denorm_min();
  if (!got.floating()) rounding = Rounding::exact;
  double error = 0, size = 1;  // of the tensor
  for (int64_t i = 0; i < got.numel(); ++i)
    if (std::isfinite(rounded.number(i))) {
      error = std::max(error, std::abs(rounded.number(i) - exact.number(i)));
      size = std::max(size, std::abs(exact.number(i)));
    }
  for (int64_t i = 0; i < got.numel(); ++i) {
    const double g = got.number(i), r = rounded.number(i), e = exact.number(i);
    double bound = 0;
    if (std::isfinite(r) && rounding == Rounding::elementwise)
      bound = 4 * (std::abs(r - e) + eps * std::abs(e)) + least;
    if (std::isfinite(r) && rounding == Rounding::sums) bound = 4 * (error + 4 * eps * size);
    const bool zero = r == 0 && g == 0 && rounding != Rounding::sums;
    if (std::isnan(r) ? std::isnan(g) : zero ? std::signbit(r) == std::signbit(g) : r == g || std::abs(g - e) <= bound)
      continue;
    char text[160];
    std::snprintf(text, sizeof text, "element %lld: exact %.17g, rounded %.17g, got %.17g, at most %.3g off",
                  static_cast<long long>(i), e, r, g, bound);
    return text;
  }
  return "";
}

std::string beyond_yardstick(const ir::Graph& graph, const ir::Graph& wide, Rounding rounding,
                             const std::vector<HostTensor>& inputs, const cpu::CompileOptions& options) {
  std::vector<HostTensor> wide_inputs;
  for (size_t i = 0; i < inputs.size(); ++i)
    wide_inputs.push_back(convert(inputs[i], wide.data().dtype(wide.data().inputs()[i])));
  const std::vector<HostTensor> rounded = interpret(graph, inputs), exact = interpret(wide, wide_inputs);
  const std::vector<HostTensor> got = run_cpu(graph, inputs, options);
  for (size_t o = 0; o < got.size(); ++o)
    if (std::string beyond = beyond_yardstick(got[o], rounded[o], exact[o], rounding); !beyond.empty())
      return "output " + std::to_string(o) + " " + beyond;
  return "";
}

}  // namespace jot::test
