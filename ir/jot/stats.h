#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace jot {

// What compilation made of a graph, for people.
struct ExecutableStats {
  int64_t kernels = 0, routines = 0, library_calls = 0, code_bytes = 0, arena_bytes = 0;
  std::set<std::string> libraries = {};                // that are called: "OpenBLAS 0.3.34 SkylakeX", its kernels last
  int64_t kernels_compiled = 0;                        // of `kernels`: those whose code was not in the kernel cache
  bool loaded = false;                                 // from a file: nothing was compiled
  std::map<std::string, double> compile_seconds = {};  // by phase
};

}  // namespace jot
