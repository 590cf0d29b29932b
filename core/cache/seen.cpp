#include "core/cache/seen.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "backends/target.h"
#include "core/cache/events.h"
#include "ir/fork.h"
#include "ir/json.h"
#include "ir/page.h"
#include "ir/print.h"

namespace jot::detail {

using ir::GraphData;
using ir::json_quoted;
using ir::Value;

namespace {

std::string location_json(Location at) {
  return *at.file ? "[" + json_quoted(at.file) + "," + std::to_string(at.line) + "]" : "null";
}

std::string changes_json(const std::vector<Change>& changes) {
  std::string out = "[";
  for (const Change& c : changes)
    out += (out.size() > 1 ? ",{" : "{") + ("\"part\":" + json_quoted(c.part)) + ",\"old\":" + json_quoted(c.before) +
           ",\"new\":" + json_quoted(c.now) + ",\"remedy\":" + json_quoted(c.remedy) + "}";
  return out + "]";
}

std::string strings_json(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const std::string& s : list) out += (out.size() > 1 ? "," : "") + json_quoted(s);
  return out + "]";
}

// `"stages":[...]`; spans to trace.json.
std::string stages_json(const std::vector<seen::Stage>& stages, PageGraphs& graphs, uint32_t thread, seen::Sink& to) {
  std::string out = "\"stages\":[";
  for (const seen::Stage& s : stages) {
    const double us = std::chrono::duration<double, std::micro>(s.length).count();
    out += (&s == stages.data() ? "{" : ",{") + ("\"name\":" + json_quoted(s.name)) +
           ",\"graph\":" + std::to_string(graphs.add(s.graph)) + ",\"us\":" + std::to_string(us) + "}";
    if (s.length.count() > 0) to.span({s.name, "pass", s.begin, s.length, thread});
  }
  return out + "]";
}

std::string line_text(Location at) {
  return *at.file ? std::string(at.file) + ":" + std::to_string(at.line) : std::string();
}

Location last_line(const GraphData& g) {
  for (Value v = g.size(); v-- > 0;)
    if (*g.location(v).file) return g.location(v);
  return Location();
}

// The first node that differs from those of the graph that was compiled for the same line before.
std::vector<Change> changes_of(const ir::Graph& before, const ir::Graph& now) {
  const GraphData &a = before.data(), &b = now.data();
  constexpr size_t kMost = 4;
  std::vector<Change> changes;
  for (Value v = 0; v < std::min(a.size(), b.size()) && changes.size() < kMost; ++v) {
    const std::string old_text = ir::node_text(a, v), text = ir::node_text(b, v);
    if (old_text == text) continue;
    const bool input = b.op(v) == ir::Op::param_op && a.op(v) == ir::Op::param_op;
    if (!changes.empty() && !input) break;
    const bool same_op = a.op(v) == b.op(v);
    changes.push_back({input ? "input " + std::to_string(v) : "node " + ir::value_name(b, v) + on_line(b.location(v)),
                       old_text, text,
                       input     ? "keep shapes and dtypes: pad to one shape, or convert before"
                       : same_op ? "a number or a shape is part of the graph: under jit pass tensors instead of numbers"
                                 : "the function took another way: keep its operations the same from call to call"});
    if (!input) break;
  }
  if (changes.empty() && a.size() != b.size())
    changes.push_back({"the number of operations", std::to_string(a.size()), std::to_string(b.size()),
                       "record the same operations each time, or jit the function"});
  return changes;
}

// Graphs by the line of their last node: what was compiled there last. Bounded.
std::optional<ir::Graph> compiled_before(const ir::Graph& now) {
  constexpr size_t kMost = 1024;
  static constinit std::mutex mutex;
  static auto* last = new std::map<std::pair<std::string, int>, ir::Graph>;
  const Location at = last_line(now.data());
  if (!*at.file) return {};
  ForkSafeLock lock(mutex);
  if (last->size() >= kMost) last->clear();
  const auto [found, fresh] = last->try_emplace({at.file, at.line}, now);
  if (fresh) return {};
  return std::exchange(found->second, now);
}

class RunEvent final : public seen::Event {
 public:
  void write(seen::Sink& to) const override { to.block("run", 0, "target " + std::string(to_string(target())), "{}"); }
};

class CompilationEvent final : public seen::Event {
 public:
  uint64_t id = 0;
  ir::Graph recorded;
  std::shared_ptr<const Engine> engine;
  std::vector<seen::Stage> stages;
  double pass_seconds = 0;
  bool loaded = false;
  std::optional<ir::Graph> before;  // what was compiled for the same line
  std::chrono::steady_clock::time_point begin;
  std::chrono::nanoseconds length{};
  uint32_t thread = 0;

