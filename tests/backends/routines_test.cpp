#include "backends/cpu/routines/routines.h"
#include "backends/reference/interpret.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <thread>

#include "backends/cpu/library/flops.h"
#include "backends/cpu/runtime/pool.h"
#include "ir/rules.h"
#include "passes/regions.h"
#include "tests/ops/rows.h"

using namespace jot;
using test::HostTensor;

namespace {

bool is_used(const ir::GraphData& g, ir::Value v) {
  for (ir::Value user = v + 1; user < g.size(); ++user)
    if (std::ranges::find(g.operands(user), v) != g.operands(user).end()) return true;
  return std::ranges::find(g.outputs(), v) != g.outputs().end();
}

// The values of all nodes by the reference rules, and beside them what the routines make of the same operands.
void compare(const ir::Graph& graph, const std::vector<HostTensor>& inputs) {
  const ir::GraphData& g = graph.data();
  std::vector<HostTensor> values;
  for (ir::Value v = 0; v < g.size(); ++v) {
    if (g.op(v) == ir::Op::result_op) continue;
    values.emplace_back(g.type(v));
    if (g.op(v) == ir::Op::param_op) {
      values[v] = inputs[static_cast<size_t>(g.attrs(v).integer(ir::Key::index))];
      continue;
    }
    std::vector<ir::Array> arrays;
    std::vector<const void*> pointers;
    for (ir::Value o : g.operands(v)) {
      arrays.push_back({&g.type(o), values[o].bytes.data()});
      pointers.push_back(values[o].bytes.data());
    }
    std::vector<const ir::Type*> types;
    std::vector<std::byte*> evaluated;
    std::vector<HostTensor> outs;
    std::vector<void*> out_pointers;
    for (ir::Value r = v; r < v + g.results(v); ++r) {
      if (r != v) values.emplace_back(g.type(r));
      types.push_back(&g.type(r));
      outs.emplace_back(g.type(r));
    }
    for (size_t r = 0; r < outs.size(); ++r) {
      evaluated.push_back(values[v + r].bytes.data());
      std::ranges::fill(outs[r].bytes, std::byte{0xff});
      out_pointers.push_back(outs[r].bytes.data());
    }
    ir::rules(g.op(v)).eval.fn(
        {g.attrs(v), types, arrays, evaluated, Location(), g.call(v), reference::interpret, &passes::region_passes()});
    auto routine = cpu::make_routine(g, v, 1);
    if (!routine) continue;
    std::vector<std::byte> scratch(static_cast<size_t>(routine->scratch_bytes) + 64);
    auto* aligned = scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64) % 64;
    cpu::KernelError error;
    routine->run_results(pointers, out_pointers, aligned, error);
    CHECK(error.code == 0);
    // Sums and products are made in another order: random signs, so errors grow with the root of the terms.
    const ir::OpClass op_class = ir::info(g.op(v)).op_class;
    bool exact = op_class != ir::OpClass::contraction && op_class != ir::OpClass::cumulative &&
                 g.op(v) != ir::Op::reduce_sum_op && g.op(v) != ir::Op::reduce_prod_op && !ir::has_regions(g.op(v));
    double terms = exact ? 0 : static_cast<double>(g.shape(g.operand(v, 0)).numel());
    double tolerance = 16 * std::sqrt(terms) * (g.dtype(v) == f32 ? 0x1p-23 : 0x1p-52);
    // The further vectors of a full svd are not determined.
    const bool values_only = g.op(v) == ir::Op::svd_op && g.attrs(v).integer(ir::Key::full) != 0;
    for (size_t r = values_only; r < (values_only ? 2 : outs.size()); ++r)
      if (g.op(v) != ir::Op::window_argmax_op ||
          is_used(g, v + static_cast<ir::Value>(r))) {  // else it is left as it was
        if (!is_floating(g.dtype(v + static_cast<ir::Value>(r)))) CHECK(outs[r] == values[v + r]);
        CHECK_MESSAGE(test::difference(outs[r], values[v + r]) <= tolerance, ir::name_of(g.op(v)), " node ", v + r);
      }
  }
}

}  // namespace

