// The CPU backend against the interpreter: every op, random programs; and what running promises.
#include "backends/cpu/executable.h"
#include "backends/cpu/runtime/pool.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <set>
#include <thread>

#include "backends/cpu/library/blas.h"
#include "backends/cpu/runtime/pool.h"
#include "backends/target.h"
#include "ir/env.h"
#include "passes/pipeline.h"
#include "passes/transforms.h"
#include "tests/backends/random_program.h"
#include "tests/backends/run.h"
#include "tests/ops/rows.h"
#include "tests/support/fuzz_settings.h"
#include "tests/support/random_graph.h"

using namespace jot;
using namespace jot::test;

namespace {

std::vector<HostTensor> random_inputs(const ir::Graph& graph, std::mt19937& random, double lo = -2, double hi = 2) {
  std::vector<HostTensor> inputs;
  for (ir::Value v : graph.data().inputs()) inputs.push_back(random_tensor(graph.data().type(v), lo, hi, random));
  return inputs;
}

// Machine code of this process's target; interpreted kernels for both widths.
std::vector<cpu::CompileOptions> all_options() {
  std::vector<cpu::CompileOptions> list = {{.vector_bytes = 64}, {.vector_bytes = 32}};
  if (target() != Target::reference)
    for (int64_t stream : {int64_t{0}, std::numeric_limits<int64_t>::max()})
      list.push_back(
          {.vector_bytes = target() == Target::avx512 ? 64 : 32, .code = cpu::kernel_code, .stream = stream});
  return list;
}

void check_agrees(const ir::Graph& graph, const std::vector<HostTensor>& inputs, double tolerance) {
  for (const cpu::CompileOptions& options : all_options()) {
    CAPTURE(options.vector_bytes);
    CAPTURE(options.code != nullptr);
    CAPTURE(options.stream);
    REQUIRE(disagreement(graph, inputs, options, tolerance) == "");
  }
}

const Engine& compiled(const ir::Graph& graph, std::shared_ptr<const Engine>& keep) {
  cpu::CompileOptions options = all_options().back();
  keep = cpu::make_executable(cpu::compile(graph, options));
  return *keep;
}

}  // namespace

namespace {

const double kSpecial[] = {0.0,    -0.0,  HUGE_VAL, -HUGE_VAL, std::nan(""), 1,    -1,    0.5,  -2.5, 3.5,
                           1e-310, 1e-40, -1e-45,   88.5,      -104,         1e10, -3e38, 1e19, 710,  -745};

// Elements of which every second is a special value, of sums one that does not overflow half-way; integers: extreme
// ones.
HostTensor special_tensor(const ir::Type& type, double lo, double hi, Rounding rounding, std::mt19937& random) {
  HostTensor x = random_tensor(type, lo, hi, random);
  const size_t choices = std::size(kSpecial) - (rounding == Rounding::sums ? 5 : 0);
  const double extreme = type.dtype == i32 ? -2147483648.0 : -0x1p63;
  for (int64_t i = 0; i < x.numel(); ++i) {
    if (random() % 2 || type.dtype == boolean) continue;
    if (x.floating())
      x.set(i, kSpecial[random() % choices]);
    else
      x.set(i, random() % 2 ? extreme : -(extreme / 2));
  }
  return x;
}

}  // namespace

// Rows in lanes, of which four turns run side by side, and what is left of them.
TEST_CASE("executable: sums over the first dim of what is repeated, as long as results are many") {
  std::mt19937 random(5);
  for (const std::string first : {"8", "9", "10", "11"})
    for (const std::string sum : {"reduce_sum", "reduce_max"}) {
      const std::string kept = "[" + first + ",1031]", shape = "[37," + first + ",1031]", all = "f32" + shape;
      const ir::Graph graph =
          ir::parse("func @main(%a: f32[37," + first + "], %b: f32[37,1031], %f: f32[37]) -> (f32" + kept + ", f32" +
                    kept + ") {\n  %0: " + all + " = dot(%a, %b) {contract=[[],[]], batch=[[0],[0]]}\n  %1: " + all +
                    " = broadcast(%f) {shape=" + shape + ", dims=[0]}\n  %2: " + all + " = mul(%0, %1)\n  %3: f32" +
                    kept + " = " + sum + "(%2) {dims=[0]}\n  %4: f32" + kept + " = exp(%3)\n  return %3, %4\n}\n");
      CAPTURE(first);
      check_agrees(graph, random_inputs(graph, random, -1, 1), 1e-5);
    }
}

TEST_CASE("executable: every op row") {
  std::mt19937 random(1);
  for (const Row& row : op_rows())
    for (DType d : {f64, f32, bf16, f16}) {
      const ir::Graph graph = graph_of(row, d), wide = graph_of(row);
      const std::vector<HostTensor> inputs = inputs_of(row, random, d);
      CAPTURE(title(row));
      CAPTURE(to_text(graph));
      for (const cpu::CompileOptions& options : all_options()) {
        CAPTURE(options.vector_bytes);
        REQUIRE(beyond_yardstick(graph, wide, rounding_of(wide), inputs, options) == "");
      }
    }
}

TEST_CASE("executable: every op row with lanes, of every tail and stride") {
  std::mt19937 random(4);
  const cpu::CompileOptions options = all_options().back();
  for (const Row& row : op_rows()) {
    // Vectors are as exact as what lies between values allows: routines_test.cpp.
    if (row.inputs.empty() || row.op == ir::Op::eigh_op || row.op == ir::Op::svd_op) continue;
    const Rounding rounding = rounding_of(graph_of(row));
    for (DType d : {f64, f32, bf16, f16})
      for (auto [lanes, sizes] : {std::pair{Lanes::leading, std::vector<int64_t>{0, 1, 3, 8, 15, 17, 33, 67}},
                                  {Lanes::last, {2, 5, 16, 67}},
                                  {Lanes::some, {7, 19}}})
        for (int64_t n : sizes) {
          const ir::Graph graph = mapped_row(graph_of(row, d), lanes, n), wide = mapped_row(graph_of(row), lanes, n);
          std::vector<HostTensor> inputs;
          for (const Input& x : row.inputs)
            inputs.push_back(
                random_tensor(graph.data().type(graph.data().inputs()[inputs.size()]), x.lo, x.hi, random));
          CAPTURE(title(row));
          CAPTURE(to_text(graph));
          REQUIRE(beyond_yardstick(graph, wide, rounding, inputs, options) == "");
        }
  }
}

