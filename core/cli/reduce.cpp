#include "core/cli/reduce.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <span>
#include <vector>

#include "ir/builder.h"

namespace jot::cli {

using namespace ir;

namespace {

// A graph with less of it.
struct Cut {
  std::vector<uint8_t> outputs;  // that stay: results
  std::vector<uint8_t> nodes;    // that become inputs
  std::vector<Value> instead;    // of a node: an operand of its type; kNoValue: itself
};

Cut nothing_cut(const GraphData& g) {
  return {std::vector<uint8_t>(g.num_results(), 1), std::vector<uint8_t>(g.size(), 0),
          std::vector<Value>(g.size(), kNoValue)};
}

// None where what is left is no graph.
std::optional<Graph> without(const Graph& graph, const Cut& cut) {
  const GraphData& g = graph.data();
  const auto first_result = [&](Value v) { return g.op(v) == Op::result_op ? g.operand(v, 0) : v; };
  std::vector<uint8_t> live(g.size(), 0);
  for (size_t i = 0; i < cut.outputs.size(); ++i)
    if (cut.outputs[i]) live[g.outputs()[i]] = 1;
  for (size_t i = g.num_results(); i < g.outputs().size(); ++i) live[g.outputs()[i]] = 1;
  for (uint32_t w : g.writebacks()) live[g.inputs()[w]] = 1;
  for (Value v = g.size(); v-- > 0;) {
    if (g.in_place(v)) live[v] = 1;
    if (!live[v] || cut.nodes[v]) continue;
    if (cut.instead[v] != kNoValue)
      live[cut.instead[v]] = 1;
    else
      for (Value o : g.operands(v)) live[o] = 1;
  }
  try {
    Builder b(g.name(), Builder::Sharing::off);
    std::vector<Value> now(g.size(), kNoValue);
    std::vector<uint32_t> position(g.inputs().size(), 0);
    uint32_t inputs = 0;
    for (size_t i = 0; i < g.inputs().size(); ++i) {
      if (!live[g.inputs()[i]]) continue;
      position[i] = inputs++;
      now[g.inputs()[i]] = b.param(g.type(g.inputs()[i]), g.input_name(i));
    }
    for (Value v = 0; v < g.size(); ++v) {
      if (now[v] != kNoValue || g.op(v) == Op::param_op) continue;
      if (g.op(v) == Op::result_op && !cut.nodes[v]) {
        const Value first = first_result(v);
        if (cut.nodes[first] || now[first] == kNoValue) {
          if (live[v]) now[v] = b.param(g.type(v));
        } else {
          now[v] = now[first] + (v - first);
        }
        continue;
      }
      bool wanted = live[v];
      for (Value r = v; r < v + g.results(v); ++r) wanted |= live[r];
      if (!wanted) continue;
      if (cut.nodes[v]) {
        if (live[v]) now[v] = b.param(g.type(v));
        continue;
      }
      if (cut.instead[v] != kNoValue) {
        now[v] = now[cut.instead[v]];
        continue;
      }
      std::vector<Value> operands;
      for (Value o : g.operands(v)) operands.push_back(now[o]);
      if (std::ranges::find(operands, kNoValue) != operands.end()) return std::nullopt;
      now[v] = b.copy_node(g, v, operands);
    }
    std::vector<Value> outputs;
    for (size_t i = 0; i < g.outputs().size(); ++i)
      if (i >= cut.outputs.size() || cut.outputs[i]) outputs.push_back(now[g.outputs()[i]]);
    std::vector<uint32_t> writebacks;
    for (uint32_t w : g.writebacks()) writebacks.push_back(position[w]);
    Graph made = b.finish(outputs, writebacks);
    verify(made);
    return made;
  } catch (const Error&) {
    return std::nullopt;
  }
}

class Reducer {
 public:
  Reducer(const Graph& g, const std::function<bool(const Graph&)>& fails) : best_(g), fails_(fails) {}

  Graph run() {
    for (bool smaller = true; smaller;) {
      smaller = shrink(&Reducer::cut_outputs, [this] { return best_.data().num_results(); });
      smaller |= shrink(&Reducer::cut_nodes, [this] { return size_t{best_.data().size()}; });
      smaller |= shrink(&Reducer::cut_through, [this] { return size_t{best_.data().size()}; });
    }
    return best_;
  }

 private:
  using Make = bool (Reducer::*)(Cut&, size_t begin, size_t end) const;

  // Takes pieces away: halves, quarters, ... single ones.
  template <class Count>
  bool shrink(Make make, Count count) {
    bool any = false;
    for (size_t piece = std::max<size_t>(count() / 2, 1);; piece = std::max<size_t>(piece / 2, 1)) {
      for (size_t end = count(); end > 0;) {
        const size_t begin = end > piece ? end - piece : 0;
        Cut cut = nothing_cut(best_.data());
        std::optional<Graph> less = (this->*make)(cut, begin, end) ? without(best_, cut) : std::nullopt;
        if (less && smaller(*less) && fails_(*less)) {
          best_ = *less;
          any = true;
        }
        end = std::min(begin, count());
      }
      if (piece == 1) return any;
    }
  }
  // Fewer ops; of as many: fewer nodes.
  bool smaller(const Graph& g) const {
    const auto size = [](const GraphData& d) { return std::pair(d.size() - d.inputs().size(), d.size()); };
    return size(g.data()) < size(best_.data()) ||
           (size(g.data()) == size(best_.data()) && g.data().num_results() < best_.data().num_results());
  }

  bool cut_outputs(Cut& cut, size_t begin, size_t end) const {
    if (end - begin == best_.data().num_results() && best_.data().writebacks().empty()) return false;
    std::fill(cut.outputs.begin() + static_cast<std::ptrdiff_t>(begin),
              cut.outputs.begin() + static_cast<std::ptrdiff_t>(end), uint8_t{0});
    return true;
  }
  bool cut_nodes(Cut& cut, size_t begin, size_t end) const {
    const GraphData& g = best_.data();
    bool any = false;
    for (size_t v = begin; v < end; ++v)
      if (const auto value = static_cast<Value>(v);
          g.op(value) != Op::param_op && !g.in_place(value) && !g.type(value).token)
        cut.nodes[v] = any = true;
    return any;
  }
  bool cut_through(Cut& cut, size_t begin, size_t end) const {
    const GraphData& g = best_.data();
    bool any = false;
    for (size_t v = begin; v < end; ++v) {
      const auto value = static_cast<Value>(v);
      if (g.op(value) == Op::param_op || g.op(value) == Op::result_op || g.in_place(value) || g.results(value) > 1)
        continue;
      for (Value o : g.operands(value))
        if (g.type(o) == g.type(value)) {
          cut.instead[v] = o;
          any = true;
          break;
        }
    }
    return any;
  }

  Graph best_;
  const std::function<bool(const Graph&)>& fails_;
};

}  // namespace

Graph reduce(const Graph& g, const std::function<bool(const Graph&)>& fails) { return Reducer(g, fails).run(); }

int run_command(const std::string& command, const Graph& g) {
  char name[] = "/tmp/jot-reduce-XXXXXX";
  const int file = mkstemp(name);
  if (file < 0) throw Error("[reduce] no file can be made in /tmp");
  close(file);
  std::ofstream(name) << to_text(g);
  const int status = std::system((command + " " + name + " >/dev/null 2>&1").c_str());
  std::remove(name);
  if (status < 0) throw Error("[reduce] the command cannot be run: " + command);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace jot::cli
