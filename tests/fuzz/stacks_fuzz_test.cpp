// Graphs of all ops under random stacks of transforms. Each level is checked against what it means, with the graph
// below taken as a function: tangents against central differences, cotangents against tangents, lanes against a loop,
// jacobians against tangents of basis vectors, passes against the graph before. The whole stack runs compiled, too. A
// failure prints its seed: STACKS_SEED=n runs that one; STACKS_PROGRAMS=n runs n of them, from STACKS_FIRST on, and
// prints how often each op and each pair of transforms was there.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <string>

#include "backends/cpu/executable.h"
#include "passes/jacobian.h"
#include "passes/pipeline.h"
#include "passes/transforms.h"
#include "tests/backends/run.h"
#include "tests/fuzz/rows_graph.h"
#include "tests/ops/checks.h"
#include "tests/support/fuzz_settings.h"

using namespace jot;
using namespace jot::test;
using ir::Graph;
using ir::Value;
using Tensors = std::vector<HostTensor>;

namespace {

enum class Level : uint8_t { jvp, vjp, vmap, forward, reverse, split, optimize, compiled };
constexpr int kLevels = 7;  // that stack; the last is always there, at the end
constexpr const char* kNames[] = {"jvp", "vjp", "vmap", "jacfwd", "jacrev", "linearize", "optimize", "compiled"};

cpu::CompileOptions options() {
  cpu::CompileOptions o{.vector_bytes = target() == Target::avx512 ? 64 : 32};
  if (target() != Target::reference) o.code = cpu::kernel_code;
  return o;
}

Tensors joined(Tensors a, const Tensors& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Tensors random_like(const ir::GraphData& g, std::span<const Value> values, std::mt19937& random) {
  Tensors all;
  for (Value v : values) all.push_back(random_tensor(g.type(v), -1, 1, random));
  return all;
}

// The graph with these values as its results, after(builder, node, copy) in the place of each copy but a parameter's.
template <class F>
Graph remade(const Graph& graph, std::span<const Value> wanted, F after) {
  const ir::GraphData& g = graph.data();
  ir::Builder b(g.name());
  std::vector<Value> map, results;
  for (Value v = 0; v < g.size(); ++v) {
    std::vector<Value> operands;
    for (Value o : g.operands(v)) operands.push_back(map[o]);
    const bool param = g.op(v) == ir::Op::param_op;
    map.push_back(param ? b.param(g.type(v)) : after(b, v, b.copy_node(g, v, operands)));
  }
  for (Value v : wanted) results.push_back(map[v]);
  return std::move(b).finish(results);
}
Graph with_values(const Graph& graph, std::span<const Value> wanted) {
  return remade(graph, wanted, [](ir::Builder&, Value, Value copy) { return copy; });
}

// The graph as other code might round it: each element that is computed is off by some last bits of its own, times
// `sign`. So equal elements are equal no more: with one sign or the other another one is the greatest.
Graph rounded_otherwise(const Graph& graph, double sign) {
  std::mt19937 random(1);
  const ir::GraphData& g = graph.data();
  return remade(graph, g.outputs(), [&](ir::Builder& b, Value v, Value copy) {
    if (!ir::is_elementwise(g.op(v)) || g.dtype(v) != f64 || g.shape(v).numel() == 0) return copy;
    std::vector<int64_t> factors(static_cast<size_t>(g.shape(v).numel()));
    for (int64_t& f : factors)
      f = std::bit_cast<int64_t>(1 + sign * 1e-13 * std::uniform_real_distribution<double>(-1, 1)(random));
    return ir::build::mul(b, copy, ir::build::constant_data(b, f64, g.shape(v), factors));
  });
}

bool is_wild(double x) { return !(std::abs(x) < 1e8); }

// What is wrong about `got` where `wanted` is known up to `slack`; what is too large for any precision is not looked
// at.
std::string compare(const Tensors& got, const Tensors& wanted, double tolerance, const Tensors* slack = nullptr) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (got[i].type != wanted[i].type) return "result " + std::to_string(i) + " is " + to_string(got[i].type);
    for (int64_t j = 0; j < wanted[i].numel(); ++j) {
      const double a = wanted[i].number(j), b = got[i].number(j), s = slack ? (*slack)[i].number(j) : 0;
      if (is_wild(a) || is_wild(s) || s > 1e-3 * (1 + std::abs(a))) continue;
      if (std::abs(a - b) <= tolerance * (1 + std::abs(a)) + 8 * s) continue;
      return "result " + std::to_string(i) + " " + to_string(got[i].type) + " element " + std::to_string(j) +
             ": expected " + std::to_string(a) + ", got " + std::to_string(b);
    }
  }
  return "";
}