TEST_CASE("routines: every row of the op table, as the reference") {
  std::mt19937 random(7);
  for (const test::Row& row : test::op_rows())
    for (DType floating : {f64, f32}) {
      CAPTURE(test::title(row));
      compare(test::graph_of(row, floating), test::inputs_of(row, random, floating));
    }
}

TEST_CASE("routines: large movements, reductions and products") {
  std::mt19937 random(8);
  for (DType dtype : {f64, f32}) {
    ir::Builder b;
    ir::Value x = b.param({dtype, false, {60, 7, 130}}), y = b.param({dtype, false, {60, 130, 20}});
    ir::Value w = b.param({dtype, false, {130, 60}});
    std::vector<ir::Value> out;
    out.push_back(ir::build::permute(b, x, std::vector<int64_t>{2, 1, 0}));
    out.push_back(ir::build::permute(b, x, std::vector<int64_t>{0, 2, 1}));
    for (std::vector<int64_t> dims : {std::vector<int64_t>{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 2}, {0, 1, 2}}) {
      out.push_back(ir::build::reduce_sum(b, x, dims));
      out.push_back(ir::build::reduce(b, ir::Op::reduce_max_op, x, dims));
    }
    using Dims = std::vector<int64_t>;
    out.push_back(ir::build::dot(b, x, y, Dims{2}, Dims{1}, Dims{0}, Dims{0}));
    out.push_back(ir::build::dot(b, x, y, Dims{2}, Dims{1}, Dims{}, Dims{}));
    out.push_back(ir::build::dot(b, y, x, Dims{1}, Dims{2}, Dims{0}, Dims{0}));
    out.push_back(ir::build::dot(b, x, y, Dims{0, 2}, Dims{0, 1}, Dims{}, Dims{}));
    out.push_back(ir::build::dot(b, x, w, Dims{2}, Dims{0}, Dims{0}, Dims{1}));  // by vectors, from either side
    out.push_back(ir::build::dot(b, w, x, Dims{0}, Dims{2}, Dims{1}, Dims{0}));
    out.push_back(ir::build::dot(b, w, y, Dims{0}, Dims{1}, Dims{1}, Dims{0}));
    out.push_back(ir::build::dot(b, w, w, Dims{0}, Dims{0}, Dims{1}, Dims{1}));
    out.push_back(ir::build::pad_zero(b, x, Dims{3, -1, 0}, Dims{0, 0, -5}, Dims{1, 0, 2}));
    ir::Graph g = b.finish(out);
    compare(g,
            {test::random_tensor(g.data().type(0), -1, 1, random), test::random_tensor(g.data().type(1), -1, 1, random),
             test::random_tensor(g.data().type(2), -1, 1, random)});
  }
}

// Of whole numbers, so that sums are exact and elements equal.
TEST_CASE("routines: windows of any shape") {
  std::mt19937 random(12);
  auto draw = [&](int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random); };
  for (int i = 0; i < 400; ++i) {
    const DType dtype = std::array{f32, f64, i32, i64}[static_cast<size_t>(i % 4)];
    const auto axes = static_cast<size_t>(draw(1, i % 20 == 0 ? 3 : 2));
    Shape shape = {draw(1, 3)};
    std::vector<int64_t> dims, sizes;
    ir::build::Windows w, apart;
    for (size_t d = 0; d < axes; ++d) {
      const bool side_by_side = draw(0, 1) == 1;
      sizes.push_back(draw(1, draw(1, 9)));
      w.w_dilation.push_back(side_by_side ? 1 : draw(1, 2));
      w.stride.push_back(side_by_side ? sizes[d] : draw(1, 4));
      w.lo.push_back(side_by_side ? 0 : draw(-1, 3));
      w.hi.push_back(side_by_side ? 0 : draw(-1, 3));
      w.x_dilation.push_back(1);
      apart.x_dilation.push_back(draw(1, 9));
      dims.push_back(static_cast<int64_t>(d) + 1);
      shape.push_back(side_by_side ? sizes[d] * draw(1, 5) + draw(0, 1) : draw(1, axes == 1 ? 150 : 40));
    }
    if (draw(0, 3) == 0) shape.push_back(draw(1, 40));
    apart.stride = w.w_dilation, apart.w_dilation = w.stride, apart.lo = w.lo, apart.hi = w.hi;
    ir::Builder b;
    const ir::Value x = b.param({dtype, false, shape});
    const ir::Value values = ir::build::window_argmax(b, x, dims, sizes, w),
                    both = ir::build::window_argmax(b, x, dims, sizes, w);
    const ir::Graph g = b.finish({ir::build::reduce_window_sum(b, x, dims, sizes, w), values, both, both + 1,
                                  ir::build::reduce_window_sum(b, x, dims, sizes, apart)});
    HostTensor input = test::random_tensor(g.data().type(x), -4, 4, random);
    for (int64_t e = 0; e < input.numel(); ++e) {
      input.set(e, std::floor(input.number(e)));
      if (input.floating() && i % 3 == 0 && draw(0, 30) == 0) input.set(e, draw(0, 1) == 0 ? -HUGE_VAL : std::nan(""));
    }
    CAPTURE(i);
    CAPTURE(to_text(g));
    compare(g, {input});
  }
}

