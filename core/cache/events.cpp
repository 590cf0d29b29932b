#include "core/cache/events.h"

#include "ir/log.h"

namespace jot::detail {

std::string on_line(Location where) {
  return where.line ? " at " + std::string(where.file) + ":" + std::to_string(where.line) : "";
}

std::string count_of(size_t n, std::string_view what) {
  return std::to_string(n) + " " + std::string(what) + (n == 1 ? "" : "s");
}

void log_lookup(std::string_view name, bool found, const ir::Graph& graph) {
  const ir::GraphData& g = graph.data();
  Location last = g.size() ? g.location(g.size() - 1) : Location{};
  log("cache", std::string(name) + (found ? ": hit, " : ": miss, ") +
                   count_of(static_cast<size_t>(graph.num_nodes()), "node") + on_line(last));
}

}  // namespace jot::detail