Tensors upto(const Tensors& all, size_t n) { return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n)}; }
Tensors from(const Tensors& all, size_t n) { return {all.begin() + static_cast<std::ptrdiff_t>(n), all.end()}; }

// A function and a point, and what a level makes of them.
class Stack {
 public:
  explicit Stack(uint64_t seed) : random_(static_cast<unsigned>(seed)) {
    RowsGraph made = RandomRows(seed).make(5 + static_cast<int>(random_() % 5));
    graph_ = made.graph;
    x_ = made.inputs;
    smooth_ = made.smooth;
  }

  const Graph& graph() const { return graph_; }

  // Whether that level is small enough.
  bool fits(Level level) const {
    const ir::GraphData& g = graph_.data();
    int64_t in = 0, out = 0;
    for (const HostTensor& t : x_) in += t.numel();
    for (size_t i = 0; i < smooth_; ++i) out += g.shape(g.outputs()[i]).numel();
    if (level == Level::forward || level == Level::reverse) return g.size() < 600 && in * out <= 200;
    return g.size() < 2500;
  }

  // Applies a level, changed by `change` as a fault would; what is wrong about it, if anything.
  template <class F>
  std::string apply(Level level, F change) {
    switch (level) {
      case Level::jvp:
        return jvp(change);
      case Level::vjp:
        return vjp(change);
      case Level::vmap:
        return vmap(change);
      case Level::forward:
      case Level::reverse:
        return jacobian(level, change);
      case Level::split:
        return split(change);
      case Level::optimize: {
        Graph g = change(passes::optimize(graph_));
        std::string wrong = compare(interpret(g, x_), interpret(graph_, x_), 1e-12);
        graph_ = g;
        return wrong;
      }
      case Level::compiled:
        return compiled(change);
    }
    return "";
  }

 private:
  std::vector<uint8_t> active() const { return std::vector<uint8_t>(x_.size(), 1); }
  size_t results() const { return graph_.data().num_results(); }
  Tensors values() const { return interpret(graph_, x_); }
  std::span<const Value> smooth_values() const { return graph_.data().outputs().subspan(0, smooth_); }

  // The next function: results `fresh` first, two of them, then the values, then a few that are only computed.
  void take(const Graph& g, Tensors x, size_t first_fresh) {
    std::vector<Value> order;
    std::span<const Value> all = g.data().outputs();
    for (size_t i = first_fresh; i < std::min(all.size(), first_fresh + 2); ++i) order.push_back(all[i]);
    order.push_back(all[0]);
    const size_t count = order.size();
    for (size_t i = smooth_; i < std::min(first_fresh, smooth_ + 2); ++i) order.push_back(all[i]);
    graph_ = with_values(g, order);
    x_ = std::move(x);
    smooth_ = count;
  }

