#include "core/record/log.h"

#include <cstdio>

#include "core/cache/events.h"
#include "ir/log.h"

namespace jot::detail {

namespace {

// Where the elements of a captured tensor are.
std::string address(const Tensor& t) {
  const Storage& s = *t.impl()->storage;
  if (s.owner.load(std::memory_order_acquire) != 0) return ", which has no elements yet";
  char text[32];
  std::snprintf(text, sizeof text, " with elements at %p", s.buffer.data());
  return text;
}

}  // namespace

void log_recording(const TraceOptions& options, const Recording& recording) {
  const ir::GraphData& g = recording.graph.data();
  size_t arguments = 0, captures = 0;
  for (const Binding& b : recording.bindings) {
    arguments += b.kind == Binding::Kind::argument;
    captures += b.kind == Binding::Kind::capture;
  }
  log("record", options.scope + on_line(options.at) + ": " +
                    count_of(static_cast<size_t>(recording.graph.num_nodes()), "node") + ", " +
                    count_of(arguments, "argument") + ", " + count_of(captures, "capture"));
  for (size_t i = 0; i < recording.bindings.size(); ++i)
    if (const Binding& b = recording.bindings[i]; b.kind == Binding::Kind::capture)
      log("record", options.scope + on_line(options.at) + " captures " + ir::to_string(g.type(g.inputs()[i])) +
                        address(b.capture) + ", used" + on_line(g.location(g.inputs()[i])));
}

}  // namespace jot::detail
