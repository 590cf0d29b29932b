#include "passes/dump.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "ir/env.h"
#include "ir/log.h"
#include "ir/seen.h"

namespace jot {

namespace {
const pid_t first_process = getpid();
}

bool dumping() { return !env().dump.empty(); }

void dump_text(std::string_view name, const std::string& text) {
  if (!dumping()) return;
  static std::atomic<int> counter{0};
  char number[32];
  if (const pid_t process = getpid(); process == first_process)
    std::snprintf(number, sizeof number, "%04d-", counter++);
  else  // a forked child
    std::snprintf(number, sizeof number, "%d-%04d-", process, counter++);
  std::filesystem::path folder(env().dump);
  std::error_code ignored;  // where there is no folder, the file cannot be written
  std::filesystem::create_directories(folder, ignored);
  std::filesystem::path file = folder / (number + std::string(name));
  std::ofstream out(file);
  out << text;
  if (!out.flush()) throw Error("[dump] cannot write " + file.string() + "; JOT_DUMP must name a writable folder");
}

namespace passes {

void dump_graph(std::string_view name, const ir::Graph& g) {
  if (dumping()) dump_text(std::string(name) + ".jot", to_text(g));
}

bool verifying() { return env().verify; }

void verify_after(std::string_view name, const ir::Graph& g) {
  try {
    ir::verify(g);
  } catch (const IrError& e) {
    throw IrError("[" + std::string(name) + "] made a graph that is not valid: " + e.what());
  }
}

static std::atomic<int64_t> runs{0};
int64_t passes_run() { return runs.load(std::memory_order_relaxed); }

PassTimer::PassTimer(std::string_view name, const ir::Graph& before)
    : name_(name), nodes_(before.num_nodes()), start_(std::chrono::steady_clock::now()) {
  runs.fetch_add(1, std::memory_order_relaxed);
}

void PassTimer::done(const ir::Graph& after) {
  if (seen::Stages* stages = seen::Stages::innermost())
    stages->add({std::string(name_), after, start_, std::chrono::steady_clock::now() - start_});
  if (env().log_compile) {
    std::chrono::duration<double, std::micro> us = std::chrono::steady_clock::now() - start_;
    char text[96];
    std::snprintf(text, sizeof text, ": %lld -> %lld nodes, %.1f us", static_cast<long long>(nodes_),
                  static_cast<long long>(after.num_nodes()), us.count());
    log("compile", std::string(name_) + text);
  }
  dump_graph(name_, after);
}

}  // namespace passes
}  // namespace jot
