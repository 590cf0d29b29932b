// Structural zeros of jacobians: what they cost, and where ordinary zeros stay ordinary.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "ir/build.h"
#include "passes/jacobian.h"
#include "passes/pipeline.h"
#include "passes/transforms.h"
#include "tests/support/host.h"

namespace jot::test {
namespace {

using namespace ir;
using passes::JacobianMode;
using Ints64 = std::vector<int64_t>;

constexpr JacobianMode kModes[] = {JacobianMode::reverse, JacobianMode::forward};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class F>
Graph graph(const std::vector<Shape>& inputs, F f) {
  Builder b;
  std::vector<Value> x;
  for (const Shape& s : inputs) x.push_back(b.param({DType::f64, false, s}));
  return b.finish({f(b, x)});
}

// The jacobian by the first input, alone.
Graph jacobian(const Graph& g, JacobianMode mode, std::optional<int64_t> chunk = {}) {
  std::vector<uint8_t> active(g.data().inputs().size(), 0);
  active[0] = 1;
  Graph j = passes::jacobian(g, active, 1, mode, chunk);
  Builder b;
  std::vector<Value> map(j.data().size());
  const GraphData& d = j.data();
  for (Value v = 0; v < d.size(); ++v) {
    std::vector<Value> operands;
    for (Value o : d.operands(v)) operands.push_back(map[o]);
    map[v] = d.op(v) == Op::param_op ? b.param(d.type(v)) : b.copy_node(d, v, operands);
  }
  return passes::optimize(b.finish({map[d.outputs()[1]]}));
}

// Elements that are computed rather than moved or filled.
int64_t arithmetic(const Graph& graph) {
  const GraphData& g = graph.data();
  int64_t sum = 0;
  for (Value v = 0; v < g.size(); ++v) {
    switch (info(g.op(v)).op_class) {
      case OpClass::elementwise:
        sum += g.shape(v).numel();
        break;
      case OpClass::reduction:
        sum += g.shape(g.operand(v, 0)).numel();
        break;
      case OpClass::contraction: {
        int64_t n = g.shape(v).numel();
        for (int64_t d : g.attrs(v).first(Key::contract)) n *= g.shape(g.operand(v, 0))[static_cast<size_t>(d)];
        sum += n;
        break;
      }
      default:
        break;
    }
  }
  return sum;
}

Value elementwise(Builder& b, Value x) {
  Value y = build::mul(b, build::unary(b, Op::sin_op, x), x);
  Value zero = build::zeros_like(b, y);
  y = build::where(b, build::compare(b, y, zero, Direction::gt), y, zero);
  y = build::div(b, build::add(b, y, build::neg(b, x)), build::unary(b, Op::exp_op, x));
  return build::sub(b, y, build::integer_pow(b, x, 3));
}

}  // namespace

TEST_CASE("The jacobian of an elementwise function of n values costs O(n)") {
  constexpr int64_t n = 40;
  for (JacobianMode mode : kModes) {
    for (const Shape& shape : {Shape{n}, Shape{5, 8}, Shape{4, 1, 10}}) {
      Graph g = graph({shape}, [](Builder& b, auto& x) { return elementwise(b, x[0]); });
      CHECK(arithmetic(jacobian(g, mode)) <= 40 * n);
    }
    Graph moved = graph({{4, 10}}, [](Builder& b, auto& x) {
      Value y = elementwise(b, build::reshape(b, x[0], {2, 5, 4}));
      y = build::permute(b, y, Ints64{1, 0, 2});
      return elementwise(b, build::reshape(b, y, {5, 2, 2, 2}));
    });
    CHECK(arithmetic(jacobian(moved, mode)) <= 100 * n);
    Graph sliced = graph({{n}}, [](Builder& b, auto& x) {
      return elementwise(b, build::slice_axis(b, elementwise(b, x[0]), 0, 3, 39, 2));
    });
    CHECK(arithmetic(jacobian(sliced, mode)) <= 100 * n);
    Graph padded = graph({{n}}, [](Builder& b, auto& x) {
      Value y = build::pad_zero(b, elementwise(b, x[0]), Ints64{2}, Ints64{3}, Ints64{1});
      return elementwise(b, y);
    });
    CHECK(arithmetic(jacobian(padded, mode)) <= 200 * n);
    CHECK(arithmetic(jacobian(graph({{n}}, [](Builder& b, auto& x) { return elementwise(b, x[0]); }), mode, 8)) <=
          100 * n);
  }
}

TEST_CASE("The jacobian of W x + b is W") {
  for (JacobianMode mode : kModes) {
    Graph g = graph({{4}, {3, 4}, {3}}, [](Builder& b, auto& x) {
      return build::add(b, build::dot(b, x[1], x[0], Ints64{1}, Ints64{0}, {}, {}), x[2]);
    });
    Graph j = jacobian(g, mode);
    CHECK(j.data().outputs()[0] == j.data().inputs()[1]);
    Graph rows = graph({{5, 4}, {3, 4}, {3}}, [](Builder& b, auto& x) {
      Value y = build::dot(b, x[0], x[1], Ints64{1}, Ints64{1}, {}, {});
      return build::add(b, y, build::broadcast_to(b, x[2], {5, 3}));
    });
    CHECK(arithmetic(jacobian(rows, mode)) == 0);
  }
}

TEST_CASE("Blocks of a jacobian that only rows connect cost what the blocks cost") {
  constexpr int64_t rows = 10, in = 4, out = 3;
  for (JacobianMode mode : kModes) {
    Graph layers = graph({{rows, in}, {out, in}, {in, out}}, [](Builder& b, auto& x) {
      Value y = build::unary(b, Op::tanh_op, build::dot(b, x[0], x[1], Ints64{1}, Ints64{1}, {}, {}));
      return build::unary(b, Op::tanh_op, build::dot(b, y, x[2], Ints64{1}, Ints64{1}, {}, {}));
    });
    CHECK(arithmetic(jacobian(layers, mode)) <= rows * in * in * (out + 5));
    Graph squares =
        graph({{rows, in}}, [](Builder& b, auto& x) { return build::reduce_sum(b, elementwise(b, x[0]), Ints64{1}); });
    CHECK(arithmetic(jacobian(squares, mode)) <= 50 * rows * in);
  }
}

TEST_CASE("Structural zeros under an outer vmap, and in a hessian") {
  constexpr int64_t n = 30, lanes = 3;
  Graph g = graph({{n}}, [](Builder& b, auto& x) { return elementwise(b, x[0]); });
  for (JacobianMode mode : kModes) {
    std::vector<std::optional<int64_t>> dims = {0};
    Graph mapped = passes::optimize(passes::vmap(jacobian(g, mode), dims, dims, lanes, RandomMode::error));
    CHECK(arithmetic(mapped) <= 40 * n * lanes);
    Graph sum = graph({{n}}, [](Builder& b, auto& x) { return build::reduce_sum(b, elementwise(b, x[0]), Ints64{0}); });
    Graph gradient = jacobian(sum, JacobianMode::reverse);
    CHECK(arithmetic(jacobian(gradient, mode)) <= 200 * n);
    CHECK(arithmetic(jacobian(jacobian(g, JacobianMode::reverse), mode)) <= 200 * n);
  }
}

TEST_CASE("Independent entries are zero where 0 * inf would be nan") {
  Graph g = graph({{2}}, [](Builder& b, auto& x) { return build::unary(b, Op::sqrt_op, x[0]); });
  HostTensor x(DType::f64, {2}, {0, 1}), expected(DType::f64, {2, 2}, {kInfinity, 0, 0, 0.5});
  for (JacobianMode mode : kModes) CHECK(difference(interpret(jacobian(g, mode), std::vector{x})[0], expected) == 0);
}

TEST_CASE("Zeros of values are ordinary: 0 * inf is nan") {
  HostTensor x(DType::f64, {2, 2}, {1, 2, 3, 4});
  Graph padded = graph({{2}}, [](Builder& b, auto& v) {
    Value y = build::pad_zero(b, v[0], Ints64{0}, Ints64{1}, Ints64{0});
    return build::mul(b, y, build::constant(b, DType::f64, {3}, kInfinity));
  });
  std::vector<std::optional<int64_t>> dims = {0};
  Graph mapped = passes::optimize(passes::vmap(padded, dims, dims, 2, RandomMode::error));
  CHECK(std::isnan(interpret(mapped, std::vector{x})[0].number(2)));

  // A jacobian is a value like any other: its zeros times infinity are nan, for one lane and for several.
  Graph g = graph({{2}}, [](Builder& b, auto& v) { return build::unary(b, Op::sin_op, v[0]); });
  Graph j = jacobian(g, JacobianMode::reverse);
  Builder b;
  Value p = b.param({DType::f64, false, {2}}), diagonal = kNoValue;
  std::vector<Value> map(j.data().size());
  for (Value v = 0; v < j.data().size(); ++v) {
    std::vector<Value> operands;
    for (Value o : j.data().operands(v)) operands.push_back(map[o]);
    map[v] = v == 0 ? p : b.copy_node(j.data(), v, operands);
  }
  diagonal = map[j.data().outputs()[0]];
  Graph scaled = b.finish({build::mul(b, diagonal, build::constant(b, DType::f64, {2, 2}, kInfinity))});
  CHECK(std::isnan(interpret(passes::optimize(scaled), std::vector{lane(x, 0)})[0].number(1)));
  mapped = passes::optimize(passes::vmap(scaled, dims, dims, 2, RandomMode::error));
  CHECK(std::isnan(interpret(mapped, std::vector{x})[0].number(1)));
}

}  // namespace jot::test
