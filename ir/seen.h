// What is seen of a run (docs/seeing.md): JOT_TRACE_DIR=DIR has DIR/index.html, a page of all that was recorded,
// compiled and run, and DIR/trace.json, the same along time for Chrome and Perfetto. Threads post events, which hold on
// to what they tell of and cost next to nothing; a thread of its own writes them. What was posted when the process
// exits is written; when it is killed, what has been written until then is a page.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "jot/ir.h"
#include "jot/location.h"

namespace jot::seen {

// Bits of `mode`: that it is known, that nodes and instructions keep the lines that they come from, that there is a
// page.
enum : uint8_t { kKnown = 1, kLines = 2, kPage = 4 };
extern std::atomic<uint8_t> mode;
uint8_t find_mode();  // of the environment
inline uint8_t known_mode() {
  const uint8_t m = mode.load(std::memory_order_relaxed);
  return m ? m : find_mode();
}
// Whether the lines of equal nodes and of a kernel's instructions are kept: of JOT_TRACE_DIR, JOT_PERF, JOT_GDB.
inline bool lines() { return (known_mode() & kLines) != 0; }
// Whether there is a page of this run.
inline bool on() { return (known_mode() & kPage) != 0; }

// What an event is written to.
class Sink {
 public:
  // A block of the page: JSON of this kind, with what the page shows of it before it reads it.
  // `of`: the number of the block that it belongs to; 0: none.
  void block(std::string_view kind, uint64_t id, std::string_view title, std::string_view json, uint64_t of = 0);
  // The text of a source file as a block; once each.
  void source(std::string_view file);
  // A span of time in trace.json.
  struct Span {
    std::string_view name, category;
    std::chrono::steady_clock::time_point begin;
    std::chrono::nanoseconds length{};
    uint32_t thread = 0;
    std::string_view line = {};  // "file:line", where known
  };
  void span(const Span& span);

  // What has been written, to be taken.
  std::string page, trace;

 private:
  std::vector<std::string> files_;
};

class Event {
 public:
  virtual ~Event() = default;
  virtual void write(Sink& to) const = 0;
};

// Written soon.
void post(std::unique_ptr<const Event> event);
// Written when the process exits.
void post_at_end(std::unique_ptr<const Event> event);

uint64_t next_id();        // of what the page tells of, from 1
uint32_t thread_number();  // of the calling thread, from 1

// A graph that a pass has made.
struct Stage {
  std::string name;
  ir::Graph graph;
  std::chrono::steady_clock::time_point begin;
  std::chrono::nanoseconds length;
};

// While one lives, it has what the passes of this thread make; the innermost alone.
class Stages {
 public:
  Stages();
  ~Stages();
  Stages(const Stages&) = delete;
  Stages& operator=(const Stages&) = delete;
  static Stages* innermost() { return innermost_; }
  void add(Stage stage) { made_.push_back(std::move(stage)); }
  std::vector<Stage> take() { return std::move(made_); }

 private:
  static thread_local Stages* innermost_;
  Stages* outer_;
  std::vector<Stage> made_;
};

}  // namespace jot::seen
