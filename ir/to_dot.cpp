#include "ir/print.h"

namespace jot {
namespace {

using namespace ir;

// Escaped for a quoted label; `\n` stays the label's line break.
std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// Draws a graph. A region is a box of its own, tied to its node; `prefix` tells its nodes from others.
class Drawing {
 public:
  Drawing(const GraphData& g, std::string prefix, std::string& out)
      : g_(g), names_(g), prefix_(std::move(prefix)), out_(out) {}

  void draw() {
    for (Value v = 0; v < g_.size(); ++v) {
      node(v);
      edges(v);
      regions(v);
    }
    for (size_t i = 0; i < g_.outputs().size(); ++i) output(i);
  }

 private:
  std::string id(Value v) const { return prefix_ + "n" + std::to_string(v); }

  void node(Value v) {
    bool parameter = g_.op(v) == Op::param_op;
    std::string label = parameter ? names_(v) : std::string(name_of(g_.op(v))) + (g_.in_place(v) ? "_" : "");
    label = escaped(label) + "\\n" + escaped(to_string(g_.type(v)));
    std::string attributes = parameter ? "" : attributes_text(g_, v, 4);
    if (!attributes.empty()) label += "\\n" + escaped(attributes);
    std::string style;
    if (parameter)
      style = ", shape=ellipse, fillcolor=\"#d8e8f8\"";
    else if (g_.in_place(v) || g_.op(v) == Op::read_op)
      style = ", fillcolor=\"#f8d8d8\"";
    else if (g_.operands(v).empty())
      style = ", fillcolor=\"#eeeeee\"";
    out_ += "  " + id(v) + " [label=\"" + label + "\"" + style;
    if (std::string where = at(g_.location(v)); !where.empty())
      out_ += ", tooltip=\"" + escaped(where.substr(where.find("at "))) + "\"";
    out_ += "];\n";
  }

  void edges(Value v) {
    std::span<const Value> operands = g_.operands(v);
    for (size_t i = 0; i < operands.size(); ++i) {
      out_ += "  " + id(operands[i]) + " -> " + id(v);
      std::string style = operands.size() > 1 ? "label=\"" + std::to_string(i) + "\"" : "";
      if (g_.type(operands[i]).token) style += style.empty() ? "style=dashed" : ", style=dashed";
      out_ += style.empty() ? ";\n" : " [" + style + "];\n";
    }
  }

  void regions(Value v) {
    for (const auto& [label, g] : labelled_regions(g_, v)) region(v, label, *g);
  }

  void region(Value v, const std::string& label, const GraphData& g) {
    std::string prefix = id(v) + "_" + std::to_string(drawn_++) + "_";
    out_ += "  subgraph cluster_" + prefix + " {\n  label=\"" + escaped(label) + " of " + escaped(names_(v)) +
            "\"; style=rounded; fontname=\"Helvetica\"; fontsize=10;\n";
    out_ += "  " + prefix + "in [label=\"inputs\", shape=plaintext, fillcolor=none];\n";
    Drawing(g, prefix, out_).draw();
    out_ += "  }\n  " + id(v) + " -> " + prefix + "in [style=dotted, arrowhead=none];\n";
  }

  void output(size_t i) {
    bool result = i < g_.num_results();
    std::string label = result ? "result " + std::to_string(i)
                               : "writeback to " + names_(g_.inputs()[g_.writebacks()[i - g_.num_results()]]);
    std::string to = prefix_ + "o" + std::to_string(i);
    out_ += "  " + to + " [label=\"" + escaped(label) + "\", shape=ellipse, fillcolor=\"#d8f0d8\"];\n  " +
            id(g_.outputs()[i]) + " -> " + to + ";\n";
  }

  const GraphData& g_;
  ValueNames names_;
  std::string prefix_;
  std::string& out_;
  size_t drawn_ = 0;  // regions
};

}  // namespace

std::string to_dot(const Graph& graph) {
  const GraphData& g = graph.data();
  std::string out =
      "digraph \"" + escaped(g.name()) +
      "\" {\n"
      "  rankdir=TB;\n"
      "  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"Helvetica\", fontsize=10];\n"
      "  edge [fontname=\"Helvetica\", fontsize=8];\n";
  Drawing(g, "", out).draw();
  return out + "}\n";
}

}  // namespace jot
