#include "passes/chunk.h"

#include <algorithm>
#include <vector>

#include "ir/build.h"
#include "ir/dependence.h"
#include "passes/inline.h"
#include "passes/rewrite.h"
#include "passes/transforms.h"

namespace jot::passes {

using namespace ir;

namespace {

// The draws of a graph, whose places count what a whole piece draws, counted in fewer lanes. Regions count their own
// from 0, in streams that the places of their ops name.
Graph drawing_for(const GraphData& g, const Chunks& chunks, int64_t lanes) {
  std::vector<uint8_t> is_base(g.inputs().size(), 0);
  is_base[*chunks.random_offset] = 1;
  const std::vector<uint8_t> placed = dependents(g, is_base);
  Builder b(g.name());
  Rewriter rewriter(b, g);
  rewriter.take_params();
  auto number = [&](int64_t n) { return build::constant_int(b, DType::i64, {}, n); };
  rewriter.for_each_op([&](Value v) {
    std::span<const Value> operands = rewriter.operands(v);
    bool draws = g.op(v) == Op::random_bits_op || g.op(v) == Op::fold_in_op;
    if (!draws || !placed[g.operand(v, 1)]) return rewriter.copy(v, operands);
    Value base = rewriter[g.inputs()[*chunks.random_offset]], drawn = build::sub(b, operands[1], base);
    Value by_one_lane = build::div(b, drawn, number(chunks.size));
    Value offset = build::add(b, base, build::mul(b, by_one_lane, number(lanes)));
    rewriter.copy(v, std::vector<Value>{operands[0], offset});
  });
  return rewriter.finish();
}

}  // namespace

Graph vmap_in_chunks(const Graph& graph, std::span<const std::optional<int64_t>> in_dims,
                     std::span<const std::optional<int64_t>> out_dims, int64_t lanes, Randomness randomness,
                     const Chunks& chunks) {
  const GraphData& g = graph.data();
  Builder b(g.name());
  std::vector<Value> args;
  for (size_t i = 0; i < g.inputs().size(); ++i) {
    Type type = g.type(g.inputs()[i]);
    if (in_dims[i]) type.shape.insert(static_cast<size_t>(*in_dims[i]), lanes);
    args.push_back(b.param(type, g.input_name(i)));
  }
  bool draws_on = chunks.random_offset && randomness == Randomness::different;
  std::vector<std::vector<Value>> parts(g.outputs().size());
  int64_t piece = 0;
  for (int64_t first = 0; first < lanes; first += chunks.size, ++piece) {
    int64_t size = std::min(chunks.size, lanes - first);
    Graph of_one = draws_on && size < chunks.size ? drawing_for(g, chunks, size) : graph;
    Graph of_piece = vmap(of_one, in_dims, out_dims, size, randomness, first);
    std::vector<Value> inputs = args;
    for (size_t i = 0; i < inputs.size(); ++i)
      if (in_dims[i]) inputs[i] = build::slice_axis(b, inputs[i], *in_dims[i], first, first + size);
    if (draws_on) {
      Value& offset = inputs[*chunks.random_offset];
      offset = build::add(b, offset, build::constant_int(b, DType::i64, {}, piece * chunks.random_draws));
    }
    std::vector<Value> values = inline_graph(b, of_piece.data(), inputs);
    for (size_t i = 0; i < values.size(); ++i) parts[i].push_back(values[i]);
  }
  std::vector<Value> outputs;
  for (size_t i = 0; i < parts.size(); ++i) {
    size_t results = g.num_results();
    std::optional<int64_t> dim = i < results ? out_dims[i] : in_dims[g.writebacks()[i - results]];
    outputs.push_back(dim ? build::concat(b, parts[i], *dim) : parts[i].front());
  }
  return b.finish(outputs, g.writebacks());
}

}  // namespace jot::passes