TEST_CASE("routines: random draws begin and end anywhere in a block") {
  std::mt19937 random(9);
  for (int64_t width : {32, 64})
    for (int64_t count : {0, 1, 3, 7, 64, 67, 5003}) {
      ir::Builder b;
      ir::Value key = b.param({i64, false, {3, 2}}), offset = b.param({i64, false, {3}});
      ir::Value bits = b.emit(ir::Op::random_bits_op, {key, offset}, ir::Attrs(Shape{3, count}, width));
      ir::Graph g = b.finish({bits});
      for (double first : {0.0, 1.0, 2.0, 3.0, 4294967290.0, -7.0})
        compare(g, {test::random_tensor(g.data().type(0), -1e18, 1e18, random),
                    HostTensor(i64, {3}, {first, first + 5, first + 10})});
    }
}

TEST_CASE("routines: truth values of every layout, decided by one of them") {
  using Dims = std::vector<int64_t>;
  const Shape shape{70, 3, 200};
  std::mt19937 random(12);
  for (const Dims& dims : {Dims{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 2}, {0, 1, 2}})
    for (bool usual : {false, true}) {
      ir::Builder b;
      ir::Value x = b.param({boolean, false, shape});
      ir::Graph g = b.finish(
          {ir::build::reduce(b, ir::Op::reduce_or_op, x, dims), ir::build::reduce(b, ir::Op::reduce_and_op, x, dims)});
      std::vector<double> values(static_cast<size_t>(shape.numel()), usual);
      for (int i = 0; i < 3; ++i) values[random() % values.size()] = !usual;
      compare(g, {HostTensor(boolean, shape, values)});
    }
}

TEST_CASE("routines: places of extrema, along every dim: the first of equal ones, NaN before all") {
  constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  std::mt19937 random(13);
  const std::vector<std::vector<double>> specials = {{}, {0.0, -0.0}, {inf, inf, -inf}, {nan, nan, inf}};
  for (const Shape& shape : {Shape{70, 3, 200}, Shape{50000}, Shape{3, 33000}, Shape{40, 2}})
    for (DType dtype : {f64, f32, i64, i32})
      for (size_t k = 0; k < (is_floating(dtype) ? specials.size() : 1); ++k) {
        ir::Builder b;
        ir::Value x = b.param({dtype, false, shape});
        std::vector<ir::Value> outputs;
        for (int64_t d = 0; d < static_cast<int64_t>(shape.size()); ++d)
          for (ir::Op op : {ir::Op::argmax_op, ir::Op::argmin_op}) outputs.push_back(b.emit(op, {x}, ir::Attrs(d)));
        ir::Graph g = b.finish(outputs);
        // Few numbers, so that many are equal; of the last they are infinite all.
        std::vector<double> values(static_cast<size_t>(shape.numel()));
        for (double& v : values) v = k == 2 ? -inf : static_cast<double>(static_cast<int64_t>(random() % 40) - 20);
        for (size_t i = 0; i < values.size() / 300; ++i)
          for (double v : specials[k]) values[random() % values.size()] = v;
        compare(g, {HostTensor(dtype, shape, values)});
      }
}