namespace {

// Special elements for the data of a row; the other inputs of indexing ops are addresses.
std::vector<HostTensor> special_inputs(const Row& row, const ir::Graph& graph, Rounding rounding,
                                       std::mt19937& random) {
  std::vector<HostTensor> inputs;
  for (const Input& x : row.inputs) {
    const ir::Type& type = graph.data().type(graph.data().inputs()[inputs.size()]);
    const bool address =
        (ir::info(row.op).op_class == ir::OpClass::indexing || row.op == ir::Op::dynamic_slice_op) && type.dtype == i64;
    inputs.push_back(address ? random_tensor(type, x.lo, x.hi, random)
                             : special_tensor(type, x.lo, x.hi, rounding, random));
  }
  return inputs;
}

bool has_structural_zeros(const ir::Graph& graph) {
  const ir::GraphData& g = graph.data();
  for (ir::Value v = 0; v < g.size(); ++v)
    if (g.op(v) == ir::Op::identity_op || g.op(v) == ir::Op::diag_embed_op) return true;
  return false;
}

}  // namespace

// Storage dtypes: code rounds where the interpreter does, so where an op is not approximated the bits agree, at special
// values too.
TEST_CASE("executable: elementwise rows of half floats, to the bit") {
  std::mt19937 random(9);
  for (const Row& row : op_rows()) {
    const bool dear = ir::info(row.op).is(ir::Trait::dear) && row.op != ir::Op::sqrt_op && row.op != ir::Op::rsqrt_op;
    if (row.inputs.empty() || dear || rounding_of(graph_of(row)) == Rounding::sums) continue;
    for (DType d : {bf16, f16})
      for (int64_t n : {0, 1, 5, 61, 64}) {
        const ir::Graph graph =
            n ? mapped_row(graph_of(row, d), n % 2 ? Lanes::leading : Lanes::last, n) : graph_of(row, d);
        const std::vector<HostTensor> inputs = special_inputs(row, graph, Rounding::elementwise, random);
        const std::vector<HostTensor> wanted = interpret(graph, inputs);
        CAPTURE(title(row));
        CAPTURE(to_text(graph));
        for (const cpu::CompileOptions& options : all_options()) {
          CAPTURE(options.vector_bytes);
          const std::vector<HostTensor> got = run_cpu(graph, inputs, options);
          for (size_t o = 0; o < got.size(); ++o)
            for (int64_t i = 0; i < got[o].numel(); ++i) {
              const double x = wanted[o].number(i), y = got[o].number(i);
              CHECK((std::isnan(x) ? std::isnan(y) : x == y && std::signbit(x) == std::signbit(y)));
            }
        }
      }
  }
}

// Alone (0-d rows are scalar programs) and with lanes. Structural zeros times infinity are nothing. What a library
// solves overflows elsewhere.
TEST_CASE("executable: every op row at special values") {
  for (const Row& row : op_rows()) {
    if (row.inputs.empty() || has_structural_zeros(graph_of(row)) || row.label.ends_with("by the library")) continue;
    unsigned seed = 5;  // of the row: others do not change its data
    for (char c : title(row)) seed = seed * 31 + static_cast<unsigned char>(c);
    std::mt19937 random(seed);
    const Rounding rounding = rounding_of(graph_of(row));
    for (DType d : {f64, f32, bf16, f16})
      for (int64_t n : {0, 61, 64}) {
        if (is_storage(d) && row.op == ir::Op::cholesky_op) continue;  // rounded, its matrices may not be definite
        auto mapped = [n](const ir::Graph& g) { return n ? mapped_row(g, Lanes::leading, n) : g; };
        const ir::Graph graph = mapped(graph_of(row, d)), wide = mapped(graph_of(row));
        CAPTURE(title(row));
        CAPTURE(to_text(graph));
        for (int repeat = 0; repeat < (n ? 1 : 8); ++repeat) {
          const std::vector<HostTensor> inputs = special_inputs(row, graph, rounding, random);
          for (const cpu::CompileOptions& options : all_options()) {
            CAPTURE(options.vector_bytes);
            CHECK(beyond_yardstick(graph, wide, rounding, inputs, options) == "");
          }
        }
      }
  }
}

// In rows, in columns, in blocks over threads, fused or not: of the greatest number twice, in places that differ; of
// zeros of either sign.
// Products of signs and powers of two, exact in any order, in each way of running them.
TEST_CASE("executable: products in rows and columns, in blocks over threads, fused or not") {
  std::mt19937 random(7);
  for (DType d : {f64, f32, i64, i32})
    for (int64_t n : {1, 2, 3, 8, 17, 67, 1000, 70000})
      for (bool columns : {false, true})
        for (bool fused : {false, true}) {
          const int64_t axis = columns ? 0 : 1;
          const ir::Type type{d, false, columns ? Shape{n, 2} : Shape{2, n}};
          ir::Builder b;
          ir::Value x = b.param(type), y = fused ? ir::build::neg(b, x) : x;
          const ir::Graph graph = b.finish({ir::build::reduce(b, ir::Op::reduce_prod_op, y, {&axis, 1})});
          HostTensor in(type);
          double wanted[] = {1, 1};
          for (int64_t row : {0, 1})
            for (int64_t i = 0; i < n; ++i) {
              const double v = (random() % 2 ? -1.0 : 1.0) * (random() % static_cast<unsigned>(n) < 12 ? 2 : 1);
              in.set(columns ? i * 2 + row : row * n + i, v);
              wanted[row] *= fused ? -v : v;
            }
          CAPTURE(to_text(graph));
          const std::vector<HostTensor> inputs = {in};
          for (int64_t row : {0, 1}) CHECK(interpret(graph, inputs)[0].number(row) == wanted[row]);
          for (const cpu::CompileOptions& options : all_options()) {
            if (n > 1000 && !options.code) continue;  // interpreted kernels are slow
            CAPTURE(options.vector_bytes);
            for (int64_t row : {0, 1}) CHECK(run_cpu(graph, inputs, options)[0].number(row) == wanted[row]);
          }
        }
}

