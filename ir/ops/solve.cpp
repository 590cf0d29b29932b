// Solutions of equations: found by any means, differentiated by the equation.
//
//   linear_solve(consts, b...): x with matvec(consts, x) = b, found by body(consts, b). Linear in b; its transpose is
//     the same op with transpose_solve(consts, b) for its body, where that is given, else with the body's transpose.
//   custom_root(consts, x0...): x with equation(consts, x) = 0, found by body(consts, x0). Its derivative solves the
//     linear system matvec(consts, x, v) = b by solve(consts, x, b).
#include <algorithm>

#include "ir/ops/classes.h"
#include "ir/ops/regions.h"

namespace jot::ir {
namespace {

size_t consts_of(AttrView a) { return static_cast<size_t>(a.integer(Key::consts)); }

std::vector<uint8_t> flags(size_t consts, size_t rest, uint8_t of_rest) {
  std::vector<uint8_t> result(consts, 0);
  result.resize(consts + rest, of_rest);
  return result;
}

// A region of constants and of what has the types of the results, `times` times, that has such results.
void expect_function(const InferContext& c, const std::string& what, const Graph& region, size_t times) {
  size_t consts = consts_of(c.attrs);
  std::vector<const Type*> expected(c.operands.begin(), c.operands.end());
  for (; times > 1; --times)
    expected.insert(expected.end(), c.operands.begin() + static_cast<std::ptrdiff_t>(consts), c.operands.end());
  const GraphData& g = region.data();
  expect_pure(c, what, region);
  expect_types(c, "parameters of " + what, expected, types_of(g, g.inputs()));
  expect_types(c, "results of " + what, c.operands.subspan(consts), types_of(g, g.outputs()));
}

void infer_solution(const InferContext& c, std::vector<Type>& results) {
  infer_body(c, results);
  if (c.attrs.integer(Key::consts) < 0 || consts_of(c.attrs) > c.operands.size())
    c.shape_error("more constants than operands");
  for (const Type* t : c.operands.subspan(consts_of(c.attrs)))
    if (!is_floating(t->dtype)) c.dtype_error("expected floating unknowns, got " + to_string(*t));
  expect_function(c, "the body", body_of(c.attrs), 1);
  if (c.attrs.num_regions(Key::transpose_solve) > 1) c.shape_error("more than one transposed solution");
}

// ---- linear_solve

void infer_linear_solve(const InferContext& c, std::vector<Type>& results) {
  infer_solution(c, results);
  expect_function(c, "matvec", c.attrs.region(Key::matvec), 1);
  for (size_t i = 0; i < c.attrs.num_regions(Key::transpose_solve); ++i)
    expect_function(c, "transpose_solve", c.attrs.region(Key::transpose_solve, i), 1);
}

// The tangents of a region's results at `args` as its constants change: nothing where they do not.
std::vector<Value> by_constants(const JvpContext& c, const Graph& region, size_t consts) {
  size_t results = c.outs.size();
  std::vector<uint8_t> active = flags(consts, results, 0);
  std::vector<Value> directions, args(c.primals.begin(), c.primals.begin() + static_cast<std::ptrdiff_t>(consts));
  for (size_t i = 0; i < consts; ++i) {
    active[i] = c.has(i);
    if (c.has(i)) directions.push_back(c.tangents[i]);
  }
  std::vector<Value> tangents(results, kNoValue);
  if (directions.empty()) return tangents;
  args.insert(args.end(), c.outs.begin(), c.outs.end());
  RuleContext::Split split = c.regions.split(region, active, c.zeros);
  std::vector<Value> values = c.regions.inlined(c.b, split.primal, args);
  std::vector<Value> made =
      c.regions.inlined(c.b, split.map, joined(std::span(values).last(split.num_residuals), directions));
  for (size_t k = 0, next = 0; k < results; ++k)
    if (split.active_results[k]) tangents[k] = made[next++];
  return tangents;
}

// Emits a linear_solve of (consts, right), which are kNoValue where zero.
void solve_tangents(const JvpContext& c, std::vector<Value> consts, std::span<const Value> right, const Attrs& attrs,
                    std::span<Value> tangents) {
  if (std::ranges::all_of(right, [](Value v) { return v == kNoValue; })) return;
  for (size_t k = 0; k < right.size(); ++k) consts.push_back(build::or_zeros(c.b, right[k], c.b.type(c.outs[k])));
  Value next = c.b.emit(Op::linear_solve_op, consts, attrs);
  for (Value& t : tangents) t = next++;
}

Attrs solve_attrs(const Graph& body, const Graph& matvec, std::span<const Graph> transposes, size_t consts) {
  return Attrs().add(body).add(matvec).add(transposes).add(static_cast<int64_t>(consts));
}
std::vector<Graph> transpose_solves(AttrView a) {
  std::vector<Graph> regions;
  for (size_t i = 0; i < a.num_regions(Key::transpose_solve); ++i) regions.push_back(a.region(Key::transpose_solve, i));
  return regions;
}

// A x = b: A x' = b' - A' x.
void jvp_linear_solve(const JvpContext& c, std::span<Value> tangents) {
  size_t consts = consts_of(c.attrs);
  std::vector<Value> right = by_constants(c, c.attrs.region(Key::matvec), consts);
  for (size_t k = 0; k < right.size(); ++k) {
    Value b = c.tangents[consts + k];
    if (right[k] == kNoValue)
      right[k] = b;
    else
      right[k] = b == kNoValue ? build::neg(c.b, right[k]) : build::sub(c.b, b, right[k]);
  }
  solve_tangents(c, {c.primals.begin(), c.primals.begin() + static_cast<std::ptrdiff_t>(consts)}, right,
                 solve_attrs(body_of(c.attrs), c.attrs.region(Key::matvec), transpose_solves(c.attrs), consts),
                 tangents);
}

// (consts, y) -> the region's transpose at y.
Graph transposed(const TransposeContext& c, const Graph& region, size_t consts) {
  const GraphData& g = region.data();
  size_t n = c.cts.size();
  RuleContext::Transposed t = c.regions.transposed(region, flags(consts, n, 1), flags(0, n, 1));
  Builder b(g.name());
  std::vector<Value> args, outputs;
  for (Value v : g.inputs()) args.push_back(b.param(g.type(v)));
  std::vector<Value> made = c.regions.inlined(b, t.graph, args);
  for (size_t k = 0, next = 0; k < n; ++k)
    outputs.push_back(t.connected[k] ? made[next++] : build::zeros(b, g.type(g.inputs()[consts + k])));
  return c.regions.simplified(b.finish(outputs));
}

Graph transposed_body(const TransposeContext& c, size_t consts) {
  if (c.attrs.num_regions(Key::transpose_solve) > 0) return c.attrs.region(Key::transpose_solve, 0);
  try {
    return transposed(c, body_of(c.attrs), consts);
  } catch (const TransformError& e) {
    throw TransformError(
        "[custom_linear_solve] reverse mode needs transpose_solve: solve itself cannot be transposed (" +
        std::string(e.what()) + ")" + at(c.b.location()));
  }
}

void transpose_linear_solve(const TransposeContext& c) {
  size_t consts = consts_of(c.attrs);
  std::vector<Value> operands;
  for (size_t i = 0; i < consts; ++i) {
    if (c.linear(i)) throw TransformError("[custom_linear_solve] is not linear in its matvec" + at(c.b.location()));
    operands.push_back(c.operands[i]);
  }
  for (size_t k = 0; k < c.cts.size(); ++k) operands.push_back(build::or_zeros(c.b, c.cts[k], *c.types[consts + k]));
  Value next = c.b.emit(c.op, operands,
                        solve_attrs(transposed_body(c, consts), transposed(c, c.attrs.region(Key::matvec), consts),
                                    std::span(&body_of(c.attrs), 1), consts));
  for (size_t k = 0; k < c.cts.size(); ++k)
    if (c.linear(consts + k)) c.cotangents[consts + k] = next + static_cast<Value>(k);
}

// The region where constants have lanes or not, and all else has.
Graph batched(const BatchContext& c, const Graph& region) {
  std::vector<uint8_t> lanes(region.data().inputs().size(), 1);
  std::copy_n(c.batched.begin(), consts_of(c.attrs), lanes.begin());
  const std::vector<uint8_t> all(region.data().outputs().size(), 1);
  return c.regions.batched(region, lanes, c.size, c.randomness, all).graph;
}
std::vector<Graph> batched_transposes(const BatchContext& c) {
  std::vector<Graph> regions = transpose_solves(c.attrs);
  for (Graph& r : regions) r = batched(c, r);
  return regions;
}
void emit_batched(const BatchContext& c, const Attrs& attrs, std::span<Value> results) {
  std::vector<Value> operands(c.operands.begin(), c.operands.end());
  for (size_t i = consts_of(c.attrs); i < operands.size(); ++i) operands[i] = c.materialised(i);
  Value next = c.b.emit(c.op, operands, attrs);
  for (Value& r : results) r = next++;
}

void batch_linear_solve(const BatchContext& c, std::span<Value> results, std::span<bool>) {
  emit_batched(c,
               solve_attrs(batched(c, body_of(c.attrs)), batched(c, c.attrs.region(Key::matvec)), batched_transposes(c),
                           consts_of(c.attrs)),
               results);
}

// ---- custom_root

void infer_custom_root(const InferContext& c, std::vector<Type>& results) {
  infer_solution(c, results);
  expect_function(c, "the equation", c.attrs.region(Key::equation), 1);
  expect_function(c, "matvec", c.attrs.region(Key::matvec), 2);
  expect_function(c, "the linear solution", c.attrs.region(Key::solve), 2);
  for (size_t i = 0; i < c.attrs.num_regions(Key::transpose_solve); ++i)
    expect_function(c, "the transposed solution", c.attrs.region(Key::transpose_solve, i), 2);
}

// f(p, x) = 0: f_x x' = -f_p p'. Where the search begins does not matter.
void jvp_custom_root(const JvpContext& c, std::span<Value> tangents) {
  size_t consts = consts_of(c.attrs);
  std::vector<Value> right = by_constants(c, c.attrs.region(Key::equation), consts);
  for (Value& v : right)
    if (v != kNoValue) v = build::neg(c.b, v);
  std::vector<Value> known(c.primals.begin(), c.primals.begin() + static_cast<std::ptrdiff_t>(consts));
  known.insert(known.end(), c.outs.begin(), c.outs.end());
  Attrs attrs =
      solve_attrs(c.attrs.region(Key::solve), c.attrs.region(Key::matvec), transpose_solves(c.attrs), known.size());
  solve_tangents(c, std::move(known), right, attrs, tangents);
}

void batch_custom_root(const BatchContext& c, std::span<Value> results, std::span<bool>) {
  Attrs attrs;
  attrs.add(batched(c, body_of(c.attrs)));
  for (Key key : {Key::equation, Key::matvec, Key::solve}) attrs.add(batched(c, c.attrs.region(key)));
  attrs.add(batched_transposes(c)).add(c.attrs.integer(Key::consts));
  emit_batched(c, attrs, results);
}

}  // namespace

void define_solve(RuleTable& table) {
  table.define(Op::linear_solve_op, {.infer = infer_linear_solve,
                                     .eval = evaluate_body,
                                     .jvp = jvp_linear_solve,
                                     .transpose = transpose_linear_solve,
                                     .batch = batch_linear_solve,
                                     .body = own_body});
  table.define(Op::custom_root_op, {.infer = infer_custom_root,
                                    .eval = evaluate_body,
                                    .jvp = jvp_custom_root,
                                    .transpose = none("its derivative is a linear_solve"),
                                    .batch = batch_custom_root,
                                    .body = own_body});
}

}  // namespace jot::ir
