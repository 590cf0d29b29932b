#include "tests/fuzz/loops_graph.h"

#include <functional>
#include <span>
#include <vector>

#include "ir/build.h"
#include "passes/inline.h"

namespace jot::test::loops {

using namespace ir;

namespace {

using Values = std::vector<Value>;

Value select(Builder& b, Value flag, Value x, Value y) {
  return build::where(b, build::broadcast_scalar(b, flag, b.shape(x)), x, y);
}

// Copies g without regions. Depth: that of its regions.
class Writer {
 public:
  Writer(Builder& b, int steps) : b_(b), steps_(steps) {}

  Values copy(const GraphData& g, std::span<const Value> args) {
    Values map(g.size(), kNoValue);
    for (size_t i = 0; i < args.size(); ++i) map[g.inputs()[i]] = args[i];
    for (Value v = 0; v < g.size(); ++v) {
      if (map[v] != kNoValue) continue;
      Values operands;
      for (Value o : g.operands(v)) operands.push_back(map[o]);
      if (!has_regions(g.op(v))) {
        map[v] = b_.copy_node(g, v, operands);
        continue;
      }
      Values results = g.op(v) == Op::cond_op   ? cond(g.attrs(v), operands)
                       : g.op(v) == Op::scan_op ? scan(g.attrs(v), operands, g, v)
                                                : loop(g.attrs(v), operands);
      std::ranges::copy(results, map.begin() + v);
    }
    Values outputs;
    for (Value o : g.outputs()) outputs.push_back(map[o]);
    return outputs;
  }

 private:
  Values cond(AttrView attrs, const Values& operands) {
    std::span<const Value> args = std::span(operands).subspan(1);
    size_t n = attrs.num_regions(Key::branches);
    Values chosen = copy(attrs.region(Key::branches, n - 1).data(), args);
    for (size_t i = n - 1; i-- > 0;) {
      Value limit = build::constant_data(b_, i64, {}, Values64{static_cast<int64_t>(i)});
      Value flag = build::compare(b_, operands[0], limit, Direction::le);
      Values other = copy(attrs.region(Key::branches, i).data(), args);
      for (size_t k = 0; k < chosen.size(); ++k) chosen[k] = select(b_, flag, other[k], chosen[k]);
    }
    return chosen;
  }

  Values scan(AttrView attrs, const Values& operands, const GraphData& g, Value node) {
    auto consts = static_cast<size_t>(attrs.integer(Key::consts));
    auto carries = static_cast<size_t>(attrs.integer(Key::carries));
    int64_t length = attrs.integer(Key::length);
    const GraphData& body = attrs.region(Key::body).data();
    Values args = operands;
    std::vector<Values> ys(body.outputs().size() - carries, Values(static_cast<size_t>(length)));
    for (int64_t i = 0; i < length; ++i) {
      int64_t t = attrs.integer(Key::reverse) ? length - 1 - i : i;
      for (size_t k = consts + carries; k < operands.size(); ++k) {
        Shape shape = b_.shape(operands[k]);
        shape.erase(0);
        args[k] = build::reshape(b_, build::slice_axis(b_, operands[k], 0, t, t + 1), shape);
      }
      Values made = copy(body, args);
      for (size_t k = 0; k < carries; ++k) args[consts + k] = made[k];
      for (size_t k = 0; k < ys.size(); ++k) {
        Shape shape = b_.shape(made[carries + k]);
        shape.insert(0, 1);
        ys[k][static_cast<size_t>(t)] = build::reshape(b_, made[carries + k], shape);
      }
    }
    Values results(args.begin() + static_cast<std::ptrdiff_t>(consts),
                   args.begin() + static_cast<std::ptrdiff_t>(consts + carries));
    for (size_t k = 0; k < ys.size(); ++k)
      results.push_back(length ? build::concat(b_, ys[k], 0)
                               : build::zeros(b_, g.type(node + static_cast<Value>(results.size()))));
    return results;
  }