TEST_CASE("routines: extrema keep NaN and signs of infinities") {
  constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  std::mt19937 random(10);
  for (DType dtype : {f64, f32})
    for (const std::vector<double>& specials : {std::vector<double>{inf, -inf}, {nan}, {nan, inf, -inf}})
      for (std::vector<int64_t> dims : {std::vector<int64_t>{0}, {0, 1}, {0, 2}, {0, 1, 2}}) {
        ir::Builder b;
        ir::Value x = b.param({dtype, false, {70, 3, 200}});
        ir::Graph g = b.finish({ir::build::reduce(b, ir::Op::reduce_max_op, x, dims),
                                ir::build::reduce(b, ir::Op::reduce_min_op, x, dims)});
        std::vector<double> values(70 * 3 * 200);
        for (double& v : values) v = std::uniform_real_distribution<double>(-1, 1)(random);
        for (double v : specials) values[random() % values.size()] = v;
        compare(g, {HostTensor(dtype, {70, 3, 200}, values)});
      }
}

TEST_CASE("routines: transpositions of every remainder") {
  std::mt19937 random(11);
  for (DType dtype : {f64, f32, boolean})
    for (int64_t m : {1, 7, 8, 9, 33, 300})
      for (int64_t n : {1, 5, 8, 17, 67}) {
        ir::Builder b;
        ir::Value x = b.param({dtype, false, {2, m, n}});
        ir::Graph g = b.finish({ir::build::permute(b, x, std::vector<int64_t>{0, 2, 1})});
        compare(g, {test::random_tensor(g.data().type(0), dtype == boolean ? 0 : -1, 1, random)});
      }
}

// Words travel in vector registers: also those whose bits would be a signalling NaN.
TEST_CASE("routines: what is moved keeps all its bits") {
  std::mt19937 random(12);
  for (DType dtype : {i32, i64}) {
    ir::Builder b;
    ir::Value x = b.param({dtype, false, {40, 30}}), along = b.param({i64, false, {40, 1}}),
              updates = b.param({dtype, false, {40, 30}});
    ir::build::GatherDims rows{{1}, {0}, {0}, {}, {}}, elements{{}, {0}, {0}, {}, {}};
    ir::Value line = ir::build::reshape(b, x, Shape{1200});
    ir::Value some = ir::build::gather(b, line, along, elements, std::vector<int64_t>{1}, ir::IndexMode::check);
    ir::Graph g = b.finish({ir::build::gather(b, x, along, rows, std::vector<int64_t>{1, 30}, ir::IndexMode::check),
                            some, ir::build::scatter_set(b, x, along, updates, rows, ir::IndexMode::check, false),
                            ir::build::scatter_set(b, line, along, some, elements, ir::IndexMode::check, false),
                            ir::build::permute(b, x, std::vector<int64_t>{1, 0})});
    auto bits = [&] {
      HostTensor t(ir::Type{dtype, false, {40, 30}});
      for (size_t i = 0; i < t.bytes.size(); ++i) t.bytes[i] = static_cast<std::byte>(random());
      for (size_t i = dtype == i32 ? 3 : 7; i < t.bytes.size(); i += dtype == i32 ? 12 : 24) {
        t.bytes[i] = std::byte{0x7f};  // all bits of the exponent, the quiet bit clear
        t.bytes[i - 1] = dtype == i32 ? std::byte{0x81} : std::byte{0xf1};
      }
      return t;
    };
    compare(g, {bits(), test::random_tensor(g.data().type(1), 0, 39, random), bits()});
  }
}