TEST_CASE("executable: sums that overflow, extrema of +0 and -0") {
  std::mt19937 random(6);
  const double inf = HUGE_VAL;
  for (DType d : {f64, f32})
    for (int64_t n : {2, 3, 8, 17, 64, 67, 1000, 70000})
      for (bool columns : {false, true})
        for (bool fused : {false, true})
          for (ir::Op op : {ir::Op::reduce_sum_op, ir::Op::reduce_max_op, ir::Op::reduce_min_op}) {
            const double greatest = d == f64 ? 0x1.fffffffffffffp1023 : 0x1.fffffep127;
            const int64_t axis = columns ? 0 : 1;
            const ir::Type type{d, false, columns ? Shape{n, 2} : Shape{2, n}};
            ir::Builder b;
            ir::Value x = b.param(type), y = fused ? ir::build::neg(b, x) : x;
            const ir::Graph graph = b.finish({ir::build::reduce(b, op, y, {&axis, 1})});
            HostTensor in(type);
            auto place = [&](int64_t row, int64_t i) { return columns ? i * 2 + row : row * n + i; };
            const double sign = random() % 2 ? 1 : -1;
            if (op == ir::Op::reduce_sum_op) {
              in.set(place(0, n - 2), sign * greatest), in.set(place(0, n - 1), sign * greatest);
              in.set(place(1, 0), -greatest), in.set(place(1, n / 2), -greatest);
            } else {
              for (int64_t i = 0; i < n; ++i) in.set(place(0, i), -sign * 0.0), in.set(place(1, i), sign * 0.0);
              in.set(place(0, static_cast<int64_t>(random() % static_cast<unsigned>(n))), sign * 0.0);
            }
            const double flip = fused ? -1 : 1;
            const bool max = op == ir::Op::reduce_max_op;
            const double wanted[] = {op == ir::Op::reduce_sum_op ? flip * sign * inf
                                     : max                       ? 0.0
                                                                 : -0.0,
                                     op == ir::Op::reduce_sum_op ? -flip * inf : flip * sign * 0.0};
            CAPTURE(to_text(graph));
            auto check = [&](const HostTensor& got) {
              for (int64_t row : {0, 1}) {
                CHECK(got.number(row) == wanted[row]);
                CHECK(std::signbit(got.number(row)) == std::signbit(wanted[row]));
              }
            };
            const std::vector<HostTensor> inputs = {in};
            check(interpret(graph, inputs)[0]);
            for (const cpu::CompileOptions& options : all_options()) {
              if (n > 1000 && !options.code) continue;  // interpreted kernels are slow
              CAPTURE(options.vector_bytes);
              check(run_cpu(graph, inputs, options)[0]);
            }
          }
}

// An axis of the window in front of that of the indices, windows that overlap.
TEST_CASE("executable: of overlapping windows that scatter_set writes the last index's stays") {
  ir::Builder b;
  ir::Value x = b.param({f64, false, {6}}), indices = b.param({i64, false, {3, 1}}),
            updates = b.param({f64, false, {3, 3}});  // [window, index]
  const ir::Graph graph =
      b.finish({ir::build::scatter_set(b, x, indices, updates, {{0}, {}, {0}, {}, {}}, ir::IndexMode::check, false)});
  const std::vector<HostTensor> inputs = {
      {f64, {6}, {0, 0, 0, 0, 0, 0}}, {i64, {3, 1}, {2, 1, 0}}, {f64, {3, 3}, {10, 20, 30, 11, 21, 31, 12, 22, 32}}};
  const HostTensor wanted(f64, {6}, {30, 31, 32, 22, 12, 0});
  CHECK(interpret(graph, inputs)[0] == wanted);
  for (const cpu::CompileOptions& options : all_options()) CHECK(run_cpu(graph, inputs, options)[0] == wanted);
}

TEST_CASE("the yardstick sees a few units in the last place, a lost sign of zero, a lost NaN, a wrong integer") {
  using enum Rounding;
  auto beyond = [](DType d, double got, double rounded, double exact, Rounding rounding) {
    return !beyond_yardstick({d, {1}, {got}}, {d, {1}, {rounded}}, {f64, {1}, {exact}}, rounding).empty();
  };
  const double pi = 3.14159265358979, ulp = 0x1p-22;
  CHECK_FALSE(beyond(f32, pi + 2 * ulp, pi, pi, elementwise));
  CHECK(beyond(f32, pi + 8 * ulp, pi, pi, elementwise));
  CHECK(beyond(f32, pi + ulp, pi, pi, exact));
  CHECK(beyond(f32, 1e-6, 0, 0, elementwise));
  CHECK_FALSE(beyond(f32, 1e-7, 0, 0, sums));
  CHECK(beyond(f32, 1e-5, 0, 0, sums));
  CHECK(beyond(f64, -0.0, 0.0, 0.0, elementwise));
  CHECK(beyond(f64, 0, NAN, NAN, sums));
  CHECK(beyond(f64, NAN, 0, 0, sums));
  CHECK(beyond(f64, 1e308, HUGE_VAL, HUGE_VAL, sums));
  CHECK(beyond(i64, 4, 3, 3, sums));
}

// GRAPH_PROGRAMS=n runs n of them, from GRAPH_FIRST on; GRAPH_SEED=n that one. Of the next test: AXES_PROGRAMS, ...
TEST_CASE("executable: random graphs") {
  const auto [first, last] = JOT_SEEDS("GRAPH", 200);
  for (uint64_t seed = first; seed < last; ++seed) {
    ir::Graph graph = RandomGraph(seed, {.nodes = 30, .differentiable = true}).make();
    std::mt19937 random(static_cast<unsigned>(seed));
    std::vector<HostTensor> inputs = random_inputs(graph, random);
    CAPTURE(seed);
    CAPTURE(to_text(graph));
    check_agrees(passes::optimize(graph), inputs, 1e-9);
  }
}

// AXES_SEED=n runs that one and prints the graph and the program.
TEST_CASE("executable: random programs of short and long axes") {
  const auto [first, last] = JOT_SEEDS("AXES", 150);
  const bool replay = std::getenv("AXES_SEED") != nullptr;
  for (uint64_t seed = first; seed < last; ++seed) {
    ir::Graph graph = passes::optimize(RandomProgram(seed).make(25));
    std::mt19937 random(static_cast<unsigned>(seed));
    std::vector<HostTensor> inputs = random_inputs(graph, random);
    CAPTURE(seed);
    CAPTURE(to_text(graph));
    if (replay) MESSAGE(cpu::compile(graph, {}, true).listing);
    check_agrees(graph, inputs, 1e-4);
  }
}

TEST_CASE("executable: a product minus itself is zero, also where both are seen through a view") {
  ir::Graph graph = ir::parse(
      "func @main(%x: f64[4], %y: f64[4]) -> (f64[3,4], f64[3,4], bool[3,4]) {\n"
      "  %0: f64[4] = mul(%x, %y)\n"
      "  %1: f64[3,4] = broadcast(%0) {shape=[3,4], dims=[1]}\n"
      "  %2: f64[3,4] = sub(%1, %1)\n"
      "  %3: f64[3,4] = neg(%1)\n"
      "  %4: f64[3,4] = add(%3, %1)\n"
      "  %5: bool[3,4] = compare(%2, %4) {direction=ne}\n"
      "  return %2, %4, %5\n}\n");
  check_agrees(graph, {HostTensor(f64, {4}, {0.1, 0.7, 1.3, 1e-3}), HostTensor(f64, {4}, {0.3, 1.1, 0.9, 7})}, 0);
}

