// Programs of kernels alone: what they compute, and what is refused.
#include <doctest/doctest.h>

#include <set>

#include "backends/cpu/runtime/kernel_code.h"
#include "backends/target.h"
#include "passes/pipeline.h"
#include "tests/backends/random_program.h"
#include "tests/backends/run.h"
#include "tests/ops/rows.h"
#include "tests/support/fuzz_settings.h"
#include "tests/support/random_graph.h"

using namespace jot;
using namespace jot::test;

namespace {

// Machine code of this process's target, of one lane as of full vectors; interpreted kernels.
std::vector<cpu::CompileOptions> all_options() {
  std::vector<cpu::CompileOptions> list = {{.vector_bytes = 64, .self_contained = "test"},
                                           {.vector_bytes = 0, .self_contained = "test"}};
  if (target() == Target::reference) return list;
  for (int bytes : {target() == Target::avx512 ? 64 : 32, 0})
    list.push_back({.vector_bytes = bytes, .code = cpu::kernel_code, .self_contained = "test"});
  return list;
}

// What needs more than kernels, of any size: docs/shipping.md.
const std::set<ir::Op>& refused() {
  using enum ir::Op;
  static const auto* ops = new std::set<ir::Op>{
      sort_op,       top_k_op,     conv_op,        reduce_window_sum_op, window_argmax_op,  qr_op,
      eigh_op,       svd_op,       random_bits_op, fold_in_op,           host_call_op,      polygamma_op,
      zeta_op,       bessel_j0_op, bessel_j1_op,   bessel_y0_op,         bessel_y1_op,      bessel_k0e_op,
      bessel_k1e_op, igamma_op,    igammac_op,     igamma_grad_a_op,     igamma_grad_aa_op, gamma_density_op};
  return *ops;
}

// Products of updates are of any order.
Rounding rounding(const Row& row) {
  return row.op == ir::Op::scatter_mul_op ? Rounding::sums : rounding_of(graph_of(row));
}

bool result_of_nothing(const ir::Graph& graph) { return graph.data().shape(graph.data().outputs()[0]).numel() == 0; }

std::string refusal(const ir::Graph& graph) {
  try {
    cpu::compile(graph, {.vector_bytes = 0, .self_contained = "test"});
  } catch (const InternalError&) {
    throw;
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

void check_kernels(const ir::Graph& graph) {
  const cpu::Compiled compiled = cpu::compile(graph, {.vector_bytes = 64, .self_contained = "test"});
  CHECK(compiled.program.groups.empty());
  for (const cpu::Step& s : compiled.program.steps) {
    auto* k = std::get_if<cpu::KernelStep>(&s.what);
    CHECK((k || std::holds_alternative<cpu::CopyStep>(s.what)));
    if (k) CHECK(k->chunks == 1);
  }
}

}  // namespace

TEST_CASE("self-contained: every op row runs as kernels, or is refused by name") {
  std::mt19937 random(1);
  std::set<ir::Op> missed = refused();
  for (const Row& row : op_rows()) {
    CAPTURE(title(row));
    const std::string why = refusal(graph_of(row));
    if (!why.empty()) missed.erase(row.op);
    // And matrices that are larger, windows that wrap around or are scattered.
    if (!why.empty()) {
      CAPTURE(why);
      const bool large = row.label.ends_with("by the library") || row.label.find("windows") != std::string::npos;
      CHECK((refused().contains(row.op) || large));
      CHECK(why.find(ir::name_of(row.op)) != std::string::npos);
      continue;
    }
    CHECK((!refused().contains(row.op) || result_of_nothing(graph_of(row))));
    check_kernels(graph_of(row));
    for (DType d : {f64, f32, bf16, f16}) {
      const ir::Graph graph = graph_of(row, d), wide = graph_of(row);
      if (is_storage(d) && has_regions(row.op) && !refusal(graph).empty()) continue;  // of what passes between steps
      const std::vector<HostTensor> inputs = inputs_of(row, random, d);
      CAPTURE(to_text(graph));
      for (const cpu::CompileOptions& options : all_options()) {
        CAPTURE(options.vector_bytes);
        CHECK(beyond_yardstick(graph, wide, rounding(row), inputs, options) == "");
      }
    }
  }
  CHECK(missed.empty());
}

TEST_CASE("self-contained: every op row with lanes") {
  std::mt19937 random(2);
  for (const Row& row : op_rows()) {
    if (row.inputs.empty()) continue;
    for (auto [lanes, n] : {std::pair{Lanes::leading, 19}, {Lanes::last, 67}, {Lanes::some, 33}})
      for (DType d : {f64, f32}) {
        const ir::Graph graph = mapped_row(graph_of(row, d), lanes, n), wide = mapped_row(graph_of(row), lanes, n);
        if (!refusal(graph).empty()) continue;
        std::vector<HostTensor> inputs;
        for (const Input& x : row.inputs)
          inputs.push_back(random_tensor(graph.data().type(graph.data().inputs()[inputs.size()]), x.lo, x.hi, random));
        CAPTURE(title(row));
        CAPTURE(to_text(graph));
        for (const cpu::CompileOptions& options : all_options()) {
          if (!options.code && options.vector_bytes > 0 && target() != Target::reference) continue;
          CAPTURE(options.vector_bytes);
          CHECK(beyond_yardstick(graph, wide, rounding(row), inputs, options) == "");
        }
      }
  }
}

// Both operands as they lie and transposed, in stacks and alone.
TEST_CASE("self-contained: products are kernels as long as one extent is at most 64") {
  std::mt19937 random(3);
  struct Extents {
    int64_t m, k, n;
  };
  for (auto [m, k, n] : {Extents{64, 64, 64},
                         {1, 64, 64},
                         {64, 64, 1},
                         {17, 33, 20},
                         {3, 40, 5},
                         {70, 64, 90},
                         {100, 100, 64},
                         {1, 300, 200},
                         {20, 20, 20},
                         {2, 1000, 2}})
    for (bool turn_x : {false, true})
      for (bool turn_y : {false, true})
        for (int64_t batch : {0, 3})
          for (DType d : {f64, f32, i32}) {
            ir::Builder b;
            const int64_t at = batch > 0;
            Shape x = turn_x ? Shape{k, m} : Shape{m, k}, y = turn_y ? Shape{n, k} : Shape{k, n};
            if (batch > 0) x.insert(0, batch), y.insert(0, batch);
            const int64_t of_x = at + !turn_x, of_y = at + turn_y, zero = 0;
            const ir::Ints stacks(&zero, static_cast<size_t>(at));
            ir::Value v = ir::build::dot(b, b.param({d, false, x}), b.param({d, false, y}), {&of_x, 1}, {&of_y, 1},
                                         stacks, stacks);
            const ir::Graph graph = b.finish({v});
            CAPTURE(to_text(graph));
            check_kernels(graph);
            std::vector<HostTensor> inputs;
            for (ir::Value p : graph.data().inputs())
              inputs.push_back(random_tensor(graph.data().type(p), -2, 2, random));
            for (const cpu::CompileOptions& options : all_options())
              if (options.code || m * k * n < 20000)
                REQUIRE(disagreement(graph, inputs, options, d == f32 ? 2e-5 : 1e-12) == "");
          }
}

// A dim that an op would have run along two dims of one value at once.
TEST_CASE("self-contained: products with oneself, sums along a dim of a matrix and its transpose") {
  std::mt19937 random(4);
  for (int64_t n : {5, 40, 100}) {
    ir::Builder b;
    const int64_t zero = 0, one = 1, turned[] = {1, 0};
    ir::Value x = b.param({f64, false, {n, n}});
    ir::Value y = ir::build::add(b, x, ir::build::permute(b, x, turned));
    ir::Value sums = ir::build::reduce_sum(b, y, {&zero, 1}),
              greatest = ir::build::reduce(b, ir::Op::reduce_max_op, y, {&one, 1});
    std::vector<ir::Value> outputs = {sums, greatest};
    if (n <= 64) outputs.push_back(ir::build::dot(b, y, y, {&one, 1}, {&one, 1}, {}, {}));
    const ir::Graph graph = b.finish(outputs);
    CAPTURE(to_text(graph));
    check_kernels(graph);
    const std::vector<HostTensor> inputs = {random_tensor(graph.data().type(x), -2, 2, random)};
    for (const cpu::CompileOptions& options : all_options()) REQUIRE(disagreement(graph, inputs, options, 1e-11) == "");
  }
}

TEST_CASE("self-contained: factors and solutions of up to 16 x 16") {
  std::mt19937 random(5);
  for (int64_t n = 1; n <= 16; ++n)
    for (int64_t batch : {0, 5}) {
      ir::Builder b;
      Shape shape = {n, n}, sides = {n, 3};
      if (batch > 0) shape.insert(0, batch), sides.insert(0, batch);
      ir::Value a = b.param({f64, false, shape}), rhs = b.param({f64, false, sides});
      const std::vector<int64_t> back = {batch > 0 ? 2 : 1}, first = {batch > 0 ? 1 : 0}, stacks(batch > 0, 0);
      ir::Value square = ir::build::dot(b, a, a, back, back, stacks, stacks);
      square =
          ir::build::add(b, square,
                         ir::build::broadcast(b, ir::build::identity(b, f64, {n}), shape,
                                              batch > 0 ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{0, 1}));
      ir::Value l = b.emit(ir::Op::cholesky_op, {square}, ir::Attrs(int64_t{1}));
      ir::Value lu = b.emit(ir::Op::lu_op, {square}, ir::Attrs(int64_t{1}));
      ir::Value x =
          b.emit(ir::Op::triangular_solve_op, {l, rhs}, ir::Attrs(int64_t{1}, int64_t{1}, int64_t{0}, int64_t{0}));
      const ir::Graph graph = b.finish({l, lu, lu + 1, lu + 2, x});
      CAPTURE(to_text(graph));
      check_kernels(graph);
      std::vector<HostTensor> inputs;
      for (ir::Value p : graph.data().inputs()) inputs.push_back(random_tensor(graph.data().type(p), -2, 2, random));
      for (const cpu::CompileOptions& options : all_options())
        REQUIRE(disagreement(graph, inputs, options, 1e-9) == "");
    }
}

TEST_CASE("self-contained: random programs") {
  uint64_t kept = 0;
  const auto [first, last] = JOT_SEEDS("SHIP", 150);
  for (uint64_t seed = first; seed < last; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(static_cast<unsigned>(seed));
    const ir::Graph made = seed % 2 ? RandomProgram(seed).make(12) : random_graph(seed, {.nodes = 12});
    const ir::Graph graph = passes::optimize(made);
    if (!refusal(graph).empty()) continue;
    ++kept;
    CAPTURE(to_text(graph));
    std::vector<HostTensor> inputs;
    for (ir::Value v : graph.data().inputs()) inputs.push_back(random_tensor(graph.data().type(v), -2, 2, random));
    for (const cpu::CompileOptions& options : all_options()) {
      if (!options.code && target() != Target::reference) continue;
      REQUIRE(disagreement(graph, inputs, options, 1e-4) == "");
    }
  }
  CHECK(3 * kept >= last - first);
}
