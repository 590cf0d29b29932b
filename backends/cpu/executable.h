// A program that runs: the engine of the CPU backend.
#pragma once
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "backends/cpu/program.h"
#include "backends/cpu/program_page.h"
#include "backends/engine.h"

namespace jot::cpu {

struct CompileOptions {
  int vector_bytes = 64;                // 0: one lane, and functions out of line
  std::span<const int32_t> replaces{};  // as of make_engine
  bool one_thread = false;              // runs it
  // Machine code of a kernel; null: kernels are interpreted.
  std::shared_ptr<const KernelCode> (*code)(const Kernel& kernel, bool* compiled) = nullptr;
  // Where it is not empty: kernels and copies alone, each kernel in one piece, for one thread (ship/self_contained.h).
  // It names who asks, in the Error where that cannot be.
  std::string_view self_contained = {};
  int64_t stream = std::numeric_limits<int64_t>::max();  // results of so many bytes and more pass the caches by
  // What C is written of: kernels have lanes only where they add up over these, functions are out of line.
  bool lanes_of_sums = false;
  bool origins = false;  // kernels tell for which node each instruction was made
};

// What was made of a graph, beside the program.
struct Compiled {
  Program program;
  ExecutableStats stats;
  std::string listing;                // steps, clusters, kernels: filled if asked for
  int64_t largest_live_set = 0;       // of intermediate values, in bytes
  std::shared_ptr<ProgramSeen> seen;  // where there is a page of the run
};
Compiled compile(const ir::Graph& optimised, const CompileOptions& options, bool with_listing = false);

std::shared_ptr<const Engine> make_executable(Compiled compiled);

}  // namespace jot::cpu
