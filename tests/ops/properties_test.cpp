// The generic checks of every row: text, precision, derivatives, batching, jacobians.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "passes/jacobian.h"
#include "passes/transforms.h"
#include "tests/ops/checks.h"
#include "tests/ops/rows.h"

namespace jot::test {
namespace {

using namespace ir;

template <class F>
void for_each_row(F check) {
  for (const Row& row : op_rows()) {
    CAPTURE(title(row));
    std::mt19937 random(7);
    check(row, random);
  }
}

HostTensor direction_of(const HostTensor& x, std::mt19937& random) { return random_tensor(x.type, -1, 1, random); }

template <class T>
std::vector<T> joined(std::vector<T> a, const std::vector<T>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// A point and the directions in which derivatives are taken there.
struct Probe {
  std::vector<uint8_t> active;
  std::vector<HostTensor> x, tangents, plus, minus;  // plus, minus: a step along the tangents
};
constexpr double kStep = 1e-6;

Probe probe(const Graph& g, const std::vector<HostTensor>& x, std::mt19937& random) {
  Probe p{floating_inputs(g), x, {}, x, x};
  for (size_t i = 0; i < x.size(); ++i) {
    if (!p.active[i]) continue;
    HostTensor t = direction_of(x[i], random);
    p.plus[i] = plus(x[i], t, kStep);
    p.minus[i] = plus(x[i], t, -kStep);
    p.tangents.push_back(t);
  }
  return p;
}

// The largest difference of a graph made by passes::jvp to central differences; infinite where values change.
double forward_error(const Graph& g, const Graph& forward, const Probe& p) {
  std::vector<HostTensor> pushed = interpret(forward, joined(p.x, p.tangents)), y = interpret(g, p.x);
  std::vector<HostTensor> high = interpret(g, p.plus), low = interpret(g, p.minus);
  double worst = 0;
  for (size_t o = 0; o < g.data().num_results(); ++o) {
    if (pushed[o] != y[o]) return HUGE_VAL;
    HostTensor slope = plus(high[o], low[o], -1);
    for (int64_t i = 0; i < slope.numel(); ++i) slope.set(i, slope.number(i) / (2 * kStep));
    worst = std::max(worst, difference(pushed[g.data().num_results() + o], slope));
  }
  return worst;
}

// How far <ct, jvp(t)> and <vjp(ct), t> are apart, for graphs made by passes::jvp and passes::vjp; infinite where
// values differ.
double adjoint_error(const Graph& g, const Graph& forward, const Graph& reverse, const Probe& p,
                     const std::vector<HostTensor>& cotangents) {
  const size_t n = g.data().num_results();
  std::vector<HostTensor> pushed = interpret(forward, joined(p.x, p.tangents));
  std::vector<HostTensor> pulled = interpret(reverse, joined(p.x, cotangents));
  double a = 0, b = 0;
  for (size_t o = 0; o < n; ++o)
    if (pulled[o] != pushed[o]) return HUGE_VAL;
  for (size_t o = 0; o < n; ++o) a += inner_product(cotangents[o], pushed[n + o]);
  for (size_t i = 0; i < p.tangents.size(); ++i) b += inner_product(p.tangents[i], pulled[n + i]);
  const double error = std::abs(a - b) / (1 + std::abs(a));
  return std::isnan(error) ? HUGE_VAL : error;
}

std::vector<HostTensor> random_cotangents(const Graph& g, std::mt19937& random) {
  std::vector<HostTensor> cotangents;
  for (size_t o = 0; o < g.data().num_results(); ++o)
    cotangents.push_back(random_tensor(g.data().type(g.data().outputs()[o]), -1, 1, random));
  return cotangents;
}

// Derivatives of g by all floating inputs at x: forward mode against central differences, reverse mode against
// forward mode; then those of the reverse graph, up to `order`.
void check_derivatives(const Graph& g, const std::vector<HostTensor>& x, int order, std::mt19937& random) {
  const Probe p = probe(g, x, random);
  const size_t num_values = g.data().num_results();
  const Graph forward = passes::jvp(g, p.active, num_values), reverse = passes::vjp(g, p.active, num_values);
  verify(forward);
  verify(reverse);
  CHECK(forward_error(g, forward, p) < 1e-6);
  const std::vector<HostTensor> cotangents = random_cotangents(g, random);
  CHECK(adjoint_error(g, forward, reverse, p, cotangents) < 1e-9);
  if (order > 1) check_derivatives(reverse, joined(x, cotangents), order - 1, random);
}

// g for `size` lanes against a loop over them, for each set of inputs that has lanes.
template <class Draw>
void check_batching(const Graph& g, int64_t size, Draw draw) {
  size_t n = g.data().inputs().size();
  for (uint32_t set = 1; set < 1u << n; ++set) {
    CAPTURE(set);
    CAPTURE(size);
    std::vector<std::vector<HostTensor>> lanes;
    for (int64_t l = 0; l < std::max<int64_t>(size, 1); ++l) lanes.push_back(draw());
    std::vector<HostTensor> batched;
    std::vector<std::optional<int64_t>> in_dims, out_dims(g.data().num_results(), 0);
    for (size_t i = 0; i < n; ++i) {
      bool has_lanes = set >> i & 1;
      in_dims.push_back(has_lanes ? std::optional<int64_t>(0) : std::nullopt);
      std::vector<HostTensor> column;
      for (auto& lane : lanes) {
        if (!has_lanes) lane[i] = lanes[0][i];
        if (static_cast<int64_t>(column.size()) < size) column.push_back(lane[i]);
      }
      batched.push_back(has_lanes ? stack(lanes[0][i].type, column) : lanes[0][i]);
    }
    Graph mapped = passes::vmap(g, in_dims, out_dims, size, Randomness::different);
    verify(mapped);
    std::vector<HostTensor> results = interpret(mapped, batched);
    for (int64_t l = 0; l < size; ++l) {
      std::vector<HostTensor> expected = interpret(g, lanes[static_cast<size_t>(l)]);
      for (size_t o = 0; o < expected.size(); ++o) CHECK(difference(lane(results[o], l), expected[o]) < 1e-12);
    }
    if (size == 0)
      for (size_t o = 0; o < results.size(); ++o)
        CHECK(results[o].type.shape == Shape{0} + g.data().shape(g.data().outputs()[o]));
  }
}

}  // namespace

TEST_CASE("Rows: the graph verifies, and its text form is read back") {
  for_each_row([](const Row& row, std::mt19937&) {
    Graph g = graph_of(row);
    verify(g);
    if (row.op == Op::host_call_op) return;  // text does not have the host's code
    CHECK(parse(to_text(g)) == g);
  });
}

TEST_CASE("Rows: f32 agrees with f64") {
  for_each_row([](const Row& row, std::mt19937& random) {
    std::vector<HostTensor> narrow = inputs_of(row, random, DType::f32), wide;
    for (const HostTensor& x : narrow)
      wide.push_back(x.type.dtype == DType::f32 && row.inputs[wide.size()].dtype == DType::f64 ? convert(x, DType::f64)
                                                                                               : x);
    Graph g = graph_of(row, DType::f32), reference = graph_of(row);
    HostTensor y = interpret(g, narrow)[0], expected = interpret(reference, wide)[0];
    CHECK(difference(convert(y, expected.type.dtype), expected) < 1e-5);
  });
}

TEST_CASE("Rows: derivatives") {
  for_each_row([](const Row& row, std::mt19937& random) {
    if (row.order > 0) check_derivatives(graph_of(row), inputs_of(row, random), row.order, random);
  });
}

// Planted bugs: each op of each first derivative changed, as a wrong rule of jvp or of transpose would have it. What
// changes no result at the point (of empty tensors, the part that `where` leaves out) is no bug there.
TEST_CASE("Rows: a wrong rule is found") {
  int planted = 0;
  for_each_row([&](const Row& row, std::mt19937& random) {
    if (row.order == 0) return;
    const Graph g = graph_of(row);
    const Probe p = probe(g, inputs_of(row, random), random);
    const std::vector<HostTensor> cotangents = random_cotangents(g, random);
    const Graph forward = passes::jvp(g, p.active, 1), reverse = passes::vjp(g, p.active, 1);
    auto plant = [&](const Graph& right, const std::vector<HostTensor>& direction, auto error_of) {
      const std::vector<HostTensor> expected = interpret(right, joined(p.x, direction));
      for (Value v = 0; v < right.data().size(); ++v) {
        const std::optional<Graph> wrong = mutant(right.data(), v);
        if (!wrong) continue;
        std::vector<HostTensor> got;
        try {
          got = interpret(*wrong, joined(p.x, direction));
        } catch (const LinalgError&) {  // found by itself: it factors what is not positive-definite
          continue;
        }
        double change = 0;
        for (size_t o = 0; o < got.size(); ++o) change = std::max(change, difference(got[o], expected[o]));
        if (change < 1e-5) continue;
        ++planted;
        CHECK_MESSAGE(error_of(*wrong) > 1e-6, to_text(*wrong), "node ", v);
      }
    };
    plant(forward, p.tangents, [&](const Graph& wrong) { return forward_error(g, wrong, p); });
    plant(reverse, cotangents, [&](const Graph& wrong) { return adjoint_error(g, forward, wrong, p, cotangents); });
  });
  CHECK(planted > 200);
}

TEST_CASE("Rows: batching") {
  for_each_row([](const Row& row, std::mt19937& random) {
    if (row.inputs.empty()) return;
    for (int64_t size : {0, 1, 3}) check_batching(graph_of(row), size, [&] { return inputs_of(row, random); });
  });
}

TEST_CASE("Rows: batching of the derivative") {
  for_each_row([](const Row& row, std::mt19937& random) {
    if (row.order == 0) return;
    Graph g = graph_of(row), reverse = passes::vjp(g, floating_inputs(g), 1);
    Type type = g.data().type(g.data().outputs()[0]);
    check_batching(reverse, 2, [&] {
      std::vector<HostTensor> x = inputs_of(row, random);
      x.push_back(random_tensor(type, -1, 1, random));
      return x;
    });
  });
}

TEST_CASE("Rows: batching twice") {
  for_each_row([](const Row& row, std::mt19937& random) {
    if (row.inputs.empty()) return;
    Graph g = graph_of(row);
    std::vector<std::optional<int64_t>> in_dims(row.inputs.size(), 0), out_dims = {0};
    Graph inner = passes::vmap(g, in_dims, out_dims, 2, Randomness::different);
    check_batching(inner, 2, [&] {
      std::vector<HostTensor> x;
      std::vector<HostTensor> lanes[] = {inputs_of(row, random), inputs_of(row, random)};
      for (size_t i = 0; i < row.inputs.size(); ++i)
        x.push_back(stack(lanes[0][i].type, std::vector<HostTensor>{lanes[0][i], lanes[1][i]}));
      return x;
    });
  });
}

TEST_CASE("Rows: jacobians") {
  for_each_row([](const Row& row, std::mt19937& random) {
    if (row.order == 0) return;
    Graph g = graph_of(row);
    std::vector<HostTensor> x = inputs_of(row, random);
    for (auto mode : {passes::JacobianMode::reverse, passes::JacobianMode::forward}) {
      CHECK(jacobian_error(g, x, mode) < 1e-12);
      CHECK(jacobian_error(g, x, mode, 2) < 1e-12);
    }
  });
}

TEST_CASE("Rows: the jacobian for a batch") {
  for_each_row([](const Row& row, std::mt19937& random) {
    if (row.order == 0) return;
    Graph g = graph_of(row);
    for (auto mode : {passes::JacobianMode::reverse, passes::JacobianMode::forward})
      check_batching(passes::jacobian(g, floating_inputs(g), 1, mode), 2, [&] { return inputs_of(row, random); });
  });
}

}  // namespace jot::test
