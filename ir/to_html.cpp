#include "ir/print.h"

namespace jot {
namespace {

using namespace ir;

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

constexpr char kHead[] = R"(<style>
  body { font: 13px/1.5 monospace; margin: 2em; color: #222; }
  tr:target, tr:hover { background: #fff3c4; }
  td { padding: 0 1em 0 0; vertical-align: top; white-space: nowrap; }
  a { color: #0550ae; text-decoration: none; }
  a:hover { text-decoration: underline; }
  .op { font-weight: bold; } .effect { color: #b00; } .note { color: #888; } .type { color: #116329; }
</style>
)";

// The rows of a graph and, below each node, its regions; `prefix` tells the anchors of a region from others.
class Page {
 public:
  Page(const GraphData& g, std::string prefix, std::string& out)
      : g_(g), names_(g), prefix_(std::move(prefix)), out_(out) {}

  void print() {
    out_ += "<table>\n";
    for (Value v = 0; v < g_.size(); ++v) {
      row(v);
      regions(v);
    }
    out_ += "</table>\n<p>";
    for (size_t i = 0; i < g_.outputs().size(); ++i) {
      bool result = i < g_.num_results();
      out_ += (result ? "result " + std::to_string(i) + ": "
                      : "writeback to " + link(g_.inputs()[g_.writebacks()[i - g_.num_results()]]) + ": ") +
              link(g_.outputs()[i]) + "<br>\n";
    }
    out_ += "</p>\n";
  }

 private:
  std::string anchor(Value v) const { return prefix_ + "v" + std::to_string(v); }
  std::string link(Value v) const { return "<a href=\"#" + anchor(v) + "\">" + escaped(names_(v)) + "</a>"; }

  void row(Value v) {
    bool parameter = g_.op(v) == Op::param_op, effect = g_.in_place(v) || g_.op(v) == Op::read_op;
    out_ += "<tr id=\"" + anchor(v) + "\"><td>" + escaped(names_(v)) + "</td><td class=\"type\">" +
            escaped(to_string(g_.type(v))) + "</td><td>";
    out_ += "<span class=\"op" + std::string(effect ? " effect" : "") + "\">" + std::string(name_of(g_.op(v))) +
            (g_.in_place(v) ? "_" : "") + "</span>";
    const char* separator = " ";
    for (Value o : g_.operands(v)) {
      out_ += separator + link(o);
      separator = ", ";
    }
    out_ +=
        "</td><td class=\"note\">" + (parameter ? "" : escaped(attributes_text(g_, v, 8))) + "</td><td class=\"note\">";
    if (std::string where = at(g_.location(v)); !where.empty()) out_ += escaped(where.substr(where.find("at ") + 3));
    out_ += "</td><td class=\"note\">" + escaped(g_.scope(v)) + "</td></tr>\n";
  }

  void regions(Value v) {
    for (const auto& [label, g] : labelled_regions(g_, v)) region(v, label, *g);
  }

  void region(Value v, const std::string& label, const GraphData& g) {
    out_ += "<tr><td colspan=\"6\"><details><summary>" + escaped(label) + " of " + link(v) + "</summary>\n";
    Page(g, anchor(v) + "r" + std::to_string(printed_++) + "-", out_).print();
    out_ += "</details></td></tr>\n";
  }

  const GraphData& g_;
  ValueNames names_;
  std::string prefix_;
  std::string& out_;
  size_t printed_ = 0;  // regions
};

}  // namespace

std::string to_html(const Graph& graph) {
  const GraphData& g = graph.data();
  std::string out = "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>" + escaped(g.name()) + "</title>\n" + kHead +
                    "<h1>@" + escaped(g.name()) + "</h1>\n<p class=\"note\">" + std::to_string(g.size()) + " nodes, " +
                    (g.pure() ? "pure" : "with effects") + "</p>\n";
  Page(g, "", out).print();
  return out;
}

}  // namespace jot