// Few columns: of a left operand whose rows or columns are contiguous, by a right one whose columns or rows are.
TEST_CASE("routines: products in tiles of every remainder") {
  std::mt19937 random(14);
  using Dims = std::vector<int64_t>;
  for (DType dtype : {f64, f32})
    for (int64_t n : {8, 16, 48, 80, 144})
      for (int64_t m = 2; m < 28; m += n < 48 ? 1 : 5)
        for (int64_t k : {1, 3, 300}) {
          ir::Builder b;
          ir::Value rows = b.param({dtype, false, {2, m, k}}), columns = b.param({dtype, false, {2, k, m}});
          ir::Value right = b.param({dtype, false, {2, k, n}}), turned = b.param({dtype, false, {2, n, k}});
          std::vector<ir::Value> out;
          for (ir::Value x : {rows, columns})
            for (ir::Value y : {right, turned})
              out.push_back(
                  ir::build::dot(b, x, y, Dims{x == rows ? 2 : 1}, Dims{y == right ? 1 : 2}, Dims{0}, Dims{0}));
          ir::Graph g = b.finish(out);
          std::vector<HostTensor> inputs;
          for (ir::Value v = 0; v < 4; ++v) inputs.push_back(test::random_tensor(g.data().type(v), -1, 1, random));
          compare(g, inputs);
        }
}

// Of two callers at a time one has the pool, the other runs alone.
TEST_CASE("routines: the same bits however many threads run them") {
  std::mt19937 random(12);
  for (auto [dtype, columns] : {std::pair{f64, 300}, {f32, 300}, {f64, 64}, {f32, 32}}) {
    ir::Builder b;
    ir::Value x = b.param({dtype, false, {700, 600}}), y = b.param({dtype, false, {600, columns}});
    using Dims = std::vector<int64_t>;
    ir::Graph g = b.finish({ir::build::dot(b, x, y, Dims{1}, Dims{0}, Dims{}, Dims{}),
                            ir::build::reduce_sum(b, x, Dims{0}), ir::build::reduce_sum(b, x, Dims{0, 1})});
    HostTensor left = test::random_tensor(g.data().type(0), -1, 1, random);
    HostTensor right = test::random_tensor(g.data().type(1), -1, 1, random);
    for (ir::Value v : g.data().outputs()) {
      auto routine = cpu::make_routine(g.data(), v, 1);
      auto run = [&] {
        std::vector<std::byte> scratch(static_cast<size_t>(routine->scratch_bytes) + 64);
        auto* aligned = scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64) % 64;
        HostTensor out(g.data().type(v));
        const void* operands[] = {left.bytes.data(), right.bytes.data()};
        cpu::KernelError error;
        routine->run(operands, out.bytes.data(), aligned, error);
        return out;
      };
      const HostTensor expected = run();
      bool same = true;
      std::thread other([&] {
        for (int i = 0; i < 10; ++i) same &= run() == expected;
      });
      for (int i = 0; i < 10; ++i) CHECK(run() == expected);
      other.join();
      CHECK(same);
    }
  }
}

// Many short products at the same time: libraries must not share buffers between threads.
TEST_CASE("routines: a stack of products is the same every time") {
  std::mt19937 random(13);
  for (DType dtype : {f64, f32}) {
    using Dims = std::vector<int64_t>;
    ir::Builder b;
    ir::Value x = b.param({dtype, false, {64, 400, 10}}), y = b.param({dtype, false, {64, 400, 12}});
    ir::Graph g = b.finish({ir::build::dot(b, x, y, Dims{1}, Dims{1}, Dims{0}, Dims{0})});
    HostTensor left = test::random_tensor(g.data().type(0), -1, 1, random);
    HostTensor right = test::random_tensor(g.data().type(1), -1, 1, random);
    auto routine = cpu::make_routine(g.data(), g.data().outputs()[0], 1);
    std::vector<std::byte> scratch(static_cast<size_t>(routine->scratch_bytes) + 64);
    auto* aligned = scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64) % 64;
    auto run = [&] {
      HostTensor out(g.data().type(g.data().outputs()[0]));
      const void* operands[] = {left.bytes.data(), right.bytes.data()};
      cpu::KernelError error;
      routine->run(operands, out.bytes.data(), aligned, error);
      return out;
    };
    const HostTensor expected = run();
    int different = 0;
    for (int i = 0; i < 400; ++i) different += run() != expected;
    CHECK(different == 0);
  }
}

