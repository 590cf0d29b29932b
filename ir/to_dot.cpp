#include "ir/print.h"

namespace jot {
namespace {

using namespace ir;

std::string node_id(Value v) { return "n" + std::to_string(v); }

// Escaped for a quoted label; `\n` stays the label's line break.
std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string node_line(const GraphData& g, const ValueNames& names, Value v) {
  bool parameter = g.op(v) == Op::param_op;
  std::string label = parameter ? names(v) : std::string(name_of(g.op(v))) + (g.in_place(v) ? "_" : "");
  label = escaped(label) + "\\n" + escaped(to_string(g.type(v)));
  std::string attributes = parameter ? "" : attributes_text(g, v, 4);
  if (!attributes.empty()) label += "\\n" + escaped(attributes);
  std::string style;
  if (parameter)
    style = ", shape=ellipse, fillcolor=\"#d8e8f8\"";
  else if (g.in_place(v) || g.op(v) == Op::read_op)
    style = ", fillcolor=\"#f8d8d8\"";
  else if (g.operands(v).empty())
    style = ", fillcolor=\"#eeeeee\"";
  std::string line = "  " + node_id(v) + " [label=\"" + label + "\"" + style;
  if (std::string where = at(g.location(v)); !where.empty())
    line += ", tooltip=\"" + escaped(where.substr(where.find("at "))) + "\"";
  return line + "];\n";
}

}  // namespace

std::string to_dot(const Graph& graph) {
  const GraphData& g = graph.data();
  ValueNames names(g);
  std::string out =
      "digraph \"" + escaped(g.name()) +
      "\" {\n"
      "  rankdir=TB;\n"
      "  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"Helvetica\", fontsize=10];\n"
      "  edge [fontname=\"Helvetica\", fontsize=8];\n";
  for (Value v = 0; v < g.size(); ++v) {
    out += node_line(g, names, v);
    std::span<const Value> operands = g.operands(v);
    for (size_t i = 0; i < operands.size(); ++i) {
      out += "  " + node_id(operands[i]) + " -> " + node_id(v);
      std::string style = operands.size() > 1 ? "label=\"" + std::to_string(i) + "\"" : "";
      if (g.type(operands[i]).token) style += style.empty() ? "style=dashed" : ", style=dashed";
      out += style.empty() ? ";\n" : " [" + style + "];\n";
    }
  }
  for (size_t i = 0; i < g.outputs().size(); ++i) {
    bool result = i < g.num_results();
    std::string label = result ? "result " + std::to_string(i)
                               : "writeback to " + names(g.inputs()[g.writebacks()[i - g.num_results()]]);
    out += "  o" + std::to_string(i) + " [label=\"" + escaped(label) +
           "\", shape=ellipse, fillcolor=\"#d8f0d8\"];\n  " + node_id(g.outputs()[i]) + " -> o" + std::to_string(i) +
           ";\n";
  }
  return out + "}\n";
}

}  // namespace jot
