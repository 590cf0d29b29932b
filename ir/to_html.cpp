#include "ir/json.h"
#include "ir/page.h"
#include "ir/seen.h"

namespace jot {

std::string to_html(const ir::Graph& graph) {
  const std::string& name = graph.data().name();
  PageGraphs graphs;
  graphs.add(graph);
  const std::string tables = graphs.json();
  seen::Sink sink;
  sink.block("compile", 1, "@" + name, "{\"stages\":[{\"name\":\"graph\",\"graph\":0}]," + tables + "}");
  for (const std::string& file : graphs.files()) sink.source(file);
  return page_head("@" + name) + sink.page;
}

}  // namespace jot
