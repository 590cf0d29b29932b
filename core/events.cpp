#include "core/events.h"

#include <cstdint>
#include <cstdio>

#include "ir/log.h"

namespace jot::detail {

namespace {

std::string count(size_t n, std::string_view what) {
  return std::to_string(n) + " " + std::string(what) + (n == 1 ? "" : "s");
}

// Where the elements of a captured tensor are.
std::string address(const Tensor& t) {
  const Storage& s = *t.impl()->storage;
  if (s.owner.load(std::memory_order_acquire) != 0) return ", which has no elements yet";
  char text[32];
  std::snprintf(text, sizeof text, " with elements at %p", s.buffer.data());
  return text;
}

}  // namespace

std::string on_line(Location where) {
  return where.line ? " at " + std::string(where.file) + ":" + std::to_string(where.line) : "";
}

void log_lookup(std::string_view name, bool found, const ir::Graph& graph) {
  const ir::GraphData& g = graph.data();
  Location last = g.size() ? g.location(g.size() - 1) : Location{};
  log("cache", std::string(name) + (found ? ": hit, " : ": miss, ") +
                   count(static_cast<size_t>(graph.num_nodes()), "node") + on_line(last));
}

void log_recording(const TraceOptions& options, const Recording& recording) {
  const ir::GraphData& g = recording.graph.data();
  size_t arguments = 0, captures = 0;
  for (const Binding& b : recording.bindings) {
    arguments += b.kind == Binding::Kind::argument;
    captures += b.kind == Binding::Kind::capture;
  }
  log("record", options.scope + on_line(options.at) + ": " +
                    count(static_cast<size_t>(recording.graph.num_nodes()), "node") + ", " +
                    count(arguments, "argument") + ", " + count(captures, "capture"));
  for (size_t i = 0; i < recording.bindings.size(); ++i)
    if (const Binding& b = recording.bindings[i]; b.kind == Binding::Kind::capture)
      log("record", options.scope + on_line(options.at) + " captures " + ir::to_string(g.type(g.inputs()[i])) +
                        address(b.capture) + ", used" + on_line(g.location(g.inputs()[i])));
}

}  // namespace jot::detail
