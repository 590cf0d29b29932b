// Programs as C: the digits of their kernels, to the bit.
#include "backends/cpu/ship/c_source.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "backends/cpu/kernel/math.h"
#include "backends/cpu/ops/cpu_ops.h"
#include "backends/cpu/runtime/kernel_code.h"
#include "backends/target.h"
#include "passes/pipeline.h"
#include "tests/backends/random_program.h"
#include "tests/backends/run.h"
#include "tests/ops/rows.h"
#include "tests/support/c_library.h"
#include "tests/support/fuzz_settings.h"
#include "tests/support/random_graph.h"

using namespace jot;
using namespace jot::test;

namespace {

// With the lanes of this process's processor.
cpu::CompileOptions in_lanes() {
  return {.vector_bytes = target() == Target::avx2 ? 32 : 64,
          .code = target() == Target::reference ? nullptr : cpu::kernel_code,
          .self_contained = "test"};
}

// Empty where the graph is refused.
std::string source_of(const ir::Graph& graph, const std::string& name) {
  try {
    return cpu::c_source(graph, {.name = name, .num_arguments = graph.data().inputs().size()});
  } catch (const InternalError&) {
    throw;
  } catch (const Error&) {
    return "";
  }
}

struct Sample {
  std::string title;
  ir::Graph graph;
  std::vector<HostTensor> inputs;
};

// Bits, but those of NaN.
bool same(const HostTensor& x, const HostTensor& y) {
  if (x == y) return true;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double a = x.number(i), b = y.number(i);
    if (std::isnan(a) && std::isnan(b)) continue;
    if (a != b || std::signbit(a) != std::signbit(b)) return false;
  }
  return x.type == y.type;
}

// Compiles them together, so many files at a time, and compares.
void check_samples(const std::vector<Sample>& samples, const std::string& flags) {
  constexpr size_t kFiles = 60;
  for (size_t first = 0; first < samples.size(); first += kFiles) {
    std::vector<std::string> sources;
    const size_t last = std::min(first + kFiles, samples.size());
    for (size_t i = first; i < last; ++i) sources.push_back(source_of(samples[i].graph, "f" + std::to_string(i)));
    const CLibrary library(sources, flags);
    for (size_t i = first; i < last; ++i) {
      const Sample& s = samples[i];
      CAPTURE(s.title);
      CAPTURE(to_text(s.graph));
      std::vector<HostTensor> wanted, got;
      bool fails = false;
      try {
        wanted = run_cpu(s.graph, s.inputs, in_lanes());
      } catch (const Error&) {
        fails = true;
      }
      std::vector<const void*> in;
      std::vector<void*> out;
      for (const HostTensor& x : s.inputs) in.push_back(x.bytes.data());
      for (ir::Value v : s.graph.data().outputs()) got.emplace_back(s.graph.data().type(v));
      for (HostTensor& x : got) out.push_back(x.bytes.data());
      const int code = library.call("f" + std::to_string(i), in, out);
      REQUIRE((code != 0) == fails);
      for (size_t k = 0; k < wanted.size(); ++k) REQUIRE(same(got[k], wanted[k]));
    }
  }
}

}  // namespace

TEST_CASE("C: every op row, with the digits of its kernels") {
  if (!has_c_compiler()) return;
  std::mt19937 random(1);
  // A few rows of each op, with lanes, and each in one dtype: compilers take their time.
  constexpr DType kDTypes[] = {f64, f32, f64, bf16, f32, f16};
  std::vector<Sample> samples;
  std::map<ir::Op, size_t> seen;
  for (const Row& row : op_rows()) {
    const size_t nth = seen[row.op]++;
    if (nth >= 5) continue;
    const DType d = kDTypes[samples.size() % std::size(kDTypes)];
    ir::Graph graph = graph_of(row, d);
    if (nth % 2 && !row.inputs.empty()) graph = mapped_row(graph, nth % 4 == 1 ? Lanes::leading : Lanes::last, 7);
    if (source_of(graph, "f").empty()) continue;
    std::vector<HostTensor> inputs;
    for (const Input& x : row.inputs)
      inputs.push_back(random_tensor(graph.data().type(graph.data().inputs()[inputs.size()]), x.lo, x.hi, random));
    samples.push_back({title(row), graph, inputs});
  }
  check_samples(samples, "-O1");
}