  Values loop(AttrView attrs, const Values& operands) {
    auto consts = static_cast<size_t>(attrs.integer(Key::consts));
    Values args = operands;
    for (int i = 0; i < steps_; ++i) {
      Value live = copy(attrs.region(Key::condition).data(), args)[0];
      Values next = copy(attrs.region(Key::stages, 0).data(), args);
      for (size_t k = 0; k < next.size(); ++k) args[consts + k] = select(b_, live, next[k], args[consts + k]);
    }
    return {args.begin() + static_cast<std::ptrdiff_t>(consts), args.end()};
  }

  using Values64 = std::vector<int64_t>;
  Builder& b_;
  int steps_;
};

// The graph with the operands and attributes of node `at` changed by f.
using Change = std::function<void(Builder&, Values& operands, AttrSource& attrs)>;
Graph changed(const Graph& graph, Value at, const Change& f) {
  const GraphData& g = graph.data();
  Builder b(g.name(), Builder::Sharing::off);
  Values map(g.size(), kNoValue), params = passes::params_like(b, g);
  for (size_t i = 0; i < params.size(); ++i) map[g.inputs()[i]] = params[i];
  for (Value v = 0; v < g.size(); ++v) {
    if (map[v] != kNoValue) continue;
    Values operands;
    for (Value o : g.operands(v)) operands.push_back(map[o]);
    if (v != at) {
      map[v] = b.copy_node(g, v, operands);
      continue;
    }
    AttrSource attrs(g.attrs(v));
    f(b, operands, attrs);
    map[v] = b.emit(g.op(v), operands, attrs, g.in_place(v));
    for (Value i = 1; i < g.results(v); ++i) map[v + i] = map[v] + i;
  }
  Values outputs;
  for (Value o : g.outputs()) outputs.push_back(map[o]);
  return b.finish(outputs, g.writebacks());
}

// The region with output k made by f of the output before.
template <class F>
Graph with_output(const Graph& region, size_t k, F f) {
  Builder b(region.data().name());
  Values params = passes::params_like(b, region.data()), outputs = passes::inline_graph(b, region.data(), params);
  outputs[k] = f(b, outputs[k], params);
  return b.finish(outputs);
}

// The change that puts another region in the place of the word at `position`.
Change with_region(const GraphData& g, Value v, size_t position, Graph region, std::vector<Graph>& keep) {
  keep.assign(g.regions().begin(), g.regions().end());
  keep[static_cast<size_t>(g.attrs(v).words()[g.attrs(v).region_words()[position]])] = std::move(region);
  return [&keep](Builder&, Values&, AttrSource& attrs) { attrs.regions = keep; };
}

Value source_of(const GraphData& g, Value v) { return g.op(v) == Op::result_op ? g.operand(v, 0) : v; }
bool is_loop(const GraphData& g, Value v) { return g.op(v) == Op::scan_op || g.op(v) == Op::while_op; }

template <class T>
std::optional<T> choose(const std::vector<T>& from, uint64_t which) {
  return from.empty() ? std::nullopt : std::optional<T>(from[which % from.size()]);
}

struct Place {
  Value node;
  size_t k;
};

}  // namespace

Graph written_out(const Graph& g, int steps) {
  Builder b(g.data().name());
  Values params = passes::params_like(b, g.data()), outputs = Writer(b, steps).copy(g.data(), params);
  return b.finish(outputs, g.data().writebacks());
}

std::optional<Graph> with_shifted_residual(const Graph& graph, uint64_t which) {
  const GraphData& g = graph.data();
  std::vector<Place> places;
  for (Value v = 0; v < g.size(); ++v) {
    if (g.op(v) != Op::scan_op || g.attrs(v).integer(Key::length) < 2) continue;
    auto first = static_cast<size_t>(g.attrs(v).integer(Key::consts) + g.attrs(v).integer(Key::carries));
    for (size_t k = first; k < g.operands(v).size(); ++k)
      if (Value s = source_of(g, g.operand(v, k)); g.op(s) == Op::scan_op && is_floating(g.dtype(g.operand(v, k))))
        places.push_back({v, k});
  }
  std::optional<Place> at = choose(places, which);
  if (!at) return {};
  return changed(graph, at->node, [&](Builder& b, Values& operands, AttrSource&) {
    Value& x = operands[at->k];
    int64_t n = b.shape(x)[0];
    Value parts[] = {build::slice_axis(b, x, 0, 1, n), build::slice_axis(b, x, 0, 0, 1)};
    x = build::concat(b, parts, 0);
  });
}

std::optional<Graph> with_moving_lane(const Graph& graph, uint64_t which) {
  const GraphData& g = graph.data();
  std::vector<Place> places;
  for (Value v = 0; v < g.size(); ++v) {
    if (g.op(v) != Op::while_op) continue;
    const AttrView attrs = g.attrs(v);
    const GraphData& body = attrs.region(Key::stages, 0).data();
    auto consts = static_cast<size_t>(attrs.integer(Key::consts));
    for (size_t k = 0; k < body.outputs().size(); ++k)
      if (Value o = body.outputs()[k];
          body.op(o) == Op::where_op && is_floating(body.dtype(o)) && body.operand(o, 2) == body.inputs()[consts + k])
        places.push_back({v, k});
  }
  std::optional<Place> at = choose(places, which);
  if (!at) return {};
  const AttrView attrs = g.attrs(at->node);
  const Graph& body = attrs.region(Key::stages, 0);
  std::vector<Graph> keep;
  Graph faulty = with_output(body, at->k, [](Builder& b, Value v, const Values&) { return b.operand(v, 1); });
  return changed(graph, at->node, with_region(g, at->node, 1, std::move(faulty), keep));
}

std::optional<Graph> with_missed_tangent(const Graph& graph, size_t values, uint64_t which) {
  const GraphData& g = graph.data();
  std::vector<uint8_t> primal(g.size(), 0);
  for (size_t i = 0; i < values; ++i) primal[g.outputs()[i]] = 1;
  for (Value v = g.size(); v-- > 0;)
    if (primal[v])
      for (Value o : g.operands(v)) primal[o] = 1;
  for (Value v = 0; v < g.size(); ++v)  // the op of a result
    if (g.op(v) == Op::result_op) primal[g.operand(v, 0)] |= primal[v];
  std::vector<Place> places;
  for (Value v = 0; v < g.size(); ++v) {
    if (g.op(v) != Op::scan_op || primal[v] || g.attrs(v).integer(Key::length) == 0) continue;
    const AttrView attrs = g.attrs(v);
    auto carries = static_cast<size_t>(attrs.integer(Key::carries));
    const GraphData& body = attrs.region(Key::body).data();
    for (size_t k = 0; k < carries; ++k)
      if (is_floating(body.dtype(body.outputs()[k]))) places.push_back({v, k});
  }
  std::optional<Place> at = choose(places, which);
  if (!at) return {};
  std::vector<Graph> keep;
  Graph faulty = with_output(g.attrs(at->node).region(Key::body), at->k,
                             [](Builder& b, Value v, const Values&) { return build::zeros(b, Type(b.type(v))); });
  return changed(graph, at->node, with_region(g, at->node, 0, std::move(faulty), keep));
}

std::optional<Graph> with_lost_write(const Graph& graph, uint64_t which) {
  const GraphData& g = graph.data();
  Values places;
  for (Value v = 0; v < g.size(); ++v)
    if (g.op(v) == Op::copy_op && g.in_place(v) && is_loop(g, source_of(g, g.operand(v, 1)))) places.push_back(v);
  std::optional<Value> at = choose(places, which);
  if (!at) return {};
  return changed(graph, *at, [&](Builder& b, Values& operands, AttrSource&) {
    operands[1] = b.operand(operands[0], 0);  // what was there
  });
}

}  // namespace jot::test::loops
