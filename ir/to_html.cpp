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

std::string link(const ValueNames& names, Value v) {
  return "<a href=\"#v" + std::to_string(v) + "\">" + escaped(names(v)) + "</a>";
}

std::string row(const GraphData& g, const ValueNames& names, Value v) {
  bool parameter = g.op(v) == Op::param_op, effect = g.in_place(v) || g.op(v) == Op::read_op;
  std::string out = "<tr id=\"v" + std::to_string(v) + "\"><td>" + escaped(names(v)) + "</td><td class=\"type\">" +
                    escaped(to_string(g.type(v))) + "</td><td>";
  out += "<span class=\"op" + std::string(effect ? " effect" : "") + "\">" + std::string(name_of(g.op(v))) +
         (g.in_place(v) ? "_" : "") + "</span>";
  const char* separator = " ";
  for (Value o : g.operands(v)) {
    out += separator + link(names, o);
    separator = ", ";
  }
  out += "</td><td class=\"note\">" + (parameter ? "" : escaped(attributes_text(g, v, 8))) + "</td><td class=\"note\">";
  if (std::string where = at(g.location(v)); !where.empty()) out += escaped(where.substr(where.find("at ") + 3));
  return out + "</td><td class=\"note\">" + escaped(g.scope(v)) + "</td></tr>\n";
}

}  // namespace

std::string to_html(const Graph& graph) {
  const GraphData& g = graph.data();
  ValueNames names(g);
  std::string out = "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>" + escaped(g.name()) + "</title>\n" + kHead +
                    "<h1>@" + escaped(g.name()) + "</h1>\n<p class=\"note\">" + std::to_string(g.size()) + " nodes, " +
                    (g.pure() ? "pure" : "with effects") + "</p>\n<table>\n";
  for (Value v = 0; v < g.size(); ++v) out += row(g, names, v);
  out += "</table>\n<p>";
  for (size_t i = 0; i < g.outputs().size(); ++i) {
    bool result = i < g.num_results();
    out += (result ? "result " + std::to_string(i) + ": "
                   : "writeback to " + link(names, g.inputs()[g.writebacks()[i - g.num_results()]]) + ": ") +
           link(names, g.outputs()[i]) + "<br>\n";
  }
  return out + "</p>\n";
}

}  // namespace jot