TEST_CASE("C: random programs, with the digits of their kernels") {
  if (!has_c_compiler()) return;
  std::vector<Sample> samples;
  const auto [first, last] = JOT_SEEDS("C", 60);
  for (uint64_t seed = first; seed < last; ++seed) {
    std::mt19937 random(static_cast<unsigned>(seed));
    const ir::Graph graph =
        passes::optimize(seed % 2 ? RandomProgram(seed).make(12) : random_graph(seed, {.nodes = 12}));
    if (source_of(graph, "f").empty()) continue;
    std::vector<HostTensor> inputs;
    for (ir::Value v : graph.data().inputs()) inputs.push_back(random_tensor(graph.data().type(v), -2, 2, random));
    samples.push_back({"seed " + std::to_string(seed), graph, inputs});
  }
  CHECK(samples.size() >= (last - first) / 3);
  check_samples(samples, "-O2");
}

// Results that overflow or are denormal, huge angles, what is no number: all functions in one file.
TEST_CASE("C: functions outside their fast range") {
  if (!has_c_compiler()) return;
  const std::vector<double> points = {0.0,   -0.0,  1,        -1,        0.5,         1e-310, -1e-310, 1e-40,
                                      3e-39, 88.5,  -88,      -103.5,    709.9,       -745,   -708.5,  712,
                                      1e5,   -3e8,  1e10,     -1e22,     1e300,       27,     38.2,    -38.2,
                                      9.5,   -13.5, HUGE_VAL, -HUGE_VAL, std::nan("")};
  const auto n = static_cast<int64_t>(points.size());
  std::vector<Sample> samples;
  for (DType d : {f64, f32}) {
    ir::Builder b;
    const ir::Value x = b.param({d, false, {n}}), y = b.param({d, false, {n}});
    std::vector<ir::Value> outputs;
    for (int i = 0; i < ir::num_ops(); ++i) {
      const auto op = static_cast<ir::Op>(i);
      const auto& function = cpu::cpu_op(op).function;
      if (!function || !function->expand) continue;
      outputs.push_back(function->operands == 1 ? ir::build::unary(b, op, x) : ir::build::binary(b, op, x, y));
    }
    CHECK(outputs.size() > 30);
    std::vector<double> turned = points;
    std::ranges::reverse(turned);
    samples.push_back({"functions", b.finish(outputs), {{d, {n}, points}, {d, {n}, turned}}});
  }
  check_samples(samples, "-O2");
}

