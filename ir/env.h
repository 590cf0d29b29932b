// The JOT_* environment variables. Read once, on first use; later changes of the environment have no effect.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace jot {

struct Env {
  enum class Cpu : uint8_t { detect, avx512, avx2, reference };
  // Which side of a buffer touches a guard page. Both sides have one within a page.
  enum class Guard : uint8_t { off, end, begin, alternate };

  std::string dump;        // JOT_DUMP: folder for graphs, kernels and assembly; empty: none
  std::string trace_dir;   // JOT_TRACE_DIR: folder for the page of the run; empty: none
  bool verify = false;     // JOT_VERIFY=1: verify after every pass
  bool check_nan = false;  // JOT_CHECK=nan: what a kernel makes that is not finite is an error
  bool perf = false;       // JOT_PERF=1: a jitdump of the kernels, for perf
  bool gdb = false;        // JOT_GDB=1: kernels are told to gdb
  int num_threads = 0;     // JOT_NUM_THREADS, at least 1; 0: not set
  Cpu cpu = Cpu::detect;   // JOT_CPU=avx512|avx2|reference
  // JOT_LOG: a list with commas of what is told, a line an event
  bool log_compile = false;                  // passes: nodes and time
  bool log_cache = false;                    // what was found and what was not
  bool log_record = false;                   // recorded functions and what they capture
  std::string cache_dir;                     // JOT_CACHE_DIR: folder of the cache on disk; empty: none
  int64_t cache_limit = int64_t{256} << 20;  // JOT_CACHE_LIMIT: its bytes: a number, perhaps with K, M or G
  int64_t stream = -1;                       // JOT_STREAM: bytes from which on results pass the caches by; -1: not set
  Guard guard = Guard::off;                  // JOT_GUARD=1 (end), 2 (begin), 3 (alternate)
};

// Throws Error on a value that is not understood, each time it is asked until the environment is right.
const Env& env();

// Reads an environment given as a function: name to value. For env() and tests.
Env read_env(const std::function<std::optional<std::string>(const char*)>& get);

}  // namespace jot
