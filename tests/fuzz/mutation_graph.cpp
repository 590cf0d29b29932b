#include "tests/fuzz/mutation_graph.h"

#include <cmath>
#include <map>

#include "ir/build.h"
#include "passes/inline.h"
#include "tests/support/host.h"

namespace jot::test::mutation {

using ir::Graph;
using ir::GraphData;
using ir::Op;
using ir::Value;

std::string check_pure(const RecordedBody& body, const Graph& pure) {
  const GraphData& g = pure.data();
  std::vector<HostTensor> inputs;
  for (size_t i = 0; i < g.inputs().size(); ++i) {
    const ir::Type& type = g.type(g.inputs()[i]);
    inputs.emplace_back(type.dtype, type.shape, body.inputs[i]);
  }
  std::vector<HostTensor> outputs = interpret(pure, inputs);
  auto differs = [&](const HostTensor& got, const Event& want) {
    std::vector<double> numbers = got.numbers();
    if (numbers.size() != want.elements.size()) return true;
    for (size_t i = 0; i < numbers.size(); ++i)
      if (!(std::abs(numbers[i] - want.elements[i]) <= body.tolerance * (1 + std::abs(want.elements[i])))) return true;
    return false;
  };
  for (size_t i = 0; i < g.num_results(); ++i)
    if (differs(outputs[i], body.expected.results[i])) return "result " + std::to_string(i);
  std::vector<const HostTensor*> after(body.expected.arguments.size(), nullptr);
  for (size_t i = 0; i < inputs.size(); ++i)
    if (body.arguments[i] >= 0) after[static_cast<size_t>(body.arguments[i])] = &inputs[i];
  for (size_t i = 0; i < g.writebacks().size(); ++i)
    if (int k = body.arguments[g.writebacks()[i]]; k >= 0)
      after[static_cast<size_t>(k)] = &outputs[g.num_results() + i];
  for (size_t k = 0; k < after.size(); ++k)
    if (after[k] && differs(*after[k], body.expected.arguments_after[k])) return "argument " + std::to_string(k);
  return {};
}

namespace {

// The graph with node `at` replaced: by what f(builder, new operands, map of old values) gives.
template <class F>
Graph replaced(const Graph& graph, Value at, F f) {
  const GraphData& g = graph.data();
  ir::Builder b(g.name(), ir::Builder::Sharing::off);
  std::vector<Value> map(g.size(), ir::kNoValue), params = passes::params_like(b, g);
  for (size_t i = 0; i < params.size(); ++i) map[g.inputs()[i]] = params[i];
  for (Value v = 0; v < g.size(); ++v) {
    if (g.op(v) == Op::param_op) continue;
    std::vector<Value> operands;
    for (Value o : g.operands(v)) operands.push_back(map[o]);
    map[v] = v == at ? f(b, operands, map) : b.copy_node(g, v, operands);
  }
  std::vector<Value> outputs;
  for (Value o : g.outputs()) outputs.push_back(map[o]);
  return b.finish(outputs, g.writebacks());
}

template <class T>
std::optional<T> choose(const std::vector<T>& from, uint64_t which) {
  return from.empty() ? std::nullopt : std::optional<T>(from[which % from.size()]);
}

}  // namespace

std::optional<Graph> with_stale_alias(const Graph& recorded, uint64_t which) {
  const GraphData& g = recorded.data();
  std::vector<Value> reads;
  for (Value v = 0; v < g.size(); ++v)
    if (g.op(v) == Op::read_op && ir::is_view(g.op(g.operand(v, 0)))) reads.push_back(v);
  std::optional<Value> read = choose(reads, which);
  if (!read) return {};
  return replaced(recorded, *read,
                  [](ir::Builder&, const std::vector<Value>& operands, const auto&) { return operands[0]; });
}

std::optional<Graph> with_merged_reads(const Graph& recorded, uint64_t which) {
  const GraphData& g = recorded.data();
  std::map<Value, Value> first;  // by address
  std::vector<std::pair<Value, Value>> pairs;
  for (Value v = 0; v < g.size(); ++v) {
    if (g.op(v) != Op::read_op) continue;
    auto [seen, fresh] = first.emplace(g.operand(v, 0), v);
    if (!fresh && g.operand(seen->second, 1) != g.operand(v, 1)) pairs.emplace_back(seen->second, v);
  }
  auto pair = choose(pairs, which);
  if (!pair) return {};
  return replaced(recorded, pair->second,
                  [&](ir::Builder&, const auto&, const std::vector<Value>& map) { return map[pair->first]; });
}

std::optional<Graph> with_shifted_update(const Graph& pure, uint64_t which) {
  const GraphData& g = pure.data();
  std::vector<std::pair<Value, size_t>> places;  // updates, and a dim along which there is room
  for (Value v = 0; v < g.size(); ++v) {
    if (g.op(v) != Op::dynamic_update_slice_op) continue;
    const Shape &whole = g.shape(v), &part = g.shape(g.operand(v, 1));
    if (part.numel() == 0) continue;
    for (size_t d = 0; d < whole.size(); ++d)
      if (part[d] < whole[d]) places.emplace_back(v, d);
  }
  auto place = choose(places, which);
  if (!place) return {};
  auto [update, d] = *place;
  int64_t limit = g.shape(update)[d] - g.shape(g.operand(update, 1))[d];
  return replaced(pure, update, [&, dim = d, at = update](ir::Builder& b, std::vector<Value> operands, const auto&) {
    Value& start = operands[dim + 2];
    auto number = [&](int64_t i) { return ir::build::constant_int(b, DType::i64, {}, i); };
    Value last = ir::build::compare(b, start, number(limit), ir::Direction::eq);
    start = ir::build::where(b, last, number(0), ir::build::add(b, start, number(1)));
    return b.copy_node(g, at, operands);
  });
}

}  // namespace jot::test::mutation