TEST_CASE("executable: an index out of range is found where only other slices are used") {
  const std::string gather =
      "gather(%x, %i) {offset_dims=[], collapsed=[0], index_map=[0], operand_batch=[], index_batch=[], sizes=[1], "
      "mode=check}\n";
  const std::string of_plain = "func @main(%x: f64[5], %i: i64[40,2,1]) -> (f64[40,1]) {\n  %0: f64[40,2] = " + gather +
                               "  %1: f64[40,1] = slice(%0) {start=[0,0], limit=[40,1], stride=[1,1]}\n"
                               "  %2: f64[40,1] = neg(%1)\n  return %2\n}\n";
  const std::string of_rows = "func @main(%x: f64[5], %i: i64[40,2,1]) -> (f64[40,1]) {\n  %0: f64[40,2] = " + gather +
                              "  %1: f64[40,1] = slice(%0) {start=[0,0], limit=[40,1], stride=[1,1]}\n"
                              "  %2: f64[1] = reduce_sum(%1) {dims=[0]}\n"
                              "  %3: f64[40,1] = broadcast(%2) {shape=[40,1], dims=[1]}\n"
                              "  %4: f64[40,1] = div(%1, %3)\n  return %4\n}\n";
  std::vector<double> good(80, 3), bad = good;
  bad[2 * 17 + 1] = 5;
  for (const std::string& text : {of_plain, of_rows})
    for (const std::vector<double>& indices : {good, bad}) {
      const ir::Graph graph = ir::parse(text);
      CAPTURE(text);
      const std::vector<HostTensor> inputs = {{f64, {5}, {1, 2, 3, 4, 5}}, {i64, {40, 2, 1}, indices}};
      if (indices == good) {
        check_agrees(graph, inputs, 0);
        continue;
      }
      CHECK_THROWS_AS(interpret(graph, inputs), IndexError);
      for (const cpu::CompileOptions& options : all_options())
        CHECK_THROWS_AS(run_cpu(graph, inputs, options), IndexError);
    }
}

// Cut by terms (library/library.cpp), the last part shorter.
TEST_CASE("executable: products of few results and many terms") {
  for (const char* dtype : {"f32", "f64"})
    for (auto [m, n, k] : {std::array<int64_t, 3>{16, 16, 9'001}, {24, 40, 5'000}, {5, 7, 40'000}, {1, 3, 80'000}})
      for (bool x_rows : {true, false})
        for (bool y_rows : {true, false})
          for (int64_t batch : {1, 2}) {
            auto type = [&](int64_t rows, int64_t columns) {
              return std::string(dtype) + "[" + std::to_string(batch) + "," + std::to_string(rows) + "," +
                     std::to_string(columns) + "]";
            };
            const std::string text = "func @main(%x: " + (x_rows ? type(m, k) : type(k, m)) +
                                     ", %y: " + (y_rows ? type(k, n) : type(n, k)) + ") -> (" + type(m, n) +
                                     ") {\n  %0: " + type(m, n) + " = dot(%x, %y) {contract=[[" + (x_rows ? "2" : "1") +
                                     "],[" + (y_rows ? "1" : "2") + "]], batch=[[0],[0]]}\n  return %0\n}\n";
            ir::Graph graph = ir::parse(text);
            std::mt19937 random(static_cast<unsigned>(k));
            CAPTURE(text);
            const std::vector<HostTensor> inputs = random_inputs(graph, random);
            CHECK(difference(run_cpu(graph, inputs, {})[0], interpret(graph, inputs)[0]) <
                  (dtype[1] == '3' ? 1e-3 : 1e-11));
          }
}

// The nest of all rows cannot be split below none of its loops for the sum of all and below one for those of rows: what
// needs both has a kernel of its own.
TEST_CASE("executable: a value of rows that needs their sums and the sum of all") {
  ir::Graph graph = ir::parse(
      "func @main(%x: f64[67,40]) -> (f64[67]) {\n"
      "  %0: f64[67] = reduce_sum(%x) {dims=[1]}\n"
      "  %1: f64[] = reduce_sum(%x) {dims=[0,1]}\n"
      "  %2: f64[67] = broadcast(%1) {shape=[67], dims=[]}\n"
      "  %3: f64[67] = add(%0, %2)\n"
      "  return %3\n}\n");
  std::mt19937 random(3);
  check_agrees(graph, random_inputs(graph, random), 1e-12);
}

