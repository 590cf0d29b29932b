// Hooks of passes: verification (JOT_VERIFY=1), dumps (JOT_DUMP=DIR), timing (JOT_LOG=compile), the page of the run
// (JOT_TRACE_DIR=DIR).
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "jot/ir.h"

namespace jot {

// Writes text to DIR/<number>-<name>; the numbers of a process ascend. Does nothing without JOT_DUMP.
void dump_text(std::string_view name, const std::string& text);
bool dumping();

namespace passes {

void dump_graph(std::string_view name, const ir::Graph& g);
bool verifying();
// ir::verify of what the pass `name` made; its complaint names the pass.
void verify_after(std::string_view name, const ir::Graph& g);

// How many passes and transforms of graphs this process has run so far.
int64_t passes_run();

// Times a pass, counts it and reports it.
class PassTimer {
 public:
  PassTimer(std::string_view name, const ir::Graph& before);
  void done(const ir::Graph& after);

 private:
  std::string_view name_;
  int64_t nodes_;
  std::chrono::steady_clock::time_point start_;
};

// make(), which gives the graph that the pass `name` makes of `before`, with the hooks.
template <class Make>
ir::Graph hooked(std::string_view name, const ir::Graph& before, Make make) {
  PassTimer timer(name, before);
  ir::Graph after = make();
  if (verifying()) verify_after(name, after);
  timer.done(after);
  return after;
}

}  // namespace passes
}  // namespace jot