  template <class F>
  std::string jvp(F change) {
    Tensors t = random_like(graph_.data(), graph_.data().inputs(), random_), y = values();
    Graph g = change(passes::jvp(graph_, active(), smooth_));
    Tensors all = interpret(g, joined(x_, t));
    std::string wrong = compare(upto(all, results()), y, 1e-12);
    if (wrong.empty()) wrong = compare(from(all, results()), slope(t, 1e-5), 1e-5, &(slack_ = spread(t, y)));
    if (!wrong.empty()) wrong += first_wrong(t);
    take(g, joined(x_, t), results());
    return wrong;
  }
  // The first node whose tangent differs from the slope of its value.
  std::string first_wrong(const Tensors& t) const {
    const ir::GraphData& d = graph_.data();
    for (Value v = 0; v < d.size(); ++v) {
      if (d.dtype(v) != f64 || d.type(v).token) continue;
      Stack one = *this;
      one.graph_ = with_values(graph_, {&v, 1});
      one.smooth_ = 1;
      const Tensors all = interpret(passes::jvp(one.graph_, one.active(), 1), joined(x_, t)), y = upto(all, 1);
      const Tensors slack = one.spread(t, y);
      if (std::string wrong = compare(from(all, 1), one.slope(t, 1e-5), 1e-5, &slack); !wrong.empty())
        return "\nfirst at %" + std::to_string(v) + " " + std::string(name_of(d.op(v))) + ": " + wrong;
    }
    return "";
  }
  // Central differences along t, and how far those of two steps, and rounding, leave them uncertain.
  Tensors slope(const Tensors& t, double h) const {
    Tensors above, below;
    for (size_t i = 0; i < x_.size(); ++i) {
      above.push_back(plus(x_[i], t[i], h));
      below.push_back(plus(x_[i], t[i], -h));
    }
    Tensors high = upto(interpret(graph_, above), smooth_), low = upto(interpret(graph_, below), smooth_);
    for (size_t i = 0; i < smooth_; ++i)
      for (int64_t j = 0; j < high[i].numel(); ++j) high[i].set(j, (high[i].number(j) - low[i].number(j)) / (2 * h));
    return high;
  }
  Tensors spread(const Tensors& t, const Tensors& y) const {
    Tensors fine = slope(t, 1e-5), rough = slope(t, 3e-5);
    for (size_t i = 0; i < smooth_; ++i)
      for (int64_t j = 0; j < fine[i].numel(); ++j)
        fine[i].set(j, std::abs(fine[i].number(j) - rough[i].number(j)) + 1e-10 * std::abs(y[i].number(j)));
    return fine;
  }

  template <class F>
  std::string vjp(F change) {
    const ir::GraphData& d = graph_.data();
    Tensors t = random_like(d, d.inputs(), random_), c = random_like(d, smooth_values(), random_), y = values();
    Graph g = change(passes::vjp(graph_, active(), smooth_));
    Tensors all = interpret(g, joined(x_, c)), pulled = from(all, results());
    Tensors pushed = from(interpret(passes::jvp(graph_, active(), smooth_), joined(x_, t)), results());
    std::string wrong = compare(upto(all, results()), y, 1e-12);
    double a = 0, b = 0, size = 1;
    for (size_t i = 0; i < pushed.size(); ++i) a += inner_product(c[i], pushed[i]), size += norm(pushed[i]);
    for (size_t i = 0; i < t.size(); ++i) b += inner_product(t[i], pulled[i]), size += norm(pulled[i]);
    if (wrong.empty() && !is_wild(size) && std::abs(a - b) > 1e-8 * size)
      wrong = "cotangents: expected " + std::to_string(a) + ", got " + std::to_string(b);
    take(g, joined(x_, c), results());
    return wrong;
  }
  static double norm(const HostTensor& x) {
    double sum = 0;
    for (int64_t i = 0; i < x.numel(); ++i) sum += std::abs(x.number(i));
    return sum;
  }

  template <class F>
  std::string vmap(F change) {
    const int64_t size = 1 + static_cast<int64_t>(random_() % 3);
    std::vector<std::optional<int64_t>> in, out(results(), 0);
    std::vector<Tensors> lanes(static_cast<size_t>(size), x_);
    Tensors x;
    for (size_t i = 0; i < x_.size(); ++i) {
      const bool has_lanes = i == 0 || random_() % 3;
      in.push_back(has_lanes ? std::optional<int64_t>(0) : std::nullopt);
      Tensors column;
      for (Tensors& one : lanes) {
        // Not far from the point, where the ops are defined.
        if (has_lanes) one[i] = plus(x_[i], random_tensor(x_[i].type, -1, 1, random_), 0.1);
        column.push_back(one[i]);
      }
      x.push_back(has_lanes ? stack(x_[i].type, column) : x_[i]);
    }
    Graph g = change(passes::vmap(graph_, in, out, size, Randomness::same));
    Tensors all = interpret(g, x);
    std::string wrong;
    for (int64_t l = 0; l < size && wrong.empty(); ++l) {
      Tensors got;
      for (const HostTensor& r : all) got.push_back(lane(r, l));
      wrong = compare(got, interpret(graph_, lanes[static_cast<size_t>(l)]), 1e-10);
    }
    graph_ = g;
    x_ = x;
    return wrong;
  }