TEST_CASE("routines: an index out of range is recorded") {
  ir::Builder b;
  ir::Value x = b.param({f64, false, {5}}), i = b.param({i64, false, {3, 1}});
  ir::build::GatherDims dims{{}, {0}, {0}, {}, {}};
  ir::Value y = ir::build::gather(b, x, i, dims, std::vector<int64_t>{1}, ir::IndexMode::check);
  ir::Graph g = b.finish({y});
  auto routine = cpu::make_routine(g.data(), g.data().outputs()[0], 40);
  double values[5] = {0, 1, 2, 3, 4}, out[3];
  int64_t indices[3] = {-1, 5, 0};
  cpu::KernelError error;
  const void* operands[] = {values, indices};
  routine->run(operands, out, nullptr, error);
  CHECK(error.code == 40);
  CHECK(error.index == 1);
  CHECK(error.value == 5);
}

// LAPACK Working Note 41, leading terms.
TEST_CASE("flops: products and factorizations by their extents") {
  using A = ir::Attrs;
  constexpr int64_t no = 0, yes = 1;
  ir::Builder b;
  const auto param = [&](Shape shape) { return b.param({DType::f64, false, std::move(shape)}); };
  ir::Value square = param({5, 30, 30}), tall = param({5, 30, 12}), right = param({5, 30, 7});
  const double n = 30, m = 12, r = 2 * n * m * m - 2 * m * m * m / 3;  // and as much for the first m columns of q
  const std::vector<std::pair<ir::Value, double>> rows = {
      {square, 0},
      {b.emit(ir::Op::cholesky_op, {square}, A(yes)), n * n * n / 3},
      {b.emit(ir::Op::lu_op, {square}, A(yes)), 2 * n * n * n / 3},
      {b.emit(ir::Op::triangular_solve_op, {square, right}, A(yes, yes, no, no)), n * n * 7},
      {b.emit(ir::Op::qr_op, {tall}, A(no)), 2 * r},
      {b.emit(ir::Op::qr_op, {tall}, A(yes)), r + 4 * n * n * m - 4 * n * m * m + 4 * m * m * m / 3},
      {ir::build::dot(b, square, tall, {{2}}, {{1}}, {{0}}, {{0}}), 2 * n * n * m}};
  std::vector<ir::Value> outputs;
  for (const auto& [v, flops] : rows) outputs.push_back(v);
  const ir::Graph graph = b.finish(outputs);
  for (const auto& [v, flops] : rows) CHECK(cpu::flops_of(graph.data(), v) == doctest::Approx(5 * flops));
}

TEST_CASE("pool: every chunk runs once, also for two callers at a time") {
  auto run = [] {
    for (int round = 0; round < 200; ++round) {
      std::vector<int> seen(64, 0);
      auto body = [&](int64_t chunk, int worker) {
        ++seen[static_cast<size_t>(chunk)];
        if (worker < 0 || worker >= cpu::num_threads()) std::abort();
      };
      cpu::parallel_for(64, body);
      if (std::ranges::any_of(seen, [](int n) { return n != 1; })) return false;
    }
    return true;
  };
  bool other = false;
  std::thread thread([&] { other = run(); });
  CHECK(run());
  thread.join();
  CHECK(other);
}

// The last chunk takes so long that who has none left goes to sleep: it is woken when all are done.
TEST_CASE("pool: who waits for a long chunk sleeps until it is done") {
  for (int round = 0; round < 400; ++round) {
    std::vector<int64_t> sums(static_cast<size_t>(2 + round % 4), -1);
    auto body = [&](int64_t chunk, int) {
      const int64_t turns = chunk % 2 == round % 2 ? 400'000 : round % 7;
      int64_t sum = 0;
      for (int64_t i = 0; i < turns; ++i) {
        asm volatile("" : "+r"(sum));  // in as many turns
        ++sum;
      }
      sums[static_cast<size_t>(chunk)] = sum - turns;
    };
    cpu::parallel_for(std::ssize(sums), body);
    REQUIRE(std::ranges::all_of(sums, [](int64_t n) { return n == 0; }));
  }
}

TEST_CASE("pool: chunks depend on sizes only") {
  CHECK(cpu::chunks_for(1000, 1) == 1);
  CHECK(cpu::chunks_for(1'000'000, 1) == 100);
  CHECK(cpu::chunks_for(int64_t{1} << 40, 1) == 256);
  CHECK(cpu::chunks_for(2, 1e9) == 2);
}