// Such operands run scaled (library/rescale.h), unless something overflows then.
TEST_CASE("executable: reductions of the outer loops in the kernel that makes their operand") {
  for (const std::string op : {"reduce_sum", "reduce_max", "reduce_min", "reduce_prod"})
    for (const std::string dtype : {"f32", "f64", "i32"})
      for (auto [a, b, c] : {std::array<int64_t, 3>{40, 1, 64}, {129, 3, 47}, {700, 9, 70}, {33, 40, 90}}) {
        if (op == "reduce_prod" && dtype != "i32") continue;
        auto type = [&](const Shape& shape) { return dtype + to_string(shape); };
        // Rows and columns of one value, in the order of a layer norm's gradient.
        const std::string text =
            "func @main(%x: " + type({a, b, c}) + ") -> (" + type({c}) + ", " + type({a, b, c}) +
            ") {\n  %0: " + type({a, b}) + " = reduce_max(%x) {dims=[2]}\n  %1: " + type({a, b, c}) +
            " = broadcast(%0) {shape=[" + std::to_string(a) + "," + std::to_string(b) + "," + std::to_string(c) +
            "], dims=[0,1]}\n  %2: " + type({a, b, c}) + " = sub(%x, %1)\n  %3: " + type({c}) + " = " + op +
            "(%2) {dims=[0,1]}\n  return %3, %2\n}\n";
        ir::Graph graph = ir::parse(text);
        std::mt19937 random(static_cast<unsigned>(a));
        CAPTURE(text);
        CHECK_EQ(disagreement(graph, random_inputs(graph, random), {}, dtype == "f32" ? 1e-5 : 1e-12), "");
        CHECK(cpu::compile(graph, {}, true).listing.find("routine") == std::string::npos);
      }
  // Sums of many equal terms, as accurate as other sums; of nothing.
  for (int64_t n : {100'000, 0}) {
    const std::string m = std::to_string(n);
    ir::Graph graph = ir::parse("func @main(%x: f32[" + m + ",20]) -> (f32[20]) {\n  %0: f32[" + m +
                                ",20] = mul(%x, %x)\n  %1: f32[20] = reduce_sum(%0) {dims=[0]}\n  return %1\n}\n");
    HostTensor x(graph.data().type(graph.data().inputs()[0]));
    for (int64_t i = 0; i < x.numel(); ++i) x.set(i, 0.31622776);
    const double term = x.numel() ? static_cast<float>(x.number(0) * x.number(0)) : 0,
                 sum = term * static_cast<double>(n);
    for (double got : run_cpu(graph, {x}, {})[0].numbers()) CHECK(std::abs(got - sum) <= 8 * 0x1p-23 * sum);
  }
}

// Neighbours in memory are rows of their own: they take turns in no lane.
TEST_CASE("executable: reductions of a middle axis in the kernel that makes their operand") {
  std::mt19937 random(11);
  for (const std::string op : {"reduce_sum", "reduce_max", "reduce_min"})
    for (const std::string dtype : {"f32", "f64", "i32"})
      for (auto [a, b, c] : {std::array<int64_t, 3>{3, 40, 16}, {2, 100, 37}, {9, 33, 64}, {1, 70, 19}}) {
        const std::string x = dtype + to_string(Shape{a, b, c}), y = dtype + to_string(Shape{a, c}),
                          shape = "shape=" + to_string(Shape{a, b, c});
        // What the second one needs is made again, or kept where it is dear.
        const std::string dear = dtype == "i32" ? "mul(%2, %2)" : "exp(%2)";
        const std::string text = "func @main(%x: " + x + ") -> (" + y + ", " + x + ") {\n  %0: " + y + " = " + op +
                                 "(%x) {dims=[1]}\n  %1: " + x + " = broadcast(%0) {" + shape +
                                 ", dims=[0,2]}\n  %2: " + x + " = sub(%x, %1)\n  %3: " + x + " = " + dear +
                                 "\n  %4: " + y + " = " + op + "(%3) {dims=[1]}\n  %5: " + x + " = broadcast(%4) {" +
                                 shape + ", dims=[0,2]}\n  %6: " + x + " = sub(%3, %5)\n  return %4, %6\n}\n";
        ir::Graph graph = ir::parse(text);
        CAPTURE(text);
        CHECK_EQ(disagreement(graph, random_inputs(graph, random), {}, dtype == "f32" ? 1e-5 : 1e-12), "");
        if (a > 1) CHECK(cpu::compile(graph, {}, true).listing.find("routine") == std::string::npos);
      }
}

TEST_CASE("executable: reductions of views along memory") {
  std::mt19937 random(12);
  using Dims = std::vector<int64_t>;
  const Shape shape{20, 36, 70};
  for (DType dtype : {f32, f64, i32, boolean})
    for (const Dims& perm : {Dims{0, 1, 2}, {0, 2, 1}, {2, 1, 0}, {2, 0, 1}, {1, 2, 0}})
      for (int64_t step : {1, 2, 3, 5})
        for (const Dims& dims : {Dims{0}, {1}, {2}, {0, 2}}) {
          ir::Builder b;
          ir::Value x = b.param({dtype, false, shape});
          ir::Value y = ir::build::permute(b, ir::build::slice_axis(b, x, 2, 0, 70, step), perm);
          const bool truth = dtype == boolean;
          ir::Graph graph =
              b.finish({ir::build::reduce(b, truth ? ir::Op::reduce_or_op : ir::Op::reduce_sum_op, y, dims),
                        ir::build::reduce(b, truth ? ir::Op::reduce_and_op : ir::Op::reduce_max_op,
                                          ir::build::permute(b, x, perm), dims)});
          CAPTURE(to_text(graph));
          HostTensor in = test::random_tensor(graph.data().type(0), -1, 1, random);
          if (truth)  // lines that one element decides
            for (int64_t i = 0; i < in.numel(); ++i) in.set(i, (i / 70) % 3 == 0 ? i % 211 == 0 : i % 211 != 0);
          const auto wanted = interpret(graph, std::vector{in}), got = run_cpu(graph, {in}, {});
          for (size_t r = 0; r < 2; ++r)
            CHECK(test::difference(got[r], wanted[r]) <= (dtype == f32 && r == 0 ? 1e-4 : dtype == f64 ? 1e-12 : 0));
        }
}

TEST_CASE("executable: slices of large products are split by rows") {
  const std::string s = "f32[4,512,576]";
  ir::Graph graph =
      ir::parse("func @main(%q: f32[4,512,8], %k: f32[4,576,8], %v: f32[4,576,24]) -> (f32[4,512,24]) {\n" +
                ("  %s: " + s) + " = dot(%q, %k) {contract=[[2],[2]], batch=[[0],[0]]}\n  %p: " + s +
                " = tanh(%s)\n  %o: f32[4,512,24] = dot(%p, %v) {contract=[[2],[1]], batch=[[0],[0]]}\n"
                "  return %o\n}\n");
  std::mt19937 random(13);
  const std::vector<HostTensor> inputs = random_inputs(graph, random);
  CHECK(test::difference(run_cpu(graph, inputs, {})[0], interpret(graph, inputs)[0]) <= 1e-3);
  const std::string listing = cpu::compile(graph, {}, true).listing;
  CHECK(listing.find(" slices of ") != std::string::npos);
  if (target() == Target::avx512) CHECK(listing.find("in 8 slices of ") != std::string::npos);
}

TEST_CASE("executable: products and the kernels between them run slice by slice") {
  const std::string type = "f32[4,3,80,80]";
  auto program = [&](const std::string& between, const std::string& results) {
    return "func @main(%q: f32[4,3,80,16], %k: f32[4,3,80,16], %v: f32[4,3,80,24]) -> (" + results +
           ") {\n  %s: " + type + " = dot(%q, %k) {contract=[[3],[3]], batch=[[0,1],[0,1]]}\n" + between +
           "  %o: f32[4,3,80,24] = dot(%p, %v) {contract=[[3],[2]], batch=[[0,1],[0,1]]}\n  return %o" +
           (results.find("80,80") == std::string::npos ? "" : ", %s") + "\n}\n";
  };
  const std::string out = "f32[4,3,80,24]";
  auto op = [&](const std::string& name, const std::string& rest) {
    return "  %" + name + ": " + type + " = " + rest + "\n";
  };
  const std::string softmax = op("e", "exp(%s)") + "  %t: f32[4,3,80] = reduce_sum(%e) {dims=[3]}\n" +
                              op("b", "broadcast(%t) {shape=[4,3,80,80], dims=[0,1,2]}") + op("p", "div(%e, %b)");
  struct Case {
    std::string text;
    bool sliced;
  };
  const std::vector<Case> cases = {
      {program(softmax, out), true},
      {program(softmax, out + ", " + type), true},
      {program(op("p", "tanh(%s)"), out), true},
      // What a slice needs of others: they are not run apart.
      {program(op("r", "rev(%s) {dims=[0]}") + op("p", "add(%s, %r)"), out), false},
      {program(op("r", "rev(%s) {dims=[1]}") + op("t", "tanh(%s)") + op("p", "add(%t, %r)"), out), false},
      {program("  %m: f32[3,80,80] = reduce_max(%s) {dims=[0]}\n" +
                   op("b", "broadcast(%m) {shape=[4,3,80,80], dims=[1,2,3]}") + op("p", "sub(%s, %b)"),
               out),
       false},
      {program("  %c: f32[3,3,80,80] = slice(%s) {start=[1,0,0,0], limit=[4,3,80,80], stride=[1,1,1,1]}\n"
               "  %h: f32[3,3,80,80] = tanh(%c)\n  %z: f32[] = const() {shape=[], dtype=f32, data=[1]}\n" +
                   op("p", "pad(%h, %z) {lo=[1,0,0,0], hi=[0,0,0,0], interior=[0,0,0,0]}"),
               out),
       false},
      {program("  %c: f32[3,4,80,80] = permute(%s) {perm=[1,0,2,3]}\n  %h: f32[3,4,80,80] = tanh(%c)\n" +
                   op("d", "reshape(%h) {shape=[4,3,80,80]}") + op("p", "add(%d, %s)"),
               out),
       false},
      {program("  %i: i64[4,1] = iota() {shape=[4,1], dim=0, dtype=i64}\n  %w: i64[4,1] = mul(%i, %i)\n" +
                   op("g",
                      "gather(%s, %w) {offset_dims=[1,2,3], collapsed=[0], index_map=[0], operand_batch=[], "
                      "index_batch=[], sizes=[1,3,80,80], mode=clip}") +
                   op("p", "tanh(%g)"),
               out),
       false}};
  for (const Case& c : cases) {
    CAPTURE(c.text);
    ir::Graph graph = ir::parse(c.text);
    std::mt19937 random(7);
    CHECK_EQ(disagreement(graph, random_inputs(graph, random), {}, 3e-4), "");
    const cpu::Compiled made = cpu::compile(graph, {}, true);
    CHECK_EQ(made.listing.find(" slices of ") != std::string::npos, c.sliced);
  }
  // What they hand on takes no more memory than slices of it, one a thread.
  ir::Graph graph = ir::parse(cases[0].text);
  const int64_t whole = int64_t{4} * 3 * 80 * 80 * 4;
  CHECK(cpu::compile(graph, {}).program.arena_bytes < 2 * whole * std::min(cpu::num_threads(), 12) / 12 + (1 << 18));
}

TEST_CASE("executable: products of denormal numbers keep them") {
  for (DType dtype : {f32, f64})
    for (auto [m, k, n] : {std::array<int64_t, 3>{40, 24, 24}, {64, 200, 64}, {130, 140, 150}, {300, 64, 1}}) {
      const double tiny = dtype == f32 ? 0x1p-140 : 0x1p-1060, huge = dtype == f32 ? 0x1p120 : 0x1p1010;
      const std::string name(to_string(dtype)), ms = std::to_string(m), ks = std::to_string(k), ns = std::to_string(n);
      const ir::Graph graph =
          ir::parse("func @main(%x: " + name + "[" + ms + "," + ks + "], %y: " + name + "[" + ks + "," + ns +
                    "]) -> (" + name + "[" + ms + "," + ns + "]) {\n  %0: " + name + "[" + ms + "," + ns +
                    "] = dot(%x, %y) {contract=[[1],[0]], batch=[[],[]]}\n  return %0\n}\n");
      for (double largest : {1.0, huge}) {
        // Every third row is tiny; each row of x meets one of y.
        std::vector<double> x(static_cast<size_t>(m * k), 0.0), y(static_cast<size_t>(k * n)), wanted;
        for (int64_t i = 0; i < k * n; ++i) y[static_cast<size_t>(i)] = i % 2 ? -1.5 : 1;
        for (int64_t r = 0; r < m; ++r)
          x[static_cast<size_t>(r * k + r % k)] = r % 3 ? largest : tiny * static_cast<double>(r + 2);
        for (int64_t r = 0; r < m; ++r)
          for (int64_t c = 0; c < n; ++c)
            wanted.push_back(x[static_cast<size_t>(r * k + r % k)] * y[static_cast<size_t>(r % k * n + c)]);
        const HostTensor exact(dtype, {m, n}, wanted);
        CAPTURE(name);
        CAPTURE(m);
        CAPTURE(largest);
        const std::vector<HostTensor> inputs = {{dtype, {m, k}, x}, {dtype, {k, n}, y}};
        for (const cpu::CompileOptions& options : all_options()) CHECK(run_cpu(graph, inputs, options)[0] == exact);
        // Tiny numbers times tiny ones, which vanish (a zero of either sign), and those on the right.
        for (double& v : y) v *= tiny;
        for (double& v : wanted) v = std::abs(v) < 1 ? 0 : v * tiny;
        const HostTensor smaller(dtype, {m, n}, wanted);
        const std::vector<HostTensor> right = {{dtype, {m, k}, x}, {dtype, {k, n}, y}};
        for (const cpu::CompileOptions& options : all_options())
          CHECK(run_cpu(graph, right, options)[0].numbers() == smaller.numbers());
      }
    }
}

TEST_CASE("executable: a constant that is a result is padded") {
  ir::Graph graph = ir::parse(
      "func @main() -> (i32[33,40,4], i32[33,40,1]) {\n"
      "  %0: i32[33,40,1] = const() {shape=[33,40,1], dtype=i32, data=[-1]}\n"
      "  %1: i32[] = const() {shape=[], dtype=i32, data=[0]}\n"
      "  %2: i32[33,40,4] = pad(%0, %1) {lo=[0,0,2], hi=[0,0,1], interior=[0,0,0]}\n"
      "  return %2, %0\n}\n");
  check_agrees(graph, {}, 0);
}

TEST_CASE("executable: constants that are moved twice are not read from memory") {
  for (const char* use : {"max(%1, %2)", "max(%x, %2)", "rev(%2) {dims=[0]}"}) {
    ir::Graph graph = ir::parse(std::string("func @main(%x: i64[5000,1]) -> (i64[5000,1], i64[5000,1]) {\n"
                                            "  %0: i64[5000,1] = const() {shape=[5000,1], dtype=i64, data=[-5]}\n"
                                            "  %1: i64[5000,1] = rev(%0) {dims=[0,1]}\n"
                                            "  %2: i64[5000,1] = rev(%1) {dims=[0]}\n"
                                            "  %3: i64[5000,1] = ") +
                                use + "\n  return %3, %2\n}\n");
    CAPTURE(use);
    check_agrees(graph, {HostTensor(i64, {5000, 1}, std::vector<double>(5000, -9))}, 0);
  }
}

TEST_CASE("executable: a gather of one constant index along many dims") {
  for (int rank : {3, 5, 12}) {
    std::string shape, dims, ones;
    for (int d = 0; d < rank; ++d) {
      shape += (d ? "," : "") + std::string("2");
      ones += (d ? "," : "") + std::string("1");
      if (d > 0) dims += (d > 1 ? "," : "") + std::to_string(d);
    }
    for (bool constant : {true, false}) {
      std::string index = "i64[" + shape + ",1]";
      ir::Graph graph = ir::parse(
          "func @main(%x: f64[" + shape + "], %n: " + index + ") -> (f64[" + shape + "]) {\n  %0: " + index +
          " = const() {shape=[" + shape + ",1], dtype=i64, data=[0]}\n  %1: f64[" + shape + "] = gather(%x, " +
          (constant ? "%0" : "%n") + ") {offset_dims=[], collapsed=[0], index_map=[0], operand_batch=[" + dims +
          "], index_batch=[" + dims + "], sizes=[" + ones + "], mode=check}\n  return %1\n}\n");
      const auto n = size_t{1} << rank;
      std::vector<double> x(n), indices(n);
      for (size_t i = 0; i < n; ++i) x[i] = static_cast<double>(i), indices[i] = static_cast<double>(i * 7 / 3 % 2);
      Shape wide(std::vector<int64_t>(static_cast<size_t>(rank), 2)), with_one = wide;
      with_one.push_back(1);
      CAPTURE(rank);
      check_agrees(graph, {HostTensor(f64, wide, x), HostTensor(i64, with_one, indices)}, 0);
    }
  }
}

// A routine, as elements of a window wrap one by one.
TEST_CASE("executable: windows of what lies in memory backwards") {
  for (const char* index : {"-2", "3", "40"})
    for (const char* mode : {"wrap", "clip", "fill"}) {
      ir::Graph graph =
          ir::parse(std::string("func @main(%x: f64[33,5]) -> (f64[2,5]) {\n"
                                "  %0: f64[33,5] = rev(%x) {dims=[0]}\n"
                                "  %1: i32[1] = const() {shape=[1], dtype=i32, data=[") +
                    index +
                    "]}\n  %2: f64[2,5] = gather(%0, %1) {offset_dims=[0,1], collapsed=[], index_map=[0], "
                    "operand_batch=[], index_batch=[], sizes=[2,5], mode=" +
                    mode + "}\n  return %2\n}\n");
      CAPTURE(index);
      CAPTURE(mode);
      std::mt19937 random(1);
      check_agrees(graph, random_inputs(graph, random), 0);
    }
}

TEST_CASE("executable: every length of a loop, and its tail") {
  std::mt19937 random(2);
  for (int64_t n = 0; n <= 67; ++n) {
    std::string m = std::to_string(n);
    CAPTURE(n);
    // elementwise; a mapped axis with rows of three; a reduction of rows; a reduction of everything
    ir::Graph flat =
        ir::parse("func @main(%x: f32[" + m + "], %y: i64[" + m + "]) -> (f32[" + m + "], i64[" + m + "], bool[" + m +
                  "]) {\n  %0: f32[" + m + "] = exp(%x)\n  %1: i64[" + m + "] = mul(%y, %y)\n  %2: bool[" + m +
                  "] = compare(%y, %1) {direction=lt}\n  return %0, %1, %2\n}\n");
    check_agrees(flat, random_inputs(flat, random), 1e-6);
    ir::Graph rows = ir::parse("func @main(%x: f64[" + m + ",3]) -> (f64[" + m + ",3], f64[3,3]) {\n  %0: f64[" + m +
                               ",3] = rev(%x) {dims=[1]}\n  %1: f64[" + m + ",3] = mul(%0, %x)\n  %2: f64[" + m +
                               "] = reduce_sum(%1) {dims=[1]}\n  %3: f64[" + m + ",3] = broadcast(%2) {shape=[" + m +
                               ",3], dims=[0]}\n  %4: f64[3,3] = dot(%3, %x) {contract=[[0],[0]], batch=[[],[]]}\n"
                               "  return %3, %4\n}\n");
    check_agrees(rows, random_inputs(rows, random), 1e-12);
    ir::Graph softmax = ir::parse("func @main(%x: f32[3," + m + "]) -> (f32[3," + m +
                                  "], f32[]) {\n  %0: f32[3] = reduce_max(%x) {dims=[1]}\n  %1: f32[3," + m +
                                  "] = broadcast(%0) {shape=[3," + m + "], dims=[0]}\n  %2: f32[3," + m +
                                  "] = sub(%x, %1)\n  %3: f32[3," + m +
                                  "] = exp(%2)\n  %4: f32[3] = reduce_sum(%3) {dims=[1]}\n  %5: f32[3," + m +
                                  "] = broadcast(%4) {shape=[3," + m + "], dims=[0]}\n  %6: f32[3," + m +
                                  "] = div(%3, %5)\n  %7: f32[] = reduce_max(%6) {dims=[0,1]}\n  return %6, %7\n}\n");
    check_agrees(softmax, random_inputs(softmax, random), 1e-5);
  }
}

TEST_CASE("executable: outputs that are inputs, constants, repeated or views") {
  ir::Graph graph = ir::parse(
      "func @main(%x: f64[2,3]) -> (f64[2,3], f64[6], f64[2,3], f64[2,3], f64[3,2], f64[2], f64[6]) {\n"
      "  %0: f64[6] = reshape(%x) {shape=[6]}\n"
      "  %1: f64[2,3] = neg(%x)\n"
      "  %2: f64[3,2] = permute(%1) {perm=[1,0]}\n"
      "  %3: f64[2] = const() {shape=[2], dtype=f64, data=[1,2]}\n"
      "  %4: f64[6] = reshape(%1) {shape=[6]}\n"
      "  return %x, %0, %1, %1, %2, %3, %4\n}\n");
  check_agrees(graph, {HostTensor(f64, {2, 3}, {1, 2, 3, 4, 5, 6})}, 0);
}

TEST_CASE("executable: an index out of range names the op, the line and the index; the engine goes on working") {
  ir::Graph graph = ir::parse(
      "func @main(%x: f64[3,2], %i: i64[100,1]) -> (f64[100,2]) {\n"
      "  %0: f64[100,2] = gather(%x, %i) {offset_dims=[1], collapsed=[0], index_map=[0], operand_batch=[], "
      "index_batch=[], sizes=[1,2], mode=check} loc(\"model.cpp\":12)\n"
      "  return %0\n}\n");
  std::vector<HostTensor> inputs = {HostTensor(f64, {3, 2}, {1, 2, 3, 4, 5, 6}), HostTensor({i64, false, {100, 1}})};
  std::vector<HostTensor> bad = inputs;
  bad[1].set(77, 3);
  std::shared_ptr<const Engine> keep;
  const Engine& engine = compiled(graph, keep);
  for (int i = 0; i < 2; ++i) {
    CHECK_THROWS_WITH_AS(run_on(engine, graph, bad),
                         "[gather] index 3 is out of bounds for dimension 0 with size 3; expected -3 to 2\n"
                         "  at model.cpp:12",
                         IndexError);
    CHECK(run_on(engine, graph, inputs)[0].number(199) == 2);
  }
}

TEST_CASE("executable: a fault is told in the terms of the user's call") {
  std::string text =
      "func @main(%x: f64[3,2], %i: i64[100,1]) -> (f64[100,2]) {\n"
      "  %0: f64[100,2] = gather(%x, %i) {offset_dims=[1], collapsed=[0], index_map=[0], operand_batch=[], "
      "index_batch=[], sizes=[1,2], mode=check} loc(\"model.cpp\":12) scope(\"vmap\") call(\"pick\", [4], [10])\n"
      "  return %0\n}\n";
  ir::Graph graph = ir::parse(text);
  CHECK_EQ(to_text(graph), text);
  std::vector<HostTensor> bad = {HostTensor(f64, {3, 2}, {1, 2, 3, 4, 5, 6}), HostTensor({i64, false, {100, 1}})};
  bad[1].set(77, 3);
  std::shared_ptr<const Engine> keep;
  CHECK_THROWS_WITH_AS(run_on(compiled(graph, keep), graph, bad),
                       "[pick] index 3 is out of bounds for dimension 4 with size 3; expected -3 to 2, in lane 87 of "
                       "vmap\n  at model.cpp:12",
                       IndexError);
}

TEST_CASE("executable: results are the same bit for bit from call to call and in four threads at once") {
  ir::Graph graph = ir::parse(
      "func @main(%x: f32[300000]) -> (f32[], f32[300000]) {\n"
      "  %0: f32[300000] = sin(%x)\n  %1: f32[] = reduce_sum(%0) {dims=[0]}\n"
      "  %2: f32[300000] = broadcast(%1) {shape=[300000], dims=[]}\n  %3: f32[300000] = mul(%0, %2)\n"
      "  return %1, %3\n}\n");
  std::mt19937 random(3);
  std::vector<HostTensor> inputs = random_inputs(graph, random);
  cpu::CompileOptions options = all_options().back();
  cpu::Compiled made = cpu::compile(graph, options);
  const auto* kernel = std::get_if<cpu::KernelStep>(&made.program.steps[0].what);
  REQUIRE(kernel != nullptr);
  CHECK(kernel->chunks > 1);
  CHECK(kernel->partials.size() == 1);
  std::shared_ptr<const Engine> engine = cpu::make_executable(std::move(made));
  std::vector<HostTensor> first = run_on(*engine, graph, inputs);
  std::vector<std::vector<HostTensor>> again(4);
  std::vector<std::thread> threads;
  for (auto& result : again) threads.emplace_back([&] { result = run_on(*engine, graph, inputs); });
  for (std::thread& t : threads) t.join();
  for (const auto& result : again) CHECK(result == first);
}

TEST_CASE("executable: the gradient of a network needs little more memory than its largest live set") {
  constexpr int64_t kBatch = 256, kWidth = 128;
  ir::Builder b;
  std::vector<ir::Value> weights;
  for (int i = 0; i < 4; ++i) weights.push_back(b.param({f32, false, {kWidth, kWidth}}));
  ir::Value h = b.param({f32, false, {kBatch, kWidth}});
  for (ir::Value w : weights) {
    const int64_t one = 1, zero = 0;
    h = ir::build::unary(b, ir::Op::tanh_op, ir::build::dot(b, h, w, {&one, 1}, {&zero, 1}, {}, {}));
  }
  const int64_t all[] = {0, 1};
  ir::Value loss = ir::build::reduce_sum(b, ir::build::mul(b, h, h), all);
  const uint8_t active[] = {1, 1, 1, 1, 0};
  ir::Graph graph = passes::optimize(passes::grad(b.finish({loss}), active));
  cpu::Compiled made = cpu::compile(graph, all_options().back());
  CHECK(made.stats.library_calls + made.stats.routines == 11);  // the products
  const double ratio = static_cast<double>(made.program.arena_bytes) / static_cast<double>(made.largest_live_set);
  MESSAGE("arena over largest live set: ", ratio);
  CHECK(ratio <= 1.2);
  CHECK(made.largest_live_set <=
        9 * kBatch * kWidth * 4 + 4096);  // four activations, their slopes, a cotangent, scratch
}

TEST_CASE("executable: chunks of a sum over outer loops share out several of its terms") {
  ir::Graph graph = ir::parse(
      "func @main(%x: f32[64,32768]) -> (f32[32768]) {\n  %0: f32[64,32768] = tanh(%x)\n"
      "  %1: f32[32768] = reduce_sum(%0) {dims=[0]}\n  return %1\n}\n");
  std::mt19937 random(3);
  CHECK_EQ(disagreement(graph, random_inputs(graph, random), {}, 1e-4), "");
  for (const cpu::CompileOptions& options : all_options())
    CHECK(cpu::compile(graph, options).program.arena_bytes < 10 * 32768 * 4);
}

// The layout of a hessian: what repeats is small, and permuted in its place.
TEST_CASE("executable: permuted values of repeated operands are made in order") {
  ir::Graph graph = ir::parse(
      "func @main(%x: f32[70,60], %w: f32[50,60]) -> (f32[50,70,60]) {\n"
      "  %0: f32[70,50] = dot(%x, %w) {contract=[[1],[1]], batch=[[],[]]}\n"
      "  %1: f32[60,70,50] = broadcast(%0) {shape=[60,70,50], dims=[1,2]}\n"
      "  %2: f32[60,70] = permute(%x) {perm=[1,0]}\n"
      "  %3: f32[60,70,50] = broadcast(%2) {shape=[60,70,50], dims=[0,1]}\n"
      "  %4: f32[60,70,50] = sub(%1, %3)\n"
      "  %5: f32[50,70,60] = permute(%4) {perm=[2,1,0]}\n  return %5\n}\n");
  std::mt19937 random(5);
  CHECK_EQ(disagreement(graph, random_inputs(graph, random), {}, 1e-4), "");
  for (const cpu::CompileOptions& options : all_options()) CHECK_EQ(cpu::compile(graph, options).stats.routines, 0);
}

TEST_CASE("executable: statistics") {
  ir::Graph graph = ir::parse(
      "func @main(%x: f64[50,50], %y: f64[50,50]) -> (f64[50,50]) {\n"
      "  %0: f64[50,50] = dot(%x, %y) {contract=[[1],[0]], batch=[[],[]]}\n"
      "  %1: f64[50,50] = tanh(%0)\n  return %1\n}\n");
  ExecutableStats stats = cpu::make_executable(cpu::compile(graph, all_options().back()))->stats();
  CHECK(stats.kernels == 1);
  CHECK(stats.library_calls == 1);
  CHECK(stats.libraries == std::set{cpu::blas().title});
  CHECK(stats.routines == 0);
  CHECK(stats.arena_bytes >= 50 * 50 * 8);
  for (const char* phase : {"cluster", "lower", "emit", "plan"}) CHECK(stats.compile_seconds.contains(phase));
}
