// What a user sees of the road: JOT_DUMP=DIR, JOT_LOG=compile.
#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include "jot/ir.h"

namespace jot {

// Writes text to DIR/<number>-<name>; the numbers of a process ascend. Does nothing without JOT_DUMP.
void dump(std::string_view name, const std::string& text);
bool dumping();

namespace passes {

void dump_graph(std::string_view name, const ir::Graph& g);
bool verifying();

// Times a pass and reports it.
class PassTimer {
 public:
  PassTimer(std::string_view name, const ir::Graph& before);
  void done(const ir::Graph& after);

 private:
  std::string_view name_;
  int64_t nodes_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace passes
}  // namespace jot