  void write(seen::Sink& to) const override {
    const Location at = last_line(recorded.data());
    PageGraphs graphs;
    std::string json = "{\"at\":" + location_json(at) + ",\"loaded\":" + (loaded ? "true" : "false") +
                       ",\"why\":" + changes_json(before ? changes_of(*before, recorded) : std::vector<Change>()) +
                       ",\"phases\":{\"passes\":" + std::to_string(pass_seconds);
    for (const auto& [phase, seconds] : engine->stats().compile_seconds)
      json += "," + json_quoted(phase) + ":" + std::to_string(seconds);
    std::vector<seen::Stage> all = stages;
    if (!loaded) all.insert(all.begin(), {"recorded", recorded, begin, {}});
    json += "}," + stages_json(all, graphs, thread, to);
    json += ",\"program\":" + engine->page_json(graphs);
    json += "," + graphs.json() + "}";
    const std::string title = "@" + recorded.data().name() + ", " +
                              count_of(static_cast<size_t>(engine->graph().num_nodes()), "node") + on_line(at);
    to.block("compile", id, title, json);
    to.span({"compile", "compile", begin, length, thread, line_text(at)});
    for (const std::string& file : graphs.files()) to.source(file);
  }
};

class RecordingEvent final : public seen::Event {
 public:
  uint64_t id = 0, compilation = 0;
  std::string api;
  Location at{};
  ir::Graph recorded;
  std::vector<seen::Stage> stages;
  std::vector<std::string> arguments, captures;
  std::vector<Change> why;
  std::chrono::steady_clock::time_point begin;
  std::chrono::nanoseconds length{};
  uint32_t thread = 0;

  void write(seen::Sink& to) const override {
    PageGraphs graphs;
    std::string json = "{\"api\":" + json_quoted(api) + ",\"at\":" + location_json(at) +
                       ",\"nodes\":" + std::to_string(recorded.num_nodes()) +
                       ",\"ms\":" + std::to_string(std::chrono::duration<double, std::milli>(length).count()) +
                       ",\"arguments\":" + strings_json(arguments) + ",\"captures\":" + strings_json(captures) +
                       ",\"why\":" + changes_json(why) + ",\"compile\":" + std::to_string(compilation) + ",";
    json += stages_json(stages, graphs, thread, to);
    json += "," + graphs.json() + "}";
    to.block("record", id, api + on_line(at) + (why.empty() ? "" : ", again"), json, compilation);
    to.span({api, "record", begin, length, thread, line_text(at)});
    for (const std::string& file : graphs.files()) to.source(file);
    to.source(at.file);
  }
};

void see_run() {
  static constinit std::atomic<bool> told = false;
  if (!told.exchange(true)) seen::post(std::make_unique<RunEvent>());
}

}  // namespace

uint64_t see_compilation(const ir::Graph& recorded, std::shared_ptr<const Engine> engine,
                         std::vector<seen::Stage> stages, double pass_seconds, bool loaded,
                         std::chrono::steady_clock::time_point begin) {
  see_run();
  auto event = std::make_unique<CompilationEvent>();
  event->id = seen::next_id();
  event->recorded = recorded.with_captures(nullptr);
  event->engine = std::move(engine);
  event->stages = std::move(stages);
  event->pass_seconds = pass_seconds;
  event->loaded = loaded;
  event->before = compiled_before(event->recorded);
  event->begin = begin;
  event->length = std::chrono::steady_clock::now() - begin;
  event->thread = seen::thread_number();
  const uint64_t id = event->id;
  seen::post(std::move(event));
  return id;
}

SeenRecording::SeenRecording() {
  if (!seen::on()) return;
  id_ = seen::next_id();
  begin_ = std::chrono::steady_clock::now();
  stages_.emplace();
}

void SeenRecording::done(std::string_view api, Location at, const ir::Graph& recorded,
                         std::vector<std::string> arguments, std::vector<std::string> captures, std::vector<Change> why,
                         uint64_t compilation) {
  if (id_ == 0) return;
  see_run();
  auto event = std::make_unique<RecordingEvent>();
  event->id = id_;
  event->compilation = compilation;
  event->api = api;
  event->at = at;
  event->recorded = recorded.with_captures(nullptr);
  event->stages = stages_->take();
  event->arguments = std::move(arguments);
  event->captures = std::move(captures);
  event->why = std::move(why);
  event->begin = begin_;
  event->length = std::chrono::steady_clock::now() - begin_;
  event->thread = seen::thread_number();
  seen::post(std::move(event));
}

}  // namespace jot::detail
