// Structural zeros of jacobians: what they cost, and where ordinary zeros stay ordinary.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/build.h"
#include "passes/jacobian.h"
#include "passes/pipeline.h"
#include "passes/transforms.h"
#include "tests/ops/checks.h"

namespace jot::test {
namespace {

using namespace ir;
using Ints64 = std::vector<int64_t>;

constexpr passes::JacobianMode kModes[] = {passes::JacobianMode::reverse, passes::JacobianMode::forward};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class F>
Graph graph(const std::vector<Shape>& inputs, F f) {
  Builder b;
  std::vector<Value> x;
  for (const Shape& s : inputs) x.push_back(b.param({DType::f64, false, s}));
  return b.finish({f(b, x)});
}

// The jacobian by the first input, alone.
Graph jacobian(const Graph& g, passes::JacobianMode mode, std::optional<int64_t> chunk = {}) {
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
        Ints contracted = g.attrs(v).first(Key::contract);
        for (int64_t d : contracted) n *= g.shape(g.operand(v, 0))[static_cast<size_t>(d)];
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

// A random program of ops that keep structure, some that do not, on one input.
class RandomProgram {
 public:
  explicit RandomProgram(uint32_t seed) : random_(seed) {
    Shape shape;
    for (int64_t rank = pick(0, 3); rank-- > 0;) shape.push_back(pick(1, 4));
    Value x = b_.param({DType::f64, false, shape});
    made_.push_back(x);
    for (int64_t steps = pick(1, 7); steps-- > 0;) {
      Value y = next(x);
      if (b_.shape(y).numel() > 60) continue;
      made_.push_back(x = y);
    }
    graph = b_.finish({x});
    for (Value v : graph.data().inputs()) inputs.push_back(random_tensor(graph.data().type(v), -1, 1, random_));
  }
  Graph graph;
  std::vector<HostTensor> inputs;

 private:
  int64_t pick(int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(random_); }
  Value fresh(const Shape& shape) { return b_.param({DType::f64, false, shape}); }
  std::vector<int64_t> shuffled(size_t rank) {
    std::vector<int64_t> perm = build::all_axes(rank);
    std::shuffle(perm.begin(), perm.end(), random_);
    return perm;
  }

  Value next(Value x) {
    const Shape shape = b_.shape(x);
    size_t rank = shape.size();
    bool small = shape.numel() <= 24;
    switch (pick(0, 14)) {
      case 0: {
        Ints64 start, limit, stride;
        for (int64_t d : shape) {
          start.push_back(d == 0 ? 0 : pick(0, d - 1));
          limit.push_back(d == 0 ? 0 : pick(start.back() + 1, d));
          stride.push_back(pick(1, 2));
        }
        return build::slice(b_, x, start, limit, stride);
      }
      case 1: {
        Ints64 lo, hi, interior;
        for (size_t d = 0; d < rank; ++d) {
          lo.push_back(small ? pick(0, 2) : 0);
          hi.push_back(small ? pick(0, 1) : 0);
          interior.push_back(small && pick(0, 3) == 0);
        }
        return build::pad_zero(b_, x, lo, hi, interior);
      }
      case 2:
        return build::permute(b_, x, shuffled(rank));
      case 3:
        return build::reshape(b_, x, {shape.numel()});
      case 4: {  // splits the last axis, if it can
        Shape to = shape.empty() ? Shape{1} : shape;
        size_t last = to.size() - 1;
        int64_t factor = to[last] % 3 == 0 ? 3 : to[last] % 2 == 0 ? 2 : 1;
        to[last] /= factor;
        to.insert(static_cast<size_t>(pick(0, 1)) + last, factor);
        return build::reshape(b_, x, to);
      }
      case 5: {
        if (rank < 2) return x;
        Shape to = shape;  // merges the first two axes
        to[1] *= to[0];
        to.erase(0);
        return build::reshape(b_, x, to);
      }
      case 6:
        return small ? build::broadcast_to(b_, x, Shape{pick(1, 3)} + shape) : x;
      case 7:
        return build::mul(b_, x, fresh(shape));
      case 8: {
        Value keep = build::compare(b_, fresh(shape), build::constant(b_, DType::f64, shape, 0), Direction::gt);
        return build::where(b_, keep, x, build::constant(b_, DType::f64, shape, 0));
      }
      case 9: {
        if (rank == 0) return build::neg(b_, x);
        return build::reduce_sum(b_, x, Ints64{pick(0, static_cast<int64_t>(rank) - 1)});
      }
      case 10: {
        if (rank == 0) return x;
        int64_t axis = pick(0, static_cast<int64_t>(rank) - 1);
        Value w = fresh({2, shape[static_cast<size_t>(axis)]});
        return pick(0, 1) ? build::dot(b_, x, w, Ints64{axis}, Ints64{1}, {}, {})
                          : build::dot(b_, w, x, Ints64{1}, Ints64{axis}, {}, {});
      }
      case 11: {
        if (rank < 2) return build::mul(b_, x, x);
        Value w = fresh(shape);  // batch over one axis, contract another
        return build::dot(b_, x, w, Ints64{1}, Ints64{1}, Ints64{0}, Ints64{0});
      }
      case 12: {
        for (Value y : made_)
          if (y != x && b_.shape(y) == shape) return pick(0, 1) ? build::add(b_, x, y) : build::sub(b_, y, x);
        return build::add(b_, x, build::unary(b_, Op::sin_op, x));
      }
      case 13: {  // pieces of the first axis, one scaled
        if (rank == 0 || shape[0] < 2) return x;
        int64_t at = pick(1, shape[0] - 1);
        Value head = build::slice_axis(b_, x, 0, 0, at), tail = build::slice_axis(b_, x, 0, at, shape[0]);
        std::vector<Value> parts = {build::mul(b_, head, head), tail};
        if (pick(0, 3) == 0) std::swap(parts[0], parts[1]);
        return build::concat(b_, parts, 0);
      }
      default: {
        if (rank == 0 || !small) return build::unary(b_, Op::sin_op, x);
        Value zero = build::constant(b_, DType::f64, shape, 0);
        std::vector<Value> parts = {x, pick(0, 1) ? zero : build::unary(b_, Op::cos_op, x)};
        if (pick(0, 1)) std::swap(parts[0], parts[1]);
        return build::concat(b_, parts, pick(0, static_cast<int64_t>(rank) - 1));
      }
    }
  }

  std::mt19937 random_;
  Builder b_;
  std::vector<Value> made_;
};

}  // namespace

TEST_CASE("Jacobians of random programs") {
  for (uint32_t seed = 0; seed < 1500; ++seed) {
    RandomProgram p(seed);
    CAPTURE(seed);
    CAPTURE(to_text(p.graph));
    for (passes::JacobianMode mode : kModes) {
      CHECK(jacobian_error(p.graph, p.inputs, mode) < 1e-12);
      CHECK(jacobian_error(p.graph, p.inputs, mode, 1 + seed % 5) < 1e-12);
    }
  }
}

TEST_CASE("The jacobian of an elementwise function of n values costs O(n)") {
  constexpr int64_t n = 40;
  for (passes::JacobianMode mode : kModes) {
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
    Graph transposed = graph({{4, 10}}, [](Builder& b, auto& x) {
      Value y = build::permute(b, elementwise(b, x[0]), Ints64{1, 0});
      y = elementwise(b, build::reshape(b, y, {40}));
      return elementwise(b, build::reshape(b, y, {2, 20}));
    });
    CHECK(arithmetic(jacobian(transposed, mode)) <= 150 * n);
    Graph sliced = graph({{n}}, [](Builder& b, auto& x) {
      return elementwise(b, build::slice_axis(b, elementwise(b, x[0]), 0, 3, 39, 2));
    });
    CHECK(arithmetic(jacobian(sliced, mode)) <= 100 * n);
    Graph pieces = graph({{n}}, [](Builder& b, auto& x) {
      Value head = build::slice_axis(b, x[0], 0, 0, 15), tail = build::slice_axis(b, x[0], 0, 15, n);
      std::vector<Value> parts = {elementwise(b, head), elementwise(b, tail), build::zeros_like(b, head)};
      return elementwise(b, build::concat(b, parts, 0));
    });
    CHECK(arithmetic(jacobian(pieces, mode)) <= 200 * n);
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
  for (passes::JacobianMode mode : kModes) {
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
  for (passes::JacobianMode mode : kModes) {
    Graph layers = graph({{rows, in}, {out, in}, {in, out}}, [](Builder& b, auto& x) {
      Value y = build::unary(b, Op::tanh_op, build::dot(b, x[0], x[1], Ints64{1}, Ints64{1}, {}, {}));
      return build::unary(b, Op::tanh_op, build::dot(b, y, x[2], Ints64{1}, Ints64{1}, {}, {}));
    });
    CHECK(arithmetic(jacobian(layers, mode)) <= rows * in * in * (out + 10));
    Graph squares =
        graph({{rows, in}}, [](Builder& b, auto& x) { return build::reduce_sum(b, elementwise(b, x[0]), Ints64{1}); });
    CHECK(arithmetic(jacobian(squares, mode)) <= 50 * rows * in);
  }
}

TEST_CASE("Structural zeros under an outer vmap, and in a hessian") {
  constexpr int64_t n = 30, lanes = 3;
  Graph g = graph({{n}}, [](Builder& b, auto& x) { return elementwise(b, x[0]); });
  for (passes::JacobianMode mode : kModes) {
    std::vector<std::optional<int64_t>> dims = {0};
    Graph mapped = passes::optimize(passes::vmap(jacobian(g, mode), dims, dims, lanes, Randomness::error));
    CHECK(arithmetic(mapped) <= 40 * n * lanes);
    Graph sum = graph({{n}}, [](Builder& b, auto& x) { return build::reduce_sum(b, elementwise(b, x[0]), Ints64{0}); });
    Graph gradient = jacobian(sum, passes::JacobianMode::reverse);
    CHECK(arithmetic(jacobian(gradient, mode)) <= 200 * n);
    CHECK(arithmetic(jacobian(jacobian(g, passes::JacobianMode::reverse), mode)) <= 200 * n);
  }
}

TEST_CASE("Independent entries are zero where 0 * inf would be nan") {
  Graph g = graph({{2}}, [](Builder& b, auto& x) { return build::unary(b, Op::sqrt_op, x[0]); });
  HostTensor x(DType::f64, {2}, {0, 1}), expected(DType::f64, {2, 2}, {kInfinity, 0, 0, 0.5});
  for (passes::JacobianMode mode : kModes)
    CHECK(difference(interpret(jacobian(g, mode), std::vector{x})[0], expected) == 0);
}

TEST_CASE("Zeros of values are ordinary: 0 * inf is nan") {
  HostTensor x(DType::f64, {2, 2}, {1, 2, 3, 4});
  Graph padded = graph({{2}}, [](Builder& b, auto& v) {
    Value y = build::pad_zero(b, v[0], Ints64{0}, Ints64{1}, Ints64{0});
    return build::mul(b, y, build::constant(b, DType::f64, {3}, kInfinity));
  });
  std::vector<std::optional<int64_t>> dims = {0};
  Graph mapped = passes::optimize(passes::vmap(padded, dims, dims, 2, Randomness::error));
  CHECK(std::isnan(interpret(mapped, std::vector{x})[0].number(2)));

  // A jacobian is a value like any other: its zeros times infinity are nan, for one lane and for several.
  Graph g = graph({{2}}, [](Builder& b, auto& v) { return build::unary(b, Op::sin_op, v[0]); });
  Graph j = jacobian(g, passes::JacobianMode::reverse);
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
  mapped = passes::optimize(passes::vmap(scaled, dims, dims, 2, Randomness::error));
  CHECK(std::isnan(interpret(mapped, std::vector{x})[0].number(1)));
}

}  // namespace jot::test
