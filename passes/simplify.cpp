#include "passes/simplify.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <optional>

#include "ir/build.h"
#include "passes/dce.h"
#include "passes/fold.h"
#include "passes/inline.h"
#include "passes/rewrite.h"

namespace jot::passes {

using namespace ir;

namespace {

// The one value of a splat constant, seen through broadcasts.
struct Splat {
  bool floating;
  double real;
  int64_t integer;
  bool is(double x) const {  // distinguishes -0 from 0
    return floating ? std::bit_cast<int64_t>(real) == std::bit_cast<int64_t>(x) : static_cast<double>(integer) == x;
  }
};
std::optional<Splat> splat(const GraphData& g, Value v) {
  while (g.op(v) == Op::broadcast_op || g.op(v) == Op::reshape_op) v = g.operand(v, 0);
  if (g.op(v) != Op::const_op) return {};
  Ints data = g.attrs(v).ints(Key::data);
  if (data.size() != 1) return {};
  bool floating = is_floating(g.dtype(v));
  return Splat{floating, floating ? std::bit_cast<double>(data[0]) : 0.0, data[0]};
}

// The operand that the node equals, if there is one.
std::optional<Value> same_operand(Builder& b, Op op, std::span<const Value> x) {
  const GraphData& g = b.graph();
  if (x.empty()) return {};
  auto is = [&](size_t i, double c) {
    Op op = g.op(x[i]);  // of few operands anything is known
    if (op != Op::const_op && op != Op::broadcast_op && op != Op::reshape_op) return false;
    auto s = splat(g, x[i]);
    return s && s->is(c);
  };
  bool floating = is_floating(g.dtype(x[0]));
  switch (op) {
    case Op::mul_op:
    case Op::mul_no_nan_op:
      if (is(0, 1)) return x[1];
      if (is(1, 1)) return x[0];
      break;
    case Op::div_op:
      if (is(1, 1)) return x[0];
      break;
    case Op::add_op:
      if (is(0, floating ? -0.0 : 0.0)) return x[1];
      if (is(1, floating ? -0.0 : 0.0)) return x[0];
      break;
    case Op::sub_op:
      if (is(1, 0.0)) return x[0];
      break;
    case Op::copy_op:
      return x[0];
    case Op::neg_op:
      if (g.op(x[0]) == Op::neg_op) return g.operand(x[0], 0);
      break;
    case Op::demand_op:
      if (auto s = splat(g, x[1]); s && s->integer) return x[0];
      break;
    case Op::where_op:
      if (auto s = splat(g, x[0])) return s->integer ? x[1] : x[2];
      if (x[1] == x[2]) return x[1];
      break;
    default:
      break;
  }
  return {};
}

// A diagonal is equal to itself with its two halves exchanged: permute(diag_embed(x)) is diag_embed(x).
bool exchanges_halves(const GraphData& g, Value diagonal, Ints perm) {
  size_t batch = 0;
  if (g.op(diagonal) == Op::diag_embed_op)
    batch = static_cast<size_t>(g.attrs(diagonal).integer(Key::batch_dims));
  else if (g.op(diagonal) != Op::identity_op)
    return false;
  size_t half = (perm.size() - batch) / 2;
  for (size_t i = 0; i < perm.size(); ++i) {
    size_t expected = i < batch ? i : i < batch + half ? i + half : i - half;
    if (perm[i] != static_cast<int64_t>(expected)) return false;
  }
  return true;
}

// A movement that stays as it is: it moves something, no constant and no movement that it composes with.
bool stays(const Builder& b, const GraphData& g, Value v, Value x) {
  Op below = b.op(x), op = g.op(v);
  if (below == Op::const_op || below == op) return false;
  switch (op) {
    case Op::reshape_op:
    case Op::slice_op:
      return g.shape(v) != b.shape(x);
    case Op::permute_op:
      return !info(below).is(Trait::zeros) && !std::ranges::is_sorted(g.attrs(v).ints(Key::perm));
    case Op::broadcast_op:
      return g.shape(v).numel() != b.shape(x).numel();
    default:
      return false;
  }
}

bool moves_or_converts(Op op) {
  return op == Op::reshape_op || op == Op::permute_op || op == Op::broadcast_op || op == Op::slice_op ||
         op == Op::convert_op;
}

Value rebuilt(Builder& b, const GraphData& g, Value v, std::span<const Value> x) {
  Op op = g.op(v);
  if (op != Op::convert_op && stays(b, g, v, x[0])) return b.copy_node(g, v, x);
  AttrView a = g.attrs(v);
  b.set_origin_of(g, v);
  switch (op) {
    case Op::convert_op:
      return build::convert(b, x[0], a.dtype());
    case Op::reshape_op:
      return build::reshape(b, x[0], a.shape());
    case Op::permute_op:
      if (exchanges_halves(b.graph(), x[0], a.ints(Key::perm))) return x[0];
      return build::permute(b, x[0], a.ints(Key::perm));
    case Op::broadcast_op:  // what repeats nothing is a reshape
      return g.shape(v).numel() == b.shape(x[0]).numel() ? build::reshape(b, x[0], g.shape(v))
                                                         : build::broadcast(b, x[0], a.shape(), a.ints(Key::dims));
    case Op::slice_op:
      return build::slice(b, x[0], a.ints(Key::start), a.ints(Key::limit), a.ints(Key::stride));
    default:
      return b.copy_node(g, v, x);
  }
}

// A reduction of a permute reduces what is permuted, where the dims that are left keep their order.
std::optional<Value> before_permute(Builder& b, const GraphData& g, Value v, Value x) {
  if (b.op(x) != Op::permute_op) return {};
  const Ints perm = b.graph().attrs(x).ints(Key::perm), dims = g.attrs(v).ints(Key::dims);
  std::vector<int64_t> reduced;
  int64_t last_kept = -1;
  for (size_t d = 0; d < perm.size(); ++d) {
    if (std::ranges::find(dims, static_cast<int64_t>(d)) != dims.end())
      reduced.push_back(perm[d]);
    else if (perm[d] < last_kept)
      return {};
    else
      last_kept = perm[d];
  }
  std::ranges::sort(reduced);
  const Value permuted = b.graph().operand(x, 0);
  b.set_origin_of(g, v);
  return build::reduce(b, g.op(v), permuted, reduced);
}

// Puts the branch of a cond in its place where there is no choice.
bool decided(Builder& b, const GraphData& g, Value v, Rewriter& rewriter) {
  if (g.op(v) != Op::cond_op) return false;
  std::span<const Value> operands = rewriter.operands(v);
  AttrView attrs = g.attrs(v);
  auto last = static_cast<int64_t>(attrs.num_regions(Key::branches)) - 1;
  std::optional<Splat> index = splat(b.graph(), operands[0]);
  Ints branches = attrs.ints(Key::branches);
  bool all_equal = std::ranges::adjacent_find(branches, std::not_equal_to<>()) == branches.end();
  if (!index && !all_equal) return false;
  auto chosen = static_cast<size_t>(index ? std::clamp<int64_t>(index->integer, 0, last) : 0);
  Graph branch = simplify(attrs.region(Key::branches, chosen));
  std::vector<Value> results = inline_graph(b, branch.data(), operands.subspan(1));
  for (Value i = 0; i < results.size(); ++i) rewriter.set(v + i, results[i]);
  return true;
}

}  // namespace

Graph simplify(const Graph& graph) {
  const GraphData& g = graph.data();
  std::vector<uint8_t> live = live_nodes(g);
  Builder b(g.name());  // shares equal nodes
  b.reserve(static_cast<size_t>(std::ranges::count(live, 1)));
  Rewriter rewriter(b, g, simplify);
  rewriter.take_params();
  rewriter.for_each_op([&](Value v) {
    if (!live[v]) return;
    std::span<const Value> operands = rewriter.operands(v);
    if (has_regions(g.op(v))) {
      if (!decided(b, g, v, rewriter)) rewriter.copy(v);
      return;
    }
    std::optional<Value> simpler = same_operand(b, g.op(v), operands);
    if (!simpler) simpler = folded(b, g, v, operands);
    if (!simpler && is_reduction(g.op(v))) simpler = before_permute(b, g, v, operands[0]);
    if (simpler || moves_or_converts(g.op(v)))
      rewriter.set(v, simpler ? *simpler : rebuilt(b, g, v, operands));
    else
      rewriter.copy(v, operands);
  });
  return rewriter.finish();
}

}  // namespace jot::passes
