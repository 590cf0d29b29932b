// What JOT_TRACE_DIR tells of recordings and compilations: the blocks of the page (ir/seen.h) that core knows of.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/engine.h"
#include "ir/seen.h"
#include "jot/location.h"

namespace jot::detail {

// A part of what a recording depends on that differs from an earlier one.
struct Change {
  std::string part, before, now, remedy;
};

// A compilation, or a program found on disk (loaded). The number of its block.
uint64_t see_compilation(const ir::Graph& recorded, std::shared_ptr<const Engine> engine,
                         std::vector<seen::Stage> stages, double pass_seconds, bool loaded,
                         std::chrono::steady_clock::time_point begin);

// A recording: made at its beginning, told at its end. Where there is no page it does nothing.
class SeenRecording {
 public:
  SeenRecording();
  // compilation: the number of its block; 0: none. arguments, captures: their types.
  void done(std::string_view api, Location at, const ir::Graph& recorded, std::vector<std::string> arguments,
            std::vector<std::string> captures, std::vector<Change> why, uint64_t compilation);

 private:
  uint64_t id_ = 0;
  std::chrono::steady_clock::time_point begin_;
  std::optional<seen::Stages> stages_;
};

}  // namespace jot::detail