  template <class F>
  std::string jacobian(Level level, F change) {
    const auto mode = level == Level::forward ? passes::JacobianMode::forward : passes::JacobianMode::reverse;
    const std::optional<int64_t> chunk = random_() % 2 ? std::optional<int64_t>(2) : std::nullopt;
    Graph g = change(passes::jacobian(graph_, active(), smooth_, mode, chunk));
    const Graph push = passes::jvp(graph_, active(), smooth_);
    Tensors all = interpret(g, x_), blocks = from(all, results());
    std::string wrong = compare(upto(all, results()), values(), 1e-12);
    for (size_t k = 0; k < x_.size() && wrong.empty(); ++k)
      for (int64_t column = 0; column < x_[k].numel() && wrong.empty(); ++column) {
        Tensors t;
        for (const HostTensor& x : x_) t.emplace_back(x.type);
        t[k].set(column, 1);
        Tensors wanted = from(interpret(push, joined(x_, t)), results()), got = wanted;
        for (size_t o = 0; o < smooth_; ++o)
          for (int64_t j = 0; j < got[o].numel(); ++j)
            got[o].set(j, blocks[o * x_.size() + k].number(j * x_[k].numel() + column));
        wrong = compare(got, wanted, 1e-8);
      }
    take(g, x_, results());
    return wrong;
  }

  // The map at the residuals, which then are the point.
  template <class F>
  std::string split(F change) {
    Tensors t = random_like(graph_.data(), graph_.data().inputs(), random_);
    const passes::LinearSplit s = passes::split_jvp(graph_, active(), smooth_);
    Tensors kept = interpret(s.primal, x_), residuals = from(kept, results());
    Graph map = change(s.map);
    Tensors wanted = from(interpret(passes::jvp(graph_, active(), smooth_), joined(x_, t)), results());
    std::string wrong = compare(interpret(map, joined(residuals, t)), wanted, 1e-10);
    if (std::ranges::any_of(residuals, [](const HostTensor& r) { return r.type.dtype != f64; })) {
      graph_ = passes::jvp(graph_, active(), smooth_);  // residuals that are no point: its like goes on
      take(graph_, joined(x_, t), kept.size() - residuals.size());
      return wrong;
    }
    x_ = joined(residuals, t);
    graph_ = map;
    return wrong;
  }

  template <class F>
  std::string compiled(F change) {
    const Graph g = passes::optimize(graph_);
    std::string wrong = wrong_compiled(g, change(g));
    for (Value v = 0; !wrong.empty() && v < g.data().size(); ++v) {
      if (g.data().type(v).token) continue;
      const Graph one = with_values(g, {&v, 1});
      std::string first = wrong_compiled(one, one);
      if (!first.empty()) return wrong + "\nfirst at %" + std::to_string(v) + ": " + first + "\n" + to_text(g);
    }
    return wrong;
  }
  // Results that change much with the last bits of an input, or of what is computed, are not looked at.
  std::string wrong_compiled(const Graph& g, const Graph& as) const {
    const Tensors wanted = interpret(g, x_);
    Tensors slack = wanted;
    for (HostTensor& t : slack) t = HostTensor({f64, false, t.type.shape});
    auto see = [&](const Tensors& moved) {
      for (size_t i = 0; i < slack.size(); ++i)
        for (int64_t j = 0; j < slack[i].numel(); ++j)
          slack[i].set(j, std::max(slack[i].number(j), std::abs(moved[i].number(j) - wanted[i].number(j))));
    };
    for (double sign : {1.0, -1.0}) {
      Tensors moved = x_;
      for (HostTensor& t : moved)
        for (int64_t i = 0; i < t.numel(); ++i) t.set(i, t.number(i) * (1 + sign * 1e-13) + sign * 1e-13);
      see(interpret(g, moved));
      see(interpret(rounded_otherwise(g, sign), x_));
    }
    return compare(run_cpu(as, x_, options()), wanted, 1e-9, &slack);
  }

  std::mt19937 random_;
  Graph graph_;
  Tensors x_, slack_;
  size_t smooth_ = 0;
};

struct Counts {
  std::map<std::string, int64_t> ops, pairs;
  int64_t nodes = 0, programs = 0;
};