// As code does: by lanes, by strips, what was lost apart.
TEST_CASE("C: sums over loops have the digits of machine code") {
  if (!has_c_compiler()) return;
  std::mt19937 random(4);
  std::vector<Sample> samples;
  for (DType d : {f64, f32})
    for (int64_t n : {17, 1000, 4099, 200'000}) {
      ir::Builder b;
      const ir::Value x = b.param({d, false, {n}}), y = b.param({d, false, {3, n}});
      const std::vector<int64_t> first = {0}, second = {1};
      auto rows = [&](ir::Op op, ir::Value v) { return ir::build::reduce(b, op, v, second); };
      const ir::Value largest = ir::build::broadcast(b, rows(ir::Op::reduce_max_op, y), {3, n}, first);
      const ir::Value e = ir::build::unary(b, ir::Op::exp_op, ir::build::sub(b, y, largest));
      const std::vector<ir::Value> outputs = {
          ir::build::reduce_sum(b, x, first), rows(ir::Op::reduce_sum_op, e), rows(ir::Op::reduce_prod_op, e),
          ir::build::reduce(b, ir::Op::reduce_max_op, x, first), ir::build::reduce_sum(b, e, first)};
      const ir::Graph graph = b.finish(outputs);
      std::vector<HostTensor> inputs;
      for (ir::Value v : graph.data().inputs()) inputs.push_back(random_tensor(graph.data().type(v), 0, 2, random));
      samples.push_back({"sums of " + std::to_string(n), passes::optimize(graph), inputs});
    }
  check_samples(samples, "-O2");
  // And of engines, which cut long loops into chunks: within 2 ulp, of terms of one sign; the same where there is one.
  if (target() == Target::reference) return;
  std::vector<std::string> sources;
  for (size_t i = 0; i < samples.size(); ++i) sources.push_back(source_of(samples[i].graph, "f" + std::to_string(i)));
  CHECK(sources[1].find("for (int l = 0; l < ") != std::string::npos);
  const CLibrary library(sources, "-O2");
  for (size_t i = 0; i < samples.size(); ++i) {
    const Sample& s = samples[i];
    CAPTURE(s.title);
    const std::vector<HostTensor> wanted = run_on(*make_engine(s.graph), s.graph, s.inputs);
    std::vector<const void*> in;
    std::vector<void*> out;
    std::vector<HostTensor> got = wanted;
    for (const HostTensor& x : s.inputs) in.push_back(x.bytes.data());
    for (HostTensor& x : got) out.push_back(x.bytes.data());
    REQUIRE(library.call("f" + std::to_string(i), in, out) == 0);
    const bool small = s.inputs[0].numel() <= 1000;
    const double ulp = std::ldexp(1, 1 - significand_bits(s.inputs[0].type.dtype));
    for (size_t k = 0; k < wanted.size(); ++k)
      for (int64_t j = 0; j < wanted[k].numel(); ++j) {
        const double a = got[k].number(j), b = wanted[k].number(j);
        if (small) REQUIRE(a == b);
        CAPTURE(k);
        REQUIRE(std::abs(a - b) <= 2 * ulp * std::abs(b));
      }
  }
}

TEST_CASE("C: the same text each time, of large kernels in parts, none of which is long") {
  ir::Builder b;
  const ir::Value x = b.param({f64, false, {2}});
  ir::Value p = ir::build::slice_axis(b, x, 0, 0, 1), q = ir::build::slice_axis(b, x, 0, 1, 2), sum = p;
  for (int i = 0; i < 3000; ++i) {
    const ir::Value next =
        ir::build::unary(b, i % 7 ? ir::Op::sin_op : ir::Op::exp_op, ir::build::sub(b, p, ir::build::mul(b, q, sum)));
    sum = ir::build::unary(b, ir::Op::tanh_op, ir::build::add(b, sum, p));
    p = q, q = next;
  }
  const ir::Graph graph = b.finish({sum, q});
  const std::string text = source_of(graph, "chain");
  CHECK(text == source_of(graph, "chain"));
  size_t lines = 0, longest = 0;
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; ++at) {
    lines = text.compare(at, 3, "\n}\n") == 0 ? 0 : lines + 1;
    if (text.find("---- the graph", at) == std::string::npos) break;
    longest = std::max(longest, lines);
  }
  CHECK(longest < 10000);
  if (!has_c_compiler()) return;
  std::mt19937 random(2);
  check_samples({{"chain", graph, {random_tensor(graph.data().type(0), 0.1, 0.9, random)}}}, "-O1");
}

TEST_CASE("C: a name is an identifier") {
  ir::Builder b;
  const ir::Graph graph = b.finish({ir::build::neg(b, b.param({f64, false, {}}))});
  for (const char* name : {"", "2f", "a b", "int", "f-1", "f;", "sin", "fmaf", "NULL", "NAN", "size_t", "int64_t"})
    CHECK_THROWS_WITH_AS(
        cpu::c_source(graph, {.name = name, .num_arguments = 1}),
        doctest::Contains("expected a name that is an identifier of C that is free beside its headers"), Error);
  // What the file itself defines.
  ir::Builder e;
  const ir::Graph exp = e.finish({ir::build::unary(e, ir::Op::exp_op, e.param({f64, false, {}}))});
  const std::string text = cpu::c_source(exp, {.name = "f", .num_arguments = 1});
  REQUIRE(text.find("static double f64_of(") != std::string::npos);
  CHECK_THROWS_WITH_AS(cpu::c_source(exp, {.name = "f64_of", .num_arguments = 1}),
                       doctest::Contains("expected a name that is none of the file's own helper functions"), Error);
}
