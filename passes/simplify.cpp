#include "passes/simplify.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "ir/build.h"
#include "passes/dce.h"
#include "passes/fold.h"
#include "passes/inline.h"

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
      return below != Op::diag_embed_op && below != Op::identity_op &&
             !std::ranges::is_sorted(g.attrs(v).ints(Key::perm));
    case Op::broadcast_op:
      return g.shape(v).numel() != b.shape(x).numel();
    default:
      return false;
  }
}

Value rebuilt(Builder& b, const GraphData& g, Value v, std::span<const Value> x) {
  Op op = g.op(v);
  bool moves = op == Op::reshape_op || op == Op::permute_op || op == Op::broadcast_op || op == Op::slice_op;
  if (op != Op::convert_op && (!moves || stays(b, g, v, x[0]))) return b.copy_node(g, v, x);
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

}  // namespace

Graph simplify(const Graph& graph) {
  const GraphData& g = graph.data();
  std::vector<uint8_t> live = live_nodes(g);
  Builder b(g.name());  // shares equal nodes
  b.reserve(static_cast<size_t>(std::ranges::count(live, 1)));
  std::vector<Value> params = params_like(b, g), map(g.size(), kNoValue), operands, outputs;
  for (size_t i = 0; i < params.size(); ++i) map[g.inputs()[i]] = params[i];
  for (Value v = 0; v < g.size(); ++v) {
    if (!live[v] || g.op(v) == Op::param_op) continue;
    operands.clear();
    for (Value o : g.operands(v)) operands.push_back(map[o]);
    std::optional<Value> simpler = same_operand(b, g.op(v), operands);
    if (!simpler) simpler = folded(b, g, v, operands);
    map[v] = simpler ? *simpler : rebuilt(b, g, v, operands);
  }
  for (Value o : g.outputs()) outputs.push_back(map[o]);
  return b.finish(outputs, g.writebacks());
}

}  // namespace jot::passes