void count(const ir::GraphData& g, Counts& counts) {
  for (Value v = 0; v < g.size(); ++v) {
    if (g.op(v) != ir::Op::param_op) ++counts.nodes;
    ++counts.ops[std::string(name_of(g.op(v)))];
  }
  ++counts.programs;
}

Graph unchanged(Graph g) { return g; }

// What is wrong in the program of a seed, with the levels up to there.
std::string wrong_in(uint64_t seed, Counts& counts) {
  Stack stack(seed);
  count(stack.graph().data(), counts);
  std::mt19937 random(static_cast<unsigned>(seed * 2654435761u));
  std::string path;
  std::optional<Level> before;
  for (uint64_t depth = 1 + random() % 3; depth > 0; --depth) {
    const auto level = static_cast<Level>(random() % kLevels);
    if (!stack.fits(level)) continue;
    path += std::string(path.empty() ? "" : ", ") + kNames[static_cast<size_t>(level)];
    if (before)
      ++counts.pairs[std::string(kNames[static_cast<size_t>(*before)]) + " " + kNames[static_cast<size_t>(level)]];
    before = level;
    const Graph below = stack.graph();
    if (std::string wrong = stack.apply(level, unchanged); !wrong.empty())
      return path + ": " + wrong + "\n" + to_text(below);
  }
  std::string wrong = stack.apply(Level::compiled, unchanged);
  return wrong.empty() ? "" : path + ", compiled: " + wrong + "\n" + to_text(stack.graph());
}

}  // namespace

TEST_CASE("stacks: graphs of all ops under random stacks of transforms") {
  const auto [first, last] = JOT_SEEDS("STACKS", 300);
  Counts counts;
  for (uint64_t seed = first; seed < last; ++seed) {
    CAPTURE(seed);
    CHECK(wrong_in(seed, counts) == "");
  }
  CHECK(counts.nodes >= 20 * counts.programs);
  if (last - first < 10'000) return;
  // A long run has seen every op and every pair of transforms often enough to have found a fault in it.
  const auto share = [&](int64_t of_all) { return of_all * counts.programs / 100'000; };
  for (const Row& row : op_rows()) {
    const std::string name(name_of(row.op));
    if (row.op != ir::Op::host_call_op) CHECK_MESSAGE(counts.ops[name] >= share(200), name, ": ", counts.ops[name]);
  }
  for (int i = 0; i < kLevels; ++i)
    for (int j = 0; j < kLevels; ++j) {
      const std::string pair = std::string(kNames[i]) + " " + kNames[j];
      CHECK_MESSAGE(counts.pairs[pair] >= share(500), pair, ": ", counts.pairs[pair]);
    }
  std::string text = std::to_string(counts.programs) + " programs, " + std::to_string(counts.nodes / counts.programs) +
                     " nodes on average\n";
  for (auto& [name, n] : counts.ops) text += name + " " + std::to_string(n) + "\n";
  for (auto& [name, n] : counts.pairs) text += name + " " + std::to_string(n) + "\n";
  MESSAGE(text);
}

// A wrong rule makes another graph: an op of what a level made is exchanged.
TEST_CASE("stacks: a fault in any level is found") {
  for (Level level : {Level::jvp, Level::vjp, Level::vmap, Level::reverse, Level::optimize, Level::compiled}) {
    CAPTURE(kNames[static_cast<size_t>(level)]);
    int planted = 0, found = 0;
    for (uint64_t seed = 0; seed < 60 && planted < 20; ++seed) {
      Stack stack(seed);
      if (!stack.fits(level)) continue;
      std::mt19937 random(static_cast<unsigned>(seed));
      auto fault = [&](const Graph& g) {
        const uint32_t size = g.data().size(), from = random() % size;
        for (uint32_t i = 0; i < size; ++i)
          if (std::optional<Graph> wrong = mutant(g.data(), (from + i) % size)) {
            ++planted;
            return *wrong;
          }
        return g;
      };
      try {
        found += !stack.apply(level, fault).empty();
      } catch (const Error&) {
        ++found;
      }
    }
    MESSAGE(std::string(kNames[static_cast<size_t>(level)]) << ": " << planted << " planted, " << found << " found");
    CHECK(2 * found > planted);
  }
}
